"""What a connection waits by."""

from __future__ import annotations

import asyncio

import pytest

from codraw.waits import Latch, Mailbox
from tests.support.turns import turns


async def test_whoever_waits_goes_on_when_the_latch_opens() -> None:
    latch, passed = Latch(), list[str]()

    async def wait(name: str) -> None:
        assert await latch.wait()
        passed.append(name)

    waiting = [asyncio.create_task(wait(name)) for name in "abc"]
    await turns()
    waiting[1].cancel()
    await turns()
    assert (passed, latch.is_set()) == ([], False)
    latch.set()
    await turns()
    assert (passed, latch.is_set()) == (["a", "c"], True)
    await wait("d")
    latch.clear()
    assert (passed[-1], latch.is_set()) == ("d", False)


async def test_what_is_put_is_taken_in_order() -> None:
    mailbox = Mailbox[int]()
    for n in range(3):
        mailbox.put_nowait(n)
    assert [await mailbox.get() for _ in range(2)] == [0, 1]
    assert not mailbox.empty()
    assert await mailbox.get() == 2
    assert mailbox.empty()


async def test_one_who_takes_from_an_empty_mailbox_waits() -> None:
    mailbox = Mailbox[int]()
    taking = asyncio.create_task(mailbox.get())
    await turns()
    assert not taking.done()
    mailbox.put_nowait(1)
    mailbox.put_nowait(2)
    assert (await taking, await mailbox.get()) == (1, 2)


async def test_what_comes_for_one_who_has_given_up_waits_for_the_next() -> None:
    mailbox = Mailbox[int]()
    taking = asyncio.create_task(mailbox.get())
    await turns()
    taking.cancel()
    await turns()
    mailbox.put_nowait(1)
    assert await mailbox.get() == 1


async def test_what_waits_is_taken_without_waiting() -> None:
    mailbox = Mailbox[int]()
    mailbox.put_nowait(1)
    assert mailbox.take() == 1
    with pytest.raises(LookupError):
        mailbox.take()


def test_whoever_listens_gets_what_waits_and_what_comes_until_it_has_enough() -> None:
    mailbox, heard = Mailbox[int](), list[int]()

    def hear(number: int) -> bool:
        heard.append(number)
        return number != 2

    mailbox.put_nowait(0)
    mailbox.listen(hear)
    for n in (1, 2, 3):
        mailbox.put_nowait(n)
    assert (heard, mailbox.empty()) == ([0, 1, 2], False)
    mailbox.listen(hear)
    assert (heard, mailbox.empty()) == ([0, 1, 2, 3], True)


def test_what_comes_of_what_was_heard_is_heard_after_it() -> None:
    mailbox, heard = Mailbox[int](), list[int]()

    def hear(number: int) -> bool:
        if number == 0:
            mailbox.put_nowait(1)
        heard.append(number)
        return True

    mailbox.listen(hear)
    mailbox.put_nowait(0)
    assert heard == [0, 1]

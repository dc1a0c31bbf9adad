"""In which order a room takes what waits for it, and who waits while it is full."""

from __future__ import annotations

import asyncio

from collab.core.events import Asked, Committed, Woke
from collab.inbox import INBOX, Inbox
from protocol.intents import Heartbeat
from protocol.values import SocketId
from tests.support.turns import turns


def asked(n: int) -> Asked:
    return Asked(SocketId(str(n)), Heartbeat())


async def test_outcomes_are_served_before_events() -> None:
    inbox = Inbox()
    inbox.put_now(asked(1))
    inbox.outcome(Woke())
    inbox.outcome(Committed())
    assert [await inbox.next() for _ in range(3)] == [Woke(), Committed(), asked(1)]


async def test_a_full_inbox_waits_and_keeps_order_and_outcomes_still_pass() -> None:
    inbox = Inbox()
    for n in range(INBOX):
        await inbox.put(asked(n))
    waiting = [asyncio.create_task(inbox.put(asked(INBOX + n))) for n in range(2)]
    await turns()
    assert not any(task.done() for task in waiting)
    inbox.outcome(Committed())
    assert await inbox.next() == Committed()
    await turns()
    assert not any(task.done() for task in waiting)
    taken = []
    for _ in range(INBOX + 2):
        taken.append(await inbox.next())
        await asyncio.sleep(0)
    assert taken == [asked(n) for n in range(INBOX + 2)]


async def test_it_is_full_while_somebody_would_wait() -> None:
    inbox = Inbox()
    for n in range(INBOX):
        assert not inbox.full
        inbox.put_now(asked(n))
    assert inbox.full
    inbox.end()
    assert not inbox.full


async def test_who_stops_waiting_for_space_has_posted_nothing() -> None:
    inbox = Inbox()
    for n in range(INBOX):
        await inbox.put(asked(n))
    waiting = asyncio.create_task(inbox.put(asked(-1)))
    await turns()
    waiting.cancel()
    await turns()
    inbox.put_now(asked(INBOX))
    assert [await inbox.next() for _ in range(INBOX + 1)] == [asked(n) for n in range(INBOX + 1)]


async def test_next_waits_for_what_comes() -> None:
    inbox = Inbox()
    taking = asyncio.create_task(inbox.next())
    await turns()
    inbox.put_now(asked(1))
    assert await taking == asked(1)

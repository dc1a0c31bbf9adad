"""Pictures are kept, drawn once, and a few at a time."""

from __future__ import annotations

import asyncio

import pytest

from rest.image.pictures import Pictures
from rest.problems import Problem
from tests.support.turns import turns


class Draughtsman:
    """Counts, and draws when it is let."""

    def __init__(self) -> None:
        self.begun = 0
        self.let = asyncio.Event()

    async def __call__(self) -> bytes:
        self.begun += 1
        await self.let.wait()
        return b"picture"


async def test_RE61_a_picture_asked_for_by_many_at_once_is_drawn_once() -> None:
    pictures, draw = Pictures(), Draughtsman()
    waiting = [asyncio.create_task(pictures.drawn("k", draw)) for _ in range(5)]
    await turns()
    draw.let.set()
    assert await asyncio.gather(*waiting) == [b"picture"] * 5
    assert await pictures.drawn("k", draw) == b"picture"
    assert (draw.begun, pictures.kept("k")) == (1, b"picture")


async def test_RE61_so_many_are_drawn_and_so_many_wait_the_next_is_sent_away() -> None:
    pictures, draw = Pictures(at_once=2, waiting=1), Draughtsman()
    waiting = [asyncio.create_task(pictures.drawn(key, draw)) for key in range(3)]
    await turns()
    assert draw.begun == 2
    with pytest.raises(Problem) as refused:
        await pictures.drawn("one more", draw)
    assert (refused.value.status, refused.value.headers) == (503, {"Retry-After": "2"})
    draw.let.set()
    await asyncio.gather(*waiting)
    assert draw.begun == 3


async def test_a_failure_is_everybodys_and_is_not_kept() -> None:
    pictures, draw = Pictures(), Draughtsman()

    async def fails() -> bytes:
        await draw()
        raise ValueError

    waiting = [asyncio.create_task(pictures.drawn("k", fails)) for _ in range(2)]
    await turns()
    draw.let.set()
    assert [type(outcome) for outcome in await asyncio.gather(*waiting, return_exceptions=True)] == [ValueError] * 2
    assert await pictures.drawn("k", draw) == b"picture"


async def test_who_goes_away_takes_nobody_along() -> None:
    pictures, draw = Pictures(), Draughtsman()
    first, second = (asyncio.create_task(pictures.drawn("k", draw)) for _ in range(2))
    await turns()
    second.cancel()
    await turns()
    draw.let.set()
    assert await first == b"picture"


async def test_when_the_first_goes_the_others_may_come_again() -> None:
    pictures, draw = Pictures(), Draughtsman()
    first, second = (asyncio.create_task(pictures.drawn("k", draw)) for _ in range(2))
    await turns()
    first.cancel()
    with pytest.raises(Problem):
        await second
    draw.let.set()
    assert await pictures.drawn("k", draw) == b"picture"


async def test_the_longest_unseen_goes_when_there_is_too_much() -> None:
    pictures = Pictures(kept_bytes=20)

    async def draw() -> bytes:
        return b"12345678"

    for key in ("a", "b"):
        await pictures.drawn(key, draw)
    assert pictures.kept("a")
    await pictures.drawn("c", draw)
    assert [bool(pictures.kept(key)) for key in ("a", "b", "c")] == [True, False, True]


async def _kept(pictures: Pictures, size: int) -> bool:
    async def draw() -> bytes:
        return bytes(size)

    await pictures.drawn(size, draw)
    return pictures.kept(size) is not None


@pytest.mark.parametrize(("size", "kept"), [(10, True), (11, False), (21, False)])
async def test_what_takes_more_than_half_of_the_room_is_not_kept(size: int, kept: bool) -> None:
    assert await _kept(Pictures(kept_bytes=20), size) is kept


async def test_RE61_a_picture_of_16_MiB_is_kept_and_no_larger_one() -> None:
    pictures = Pictures()
    assert await _kept(pictures, 16 << 20)
    assert not await _kept(pictures, (16 << 20) + 1)

"""Waiting by the clock of the house."""

from __future__ import annotations

import asyncio

import pytest

from collab.access.pause import pause
from tests.support.clock import HandClock
from tests.support.turns import turns


async def test_a_pause_ends_when_the_clock_says_so() -> None:
    clock = HandClock()
    paused = asyncio.create_task(pause(clock, 2.0))
    await turns()
    clock.advance(1.9)
    await turns()
    assert not paused.done()
    clock.advance(0.1)
    await paused


async def test_a_pause_that_is_cancelled_as_it_ends_is_no_fault() -> None:
    clock = HandClock()
    paused = asyncio.create_task(pause(clock, 2.0))
    await turns()
    paused.cancel()
    clock.advance(2)
    with pytest.raises(asyncio.CancelledError):
        await paused


async def test_a_cancelled_pause_leaves_no_timer() -> None:
    clock = HandClock()
    paused = asyncio.create_task(pause(clock, 2.0))
    await turns()
    paused.cancel()
    with pytest.raises(asyncio.CancelledError):
        await paused
    clock.advance(5)

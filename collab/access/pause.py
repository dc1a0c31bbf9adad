"""Waiting by the clock of the house, which tests turn by hand."""

from __future__ import annotations

import asyncio

from collab.ports import Clock
from protocol.values import Instant


async def pause(clock: Clock, seconds: float) -> None:
    passed = asyncio.get_running_loop().create_future()
    now = clock.now()
    at = Instant(now.monotonic_s + seconds, now.wall_ms + round(seconds * 1_000))

    def end() -> None:
        # Done already where the waiter was cancelled in the very turn in which the timer fires.
        if not passed.done():
            passed.set_result(None)

    timer = clock.call_at(at, end)
    try:
        await passed
    finally:
        timer.cancel()

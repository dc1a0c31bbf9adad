"""The real clock: two readings, and timers by the monotonic one."""

from __future__ import annotations

import asyncio
import time

import msgspec

from codraw.clock import NOISE_MS, SystemClock
from protocol.values import Instant


def test_it_reads_monotonic_seconds_and_unix_milliseconds() -> None:
    before = time.monotonic(), time.time() * 1_000
    now = SystemClock().now()
    after = time.monotonic(), time.time() * 1_000
    assert before[0] <= now.monotonic_s <= after[0]
    assert int(before[1]) - 1 <= now.wall_ms <= after[1] + 1 and isinstance(now.wall_ms, int)


class Machine:
    """Its clocks are turned by hand; seconds."""

    wall = 1_800_000_000
    monotonic = 50

    def clock(self) -> SystemClock:
        return SystemClock(lambda: self.wall * 1_000_000_000, lambda: self.monotonic * 1_000_000_000)

    def pass_time(self, seconds: int) -> None:
        self.wall += seconds
        self.monotonic += seconds


def test_the_stores_clock_counts_where_it_differs() -> None:
    machine = Machine()
    clock = machine.clock()
    clock.follow(86_400_000)
    machine.pass_time(2)
    assert clock.wall_ms() == (machine.wall + 86_400) * 1_000


def test_what_may_be_the_way_to_the_store_moves_nothing() -> None:
    machine = Machine()
    clock = machine.clock()
    clock.follow(NOISE_MS)
    assert clock.wall_ms() == machine.wall * 1_000
    clock.follow(NOISE_MS + 1)
    assert clock.wall_ms() == machine.wall * 1_000 + NOISE_MS + 1


def test_a_wall_clock_that_is_set_moves_nothing() -> None:
    machine = Machine()
    clock = machine.clock()
    machine.wall += 3_600
    assert clock.wall_ms() == 1_800_000_000_000
    # asked again, the store is found to be behind by as much
    clock.follow(-3_600_000)
    assert clock.wall_ms() == 1_800_000_000_000


async def test_a_timer_goes_by_the_monotonic_reading_alone() -> None:
    clock, fired = SystemClock(), asyncio.Event()
    clock.call_at(msgspec.structs.replace(clock.now(), wall_ms=2**52), fired.set)
    async with asyncio.timeout(20):
        await fired.wait()


async def test_what_is_overdue_fires_at_once_but_not_within_the_call() -> None:
    clock, fired = SystemClock(), asyncio.Event()
    clock.call_at(Instant(0.0, 0), fired.set)
    assert not fired.is_set()
    async with asyncio.timeout(20):
        await fired.wait()


async def test_a_timer_waits_for_its_time() -> None:
    clock, fired = SystemClock(), asyncio.Event()
    far = clock.call_at(Instant(clock.now().monotonic_s + 3_600, 0), fired.set)
    assert far.when() - asyncio.get_running_loop().time() > 3_000
    far.cancel()


async def test_a_cancelled_timer_stays_silent() -> None:
    clock, silent, later = SystemClock(), asyncio.Event(), asyncio.Event()
    clock.call_at(Instant(0.0, 0), silent.set).cancel()
    clock.call_at(Instant(0.0, 0), later.set)
    async with asyncio.timeout(20):
        await later.wait()
    assert not silent.is_set()

"""The real clock, and the store's as this machine keeps it."""

from __future__ import annotations

from datetime import UTC, datetime

from storage.clock import StoreClock, real_ms


def test_the_real_clock_counts_unix_milliseconds() -> None:
    before, now, after = datetime.now(UTC), datetime.fromtimestamp(real_ms() / 1000, UTC), datetime.now(UTC)
    assert before.replace(microsecond=0) <= now <= after


class Machine:
    wall = 1_800_000_000_000
    monotonic = 50.0

    def clock(self, offset_ms: int) -> StoreClock:
        return StoreClock(offset_ms, lambda: self.wall, lambda: self.monotonic)


def test_the_stores_clock_is_ahead_by_its_offset_and_runs_on() -> None:
    machine = Machine()
    clock = machine.clock(700)
    assert clock() == 1_800_000_000_700
    machine.wall += 1_250
    machine.monotonic += 1.25
    assert clock() == 1_800_000_001_950


def test_a_wall_clock_that_is_set_does_not_move_the_stores() -> None:
    machine = Machine()
    clock = machine.clock(0)
    machine.wall += 3_600_000
    assert clock() == 1_800_000_000_000
    # asked again, the store is found to be behind by as much
    clock.set(-3_600_000)
    assert clock() == 1_800_000_000_000
    assert clock.offset_ms == -3_600_000

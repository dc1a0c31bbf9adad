"""The real clock."""

from __future__ import annotations

from datetime import UTC, datetime

from storage.clock import real_ms


def test_the_real_clock_counts_unix_milliseconds() -> None:
    before, now, after = datetime.now(UTC), datetime.fromtimestamp(real_ms() / 1000, UTC), datetime.now(UTC)
    assert before.replace(microsecond=0) <= now <= after

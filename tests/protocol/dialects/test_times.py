from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocol.dialects.times import rfc3339

LAST_MS = 253_402_300_799_999
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@given(st.integers(0, LAST_MS))
def test_every_instant_reads_as_the_calendar_says(ms: int) -> None:
    text = rfc3339(ms)
    assert text.endswith("Z")
    assert datetime.fromisoformat(text) == EPOCH + timedelta(milliseconds=ms)


@pytest.mark.parametrize(
    ("ms", "text"),
    [
        (0, "1970-01-01T00:00:00Z"),
        (951_782_399_999, "2000-02-28T23:59:59.999Z"),
        (951_782_400_000, "2000-02-29T00:00:00Z"),
        (4_107_542_400_000, "2100-03-01T00:00:00Z"),
        (1_795_255_200_007, "2026-11-21T10:00:00.007Z"),
        (LAST_MS, "9999-12-31T23:59:59.999Z"),
    ],
)
def test_the_fraction_is_written_only_where_there_is_one(ms: int, text: str) -> None:
    assert rfc3339(ms) == text

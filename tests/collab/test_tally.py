"""Plain numbers: what falls into which bucket, and what counts as which outcome."""

from __future__ import annotations

from collab.tally import SECONDS, Spread, Tally
from protocol.notices import Rejected
from protocol.operations import Kind
from protocol.refusals import Reason, Refusal


def test_a_value_counts_where_it_is_at_most_the_bound() -> None:
    spread = Spread((1, 2, 4))
    for value in (0, 1, 1.5, 2, 4, 5, 100):
        spread.add(value)
    assert (spread.counts, spread.total) == ([2, 2, 1, 2], 113.5)


def test_a_fresh_one_has_a_count_for_each_bound_and_one_beyond() -> None:
    assert Spread().counts == [0] * (len(SECONDS) + 1)


def test_a_refused_operation_counts_by_its_reason() -> None:
    tally = Tally()
    for _ in range(2):
        tally.judged("tmi", Rejected("", Refusal(Reason.CONFLICT_DETECTED, "no"), 0, Kind.EDIT, 0))
    assert tally.operations == {("tmi", "conflict_detected"): 2}

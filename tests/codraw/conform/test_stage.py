"""What an outcome is made of; the rest is tried by every check against the server."""

from __future__ import annotations

import pytest

from codraw.conform.rules import Broken, Dialect, NotApplicable
from codraw.conform.stage import Outcome, Stage, _holds, _reason
from tests.codraw.conform.test_people import target


def test_an_outcome_that_is_not_the_expected_one_breaks_the_rule() -> None:
    outcome = Outcome("o", "refused", "conflict_detected", [], {})
    outcome.expect("refused", "conflict_detected")
    with pytest.raises(Broken, match="expected 'accepted', came 'refused'"):
        outcome.expect("accepted")
    with pytest.raises(Broken, match="came conflict_detected"):
        outcome.expect("refused", "validation_failed")


@pytest.mark.parametrize(
    ("message", "reason"),
    [
        ({"message_type": "operation_rejected", "operation_id": "o", "reason": "r"}, "r"),
        ({"message_type": "operation_rejected", "operation_id": "other", "reason": "r"}, ""),
        ({"message_type": "authorization_denied", "original_operation_id": "o"}, "permission_denied"),
        ({"message_type": "error", "error": "e", "details": {"operation_id": "o"}}, "e"),
        ({"message_type": "error", "error": "e", "details": {"operation_id": "other"}}, ""),
        ({"message_type": "state_correction"}, "conflict_detected"),
        ({"message_type": "participants"}, ""),
    ],
)
def test_a_refusal_is_recognised_in_every_dialect(message: dict[str, object], reason: str) -> None:
    assert _reason(message, "o") == reason


def test_whether_a_change_is_there() -> None:
    cell = {"id": "a", "x": 1, "y": 2}
    assert _holds(cell, {"operation": "update", "data": {"x": 1}})
    assert not _holds(cell, {"operation": "update", "data": {"x": 2}})
    assert _holds(None, {"operation": "remove"})
    assert not _holds(None, {"operation": "update", "data": {}})


def test_a_dialect_that_is_not_offered_is_not_applicable() -> None:
    there = target({})
    there.dialects = (Dialect.TMI,)
    stage = Stage(there, None, 1.0)
    assert stage.dialects() == (Dialect.TMI,)
    assert stage.first(Dialect.CLASSIC, Dialect.TMI) is Dialect.TMI
    with pytest.raises(NotApplicable, match="needs classic"):
        stage.first(Dialect.CLASSIC)

"""What a broken cell becomes as a refusal."""

from __future__ import annotations

from protocol.refusals import CellError, Reason, Refusal


def test_a_broken_cell_is_named() -> None:
    error = CellError(Reason.VALIDATION_FAILED, "x must be a number", cell="a", field="x")
    assert error.refusal == Refusal(Reason.VALIDATION_FAILED, "x must be a number", ("a",))


def test_a_refusal_without_a_cell_names_none() -> None:
    assert CellError(Reason.EMPTY_OPERATION, "no cells").refusal.affected == ()

"""What programs catch."""

from __future__ import annotations

import pytest

from codraw.client import CodrawError, NotAdmitted, RequestRefused, RestError, Unintelligible, Unreachable


def test_a_refusal_says_what_the_body_says() -> None:
    error = RestError(409, {"error": "version_mismatch", "message": "Too late.", "details": {"vector": 3}})
    assert (error.status, error.error, error.message, error.details) == (
        409,
        "version_mismatch",
        "Too late.",
        {"vector": 3},
    )
    assert str(error) == "409 version_mismatch: Too late."


def test_a_refusal_of_somebody_else_has_its_status_at_least() -> None:
    error = RestError(502, {})
    assert (error.error, error.message, error.details) == ("unknown", "HTTP 502", {})


@pytest.mark.parametrize(
    "error",
    [RestError(400, {}), NotAdmitted("a", "b"), RequestRefused("a", "b"), Unreachable("x"), Unintelligible("x")],
)
def test_all_are_of_one_kind(error: Exception) -> None:
    assert isinstance(error, CodrawError)

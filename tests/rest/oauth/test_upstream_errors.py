"""What a client hears, and what the log says."""

from __future__ import annotations

import pytest

from rest.oauth.upstream_errors import NotVouched, away, broken, denied


@pytest.mark.parametrize(
    ("refused", "error"),
    [(denied("why"), "access_denied"), (away("why"), "temporarily_unavailable"), (broken("why"), "server_error")],
)
def test_the_reason_is_for_the_log_alone(refused: NotVouched, error: str) -> None:
    assert (refused.error, str(refused), refused.why) == (error, "why", "why")
    assert "why" not in refused.message

"""An intent that carries a credential does not show it."""

from __future__ import annotations

from protocol.intents import RefreshToken


def test_WS13_a_refresh_shows_no_credential() -> None:
    shown = repr(RefreshToken(access_token="eyJhbGciOi", ticket="t1ck3t"))
    assert "eyJhbGciOi" not in shown and "t1ck3t" not in shown

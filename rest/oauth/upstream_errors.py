"""Why a provider has not vouched for anybody."""

from __future__ import annotations

DENIED = "access_denied"
AWAY = "temporarily_unavailable"
BROKEN = "server_error"


class NotVouched(Exception):
    """`error` and `message` are what the client hears (RFC 6749 4.1.2.1); `why` is for the log and shows no secret."""

    def __init__(self, error: str, message: str, why: str) -> None:
        super().__init__(why)
        self.error = error
        self.message = message
        self.why = why


def denied(why: str, message: str = "This account may not sign in here.") -> NotVouched:
    return NotVouched(DENIED, message, why)


def away(why: str) -> NotVouched:
    return NotVouched(AWAY, "The sign-in provider cannot be reached; try again.", why)


def broken(why: str) -> NotVouched:
    """The provider, or how it is configured here, is not as the standard has it; or somebody tries something."""
    return NotVouched(BROKEN, "The sign-in provider's answer cannot be trusted.", why)

"""What a program catches: everything that comes from the server or from the way to it is a `CodrawError`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


class CodrawError(Exception):
    """Base of all others here."""


class Unreachable(CodrawError):
    """Nobody answers, not in time, or not to the end."""


class Unintelligible(CodrawError):
    """Somebody answers, but not as codraw does."""


class RestError(CodrawError):
    """A refusal as the server words it: `status` of HTTP; `error`, `message` and `details` of the body."""

    def __init__(self, status: int, body: Mapping[str, Any], retry_after_s: float | None = None) -> None:
        self.status = status
        self.error = str(body.get("error", "unknown"))
        self.message = str(body.get("message", f"HTTP {status}"))
        self.details: Mapping[str, Any] = body.get("details") or {}
        self.body = body
        self.retry_after_s = retry_after_s
        super().__init__(f"{status} {self.error}: {self.message}")


class NotAdmitted(CodrawError):
    """The live diagram cannot be entered, and trying again is of no use."""

    def __init__(self, reason: str, message: str, code: int | None = None) -> None:
        super().__init__(f"{reason}: {message}")
        self.reason, self.message, self.code = reason, message, code


class RequestRefused(CodrawError):
    """A request about presenter or participants was refused: `permission_denied`, `invalid_participant` …"""

    def __init__(self, error: str, message: str, details: Mapping[str, Any] | None = None) -> None:
        super().__init__(f"{error}: {message}")
        self.error, self.message, self.details = error, message, details or {}

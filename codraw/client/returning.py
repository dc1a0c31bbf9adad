"""Whether and when to come back after a connection has ended."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping

import msgspec

from codraw.client.errors import CodrawError, RestError
from protocol.dialects.codraw_v1_messages import Goodbye
from protocol.dialects.endings import RETURN
from protocol.refusals import CloseCode

REASONS: Mapping[int, str] = {
    CloseCode.TOO_BIG: "too_big",
    CloseCode.RESTART: "restart",
    CloseCode.TRY_LATER: "unavailable",
    CloseCode.TOKEN: "token_expired",
    CloseCode.ACCESS: "access_revoked",
    CloseCode.NO_SESSION: "session_not_found",
    CloseCode.SLOW: "slow",
    CloseCode.TOO_MANY: "too_many_connections",
}
"""What a close code says where no `goodbye` said it."""
POLICIES: Mapping[int, str] = {int(code): policy for code, policy in RETURN.items()}
FINAL = frozenset({400, 403, 404})
RETRY_AFTER_MS = 1_000


class Loss(msgspec.Struct, frozen=True):
    """Why a connection ended or did not come about. `policy`: yes, no, reauthenticate."""

    reason: str
    message: str = ""
    code: int | None = None
    policy: str = "yes"
    retry_after_ms: int = 0


def after_close(code: int | None, text: str, goodbye: Goodbye | None) -> Loss:
    """The word of the server, or else its close code; codes that say nothing mean: come back."""
    if goodbye is not None:
        wait = goodbye.retry_after_ms or 0
        return Loss(goodbye.reason, goodbye.message, goodbye.code, goodbye.returning, wait)
    known = code or 0
    policy = POLICIES.get(known, "yes")
    wait = RETRY_AFTER_MS if known in (CloseCode.RESTART, CloseCode.TRY_LATER, CloseCode.TOO_MANY) else 0
    return Loss(REASONS.get(known, "lost"), text, code, policy, wait)


def after_refusal(error: CodrawError) -> Loss:
    """No address or ticket was to be had. 401: the login has ended, and could not be renewed. Who asks to wait is
    waited for."""
    if not isinstance(error, RestError):
        return Loss("unreachable", str(error))
    policy = "no" if (error.status in FINAL or error.status == 401) and error.retry_after_s is None else "yes"
    return Loss(error.error, error.message, policy=policy, retry_after_ms=int(1_000 * (error.retry_after_s or 0)))


def after_handshake(status: int, retry_after_s: float | None, *, is_ours: bool = True) -> Loss:
    """The upgrade to a WebSocket was refused with this status of HTTP; not `is_ours`: by what stands before the
    server, such as a balancer that knows none for a moment."""
    message = f"the connection was refused with {status}"
    if status == 401:
        return Loss("ticket_refused", message, policy="reauthenticate")
    policy = "no" if status in FINAL and is_ours else "yes"
    return Loss(
        "refused" if policy == "no" else "unavailable", message, None, policy, int(1_000 * (retry_after_s or 0))
    )


class Backoff:
    """Exponential, with full jitter: many clients that were cut off together do not return together.

    `chance` gives numbers from 0 up to 1. A connection that lived for `steady_s` was a good one.
    """

    def __init__(
        self,
        first_s: float = 0.5,
        longest_s: float = 30.0,
        steady_s: float = 10.0,
        chance: Callable[[], float] = random.random,
    ) -> None:
        self.first_s, self.longest_s, self.steady_s, self._chance = first_s, longest_s, steady_s, chance
        self._attempts = 0

    def delay_s(self, loss: Loss, lived_s: float) -> float:
        """How long to wait: what the server asked for, and then a random part of a ceiling that doubles.

        `lived_s`: how long the connection was live; 0: never.
        """
        if lived_s > self.steady_s:
            self._attempts = 0
        ceiling = min(self.longest_s, self.first_s * 2.0 ** min(self._attempts, 63))
        self._attempts += 1
        return loss.retry_after_ms / 1_000 + self._chance() * ceiling

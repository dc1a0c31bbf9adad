"""429 for whoever asks too often: signed-in callers by who they are, sign-ins by the address they come from (S75)."""

from __future__ import annotations

import math
from collections.abc import Callable

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from collab.access.addresses import address
from rest.identity import SAFE, Shown
from rest.ports import Allowance, Quota, Rates
from rest.problems import Problem
from rest.rates import WINDOW_S, Quotas

SIGN_IN = frozenset(f"/oauth2/{name}" for name in ("authorize", "callback", "revoke", "introspect"))
GUESSED = frozenset(("/oauth2/token", "/oauth2/refresh"))
"""What shows a secret: it is not counted when that is good."""
TICKET = "/ws/ticket"
UNLIMITED = Quota("all else", 0)


class Limits:
    """Stands behind `Identity`: what that refuses with 401 has cost nothing yet."""

    def __init__(self, app: ASGIApp, rates: Rates, quotas: Quotas, now_ms: Callable[[], int]) -> None:
        self.app = app
        self._rates = rates
        self._now_ms = now_ms
        self._reads = Quota("reads", quotas.reads)
        self._writes = Quota("writes", quotas.writes)
        self._joins = Quota("joins", quotas.joins)
        self._webhooks = Quota("webhooks", quotas.webhooks)
        self._sign_ins = Quota("sign-ins", quotas.sign_ins)
        self._failed = Quota("failed sign-ins", quotas.failed_sign_ins)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        quota, who = self._counted(scope) if scope["type"] == "http" else (UNLIMITED, "")
        if not quota.per_minute:
            await self.app(scope, receive, send)
            return
        allowance = await (self._rates.look if quota is self._failed else self._rates.take)(quota, who)
        if allowance.wait_s:
            await self._too_often(quota, allowance).response()(scope, receive, send)
        elif quota is self._failed:
            await self.app(scope, receive, self._counting(quota, who, send))
        else:
            await self.app(scope, receive, self._telling(quota, allowance, send))

    def _counted(self, scope: Scope) -> tuple[Quota, str]:
        shown: Shown | None = scope.get("state", {}).get("shown")
        path = scope["path"]
        if shown is not None:
            return self._of_user(scope["method"], path), shown.caller.id
        if path in GUESSED:
            return self._failed, address(scope)
        return (self._sign_ins, address(scope)) if path in SIGN_IN else (UNLIMITED, "")

    def _of_user(self, method: str, path: str) -> Quota:
        if method in SAFE:
            return self._joins if path == TICKET else self._reads
        if path.startswith("/webhook/"):
            return self._webhooks
        return self._joins if path.endswith("/collaborate") and method != "DELETE" else self._writes

    def _too_often(self, quota: Quota, allowance: Allowance) -> Problem:
        seconds = max(1, math.ceil(allowance.wait_s))
        return Problem(
            429,
            "rate_limit_exceeded",
            f"Too many requests; the next one is welcome in {seconds} s.",
            details={"limit": quota.name, "per_minute": quota.per_minute},
            headers={"Retry-After": str(seconds), **self._headers(quota, allowance)},
        )

    def _headers(self, quota: Quota, allowance: Allowance) -> dict[str, str]:
        """Under the names that TMI's server uses; `Reset`: when all are there again, in seconds of Unix time."""
        full_s = (quota.per_minute - allowance.left) * WINDOW_S / quota.per_minute
        return {
            "X-RateLimit-Limit": str(quota.per_minute),
            "X-RateLimit-Remaining": str(allowance.left),
            "X-RateLimit-Reset": str(math.ceil(self._now_ms() / 1_000 + full_s)),
        }

    def _telling(self, quota: Quota, allowance: Allowance, send: Send) -> Send:
        async def telling(message: Message) -> None:
            if message["type"] == "http.response.start":
                self._tell(message, quota, allowance)
            await send(message)

        return telling

    def _counting(self, quota: Quota, who: str, send: Send) -> Send:
        async def counting(message: Message) -> None:
            if message["type"] == "http.response.start" and 400 <= message["status"] < 500:
                # Before it is heard: whoever waits for the answer before the next try has been counted.
                self._tell(message, quota, await self._rates.take(quota, who))
            await send(message)

        return counting

    def _tell(self, message: Message, quota: Quota, allowance: Allowance) -> None:
        more = self._headers(quota, allowance).items()
        message["headers"] = [*message["headers"], *((name.lower().encode(), value.encode()) for name, value in more)]

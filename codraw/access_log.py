"""One line per HTTP request: method, path without its query string, status, time taken; and the times of all."""

from __future__ import annotations

import time
from urllib.parse import quote

import structlog
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from collab.tally import Spread

log = structlog.stdlib.get_logger("codraw.access")
METHODS = frozenset(("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"))
OTHER = "other"
QUIET = frozenset({"/healthz", "/readyz"})
"""Asked every few seconds by programs; a line each would hide the others."""


class AccessLog:
    def __init__(self, app: ASGIApp) -> None:
        self.app = app
        self.requests: dict[tuple[str, str, str], Spread] = {}
        """Seconds, by route, method and status."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"] in QUIET:
            await self.app(scope, receive, send)
            return
        begun = time.perf_counter()
        status = 500

        async def heard(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self.app(scope, receive, heard)
        finally:
            took_s = time.perf_counter() - begun
            self._count(scope, status, took_s)
            # Decoded, a path may hold what moves a terminal's cursor.
            path = quote(scope["path"], safe="/:@!$&'()*+,;=")
            log.info("request", method=scope["method"], path=path, status=status, ms=round(took_s * 1000, 1))

    def _count(self, scope: Scope, status: int, took_s: float) -> None:
        # What a client may choose is no label.
        route = scope.get("route")
        method = scope["method"] if scope["method"] in METHODS else OTHER
        key = (route.path if isinstance(route, Route) else OTHER, method, str(status))
        if key not in self.requests:
            self.requests[key] = Spread()
        self.requests[key].add(took_s)

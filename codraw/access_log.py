"""One line per HTTP request: method, path without its query string, status, time taken."""

from __future__ import annotations

import time
from urllib.parse import quote

import structlog
from starlette.types import ASGIApp, Message, Receive, Scope, Send

log = structlog.stdlib.get_logger("codraw.access")
QUIET = frozenset({"/healthz", "/readyz", "/metrics"})
"""Asked every few seconds by programs; a line each would hide the others."""


class AccessLog:
    def __init__(self, app: ASGIApp) -> None:
        self.app = app

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
            took_ms = round((time.perf_counter() - begun) * 1000, 1)
            # Decoded, a path may hold what moves a terminal's cursor.
            path = quote(scope["path"], safe="/:@!$&'()*+,;=")
            log.info("request", method=scope["method"], path=path, status=status, ms=took_ms)

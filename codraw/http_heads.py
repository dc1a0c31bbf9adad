"""uvicorn's HTTP protocol, which does not wait for ever for a request.

A connection that says nothing, or says it byte by byte, would stay open; and a WebSocket begins as a request (S73).
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

HEAD_S = 9.0
"""So long the head of a request may take, from the connection or its first byte on: who counts to ten sees the end."""
BODY_S = 30.0
LEAST_BODY = 16 * 1024
"""Bytes of a body that come in as long, unless we ourselves do not read."""


class HttpProtocol(HttpToolsProtocol):
    deadline: asyncio.TimerHandle | None = None
    received = 0
    """Bytes, since the deadline was set."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._expect(HEAD_S, self.late_head)

    def connection_lost(self, exc: Exception | None) -> None:
        self._came()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        self.received += len(data)
        if self.deadline is None and not self._answering():
            self._expect(HEAD_S, self.late_head)
        super().data_received(data)

    def on_headers_complete(self) -> None:
        self._came()
        super().on_headers_complete()
        if not self.parser.should_upgrade():
            self._expect(BODY_S, self.late_body)

    def on_message_complete(self) -> None:
        self._came()
        super().on_message_complete()

    def _answering(self) -> bool:
        cycle: RequestResponseCycle | None = self.cycle
        return cycle is not None and not cycle.response_complete

    def late_head(self) -> None:
        self.deadline = None
        self.transport.abort()

    def late_body(self) -> None:
        if self.received < LEAST_BODY and not self.flow.read_paused:
            self.deadline = None
            self.transport.abort()
        else:
            self._expect(BODY_S, self.late_body)

    def _expect(self, seconds: float, late: Callable[[], None]) -> None:
        self.received = 0
        self.deadline = self.loop.call_later(seconds, late)

    def _came(self) -> None:
        if self.deadline is not None:
            self.deadline.cancel()
            self.deadline = None

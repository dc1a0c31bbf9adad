"""uvicorn's HTTP protocol, which does not wait for ever for a request.

A connection that says nothing, or says it byte by byte, would stay open; and a WebSocket begins as a request (S73).
Nor does it keep a head of any length (S4).
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

HEAD_S = 9.0
"""So long the head of a request may take, from the connection or its first byte on: who counts to ten sees the end."""
HEAD_BYTES = 64 * 1024
"""So long it may be, or hardly more: a token and all cookies of a host need a quarter of it."""
TOO_LONG = (
    b"HTTP/1.1 431 Request Header Fields Too Large\r\n"
    b"content-type: text/plain\r\ncontent-length: 21\r\nconnection: close\r\n\r\nThe head is too long."
)
BODY_S = 30.0
LEAST_BODY = 16 * 1024
"""Bytes of a body that come in as long, unless we ourselves do not read."""


class HttpProtocol(HttpToolsProtocol):
    deadline: asyncio.TimerHandle | None = None
    received = 0
    """Bytes, since the deadline was set."""
    pending = 0
    """Bytes since the last end of a head, part of a body or end of a request: nothing has come of them yet."""
    said = 0
    """Bytes of headers of one request: a long head may also come at once."""
    hosts = 0

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._expect(HEAD_S, self.late_head)

    def connection_lost(self, exc: Exception | None) -> None:
        self._came()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        self.received += len(data)
        self.pending += len(data)
        if self.deadline is None and not self._answering():
            self._expect(HEAD_S, self.late_head)
        super().data_received(data)
        if self.pending > HEAD_BYTES and not self.transport.is_closing():
            self._came()
            if not self._answering():
                self.transport.write(TOO_LONG)
            self.transport.close()

    def on_message_begin(self) -> None:
        self.said = self.hosts = 0
        super().on_message_begin()

    def on_header(self, name: bytes, value: bytes) -> None:
        """Raises ValueError, which uvicorn answers with 400."""
        self.said += len(name) + len(value)
        self.hosts += name.lower() == b"host"
        if self.said > HEAD_BYTES or self.hosts > 1:
            raise ValueError("too long a head, trailers without end, or two hosts (RFC 9112 3.2)")
        super().on_header(name, value)

    def on_headers_complete(self) -> None:
        self._came()
        self.pending = 0
        super().on_headers_complete()
        if not self.parser.should_upgrade():
            self._expect(BODY_S, self.late_body)

    def on_body(self, body: bytes) -> None:
        self.pending = 0
        super().on_body(body)

    def on_message_complete(self) -> None:
        self._came()
        self.pending = 0
        super().on_message_complete()

    def handle_websocket_upgrade(self) -> None:
        super().handle_websocket_upgrade()
        # It holds us, as we hold it: 4 KiB for each socket until somebody looks for cycles.
        self.parser = None  # type: ignore[assignment]

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

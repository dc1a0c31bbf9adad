"""uvicorn's HTTP protocol, which does not wait for ever for a request, nor for a client to take its answer.

A connection that says nothing, or says it byte by byte, would stay open; and a WebSocket begins as a request (S73).
Nor does it keep a head of any length (S4), or any number of requests that wait for the one before them.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

from codraw.untaken import untaken

HEAD_S = 9.0
"""So long the head of a request may take, from the connection or its first byte on: who counts to ten sees the end."""
HEAD_BYTES = 64 * 1024
"""So long it may be, or hardly more: a token and all cookies of a host need a quarter of it."""
TOO_LONG = (
    b"HTTP/1.1 431 Request Header Fields Too Large\r\n"
    b"content-type: text/plain\r\ncontent-length: 21\r\nconnection: close\r\n\r\nThe head is too long."
)
WAITING = 64
"""Requests of a connection that may wait for the one before them: each takes 4 KiB, whatever it asks for, and one read
brings 10 000. Hardly anybody sends a second one before the first is answered, and who does has to bear that the
connection ends (RFC 9112 9.3.2)."""
BODY_S = 30.0
LEAST_BODY = 16 * 1024
"""Bytes of a body that come in as long, unless we ourselves do not read."""
TAKEN_S = 30.0
LEAST_TAKEN = 16 * 1024
"""Bytes of an answer that a client takes in as long. One that takes none would keep it here: a diagram is megabytes."""


class HttpProtocol(HttpToolsProtocol):
    deadline: asyncio.TimerHandle | None = None
    taking: asyncio.TimerHandle | None = None
    """While an answer waits for its client."""
    untaken = 0
    """Bytes, when that was set."""
    received = 0
    """Bytes, since the deadline was set."""
    pending = 0
    """Bytes since the last end of a head, part of a body or end of a request: nothing has come of them yet."""
    said = 0
    """Bytes of address and headers of one request: a long head may also come at once."""
    hosts = 0

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._expect(HEAD_S, self.late_head)

    def connection_lost(self, exc: Exception | None) -> None:
        self._came()
        self._taken()
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
        if len(self.pipeline) >= WAITING:
            raise ValueError("too many requests at once")
        self.said = self.hosts = 0
        super().on_message_begin()

    def send_400_response(self, msg: str) -> None:
        """Where another request waits for its answer, this would be taken for it."""
        if self._answering() and (self.pipeline or not self.cycle.more_body or self.cycle.response_started):
            self.transport.close()
        elif self.said > HEAD_BYTES and not self._answering():
            self.transport.write(TOO_LONG)
            self.transport.close()
        else:
            super().send_400_response(msg)

    def on_url(self, url: bytes) -> None:
        self.said += len(url)
        super().on_url(url)

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

    def pause_writing(self) -> None:
        super().pause_writing()
        self._expect_taken()

    def resume_writing(self) -> None:
        self._taken()
        super().resume_writing()

    def handle_websocket_upgrade(self) -> None:
        self._taken()
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

    def late_client(self) -> None:
        if self.untaken - untaken(self.transport) < LEAST_TAKEN:
            self.taking = None
            self.transport.abort()
        else:
            self._expect_taken()

    def _expect_taken(self) -> None:
        self.untaken = untaken(self.transport)
        self.taking = self.loop.call_later(TAKEN_S, self.late_client)

    def _taken(self) -> None:
        if self.taking is not None:
            self.taking.cancel()
            self.taking = None

    def _expect(self, seconds: float, late: Callable[[], None]) -> None:
        self.received = 0
        self.deadline = self.loop.call_later(seconds, late)

    def _came(self) -> None:
        if self.deadline is not None:
            self.deadline.cancel()
            self.deadline = None

"""The reading half of our WebSocket protocol: by the book, and of one peer not so much at once that others wait.

Pings, pongs and fragments wake nobody who could read more slowly (WS8): one read of uvloop's brings 40 000 of them, at
5 µs each.
"""

from __future__ import annotations

import asyncio
from typing import Any, Literal

from uvicorn.config import Config
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from uvicorn.server import ServerState
from websockets.frames import Frame, Opcode, apply_mask  # type: ignore[attr-defined]
from websockets.protocol import State
from websockets.server import ServerProtocol

SLICE = 8_192
"""Bytes that are parsed before a look at what they were."""
SPARE = 2_000
"""Frames without a message that are taken in a row."""
REST_S = 0.1
"""So long nothing is read then."""
FULL = 64 * 1024
"""After a read of so many bytes others have their turn: where each fills its buffer, uvloop reads 32 times in one."""


CLOSE, OPEN, recv_frame = Opcode.CLOSE, State.OPEN, ServerProtocol.recv_frame
"""Not looked up for each frame: that would be 0.5 µs of the 4.5 that one takes."""
MESSAGES: dict[int, Literal["text", "bytes"]] = {0x81: "text", 0x82: "bytes"}
"""The first byte of a message of one frame."""
MASKED = 0x80


class Parser(ServerProtocol):
    between = False
    """Whether all that it was given made whole frames: what comes next begins one."""

    def receive_data(self, data: bytes | bytearray) -> None:
        self.between = False
        super().receive_data(data)

    def recv_frame(self, frame: Frame) -> None:
        """RFC 6455, 5.5.1: amid the fragments of a message, too, a close is one; the library takes it for an error."""
        if frame.opcode is CLOSE:
            self.current_size = None
        recv_frame(self, frame)
        self.between = not self.reader.buffer


class ReadingProtocol(WebSocketsSansIOProtocol):
    conn: Parser
    spare = 0
    """Frames since the last rest that completed no message."""
    unparsed = b""
    rest: asyncio.Handle | None = None

    def __init__(
        self,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        super().__init__(config, server_state, app_state, _loop)
        offered = self.conn.available_extensions
        # What it has begun to read holds it: 1 KiB for each socket until somebody looks for cycles.
        self.conn.parser.close()
        self.conn = Parser(extensions=offered, max_size=config.ws_max_size, logger=self.logger)

    def data_received(self, data: bytes) -> None:
        if self.unparsed:
            # The application, which got a message, had reading go on before the rest was over.
            data, self.unparsed = self.unparsed + data, b""
        for at in range(self._messages(data), len(data), SLICE):
            super().data_received(data[at : at + SLICE])
            if self.transport.is_closing():
                return
            if self.spare >= SPARE:
                self.unparsed = data[at + SLICE :]
                self._rest()
                return
        if len(data) >= FULL and not (self.read_paused or self.transport.is_closing()):
            self.read_paused = True
            self.transport.pause_reading()
            self.rest = self.loop.call_soon(self.go_on, self.spare)

    def _messages(self, data: bytes) -> int:
        """Delivers the whole unfragmented messages that `data` begins with, and says how long they are.

        RFC 6455, 5.2. Nearly all that clients say: by the library's parser, a generator that knows all kinds of frames,
        an operation takes 2.5 times as long. Whatever is not of the plainest is left to it, and so is what comes after.
        """
        conn, at, end = self.conn, 0, len(data)
        if not conn.between or conn.extensions or conn.current_size is not None:
            return 0
        while end - at >= 6 and conn.state is OPEN:
            kind, size, body = MESSAGES.get(data[at]), data[at + 1] - MASKED, at + 6
            if size == 126:
                size, body = data[at + 2] << 8 | data[at + 3], at + 8
            elif not 0 <= size < 126:
                return at
            if kind is None or body + size > end or size > (conn.max_message_size or size):
                return at
            self.curr_msg_data_type = kind
            self.frames = [apply_mask(data[body : body + size], data[body - 4 : body])]
            self.send_receive_event_to_app()
            if self.transport.is_closing():
                return end
            at = body + size
        return at

    def handle_ping(self) -> None:
        self.spare += 1
        super().handle_ping()

    def handle_pong(self, event: Frame) -> None:
        self.spare += 1
        super().handle_pong(event)

    def handle_cont(self, event: Frame) -> None:
        self.spare += not event.fin
        super().handle_cont(event)

    def _rest(self) -> None:
        if not self.read_paused:
            self.read_paused = True
            self.transport.pause_reading()
        if self.rest is None:
            self.rest = self.loop.call_later(REST_S, self.go_on)

    def go_on(self, spare: int = 0) -> None:
        self.rest, self.spare = None, spare
        if self.unparsed and not self.transport.is_closing():
            self.data_received(b"")
        # With a message waiting it is the application that has reading go on.
        if self.spare < SPARE and self.read_paused and self.queue.empty():
            self.read_paused = False
            self.transport.resume_reading()

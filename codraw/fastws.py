"""uvicorn's WebSocket protocol, which takes ready frames, keeps a connection without a task, and lets go of a peer that
does not read or does not end.

What a peer left unread would stay for ever: asyncio's `close` waits until everything written is taken, and a peer that
keeps its window shut takes nothing.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable
from typing import Any

from uvicorn._types import ASGIReceiveEvent
from uvicorn.config import Config
from uvicorn.protocols.utils import ClientDisconnected
from uvicorn.server import ServerState
from websockets.frames import Frame
from websockets.http11 import Request

from codraw.reading import ReadingProtocol
from codraw.untaken import untaken
from codraw.waits import Latch, Mailbox

READY_FRAMES = "codraw.frames"
"""The ASGI extension: its value takes frames as they go over the wire, made once for many sockets."""
LINGER_S = 5.0
"""So long after the application is done with a socket what it has written may still be on its way."""
SEND_BUFFER = 256 * 1024
"""Bytes that the kernel may keep for a peer that is slow to read. Left to itself it takes 4 MiB, and the outbox, which
would replace stale events by one state, notices nothing for as long."""
UNFINISHED_S = 30.0
"""So long a message may take from its first byte to its last, unless we ourselves do not read."""
INBOUND = 32 * 1024
"""Bytes that may wait for the application before no more is read: to stop and start for each message is two system
calls, for 32 operations of one socket that wait for their outcome it is none."""
MESSAGE = 100
"""Bytes that a message costs beside its own."""
FRAGMENTS = 1_000
"""Beyond that those of one message are put together: each costs more than it holds."""


class SocketProtocol(ReadingProtocol):
    queue: Mailbox[ASGIReceiveEvent]  # type: ignore[assignment]
    pong = b""
    """The newest that could not be written yet."""
    ahead = 0
    """Bytes that lay before the ping when the peer was last seen to take some."""
    heard = False
    """Whether anything came from the peer since the ping."""
    drained: Callable[[], None] | None = None
    inbound = 0
    """Bytes that have come since the application last had them all."""
    messages = 0
    finished = 0
    """Messages when the deadline of an unfinished one was set."""
    deadline: asyncio.TimerHandle | None = None
    listened = False
    """Whether somebody listens who has no coroutine here."""

    def __init__(
        self,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        super().__init__(config, server_state, app_state, _loop)
        self.queue = Mailbox[ASGIReceiveEvent]()
        self.writable = Latch()  # type: ignore[assignment]
        self.writable.set()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER)

    def handle_connect(self, event: Request) -> None:
        super().handle_connect(event)
        # What is negotiated, such as compression, the library applies to each frame.
        if self.response.status_code == 101 and not self.conn.extensions:
            extensions: dict[str, Any] = self.scope["extensions"]
            extensions[READY_FRAMES] = self

    # the extension `READY_FRAMES`: whole frames, as they go over the wire ---------------------------------------------

    def report(self, drained: Callable[[], None], above: int) -> None:
        """`drained` is called when nothing waits any more, each time that `above` bytes or more did."""
        self.drained = drained
        # The upgrade is done, and what it was asked with is 5 KiB, which the library's parser would keep.
        self.request.headers.clear()
        del self.request, self.response
        self.transport.set_write_buffer_limits(high=above - 1, low=0)

    def pass_on(self, wire: bytes) -> None:
        # uvloop raises an error at a transport that is closed, asyncio sends behind a close frame.
        if not (self.close_sent or self.transport.is_closing()):
            self.transport.write(wire)

    @property
    def waiting(self) -> Callable[[], int]:
        """Bytes that the kernel has not taken; the transport's own, which is asked for each socket and turn."""
        return self.transport.get_write_buffer_size

    def listen(self, hear: Callable[[ASGIReceiveEvent], bool]) -> None:
        """What comes goes to `hear` until it returns False, and the rest waits for the next call. The application may
        return: a connection that waits for its peer holds neither its coroutines nor what it was called with."""
        if not self.listened:
            self.listened = True
            self._compact()
        self.queue.listen(hear)
        self._read_on()

    def finish(self) -> None:
        """What an application's return is, for one that listens; with the next turn, since a close may be under way."""
        self.listened = False
        self.loop.call_soon(self._finish)

    # ------------------------------------------------------------------------------------------------------------------

    def send_keepalive_ping(self) -> None:
        self.ahead = self._untaken()
        self.heard = False
        super().send_keepalive_ping()

    def keepalive_timeout(self) -> None:
        """WS5. The peer may be gone without a word: nothing else would tell the application."""
        if not (self.close_sent or self.transport.is_closing()) and self._alive():
            self._wait_for_pong()
            return
        super().keepalive_timeout()
        self.transport.abort()

    def data_received(self, data: bytes) -> None:
        self.heard = True
        super().data_received(data)
        if self.deadline is None and self._amid_message():
            self._expect_end()

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        if self.deadline is not None:
            self.deadline.cancel()
            self.deadline = None
        # Both hold it, and what only a collector of cycles finds stays for long: rooms that open keep it from looking.
        self.drained = None
        self.conn.parser.close()

    def send_receive_event_to_app(self) -> None:
        """S76: what waits is bounded by its bytes."""
        self.messages += 1
        # What follows our close frame is thrown away.
        self.spare += self.close_sent
        frames = self.frames
        self.inbound += MESSAGE + (len(frames[0]) if len(frames) == 1 else sum([len(part) for part in frames]))
        # The library would stop reading at each message.
        paused, self.read_paused = self.read_paused, True
        super().send_receive_event_to_app()
        self.read_paused = paused
        if self.queue.empty():
            self.inbound = 0
        elif self.inbound > INBOUND and not (paused or self.close_sent):
            self.read_paused = True
            self.transport.pause_reading()

    async def receive(self) -> ASGIReceiveEvent:
        # As the library's; a coroutine in a coroutine for each message that is there already is dearer than it.
        message = await self.queue.get() if self.queue.empty() else self.queue.take()
        self._read_on()
        return message

    def _read_on(self) -> None:
        if self.queue.empty():
            self.inbound = 0
            if self.read_paused and self.rest is None:
                self.read_paused = False
                self.transport.resume_reading()

    def late_message(self) -> None:
        """S71, S73: one that does not end holds its bytes for as long."""
        self.deadline = None
        if self.close_sent or self.transport.is_closing() or not self._amid_message():
            return
        if self.messages != self.finished or (self.read_paused and self.rest is None):
            self._expect_end()
            return
        self.conn.fail(1008, "unfinished message")
        self.transport.write(b"".join(self.conn.data_to_send()))
        self.close_sent = True
        self.transport.close()

    def _amid_message(self) -> bool:
        return bool(self.conn.reader.buffer or self.frames)

    def _expect_end(self) -> None:
        self.finished = self.messages
        self.deadline = self.loop.call_later(UNFINISHED_S, self.late_message)

    def pause_writing(self) -> None:
        super().pause_writing()
        if self.pong_timer is not None:
            # Up to now it took what it was given; of this, too, it has until the next look.
            self.pong_timer.cancel()
            self._wait_for_pong()

    def resume_writing(self) -> None:
        super().resume_writing()
        if self.pong and self.conn.close_sent is None:
            self.transport.write(self.pong)
        self.pong = b""
        if self.drained is not None:
            self.drained()

    async def run_asgi(self) -> None:
        """As the library's, but for one that listens the connection stays when the application has returned."""
        try:
            await self.app(self.scope, self.receive, self.send)
        except ClientDisconnected:
            self.listened = False
        except BaseException:
            self.logger.exception("Exception in ASGI application\n")
            self.send_500_response()
            self.listened = False
        else:
            if not self.handshake_complete:
                self.logger.error("ASGI callable returned without completing handshake.")
                self.send_500_response()
        # By the extension it holds this connection, which holds it.
        del self.scope
        if not self.listened:
            self._finish()

    def _compact(self) -> None:
        """What only the upgrade needed, and the room for it in the instance's dictionary, is 1 KiB."""
        self.server = self.client = None
        self.__dict__ = dict(vars(self))

    def _finish(self) -> None:
        if self.close_timer is None:
            self.transport.close()
        self.loop.call_later(LINGER_S, self.transport.abort)

    def handle_ping(self) -> None:
        """RFC 6455, 5.5.3: the newest ping needs its pong, not every one. Who reads none is not sent more (S72)."""
        self.spare += 1
        pongs = self.conn.data_to_send()
        if self.writable.is_set() or self.conn.close_rcvd is not None:
            self.transport.write(b"".join(pongs))
        elif pongs:
            self.pong = pongs[-1]

    def handle_cont(self, event: Frame) -> None:
        """S71: a message of very many fragments takes no more than it is long."""
        if len(self.frames) >= FRAGMENTS:
            self.frames = [b"".join(self.frames)]
        super().handle_cont(event)

    def _alive(self) -> bool:
        """Whether a late pong may be on its way: behind what the peer is still taking, or behind what it has sent."""
        if self._untaken() < self.ahead:
            return True
        # One who takes nothing of what is too much for the kernel does not live by what it says (S74).
        return self.writable.is_set() and (self.heard or self.read_paused)

    def _wait_for_pong(self) -> None:
        self.ahead = self._untaken()
        self.heard = False
        self.pong_timer = self.loop.call_later(self.ping_timeout or 0, self.keepalive_timeout)

    def _untaken(self) -> int:
        return untaken(self.transport)

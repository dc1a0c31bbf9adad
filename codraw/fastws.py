"""uvicorn's WebSocket protocol, which lets go of a peer that does not read: what it left unread would stay for ever.

asyncio's `close` waits until everything written is taken, and a peer that keeps its window shut takes nothing.
"""

from __future__ import annotations

import asyncio
import socket
import struct
import sys

from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from websockets.frames import Frame

if sys.platform == "linux":
    import fcntl
    import termios

LINGER_S = 5.0
"""So long after the application is done with a socket what it has written may still be on its way."""
SEND_BUFFER = 256 * 1024
"""Bytes that the kernel may keep for a peer that is slow to read. Left to itself it takes 4 MiB, and the outbox, which
would replace stale events by one state, notices nothing for as long."""
FRAGMENTS = 1_000
"""Beyond that those of one message are put together: each costs more than it holds."""


class SocketProtocol(WebSocketsSansIOProtocol):
    pong = b""
    """The newest that could not be written yet."""
    ahead = 0
    """Bytes that lay before the ping when the peer was last seen to take some."""
    heard = False
    """Whether anything came from the peer since the ping."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER)

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

    async def run_asgi(self) -> None:
        try:
            await super().run_asgi()
        finally:
            asyncio.get_running_loop().call_later(LINGER_S, self.transport.abort)

    def handle_ping(self) -> None:
        """RFC 6455, 5.5.3: the newest ping needs its pong, not every one. Who reads none is not sent more (S72)."""
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
        """Bytes: asyncio's and, where the system tells, the kernel's."""
        return self.transport.get_write_buffer_size() + _unacknowledged(self.transport)


def _unacknowledged(transport: asyncio.Transport) -> int:
    """Bytes written to the kernel that the peer's has not confirmed (tcp(7), SIOCOUTQ)."""
    if sys.platform != "linux":
        return 0
    size: int = struct.unpack("i", fcntl.ioctl(transport.get_extra_info("socket"), termios.TIOCOUTQ, bytes(4)))[0]
    return size

"""uvicorn's WebSocket protocol, which lets go of a peer that does not read: what it left unread would stay for ever.

asyncio's `close` waits until everything written is taken, and a peer that keeps its window shut takes nothing.
"""

from __future__ import annotations

import asyncio

from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from websockets.frames import Frame

LINGER_S = 5.0
"""So long after the application is done with a socket what it has written may still be on its way."""
FRAGMENTS = 1_000
"""Beyond that those of one message are put together: each costs more than it holds."""


class SocketProtocol(WebSocketsSansIOProtocol):
    def keepalive_timeout(self) -> None:
        """WS5. The peer may be gone without a word: nothing else would tell the application."""
        super().keepalive_timeout()
        self.transport.abort()

    async def run_asgi(self) -> None:
        try:
            await super().run_asgi()
        finally:
            asyncio.get_running_loop().call_later(LINGER_S, self.transport.abort)

    def handle_ping(self) -> None:
        """RFC 6455, 5.5.3: not every ping needs its pong. One who reads none is not sent more (S72)."""
        pong = self.conn.data_to_send()
        if self.writable.is_set():
            self.transport.write(b"".join(pong))

    def handle_cont(self, event: Frame) -> None:
        """S71: a message of very many fragments takes no more than it is long."""
        if len(self.frames) >= FRAGMENTS:
            self.frames = [b"".join(self.frames)]
        super().handle_cont(event)

"""pycrdt-websocket on uvicorn with uvloop, documents in memory; runs in the environment of the peers, not in ours."""

from __future__ import annotations

import os
import socket
import sys
from collections.abc import Awaitable, Callable
from contextlib import suppress
from types import FrameType
from typing import Any

import uvicorn
import uvloop
from pycrdt.websocket import ASGIServer, WebsocketServer  # type: ignore[import-not-found]
from uvicorn.protocols.utils import ClientDisconnected

Message = Any
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Application = Callable[[Message, Receive, Send], Awaitable[None]]


class Server(uvicorn.Server):
    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        print("listening", flush=True)

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """At once: shut down in order it waits for its rooms, and those do not end while an editor is connected."""
        os._exit(0)


def application(rooms: WebsocketServer) -> Application:
    server = ASGIServer(rooms)

    async def answer(scope: Message, receive: Receive, send: Send) -> None:
        async def tell(message: Message) -> None:
            """Else one editor who leaves while something is on its way to it ends all rooms."""
            with suppress(ClientDisconnected):
                await send(message)

        await server(scope, receive, tell)

    return answer


async def serve(port: int) -> None:
    async with WebsocketServer() as rooms:
        config = uvicorn.Config(application(rooms), port=port, ws_per_message_deflate=False, log_level="error")
        await Server(config).serve()


if __name__ == "__main__":
    uvloop.run(serve(int(sys.argv[1])))

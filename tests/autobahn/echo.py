"""`python -m tests.autobahn.echo uvloop|asyncio`: an echo behind the server's own WebSocket protocol and settings.

It prints the port it took, and takes one message at a time: at `/send` it answers by plain ASGI, at `/frames` by ready
frames.
"""

from __future__ import annotations

import sys
from collections.abc import Awaitable, Callable
from typing import Any, cast

import uvicorn
from starlette.types import Message, Receive, Scope, Send

from codraw.app import App
from codraw.logs import configure
from codraw.serve import listen, uvicorn_config
from codraw.settings import Settings
from collab.sockets import READY_FRAMES, Carrier, Frame

LARGEST = 16 * 1024 * 1024
"""Bytes of the suite's largest messages; the server's own limit is 256 KiB."""


class Echo:
    """Stands where the application does."""

    def __init__(self) -> None:
        self.settings = Settings(development=True, max_frame_bytes=LARGEST)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            for what in ("startup", "shutdown"):
                await receive()
                await send({"type": f"lifespan.{what}.complete"})
        elif scope["type"] == "websocket":
            await receive()
            await send({"type": "websocket.accept"})
            answer = _frames(scope["extensions"][READY_FRAMES]) if scope["path"] == "/frames" else send
            while (message := await receive())["type"] == "websocket.receive":
                await answer({**message, "type": "websocket.send"})


def _frames(carrier: Carrier) -> Callable[[Message], Awaitable[None]]:
    async def answer(message: Message) -> None:
        text = message.get("text")
        carrier.pass_on(Frame(message["bytes"] if text is None else text.encode(), text=text is not None).wire)

    return answer


def serve(loop: Any) -> None:
    configure()
    config = uvicorn_config(cast(App, Echo()))
    config.loop = loop
    listener = listen("127.0.0.1", 0)[0]
    print(listener.getsockname()[1], flush=True)
    uvicorn.Server(config).run([listener])


if __name__ == "__main__":
    serve(sys.argv[1])

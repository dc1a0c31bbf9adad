"""The ASGI application: opens the house when the server starts, and leads each connection to its edge."""

from __future__ import annotations

import logging
from typing import Any

from starlette.types import Receive, Scope, Send

from codraw.house import House, open_store
from codraw.settings import Settings
from storage.database import StoreRefused

PAGES = {"editor": "/", "health": "/healthz"}
"""What the banner of `codraw serve` points at; only what is there."""

log = logging.getLogger(__name__)


class App:
    """`house` is there between start and stop; `refusal` says why it could not start."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.house: House | None = None
        self.refusal: str | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._live(receive, send)
            return
        if self.house is None:
            raise RuntimeError("the application was not started: it needs a server that speaks ASGI's lifespan")
        if scope["type"] == "websocket":
            await self.house.socket(scope, receive, send)
        else:
            await self.house.http(scope, receive, send)

    async def _live(self, receive: Receive, send: Send) -> None:
        await receive()
        try:
            self.house = House(self.settings, await open_store(self.settings))
        except StoreRefused as refused:
            self.refusal = str(refused)
            await send({"type": "lifespan.startup.failed", "message": ""})
            return
        self.house.start()
        await send({"type": "lifespan.startup.complete"})
        await receive()
        await self.house.close()
        await send(_STOPPED)


_STOPPED: dict[str, Any] = {"type": "lifespan.shutdown.complete"}

"""The ASGI application: opens the house when the server starts, and leads each connection to its edge."""

from __future__ import annotations

import asyncio
import logging
import secrets
from collections.abc import Callable
from typing import Any

from starlette.types import Receive, Scope, Send

from codraw.house import House
from codraw.metrics import Row, of_process
from codraw.settings import Settings
from codraw.stores import open_stores
from codraw.waiting import Waiting
from collab.ports import StoreUnavailable
from collab.tasks import Tasks
from storage.database import StoreRefused

PAGES = {"editor": "/", "health": "/healthz"}
"""What the banner of `codraw serve` points at; only what is there."""
FIRST_LOOK_S = 2.0
"""So long a start waits for its stores before it listens and says that it waits."""
BESIDE_OTHERS_S = 10.0
"""The same where others answer meanwhile: whoever comes is better served by them."""
AGAIN_S = 0.5

log = logging.getLogger(__name__)


class App:
    """`house` is there while the server runs and its store has been found; `refusal` says why it cannot serve.

    `stands` is called when the house stands, `refused` when it turns out, after the start, that it never will.
    """

    def __init__(
        self, settings: Settings, stands: Callable[[], None] = lambda: None, *, beside_others: bool = False
    ) -> None:
        self.settings = settings
        self.first_look_s = BESIDE_OTHERS_S if beside_others else FIRST_LOOK_S
        self.worker = secrets.token_hex(4)
        self.house: House | None = None
        self.refusal: str | None = None
        self.crashed = False
        """Whether the refusal is a bug of ours, which may pass."""
        self.stands = stands
        self.refused: Callable[[], None] = lambda: None
        self.tasks = Tasks()
        self._waiting = Waiting(settings)
        self._opening: asyncio.Task[None] | None = None
        self._waited = False

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._live(receive, send)
            return
        if self._opening is None:
            raise RuntimeError("the application was not started: it needs a server that speaks ASGI's lifespan")
        edges = self.house or self._waiting
        if scope["type"] == "websocket":
            await edges.socket(scope, receive, send)
        else:
            await edges.http(scope, receive, send)

    def metrics(self) -> list[Row]:
        house = [("codraw_ready", (), 0.0)] if self.house is None else self.house.metrics.rows()
        return [*of_process(), *house]

    def drain(self) -> asyncio.Task[None] | None:
        """Nobody is let in any more; None: nobody was."""
        self._waiting.draining = True
        if self._opening is not None:
            self._opening.cancel()
        return self.house.drain() if self.house is not None else None

    async def _live(self, receive: Receive, send: Send) -> None:
        await receive()
        self._opening = self.tasks.start("open", self._open())
        # A file is there or never; a server may be away for long, and whoever asks is to be told so.
        await asyncio.wait((self._opening,), timeout=self.first_look_s if self.settings.postgres else None)
        if self.refusal is not None:
            await send({"type": "lifespan.startup.failed", "message": ""})
            return
        await send({"type": "lifespan.startup.complete"})
        try:
            await receive()
        except asyncio.CancelledError:
            # An end at once, at somebody's second word: nothing is closed, and nothing depends on it.
            return
        await self.tasks.close()
        if self.house is not None:
            await self.house.close()
        await send(_STOPPED)

    async def _open(self) -> None:
        try:
            self.house = await self._found()
        except StoreRefused as refused:
            self._refuse(str(refused))
        except Exception:
            log.exception("the server could not start")
            self.crashed = True
            self._refuse("The server could not start.")
        else:
            if self._waited:
                log.warning("the store is there")
            self.stands()

    async def _found(self) -> House:
        """Waits for a store that is away; one line when that begins, and one when it is over."""
        while True:
            try:
                return await self._built()
            except StoreUnavailable as unavailable:
                if not self._waited:
                    log.warning("waiting for the store %s: %s", self.settings.store_place, unavailable)
                self._waited = True
                await asyncio.sleep(AGAIN_S)

    async def _built(self) -> House:
        stores = await open_stores(self.settings, self.worker)
        try:
            if stores.roll is not None:
                await stores.roll.enter()
            house = House(self.settings, stores)
        except BaseException:
            await stores.close()
            raise
        house.start()
        return house

    def _refuse(self, sentence: str) -> None:
        self.refusal = sentence
        self.refused()


_STOPPED: dict[str, Any] = {"type": "lifespan.shutdown.complete"}

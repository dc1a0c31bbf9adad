"""Who serves this store: every worker says that it lives, and looks for one with which it cannot exchange news."""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import Callable

from codraw import __version__
from collab.ports import StoreUnavailable
from storage.database import StoreRefused
from storage.workers import WorkerBook, WorkerEntry

NO_BUS = ""
"""Of a worker that was given no Redis; None is one that cannot be reached, whose name is not known."""
STAMP_S = 2.0
ALIVE_MS = 7_000
"""Three stamps may fail; a worker that was killed holds nobody up for longer."""
LOOK_S = 0.5
STAYS = 4
"""So many looks in a row: longer than a dead worker is taken for a live one, and than a Redis that came back empty
takes to be known under one name to all."""

log = logging.getLogger(__name__)


class Roll:
    """`bus_id`: of the Redis in use, None while it is not known, NO_BUS without one."""

    def __init__(self, book: WorkerBook, worker: str, bus_id: Callable[[], str | None]) -> None:
        self._book, self._worker, self._bus_id = book, worker, bus_id
        self._seen: Counter[str] = Counter()
        self._own: WorkerEntry | None = None
        self.alive = 0
        self.estranged = False
        """Whether there is an older worker with which no news can be exchanged."""

    async def enter(self, look_s: float = LOOK_S) -> None:
        """Returns once nobody stands against it. Raises StoreRefused: somebody does, and lives; StoreUnavailable."""
        stamps: dict[str, set[int]] = {}
        while strangers := await self._strangers():
            for entry in strangers:
                if entry.id not in stamps:
                    log.info("worker %s may have been killed: whether it lives shows within seconds", entry.id)
                stamps.setdefault(entry.id, set()).add(entry.seen_at_ms)
                # Two stamps more than were there: it lives, and is not about to change its mind.
                if len(stamps[entry.id]) > 2:
                    await self.leave()
                    raise StoreRefused(self._sentence(entry))
            await asyncio.sleep(look_s)

    async def run(self) -> None:
        while True:
            await asyncio.sleep(STAMP_S)
            try:
                await self.call()
            except StoreUnavailable:
                self._seen.clear()
            except Exception:
                # Our bug; without a stamp the others would take this worker for dead.
                log.exception("the roll failed")

    async def call(self) -> None:
        """One stamp and one look."""
        strangers = await self._strangers()
        self._seen = Counter({entry.id: self._seen[entry.id] + 1 for entry in strangers})
        staying = [entry for entry in strangers if self._seen[entry.id] >= STAYS]
        for entry in staying:
            if self._seen[entry.id] == STAYS:
                log.error(self._sentence(entry))
        # The younger one steps back: of two that serve people one goes on.
        self.estranged = any(self._older(entry) for entry in staying)

    async def leave(self) -> None:
        if self._own is None:
            return
        try:
            await self._book.gone(self._worker)
        except StoreUnavailable:
            log.info("the store is away: this worker counts as alive for some seconds more")

    async def objection(self) -> str | None:
        """Of those who live now, without a stamp; the sentence with which they would be refused."""
        return next((self._sentence(entry) for entry in await self._look()), None)

    async def _strangers(self) -> list[WorkerEntry]:
        await self._book.stamp(self._worker, self._bus_id(), __version__)
        return await self._look()

    async def _look(self) -> list[WorkerEntry]:
        alive = {entry.id: entry for entry in await self._book.alive(ALIVE_MS)}
        self.alive = len(alive)
        self._own = alive.pop(self._worker, None)
        return [entry for entry in alive.values() if self._apart(entry)]

    def _apart(self, entry: WorkerEntry) -> bool:
        own = self._bus_id()
        if NO_BUS in (own, entry.bus_id):
            return True
        return None not in (own, entry.bus_id) and own != entry.bus_id

    def _older(self, entry: WorkerEntry) -> bool:
        own = self._own
        return own is None or (entry.started_at_ms, entry.id) < (own.started_at_ms, own.id)

    def _sentence(self, entry: WorkerEntry) -> str:
        if self._bus_id() == NO_BUS:
            return f"Worker {entry.id} serves the same PostgreSQL, and without CODRAW_REDIS_URL no news reaches it."
        if entry.bus_id == NO_BUS:
            return f"Worker {entry.id} serves the same PostgreSQL without a Redis, so that no news reaches it."
        return f"Worker {entry.id} serves the same PostgreSQL with another Redis, so that no news reaches it."

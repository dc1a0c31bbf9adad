"""Several workers in the test's own process: one store, one bus, one presence, and a clock turned by hand."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, TypeVar

from collab.core.state import RoomSettings
from collab.headwatch import HeadWatch, Looks
from collab.keeper import Intervals, Keeper
from collab.news import EVERYWHERE
from protocol.values import DiagramId, Instant, Limits
from storage.bus_memory import MemoryBus, MemoryHub
from storage.database import Work
from storage.presence_memory import MemoryPresence
from storage.sqlite import SqliteDatabase
from tests.support.clock import HandClock, Timer
from tests.support.premises import DEVELOPMENT, Premises
from tests.support.stores import new_sqlite
from tests.support.turns import turns, until
from tests.support.wire import Line

T = TypeVar("T")

ALWAYS = Intervals(quiet_s=0, pause_s=float("inf"))
PATIENT = Looks(pause_s=float("inf"))
"""The clock may be turned in great steps."""


class BadHub(MemoryHub):
    """Loses, repeats and swaps news by chance; `deaf`: loses all of it, and whoever is asked says so."""

    def __init__(self, seed: int = 0, *, lose: float = 0.0, repeat: float = 0.0, swap: float = 0.0) -> None:
        super().__init__()
        self.chance = random.Random(seed)
        self.lose, self.repeat, self.swap = lose, repeat, swap
        self.deaf = False
        self.lost = 0
        self.spoken: list[bytes] = []
        self._kept: list[Callable[[], None]] = []

    def spread(self, diagram: DiagramId, news: bytes) -> None:
        self.spoken.append(news)
        super().spread(diagram, news)

    def carry(self, deliver: Callable[[], None]) -> None:
        if self.deaf or self.chance.random() < self.lose:
            self.lost += 1
            return
        if self.chance.random() < self.swap:
            self._kept.append(deliver)
            return
        super().carry(deliver)
        if self.chance.random() < self.repeat:
            super().carry(deliver)
        kept, self._kept = self._kept, []
        for late in kept:
            super().carry(late)


MOMENT_S = 0.051
"""Claims, and what else a room may wake for in between: a gap, a beat of cursors."""


class Lively(HandClock):
    """A moment passes by itself: nobody turns the clock for whoever waits for a commit of another worker."""

    def call_at(self, at: Instant, callback: Callable[[], None]) -> Timer:
        timer = super().call_at(at, callback)
        if at.monotonic_s - self.now().monotonic_s <= MOMENT_S:
            asyncio.get_running_loop().call_soon(self._come, timer)
        return timer

    def _come(self, timer: Timer) -> None:
        if not timer.cancelled:
            # a little more, lest rounding leaves it short of that instant for ever
            self.advance(max(0.0, timer.at_s - self.now().monotonic_s) + 1e-6)


class SickBus(MemoryBus):
    def healthy(self) -> bool:
        return not getattr(self._hub, "deaf", False)


class SickPresence(MemoryPresence):
    """`away`: it cannot be reached. `dead`: workers that say nothing any more."""

    away = False

    def __init__(self, now_ms: Callable[[], int]) -> None:
        super().__init__(now_ms)
        self.dead: set[str] = set()

    async def put(self, session: Any, worker: str, participants: Any) -> None:
        if not self.away and worker not in self.dead:
            await super().put(session, worker, participants)

    async def read(self, session: Any) -> Any:
        return None if self.away else await super().read(session)


class Store(SqliteDatabase):
    """Counts what it is asked and has not answered: its threads know nothing of a clock turned by hand."""

    asked = 0

    async def read(self, work: Work[T]) -> T:
        return await self._counted(super().read(work))

    async def transaction(self, work: Work[T]) -> T:
        return await self._counted(super().transaction(work))

    async def _counted(self, answer: Awaitable[T]) -> T:
        self.asked += 1
        try:
            return await answer
        finally:
            self.asked -= 1

    async def answered(self) -> None:
        """All that was asked, and what followed from that."""
        await turns()
        while self.asked:
            await until(lambda: not self.asked)
            await turns()


class Worker(Premises):
    """One process of several."""

    keeper: Keeper
    watch: HeadWatch
    bus: SickBus

    async def line(self, name: str, dialect: str = "codraw.v1", **query: str) -> Line:
        """A socket that has not heard anything yet."""
        return Line(self.endpoint, self.path, {"ticket": await self.ticket(name), "dialect": dialect, **query})

    async def present(self, name: str, dialect: str = "codraw.v1", **query: str) -> Line:
        """A socket that has heard who is there."""
        line = await self.line(name, dialect, **query)
        line.first = await line.hear("participants", "participants_update", "current_presenter")  # type: ignore[attr-defined]
        return line


class Workers:
    def __init__(
        self, workers: Sequence[Worker], store: Store, hub: BadHub, presence: SickPresence, clock: HandClock
    ) -> None:
        self.all, self.store, self.hub, self.presence, self.clock = workers, store, hub, presence, clock
        self.alive = list(workers)

    def __getitem__(self, n: int) -> Worker:
        return self.all[n]

    def kill(self, n: int) -> None:
        """kill -9: nothing is said, nobody is told."""
        killed = self.all[n]
        self.alive.remove(killed)
        self.hub.buses.remove(killed.bus)
        self.presence.dead.add(f"w{n + 1}")

    async def look(self) -> None:
        """A round of the head watch everywhere."""
        for worker in self.alive:
            await worker.watch.look()
        await self.store.answered()

    async def keep(self) -> None:
        for worker in self.alive:
            await worker.keeper.look()
        await self.store.answered()

    async def pass_time(self, seconds: float, step_s: float = 1.0) -> None:
        """Everything that happens by itself meanwhile."""
        while seconds > 0:
            self.clock.advance(min(step_s, seconds))
            seconds -= step_s
            await self.store.answered()
            await self.look()
            await self.keep()


@asynccontextmanager
async def workers(
    folder: Path,
    n: int = 2,
    *,
    hub: BadHub | None = None,
    settings: RoomSettings | None = None,
    cells: Sequence[Any] = (),
) -> AsyncIterator[Workers]:
    hub, clock = hub or BadHub(), Lively()
    presence = SickPresence(lambda: clock.now().wall_ms)
    database = Store(new_sqlite(folder / "store.db"))
    try:
        made = [_worker(f"w{number + 1}", database, hub, presence, clock, settings) for number in range(n)]
        await made[0].found(cells)
        for one in made[1:]:
            one.threat_model, one.diagram = made[0].threat_model, made[0].diagram
        for worker in made:
            await worker.bus.subscribe(EVERYWHERE, worker.watch.hear)
        yield Workers(made, database, hub, presence, clock)
        for one in made:
            await one.rooms.close()
            await one.tasks.close()
            assert one.crashes == []
    finally:
        await database.close()


def _worker(
    name: str,
    database: Store,
    hub: BadHub,
    presence: SickPresence,
    clock: HandClock,
    settings: RoomSettings | None,
) -> Worker:
    bus = SickBus(hub)
    made = Worker(
        database, DEVELOPMENT, Limits(), worker=name, clock=clock, bus=bus, presence=presence, settings=settings
    )
    made.bus = bus
    made.keeper = Keeper(made.rooms, made.ports, ALWAYS)
    made.watch = HeadWatch(made.rooms, made.ports, PATIENT)
    return made


def names(participants: Any) -> list[str]:
    """Who is shown in `participants`, with how many connections each."""
    return [f"{one['user']['provider_id']}{len(one['connections'])}" for one in participants["participants"]]

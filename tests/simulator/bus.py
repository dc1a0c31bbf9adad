"""Redis as the rooms see it: news that is lost, doubled, swapped, corrupted, forged, and presence that forgets."""

from __future__ import annotations

from typing import TYPE_CHECKING

from collab.core.effects import Publish
from collab.core.events import Spoken
from collab.news import Seal, Standing
from protocol.values import DiagramId
from storage.presence_memory import MemoryPresence

if TYPE_CHECKING:
    from tests.simulator.worker import Worker
    from tests.simulator.world import World

DIAGRAM = DiagramId("5e110000-0000-4000-8000-000000000001")
SECRET = b"of the house"
SLOW_S = 1.0
"""No news is under way for longer."""
UNKNOWN_S = 35.0
"""So long after it has lost its memory presence says nothing."""


class Bus:
    def __init__(self, world: World) -> None:
        self.world = world
        self.flying: list[tuple[Worker, int, bytes, float]] = []
        self.healthy = True
        self.failed_at_s = self.recovered_at_s = -1_000.0
        self.presence = MemoryPresence(world.now_ms)
        self.unknown_until_s = -1.0
        self.old: bytes = b""
        self.forger = Seal(b"of somebody else", "F")

    def publish(self, author: Worker, news: Publish | Spoken | Standing) -> None:
        world, chance, faults = self.world, self.world.chance, self.world.faults
        sealed = author.seal.sealed(DIAGRAM, news)
        for worker in world.workers.values():
            if worker is author or (worker.room is None and not worker.opening):
                continue
            if not self.healthy or chance.random() < faults["lose"]:
                world.count["news lost"] += 1
                continue
            self.flying.append((worker, worker.life, sealed, world.time_s))
            if chance.random() < faults["double"]:
                world.count["news doubled"] += 1
                self.flying.append((worker, worker.life, sealed, world.time_s))
            if chance.random() < faults["forge"]:
                self._forge(worker, sealed, news)

    def _forge(self, worker: Worker, sealed: bytes, news: Publish | Spoken | Standing) -> None:
        """A flipped bit, the same under another key, or what was said long ago."""
        chance = self.world.chance
        place = chance.randrange(len(sealed))
        flipped = sealed[:place] + bytes((sealed[place] ^ 1 << chance.randrange(8),)) + sealed[place + 1 :]
        forged = chance.choice((flipped, self.forger.sealed(DIAGRAM, news), self.old))
        if forged is self.old:
            self.world.unsteady_at_s = self.world.time_s
        self.world.count["news replayed" if forged is self.old else "news forged"] += 1
        self.flying.append((worker, worker.life, forged, self.world.time_s))
        if chance.random() < 0.2:
            self.old = sealed

    def deliver(self, chance: float = 0.7) -> None:
        """Some of what is under way, in any order."""
        if len(self.flying) > 1 and chance < 1:
            self.world.chance.shuffle(self.flying)
        while self.flying and (chance == 1 or self.world.chance.random() < chance):
            worker, life, sealed, _ = self.flying.pop(0 if chance == 1 else -1)
            if worker.life == life:
                worker.hear(sealed)

    def hurry(self) -> None:
        """What has been under way for long arrives."""
        late_s = self.world.time_s - SLOW_S
        due = [piece for piece in self.flying if piece[3] < late_s]
        if due:
            self.flying = [piece for piece in self.flying if piece[3] >= late_s]
            for worker, life, sealed, _ in due:
                if worker.life == life:
                    worker.hear(sealed)

    def lose_all(self) -> None:
        self.world.count["news lost"] += len(self.flying)
        self.flying.clear()

    def fail(self) -> None:
        self.world.count["bus outage"] += 1
        self.healthy = False
        self.failed_at_s = self.world.time_s
        self.lose_all()

    def empty(self) -> None:
        """It has started anew, without its memory."""
        self.world.count["presence emptied"] += 1
        self.presence = MemoryPresence(self.world.now_ms)
        self.unknown_until_s = self.world.time_s + UNKNOWN_S

    def told_of(self, since_s: float, steady_s: float) -> bool:
        """Whether all can know who has come somewhere at that time, and not only those there."""
        unhealthy = not self.healthy or self.recovered_at_s > self.world.time_s - steady_s
        return not unhealthy or since_s < self.failed_at_s - SLOW_S

    @property
    def knows(self) -> bool:
        """Whether what presence says is all there is."""
        return self.healthy and self.world.time_s >= self.unknown_until_s

    def recover(self) -> None:
        """Every subscriber hears that it may have missed something."""
        self.healthy = True
        self.recovered_at_s = self.world.time_s
        for worker in self.world.workers.values():
            worker.hear(None)

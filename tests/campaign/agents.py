"""Programs on the project's own client, which comes back and sends again by itself, to any worker."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from typing import Literal

from codraw.client import Accepted, Asked, Backoff, Mismatch, Subscription, Unreachable, connect
from tests.campaign.editors import BROKEN, Doors, Guest, Place, Refused, Subject, batch
from tests.campaign.stage import Stage, Worker
from tests.campaign.traces import Trace

SETTLE_S = 60.0


class Agent:
    """`trace` holds what was asked and what it came to; the copy is judged like any other."""

    def __init__(
        self, stage: Stage, doors: Doors, subject: Subject, guest: Guest, *, name: str, chance: random.Random,
        rate: float, encoding: Literal["json", "msgpack"] = "json",
    ) -> None:  # fmt: skip
        self.stage, self.doors, self.subject, self.guest = stage, doors, subject, guest
        self.chance, self.rate = chance, rate
        self.trace = Trace(name, guest.id, "client", subject.diagram)
        self.counts: Counter[str] = Counter()
        self.quiet = asyncio.Event()
        self.idle = asyncio.Event()
        self.leaving = asyncio.Event()
        self.live = connect(
            self._address, self._ticket, encoding=encoding, backoff=Backoff(first_s=0.05, longest_s=0.5)
        )
        self.mismatches = 0
        self._asked: list[Asked] = []
        self._requests = 0

    def _worker(self) -> Worker:
        return self.chance.choice(self.stage.workers)

    async def _address(self) -> str:
        return Place(self.doors, self._worker(), self.subject).url

    async def _ticket(self, reason: str) -> str:
        try:
            return await Place(self.doors, self._worker(), self.subject).ticket(self.guest)
        except Refused as refused:
            raise Unreachable(str(refused)) from None
        except BROKEN as error:
            raise Unreachable(repr(error)) from None

    async def run(self) -> None:
        self.live.open()
        wrong = self.live.events(Mismatch)
        counting = asyncio.ensure_future(self._count(wrong))
        try:
            await self.live.ready()
            while not self.quiet.is_set():
                await asyncio.sleep(self.chance.expovariate(self.rate))
                if all(asked.outcome is not None for asked in self._asked[-6:-5]):
                    self._ask()
            async with asyncio.timeout(SETTLE_S):
                for number, asked in enumerate(self._asked):
                    await self._note(number, asked)
            self.idle.set()
            await self.leaving.wait()
        finally:
            counting.cancel()
            await self.live.close(timeout_s=0)

    async def _count(self, wrong: Subscription[Mismatch]) -> None:
        async for _ in wrong:
            self.mismatches += 1

    def _ask(self) -> None:
        fate = self.chance.random()
        if fate < 0.15:
            asked = self.live.undo() if fate < 0.1 else self.live.redo()
        else:
            shown = [str(cell["id"]) for cell in self.live.cells]
            asked = self.live.edit(batch(self.chance, self.subject.ids, shown))
        self.counts["submitted"] += 1
        self._asked.append(asked)

    async def _note(self, number: int, asked: Asked) -> None:
        outcome = await asked
        body = {"operation_id": outcome.operation_id}
        self.trace.add("asked", 0, number, {"method": "CLIENT", "body": body})
        if isinstance(outcome, Accepted):
            told = {"update_vector": outcome.vector, "changed": outcome.changed}
            self.trace.add("answered", 0, number, {"status": 200, "body": body | told})
        else:
            self.trace.add("answered", 0, number, {"status": 422, "body": {"details": {"reason": outcome.reason}}})

    def equals(self, vector: int, cells: object) -> bool:
        return self.live.vector == vector and list(self.live.cells) == cells

    def keep_copy(self) -> None:
        self.trace.add("copy", 0, 0, {"vector": self.live.vector, "cells": list(self.live.cells), "over": None})

"""How this worker stands: asked by /readyz, and looked at all the time, so that a change is a line in the log."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable

from codraw.clock import SystemClock
from codraw.stores import Stores
from collab.ports import StoreUnavailable
from collab.tally import Spread
from collab.tasks import Tasks
from rest.front import Readiness
from storage.database import Crowded

LOOK_S = 1.0
CLOCK_S = 30.0
SKEW_MS = 5_000

log = logging.getLogger(__name__)


class Health:
    """`draining` is set by whoever begins that. `saves`: whether the store takes commits, as far as it was asked to."""

    def __init__(self, stores: Stores, clock: SystemClock, saves: Callable[[], bool]) -> None:
        self.draining = False
        self._stores = stores
        self._clock = clock
        self._saves = saves
        self.store_there = True
        self.lag = Spread()
        """Seconds by which the event loop was late."""
        self._tasks = Tasks()
        self._asked: asyncio.Task[bool] | None = None
        self._skewed = False
        self._set_clock(stores.offset_ms)

    async def readiness(self) -> Readiness:
        roll = self._stores.roll
        return Readiness(
            store="ok" if await self._store_answers() else "down",
            bus="ok" if self._stores.bus.healthy() else "degraded",
            # Else there would be no house to ask.
            schema="ok",
            draining=self.draining,
            clock="degraded" if self._skewed else "ok",
            workers="down" if roll is not None and roll.estranged else "ok",
        )

    async def run(self) -> None:
        clock_in_s = CLOCK_S
        while True:
            await self._pause()
            try:
                await self.look()
                clock_in_s -= LOOK_S
                if clock_in_s <= 0 and self.store_there:
                    clock_in_s = CLOCK_S
                    self._set_clock(await self._stores.clock_offset_ms())
            except StoreUnavailable:
                continue
            except Exception:
                # Our bug; what the next rounds are for is more than what this one failed at.
                log.exception("the look at one's own health failed")

    async def look(self) -> None:
        there = await self._store_answers()
        if there != self.store_there:
            log.warning("the store is there again" if there else "the store is away")
        self.store_there = there

    async def _pause(self) -> None:
        due_s = time.monotonic() + LOOK_S
        await asyncio.sleep(LOOK_S)
        self.lag.add(max(0.0, time.monotonic() - due_s))

    async def _store_answers(self) -> bool:
        """One question at a time: anybody may ask, and commits wait for the same connections."""
        if self._asked is None or self._asked.done():
            self._asked = self._tasks.start("store", self._ask())
        return await asyncio.shield(self._asked)

    async def _ask(self) -> bool:
        try:
            await self._stores.database.fetch("SELECT 1")
        except StoreUnavailable as error:
            # where only others are in the way, they are answered
            if not isinstance(error, Crowded):
                return False
        return self._saves()

    def _set_clock(self, offset_ms: int) -> None:
        self._clock.follow(offset_ms)
        skewed = abs(offset_ms) > SKEW_MS
        if skewed != self._skewed:
            here = "are %d ms apart, and the store's counts" if skewed else "agree again (%d ms)"
            log.warning(f"the clocks of this machine and of the store {here}", offset_ms)
        self._skewed = skewed

"""Ends a process whose event loop no longer turns: its supervisor starts another, and clients come back to that."""

from __future__ import annotations

import asyncio
import faulthandler
import os
import threading
from collections.abc import Callable

TICK_S = 1.0
TICKS = 15
"""So many ticks of its own without one turn of the loop. By the clock a process that was stopped, or a machine that
slept, would look stuck when it wakes."""
STUCK = 70
"""The exit code: an internal fault (sysexits.h)."""


def end_process() -> None:
    """Where every thread stands, to stderr, and out: nothing depends on a clean end."""
    faulthandler.dump_traceback(all_threads=True)
    os._exit(STUCK)


class Watchdog:
    """`run` belongs into the loop that is watched; it looks at it from a thread."""

    def __init__(self, tick_s: float = TICK_S, ticks: int = TICKS, stuck: Callable[[], None] = end_process) -> None:
        self._tick_s, self._ticks, self._stuck = tick_s, ticks, stuck
        self._turned = True
        self._still = 0
        self._over = threading.Event()

    async def run(self) -> None:
        """Until it is cancelled."""
        threading.Thread(target=self._watch, name="watchdog", daemon=True).start()
        try:
            while True:
                self._turned = True
                await asyncio.sleep(self._tick_s / 2)
        finally:
            self._over.set()

    def _watch(self) -> None:
        while not self._over.wait(self._tick_s):
            self.tick()

    def tick(self) -> None:
        self._still = 0 if self._turned else self._still + 1
        self._turned = False
        if self._still == self._ticks:
            self._stuck()

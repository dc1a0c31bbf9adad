"""How many sockets a worker lets in at a time: those who come by thousands wait here, and not in front of the store.

Each needs a dozen answers of the store before its first frame. All at once they would keep each other waiting until
they are refused, and come again; and the edits of those who are in would wait behind them.
"""

from __future__ import annotations

import asyncio
from weakref import WeakValueDictionary

AT_ONCE = 8
OF_ONE = 4
"""To the same diagram: one that takes its time keeps nobody from the others."""
PATIENCE_S = 8.0
"""Less than a client waits for its upgrade as a rule, which is 10 s."""


class Place:
    """Of one who is being let in, from the first question until it is admitted or gone."""

    def __init__(self, *taken: asyncio.Semaphore) -> None:
        self._taken = taken

    def leave(self) -> None:
        taken, self._taken = self._taken, ()
        for places in taken:
            places.release()


class Entrance:
    def __init__(self, at_once: int = AT_ONCE, of_one: int = OF_ONE, patience_s: float = PATIENCE_S) -> None:
        self._places = asyncio.Semaphore(at_once)
        self._of: WeakValueDictionary[str, asyncio.Semaphore] = WeakValueDictionary()
        self._of_one = of_one
        self._patience_s = patience_s

    async def place(self, path: str) -> Place | None:
        """In order of arrival. None: too many stand before it."""
        near = self._of.get(path)
        if near is None:
            near = self._of[path] = asyncio.Semaphore(self._of_one)
        try:
            async with asyncio.timeout(self._patience_s):
                await near.acquire()
                try:
                    await self._places.acquire()
                except BaseException:
                    near.release()
                    raise
        except TimeoutError:
            return None
        return Place(near, self._places)

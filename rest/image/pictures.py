"""Pictures that were drawn, and those being drawn: each once, a few at a time, and only so many that wait."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Hashable

from rest.problems import Problem

Draw = Callable[[], Awaitable[bytes]]

KEPT_BYTES = 32 << 20
AT_ONCE = 2
"""Each may keep a core busy."""
WAITING = 30
RETRY_S = 2


class Pictures:
    """Of one worker and one event loop. A key names everything that the picture depends on."""

    def __init__(self, kept_bytes: int = KEPT_BYTES, at_once: int = AT_ONCE, waiting: int = WAITING) -> None:
        self._kept: OrderedDict[Hashable, bytes] = OrderedDict()
        self._bytes = 0
        self._most_bytes = kept_bytes
        self._turns = asyncio.Semaphore(at_once)
        self._most = at_once + waiting
        self._coming: dict[Hashable, asyncio.Future[bytes]] = {}

    def kept(self, key: Hashable) -> bytes | None:
        found = self._kept.get(key)
        if found is not None:
            self._kept.move_to_end(key)
        return found

    async def drawn(self, key: Hashable, draw: Draw) -> bytes:
        """The same picture asked for by several at once is drawn for the first, and all get it. Raises what `draw`
        raises, and 503 where too many wait."""
        found = self.kept(key)
        if found is not None:
            return found
        coming = self._coming.get(key)
        # Who goes away takes nobody's picture along.
        return await (asyncio.shield(coming) if coming is not None else self._first(key, draw))

    async def _first(self, key: Hashable, draw: Draw) -> bytes:
        if len(self._coming) >= self._most:
            raise busy()
        coming = self._coming[key] = asyncio.get_running_loop().create_future()
        # Nobody else may be waiting for it: then this asks after an exception, so that nothing is reported as lost.
        coming.add_done_callback(lambda done: done.cancelled() or done.exception())
        try:
            async with self._turns:
                made = await draw()
        except Exception as raised:
            coming.set_exception(raised)
            raise
        except BaseException:
            # The first went away, and the drawing with it: the others may come again.
            coming.set_exception(busy())
            raise
        else:
            self._keep(key, made)
            coming.set_result(made)
            return made
        finally:
            del self._coming[key]

    def _keep(self, key: Hashable, made: bytes) -> None:
        # One alone does not drive all the others out. The SVG of 10 000 plain nodes has 4 MiB.
        if len(made) > self._most_bytes // 2:
            return
        self._kept[key] = made
        self._bytes += len(made)
        while self._bytes > self._most_bytes:
            _, oldest = self._kept.popitem(last=False)
            self._bytes -= len(oldest)


def busy() -> Problem:
    message = "Too many pictures are being drawn; try again."
    return Problem(503, "unavailable", message, headers={"Retry-After": str(RETRY_S)})

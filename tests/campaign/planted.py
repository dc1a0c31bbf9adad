"""Bugs of real processes, planted before the program starts; each must be caught by the invariant it is named with.

Nothing of the product knows of them: a worker of the stage imports this first (`Stage(bug=…)`).
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import Any


def publish_before_commit() -> None:
    """News go out, and events with them, while the commit has not been answered; it then never happens."""
    from collab.core.events import Committed
    from storage.diagrams import SqlDiagrams

    honest = SqlDiagrams.commit

    async def commit(self: Any, diagram: Any, asked: Any) -> Any:
        if asked.operations and asked.operations[-1].vector % 7 == 0:
            asyncio.get_running_loop().call_later(0.3, lambda: asyncio.ensure_future(honest(self, diagram, asked)))
            return Committed()
        return await honest(self, diagram, asked)

    SqlDiagrams.commit = commit  # type: ignore[assignment, method-assign]


def receipt_before_commit() -> None:
    """Said to be committed at once, written later, if the process lives so long."""
    from collab.core.events import Committed
    from storage.diagrams import SqlDiagrams

    honest = SqlDiagrams.commit

    async def commit(self: Any, diagram: Any, asked: Any) -> Any:
        if asked.operations:
            asyncio.get_running_loop().call_later(0.05, lambda: asyncio.ensure_future(honest(self, diagram, asked)))
            return Committed()
        return await honest(self, diagram, asked)

    SqlDiagrams.commit = commit  # type: ignore[assignment, method-assign]


def no_head_poll() -> None:
    """Open rooms are never compared with the store."""
    from collab.headwatch import HeadWatch

    async def nothing(self: Any, rooms: Any) -> None:
        return

    HeadWatch._compare = nothing  # type: ignore[method-assign]


def turn_answers_the_next() -> None:
    """A turn that gives up, as each does here at once, says `committed` to whoever has come for the next one."""
    from storage import turns
    from storage.turns import Turns

    turns.HOLD_S = 0.0

    def over(self: Any, diagram: Any, queue: Any) -> None:
        other = self._requests.pop(diagram, None)
        while other is not None and other is not queue and not other.empty():
            other.get_nowait().answer.set_result(None)

    Turns._over = over  # type: ignore[method-assign]


def empty_presence_is_absence() -> None:
    """A Redis that has lost its memory is taken at its word."""
    from storage.presence_redis import RedisPresence

    honest = RedisPresence.read

    async def read(self: Any, session: Any) -> Any:
        found = await honest(self, session)
        return {} if found is None else found

    RedisPresence.read = read  # type: ignore[method-assign]


BUGS: Mapping[str, Callable[[], None]] = {
    "publish before commit": publish_before_commit,
    "receipt before commit": receipt_before_commit,
    "no head poll": no_head_poll,
    "a turn answers the next one": turn_answers_the_next,
    "empty presence is absence": empty_presence_is_absence,
}


def plant(name: str) -> None:
    BUGS[name]()

"""A process that commits to several diagrams of a SQLite store and prints each receipt, until it is killed.

`python -m tests.support.committing FILE ROUND`; a line is `diagram vector operation_id`.
"""

from __future__ import annotations

import asyncio
import sys
from itertools import count
from pathlib import Path

from collab.core.events import Committed
from protocol.values import DiagramId, OperationId
from storage.sqlite import SqliteDatabase
from tests.contracts.worlds import SqlWorld, batch, head_of, operation

ROOMS = tuple(DiagramId(f"d{n}") for n in range(4))


async def main(path: Path, turn: str) -> None:
    world = SqlWorld(SqliteDatabase(path))
    await asyncio.gather(*(room(world, id, turn) for id in ROOMS))


async def room(world: SqlWorld, id: DiagramId, turn: str) -> None:
    for n in count():
        head = await head_of(world, id)
        names = [OperationId(f"{turn}-{n}-{k}") for k in (1, 2)]
        operations = [operation(head.vector + k, operation_id=name) for k, name in enumerate(names, 1)]
        if await world.diagrams.commit(id, batch(head, *operations)) == Committed():
            lines = [f"{id} {done.vector} {done.operation_id}" for done in operations]
            print("\n".join(lines), flush=True)


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), sys.argv[2]))

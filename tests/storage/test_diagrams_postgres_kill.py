"""`kill -9` of the whole of PostgreSQL in the middle of commits."""

from __future__ import annotations

import asyncio
import os

import pytest

from collab.core.events import Committed, Known, Missed
from protocol.values import DiagramId, OperationId
from storage.postgres import PostgresDatabase
from tests.contracts.worlds import ANA, EPOCH, SqlWorld, batch, head_of, operation

ROOMS = tuple(DiagramId(f"d{n}") for n in range(4))
ROUNDS = 2
RECEIPTS = 60
"""Of each round, before the kill."""


class Receipts:
    def __init__(self) -> None:
        self.given: dict[tuple[str, str], int] = {}
        self._heard: asyncio.Queue[None] = asyncio.Queue()

    def put(self, id: str, name: str, vector: int) -> None:
        self.given[id, name] = vector
        self._heard.put_nowait(None)

    async def more(self, count: int) -> None:
        for _ in range(count):
            await self._heard.get()


async def write(world: SqlWorld, id: DiagramId, receipts: Receipts, over: asyncio.Event) -> None:
    """As a room does: the same batch on the same base again until it is known what it came to."""
    n = 0
    while not over.is_set():
        n += 1
        name = OperationId(f"{n}")
        try:
            head = await head_of(world, id)
        except Exception:
            await asyncio.sleep(0.02)
            continue
        while True:
            mine = operation(head.vector + 1, operation_id=name)
            match await world.diagrams.commit(id, batch(head, mine)):
                case Committed():
                    receipts.put(id, name, mine.vector)
                    break
                case Known(outcomes=outcomes):
                    receipts.put(id, name, outcomes[ANA.id, name].vector)
                    break
                case Missed(head=head):
                    pass
                case _:
                    await asyncio.sleep(0.02)


async def test_I1_I3_VEC4_every_receipt_survives_kill_9_of_the_store(
    request: pytest.FixtureRequest, postgres: PostgresDatabase
) -> None:
    if "CODRAW_TEST_POSTGRES_URL" in os.environ:
        pytest.skip("the server that was named is not this test's to kill")
    server = request.getfixturevalue("postgres_server")
    world = SqlWorld(postgres)
    for id in ROOMS:
        await world.add(id)
    receipts = Receipts()
    over = asyncio.Event()
    writers = [asyncio.create_task(write(world, id, receipts, over)) for id in ROOMS]
    for _ in range(ROUNDS):
        await receipts.more(RECEIPTS)
        await asyncio.to_thread(server.kill)
        await asyncio.to_thread(server.start)
    await receipts.more(10)
    over.set()
    await asyncio.gather(*writers)
    for id in ROOMS:
        log = [done async for done in world.diagrams.log(id, EPOCH)]
        assert [done.vector for done in log] == list(range(1, (await head_of(world, id)).vector + 1))
        assert {(id, done.operation_id): done.vector for done in log} == {
            key: vector for key, vector in receipts.given.items() if key[0] == id
        }

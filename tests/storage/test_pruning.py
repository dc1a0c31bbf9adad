"""Pruning in pieces; what goes and what stays is in the suite of DiagramStore."""

from __future__ import annotations

import pytest

from storage import pruning
from storage.sqlite import SqliteDatabase
from tests.contracts.diagram_store import snapshot
from tests.contracts.worlds import EPOCH, D, SqlWorld, grow

DAY_S = 24 * 3_600


async def test_much_goes_piece_by_piece(database: SqliteDatabase, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pruning, "PIECE", 10)
    world = SqlWorld(database)
    await world.add()
    await grow(world, 64, at_ms=world.clock.ms)
    for vector in (60, 64):
        await world.diagrams.snapshot(D, snapshot(vector))
    world.clock.turn(31 * DAY_S)
    # 60 rows of the log and 64 outcomes; the last piece is not a full one
    assert await world.diagrams.prune(0, DAY_S * 1000) == 124
    assert [operation.vector async for operation in world.diagrams.log(D, EPOCH)] == [61, 62, 63, 64]


async def test_a_former_epoch_goes_when_it_is_old(database: SqliteDatabase) -> None:
    world = SqlWorld(database)
    await world.add()
    await grow(world, 5, at_ms=world.clock.ms)
    await database.transaction(lambda tx: tx.execute("UPDATE diagram_op SET epoch = 'former' WHERE vector <= 2"))
    for vector in (4, 5):
        await world.diagrams.snapshot(D, snapshot(vector))
    assert await world.diagrams.prune(0, DAY_S * 1000) == 0
    world.clock.turn(DAY_S + 1)
    assert await world.diagrams.prune(0, DAY_S * 1000) == 4
    left = await database.read(lambda tx: tx.fetch("SELECT epoch, vector FROM diagram_op"))
    assert [tuple(row) for row in left] == [(EPOCH, 5)]

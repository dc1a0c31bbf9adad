"""Damage that was planted in the store is found, with its place."""

from __future__ import annotations

from collections.abc import AsyncIterator
from itertools import pairwise
from pathlib import Path

import msgspec
import pytest

from codraw.verify import Finding, verify
from collab.core.effects import Commit
from collab.core.events import Committed
from collab.ports import SnapshotData, StoreUnavailable
from protocol.values import DiagramId, Epoch, Head
from rest.ports import NewDiagram, ThreatModel
from storage.migrations.migrate import migrate
from storage.sqlite import SqliteDatabase
from tests.contracts.worlds import ANA, MODEL, MemoryWorld, SqlWorld
from tests.support.drawing import history

E = Epoch("e")
GOOD, BAD = DiagramId("good"), DiagramId("bad")
STATES = history(seed=3, operations=12)


async def fill(world: SqlWorld | MemoryWorld, id: DiagramId) -> None:
    """The history of STATES with snapshots at 0 (gone), 6 and 9."""
    first = STATES[0][0]
    new = NewDiagram(id, MODEL, E, {}, tuple(first.cells_in_order()), first.state_hash)
    if isinstance(world, SqlWorld):
        await world.models.create_diagram(new)
    else:
        world.store.create_diagram(new)
    for before, (after, operation) in pairwise(STATES):
        assert operation is not None
        base = Head(E, before[0].vector, before[0].state_hash, 1)
        assert await world.diagrams.commit(id, Commit(base, (operation,), ())) == Committed()
        if after.vector in (6, 9):
            cells = tuple(after.cells_in_order())
            await world.diagrams.snapshot(id, SnapshotData(E, after.vector, cells, after.touched(), after.state_hash))


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[SqlWorld]:
    database = SqliteDatabase(tmp_path / "codraw.db")
    await migrate(database)
    world = SqlWorld(database)
    await world.models.create(ThreatModel(MODEL, ANA, ANA, 0, 0, {}, (), {}))
    for id in (GOOD, BAD):
        await fill(world, id)
    yield world
    await database.close()


async def damage(world: SqlWorld, statement: str) -> None:
    """`$1` is the bad diagram's number."""
    sql = statement.replace("$1", f"(SELECT number FROM diagram_head WHERE id = '{BAD}')")
    assert await world.database.transaction(lambda tx: tx.execute(sql)) > 0


async def test_a_store_in_good_order_has_no_findings(world: SqlWorld) -> None:
    assert await verify(world.diagrams) == []
    assert await verify(world.diagrams, GOOD) == []
    memory = MemoryWorld()
    await fill(memory, GOOD)
    assert await verify(memory.diagrams) == []


LOG = "WHERE diagram = $1 AND vector ="


@pytest.mark.parametrize(
    ("statement", "vector", "what"),
    [
        (f"UPDATE diagram_op SET state_hash = '{1:032x}' {LOG} 8", 8, "state hash of the log"),
        (f"UPDATE diagram_op SET effect = '{{}}' {LOG} 8", 8, "state hash of the log"),
        (f"UPDATE diagram_op SET effect = '{{' {LOG} 8", 8, "cannot be read"),
        (f"UPDATE diagram_op SET author = '[]' {LOG} 8", 8, "cannot be read"),
        (f"DELETE FROM diagram_op {LOG} 8", 8, "is missing in the log, which goes on with 9"),
        (f"DELETE FROM diagram_op {LOG} 12", 11, "end here, the head is at 12"),
        (f"UPDATE diagram_snapshot SET state_hash = '{1:032x}' {LOG} 9", 9, "state hash of the snapshot"),
        (f"UPDATE diagram_snapshot SET cells = '[]' {LOG} 9", 9, "the snapshot has other cells"),
        (f"UPDATE diagram_snapshot SET cells = '[{{' {LOG} 9", 9, "the snapshot at 9 cannot be read"),
        (f"UPDATE diagram_snapshot SET cells = '[{{' {LOG} 6", 6, "the snapshot at 6 cannot be read"),
        (f"UPDATE diagram_snapshot SET cells = '[{{}}]' {LOG} 6", 6, "the snapshot cannot be restored"),
        (f"UPDATE diagram_snapshot SET cells = '[{{\"x\": 1e999}}]' {LOG} 9", 9, "the snapshot cannot be read"),
        (f"UPDATE diagram_snapshot SET touched = '7' {LOG} 6", 6, "the snapshot cannot be restored"),
        ("DELETE FROM diagram_snapshot WHERE diagram = $1", 12, "there is no snapshot at or below 12"),
        (f"UPDATE diagram_head SET state_hash = '{1:032x}' WHERE number = $1", 12, "state hash of the head"),
        ("UPDATE diagram_head SET vector = 13 WHERE number = $1", 12, "the head is at 13"),
    ],
)
async def test_damage_is_named_by_diagram_and_vector(world: SqlWorld, statement: str, vector: int, what: str) -> None:
    await damage(world, statement)
    found = await verify(world.diagrams)
    assert [(finding.diagram, finding.vector) for finding in found] == [(BAD, vector)]
    assert what in found[0].what
    assert await verify(world.diagrams, BAD) == found
    assert await verify(world.diagrams, GOOD) == []


async def test_cells_in_another_order_are_damage(world: SqlWorld) -> None:
    """The state hash does not cover their order."""
    cells = msgspec.json.encode(tuple(reversed(STATES[9][0].cells_in_order()))).decode()
    await damage(world, f"UPDATE diagram_snapshot SET cells = '{cells}' {LOG} 9")
    assert await verify(world.diagrams) == [
        Finding(BAD, 9, "the snapshot has other cells, or in another order, than the log")
    ]


async def test_of_a_run_of_wrong_rows_the_first_is_named(world: SqlWorld) -> None:
    await damage(world, f"UPDATE diagram_op SET state_hash = '{1:032x}' WHERE diagram = $1 AND vector IN (7, 8, 11)")
    found = await verify(world.diagrams)
    assert [finding.vector for finding in found] == [7, 11]


async def test_damage_that_no_snapshot_ends_is_told_once(world: SqlWorld) -> None:
    await damage(world, f"UPDATE diagram_op SET effect = '{{}}' {LOG} 10")
    assert [finding.vector for finding in await verify(world.diagrams)] == [10]


async def test_every_damaged_diagram_is_named(world: SqlWorld) -> None:
    sql = "UPDATE diagram_op SET effect = '{}' WHERE vector = 8"
    await world.database.transaction(lambda tx: tx.execute(sql))
    found = await verify(world.diagrams)
    assert [(finding.diagram, finding.vector) for finding in found] == [(GOOD, 8), (BAD, 8)]


async def test_an_unknown_diagram_is_a_finding_where_it_was_asked_for(world: SqlWorld) -> None:
    (found,) = await verify(world.diagrams, DiagramId("never"))
    assert str(found) == "diagram never: is unknown or deleted"
    assert str(Finding(BAD, 8, "why")) == "diagram bad at vector 8: why"


async def test_a_store_that_cannot_be_reached_is_no_finding(world: SqlWorld) -> None:
    await world.database.close()
    with pytest.raises(StoreUnavailable):
        await verify(world.diagrams)

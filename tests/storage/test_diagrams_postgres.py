"""The DiagramStore on PostgreSQL, and what two workers may do to it at once beside their commits."""

from __future__ import annotations

import asyncio

from collab.ports import SnapshotData, StoredDiagram
from protocol.values import DiagramId, Epoch, Role
from storage.epochs import new_epoch
from tests.contracts.diagram_store import DiagramStoreContract, snapshot
from tests.contracts.worlds import BO, CELLS, EPOCH, MODEL, D, SqlWorld, caller, grow, head_of, new_diagram
from tests.support.drawn import draw

DAY_S = 24 * 3_600


class TestPostgresDiagrams(DiagramStoreContract): ...


async def test_snapshots_of_two_workers_at_once_leave_the_newest(world: SqlWorld, other: SqlWorld) -> None:
    await world.add()
    await grow(world, 30)
    vectors = [vector for n in range(10, 31) for vector in (n, n)]
    await asyncio.gather(
        *((world, other)[n % 2].diagrams.snapshot(D, snapshot(vector)) for n, vector in enumerate(vectors))
    )
    found, older = await world.diagrams.load(D), await world.diagrams.older(D)
    assert isinstance(found, StoredDiagram) and isinstance(older, StoredDiagram)
    assert found.snapshot == snapshot(30)
    assert [done.vector for done in older.tail] == list(range(older.snapshot.vector + 1, 31))


async def test_a_late_snapshot_does_not_take_the_one_that_a_new_epoch_began_with(
    world: SqlWorld, other: SqlWorld
) -> None:
    for turn in range(20):
        diagram = DiagramId(f"d{turn}")
        await draw(world, diagram)
        epoch = (await head_of(world, diagram)).epoch
        late = SnapshotData(epoch, 3, CELLS, None, 7)
        await asyncio.gather(
            other.diagrams.snapshot(diagram, late), new_epoch(world.database, [diagram], lambda: Epoch("b" * 16))
        )
        found = await world.diagrams.load(diagram)
        assert isinstance(found, StoredDiagram)
        assert (found.head.epoch, found.snapshot.epoch) == ("b" * 16, "b" * 16)


async def test_two_workers_prune_at_once_and_nothing_goes_twice_or_too_much(world: SqlWorld, other: SqlWorld) -> None:
    for n in range(4):
        id = DiagramId(f"d{n}")
        await world.add(id)
        await grow(world, 20, id, at_ms=world.clock.ms)
        for vector in (10, 15):
            await world.diagrams.snapshot(id, snapshot(vector))
    for each in (world, other):
        each.clock.turn(31 * DAY_S)
    gone = await asyncio.gather(*(each.diagrams.prune(0, DAY_S * 1000) for each in (world, other)))
    # what one of them was at is left to it
    assert sum(gone) <= 4 * (10 + 20)
    await world.diagrams.prune(0, DAY_S * 1000)
    for n in range(4):
        log = [done.vector async for done in world.diagrams.log(DiagramId(f"d{n}"), EPOCH)]
        assert log == list(range(11, 21))
    assert list(await world.database.fetch("SELECT count(*) FROM diagram_outcome")) == [(0,)]


async def test_I25_no_diagram_that_is_just_made_misses_a_change_of_rights(world: SqlWorld, other: SqlWorld) -> None:
    """Its permission clock was raised, or it was made after the right had gone."""
    await world.add(DiagramId("first"))
    for turn in range(12):
        await world.allow(BO, Role.WRITER)
        id = DiagramId(f"d{turn}")

        async def look(id: DiagramId = id) -> int | None:
            await other.add(id)
            at = await other.authorizer.role(caller(BO), id)
            return at.acl_version if getattr(at, "role", None) is Role.WRITER else None

        judged_at, _ = await asyncio.gather(look(), world.allow(BO, Role.READER))
        assert judged_at is None or (await head_of(world, id)).acl_version > judged_at


async def test_changes_of_rights_and_deletions_at_once_do_not_meet_crosswise(world: SqlWorld, other: SqlWorld) -> None:
    ids = [DiagramId(f"d{n}") for n in range(8)]
    for id in ids:
        await world.add(id)
    await asyncio.gather(
        *(world.allow(BO, Role.READER) for _ in range(5)),
        *(other.delete(id) for id in ids[::-1]),
    )
    assert await world.diagrams.diagrams() == []
    assert await world.models.delete(MODEL) == []


async def test_a_threat_model_that_goes_while_diagrams_are_made_leaves_none(world: SqlWorld, other: SqlWorld) -> None:
    await world.add(DiagramId("first"))
    news = [new_diagram(DiagramId(f"d{n}"), CELLS) for n in range(6)]
    made = await asyncio.gather(*map(other.models.create_diagram, news), world.models.delete(MODEL))
    assert made[-1] == sorted(["first", *(row.id for row in made[:-1] if row is not None)])
    assert await world.diagrams.diagrams() == []

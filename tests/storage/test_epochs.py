"""New epochs, on both databases."""

from __future__ import annotations

import asyncio

import msgspec
import pytest

from collab.core.effects import Commit
from collab.core.events import CaughtUp, Committed, Missed
from collab.ports import StoredDiagram
from protocol.values import DiagramId, Epoch
from rest.ports import Action, Door
from storage.epochs import new_epoch, random_epoch
from tests.contracts.worlds import SqlWorld, batch, head_of, operation
from tests.support.drawing import history
from tests.support.drawn import draw
from tests.support.stored import snapshot_of

ONE, TWO = DiagramId("one"), DiagramId("two")


@pytest.fixture(params=["database", "postgres"])
def world(request: pytest.FixtureRequest) -> SqlWorld:
    return SqlWorld(request.getfixturevalue(request.param))


async def loaded(world: SqlWorld, id: DiagramId) -> StoredDiagram:
    found = await world.diagrams.load(id)
    assert isinstance(found, StoredDiagram)
    return found


def test_an_epoch_is_64_random_bits_as_16_hex_digits() -> None:
    made = {random_epoch() for _ in range(20)}
    assert len(made) == 20
    assert all(len(epoch) == 16 and int(epoch, 16) >= 0 for epoch in made)


async def test_I16_a_new_epoch_keeps_cells_vector_hash_and_rights(world: SqlWorld) -> None:
    before = await draw(world, ONE, operations=6)
    former = await head_of(world, ONE)
    assert await new_epoch(world.database, [ONE], lambda: Epoch("e" * 16)) == [ONE]
    found = await loaded(world, ONE)
    assert found.head.epoch == found.snapshot.epoch == "e" * 16
    assert (found.head.vector, found.head.state_hash, found.head.acl_version) == (6, before.state_hash, 1)
    assert (found.snapshot.vector, found.snapshot.state_hash, found.tail) == (6, before.state_hash, ())
    assert found.snapshot.cells == tuple(before.cells_in_order())
    assert found.snapshot.touched == msgspec.json.decode(msgspec.json.encode(before.touched()))
    # who comes with the former epoch loads anew
    assert await world.diagrams.since(ONE, former) == CaughtUp(found.head, ())


async def test_RE40_a_new_epoch_is_told(world: SqlWorld) -> None:
    await draw(world, ONE, operations=6)
    await new_epoch(world.database, [ONE], lambda: Epoch("e" * 16))
    (told,) = await world.trail.since(await world.trail.newest() - 1, 10)
    assert (told.action, told.object_type, told.object_id) == (Action.UPDATED, "diagram", ONE)
    assert (told.by, told.door, told.update_vector) == (None, Door.SYSTEM, 6)
    assert told.detail == {"changed": ["epoch"], "epoch": "e" * 16}


async def test_I16_who_judged_by_the_former_epoch_misses_and_the_vector_goes_on(world: SqlWorld) -> None:
    await draw(world, ONE)
    former = await head_of(world, ONE)
    await new_epoch(world.database, [ONE])
    now = await head_of(world, ONE)
    late = operation(4)
    assert await world.diagrams.commit(ONE, batch(former, late)) == Missed(now, ())
    assert await world.diagrams.commit(ONE, Commit(now, (late,), ())) == Committed()
    assert (await head_of(world, ONE)).vector == 4
    assert [done.vector for done in (await loaded(world, ONE)).tail] == [4]


async def test_the_former_log_stays_until_it_is_old(world: SqlWorld) -> None:
    await draw(world, ONE)
    former = (await head_of(world, ONE)).epoch
    await new_epoch(world.database, [ONE])
    assert [done.vector async for done in world.diagrams.log(ONE, former)] == [1, 2, 3]


async def test_without_names_all_that_live_begin_anew(world: SqlWorld) -> None:
    await draw(world, ONE, TWO, DiagramId("gone"))
    await world.delete(DiagramId("gone"))
    assert await new_epoch(world.database) == [ONE, TWO]
    assert await new_epoch(world.database, [TWO, DiagramId("gone"), DiagramId("never")]) == [TWO]


async def test_a_damaged_diagram_keeps_its_epoch_and_the_others_begin_anew(world: SqlWorld) -> None:
    await draw(world, ONE, TWO)
    before = await head_of(world, ONE)
    number = f"(SELECT number FROM diagram_head WHERE id = '{ONE}')"
    sql = f"DELETE FROM diagram_op WHERE vector = 2 AND diagram = {number}"
    await world.database.transaction(lambda tx: tx.execute(sql))
    assert await new_epoch(world.database) == [TWO]
    assert await head_of(world, ONE) == before


async def test_an_older_snapshot_serves_where_the_newest_is_damaged(world: SqlWorld) -> None:
    await draw(world, ONE, operations=6)
    states = history(seed=5, operations=6)
    await world.diagrams.snapshot(ONE, snapshot_of(states[4][0]))
    await world.database.transaction(lambda tx: tx.execute("UPDATE diagram_snapshot SET cells = '[]' WHERE vector = 4"))
    assert await new_epoch(world.database) == [ONE]
    assert (await loaded(world, ONE)).snapshot.cells == tuple(states[6][0].cells_in_order())


async def test_I3_commits_beside_it_are_in_the_former_epoch_or_miss(world: SqlWorld) -> None:
    await draw(world, ONE)

    async def write() -> int:
        done = 0
        for _ in range(20):
            head = await head_of(world, ONE)
            said = await world.diagrams.commit(ONE, Commit(head, (), ()))
            assert isinstance(said, Committed | Missed)
            done += said == Committed()
        return done

    begun, _ = await asyncio.gather(new_epoch(world.database), write())
    assert begun == [ONE]
    assert (await loaded(world, ONE)).tail == ()

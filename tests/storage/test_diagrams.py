"""The DiagramStore on SQLite."""

from __future__ import annotations

import asyncio

import pytest

from collab.core.events import Committed, Unavailable, Unresolved
from collab.ports import SnapshotData, StoredDiagram, StoreUnavailable
from protocol.values import DiagramId, Head, OperationId
from storage.database import CommitUnknown, DamagedRow
from storage.diagrams import FUTILE, OF_USER
from storage.sqlite import SqliteDatabase
from tests.contracts.diagram_store import DiagramStoreContract
from tests.contracts.worlds import ANA, CELLS, EPOCH, D, SqlWorld, batch, grow, head_of, operation
from tests.support.writer import writer_held


class TestSqliteDiagrams(DiagramStoreContract):
    @pytest.fixture
    def world(self, database: SqliteDatabase) -> SqlWorld:
        return SqlWorld(database)


@pytest.mark.parametrize(("whose", "user"), [("", ()), (OF_USER, (ANA.id,))])
async def test_UN6_what_had_no_effect_is_found_among_all_outcomes_by_an_index(
    database: SqliteDatabase, whose: str, user: tuple[str, ...]
) -> None:
    plan = await database.read(lambda tx: tx.fetch(f"EXPLAIN QUERY PLAN {FUTILE.format(whose)}", D, EPOCH, 9, 5, *user))
    assert any("diagram_outcome_futile" in row[3] for row in plan)


async def test_many_rooms_commits_cost_one_fsync(database: SqliteDatabase) -> None:
    world = SqlWorld(database)
    ids = [DiagramId(f"d{n}") for n in range(20)]
    heads = [await world.add(id) for id in ids]
    async with writer_held(database) as statements:
        commits = [
            asyncio.create_task(world.diagrams.commit(id, batch(head, operation(1))))
            for id, head in zip(ids, heads, strict=True)
        ]
        await asyncio.sleep(0)
    assert await asyncio.gather(*commits) == [Committed()] * 20
    assert statements.count("COMMIT") == 2  # the one that held the writer, and all of these


async def test_I30_a_batch_that_cannot_be_written_harms_nobody_else(
    database: SqliteDatabase, caplog: pytest.LogCaptureFixture
) -> None:
    """Lone surrogates are refused at the door; should one come through, it is this room's trouble alone."""
    world = SqlWorld(database)
    bad, good = await world.add(), await world.add(DiagramId("d2"))
    poisoned = operation(1, operation_id=OperationId("\ud800"))
    async with writer_held(database):
        commits = [
            asyncio.create_task(world.diagrams.commit(D, batch(bad, poisoned))),
            asyncio.create_task(world.diagrams.commit(DiagramId("d2"), batch(good, operation(1)))),
        ]
        await asyncio.sleep(0)
    assert await asyncio.gather(*commits) == [Unavailable(), Committed()]
    assert await head_of(world) == bad
    assert "a commit failed in diagram d" in caplog.text


async def test_an_error_of_the_outer_commit_is_unresolved_and_the_same_batch_again_settles_it(
    database: SqliteDatabase,
) -> None:
    world = SqlWorld(database)
    head = await world.add()
    # A deferred constraint that a neighbour breaks fails at COMMIT, as an I/O error would.
    child = "CREATE TABLE child (k TEXT REFERENCES diagram (id) DEFERRABLE INITIALLY DEFERRED)"
    await database.transaction(lambda tx: tx.execute(child))
    async with writer_held(database):
        neighbour = asyncio.create_task(database.transaction(lambda tx: tx.execute("INSERT INTO child VALUES ('x')")))
        commit = asyncio.create_task(world.diagrams.commit(D, batch(head, operation(1))))
        await asyncio.sleep(0)
    assert await commit == Unresolved()
    assert not world.diagrams.saving.works, "a disk that is full may say so only then"
    with pytest.raises(CommitUnknown):
        await neighbour
    assert await world.diagrams.commit(D, batch(head, operation(1))) == Committed()
    assert await head_of(world) == Head(head.epoch, 1, operation(1).state_hash, head.acl_version)
    assert world.diagrams.saving.works


async def test_a_store_that_cannot_be_reached_is_unavailable(database: SqliteDatabase) -> None:
    world = SqlWorld(database)
    head = await world.add()
    await database.close()
    assert await world.diagrams.commit(D, batch(head, operation(1))) == Unavailable()
    assert await world.diagrams.since(D, head) == Unavailable()
    with pytest.raises(StoreUnavailable):
        await world.diagrams.load(D)


async def room_for(database: SqliteDatabase, pages: int) -> None:
    """As much as there is, or more: as on a disk that is full, or was."""
    await database.transaction(lambda tx: tx.fetch(f"PRAGMA max_page_count = {pages}"))


async def test_I30_a_store_that_takes_no_commits_says_why_once_and_until_it_takes_one(
    database: SqliteDatabase, caplog: pytest.LogCaptureFixture
) -> None:
    world = SqlWorld(database)
    await world.add()
    await room_for(database, 1)
    saved = 0
    while await world.diagrams.commit(D, batch(await head_of(world), operation(saved + 1))) == Committed():
        saved += 1
        assert world.diagrams.saving.works
    assert await world.diagrams.commit(D, batch(await head_of(world), operation(saved + 1))) == Unavailable()
    assert not world.diagrams.saving.works
    said = [record.message for record in caplog.records if record.name == "storage.saving"]
    assert said == ["the store takes no commits: SQLITE_FULL: database or disk is full"]
    await room_for(database, 1_000_000)
    assert await world.diagrams.commit(D, batch(await head_of(world), operation(saved + 1))) == Committed()
    assert world.diagrams.saving.works


# damage ---------------------------------------------------------------------------------------------------------------


async def test_a_snapshot_that_cannot_be_read_gives_way_to_the_older_one(database: SqliteDatabase) -> None:
    world = SqlWorld(database)
    await world.add()
    await grow(world, 3)
    await world.diagrams.snapshot(D, SnapshotData(EPOCH, 2, CELLS, None, 7))
    await database.transaction(lambda tx: tx.execute("UPDATE diagram_snapshot SET cells = '[{' WHERE vector = 2"))
    found = await world.diagrams.load(D)
    assert isinstance(found, StoredDiagram)
    assert (found.snapshot.vector, len(found.tail)) == (0, 3)
    await database.transaction(lambda tx: tx.execute("UPDATE diagram_snapshot SET touched = '{'"))
    with pytest.raises(DamagedRow, match="the snapshot at 0 cannot be read"):
        await world.diagrams.load(D)


@pytest.mark.parametrize(
    "damage", ["effect = '['", "inverse = '{\"cells\":1}'", "author = ''", "kind = 'x'", "state_hash = 'g'"]
)
async def test_a_row_of_the_log_that_cannot_be_read_is_named(database: SqliteDatabase, damage: str) -> None:
    world = SqlWorld(database)
    head = await world.add()
    await grow(world, 3)
    await database.transaction(lambda tx: tx.execute(f"UPDATE diagram_op SET {damage} WHERE vector = 2"))
    with pytest.raises(DamagedRow, match="operation 2 of the log cannot be read"):
        await world.diagrams.load(D)
    assert await world.diagrams.since(D, head) == Unavailable()

"""The commit as one statement, beside other workers of the same store; its rules are in the suite of DiagramStore."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator

import pytest

from collab.core.effects import Commit
from collab.core.events import Committed, Known, Missed, Unavailable, Unresolved
from collab.ports import StoredDiagram
from protocol.operations import LoggedOperation, Verdict
from protocol.values import DiagramId, OperationId, Role
from storage.database import Transaction
from storage.postgres import PostgresDatabase
from tests.contracts.worlds import ANA, BO, D, SqlWorld, batch, grow, head_of, operation, outcome
from tests.support.cutting import Wire, cuttable

HOLD = "SELECT 1 FROM diagram_head WHERE id = $1 FOR NO KEY UPDATE"
WAITING = "SELECT count(*) = $1 FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"


@pytest.fixture
async def cut(postgres: PostgresDatabase) -> AsyncIterator[tuple[Wire, SqlWorld]]:
    """A worker whose way to the store can be cut."""
    async with cuttable(postgres.url) as (wire, url):
        database = await PostgresDatabase.open(url)
        yield wire, SqlWorld(database)
        await database.close()


class Held:
    """The head of D, in a transaction of its own."""

    def __init__(self, database: PostgresDatabase) -> None:
        self._database = database
        self._held, self._done = asyncio.Event(), asyncio.Event()
        self.last = ""

    async def __aenter__(self) -> Held:
        self._task = asyncio.create_task(self._database.transaction(self._hold))
        await self._held.wait()
        return self

    async def _hold(self, tx: Transaction) -> None:
        await tx.fetch(HOLD, D)
        self._held.set()
        await self._done.wait()
        if self.last:
            await tx.execute(self.last, D)

    async def __aexit__(self, *_: object) -> None:
        self._done.set()
        await self._task

    async def awaited_by(self, count: int) -> None:
        while not (await self._database.fetch(WAITING, count))[0][0]:
            await self._database.fetch("SELECT pg_sleep(0.005)")


async def logged(world: SqlWorld) -> list[LoggedOperation]:
    found = await world.diagrams.load(D)
    assert isinstance(found, StoredDiagram)
    return list(found.tail)


async def test_I3_two_workers_write_a_log_without_gap_or_repeat(world: SqlWorld, other: SqlWorld) -> None:
    await world.add()
    receipts: dict[str, int] = {}

    async def write(by: SqlWorld, name: str) -> None:
        head = await head_of(by)
        for turn in range(12):
            ids = [OperationId(f"{name}-{turn}-{n}") for n in range(3)]
            while True:
                mine = [operation(head.vector + n, operation_id=id) for n, id in enumerate(ids, 1)]
                match await by.diagrams.commit(D, batch(head, *mine)):
                    case Missed(head=head):
                        pass
                    case Committed():
                        receipts.update({done.operation_id: done.vector for done in mine})
                        break
            head = await head_of(by)

    await asyncio.gather(*(write(by, f"{n}{by is world}") for by in (world, other) for n in range(4)))
    log = await logged(world)
    assert [done.vector for done in log] == list(range(1, 8 * 36 + 1))
    assert {done.operation_id: done.vector for done in log} == receipts


async def test_I5_S47_a_commit_that_waits_behind_a_revocation_finds_no_row(
    world: SqlWorld, other: SqlWorld, postgres: PostgresDatabase
) -> None:
    base = await world.add()
    async with Held(postgres) as held:
        held.last = "UPDATE diagram_head SET acl_version = acl_version + 1 WHERE id = $1"
        commit = asyncio.create_task(other.diagrams.commit(D, batch(base, operation(1))))
        await held.awaited_by(1)
    assert await commit == Missed(await head_of(world), ())
    assert await logged(world) == []


async def test_AU15_of_commits_and_revocations_at_once_nothing_is_logged_after_the_right_went(
    world: SqlWorld, other: SqlWorld
) -> None:
    await world.add()
    for turn in range(15):
        await world.allow(BO, Role.WRITER)
        base = await head_of(world)
        mine = operation(base.vector + 1, BO, operation_id=OperationId(f"by-{turn}"))
        said, _ = await asyncio.gather(other.diagrams.commit(D, batch(base, mine)), world.allow(BO, Role.READER))
        after = await head_of(world)
        assert after.vector == base.vector + (said == Committed())
        assert after.acl_version == base.acl_version + 1
        # what was judged by the former right never gets in any more
        assert isinstance(await other.diagrams.commit(D, batch(base, mine)), Missed)


async def test_VEC4_a_commit_cut_off_while_it_waits_may_come_late_and_counts_once(
    world: SqlWorld, cut: tuple[Wire, SqlWorld], postgres: PostgresDatabase
) -> None:
    """Looked up it is absent, and present a moment later: only the same batch again tells."""
    wire, author = cut
    base = await world.add()
    commit = batch(base, operation(1, BO))
    async with Held(postgres) as held:
        first = asyncio.create_task(author.diagrams.commit(D, commit))
        await held.awaited_by(1)
        wire.cut()
        assert await first == Unresolved()
        assert await logged(world) == []
        again = asyncio.create_task(author.diagrams.commit(D, commit))
        await held.awaited_by(2)
    assert await again == Missed(await head_of(world), (operation(1, BO),))
    assert [done.operation_id for done in await logged(world)] == ["op-1"]


async def test_VEC4_a_commit_whose_answer_is_lost_is_found_by_the_same_batch(
    world: SqlWorld, cut: tuple[Wire, SqlWorld]
) -> None:
    wire, author = cut
    base = await world.add()
    wire.awaited, wire.cut_there = operation(1).operation_id.encode(), True
    commit = batch(base, operation(1))
    assert await author.diagrams.commit(D, commit) == Unresolved()
    wire.cut_there = False
    assert await author.diagrams.commit(D, commit) in (Committed(), Missed(await head_of(world), (operation(1),)))
    assert [done.vector for done in await logged(world)] == [1]
    known = await author.diagrams.commit(D, Commit(await head_of(world), (), commit.outcomes))
    assert known == Known({(ANA.id, OperationId("op-1")): outcome(operation(1))})


async def test_I30_a_diagram_that_somebody_holds_keeps_no_other_from_its_commits(
    world: SqlWorld, postgres: PostgresDatabase
) -> None:
    held_head, head = await world.add(), await world.add(DiagramId("d2"))
    async with Held(postgres) as held:
        waiting = asyncio.create_task(world.diagrams.commit(D, batch(held_head, operation(1))))
        await held.awaited_by(1)
        assert await world.diagrams.commit(DiagramId("d2"), batch(head, operation(1))) == Committed()
        # longer than a lock is waited for
        assert await waiting == Unavailable()
    assert await world.diagrams.commit(D, batch(held_head, operation(1))) == Committed()


async def test_I30_a_batch_that_cannot_be_written_harms_nobody_else(
    world: SqlWorld, caplog: pytest.LogCaptureFixture
) -> None:
    head = await world.add()
    with caplog.at_level(logging.CRITICAL):
        poisoned = batch(head, operation(1, operation_id=OperationId("\0")))
        assert await world.diagrams.commit(D, poisoned) == Unavailable()
    assert await world.diagrams.commit(D, batch(head, operation(1))) == Committed()


async def test_VEC8_an_outcome_written_since_the_base_is_told_with_what_lies_between(
    world: SqlWorld, postgres: PostgresDatabase
) -> None:
    """One id of the batch was known; another became it between the refusal and the look at what was known."""
    await world.add()
    base = await grow(world, 1)
    noted = [outcome(operation(9, operation_id=OperationId(id)), verdict=Verdict.NO_OP) for id in ("op-1", "op-2")]
    between = SqlWorld(Between(postgres, lambda: grow(world, 1)))  # type: ignore[arg-type]
    said = await between.diagrams.commit(D, Commit(base, (), tuple(noted)))
    assert said == Missed(await head_of(world), (operation(2),))


class Between:
    """Lets something happen before the next read."""

    clock_sql = ""
    writes_tables_at_once = True

    def __init__(self, database: PostgresDatabase, happens: object) -> None:
        self._database, self._happens = database, happens
        self.write = database.write

    async def read(self, work: object) -> object:
        await self._happens()  # type: ignore[operator]
        return await self._database.read(work)  # type: ignore[arg-type]

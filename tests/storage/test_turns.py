"""Who has missed several times gets the head for itself, and gives it back whatever happens."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import msgspec
import pytest

from collab.core.effects import Commit
from collab.core.events import Committed, Gone, Known, Missed, Unresolved
from protocol.operations import LoggedOperation
from protocol.values import Epoch, Head, OperationId
from storage import turns
from storage.database import CommitUnknown
from storage.postgres import PostgresDatabase
from tests.contracts.worlds import ANA, D, SqlWorld, batch, grow, head_of, operation, outcome
from tests.support.cutting import Wire, cuttable
from tests.support.turns import turns as turns_of_the_loop


@pytest.fixture(autouse=True)
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine under load is slow between two statements."""
    monkeypatch.setattr(turns, "HOLD_S", 2.0)


def attempt(number: int, base: Head, *operations: LoggedOperation) -> Commit:
    return msgspec.structs.replace(batch(base, *operations), attempt=number)


def named(vector: int, id: str) -> LoggedOperation:
    return operation(vector, operation_id=OperationId(id))


async def held_by(world: SqlWorld) -> Head:
    """The head as a worker was told it that has it now; two operations are logged."""
    base = await world.add()
    await grow(world, 2)
    missed = await world.diagrams.commit(D, attempt(turns.FAIR, base, named(1, "x")))
    assert isinstance(missed, Missed) and [done.vector for done in missed.operations] == [1, 2]
    return missed.head


async def logged(world: SqlWorld) -> list[str]:
    found = await world.diagrams.newest(D, (await head_of(world)).epoch, 99, 99)
    return [done.operation_id for done in found]


async def test_from_a_miss_on_nobody_comes_between(world: SqlWorld, other: SqlWorld) -> None:
    head = await held_by(world)
    rival = asyncio.create_task(other.diagrams.commit(D, batch(head, named(3, "rival"))))
    while (await world.database.fetch("SELECT count(*) FROM pg_locks WHERE NOT granted"))[0][0] == 0:
        pass
    assert await world.diagrams.commit(D, attempt(5, head, named(3, "x"))) == Committed()
    assert await rival == Missed(await head_of(world), (named(3, "x"),))
    assert await logged(world) == ["op-1", "op-2", "x"]


async def test_a_base_that_stands_is_committed_at_once_and_the_head_is_free(world: SqlWorld, other: SqlWorld) -> None:
    base = await world.add()
    assert await world.diagrams.commit(D, attempt(turns.FAIR, base, named(1, "x"))) == Committed()
    assert await other.diagrams.commit(D, batch(await head_of(world), named(2, "y"))) == Committed()


async def test_who_has_the_head_does_not_wait_for_itself(world: SqlWorld) -> None:
    """The batch was answered from what the miss told; the next one begins with its first attempt."""
    head = await held_by(world)
    assert await world.diagrams.commit(D, batch(head, named(3, "new"))) == Committed()
    assert await logged(world) == ["op-1", "op-2", "new"]


async def test_a_head_that_is_not_used_is_given_back(
    world: SqlWorld, other: SqlWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(turns, "HOLD_S", 0.01)
    head = await held_by(world)
    assert await other.diagrams.commit(D, batch(head, named(3, "y"))) == Committed()
    now = await head_of(world)
    assert await world.diagrams.commit(D, attempt(5, now, named(4, "x"))) == Committed()


async def test_I4_a_known_id_is_told_and_the_head_is_free(world: SqlWorld, other: SqlWorld) -> None:
    head = await held_by(world)
    known = await world.diagrams.commit(D, attempt(5, head, named(3, "op-1")))
    assert known == Known({(ANA.id, OperationId("op-1")): outcome(operation(1))})
    assert await other.diagrams.commit(D, batch(head, named(3, "y"))) == Committed()


async def test_a_diagram_that_is_gone_is_gone(world: SqlWorld) -> None:
    base = await world.add()
    await world.delete()
    assert await world.diagrams.commit(D, attempt(turns.FAIR, base, named(1, "x"))) == Gone()


@pytest.fixture
async def cut(postgres: PostgresDatabase) -> AsyncIterator[tuple[Wire, SqlWorld]]:
    """A worker whose way to the store can be cut."""
    async with cuttable(postgres.url) as (wire, url):
        database = await PostgresDatabase.open(url)
        yield wire, SqlWorld(database)
        await database.close()


async def test_who_dies_gives_the_head_back(cut: tuple[Wire, SqlWorld], other: SqlWorld) -> None:
    wire, author = cut
    head = await held_by(author)
    wire.cut()
    assert await other.diagrams.commit(D, batch(head, named(3, "y"))) == Committed()


async def test_a_way_that_breaks_before_the_commit_is_made_anew(cut: tuple[Wire, SqlWorld], other: SqlWorld) -> None:
    wire, author = cut
    head = await held_by(author)
    wire.cut()
    assert await author.diagrams.commit(D, attempt(5, head, named(3, "x"))) == Committed()
    assert await logged(other) == ["op-1", "op-2", "x"]


async def test_VEC4_one_that_breaks_in_the_commit_leaves_it_open(cut: tuple[Wire, SqlWorld], other: SqlWorld) -> None:
    wire, author = cut
    head = await held_by(author)
    wire.awaited, wire.cut_there = b"COMMIT\0", True
    assert await author.diagrams.commit(D, attempt(5, head, named(3, "x"))) == Unresolved()
    wire.cut_there = False
    again = await author.diagrams.commit(D, attempt(6, head, named(3, "x")))
    assert again in (Committed(), Missed(await head_of(other), (named(3, "x"),)))
    assert await logged(other) == ["op-1", "op-2", "x"]


async def test_I3_of_a_busy_worker_and_one_that_comes_late_both_get_on(world: SqlWorld, other: SqlWorld) -> None:
    await world.add()
    most = 0

    async def busy() -> None:
        head = await head_of(world)
        for turn in range(40):
            number = 1
            while True:
                said = await world.diagrams.commit(D, attempt(number, head, named(head.vector + 1, f"b{turn}")))
                if isinstance(said, Committed):
                    head = Head(head.epoch, head.vector + 1, operation(head.vector + 1).state_hash, head.acl_version)
                    break
                assert isinstance(said, Missed)
                head, number = said.head, number + 1

    async def late() -> None:
        nonlocal most
        for turn in range(5):
            head, number = await head_of(other), 1
            while True:
                said = await other.diagrams.commit(D, attempt(number, head, named(head.vector + 1, f"l{turn}")))
                if isinstance(said, Committed):
                    break
                assert isinstance(said, Missed)
                head, number = said.head, number + 1
            most = max(most, number)

    await asyncio.gather(busy(), late())
    assert len(await logged(world)) == 45
    assert most <= turns.FAIR + 1


class SlowCommits:
    """A database whose transactions end when they are let go, one after the other."""

    def __init__(self) -> None:
        self.rows = {turns.HELD: [[(1,)], [(1,)]], turns.WHOLE: [[], [(1,)]]}
        self.ends: list[asyncio.Event] = []

    async def transaction(self, work: Any) -> None:
        end = asyncio.Event()
        self.ends.append(end)
        await work(self)
        await end.wait()

    async def fetch(self, sql: str, *_: object) -> list[tuple[int]]:
        return self.rows[sql].pop(0)


async def test_I1_a_turn_answers_nobody_who_came_after_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """The head was given back unused, but that transaction ends only when the next turn has begun."""
    monkeypatch.setattr(turns, "HOLD_S", 0.0)
    database, base = SlowCommits(), Head(Epoch("e"), 0, 0, 1)

    async def missed(*_: object) -> str:
        return "missed"

    asked: turns.Turns[str] = turns.Turns(database, missed)  # type: ignore[arg-type]
    assert await asked.written(D, base, ()) == "missed"
    while asked.due(D, 0):  # noqa: ASYNC110 - the turn tells nobody when it gives up
        await asyncio.sleep(0)
    later = asyncio.create_task(asked.written(D, base, ()))
    await turns_of_the_loop()
    database.ends[0].set()
    await turns_of_the_loop()
    assert not later.done()
    database.ends[1].set()
    assert await later is None


async def test_VEC4_a_turn_that_is_cut_short_leaves_open_what_it_was_committing() -> None:
    """Whoever cancels it knows nothing of the statement that is under way."""
    database, base = SlowCommits(), Head(Epoch("e"), 0, 0, 1)
    database.rows[turns.WHOLE] = [[(1,)]]
    asked: turns.Turns[str] = turns.Turns(database, None)  # type: ignore[arg-type]
    answer = asyncio.create_task(asked.written(D, base, ()))
    await turns_of_the_loop()
    for task in asyncio.all_tasks() - {answer, asyncio.current_task()}:
        task.cancel()
    with pytest.raises(CommitUnknown):
        await answer

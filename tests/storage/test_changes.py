"""Writing a change: with what it tells of or not at all, and in the order of the commits."""

from __future__ import annotations

import asyncio
from functools import partial

import pytest

from collab.ports import NewSession
from protocol.values import SessionId
from rest.ports import BY_ITSELF, Action, Cause, Door
from storage.changes import line, record
from storage.database import Transaction
from storage.diagrams import SqlDiagrams
from storage.sqlite import SqliteDatabase
from tests.contracts.trail import model
from tests.contracts.worlds import ANA, D, SqlWorld, grow
from tests.support.turns import until_read

MADE = line(BY_ITSELF, Action.CREATED, "threat", "t", "m")
DAY_MS = 24 * 3_600_000


@pytest.fixture
def here(database: SqliteDatabase) -> SqlWorld:
    return SqlWorld(database)


def test_a_cause_wins_over_what_the_method_tells() -> None:
    cause = Cause(ANA, Door.REST, Action.UPDATED, "metadata", {"keys": ["k"]})
    made = line(cause, Action.CREATED, "diagram", "d", "m", "d")
    assert (made.action, made.object_type, made.object_id) == (Action.UPDATED, "metadata", "d")
    assert (made.by, made.door, made.detail) == (ANA, Door.REST, {"keys": ["k"]})


async def test_several_changes_of_one_transaction_keep_their_order(here: SqlWorld) -> None:
    changes = [line(BY_ITSELF, Action.CREATED, "threat", f"t{n}", "m") for n in range(3)]
    await here.database.transaction(lambda tx: record(tx, 7, *changes))
    assert [(found.serial, found.object_id) for found in await here.trail.since(0, 10)] == [
        (1, "t0"),
        (2, "t1"),
        (3, "t2"),
    ]


async def test_RE41_what_is_taken_back_is_not_told_and_burns_no_serial(here: SqlWorld) -> None:
    async def broken(tx: Transaction) -> None:
        await tx.execute("DELETE FROM account")
        await record(tx, 7, MADE)
        raise ValueError

    with pytest.raises(ValueError):
        await here.database.transaction(broken)
    assert await here.trail.newest() == 0
    await here.database.transaction(lambda tx: record(tx, 7, MADE))
    assert [found.serial for found in await here.trail.since(0, 10)] == [1]


async def test_RE41_a_change_that_cannot_be_told_does_not_happen(here: SqlWorld) -> None:
    """As where the disk is full between the two."""
    await here.add()
    await here.database.transaction(lambda tx: tx.execute("DELETE FROM change_serial"))
    created = await here.models.read(model().id)
    assert created is not None
    for attempt in (
        here.models.change(created),
        here.models.delete_diagram(D),
        here.models.delete(created.id),
        here.models.create(model("m2")),
        here.sessions.create(NewSession(SessionId("s"), D, ANA)),
    ):
        with pytest.raises(Exception):  # noqa: B017 - whatever it is
            await attempt
    assert await here.models.read(created.id) == created
    assert await here.models.diagram(D) is not None
    assert await here.sessions.live(D) is None


async def test_a_commit_of_cells_adds_nothing_to_it(here: SqlWorld) -> None:
    await here.add()
    before = await here.trail.newest()
    await grow(here, 10)
    assert await here.trail.newest() == before


async def test_RE41_no_serial_is_seen_before_a_lower_one(world: SqlWorld, other: SqlWorld) -> None:
    """The first transaction has its serial and lingers; the second one waits for it, and so does its line."""
    before = await world.trail.newest()
    holds, may_end = asyncio.Event(), asyncio.Event()

    async def lingering(tx: Transaction) -> None:
        await record(tx, 7, MADE)
        holds.set()
        await may_end.wait()

    first = asyncio.create_task(world.database.transaction(lingering))
    await holds.wait()
    second = asyncio.create_task(other.models.create(model()))
    await until_read(partial(locked, world))
    assert await world.trail.since(before, 10) == []
    may_end.set()
    await asyncio.gather(first, second)
    assert [found.object_id for found in await world.trail.since(before, 10)] == ["t", "m"]


async def locked(world: SqlWorld) -> bool:
    """Whether somebody waits for a row."""
    waits = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
    return bool((await world.database.fetch(waits))[0][0])


async def test_RE41_who_follows_the_trail_while_two_workers_write_misses_nothing(
    world: SqlWorld, other: SqlWorld
) -> None:
    before = at = await world.trail.newest()
    seen: list[str] = []
    writing = asyncio.gather(*((world, other)[n % 2].models.create(model(f"m{n:02}")) for n in range(40)))
    while not writing.done() or at < await world.trail.newest():
        for change in await world.trail.since(at, 7):
            at = change.serial
            seen.append(change.object_id)
    await writing
    assert sorted(seen) == [f"m{n:02}" for n in range(40)]
    assert at == before + 40


async def test_old_changes_go_where_it_was_asked_for(here: SqlWorld) -> None:
    await here.models.create(model())
    here.clock.turn(2 * DAY_MS / 1000)
    await here.models.create(model("m2"))
    await here.diagrams.prune(0, DAY_MS)
    assert [found.object_id for found in await here.trail.since(0, 10)] == ["m", "m2"]
    assert await SqlDiagrams(here.database, here.clock, DAY_MS).prune(0, DAY_MS) == 1
    assert [found.object_id for found in await here.trail.since(0, 10)] == ["m2"]
    # nobody who follows it starts again from below
    assert await here.trail.newest() == 2

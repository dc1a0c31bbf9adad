"""Workers that cannot exchange news are not let in beside others that live, and step back where it turns out late."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from codraw.roll import ALIVE_MS, NO_BUS, STAYS, Roll
from storage.database import Database, StoreRefused
from storage.migrations.migrate import migrate
from storage.sqlite import SqliteDatabase
from storage.workers import WorkerBook


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Database]:
    database = SqliteDatabase(tmp_path / "store.db")
    await migrate(database)
    yield database
    await database.close()


def roll(store: Database, worker: str, bus: str | None) -> Roll:
    return Roll(WorkerBook(store), worker, lambda: bus)


async def entered(newcomer: Roll, other: Roll) -> None:
    """While the other one goes on to stamp."""

    async def live() -> None:
        while True:
            await other.call()
            await asyncio.sleep(0.002)

    living = asyncio.get_running_loop().create_task(live())
    try:
        async with asyncio.timeout(20):
            await newcomer.enter(0.002)
    finally:
        living.cancel()


@pytest.mark.parametrize(
    ("bus", "others", "why"),
    [
        (NO_BUS, NO_BUS, "without CODRAW_REDIS_URL no news reaches it"),
        (NO_BUS, "r1", "without CODRAW_REDIS_URL no news reaches it"),
        ("r1", NO_BUS, "without a Redis"),
        ("r1", "r2", "with another Redis"),
    ],
)
async def test_SES19_one_that_shares_no_news_with_a_live_worker_is_refused(
    store: Database, bus: str, others: str, why: str
) -> None:
    other = roll(store, "old", others)
    await other.call()
    with pytest.raises(StoreRefused, match=why) as refused:
        await entered(roll(store, "new", bus), other)
    assert "old" in str(refused.value) and str(refused.value).endswith(".")
    assert [entry.id for entry in await WorkerBook(store).alive(ALIVE_MS)] == ["old"]


@pytest.mark.parametrize(("bus", "others"), [("r1", "r1"), (None, "r1"), ("r1", None)])
async def test_one_with_the_same_redis_or_one_that_is_away_is_let_in(
    store: Database, bus: str | None, others: str | None
) -> None:
    other = roll(store, "old", others)
    await other.call()
    await entered(roll(store, "new", bus), other)
    await other.call()
    assert other.alive == 2


async def test_a_dead_one_only_delays(store: Database) -> None:
    await roll(store, "dead", NO_BUS).call()
    # it was killed a while ago
    await store.transaction(lambda tx: tx.execute("UPDATE worker SET seen_at = seen_at - $1", ALIVE_MS - 100))
    async with asyncio.timeout(20):
        await roll(store, "new", NO_BUS).enter(0.01)


async def looked(*rolls: Roll) -> None:
    for _ in range(STAYS):
        for one in rolls:
            await one.call()


async def test_where_it_turns_out_late_the_younger_one_steps_back_and_both_say_so(
    store: Database, caplog: pytest.LogCaptureFixture
) -> None:
    old, new = roll(store, "old", "r1"), roll(store, "new", "r2")
    with caplog.at_level(logging.ERROR):
        await old.call()
        await store.transaction(lambda tx: tx.execute("UPDATE worker SET started_at = started_at - 1"))
        await looked(old, new)
        await looked(old, new)
    assert (old.estranged, new.estranged) == (False, True)
    assert len(caplog.messages) == 2 and all("with another Redis" in message for message in caplog.messages)


async def test_a_difference_that_passes_is_none(store: Database) -> None:
    other, one = roll(store, "a", "r1"), roll(store, "b", "r2")
    await other.call()
    for _ in range(STAYS - 1):
        await one.call()
    await roll(store, "a", "r2").call()
    await one.call()
    assert not one.estranged


async def test_who_leaves_is_on_the_roll_no_more(store: Database) -> None:
    one = roll(store, "one", NO_BUS)
    await one.enter()
    await one.leave()
    assert not await WorkerBook(store).alive(ALIVE_MS)


async def test_an_objection_is_found_without_a_stamp(store: Database) -> None:
    await roll(store, "old", "r1").call()
    looking = roll(store, "check", "r2")
    assert "with another Redis" in str(await looking.objection())
    assert await roll(store, "check", "r1").objection() is None
    await looking.leave()
    assert [entry.id for entry in await WorkerBook(store).alive(ALIVE_MS)] == ["old"]

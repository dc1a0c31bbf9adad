"""Who serves from this store, on both databases."""

from __future__ import annotations

import pytest

from storage.clock import real_ms
from storage.database import Database
from storage.workers import FORGOTTEN_MS, WorkerBook


@pytest.fixture(params=["database", "postgres"])
def any_database(request: pytest.FixtureRequest) -> Database:
    found: Database = request.getfixturevalue(request.param)
    return found


async def aged(database: Database, worker: str, by_ms: int) -> None:
    sql = "UPDATE worker SET seen_at = seen_at - $2 WHERE id = $1"
    await database.transaction(lambda tx: tx.execute(sql, worker, by_ms))


async def test_a_worker_that_stamps_itself_is_alive(any_database: Database) -> None:
    book, before = WorkerBook(any_database), real_ms()
    assert await book.alive(7_000) == []
    await book.stamp("w1", None, "1.0")
    (entry,) = await book.alive(7_000)
    assert (entry.id, entry.bus_id, entry.version) == ("w1", None, "1.0")
    # the clocks are one; SQLite's is a number with a fraction
    assert before - 2 <= entry.started_at_ms == entry.seen_at_ms <= real_ms() + 2


async def test_a_later_stamp_changes_what_it_says_and_not_since_when(any_database: Database) -> None:
    book = WorkerBook(any_database)
    await book.stamp("w1", None, "1.0")
    (first,) = await book.alive(7_000)
    await aged(any_database, "w1", 5_000)
    await book.stamp("w1", "redis-1", "1.1")
    (again,) = await book.alive(1_000)
    assert (again.bus_id, again.version, again.started_at_ms) == ("redis-1", "1.1", first.started_at_ms)
    assert again.seen_at_ms >= first.seen_at_ms


async def test_a_worker_that_is_silent_or_gone_is_not_alive(any_database: Database) -> None:
    book = WorkerBook(any_database)
    for worker in ("w1", "w2", "w3"):
        await book.stamp(worker, None, "1.0")
    await aged(any_database, "w1", 60_000)
    await book.gone("w2")
    await book.gone("never")
    assert [entry.id for entry in await book.alive(30_000)] == ["w3"]


async def test_who_was_killed_is_forgotten_after_a_day(any_database: Database) -> None:
    book = WorkerBook(any_database)
    await book.stamp("killed", None, "1.0")
    await book.stamp("w2", None, "1.0")
    await aged(any_database, "killed", FORGOTTEN_MS + 10_000)
    await book.gone("w2")
    assert list(await any_database.fetch("SELECT id FROM worker")) == []

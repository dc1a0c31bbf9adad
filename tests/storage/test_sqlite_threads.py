"""Groups of writes, readers beside them, and what becomes of errors."""

from __future__ import annotations

import asyncio
import sqlite3
import threading
from pathlib import Path

import pytest

from collab.ports import StoreUnavailable
from storage.database import CommitUnknown, Conflict, Transaction
from storage.sqlite import SqliteDatabase
from storage.sqlite_threads import SqliteTransaction
from tests.support.keyed import CREATE, insert, keys
from tests.support.writer import together, writer_held

# groups -------------------------------------------------------------------------------------------------------------


async def test_waiting_writes_share_one_commit(keyed: SqliteDatabase) -> None:
    outcomes, statements = await together(keyed, *(lambda tx, n=n: insert(tx, n) for n in range(20)))
    assert outcomes == [1] * 20
    assert statements.count("COMMIT") == 2  # the one that held the writer, and the group
    assert statements.count("BEGIN IMMEDIATE") == 1
    assert statements.count("SAVEPOINT job") == 0
    assert await keys(keyed) == list(range(20))


@pytest.mark.parametrize(("rows", "statements"), [(1, 1), (7, 7), (8, 1), (62, 9), (64, 1), (150, 9)])
async def test_rows_are_inserted_many_to_a_statement(keyed: SqliteDatabase, rows: int, statements: int) -> None:
    heard: list[str] = []

    async def many(tx: Transaction) -> None:
        assert isinstance(tx, SqliteTransaction)
        tx.connection.set_trace_callback(heard.append)
        await tx.execute_many("INSERT INTO t (k, v) VALUES ($1, $2)", ((k, f"v{k}") for k in range(rows)))
        tx.connection.set_trace_callback(None)

    await keyed.transaction(many)
    assert len([statement for statement in heard if statement.startswith("INSERT")]) == statements
    assert await keyed.fetch("SELECT k, v FROM t ORDER BY k") == [(k, f"v{k}") for k in range(rows)]


async def test_values_in_another_order_than_their_columns_are_inserted_as_they_are_named(keyed: SqliteDatabase) -> None:
    await keyed.transaction(
        lambda tx: tx.execute_many("INSERT INTO t (v, k) VALUES ($2, $1)", [(k, f"v{k}") for k in range(9)])
    )
    assert await keyed.fetch("SELECT k, v FROM t ORDER BY k") == [(k, f"v{k}") for k in range(9)]


async def test_a_taken_key_among_many_rows_is_a_conflict_and_leaves_none_of_them(keyed: SqliteDatabase) -> None:
    async def taken(tx: Transaction) -> None:
        await tx.execute_many("INSERT INTO t (k, v) VALUES ($1, $2)", [(k % 63, "") for k in range(64)])

    outcomes, _ = await together(keyed, lambda tx: insert(tx, 100), taken)
    assert outcomes[0] == 1
    assert isinstance(outcomes[1], Conflict)
    assert await keys(keyed) == [100]


async def test_I30_a_failing_write_does_not_harm_its_neighbours(keyed: SqliteDatabase) -> None:
    async def fails(tx: Transaction) -> None:
        await insert(tx, 7)
        await insert(tx, 8)
        raise ValueError("mine")

    outcomes, statements = await together(keyed, lambda tx: insert(tx, 1), fails, lambda tx: insert(tx, 8))
    assert outcomes[0] == outcomes[2] == 1
    assert repr(outcomes[1]) == "ValueError('mine')"
    assert await keys(keyed) == [1, 8]
    assert statements.count("COMMIT") == 2
    assert statements.count("SAVEPOINT job") == 3


async def test_a_taken_key_is_a_conflict_and_leaves_nothing_of_its_work(keyed: SqliteDatabase) -> None:
    async def twice(tx: Transaction) -> None:
        await insert(tx, 1)
        await insert(tx, 2)
        await insert(tx, 1)

    with pytest.raises(Conflict):
        await keyed.transaction(twice)
    assert await keys(keyed) == []
    outcomes, _ = await together(keyed, lambda tx: insert(tx, 3), lambda tx: insert(tx, 3))
    assert outcomes[0] == 1
    assert isinstance(outcomes[1], Conflict)


async def test_other_broken_constraints_and_wrong_statements_are_faults_of_ours(keyed: SqliteDatabase) -> None:
    with pytest.raises(sqlite3.OperationalError, match="no such table"):
        await keyed.transaction(lambda tx: tx.execute("INSERT INTO nowhere VALUES (1)"))
    with pytest.raises(sqlite3.IntegrityError):
        await keyed.transaction(lambda tx: tx.execute("INSERT INTO t (k) VALUES ($1)", "no number"))
    with pytest.raises(sqlite3.OperationalError, match="no such table"):
        await keyed.read(lambda tx: tx.fetch("SELECT * FROM nowhere"))
    assert await keys(keyed) == []


async def test_a_cancelled_caller_cancels_nothing(keyed: SqliteDatabase) -> None:
    async with writer_held(keyed):
        task = asyncio.create_task(keyed.transaction(lambda tx: insert(tx, 1)))
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
    await keyed.transaction(lambda tx: insert(tx, 2))
    assert await keys(keyed) == [1, 2]


async def test_work_that_awaits_something_else_is_refused(keyed: SqliteDatabase) -> None:
    async def sleeps(tx: Transaction) -> None:
        await insert(tx, 1)
        await asyncio.sleep(0)

    with pytest.raises(RuntimeError, match="awaits something else"):
        await keyed.transaction(sleeps)
    assert await keys(keyed) == []


async def test_a_write_that_takes_too_long_is_unknown_and_may_still_happen(tmp_path: Path) -> None:
    database = SqliteDatabase(tmp_path / "codraw.db", timeout_s=0.01)
    release = threading.Event()

    async def slow(tx: Transaction) -> None:
        release.wait()
        await tx.execute("CREATE TABLE late (k INTEGER)")

    with pytest.raises(CommitUnknown):
        await database.transaction(slow)
    release.set()
    await database.close()
    with sqlite3.connect(tmp_path / "codraw.db") as connection:
        assert connection.execute("SELECT count(*) FROM late").fetchone() == (0,)
    connection.close()


# errors of the disk ---------------------------------------------------------------------------------------------------


async def limit_size(keyed: SqliteDatabase, pages: int) -> None:
    async def limit(tx: Transaction) -> None:
        assert isinstance(tx, SqliteTransaction)
        tx.connection.execute(f"PRAGMA max_page_count = {pages}")

    await keyed.transaction(limit)


async def test_a_full_disk_is_unavailable_and_passes(keyed: SqliteDatabase) -> None:
    await limit_size(keyed, 4)
    with pytest.raises(StoreUnavailable, match="SQLITE_FULL") as caught:
        await keyed.transaction(lambda tx: insert(tx, 1, "x" * 100_000))
    assert not isinstance(caught.value, CommitUnknown)
    await limit_size(keyed, 1_000_000)
    await keyed.transaction(lambda tx: insert(tx, 2, "x" * 100_000))
    assert await keys(keyed) == [2]


async def test_where_the_disk_is_full_nobody_of_the_group_is_told_otherwise_than_it_is(
    keyed: SqliteDatabase,
) -> None:
    await limit_size(keyed, 4)
    big = "x" * 100_000
    outcomes, _ = await together(
        keyed, lambda tx: insert(tx, 1), lambda tx: insert(tx, 2, big), lambda tx: insert(tx, 3)
    )
    told = [n for n, outcome in enumerate(outcomes, 1) if outcome == 1]
    assert await keys(keyed) == told
    assert all(isinstance(outcome, StoreUnavailable) for outcome in outcomes if outcome != 1)


async def test_a_file_that_is_locked_by_others_is_unavailable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("storage.sqlite.BUSY_S", 0.01)
    database = SqliteDatabase(tmp_path / "codraw.db")
    await database.transaction(lambda tx: tx.execute(CREATE))
    foreign = sqlite3.connect(tmp_path / "codraw.db", isolation_level=None)
    foreign.execute("BEGIN IMMEDIATE")
    with pytest.raises(StoreUnavailable, match="SQLITE_BUSY"):
        await database.transaction(lambda tx: insert(tx, 1))
    assert await keys(database) == []
    foreign.execute("ROLLBACK")
    foreign.close()
    await database.transaction(lambda tx: insert(tx, 1))
    assert await keys(database) == [1]
    await database.close()


async def test_an_error_of_the_commit_itself_leaves_the_group_unknown(keyed: SqliteDatabase) -> None:
    """A deferred constraint fails at COMMIT, as an I/O error would; what follows is served again."""
    await keyed.transaction(
        lambda tx: tx.execute("CREATE TABLE child (k INTEGER REFERENCES t (k) DEFERRABLE INITIALLY DEFERRED)")
    )
    with pytest.raises(CommitUnknown):
        await keyed.transaction(lambda tx: tx.execute("INSERT INTO child VALUES (9)"))
    outcomes, _ = await together(keyed, lambda tx: insert(tx, 1), lambda tx: tx.execute("INSERT INTO child VALUES (9)"))
    assert all(isinstance(outcome, CommitUnknown) for outcome in outcomes)
    await keyed.transaction(lambda tx: insert(tx, 2))
    assert await keys(keyed) == [2]


# reading --------------------------------------------------------------------------------------------------------------


async def test_a_read_is_of_one_moment(keyed: SqliteDatabase) -> None:
    begun, written = threading.Event(), threading.Event()

    async def twice(tx: Transaction) -> tuple[int, int]:
        before = len(await tx.fetch("SELECT k FROM t"))
        begun.set()
        written.wait()
        return before, len(await tx.fetch("SELECT k FROM t"))

    reading = asyncio.create_task(keyed.read(twice))
    await asyncio.to_thread(begun.wait)
    await keyed.transaction(lambda tx: insert(tx, 1))
    # the second reader is not held up by the first
    assert await keys(keyed) == [1]
    written.set()
    assert await reading == (0, 0)


async def test_a_reader_cannot_write(keyed: SqliteDatabase) -> None:
    with pytest.raises(StoreUnavailable, match="READONLY"):
        await keyed.read(lambda tx: insert(tx, 1))
    assert await keys(keyed) == []


async def test_a_list_is_one_parameter(keyed: SqliteDatabase) -> None:
    for key, value in enumerate(["a", 'q"uote', "é", "d"]):
        await keyed.transaction(lambda tx, key=key, value=value: insert(tx, key, value))  # type: ignore[misc]
    sql = "SELECT k FROM t WHERE v = ANY($2) AND k >= $1 ORDER BY k"
    assert await keyed.read(lambda tx: tx.fetch(sql, 1, ["a", 'q"uote', "é"])) == [(1,), (2,)]
    assert await keyed.read(lambda tx: tx.fetch(sql, 0, [])) == []
    assert len(await keyed.read(lambda tx: tx.fetch(sql, 0, [str(n) for n in range(100_000)] + ["d"]))) == 1

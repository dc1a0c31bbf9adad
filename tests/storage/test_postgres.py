"""Database on PostgreSQL: moments, transactions, and what is said when the way to the server breaks."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager

import asyncpg
import pytest

from collab.ports import StoreUnavailable
from storage import postgres as module
from storage import postgres_pool
from storage.database import CommitUnknown, Conflict, StoreRefused, Transaction, first
from storage.migrations.migrate import steps
from storage.postgres import PostgresDatabase
from storage.postgres_server import Durability
from storage.saving import Observed
from tests.support.cutting import Wire, cuttable
from tests.support.keyed import insert, keys
from tests.support.turns import until_read

CREATE = "CREATE TABLE IF NOT EXISTS t (k bigint PRIMARY KEY, v text)"


@pytest.fixture
async def keyed(postgres: PostgresDatabase) -> AsyncIterator[PostgresDatabase]:
    """With the one table of `tests.support.keyed`."""
    await postgres.transaction(lambda tx: tx.execute(CREATE))
    yield postgres
    await postgres.transaction(lambda tx: tx.execute("DROP TABLE t"))


@pytest.fixture
async def cut(keyed: PostgresDatabase) -> AsyncIterator[tuple[Wire, PostgresDatabase]]:
    """The same, by a way that can be cut."""
    async with cuttable(keyed.url) as (wire, url):
        database = await PostgresDatabase.open(url)
        yield wire, database
        await database.close()


async def backend(tx: Transaction) -> int:
    row = await first(tx, "SELECT pg_backend_pid()")
    assert row is not None
    return int(row[0])


async def until(database: PostgresDatabase, sql: str, *args: int) -> None:
    """It says yes: what another connection does takes as long as it takes."""
    while not (await database.fetch(sql, *args))[0][0]:
        await database.fetch("SELECT pg_sleep(0.005)")


# moments and transactions -------------------------------------------------------------------------------------------


async def test_a_read_is_of_one_moment_which_comes_after_the_call(keyed: PostgresDatabase) -> None:
    async def read(tx: Transaction) -> list[int]:
        counts = []
        for key in (1, 2):
            counts += [count for (count,) in await tx.fetch("SELECT count(*) FROM t")]
            await keyed.transaction(lambda other, key=key: insert(other, key))  # type: ignore[misc]
        return counts

    assert await keyed.read(read) == [0, 0]
    assert await keyed.fetch("SELECT count(*) FROM t") == [(2,)]


async def test_a_read_writes_nothing(keyed: PostgresDatabase) -> None:
    with pytest.raises(StoreUnavailable):
        await keyed.read(lambda tx: insert(tx, 1))
    assert await keys(keyed) == []


async def test_a_transaction_is_all_or_nothing_and_what_it_raises_comes_through(keyed: PostgresDatabase) -> None:
    async def half(tx: Transaction) -> None:
        await insert(tx, 1)
        raise LookupError("mine")

    with pytest.raises(LookupError, match="mine"):
        await keyed.transaction(half)
    assert await keys(keyed) == []
    assert await keyed.transaction(lambda tx: insert(tx, 2)) == 1
    assert await keys(keyed) == [2]


async def test_a_key_that_is_taken_is_a_conflict(keyed: PostgresDatabase) -> None:
    await keyed.transaction(lambda tx: insert(tx, 1))
    with pytest.raises(Conflict):
        await keyed.transaction(lambda tx: insert(tx, 1))
    with pytest.raises(Conflict):
        await keyed.write("INSERT INTO t (k) VALUES (1)")


async def test_who_swallows_the_error_of_a_statement_is_told_that_nothing_was_written(keyed: PostgresDatabase) -> None:
    async def swallow(tx: Transaction) -> None:
        await insert(tx, 1)
        with pytest.raises(asyncpg.PostgresError):
            await tx.execute("SELECT * FROM nothing")

    with pytest.raises(RuntimeError, match="went on after an error"):
        await keyed.transaction(swallow)
    assert await keys(keyed) == []


async def test_execute_tells_how_many_rows_were_touched(keyed: PostgresDatabase) -> None:
    async def work(tx: Transaction) -> list[int]:
        await tx.execute_many("INSERT INTO t (k, v) VALUES ($1, $2)", ((k, "") for k in range(3)))
        await tx.execute_many("INSERT INTO t (k, v) VALUES ($1, $2)", ())
        return [
            await tx.execute("UPDATE t SET v = $1 WHERE k = ANY($2)", "x", [0, 2, 9]),
            await tx.execute("CREATE TABLE u (k bigint)"),
            await tx.execute("DROP TABLE u"),
        ]

    assert await keyed.transaction(work) == [2, 0, 0]


async def test_a_caller_that_is_cancelled_cancels_nothing(keyed: PostgresDatabase) -> None:
    begun = asyncio.Event()

    async def slow(tx: Transaction) -> None:
        begun.set()
        await tx.fetch("SELECT pg_sleep(0.05)")
        await insert(tx, 1)

    caller = asyncio.create_task(keyed.transaction(slow))
    await begun.wait()
    caller.cancel()
    with pytest.raises(asyncio.CancelledError):
        await caller
    await until(keyed, "SELECT count(*) = 1 FROM t")


async def test_closing_waits_for_what_was_asked_before(keyed: PostgresDatabase) -> None:
    database = await PostgresDatabase.open(keyed.url)
    asked = asyncio.create_task(database.transaction(lambda tx: insert(tx, 1)))
    await asyncio.sleep(0)
    await database.close()
    assert await asked == 1
    with pytest.raises(StoreUnavailable, match="closed"):
        await database.fetch("SELECT 1")


async def test_of_many_who_change_a_row_that_they_have_read_for_update_none_is_lost(keyed: PostgresDatabase) -> None:
    await keyed.transaction(lambda tx: insert(tx, 0, "0"))

    async def raised(tx: Transaction) -> None:
        row = await first(tx, "SELECT v FROM t WHERE k = 0 FOR NO KEY UPDATE")
        assert row is not None
        await tx.execute("UPDATE t SET v = $1 WHERE k = 0", str(int(row[0]) + 1))

    await asyncio.gather(*(keyed.transaction(raised) for _ in range(50)))
    assert await keyed.fetch("SELECT v FROM t") == [("50",)]


async def test_of_many_that_are_alone_each_sees_what_the_one_before_left(keyed: PostgresDatabase) -> None:
    async def next_one(tx: Transaction) -> None:
        await tx.alone("counter", patient=True)
        row = await first(tx, "SELECT count(*) FROM t")
        assert row is not None
        await insert(tx, row[0])

    await asyncio.gather(*(keyed.transaction(next_one) for _ in range(30)))
    assert await keys(keyed) == list(range(30))


async def test_who_waits_patiently_for_its_turn_does_not_wait_so_for_a_row(keyed: PostgresDatabase) -> None:
    """Others would stand behind it: commits behind a change of the schema, and that behind a long backup."""
    await keyed.transaction(lambda tx: insert(tx, 1, ""))
    held, over = asyncio.Event(), asyncio.Event()

    async def hold(tx: Transaction) -> None:
        await tx.fetch("SELECT 1 FROM t WHERE k = 1 FOR UPDATE")
        await tx.execute("SET LOCAL idle_in_transaction_session_timeout = 0")
        held.set()
        await over.wait()

    async def wait_for_it(tx: Transaction) -> None:
        await tx.alone("row", patient=True)
        await tx.fetch("SELECT 1 FROM t WHERE k = 1 FOR UPDATE")

    async with asyncio.timeout(30), asyncio.TaskGroup() as group:
        group.create_task(keyed.transaction(hold))
        await held.wait()
        with pytest.raises(StoreUnavailable, match="lock timeout"):
            await keyed.transaction(wait_for_it)
        over.set()


async def test_what_locks_crosswise_runs_again_and_both_succeed(keyed: PostgresDatabase) -> None:
    for key in (1, 2):
        await keyed.transaction(lambda tx, key=key: insert(tx, key, ""))  # type: ignore[misc]
    has_one, has_two = asyncio.Event(), asyncio.Event()

    async def crosswise(tx: Transaction, keys: tuple[int, int], mine: asyncio.Event, theirs: asyncio.Event) -> None:
        await tx.execute("SET LOCAL deadlock_timeout = '10ms'")
        for key in keys:
            await tx.execute("UPDATE t SET v = v || 'x' WHERE k = $1", key)
            mine.set()
            await theirs.wait()

    await asyncio.gather(
        keyed.transaction(lambda tx: crosswise(tx, (1, 2), has_one, has_two)),
        keyed.transaction(lambda tx: crosswise(tx, (2, 1), has_two, has_one)),
    )
    assert await keyed.fetch("SELECT v FROM t ORDER BY k") == [("xx",), ("xx",)]


async def test_what_never_gets_through_is_unavailable(keyed: PostgresDatabase, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "PAUSE_S", 0)
    runs = 0

    async def work(tx: Transaction) -> None:
        nonlocal runs
        runs += 1
        await tx.execute("DO $$ BEGIN RAISE EXCEPTION 'no' USING ERRCODE = '40001'; END $$")

    with pytest.raises(StoreUnavailable, match="SerializationError"):
        await keyed.transaction(work)
    assert runs == module.ATTEMPTS


@pytest.mark.parametrize("limit", ["statement_timeout", "lock_timeout"])
async def test_what_takes_too_long_is_unavailable_and_the_connection_stays_good(
    keyed: PostgresDatabase, limit: str
) -> None:
    await keyed.transaction(lambda tx: insert(tx, 1))
    held, done = asyncio.Event(), asyncio.Event()

    async def hold(tx: Transaction) -> None:
        await tx.fetch("SELECT 1 FROM t FOR UPDATE")
        held.set()
        await done.wait()

    async def wait(tx: Transaction) -> None:
        await tx.execute(f"SET LOCAL {limit} = '10ms'")
        await tx.fetch("SELECT 1 FROM t FOR UPDATE")

    holder = asyncio.create_task(keyed.transaction(hold))
    await held.wait()
    observed = Observed(keyed)
    with pytest.raises(StoreUnavailable):
        await observed.transaction(wait)
    done.set()
    await holder
    assert await keys(keyed) == [1]
    assert observed.saving.works, "a statement that takes too long is no store that takes nothing"


async def test_nobody_waits_for_a_free_connection_for_long(
    keyed: PostgresDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(postgres_pool, "WAIT_S", 0.01)
    database = await PostgresDatabase.open(keyed.url, size=1)
    done = asyncio.Event()
    busy = asyncio.create_task(database.transaction(lambda _: done.wait()))
    await asyncio.sleep(0)
    with pytest.raises(StoreUnavailable, match="no connection to the store was free"):
        await database.fetch("SELECT 1")
    done.set()
    await busy
    assert await database.fetch("SELECT 1") == [(1,)]
    await database.close()


@pytest.mark.parametrize("value", ["\ud800", "\0"])
async def test_S52_text_that_cannot_be_kept_is_an_error_of_its_own_statement_alone(
    keyed: PostgresDatabase, value: str
) -> None:
    with pytest.raises(asyncpg.DataError):
        await keyed.transaction(lambda tx: insert(tx, 1, value))
    with pytest.raises(asyncpg.DataError):
        await keyed.write("INSERT INTO t (k, v) VALUES (2, $1)", value)
    await keyed.transaction(lambda tx: insert(tx, 3, "é€😀"))
    assert await keyed.fetch("SELECT k, v FROM t") == [(3, "é€😀")]


# the way to the server ----------------------------------------------------------------------------------------------


async def test_a_connection_lost_before_the_commit_is_made_anew_and_the_work_done_again(
    keyed: PostgresDatabase,
) -> None:
    ended: list[int] = []

    async def work(tx: Transaction) -> None:
        await insert(tx, 1)
        if not ended:
            ended.append(await backend(tx))
            await keyed.fetch("SELECT pg_terminate_backend($1)", ended[0])
        await tx.fetch("SELECT 1")

    await keyed.transaction(work)
    assert await keys(keyed) == [1]


async def test_a_connection_that_lay_idle_and_died_costs_nobody_an_error(cut: tuple[Wire, PostgresDatabase]) -> None:
    wire, database = cut
    await asyncio.gather(*(database.fetch("SELECT pg_sleep(0.01)") for _ in range(5)))
    wire.cut()
    assert await database.fetch("SELECT 1") == [(1,)]
    wire.cut()
    assert await database.transaction(lambda tx: insert(tx, 1)) == 1


async def test_a_connection_cut_in_the_commit_leaves_it_unknown(cut: tuple[Wire, PostgresDatabase]) -> None:
    wire, database = cut
    wire.awaited, wire.cut_there = b"COMMIT\0", True
    with pytest.raises(CommitUnknown):
        await database.transaction(lambda tx: insert(tx, 1))
    wire.awaited = b"INSERT"
    with pytest.raises(CommitUnknown):
        await database.write("INSERT INTO t (k) VALUES (2)")


async def test_a_server_that_does_not_answer_is_given_up(
    cut: tuple[Wire, PostgresDatabase], monkeypatch: pytest.MonkeyPatch
) -> None:
    wire, database = cut

    @contextmanager
    def deaf() -> Iterator[None]:
        """Impatience is for a server that says nothing: one that does may take its time."""
        wire.deafen()
        with monkeypatch.context() as impatient:
            impatient.setattr(module, "ANSWER_S", 0.05)
            yield
        wire.deafen(False)

    await database.fetch("SELECT 1")
    with deaf(), pytest.raises(CommitUnknown):
        await database.write("INSERT INTO t (k) VALUES (1)")
    assert await database.fetch("SELECT 1") == [(1,)]
    with deaf(), pytest.raises(StoreUnavailable) as caught:
        await database.transaction(lambda tx: insert(tx, 2))
    assert not isinstance(caught.value, CommitUnknown)
    assert await database.fetch("SELECT count(*) FROM t WHERE k = 2") == [(0,)]


async def test_a_server_that_crashes_and_comes_back_is_found_again(request: pytest.FixtureRequest) -> None:
    if "CODRAW_TEST_POSTGRES_URL" in os.environ:
        pytest.skip("the server that was named is not this test's to kill")
    server = request.getfixturevalue("postgres_server")
    server.start()
    database = await PostgresDatabase.open(server.url)
    await database.transaction(lambda tx: tx.execute(CREATE))
    await asyncio.gather(*(database.fetch("SELECT pg_sleep(0.01)") for _ in range(5)))
    try:
        await asyncio.to_thread(server.kill)
        with pytest.raises(StoreUnavailable):
            await database.transaction(lambda tx: insert(tx, 1))
        with pytest.raises(StoreUnavailable):
            await database.fetch("SELECT 1")
    finally:
        await asyncio.to_thread(server.start)
    # at once: nothing has to be waited for, and nothing is stuck
    assert (
        await asyncio.gather(
            *(database.transaction(lambda tx, k=k: insert(tx, k)) for k in range(30))  # type: ignore[misc]
        )
        == [1] * 30
    )
    await database.transaction(lambda tx: tx.execute("DROP TABLE t"))
    await database.close()


# statements and schema ----------------------------------------------------------------------------------------------


async def test_a_statement_prepared_for_another_schema_is_prepared_anew(keyed: PostgresDatabase) -> None:
    async def read(tx: Transaction) -> list[int]:
        await tx.fetch("SELECT 1")
        return [len(row) for row in await tx.fetch("SELECT * FROM t")]

    await keyed.transaction(lambda tx: insert(tx, 1))
    assert await keyed.read(read) == [2]
    await keyed.transaction(lambda tx: tx.execute("ALTER TABLE t ADD COLUMN w bigint"))
    assert await keyed.read(read) == [3]
    assert len((await keyed.fetch("SELECT * FROM t"))[0]) == 3


async def test_without_a_cache_no_statement_outlives_its_use(keyed: PostgresDatabase) -> None:
    """As a proxy needs it that gives each transaction another connection."""
    database = await PostgresDatabase.open(keyed.url, size=1, statement_cache=False)
    await database.transaction(lambda tx: insert(tx, 1))
    assert await database.fetch("SELECT count(*) FROM pg_prepared_statements WHERE statement LIKE '%INSERT%'") == [(0,)]
    assert await database.fetch("SHOW lock_timeout") == [("1s",)]
    await database.close()


@pytest.mark.parametrize(("durability", "setting"), [("disk", "on"), ("relaxed", "off")])
async def test_without_a_cache_what_a_receipt_survives_is_set_for_each_transaction(
    postgres: PostgresDatabase, durability: Durability, setting: str
) -> None:
    """Behind a proxy the next transaction may be given a connection for which nothing was set."""
    name = (await postgres.fetch("SELECT current_database()"))[0][0]
    server = {"disk": "off", "relaxed": "on"}[durability]
    await postgres.transaction(lambda tx: tx.execute(f'ALTER DATABASE "{name}" SET synchronous_commit = {server}'))
    database = await PostgresDatabase.open(postgres.url, size=1, durability=durability, statement_cache=False)
    await database.fetch("RESET ALL")
    asked = "SELECT current_setting('synchronous_commit'), current_setting('lock_timeout')"
    assert await database.write(asked) == [(setting, "1s")]
    assert await database.transaction(lambda tx: tx.fetch(asked)) == [(setting, "1s")]
    await database.close()
    await postgres.transaction(lambda tx: tx.execute(f'ALTER DATABASE "{name}" RESET synchronous_commit'))


async def test_text_is_compared_by_its_bytes_as_in_SQLite(postgres: PostgresDatabase) -> None:
    sql = (
        "SELECT table_name, column_name FROM information_schema.columns"
        " WHERE table_schema = 'public' AND data_type = 'text' AND collation_name IS DISTINCT FROM 'C'"
    )
    assert await postgres.fetch(sql) == []
    assert await postgres.fetch("SELECT count(*) FROM schema_migration") == [(len(steps()),)]


async def test_a_single_statement_runs_READ_COMMITTED_whatever_the_database_says(postgres: PostgresDatabase) -> None:
    name = (await postgres.fetch("SELECT current_database()"))[0][0]
    level = "default_transaction_isolation"
    await postgres.transaction(lambda tx: tx.execute(f'ALTER DATABASE "{name}" SET {level} = serializable'))
    for cache in (True, False):
        database = await PostgresDatabase.open(postgres.url, size=1, statement_cache=cache)
        assert await database.fetch("SHOW transaction_isolation") == [("read committed",)]
        assert await database.write("SELECT current_setting('transaction_isolation')") == [("read committed",)]
        await database.close()
    await postgres.transaction(lambda tx: tx.execute(f'ALTER DATABASE "{name}" RESET {level}'))


@pytest.mark.parametrize(("durability", "setting"), [("disk", "on"), ("relaxed", "off")])
async def test_what_a_receipt_survives_is_set_for_each_connection(
    postgres: PostgresDatabase, durability: Durability, setting: str
) -> None:
    name = (await postgres.fetch("SELECT current_database()"))[0][0]
    await postgres.transaction(lambda tx: tx.execute(f'ALTER DATABASE "{name}" SET synchronous_commit = off'))
    database = await PostgresDatabase.open(postgres.url, durability=durability)
    assert await database.fetch("SHOW synchronous_commit") == [(setting,)]
    await database.close()
    await postgres.transaction(lambda tx: tx.execute(f'ALTER DATABASE "{name}" RESET synchronous_commit'))


@pytest.mark.parametrize("option", ["channel_binding=require", "work_mem=much"])
async def test_an_option_that_the_server_does_not_know_is_refused(postgres: PostgresDatabase, option: str) -> None:
    name = option.partition("=")[0]
    with pytest.raises(StoreRefused, match=f'parameter "{name}"'):
        await PostgresDatabase.open(f"{postgres.url}?{option}")


async def test_a_proxy_that_pools_is_refused_with_the_setting_that_it_needs() -> None:
    async def greet(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readexactly(8)
        fields = b"SFATAL\0VFATAL\0C08P01\0Munsupported startup parameter: statement_timeout\0\0"
        writer.write(b"E" + (len(fields) + 4).to_bytes(4, "big") + fields)
        await writer.drain()
        writer.close()

    async with await asyncio.start_server(greet, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        with pytest.raises(StoreRefused, match="needs CODRAW_STORE_STATEMENT_CACHE=false"):
            await PostgresDatabase.open(f"postgresql://codraw@127.0.0.1:{port}/codraw?sslmode=disable")


async def test_a_store_that_is_not_there_is_refused_and_one_that_is_away_is_not(postgres: PostgresDatabase) -> None:
    with pytest.raises(StoreRefused, match='database "never" does not exist'):
        await PostgresDatabase.open(postgres.url.rpartition("/")[0] + "/never")
    with pytest.raises(StoreRefused, match="cannot be opened"):
        await PostgresDatabase.open("postgresql://codraw@127.0.0.1:x/codraw")
    with pytest.raises(StoreUnavailable):
        await PostgresDatabase.open("postgresql://codraw@127.0.0.1:9/codraw")


@pytest.mark.parametrize("sign", "/#?[")
async def test_S10_a_url_that_cannot_be_read_is_not_quoted(sign: str) -> None:
    """Most often because of its password."""
    with pytest.raises(StoreRefused, match="cannot be opened") as refused:
        await PostgresDatabase.open(f"postgresql://codraw:hun{sign}ter2@127.0.0.1/codraw")
    assert "hun" not in str(refused.value) and "ter2" not in str(refused.value)


async def test_F18_nothing_is_done_on_a_server_that_lost_time_before_it_was_renewed(postgres: PostgresDatabase) -> None:
    """Also not over connections that lie idle: behind a proxy none of them broke."""
    renewed = asyncio.Event()

    async def renew(_: PostgresDatabase) -> None:
        await renewed.wait()

    await asyncio.gather(*(postgres.fetch("SELECT pg_sleep(0.01)") for _ in range(2)))
    postgres.watch("another history", renew)
    for ask in (postgres.identity, lambda: postgres.fetch("SELECT 1")):
        with pytest.raises(StoreUnavailable, match="lost time"):
            await ask()
    renewed.set()
    await until_read(lambda: answers(postgres))


async def answers(database: PostgresDatabase) -> bool:
    try:
        return bool(await database.fetch("SELECT 1"))
    except StoreUnavailable:
        return False

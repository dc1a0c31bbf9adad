"""Numbered steps, once each."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncIterator
from pathlib import Path

import asyncpg
import pytest

from storage.database import StoreRefused
from storage.migrations.migrate import Step, migrate, steps
from storage.postgres import PostgresDatabase
from storage.sqlite import SqliteDatabase

ONE = Step(
    1,
    "0001_one.sql",
    "-- first; of two\nCREATE TABLE a (id bigint PRIMARY KEY, raw bytea);\nCREATE INDEX i ON a (raw);\n",
)
TWO = Step(2, "0002_two.sql", "ALTER TABLE a ADD COLUMN more text;\n")


@pytest.fixture
async def empty(tmp_path: Path) -> AsyncIterator[SqliteDatabase]:
    database = SqliteDatabase(tmp_path / "codraw.db")
    yield database
    await database.close()


async def tables(database: SqliteDatabase) -> set[str]:
    rows = await database.read(lambda tx: tx.fetch("SELECT name FROM sqlite_master WHERE type = 'table'"))
    return {name for (name,) in rows} - {"schema_migration"}


async def test_every_step_is_applied_once(empty: SqliteDatabase) -> None:
    assert await migrate(empty, [ONE], lambda: 7) == ("0001_one.sql",)
    assert await migrate(empty, [ONE, TWO], lambda: 8) == ("0002_two.sql",)
    assert await migrate(empty, [ONE, TWO], lambda: 9) == ()
    journal = await empty.read(lambda tx: tx.fetch("SELECT number, name, sha256, applied_at FROM schema_migration"))
    assert [tuple(row) for row in journal] == [(1, ONE.name, ONE.sha256, 7), (2, TWO.name, TWO.sha256, 8)]


async def test_a_step_that_fails_leaves_nothing_behind(empty: SqliteDatabase) -> None:
    broken = Step(1, "0001_broken.sql", "CREATE TABLE a (id bigint);\nCREATE TABLE a (id bigint);\n")
    with pytest.raises(sqlite3.OperationalError):
        await migrate(empty, [broken])
    assert await tables(empty) == set()
    assert await migrate(empty, [ONE]) == ("0001_one.sql",)


async def test_a_schema_newer_than_the_program_is_refused(empty: SqliteDatabase) -> None:
    await migrate(empty, [ONE, TWO])
    with pytest.raises(StoreRefused, match=r"schema 0002, which is newer than this version of codraw \(0001\)\.$"):
        await migrate(empty, [ONE])


async def test_a_step_that_was_changed_afterwards_is_refused(empty: SqliteDatabase) -> None:
    await migrate(empty, [ONE])
    changed = Step(1, "0001_one.sql", ONE.text + "CREATE TABLE b (id bigint);\n")
    with pytest.raises(StoreRefused, match="Step 0001 of the schema was changed"):
        await migrate(empty, [changed, TWO])
    assert await tables(empty) == {"a"}


async def test_the_real_steps_make_strict_tables(empty: SqliteDatabase) -> None:
    await migrate(empty)
    made = await tables(empty)
    assert {"diagram_head", "diagram_op", "diagram_outcome", "diagram_snapshot", "session", "ticket"} <= made
    strict = await empty.read(lambda tx: tx.fetch("SELECT name FROM pragma_table_list WHERE strict = 1"))
    assert made <= {name for (name,) in strict}


def test_the_real_steps_are_numbered_without_holes() -> None:
    assert [step.number for step in steps()] == list(range(1, len(steps()) + 1))


async def test_of_many_that_start_at_once_on_PostgreSQL_one_applies_each_step(bare_postgres: str) -> None:
    databases = [await PostgresDatabase.open(bare_postgres) for _ in range(4)]
    applied = await asyncio.gather(*map(migrate, databases))
    names = [step.name for step in steps()]
    assert sorted(name for each in applied for name in each) == names
    journal = await databases[0].fetch("SELECT name, sha256 FROM schema_migration ORDER BY number")
    assert [tuple(row) for row in journal] == [(step.name, step.sha256) for step in steps()]
    options = "SELECT reloptions FROM pg_class WHERE relname = 'diagram_head'"
    assert await databases[0].fetch(options) == [(["fillfactor=50"],)]
    for database in databases:
        await database.close()


async def test_a_step_that_takes_long_on_PostgreSQL_is_not_cut_short(bare_postgres: str) -> None:
    database = await PostgresDatabase.open(bare_postgres)
    settings = "SELECT current_setting('statement_timeout') AS a, current_setting('lock_timeout') AS b"
    slow = Step(1, "0001_slow.sql", f"CREATE TABLE limits AS {settings}")
    await migrate(database, [slow])
    assert await database.fetch("SELECT a, b FROM limits") == [("0", "1s")]
    assert await database.fetch(settings) == [("2s", "1s")]
    await database.close()


async def test_a_step_that_fails_on_PostgreSQL_leaves_nothing_behind(bare_postgres: str) -> None:
    database = await PostgresDatabase.open(bare_postgres)
    broken = Step(1, "0001_broken.sql", "CREATE TABLE a (id bigint);\nCREATE TABLE a (id bigint);\n")
    with pytest.raises(asyncpg.DuplicateTableError):
        await migrate(database, [broken])
    assert await migrate(database, [ONE]) == ("0001_one.sql",)
    with pytest.raises(StoreRefused, match="newer than this version"):
        await migrate(database, [Step(0, "0000_none.sql", "")])
    await database.close()

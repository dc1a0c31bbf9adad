"""A fresh store of each kind."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from storage.postgres import PostgresDatabase
from storage.sqlite import SqliteDatabase
from tests.contracts.worlds import SqlWorld
from tests.support.keyed import CREATE
from tests.support.stores import database_of, execute, new_sqlite, statement

TABLES = [
    "diagram_op",
    "diagram_outcome",
    "diagram_snapshot",
    "session_member",
    "session",
    "ticket",
    "diagram_head",
    "diagram",
    "item",
    "entry",
    "threat_model",
    "account",
    "login",
    "authorization_code",
    "refresh_token",
    "worker",
    "store_identity",
    "change",
    "webhook_subscription",
    "webhook_group",
    "webhook_delivery",
    "webhook_farewell",
    "webhook_turn",
    "webhook_head",
]
"""What refers to another comes before it."""
EMPTIED = ";".join(f"DELETE FROM {table}" for table in TABLES)
"""Not truncated: that makes a file anew for each table and index. All at once: 3 ms of CPU instead of 10."""


@pytest.fixture
async def database(tmp_path: Path) -> AsyncIterator[SqliteDatabase]:
    database = SqliteDatabase(new_sqlite(tmp_path / "codraw.db"))
    yield database
    await database.close()


@pytest.fixture
async def keyed(tmp_path: Path) -> AsyncIterator[SqliteDatabase]:
    """With the one table of `tests.support.keyed`."""
    database = SqliteDatabase(tmp_path / "keyed.db")
    await database.transaction(lambda tx: tx.execute(CREATE))
    yield database
    await database.close()


@pytest.fixture(scope="session")
def kept_postgres(postgres_template: tuple[str, str]) -> Iterator[str]:
    """One for many tests, each of which finds it empty: quicker than one of its own."""
    admin, template = postgres_template
    name = f"codraw_kept_{os.getpid()}"
    statement(admin, f'CREATE DATABASE "{name}" TEMPLATE "{template}"')
    yield database_of(admin, name)
    statement(admin, f'DROP DATABASE "{name}" WITH (FORCE)')


@pytest.fixture
async def postgres_empty(request: pytest.FixtureRequest, kept_postgres: str) -> str:
    """Its address."""
    if "CODRAW_TEST_POSTGRES_URL" not in os.environ:
        request.getfixturevalue("postgres_server").start()  # a test before this one may have killed it
    await execute(kept_postgres, EMPTIED)
    return kept_postgres


@pytest.fixture
async def postgres(postgres_empty: str) -> AsyncIterator[PostgresDatabase]:
    database = await PostgresDatabase.open(postgres_empty)
    yield database
    await database.close()


@pytest.fixture
async def other_postgres(postgres: PostgresDatabase) -> AsyncIterator[PostgresDatabase]:
    """The same store, as another worker has it open."""
    database = await PostgresDatabase.open(postgres.url)
    yield database
    await database.close()


@pytest.fixture
def world(postgres: PostgresDatabase) -> SqlWorld:
    """What the contracts run on, unless a module says otherwise."""
    return SqlWorld(postgres)


@pytest.fixture
def other(other_postgres: PostgresDatabase) -> SqlWorld:
    """Another worker."""
    return SqlWorld(other_postgres)


@pytest.fixture
def bare_postgres(request: pytest.FixtureRequest, postgres_template: tuple[str, str]) -> Iterator[str]:
    """The address of a database without a schema."""
    admin, _ = postgres_template
    if "CODRAW_TEST_POSTGRES_URL" not in os.environ:
        request.getfixturevalue("postgres_server").start()
    name = f"codraw_bare_{os.getpid()}"
    statement(admin, f'CREATE DATABASE "{name}"')
    yield database_of(admin, name)
    statement(admin, f'DROP DATABASE "{name}" WITH (FORCE)')

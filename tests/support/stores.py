"""Real PostgreSQL and Redis for tests: one server per test process, a fresh database per test, nothing left behind."""

from __future__ import annotations

import asyncio
import os
import re
import shutil
from collections.abc import Callable, Coroutine, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from itertools import count
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import asyncpg
import pytest
import redis

from codraw.local_stores import LocalPostgres, LocalRedis, temporary_folder
from tests.support.needs import need

PREFIX = "codraw-test-"
MEMORY = Path("/dev/shm")
ENOUGH_BYTES = 4 * 2**30
DATABASES = 16
"""Of a Redis as it comes."""
NUMBERS = count(1)


def memory() -> Path | None:
    """Where files are kept in memory, if there is much. A store on a disk waits for it at every commit (a quarter of
    the time of tests on SQLite) and at every database that is made or dropped, and no test cuts the power."""
    if not MEMORY.is_dir() or not os.access(MEMORY, os.W_OK) or os.statvfs(MEMORY).f_flag & os.ST_NOEXEC:
        return None
    return MEMORY if shutil.disk_usage(MEMORY).free > ENOUGH_BYTES else None


@pytest.fixture(scope="session")
def stores_folder() -> Iterator[Path]:
    """Not in pytest's own folder, which is closed to the user as whom PostgreSQL runs."""
    with temporary_folder(PREFIX, memory()) as folder:
        yield folder


@pytest.fixture(scope="session")
def postgres_server(stores_folder: Path) -> Iterator[LocalPostgres]:
    """Of this machine, whatever CODRAW_TEST_POSTGRES_URL says: tests may stop and kill it, and start it again."""
    need("postgres")
    server = LocalPostgres(stores_folder / "postgres")
    server.start()
    yield server
    server.stop("immediate")


@pytest.fixture(scope="session")
def postgres_template(request: pytest.FixtureRequest) -> Iterator[tuple[str, str]]:
    """The address under which databases are made, and the migrated one that they are copies of."""
    admin = os.environ.get("CODRAW_TEST_POSTGRES_URL") or request.getfixturevalue("postgres_server").url
    name = f"codraw_template_{os.getpid()}"
    statement(admin, f'DROP DATABASE IF EXISTS "{name}"')
    statement(admin, f'CREATE DATABASE "{name}"')
    outside_loop(_migrate, database_of(admin, name))
    yield admin, name
    statement(admin, f'DROP DATABASE "{name}"')


@pytest.fixture
def postgres_url(request: pytest.FixtureRequest, postgres_template: tuple[str, str]) -> Iterator[str]:
    """A database of this test's own, with all migrations."""
    admin, template = postgres_template
    if "CODRAW_TEST_POSTGRES_URL" not in os.environ:
        request.getfixturevalue("postgres_server").start()  # a test before this one may have killed it
    name = f"codraw_test_{os.getpid()}_{next(NUMBERS)}"
    statement(admin, f'CREATE DATABASE "{name}" TEMPLATE "{template}"')
    yield database_of(admin, name)
    if "CODRAW_TEST_POSTGRES_URL" not in os.environ:
        request.getfixturevalue("postgres_server").start()
    statement(admin, f'DROP DATABASE "{name}" WITH (FORCE)')


@pytest.fixture(scope="session")
def redis_server(stores_folder: Path) -> Iterator[LocalRedis]:
    """Of this machine, whatever CODRAW_TEST_REDIS_URL says: tests may stop and kill it, and start it again."""
    need("redis")
    server = LocalRedis(stores_folder / "redis")
    server.start()
    yield server
    server.kill()


@pytest.fixture
def redis_url(request: pytest.FixtureRequest) -> str:
    """Empty. One that was named is shared by the processes of a run: each has a database, channels they share."""
    url = os.environ.get("CODRAW_TEST_REDIS_URL")
    if url is None:
        server: LocalRedis = request.getfixturevalue("redis_server")
        server.start()
        # What a test before this one has left running for a moment must not write into this one's.
        url = database_of(server.url, str(next(NUMBERS) % DATABASES))
    else:
        worker = int(re.sub(r"\D", "", os.environ.get("PYTEST_XDIST_WORKER", "")) or 0)
        url = database_of(url, str(worker))
    with redis.Redis.from_url(url) as client:
        client.flushdb()
    return url


def database_of(url: str, name: str) -> str:
    return urlunsplit(urlsplit(url)._replace(path=f"/{name}"))


def statement(url: str, sql: str) -> None:
    outside_loop(execute, url, sql)


def outside_loop(work: Callable[..., Coroutine[None, None, None]], *args: str) -> None:
    """A fixture that is asked for late is set up while the test's own event loop runs."""
    with ThreadPoolExecutor(1) as thread:
        thread.submit(lambda: asyncio.run(work(*args))).result()


def new_sqlite(path: Path) -> Path:
    """`path`, where a store with the schema and nothing else is now, unless one was there. Migrating it takes 12 ms of
    CPU, a copy that is opened 3."""
    if not path.exists():
        path.write_bytes(_schema())
    return path


@cache
def _schema() -> bytes:
    with temporary_folder(PREFIX, memory()) as folder:
        outside_loop(_migrate_sqlite, str(folder / "store.db"))
        return (folder / "store.db").read_bytes()


async def _migrate_sqlite(path: str) -> None:
    from storage.migrations.migrate import migrate
    from storage.sqlite import SqliteDatabase

    database = SqliteDatabase(Path(path))
    await migrate(database)
    await database.close()


async def execute(url: str, sql: str) -> None:
    connection = await asyncpg.connect(url)
    try:
        await connection.execute(sql)
    finally:
        await connection.close()


async def _migrate(url: str) -> None:
    from storage.migrations.migrate import migrate
    from storage.postgres import PostgresDatabase

    database = await PostgresDatabase.open(url)
    try:
        await migrate(database)
    finally:
        await database.close()

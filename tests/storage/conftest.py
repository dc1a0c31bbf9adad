"""A fresh store of each kind."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

pytest.register_assert_rewrite(
    *(f"tests.contracts.{port}" for port in ("diagram_store", "session_store", "models", "accounts", "presence", "bus"))
)

from storage.migrations.migrate import migrate  # noqa: E402
from storage.sqlite import SqliteDatabase  # noqa: E402
from tests.support.keyed import CREATE  # noqa: E402


@pytest.fixture(scope="session")
def migrated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file with the schema and nothing else: copying it is quicker than migrating anew for every test."""
    path = tmp_path_factory.mktemp("store") / "template.db"

    async def make() -> None:
        database = SqliteDatabase(path)
        await migrate(database)
        await database.close()

    asyncio.run(make())
    return path


@pytest.fixture
async def database(tmp_path: Path, migrated: Path) -> AsyncIterator[SqliteDatabase]:
    shutil.copy(migrated, tmp_path / "codraw.db")
    database = SqliteDatabase(tmp_path / "codraw.db")
    yield database
    await database.close()


@pytest.fixture
async def keyed(tmp_path: Path) -> AsyncIterator[SqliteDatabase]:
    """With the one table of `tests.support.keyed`."""
    database = SqliteDatabase(tmp_path / "keyed.db")
    await database.transaction(lambda tx: tx.execute(CREATE))
    yield database
    await database.close()

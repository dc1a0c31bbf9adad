"""Models and Authorizer on SQLite."""

from __future__ import annotations

import pytest

from protocol.values import DiagramId
from storage.sqlite import SqliteDatabase
from tests.contracts.models import ModelsContract
from tests.contracts.worlds import MODEL, SqlWorld


class TestSqliteModels(ModelsContract):
    @pytest.fixture
    def world(self, database: SqliteDatabase) -> SqlWorld:
        return SqlWorld(database)


async def test_I25_deleting_raises_the_permission_clock(database: SqliteDatabase) -> None:
    """No port shows the head of a deleted diagram; whoever still holds it must miss for this reason too."""
    world = SqlWorld(database)
    for name in ("d1", "d2"):
        await world.add(DiagramId(name))
    await world.models.delete_diagram(DiagramId("d1"))
    await world.models.delete(MODEL)
    rows = await database.read(lambda tx: tx.fetch("SELECT id, acl_version FROM diagram_head ORDER BY id"))
    assert [tuple(row) for row in rows] == [("d1", 2), ("d2", 2)]

"""Models and Authorizer on SQLite."""

from __future__ import annotations

import pytest

from protocol.values import DiagramId
from rest.ports import Filters, Page, ThreatModel
from storage.sqlite import SqliteDatabase
from tests.contracts.models import ModelsContract
from tests.contracts.worlds import ANA, MODEL, SqlWorld, caller


class TestSqliteModels(ModelsContract):
    @pytest.fixture
    def world(self, database: SqliteDatabase) -> SqlWorld:
        return SqlWorld(database)


@pytest.mark.parametrize("part", ["übersicht", "ÜBERSICHT", "sTRAße", "ÉTÉ"])
async def test_letters_beyond_a_to_z_are_found_in_any_case(database: SqliteDatabase, part: str) -> None:
    world = SqlWorld(database)
    fields = {"name": "M", "description": "Übersicht der Straße", "issue_uri": "https://x.example/Été"}
    await world.models.create(ThreatModel(MODEL, ANA, ANA, 0, 0, fields, (), {}))
    wanted = Filters(issue_uri=part) if part == "ÉTÉ" else Filters(description=part)
    assert (await world.models.readable(caller(ANA), wanted, Page()))[1] == 1


async def test_I25_deleting_raises_the_permission_clock(database: SqliteDatabase) -> None:
    """No port shows the head of a deleted diagram; whoever still holds it must miss for this reason too."""
    world = SqlWorld(database)
    for name in ("d1", "d2"):
        await world.add(DiagramId(name))
    await world.models.delete_diagram(DiagramId("d1"))
    await world.models.delete(MODEL)
    rows = await database.read(lambda tx: tx.fetch("SELECT id, acl_version FROM diagram_head ORDER BY id"))
    assert [tuple(row) for row in rows] == [("d1", 2), ("d2", 2)]

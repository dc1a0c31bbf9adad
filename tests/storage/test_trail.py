"""The trail on both databases: what is asked of it is asked of indexes."""

from __future__ import annotations

import pytest

from rest.ports import ChangesWanted, Page
from storage.database import Row, Transaction, Value
from storage.sqlite import SqliteDatabase
from storage.trail import _of_diagram
from tests.contracts.trail import TrailContract
from tests.contracts.worlds import ANA, D, SqlWorld, grow

ROWS = 400


class TestSqliteTrail(TrailContract):
    @pytest.fixture
    def world(self, database: SqliteDatabase) -> SqlWorld:
        return SqlWorld(database)


class TestPostgresTrail(TrailContract): ...


class Asked:
    """A transaction that counts the rows it is given, and keeps the plans of what it was asked."""

    def __init__(self, tx: Transaction) -> None:
        self.tx = tx
        self.rows = 0
        self.plans: list[str] = []

    async def fetch(self, sql: str, *args: Value) -> list[Row]:
        found = list(await self.tx.fetch(sql, *args))
        self.rows += len(found)
        self.plans += [row[3] for row in await self.tx.fetch(f"EXPLAIN QUERY PLAN {sql}", *args)]
        return found


@pytest.mark.parametrize(
    "wanted", [ChangesWanted(), ChangesWanted(by=ANA.id), ChangesWanted(since_ms=1_800_000_000_100)]
)
async def test_RE42_a_page_is_read_without_the_log(database: SqliteDatabase, wanted: ChangesWanted) -> None:
    world = SqlWorld(database)
    await world.add()
    await grow(world, ROWS)

    async def counted(tx: Transaction) -> Asked:
        asked = Asked(tx)
        await _of_diagram(asked, D, wanted, Page(limit=5))  # type: ignore[arg-type]
        return asked

    asked = await database.read(counted)
    assert asked.rows < 40
    whole = [step for step in asked.plans if step.startswith("SCAN") and ("diagram_op" in step or "change" in step)]
    assert whole == []

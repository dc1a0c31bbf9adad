"""What is the same for every database."""

from __future__ import annotations

from collab.ports import StoreUnavailable
from storage.database import CommitUnknown, DamagedRow, first
from storage.sqlite import SqliteDatabase
from tests.support.keyed import insert


async def test_first_is_the_first_row_or_none(keyed: SqliteDatabase) -> None:
    sql = "SELECT k FROM t ORDER BY k"
    assert await keyed.read(lambda tx: first(tx, sql)) is None
    for key in (2, 1):
        await keyed.transaction(lambda tx, key=key: insert(tx, key))  # type: ignore[misc]
    assert await keyed.read(lambda tx: first(tx, sql)) == (1,)


def test_whoever_expects_an_unavailable_store_expects_these() -> None:
    assert issubclass(CommitUnknown, StoreUnavailable)
    assert issubclass(DamagedRow, StoreUnavailable)

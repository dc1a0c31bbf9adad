"""A table of one key and one value, to try a database with."""

from __future__ import annotations

from storage.database import Database, Transaction

CREATE = "CREATE TABLE t (k INTEGER PRIMARY KEY, v TEXT)"


async def insert(tx: Transaction, key: int, value: str = "") -> int:
    return await tx.execute("INSERT INTO t (k, v) VALUES ($1, $2)", key, value)


async def keys(database: Database) -> list[int]:
    return [key for (key,) in await database.read(lambda tx: tx.fetch("SELECT k FROM t ORDER BY k"))]

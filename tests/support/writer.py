"""Holds the writer of a SQLite store back, so that what is asked meanwhile forms one group."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import AsyncIterator
from typing import Any

from storage.database import Transaction
from storage.sqlite import SqliteDatabase
from storage.sqlite_threads import SqliteTransaction


@contextlib.asynccontextmanager
async def writer_held(database: SqliteDatabase) -> AsyncIterator[list[str]]:
    """What is asked within waits and forms one group. Gives the statements that the writer runs from now on."""
    statements: list[str] = []
    begun, release = threading.Event(), threading.Event()

    async def hold(tx: Transaction) -> None:
        assert isinstance(tx, SqliteTransaction)
        begun.set()
        release.wait()
        tx.connection.set_trace_callback(statements.append)

    held = asyncio.create_task(database.transaction(hold))
    await asyncio.to_thread(begun.wait)
    try:
        yield statements
    finally:
        release.set()
        await held


async def together(database: SqliteDatabase, *works: Any) -> tuple[list[Any], list[str]]:
    """Runs the works in one group; gives their outcomes, exceptions included, and the statements that were run."""
    async with writer_held(database) as statements:
        tasks = [asyncio.create_task(database.transaction(work)) for work in works]
        await asyncio.sleep(0)
    outcomes = await asyncio.gather(*tasks, return_exceptions=True)
    return outcomes, statements

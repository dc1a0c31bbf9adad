"""Who serves from this store: each worker stamps itself, by the store's clock."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from storage.database import Database

STAMP = (
    "INSERT INTO worker (id, bus_id, version, started_at, seen_at) VALUES ($1, $2, $3, {0}, {0})"
    " ON CONFLICT (id) DO UPDATE SET bus_id = excluded.bus_id, version = excluded.version, seen_at = excluded.seen_at"
)
ALIVE = "SELECT id, bus_id, version, started_at, seen_at FROM worker WHERE seen_at > {0} - $1 ORDER BY started_at, id"
FORGOTTEN_MS = 24 * 3_600_000
"""After this the row of a worker that was killed goes, too."""


class WorkerEntry(msgspec.Struct, frozen=True):
    """`bus_id`: of what carries its news. Times are Unix milliseconds of the store's clock."""

    id: str
    bus_id: str | None
    version: str
    started_at_ms: int
    seen_at_ms: int


class WorkerBook:
    def __init__(self, database: Database) -> None:
        self._database = database
        self._stamp, self._alive = STAMP.format(database.clock_sql), ALIVE.format(database.clock_sql)
        self._forget = f"DELETE FROM worker WHERE seen_at < {database.clock_sql} - $1"

    async def stamp(self, worker: str, bus_id: str | None, version: str) -> None:
        """It lives, now."""
        await self._database.write(self._stamp, worker, bus_id, version)

    async def alive(self, within_ms: int) -> Sequence[WorkerEntry]:
        """Those that have stamped themselves lately, the oldest worker first."""
        return [WorkerEntry(*row) for row in await self._database.fetch(self._alive, within_ms)]

    async def gone(self, worker: str) -> None:
        """It has ended; others that have long been silent go with it."""
        await self._database.write("DELETE FROM worker WHERE id = $1", worker)
        await self._database.write(self._forget, FORGOTTEN_MS)

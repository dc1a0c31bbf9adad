"""Durable commits per second on SQLite and PostgreSQL: one room, twenty rooms, full batches, beside bare inserts.

    python -m bench.commit [--seconds 3] [--folder .] [--only sqlite] [--only postgres]

Every operation has an outcome row and about 400 bytes each of effect and inverse. The reference of each store does the
same inserts with nothing of ours around them, one transaction an operation, before and after, so that ratios can be
compared between machines. PostgreSQL is one of this machine's own (`codraw[cluster]`), in a folder beside the file.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import platform
import sqlite3
import tempfile
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import asyncpg
import msgspec

from bench.options import seconds
from codraw.local_stores import LocalPostgres
from collab.core.effects import Commit
from collab.core.events import Committed
from protocol.operations import CellEffect, CellInverse, Effect, Inverse, Kind, LoggedOperation, Outcome, Verb, Verdict
from protocol.values import CellId, DiagramId, Epoch, Head, OperationId, ThreatModelId, User
from rest.ports import NewDiagram, ThreatModel
from storage.database import Database
from storage.diagrams import SqlDiagrams
from storage.migrations.migrate import migrate
from storage.models import SqlModels
from storage.postgres import PostgresDatabase
from storage.sqlite import SqliteDatabase

ANA = User("test", "ana", "ana@example.com", "Ana")
EPOCH = Epoch("00000000000000aa")
MODEL = ThreatModelId("m")
CELL: dict[str, Any] = {
    "id": "7d3e6f5a-1b2c-4d3e-8f90-a1b2c3d4e5f6",
    "shape": "process",
    "x": 100,
    "y": 200,
    "width": 120,
    "height": 80,
    "label": "Payment service",
    "attrs": {"body": {"fill": "#dae8fc", "stroke": "#6c8ebf"}, "text": {"fontSize": 14, "text": "Payment service"}},
    "data": {
        "description": "Takes orders, charges cards, tells the warehouse.",
        "owner": "payments",
        "zone": "internal",
    },
}


class Room:
    def __init__(self, store: SqlDiagrams, id: DiagramId, head: Head, batch: int) -> None:
        self.store, self.id, self.head, self.batch = store, id, head, batch
        self.waited_ms: list[float] = []

    async def run(self, until: float) -> None:
        while time.perf_counter() < until:
            operations = tuple(operation(self.head.vector + n) for n in range(1, self.batch + 1))
            commit = Commit(self.head, operations, tuple(outcome(done) for done in operations))
            begun = time.perf_counter()
            assert await self.store.commit(self.id, commit) == Committed()
            self.waited_ms.append((time.perf_counter() - begun) * 1000)
            last = operations[-1]
            self.head = Head(EPOCH, last.vector, last.state_hash, self.head.acl_version)


def operation(vector: int) -> LoggedOperation:
    cell = {**CELL, "x": vector}
    return LoggedOperation(
        vector=vector,
        operation_id=OperationId(f"0b9c1d2e-3f40-4a5b-8c6d-{vector:012x}"),
        user=ANA,
        kind=Kind.EDIT,
        effect=Effect((CellEffect(CellId(CELL["id"]), Verb.ADD, cell),)),
        inverse=Inverse((CellInverse(CellId(CELL["id"]), Verb.ADD, cell),)),
        state_hash=vector,
        at_ms=1_800_000_000_000 + vector,
    )


def outcome(of: LoggedOperation) -> Outcome:
    return Outcome(of.user.id, of.operation_id, b"\1" * 32, Verdict.ACCEPTED, EPOCH, of.vector)


async def measure(database: Database, rooms: int, batch: int, seconds: float) -> tuple[float, float, float]:
    """Operations a second, and p50 and p99 of a commit in milliseconds."""
    await migrate(database)
    models, store = SqlModels(database), SqlDiagrams(database)
    await models.create(ThreatModel(MODEL, ANA, ANA, 0, 0, {}, (), {}))
    made = []
    for n in range(rooms):
        id = DiagramId(f"d{n}")
        await models.create_diagram(NewDiagram(id, MODEL, EPOCH, {}, (), 0))
        made.append(Room(store, id, (await store.heads([id]))[id], batch))
    begun = time.perf_counter()
    async with asyncio.TaskGroup() as tasks:
        for room in made:
            tasks.create_task(room.run(begun + seconds))
    took = time.perf_counter() - begun
    waited = sorted(ms for room in made for ms in room.waited_ms)
    return len(waited) * batch / took, waited[len(waited) // 2], waited[len(waited) * 99 // 100]


class Sqlite:
    name = f"SQLite {sqlite3.sqlite_version}"

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    @asynccontextmanager
    async def fresh(self, name: str) -> AsyncIterator[Database]:
        database = SqliteDatabase(self._folder / f"{name}.db")
        yield database
        await database.close()

    async def reference(self, seconds: float) -> float:
        """Bare transactions a second: head, outcome and log row, as the schema has them."""
        path = self._folder / f"reference-{time.monotonic_ns()}.db"
        with sqlite3.connect(path, isolation_level=None) as connection:
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("PRAGMA synchronous = FULL")
            connection.execute("CREATE TABLE head (id INTEGER PRIMARY KEY, vector INTEGER) STRICT")
            connection.execute("CREATE TABLE outcome (id TEXT PRIMARY KEY, sha BLOB, vector INTEGER) STRICT")
            connection.execute("CREATE TABLE op (vector INTEGER PRIMARY KEY, effect TEXT, inverse TEXT) STRICT")
            connection.execute("INSERT INTO head VALUES (1, 0)")
            text = msgspec.json.encode(operation(1).effect).decode()
            done, until = 0, time.perf_counter() + seconds
            while time.perf_counter() < until:
                done += 1
                connection.execute("BEGIN IMMEDIATE")
                connection.execute("UPDATE head SET vector = ? WHERE id = 1", (done,))
                connection.execute("INSERT INTO outcome VALUES (?, ?, ?)", (f"id-{done}", b"\1" * 32, done))
                connection.execute("INSERT INTO op VALUES (?, ?, ?)", (done, text, text))
                connection.execute("COMMIT")
        connection.close()
        return done / seconds

    def close(self) -> None:
        pass


class Postgres:
    """Twenty rooms need no twenty connections: the pool is that of a worker."""

    def __init__(self, folder: Path) -> None:
        self._server = LocalPostgres(folder / "postgres")
        self._server.start()
        self.name = f"PostgreSQL of {self._server.binaries}"

    @asynccontextmanager
    async def fresh(self, name: str) -> AsyncIterator[Database]:
        database = await PostgresDatabase.open(self._server.create_database(f"bench_{name}"))
        yield database
        await database.close()

    async def reference(self, seconds: float) -> float:
        """The same three writes as one bare statement."""
        url = self._server.create_database(f"reference_{time.monotonic_ns()}")
        connection = await asyncpg.connect(url)
        await connection.execute("CREATE TABLE head (id bigint PRIMARY KEY, vector bigint) WITH (fillfactor = 50)")
        await connection.execute("CREATE TABLE outcome (id text PRIMARY KEY, sha bytea, vector bigint)")
        await connection.execute("CREATE TABLE op (vector bigint PRIMARY KEY, effect text, inverse text)")
        await connection.execute("INSERT INTO head VALUES (1, 0)")
        text = msgspec.json.encode(operation(1).effect).decode()
        sql = (
            "WITH h AS (UPDATE head SET vector = $1 WHERE id = 1), o AS (INSERT INTO outcome VALUES ($2, $3, $1))"
            " INSERT INTO op VALUES ($1, $4, $4)"
        )
        done, until = 0, time.perf_counter() + seconds
        while time.perf_counter() < until:
            done += 1
            await connection.execute(sql, done, f"id-{done}", b"\1" * 32, text)
        await connection.close()
        return done / seconds

    def close(self) -> None:
        self._server.stop()


STORES: dict[str, Callable[[Path], Sqlite | Postgres]] = {"sqlite": Sqlite, "postgres": Postgres}


async def report(store: Sqlite | Postgres, seconds: float) -> None:
    print(store.name)
    bare = await store.reference(seconds)
    print(f"{'reference: bare inserts':30} {bare:8.0f} op/s")
    for rooms, batch in ((1, 1), (20, 1), (1, 64), (20, 16)):
        async with store.fresh(f"{rooms}_{batch}") as database:
            rate, p50, p99 = await measure(database, rooms, batch, seconds)
        what = f"{rooms} room{'s' * (rooms > 1)}, batches of {batch}"
        print(f"{what:30} {rate:8.0f} op/s  p50 {p50:6.2f} ms  p99 {p99:6.2f} ms  {rate / bare:5.2f} of the reference")
    print(f"{'reference again':30} {await store.reference(seconds):8.0f} op/s")


def fsync_ms(folder: Path) -> float:
    """Median of 4 KiB written and synced."""
    took = []
    with (folder / "fsync").open("wb") as file:
        for _ in range(200):
            begun = time.perf_counter()
            file.write(bytes(4096))
            file.flush()
            os.fdatasync(file.fileno())
            took.append(time.perf_counter() - begun)
    return sorted(took)[100] * 1000


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--seconds", type=seconds, default=3.0, help="of each measurement")
    arguments.add_argument("--folder", type=Path, default=None, help="on the disk to measure")
    arguments.add_argument("--only", choices=STORES, action="append", help="both by default")
    given = arguments.parse_args()
    with tempfile.TemporaryDirectory(dir=given.folder) as name:
        folder = Path(name)
        size = len(msgspec.json.encode(operation(1).effect))
        print(f"{platform.platform()}, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}")
        print(f"Python {platform.python_version()}; effects of {size} bytes; fdatasync {fsync_ms(folder):.2f} ms")
        for each in given.only or STORES:
            store = STORES[each](folder)
            try:
                asyncio.run(report(store, given.seconds))
            finally:
                store.close()


if __name__ == "__main__":
    main()

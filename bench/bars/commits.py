"""What a durable commit takes on this file system: the same three writes to SQLite, with nothing of ours around."""

from __future__ import annotations

import sqlite3
import time
from pathlib import Path
from typing import NamedTuple

PACE_S = 0.005
"""Between two, as an editor of an idle diagram leaves time: back to back they are quicker."""


class Commit(NamedTuple):
    """`cpu_us`: user and system time, which fsync is most of: no operation that is committed alone can cost less."""

    p50_ms: float
    p99_ms: float
    cpu_us: float

    @property
    def told(self) -> str:
        return f"p50 {self.p50_ms:.2f} ms, p99 {self.p99_ms:.2f} ms, {self.cpu_us:.0f} us of CPU"


def bare_commits(folder: Path, count: int = 200, pace_s: float = PACE_S) -> Commit:
    path = folder / f"bare-{time.monotonic_ns()}.db"
    took, cpu_s = [], 0.0
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute("CREATE TABLE head (id INTEGER PRIMARY KEY, vector INTEGER) STRICT")
    connection.execute("CREATE TABLE outcome (id TEXT PRIMARY KEY, sha BLOB, vector INTEGER) STRICT")
    connection.execute("CREATE TABLE op (vector INTEGER PRIMARY KEY, effect TEXT, inverse TEXT) STRICT")
    connection.execute("INSERT INTO head VALUES (1, 0)")
    for vector in range(count):
        time.sleep(pace_s)
        begun, used = time.perf_counter(), time.thread_time()
        connection.execute("BEGIN IMMEDIATE")
        connection.execute("UPDATE head SET vector = ? WHERE id = 1", (vector,))
        connection.execute("INSERT INTO outcome VALUES (?, ?, ?)", (f"id-{vector}", b"\1" * 32, vector))
        connection.execute("INSERT INTO op VALUES (?, ?, ?)", (vector, "x" * 400, "x" * 400))
        connection.execute("COMMIT")
        took.append((time.perf_counter() - begun) * 1_000)
        cpu_s += time.thread_time() - used
    connection.close()
    took.sort()
    return Commit(took[count // 2], took[count * 99 // 100], cpu_s / count * 1e6)

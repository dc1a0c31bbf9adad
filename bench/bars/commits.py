"""What a durable commit takes on this file system: the same three writes to SQLite, with nothing of ours around."""

from __future__ import annotations

import sqlite3
import time
from pathlib import Path

PACE_S = 0.005
"""Between two, as an editor of an idle diagram leaves time: back to back they are quicker."""


def bare_commits_ms(folder: Path, count: int = 200, pace_s: float = PACE_S) -> list[float]:
    """Sorted."""
    path = folder / f"bare-{time.monotonic_ns()}.db"
    took = []
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute("CREATE TABLE head (id INTEGER PRIMARY KEY, vector INTEGER) STRICT")
    connection.execute("CREATE TABLE outcome (id TEXT PRIMARY KEY, sha BLOB, vector INTEGER) STRICT")
    connection.execute("CREATE TABLE op (vector INTEGER PRIMARY KEY, effect TEXT, inverse TEXT) STRICT")
    connection.execute("INSERT INTO head VALUES (1, 0)")
    for vector in range(count):
        time.sleep(pace_s)
        begun = time.perf_counter()
        connection.execute("BEGIN IMMEDIATE")
        connection.execute("UPDATE head SET vector = ? WHERE id = 1", (vector,))
        connection.execute("INSERT INTO outcome VALUES (?, ?, ?)", (f"id-{vector}", b"\1" * 32, vector))
        connection.execute("INSERT INTO op VALUES (?, ?, ?)", (vector, "x" * 400, "x" * 400))
        connection.execute("COMMIT")
        took.append((time.perf_counter() - begun) * 1_000)
    connection.close()
    return sorted(took)


def percentiles(sorted_ms: list[float]) -> tuple[float, float]:
    """p50 and p99."""
    return sorted_ms[len(sorted_ms) // 2], sorted_ms[len(sorted_ms) * 99 // 100]

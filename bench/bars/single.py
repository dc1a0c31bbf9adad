"""B6 and B7: one editor alone on an idle diagram, and what an operation costs without anybody else to tell."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from statistics import median

from bench.bars.commits import bare_commits
from bench.bars.contestants import Codraw
from bench.bars.programs import BENCH, ROOT, Failed, bound, generated
from bench.growth.results import Row
from bench.peers import Load

PER_SECOND = 100.0
"""So slow that each operation finds an idle diagram; the bare loop pauses likewise."""
ABOVE_COMMIT_MS = 0.3
PATH_US, STORE_US = 50.0, 22.0
PATH_S = 180.0
TWO_BATCHES = 128
"""One of 64 is committed while the next one waits."""


def receipt_rows(codraw: Codraw, generator: Path, folder: Path, rounds: int, seconds: float, seed: int) -> list[Row]:
    """B6. Raises Failed."""
    receipts, commits = [], []
    for number in range(rounds):
        load = Load(
            port=codraw.process.port, pids=(codraw.process.pid,), rooms=1, editors=1, senders=1, window=1,
            rate=PER_SECOND, warm=0.3, seconds=seconds, sample=1,
        )  # fmt: skip
        commits.append(bare_commits(folder, round(seconds * PER_SECOND), 1 / PER_SECOND))
        (result,) = generated(generator, f"seed {seed * 1_000 + 700 + number}\n{codraw.plan(load)}", seconds)
        codraw.check(result)
        receipts.append((result["receipt_ms"]["p50"], result["receipt_ms"]["p99"]))
    (p50, p99), (commit_p50, commit_p99, _) = sorted(receipts)[rounds // 2], sorted(commits)[rounds // 2]
    bar_is = f"<= commit + {ABOVE_COMMIT_MS:g} ms"
    return [
        Row("B6", "p50 ms of a receipt, one editor, idle diagram, against a bare commit", round(p50, 3),
            round(commit_p50, 3), round(p50 / commit_p50, 2), bar_is, p50 <= commit_p50 + ABOVE_COMMIT_MS),
        Row("", "p99 ms of the same", round(p99, 3), round(commit_p99, 3), round(p99 / commit_p99, 2), "", None),
    ]  # fmt: skip


def path_rows(rounds: int, operations: int) -> list[Row]:
    """B7, by bench.path in a process of its own. Raises Failed."""
    results = BENCH / "results"
    before = set(results.glob("path-*.json"))
    done = subprocess.run(
        [sys.executable, "-m", "bench.path", "--rounds", str(rounds), "--operations", str(operations)],
        cwd=ROOT, capture_output=True, text=True, check=False, timeout=PATH_S, preexec_fn=bound(frozenset()),
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    made = sorted(set(results.glob("path-*.json")) - before)
    if done.returncode or not made:
        raise Failed(f"bench.path ended with {done.returncode}: {done.stderr[-300:]}")
    return rows_of_path(json.loads(made[-1].read_text("utf-8")))


def rows_of_path(result: dict[str, object]) -> list[Row]:
    """In all and the store have a bar; the other parts are told."""
    whole: dict[str, float] = result["in_all_us"]  # type: ignore[assignment]
    parts: dict[str, float] = result["parts_us"]  # type: ignore[assignment]
    in_all = whole["median"]
    rows = [Row("B7", "CPU us an operation in one process, no network, in all", in_all, None, None,
                f"<= {PATH_US:g} us", in_all <= PATH_US)]  # fmt: skip
    for name, us in parts.items():
        if name.startswith("store"):
            rows.append(Row("B7", f"of it {name}", us, None, None, f"<= {STORE_US:g} us", us <= STORE_US))
        else:
            rows.append(Row("", f"B7, part: {name.strip()}", us, None, None, "", None))
    return rows


def alone_rows(codraw: Codraw, generator: Path, rounds: int, seconds: float, seed: int) -> list[Row]:
    """B7 on the real server: one sender with nobody else in the room. Raises Failed."""
    costs = []
    for number in range(rounds):
        load = Load(
            port=codraw.process.port, pids=(codraw.process.pid,), rooms=1, editors=1, senders=1, window=TWO_BATCHES,
            rate=0, warm=0.5, seconds=seconds, sample=64,
        )  # fmt: skip
        (result,) = generated(generator, f"seed {seed * 1_000 + 800 + number}\n{codraw.plan(load)}", seconds)
        codraw.check(result)
        costs.append(result["server_cpu_s"][0] / max(result["receipts"], 1) * 1e6)
    us = round(median(costs), 1)
    what = f"CPU us an operation of the real server, one sender alone, {TWO_BATCHES} under way"
    return [Row("B7", what, us, None, None, f"<= {PATH_US:g} us", us <= PATH_US)]

"""The loads P1 to P4 and P12: two workers on PostgreSQL and Redis, the load tool's editors, figures beside their aims.

    python -m bench.loads P1 P2 … | all [--scale 0.1] [--workers 2] [--seed 1] [--folder .]

At `--scale 1` they are as large and as long as they are meant to be; less makes P1 and P2 shorter, P3 and P12 smaller,
P4 both. The workers, PostgreSQL, Redis and the editors share this machine, so each load stands beside a reference of
the same minute: forced commits of a bare loop on the same PostgreSQL, and echoes of a bare socket. Printed, and written
as text and JSON to bench/results/.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import platform
import signal
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import asyncpg
import msgspec
import redis
import uvloop

from bench.growth.results import commit_name
from codraw.load.plan import Plan
from codraw.load.report import head, line, rows, tallies, verdict
from codraw.load.results import Results
from codraw.load.run import Run
from codraw.load.scenarios import Scenario
from codraw.load.usage import TICK_S, use
from codraw.local_stores import LocalPostgres, LocalRedis, free_port, postgres_binaries

ROOT = Path(__file__).resolve().parent.parent
RESULTS = ROOT / "bench" / "results"
START_S = 60.0
REFERENCE_S = 2.0
STATEMENTS = "pg_stat_statements"
SETTLED_S = 60
"""What sessions leave behind for a while, such as presence and rooms nobody needs, is gone by then."""

PLANS: dict[str, dict[str, Any]] = {
    "P1": {"editors": 1_000, "diagrams": 50, "rate": 0.3, "duration_s": 1_800.0},
    "P2": {"editors": 50, "diagrams": 1, "rate": 2.0, "duration_s": 300.0},
    "P3": {"editors": 5_000, "diagrams": 250, "rate": 0.02, "duration_s": 60.0, "scenario": Scenario.JOIN_STORM},
    "P4": {
        "editors": 500,
        "diagrams": 25,
        "rate": 0.3,
        "duration_s": 600.0,
        "scenario": Scenario.SLOW_READERS,
        "padding": 16_384,
    },
    "P12": {"editors": 40, "diagrams": 20, "sessions": 10_000, "at_once": 20, "scenario": Scenario.SESSIONS},
}
SMALLEST_S = 20.0
AIMS = {
    "P1": "receipt p50 <= 10, p99 <= 60 ms; delivery p99 <= 100 ms; 0 errors",
    "P2": "p99 <= 150 ms; misses <= 5 %",
    "P3": "in sync <= 30 s; no full state inside the horizon; <= 400 MiB a worker",
    "P4": "others' p99 < 2 x the same minutes without; memory bounded; 4408 <= 30 s after overflow; resume works",
    "P12": "0 leaked tasks, keys, rows",
}


class House:
    """PostgreSQL, Redis and workers of this machine, on free ports."""

    def __init__(self, folder: Path, workers: int, *, counted: bool) -> None:
        binaries = counting_binaries() if counted else None
        self.postgres = LocalPostgres(folder / "postgres", binaries=binaries)
        self.redis = LocalRedis(folder / "redis")
        self.is_counted = binaries is not None
        self.workers: list[subprocess.Popen[bytes]] = []
        self.urls: list[str] = []
        self._folder, self._count = folder, workers

    def __enter__(self) -> House:
        self.postgres.start()
        self.redis.start()
        if self.is_counted:
            asyncio.run(execute(self.postgres.url, f"ALTER SYSTEM SET shared_preload_libraries = '{STATEMENTS}'"))
            self.postgres.stop()
            self.postgres.start()
            asyncio.run(execute(self.postgres.url, f"CREATE EXTENSION {STATEMENTS}"))
        for _ in range(self._count):
            self._start()
        return self

    def __exit__(self, *_: object) -> None:
        for worker in self.workers:
            worker.send_signal(signal.SIGTERM)
        for worker in self.workers:
            try:
                worker.wait(30)
            except subprocess.TimeoutExpired:
                print(f"  worker {worker.pid} did not end within 30 s")
                worker.kill()
        self.redis.stop()
        self.postgres.stop()

    def _start(self) -> None:
        port = free_port()
        environment = {
            "PATH": os.environ.get("PATH", "/usr/bin:/bin"),
            "PYTHONPATH": str(ROOT),
            "CODRAW_SECRET_KEY": "of this bench alone, of this bench alone",
            "CODRAW_STORE_URL": self.postgres.url,
            "CODRAW_REDIS_URL": self.redis.url,
            "CODRAW_LOG_LEVEL": "warning",
        }
        command = [sys.executable, "-m", "codraw", "serve", "--dev", "--port", str(port)]
        with self.log(len(self.workers)).open("wb") as log:
            worker = subprocess.Popen(command, cwd=self._folder, env=environment, stdout=log, stderr=log)
        self.workers.append(worker)
        self.urls.append(f"http://127.0.0.1:{port}")
        await_health(worker, self.urls[-1], self.log(len(self.workers) - 1))

    def log(self, number: int) -> Path:
        return self._folder / f"worker{number}.log"

    @property
    def troubles(self) -> list[str]:
        """What the workers logged beside their banner, shortened."""
        lines = [text for n in range(len(self.workers)) for text in self.log(n).read_text("utf-8").splitlines()]
        return [text[:300] for text in lines if "[warning" in text or "[error" in text or "Traceback" in text]


def counting_binaries() -> Path | None:
    """A PostgreSQL that counts statements, so that misses show: a commit that misses returns no row."""
    found = [
        path for path in Path("/usr/lib/postgresql").glob("*/bin") if (path.parent / f"lib/{STATEMENTS}.so").exists()
    ]
    mine = postgres_binaries()
    if mine is not None and list(mine.parent.glob(f"lib/**/{STATEMENTS}.so")):
        found.append(mine)
    return found[-1] if found else None


def await_health(worker: subprocess.Popen[bytes], url: str, log: Path) -> None:
    deadline = time.monotonic() + START_S
    while time.monotonic() < deadline and worker.poll() is None:
        try:
            with urllib.request.urlopen(f"{url}/readyz", timeout=5):
                return
        except OSError:
            time.sleep(0.05)
    worker.kill()
    raise SystemExit(f"a worker did not start:\n{log.read_text('utf-8')[-3_000:]}")


async def execute(url: str, *statements: str) -> None:
    connection = await asyncpg.connect(url)
    for statement in statements:
        await connection.execute(statement)
    await connection.close()


async def query(url: str, statement: str) -> list[Any]:
    connection = await asyncpg.connect(url)
    try:
        return list(await connection.fetch(statement))
    finally:
        await connection.close()


# the reference --------------------------------------------------------------------------------------------------------


async def reference(postgres: str) -> dict[str, float]:
    """Milliseconds, medians and p99: a forced commit of one row, and an echo of 400 bytes on loopback."""
    commits = sorted(await bare_commits(postgres))
    echoes = sorted(await bare_echoes())
    return {
        "commits_per_s": round(len(commits) / REFERENCE_S),
        **{f"commit_p{p}_ms": round(commits[len(commits) * p // 100] * 1_000, 3) for p in (50, 99)},
        **{f"echo_p{p}_ms": round(echoes[len(echoes) * p // 100] * 1_000, 3) for p in (50, 99)},
    }


async def bare_commits(url: str) -> list[float]:
    connection = await asyncpg.connect(url)
    await connection.execute("CREATE TABLE IF NOT EXISTS bare (id bigserial PRIMARY KEY, body text)")
    took, end = [], time.perf_counter() + REFERENCE_S
    while (begun := time.perf_counter()) < end:
        await connection.execute("INSERT INTO bare (body) VALUES ($1)", "x" * 400)
        took.append(time.perf_counter() - begun)
    await connection.execute("DROP TABLE bare")
    await connection.close()
    return took


async def bare_echoes() -> list[float]:
    over = asyncio.Event()

    async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(4_096):
            writer.write(data)
        writer.close()
        over.set()

    server = await asyncio.start_server(echo, "127.0.0.1", 0)
    reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
    took, end = [], time.perf_counter() + REFERENCE_S
    while (begun := time.perf_counter()) < end:
        writer.write(b"x" * 400)
        await reader.readexactly(400)
        took.append(time.perf_counter() - begun)
    writer.close()
    await over.wait()
    server.close()
    return took


# what only the machine itself can tell --------------------------------------------------------------------------------


async def misses(url: str) -> dict[str, Any]:
    """Of the statement that commits: how often it was tried, and how often it found another head."""
    found = await query(
        url,
        f"SELECT calls, rows FROM {STATEMENTS} WHERE query ILIKE '%UPDATE diagram_head SET vector = vector +%'"
        " ORDER BY calls DESC",
    )
    calls, hits = sum(row["calls"] for row in found), sum(row["rows"] for row in found)
    return {"commits_tried": calls, "misses": calls - hits, "missed": f"{(calls - hits) / max(calls, 1):.2%}"}


def left_behind(house: House) -> dict[str, Any]:
    """Keys in Redis, sessions in PostgreSQL that live, and what the workers hold."""
    live = asyncio.run(query(house.postgres.url, "SELECT count(*) AS n FROM session WHERE ended_at IS NULL"))
    with redis.Redis.from_url(house.redis.url) as client:
        keys = sorted(key.decode() for key in client.scan_iter())
        channels = client.pubsub_channels()
    return {
        "live_sessions": live[0]["n"],
        "redis_keys": len(keys),
        "redis_keys_shown": keys[:5],
        "redis_channels": len(channels),
        "rows": row_counts(house.postgres.url),
        "workers": [msgspec.to_builtins(use(worker.pid)) for worker in house.workers],
    }


def row_counts(url: str) -> dict[str, int]:
    names = asyncio.run(query(url, "SELECT tablename FROM pg_tables WHERE schemaname = 'public' ORDER BY 1"))
    counted = {row["tablename"]: asyncio.run(query(url, f'SELECT count(*) AS n FROM "{row["tablename"]}"'))
               for row in names}  # fmt: skip
    return {name: found[0]["n"] for name, found in counted.items() if found[0]["n"]}


def stores_cpu_s(house: House) -> dict[str, float]:
    """Of PostgreSQL with all its backends, ended ones included, and of Redis."""
    postgres = redis_s = 0.0
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if int(fields[1]) == house.postgres.pid or stat.parent.name == str(house.postgres.pid):
            ended = fields[13:15] if stat.parent.name == str(house.postgres.pid) else []
            postgres += sum(map(int, [*fields[11:13], *ended])) * TICK_S
        elif stat.parent.name == str(house.redis.pid):
            redis_s = sum(map(int, fields[11:13])) * TICK_S
    return {"postgres": round(postgres, 2), "redis": round(redis_s, 2)}


class SlowSockets:
    """How many connections the workers still hold, once a second: the end of a slow reader shows there first."""

    def __init__(self, house: House) -> None:
        self._ports = {int(url.rpartition(":")[2]) for url in house.urls}
        self.seen: list[tuple[float, int, int]] = []

    def look(self, second: float) -> None:
        """(second, connections, bytes that the kernel holds for them)."""
        held = [int(fields[4].partition(":")[0], 16) for fields in self._sockets()]
        self.seen.append((round(second, 1), len(held), sum(held)))

    def _sockets(self) -> Iterator[list[str]]:
        for text in Path("/proc/net/tcp").read_text().splitlines()[1:]:
            fields = text.split()
            if int(fields[1].rpartition(":")[2], 16) in self._ports and fields[3] == "01":
                yield fields


# one load -------------------------------------------------------------------------------------------------------------


def scaled(name: str, scale: float) -> dict[str, Any]:
    plan = dict(PLANS[name])
    if name == "P12":
        plan["sessions"] = max(20, round(plan["sessions"] * scale))
    elif name == "P3":
        plan["diagrams"] = max(2, round(plan["diagrams"] * scale))
        plan["editors"] = 20 * plan["diagrams"]
    elif name == "P4":
        # shorter and fewer, but what a slow reader misses must still overflow what is kept for it
        plan["diagrams"] = max(2, round(plan["diagrams"] * scale))
        plan["editors"] = 20 * plan["diagrams"]
        plan["duration_s"] = max(120.0, plan["duration_s"] * scale)
        plan["padding"] = min(60_000, round(plan["padding"] * 600.0 / plan["duration_s"]))
    else:
        plan["duration_s"] = max(SMALLEST_S, plan["duration_s"] * scale)
    return plan


def load(name: str, given: argparse.Namespace, folder: Path) -> dict[str, Any]:
    folder.mkdir()
    with House(folder, given.workers, counted=name == "P2") as house:
        pids = tuple(worker.pid for worker in house.workers)
        plan = Plan(urls=tuple(house.urls), seed=given.seed, pids=pids, settle_s=60.0, **scaled(name, given.scale))
        before = asyncio.run(reference(house.postgres.url))
        more: dict[str, Any] = {"left_before": left_behind(house)} if name == "P12" else {}
        sockets, cpu = SlowSockets(house), stores_cpu_s(house)

        def watch(sample: Any, _: Any) -> None:
            sockets.look(sample.second)
            if round(sample.second) % 10 == 0:
                print("  " + line(sample), flush=True)

        found = run(Run(plan.checked(), watch, f"python -m bench.loads {name} --scale {given.scale:g}"))
        more["stores_cpu_s"] = {name: round(now - cpu[name], 2) for name, now in stores_cpu_s(house).items()}
        after = asyncio.run(reference(house.postgres.url))
        if name == "P2" and house.is_counted:
            more |= asyncio.run(misses(house.postgres.url))
        if name == "P4":
            more["connections"] = sockets.seen
        if name == "P12":
            more["left_at_once"] = left_behind(house)
            time.sleep(SETTLED_S)
            more["left_behind"] = left_behind(house)
        more["logged"] = house.troubles
    return {"load": name, "aim": AIMS[name], "scale": given.scale, "reference_before": before,
            "reference_after": after, **more, "results": found}  # fmt: skip


def run(one: Run) -> Results:
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(one.run())


def told(found: dict[str, Any]) -> str:
    results: Results = found["results"]
    lines = [f"\n{found['load']}  scale {found['scale']:g}", f"  aim        {found['aim']}"]
    lines += [f"  {sentence}" for sentence in head(results)[1:]]
    lines += [f"  {'milliseconds':30}{'count':>9}{'p50':>10}{'p90':>10}{'p99':>10}{'p99.9':>10}{'max':>10}"]
    lines += [f"  {name:30}{row[0]:>9}" + "".join(f"{figure:>10}" for figure in row[1:]) for name, row in rows(results)]
    for title, counts in tallies(results).items():
        if counts:
            lines.append(f"  {title}: " + ", ".join(f"{name} {n}" for name, n in counts.items()))
    lines += [f"  {example}" for example in results.examples]
    lines += [f"  {remark}" for remark in results.remarks]
    for name in ("reference_before", "reference_after", "commits_tried", "misses", "missed", "stores_cpu_s",
                 "left_before", "left_at_once", "left_behind"):  # fmt: skip
        if name in found:
            lines.append(f"  {name}: {json.dumps(found[name])}")
    if "connections" in found:
        picked = found["connections"][:: max(1, len(found["connections"]) // 12)]
        lines.append(
            "  connections and MiB in the kernel: " + ", ".join(f"{s:g} s {n} {b >> 20}" for s, n, b in picked)
        )
    lines += [f"  logged: {text}" for text in found["logged"][:10]]
    lines.append(f"  {verdict(results)}")
    return "\n".join(lines)


@contextmanager
def working_folder(given: Path | None) -> Iterator[Path]:
    with tempfile.TemporaryDirectory(dir=given, prefix="codraw-loads-") as name:
        folder = Path(name)
        folder.chmod(0o755)  # PostgreSQL runs as another user where we are root
        yield folder


def main() -> int:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("loads", nargs="+", choices=[*PLANS, "all"])
    arguments.add_argument("--scale", type=float, default=1.0)
    arguments.add_argument("--workers", type=int, default=2)
    arguments.add_argument("--seed", type=int, default=1)
    arguments.add_argument("--folder", type=Path, default=None, help="on the disk to use")
    given = arguments.parse_args()
    chosen = list(PLANS) if "all" in given.loads else given.loads
    title = (
        f"{platform.platform()}, {os.cpu_count()} cores, Python {platform.python_version()}, commit {commit_name()},"
        f" {given.workers} workers, seed {given.seed}"
    )
    print(title, flush=True)
    texts, found = [title], []
    with ExitStack() as stack:
        folder = stack.enter_context(working_folder(given.folder))
        for name in chosen:
            found.append(load(name, given, folder / name))
            texts.append(told(found[-1]))
            print(texts[-1], flush=True)
    RESULTS.mkdir(exist_ok=True)
    stamp = time.strftime("%Y%m%d-%H%M%S")
    (RESULTS / f"loads-{stamp}.txt").write_text("\n".join(texts) + "\n", "utf-8")
    (RESULTS / f"loads-{stamp}.json").write_bytes(msgspec.json.format(msgspec.json.encode(found), indent=1))
    return 0 if all(one["results"].is_good for one in found) else 1


if __name__ == "__main__":
    sys.exit(main())

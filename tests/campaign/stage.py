"""A cluster of real processes: PostgreSQL, Redis, and workers that reach both, and are reached, by own proxies.

With `processes` above 1 each worker is the parent of so many, on one port. With `workers=1, sqlite=True` the same on
one worker and a file, for what needs no more.
"""

from __future__ import annotations

import asyncio
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Self

import httpx2
import psutil  # type: ignore[import-untyped]

from codraw.local_stores import LocalPostgres, LocalRedis, free_port
from tests.campaign.postgres_wire import PostgresWire
from tests.campaign.proxy import Plain, Proxy, Spotter
from tests.campaign.redis_wire import RedisWire
from tests.support.tree import ROOT

SECRET = "a secret of the campaign, which no log may show"
START_PATIENCE_S = 90.0
STOP_PATIENCE_S = 40.0
LAUNCH = """
import ctypes, signal, sys
if sys.platform == "linux":  # whoever kills the campaign kills its servers: PR_SET_PDEATHSIG
    ctypes.CDLL(None).prctl(1, signal.SIGKILL)
from tests.campaign.planted import plant
plant({bug!r})
from codraw.cli import main
main()
"""
UNPLANTED = LAUNCH.replace("from tests.campaign.planted import plant\nplant({bug!r})\n", "")
WRONG = re.compile(r"Traceback \(most recent|Task exception|was never (?:awaited|retrieved)|CRITICAL")
TICKS = os.sysconf("SC_CLK_TCK")


class Worker:
    """One `codraw serve`. `front` is where clients come in; `database` and `bus` are its ways to the stores."""

    def __init__(
        self, number: int, folder: Path, settings: dict[str, str], bug: str | None, processes: int = 1
    ) -> None:
        self.number = number
        self.processes = processes
        self.folder = folder
        self.port = free_port()
        self.settings = settings
        self.bug = bug
        self.postgres, self.redis = PostgresWire(), RedisWire(number)
        self.spotter = Spotter()
        self.front = Proxy(self.port, lambda: (Plain(), self.spotter))
        self.database: Proxy | None = None
        self.bus: Proxy | None = None
        self.starts = 0
        self.paused = False
        self.secret = SECRET
        self.scanned = 0
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def http(self) -> str:
        return f"http://127.0.0.1:{self.front.port}"

    @property
    def ws(self) -> str:
        return f"ws://127.0.0.1:{self.front.port}"

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    @property
    def alive(self) -> bool:
        return self._process is not None and self._process.poll() is None

    @property
    def log(self) -> str:
        path = self.folder / f"worker-{self.number}.log"
        return path.read_text("utf-8", "replace") if path.exists() else ""

    @property
    def proxies(self) -> list[Proxy]:
        return [proxy for proxy in (self.front, self.database, self.bus) if proxy is not None]

    def launch(self) -> None:
        """Does not wait."""
        code = UNPLANTED if self.bug is None else LAUNCH.format(bug=self.bug)
        command = [sys.executable, "-c", code, "serve", "--dev", "--port", str(self.port)]
        if self.processes > 1:
            command += ["--workers", str(self.processes)]
        environment = {
            "PATH": "/usr/bin:/bin",
            "PYTHONPATH": str(ROOT),
            "PYTHONDONTWRITEBYTECODE": "1",
            "CODRAW_SECRET_KEY": SECRET,
            **{f"CODRAW_{name.upper()}": value for name, value in self.settings.items()},
        }
        with (self.folder / f"worker-{self.number}.log").open("ab") as log:
            self._process = subprocess.Popen(command, cwd=self.folder, env=environment, stdout=log, stderr=log)
        self.starts += 1
        self.paused = False

    async def ready(self) -> None:
        """It answers, by itself and without a proxy."""
        deadline = time.monotonic() + START_PATIENCE_S
        async with httpx2.AsyncClient(base_url=f"http://127.0.0.1:{self.port}", timeout=2) as http:
            while time.monotonic() < deadline and self.alive:
                try:
                    if (await http.get("/readyz")).status_code in (200, 404):
                        return
                except httpx2.HTTPError:
                    pass
                await asyncio.sleep(0.05)
        raise AssertionError(f"worker {self.number} did not start:\n{self.log[-4_000:]}")

    async def start(self) -> None:
        self.launch()
        await self.ready()

    def kill(self) -> None:
        """-9."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()

    def children(self) -> list[int]:
        """The processes that a parent of several has started, the youngest last."""
        found = psutil.Process(self.pid).children() if self.alive else []
        return [child.pid for child in sorted(found, key=lambda child: child.create_time())]

    def roll(self) -> None:
        os.kill(self.pid, signal.SIGHUP)

    def pause(self) -> None:
        os.kill(self.pid, signal.SIGSTOP)
        self.paused = True

    def go_on(self) -> None:
        if self.alive:
            os.kill(self.pid, signal.SIGCONT)
        self.paused = False

    async def stop(self) -> int:
        """As an operator stops it; the exit code."""
        assert self._process is not None
        self._process.terminate()
        deadline = time.monotonic() + STOP_PATIENCE_S
        while self.alive and time.monotonic() < deadline:  # noqa: ASYNC110 - another process tells nobody
            await asyncio.sleep(0.02)
        ended = self._process.poll()
        self.kill()
        return -1 if ended is None else ended

    def usage(self) -> dict[str, float]:
        """Resident MiB, descriptors and seconds of processor time."""
        if not self.alive:
            return {}
        base = Path(f"/proc/{self.pid}")
        fields = (base / "stat").read_text().rpartition(") ")[2].split()
        pages = int((base / "statm").read_text().split()[1])
        return {
            "rss_mib": round(pages * os.sysconf("SC_PAGE_SIZE") / 2**20, 1),
            "descriptors": len(list((base / "fd").iterdir())),
            "threads": int(fields[17]),
            "cpu_s": (int(fields[11]) + int(fields[12])) / TICKS,
        }


class Stage:
    def __init__(
        self,
        folder: Path,
        workers: int = 2,
        *,
        processes: int = 1,
        sqlite: bool = False,
        bug: str | None = None,
        **settings: str,
    ) -> None:
        self.folder = folder
        self.count = workers
        self.processes = processes
        self.sqlite = sqlite
        self.bug = bug
        self.settings = settings
        self.postgres: LocalPostgres | None = None
        self.redis: LocalRedis | None = None
        self.workers: list[Worker] = []
        self.done: Counter[str] = Counter()

    async def __aenter__(self) -> Self:
        try:
            await self._start()
        except BaseException:
            await self.close()
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def _start(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        if not self.sqlite:
            self.postgres, self.redis = LocalPostgres(self.folder / "postgres"), LocalRedis(self.folder / "redis")
            await asyncio.gather(asyncio.to_thread(self.postgres.start), asyncio.to_thread(self.redis.start))
        self.workers = [
            Worker(number, self.folder, dict(self.settings), self.bug, self.processes)
            for number in range(1, self.count + 1)
        ]
        for worker in self.workers:
            await self._wire(worker)
            # One after the other: the first makes the schema.
            await worker.start()

    async def _wire(self, worker: Worker) -> None:
        await worker.front.start()
        if self.postgres is None or self.redis is None:
            worker.settings["store_url"] = f"sqlite:///{self.folder / 'codraw.db'}"
            return
        worker.database = await Proxy(self.postgres.port, worker.postgres.filters).start()
        worker.bus = await Proxy(self.redis.port, worker.redis.filters).start()
        worker.settings["store_url"] = f"postgresql://codraw@127.0.0.1:{worker.database.port}/codraw"
        worker.settings["redis_url"] = f"redis://127.0.0.1:{worker.bus.port}/0"

    async def close(self) -> None:
        for worker in self.workers:
            worker.kill()
            for proxy in worker.proxies:
                await proxy.close()
        for server in (self.postgres, self.redis):
            if server is not None and server.alive:
                await asyncio.to_thread(server.kill)

    def heal(self) -> None:
        for worker in self.workers:
            if worker.paused:
                worker.go_on()
            for proxy in worker.proxies:
                proxy.heal()
            worker.redis.harm = type(worker.redis.harm)()
            worker.postgres.watch = worker.redis.on_publish = worker.spotter.spotted = None

    async def whole(self) -> None:
        """Whatever was killed and is not back is started again."""
        for server in (self.postgres, self.redis):
            if server is not None and not server.alive:
                await asyncio.to_thread(server.start)
        for worker in self.workers:
            if not worker.alive:
                worker.launch()
            await worker.ready()

    def wires(self) -> dict[str, int]:
        """What the proxies have seen so far, by kind."""
        seen: Counter[str] = Counter()
        for worker in self.workers:
            seen.update({f"store: {kind}": count for kind, count in worker.postgres.counts.items()})
            seen.update({f"bus: {name}": count for name, count in worker.redis.commands.items()})
            seen.update({f"news: {name}": count for name, count in worker.redis.done.items()})
            seen["store: commit again"] += worker.postgres.again
        return dict(seen)

    def complaints(self, secrets: list[str]) -> Iterator[str]:
        """Of what the logs have said since they were last asked: lines that no server may write."""
        for worker in self.workers:
            told = worker.log
            fresh, worker.scanned = told[worker.scanned :], len(told)
            lines = fresh.splitlines()
            for number, line in enumerate(lines):
                if WRONG.search(line):
                    yield f"worker {worker.number}: {_gist(line, lines[number + 1 :])}"
            for secret in (SECRET, *secrets):
                if secret in fresh:
                    yield f"worker {worker.number} shows a secret"

    async def damage(self) -> str:
        """What `codraw verify` has to say of the store: nothing, if all is well."""
        url = f"sqlite:///{self.folder / 'codraw.db'}" if self.postgres is None else self.postgres.url
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "codraw", "verify", "--store", url,
            cwd=self.folder,
            env={"PATH": "/usr/bin:/bin", "PYTHONPATH": str(ROOT), "PYTHONDONTWRITEBYTECODE": "1"},
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )  # fmt: skip
        said, _ = await process.communicate()
        return "" if process.returncode == 0 else said.decode("utf-8", "replace")[-600:]

    async def rows(self, sql: str, *args: Any) -> list[dict[str, Any]]:
        """Asked of the store behind the servers' back."""
        if self.postgres is None:
            return await asyncio.to_thread(_sqlite_rows, self.folder / "codraw.db", sql, args)
        import asyncpg

        connection = await asyncpg.connect(self.postgres.url, timeout=10)
        try:
            return [dict(row) for row in await connection.fetch(sql, *args)]
        finally:
            await connection.close()


def _gist(line: str, after: Sequence[str]) -> str:
    """What crashed, where, and with what: the rest is in the log."""
    try:
        told = json.loads(line)
        trace = str(told.get("exception", "")).splitlines()
        said = str(told.get("event"))
    except ValueError:
        trace, said = list(after[:40]), line
    ours = [frame.strip(" |") for frame in trace if str(ROOT) in frame and ".venv" not in frame]
    last = [frame.strip(" |") for frame in trace if frame.strip(" |+-") and "File " not in frame]
    return f"{said}: Traceback … {' < '.join(reversed(ours[-3:]))} … {last[-1] if last else ''}".replace(str(ROOT), "")


def _sqlite_rows(path: Path, sql: str, args: tuple[Any, ...]) -> list[dict[str, Any]]:
    import sqlite3

    connection = sqlite3.connect(f"file:{path}?mode=ro", uri=True)
    try:
        connection.row_factory = sqlite3.Row
        return [dict(row) for row in connection.execute(re.sub(r"\$(\d)", r"?\1", sql), args)]
    finally:
        connection.close()

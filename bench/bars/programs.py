"""The C programs of the bench, compiled at run time, and processes that do not outlive the run."""

from __future__ import annotations

import ctypes
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from codraw.local_stores import free_port

BENCH = Path(__file__).resolve().parent.parent
ROOT = BENCH.parent
START_S = 60.0
STOP_S = 20.0
SPARE_S = 300.0
"""A run of the generator may take so much longer than its load: joining, draining."""
CPUS = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else []
SERVERS: frozenset[int] = frozenset(CPUS[:1])
"""The core of whatever server is measured; the generator has the next one, so that neither takes the other's time."""
CLIENTS: frozenset[int] = frozenset(CPUS[1:2] or CPUS[:1])


class Failed(Exception):
    """A sentence: what could not be measured, and why."""


def compiler() -> str | None:
    return next((found for name in ("cc", "gcc", "clang") if (found := shutil.which(name))), None)


def compiled(name: str, folder: Path) -> Path:
    """Raises Failed where there is no compiler, or where it objects."""
    cc = compiler()
    if cc is None or sys.platform != "linux":
        raise Failed("no C compiler on Linux here (cc, gcc or clang)")
    made = folder / name
    done = subprocess.run(
        [cc, "-O2", "-o", str(made), str(BENCH / f"{name}.c")], capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise Failed(f"{cc} could not compile {name}.c: {done.stderr[:500]}")
    return made


def bound(cpus: frozenset[int]) -> Callable[[], None]:
    """For a child before it begins: where it runs, and that it ends with this process (PR_SET_PDEATHSIG)."""
    prctl = ctypes.CDLL(None).prctl

    def bind() -> None:
        prctl(1, signal.SIGKILL)
        if cpus:
            os.sched_setaffinity(0, cpus)

    return bind


class Process:
    """A server on a port of its own. What it writes goes to a file beside its store."""

    def __init__(
        self, command: Sequence[str], port: int, log: Path, environment: Mapping[str, str], cpus: frozenset[int]
    ) -> None:
        self.port = port
        self._log = log
        with log.open("wb") as file:
            self._process = subprocess.Popen(
                command,
                cwd=log.parent,
                env={"PATH": os.environ.get("PATH", "/usr/bin:/bin"), **environment},
                stdout=file,
                stderr=file,
                preexec_fn=bound(cpus),  # noqa: PLW1509 - there are no threads here
            )

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def log(self) -> str:
        return self._log.read_text("utf-8", "replace")

    def await_port(self) -> None:
        """Raises Failed."""
        deadline = time.monotonic() + START_S
        while time.monotonic() < deadline and self._process.poll() is None:
            with socket.socket() as knock:
                if knock.connect_ex(("127.0.0.1", self.port)) == 0:
                    return
            time.sleep(0.02)
        self.stop()
        raise Failed(f"did not start: {self.log[-600:].strip()}")

    def is_alive(self) -> bool:
        return self._process.poll() is None

    def stop(self) -> None:
        self._process.terminate()
        try:
            self._process.wait(STOP_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()


def started(
    command: Callable[[int], Sequence[str]],
    log: Path,
    environment: Mapping[str, str],
    cpus: frozenset[int] = SERVERS,
) -> Process:
    """Takes connections. Raises Failed."""
    port = free_port()
    process = Process(command(port), port, log, environment, cpus)
    process.await_port()
    return process


def generated(generator: Path, plan: str, seconds: float, cpus: frozenset[int] = CLIENTS) -> list[dict[str, Any]]:
    """The generator's results, one a round, as the top of generator.c describes them. Raises Failed."""
    try:
        done = subprocess.run(
            [str(generator), "-"],
            input=plan,
            capture_output=True,
            text=True,
            timeout=seconds + SPARE_S,
            check=False,
            preexec_fn=bound(cpus),
        )
    except subprocess.TimeoutExpired as late:
        raise Failed("the load generator did not come to an end") from late
    try:
        results: list[dict[str, Any]] = [json.loads(line) for line in done.stdout.splitlines()]
    except ValueError as broken:
        raise Failed(f"the load generator ended with {done.returncode}: {done.stdout[-300:]}") from broken
    if not results or "error" in results[-1]:
        said = results[-1]["error"] if results else done.stderr[:300]
        raise Failed(said or f"the load generator ended with {done.returncode}")
    return results

"""Servers with planted bugs, quickly: one process reads the server's modules, and each server is a copy of it."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil

from codraw.conform.run import Choice, Result, Verdict, conform
from codraw.local_stores import free_port
from tests.codraw.conform.mutants import MUTANTS
from tests.support.copies import dies_with_parent
from tests.support.tree import ROOT

START_PATIENCE_S = 60.0
STARTS = 3
"""Somebody else may have taken the port by the time that it is used."""
IMPATIENT_S = 1.5
"""A mutant does not answer what is waited for: no need to wait for long."""
PATIENT_S = 20.0


class Nursery:
    """A process that has read the server's modules, and makes of copies of itself servers with one bug each."""

    def __init__(self) -> None:
        command = [sys.executable, "-m", "tests.codraw.conform.nursery"]
        environment = {"PATH": "/usr/bin:/bin", "PYTHONPATH": str(ROOT), "PYTHONDONTWRITEBYTECODE": "1"}
        self._process = subprocess.Popen(
            command, cwd=ROOT, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    @contextmanager
    def serving(self, name: str) -> Iterator[str]:
        """The address of a server with this bug; "" is none."""
        with tempfile.TemporaryDirectory() as folder:
            pid, port = self._started(name, Path(folder))
            try:
                yield f"http://127.0.0.1:{port}"
            finally:
                _end(pid)

    def _started(self, name: str, folder: Path) -> tuple[int, int]:
        """Its process, and its port when it answers there."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        for _ in range(STARTS):
            port = free_port()
            self._process.stdin.write(f"{name or '-'} {port} {folder}\n")
            self._process.stdin.flush()
            pid = int(self._process.stdout.readline())
            if answers(port, pid) and listens(port, pid):
                return pid, port
            _end(pid)
        raise AssertionError(f"the server did not start:\n{(folder / 'server.log').read_text()[-2_000:]}")

    def close(self) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait(START_PATIENCE_S)
        if self._process.stdout is not None:
            self._process.stdout.close()


def answers(port: int, pid: int) -> bool:
    """Waits for it, as long as the process is there."""
    deadline = time.monotonic() + START_PATIENCE_S
    while time.monotonic() < deadline and psutil.pid_exists(pid):
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/healthz", timeout=5):
                return True
        except OSError:
            time.sleep(0.02)
    return False


def listens(port: int, pid: int) -> bool:
    """It may be somebody else who answers, until this one has seen that the port is taken."""
    with suppress(psutil.NoSuchProcess):
        return any(one.laddr.port == port for one in psutil.Process(pid).net_connections() if not one.raddr)
    return False


def _end(pid: int) -> None:
    # it may have died before its time
    with suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)


def nursery() -> None:
    """One line in, `name port folder`: one server, and its pid out. Their ends are not waited for."""
    from codraw import cli, serve  # noqa: F401 - read before the copies are made

    dies_with_parent()
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    for line in sys.stdin:
        name, port, folder = line.split()
        pid = os.fork()
        if pid == 0:
            _serve(name, port, Path(folder))
        print(pid, flush=True)


def _serve(name: str, port: str, folder: Path) -> None:
    dies_with_parent()
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    log = os.open(folder / "server.log", os.O_CREAT | os.O_WRONLY)
    for stream in (1, 2):
        os.dup2(log, stream)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    os.chdir(folder)
    os.environ["CODRAW_STORE_URL"] = f"sqlite:///{folder}/codraw.db"
    sys.argv = ["codraw", "serve", "--dev", "--port", port]
    if name != "-":
        MUTANTS[name].plant()
    from codraw.cli import main

    try:
        main()
    finally:
        os._exit(1)


def failed(url: str, choice: Choice) -> list[Result]:
    return [one for one in asyncio.run(conform(url, choice)) if one.verdict is Verdict.FAILED]


def table() -> None:
    """Every bug against all rules, in the dialects that show it."""
    nest = Nursery()
    survivors = []
    for name, bug in MUTANTS.items():
        with nest.serving(name) as url:
            found = failed(url, Choice(dialects=frozenset(bug.dialects), patience_s=IMPATIENT_S))
        ids = sorted({id for one in found for id in one.check.ids})
        expected = set(bug.caught_by) <= set(ids)
        if not expected:
            survivors.append(name)
        words = name.replace("_", " ")
        print(f"{words:<52}{len(found):>4} checks{'' if expected else ', NOT ' + ' '.join(bug.caught_by)}", flush=True)
        print(f"    {' '.join(ids)}", flush=True)
    nest.close()
    print(f"{len(MUTANTS)} bugs, {len(survivors)} not caught as expected {survivors}")


if __name__ == "__main__":
    nursery()

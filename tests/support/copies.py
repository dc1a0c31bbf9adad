"""`codraw serve` without the wait for its modules: copies of one process that has read them all."""

from __future__ import annotations

import ctypes
import multiprocessing
import os
import signal
import sys
from collections.abc import Mapping, Sequence
from multiprocessing import forkserver
from pathlib import Path
from subprocess import TimeoutExpired

from tests.support.tree import ROOT

FORKS = multiprocessing.get_context("forkserver")


class Copy:
    """What `subprocess.Popen` is to a server that was started anew."""

    def __init__(self, arguments: Sequence[str], folder: Path, environment: Mapping[str, str], log: Path) -> None:
        _read_modules()
        # nobody waits at the end of a test run for one that was left behind
        self._process = FORKS.Process(
            target=_run, args=(list(arguments), str(folder), dict(environment), str(log)), daemon=True
        )
        self._process.start()
        assert self._process.pid is not None
        self.pid = self._process.pid

    def poll(self) -> int | None:
        return self._process.exitcode

    def wait(self, timeout: float | None = None) -> int:
        self._process.join(timeout)
        if self._process.exitcode is None:
            raise TimeoutExpired("serve", timeout or 0)
        return self._process.exitcode

    def kill(self) -> None:
        self._process.kill()

    def terminate(self) -> None:
        self._process.terminate()


def _read_modules() -> None:
    """Once in a test process; 0.8 s of CPU, which every server would take again."""
    FORKS.set_forkserver_preload(["codraw.cli", "codraw.serve", __name__])
    before = os.environ.get("PYTHONPATH")
    os.environ["PYTHONPATH"] = str(ROOT)  # whatever folder the test is in
    try:
        forkserver.ensure_running()
    finally:
        if before is None:
            del os.environ["PYTHONPATH"]
        else:
            os.environ["PYTHONPATH"] = before


def dies_with_parent() -> None:
    """A test run that is killed takes its servers along: PR_SET_PDEATHSIG."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(1, signal.SIGKILL)


def _run(arguments: list[str], folder: str, environment: dict[str, str], log: str) -> None:
    dies_with_parent()
    # as it is where nobody has started the tests by nohup
    signal.signal(signal.SIGHUP, signal.SIG_DFL)
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environment)
    written = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    for stream in (1, 2):
        os.dup2(written, stream)
    os.close(written)
    sys.argv = ["codraw", *arguments]
    from codraw.cli import main

    main()

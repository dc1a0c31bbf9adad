"""How this package comes to a connection with Redis, and what every new one is asked first.

The library reconnects silently and forgets to say so; here a connection is opened once, used, and thrown away.
"""

from __future__ import annotations

import asyncio
import logging
import math
import random
import socket
from collections.abc import Callable, Coroutine, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, TypeAlias

import msgspec
from redis.asyncio.connection import AbstractConnection, ConnectionPool, SSLConnection, parse_url
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import ClusterDownError, MovedError, ReadOnlyError, RedisError, ResponseError

from storage.database import StoreRefused

log = logging.getLogger(__name__)

Command: TypeAlias = tuple[bytes | str | int, ...]

ATTEMPT_S = 1.0
"""From knocking to knowing whom one has reached."""
CRASH_PAUSE_S = 1.0
PREFIX = "codraw:"
MOVES = 3
NAMED = ("CLIENT", "SETNAME", "codraw")
"""Asked like the rest: the library's way ends the connection of a user who may not."""
LOST = (RedisError, OSError, TimeoutError)
"""With any of these nothing is known of the connection any more. (`socket.timeout` and asyncio's are the last one.)"""
ELSEWHERE = (ReadOnlyError, MovedError, ClusterDownError)
"""Answers of a server that is not, or no longer, the one in charge."""
_KEEPALIVE = {"TCP_KEEPIDLE": 5, "TCP_KEEPINTVL": 2, "TCP_KEEPCNT": 3, "TCP_USER_TIMEOUT": 10_000}


class RedisAway(Exception):
    """Redis cannot be reached or did not answer in time; the text holds no credentials."""


class Line(msgspec.Struct, frozen=True):
    """A connection, and whom it leads to: `sharded` says that SPUBLISH works there, `run_id` is empty if not told."""

    connection: AbstractConnection
    sharded: bool
    run_id: str

    async def send(self, commands: Sequence[Command]) -> None:
        """In one write. Raises LOST."""
        if not self.connection.is_connected:  # else the library would reconnect behind our back
            raise ConnectionError("the connection was closed")
        with _closed_is_lost():
            async with asyncio.timeout(ATTEMPT_S):
                await self.connection.send_packed_command(self.connection.pack_commands(commands), check_health=False)

    async def reply(self) -> Any:
        """The next one; what Redis refuses is a value, too. Raises LOST."""
        try:
            return await self.connection.read_response(timeout=math.inf)
        except ResponseError as error:
            return error

    async def close(self) -> None:
        await self.connection.disconnect(nowait=True)


class RedisLink:
    """Opens connections to one Redis. On a Redis Cluster they lead to the node that has `home`: names that share a
    hash tag share a slot, so that this one node is all that is needed."""

    def __init__(self, url: str, home: bytes) -> None:
        self._home = home
        options = _options(url) | _ours()
        try:
            self._pool = ConnectionPool(**options)
            # not connected: the library looks at most options only now
            connection = self._pool.make_connection()  # type: ignore[no-untyped-call]
        except (TypeError, ValueError, AttributeError, RedisError):
            raise StoreRefused("The Redis URL has an option after its ? that does not exist, or not so.") from None
        try:
            if isinstance(connection, SSLConnection):
                connection.ssl_context.get()  # nor are the files read before
        except (OSError, TypeError, ValueError) as error:
            raise StoreRefused(f"The Redis URL has an option of TLS that cannot be used ({told(error)}).") from None

    async def open(self) -> Line:
        """Takes no more than ATTEMPT_S. Raises RedisAway."""
        try:
            async with asyncio.timeout(ATTEMPT_S):
                return await self._settled()
        except LOST as error:
            raise RedisAway(told(error)) from error

    async def _settled(self) -> Line:
        at: tuple[str, int] | None = None
        for _ in range(MOVES):
            found = await self._line(at)
            if isinstance(found, Line):
                return found
            at = (found.host, found.port)
        raise ConnectionError("the cluster sends from node to node")

    async def _line(self, at: tuple[str, int] | None) -> Line | MovedError:
        connection: Any = self._pool.make_connection()  # type: ignore[no-untyped-call]
        if at is not None:
            connection.host, connection.port = at
        kept = False
        try:
            with _closed_is_lost():
                await connection.connect()
            line = Line(connection, False, "")
            await line.send([NAMED, ("INFO", "server"), ("GET", self._home), ("SPUBLISH", self._home, b"")])
            _, info, held, spread = [await line.reply() for _ in range(4)]
            for answer in (held, spread):
                if isinstance(answer, MovedError):
                    return answer
            kept = True
            return Line(connection, isinstance(spread, int), _run_id(info))
        finally:
            if not kept:
                await connection.disconnect(nowait=True)


class Patience:
    """Waits between attempts: short at first, never more than `most_s`, and not in step with other workers."""

    def __init__(self, first_s: float = 0.02, most_s: float = 0.5) -> None:
        self._first_s = first_s
        self._most_s = most_s
        self._next_s = first_s

    def reset(self) -> None:
        self._next_s = self._first_s

    async def wait(self) -> None:
        delay_s = self._next_s
        self._next_s = min(self._next_s * 2, self._most_s)
        await asyncio.sleep(delay_s * random.uniform(0.5, 1.0))  # noqa: S311 - no secret


async def keep_running(name: str, *works: Callable[[], Coroutine[Any, Any, None]]) -> None:
    """All of them together, without end: a fault in one of them starts all of them again and is logged."""
    loop = asyncio.get_running_loop()
    while True:
        # Not a TaskGroup: of a crash and a cancellation at once it tells the crash alone, before Python 3.13.
        tasks = [loop.create_task(work(), name=name) for work in works]
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in tasks:
                await ended(task)
        for task in tasks:
            if not task.cancelled():
                log.error("%s crashed and starts again", name, exc_info=task.exception())
        await asyncio.sleep(CRASH_PAUSE_S)


async def ended(task: asyncio.Task[None]) -> None:
    """Cancelled, and over."""
    while not task.done():
        task.cancel()
        await asyncio.wait([task], timeout=ATTEMPT_S)


def home_of(prefix: str) -> str:
    """The beginning of all names: a prefix without a hash tag of its own becomes one."""
    return prefix if "{" in prefix else f"{{{prefix}}}"


def told(error: BaseException) -> str:
    """What it says in one line; libraries name host and port, never user or password."""
    return f"{type(error).__name__}: {error}".splitlines()[0].rstrip(": ")


def refused(replies: Iterable[Any]) -> ResponseError | None:
    """The first refusal among them."""
    return next((reply for reply in replies if isinstance(reply, ResponseError)), None)


def _options(url: str) -> dict[str, Any]:
    try:
        options = dict(parse_url(url))
    except ValueError:
        # its text may quote a part of the password
        raise StoreRefused("The Redis URL is not of the form redis[s]://[user:password@]host[:port][/db].") from None
    # a socket of this machine needs no watch over the way there, and the library takes no such option for it
    return options if "path" in options else options | _keepalive()


def _ours() -> dict[str, Any]:
    return {
        "protocol": 2,
        "decode_responses": False,
        "health_check_interval": 0,
        "retry": Retry(NoBackoff(), 0),
        "socket_connect_timeout": ATTEMPT_S,
        # The library would wait by `wait_for`, which swallows a cancellation before Python 3.12.
        "socket_timeout": None,
        "driver_info": None,
    }


def _keepalive() -> dict[str, Any]:
    return {
        "socket_keepalive": True,
        "socket_keepalive_options": {
            getattr(socket, name): value for name, value in _KEEPALIVE.items() if hasattr(socket, name)
        },
    }


@contextmanager
def _closed_is_lost() -> Iterator[None]:
    """uvloop says by a bare RuntimeError that the other side has closed since the last look."""
    try:
        yield
    except RuntimeError as error:
        raise ConnectionError(str(error)) from error


def _run_id(info: Any) -> str:
    if not isinstance(info, bytes):
        return ""
    found = [line for line in info.decode("utf-8", "replace").splitlines() if line.startswith("run_id:")]
    return found[0].partition(":")[2] if found else ""

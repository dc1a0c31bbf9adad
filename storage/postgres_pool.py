"""Connections to PostgreSQL, a bounded number: taken for one piece of work, given back or thrown away.

Laws: (1) a connection on which an answer may still be under way is never used again; (2) when one was lost, those that
lie idle are not trusted either, nor those in use afterwards: the server, or the way to it, is another now.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from typing import TypeAlias

import asyncpg

from collab.ports import StoreUnavailable
from storage.database import Crowded

Connection: TypeAlias = "asyncpg.Connection[asyncpg.Record]"

WAIT_S = 1.0
"""For a connection that is free."""
STILL_S = 3.0
"""If so long none was free and none came back with an answer, it is not others who are in the way: the server itself
gives up earlier."""


class Pool:
    def __init__(self, connect: Callable[[], Awaitable[Connection]], size: int) -> None:
        """`connect` gives up by itself, and raises StoreUnavailable."""
        self._connect = connect
        self._places = asyncio.Semaphore(size)
        self._idle: list[Connection] = []
        self._taken: set[Connection] = set()
        self._doubted: set[Connection] = set()
        """Taken when one was lost."""
        self._moved_s = time.monotonic()
        """When one was free, or came back with an answer."""
        self._closed = False

    @asynccontextmanager
    async def connection(self) -> AsyncIterator[Connection]:
        """Whoever cannot vouch for it at the end has terminated it."""
        await self._place()
        try:
            connection = self._newest() or await self._connect()
            self._taken.add(connection)
            try:
                yield connection
            finally:
                self._taken.discard(connection)
                self._keep(connection)
        finally:
            self._places.release()

    def lost(self) -> None:
        """A connection broke."""
        self._doubted |= self._taken
        while self._idle:
            self._idle.pop().terminate()

    async def close(self, patience_s: float) -> None:
        self._closed = True
        for connection in self._taken:
            connection.terminate()
        while self._idle:
            with suppress(Exception):
                await self._idle.pop().close(timeout=patience_s)

    async def _place(self) -> None:
        if self._closed:
            raise StoreUnavailable("the store is closed")
        if not self._places.locked():
            self._moved_s = time.monotonic()
        try:
            async with asyncio.timeout(WAIT_S):
                await self._places.acquire()
        except TimeoutError:
            still = time.monotonic() - self._moved_s > STILL_S
            raise (StoreUnavailable if still else Crowded)("no connection to the store was free") from None

    def _newest(self) -> Connection | None:
        """The last one used is warm, and those that a burst needed grow old."""
        while self._idle:
            connection = self._idle.pop()
            if not connection.is_closed():
                return connection
        return None

    def _keep(self, connection: Connection) -> None:
        if not connection.is_closed():
            self._moved_s = time.monotonic()
        if self._closed or connection in self._doubted:
            self._doubted.discard(connection)
            connection.terminate()
        elif not connection.is_closed():
            self._idle.append(connection)

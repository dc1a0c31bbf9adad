"""One connection that many callers share: what has come together goes out in one write, and each reply to its own.

Laws: (1) one task writes and reads, so that a caller who is cancelled leaves no reply behind; (2) what was sent and not
answered is never sent again; (3) a connection that is in doubt is thrown away.
"""

from __future__ import annotations

import asyncio
from collections import deque
from contextlib import suppress
from typing import Any

import msgspec

from storage.redis_link import ELSEWHERE, LOST, Command, Line, Patience, RedisAway, RedisLink, told

ANSWER_S = 1.5
MOST_MESSAGES = 4_096
MOST_BYTES = 32 * 1024 * 1024
WRITE_MESSAGES = 512
WRITE_BYTES = 1024 * 1024
PUBLISH = b"PUBLISH"
"""Goes out as SPUBLISH where that works."""


class Counts(msgspec.Struct):
    """Messages that were published; dropped, for Redis was away or too slow; failed: perhaps published, or refused."""

    published: int = 0
    dropped: int = 0
    failed: int = 0


class Item(msgspec.Struct, eq=False):
    """Commands, and who waits for the replies; nobody for a message."""

    commands: tuple[Command, ...]
    size: int
    waiting: asyncio.Future[list[Any]] | None


class RedisPipeline:
    def __init__(self, link: RedisLink) -> None:
        self.counts = Counts()
        self.line: Line | None = None
        self._link = link
        self._away = False
        self._queued: deque[Item] = deque()
        self._bytes = 0
        self._flying: deque[Item] = deque()
        self._wake = asyncio.Event()

    def publish(self, channel: bytes, message: bytes) -> None:
        """Never waits or raises."""
        size = len(message)
        if self._away or len(self._queued) >= MOST_MESSAGES or self._bytes + size > MOST_BYTES:
            self.counts.dropped += 1
            return
        self._put(Item(((PUBLISH, channel, message),), size, None))

    async def ask(self, *commands: Command) -> list[Any]:
        """The replies, refusals among them as values. Whoever sets no time for it waits ANSWER_S at most for each
        attempt of the connection. Raises RedisAway: the commands may have been carried out."""
        if self._away:
            raise RedisAway("Redis cannot be reached")
        waiting: asyncio.Future[list[Any]] = asyncio.get_running_loop().create_future()
        self._put(Item(commands, 0, waiting))
        return await waiting

    async def run(self) -> None:
        patience = Patience()
        try:
            while True:
                await self._live(patience)
                await patience.wait()
        finally:
            self._give_up(RedisAway("the connection is closed"))

    async def drain(self, seconds: float) -> None:
        """Gives what is queued so long to go out."""
        with suppress(RedisAway, TimeoutError):
            async with asyncio.timeout(seconds):
                await self.ask(("PING",))

    def _put(self, item: Item) -> None:
        self._queued.append(item)
        self._bytes += item.size
        self._wake.set()

    async def _live(self, patience: Patience) -> None:
        """One connection, to its end."""
        try:
            line = await self._link.open()
        except RedisAway as error:
            self._give_up(error)
            return
        self._away = False
        self.line = line
        try:
            while True:
                await self._exchange(line)
                patience.reset()
        except LOST as error:
            self._fail(RedisAway(told(error)))
        finally:
            self.line = None
            await line.close()

    async def _exchange(self, line: Line) -> None:
        if not self._queued:
            self._wake.clear()
            await self._wake.wait()
        if await line.connection.can_read():
            raise ConnectionError("closed while nothing was asked")  # before anything of the queue is risked
        self._take()
        async with asyncio.timeout(ANSWER_S):
            await line.send([_worded(command, line) for item in self._flying for command in item.commands])
            while self._flying:
                replies = [await line.reply() for _ in self._flying[0].commands]
                self._settle(self._flying.popleft(), replies)

    def _take(self) -> None:
        size = 0
        while self._queued and len(self._flying) < WRITE_MESSAGES and size < WRITE_BYTES:
            item = self._queued.popleft()
            self._bytes -= item.size
            size += item.size
            self._flying.append(item)

    def _settle(self, item: Item, replies: list[Any]) -> None:
        if item.waiting is None:
            if isinstance(replies[0], int):
                self.counts.published += 1
            else:
                self.counts.failed += 1
        elif not item.waiting.done():
            item.waiting.set_result(replies)
        for reply in replies:
            if isinstance(reply, ELSEWHERE):
                raise reply

    def _fail(self, error: RedisAway) -> None:
        """What is under way may have arrived: it is not sent again."""
        while self._flying:
            item = self._flying.popleft()
            if item.waiting is None:
                self.counts.failed += 1
            elif not item.waiting.done():
                item.waiting.set_exception(error)

    def _give_up(self, error: RedisAway) -> None:
        """Redis is away: what is queued would be stale when it is back, and nothing more is queued until then."""
        self._away = True
        self._fail(error)
        while self._queued:
            item = self._queued.popleft()
            if item.waiting is None:
                self.counts.dropped += 1
            elif not item.waiting.done():
                item.waiting.set_exception(error)
        self._bytes = 0


def _worded(command: Command, line: Line) -> Command:
    return (b"SPUBLISH", *command[1:]) if line.sharded and command[0] is PUBLISH else command

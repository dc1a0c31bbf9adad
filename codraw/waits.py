"""What a connection waits by: asyncio's `Event` and `Queue` for one that mostly rests, in 0.2 KiB instead of 4.

Theirs hold four empty deques of 0.6 KiB each: with 1 000 connections, which nearly always have nothing waiting, 4 MiB.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Generic, TypeVar

T = TypeVar("T")


class Latch:
    """As `asyncio.Event`."""

    __slots__ = ("_open", "_waiters")

    def __init__(self) -> None:
        self._open = False
        self._waiters: tuple[asyncio.Future[None], ...] = ()

    def is_set(self) -> bool:
        return self._open

    def set(self) -> None:
        self._open = True
        waiters, self._waiters = self._waiters, ()
        for waiter in waiters:
            if not waiter.done():
                waiter.set_result(None)

    def clear(self) -> None:
        self._open = False

    async def wait(self) -> bool:
        if not self._open:
            waiter = asyncio.get_running_loop().create_future()
            self._waiters = (*self._waiters, waiter)
            await waiter
        return True


class Mailbox(Generic[T]):
    """As `asyncio.Queue` without a bound, of one who takes, or who listens."""

    __slots__ = ("_hear", "_items", "_taker")

    def __init__(self) -> None:
        self._items: deque[T] | None = None
        self._taker: asyncio.Future[None] | None = None
        self._hear: Callable[[T], bool] | None = None

    def empty(self) -> bool:
        return self._items is None

    def listen(self, hear: Callable[[T], bool]) -> None:
        """What waits and what comes goes to `hear`, one after the other, until it returns False."""
        while self._items is not None:
            if not hear(self.take()):
                return
        self._hear = hear

    def put_nowait(self, item: T) -> None:
        hear, self._hear = self._hear, None
        if hear is not None:
            if hear(item):
                self.listen(hear)
            return
        if self._items is None:
            self._items = deque()
        self._items.append(item)
        taker, self._taker = self._taker, None
        if taker is not None and not taker.done():
            taker.set_result(None)

    async def get(self) -> T:
        while self._items is None:
            self._taker = asyncio.get_running_loop().create_future()
            await self._taker
        return self.take()

    def take(self) -> T:
        """Raises LookupError where nothing waits."""
        if self._items is None:
            raise LookupError("the mailbox is empty")
        item = self._items.popleft()
        if not self._items:
            self._items = None
        return item

"""What waits for a room: outcomes of its store calls, and what comes in."""

from __future__ import annotations

import asyncio
from collections import deque

from collab.core.events import Event

INBOX = 256


class Inbox:
    """Outcomes first, then events in order of arrival; `put` waits while too many events wait, until the end."""

    def __init__(self) -> None:
        self._over = False
        self._outcomes: deque[Event] = deque()
        self._events: deque[Event] = deque()
        self._filled: asyncio.Future[None] | None = None
        self._space: deque[asyncio.Future[None]] = deque()

    def outcome(self, event: Event) -> None:
        self._outcomes.append(event)
        if self._filled is not None:
            self._wake(self._filled)

    @property
    def more(self) -> bool:
        """Whether `next` would not wait."""
        return bool(self._outcomes or self._events)

    @property
    def full(self) -> bool:
        """Whether `put` would wait."""
        return len(self._events) >= INBOX and not self._over

    def put_now(self, event: Event) -> None:
        self._events.append(event)
        if self._filled is not None:
            self._wake(self._filled)

    async def put(self, event: Event) -> None:
        while self.full:
            space = asyncio.get_running_loop().create_future()
            self._space.append(space)
            await space
        self.put_now(event)

    async def next(self) -> Event:
        while True:
            if self._outcomes:
                return self._outcomes.popleft()
            if self._events:
                if self._space:
                    self._make_space()
                return self._events.popleft()
            self._filled = asyncio.get_running_loop().create_future()
            await self._filled

    def end(self) -> None:
        """Nobody takes any more: whoever waits for space goes on."""
        self._over = True
        while self._space:
            self._make_space()

    def _wake(self, filled: asyncio.Future[None]) -> None:
        self._filled = None
        if not filled.done():
            filled.set_result(None)

    def _make_space(self) -> None:
        while self._space:
            space = self._space.popleft()
            if not space.done():
                space.set_result(None)
                return

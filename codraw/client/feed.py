"""Events to any number of iterators, none of which can hold up the socket or another one."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Iterable
from typing import Any, Generic, TypeVar

from codraw.client.events import Changed, Event, Held, Lagged

CAPACITY = 1_000


E = TypeVar("E", bound=Event)


class Subscription(AsyncIterator[E], Generic[E]):
    """Gives every event since it was made, in their order, and ends with the live diagram.

    Beyond `capacity` waiting events those that wait become one `Lagged`, the newest of each kind, one `Changed`, and
    one `Held`; who asked for some kinds is given no `Lagged` but where it is among them. `listening` holds the tasks
    that wait here: the event loop alone would let one go that its program does not keep.
    """

    def __init__(
        self, kinds: tuple[type[E], ...] = (), capacity: int = CAPACITY, listening: set[Any] | None = None
    ) -> None:
        self._kinds, self._capacity = kinds, capacity
        self._listening = set() if listening is None else listening
        self._waiting: deque[E] = deque()
        self._news = asyncio.Event()
        self._is_over = False

    def tell(self, event: Any) -> None:
        if not self._takes(event):
            return
        if len(self._waiting) >= self._capacity:
            self._waiting = deque(filter(self._takes, compacted(self._waiting)))
        self._waiting.append(event)
        self._news.set()

    def _takes(self, event: Event) -> bool:
        return not self._kinds or isinstance(event, self._kinds)

    def end(self) -> None:
        """What waits is still given."""
        self._is_over = True
        self._news.set()

    def __aiter__(self) -> Subscription[E]:
        return self

    async def __anext__(self) -> E:
        while not self._waiting:
            if self._is_over:
                raise StopAsyncIteration
            self._news.clear()
            await self._wait()
        return self._waiting.popleft()

    async def _wait(self) -> None:
        task = asyncio.current_task()
        self._listening.add(task)
        try:
            await self._news.wait()
        finally:
            self._listening.discard(task)


def compacted(waiting: Iterable[Event]) -> list[Any]:
    """The newest of each kind in the order of these; the changes as one."""
    newest: dict[type[Event], Event] = {}
    merged = 0
    for event in waiting:
        if isinstance(event, Lagged):
            merged += event.merged
            continue
        merged += 1
        former = newest.pop(type(event), None)
        newest[type(event)] = _together(former, event) if former is not None else event
    return [Lagged(merged), *newest.values()]


def _together(former: Event, event: Event) -> Event:
    match former, event:
        case Changed(), Changed():
            return Changed(former.ids | event.ids, former.is_reset or event.is_reset)
        case Held(), Held():
            return Held([*former.operations, *event.operations])
    return event

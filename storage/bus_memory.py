"""A bus inside one process: for a single worker, which needs none, and between several houses of one process."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import partial

from protocol.values import DiagramId

Hear = Callable[[bytes | None], None]


class MemoryHub:
    """The buses that hear one another."""

    def __init__(self) -> None:
        self.buses: list[MemoryBus] = []

    def spread(self, diagram: DiagramId, news: bytes) -> None:
        for bus in self.buses:
            for listener in bus.listeners(diagram):
                self.carry(partial(listener.deliver, news))

    def carry(self, deliver: Callable[[], None]) -> None:
        """In a later turn of the loop, as from a network: who publishes is in the middle of something."""
        asyncio.get_running_loop().call_soon(deliver)


class MemoryListener:
    def __init__(self, bus: MemoryBus, diagram: DiagramId, hear: Hear) -> None:
        self._bus = bus
        self._diagram = diagram
        self._hear = hear

    def deliver(self, news: bytes | None) -> None:
        if self in self._bus.listeners(self._diagram):
            self._hear(news)

    async def close(self) -> None:
        self._bus.forget(self._diagram, self)


class MemoryBus:
    """Without a hub of others it is alone."""

    def __init__(self, hub: MemoryHub | None = None) -> None:
        self._hub = hub or MemoryHub()
        self._hub.buses.append(self)
        self._listeners: dict[DiagramId, list[MemoryListener]] = {}

    @property
    def alone(self) -> bool:
        return len(self._hub.buses) < 2

    def publish(self, diagram: DiagramId, news: bytes) -> None:
        if not self.alone:
            self._hub.spread(diagram, news)

    async def subscribe(self, diagram: DiagramId, hear: Hear) -> MemoryListener:
        listener = MemoryListener(self, diagram, hear)
        self._listeners.setdefault(diagram, []).append(listener)
        return listener

    def healthy(self) -> bool:
        return True

    def listeners(self, diagram: DiagramId) -> list[MemoryListener]:
        return list(self._listeners.get(diagram, ()))

    def forget(self, diagram: DiagramId, listener: MemoryListener) -> None:
        there = self._listeners.get(diagram, [])
        if listener in there:
            there.remove(listener)
        if not there:
            self._listeners.pop(diagram, None)

    def gap(self) -> None:
        """Everybody here hears that news may have been lost."""
        for there in self._listeners.values():
            for listener in there:
                self._hub.carry(partial(listener.deliver, None))

    async def start(self) -> None:
        """It is there at once."""

    async def close(self) -> None:
        """Leaves the hub, like a worker that dies: nothing is heard here any more."""
        if self in self._hub.buses:
            self._hub.buses.remove(self)
        self._listeners.clear()

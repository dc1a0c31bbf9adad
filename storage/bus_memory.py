"""The Bus of a single process."""

from __future__ import annotations

import logging
from collections.abc import Callable

from protocol.values import DiagramId

log = logging.getLogger("codraw.storage")

Hear = Callable[[bytes | None], None]


class MemoryBus:
    """News is heard before `publish` returns."""

    def __init__(self) -> None:
        self._hearing: dict[DiagramId, list[MemorySubscription]] = {}

    async def publish(self, diagram: DiagramId, news: bytes) -> None:
        for subscription in tuple(self._hearing.get(diagram, ())):
            subscription.tell(news)

    async def subscribe(self, diagram: DiagramId, hear: Hear) -> MemorySubscription:
        subscription = MemorySubscription(hear, lambda: self._forget(diagram, subscription))
        self._hearing.setdefault(diagram, []).append(subscription)
        return subscription

    def healthy(self) -> bool:
        return True

    def _forget(self, diagram: DiagramId, subscription: MemorySubscription) -> None:
        self._hearing[diagram].remove(subscription)
        if not self._hearing[diagram]:
            del self._hearing[diagram]


class MemorySubscription:
    def __init__(self, hear: Hear, forget: Callable[[], None]) -> None:
        self._hear: Hear | None = hear
        self._forget = forget

    def tell(self, news: bytes) -> None:
        if self._hear is None:
            return
        try:
            self._hear(news)
        except Exception:
            # One listener's fault is no reason to keep the news from the others.
            log.exception("a listener failed")

    def close(self) -> None:
        if self._hear is not None:
            self._hear = None
            self._forget()

"""The store's clock: this machine's where no other is known, or as this machine keeps it after having asked."""

from __future__ import annotations

import time
from collections.abc import Callable


def real_ms() -> int:
    """Unix milliseconds."""
    return time.time_ns() // 1_000_000


class StoreClock:
    """Called, it tells Unix milliseconds of the store's clock. It runs by the monotonic clock from one `set` to the
    next: a wall clock that somebody sets moves it by nothing until then."""

    def __init__(
        self,
        offset_ms: int = 0,
        wall_ms: Callable[[], int] = real_ms,
        monotonic_s: Callable[[], float] = time.monotonic,
    ) -> None:
        self._wall_ms = wall_ms
        self._monotonic_s = monotonic_s
        self.set(offset_ms)

    def set(self, offset_ms: int) -> None:
        """What the store's clock is ahead of this machine's."""
        self.offset_ms = offset_ms
        self._began_ms = self._wall_ms() + offset_ms - round(self._monotonic_s() * 1000)

    def __call__(self) -> int:
        return self._began_ms + round(self._monotonic_s() * 1000)

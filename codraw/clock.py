"""The real clock behind the port `Clock`."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

from protocol.values import Instant

NOISE_MS = 100
"""A smaller difference may be the way to the store and back, and time need not step for it."""


class SystemClock:
    """Monotonic time for deadlines, Unix time for people; timers fire in the running event loop.

    The Unix time is the store's, which counts. It runs by the monotonic clock from one `follow` to the next: a wall
    clock that somebody sets must not end everybody's sessions before the store was asked.
    """

    def __init__(
        self, wall_ns: Callable[[], int] = time.time_ns, monotonic_ns: Callable[[], int] = time.monotonic_ns
    ) -> None:
        self._wall_ns, self._monotonic_ns = wall_ns, monotonic_ns
        self._began_ns = wall_ns() - monotonic_ns()

    def now(self) -> Instant:
        return Instant(time.monotonic(), self.wall_ms())

    def wall_ms(self) -> int:
        return (self._began_ns + self._monotonic_ns()) // 1_000_000

    def follow(self, offset_ms: int) -> None:
        """`offset_ms`: what the store's clock was found to be ahead of this machine's just now."""
        behind_ns = self._wall_ns() + offset_ms * 1_000_000 - self._began_ns - self._monotonic_ns()
        if abs(behind_ns) > NOISE_MS * 1_000_000:
            self._began_ns += behind_ns

    def call_at(self, at: Instant, callback: Callable[[], None]) -> asyncio.TimerHandle:
        return asyncio.get_running_loop().call_later(max(0.0, at.monotonic_s - time.monotonic()), callback)

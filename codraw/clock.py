"""The real clock behind the port `Clock`."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

from protocol.values import Instant


class SystemClock:
    """Monotonic time for deadlines, Unix time for people; timers fire in the running event loop.

    `offset_ms`: what the store's clock, which counts, is ahead of this machine's.
    """

    def __init__(self) -> None:
        self.offset_ms = 0

    def now(self) -> Instant:
        return Instant(time.monotonic(), self.wall_ms())

    def wall_ms(self) -> int:
        return time.time_ns() // 1_000_000 + self.offset_ms

    def call_at(self, at: Instant, callback: Callable[[], None]) -> asyncio.TimerHandle:
        return asyncio.get_running_loop().call_later(max(0.0, at.monotonic_s - time.monotonic()), callback)

"""The real clock behind the port `Clock`."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

from protocol.values import Instant


class SystemClock:
    """Monotonic time for deadlines, Unix time for people; timers fire in the running event loop."""

    def now(self) -> Instant:
        return Instant(time.monotonic(), time.time_ns() // 1_000_000)

    def call_at(self, at: Instant, callback: Callable[[], None]) -> asyncio.TimerHandle:
        return asyncio.get_running_loop().call_later(max(0.0, at.monotonic_s - time.monotonic()), callback)

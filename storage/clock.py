"""The store's clock where no other is given."""

from __future__ import annotations

import time


def real_ms() -> int:
    """Unix milliseconds."""
    return time.time_ns() // 1_000_000

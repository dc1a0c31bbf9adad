"""How the process keeps the memory that it does not need any more: not at all, where it is much."""

from __future__ import annotations

import ctypes
import sys
from contextlib import suppress

MMAP_THRESHOLD = -3
"""mallopt(3): M_MMAP_THRESHOLD."""
LARGE = 1024 * 1024
"""Bytes: whole diagrams as they are read, shown and saved, and little else."""


def give_back_large_blocks() -> None:
    """Each goes back to the system when it is free.

    Left to itself glibc takes the first that is freed for a sign that there will be more of the kind, and keeps the
    room of those to come, up to 32 MiB each, between small ones that stay: ten open diagrams of 10 000 cells then take
    1.8 times as much (python -m bench.growth --only memory). Where the C library is another one nothing is done.
    """
    if sys.platform == "linux":
        with suppress(OSError, AttributeError):
            ctypes.CDLL(None).mallopt(MMAP_THRESHOLD, LARGE)

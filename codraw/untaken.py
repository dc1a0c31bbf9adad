"""How much of what was written to a connection its peer has not taken."""

from __future__ import annotations

import asyncio
import struct
import sys

if sys.platform == "linux":
    import fcntl
    import termios


def untaken(transport: asyncio.Transport) -> int:
    """Bytes: asyncio's and, where the system tells, the kernel's."""
    return transport.get_write_buffer_size() + _unacknowledged(transport)


def _unacknowledged(transport: asyncio.Transport) -> int:
    """Bytes written to the kernel that the peer's has not confirmed (tcp(7), SIOCOUTQ)."""
    if sys.platform != "linux":
        return 0
    size: int = struct.unpack("i", fcntl.ioctl(transport.get_extra_info("socket"), termios.TIOCOUTQ, bytes(4)))[0]
    return size

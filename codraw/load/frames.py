"""WebSocket frames as a client writes and reads them (RFC 6455), many at a time and without a copy."""

from __future__ import annotations

import base64
import os
import struct
from collections.abc import Mapping
from typing import Final

CONTINUATION: Final = 0
TEXT: Final = 1
BINARY: Final = 2
CLOSE: Final = 8
PING: Final = 9
PONG: Final = 10
MASKED: Final = 0x80
NO_MASK: Final = b"\0\0\0\0"
"""RFC 6455 5.3 wants a mask that a hostile page cannot foresee; there is no page here, and zeros mask for nothing."""


def masked(opcode: int, payload: bytes) -> bytes:
    """One final frame from client to server."""
    size = len(payload)
    if size < 126:
        head = bytes((0x80 | opcode, MASKED | size))
    elif size < 65_536:
        head = struct.pack("!BBH", 0x80 | opcode, MASKED | 126, size)
    else:
        head = struct.pack("!BBQ", 0x80 | opcode, MASKED | 127, size)
    return head + NO_MASK + payload


def extent(data: bytes, at: int) -> tuple[int, int] | None:
    """Where the payload of the server's frame at `at` begins and where it ends; None: its head is not all there."""
    left = len(data) - at
    if left < 2:
        return None
    size = data[at + 1] & 0x7F
    if size < 126:
        return at + 2, at + 2 + size
    if size == 126:
        return None if left < 4 else (at + 4, at + 4 + int.from_bytes(data[at + 2 : at + 4], "big"))
    return None if left < 10 else (at + 10, at + 10 + int.from_bytes(data[at + 2 : at + 10], "big"))


def upgrade(host: str, target: str, headers: Mapping[str, str]) -> bytes:
    """The request that asks for a WebSocket."""
    lines = [
        f"GET {target} HTTP/1.1",
        f"Host: {host}",
        "Upgrade: websocket",
        "Connection: Upgrade",
        "Sec-WebSocket-Version: 13",
        f"Sec-WebSocket-Key: {base64.b64encode(os.urandom(16)).decode()}",
        *(f"{name}: {value}" for name, value in headers.items()),
    ]
    return ("\r\n".join(lines) + "\r\n\r\n").encode()


def upgraded(data: bytes) -> tuple[int, int] | None:
    """Status of the answer, and where the first frame begins; None: the answer is not all there."""
    end = data.find(b"\r\n\r\n")
    if end < 0:
        return None
    words = data[:end].split(b"\r\n", 1)[0].split(b" ")
    return (int(words[1]) if len(words) > 1 and words[1].isdigit() else 0), end + 4

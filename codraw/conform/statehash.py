"""The state hash from its definition, written anew: an independent check of the server's (VEC14)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from hashlib import sha256
from typing import Any

import rfc8785


def state_hash(cells: Iterable[Mapping[str, Any]]) -> str:
    """32 hex digits: the first 16 bytes of SHA-256 over each cell's canonical JSON (RFC 8785), summed modulo 2^128."""
    total = sum(int.from_bytes(sha256(rfc8785.dumps(dict(cell))).digest()[:16]) for cell in cells)
    return f"{total % 2**128:032x}"

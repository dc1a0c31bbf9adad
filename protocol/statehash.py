"""The state hash (protocol rule VEC14): canonical bytes of a cell, its hash, and the sum over a diagram.

Twin of `web/sdk/statehash.js`; both are held to the same vectors.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable
from typing import Any

import msgspec

from protocol.values import Cell

MODULUS = 2**128

_encode_sorted = msgspec.json.Encoder(order="sorted").encode
_encode_in_order = msgspec.json.Encoder().encode
_BELOW_ASTRAL = bytes(range(0xF0))
_SMALL = re.compile(rb"e-6(?![0-9a-f])")
"""An exponent, and not a piece of a UUID, which one cell in thirty has."""


def canonical_bytes(value: Any) -> bytes:
    """RFC 8785 of a value as `protocol.codec` gives it: OP14 holds, whole numbers are ints.

    msgspec writes such values as ECMAScript does, with two exceptions: it sorts keys by code point, not by UTF-16 unit
    (which differs only where characters beyond U+FFFF occur, in UTF-8 the bytes from 0xF0), and it uses an exponent
    from 1e-5 downwards, not from 1e-6. Where either may be the case the exact way is taken.
    """
    fast = _encode_sorted(value)
    # `in` would take twice as long (`codec.BACKSLASH`)
    if (fast.find(b"e-6") >= 0 and _SMALL.search(fast)) or (not fast.isascii() and fast.translate(None, _BELOW_ASTRAL)):
        return _encode_in_order(_exact(value))
    return fast


def hash_and_text(cell: Cell) -> tuple[int, bytes]:
    """`h(cell)` and its canonical bytes."""
    # Copied: msgspec's own are the front of a larger block, and stay in it for as long as somebody keeps them.
    text = bytes(memoryview(canonical_bytes(cell)))
    return int.from_bytes(hashlib.sha256(text).digest()[:16], "big"), text


def cell_hash(cell: Cell) -> int:
    """`h(cell)`: the first 16 bytes of the SHA-256 of its canonical bytes, as a big-endian unsigned integer."""
    return hash_and_text(cell)[0]


def combine(hashes: Iterable[int]) -> int:
    """The sum modulo 2^128. `combine((state, -before, after))` moves a state hash over one changed cell."""
    return sum(hashes) % MODULUS


def hex32(state_hash: int) -> str:
    """The wire form: 32 lower-case hex digits."""
    return state_hash.to_bytes(16).hex()


def _exact(value: Any) -> Any:
    """The same value with keys in UTF-16 order and the small fractions spelt as ECMAScript spells them."""
    match value:
        case dict():
            return {key: _exact(value[key]) for key in sorted(value, key=_utf16)}
        case list() | tuple():
            return [_exact(item) for item in value]
        case float() if 1e-6 <= abs(value) < 1e-5:
            return msgspec.Raw(_without_exponent(value))
    return value


def _utf16(key: str) -> bytes:
    return key.encode("utf-16-be")


def _without_exponent(value: float) -> str:
    digits = repr(abs(value)).removesuffix("e-06").replace(".", "")
    return f"{'-' if value < 0 else ''}0.00000{digits}"

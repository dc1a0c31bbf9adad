"""Frame to value and back: strict JSON, strict MessagePack (protocol rules OP14, OP15, WS3).

1. What comes in obeys OP14 whole, whatever its type of message; nothing but `ProtocolError` is raised.
2. What comes out is the server's own serialisation, never a client's bytes.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from enum import StrEnum
from typing import Any

import msgpack  # type: ignore[import-untyped]
import msgspec

from protocol.cell_list import as_json, as_msgpack
from protocol.refusals import ProtocolError, Trouble

MAX_NUMBER = 2**53 - 1
MAX_LEVELS = 32
"""The message or body itself is level 1."""
FORBIDDEN_KEYS = frozenset(("__proto__", "constructor", "prototype"))
"""Keys that reach into the prototype of a JavaScript object."""

BACKSLASH, NEWLINE, TAB, RETURN = b"\\\n\t\r"
"""As numbers: whether bytes are `in` others takes 0.1 µs more, since Python tries first whether they are one. `find`
does not."""

_LOWEST = -MAX_NUMBER
_read_json = msgspec.json.Decoder().decode
_write_json = msgspec.json.Encoder(enc_hook=as_json).encode
_read_msgpack = msgspec.msgpack.Decoder().decode
_write_msgpack = msgspec.msgpack.Encoder(enc_hook=as_msgpack).encode


class Encoding(StrEnum):
    JSON = "json"
    MSGPACK = "msgpack"


class _Broken(Exception):
    """OP14 does not hold; the text says where."""


UNREADABLE = (_Broken, msgspec.MsgspecError, ValueError, TypeError, RecursionError)
"""All that the parsers and the walk raise for hostile input, UnicodeError and MessagePack's own errors among them."""


def decode(frame: bytes | str, encoding: Encoding) -> dict[str, Any]:
    """The one object of a frame, with whole floats made integers and -0 made 0.

    Raises ProtocolError; `operation_id` and `ref` are filled in where the broken message still shows them.
    """
    raw = frame if isinstance(frame, bytes) else _octets(frame)
    try:
        message = _read_json_strictly(raw) if encoding is Encoding.JSON else _read_msgpack_strictly(raw)
    except UNREADABLE as error:
        raise _malformed(error, raw, encoding) from None
    if type(message) is not dict:
        raise ProtocolError(Trouble.MALFORMED, "a message is exactly one object")
    return message


def decode_body(raw: bytes) -> Any:
    """The JSON value of a REST body, by the same rules; at the top any value may stand."""
    try:
        return _read_json_strictly(raw)
    except UNREADABLE as error:
        raise _malformed(error, raw, Encoding.JSON) from None


def encode(message: Any, encoding: Encoding) -> bytes:
    return _write_json(message) if encoding is Encoding.JSON else _write_msgpack(message)


def _octets(frame: str) -> bytes:
    try:
        return frame.encode()
    except UnicodeEncodeError:
        raise ProtocolError(Trouble.MALFORMED, "the text holds a lone surrogate") from None


def _read_json_strictly(raw: bytes) -> Any:
    top = [_read_json(raw)]
    # JSON's keys are strings, and NUL can stand only as its escape; an escaped backslash before it costs time only.
    keys = _check(top, 0, suspect=spells_nul(raw))
    # What writes back to the same bytes has lost no key either, as from clients that put no spaces.
    if not each_key_once(raw, keys) and _write_json(top[0]) != raw:
        json.loads(raw, object_pairs_hook=_unique)
    return top[0]


def canonical_values(value: list[Any], level: int) -> int:
    """How many keys there are in what stands so deep in a message, whose numbers are made canonical in place.

    Raises one of UNREADABLE where OP14 does not hold; of NUL it knows nothing.
    """
    return _check(value, level, suspect=False)


def spells_nul(raw: bytes) -> bool:
    """Whether NUL may stand in this JSON, where only its escape can."""
    return BACKSLASH in raw and b"\\u0000" in raw


def each_key_once(raw: bytes, keys: int) -> bool:
    """Whether it is certain that no key stood twice in one object of this JSON, of which so many were found.

    Each key has a colon: as many colons as keys, and none was lost. Else strings hold some. Where no quotation mark is
    followed by white space, each key has its colon right behind one, where few strings have any. Of white space only a
    blank can stand within strings as it is.
    """
    if raw.count(b":") == keys:
        return True
    return raw.count(b'":') == keys and raw.find(b'" ') < 0 and not (NEWLINE in raw or TAB in raw or RETURN in raw)


def _read_msgpack_strictly(raw: bytes) -> Any:
    # The first reader refuses a length that the frame does not hold before the second would reserve memory for it.
    top = [_read_msgpack(raw)]
    # What writes back to the same bytes has lost no key; a sender with other spellings (float32) is read once more.
    if _write_msgpack(top[0]) != raw:
        msgpack.unpackb(raw, object_pairs_hook=_unique)
    _check(top, 0, suspect=True)
    return top[0]


def _check(value: dict[str, Any] | list[Any], level: int, suspect: bool) -> int:
    """Hold `value` to OP14 and make its numbers canonical, in place; returns how many keys there are.

    `level` 0 is the wrapper around the message. `suspect`: strings may hold NUL, keys may be no strings.
    """
    if level > MAX_LEVELS:
        raise _Broken(f"more than {MAX_LEVELS} levels")
    keys, whole_floats = 0, False
    items: Iterable[Any] = value
    if type(value) is dict:
        if not FORBIDDEN_KEYS.isdisjoint(value):
            raise _Broken(f"the keys {', '.join(sorted(FORBIDDEN_KEYS))} are not allowed")
        if suspect:
            _check_keys(value)
        keys, items = len(value), value.values()
    for item in items:
        kind = type(item)
        if kind is str:
            if suspect and "\0" in item:
                raise _Broken("a string holds NUL")
        elif kind is dict or kind is list:
            keys += _check(item, level + 1, suspect)
        elif kind is int or kind is float:
            if not _LOWEST <= item <= MAX_NUMBER:
                raise _Broken("a number is out of range")
            if kind is float and item.is_integer():
                whole_floats = True
        elif item is not None and kind is not bool:
            raise _Broken("binary and extension types are not allowed")
    if whole_floats:
        _make_whole(value)
    return keys


def _make_whole(value: dict[str, Any] | list[Any]) -> None:
    entries: Any = value.items() if type(value) is dict else enumerate(value)
    for key, item in entries:
        if type(item) is float and item.is_integer():
            value[key] = int(item)


def _check_keys(value: dict[Any, Any]) -> None:
    for key in value:
        if type(key) is not str:
            raise _Broken("a key is not a string")
        if "\0" in key:
            raise _Broken("a key holds NUL")


def _unique(pairs: list[tuple[Any, Any]]) -> dict[Any, Any]:
    value = dict(pairs)
    if len(value) != len(pairs):
        raise _Broken("a key stands twice in one object")
    return value


def _malformed(error: Exception, raw: bytes, encoding: Encoding) -> ProtocolError:
    operation_id, ref = _salvage(raw, encoding)
    return ProtocolError(Trouble.MALFORMED, _explain(error, encoding), operation_id, ref)


def _explain(error: Exception, encoding: Encoding) -> str:
    match error:
        case _Broken():
            return str(error)
        case RecursionError():
            return f"more than {MAX_LEVELS} levels"
        case UnicodeError():
            return "not UTF-8"
        case msgspec.ValidationError():
            return "a number is out of range"
    return f"not {'JSON' if encoding is Encoding.JSON else 'MessagePack'}"


def _salvage(raw: bytes, encoding: Encoding) -> tuple[str | None, str | None]:
    """`operation_id` and `ref` of a message that broke OP14, read with every leniency; None where that fails."""
    try:
        message = _read_leniently(raw, encoding)
    except UNREADABLE:
        return None, None
    if not isinstance(message, dict):
        return None, None
    return _short_text(message.get("operation_id")), _short_text(message.get("ref"))


def _read_leniently(raw: bytes, encoding: Encoding) -> Any:
    if encoding is Encoding.MSGPACK:
        return _read_msgpack(raw)
    # Numbers are not looked at: one of 10^5 digits would be slow, or an error of its own.
    return json.loads(raw.decode(), parse_int=len, parse_float=len, parse_constant=len)


def _short_text(value: Any) -> str | None:
    readable = isinstance(value, str) and 0 < len(value) <= 64 and value.isprintable()
    return value if readable else None

"""What each key of a cell may hold, and how it is spelt canonically (OP15).

A rule takes a value that is not null, returns its canonical form, and raises ValueError with what it must be.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any

from protocol.codec import FORBIDDEN_KEYS
from protocol.values import CellId

NODE_SHAPES = frozenset(("actor", "process", "store", "security-boundary", "text-box"))
EDGE_SHAPES = frozenset(("flow",))

SHAPE_ALIASES = {
    "datastore": "store",
    "data-store": "store",
    "edge": "flow",
    "link": "flow",
    "data-flow": "flow",
    "dataflow": "flow",
    "textbox": "text-box",
    "boundary": "security-boundary",
    "trust-boundary": "security-boundary",
}
_MAX_ENTRIES = 1_000
ID = "a UUID, or 1 to 128 of the characters A-Z a-z 0-9 . _ : -"

is_uuid = re.compile(r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}").fullmatch
_is_free_id = re.compile(r"[A-Za-z0-9._:-]{1,128}").fullmatch
_is_shape = re.compile(r"[a-z0-9][a-z0-9-]{0,63}").fullmatch


def canonical_id(value: Any) -> CellId:
    if isinstance(value, str):
        return _canonical_id(value)
    raise ValueError(ID)


@lru_cache(maxsize=4_096)
def _canonical_id(text: str) -> CellId:
    """Editors speak of the same cells again and again, and the expressions take 0.6 µs."""
    if is_uuid(text):
        return CellId(text.lower())
    if _is_free_id(text) and text not in FORBIDDEN_KEYS:
        return CellId(text)
    raise ValueError(ID)


def _shape(value: Any) -> str:
    if isinstance(value, str):
        if value in NODE_SHAPES or value in EDGE_SHAPES:
            return value
        if _is_shape(value):
            return SHAPE_ALIASES.get(value, value)
    raise ValueError("1 to 64 of the characters a-z 0-9 -")


def _number(value: Any) -> Any:
    if type(value) is int or type(value) is float:
        return value
    raise ValueError("a number")


def _flag(value: Any) -> Any:
    if type(value) is bool:
        return value
    raise ValueError("true or false")


def _object(value: Any) -> Any:
    if isinstance(value, dict):
        return value
    raise ValueError("an object")


def _label(value: Any) -> Any:
    if isinstance(value, str) and len(value) <= 1_024:
        return value
    raise ValueError("a string of at most 1024 characters")


def _end(value: Any) -> Any:
    """An end of an edge: `{cell, port?}` and what else it holds; `{id}` and a bare id are read as `{cell}`."""
    if isinstance(value, str):
        return {"cell": canonical_id(value)}
    end = dict(_object(value))
    end["cell"] = canonical_id(end["cell"] if "cell" in end else end.pop("id", None))
    port = end.get("port")
    if port is None:
        end.pop("port", None)
    elif not isinstance(port, str) or len(port) > 64:
        raise ValueError("an end whose port is a string of at most 64 characters")
    return end


def _few(value: Any) -> list[Any]:
    if isinstance(value, list) and len(value) <= _MAX_ENTRIES:
        return value
    raise ValueError(f"an array of at most {_MAX_ENTRIES} entries")


def _children(value: Any) -> Any:
    return [canonical_id(child) for child in _few(value)]


def _ports(value: Any) -> Any:
    _few(value.get("items", []) if isinstance(value, dict) else value)
    return value


def _vertices(value: Any) -> Any:
    for vertex in _few(value):
        if not isinstance(vertex, dict) or "x" not in vertex or "y" not in vertex:
            raise ValueError("an array of points")
        _number(vertex["x"])
        _number(vertex["y"])
    return value


def _labels(value: Any) -> Any:
    for label in _few(value):
        _object(label)
    return value


KEY_RULES: Mapping[str, Callable[[Any], Any]] = {
    "id": canonical_id,
    "shape": _shape,
    "x": _number,
    "y": _number,
    "width": _number,
    "height": _number,
    "angle": _number,
    "zIndex": _number,
    "visible": _flag,
    "label": _label,
    "attrs": _object,
    "data": _object,
    "source": _end,
    "target": _end,
    "parent": canonical_id,
    "children": _children,
    "ports": _ports,
    "vertices": _vertices,
    "labels": _labels,
}

"""The merge rule of `update` (protocol rules OP10, OP12): one patch over one cell."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from protocol.cells import is_path
from protocol.refusals import CellError, Reason
from protocol.values import Cell

DEEP = frozenset({"attrs", "data"})
"""Keys whose objects are merged, and seen by undo and corrections leaf by leaf (OP20)."""


def merged(cell: Cell, patch: Mapping[str, Any]) -> Cell:
    """The cell after the patch; neither is changed, and what the patch does not name is shared.

    Raises CellError for a path through something that is not an object. Whether all required keys are left is for the
    caller to see, of the net outcome (OP2).
    """
    after = dict(cell)
    for key, value in patch.items():
        if key in DEEP and value is not None:
            after[key] = _deep(after.get(key), value)
        elif "/" in key and is_path(key):
            _set(after, key.split("/"), value, cell)
        elif value is not None:
            after[key] = value
        else:
            after.pop(key, None)
    return after


def top_key(key: str) -> str:
    """The top-level key that a key of a patch is about."""
    return key.split("/", 1)[0] if is_path(key) else key


def top_keys(patch: Mapping[str, Any]) -> Collection[str]:
    """The top-level keys that a patch is about, each once."""
    return dict.fromkeys(map(top_key, patch)) if "/" in "".join(patch) else patch


def _deep(old: Any, patch: Any) -> Any:
    if not isinstance(patch, dict):
        return patch
    after = dict(old) if isinstance(old, dict) else {}
    for key, value in patch.items():
        if value is None:
            after.pop(key, None)
        else:
            after[key] = _deep(after.get(key), value) if isinstance(value, dict) else value
    return after


def _set(inside: dict[str, Any], path: list[str], value: Any, cell: Cell) -> None:
    """Sets or, for None, deletes what stands at `path`; copies each object on the way, creates those that lack."""
    for key in path[:-1]:
        found = inside.get(key)
        if found is None:
            if value is None:
                return
            found = {}
        elif not isinstance(found, dict):
            raise CellError(Reason.VALIDATION_FAILED, f"{key} is not an object", cell["id"], "/".join(path))
        inside[key] = dict(found)
        inside = inside[key]
    if value is None:
        inside.pop(path[-1], None)
    else:
        inside[path[-1]] = _deep(None, value)

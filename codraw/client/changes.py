"""Changes of cells as a program writes them, and their canonical form: checked and spelled as the server would."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any
from uuid import uuid4

import msgspec

from protocol.cells import canonical_changes, is_path
from protocol.codec import Encoding, decode
from protocol.operations import CellChange, Verb
from protocol.refusals import CellError, ProtocolError, Reason, Refusal
from protocol.values import CellId, Limits

Entry = Mapping[str, Any]
"""One change as it stands on the wire: `{id, operation, data?}`."""

DEEP = ("attrs", "data")
NOTHING: Any = msgspec.UNSET
Path = tuple[str, ...]


class Change(msgspec.Struct, frozen=True, omit_defaults=True):
    """One change of one cell; made by `add`, `update` and `remove`."""

    id: str
    operation: Verb
    data: Mapping[str, Any] | None = None


def add(id: str | None = None, /, **cell: Any) -> Change:
    """A new cell, of a random id unless one is given: `add(shape="process", x=0, y=0, width=120, height=60)`."""
    return Change(id or str(uuid4()), Verb.ADD, cell)


def update(id: str, /, data: Mapping[str, Any] | None = None, **keys: Any) -> Change:
    """Keys to change: None deletes one, `attrs` and `data` merge, `{"attrs/body/fill": …}` in `data` is a path."""
    return Change(id, Verb.UPDATE, {**(data or {}), **keys})


def remove(id: str, /) -> Change:
    """With a node go the edges that would dangle."""
    return Change(id, Verb.REMOVE)


class Unfit(Exception):
    """Changes that the server is sure to refuse, whatever the diagram holds."""

    def __init__(self, refusal: Refusal) -> None:
        super().__init__(refusal.message)
        self.refusal = refusal


def canonical(changes: Iterable[Change | Entry], limits: Limits, *, free_ids: bool = False) -> tuple[CellChange, ...]:
    """A copy in canonical form: what becomes of the argument later has no effect. Raises Unfit."""
    try:
        # MessagePack shows NaN and infinities to the strict reader, where JSON would make null of them.
        message = decode(msgspec.msgpack.encode({"cells": list(changes)}), Encoding.MSGPACK)
        return canonical_changes(message["cells"], free_ids=free_ids, limits=limits)
    except CellError as error:
        raise Unfit(error.refusal) from None
    except (ProtocolError, TypeError, ValueError, OverflowError, RecursionError) as error:
        raise Unfit(Refusal(Reason.VALIDATION_FAILED, str(error))) from None


def entries(changes: Iterable[CellChange]) -> list[dict[str, Any]]:
    """As they stand on the wire."""
    return [
        {"id": change.id, "operation": change.verb, **({} if change.data is None else {"data": change.data})}
        for change in changes
    ]


def compacted(changes: Sequence[CellChange]) -> tuple[CellChange, ...]:
    """Updates of one cell, such as the steps of a drag, as one; those with paths or objects to merge are left alone."""
    compact: list[CellChange] = []
    places: dict[CellId, int] = {}
    for change in changes:
        at = places.get(change.id)
        if at is not None and _is_plain(change) and _is_plain(former := compact[at]):
            compact[at] = CellChange(change.id, Verb.UPDATE, {**(former.data or {}), **(change.data or {})})
        else:
            places[change.id] = len(compact)
            compact.append(change)
    return tuple(compact)


def remaining(older: Sequence[CellChange], newer: Iterable[CellChange]) -> tuple[CellChange, ...]:
    """What is left to do of older changes where newer ones have been made before them: no newer value is changed."""
    later: dict[CellId, list[CellChange]] = {}
    for change in newer:
        later.setdefault(change.id, []).append(change)
    left = [_remaining(change, later.get(change.id, [])) for change in older]
    return tuple([change for change in left if change is not None])


def _remaining(change: CellChange, newer: Sequence[CellChange]) -> CellChange | None:
    data = dict(change.data or {})
    for later in newer:
        if later.verb is not Verb.UPDATE or change.verb is not Verb.UPDATE:
            return None
        data = _unassigned(data, later.data or {})
        if not data:
            return None
    return CellChange(change.id, change.verb, data) if newer else change


def _unassigned(data: Mapping[str, Any], newer: Mapping[str, Any]) -> dict[str, Any]:
    """Of `data` what neither is assigned by `newer` nor would take away what that has assigned."""
    places = [place for key, value in newer.items() for place in _places(_path(key), value, key in DEEP)]
    left = {key: _left(_path(key), value, places, key in DEEP) for key, value in data.items()}
    return {key: value for key, value in left.items() if value is not NOTHING}


def _path(key: str) -> Path:
    return tuple(key.split("/")) if is_path(key) else (key,)


def _places(path: Path, value: Any, merges: bool) -> Iterator[Path]:
    """Where a value is assigned as a whole; an object that `merges` assigns what it holds."""
    if merges and isinstance(value, Mapping) and (value or len(path) == 1):
        for key, inner in value.items():
            yield from _places((*path, key), inner, merges)
    else:
        yield path


def _left(path: Path, value: Any, places: Sequence[Path], merges: bool) -> Any:
    if any(path[: len(place)] == place for place in places):
        return NOTHING
    if not any(place[: len(path)] == path for place in places):
        return value
    if not merges or not isinstance(value, Mapping):
        return NOTHING
    left = {key: _left((*path, key), inner, places, merges) for key, inner in value.items()}
    return {key: inner for key, inner in left.items() if inner is not NOTHING} or NOTHING


def _is_plain(change: CellChange) -> bool:
    return change.verb is Verb.UPDATE and not any(key in DEEP or is_path(key) for key in change.data or ())

"""What became of one cell: before and after, and from that the effective form, the inverse, and the keys written."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from collab.core.merge import DEEP, top_keys
from collab.core.references import REFERRING
from protocol.operations import CellEffect, CellInverse, KeyPath, Verb
from protocol.statehash import canonical_bytes
from protocol.values import Cell, CellId

ABSENT: Any = msgspec.UNSET
_SCALARS = frozenset({str, int, float, bool})

Key = tuple[KeyPath, tuple[Any, ...]]
"""A key and its former value, or nothing if it had none."""


class Difference(msgspec.Struct, frozen=True, gc=False):
    """Of a cell that stays, `data` holds each changed top-level key with its complete new value, None where it is gone,
    and `keys` each changed key (OP20). `made`: the objects inside `attrs` and `data`, or these themselves, that came to
    be, inner ones first. `refers`: what the cell refers to may have changed.
    """

    id: CellId
    before: Cell | None
    after: Cell | None
    data: Mapping[str, Any] = {}
    keys: tuple[Key, ...] = ()
    made: tuple[KeyPath, ...] = ()
    refers: bool = True

    def effect(self, patch: Mapping[str, Any]) -> CellEffect:
        """`patch`: all that updates named; the top-level keys of it that stayed as they were become `also`."""
        if self.after is None:
            return CellEffect(self.id, Verb.REMOVE)
        if self.before is None:
            return CellEffect(self.id, Verb.ADD, self.after)
        if patch.keys() <= self.data.keys():
            return CellEffect(self.id, Verb.UPDATE, self.data)
        also = tuple([key for key in top_keys(patch) if key not in self.data])
        return CellEffect(self.id, Verb.UPDATE, self.data, also)

    def inverse(self) -> CellInverse:
        if self.after is None:
            return CellInverse(self.id, Verb.ADD, self.before)
        if self.before is None:
            return CellInverse(self.id, Verb.REMOVE)
        return CellInverse(self.id, Verb.UPDATE, keys=self.keys, made=self.made)


def difference(
    id: CellId, before: Cell | None, after: Cell | None, named: Iterable[str] | None = None
) -> Difference | None:
    """None: nothing became of it. `named`: the top-level keys that may differ, where that is known."""
    if before is None or after is None:
        return Difference(id, before, after) if before is not after else None
    data: dict[str, Any] = {}
    keys: list[Key] = []
    made: list[KeyPath] = []
    for key in {**after, **before} if named is None else named:
        old, new = before.get(key, ABSENT), after.get(key, ABSENT)
        if old is new:
            continue
        known = len(keys)
        if key in DEEP:
            _compare((key,), old, new, keys, made)
        elif not same(old, new):
            keys.append(((key,), () if old is ABSENT else (old,)))
        if len(keys) > known:
            data[key] = None if new is ABSENT else new
    if not keys:
        return None
    return Difference(id, before, after, data, tuple(keys), tuple(made), not REFERRING.isdisjoint(data))


def same(old: Any, new: Any) -> bool:
    """Equal canonical bytes (OP16). Python takes True for 1, also inside lists and objects."""
    if old is new or old != new:
        return old is new
    return (type(old) is type(new) and type(old) in _SCALARS) or canonical_bytes(old) == canonical_bytes(new)


def _compare(path: KeyPath, old: Any, new: Any, keys: list[Key], made: list[KeyPath]) -> None:
    """Leaves are scalars, arrays and empty objects. An object that turns into something else, or the reverse, counts
    as one key: what was below goes and comes with it."""
    if not _are_objects(old, new):
        if not same(old, new):
            keys.append((path, () if old is ABSENT else (old,)))
        return
    was, now = {} if old is ABSENT else old, {} if new is ABSENT else new
    for key, value in now.items():
        if (former := was.get(key, ABSENT)) is not value:
            _compare((*path, key), former, value, keys, made)
    for key in was if not was.keys() <= now.keys() else ():
        if key not in now:
            _compare((*path, key), was[key], ABSENT, keys, made)
    if old is ABSENT:
        made.append(path)


def _are_objects(old: Any, new: Any) -> bool:
    """Both objects, or one of them and nothing; but an empty one that comes or goes is a leaf."""
    if isinstance(old, dict):
        return isinstance(new, dict) or (new is ABSENT and bool(old))
    return old is ABSENT and isinstance(new, dict) and bool(new)

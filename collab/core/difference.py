"""What became of one cell: before and after, and from that the effective form, the inverse, and the keys written."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from collab.core.merge import DEEP, top_key
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
    be, inner ones first.
    """

    id: CellId
    before: Cell | None
    after: Cell | None
    data: Mapping[str, Any] = {}
    keys: tuple[Key, ...] = ()
    made: tuple[KeyPath, ...] = ()

    @property
    def refers(self) -> bool:
        """Whether what the cell refers to may have changed."""
        return self.before is None or self.after is None or not REFERRING.isdisjoint(self.data)

    def effect(self, patch: Mapping[str, Any]) -> CellEffect:
        """`patch`: all that updates named; the top-level keys of it that stayed as they were become `also`."""
        if self.after is None:
            return CellEffect(self.id, Verb.REMOVE)
        if self.before is None:
            return CellEffect(self.id, Verb.ADD, self.after)
        if patch.keys() <= self.data.keys():
            return CellEffect(self.id, Verb.UPDATE, self.data)
        named = dict.fromkeys(map(top_key, patch))
        return CellEffect(self.id, Verb.UPDATE, self.data, tuple(key for key in named if key not in self.data))

    def inverse(self) -> CellInverse:
        if self.after is None:
            return CellInverse(self.id, Verb.ADD, self.before)
        if self.before is None:
            return CellInverse(self.id, Verb.REMOVE)
        return CellInverse(self.id, Verb.UPDATE, keys=self.keys, made=self.made)


def difference(id: CellId, before: Cell | None, after: Cell | None) -> Difference | None:
    """None: nothing became of it."""
    if before is None or after is None:
        return Difference(id, before, after) if before is not after else None
    data: dict[str, Any] = {}
    keys: list[Key] = []
    made: list[KeyPath] = []
    came = 0
    for key, new in after.items():
        old = before.get(key, ABSENT)
        if old is not new:
            came += old is ABSENT
            known = len(keys)
            (_compare if key in DEEP else _compare_leaf)((key,), old, new, keys, made)
            if len(keys) > known:
                data[key] = new
    if len(before) + came > len(after):
        for key in [key for key in before if key not in after]:
            (_compare if key in DEEP else _compare_leaf)((key,), before[key], ABSENT, keys, made)
            data[key] = None
    return Difference(id, before, after, data, tuple(keys), tuple(made)) if keys else None


def same(old: Any, new: Any) -> bool:
    """Equal canonical bytes (OP16). Python takes True for 1, also inside lists and objects."""
    if type(old) is type(new) and type(old) in _SCALARS:
        return bool(old == new)
    return old is new or bool(old == new and canonical_bytes(old) == canonical_bytes(new))


def _compare(path: KeyPath, old: Any, new: Any, keys: list[Key], made: list[KeyPath]) -> None:
    """Leaves are scalars, arrays and empty objects. An object that turns into something else, or the reverse, counts
    as one key: what was below goes and comes with it."""
    if not _are_objects(old, new):
        _compare_leaf(path, old, new, keys, made)
        return
    was, now = ({} if side is ABSENT else side for side in (old, new))
    for key, value in now.items():
        if (former := was.get(key, ABSENT)) is not value:
            _compare((*path, key), former, value, keys, made)
    for key, value in was.items():
        if key not in now:
            _compare((*path, key), value, ABSENT, keys, made)
    if old is ABSENT:
        made.append(path)


def _compare_leaf(path: KeyPath, old: Any, new: Any, keys: list[Key], _made: list[KeyPath]) -> None:
    if old is ABSENT:
        keys.append((path, ()))
    elif not same(old, new):
        keys.append((path, (old,)))


def _are_objects(old: Any, new: Any) -> bool:
    """Both objects, or one of them and nothing; but an empty one that comes or goes is a leaf."""
    if isinstance(old, dict):
        return isinstance(new, dict) or (new is ABSENT and bool(old))
    return old is ABSENT and isinstance(new, dict) and bool(new)

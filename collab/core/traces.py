"""Who last changed what: per cell and key path the newest write, and the newest by anybody else (OP20, OP22, UN2)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from collab.core.maps import Map
from protocol.operations import KeyPath
from protocol.values import CellId, UserId


class Write(msgspec.Struct, frozen=True, gc=False, array_like=True):
    """`user` wrote last, at `vector`; `other`: the newest vector at which anybody else wrote, 0 = never.

    That is enough to say exactly, for every user, whether somebody else wrote after a given vector.
    """

    user: UserId
    vector: int
    other: int = 0

    def by_other(self, user: UserId, since: int) -> bool:
        return (self.other if self.user == user else self.vector) > since


_NO_PARTS: Mapping[str, Trace] = {}


class Trace(msgspec.Struct, frozen=True, gc=False, array_like=True):
    """The writes to one place of a cell; a tree along the key paths, its root is the cell as a whole.

    `own`: to the place itself (of the root: the cell was added or removed); `newest`: to it or anything below. `parts`
    is copied with each write, as the cell itself is; never changed after it was made.
    """

    newest: Write
    own: Write | None = None
    parts: Mapping[str, Trace] = _NO_PARTS

    def by_other(self, path: KeyPath, user: UserId, since: int) -> bool:
        """Whether somebody else wrote to the place, above it or below it."""
        trace = self
        for key in path:
            if trace.own is not None and trace.own.by_other(user, since):
                return True
            part = trace.parts.get(key)
            if part is None:
                return False
            trace = part
        return trace.newest.by_other(user, since)


def traced(former: Trace | None, paths: Iterable[KeyPath], write: Write) -> Trace:
    """The trace after a first write by that user at that vector to these paths; the empty path is the whole cell."""
    if former is None:
        newest, own, parts = write, None, {}
    else:
        newest, own, parts = _after(former.newest, write), former.own, {**former.parts}
    below: dict[str, list[KeyPath]] = {}
    for path in paths:
        if len(path) == 1:
            (key,) = path
            leaf = parts.get(key)
            parts[key] = Trace(write, write) if leaf is None else _overwritten(leaf, write)
        elif path:
            below.setdefault(path[0], []).append(path[1:])
        else:
            own = _after(own, write)
    for key, rest in below.items():
        parts[key] = traced(parts.get(key), rest, write)
    return Trace(newest, own, parts or _NO_PARTS)


def _overwritten(leaf: Trace, write: Write) -> Trace:
    newest = _after(leaf.newest, write)
    return Trace(newest, newest if leaf.own is leaf.newest else _after(leaf.own, write), leaf.parts)


def _after(former: Write | None, write: Write) -> Write:
    """`write`, mindful of what came before it; shared where there was nobody else."""
    if former is None:
        return write
    other = former.other if former.user == write.user else former.vector
    return Write(write.user, write.vector, other) if other else write


class Traces(msgspec.Struct, frozen=True, gc=False):
    """Of all cells, removed ones included. Of writes at or below `floor` nothing is known any more."""

    floor: int = 0
    cells: Map[CellId, Trace] = Map()
    order: Trace | None = None
    """Of the cells' order as such (RE14)."""

    def by_other(self, cell: CellId, path: KeyPath, user: UserId, since: int) -> bool:
        """In doubt yes: nobody knows who wrote what up to the floor."""
        if since < self.floor:
            return True
        trace = self.cells.get(cell)
        return trace is not None and trace.by_other(path, user, since)

    def order_by_other(self, user: UserId, since: int) -> bool:
        return since < self.floor or (self.order is not None and self.order.by_other((), user, since))

    def above(self, floor: int) -> Traces:
        """Forgets what was written at or below `floor`."""
        if floor <= self.floor:
            return self
        cells = {id: kept for id, trace in self.cells.items() if (kept := _above(trace, floor)) is not None}
        return Traces(floor, Map(cells), _above(self.order, floor))

    def dump(self) -> Dump:
        """A value that msgspec writes; `load` reads it, and what it was written as."""
        return Dump(self.floor, self.order, dict(self.cells.items()))

    @staticmethod
    def load(raw: Any) -> Traces:
        """Raises msgspec.ValidationError."""
        dump = msgspec.convert(raw, Dump)
        return Traces(dump.floor, Map(dump.cells), dump.order)


class Dump(msgspec.Struct, frozen=True):
    """Every snapshot holds it, of all cells: spelled by msgspec alone it takes 2 us a cell, by a walk in Python 22."""

    floor: int
    order: Trace | None
    cells: dict[CellId, Trace]


def _above(trace: Trace | None, floor: int) -> Trace | None:
    if trace is None or trace.newest.vector <= floor:
        return None
    own = trace.own if trace.own is not None and trace.own.vector > floor else None
    parts = {key: kept for key, part in trace.parts.items() if (kept := _above(part, floor)) is not None}
    return Trace(trace.newest, own, parts)

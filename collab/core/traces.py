"""Who last changed what: per cell and key path the newest write, and the newest by anybody else (OP20, OP22, UN2)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import msgspec
from immutables import Map
from msgspec.structs import astuple

from protocol.operations import KeyPath
from protocol.values import CellId, UserId


class Write(msgspec.Struct, frozen=True, gc=False):
    """`user` wrote last, at `vector`; `other`: the newest vector at which anybody else wrote, 0 = never.

    That is enough to say exactly, for every user, whether somebody else wrote after a given vector.
    """

    user: UserId
    vector: int
    other: int = 0

    def by_other(self, user: UserId, since: int) -> bool:
        return (self.other if self.user == user else self.vector) > since


_NO_PARTS: Map[str, Trace] = Map()


class Trace(msgspec.Struct, frozen=True):
    """The writes to one place of a cell; a tree along the key paths, its root is the cell as a whole.

    `own`: to the place itself (of the root: the cell was added or removed); `newest`: to it or anything below.
    """

    newest: Write
    own: Write | None = None
    parts: Map[str, Trace] = _NO_PARTS

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
    newest, own, parts = (write, None, _NO_PARTS) if former is None else (former.newest, former.own, former.parts)
    for path in paths:
        if path:
            parts = parts.set(path[0], traced(parts.get(path[0]), (path[1:],), write))
        else:
            own = _after(own, write)
    return Trace(_after(newest, write), own, parts)


def _after(former: Write | None, write: Write) -> Write:
    """`write`, mindful of what came before it; shared where there was nobody else."""
    if former is None:
        return write
    other = former.other if former.user == write.user else former.vector
    return Write(write.user, write.vector, other) if other else write


class Traces(msgspec.Struct, frozen=True):
    """Of all cells, removed ones included. Of writes at or below `floor` nothing is known any more."""

    floor: int = 0
    cells: Map[CellId, Trace] = Map()
    order: Trace | None = None
    """Of the cells' order as such (RE14)."""

    def by_other(self, cell: CellId, path: KeyPath, user: UserId, since: int) -> bool:
        """In doubt yes: nobody knows who wrote what up to the floor."""
        return since < self.floor or _by_other(self.cells.get(cell), path, user, since)

    def order_by_other(self, user: UserId, since: int) -> bool:
        return since < self.floor or _by_other(self.order, (), user, since)

    def above(self, floor: int) -> Traces:
        """Forgets what was written at or below `floor`."""
        if floor <= self.floor:
            return self
        cells = {id: kept for id, trace in self.cells.items() if (kept := _above(trace, floor)) is not None}
        return Traces(floor, Map(cells), _above(self.order, floor))

    def dump(self) -> dict[str, Any]:
        """A value that JSON can carry; `load` reads it."""
        return {
            "floor": self.floor,
            "order": _dumped(self.order),
            "cells": {id: _dumped(trace) for id, trace in self.cells.items()},
        }

    @staticmethod
    def load(raw: Any) -> Traces:
        cells = {CellId(id): trace for id, dumped in raw["cells"].items() if (trace := _loaded(dumped)) is not None}
        return Traces(raw["floor"], Map(cells), _loaded(raw["order"]))


def _by_other(trace: Trace | None, path: KeyPath, user: UserId, since: int) -> bool:
    return trace is not None and trace.by_other(path, user, since)


def _above(trace: Trace | None, floor: int) -> Trace | None:
    if trace is None or trace.newest.vector <= floor:
        return None
    own = trace.own if trace.own is not None and trace.own.vector > floor else None
    parts = {key: kept for key, part in trace.parts.items() if (kept := _above(part, floor)) is not None}
    return Trace(trace.newest, own, Map(parts))


def _dumped(trace: Trace | None) -> list[Any] | None:
    if trace is None:
        return None
    parts = {key: _dumped(part) for key, part in trace.parts.items()}
    return [astuple(trace.newest), None if trace.own is None else astuple(trace.own), parts]


def _loaded(raw: Any) -> Trace | None:
    if raw is None:
        return None
    newest, own, parts = raw
    loaded = {key: part for key, dumped in parts.items() if (part := _loaded(dumped)) is not None}
    return Trace(Write(*newest), None if own is None else Write(*own), Map(loaded))

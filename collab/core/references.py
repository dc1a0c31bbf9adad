"""How cells name each other: the ends of an edge, the parent and the children of a cell."""

from __future__ import annotations

from collections.abc import Sequence

from protocol.cells import is_edge
from protocol.values import Cell, CellId

ENDS = ("source", "target")
REFERRING = frozenset({*ENDS, "parent", "children"})


def end(cell: Cell, key: str) -> CellId | None:
    """The node at one end of an edge; None where the end is missing, as in a draft it may."""
    named = cell.get(key)
    return None if named is None else named["cell"]


def parent(cell: Cell) -> CellId | None:
    return cell.get("parent")


def children(cell: Cell) -> Sequence[CellId]:
    listed: Sequence[CellId] = cell.get("children", ())
    return listed


def references(cell: Cell | None) -> frozenset[CellId]:
    """All cells it names, whether they exist or not."""
    if cell is None:
        return frozenset()
    named = {*children(cell), parent(cell)}
    if is_edge(cell):
        named.update(end(cell, key) for key in ENDS)
    return frozenset(id for id in named if id is not None)

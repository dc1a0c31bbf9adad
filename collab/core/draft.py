"""One operation in the making: what each cell has become so far, over a diagram that stays as it is."""

from __future__ import annotations

from collab.core.diagram import Diagram
from collab.core.references import parent
from protocol.cells import is_edge
from protocol.values import Cell, CellId


class Draft:
    """`cells` holds what was mentioned, in order of first mention; None: not there (any more)."""

    __slots__ = ("_before", "base", "cells")

    def __init__(self, base: Diagram) -> None:
        self.base = base
        self.cells: dict[CellId, Cell | None] = {}
        self._before: dict[CellId, Cell | None] = {}

    def before(self, id: CellId) -> Cell | None:
        """As it is in the diagram: always the same object, so that what stays of it is known by a glance."""
        if id not in self._before:
            self._before[id] = self.base.cell(id)
        return self._before[id]

    def cell(self, id: CellId) -> Cell | None:
        return self.cells[id] if id in self.cells else self.before(id)

    def parent(self, id: CellId) -> CellId | None:
        if id not in self.cells:
            return self.base.parent(id)
        cell = self.cells[id]
        return None if cell is None else parent(cell)

    def put(self, id: CellId, cell: Cell | None) -> None:
        self.cells[id] = cell

    def has_node(self, id: CellId | None) -> bool:
        cell = None if id is None else self.cell(id)
        return cell is not None and not is_edge(cell)

    def removed_nodes(self) -> frozenset[CellId]:
        removed = [(id, self.before(id)) for id, cell in self.cells.items() if cell is None]
        return frozenset([id for id, before in removed if before is not None and not is_edge(before)])

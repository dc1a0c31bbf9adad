"""Undo and redo (protocol rules UN1 to UN7, UN10, UN13): whose last operation, and its inverse key by key.

1. Stacks are made of log rows alone, so that every worker has the same.
2. An inversion is a set of changes like any other: `apply` judges it.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import assert_never

import msgspec

from collab.core.apply import Applied, Refused, Unchanged, apply, becoming
from collab.core.diagram import Diagram
from collab.core.reversal import Reversal
from protocol.notices import HistoryDepth
from protocol.operations import CellChange, Kind, LoggedOperation, Skipped
from protocol.values import CellId, Limits, UserId

UNDO_DEPTH = 100
GROUP = 500
"""An entry takes so many operations; what follows them in the same group is another one."""


class Entry(msgspec.Struct, frozen=True):
    """What one undo or redo inverts: these operations, oldest first.

    `vector` names the entry for good, in `undo_of` of its undo and its redo: of the edit, of a group its newest.
    """

    operations: tuple[LoggedOperation, ...]
    vector: int
    group_id: str | None = None


class Stacks(msgspec.Struct, frozen=True):
    """Newest last. Going up, vectors rise in `undo` and fall in `redo`."""

    undo: tuple[Entry, ...] = ()
    redo: tuple[Entry, ...] = ()
    limit: int = UNDO_DEPTH

    @staticmethod
    def of(rows: Iterable[LoggedOperation], limit: int = UNDO_DEPTH) -> Stacks:
        """Of one user's rows, or with `undo_scope = session` of everybody's, oldest first."""
        stacks = Stacks(limit=limit)
        for row in rows:
            stacks = stacks.after(row)
        return stacks

    @property
    def depth(self) -> HistoryDepth:
        return HistoryDepth(len(self.undo), len(self.redo))

    def after(self, row: LoggedOperation) -> Stacks:
        """An undo or redo leaves no row where nothing could be inverted (UN6): that the entries above its own were used
        up is learnt from the next row that passes over them."""
        vector = row.undo_of or 0
        match row.kind:
            case Kind.EDIT | Kind.REST:
                return Stacks(_pushed(self.undo, row)[-self.limit :], (), self.limit)
            case Kind.UNDO:
                below = tuple(entry for entry in self.undo if entry.vector < vector)
                undone = Entry((row,), vector, _group(self.undo, vector))
                return Stacks(below, (*self.redo, undone), self.limit)
            case Kind.REDO:
                below = tuple(entry for entry in self.redo if entry.vector > vector)
                redone = Entry((row,), vector, _group(self.redo, vector))
                return Stacks((*self.undo, redone), below, self.limit)
            case Kind.RESTORE:
                return Stacks(limit=self.limit)  # UN11: another epoch
            case never:
                assert_never(never)

    def without(self, entry: Entry) -> Stacks:
        """After an entry was used up without effect (UN6)."""
        undo, redo = (tuple(kept for kept in stack if kept is not entry) for stack in (self.undo, self.redo))
        return Stacks(undo, redo, self.limit)


def _pushed(stack: tuple[Entry, ...], row: LoggedOperation) -> tuple[Entry, ...]:
    goes_on = bool(stack) and row.group_id is not None and stack[-1].group_id == row.group_id
    if goes_on and len(stack[-1].operations) < GROUP:
        return (*stack[:-1], Entry((*stack[-1].operations, row), row.vector, row.group_id))
    return (*stack, Entry((row,), row.vector, row.group_id))


def _group(stack: tuple[Entry, ...], vector: int) -> str | None:
    return next((entry.group_id for entry in stack if entry.vector == vector), None)


class Inversion(msgspec.Struct, frozen=True):
    changes: tuple[CellChange, ...]
    skipped: tuple[Skipped, ...]
    order: tuple[CellId, ...] | None = None


def invert(diagram: Diagram, entry: Entry, user: UserId | None) -> Inversion:
    """What of the entry can be taken back, and what is left alone since somebody but `user` changed or needs it.

    None stands for everybody together (`undo_scope = session`): then nobody is somebody else.
    """
    reversal = Reversal(diagram, user)
    for operation in reversed(entry.operations):
        reversal.take_back(operation)
    reversal.finish()
    changes = [change for id, cell in reversal.draft.cells.items() for change in becoming(id, diagram.cell(id), cell)]
    order = reversal.former_order(entry.operations[0]) if len(entry.operations) == 1 else None
    return Inversion(tuple(changes), reversal.skipped, order)


def judge_inversion(
    diagram: Diagram, inversion: Inversion, user: UserId, limits: Limits
) -> Applied | Unchanged | Refused:
    """Unchanged: nothing can be inverted, the entry is used up (UN6)."""
    verdict = apply(diagram, inversion.changes, user, limits, inversion.order, restoring=True)
    if isinstance(verdict, Refused) and inversion.order is not None:
        return apply(diagram, inversion.changes, user, limits, restoring=True)
    return verdict

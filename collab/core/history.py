"""Undo and redo (protocol rules UN1 to UN7, UN10, UN13): whose last operation, and its inverse key by key.

1. Stacks are made of what the store keeps, so that they are the same after a restart: of the log, and of the outcomes
   of undos and redos that had no effect.
2. An inversion is a set of changes like any other: `apply` judges it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import assert_never

import msgspec

from collab.core.apply import Applied, Refused, Unchanged, apply, becoming
from collab.core.diagram import Diagram
from collab.core.kept import Kept, Step
from collab.core.reversal import Reversal
from protocol.notices import HistoryDepth
from protocol.operations import CellChange, Kind, LoggedOperation, Outcome, Skipped
from protocol.values import Cell, CellId, Limits, UserId

UNDO_DEPTH = 100
GROUP = 500
"""An entry takes so many operations; what follows them in the same group is another one."""


class Entry(msgspec.Struct, frozen=True, gc=False):
    """What one undo or redo inverts: these operations, oldest first.

    `vector` names the entry for good, in `undo_of` of its undo and its redo: of the edit, of a group its newest.
    """

    operations: tuple[Kept, ...]
    vector: int

    @property
    def size(self) -> int:
        """Bytes of what its operations made of the cells, and of what there was before."""
        return sum([len(kept.effect) + len(kept.rest) for kept in self.operations])

    @property
    def group_id(self) -> str | None:
        """An undo and a redo are of the group of what they invert: it goes on after them."""
        return self.operations[-1].group_id


class Stacks(msgspec.Struct, frozen=True, gc=False):
    """Newest last. Going up, vectors rise in `undo` and fall in `redo`."""

    undo: tuple[Entry, ...] = ()
    redo: tuple[Entry, ...] = ()
    limit: int = UNDO_DEPTH

    @staticmethod
    def of(steps: Iterable[Step], limit: int = UNDO_DEPTH) -> Stacks:
        """Of one user's steps, or with `undo_scope = session` of everybody's, oldest first."""
        stacks = Stacks(limit=limit)
        for step in steps:
            stacks = stacks.after(step)
        return stacks

    @property
    def depth(self) -> HistoryDepth:
        return HistoryDepth(len(self.undo), len(self.redo))

    def after(self, row: Step) -> Stacks:
        """Another worker hears only of rows: that the entries above that of an undo were used up (UN6), it learns from
        the next row that passes over them."""
        if isinstance(row, Outcome):
            return self.used_up(row.kind, row.undo_of)
        vector = row.undo_of or 0
        match row.kind:
            case Kind.EDIT | Kind.REST:
                return self.edited((row,))
            case Kind.UNDO:
                below = tuple(entry for entry in self.undo if entry.vector < vector)
                return Stacks(below, (*self.redo, Entry((row,), vector)), self.limit)
            case Kind.REDO:
                below = tuple(entry for entry in self.redo if entry.vector > vector)
                return Stacks((*self.undo, Entry((row,), vector)), below, self.limit)
            case Kind.RESTORE:
                return Stacks(limit=self.limit)  # UN11: another epoch
            case never:
                assert_never(never)

    def edited(self, rows: Iterable[Kept]) -> Stacks:
        """After edits, all at once: however many they are, the entries below are copied once."""
        undo = list(self.undo)
        for row in rows:
            _push(undo, row)
        return Stacks(tuple(undo[-self.limit :]), (), self.limit)

    def used_up(self, kind: Kind, vector: int | None = None) -> Stacks:
        """After the newest entry could not be inverted (UN6), or the one of that vector: two workers may have tried the
        same, of which neither had heard of the other."""
        if kind is Kind.UNDO:
            return Stacks(_without(self.undo, vector), self.redo, self.limit)
        return Stacks(self.undo, _without(self.redo, vector), self.limit)


class History:
    """The stacks of one undoer as they move on: edits are put on them when somebody looks, and until then counted."""

    __slots__ = ("_edits", "_stacks")

    def __init__(self, stacks: Stacks) -> None:
        self._stacks = stacks
        self._edits: list[Kept] = []
        """Of no group: each makes an entry of its own, and as many as there is room for push all others out."""

    def add(self, row: Kept) -> None:
        if row.group_id is None and row.kind is Kind.EDIT:
            self._edits.append(row)
            if len(self._edits) > 2 * self._stacks.limit:
                del self._edits[: -self._stacks.limit]
        else:
            self._stacks = self.stacks.after(row)

    @property
    def stacks(self) -> Stacks:
        if self._edits:
            self._stacks, self._edits = self._stacks.edited(self._edits), []
        return self._stacks

    @property
    def depth(self) -> HistoryDepth:
        if not self._edits:
            return self._stacks.depth
        return HistoryDepth(min(len(self._stacks.undo) + len(self._edits), self._stacks.limit), 0)


def _without(stack: tuple[Entry, ...], vector: int | None) -> tuple[Entry, ...]:
    return stack[:-1] if vector is None else tuple(entry for entry in stack if entry.vector != vector)


def _push(stack: list[Entry], row: Kept) -> None:
    newest = stack[-1].operations if stack else ()
    if newest and len(newest) < GROUP and _goes_on(newest[-1], row):
        stack[-1] = Entry((*newest, row), row.vector)
    else:
        stack.append(Entry((row,), row.vector))


def _goes_on(before: Kept, row: Kept) -> bool:
    """Two users may give their groups one name."""
    return row.group_id is not None and row.group_id == before.group_id and row.user.id == before.user.id


def suffice(steps: Iterable[Step], limit: int = UNDO_DEPTH) -> bool:
    """Whether `Stacks.of` these is what it would be of all that came before them, too.

    It is where the stack was full once, of entries that surely begin where they seem to begin: the first steps may be
    the rest of a group.
    """
    sure: Stacks | None = None
    before: Step | None = None
    for step in steps:
        if sure is None and _surely_begins(step, before):
            sure = Stacks(limit=limit)
        if sure is not None:
            sure = sure.after(step)
            if len(sure.undo) >= limit:
                return True
            if not sure.undo:
                sure = None  # what comes next stands on an entry that is not known
        before = step
    return False


def _surely_begins(step: Step, before: Step | None) -> bool:
    """Whether the step makes a new entry whatever stood below; what was done last, unless undone, is on top."""
    if isinstance(step, Outcome) or step.kind is Kind.UNDO:
        return False
    if step.kind is Kind.REDO or step.group_id is None:
        return True
    return isinstance(before, Kept) and before.kind is not Kind.UNDO and not _goes_on(before, step)


class Inversion(msgspec.Struct, frozen=True):
    changes: tuple[CellChange, ...]
    skipped: tuple[Skipped, ...]
    order: tuple[CellId, ...] | None = None


def invert(diagram: Diagram, entry: Entry, user: UserId | None) -> Inversion:
    """What of the entry can be taken back, and what is left alone since somebody but `user` changed or needs it.

    None stands for everybody together (`undo_scope = session`): then nobody is somebody else.
    """
    reversal, operations = Reversal(diagram, user), [kept.operation for kept in entry.operations]
    for operation in reversed(operations):
        reversal.take_back(operation)
    reversal.finish()
    cells = reversal.draft.cells
    changes = [
        change for id in _listed(diagram, operations, cells) for change in becoming(id, diagram.cell(id), cells[id])
    ]
    order = reversal.former_order(operations[0]) if len(operations) == 1 else None
    return Inversion(tuple(changes), reversal.skipped, order)


def _listed(
    diagram: Diagram, operations: Sequence[LoggedOperation], cells: Mapping[CellId, Cell | None]
) -> list[CellId]:
    """What goes is listed in cell order, and what comes back as it was listed: a redo then appends in that order."""
    listed = dict.fromkeys(cell.id for operation in reversed(operations) for cell in operation.inverse.cells)
    ids = [id for id in {**listed, **dict.fromkeys(cells)} if id in cells]
    gone = diagram.in_order(id for id in ids if cells[id] is None)
    return [*gone, *(id for id in ids if cells[id] is not None)]


def judge_inversion(
    diagram: Diagram, inversion: Inversion, user: UserId, limits: Limits
) -> Applied | Unchanged | Refused:
    """Unchanged: nothing can be inverted, the entry is used up (UN6)."""
    verdict = apply(diagram, inversion.changes, user, limits, inversion.order, restoring=True)
    if isinstance(verdict, Refused) and inversion.order is not None:
        return apply(diagram, inversion.changes, user, limits, restoring=True)
    return verdict

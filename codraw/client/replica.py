"""A diagram as one client holds it: a confirmed copy of the log's state, and its own pending operations on top.

Twin of `web/sdk/replica.js`; what a change does to cells is decided by the code that decides it on the server.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Literal

import msgspec
from msgspec import UNSET

from codraw.client.messages import State
from codraw.client.outcomes import Asked
from collab.core.apply import Applied, Refused, advance, apply
from collab.core.diagram import NOBODY, Diagram
from collab.core.traces import Traces
from protocol.dialects.codraw_v1_messages import Event, OperationAccepted, Repair
from protocol.dialects.patches import CellEntry
from protocol.operations import CellChange, CellEffect, Effect, Inverse, Kind, LoggedOperation, Verb
from protocol.statehash import hex32
from protocol.values import SERVER_USER, Cell, CellId, DiagramId, Epoch, Limits, OperationId, UserId

Touched = frozenset[CellId]
"""Ids of the cells that may look different now."""
NOTHING: Touched = frozenset()


class Operation:
    """One operation without an outcome. `is_sent`: on the present connection; `was_sent`: on any.

    `is_unjudged`: the server has said that it did not happen, and that it may be asked again. `has_happened`: it stands
    in the log, and lacks its receipt alone. `is_repeat`: sent before, so that the answer may be one of long ago (VEC8).
    """

    __slots__ = (
        "asked",
        "base_vector",
        "changes",
        "group_id",
        "has_happened",
        "is_repeat",
        "is_sent",
        "is_unjudged",
        "kind",
        "strict",
        "was_sent",
    )

    def __init__(
        self,
        asked: Asked,
        kind: Literal["edit", "undo", "redo"],
        changes: tuple[CellChange, ...] = (),
        *,
        base_vector: int = 0,
        group_id: str | None = None,
        strict: bool = False,
    ) -> None:
        self.asked, self.kind, self.changes = asked, kind, changes
        self.base_vector, self.group_id, self.strict = base_vector, group_id, strict
        self.is_sent = self.was_sent = self.is_repeat = self.is_unjudged = self.has_happened = False

    @property
    def id(self) -> str:
        return self.asked.id

    @property
    def awaits_receipt(self) -> bool:
        """It is sent (again) even if it has happened: only its receipt says what an undo has left alone."""
        return self.kind != "edit" and not self.is_sent and self.asked.outcome is None


class Replica:
    """A foreign event goes under the pending operations, a receipt confirms one, a rejection drops one.

    What is looked at is `top`; what is compared with the server is `confirmed`. Methods that take something of the
    server return None where the copy lacks what came before it: then only a `resume` helps.

    Pending operations are laid over the confirmed copy when somebody looks, not when something arrives: many events in
    a row, as after a time away, cost one laying.
    """

    def __init__(self) -> None:
        self.confirmed = Diagram(DiagramId(""), Epoch(""))
        self.pending: list[Operation] = []
        self.me: UserId = NOBODY
        self.limits = Limits()
        self._layers: list[Diagram] = []
        """The diagram after each of the first of the pending operations."""
        self._laid: set[CellId] = set()
        """What pending operations may make look different."""

    @property
    def top(self) -> Diagram:
        if not self._layers:
            self._laid.clear()
        for operation in self.pending[len(self._layers) :]:
            self._lay(operation)
        return self._highest

    @property
    def _highest(self) -> Diagram:
        return self._layers[-1] if self._layers else self.confirmed

    @property
    def state_hash(self) -> str:
        """Of the confirmed copy, as it stands on the wire."""
        return hex32(self.confirmed.state_hash)

    @property
    def cell_hashes(self) -> list[tuple[CellId, str]]:
        """Of the confirmed cells in their order: lets the server answer with a `repair`."""
        slots = self.confirmed.slots
        return [(id, hex32(slots[id].hash)[:16]) for id in self.confirmed.order()]

    def operation(self, id: str) -> Operation | None:
        return next((operation for operation in self.pending if operation.id == id), None)

    # what the client asks ---------------------------------------------------------------------------------------------

    def ask(self, operation: Operation) -> Touched:
        """Puts an operation on top."""
        _ = self.top
        self.pending.append(operation)
        return self._lay(operation)

    def ask_more(self) -> Touched:
        """The last operation asks for other changes than it did."""
        _ = self.top
        self._layers.pop()
        self._lay(self.pending[-1])
        return frozenset(self._laid)

    def drop(self, id: str) -> Touched:
        """Takes an operation off, wherever it stands: it was refused, or its outcome arrived another way."""
        self.pending = [operation for operation in self.pending if operation.id != id]
        return self.restack()

    # what the server says ---------------------------------------------------------------------------------------------

    def show(self, state: State) -> Touched:
        """A full state replaces the confirmed copy; pending operations stay on top."""
        former = {*self.confirmed.slots}
        self._replace(_restored(state.epoch, state.update_vector, state.cells))
        return self.restack(former.union(self.confirmed.slots))

    def repair(self, repair: Repair) -> Touched:
        """The difference to a full state."""
        cells = {cell["id"]: cell for cell in self.confirmed.cells_in_order()}
        for id in repair.removed:
            cells.pop(id, None)
        cells.update((cell["id"], cell) for cell in repair.cells)
        order = cells.keys() if repair.order is UNSET else [id for id in repair.order if id in cells]
        self._replace(_restored(repair.epoch, repair.update_vector, [cells[id] for id in order]))
        return self.restack({*repair.removed, *(cell["id"] for cell in repair.cells)})

    def _replace(self, confirmed: Diagram) -> None:
        """What has its outcome is in it: only a receipt that could not be applied leaves such an operation pending."""
        self.confirmed = confirmed
        self.pending = [operation for operation in self.pending if operation.asked.outcome is None]

    def happened(self, event: Event) -> Touched | None:
        """An operation of the log. One of our own comes this way after a lost connection: of an edit that is the
        receipt."""
        place = self._place(event.epoch, event.update_vector)
        if place == "gap":
            return None
        operation = self.operation(event.operation_id)
        is_ours = event.by.id == self.me and not (operation is not None and operation.awaits_receipt)
        if place == "known":
            return self.drop(event.operation_id) if is_ours else NOTHING
        if is_ours:
            self.pending = [operation for operation in self.pending if operation.id != event.operation_id]
        order = None if event.operation.order is UNSET else tuple(event.operation.order)
        return self._assign(event.operation.cells, order)

    def accepted(self, receipt: OperationAccepted) -> Touched | None:
        """The receipt of an own operation: it becomes part of the confirmed copy, in the effective form if given."""
        place = self._place(receipt.epoch, receipt.update_vector) if receipt.changed else "known"
        if place == "gap":
            return None
        if place == "known":
            return self.drop(receipt.operation_id)
        operation = self.operation(receipt.operation_id)
        if receipt.cells is not UNSET:
            if operation is not None:
                self.pending.remove(operation)
            return self._assign(receipt.cells)
        return None if operation is None else self._confirm(operation)

    def _confirm(self, operation: Operation) -> Touched | None:
        """Without an effective form what was asked is what happened."""
        if self._layers and operation is self.pending[0] and self._layers[0].vector == self.confirmed.vector + 1:
            # Just as it was foreseen: what lies above stays as it is.
            self.confirmed = _without_past(self._layers.pop(0))
            del self.pending[0]
            if not self.pending:
                self._laid.clear()
            return NOTHING
        applied = apply(self.confirmed, operation.changes, self.me, self.limits)
        if not isinstance(applied, Applied):
            return None
        self.pending.remove(operation)
        self.confirmed = _without_past(applied.diagram)
        return self.restack(effect.id for effect in applied.effect.cells)

    def _place(self, epoch: str, vector: int) -> Literal["gap", "next", "known"]:
        if epoch != self.confirmed.epoch or vector > self.confirmed.vector + 1:
            return "gap"
        return "next" if vector == self.confirmed.vector + 1 else "known"

    def _assign(self, cells: Sequence[CellEntry], order: tuple[CellId, ...] | None = None) -> Touched:
        self.confirmed = _without_past(advance(self.confirmed, _logged(cells, order)))
        touched = self.confirmed.slots.keys() if order is not None else [entry.id for entry in cells]
        return self.restack(touched)

    # laying one over the other ----------------------------------------------------------------------------------------

    def restack(self, touched: Iterable[CellId] = ()) -> Touched:
        """The confirmed copy or the pending operations are others: all are laid anew when next looked at.

        What they touch then and did not before, they touch because of what is `touched` now: it need not be known.
        """
        told = self._laid.union(touched)
        self._layers.clear()
        if not self.pending:
            self._laid.clear()
        return frozenset(told)

    def _lay(self, operation: Operation) -> Touched:
        """What is sure to be refused changes nothing."""
        below = self._highest
        applied = apply(below, operation.changes, self.me, self.limits)
        self._layers.append(applied.diagram if isinstance(applied, Applied) else below)
        if isinstance(applied, Refused):
            self._laid.update(_within_reach(below, operation.changes))
        if not isinstance(applied, Applied):
            return NOTHING
        laid = frozenset([effect.id for effect in applied.effect.cells])
        self._laid |= laid
        return laid


def _within_reach(diagram: Diagram, changes: Iterable[CellChange]) -> Iterable[CellId]:
    """What may look different should these be applicable one day: with a node go its edges (OP4)."""
    for change in changes:
        yield change.id
        if change.verb is Verb.REMOVE:
            yield from diagram.referrers(change.id)


def _restored(epoch: str, vector: int, cells: Iterable[Cell]) -> Diagram:
    return Diagram.restore(DiagramId(""), Epoch(epoch), vector, cells, None)


def _without_past(diagram: Diagram) -> Diagram:
    """Who changed what is for the server to know."""
    return msgspec.structs.replace(diagram, traces=Traces())


def _logged(cells: Sequence[CellEntry], order: tuple[CellId, ...] | None) -> LoggedOperation:
    """A row of the log, as far as the cells depend on it."""
    effects = tuple([CellEffect(e.id, e.operation, None if e.data is UNSET else e.data) for e in cells])
    nobody_asks = (OperationId(""), SERVER_USER, Kind.EDIT)
    return LoggedOperation(0, *nobody_asks, Effect(effects, order), Inverse(), state_hash=0, at_ms=0)

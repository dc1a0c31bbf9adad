"""What we asked for and have no outcome of: sent in order, sent again after a loss, settled once."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Literal
from uuid import uuid4

from codraw.client.changes import Change, Entry, Unfit, canonical, compacted, entries, remaining
from codraw.client.events import Changed, Held, HeldOperation, Refused, Saved
from codraw.client.link import Link
from codraw.client.messages import OperationRejected
from codraw.client.outcomes import Accepted, Asked, Rejected, Unsettled
from codraw.client.replica import Operation, Replica
from protocol.operations import CellChange, Skipped
from protocol.refusals import Reason, Refusal

RETRY = "retry"
RETRY_MS = 500
TOO_LARGE = Refusal(Reason.LIMIT_EXCEEDED, "it does not fit into a frame")


class Submissions:
    def __init__(self, replica: Replica, link: Link) -> None:
        self.is_open = False
        self._replica, self._link = replica, link

    # asking -----------------------------------------------------------------------------------------------------------

    def edit(self, changes: Iterable[Change | Entry], group_id: str | None, strict: bool) -> Asked:
        try:
            spelled = canonical(changes, self._replica.limits)
        except Unfit as unfit:
            return self._refused_at_once(unfit.refusal.reason, str(unfit), unfit.refusal.affected)
        return self._joined(spelled, group_id, strict) or self._ask("edit", spelled, group_id, strict)

    def undo(self) -> Asked:
        return self._ask("undo")

    def redo(self) -> Asked:
        return self._ask("redo")

    def _ask(
        self,
        kind: Literal["edit", "undo", "redo"],
        changes: tuple[CellChange, ...] = (),
        group_id: str | None = None,
        strict: bool = False,
    ) -> Asked:
        if not self.is_open:
            return self._refused_at_once("closed", "the live diagram is closed")
        vector = self._replica.confirmed.vector
        operation = Operation(Asked(str(uuid4())), kind, changes, base_vector=vector, group_id=group_id, strict=strict)
        if not self._fits(operation):
            return self._refused_at_once(TOO_LARGE.reason, TOO_LARGE.message)
        self._show(self._replica.ask(operation))
        if self._may_send:
            self._transmit(operation)
        return operation.asked

    def _refused_at_once(self, reason: str, message: str, affected: Sequence[str] = ()) -> Asked:
        asked = Asked(str(uuid4()))
        outcome = Rejected(operation_id=asked.id, reason=str(reason), message=message, affected_cells=affected)
        asked.settle(outcome)
        self._link.tell(Refused(outcome))
        return asked

    def _joined(self, changes: tuple[CellChange, ...], group_id: str | None, strict: bool) -> Asked | None:
        """A gesture that goes on while nothing can be sent grows its last operation instead of the queue."""
        last = self._replica.pending[-1] if self._replica.pending else None
        if self._may_send or not group_id or last is None or last.was_sent or not self.is_open:
            return None
        if (last.kind, last.group_id, last.strict) != ("edit", group_id, strict):
            return None
        former, last.changes = last.changes, compacted([*last.changes, *changes])
        if len(last.changes) > self._replica.limits.max_cells_per_operation or not self._fits(last):
            last.changes = former
            return None
        self._show(self._replica.ask_more())
        return last.asked

    # sending ----------------------------------------------------------------------------------------------------------

    @property
    def _may_send(self) -> bool:
        """While one waits for its retry nothing goes past it: an older value would be written over a newer one."""
        return self._link.is_live and RETRY not in self._link.timers

    def _fits(self, operation: Operation) -> bool:
        return len(self._link.frame(message_of(operation))) <= self._replica.limits.max_frame_bytes

    def _transmit(self, operation: Operation) -> None:
        operation.is_repeat = operation.was_sent
        operation.is_sent = operation.was_sent = True
        operation.is_unjudged = False
        self._link.say(message_of(operation))

    def transmit_all(self) -> None:
        """Oldest first, same ids (WS18)."""
        for operation in list(self._replica.pending):
            if operation.is_sent:
                continue
            if self._fits(operation):
                self._transmit(operation)
            else:
                self._refuse(operation.id, TOO_LARGE.reason, TOO_LARGE.message)

    def lost(self) -> None:
        for operation in self._replica.pending:
            operation.is_sent = False

    # outcomes ---------------------------------------------------------------------------------------------------------

    def settle(self, id: str, vector: int, changed: bool = True, skipped: Sequence[Skipped] = ()) -> None:
        operation = self._replica.operation(id)
        if operation is not None and operation.asked.outcome is None:
            outcome = Accepted(operation_id=id, vector=vector, changed=changed, skipped=skipped)
            operation.asked.settle(outcome)
            self._link.tell(Saved(outcome))
            self._overtaken(operation)

    def rejected(self, said: OperationRejected) -> None:
        if said.retry:
            self._ask_again(said.operation_id, said.retry_after_ms)
            return
        more = {"affected_cells": said.affected_cells, "current_cells": said.current_cells, "details": said.details}
        self._refuse(said.operation_id, said.reason, said.message, **more)

    def _ask_again(self, id: str, retry_after_ms: int | None) -> None:
        """The server could not judge: the same operation once more, before those that were asked meanwhile."""
        operation = self._replica.operation(id)
        if operation is None:
            return
        operation.is_sent, operation.is_unjudged = False, True
        self._link.timers.after((retry_after_ms or RETRY_MS) / 1_000, RETRY, self._retry)

    def _retry(self) -> None:
        if any(operation.is_sent and operation.asked.outcome is None for operation in self._replica.pending):
            # What was under way behind it may overtake it: only its outcome says what is left to ask for.
            self._link.timers.after(RETRY_MS / 1_000, RETRY, self._retry)
        else:
            self.transmit_all()

    def _overtaken(self, newer: Operation) -> None:
        """It was under way when an older one was sent back, and has happened first: its values are the newer ones."""
        pending = self._replica.pending
        for older in pending[: pending.index(newer)]:
            if not older.is_unjudged or older.has_happened:
                continue
            left = remaining(older.changes, newer.changes)
            if older.kind != "edit" or not left:
                # An undo would now take back the newer one.
                self._refuse(older.id, "superseded", "a later operation of ours has happened before it")
            elif left != older.changes:
                older.changes = left
                self._show(self._replica.restack())

    def _refuse(self, id: str, reason: str, message: str, **more: Any) -> None:
        operation = self._replica.operation(id)
        if operation is None:
            return
        outcome = Rejected(operation_id=id, reason=str(reason), message=message, **more)
        operation.asked.settle(outcome)
        self._show(self._replica.drop(id))
        self._link.tell(Refused(outcome))

    def forgotten(self) -> None:
        """The server remembers no outcomes: what was sent may have happened. What never was is sent still, but for
        strict ones, whose `base_vector` is one of a past that is gone."""
        doubtful = [operation for operation in self._replica.pending if operation.was_sent or operation.strict]
        self._abandon(doubtful, "too_old", "offline for longer than the server remembers operations")

    def abandon(self, reason: str, message: str) -> None:
        """Nothing of what is pending will be sent (again). Nobody is left waiting, and nothing is lost in silence."""
        self._abandon(self._replica.pending, reason, message)

    def _abandon(self, leaving: Sequence[Operation], reason: str, message: str) -> None:
        gone = set(leaving)
        self._replica.pending = [operation for operation in self._replica.pending if operation not in gone]
        operations = [operation for operation in leaving if operation.asked.outcome is None]
        for operation in operations:
            kind = Unsettled if operation.was_sent else Rejected
            operation.asked.settle(kind(operation_id=operation.id, reason=reason, message=message))
        self._show(self._replica.restack())
        if operations:
            self._link.tell(Held([_held(operation) for operation in operations]))

    async def drained(self) -> None:
        """Returns when everything asked so far has its outcome."""
        for operation in list(self._replica.pending):
            await operation.asked

    def _show(self, touched: frozenset[Any]) -> None:
        if touched:
            self._link.tell(Changed(touched))


def _held(operation: Operation) -> HeldOperation:
    changes = [Change(change.id, change.verb, change.data) for change in operation.changes]
    return HeldOperation(operation.id, operation.kind, changes, operation.was_sent)


def message_of(operation: Operation) -> dict[str, Any]:
    if operation.kind != "edit":
        return {"message_type": operation.kind, "operation_id": operation.id}
    return {
        "message_type": "operation",
        "operation_id": operation.id,
        "operation": {"type": "patch", "cells": entries(operation.changes)},
        "base_vector": operation.base_vector,
        **({"group_id": operation.group_id} if operation.group_id else {}),
        **({"strict": True} if operation.strict else {}),
    }

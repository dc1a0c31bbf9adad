"""This worker's copy of one diagram with what it remembers of its recent past: operations, outcomes, undo stacks."""

from __future__ import annotations

from collections import deque

import msgspec

from collab.core.apply import advance
from collab.core.diagram import Diagram
from collab.core.events import Loaded
from collab.core.history import Stacks
from protocol.operations import LoggedOperation, Outcome
from protocol.values import Epoch, Head, Limits, OperationId, UserId

OUTCOMES = 1_000
RESUME_BYTES = 1_048_576 - 65_536
"""Of effects: 1 MiB less what events have around them, so that none of them gives way to a full state (E7)."""

REMEMBERED = 10_000
"""So many vectors back it is known who changed what; beyond that a change counts as somebody else's."""
FORGETTING, FEW = 2, 1_000
"""Traces of removed cells stay until they outnumber those of the cells there are."""

Key = tuple[UserId, OperationId]


class Replica:
    """Only committed state: what is judged and not yet committed lives in `writing`."""

    def __init__(self, loaded: Loaded, limits: Limits) -> None:
        self.diagram = loaded.diagram
        self.acl_version = loaded.acl_version
        self._undo_depth = limits.undo_depth
        self._recent: deque[LoggedOperation] = deque(loaded.recent, maxlen=limits.resume_operations)
        self._outcomes: dict[Key, Outcome] = {}
        self._stacks: dict[UserId, Stacks] = {}

    @property
    def head(self) -> Head:
        d = self.diagram
        return Head(epoch=d.epoch, vector=d.vector, state_hash=d.state_hash, acl_version=self.acl_version)

    def forget(self) -> None:
        """Drops who changed what longer ago than the log is sure to reach, once that is most of what is remembered."""
        diagram = self.diagram
        if len(diagram.traces.cells) > FORGETTING * (len(diagram) + FEW):
            self.diagram = diagram.forget_below(diagram.vector - REMEMBERED)

    def take(self, operation: LoggedOperation, after: Diagram | None = None) -> None:
        """Moves on by one operation of the log; `after` where its outcome was computed already."""
        self.diagram = after if after is not None else advance(self.diagram, operation)
        self._recent.append(operation)
        stacks = self._stacks.get(operation.user.id)
        if stacks is not None:
            self._stacks[operation.user.id] = stacks.after(operation)

    # undo stacks ------------------------------------------------------------------------------------------------------

    def stacks(self, user: UserId) -> Stacks | None:
        """None: not read from the log yet."""
        return self._stacks.get(user)

    def set_history(self, user: UserId, rows: tuple[LoggedOperation, ...]) -> None:
        """Rows above our vector will come by `take`."""
        known = (row for row in rows if row.vector <= self.diagram.vector)
        self._stacks[user] = Stacks.of(known, self._undo_depth)

    def set_stacks(self, user: UserId, stacks: Stacks) -> None:
        self._stacks[user] = stacks

    # outcomes ---------------------------------------------------------------------------------------------------------

    def outcome(self, key: Key) -> Outcome | None:
        return self._outcomes.get(key)

    def remember(self, outcome: Outcome) -> None:
        self._outcomes[outcome.user, outcome.operation_id] = outcome
        if len(self._outcomes) > OUTCOMES:
            del self._outcomes[next(iter(self._outcomes))]

    # resume -----------------------------------------------------------------------------------------------------------

    def missed(self, epoch: Epoch, vector: int) -> tuple[LoggedOperation, ...] | None:
        """Exactly what follows `vector`, or None where that is too much, too old or of another history (WS17)."""
        behind = self.diagram.vector - vector
        if epoch != self.diagram.epoch or behind < 0 or behind > len(self._recent):
            return None
        operations = tuple(self._recent)[len(self._recent) - behind :]
        if sum(len(msgspec.json.encode(operation.effect)) for operation in operations) > RESUME_BYTES:
            return None
        return operations

    def hash_at(self, vector: int) -> int | None:
        """The state hash at a vector that is still remembered."""
        if vector == self.diagram.vector:
            return self.diagram.state_hash
        return next((operation.state_hash for operation in self._recent if operation.vector == vector), None)

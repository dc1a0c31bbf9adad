"""This worker's copy of one diagram with what it remembers of its recent past: operations, outcomes, undo stacks."""

from __future__ import annotations

from collections import OrderedDict

from collab.core.apply import advance
from collab.core.diagram import Diagram
from collab.core.events import Loaded
from collab.core.history import History, Stacks
from collab.core.kept import Kept, Step
from collab.core.recent import Recent
from collab.core.verdicts import Key
from protocol.notices import HistoryDepth
from protocol.operations import LoggedOperation, Outcome
from protocol.values import Epoch, Head, Limits, UserId

OUTCOMES = 1_000

REMEMBERED = 10_000
"""So many vectors back it is known who changed what; beyond that a change counts as somebody else's."""
FORGETTING, FEW = 2, 1_000
"""Traces of removed cells stay until they outnumber those of the cells there are."""


class Replica:
    """Only committed state: what is judged and not yet committed lives in `writing`."""

    def __init__(self, loaded: Loaded, limits: Limits, *, shared_undo: bool = False) -> None:
        self.diagram = loaded.diagram
        self.acl_version = loaded.acl_version
        self._undo_depth = limits.undo_depth
        self._shared_undo = shared_undo
        here = (loaded.diagram.vector, loaded.diagram.state_hash)
        before = loaded.before if loaded.recent else here
        self._recent = Recent(limits.resume_operations, before, map(Kept.of, loaded.recent))
        self._outcomes: OrderedDict[Key, Outcome] = OrderedDict()
        """A dict would look for its oldest past all that were deleted: 1.0 us an outcome, and so 0.4."""
        self._histories: dict[UserId | None, History] = {}

    @property
    def head(self) -> Head:
        d = self.diagram
        return Head(epoch=d.epoch, vector=d.vector, state_hash=d.state_hash, acl_version=self.acl_version)

    def forget(self) -> None:
        """Drops who changed what longer ago than the log is sure to reach, once that is most of what is remembered."""
        diagram = self.diagram
        if len(diagram.traces.cells) > FORGETTING * (len(diagram) + FEW):
            self.diagram = diagram.forget_below(diagram.vector - REMEMBERED)

    def take(self, operation: LoggedOperation, after: Diagram | None = None, kept: Kept | None = None) -> None:
        """Moves on by one operation of the log; `after` and `kept` where what becomes of it was found already."""
        self.diagram = after if after is not None else advance(self.diagram, operation)
        kept = kept or Kept.of(operation)
        self._recent.add(kept)
        history = self._histories.get(self.undoer(operation.user.id))
        if history is not None:
            history.add(kept)

    # undo stacks ------------------------------------------------------------------------------------------------------

    def undoer(self, user: UserId) -> UserId | None:
        """Whose operations that user takes back: None, everybody's (`undo_scope = session`)."""
        return None if self._shared_undo else user

    def has_history(self, user: UserId) -> bool:
        """Whether it was read from the log yet."""
        return self.undoer(user) in self._histories

    def stacks(self, user: UserId) -> Stacks | None:
        """None: not read from the log yet."""
        history = self._histories.get(self.undoer(user))
        return None if history is None else history.stacks

    def depth(self, user: UserId) -> HistoryDepth | None:
        """Of the stacks, as they need not be made for it."""
        history = self._histories.get(self.undoer(user))
        return None if history is None else history.depth

    def set_history(self, undoer: UserId | None, steps: tuple[Step, ...]) -> None:
        """Steps above our vector will come by `take`."""
        known = (step for step in steps if step.vector <= self.diagram.vector)
        self._histories[undoer] = History(Stacks.of(known, self._undo_depth))

    def set_stacks(self, user: UserId, stacks: Stacks) -> None:
        self._histories[self.undoer(user)] = History(stacks)

    def forget_stacks(self, user: UserId) -> None:
        """They are read again before they are needed."""
        self._histories.pop(self.undoer(user), None)

    def forget_all_stacks(self) -> None:
        self._histories.clear()

    # outcomes ---------------------------------------------------------------------------------------------------------

    def outcome(self, key: Key) -> Outcome | None:
        return self._outcomes.get(key)

    def remember(self, outcome: Outcome) -> None:
        self._outcomes[outcome.user, outcome.operation_id] = outcome
        if len(self._outcomes) > OUTCOMES:
            self._outcomes.popitem(last=False)

    # resume -----------------------------------------------------------------------------------------------------------

    def missed(self, epoch: Epoch, vector: int) -> tuple[LoggedOperation, ...] | None:
        """Exactly what follows `vector`, or None where that is too much, too old or of another history (WS17)."""
        return self._recent.newest(self.diagram.vector - vector) if epoch == self.diagram.epoch else None

    def hash_at(self, vector: int) -> int | None:
        """The state hash at a vector that is still remembered."""
        return self.diagram.state_hash if vector == self.diagram.vector else self._recent.hash_at(vector)

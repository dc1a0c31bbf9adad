"""What was submitted, and what it was judged to be: private until the commit that confirms it is back."""

from __future__ import annotations

from typing import NewType

import msgspec

from collab.core.diagram import Diagram
from collab.core.history import Stacks
from collab.core.kept import Kept
from protocol.intents import Edit, Redo, Replace, Undo
from protocol.operations import LoggedOperation, Outcome, Skipped
from protocol.refusals import Refusal
from protocol.values import Caller, CellId, OperationId, SocketId, UserId

Ticket = NewType("Ticket", int)
"""Names one request of the door for programs; its answer is `effects.Answer`."""

Operational = Edit | Replace | Undo | Redo
Source = SocketId | Ticket
Key = tuple[UserId, OperationId]


class Waiting(msgspec.Struct, frozen=True, gc=False):
    """One submission in the queue. `arrived`: the room's turn in which it came; `seen`: the newest vector that its
    sender can have known of then (OP20).

    `grain`: how far down the path of a key its dialect tells changes apart, None: all the way.
    `uncertain`: it was in a commit whose outcome never came back, so the log may hold it already.
    """

    source: Source
    caller: Caller
    intent: Operational
    operation_id: OperationId
    arrived: int
    seen: int
    weight: int
    ref: str | None = None
    grain: int | None = None
    uncertain: bool = False

    @property
    def key(self) -> Key:
        return (self.caller.id, self.operation_id)


class Logged(msgspec.Struct, frozen=True, gc=False):
    """Accepted. `kept`: the operation, as the room keeps it; `doubtful`: cells that the sender now sees otherwise than
    they are (E4)."""

    waiting: Waiting
    operation: LoggedOperation
    kept: Kept
    after: Diagram
    skipped: tuple[Skipped, ...]
    doubtful: tuple[CellId, ...]


class NoOp(msgspec.Struct, frozen=True, gc=False):
    """`used`: the undo entry that it used up, by its vector (UN6)."""

    waiting: Waiting
    stacks: Stacks
    skipped: tuple[Skipped, ...] = ()
    used: int | None = None


class Declined(msgspec.Struct, frozen=True, gc=False):
    waiting: Waiting
    refusal: Refusal


class Repeated(msgspec.Struct, frozen=True, gc=False):
    waiting: Waiting
    outcome: Outcome


Judgement = Logged | NoOp | Declined | Repeated


class Judged(msgspec.Struct, frozen=True, gc=False):
    """What a batch came to on top of one state. Private until its commit is back."""

    verdicts: tuple[Judgement, ...]
    operations: tuple[LoggedOperation, ...]
    outcomes: tuple[Outcome, ...]

    @property
    def binding(self) -> bool:
        """Whether there is anything to write down, or to confirm the head for."""
        return bool(self.outcomes)

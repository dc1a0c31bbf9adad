"""The writing lane: what waits, how a batch is judged, and the one call that may be in flight.

Laws: (1) one call of the lane at a time; (2) what is judged stays private until the call that confirms it is back;
(3) every id of a batch whose verdict depends on the cells gets its outcome written down with the batch.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence

import msgspec

from collab.core.apply import Applied, Refused, Unchanged, apply, replacement
from collab.core.diagram import Diagram
from collab.core.events import (
    BatchJudged,
    CaughtUp,
    Committed,
    Gone,
    HistoryRead,
    Joined,
    Known,
    Loaded,
    Missed,
    RightsRead,
    Unavailable,
    Unresolved,
    WriterOutcome,
)
from collab.core.history import Entry, History, Stacks, invert, judge_inversion
from collab.core.kept import Kept
from collab.core.merge import top_keys
from collab.core.replica import Replica
from collab.core.rights import allowed
from collab.core.verdicts import Declined, Judged, Judgement, Key, Logged, NoOp, Operational, Repeated, Waiting
from protocol.cells import payload_sha256
from protocol.intents import Edit, Redo, Replace, Undo
from protocol.operations import (
    CellChange,
    CellEffect,
    Effect,
    Inverse,
    Kind,
    LoggedOperation,
    Outcome,
    Skipped,
    Verb,
    Verdict,
)
from protocol.refusals import Reason, Refusal
from protocol.values import CellId, Head, Instant, Limits, RoleAt, UserId

BATCH_OPERATIONS = 64
BATCH_BYTES = 262_144


# states -------------------------------------------------------------------------------------------------------------


class Idle(msgspec.Struct, frozen=True):
    pass


class Judging(msgspec.Struct, frozen=True, gc=False):
    """A batch that takes long to judge."""

    batch: tuple[Waiting, ...]


class Committing(msgspec.Struct, frozen=True, gc=False):
    batch: tuple[Waiting, ...]
    judged: Judged
    base: Head
    attempt: int


class CatchingUp(msgspec.Struct, frozen=True):
    """`joins`: those that arrived before the read began."""

    joins: tuple[Joined, ...]


class Reloading(msgspec.Struct, frozen=True):
    pass


class ReadingHistory(msgspec.Struct, frozen=True):
    pass


class ReadingRights(msgspec.Struct, frozen=True):
    pass


Writing = Idle | Judging | Committing | CatchingUp | Reloading | ReadingHistory | ReadingRights

OUTCOMES: Mapping[type[Writing], frozenset[type[WriterOutcome]]] = {
    Idle: frozenset(),
    Judging: frozenset({BatchJudged, Unavailable}),
    Committing: frozenset({Committed, Missed, Known, Unresolved, Unavailable, Gone}),
    CatchingUp: frozenset({CaughtUp, Unavailable, Gone}),
    Reloading: frozenset({Loaded, Unavailable, Gone}),
    ReadingHistory: frozenset({HistoryRead, Unavailable, Gone}),
    ReadingRights: frozenset({RightsRead, Unavailable, Gone}),
}
"""What the call of each state can come back with; anything else is not of our doing, and passed over."""


# the queue ----------------------------------------------------------------------------------------------------------


def weight(intent: Operational) -> int:
    """A cheap measure of size in bytes, for the bound of a batch."""
    match intent:
        case Edit():
            return 200 * len(intent.changes)
        case Replace():
            return 200 * len(intent.cells)
        case _:
            return 200


def take_batch(queue: list[Waiting], ready: Callable[[Waiting], bool]) -> tuple[Waiting, ...]:
    """Removes the longest head of the queue that fits one commit and is ready to be judged."""
    size = total = 0
    for waiting in queue[:BATCH_OPERATIONS]:
        total += waiting.weight
        if (size and total > BATCH_BYTES) or not ready(waiting):
            break
        size += 1
    batch = tuple(queue[:size])
    del queue[:size]
    return batch


# judging ------------------------------------------------------------------------------------------------------------

_WORDS: Mapping[type[Judgement], Verdict] = {
    Logged: Verdict.ACCEPTED,
    NoOp: Verdict.NO_OP,
    Declined: Verdict.REFUSED,
}


class Judge:
    """Judges one batch, each operation on the outcome of the one before it."""

    def __init__(self, replica: Replica, role: Callable[[Waiting], RoleAt], limits: Limits, now: Instant) -> None:
        self._replica = replica
        self._role = role
        self._limits = limits
        self._now = now
        self._diagram = replica.diagram
        self._histories: dict[UserId | None, History] = {}
        self._outcomes: dict[Key, Outcome] = {}
        self._operations: list[LoggedOperation] = []
        self._kept: list[Kept] = []

    def batch(self, batch: Iterable[Waiting]) -> Judged:
        verdicts = tuple([self._one(waiting) for waiting in batch])
        return Judged(verdicts, tuple(self._operations), tuple(self._outcomes.values()))

    def _one(self, waiting: Waiting) -> Judgement:
        key = waiting.key
        known = self._outcomes.get(key) or self._replica.outcome(key)
        payload = payload_of(waiting.intent)
        if known is not None:
            if known.payload_sha256 == payload:
                return Repeated(waiting, known)
            return Declined(waiting, _id_conflict())
        if not allowed(waiting.intent, self._role(waiting)):
            return Declined(waiting, Refusal(Reason.PERMISSION_DENIED, "you may not change this diagram"))
        # VEC11: only what depends on the cells is an outcome that a retry hears again
        verdict = self._judged(waiting)
        self._outcomes[key] = self._outcome(waiting, payload, verdict)
        return verdict

    def _judged(self, waiting: Waiting) -> Logged | NoOp | Declined:
        match waiting.intent:
            case Edit() as edit:
                refusal = self._strictness(waiting.caller.id, edit)
                if refusal is not None:
                    return Declined(waiting, refusal)
                applied = apply(self._diagram, edit.changes, waiting.caller.id, self._limits)
                return self._concluded(waiting, edit.kind, applied)
            case Replace() as replace:
                return self._replaced(waiting, replace)
            case Undo():
                return self._inverted(waiting, Kind.UNDO)
            case Redo():
                return self._inverted(waiting, Kind.REDO)

    def _strictness(self, user: UserId, edit: Edit) -> Refusal | None:
        """OP22."""
        if not edit.strict:
            return None
        if edit.base_vector is None:
            return Refusal(Reason.VALIDATION_FAILED, "strict needs base_vector")
        moved = tuple(
            change.id
            for change in edit.changes
            if self._diagram.changed_by_other(change.id, None, user, edit.base_vector)
        )
        if moved:
            return Refusal(Reason.CONFLICT_DETECTED, "somebody else changed the cell since base_vector", moved)
        return None

    def _concluded(
        self, waiting: Waiting, kind: Kind, outcome: Applied | Unchanged | Refused
    ) -> Logged | NoOp | Declined:
        match outcome:
            case Applied() as applied:
                cells = doubtful(self._diagram, waiting, applied.effect, applied.inverse, applied.settled)
                return self._log(waiting, kind, applied, doubtful=cells)
            case Unchanged():
                return NoOp(waiting, self._stack(waiting))
            case Refused(refusal=refusal):
                return Declined(waiting, refusal)

    def _replaced(self, waiting: Waiting, replace: Replace) -> Logged | NoOp | Declined:
        vector = self._diagram.vector
        if replace.expected_vector is not None and replace.expected_vector != vector:
            refusal = Refusal(Reason.CONFLICT_DETECTED, "the diagram has moved on", details={"update_vector": vector})
            return Declined(waiting, refusal)
        changes, order = replacement(self._diagram, replace.cells, replace.texts)
        outcome = apply(self._diagram, changes, waiting.caller.id, self._limits, order)
        return self._concluded(waiting, Kind.REST, outcome)

    def _inverted(self, waiting: Waiting, kind: Kind) -> Logged | NoOp | Declined:
        stacks = self._stack(waiting)
        entries = stacks.undo if kind is Kind.UNDO else stacks.redo
        if not entries:
            reason = Reason.NOTHING_TO_UNDO if kind is Kind.UNDO else Reason.NOTHING_TO_REDO
            return Declined(waiting, Refusal(reason, reason.value.replace("_", " ")))
        entry, undoer = entries[-1], self._replica.undoer(waiting.caller.id)
        inversion = invert(self._diagram, entry, undoer)
        match judge_inversion(self._diagram, inversion, waiting.caller.id, self._limits):
            case Applied() as applied:
                return self._log(waiting, kind, applied, inverted=entry, skipped=inversion.skipped)
            case Unchanged():
                used = stacks.used_up(kind)
                self._histories[undoer] = History(used)
                return NoOp(waiting, used, inversion.skipped, entry.vector)
            case Refused(refusal=refusal):
                return Declined(waiting, refusal)

    def _log(
        self,
        waiting: Waiting,
        kind: Kind,
        applied: Applied,
        *,
        inverted: Entry | None = None,
        skipped: tuple[Skipped, ...] = (),
        doubtful: tuple[CellId, ...] = (),
    ) -> Logged:
        intent, diagram, group_id = waiting.intent, applied.diagram, None
        if inverted is not None:
            group_id = inverted.group_id
        elif isinstance(intent, Edit):
            group_id = intent.group_id
        operation = LoggedOperation(
            vector=diagram.vector,
            operation_id=waiting.operation_id,
            user=waiting.caller.user,
            kind=kind,
            effect=applied.effect,
            inverse=applied.inverse,
            state_hash=diagram.state_hash,
            at_ms=self._now.wall_ms,
            group_id=group_id,
            undo_of=inverted.vector if inverted is not None else None,
        )
        kept = Kept.of(operation)
        self._diagram = diagram
        self._operations.append(operation)
        self._kept.append(kept)
        if self._histories and (history := self._histories.get(self._replica.undoer(waiting.caller.id))) is not None:
            history.add(kept)
        return Logged(waiting, operation, kept, diagram, skipped, doubtful)

    def _stack(self, waiting: Waiting) -> Stacks:
        """Made when somebody asks for it: most batches are edits alone."""
        replica, user = self._replica, waiting.caller.id
        undoer = replica.undoer(user)
        history = self._histories.get(undoer)
        if history is None:
            stacks = replica.stacks(user)
            assert stacks is not None  # noqa: S101 - the room reads the history of everybody in a batch first
            history = self._histories[undoer] = History(stacks)
            for kept in self._kept:
                if replica.undoer(kept.user.id) == undoer:
                    history.add(kept)
        return history.stacks

    def _outcome(self, waiting: Waiting, payload: bytes, verdict: Logged | NoOp | Declined) -> Outcome:
        refusal: Refusal | None = None
        skipped: tuple[Skipped, ...] = ()
        used: int | None = None
        match verdict:
            case Logged():
                skipped = verdict.skipped
            case NoOp():
                skipped, used = verdict.skipped, verdict.used
            case Declined():
                refusal = verdict.refusal
        return Outcome(
            user=waiting.caller.id,
            operation_id=waiting.operation_id,
            payload_sha256=payload,
            verdict=_WORDS[type(verdict)],
            epoch=self._diagram.epoch,
            vector=self._diagram.vector,
            kind=kind_of(waiting.intent),
            refusal=refusal,
            skipped=skipped,
            undo_of=used,
        )


def kind_of(intent: Operational) -> Kind:
    match intent:
        case Edit():
            return intent.kind
        case Replace():
            return Kind.REST
        case Undo():
            return Kind.UNDO
        case Redo():
            return Kind.REDO


_UNDO_SHA256 = payload_sha256(Kind.UNDO, ())
_REDO_SHA256 = payload_sha256(Kind.REDO, ())


def payload_of(intent: Operational) -> bytes:
    match intent:
        case Edit() | Replace():
            return intent.payload_sha256
        case Undo():
            return _UNDO_SHA256
        case Redo():
            return _REDO_SHA256


def _id_conflict() -> Refusal:
    return Refusal(Reason.OPERATION_ID_CONFLICT, "this operation_id was used for another operation")


def doubtful(
    before: Diagram, waiting: Waiting, effect: Effect, inverse: Inverse, settled: bool = True
) -> tuple[CellId, ...]:
    """OP20: cells that differ from what the sender believes: the server changed more than was asked, which it may have
    where the operation was `settled`, or another user's change of the same key, unseen by the sender, was ordered
    first."""
    if not isinstance(waiting.intent, Edit):
        return ()
    found: list[CellId] = []
    if settled:
        asked = _asked_keys(waiting.intent.changes)
        found = [cell.id for cell in effect.cells if not _as_asked(cell, asked)]
    if waiting.seen < before.vector:
        user = waiting.caller.id
        for cell in inverse.cells:
            # of most cells nobody else changed anything: then none of its keys need be looked at
            if not before.changed_by_other(cell.id, None, user, waiting.seen):
                continue
            paths = {path[: waiting.grain] for path, _ in cell.keys} or {()}
            if any(before.changed_by_other(cell.id, path, user, waiting.seen) for path in paths):
                found.append(cell.id)
    return tuple(dict.fromkeys(found)) if found else ()


def _asked_keys(changes: Sequence[CellChange]) -> dict[CellId, frozenset[str] | None]:
    """Top-level keys that were named per cell; None: the cell as a whole."""
    asked: dict[CellId, frozenset[str] | None] = {}
    for change in changes:
        if change.verb is not Verb.UPDATE or change.data is None:
            asked[change.id] = None
        elif (known := asked.get(change.id, frozenset())) is not None:
            asked[change.id] = known.union(top_keys(change.data))
    return asked


def _as_asked(cell: CellEffect, asked: dict[CellId, frozenset[str] | None]) -> bool:
    named = asked.get(cell.id, frozenset())
    return named is None or (cell.data is not None and cell.data.keys() <= named)

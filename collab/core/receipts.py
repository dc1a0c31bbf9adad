"""What a verdict becomes once it may be told: the author's answer in its slot, and the news for everybody else."""

from __future__ import annotations

from typing import assert_never

from collab.core.deadlines import DOUBT
from collab.core.effects import Answer, Send, Tell
from collab.core.roster import Present, Shown
from collab.core.state import RoomState
from collab.core.verdicts import Declined, Judgement, Logged, NoOp, Repeated, Waiting
from collab.core.writing import kind_of
from protocol.intents import Edit
from protocol.notices import Accepted, CopyDoubtful, Corrected, Happened, HistoryDepth, Rejected
from protocol.operations import CellChange, Kind, LoggedOperation, Skipped, Verdict
from protocol.refusals import CURRENT_CELLS, Reason, Refusal
from protocol.values import CellId, SocketId

DOUBT_S = 1.0
INVERSIONS = frozenset({Kind.UNDO, Kind.REDO})


class Receipts:
    def __init__(self, state: RoomState) -> None:
        self._state = state

    def release(self, verdict: Judgement) -> None:
        match verdict:
            case Logged(waiting=waiting, operation=operation):
                self._state.replica.take(operation, verdict.after, verdict.kept)
                self.accept(waiting, operation, verdict.skipped, verdict.doubtful)
            case NoOp(waiting=waiting, stacks=stacks, skipped=skipped):
                self._state.replica.set_stacks(waiting.caller.id, stacks)
                if kind_of(waiting.intent) in INVERSIONS:
                    # UN6: the answer is the same as where it had an effect
                    self._fetches(waiting)
                self._answer(waiting, self._accepted(waiting, self._depth(waiting), skipped=skipped))
            case Declined(waiting=waiting, refusal=refusal):
                self.refuse(waiting, refusal)
            case Repeated():
                self._repeat(verdict)
            case _:
                assert_never(verdict)

    def accept(
        self,
        waiting: Waiting,
        operation: LoggedOperation,
        skipped: tuple[Skipped, ...] = (),
        doubtful: tuple[CellId, ...] = (),
    ) -> None:
        """The replica stands right after `operation`."""
        depth = self._depth(waiting)
        self._answer(waiting, self._accepted(waiting, depth, operation=operation, skipped=skipped))
        source = waiting.source
        if isinstance(source, str):
            if operation.kind not in INVERSIONS:
                self._correct(waiting, source, operation, doubtful)
            self._tell(operation, depth, frozenset((source,)))
        else:
            self._tell(operation, depth)

    def _correct(
        self, waiting: Waiting, socket: SocketId, operation: LoggedOperation, doubtful: tuple[CellId, ...]
    ) -> None:
        """E4. What was sent before the socket was last shown these cells, or the whole diagram, is not on its screen
        any more: its client does not apply its own operations when they come back."""
        state, present = self._state, self._state.roster.get(socket)
        if present is None:
            return
        if present.corrected or _overtaken(waiting, present.shown):
            touched = (cell.id for cell in operation.effect.cells)
            lost = (id for id in touched if _overtaken(waiting, present.corrected.get(id, present.shown)))
            doubtful = tuple(dict.fromkeys((*doubtful, *lost)))
        if doubtful:
            present.corrected.update(dict.fromkeys(doubtful, state.shown()))
            present.fetches(state.now.monotonic_s)
            state.ask(Send(socket, Corrected(operation, state.replica.diagram, doubtful, state.start_vector)))
        elif state.now.monotonic_s < max(present.fetching_until_s, present.syncing_until_s):
            self._doubt(present)

    def tell(self, operation: LoggedOperation) -> None:
        """What another worker has accepted."""
        self._tell(operation, self._state.replica.depth(operation.user.id))

    def _tell(
        self, operation: LoggedOperation, depth: HistoryDepth | None, skip: frozenset[SocketId] = frozenset()
    ) -> None:
        """`depth`: of the author's stacks."""
        state, user = self._state, operation.user.id
        state.note_told(operation.vector)
        diagram, shared = state.replica.diagram, state.settings.shared_undo
        happened = Happened(operation, diagram, state.start_vector, depth, shared)
        state.ask(Tell(happened, skip, user))
        now_s, own = state.now.monotonic_s, state.roster.of(user)
        # E8; and what a client fetches may be older than this operation, and is put over it
        doubtful = dict.fromkeys((*own, *state.roster.fetching(now_s)))
        if operation.kind in INVERSIONS:
            # E5: all sockets of that user are shown the outcome, and need no correction
            for present in own:
                present.show(state.shown())
                present.fetches(now_s)
                del doubtful[present]
        if operation.effect.order is not None:
            # E7 says so by itself
            for present in state.roster:
                present.fetches(now_s)
            return
        for present in doubtful:
            if present.socket not in skip:
                self._doubt(present)

    def refuse(self, waiting: Waiting, refusal: Refusal) -> None:
        self._fetches(waiting)
        self._answer(waiting, self.rejected(waiting.operation_id, refusal, kind_of(waiting.intent), waiting.ref))

    def _fetches(self, waiting: Waiting) -> None:
        """Its answer sends the client of a dialect that fetches to do so."""
        present = self._state.roster.get(waiting.source) if isinstance(waiting.source, str) else None
        if present is not None:
            present.fetches(self._state.now.monotonic_s)

    def rejected(self, operation_id: str, refusal: Refusal, kind: Kind = Kind.EDIT, ref: str | None = None) -> Rejected:
        """With the affected cells as they are: a client takes one that is not shown for gone."""
        diagram = self._state.replica.diagram
        found = (diagram.cell(cell) for cell in refusal.affected[:CURRENT_CELLS])
        return Rejected(
            operation_id=operation_id,
            refusal=refusal,
            vector=diagram.vector,
            kind=kind,
            at_ms=self._state.now.wall_ms,
            current_cells=tuple(cell for cell in found if cell is not None),
            ref=ref,
        )

    def _repeat(self, verdict: Repeated) -> None:
        """VEC8: the first outcome again."""
        outcome, waiting = verdict.outcome, verdict.waiting
        skipped, depth = outcome.skipped, self._depth(waiting)
        match outcome.verdict:
            case Verdict.ACCEPTED:
                self._answer(waiting, self._accepted(waiting, depth, vector=outcome.vector, skipped=skipped))
            case Verdict.NO_OP:
                self._answer(waiting, self._accepted(waiting, depth, skipped=skipped, duplicate=True))
            case Verdict.REFUSED:
                self.refuse(waiting, outcome.refusal or Refusal(Reason.CONFLICT_DETECTED, "refused before"))
            case _:
                assert_never(outcome.verdict)

    def _depth(self, waiting: Waiting) -> HistoryDepth | None:
        return self._state.replica.depth(waiting.caller.id)

    def _accepted(
        self,
        waiting: Waiting,
        depth: HistoryDepth | None,
        *,
        operation: LoggedOperation | None = None,
        vector: int | None = None,
        skipped: tuple[Skipped, ...] = (),
        duplicate: bool = False,
    ) -> Accepted:
        """`vector` without `operation`: a repeat of what was accepted there."""
        state, caller, intent = self._state, waiting.caller, waiting.intent
        diagram = state.replica.diagram
        asked: tuple[CellChange, ...] = ()
        if isinstance(intent, Edit) and not (intent.respelled and operation is not None):
            asked = intent.changes
        return Accepted(
            operation_id=waiting.operation_id,
            vector=vector if vector is not None else diagram.vector,
            changed=operation is not None or vector is not None,
            duplicate=duplicate or vector is not None,
            kind=kind_of(intent),
            by=caller.user,
            after=diagram,
            start_vector=state.start_vector,
            asked=asked,
            operation=operation,
            skipped=skipped,
            history=depth or HistoryDepth(),
            ref=waiting.ref,
        )

    def _answer(self, waiting: Waiting, notice: Accepted | Rejected) -> None:
        if isinstance(waiting.source, str):
            self._state.ask(Send(waiting.source, notice))
        else:
            self._state.ask(Answer(waiting.source, notice))

    # E8: at most one a second, and the last one is not lost -----------------------------------------------------------

    def _doubt(self, present: Present) -> None:
        name = DOUBT + present.socket
        if name in self._state.deadlines:
            present.doubted = True
            return
        self._state.after_s(name, DOUBT_S)
        present.fetches(self._state.now.monotonic_s)
        self._state.ask(Send(present.socket, CopyDoubtful(self._state.replica.diagram)))

    def doubt_again(self, socket: SocketId) -> None:
        present = self._state.roster.get(socket)
        if present is not None and present.doubted:
            present.doubted = False
            self._doubt(present)


def _overtaken(waiting: Waiting, shown: Shown) -> bool:
    """Whether the sender had not yet seen what was shown when it edited."""
    return waiting.arrived < shown.turn or waiting.seen < shown.vector

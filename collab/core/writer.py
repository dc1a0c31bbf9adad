"""The writing lane of a room at work: queue, judge, commit, follow, catch up, reload; it releases in log order.

Laws: (1) one call in flight, and news heard meanwhile waits for its outcome; (2) nothing judged leaves before the
commit in which it was judged; (3) a batch commits although it accepts nothing; (4) a read counts only if it began
after the need for it arose.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import assert_never

import msgspec

from collab.core.apply import advance
from collab.core.claims import PATIENT_ATTEMPTS, Claims
from collab.core.deadlines import GAP, RETRY, SNAPSHOT
from collab.core.diagram import Diagram
from collab.core.effects import CatchUp, Commit, JudgeBatch, Publish, ReadHistory, ReadRights, Reload, Send, Snapshot
from collab.core.events import (
    BatchJudged,
    CaughtUp,
    Claimed,
    HistoryRead,
    Joined,
    Known,
    Loaded,
    Missed,
    RightsRead,
    WriterOutcome,
)
from collab.core.follow import Held
from collab.core.history import Stacks
from collab.core.receipts import INVERSIONS, Receipts
from collab.core.replica import Replica
from collab.core.roster import SENDING_LATE_S, Present
from collab.core.state import RoomState
from collab.core.verdicts import Judged, Judgement, NoOp, Operational, Source, Waiting
from collab.core.writing import (
    BATCH_OPERATIONS,
    OUTCOMES,
    CatchingUp,
    Committing,
    Idle,
    Judge,
    Judging,
    ReadingHistory,
    ReadingRights,
    Reloading,
    Writing,
    doubtful,
    kind_of,
    take_batch,
    weight,
)
from protocol.intents import Edit, Redo, Replace, Undo
from protocol.notices import StateReason, StateShown
from protocol.operations import LoggedOperation, Verdict
from protocol.refusals import Reason, Refusal
from protocol.values import Bearer, Caller, Head, RoleAt, SocketId, UserId

_INVERTING = frozenset({Undo, Redo})

SAVED_CELLS = 2
"""So many cells at most are written into a snapshot for each operation since the one before: each takes as much as a
thirtieth of an operation."""


class Writer:
    def __init__(self, state: RoomState) -> None:
        self._state = state
        self._receipts = Receipts(state)
        self._writing: Writing = Idle()
        self._attempt = 1
        self._queue: list[Waiting] = []
        self._held = Held()
        self._claims = Claims(state)
        self._joins: list[Joined] = []
        self._behind = False
        self._head_seen: Head | None = None
        self._reload: StateReason | None = None
        self._rights_stale = False
        self._trouble_since_s: float | None = None
        self._unsaved = 0
        self._rights: dict[Bearer, RoleAt] = {}
        self._used_up: set[UserId] = set()
        """Whose undo stacks are to be read again (UN6); and whether all are."""
        self._stacks_doubted = False
        self._shown_stacks: set[UserId] = set()
        """Of whose stacks sockets here are told with what happens elsewhere: they are read before they are needed to
        judge (UN15)."""
        self._ready_joins: list[Joined] = []

    # what comes in ----------------------------------------------------------------------------------------------------

    def queue(
        self,
        source: Source,
        caller: Caller,
        role: RoleAt,
        intent: Operational,
        present: Present | None = None,
    ) -> None:
        """`role` as it was last read; a newer permission clock than ours makes all roles stale. `present`: the socket,
        where it comes from one."""
        operation_id = intent.operation_id
        assert operation_id is not None  # noqa: S101 - the edges make one where the client sent none
        self.note_role(caller, role)
        waiting = Waiting(
            source=source,
            caller=caller,
            intent=intent,
            operation_id=operation_id,
            arrived=self._state.turn,
            seen=self._seen(intent, present),
            weight=weight(intent),
            ref=None if isinstance(intent, Replace) else intent.ref,
            grain=present.grain if present is not None else None,
        )
        self._queue.append(waiting)

    def _seen(self, intent: Operational, present: Present | None) -> int:
        """OP20: the newest vector that the sender can have known of when it edited."""
        base = intent.base_vector if isinstance(intent, Edit) else None
        if base is not None and present is not None and base <= present.before:
            return -1
        seen = base if base is not None else self.diagram.vector
        if present is not None and present.sends_late and isinstance(intent, Edit) and intent.respelled:
            # Nested geometry is how TMI's app writes; a client that writes as the server does need not be told twice.
            return min(seen, self._state.told_before(SENDING_LATE_S))
        return seen

    def note_role(self, caller: Caller, role: RoleAt) -> None:
        known = self._rights.get(caller.bearer)
        if known is None or known.acl_version <= role.acl_version:
            self._rights[caller.bearer] = role
        if role.acl_version != self._state.replica.acl_version:
            self.stale_rights()

    def join(self, event: Joined) -> None:
        self.note_role(event.caller, event.role)
        self._joins.append(event)

    def holds(self, socket: SocketId) -> bool:
        """Whether an operation of this socket has no outcome yet."""
        return any(waiting.source == socket for waiting in (*self._batch, *self._queue))

    def drop(self, socket: SocketId) -> None:
        """What waits of a socket that was sent away is not judged. What is in a commit stays."""
        self._queue = [waiting for waiting in self._queue if waiting.source != socket]
        self._joins = [join for join in self._joins if join.socket != socket]
        self._ready_joins = [join for join in self._ready_joins if join.socket != socket]
        if isinstance(self._writing, CatchingUp):
            self._writing = CatchingUp(tuple(join for join in self._writing.joins if join.socket != socket))

    def take_ready(self) -> list[Joined]:
        """Those whose read has come back, as soon as rights, session and their undo stacks are known for certain."""
        state = self._state
        if not self._ready_joins:
            return []
        unsure = self._rights_stale or isinstance(self._writing, ReadingRights) or state.surveying
        if unsure or state.session_doubted or state.over is not None:
            return []
        known = state.replica.has_history
        ready = [join for join in self._ready_joins if known(join.caller.id)]
        # of whom it was forgotten since
        self._ready_joins = [join for join in self._ready_joins if not known(join.caller.id)]
        return ready

    def joining(self, socket: SocketId) -> bool:
        return any(join.socket == socket for join in self.joins())

    def joins(self) -> tuple[Joined, ...]:
        in_flight = self._writing.joins if isinstance(self._writing, CatchingUp) else ()
        return (*in_flight, *self._joins, *self._ready_joins)

    def heard(self, epoch: str, operations: tuple[LoggedOperation, ...], used_up: tuple[UserId, ...]) -> None:
        self._used_up.update(used_up)
        if epoch != self._state.replica.diagram.epoch:
            if operations:
                self.reload(StateReason.EPOCH_CHANGED)
            return
        self._held.offer(operations, self._state.replica.diagram.vector)

    def claimed(self, event: Claimed) -> None:
        self._claims.heard(event, self._writing.base.vector if isinstance(self._writing, Committing) else None)

    def stale_rights(self) -> None:
        self._rights_stale = True
        self._state.doubt_session()

    def fall_behind(self) -> None:
        self._behind = True

    def doubt_stacks(self) -> None:
        """News may have been lost; those of operations are found in the log (UN6)."""
        self._stacks_doubted = True

    def reload(self, why: StateReason) -> None:
        self._reload = why

    def role_of(self, caller: Caller) -> RoleAt:
        return self._rights[caller.bearer]

    def abandon(self, refusal: Refusal) -> list[SocketId]:
        """Empties the lane, whose call is back: programs get the refusal. Returns the sockets not let in yet."""
        batch = self._batch
        sockets = [join.socket for join in self.joins()]
        for waiting in (*batch, *self._queue):
            if not isinstance(waiting.source, str):
                self._receipts.refuse(waiting, refusal)
        self._queue, self._joins, self._ready_joins = [], [], []
        self._writing = Idle()
        return sockets

    @property
    def idle(self) -> bool:
        return isinstance(self._writing, Idle) and not self._queue and not self.joins()

    @property
    def up_to_date(self) -> bool:
        """Nothing that was accepted is untold, as far as the store can be asked."""
        settled = isinstance(self._writing, Idle) and not self._behind and self._reload is None
        return settled or RETRY in self._state.deadlines

    @property
    def has_read(self) -> bool:
        """No read is due or under way, as far as the store can be asked."""
        reading = self._behind or self._reload is not None or isinstance(self._writing, CatchingUp | Reloading)
        return not reading or RETRY in self._state.deadlines

    @property
    def holds_back(self) -> bool:
        return bool(self._queue) and not self.in_flight

    @property
    def in_flight(self) -> bool:
        return type(self._writing) is not Idle

    @property
    def _batch(self) -> tuple[Waiting, ...]:
        """What is being judged or committed."""
        return self._writing.batch if isinstance(self._writing, Judging | Committing) else ()

    @property
    def gives_way(self) -> bool:
        """What waits is to be committed after a commit of another worker."""
        return bool(self._queue) and self._claims.waits

    @property
    def diagram(self) -> Diagram:
        return self._state.replica.diagram

    # outcomes of the one call -----------------------------------------------------------------------------------------

    def awaits(self, event: WriterOutcome) -> bool:
        return type(event) in OUTCOMES[type(self._writing)]

    def batch_judged(self, event: BatchJudged) -> None:
        """Judged anew, where it was judged with rights that may have gone since, or for somebody who has."""
        batch = self._batch
        if event.batch is not batch:
            return
        self._writing = Idle()
        unsure = self._rights_stale or self._state.session_doubted or self._reload is not None
        if unsure or not all(self._there(waiting.source) for waiting in batch):
            self._queue[:0] = batch
        else:
            self._commit_or_tell(batch, event.judged)

    def committed(self) -> None:
        assert isinstance(self._writing, Committing)  # noqa: S101 - only a Commit is answered so
        judged, self._writing = self._writing.judged, Idle()
        self._well()
        for outcome in judged.outcomes:
            self._state.replica.remember(outcome)
        for verdict in judged.verdicts:
            self._receipts.release(verdict)
        self._claims.committed()
        used_up = () if self._state.alone else _used_up(judged.verdicts)
        if judged.operations or used_up:
            self._state.ask(Publish(self.diagram.epoch, judged.operations, used_up))
        if judged.operations:
            self._count(len(judged.operations))

    def missed(self, event: Missed) -> None:
        attempt = self._back_to_queue()
        self._well()
        if event.head.epoch != self.diagram.epoch or event.head.vector < self.diagram.vector:
            self.reload(StateReason.EPOCH_CHANGED)
            return
        if event.head.acl_version != self._state.replica.acl_version:
            self._state.replica.acl_version = event.head.acl_version
            self.stale_rights()
        self._held.offer(event.operations, self.diagram.vector)
        self._follow()
        self._behind = self._behind or self.diagram.vector < event.head.vector
        if self._diverged(event.head):
            # what was judged was judged on damaged memory
            self.reload(StateReason.HASH_MISMATCH)
        self._attempt = attempt + 1
        self._claims.missed(self._attempt)

    def known(self, event: Known) -> None:
        self._back_to_queue()
        self._well()
        for outcome in event.outcomes.values():
            self._state.replica.remember(outcome)
            if outcome.verdict is Verdict.ACCEPTED and outcome.vector > self.diagram.vector:
                self._behind = True
            elif outcome.verdict is Verdict.NO_OP and outcome.kind in INVERSIONS:
                # ours, whose answer got lost, or another worker's: it used up an entry that stands here yet (UN6)
                self._state.replica.forget_stacks(outcome.user)

    def unresolved(self) -> None:
        """The same batch on the same base again: compare-and-set makes it harmless, a look-up would prove nothing."""
        assert isinstance(self._writing, Committing)  # noqa: S101 - only a Commit is answered so
        batch = tuple(msgspec.structs.replace(waiting, uncertain=True) for waiting in self._writing.batch)
        self._writing = msgspec.structs.replace(self._writing, batch=batch)
        self.ill()

    def unavailable(self) -> None:
        match self._writing:
            case Committing(batch=batch):
                if not any(waiting.uncertain for waiting in batch):
                    self._back_to_queue()
            case Judging(batch=batch):
                self._queue[:0] = batch
                self._writing = Idle()
            case CatchingUp(joins=joins):
                self._joins[:0] = joins
                self._behind = True
                self._writing = Idle()
            case ReadingRights():
                self._rights_stale = True
                self._writing = Idle()
            case Reloading() | ReadingHistory() | Idle():
                self._writing = Idle()
            case _:
                assert_never(self._writing)
        self.ill()

    def caught_up(self, event: CaughtUp) -> None:
        joins = self._writing.joins if isinstance(self._writing, CatchingUp) else ()
        self._writing = Idle()
        self._well()
        replica = self._state.replica
        if event.head.epoch != self.diagram.epoch or event.head.vector < self.diagram.vector:
            self._joins[:0] = joins
            self.reload(StateReason.EPOCH_CHANGED)
            return
        if event.head.acl_version != replica.acl_version:
            replica.acl_version = event.head.acl_version
            self.stale_rights()
        self._held.offer(event.operations, self.diagram.vector)
        self._follow()
        if self.diagram.vector < event.head.vector or self._diverged(event.head):
            self._joins[:0] = joins
            self.reload(StateReason.HASH_MISMATCH)
            return
        self._ready_joins.extend(joins)

    def _diverged(self, head: Head) -> bool:
        return self.diagram.vector == head.vector and self.diagram.state_hash != head.state_hash

    def head_seen(self, head: Head) -> None:
        """As the store says now and then. Compared when no call is under way: it may show what our own commit did."""
        self._head_seen = head

    def _compare(self, head: Head) -> None:
        if head.epoch != self.diagram.epoch:
            self.reload(StateReason.EPOCH_CHANGED)
        elif head.vector > self.diagram.vector or head.acl_version != self._state.replica.acl_version:
            self._behind = True
        elif self._diverged(head):
            self.reload(StateReason.HASH_MISMATCH)

    def loaded(self, event: Loaded) -> None:
        why, self._reload = self._reload or StateReason.HASH_MISMATCH, None
        self._writing = Idle()
        self._well()
        self._held.clear()
        self._state.deadlines.drop(GAP)
        state, before = self._state, self.diagram.vector
        state.replica = Replica(event, state.settings.limits, shared_undo=state.settings.shared_undo)
        self.stale_rights()
        self._show_stacks()
        # their read was one of the former history
        self._joins[:0] = self._ready_joins
        self._ready_joins = []
        for present in state.roster:
            present.before = max(present.before, before)
            present.show(state.shown())
            present.fetches(state.now.monotonic_s)
            state.ask(Send(present.socket, StateShown(self.diagram, why, corrects=True)))

    def history_read(self, event: HistoryRead) -> None:
        self._writing = Idle()
        self._well()
        self._state.replica.set_history(event.user, event.steps)

    def rights_read(self, event: RightsRead) -> None:
        self._writing = Idle()
        self._well()
        if event.acl_version != self._state.replica.acl_version:
            # the session, read at the same time, may have ended in between (I21)
            self._state.doubt_session()
        self._state.replica.acl_version = event.acl_version
        self._rights.update((bearer, role) for bearer, role in event.roles.items() if bearer in self._rights)
        # whoever came while the read was under way is known by the older clock
        self._rights_stale = self._rights_stale or not self._rights.keys() <= event.roles.keys()

    # the next call ----------------------------------------------------------------------------------------------------

    def advance(self, more: bool) -> None:
        """Begins the next call of the lane, if there is need and none is under way; with `more` to come no commit."""
        self._follow()
        while type(self._writing) is Idle and RETRY not in self._state.deadlines:
            if not self._begin(more):
                return

    def _begin(self, more: bool) -> bool:
        """Whether there may be more to do at once."""
        state = self._state
        if self._reload is not None:
            self._writing = Reloading()
            state.ask(Reload())
        elif self._rights_stale and (callers := self._callers()):
            self._rights_stale = False
            self._writing = ReadingRights()
            state.ask(ReadRights(callers))
        elif (unread := self._unread_history(self._coming_or_judged())) is not None:
            self._writing = ReadingHistory()
            state.ask(unread)
        elif self._behind or self._joins:
            joins, self._joins, self._behind = tuple(self._joins), [], False
            self._writing = CatchingUp(joins)
            state.ask(CatchUp(state.replica.head))
        elif self._shown_stacks and (unread := self._unread_shown()) is not None:
            # there may be many, and news does not wait for them
            self._writing = ReadingHistory()
            state.ask(unread)
        elif self._queue and not more and not state.session_doubted and not self._claims.gives_way():
            return self._begin_batch()
        return False

    def _begin_batch(self) -> bool:
        state, waited = self._state, len(self._queue)
        self._queue = [waiting for waiting in self._queue if self._there(waiting.source)]
        batch = take_batch(self._queue, self._ready)
        if not batch:
            # those behind them may be the first whose history is to be read
            return len(self._queue) < waited
        judge = Judge(state.replica, self._role, state.settings.limits, state.now)
        # after so many misses the store holds the head, and only for a moment: nothing may come in between
        if self._attempt > PATIENT_ATTEMPTS or not self._is_long(batch):
            return self._commit_or_tell(batch, judge.batch(batch))
        for waiting in batch:
            # who looks at stacks puts on them what they have not yet: not from there
            state.replica.stacks(waiting.caller.id)
        self._writing = Judging(batch)
        state.ask(JudgeBatch(batch, judge))
        return False

    def _is_long(self, batch: tuple[Waiting, ...]) -> bool:
        size = sum([waiting.weight for waiting in batch])
        for waiting in batch:
            if type(waiting.intent) in _INVERTING:
                stacks = self._state.replica.stacks(waiting.caller.id) or Stacks()
                entries = stacks.undo if isinstance(waiting.intent, Undo) else stacks.redo
                size += sum([entry.size for entry in entries[-len(batch) :]])
        return size > self._state.settings.judged_apart_bytes

    def _commit_or_tell(self, batch: tuple[Waiting, ...], judged: Judged) -> bool:
        """As `_begin`."""
        state = self._state
        if not judged.binding:
            for verdict in judged.verdicts:
                self._receipts.release(verdict)
            return True
        self._claims.begins()
        attempt, self._attempt = self._attempt, 1
        self._writing = Committing(batch, judged, state.replica.head, attempt)
        state.ask(self._commit(self._writing))
        return False

    @staticmethod
    def _commit(writing: Committing) -> Commit:
        return Commit(writing.base, writing.judged.operations, writing.judged.outcomes, writing.attempt)

    def _ready(self, waiting: Waiting) -> bool:
        return self._state.replica.has_history(waiting.caller.id)

    def _role(self, waiting: Waiting) -> RoleAt:
        return self.role_of(waiting.caller)

    def _callers(self) -> tuple[Caller, ...]:
        """Everybody whose rights matter now; the others are forgotten."""
        needed = {present.caller.bearer: present.caller for present in self._state.roster}
        needed.update((waiting.caller.bearer, waiting.caller) for waiting in self._queue)
        needed.update((join.caller.bearer, join.caller) for join in (*self._joins, *self._ready_joins))
        self._rights = {bearer: role for bearer, role in self._rights.items() if bearer in needed}
        return tuple(needed.values())

    def _coming_or_judged(self) -> list[UserId]:
        """Whose undo stack is needed before anything else is begun."""
        coming = [join.caller.id for join in (*self._joins, *self._ready_joins)]
        return coming + [waiting.caller.id for waiting in self._queue[:BATCH_OPERATIONS]]

    def _unread_history(self, users: Iterable[UserId]) -> ReadHistory | None:
        """Of the first whose undo stack was not read yet."""
        replica = self._state.replica
        for user in users:
            if not replica.has_history(user):
                return ReadHistory(replica.undoer(user))
        return None

    def _unread_shown(self) -> ReadHistory | None:
        unread = self._unread_history(self._shown_stacks)
        if unread is None:
            self._shown_stacks.clear()
        return unread

    def _back_to_queue(self) -> int:
        """The batch to the front of the queue. Returns how many attempts it has had."""
        assert isinstance(self._writing, Committing)  # noqa: S101 - only a Commit is answered so
        batch, attempt = self._writing.batch, self._writing.attempt
        self._writing = Idle()
        self._queue[:0] = batch
        return attempt

    def _there(self, source: Source) -> bool:
        return not isinstance(source, str) or self._state.roster.get(source) is not None

    # trouble with the store -------------------------------------------------------------------------------------------

    def ill(self) -> None:
        """The store is away: what waits for it is tried again, for as long as patience lasts."""
        now_s = self._state.now.monotonic_s
        if self._trouble_since_s is None:
            self._trouble_since_s = now_s
        self._state.after_s(RETRY, self._state.settings.retry_s)

    def _well(self) -> None:
        self._trouble_since_s = None
        self._state.deadlines.drop(RETRY)

    def retry(self) -> list[SocketId]:
        """The retry deadline has come. Returns the sockets to close with 1013, once patience is over."""
        since_s = self._trouble_since_s
        if since_s is not None and self._state.now.monotonic_s - since_s >= self._state.settings.store_patience_s:
            return self._give_up()
        if isinstance(self._writing, Committing):
            self._state.ask(self._commit(self._writing))
        return []

    def _give_up(self) -> list[SocketId]:
        """What has an unknown outcome gets no answer; the rest a refusal that may be tried again, where understood."""
        batch = self._batch
        closing = [join.socket for join in self.joins()]
        for waiting in (*batch, *self._queue):
            present = self._state.roster.get(waiting.source) if isinstance(waiting.source, str) else None
            if not isinstance(waiting.source, str) or (present and present.takes_retry and not waiting.uncertain):
                refusal = Refusal(Reason.UNAVAILABLE, "the store is away", retry=True, retry_after_ms=1_000)
                self._receipts.refuse(waiting, refusal)
            else:
                closing.append(waiting.source)
        self._queue = []
        if batch:
            self._writing = Idle()
            self._behind = True
        self._trouble_since_s = self._state.now.monotonic_s
        return list(dict.fromkeys(closing))

    # following --------------------------------------------------------------------------------------------------------

    def _follow(self) -> None:
        """News waits for the outcome of the call in flight, also news of the very vector it is trying to write."""
        if self.in_flight:
            return
        if self._used_up:
            self._forget_used_up()
        if self._held or self._head_seen is not None:
            self._take_news()
        if self._stacks_doubted:
            # behind the news, which is told with what they are as far as known
            self._stacks_doubted = False
            self._state.replica.forget_all_stacks()
            self._show_stacks()

    def _take_news(self) -> None:
        while self._reload is None and (operation := self._held.take(self.diagram.vector + 1)) is not None:
            self._take_foreign(operation)
        if self._head_seen is not None:
            head, self._head_seen = self._head_seen, None
            self._compare(head)
        self._held.forget(self.diagram.vector)
        if self._held.overfull():
            self._behind = True
        elif self._held.gap(self.diagram.vector):
            self._state.deadlines.set_if_unset(GAP, self._state.now.monotonic_s + self._state.settings.gap_patience_s)
        else:
            self._state.deadlines.drop(GAP)

    def _forget_used_up(self) -> None:
        """Before the news, which would be told with a stack that is known to be another by now."""
        for user in self._used_up:
            self._state.replica.forget_stacks(user)
        self._used_up.clear()
        self._show_stacks()

    def _show_stacks(self) -> None:
        """Those of whoever is here and may write elsewhere, since they were forgotten."""
        roster, shared = self._state.roster, self._state.settings.shared_undo
        here = (present.caller.id for present in roster)
        self._shown_stacks.update(user for user in here if shared or roster.elsewhere(user))

    def _take_foreign(self, operation: LoggedOperation) -> None:
        before, after = self.diagram, advance(self.diagram, operation)
        if after.state_hash != operation.state_hash:
            # one of the two is damaged; nobody is told before the log has said which
            self.reload(StateReason.HASH_MISMATCH)
            return
        replica = self._state.replica
        replica.take(operation, after)
        mine = self._uncertain(operation)
        if mine is None:
            self._receipts.tell(operation)
            self._claims.took()
            user = operation.user.id
            if not replica.has_history(user) and self._state.roster.of(user):
                # for what comes next
                self._shown_stacks.add(user)
        else:
            self._queue.remove(mine)
            known = replica.outcome(mine.key)
            skipped = known.skipped if known is not None else ()
            cells = doubtful(before, mine, operation.effect, operation.inverse)
            self._receipts.accept(mine, operation, skipped, cells)
        self._count(1)

    def _uncertain(self, operation: LoggedOperation) -> Waiting | None:
        """Our own submission that was committed although the answer got lost: it takes its slot as its receipt (I8)."""
        key = (operation.user.id, operation.operation_id)
        return next((waiting for waiting in self._queue if waiting.uncertain and waiting.key == key), None)

    def _count(self, operations: int) -> None:
        """A snapshot every so many operations, and some time after the last.

        Of a large diagram more of them: an operation then pays for as many cells of it as one of a small diagram, and
        to replay what came since takes about as long as to read the snapshot.
        """
        state = self._state
        self._unsaved += operations
        due = self._unsaved >= state.settings.snapshot_operations
        if due and self._unsaved >= len(self.diagram) // SAVED_CELLS:
            self.save()
        else:
            state.after_s(SNAPSHOT, state.settings.snapshot_s)

    def save(self) -> None:
        self._state.deadlines.drop(SNAPSHOT)
        if self._unsaved:
            self._unsaved = 0
            self._state.replica.forget()
            self._state.ask(Snapshot(self.diagram))


def _used_up(verdicts: tuple[Judgement, ...]) -> tuple[UserId, ...]:
    """Whose undo or redo took an entry from their stack and left nothing in the log."""
    futile = (verdict.waiting for verdict in verdicts if isinstance(verdict, NoOp))
    return tuple(dict.fromkeys(waiting.caller.id for waiting in futile if kind_of(waiting.intent) in INVERSIONS))

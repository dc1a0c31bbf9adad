"""One open diagram as a pure state machine: events in, effects out.

`handle` never raises for what a client did. It dispatches: `writer` changes the diagram, `chair` the session.
"""

from __future__ import annotations

from typing import assert_never

from collab.core.chair import Chair
from collab.core.deadlines import (
    AWARENESS,
    DOUBT,
    GAP,
    HEARTBEAT,
    HOST,
    RETRY,
    ROSTER,
    SESSION_RETRY,
    SNAPSHOT,
    STATE,
    TURN,
)
from collab.core.door import Door
from collab.core.effects import Announce, Answer, Closed, Effect, Send, Tell, WakeAt
from collab.core.elsewhere import Elsewhere
from collab.core.events import (
    Asked,
    Barred,
    BatchJudged,
    BusSensed,
    CaughtUp,
    ChairOutcome,
    Claimed,
    Closing,
    Committed,
    Declined,
    Departure,
    Event,
    Gone,
    HeadSeen,
    Heard,
    HistoryRead,
    Joined,
    Known,
    Lagged,
    Left,
    Loaded,
    Missed,
    Pointed,
    PresenterUnseen,
    RightsMoved,
    RightsRead,
    RollCalled,
    Said,
    SessionChanged,
    SessionMoved,
    SessionRead,
    SessionStale,
    SessionUnchanged,
    Stalled,
    Stood,
    Submitted,
    Surveyed,
    TokenRenewed,
    Told,
    Unavailable,
    Unresolved,
    Wanted,
    Woke,
    WriterOutcome,
)
from collab.core.meeting import Session
from collab.core.moderation import PresenterLost, Request
from collab.core.receipts import Receipts
from collab.core.rights import allowed
from collab.core.roster import Present
from collab.core.state import RoomSettings, RoomState
from collab.core.views import Views
from collab.core.writer import Writer
from collab.core.writing import kind_of
from protocol.intents import (
    AskPresenter,
    AskResync,
    AskState,
    AskVector,
    Aware,
    DenyPresenter,
    Edit,
    Eject,
    GrantPresenter,
    Heartbeat,
    Misedit,
    Redo,
    RefreshToken,
    ReleasePresenter,
    Replace,
    Resume,
    Undo,
)
from protocol.notices import (
    AwarenessShown,
    StateReason,
    TokenRefreshed,
)
from protocol.refusals import Ending, Reason, Refusal
from protocol.values import Instant, Role, SocketId, ThreatModelId


class Room:
    def __init__(
        self,
        threat_model: ThreatModelId,
        loaded: Loaded,
        session: Session | None,
        settings: RoomSettings,
        *,
        alone: bool = True,
    ) -> None:
        """`alone`: there are no other workers, and nothing need be told or asked of them."""
        self._state = RoomState(threat_model, loaded, session, settings, alone=alone)
        self._writer = Writer(self._state)
        self._receipts = Receipts(self._state)
        self._chair = Chair(self._state)
        self._door = Door(self._state, self._writer, self._chair)
        self._elsewhere = Elsewhere(self._state, self._chair)
        self._views = Views(self._state)
        self._shown_at_s = float("-inf")
        self._ending = False
        self._gone = False
        self._closing = False
        self._closed = False
        self._parting: dict[SocketId, Departure] = {}
        """Gone, with operations that have no outcome yet."""
        self._stale = False
        self._looking: list[Asked] = []
        """What was asked while all that is known here may be old."""
        self._wake_s: float | None = None

    # read by the task -------------------------------------------------------------------------------------------------

    @property
    def state(self) -> RoomState:
        """For looking only: what REST shows and the keeper stamps."""
        return self._state

    @property
    def empty(self) -> bool:
        """Nobody is here and nothing is under way."""
        return not len(self._state.roster) and self._writer.idle and self._chair.idle

    @property
    def holds_back(self) -> bool:
        """Whether something waits that no call is under way for."""
        return self._writer.holds_back

    def crowded(self, socket: SocketId) -> bool:
        """WS8: so many of its session requests wait for their decision that it is to be read no further for now. Not
        while the store is away: then the next one sends it away."""
        return self._chair.full(socket) and not self._chair.away

    # the whole surface ------------------------------------------------------------------------------------------------

    def handle(self, event: Event, now: Instant, more: bool = False) -> list[Effect]:
        """`more`: no commit need begin yet. Another event is here already, or what the last commit came to has still to
        be told, and `Told` will come."""
        state = self._state
        state.now, state.effects = now, []
        state.turn += 1
        if self._closed:
            return state.effects
        # nothing has happened, as mostly while a room is idle: a third of what that costs was to settle it
        if type(event) is not Stood or not self._elsewhere.stands(event):
            self._dispatch(event)
            if not self._waits(event, more):
                self._settle(more)
        return state.effects

    def _waits(self, event: Event, more: bool) -> bool:
        """Whether a later event settles what this one moved: an edit behind which more is to come, or which waits for
        the call under way; to settle was half of what it cost. But for the session, which it may have put in doubt
        (I21)."""
        edit = (type(event) is Asked or type(event) is Submitted) and type(event.intent) is Edit
        return edit and (more or self._writer.in_flight) and not self._state.session_unread

    def _dispatch(self, event: Event) -> None:
        match event:
            case Asked():
                # the most frequent first: each class of a Struct that is passed over takes 0.25 us
                self._asked(event)
            case Committed():
                self._writer_outcome(event)
            case Told():
                """It settles."""
            case Joined():
                self._comes(event)
            case Left(socket=socket, how=how):
                self._part(socket, how)
            case Submitted():
                self._submitted(event)
            case Heard(epoch=epoch, operations=operations, gap=gap):
                self._writer.heard(epoch, operations, event.used_up)
                if gap:
                    self._miss_news()
            case HeadSeen():
                self._head_seen(event)
            case Claimed():
                self._writer.claimed(event)
            case Said() | Stood() | Surveyed() | Pointed() | Wanted() | Declined() | RollCalled() | SessionMoved():
                self._hear(event)
            case BusSensed(healthy=healthy):
                self._elsewhere.sensed(healthy)
            case Stalled():
                self._stale = True
                self._writer.stale_rights()
                self._writer.fall_behind()
            case Lagged(socket=socket):
                self._views.show(socket, StateReason.OVERFLOW)
            case Barred(socket=socket, ending=ending):
                self._door.dismiss(socket, ending)
            case PresenterUnseen(presenter=presenter):
                self._chair.ask(Request(PresenterLost(presenter)))
            case RightsMoved():
                self._writer.stale_rights()
                self._writer.fall_behind()
            case TokenRenewed():
                self._token_renewed(event)
            case Woke():
                self._woke()
            case Closing():
                self._closing = True
            case SessionRead() | SessionChanged() | SessionStale() | SessionUnchanged():
                self._chair_outcome(event)
            case _:
                self._writer_outcome(event)

    def _writer_outcome(self, event: WriterOutcome) -> None:
        if not self._writer.awaits(event):
            return
        match event:
            case Committed():
                self._writer.committed()
            case BatchJudged():
                self._writer.batch_judged(event)
            case Missed():
                self._writer.missed(event)
            case Known():
                self._writer.known(event)
            case Unresolved():
                self._writer.unresolved()
            case Unavailable():
                self._writer.unavailable()
            case Gone():
                self._diagram_gone()
            case CaughtUp():
                self._writer.caught_up(event)
            case Loaded():
                self._writer.loaded(event)
            case HistoryRead():
                self._writer.history_read(event)
            case RightsRead():
                self._rights_read(event)
            case _:
                assert_never(event)

    def _hear(self, event: Said | Stood | Surveyed | Pointed | Wanted | Declined | RollCalled | SessionMoved) -> None:
        match event:
            case Said():
                self._elsewhere.said(event)
            case Stood():
                self._elsewhere.missed(event)
            case Surveyed():
                self._elsewhere.surveyed(event)
            case Pointed():
                if self._elsewhere.pointed(event):
                    self._show_awareness_soon()
            case Wanted():
                self._elsewhere.wanted(event)
            case Declined():
                self._elsewhere.declined(event)
            case RollCalled():
                self._elsewhere.roll_called(event)
            case SessionMoved():
                self._elsewhere.session_moved(event)
            case _:
                assert_never(event)

    def _miss_news(self) -> None:
        """Whatever other workers have said meanwhile, and whatever was said to them."""
        self._writer.fall_behind()
        self._writer.doubt_stacks()
        if self._state.session is not None:
            self._chair.want_read()
        self._elsewhere.missed_news()

    def _chair_outcome(self, event: ChairOutcome) -> None:
        if not self._chair.awaits(event):
            return
        self._take_facts(event)
        self._door.part_with_left()
        if not isinstance(event, SessionUnchanged):
            for early in self._elsewhere.take_early():
                self._hear(early)

    def _take_facts(self, event: ChairOutcome) -> None:
        match event:
            case SessionRead(session=session):
                self._chair.session_read(session)
            case SessionChanged(session=changed):
                self._chair.session_changed(changed)
            case SessionStale(session=stale):
                self._chair.session_stale(stale)
            case SessionUnchanged():
                self._chair.session_unchanged()
                if self._state.session_doubted and not self._writer.in_flight:
                    self._writer.ill()
            case _:
                assert_never(event)

    def _part(self, socket: SocketId, how: Departure) -> None:
        """What a socket sent before it went is judged like anything else: most clients cannot ask again. Until then it
        has not left."""
        if self._writer.holds(socket):
            self._parting[socket] = how
        else:
            self._door.left(socket, how)

    def _part_those_answered(self) -> None:
        for socket, how in list(self._parting.items()):
            if not self._writer.holds(socket):
                del self._parting[socket]
                self._door.left(socket, how)

    def _settle(self, more: bool) -> None:
        """After every event: end what is over, begin the next calls, admit who may come in, ask for the next waking."""
        if self._parting:
            self._part_those_answered()
        self._end_if_over()
        joining = bool(self._writer.joins())
        self._elsewhere.advance(joining)
        # what may come of it that the next calls are begun with
        moved = joining or self._stale or self._state.session_doubted
        more = more and not self._closing
        self._advance(more)
        if moved:
            self._look_again()
            for asked in self._door.admit_ready():
                self._asked(asked)
            self._advance(more)
        if self._closing and not self._busy:
            self._close()
            return
        next_s = self._state.deadlines.next_s()
        if next_s != self._wake_s:
            self._wake_s = next_s
            self._state.ask(WakeAt(None if next_s is None else Instant(next_s, 0)))

    def _advance(self, more: bool) -> None:
        if not self._gone:
            self._writer.advance(more)
        self._chair.advance()

    def _end_if_over(self) -> None:
        """SES15: everything accepted before the end is told before it, as a read begun after it shows."""
        over = self._state.over
        if self._gone:
            # the session's own ending says whether the diagram or its threat model went
            if over is not None or not self._chair.reading:
                self._door.end(over or Ending.DIAGRAM_DELETED)
        elif over is not None:
            if not self._ending and len(self._state.roster):
                self._ending = True
                self._writer.fall_behind()
            if self._writer.up_to_date:
                self._ending = False
                self._door.end(over)

    @property
    def _busy(self) -> bool:
        in_flight = self._writer.in_flight or self._chair.in_flight or self._chair.looking_around
        return in_flight or self._writer.gives_way or (self._gone and self._state.session is not None)

    # asking -----------------------------------------------------------------------------------------------------------

    def _comes(self, event: Joined) -> None:
        if self._closing:
            self._state.ask(self._state.dismissal(event.socket, Ending.RESTART))
        else:
            self._door.joined(event)

    def _submitted(self, event: Submitted) -> None:
        if self._closing:
            rejected = self._receipts.rejected(event.intent.operation_id or "", _RESTARTING, kind_of(event.intent))
            self._state.ask(Answer(event.ticket, rejected))
        else:
            self._writer.queue(event.ticket, event.caller, event.role, event.intent)

    def _asked(self, event: Asked) -> None:
        present = self._state.roster.get(event.socket)
        if self._closing:
            return
        if present is None:
            self._door.asked_early(event)
            return
        present.active_ms = self._state.now.wall_ms
        intent = event.intent
        match intent:
            case Edit() | Undo() | Redo():
                self._writer.queue(present.socket, present.caller, present.role, intent, present)
            case Misedit():
                self._misedit(present, intent)
            case AskPresenter() | GrantPresenter() | DenyPresenter() | ReleasePresenter() | Eject():
                if self._chair.away and self._chair.full(present.socket):
                    # WS19: this client does not wait
                    self._door.dismiss(present.socket, Ending.UNAVAILABLE)
                    return
                self._chair.ask(Request(intent, present.socket, present.user))
            case Aware():
                self._aware(present, intent)
            case AskState() | AskVector() | AskResync() | Resume() | Heartbeat():
                if self._stale:
                    self._looking.append(event)
                else:
                    self._views.look(present, intent)
            case Replace() | RefreshToken():
                """Never of a socket; the edge answers a token itself."""
            case _:
                assert_never(intent)

    def _misedit(self, present: Present, intent: Misedit) -> None:
        """No look at the cells is needed: it may overtake what waits (WS19), and is no outcome (VEC11)."""
        refusal = intent.refusal
        if not allowed(intent, present.role):
            refusal = Refusal(Reason.PERMISSION_DENIED, "you may not change this diagram")
        present.fetches(self._state.now.monotonic_s)
        self._state.ask(Send(present.socket, self._receipts.rejected(intent.operation_id, refusal, ref=intent.ref)))

    def _look_again(self) -> None:
        """What was asked while the room knew nothing for certain, as it knows now."""
        if self._stale and self._writer.has_read:
            self._stale = False
            asked, self._looking = self._looking, []
            for event in asked:
                self._asked(event)

    # cursors ----------------------------------------------------------------------------------------------------------

    def _aware(self, present: Present, intent: Aware) -> None:
        """PR6, PR9: dropped, or noted and shown at once or with the next beat."""
        state = self._state
        presenter = state.session.presenter if state.session is not None else None
        presenting = presenter is not None and presenter.id == present.caller.id
        if not presenting and not present.free_awareness:
            return
        state.awareness.note(present.socket, present.user, presenting, intent)
        self._show_awareness_soon()

    def _show_awareness_soon(self) -> None:
        state = self._state
        beat_s = 1 / state.settings.limits.awareness_hz
        if state.now.monotonic_s - self._shown_at_s >= beat_s:
            self._show_awareness()
        else:
            state.deadlines.set_if_unset(AWARENESS, self._shown_at_s + beat_s)

    def _show_awareness(self) -> None:
        """To everybody what the others did: one notice for all who sent nothing, one each for those who did. Nothing of
        a session that is over: who presented last was not told (I20)."""
        state = self._state
        self._shown_at_s = state.now.monotonic_s
        state.deadlines.drop(AWARENESS)
        if state.over is not None:
            return
        updates = state.awareness.flush()
        shown = (update.connection_id for update in updates)
        senders = [socket for socket in shown if state.roster.get(socket) is not None]
        if updates:
            state.ask(Tell(AwarenessShown(updates), frozenset(senders)))
        if senders and state.roster.remote:
            self._elsewhere.point(senders)
        for sender in senders if len(updates) > 1 else ():
            others = tuple(update for update in updates if update.connection_id != sender)
            state.ask(Send(sender, AwarenessShown(others)))

    # rights and heads -------------------------------------------------------------------------------------------------

    def _rights_read(self, event: RightsRead) -> None:
        """AU15: whoever lost the right to read goes; whoever lost the right to write stays as reader."""
        self._writer.rights_read(event)
        changed = False
        for present in list(self._state.roster):
            role = event.roles.get(present.caller.bearer)
            if role is None:
                continue
            before, present.role = present.role, role
            if role.denied:
                self._door.dismiss(present.socket, Ending.REMOVED)
            elif role.role < Role.READER:
                self._door.dismiss(present.socket, Ending.ACCESS_REVOKED)
            else:
                changed = changed or role.role != before.role
        if changed:
            self._state.tell_roster()

    def _head_seen(self, event: HeadSeen) -> None:
        session = self._state.session
        if session is not None and event.session_version is not None:
            # an older one is from before our last change, or there is another session
            same = event.session_version == session.version and event.session in (None, session.id)
            if not same:
                self._chair.want_read()
        self._writer.head_seen(event.head)

    def _token_renewed(self, event: TokenRenewed) -> None:
        present = self._state.roster.get(event.socket)
        if present is not None:
            if event.caller.groups != present.caller.groups:
                # AU16: another token may say more or less of them.
                self._writer.stale_rights()
            present.caller = event.caller
            present.active_ms = self._state.now.wall_ms
            self._state.ask(Send(event.socket, TokenRefreshed(event.caller.expires_at_ms, event.ref)))

    # time -------------------------------------------------------------------------------------------------------------

    def _woke(self) -> None:
        state = self._state
        self._wake_s = None
        for name in state.deadlines.due(state.now):
            if name == RETRY:
                for socket in self._writer.retry():
                    self._door.dismiss(socket, Ending.UNAVAILABLE)
            elif name == GAP:
                self._writer.fall_behind()
            elif name == HOST:
                self._chair.give_up_host()
            elif name == SNAPSHOT:
                self._writer.save()
            elif name == AWARENESS:
                self._show_awareness()
            elif name == ROSTER:
                state.list_roster()
            elif name == HEARTBEAT and len(state.roster):
                state.after_s(HEARTBEAT, state.settings.heartbeat_s)
                state.ask(Tell(self._views.heartbeat()))
            elif name.startswith(STATE):
                self._views.show(SocketId(name.removeprefix(STATE)))
            elif name.startswith(DOUBT):
                self._receipts.doubt_again(SocketId(name.removeprefix(DOUBT)))
            else:
                assert name in (SESSION_RETRY, HEARTBEAT, TURN)  # noqa: S101 - the lanes look by themselves

    # closing ----------------------------------------------------------------------------------------------------------

    def _diagram_gone(self) -> None:
        self._gone = self._closing = True
        if self._state.session is not None:
            self._chair.want_read()
        self._abandon(Ending.DIAGRAM_NOT_FOUND, Refusal(Reason.DIAGRAM_NOT_FOUND, "the diagram is gone"))

    def _close(self) -> None:
        self._closed = True
        state = self._state
        self._abandon(Ending.RESTART, _RESTARTING)
        for present in list(state.roster):
            state.ask(state.dismissal(present.socket, Ending.RESTART))
        if state.session is not None and len(state.roster):
            state.ask(Announce(state.session.id, (), state.session.version, closing=True))
        if not self._gone:
            self._writer.save()
        state.ask(WakeAt(None), Closed())

    def _abandon(self, ending: Ending, refusal: Refusal) -> None:
        """What still waits is answered: a program by a refusal, a joining socket by its close."""
        for socket in self._writer.abandon(refusal):
            self._state.ask(self._state.dismissal(socket, ending))


_RESTARTING = Refusal(Reason.UNAVAILABLE, "the server restarts", retry=True, retry_after_ms=1_000)

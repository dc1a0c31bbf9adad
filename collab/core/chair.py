"""The meeting lane of a room at work: one session read or change in flight, requests decided one after the other."""

from __future__ import annotations

from collections import deque
from collections.abc import Container, Iterable

import msgspec

from collab.core.deadlines import AWARENESS, HOST, SESSION_RETRY
from collab.core.effects import ChangeSession, ReadSession, Send, Survey, Tell
from collab.core.events import ChairOutcome, Departure, SessionRead, SessionUnchanged
from collab.core.meeting import Session, SessionChange
from collab.core.moderation import HostLost, HostMissed, HostReturned, PresenterLost, Request, decide
from collab.core.remote import FRESH_S
from collab.core.roster import Present
from collab.core.state import RoomState
from protocol.notices import Done, Participant, PresenterChanged
from protocol.refusals import Ending
from protocol.values import Role, SessionId, SocketId, User, UserId

WAITING = 32
"""So many requests of one socket may wait for their decision (I28), and those that were on their way meanwhile."""
TOGETHER_S = 1.0
"""So long it may take to hear of a socket at another worker that closed together with one here."""


class Reading(msgspec.Struct, frozen=True):
    pass


class Deciding(msgspec.Struct, frozen=True):
    request: Request
    change: SessionChange


class Chair:
    def __init__(self, state: RoomState) -> None:
        self._state = state
        self._call: Reading | Deciding | None = None
        self._requests: deque[Request] = deque()
        self._departing: Request | None = None
        """Of a host who has closed their last socket here, until it is known whether they are elsewhere."""
        self._parted: tuple[UserId, Departure, float] | None = None
        """A host who has closed their last socket here while there was one elsewhere: how, and until when that one
        may be heard to have gone with it."""
        self._read_wanted = False
        self._asked: set[int] = set()
        """Versions of the session's facts that participants at other workers have brought about."""
        self._past: set[SessionId] = set()
        """Sessions that have ended here: a handshake may have seen them live."""

    @property
    def in_flight(self) -> bool:
        return self._call is not None

    @property
    def reading(self) -> bool:
        """Or about to."""
        return self._read_wanted or isinstance(self._call, Reading)

    @property
    def idle(self) -> bool:
        return not self.in_flight and not self.reading and not self._requests and not self.looking_around

    @property
    def looking_around(self) -> bool:
        return self._departing is not None

    @property
    def away(self) -> bool:
        """The store, when it was asked last."""
        return SESSION_RETRY in self._state.deadlines

    # what comes in ----------------------------------------------------------------------------------------------------

    def ask(self, request: Request) -> None:
        self._requests.append(request)

    def full(self, socket: SocketId) -> bool:
        return sum(request.socket == socket for request in self._requests) >= WAITING

    def drop(self, socket: SocketId) -> None:
        """Of a socket that has gone: what it asked for is nobody's."""
        self._requests = deque(request for request in self._requests if request.socket != socket)

    def moved_elsewhere(self, version: int, *, asked: bool) -> None:
        if asked:
            self._asked.add(version)
        self.want_read()

    def want_read(self) -> None:
        """From a read that begins from now on: one under way does not count."""
        self._read_wanted = True

    def user_left(self, present: Present, how: Departure) -> bool:
        """The last socket of a user went. Whether the leave is told together with a change that follows from it."""
        session, user = self._state.session, present.user
        hosts = session is not None and user.id == session.host.id
        if self._state.roster.elsewhere(user.id) is not None:
            if hosts:
                self._parted = (user.id, how, self._state.now.monotonic_s + TOGETHER_S)
            return False
        if hosts:
            self._host_left(user, how)
        elif session is not None and session.presenter is not None and session.presenter.id == user.id:
            self.ask(Request(PresenterLost(user.id), left=(user,)))
        else:
            return False
        self._state.roster.unheard[user.id] = Participant(user, present.role.role, (), present.active_ms)
        return True

    def _host_left(self, user: User, how: Departure) -> None:
        session, settings = self._state.session, self._state.settings
        grace_s = settings.server_grace_s if how is Departure.SERVER else settings.host_grace_s
        lost = HostLost(user.id, clean=how is Departure.CLEAN, grace_ms=round(grace_s * 1000))
        if session is not None and lost.clean and not self._state.alone and self._state.roster.remote.sighted:
            # another tab may have come to another worker, whose word is on its way (SES9)
            self._departing = Request(lost, left=(user,))
            self._state.ask(Survey(session.id))
        else:
            self.ask(Request(lost, left=(user,)))

    def forget_parted(self) -> None:
        """Whoever goes now is sent away by a server: that is no leave (SES12)."""
        self._parted = None

    def looked_around(self, seen: Container[UserId]) -> None:
        """Whom presence knows at other workers. A host among them, of whom no worker has said so, may be there."""
        departing, self._departing = self._departing, None
        if departing is not None and isinstance(lost := departing.what, HostLost):
            lost = msgspec.structs.replace(lost, clean=lost.clean and lost.host not in seen)
            self.ask(msgspec.structs.replace(departing, what=lost))

    def user_came(self, user: User) -> None:
        """The first socket of `user` is here."""
        session = self._state.session
        if session is not None and user.id == session.host.id:
            self.ask(Request(HostReturned()))
        self._state.roster.unheard.pop(user.id, None)

    def user_vanished(self, user: UserId) -> None:
        """Was at another worker, which says so no more, and has left no decision behind: it went without one, or
        together with the last socket here."""
        session, settings = self._state.session, self._state.settings
        if session is None or self._state.roster.of(user):
            return
        if user == session.host.id:
            # listed as away until it is decided: others are not told of a leave and a return
            self._state.roster.unheard[user] = Participant(session.host, Role.OWNER, (), session.active_at_ms)
            parted, self._parted = self._parted, None
            if parted is not None and parted[0] == user and self._state.now.monotonic_s < parted[2]:
                self._host_left(session.host, parted[1])
            else:
                missed = HostMissed(user, round(settings.server_grace_s * 1000))
                self.ask(Request(missed, left=(session.host,)))
        elif session.presenter is not None and session.presenter.id == user:
            self.ask(Request(PresenterLost(user)))

    def await_host(self, session: Session) -> None:
        """Listed as away until somebody has said where they are."""
        self._state.roster.awaited = session.host.id
        self._state.after_s(HOST, FRESH_S)

    def give_up_host(self) -> None:
        """Nobody has."""
        roster, user = self._state.roster, self._state.roster.awaited
        roster.awaited = None
        if user is not None and roster.here(user) is None:
            self.user_vanished(user)
            self._state.tell_roster()

    def adopt(self, session: Session) -> None:
        """What the handshake of a joining socket read: newer facts than ours count."""
        mine = self._state.session
        if mine is None:
            if session.id not in self._past:
                self._state.session = session
        elif mine.id == session.id:
            self._take(session)
        else:
            self._state.doubt_session()

    def end(self) -> None:
        """Everybody has gone; what was asked of this session is void."""
        state = self._state
        if state.session is not None:
            self._past.add(state.session.id)
        state.forget_everybody()
        self._requests.clear()
        self._asked.clear()
        self._departing = self._parted = None
        self._read_wanted = False

    # outcomes ---------------------------------------------------------------------------------------------------------

    def awaits(self, event: ChairOutcome) -> bool:
        if isinstance(event, SessionUnchanged):
            return self.in_flight
        return isinstance(self._call, Reading if isinstance(event, SessionRead) else Deciding)

    def session_read(self, session: Session | None) -> None:
        mine, self._call = self._state.session, None
        if session is None or mine is None or session.id != mine.id:
            self._lose()
        else:
            self._take(session)
        if not self._read_wanted and not self._state.session_unread:
            self._state.session_doubted = False

    def session_changed(self, session: Session) -> None:
        request = self._decided()
        self._take(session, request)
        if request is not None and request.socket is not None and request.ref is not None:
            self._state.ask(Send(request.socket, Done(request.ref)))

    def session_stale(self, session: Session | None) -> None:
        request = self._decided()
        mine = self._state.session
        if request is not None:
            self._requests.appendleft(request)
        if session is not None and mine is not None and session.version < mine.version:
            # a store that has lost time will say so again
            self._state.after_s(SESSION_RETRY, self._state.settings.retry_s)
        if session is None:
            self._lose()
        else:
            self._take(session)

    def session_unchanged(self) -> None:
        """The store is away: try again in a moment."""
        call, self._call = self._call, None
        if isinstance(call, Reading):
            self._read_wanted = True
        elif call is not None:
            self._requests.appendleft(msgspec.structs.replace(call.request, tried=call.change))
        self._state.after_s(SESSION_RETRY, self._state.settings.retry_s)

    def _decided(self) -> Request | None:
        call, self._call = self._call, None
        return call.request if isinstance(call, Deciding) else None

    # the next call ----------------------------------------------------------------------------------------------------

    def advance(self) -> None:
        self._settle_doubt()
        state = self._state
        while (self._read_wanted or self._requests) and self._call is None and not self.away and state.over is None:
            if self._read_wanted:
                self._read_wanted = False
                self._call = Reading()
                state.ask(ReadSession(state.session.id if state.session is not None else None))
            elif state.session is not None:
                self._decide(self._requests.popleft(), state.session)
            else:
                return

    def _settle_doubt(self) -> None:
        """Of a session that nobody takes part in there is nothing to know."""
        state = self._state
        if state.session is None:
            state.session_doubted = state.session_unread = False
        elif state.session_unread:
            state.session_unread = False
            self.want_read()

    def _decide(self, request: Request, session: Session) -> None:
        state = self._state
        decision = decide(request, session, state.roster, state.settings.host_leave_ends, state.now.wall_ms)
        state.ask(*decision.effects)
        if decision.change is not None:
            self._call = Deciding(request, decision.change)
            state.ask(ChangeSession(session, decision.change, asked=request.socket is not None))
        elif self._now_heard(request.left):
            state.tell_roster()

    # facts ------------------------------------------------------------------------------------------------------------

    def _lose(self) -> None:
        """Our session is nowhere."""
        if self._state.session is not None:
            self._state.session = msgspec.structs.replace(self._state.session, ended=Ending.SESSION_NOT_FOUND)

    def _take(self, session: Session, request: Request | None = None) -> None:
        """Newer facts of our session; `request` has brought them about."""
        before = self._state.session
        if before is None or before.id != session.id or before.ended is not None or session.version < before.version:
            return
        self._state.session = session
        if session.ended is None:
            self._tell(before, session, request)
            self._asked = {version for version in self._asked if version > session.version}
            if request is None and session.host_grace_until_ms is not None and self._state.roster.of(session.host.id):
                # taken for lost by a worker that could not know better
                self.ask(Request(HostReturned()))

    def _tell(self, before: Session, session: Session, request: Request | None) -> None:
        state = self._state
        presented = session.presenter_term != before.presenter_term
        if presented:
            self._new_term()
        successor = session.host.id != before.host.id
        # A host who is here is seen to be: whether that was written down is no news.
        grace_moved = session.host_grace_until_ms != before.host_grace_until_ms
        host_moved = successor or (grace_moved and state.roster.here(session.host.id) is None)
        if host_moved and request is None and session.host_grace_until_ms is None:
            # back on another worker, which may not have said so yet
            state.roster.unheard.pop(session.host.id, None)
            self.await_host(session)
        heard = self._leaving(before, session, request)
        ejected = sorted(session.denied - before.denied)
        gone = tuple(present for user in ejected for present in state.roster.of(user))
        for present in gone:
            # SES18: whatever its sockets still send is nobody's
            state.remove(present.socket)
            state.ask(state.dismissal(present.socket, Ending.REMOVED))
        state.roster.remote.forget(ejected)
        if heard or ejected or host_moved:
            state.tell_roster(ejected=bool(ejected), presenter_changed=presented, successor=successor)
        elif presented:
            asked = session.version in self._asked if request is None else request.socket is not None
            state.ask(Tell(PresenterChanged(state.roster.view(session), "host" if asked else "system")))
        if request is not None and (presented or successor):
            self._look_after(session, successor)

    def _look_after(self, session: Session, successor: bool) -> None:
        """Whom we made host or presenter may have left meanwhile: then it is the next one's turn."""
        if successor:
            self.ask(Request(HostLost(session.host.id, clean=True, grace_ms=0)))
        if session.presenter is not None:
            self.ask(Request(PresenterLost(session.presenter.id)))

    def _leaving(self, before: Session, session: Session, request: Request | None) -> bool:
        """Whether a leave is to be told now: of a host who is away and may return, not yet."""
        left = dict.fromkeys((*(request.left if request is not None else ()), before.host))
        return self._now_heard(user for user in left if user.id != session.host.id)

    def _now_heard(self, users: Iterable[User]) -> bool:
        roster = self._state.roster
        left = [user for user in users if user.id in roster.unheard and not roster.of(user.id)]
        for user in left:
            del roster.unheard[user.id]
        return bool(left)

    def _new_term(self) -> None:
        """PR7."""
        state = self._state
        if state.awareness.new_term(state.roster.showing()):
            state.deadlines.set_if_unset(AWARENESS, state.now.monotonic_s)

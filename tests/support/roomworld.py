"""A store that answers one room, truly or not at all, and ears that hold the room to what it may tell whom.

The world of `test_room_random`: everything is decided by numbers that the test hands in.
"""

from __future__ import annotations

from collections import Counter
from typing import Any

import msgspec

from collab.core.apply import advance
from collab.core.effects import (
    Admit,
    Answer,
    CatchUp,
    ChangeSession,
    Closed,
    Commit,
    Dismiss,
    Effect,
    JudgeBatch,
    ReadHistory,
    ReadRights,
    ReadSession,
    Reload,
    Replay,
    Send,
    Tell,
    WakeAt,
)
from collab.core.events import (
    Asked,
    BatchJudged,
    CaughtUp,
    Committed,
    Departure,
    Event,
    HeadSeen,
    Heard,
    HistoryRead,
    Known,
    Left,
    Loaded,
    Missed,
    RightsMoved,
    RightsRead,
    SessionChanged,
    SessionMoved,
    SessionRead,
    SessionStale,
    SessionUnchanged,
    Submitted,
    Unavailable,
    Unresolved,
    Woke,
)
from collab.core.kept import Kept
from collab.core.meeting import Deny, End, HostBack, HostGone, Leave, Session, SessionChange, SetHost, SetPresenter
from collab.core.room import Room
from collab.core.state import RoomSettings
from collab.core.verdicts import Ticket
from protocol.intents import Edit, Undo
from protocol.notices import (
    Accepted,
    AwarenessShown,
    Happened,
    Notice,
    PresenterChanged,
    Rejected,
    Resumed,
    RosterChanged,
    RosterView,
    StateShown,
)
from protocol.operations import LoggedOperation, Outcome
from protocol.refusals import Ending
from protocol.values import Head, Instant, Role, RoleAt, SessionId, SocketId, UserId
from tests.support.script import EPOCH, FOUNDED, SESSION, START, THREAT_MODEL, Guest, caller, joined, user

WRITER_CALLS = (JudgeBatch, Commit, CatchUp, Reload, ReadHistory, ReadRights)
CHAIR_CALLS = (ReadSession, ChangeSession)


class Store:
    """Head, log, outcomes, rights and session of one diagram; other workers write to it too."""

    def __init__(self) -> None:
        self.diagram = FOUNDED
        self.log: list[LoggedOperation] = []
        self.outcomes: dict[tuple[UserId, str], Outcome] = {}
        self.acl_version = 1
        self.roles: dict[str, Role] = {}
        self.sessions: dict[SessionId, Session] = {SESSION.id: SESSION}
        self.live: SessionId | None = SESSION.id

    @property
    def head(self) -> Head:
        return Head(EPOCH, self.diagram.vector, self.diagram.state_hash, self.acl_version)

    def append(self, operation: LoggedOperation) -> None:
        self.diagram = advance(self.diagram, operation)
        self.log.append(operation)

    def since(self, vector: int) -> tuple[LoggedOperation, ...]:
        return tuple(self.log[vector:])

    def role(self, name: str) -> RoleAt:
        session = self.sessions[self.live] if self.live is not None else None
        denied = session is not None and user(name).id in session.denied
        return RoleAt(self.roles.get(name, Role.WRITER), self.acl_version, denied)

    def commit(self, commit: Commit) -> Event:
        known = {
            (one.user, one.operation_id): found
            for one in commit.outcomes
            if (found := self.outcomes.get((one.user, one.operation_id))) is not None
        }
        if known:
            return Known(known)
        if commit.base != self.head:
            return Missed(self.head, self.since(commit.base.vector))
        for operation in commit.operations:
            role = self.role(operation.user.provider_id)
            assert role.role >= Role.WRITER and not role.denied, (operation, "I25: judged by a role of another time")
            self.append(operation)
        self.outcomes.update({(one.user, one.operation_id): one for one in commit.outcomes})
        return Committed()

    def change(self, of: Session, change: SessionChange) -> Event:
        now = self.sessions[of.id]
        if now.version != of.version or now.ended is not None:
            return SessionStale(now)
        self.sessions[of.id] = _changed(now, change)
        if isinstance(change, Deny | End):
            self.acl_version += 1
        if isinstance(change, End):
            self.live = None
        return SessionChanged(self.sessions[of.id])

    def end(self, ending: Ending) -> None:
        if self.live is not None:
            self.change(self.sessions[self.live], End(ending))

    def leave(self, name: str) -> SessionMoved | None:
        """By REST; what the rooms are told then."""
        session = self.sessions[self.live] if self.live is not None else None
        if session is None:
            return None
        left = self.change(session, Leave(user(name)))
        assert isinstance(left, SessionChanged)
        return SessionMoved(session.id, left.session.version)

    def create(self, host: str) -> None:
        if self.live is None:
            id = SessionId(f"s{len(self.sessions) + 1}")
            new = msgspec.structs.replace(SESSION, id=id, host=user(host), presenter=user(host))
            self.sessions[id], self.live = new, id

    def answer(self, call: Effect) -> Event:
        match call:
            case JudgeBatch(batch=batch, judge=judge):
                return BatchJudged(batch, judge.batch(batch))
            case Commit():
                return self.commit(call)
            case CatchUp(since=since):
                return CaughtUp(self.head, self.since(since.vector))
            case Reload():
                return Loaded(self.diagram, self.acl_version, tuple(self.log))
            case ReadHistory(user=id):
                return HistoryRead(id, tuple(Kept.of(row) for row in self.log if id in (None, row.user.id)))
            case ReadRights(callers=callers):
                roles = {one.bearer: self.role(one.user.provider_id) for one in callers}
                return RightsRead(self.acl_version, roles)
            case ReadSession(known=known):
                found = known or self.live
                return SessionRead(self.sessions[found] if found is not None else None)
            case ChangeSession(session=session, change=change):
                return self.change(session, change)
            case _:
                raise AssertionError(call)


def _changed(now: Session, change: SessionChange) -> Session:
    return msgspec.structs.replace(now, version=now.version + 1, **_news(now, change))


def _news(now: Session, change: SessionChange) -> dict[str, Any]:
    match change:
        case SetPresenter(presenter=presenter):
            return {"presenter": presenter, "presenter_term": now.presenter_term + 1}
        case HostGone(grace_ms=grace_ms):
            return {"host_grace_until_ms": grace_ms}
        case HostBack():
            return {"host_grace_until_ms": None}
        case SetHost(host=host):
            back = {"host": host, "host_grace_until_ms": None}
            presenting = now.presenter == now.host
            return back | ({"presenter": host, "presenter_term": now.presenter_term + 1} if presenting else {})
        case Deny(user=denied, presenter=presenter):
            term = now.presenter_term + (presenter != now.presenter)
            return {"denied": now.denied | {denied.id}, "presenter": presenter, "presenter_term": term}
        case Leave(user=left):
            return {"left": {**now.left, left.id: now.version + 1}}
        case End(ending=ending):
            return {"ended": ending}


def in_brief(roster: RosterView) -> Any:
    """What a codraw.v1 client shows of it."""
    sockets = {(one.user.id, connection.connection_id) for one in roster.participants for connection in one.connections}
    return sockets, roster.host, roster.host_state, roster.presenter, roster.presenter_term


class Ear:
    """What one socket is told, checked frame by frame."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.admitted = False
        self.closed = False
        self.session: SessionId | None = None
        self.vector = -1
        self.present: set[str] = set()
        self.roster: RosterView | None = None

    def hear(self, notice: Notice) -> None:
        assert not self.closed, (self.name, notice, "SES15: told something after its end")
        self._watch(notice)
        match notice:
            case StateShown(diagram=diagram):
                assert diagram.vector >= self.vector, (self.name, "VEC5")
                self.vector = diagram.vector
            case Resumed(to=to):
                self.vector = to
            case Accepted(operation=operation) if operation is not None:
                self._step(operation)
            case _:
                pass

    def overhear(self, notice: Notice) -> None:
        assert self.admitted, (self.name, notice, "I8: news before the state")
        assert not self.closed, (self.name, notice)
        self._watch(notice)
        match notice:
            case Happened(operation=operation):
                self._step(operation)
            case RosterChanged(joined=joined, left=left):
                for one in left:
                    assert one.id in self.present, (self.name, one, "left without having been there")
                    self.present.discard(one.id)
                for one in joined:
                    assert one.id not in self.present, (self.name, one, "joined twice")
                    self.present.add(one.id)
            case _:
                pass

    def _watch(self, notice: Notice) -> None:
        """Who is here, hosts and presents, as far as it was told."""
        match notice:
            case RosterChanged(roster=roster) | PresenterChanged(roster=roster):
                assert self.roster is None or roster.presenter_term >= self.roster.presenter_term, (self.name, "I20")
                self.roster = roster
            case AwarenessShown(updates=updates):
                presenter = self.roster.presenter if self.roster is not None else None
                pointing = {update.user for update in updates if update.presenting}
                assert pointing <= {presenter}, (self.name, pointing, "PR7, I20: a cursor of another term")
            case _:
                pass

    def _step(self, operation: LoggedOperation) -> None:
        assert operation.vector == self.vector + 1, (self.name, self.vector, operation.vector, "WS15")
        self.vector = operation.vector


class World:
    def __init__(self, settings: RoomSettings) -> None:
        self.store = Store()
        self.room = Room(THREAT_MODEL, Loaded(FOUNDED, 1), SESSION, settings)
        self.now = START
        self.calls: dict[str, Effect] = {}
        self.ears: dict[SocketId, Ear] = {}
        self.gone: set[SocketId] = set()
        self.asked: Counter[tuple[SocketId, str]] = Counter()
        self.tickets: Counter[Ticket] = Counter()
        self.wake_s: float | None = None
        self.closed = False
        self.number = 0

    # what may happen --------------------------------------------------------------------------------------------------

    def join(self, guest: Guest) -> None:
        live = self.store.live
        if live is None or guest.id in self.ears:
            return
        role = self.store.role(guest.name)
        if role.role is Role.NONE or role.denied:
            return
        self.ears[guest.id] = Ear(guest.name)
        event = joined(guest, of=self.store.sessions[live])
        self.post(msgspec.structs.replace(event, role=role))

    def leave(self, socket: SocketId, how: Departure) -> None:
        if socket in self.ears and socket not in self.gone:
            self.gone.add(socket)
            self.post(Left(socket, how))

    def ask(self, socket: SocketId, intent: Any) -> None:
        ear = self.ears.get(socket)
        if ear is None or socket in self.gone or ear.closed:
            return
        if isinstance(intent, Edit | Undo):
            self.asked[socket, str(intent.operation_id)] += 1
        self.post(Asked(socket, intent))

    def submit(self, name: str, intent: Edit) -> None:
        self.number += 1
        self.tickets[Ticket(self.number)] = 1
        self.post(Submitted(Ticket(self.number), caller(name), self.store.role(name), intent))

    def answer(self, lane: str, how: int = 0) -> None:
        """0: the store answers; 1: it cannot be reached; 2: it does what it is asked, and the answer is lost."""
        call = self.calls.pop(lane, None)
        if call is None:
            return
        if how == 1:
            self.post(Unavailable() if lane == "writer" else SessionUnchanged())
        elif how == 2 and isinstance(call, Commit):
            self.store.commit(call)
            self.post(Unresolved())
        else:
            self.post(self.store.answer(call))

    def pass_time(self, seconds: float) -> None:
        until_s = self.now.monotonic_s + seconds
        while self.wake_s is not None and self.wake_s <= until_s:
            self.now, self.wake_s = Instant(self.wake_s, self.now.wall_ms), None
            self.post(Woke())
        self.now = Instant(until_s, self.now.wall_ms + round(seconds * 1000))

    def write_elsewhere(self, operation: LoggedOperation, heard: bool) -> None:
        self.store.append(operation)
        if heard:
            self.post(Heard(EPOCH, (operation,)))

    def look(self) -> None:
        live = self.store.live
        self.post(HeadSeen(self.store.head, self.store.sessions[live].version if live is not None else None))

    # the room ---------------------------------------------------------------------------------------------------------

    def post(self, event: Event) -> None:
        for effect in self.room.handle(event, self.now):
            self._perform(effect)

    def _perform(self, effect: Effect) -> None:
        assert not self.closed, effect
        match effect:
            case Admit(socket=socket, notices=notices):
                ear = self.ears[socket]
                assert not ear.admitted, (socket, "admitted twice")
                ear.admitted = True
                session = self.room.state.session
                ear.session = session.id if session is not None else None
                for notice in notices:
                    ear.hear(notice)
            case Replay():
                pass
            case Send(socket=socket, notice=notice):
                self._send(socket, notice)
            case Tell(notice=notice, skip=skip):
                for socket, ear in self.ears.items():
                    if ear.admitted and not ear.closed and socket not in skip and socket not in self.gone:
                        ear.overhear(notice)
            case Dismiss(socket=socket):
                assert not self.ears[socket].closed, (socket, "SES15: two ends")
                self.ears[socket].closed = True
            case Answer(ticket=ticket):
                self.tickets[ticket] -= 1
            case WakeAt(at=at):
                self.wake_s = None if at is None else at.monotonic_s
            case Closed():
                self.closed = True
            case _:
                self._call(effect)

    def _send(self, socket: SocketId, notice: Notice) -> None:
        ear = self.ears[socket]
        if isinstance(notice, Accepted | Rejected):
            self.asked[socket, notice.operation_id] -= 1
        if socket in self.gone or ear.closed:
            # the answer of something that was in a commit when its socket went
            return
        assert ear.admitted, (socket, notice, "I8: told something before its state")
        ear.hear(notice)
        if isinstance(notice, RosterChanged):
            ear.present = {one.user.id for one in notice.roster.participants}

    def _call(self, effect: Effect) -> None:
        for lane, calls in (("writer", WRITER_CALLS), ("chair", CHAIR_CALLS)):
            if isinstance(effect, calls):
                assert lane not in self.calls, (effect, "two calls of one lane")
                self.calls[lane] = effect

    # the end ----------------------------------------------------------------------------------------------------------

    def settle(self) -> None:
        """The store is well, everything is answered, nothing more happens."""
        self.post(RightsMoved())
        self.look()
        for _ in range(200):
            if not self.calls and self.wake_s is None:
                break
            for lane in list(self.calls):
                self.answer(lane)
            self.pass_time(0.3)

    def check(self) -> None:
        present = {socket for socket, ear in self.ears.items() if self._there(socket, ear)}
        roster = self.room.state.roster
        assert {one.socket for one in roster} == present, "a ghost, or somebody forgotten"
        assert not any(not ear.admitted and self._open(socket, ear) for socket, ear in self.ears.items()), "I29"
        assert not any(self.tickets.values()), ("I6", self.tickets)
        for (socket, id), unanswered in self.asked.items():
            assert unanswered == 0 or not self._there(socket, self.ears[socket]), ("I6", socket, id, unanswered)
        session, live = self.room.state.session, self.store.live
        if present:
            assert session is not None
            assert session == self.store.sessions[live or SessionId("")], "the session is not the store's"
        for socket in present:
            ear = self.ears[socket]
            assert ear.vector == self.store.diagram.vector, (socket, "I2")
            assert session is not None
            assert ear.present == {one.user.id for one in roster.view(session).participants}, (socket, "I22")
            assert ear.roster is not None
            assert in_brief(ear.roster) == in_brief(roster.view(session)), (socket, "PR4, SES10: untold")
        if session is not None and present:
            self._check_chair(session)

    def _check_chair(self, session: Session) -> None:
        roster, presenter, host = self.room.state.roster, session.presenter, session.host
        came = self.came(host.provider_id, session.id)
        if not roster.here(host.id):
            assert session.host_grace_until_ms is not None or not came, "SES10: a host is lost, and nobody noticed"
        else:
            assert session.host_grace_until_ms is None, "SES10: a host is back, and nobody noticed"
        if presenter is not None and presenter != host:
            assert roster.here(presenter.id), "PR5: a presenter is lost, and nobody noticed"

    def came(self, name: str, session: SessionId) -> bool:
        """Whether that person ever took part in it."""
        return any(ear.name == name and ear.session == session for ear in self.ears.values())

    def _there(self, socket: SocketId, ear: Ear) -> bool:
        return ear.admitted and self._open(socket, ear)

    def _open(self, socket: SocketId, ear: Ear) -> bool:
        return not ear.closed and socket not in self.gone

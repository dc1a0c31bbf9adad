"""Coming and going: how a socket is admitted, leaves, is dismissed, and how a session ends for all."""

from __future__ import annotations

from collab.core.chair import Chair
from collab.core.deadlines import HEARTBEAT
from collab.core.effects import Admit, Announce, Replay, Send
from collab.core.events import Asked, Departure, Joined
from collab.core.meeting import Session
from collab.core.resume import look_back
from collab.core.roster import Present
from collab.core.state import RoomState
from collab.core.writer import Writer
from protocol.intents import Aware
from protocol.notices import (
    AwarenessShown,
    HistoryDepth,
    Notice,
    Resumed,
    RosterChanged,
    StateReason,
    StateShown,
    Welcomed,
)
from protocol.refusals import Ending
from protocol.values import Role, RoleAt, SocketId


class Door:
    """`early`: what sockets asked for before they were let in."""

    def __init__(self, state: RoomState, writer: Writer, chair: Chair) -> None:
        self._state, self._writer, self._chair = state, writer, chair
        self._early: dict[SocketId, list[Asked]] = {}

    def joined(self, event: Joined) -> None:
        self._chair.adopt(event.session)
        self._writer.join(event)
        self.part_with_left()

    def asked_early(self, event: Asked) -> None:
        """WS19: a client need not wait for its state before it asks; a cursor of then is worth nothing."""
        if self._writer.joining(event.socket) and not isinstance(event.intent, Aware):
            self._early.setdefault(event.socket, []).append(event)

    def admit_ready(self) -> list[Asked]:
        """I8, I9: state and audience in one step, on what a read begun after the arrival has shown. Returns what those
        let in have asked for meanwhile."""
        asked: list[Asked] = []
        for event in self._writer.take_ready():
            asked += self._early.pop(event.socket, [])
            role = self._writer.role_of(event.caller)
            refusal = self._refused(event, role)
            if refusal is not None:
                self._state.ask(self._state.dismissal(event.socket, refusal))
            else:
                self._admit(event, role)
        return asked

    def _refused(self, event: Joined, role: RoleAt) -> Ending | None:
        """Right to read, live session, numbers of sockets (SES8, SES18, S75), on what is true now."""
        state = self._state
        limits = state.settings.limits
        if role.denied or role.role < Role.READER:
            return Ending.ACCESS_REVOKED
        if state.session is None or state.session.id != event.session.id:
            return Ending.SESSION_NOT_FOUND
        if event.caller.id in state.session.denied:
            # ejected while the read was under way that lets it in
            return Ending.ACCESS_REVOKED
        # Counted over all workers; here alone while it is not known who is elsewhere.
        user, remote, now_s = event.caller.id, state.roster.remote, state.now.monotonic_s
        if len(state.roster.of(user)) + remote.sockets(now_s, user) >= limits.max_sockets_per_user:
            return Ending.TOO_MANY_CONNECTIONS
        if len(state.roster) + remote.sockets(now_s) >= limits.max_sockets_per_session:
            return Ending.SESSION_FULL
        return None

    def _admit(self, event: Joined, role: RoleAt) -> None:
        state, session = self._state, self._state.session
        assert session is not None  # noqa: S101 - _refused looked
        present = Present(event.socket, event.caller, role, event.dialect, state.now.wall_ms, event.session.version)
        if state.roster.add(present):
            self._chair.user_came(event.caller.user)
        welcome = self._welcome(event, role, session)
        look = self._first_look(event, present)
        if isinstance(look[0], Resumed):
            state.ask(Admit(event.socket, (welcome,)), Replay(event.socket, look))
        else:
            state.ask(Admit(event.socket, (welcome, *look)))
        roster = RosterChanged(state.roster.view(session), state.now.wall_ms)
        state.ask(*(Send(event.socket, notice) for notice in (roster, *self._known_awareness())))
        state.tell_roster(skip=frozenset((event.socket,)))
        state.deadlines.set_if_unset(HEARTBEAT, state.now.monotonic_s + state.settings.heartbeat_s)

    def _welcome(self, event: Joined, role: RoleAt, session: Session) -> Welcomed:
        state = self._state
        stacks = state.replica.stacks(event.caller.id)
        return Welcomed(
            session=session.view(),
            you=event.caller.user,
            connection_id=event.socket,
            role=role.role,
            token_expires_at_ms=event.caller.expires_at_ms,
            history=stacks.depth if stacks is not None else HistoryDepth(),
            diagram=state.replica.diagram,
            limits=state.settings.limits,
            at_ms=state.now.wall_ms,
        )

    def _first_look(self, event: Joined, present: Present) -> tuple[Notice, ...]:
        """WS14: the dialects that cannot say `resumed` begin with a state."""
        if event.resume is None or not present.resumes:
            return (StateShown(self._state.replica.diagram, StateReason.JOINED),)
        return look_back(self._state.replica, event.resume, self._state.start_vector)

    def _known_awareness(self) -> tuple[Notice, ...]:
        known = self._state.awareness.known()
        return (AwarenessShown(known),) if known else ()

    # leaving ----------------------------------------------------------------------------------------------------------

    def left(self, socket: SocketId, how: Departure) -> None:
        self._writer.drop(socket)
        self._chair.drop(socket)
        self._early.pop(socket, None)
        present = self._state.roster.get(socket)
        if present is None:
            return
        if not (self._state.remove(socket) and self._chair.user_left(present, how)):
            self._state.tell_roster()

    def dismiss(self, socket: SocketId, ending: Ending) -> None:
        """By the server: the socket is out at once, whenever its connection ends."""
        if self._writer.joining(socket) or self._state.roster.get(socket) is not None:
            self._state.ask(self._state.dismissal(socket, ending))
            self.left(socket, Departure.CLEAN if ending is Ending.LEFT else Departure.SERVER)

    def part_with_left(self) -> None:
        """SES6: whoever left by REST, at any worker, goes with the sockets from before."""
        session = self._state.session
        if session is None or not session.left:
            return
        here = [(present.socket, present.caller.id, present.saw_version) for present in self._state.roster]
        joins = (join for join in self._writer.joins() if join.session.id == session.id)
        coming = [(join.socket, join.caller.id, join.session.version) for join in joins]
        for socket, user, saw_version in (*here, *coming):
            if saw_version < session.left.get(user, 0):
                self.dismiss(socket, Ending.LEFT)

    def end(self, ending: Ending) -> None:
        """SES15: one end frame each, after everything accepted before."""
        state = self._state
        for present in list(state.roster):
            state.ask(state.dismissal(present.socket, ending))
            state.remove(present.socket)
            self._writer.drop(present.socket)
        if state.session is not None:
            state.ask(Announce(state.session.id, (), state.session.version))
        self._chair.end()
        for join in self._writer.joins():
            self._chair.adopt(join.session)
        # what their handshakes saw may have ended as well
        state.doubt_session()

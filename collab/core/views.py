"""What a socket is shown because it asks: the diagram, whole or what it lacks of it, its vector, its heartbeat."""

from __future__ import annotations

from collab.core.deadlines import STATE
from collab.core.effects import Replay, Send
from collab.core.resume import look_back
from collab.core.roster import Present
from collab.core.state import RoomState
from protocol.intents import AskResync, AskState, AskVector, Heartbeat, Resume
from protocol.notices import HeartbeatShown, Notice, Resumed, ResyncAdvised, StateReason, StateShown, VectorShown
from protocol.values import SocketId

Look = AskState | AskVector | AskResync | Resume | Heartbeat


class Views:
    def __init__(self, state: RoomState) -> None:
        self._state = state

    def look(self, present: Present, intent: Look) -> None:
        state, diagram = self._state, self._state.replica.diagram
        match intent:
            case AskState(vector=vector) if vector == diagram.vector:
                state.ask(Send(present.socket, VectorShown(diagram.vector)))
            case AskState(ref=ref):
                self._ration(present, ref, StateShown(diagram, StateReason.REQUESTED, ref=ref))
            case AskVector():
                state.ask(Send(present.socket, VectorShown(diagram.vector)))
            case AskResync():
                present.fetches(state.now.monotonic_s)
                state.ask(Send(present.socket, ResyncAdvised(present.user, diagram.id, state.threat_model)))
            case Resume():
                self._resume(present, intent)
            case Heartbeat(ref=ref):
                state.ask(Send(present.socket, self.heartbeat(ref)))

    def _resume(self, present: Present, resume: Resume) -> None:
        """Events are rationed as full states are, since they cost as much (S76)."""
        state = self._state
        look: tuple[Notice, ...]
        if STATE + present.socket in state.deadlines:
            look = (StateShown(state.replica.diagram, StateReason.RESUME_IMPOSSIBLE, ref=resume.ref),)
        else:
            look = look_back(state.replica, resume, state.start_vector)
        if isinstance(look[0], Resumed) and len(look) == 1:
            state.ask(Replay(present.socket, look))
        else:
            self._ration(present, resume.ref, *look, resend=not resume.forgotten)

    def heartbeat(self, ref: str | None = None) -> HeartbeatShown:
        diagram = self._state.replica.diagram
        return HeartbeatShown(diagram.epoch, diagram.vector, diagram.state_hash, self._state.now.wall_ms, ref)

    def _ration(self, present: Present, ref: str | None, *look: Notice, resend: bool = True) -> None:
        """WS9: what cannot go now is shown as a full state of then, one for all requests until then. WS18: it says of
        the outcomes what any of them has to be told."""
        state, name, first = self._state, STATE + present.socket, look[0]
        reason = first.reason if isinstance(first, StateShown) else StateReason.RESUME_IMPOSSIBLE
        present.awaited = (reason, ref, resend and self._awaits_resend(present))
        if name in state.deadlines:
            return
        wait_s = present.ration.take(state.now.monotonic_s)
        if wait_s > 0:
            state.after_s(name, wait_s)
        else:
            present.show_again(state.shown())
            resumed = isinstance(first, Resumed)
            state.ask(Replay(present.socket, look) if resumed else Send(present.socket, first))

    def _awaits_resend(self, present: Present) -> bool:
        """Nothing is awaited that says otherwise."""
        return STATE + present.socket not in self._state.deadlines or present.awaited[2]

    def show(self, socket: SocketId, why: StateReason | None = None) -> None:
        """None: the reason that it waits for."""
        present = self._state.roster.get(socket)
        if present is not None:
            reason, ref, resend = present.awaited if why is None else (why, None, self._awaits_resend(present))
            present.show_again(self._state.shown())
            self._state.ask(Send(socket, StateShown(self._state.replica.diagram, reason, resend, ref=ref)))

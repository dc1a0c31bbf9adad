"""What rooms of the same diagram at other workers say, but for operations: who is there, what they point at, what they
ask for.

It is news, never truth: what counts (host, presenter, who is ejected) is read from the session's facts first.
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import chain

from collab.core.chair import Chair
from collab.core.effects import Announce, Send, Speak, Survey
from collab.core.events import Declined, Pointed, RollCalled, Said, SessionMoved, Stood, Surveyed, Wanted
from collab.core.meeting import Session
from collab.core.state import RoomState
from protocol.notices import Participant, PresenterAsked, PresenterDenied
from protocol.values import SessionId, SocketId, UserId

REFRESHED_S = 12.0
"""So long after presence was out of reach all have told it again who is with them, which they do every ten seconds."""
WAITING = 256
"""So much that was said of newer facts than ours may wait for them."""


class Elsewhere:
    def __init__(self, state: RoomState, chair: Chair) -> None:
        self._state, self._chair = state, chair
        self._surveyed: SessionId | None = None
        self._term: int | None = None
        """Of presenting: what the sockets here show was said under it."""
        self._early: list[Said | Pointed] = []
        """Said of newer facts than ours."""
        self._bus_healthy = self._presence_known = True
        self._healthy_since_s = float("-inf")

    # who is there -----------------------------------------------------------------------------------------------------

    def advance(self, joining: bool) -> None:
        """Before somebody takes part in a session, it is asked who does already. What the sockets here show is said
        again under a new term: whoever knew of it has dropped what came under the older one (PR7, PR9)."""
        session = self._state.session
        if session is None or not (joining or len(self._state.roster)):
            self._surveyed = None
            self._state.surveying = False
            self._early.clear()
            return
        if joining and not self._state.alone and self._surveyed != session.id:
            self._state.surveying = True
            self.survey()
        if session.presenter_term != self._term:
            self._term = session.presenter_term
            if self._state.roster.remote:
                self.point(present.socket for present in self._state.roster)

    def survey(self) -> None:
        """Also if news may have been lost."""
        session = self._state.session
        if session is not None and not self._state.alone:
            self._surveyed = session.id
            self._state.ask(Survey(session.id))

    def missed_news(self) -> None:
        """What the sockets here show may have been lost, too, and whoever missed that need not know (PR9)."""
        self.survey()
        if self._state.roster.remote:
            self.point(present.socket for present in self._state.roster)

    def surveyed(self, event: Surveyed) -> None:
        state = self._state
        if state.session is None or event.session != state.session.id:
            return
        state.surveying = False
        self._presence_known = event.participants is not None
        self._sight()
        if event.participants is None:
            self._chair.looked_around(())
            return
        before = self._users()
        said = {name: _allowed(state.session, participants) for name, participants in event.participants.items()}
        now_s = state.now.monotonic_s
        whole = self._bus_healthy and now_s - self._healthy_since_s > REFRESHED_S
        self._changed(before, news=state.roster.remote.read(said, now_s, whole=whole))
        self._chair.looked_around({one.user.id for there in said.values() for one in there if one.connections})

    def sensed(self, healthy: bool) -> None:
        if healthy and not self._bus_healthy:
            self._healthy_since_s = self._state.now.monotonic_s
        self._bus_healthy = healthy
        self._sight()

    def said(self, event: Said) -> None:
        session = self._of(event.session)
        if session is None:
            return
        if _newer(event, session):
            self._wait(event)
            return
        if event.closing:
            self._chair.forget_parted()
        before, now_s = self._users(), self._state.now.monotonic_s
        participants = _allowed(session, event.participants)
        news = self._state.roster.remote.hear(event.worker, event.serial, participants, now_s)
        self._changed(before, news=news)

    def stands(self, event: Stood) -> bool:
        mine, remote = self._state.session, self._state.roster.remote
        ours = mine is not None and mine.id == event.session
        return ours and remote.stands(event.worker, event.serial, self._state.now.monotonic_s)

    def missed(self, event: Stood) -> None:
        """What was said and stands was not heard here."""
        if self._of(event.session) is not None:
            self.survey()

    def roll_called(self, event: RollCalled) -> None:
        """To whoever has just opened the diagram, or may have missed what was said."""
        state = self._state
        if state.session is None or event.session != state.session.id or not len(state.roster):
            return
        state.ask(Announce(state.session.id, state.roster.said(), state.session.version))
        self.point(present.socket for present in state.roster)

    def _users(self) -> frozenset[UserId]:
        return frozenset(one.user.id for one in self._state.roster.remote)

    def _changed(self, before: frozenset[UserId], *, news: bool) -> None:
        if not news:
            return
        state, roster = self._state, self._state.roster
        returned = [user for user in roster.unheard if roster.elsewhere(user)]
        for user in returned:
            del roster.unheard[user]
        if roster.awaited is not None and roster.here(roster.awaited):
            roster.awaited = None
        state.awareness.keep({*(present.socket for present in roster), *roster.remote.connections()})
        for user in sorted(before - self._users()):
            self._chair.user_vanished(user)
        # that they may return here is not so any more, and was said
        state.tell_roster(announce=bool(returned))
        if not before:
            # while nobody was known to be elsewhere, nobody was told
            self.point(present.socket for present in roster)

    def _sight(self) -> None:
        self._state.roster.remote.sighted = self._bus_healthy and self._presence_known

    # what they point at -----------------------------------------------------------------------------------------------

    def point(self, sockets: Iterable[SocketId]) -> None:
        """All that these sockets show; whoever missed what they showed before has it again."""
        state = self._state
        updates = state.awareness.of(sockets)
        if state.session is not None and updates:
            state.ask(Speak(Pointed(state.session.id, state.session.presenter_term, updates)))

    def pointed(self, event: Pointed) -> bool:
        """Whether there is something to show. PR7: nothing of an older term; of a newer one, once it is known who
        presents (I20)."""
        session = self._of(event.session)
        if session is None or event.presenter_term < session.presenter_term:
            return False
        if _newer(event, session):
            self._wait(event)
            return False
        if self._expects(event):
            self._keep(event)
            return False
        presenter = session.presenter.id if session.presenter is not None else None
        there = self._state.roster.remote.connections()
        seen = [update for update in event.updates if update.connection_id in there]
        shown = [self._state.awareness.hear(update, update.user.id == presenter, event.serial) for update in seen]
        return any(shown)

    def _expects(self, event: Pointed) -> bool:
        """It came after who is there, which waits."""
        shown = {update.connection_id for update in event.updates} - self._state.roster.remote.connections()
        said = (early.participants for early in self._early if isinstance(early, Said))
        return any(there.connection_id in shown for one in chain(*said) for there in one.connections)

    # what they ask for ------------------------------------------------------------------------------------------------

    def wanted(self, event: Wanted) -> None:
        session = self._of(event.session)
        if session is not None:
            notice = PresenterAsked(user=event.user, roster=self._state.roster.view(session))
            self._state.ask(*(Send(p.socket, notice) for p in self._state.roster.of(session.host.id)))

    def declined(self, event: Declined) -> None:
        session = self._of(event.session)
        if session is not None:
            host = session.host if event.by_host else None
            notice = PresenterDenied(user=event.user, roster=self._state.roster.view(session), host=host)
            self._state.ask(*(Send(p.socket, notice) for p in self._state.roster.of(event.user.id)))

    # facts ------------------------------------------------------------------------------------------------------------

    def session_moved(self, event: SessionMoved) -> None:
        session = self._of(event.session)
        if session is not None and event.version > session.version:
            self._chair.moved_elsewhere(event.version, asked=event.asked)

    def take_early(self) -> list[Said | Pointed]:
        """Once the facts are as new as they can be. What is said of newer ones even then comes of a store that has lost
        time: to wait for those would be to ask for ever."""
        session = self._state.session
        if self._chair.reading or session is None:
            return []
        early, self._early = self._early, []
        return [one for one in early if not _newer(one, session)]

    def _wait(self, event: Said | Pointed) -> None:
        self._keep(event)
        self._chair.want_read()

    def _keep(self, event: Said | Pointed) -> None:
        self._early = [*self._early[-WAITING:], event]

    def _of(self, session: SessionId) -> Session | None:
        """Ours, if it is that one. Another one may have taken its place."""
        mine = self._state.session
        if mine is not None and mine.id != session:
            self._chair.want_read()
            return None
        return mine


def _newer(said: Said | Pointed, session: Session) -> bool:
    if isinstance(said, Said):
        return said.version > session.version
    return said.presenter_term > session.presenter_term


def _allowed(session: Session, participants: Iterable[Participant]) -> tuple[Participant, ...]:
    """SES18: what was said before an ejection brings nobody back."""
    return tuple(one for one in participants if one.user.id not in session.denied)

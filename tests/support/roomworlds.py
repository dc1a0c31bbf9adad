"""Rooms of one diagram on several workers: each a world with ears; one store; news that is lost, repeated, swapped."""

from __future__ import annotations

import random
from collections.abc import Mapping

from collab.core.effects import Announce, ChangeSession, Effect, Publish, Speak, Survey
from collab.core.events import BusSensed, Event, Heard, Loaded, RollCalled, Said, SessionMoved, Surveyed
from collab.core.remote import FRESH_S
from collab.core.room import Room
from collab.core.state import RoomSettings
from protocol.notices import Participant
from protocol.values import SessionId
from tests.support.roomworld import World, in_brief
from tests.support.script import THREAT_MODEL


class Desk(World):
    """One worker's room."""

    def __init__(self, worlds: Worlds, number: int, settings: RoomSettings) -> None:
        super().__init__(settings)
        self.worlds, self.settings = worlds, settings
        self.store = worlds.store or self.store
        self.lives = 0
        self.surveys: list[SessionId] = []
        self.serial = 0
        self.base = f"w{number}"
        self.open()

    @property
    def worker(self) -> str:
        return f"{self.base}.{self.lives}"

    def open(self) -> None:
        store = self.store
        session = store.sessions[store.live] if store.live is not None else None
        loaded = Loaded(store.diagram, store.acl_version)
        self.room = Room(THREAT_MODEL, loaded, session, self.settings, alone=False)

    def die(self) -> None:
        """kill -9: whatever was begun and not answered is not heard of any more."""
        for socket, ear in self.ears.items():
            self.gone.add(socket)
            ear.closed = True
        self.calls.clear()
        self.asked.clear()
        self.tickets.clear()
        self.surveys.clear()
        self.wake_s = None
        self.lives += 1
        self.open()

    def answer(self, lane: str, how: int = 0) -> None:
        call = self.calls.get(lane)
        before = self.store.sessions[call.session.id] if isinstance(call, ChangeSession) else None
        super().answer(lane, how)
        after = self.store.sessions[before.id] if before is not None else None
        if after is not None and after is not before:
            self.speak(SessionMoved(after.id, after.version))

    def came(self, name: str, session: SessionId) -> bool:
        """What the store does about a host whom nobody alive has heard of is not played here."""
        return (name, session) in self.worlds.known

    def answer_survey(self, known: bool = True) -> None:
        if self.surveys:
            session = self.surveys.pop(0)
            said = self.worlds.presence.get(session, {})
            others = {name: there for name, there in said.items() if name != self.worker}
            self.post(Surveyed(session, others if known else None))

    def say_again(self) -> None:
        state = self.room.state
        if state.session is not None and len(state.roster):
            self.speak(Said(state.session.id, state.session.version, state.roster.said()))
            self.surveys.append(state.session.id)

    def speak(self, event: Event) -> None:
        self.serial += 1
        if isinstance(event, Said):
            event = Said(event.session, event.version, event.participants, self.worker, self.serial, event.closing)
        self.worlds.spread(self, event)

    def _perform(self, effect: Effect) -> None:
        match effect:
            case Publish():
                self.speak(Heard(effect.epoch, effect.operations, used_up=effect.used_up))
            case Announce():
                self.worlds.put(effect.session, self.worker, effect.participants)
                self.speak(Said(effect.session, effect.version, effect.participants, closing=effect.closing))
            case Speak(what=what):
                self.speak(what)
            case Survey(session=session):
                self.speak(RollCalled(session))
                self.surveys.append(session)
            case _:
                super()._perform(effect)


class Worlds:
    def __init__(self, settings: RoomSettings, seed: int, workers: int = 2) -> None:
        self.chance = random.Random(seed)
        self.store = None  # type: ignore[assignment]
        self.presence: dict[SessionId, dict[str, tuple[Participant, ...]]] = {}
        self.news: list[tuple[Desk, Event]] = []
        self.lose = 0.1
        self.known: set[tuple[str, SessionId]] = set()
        self.desks: list[Desk] = []
        for number in range(workers):
            self.desks.append(Desk(self, number, settings))
            self.store = self.desks[0].store

    def put(self, session: SessionId, worker: str, participants: tuple[Participant, ...]) -> None:
        said: dict[str, tuple[Participant, ...]] = self.presence.setdefault(session, {})
        if participants:
            said[worker] = participants
        else:
            said.pop(worker, None)

    def expire(self) -> None:
        """Presence of workers that died, which was read meanwhile."""
        for desk in self.desks:
            desk.pass_time(FRESH_S + 0.1)
            desk.say_again()
            while desk.surveys:
                desk.answer_survey()
        alive = {desk.worker for desk in self.desks}
        for said in self.presence.values():
            for worker in said.keys() - alive:
                del said[worker]

    def spread(self, author: Desk, event: Event) -> None:
        for desk in self.desks:
            if desk is not author and self.chance.random() >= self.lose:
                self.news.append((desk, event))

    def deliver(self, n: int, *, swap: bool = True) -> None:
        for _ in range(min(n, len(self.news))):
            at = self.chance.randrange(min(3, len(self.news))) if swap else 0
            desk, event = self.news.pop(at)
            if swap and self.chance.random() < 0.1:
                self.news.append((desk, event))
            desk.post(event)

    def settle(self) -> None:
        """No more faults; the head watch and its surveys go on."""
        self.lose = 0.0
        for desk in self.desks:
            session = desk.room.state.session
            listed = desk.room.state.roster.everybody() if session is not None else ()
            self.known |= {(one.user.provider_id, session.id) for one in listed if session is not None}
        self.expire()
        for desk in self.desks:
            desk.post(BusSensed(healthy=True))
            desk.post(Heard("", (), gap=True))
        for _ in range(8):
            for desk in self.desks:
                desk.look()
                desk.say_again()
            self._rest()
            for desk in self.desks:
                desk.pass_time(FRESH_S / 2)
        for desk in self.desks:
            desk.settle()
            self._rest()

    def _rest(self) -> None:
        for _ in range(400):
            self.deliver(len(self.news), swap=False)
            busy = False
            for desk in self.desks:
                for lane in list(desk.calls):
                    desk.answer(lane)
                    busy = True
                while desk.surveys:
                    desk.answer_survey()
                    busy = True
            if not busy and not self.news:
                return
        raise AssertionError("I29: the rooms never come to rest")

    def check(self) -> None:
        seen = {}
        for desk in self.desks:
            desk.check()
            state = desk.room.state
            if state.session is not None and len(state.roster):
                seen[desk.worker] = in_brief(state.roster.view(state.session))
        assert len({repr(sorted(brief[0])) + repr(brief[1:]) for brief in seen.values()}) <= 1, ("I22", seen)
        there: Mapping[str, set[str]] = {
            desk.worker: {str(one.socket) for one in desk.room.state.roster} for desk in self.desks
        }
        for brief in seen.values():
            assert {socket for _, socket in brief[0]} == set().union(*there.values()), "I22: ghosts, or somebody missed"

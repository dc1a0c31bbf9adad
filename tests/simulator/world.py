"""Real rooms on several workers over one real memory store, with time, order, loss and death drawn from one seed.

Nothing here waits: calls to the store are begun and finished in an order that the seed draws, news is lost, repeated
and swapped, workers die between any two effects. What a client is told goes through the real fan-out and dialects.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Coroutine, Sequence
from typing import Any, TypeVar

import msgspec

from collab.core.diagram import Diagram
from collab.core.effects import (
    CatchUp,
    ChangeSession,
    Commit,
    Effect,
    JudgeBatch,
    ReadHistory,
    ReadRights,
    ReadSession,
    Reload,
    Snapshot,
    Survey,
)
from collab.core.events import (
    BatchJudged,
    Event,
    HeadSeen,
    HistoryRead,
    RightsMoved,
    RightsRead,
    SessionChanged,
    SessionMoved,
    SessionRead,
    SessionStale,
    SessionUnchanged,
    Surveyed,
    Unavailable,
    Unresolved,
)
from collab.core.kept import step
from collab.core.meeting import Deny, Session, SessionChange
from collab.core.room import Room
from collab.core.state import RoomSettings
from collab.loading import Opened, opened
from collab.ports import Alive, Exists, NewSession, Stale, StoredDiagram, Watched
from collab.room_task import snapshot_data
from protocol.notices import Participant
from protocol.values import Caller, Epoch, Limits, RoleAt, SessionId, ThreatModelId, User
from storage.diagrams_memory import MemoryDiagrams
from tests.simulator.bus import DIAGRAM, Bus
from tests.simulator.faults import Faults
from tests.simulator.ledger import Ledger
from tests.simulator.memory import MemoryWorld
from tests.simulator.truth import Truth
from tests.simulator.worker import Open, Worker

T = TypeVar("T")

MODEL = ThreatModelId("9a070000-0000-4000-8000-000000000001")
SETTINGS = RoomSettings(limits=Limits(resume_operations=30), snapshot_operations=20)
CALL_S = 0.5
"""No call of the store stays unanswered for longer, but of a worker that is frozen."""

WRITER_CALLS = (JudgeBatch, Commit, CatchUp, Reload, ReadHistory, ReadRights)
CHAIR_CALLS = (ReadSession, ChangeSession)


def run(work: Coroutine[Any, Any, T]) -> T:
    """A coroutine that never waits, to its end."""
    try:
        work.send(None)
    except StopIteration as done:
        return done.value
    raise AssertionError("a memory adapter waited")


class Call:
    """A store call: begun (and then done, whatever becomes of its answer), later answered."""

    __slots__ = ("answer", "effect", "life", "since_s", "worker")

    def __init__(self, worker: Worker, effect: Any, since_s: float) -> None:
        self.worker = worker
        self.life = worker.life
        self.effect = effect
        self.since_s = since_s
        self.answer: Callable[[], None] | None = None

    @property
    def wanted(self) -> bool:
        """By somebody who lives."""
        return self.worker.life == self.life


class World:
    def __init__(
        self,
        seed: int,
        faults: Faults,
        make_room: Callable[..., Room] = Room,
        workers: int = 2,
        settings: RoomSettings = SETTINGS,
        *,
        worker: type[Worker] = Worker,
        bus: type[Bus] = Bus,
        diagrams: type[MemoryDiagrams] = MemoryDiagrams,
    ) -> None:
        # in every other world whatever is more than two short edits is judged apart
        self.settings = settings if seed % 2 else msgspec.structs.replace(settings, judged_apart_bytes=400)
        self.chance = random.Random(seed)
        self.faults = faults
        self.faults_were = faults.on
        self.names: tuple[str, ...] = ()
        self.editors: Sequence[Any] = ()
        self.make_room = make_room
        self.count: Counter[str] = Counter()
        self.ledger = Ledger()
        self.time_s = 0.0
        self.store = MemoryWorld(self.now_ms, DIAGRAM, MODEL, diagrams)
        self.truths = [Truth(self.store.head.epoch, 0, (), self.ledger)]
        self.calls: list[Call] = []
        self.zombies: list[Commit] = []
        """Commits under way on connections that broke: they may happen yet."""
        self.later: list[tuple[float, Callable[[], None]]] = []
        self.away_until_s = -1.0
        self.away_at_s = -1_000.0
        """When the store was away last, or a worker frozen: promises about time do not hold over that."""
        self.unsteady_at_s = -1_000.0
        """When old news was played again last, or time went by in leaps."""
        self.sessions = 0
        self.endings: list[tuple[int, int]] = []
        """Vectors at the end of a session and at the beginning of the next."""
        self.on_denied: Callable[[User], None] = _ignore
        self.on_ended: Callable[[], None] = _nothing
        self.bus = bus(self)
        self.workers = {name: worker(name, self) for name in "ABCD"[:workers]}

    # the clock --------------------------------------------------------------------------------------------------------

    def now_ms(self) -> int:
        return 1_700_000_000_000 + int(self.time_s * 1000)

    def pass_time(self, seconds: float, tick_s: float = 0.25) -> None:
        until_s = self.time_s + seconds
        if tick_s > 1:
            self.unsteady_at_s = until_s
        while self.time_s < until_s:
            self.time_s = min(until_s, self.time_s + tick_s)
            for worker in list(self.workers.values()):
                if not worker.frozen:
                    worker.tick()
                elif self.time_s - self.away_at_s > 1:
                    self.away_at_s = self.time_s
            self._time_out()
            self.bus.hurry()
        due = [thing for at_s, thing in self.later if at_s <= self.time_s]
        self.later = [(at_s, thing) for at_s, thing in self.later if at_s > self.time_s]
        for thing in due:
            thing()

    def _time_out(self) -> None:
        if self.away:
            self.away_at_s = self.time_s
        for call in [call for call in self.calls if call.since_s < self.time_s - CALL_S]:
            if call in self.calls and not call.worker.frozen:
                self._step(call)
                self._step(call)

    # workers ----------------------------------------------------------------------------------------------------------

    def kill(self, worker: Worker) -> None:
        """kill -9: its sockets, its inbox and its calls' answers are gone; a call that was begun was carried out, one
        under way may be carried out yet."""
        self.count["kill"] += 1
        for call in [call for call in self.calls if call.worker is worker]:
            if call.answer is not None or not isinstance(call.effect, Commit):
                self.calls.remove(call)
            elif self.chance.random() < 0.5:
                self.calls.remove(call)
                self.zombies.append(call.effect)
        worker.start()

    def freeze(self, worker: Worker, seconds: float) -> None:
        """SIGSTOP: what it has begun goes on without it."""
        self.count["freeze"] += 1
        worker.frozen, life = True, worker.life
        self.later.append((self.time_s + seconds, lambda: worker.thaw() if worker.life == life else None))

    def damage(self, worker: Worker) -> bool:
        """A flipped cell in the memory of one room."""
        if worker.room is None or not len(worker.room.state.replica.diagram):
            return False
        replica = worker.room.state.replica
        self.count["damage"] += 1
        replica.diagram = damaged(replica.diagram)
        return True

    # the store --------------------------------------------------------------------------------------------------------

    @property
    def away(self) -> bool:
        return self.time_s < self.away_until_s

    def call(self, worker: Worker, effect: Effect | Open) -> None:
        self.calls.append(Call(worker, effect, self.time_s))

    def progress(self) -> bool:
        """One step of one call: it is begun, or its answer comes back."""
        if self.zombies and self.chance.random() < 0.2:
            self.rise()
        if not self.calls:
            return False
        self._step(self.calls[self.chance.randrange(len(self.calls))])
        return True

    def rise(self) -> None:
        """A commit whose connection broke is carried out after all."""
        commit = self.zombies.pop(self.chance.randrange(len(self.zombies)))
        before = self.store.head.vector
        run(self.store.diagrams.commit(DIAGRAM, commit))
        if self.store.head.vector != before:
            self.count["zombie commit"] += 1

    def _step(self, call: Call) -> None:
        if call not in self.calls:
            return
        if call.answer is None:
            call.answer = self._begin(call)
        elif not call.worker.frozen or not call.wanted:
            self.calls.remove(call)
            if call.wanted:
                call.answer()

    def _begin(self, call: Call) -> Callable[[], None]:
        worker, effect = call.worker, call.effect
        if isinstance(effect, Snapshot):
            if not self.away:
                run(self.store.diagrams.snapshot(DIAGRAM, snapshot_data(effect.diagram)))
                self.count["snapshot"] += 1
            return _nothing
        if isinstance(effect, Survey):
            surveyed = self.surveyed(worker, effect.session)
            return lambda: worker.post(surveyed)
        if isinstance(effect, JudgeBatch):
            self.count["judged apart"] += 1
            judged = BatchJudged(effect.batch, effect.judge.batch(effect.batch))
            return lambda: worker.post(judged)
        draw = self.chance.random()
        if isinstance(effect, Commit) and draw > 1 - self.faults["unresolved"]:
            self.count["unknown outcome"] += 1
            self._lose(effect)
            return lambda: worker.post(Unresolved())
        if self.away or draw < self.faults["unavailable"]:
            self.count["unavailable"] += 1
            if isinstance(effect, Open):
                return worker.refused
            answer: Event = SessionUnchanged() if isinstance(effect, CHAIR_CALLS) else Unavailable()
        elif isinstance(effect, Open):
            room = self._room()
            return lambda: worker.opened(room)
        else:
            answer = self.carried_out(worker, effect)
        self.count[type(answer).__name__] += 1
        return lambda: worker.post(answer)

    def _lose(self, commit: Commit) -> None:
        """Its connection broke: it happened, or never will, or will happen later."""
        draw = self.chance.random()
        if draw < 0.4 and not self.away:
            run(self.store.diagrams.commit(DIAGRAM, commit))
        elif draw < 0.7:
            self.zombies.append(commit)

    def carried_out(self, worker: Worker, effect: Any) -> Event:
        diagrams, sessions = self.store.diagrams, self.store.sessions
        match effect:
            case Commit() as commit:
                return run(diagrams.commit(DIAGRAM, commit))
            case CatchUp(since=since):
                caught_up = run(diagrams.since(DIAGRAM, since))
                self.count["gap fill"] += bool(getattr(caught_up, "operations", ()))
                return caught_up
            case Reload():
                return self.load().loaded
            case ReadHistory(user=user):
                assert worker.room is not None
                epoch = worker.room.state.replica.diagram.epoch
                return HistoryRead(user, tuple(map(step, run(diagrams.history(DIAGRAM, epoch, user, 600)))))
            case ReadRights(callers=callers):
                return RightsRead(self.store.head.acl_version, {caller.bearer: self.role(caller) for caller in callers})
            case ReadSession(known=None):
                return SessionRead(run(sessions.live(DIAGRAM)))
            case ReadSession(known=known):
                assert known is not None
                return SessionRead(run(sessions.read(known)))
            case ChangeSession(session=session, change=change):
                changed = run(sessions.change(session.id, session.version, change))
                if isinstance(changed, Stale):
                    return SessionStale(changed.session)
                self._note(change, changed)
                worker.speak(SessionMoved(changed.id, changed.version))
                return SessionChanged(changed)
            case _:
                raise AssertionError(effect)

    def _room(self) -> Room:
        found = self.load()
        session = run(self.store.sessions.live(DIAGRAM))
        return self.make_room(MODEL, found.loaded, session, self.settings, alone=len(self.workers) == 1)

    def load(self) -> Opened:
        """From the newest snapshot, or from the one before where that was written from damaged memory."""
        for read in (self.store.diagrams.load, self.store.diagrams.older):
            stored = run(read(DIAGRAM))
            assert isinstance(stored, StoredDiagram)
            found = opened(stored)
            if isinstance(found, Opened):
                return found
            self.count["older snapshot"] += 1
        raise AssertionError("I13: damaged", found)

    def poll(self, worker: Worker) -> None:
        """Of heads: read now, told later."""
        if self.away or worker.room is None:
            return
        watched = run(self.store.diagrams.watched((DIAGRAM,))).get(DIAGRAM)
        if watched is None or watched == standing(worker.room):
            return
        seen, life = HeadSeen(watched.head, watched.session_version, watched.session), worker.life
        delay_s = self.chance.choice((0.0, 0.0, 0.1, 0.4)) if self.faults.on else 0.0

        def tell() -> None:
            if worker.life == life:
                worker.post(seen)

        if delay_s:
            self.later.append((self.time_s + delay_s, tell))
        else:
            tell()

    def surveyed(self, worker: Worker, session: SessionId) -> Surveyed:
        said = run(self.bus.presence.read(session)) if self.bus.knows else None
        mine = f"{worker.name}{worker.life}"
        others = None if said is None else {name: there for name, there in said.items() if name != mine}
        return Surveyed(session, others)

    def say_presence(self, worker: Worker, session: SessionId, participants: Sequence[Participant]) -> None:
        if self.bus.healthy:
            run(self.bus.presence.put(session, f"{worker.name}{worker.life}", participants))

    def stamp(self, alive: Alive) -> None:
        if not self.away:
            run(self.store.sessions.touch((alive,)))

    # facts ------------------------------------------------------------------------------------------------------------

    @property
    def truth(self) -> Truth:
        """Of the epoch that is, up to now."""
        truth = self.truths[-1]
        truth.grow(self.store.log)
        return truth

    def role(self, caller: Caller) -> RoleAt:
        role = run(self.store.authorizer.role(caller, DIAGRAM))
        assert isinstance(role, RoleAt)
        return role

    def live(self) -> Session | None:
        return run(self.store.sessions.live(DIAGRAM))

    def open_session(self, host: User) -> Session:
        self.sessions += 1
        new = NewSession(SessionId(f"0d4c0000-0000-4000-8000-{self.sessions:012x}"), DIAGRAM, host)
        created = run(self.store.sessions.create(new))
        assert not isinstance(created, Exists), "I19"
        assert isinstance(created, Session)
        if self.endings and self.endings[-1][1] < 0:
            self.endings[-1] = (self.endings[-1][0], self.store.head.vector)
        return created

    def change_session(self, change: SessionChange, at: Worker | None = None) -> Session | None:
        """By REST or the keeper, at one worker: its room looks at once, the others learn of it."""
        session = self.live()
        if session is None or self.away:
            return None
        changed = run(self.store.sessions.change(session.id, session.version, change))
        assert isinstance(changed, Session)
        self._note(change, changed)
        self.tell_moved(at or self.chance.choice(list(self.workers.values())))
        return changed

    def tell_moved(self, at: Worker) -> None:
        """Rights or session moved by REST."""
        at.speak(RightsMoved())
        at.post(RightsMoved())

    def _note(self, change: SessionChange, changed: Session) -> None:
        if changed.ended is not None:
            self.endings.append((self.store.head.vector, -1))
            self.on_ended()
        if isinstance(change, Deny):
            self.on_denied(change.user)

    def new_epoch(self) -> None:
        """A backup was played back, or a restore was asked for."""
        truth = self.truth
        cells = truth.cells(self.chance.randint(truth.base, truth.vector))
        epoch = Epoch(f"{self.chance.getrandbits(64):016x}")
        after = Truth(epoch, truth.vector, cells, self.ledger)
        self.store.restore(epoch, cells, after.hashes[0])
        self.truths.append(after)
        self.count["new epoch"] += 1

    # the end of all faults --------------------------------------------------------------------------------------------

    def heal(self) -> None:
        self.faults = Faults(on=False)
        self.away_until_s = -1.0
        self.zombies.clear()
        for worker in self.workers.values():
            worker.doomed = None
            if worker.frozen:
                worker.thaw()
        self.bus.lose_all()
        self.bus.recover()
        later, self.later = self.later, []
        for _, thing in later:
            thing()

    def settle(self) -> None:
        """Every call is answered, until nothing moves."""
        for _ in range(5_000):
            if not self.calls:
                return
            self._step(self.calls[0])
        raise AssertionError("I29: the rooms never come to rest")


def damaged(diagram: Diagram) -> Diagram:
    """One cell is another one, and the hash with it."""
    first, *others = diagram.cells_in_order()
    cells = ({**first, "label": "flipped"}, *others)
    return Diagram.restore(diagram.id, diagram.epoch, diagram.vector, cells, diagram.touched())


def standing(room: Room) -> Watched:
    """What the watch compares with."""
    head, session = room.state.replica.head, room.state.session
    return Watched(head) if session is None else Watched(head, session.id, session.version)


def nobody(role: RoleAt) -> bool:
    return role.denied or role.role == 0


def _nothing() -> None:
    pass


def _ignore(user: User) -> None:
    pass

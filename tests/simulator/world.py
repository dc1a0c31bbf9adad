"""Real rooms on several workers over one real memory store, with time, order, loss and death drawn from one seed.

Nothing here waits: calls to the store are begun and finished in an order that the seed draws, news is lost, repeated
and swapped, workers die between any two steps. What a client is told goes through the real fan-out and dialects.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

from collab.core.effects import (
    Admit,
    CatchUp,
    ChangeSession,
    Commit,
    Dismiss,
    Effect,
    Publish,
    ReadHistory,
    ReadRights,
    ReadSession,
    Reload,
    Replay,
    Send,
    Snapshot,
    Tell,
    WakeAt,
)
from collab.core.events import (
    Event,
    HeadSeen,
    Heard,
    HistoryRead,
    RightsRead,
    SessionChanged,
    SessionRead,
    SessionStale,
    Unavailable,
    Unresolved,
    Woke,
)
from collab.core.meeting import Session
from collab.core.room import Room
from collab.core.state import RoomSettings
from collab.fanout import Fanout
from collab.loading import Opened, opened
from collab.ports import NewSession, SnapshotData, Stale, StoredDiagram
from protocol.notices import Ended
from protocol.values import Caller, DiagramId, Head, Instant, Limits, RoleAt, SessionId, ThreatModelId, User
from tests.simulator.memory import MemoryWorld

T = TypeVar("T")

DIAGRAM = DiagramId("5e110000-0000-4000-8000-000000000001")
MODEL = ThreatModelId("9a070000-0000-4000-8000-000000000001")
SESSION = SessionId("0d4c0000-0000-4000-8000-000000000001")
SETTINGS = RoomSettings(limits=Limits(resume_operations=30), snapshot_operations=20)


def run(work: Coroutine[Any, Any, T]) -> T:
    """A coroutine that never waits, to its end."""
    try:
        work.send(None)
    except StopIteration as done:
        return done.value
    raise AssertionError("a memory adapter waited")


class Faults:
    """Chances per step or per piece; all of them off in a calm world."""

    def __init__(self, *, on: bool = True) -> None:
        self.kill = 0.005 if on else 0.0
        self.lose_news = 0.2 if on else 0.0
        self.repeat_news = 0.1 if on else 0.0
        self.unresolved = 0.04 if on else 0.0
        self.unavailable = 0.03 if on else 0.0
        self.cut = 0.015 if on else 0.0
        self.repeat_operation = 0.05 if on else 0.0
        self.demote = 0.003 if on else 0.0


class Call:
    """A store call: begun (and then done, whatever becomes of its answer), later answered."""

    def __init__(self, worker: Worker, effect: Effect) -> None:
        self.worker = worker
        self.life = worker.life
        self.effect = effect
        self.answer: Event | None = None


class Worker:
    """One process with one open room of the diagram."""

    def __init__(self, name: str, world: World) -> None:
        self.name = name
        self.world = world
        self.life = 0
        self.start()

    def start(self) -> None:
        self.life += 1
        self.soon: list[Callable[[], None]] = []
        self.events: list[Event] = []
        self.fanout = Fanout(self.events.append, soon=self.soon.append)
        found = self.world.load()
        session = run(self.world.store.sessions.live(DIAGRAM))
        self.room = self.world.make_room(MODEL, found.loaded, session, self.world.settings)
        self.wake_s: float | None = None

    def post(self, event: Event) -> None:
        self.events.append(event)
        for _ in range(1_000):
            if not self.events:
                break
            for effect in self.room.handle(self.events.pop(0), self.world.now()):
                self.perform(effect)
        flushes, self.soon[:] = list(self.soon), []
        for flush in flushes:
            flush()

    def perform(self, effect: Effect) -> None:
        world = self.world
        match effect:
            case Send():
                self.fanout.send(effect.socket, effect.notice)
            case Tell():
                self.fanout.tell(effect.notice, effect.skip, effect.by)
            case Admit():
                self.fanout.admit(effect.socket, effect.notices)
            case Replay():
                self.fanout.replay(effect.socket, effect.notices)
            case Dismiss():
                self.fanout.dismiss(effect.socket, Ended(effect.ending, 0, effect.host))
            case Publish():
                world.publish(self, effect)
            case WakeAt(at=at):
                self.wake_s = None if at is None else at.monotonic_s
            case Snapshot(diagram=d):
                snapshot = SnapshotData(d.epoch, d.vector, tuple(d.cells_in_order()), d.touched(), d.state_hash)
                run(world.store.diagrams.snapshot(DIAGRAM, snapshot))
                world.count["snapshot"] += 1
            case Commit() | CatchUp() | Reload() | ReadHistory() | ReadRights() | ReadSession() | ChangeSession():
                world.calls.append(Call(self, effect))
            case _:
                pass


class World:
    def __init__(
        self,
        seed: int,
        faults: Faults,
        make_room: Callable[..., Room] = Room,
        workers: tuple[str, ...] = ("A", "B"),
        settings: RoomSettings = SETTINGS,
    ) -> None:
        self.settings = settings
        self.chance = random.Random(seed)
        self.faults = faults
        self.make_room = make_room
        self.count: Counter[str] = Counter()
        self.time_s = 0.0
        self.store = MemoryWorld(self.now_ms, DIAGRAM, MODEL)
        self.calls: list[Call] = []
        self.news: list[tuple[Worker, Heard]] = []
        self.workers = {name: Worker(name, self) for name in workers}

    def open_session(self, host: User) -> Session:
        session = run(self.store.sessions.create(NewSession(SESSION, DIAGRAM, host)))
        assert isinstance(session, Session)
        return session

    def now(self) -> Instant:
        return Instant(self.time_s, self.now_ms())

    def now_ms(self) -> int:
        return 1_700_000_000_000 + int(self.time_s * 1000)

    # the bus ----------------------------------------------------------------------------------------------------------

    def publish(self, author: Worker, effect: Publish) -> None:
        heard = Heard(effect.epoch, effect.operations)
        for worker in self.workers.values():
            if worker is not author:
                if self.chance.random() < self.faults.lose_news:
                    self.count["lost"] += 1
                    continue
                self.news.append((worker, heard))
                if self.chance.random() < self.faults.repeat_news:
                    self.count["repeated"] += 1
                    self.news.append((worker, heard))

    def deliver_news(self) -> None:
        """Some of what is under way, in any order."""
        self.chance.shuffle(self.news)
        while self.news and self.chance.random() < 0.7:
            worker, heard = self.news.pop()
            worker.post(heard)

    # the store --------------------------------------------------------------------------------------------------------

    def progress(self, index: int | None = None) -> bool:
        """One step of one call: it is begun, or its answer comes back."""
        if not self.calls:
            return False
        call = self.calls[self.chance.randrange(len(self.calls)) if index is None else index]
        if call.answer is None:
            call.answer = self._begin(call)
        else:
            self.calls.remove(call)
            if call.worker.life == call.life:
                call.worker.post(call.answer)
        return True

    def _begin(self, call: Call) -> Event:
        draw = self.chance.random()
        if draw < self.faults.unavailable and not isinstance(call.effect, ReadSession | ChangeSession):
            self.count["unavailable"] += 1
            return Unavailable()
        if isinstance(call.effect, Commit) and draw > 1 - self.faults.unresolved:
            self.count["unresolved"] += 1
            if self.chance.random() < 0.5:
                run(self.store.diagrams.commit(DIAGRAM, call.effect))
            return Unresolved()
        answer = self._carried_out(call)
        self.count[type(answer).__name__] += 1
        return answer

    def _carried_out(self, call: Call) -> Event:
        diagrams, sessions = self.store.diagrams, self.store.sessions
        match call.effect:
            case Commit() as commit:
                return run(diagrams.commit(DIAGRAM, commit))
            case CatchUp(since=since):
                return run(diagrams.since(DIAGRAM, since))
            case Reload():
                return self.load().loaded
            case ReadHistory(user=user):
                epoch = call.worker.room.state.replica.diagram.epoch
                return HistoryRead(user, run(diagrams.history(DIAGRAM, epoch, user, 600)))
            case ReadRights(callers=callers):
                return RightsRead(self.head().acl_version, {caller.id: self.role(caller) for caller in callers})
            case ReadSession(known=None):
                return SessionRead(run(sessions.live(DIAGRAM)))
            case ReadSession(known=known):
                assert known is not None
                return SessionRead(run(sessions.read(known)))
            case ChangeSession(session=session, change=change):
                changed = run(sessions.change(session.id, session.version, change))
                return SessionStale(changed.session) if isinstance(changed, Stale) else SessionChanged(changed)
            case _:
                raise AssertionError(call.effect)

    def load(self) -> Opened:
        stored = run(self.store.diagrams.load(DIAGRAM))
        assert isinstance(stored, StoredDiagram)
        found = opened(stored)
        assert isinstance(found, Opened), found
        return found

    def head(self) -> Head:
        return run(self.store.diagrams.heads((DIAGRAM,)))[DIAGRAM]

    # rights -----------------------------------------------------------------------------------------------------------

    def role(self, caller: Caller) -> RoleAt:
        role = run(self.store.authorizer.role(caller, DIAGRAM))
        assert isinstance(role, RoleAt)
        return role

    # time and death ---------------------------------------------------------------------------------------------------

    def pass_time(self, seconds: float) -> None:
        self.time_s += seconds
        for worker in self.workers.values():
            if worker.wake_s is not None and worker.wake_s <= self.time_s:
                worker.wake_s = None
                worker.post(Woke())

    def kill(self, worker: Worker) -> None:
        """kill -9: its sockets, its inbox and its calls' answers are gone; a call that was begun was carried out."""
        self.count["kill"] += 1
        worker.start()

    def poll_heads(self) -> None:
        for worker in self.workers.values():
            worker.post(HeadSeen(self.head()))

    def settle(self) -> None:
        """No more faults: every call is answered, every deadline comes, every head is seen, until nothing moves."""
        self.faults = Faults(on=False)
        for _ in range(6):
            self._finish_calls()
            self.news.clear()
            self.pass_time(1.5)
            self.poll_heads()
        self._finish_calls()

    def _finish_calls(self) -> None:
        for _ in range(5_000):
            if not self.progress(0):
                return
        raise AssertionError("I29: the rooms never come to rest")

"""One process with at most one open room of the diagram: real room and fan-out, and everything else drawn by chance."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING

from collab.core.effects import (
    Admit,
    Announce,
    Answer,
    CatchUp,
    ChangeSession,
    Closed,
    Commit,
    Dismiss,
    Effect,
    JudgeBatch,
    Publish,
    ReadHistory,
    ReadRights,
    ReadSession,
    Reload,
    Replay,
    Send,
    Snapshot,
    Speak,
    Survey,
    Tell,
    WakeAt,
)
from collab.core.events import (
    BusSensed,
    Closing,
    Committed,
    Event,
    Heard,
    Joined,
    RollCalled,
    Said,
    Spoken,
    Stalled,
    Stood,
    Told,
    Woke,
)
from collab.core.room import Room
from collab.fanout import Fanout
from collab.news import Seal, Standing
from collab.ports import Alive
from collab.room_task import IN_FULL
from protocol.notices import Ended
from protocol.refusals import Ending
from protocol.values import Instant, SessionId, UserId
from tests.simulator.bus import DIAGRAM, SECRET

if TYPE_CHECKING:
    from tests.simulator.world import World

POLL_S = 0.5
DEAF_POLL_S = 0.25
STAMP_S = 10.0
SURVEY_S = 2.0
STALL_S = 3.0


class Died(Exception):
    """In the middle of what it was doing."""


class Open:
    """Not an effect of a room: the way to one."""


class Worker:
    """`life` counts its processes: what belongs to an older one is void."""

    def __init__(self, name: str, world: World) -> None:
        self.name = name
        self.world = world
        self.life = 0
        self.skew_ms = world.chance.choice((0, 0, 0, -3_600_000, 3_600_000)) if world.faults.on else 0
        self.start()

    def start(self) -> None:
        self.life += 1
        self.room: Room | None = None
        self.opening = False
        self.frozen = False
        self.doomed: int | None = None
        self.inbox: deque[Event] = deque()
        self.waiting: list[Event] = []
        """For a room that is being opened."""
        self.soon: list[Callable[[], None]] = []
        self.fanout = Fanout(self.post, soon=self.soon.append)
        self.wake_s: float | None = None
        self.poll_at_s = self.stamp_at_s = self.survey_at_s = self.polled_at_s = self.world.time_s
        self.handling = self.telling = False
        self.thawed_at_s = -1_000.0
        self.sensed = True
        self.here: frozenset[UserId] = frozenset()
        self.seal = Seal(SECRET, f"{self.name}{self.life}")
        self.said: tuple[SessionId, int, int] | None = None
        self.surveys = 0

    def now(self) -> Instant:
        return Instant(self.world.time_s, self.world.now_ms() + self.skew_ms)

    # events -----------------------------------------------------------------------------------------------------------

    def hear(self, sealed: bytes | None) -> None:
        """A piece of news; None: some may have been lost."""
        news = Heard("", (), gap=True) if sealed is None else self.seal.opened(DIAGRAM, sealed)
        if isinstance(news, Standing):
            ((_, session, serial),) = news.rooms
            news = Stood(session, news.worker, serial)
        if news is None:
            self.world.count["news refused"] += 1
        elif self.room is not None or self.opening:
            self.post(news)

    def speak(self, news: Publish | Spoken | Standing) -> None:
        if not self.alone:
            self.world.bus.publish(self, news)
        if isinstance(news, Said):
            self.said = (news.session, news.version, self.seal.serial)

    @property
    def alone(self) -> bool:
        return len(self.world.workers) == 1

    def post(self, event: Event) -> None:
        if self.room is None and not self.frozen:
            self.knock(event)
            return
        self.inbox.append(event)
        if not self.frozen and not self.handling:
            self.work()

    def knock(self, event: Event) -> None:
        if isinstance(event, Joined) and not self.opening:
            self.opening = True
            self.world.call(self, Open())
        if self.opening:
            self.waiting.append(event)

    def opened(self, room: Room) -> None:
        self.room, self.opening = room, False
        waiting, self.waiting = self.waiting, []
        self.inbox.extend(waiting)
        if not self.frozen:
            self.work()

    def refused(self) -> None:
        """The store is away: nobody gets in."""
        self.opening = False
        waiting, self.waiting = self.waiting, []
        for event in waiting:
            if isinstance(event, Joined):
                self.fanout.dismiss(event.socket, Ended(Ending.UNAVAILABLE, 0))

    def work(self) -> None:
        self.handling = True
        try:
            while self.inbox and self.room is not None:
                event = self.inbox.popleft()
                self.telling = self.telling or isinstance(event, Committed)
                for effect in self.room.handle(event, self.now(), self.telling or bool(self.inbox)):
                    if self.doomed is not None:
                        self.doomed -= 1
                        if self.doomed < 0:
                            raise Died
                    self.perform(effect)
                if not self.inbox:
                    self.flush()
                    if self.telling and self.room is not None and self.room.holds_back:
                        self.inbox.append(Told())
                    self.telling = False
            self.flush()
        except Died:
            if self.world.chance.random() < 0.5:
                self.flush()
            self.world.kill(self)
        finally:
            self.handling = False
        if self.room is None and self.inbox:
            inbox, self.inbox = self.inbox, deque()
            for event in inbox:
                self.post(event)

    def flush(self) -> None:
        while self.soon:
            self.soon.pop(0)()

    def thaw(self) -> None:
        self.frozen = False
        self.thawed_at_s = self.world.time_s
        if self.world.time_s - self.polled_at_s >= STALL_S and self.room is not None:
            # its watch of the heads is one of many that go on now
            self.inbox.insert(self.world.chance.choice((0, 0, len(self.inbox))), Stalled())
        if self.room is None:
            inbox, self.inbox = self.inbox, deque()
            for event in inbox:
                self.post(event)
        else:
            self.work()

    # effects ----------------------------------------------------------------------------------------------------------

    def perform(self, effect: Effect) -> None:
        fanout = self.fanout
        match effect:
            case Send():
                fanout.send(effect.socket, effect.notice)
            case Tell():
                fanout.tell(effect.notice, effect.skip, effect.by)
            case Admit():
                fanout.admit(effect.socket, effect.notices)
            case Replay():
                fanout.replay(effect.socket, effect.notices)
            case Dismiss():
                fanout.dismiss(effect.socket, Ended(effect.ending, 0, effect.host))
            case Publish():
                self.speak(effect)
            case Speak(what=what):
                self.speak(what)
            case WakeAt(at=at):
                self.wake_s = None if at is None else at.monotonic_s
            case (
                JudgeBatch()
                | Commit()
                | CatchUp()
                | Reload()
                | ReadHistory()
                | ReadRights()
                | ReadSession()
                | ChangeSession()
                | Snapshot()
                | Survey()
            ):
                if isinstance(effect, Survey):
                    self.speak(RollCalled(effect.session))
                self.world.call(self, effect)
            case Closed():
                self.room = None
                self.wake_s = None
            case Announce():
                self.announce(effect)
            case Answer():
                raise AssertionError("no program asks here")

    def announce(self, effect: Announce) -> None:
        """The first and the last socket are stamped at once."""
        here = frozenset(one.user.id for one in effect.participants if one.connections)
        before, self.here = self.here, here
        self.speak(Said(effect.session, effect.version, effect.participants, closing=effect.closing))
        self.world.say_presence(self, effect.session, effect.participants)
        if bool(before) != bool(here):
            self.world.stamp(self.alive() or Alive(effect.session, 0, host=False))

    def alive(self) -> Alive | None:
        state = self.room.state if self.room is not None else None
        if state is None or state.session is None or not len(state.roster):
            return None
        host = bool(state.roster.of(state.session.host.id))
        return Alive(state.session.id, max(0, self.now().wall_ms - state.roster.active_ms), host)

    # time -------------------------------------------------------------------------------------------------------------

    def tick(self) -> None:
        """What is due by the clock."""
        now_s = self.world.time_s
        if self.wake_s is not None and self.wake_s <= now_s:
            self.wake_s = None
            self.post(Woke())
        if now_s >= self.poll_at_s:
            self.poll_at_s = now_s + (POLL_S if self.world.bus.healthy else DEAF_POLL_S)
            self.poll()
        if now_s >= self.stamp_at_s:
            self.stamp_at_s = now_s + STAMP_S
            if (alive := self.alive()) is not None:
                self.world.stamp(alive)
                self.say()

    def poll(self) -> None:
        """What the watch of the heads does."""
        world, self.polled_at_s = self.world, self.world.time_s
        if self.room is not None and self.sensed != world.bus.healthy:
            self.sensed = world.bus.healthy
            self.post(BusSensed(self.sensed))
        if self.room is not None and world.time_s >= self.survey_at_s:
            self.survey_at_s = world.time_s + SURVEY_S
            self.survey()
        world.poll(self)

    def survey(self) -> None:
        assert self.room is not None
        state, session = self.room.state, self.room.state.session
        if session is None or not len(state.roster) or self.alone:
            return
        self.surveys += 1
        in_full = self.surveys % IN_FULL == 0
        if in_full or self.said is None or self.said[:2] != (session.id, session.version):
            self.speak(Said(session.id, session.version, state.roster.said()))
        else:
            self.speak(Standing(((DIAGRAM, session.id, self.said[2]),)))
        if in_full or state.roster.remote.stale(self.world.time_s):
            self.world.call(self, Survey(session.id))

    def say(self) -> None:
        """Before the short life of presence is over."""
        state = self.room.state if self.room is not None else None
        if state is not None and state.session is not None and len(state.roster):
            self.world.say_presence(self, state.session.id, state.roster.said())

    def drain(self) -> None:
        """SIGTERM: everybody is sent away, each operation that was read with its outcome."""
        if self.room is not None:
            self.post(Closing())

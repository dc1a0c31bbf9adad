"""The only task that touches a room: takes events one by one and starts the effects in order, waiting for none.

1. Outcomes of store calls are served before what comes in, so a full inbox cannot block the answer the room waits for.
2. No await inside a decision nor between its effects.
3. A store call is a task of its own, and so is a long judgement, in a thread: no socket's end cancels it, and every
   exception has become an event.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Coroutine, Mapping, Sequence
from typing import Any, assert_never

import msgspec

from collab.core.apply import foresee
from collab.core.diagram import Diagram
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
    Asked,
    BatchJudged,
    BusSensed,
    CaughtUp,
    Claimed,
    Closing,
    Committed,
    Event,
    Gone,
    Heard,
    HistoryRead,
    Joined,
    Missed,
    RightsRead,
    RollCalled,
    Said,
    SessionChanged,
    SessionMoved,
    SessionRead,
    SessionStale,
    SessionUnchanged,
    Spoken,
    Submitted,
    Surveyed,
    Told,
    Unavailable,
    Unresolved,
    Woke,
)
from collab.core.moderation import ByUser
from collab.core.room import Room
from collab.core.verdicts import Ticket
from collab.fanout import Fanout
from collab.history import history
from collab.inbox import Inbox
from collab.loading import load
from collab.newcomers import Newcomers
from collab.news import Seal, Standing
from collab.ports import (
    Alive,
    Authorizer,
    Bus,
    Clock,
    DiagramStore,
    Presence,
    SessionStore,
    SnapshotData,
    Stale,
    StoreUnavailable,
    TimerHandle,
    Watched,
)
from collab.tally import Tally
from collab.tasks import Tasks
from protocol.intents import Edit, Redo, Replace, Resume, Undo
from protocol.notices import Accepted, Ended, Participant, Rejected, ServerFacts
from protocol.operations import LoggedOperation
from protocol.refusals import Ending
from protocol.values import Bearer, Caller, DiagramId, RoleAt, SessionId, UserId

PRESENCE_S = 1.0
"""So long presence may take to say who is elsewhere; then it is unknown."""
FEW_CELLS = 100
"""So many are compared in the event loop: 4 ms."""
LARGE_NEWS = 262_144
"""Bytes, of more than a full batch of common operations."""
IN_FULL = 1
"""Every so many surveys a room says in full who is here, and asks presence even if it has heard of everybody. With 3 an
idle room would cost a third, and who came is known up to 4 s later where news of it is lost."""

log = logging.getLogger(__name__)


class RoomPorts(msgspec.Struct, frozen=True):
    """What a room's effects are carried out with."""

    store: DiagramStore
    sessions: SessionStore
    authorizer: Authorizer
    presence: Presence
    clock: Clock
    tasks: Tasks
    worker: str
    server: ServerFacts
    bus: Bus
    seal: Seal
    """Of this worker's news."""
    tally: Tally = msgspec.field(default_factory=Tally)


class Moves(msgspec.Struct, frozen=True):
    """Who came to or left a session, and whether it was its first or last socket: not known to the store yet."""

    users: frozenset[UserId] = frozenset()
    turned: bool = False


class RoomTask:
    def __init__(self, diagram: DiagramId, room: Room, ports: RoomPorts) -> None:
        self.diagram = diagram
        self.closed = False
        self._room = room
        self._ports = ports
        self._inbox = Inbox()
        self.post_now: Callable[[Event], None] = self._inbox.put_now
        """Never waits: for what must not get lost."""
        self.fanout = Fanout(self.post_now, ports.server, tally=ports.tally)
        self._newcomers = Newcomers(self.fanout)
        self._timer: TimerHandle | None = None
        self._tickets: dict[Ticket, asyncio.Future[Accepted | Rejected]] = {}
        self._next_ticket = 0
        self._here: frozenset[UserId] = frozenset()
        self._unheard: dict[SessionId, Moves] = {}
        self._unsaid: dict[SessionId, tuple[Participant, ...]] = {}
        """What presence is to be told next."""
        self._telling: asyncio.Task[None] | None = None
        self._said: tuple[SessionId, int, int] | None = None
        """Of whom the others were told last, with the session's facts at which version, and the number of that news."""
        self._surveys = 0
        self._untold = False
        """What the last commit came to waits for the flush."""
        self._healthy = True
        self._saving: asyncio.Task[None] | None = None
        self._over = asyncio.Event()
        self._turned = asyncio.Event()

    # from outside -----------------------------------------------------------------------------------------------------

    @property
    def room(self) -> Room:
        """For looking only."""
        return self._room

    def standing(self) -> Watched:
        """What the room goes by."""
        state = self._room.state
        head, session = state.replica.head, state.session
        return Watched(head) if session is None else Watched(head, session.id, session.version)

    def alive(self) -> Alive | None:
        """What the keeper stamps of this worker's sockets; None: nobody is here."""
        state = self._room.state
        if state.session is None or not len(state.roster):
            return None
        host = bool(state.roster.of(state.session.host.id))
        return Alive(state.session.id, max(0, self._ports.clock.now().wall_ms - state.roster.active_ms), host)

    async def post(self, event: Joined | Asked) -> None:
        if isinstance(event, Asked) and isinstance(event.intent, ByUser):
            while self._room.crowded(event.socket) and not self.closed:
                self._turned.clear()
                await self._turned.wait()
        await self._inbox.put(event)

    @property
    def full(self) -> bool:
        """Whether an operation would have to wait."""
        return self._inbox.full

    def hear(self, sealed: bytes | None) -> None:
        """A piece of news, our own among them; None: some may have been lost."""
        if sealed is None:
            self._inbox.put_now(Heard("", (), gap=True))
            return
        self._newcomers.heard(sealed)
        if len(sealed) > LARGE_NEWS:
            self._start("News", self._hear_beside(sealed))
        else:
            self._heard(self._ports.seal.opened(self.diagram, sealed))

    async def _hear_beside(self, sealed: bytes) -> None:
        """Large news takes its time, up to a third of a second; what overtakes it waits for it (`follow.Held`)."""
        news = await asyncio.to_thread(self._ports.seal.opened, self.diagram, sealed)
        if isinstance(news, Heard):
            await self._foresee(news.operations)
        self._heard(news)

    async def _foresee(self, operations: Sequence[LoggedOperation]) -> None:
        if sum([len(operation.effect.cells) for operation in operations]) > FEW_CELLS:
            await asyncio.to_thread(foresee, self._room.state.replica.diagram, operations)

    def _heard(self, news: Heard | Spoken | Standing | None) -> None:
        if isinstance(news, Standing):
            return
        if isinstance(news, Claimed):
            # late it is worth nothing: it overtakes what would begin a commit
            self._inbox.outcome(news)
        elif news is not None:
            self._inbox.put_now(news)

    async def recall(self, resume: Resume) -> Resume:
        """As the store remembers the ids of what the caller may have pending; in doubt they are forgotten (WS18)."""
        try:
            remembers = await self._ports.store.remembers(self.diagram, resume.epoch, resume.vector)
        except StoreUnavailable:
            remembers = False
        return msgspec.structs.replace(resume, forgotten=not remembers)

    async def submit(self, caller: Caller, role: RoleAt, intent: Edit | Replace | Undo | Redo) -> Accepted | Rejected:
        """One operation of a program; StoreUnavailable if the room closes over it."""
        if self.closed:
            raise StoreUnavailable("the room is closed")
        self._next_ticket += 1
        ticket = Ticket(self._next_ticket)
        answer: asyncio.Future[Accepted | Rejected] = asyncio.get_running_loop().create_future()
        self._tickets[ticket] = answer
        try:
            await self._inbox.put(Submitted(ticket, caller, role, intent))
            return await answer
        finally:
            self._tickets.pop(ticket, None)

    async def close(self) -> None:
        """Every operation read so far gets its outcome first, and the last snapshot is given to the store."""
        self.post_now(Closing())
        await self._over.wait()
        if self._saving is not None:
            await asyncio.wait((self._saving,))

    # the loop ---------------------------------------------------------------------------------------------------------

    async def run(self) -> None:
        try:
            while not self.closed:
                event = await self._inbox.next()
                committed = type(event) is Committed
                self._untold = self._untold or committed
                more = self._untold or self._inbox.more
                for effect in self._room.handle(event, self._ports.clock.now(), more):
                    self._perform(effect)
                if committed:
                    # behind the flush, which the effects have asked for
                    asyncio.get_running_loop().call_soon(self._told)
                self._turned.set()
        finally:
            self._end()

    def _told(self) -> None:
        """What a commit came to is written before the next begins: what is heard meanwhile goes with that."""
        self._untold = False
        if self._room.holds_back:
            self._inbox.outcome(Told())

    def _end(self) -> None:
        """After the room has closed, or after a bug in it: nobody is left waiting for it."""
        self.closed = True
        self._inbox.end()
        self._turned.set()
        if self._timer is not None:
            self._timer.cancel()
        for answer in self._tickets.values():
            if not answer.done():
                answer.set_exception(StoreUnavailable("the room closed"))
        self.fanout.dismiss_all(Ended(Ending.RESTART, self._ports.clock.now().wall_ms))
        self._over.set()

    def _perform(self, effect: Effect) -> None:
        fanout = self.fanout
        match effect:
            case Send(socket=socket, notice=notice):
                fanout.send(socket, notice)
            case Tell(notice=notice, skip=skip, by=by):
                fanout.tell(notice, skip, by)
            case Commit():
                # like the two above before the rarer ones: each class of a Struct that is passed over takes 0.25 us
                self._start("Commit", self._writing_call(effect))
            case Publish():
                self._publish(effect)
            case Admit(socket=socket, notices=notices):
                fanout.admit(socket, notices)
                if not self._ports.bus.alone and self._ports.bus.healthy():
                    self._newcomers.hold(socket)
            case Replay(socket=socket, notices=notices):
                fanout.replay(socket, notices)
            case Dismiss():
                self._dismiss(effect)
            case JudgeBatch() | CatchUp() | Reload() | ReadHistory() | ReadRights():
                self._start(type(effect).__name__, self._writing_call(effect))
            case ReadSession() | ChangeSession():
                self._start(type(effect).__name__, self._meeting_call(effect))
            case Snapshot():
                self._saving = self._start("Snapshot", self._snapshot(effect))
            case Announce():
                self._announce(effect)
            case WakeAt():
                self._wake_at(effect)
            case Answer(ticket=ticket, notice=notice):
                self._answer(ticket, notice)
            case Speak(what=what):
                self._publish(what)
            case Survey(session=session):
                self._publish(RollCalled(session))
                self._start("survey", self._survey(session))
            case Closed():
                self.closed = True
            case _:
                assert_never(effect)

    def _publish(self, news: Publish | Spoken) -> bytes | None:
        """As it was said; None: there is nobody else."""
        if self._ports.bus.alone:
            return None
        sealed = self._ports.seal.sealed(self.diagram, news)
        self._ports.bus.publish(self.diagram, sealed)
        return sealed

    def _start(self, name: str, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        return self._ports.tasks.start(f"{name} {self.diagram}", work)

    def _dismiss(self, effect: Dismiss) -> None:
        now = self._ports.clock.now()
        self.fanout.dismiss(effect.socket, Ended(effect.ending, now.wall_ms, effect.host))

    def _wake_at(self, effect: WakeAt) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if effect.at is not None:
            self._timer = self._ports.clock.call_at(effect.at, lambda: self._inbox.outcome(Woke()))

    def _answer(self, ticket: Ticket, notice: Accepted | Rejected) -> None:
        self._ports.tally.judged("rest", notice)
        answer = self._tickets.pop(ticket, None)
        if answer is not None and not answer.done():
            answer.set_result(notice)

    # store calls ------------------------------------------------------------------------------------------------------

    async def _writing_call(self, effect: JudgeBatch | Commit | CatchUp | Reload | ReadHistory | ReadRights) -> None:
        try:
            outcome = await self._written(effect)
            if isinstance(outcome, (CaughtUp, Missed)):
                await self._foresee(outcome.operations)
        except StoreUnavailable:
            outcome = Unavailable()
        except Exception:
            # Our bug; without an outcome the room would wait for ever. A commit may or may not have happened.
            log.exception("%s of %s failed", type(effect).__name__, self.diagram)
            outcome = Unresolved() if isinstance(effect, Commit) else Unavailable()
        self._inbox.outcome(outcome)

    async def _written(self, effect: JudgeBatch | Commit | CatchUp | Reload | ReadHistory | ReadRights) -> Event:
        store = self._ports.store
        match effect:
            case Commit():
                return await self._committed(effect)
            case JudgeBatch(batch=batch, judge=judge):
                return BatchJudged(batch, await asyncio.to_thread(judge.batch, batch))
            case CatchUp(since=since):
                return await store.since(self.diagram, since)
            case Reload():
                resumable = self._room.state.settings.limits.resume_operations
                loaded = await load(store, self.diagram, resumable)
                return loaded if isinstance(loaded, Gone) else loaded.loaded
            case ReadHistory(user=user):
                return await self._history(user)
            case ReadRights(callers=callers):
                return await self._rights(callers)

    async def _committed(self, commit: Commit) -> Event:
        tally, begun_s = self._ports.tally, time.monotonic()
        outcome = await self._ports.store.commit(self.diagram, commit)
        tally.commits.add(time.monotonic() - begun_s)
        tally.batches.add(len(commit.operations))
        tally.missed_commits += type(outcome) is Missed
        return outcome

    async def _history(self, user: UserId | None) -> HistoryRead:
        state = self._room.state
        epoch, depth = state.replica.diagram.epoch, state.settings.limits.undo_depth
        return HistoryRead(user, await history(self._ports.store, self.diagram, epoch, user, depth))

    async def _rights(self, callers: tuple[Caller, ...]) -> RightsRead | Gone | Unavailable:
        """All at one reading of the permission clock; if it moves meanwhile, once more."""
        for _ in range(5):
            roles: dict[Bearer, RoleAt] = {}
            for caller in callers:
                role = await self._ports.authorizer.role(caller, self.diagram)
                if isinstance(role, Gone):
                    return role
                roles[caller.bearer] = role
            versions = {role.acl_version for role in roles.values()}
            if len(versions) == 1:
                return RightsRead(versions.pop(), roles)
        return Unavailable()

    async def _meeting_call(self, effect: ReadSession | ChangeSession) -> None:
        try:
            outcome = await self._met(effect)
        except StoreUnavailable:
            outcome = SessionUnchanged()
        except Exception:
            log.exception("%s of %s failed", type(effect).__name__, self.diagram)
            outcome = SessionUnchanged()
        self._inbox.outcome(outcome)

    async def _met(self, effect: ReadSession | ChangeSession) -> Event:
        sessions = self._ports.sessions
        match effect:
            case ReadSession(known=known):
                found = await sessions.live(self.diagram) if known is None else await sessions.read(known)
                return SessionRead(found)
            case ChangeSession(session=session, change=change, asked=asked):
                changed = await sessions.change(session.id, session.version, change)
                if isinstance(changed, Stale):
                    return SessionStale(changed.session)
                self._publish(SessionMoved(changed.id, changed.version, asked))
                return SessionChanged(changed)

    async def _snapshot(self, effect: Snapshot) -> None:
        # Of a large diagram this takes a tenth of a second; nothing in it ever changes, so that any thread may look.
        data = await asyncio.to_thread(snapshot_data, effect.diagram)
        try:
            await self._ports.store.snapshot(self.diagram, data)
        except StoreUnavailable:
            log.warning("no snapshot of %s at %d: the store is away", self.diagram, data.vector)

    # who is here ------------------------------------------------------------------------------------------------------

    def refresh_presence(self) -> None:
        """Before its short life is over."""
        state = self._room.state
        if state.session is not None and len(state.roster):
            self._say_presence(state.session.id, state.roster.said())

    def say_again(self) -> tuple[DiagramId, SessionId, int] | None:
        """Who is here: news may have been lost. Mostly it is enough that what was said stands, and for many rooms at
        once; then that is returned."""
        state, said = self._room.state, self._said
        session = state.session
        if session is None or not len(state.roster) or state.alone:
            return None
        self._surveys += 1
        if said is not None and said[:2] == (session.id, session.version) and self._surveys % IN_FULL:
            return self.diagram, session.id, said[2]
        self._say(session.id, session.version, state.roster.said())
        return None

    def unsure(self) -> SessionId | None:
        """The session of which presence is to be asked now: at times, and while a worker that was there is silent."""
        state = self._room.state
        session, remote = state.session, state.roster.remote
        if session is None or not len(state.roster) or state.alone:
            return None
        asks = self._surveys % IN_FULL == 0 or remote.stale(self._ports.clock.now().monotonic_s)
        return session.id if asks else None

    def surveyed(self, session: SessionId, said: Mapping[str, tuple[Participant, ...]] | None) -> None:
        """As presence says; None: nothing."""
        others = None if said is None else {name: there for name, there in said.items() if name != self._ports.worker}
        self.post_now(Surveyed(session, others))

    def sense(self, healthy: bool) -> None:
        """Whether news of other workers comes through."""
        if healthy != self._healthy:
            self._healthy = healthy
            self.post_now(BusSensed(healthy))

    async def _survey(self, session: SessionId) -> None:
        reading = self._start("presence", self._read_presence(session))
        # Not cancelled: a connection whose call is cut off is one answer off for the next caller.
        done, _ = await asyncio.wait((reading,), timeout=PRESENCE_S)
        if not done or reading.cancelled() or reading.exception() is not None:
            # of what it raised the supervisor tells; the room must not wait for ever
            self.surveyed(session, None)

    async def _read_presence(self, session: SessionId) -> None:
        self.surveyed(session, await self._ports.presence.read(session))

    def _announce(self, effect: Announce) -> None:
        here = frozenset(participant.user.id for participant in effect.participants if participant.connections)
        before, self._here = self._here, here
        self._moved(effect.session, Moves(before ^ here, bool(before) != bool(here)))
        said = self._say(effect.session, effect.version, effect.participants, closing=effect.closing)
        if said is not None:
            self._newcomers.said(said)
        self._say_presence(effect.session, effect.participants)

    def _say(
        self, session: SessionId, version: int, participants: tuple[Participant, ...], *, closing: bool = False
    ) -> bytes | None:
        sealed = self._publish(Said(session, version, participants, closing=closing))
        self._said = (session, version, self._ports.seal.serial)
        return sealed

    def _say_presence(self, session: SessionId, participants: tuple[Participant, ...]) -> None:
        """One after the other: what was said last must be what stays."""
        self._unsaid[session] = participants
        if self._telling is None or self._telling.done():
            self._telling = self._start("presence", self._tell_presence())

    async def _tell_presence(self) -> None:
        while self._unsaid:
            session, participants = self._unsaid.popitem()
            await self._ports.presence.put(session, self._ports.worker, participants)
        # beside it: a store that takes its time does not hold up what is said next
        self._start("moves", self._try_to_tell_moves())

    async def _try_to_tell_moves(self) -> None:
        try:
            await self.tell_moves()
        except StoreUnavailable:
            log.warning("who comes and goes in %s is told late: the store is away", self.diagram)

    def _moved(self, session: SessionId, moves: Moves) -> None:
        known = self._unheard.get(session, Moves())
        self._unheard[session] = Moves(known.users | moves.users, known.turned or moves.turned)

    async def tell_moves(self) -> None:
        """Who came and went, to the store, which may have been away. Raises StoreUnavailable."""
        while self._unheard:
            session, moves = self._unheard.popitem()
            try:
                if moves.users:
                    await self._ports.sessions.unexpect(session, moves.users)
                if moves.turned:
                    # The first and the last socket at once: the keeper's next round may come after a deadline (SES13).
                    await self._ports.sessions.touch([self.alive() or Alive(session, 0, host=False)])
            except StoreUnavailable:
                self._moved(session, moves)
                raise


def snapshot_data(diagram: Diagram) -> SnapshotData:
    return SnapshotData(diagram.epoch, diagram.vector, diagram.cells_in_order(), diagram.touched(), diagram.state_hash)

"""Diagram id -> room: opened once however many ask, kept while held, closed when empty; the door for REST."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from typing import Any

import msgspec

from collab.core.apply import Refused, founded
from collab.core.diagram import Diagram
from collab.core.events import Closing, Gone, RightsMoved, SessionMoved
from collab.core.meeting import Session
from collab.core.room import Room
from collab.core.state import RoomSettings, RoomState
from collab.loading import Opened, load
from collab.ports import Clock, Member, StoreUnavailable, Subscription
from collab.room_task import RoomPorts, RoomTask
from protocol.cells import canonical_cells
from protocol.intents import Edit, Redo, Replace, Undo
from protocol.notices import Accepted, Participant, Rejected
from protocol.operations import Kind
from protocol.refusals import CellError, Reason, Refusal
from protocol.values import Caller, Cell, DiagramId, Epoch, Limits, Role, RoleAt, User, UserId

LINGER_S = 10.0
"""An empty room stays this long: a reload of a page, or the next REST call, finds it open."""


class Viewed(msgspec.Struct, frozen=True):
    """The live state of a diagram."""

    epoch: Epoch
    vector: int
    cells: Sequence[Cell]
    state_hash: int


class _Opening:
    """One room, or the way to it; `holders` keep it."""

    def __init__(self, now_s: float) -> None:
        self.task: asyncio.Task[RoomTask | StoreUnavailable | None]
        self.subscription: Subscription | None = None
        self.early: list[bytes | None] = []
        """What was heard before there was a room."""
        self.holders = 0
        self.idle_since_s = now_s

    def hear(self, sealed: bytes | None) -> None:
        if not self.task.done():
            self.early.append(sealed)
        elif self.room is not None:
            self.room.hear(sealed)

    def hand_over(self, room: RoomTask) -> None:
        while self.early:
            room.hear(self.early.pop(0))

    def let_go(self, now_s: float) -> None:
        self.holders -= 1
        self.idle_since_s = now_s

    @property
    def room(self) -> RoomTask | None:
        if not self.task.done() or self.task.cancelled() or self.task.exception() is not None:
            return None
        opened = self.task.result()
        return opened if isinstance(opened, RoomTask) else None


class Held:
    """A room that stays open until `release`, which comes once."""

    __slots__ = ("_clock", "_opening", "room")

    def __init__(self, room: RoomTask, opening: _Opening, clock: Clock) -> None:
        self.room = room
        self._opening = opening
        self._clock = clock

    def release(self) -> None:
        self._opening.let_go(self._clock.now().monotonic_s)


class Rooms:
    def __init__(self, ports: RoomPorts, settings: RoomSettings) -> None:
        self._ports = ports
        self._settings = settings
        self._open: dict[DiagramId, _Opening] = {}

    def open_rooms(self) -> list[RoomTask]:
        return [room for opening in self._open.values() if (room := opening.room) is not None]

    async def enter(self, diagram: DiagramId) -> Held | None:
        """The room, kept open until it is released; None: no such diagram. Raises StoreUnavailable."""
        opening, clock = self._opening(diagram), self._ports.clock
        opening.holders += 1
        room: RoomTask | None = None
        try:
            # shielded: a caller that goes away must not take the room from the others who wait for it
            opened = await asyncio.shield(opening.task)
            if isinstance(opened, StoreUnavailable):
                raise StoreUnavailable(str(opened))
            room = opened
        finally:
            if room is None:
                opening.let_go(clock.now().monotonic_s)
        return None if room is None else Held(room, opening, clock)

    @asynccontextmanager
    async def hold(self, diagram: DiagramId) -> AsyncIterator[RoomTask | None]:
        """As `enter`, released at the end."""
        held = await self.enter(diagram)
        try:
            yield None if held is None else held.room
        finally:
            if held is not None:
                held.release()

    def _opening(self, diagram: DiagramId) -> _Opening:
        opening = self._open.get(diagram)
        if opening is None or self._useless(opening):
            if opening is not None:
                self._unsubscribe(diagram, opening)
            opening = self._open[diagram] = _Opening(self._ports.clock.now().monotonic_s)
            opening.task = self._ports.tasks.start(f"open {diagram}", self._load(diagram, opening))
        return opening

    @staticmethod
    def _useless(opening: _Opening) -> bool:
        """Ended, failed, or the diagram was not there: the next one looks again."""
        return opening.task.done() and (opening.room is None or opening.room.closed)

    async def _load(self, diagram: DiagramId, opening: _Opening) -> RoomTask | StoreUnavailable | None:
        """A store that is away is a value here, for all who wait: what a task raises is a bug.

        Heard before it is read (I9): what is written in between is either read or heard.
        """
        try:
            opening.subscription = await self._ports.bus.subscribe(diagram, opening.hear)
            opened = await load(self._ports.store, diagram, self._settings.limits.resume_operations)
            if isinstance(opened, Gone):
                return None
            session = await self._ports.sessions.live(diagram)
        except StoreUnavailable as unavailable:
            return unavailable
        # The collector of cycles need not look through a large diagram, which has none, again and again: that stops
        # the process for a tenth of a second each time. What is in a cycle by chance is seen again by `sweep`.
        gc.freeze()
        alone = self._ports.bus.alone
        made = Room(opened.threat_model, opened.loaded, session, self._settings, alone=alone)
        room = RoomTask(diagram, made, self._ports)
        opening.hand_over(room)
        self._ports.tasks.start(f"room {diagram}", room.run())
        return room

    def _unsubscribe(self, diagram: DiagramId, opening: _Opening) -> None:
        subscription, opening.subscription = opening.subscription, None
        if subscription is not None:
            self._ports.tasks.start(f"unsubscribe {diagram}", _closed(subscription))

    async def successor(self, session: Session) -> User | None:
        """Who is to be host instead of one who was lost; None: nobody, and the session ends (SES9). Raises
        StoreUnavailable while it is not known who is there."""
        if self._settings.host_leave_ends:
            return None
        state = self._of(session)
        if state is not None:
            return state.roster.longest_writer()
        said = await self._ports.presence.read(session.id)
        if said is None:
            raise StoreUnavailable("presence is away")
        there = union(participant for participants in said.values() for participant in participants)
        return next((member.user for member in there if member.role == Role.WRITER.permissions), None)

    def _of(self, session: Session) -> RoomState | None:
        """Of a room here that has part in the session."""
        opening = self._open.get(session.diagram_id)
        room = opening.room if opening is not None else None
        state = room.room.state if room is not None and not room.closed else None
        mine = state.session if state is not None else None
        return state if state is not None and mine is not None and mine.id == session.id and len(state.roster) else None

    async def sweep(self) -> None:
        """Closes what nobody has held or used for a while. A room whose last snapshot takes long holds up no other."""
        unused = {diagram: opening for diagram, opening in self._open.items() if self._unused(opening)}
        for diagram in unused:
            del self._open[diagram]
        rooms = [room for opening in unused.values() if (room := opening.room) is not None]
        if rooms:
            await asyncio.wait([self._ports.tasks.start(f"close {room.diagram}", room.close()) for room in rooms])
            gc.unfreeze()
        for diagram, opening in unused.items():
            self._unsubscribe(diagram, opening)

    def _unused(self, opening: _Opening) -> bool:
        idle_s = self._ports.clock.now().monotonic_s - opening.idle_since_s
        if opening.holders or not opening.task.done() or idle_s < LINGER_S:
            return False
        room = opening.room
        return room is None or room.closed or room.room.empty

    async def close(self) -> None:
        """All rooms, each after its outcomes are told."""
        openings, self._open = list(self._open.values()), {}
        for opening in openings:
            await asyncio.wait((opening.task,))
        rooms = [room for opening in openings if (room := opening.room) is not None]
        for room in rooms:
            room.post_now(Closing())
        for room in rooms:
            await room.close()
        for opening in openings:
            if opening.subscription is not None:
                await opening.subscription.close()

    # the door for programs --------------------------------------------------------------------------------------------

    async def found(self, cells: Sequence[Any], *, free_ids: bool) -> tuple[tuple[Cell, ...], int]:
        """Founding cells in canonical form with their state hash; raises CellError."""
        # Beside the event loop: thousands of cells take the better part of a second.
        return await asyncio.to_thread(_founded, cells, free_ids, self._settings.limits)

    async def view(self, diagram: DiagramId) -> Viewed | None:
        """Never older than a receipt that somebody holds (VEC7); None: no such diagram."""
        heads = await self._ports.store.heads((diagram,))
        head = heads.get(diagram)
        if head is None:
            return None
        opening = self._open.get(diagram)
        room = opening.room if opening is not None else None
        if room is not None and not room.closed:
            live = room.room.state.replica.diagram
            if live.epoch == head.epoch and live.vector >= head.vector:
                return _viewed(live)
        opened = await load(self._ports.store, diagram)
        return _viewed(opened.loaded.diagram) if isinstance(opened, Opened) else None

    async def submit(
        self, diagram: DiagramId, caller: Caller, role: RoleAt, intent: Edit | Replace | Undo | Redo
    ) -> Accepted | Rejected:
        """One operation through the one door. Raises StoreUnavailable."""
        async with self.hold(diagram) as room:
            if room is not None:
                return await room.submit(caller, role, intent)
        gone = Refusal(Reason.DIAGRAM_NOT_FOUND, "the diagram is gone")
        return Rejected("", gone, 0, Kind.REST, self._ports.clock.now().wall_ms)

    async def session_changed(self, diagram: DiagramId) -> None:
        """Session, roles or deny list changed, or the diagram went: open rooms look again, on all workers."""
        self._post(diagram, RightsMoved())

    async def session_moved(self, session: Session) -> None:
        """These are its facts now, and nobody's rights are others: open rooms read them, on all workers."""
        self._post(session.diagram_id, SessionMoved(session.id, session.version))

    def _post(self, diagram: DiagramId, event: RightsMoved | SessionMoved) -> None:
        if not self._ports.bus.alone:
            self._ports.bus.publish(diagram, self._ports.seal.sealed(diagram, event))
        opening = self._open.get(diagram)
        room = opening.room if opening is not None else None
        if room is not None:
            room.post_now(event)

    async def members(self, session: Session) -> Sequence[Member]:
        """Who is connected, on all workers: as a room here knows it that has part in the session, else as presence."""
        state = self._of(session)
        if state is not None:
            return union(state.roster.everybody())
        said = await self._ports.presence.read(session.id) or {}
        return union(participant for participants in said.values() for participant in participants)


async def _closed(subscription: Subscription) -> None:
    await subscription.close()


def _founded(cells: Sequence[Any], free_ids: bool, limits: Limits) -> tuple[tuple[Cell, ...], int]:
    canonical = canonical_cells(cells, free_ids=free_ids, limits=limits)
    diagram = founded(DiagramId(""), Epoch(""), canonical, limits)
    if isinstance(diagram, Refused):
        refusal = diagram.refusal
        raise CellError(refusal.reason, refusal.message, refusal.affected[0] if refusal.affected else None)
    return canonical, diagram.state_hash


def union(participants: Iterable[Participant]) -> tuple[Member, ...]:
    """Each user once: there since the first socket, active as on the liveliest worker, the role as known there."""
    found: dict[UserId, Member] = {}
    for participant in participants:
        if not participant.connections:
            # whose leave is not decided yet
            continue
        member = _member(participant)
        other = found.get(member.user.id)
        if other is None:
            found[member.user.id] = member
            continue
        newest = max(member, other, key=lambda m: m.last_activity_ms)
        joined_at_ms = min(member.joined_at_ms, other.joined_at_ms)
        sockets = member.sockets + other.sockets
        found[member.user.id] = msgspec.structs.replace(newest, joined_at_ms=joined_at_ms, sockets=sockets)
    return tuple(sorted(found.values(), key=lambda m: (m.joined_at_ms, m.user.id)))


def _member(participant: Participant) -> Member:
    return Member(
        user=participant.user,
        role=participant.role.permissions,
        joined_at_ms=min(c.joined_at_ms for c in participant.connections),
        last_activity_ms=participant.last_activity_ms,
        sockets=len(participant.connections),
    )


def _viewed(diagram: Diagram) -> Viewed:
    return Viewed(diagram.epoch, diagram.vector, diagram.cells_in_order(), diagram.state_hash)

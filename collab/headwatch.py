"""Compares open rooms with the store, over and over: what no news told is found here, within a second (VEC13, I18)."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping, Sequence

import msgspec

from collab.access.pause import pause
from collab.core.events import HeadSeen, Stalled, Stood
from collab.news import EVERYWHERE, Standing
from collab.ports import StoreUnavailable
from collab.room_task import PRESENCE_S, RoomPorts, RoomTask
from collab.rooms import Rooms
from protocol.values import DiagramId, SessionId

SLICES = 4
"""With each look so large a part of the rooms asks who is elsewhere: they need not all do it at once."""

log = logging.getLogger(__name__)


class Looks(msgspec.Struct, frozen=True):
    """Seconds. `deaf_s`: between looks while no news comes through. `pause_s`: so long between two is a stall."""

    look_s: float = 0.5
    deaf_s: float = 0.25
    pause_s: float = 3.0


class HeadWatch:
    """One query for all open rooms at a time. A store that is away is asked again."""

    def __init__(self, rooms: Rooms, ports: RoomPorts, looks: Looks) -> None:
        self._rooms, self._ports, self._looks = rooms, ports, looks
        self._looked_at_s = ports.clock.now().monotonic_s
        self._turn = 0
        self._comparing: asyncio.Task[None] | None = None

    async def run(self) -> None:
        hearing = await self._ports.bus.subscribe(EVERYWHERE, self.hear)
        try:
            await self._watch()
        finally:
            await hearing.close()

    async def _watch(self) -> None:
        while True:
            await pause(self._ports.clock, self._looks.look_s if self._ports.bus.healthy() else self._looks.deaf_s)
            try:
                await self.look()
            except Exception:
                # Our bug; without this watch a room may be behind for ever.
                log.exception("the head watch failed")

    async def look(self) -> None:
        """One round, by the clock that was given."""
        rooms = {room.diagram: room for room in self._rooms.open_rooms() if not room.closed}
        now_s = self._ports.clock.now().monotonic_s
        stalled = now_s - self._looked_at_s >= self._looks.pause_s
        self._looked_at_s = now_s
        for room in rooms.values():
            room.sense(self._ports.bus.healthy())
            if stalled:
                room.post_now(Stalled())
        self._turn += 1
        self._survey(list(rooms.values())[self._turn % SLICES :: SLICES])
        if self._comparing is None or self._comparing.done():
            self._comparing = self._ports.tasks.start("compare rooms", self._compare(rooms))
        # A store that takes its time keeps nobody from being heard (I22).
        await asyncio.wait((self._comparing,), timeout=self._looks.look_s)

    # who is elsewhere -------------------------------------------------------------------------------------------------

    def _survey(self, rooms: Sequence[RoomTask]) -> None:
        """News may have been lost, and a worker may have died. One piece of news and one question for all of them:
        with 1000 idle rooms at two workers that takes a third of what it takes room by room."""
        ports = self._ports
        standing = tuple(row for room in rooms if (row := room.say_again()) is not None)
        if standing:
            ports.bus.publish(EVERYWHERE, ports.seal.sealed(EVERYWHERE, Standing(standing)))
        unsure = [(room, session) for room in rooms if (session := room.unsure()) is not None]
        if unsure:
            ports.tasks.start("survey", self._look_around(unsure))

    async def _look_around(self, unsure: Sequence[tuple[RoomTask, SessionId]]) -> None:
        asked = self._ports.presence.read_many([session for _, session in unsure])
        reading = self._ports.tasks.start("presence", asked)
        # Not cancelled: a connection whose call is cut off is one answer off for the next caller.
        await asyncio.wait((reading,), timeout=PRESENCE_S)
        failed = not reading.done() or reading.cancelled() or reading.exception() is not None
        said = None if failed else reading.result()
        for room, session in unsure:
            room.surveyed(session, None if said is None else said.get(session))

    def hear(self, sealed: bytes | None) -> None:
        """What another worker has said of all its rooms."""
        news = None if sealed is None else self._ports.seal.opened(EVERYWHERE, sealed)
        if not isinstance(news, Standing):
            return
        rooms = {room.diagram: room for room in self._rooms.open_rooms() if not room.closed}
        for diagram, session, serial in news.rooms:
            if (room := rooms.get(diagram)) is not None:
                room.post_now(Stood(session, news.worker, serial))

    # heads ------------------------------------------------------------------------------------------------------------

    async def _compare(self, rooms: Mapping[DiagramId, RoomTask]) -> None:
        if not rooms:
            return
        try:
            found = await self._ports.store.watched(list(rooms))
        except StoreUnavailable:
            return
        for diagram, room in rooms.items():
            watched = found.get(diagram)
            if watched is None:
                # deleted, as the room sees when it reads
                room.hear(None)
            elif watched != room.standing():
                self._ports.tally.behind += 1
                room.post_now(HeadSeen(watched.head, watched.session_version, watched.session))

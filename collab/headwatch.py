"""Compares open rooms with the store, over and over: what no news told is found here, within a second (VEC13, I18)."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping

import msgspec

from collab.access.pause import pause
from collab.core.events import HeadSeen, Stalled
from collab.ports import StoreUnavailable
from collab.room_task import RoomPorts, RoomTask
from collab.rooms import Rooms
from protocol.values import DiagramId

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
        for room in list(rooms.values())[self._turn % SLICES :: SLICES]:
            room.survey()
        if self._comparing is None or self._comparing.done():
            self._comparing = self._ports.tasks.start("compare rooms", self._compare(rooms))
        # A store that takes its time keeps nobody from being heard (I22).
        await asyncio.wait((self._comparing,), timeout=self._looks.look_s)

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
                room.post_now(HeadSeen(watched.head, watched.session_version, watched.session))

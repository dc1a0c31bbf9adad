"""Keep-alive stamps, overdue sessions, missing presenters, rooms nobody needs, pruning: what nobody asks for."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from contextlib import suppress

import msgspec

from collab.core.events import PresenterUnseen
from collab.core.meeting import SessionChange, SetHost
from collab.ports import End, Session, Stale, StoreUnavailable
from collab.room_task import RoomPorts
from collab.rooms import Rooms
from protocol.refusals import Ending
from protocol.values import Instant

log = logging.getLogger(__name__)


class Intervals(msgspec.Struct, frozen=True):
    """Seconds. `quiet_s`: so long after a start, a pause, a clock that was set or a failed store call no session ends
    by age (SES12)."""

    look_s: float = 1.0
    pause_s: float = 5.0
    """So long between two looks is a pause, and by so much more or less of Unix time a clock was set."""
    stamp_s: float = 10.0
    prune_s: float = 3_600.0
    quiet_s: float = 60.0
    keep_s: float = 86_400.0
    keep_operations: int = 10_000


class Keeper:
    def __init__(self, rooms: Rooms, ports: RoomPorts, intervals: Intervals) -> None:
        self._rooms, self._ports, self._intervals = rooms, ports, intervals
        now = ports.clock.now()
        now_s = now.monotonic_s
        self._quiet_until_s = now_s + intervals.quiet_s
        self._looked_at = now
        self._stamp_at_s = now_s
        self._prune_at_s = now_s + intervals.prune_s
        self._pruning: asyncio.Task[None] | None = None

    async def run(self) -> None:
        while True:
            await asyncio.sleep(self._intervals.look_s)
            try:
                await self.look()
            except Exception:
                # Our bug; what the next rounds are for is more than what this one failed at.
                log.exception("the keeper failed")

    async def look(self) -> None:
        """One round, by the clock that was given."""
        now = self._ports.clock.now()
        now_s = now.monotonic_s
        if self._cannot_tell_ages(now):
            self._quiet_until_s = now_s + self._intervals.quiet_s
        self._looked_at = now
        try:
            if now_s >= self._stamp_at_s:
                self._stamp_at_s = now_s + self._intervals.stamp_s
                await self._stamp()
                if now_s >= self._quiet_until_s:
                    await self._miss_presenters()
            # Asked when quiet, too: it shows whether the store is there.
            overdue = await self._ports.sessions.overdue()
            if overdue and now_s >= self._quiet_until_s:
                # What was said since the last stamps counts (SES14).
                await self._stamp()
                await self._end(await self._ports.sessions.overdue())
            if now_s >= self._prune_at_s and (self._pruning is None or self._pruning.done()):
                self._prune_at_s = now_s + self._intervals.prune_s
                # Beside the rounds: it may take long, and who is not stamped meanwhile counts as gone (SES13).
                self._pruning = self._ports.tasks.start("prune", self._prune())
            await self._rooms.sweep()
        except StoreUnavailable:
            self._quiet_until_s = now_s + self._intervals.quiet_s

    def _cannot_tell_ages(self, now: Instant) -> bool:
        """Since the last look this process stood still; or the store's clock was set, and what is stamped by the former
        one looks old."""
        passed_s = now.monotonic_s - self._looked_at.monotonic_s
        set_by_s = (now.wall_ms - self._looked_at.wall_ms) / 1_000 - passed_s
        return max(passed_s, abs(set_by_s)) >= self._intervals.pause_s

    async def _prune(self) -> None:
        # the next time goes on where the store failed
        with suppress(StoreUnavailable):
            await self._ports.store.prune(self._intervals.keep_operations, int(self._intervals.keep_s * 1000))

    async def _stamp(self) -> None:
        rooms = self._rooms.open_rooms()
        # first: a store that is away makes nobody vanish (I22)
        for room in rooms:
            room.refresh_presence()
        alive = [stamp for room in rooms if (stamp := room.alive()) is not None]
        if alive:
            await self._ports.sessions.touch(alive)
        for room in rooms:
            await room.tell_moves()

    async def _miss_presenters(self) -> None:
        """PR5: of one who went with a process that died nobody has heard."""
        for room in self._rooms.open_rooms():
            session = room.room.state.session
            if session is None or session.presenter is None or session.presenter.id == session.host.id:
                continue
            said = await self._ports.presence.read(session.id)
            here = {one.user.id for participants in (said or {}).values() for one in participants}
            if here and session.presenter.id not in here:
                room.post_now(PresenterUnseen(session.presenter.id))

    async def _end(self, overdue: Sequence[tuple[Session, SessionChange]]) -> None:
        for session, end in overdue:
            try:
                change = await self._instead(session, end)
            except StoreUnavailable:
                # of this one it is not known who is there
                continue
            changed = await self._ports.sessions.change(session.id, session.version, change)
            if isinstance(changed, Stale):
                continue
            if changed.ended is not None:
                log.info("session %s of %s is over: %s", session.id, session.diagram_id, changed.ended)
            await self._rooms.session_changed(session.diagram_id)

    async def _instead(self, session: Session, end: SessionChange) -> SessionChange:
        """SES9: where another may become host, a lost host does not end the session."""
        successor = await self._rooms.successor(session) if end == End(Ending.HOST_LOST) else None
        return end if successor is None else SetHost(successor)

"""Presence of a single process."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

import msgspec

from collab.ports import Member
from protocol.values import SessionId, UserId
from storage.clock import real_ms


class MemoryPresence:
    def __init__(self, now_ms: Callable[[], int] = real_ms) -> None:
        self._now_ms = now_ms
        self._said: dict[SessionId, dict[str, tuple[tuple[Member, ...], float]]] = {}
        """Session -> worker -> its members, and until when they count."""

    async def put(self, session: SessionId, worker: str, members: Sequence[Member], ttl_s: float) -> None:
        self._forget()
        self._said.setdefault(session, {})[worker] = (tuple(members), self._now_ms() + ttl_s * 1_000)

    async def read(self, session: SessionId) -> Sequence[Member] | None:
        self._forget()
        said = self._said.get(session)
        return None if said is None else union(member for members, _ in said.values() for member in members)

    def _forget(self) -> None:
        now_ms = self._now_ms()
        for session, said in list(self._said.items()):
            for worker in [worker for worker, (_, until) in said.items() if until <= now_ms]:
                del said[worker]
            if not said:
                del self._said[session]


def union(members: Iterable[Member]) -> tuple[Member, ...]:
    """Each user once: there since the first socket, active as on the liveliest worker, the role as known there."""
    found: dict[UserId, Member] = {}
    for member in members:
        other = found.get(member.user.id)
        if other is None:
            found[member.user.id] = member
            continue
        newest = max(member, other, key=lambda m: m.last_activity_ms)
        joined_at_ms = min(member.joined_at_ms, other.joined_at_ms)
        sockets = member.sockets + other.sockets
        found[member.user.id] = msgspec.structs.replace(newest, joined_at_ms=joined_at_ms, sockets=sockets)
    return tuple(sorted(found.values(), key=lambda m: (m.joined_at_ms, m.user.id)))

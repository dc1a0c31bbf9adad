"""Presence of a single process."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from protocol.notices import Participant
from protocol.values import SessionId
from storage.clock import real_ms

LIFE_MS = 30_000
SWEPT_MS = 1_000
"""Every room says every few seconds who is there: were all looked through each time, a thousand idle rooms would cost a
tenth of a core, each of them 150 us a second instead of 50."""


class MemoryPresence:
    def __init__(self, now_ms: Callable[[], int] = real_ms) -> None:
        self._now_ms = now_ms
        self._said: dict[SessionId, dict[str, tuple[tuple[Participant, ...], int]]] = {}
        """Session -> worker -> its participants, and until when they count."""
        self._sweep_ms = 0

    async def put(self, session: SessionId, worker: str, participants: Sequence[Participant]) -> None:
        self._sweep()
        said = self._said.setdefault(session, {})
        if participants:
            said[worker] = (tuple(participants), self._now_ms() + LIFE_MS)
        else:
            said.pop(worker, None)

    async def read(self, session: SessionId) -> Mapping[str, tuple[Participant, ...]] | None:
        self._sweep()
        now_ms, said = self._now_ms(), self._said.get(session, {})
        return {worker: participants for worker, (participants, until) in said.items() if until > now_ms}

    async def read_many(
        self, sessions: Sequence[SessionId]
    ) -> Mapping[SessionId, Mapping[str, tuple[Participant, ...]]] | None:
        found = {session: await self.read(session) for session in sessions}
        return {session: said for session, said in found.items() if said is not None}

    def _sweep(self) -> None:
        now_ms = self._now_ms()
        if self._sweep_ms <= now_ms < self._sweep_ms + SWEPT_MS:
            return
        self._sweep_ms = now_ms
        for session, said in list(self._said.items()):
            for worker in [worker for worker, (_, until) in said.items() if until <= now_ms]:
                del said[worker]
            if not said:
                del self._said[session]

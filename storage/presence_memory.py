"""Presence of a single process."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from protocol.notices import Participant
from protocol.values import SessionId
from storage.clock import real_ms

LIFE_MS = 30_000


class MemoryPresence:
    def __init__(self, now_ms: Callable[[], int] = real_ms) -> None:
        self._now_ms = now_ms
        self._said: dict[SessionId, dict[str, tuple[tuple[Participant, ...], int]]] = {}
        """Session -> worker -> its participants, and until when they count."""

    async def put(self, session: SessionId, worker: str, participants: Sequence[Participant]) -> None:
        self._forget()
        said = self._said.setdefault(session, {})
        if participants:
            said[worker] = (tuple(participants), self._now_ms() + LIFE_MS)
        else:
            said.pop(worker, None)

    async def read(self, session: SessionId) -> Mapping[str, tuple[Participant, ...]] | None:
        self._forget()
        return {worker: participants for worker, (participants, _) in self._said.get(session, {}).items()}

    def _forget(self) -> None:
        now_ms = self._now_ms()
        for session, said in list(self._said.items()):
            for worker in [worker for worker, (_, until) in said.items() if until <= now_ms]:
                del said[worker]
            if not said:
                del self._said[session]

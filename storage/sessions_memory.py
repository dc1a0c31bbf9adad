"""The SessionStore in memory, with the rules of the one on a database."""

from __future__ import annotations

from collections.abc import Collection, Sequence

import msgspec

from collab.core.events import Gone
from collab.core.meeting import Deny, Session, SessionChange
from collab.ports import Alive, Exists, Grant, NewSession, Stale, Waiting
from protocol.values import DiagramId, SessionId, User, UserId
from storage.memory import MemoryStore, SessionRecord
from storage.session_rules import AGES, EXPECTED_MS, Ages, changed, outlived, overdue, raises_acl, shows_host


class MemorySessions:
    def __init__(self, store: MemoryStore, ages: Ages = AGES) -> None:
        self._store = store
        self._ages = ages

    async def create(self, new: NewSession) -> Session | Exists | Gone:
        diagram = self._store.present(new.diagram_id)
        if diagram is None:
            return Gone()
        if (live := self._store.live(new.diagram_id)) is not None:
            return Exists(live.session)
        now_ms = self._store.now_ms()
        session = Session(
            id=new.id,
            diagram_id=new.diagram_id,
            threat_model_id=diagram.threat_model_id,
            host=new.host,
            presenter=new.host,
            presenter_term=1,
            version=1,
            start_vector=diagram.head.vector,
            created_at_ms=now_ms,
            active_at_ms=now_ms,
        )
        self._store.sessions[new.id] = SessionRecord(session)
        return session

    async def live(self, diagram: DiagramId) -> Session | None:
        record = self._store.live(diagram)
        return None if record is None else record.session

    async def read(self, id: SessionId) -> Session | None:
        record = self._store.sessions.get(id)
        return None if record is None else record.session

    async def change(self, id: SessionId, expected: int, to: SessionChange) -> Session | Stale:
        record = self._store.sessions.get(id)
        if record is None or record.session.version != expected or record.session.ended is not None:
            return Stale(None if record is None else record.session)
        now_ms = self._store.now_ms()
        if outlived(record.session, to, record.host_seen_at, self._ages, now_ms):
            return Stale(record.session)
        record.session = changed(record.session, to, now_ms)
        if shows_host(to):
            record.host_seen_at = now_ms
        if isinstance(to, Deny):
            record.waiting.pop(to.user.id, None)
        if raises_acl(to):
            self._store.diagrams[record.session.diagram_id].raise_acl()
        return record.session

    async def expect(self, id: SessionId, user: User, role: str) -> None:
        record = self._store.sessions[id]
        if user.id not in record.session.denied:
            record.waiting[user.id] = Waiting(user, role, self._store.now_ms())

    async def unexpect(self, id: SessionId, users: Collection[UserId]) -> None:
        record = self._store.sessions.get(id)
        if record is not None:
            for user in users:
                record.waiting.pop(user, None)

    async def waiting(self, id: SessionId) -> Sequence[Waiting]:
        since = self._store.now_ms() - EXPECTED_MS
        record = self._store.sessions.get(id)
        expected = () if record is None else record.waiting.values()
        return sorted((w for w in expected if w.at_ms > since), key=lambda w: (w.at_ms, w.user.id))

    async def touch(self, alive: Collection[Alive]) -> None:
        now_ms = self._store.now_ms()
        for stamp in alive:
            record = self._store.sessions.get(stamp.session)
            if record is None or record.session.ended is not None:
                continue
            active_at_ms = max(record.session.active_at_ms, now_ms - stamp.active_ms_ago)
            record.session = msgspec.structs.replace(record.session, seen_at_ms=now_ms, active_at_ms=active_at_ms)
            if stamp.host:
                record.host_seen_at = now_ms

    async def overdue(self) -> Sequence[tuple[Session, SessionChange]]:
        now_ms = self._store.now_ms()
        live = [record for record in self._store.sessions.values() if record.session.ended is None]
        ends = ((record.session, overdue(record.session, record.host_seen_at, self._ages, now_ms)) for record in live)
        return [(session, end) for session, end in ends if end is not None]

    async def sessions_of(self, diagrams: Collection[DiagramId]) -> Sequence[Session]:
        found = [self._store.live(id) for id in diagrams]
        return sorted((r.session for r in found if r is not None), key=lambda s: (s.created_at_ms, s.id))

    async def issue_ticket(self, ticket: str, grant: Grant, ttl_ms: int) -> None:
        self._store.tickets[ticket] = (grant, self._store.now_ms() + ttl_ms)

    async def redeem(self, ticket: str) -> Grant | None:
        grant, ends_at = self._store.tickets.pop(ticket, (None, 0))
        return grant if ends_at > self._store.now_ms() else None

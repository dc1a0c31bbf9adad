"""One store in memory behind the ports of a room: for the simulator, tests and demonstrations. Nothing in it waits."""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from collab.core.events import Gone
from collab.core.meeting import End, Session
from collab.ports import Grant, SnapshotData, Waiting
from protocol.operations import LoggedOperation, Outcome
from protocol.refusals import Ending
from protocol.values import (
    Caller,
    DiagramId,
    Epoch,
    Head,
    OperationId,
    Role,
    RoleAt,
    SessionId,
    ThreatModelId,
    UserId,
)
from rest.ports import NewDiagram
from storage.clock import real_ms
from storage.session_rules import changed


class DiagramRecord:
    """Everything kept of one diagram. The values in it are immutable, so that readers may keep them."""

    def __init__(self, new: NewDiagram) -> None:
        self.threat_model_id = new.threat_model_id
        self.head = Head(epoch=new.epoch, vector=0, state_hash=new.state_hash, acl_version=1)
        self.log: dict[Epoch, list[LoggedOperation]] = {new.epoch: []}
        self.outcomes: dict[tuple[UserId, OperationId], tuple[Outcome, int]] = {}
        """With the time of the decision."""
        self.snapshots = [SnapshotData(new.epoch, 0, new.cells, None, new.state_hash)]
        """Oldest first."""
        self.deleted_at: int | None = None

    def raise_acl(self) -> None:
        self.head = msgspec.structs.replace(self.head, acl_version=self.head.acl_version + 1)

    def after(self, vector: int) -> tuple[LoggedOperation, ...]:
        """What follows in the head's epoch."""
        return tuple(operation for operation in self.log[self.head.epoch] if operation.vector > vector)


class SessionRecord:
    def __init__(self, session: Session) -> None:
        self.session = session
        self.host_seen_at: int | None = None
        self.waiting: dict[UserId, Waiting] = {}


class MemoryStore:
    """The tables. `MemoryDiagrams`, `MemorySessions` and `MemoryAuthorizer` of one store see each other's changes."""

    def __init__(self, now_ms: Callable[[], int] = real_ms) -> None:
        self.now_ms = now_ms
        self.diagrams: dict[DiagramId, DiagramRecord] = {}
        self.sessions: dict[SessionId, SessionRecord] = {}
        self.tickets: dict[str, tuple[Grant, int]] = {}
        """With the time of their end."""
        self._roles: dict[tuple[ThreatModelId, UserId], Role] = {}

    def create_diagram(self, new: NewDiagram) -> None:
        self.diagrams[new.id] = DiagramRecord(new)

    def delete_diagram(self, id: DiagramId) -> None:
        record = self.diagrams[id]
        record.raise_acl()
        record.deleted_at = self.now_ms()
        if (live := self.live(id)) is not None:
            live.session = changed(live.session, End(Ending.DIAGRAM_DELETED), self.now_ms())

    def set_role(self, model: ThreatModelId, user: UserId, role: Role) -> None:
        """Raises acl_version of the model's diagrams (S47)."""
        self._roles[model, user] = role
        for record in self.diagrams.values():
            if record.threat_model_id == model:
                record.raise_acl()

    def role(self, model: ThreatModelId, user: UserId) -> Role:
        return self._roles.get((model, user), Role.NONE)

    def present(self, id: DiagramId) -> DiagramRecord | None:
        """A diagram that is not deleted."""
        record = self.diagrams.get(id)
        return None if record is None or record.deleted_at is not None else record

    def live(self, diagram: DiagramId) -> SessionRecord | None:
        for record in self.sessions.values():
            if record.session.diagram_id == diagram and record.session.ended is None:
                return record
        return None


class MemoryAuthorizer:
    def __init__(self, store: MemoryStore) -> None:
        self._store = store

    async def role(self, caller: Caller, diagram: DiagramId, within: ThreatModelId | None = None) -> RoleAt | Gone:
        record = self._store.present(diagram)
        if record is None or within not in (None, record.threat_model_id):
            return Gone()
        live = self._store.live(diagram)
        denied = live is not None and caller.id in live.session.denied
        return RoleAt(self._store.role(record.threat_model_id, caller.id), record.head.acl_version, denied)

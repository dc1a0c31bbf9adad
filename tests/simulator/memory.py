"""The memory store with one diagram in it, behind all the ports that a room needs, and a hand on its tables."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import msgspec

from collab.ports import SnapshotData
from protocol.operations import LoggedOperation
from protocol.values import Cell, DiagramId, Epoch, Head, Role, ThreatModelId, UserId
from rest.ports import NewDiagram
from storage.diagrams_memory import MemoryDiagrams
from storage.memory import DiagramRecord, MemoryAuthorizer, MemoryStore
from storage.sessions_memory import MemorySessions

EPOCH = Epoch("9f2c4e7a01b35d68")


class MemoryWorld:
    def __init__(
        self,
        now_ms: Callable[[], int],
        diagram: DiagramId,
        model: ThreatModelId,
        diagrams: type[MemoryDiagrams] = MemoryDiagrams,
    ) -> None:
        self.tables = MemoryStore(now_ms)
        self.diagrams = diagrams(self.tables)
        self.sessions = MemorySessions(self.tables)
        self.authorizer = MemoryAuthorizer(self.tables)
        self.diagram, self.model = diagram, model
        self.tables.create_diagram(NewDiagram(diagram, model, EPOCH, {}, (), 0))

    @property
    def record(self) -> DiagramRecord:
        return self.tables.diagrams[self.diagram]

    @property
    def head(self) -> Head:
        return self.record.head

    @property
    def log(self) -> Sequence[LoggedOperation]:
        """Of the head's epoch."""
        return self.record.log[self.head.epoch]

    def set_role(self, user: UserId, role: Role) -> None:
        self.tables.set_role(self.model, user, role)

    def restore(self, epoch: Epoch, cells: Sequence[Cell], state_hash: int) -> None:
        """A backup was played back: another history, that begins with these cells."""
        record = self.record
        record.head = msgspec.structs.replace(record.head, epoch=epoch, state_hash=state_hash)
        record.log[epoch] = []
        record.snapshots = [SnapshotData(epoch, record.head.vector, tuple(cells), None, state_hash)]

"""The memory store with one diagram in it, behind all the ports that a room needs."""

from __future__ import annotations

from collections.abc import Callable

from protocol.values import DiagramId, Epoch, Head, Role, ThreatModelId, UserId
from rest.ports import NewDiagram
from storage.diagrams_memory import MemoryDiagrams
from storage.memory import MemoryAuthorizer, MemoryStore
from storage.sessions_memory import MemorySessions

EPOCH = Epoch("9f2c4e7a01b35d68")


class MemoryWorld:
    def __init__(self, now_ms: Callable[[], int], diagram: DiagramId, model: ThreatModelId) -> None:
        self.tables = MemoryStore(now_ms)
        self.diagrams = MemoryDiagrams(self.tables)
        self.sessions = MemorySessions(self.tables)
        self.authorizer = MemoryAuthorizer(self.tables)
        self.model = model
        self.tables.create_diagram(NewDiagram(diagram, model, EPOCH, {}, (), 0))

    def set_role(self, user: UserId, role: Role) -> None:
        self.tables.set_role(self.model, user, role)

    @staticmethod
    def beginning() -> Head:
        return Head(EPOCH, 0, 0, 0)

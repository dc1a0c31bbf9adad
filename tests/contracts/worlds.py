"""The stores a contract suite can run against, with one way to prepare them, and the values it prepares them with."""

from __future__ import annotations

from typing import Any, Protocol

import msgspec

from collab.core.effects import Commit
from collab.ports import Authorizer, DiagramStore, SessionStore
from protocol.operations import (
    CellEffect,
    CellInverse,
    Effect,
    Inverse,
    Kind,
    LoggedOperation,
    Outcome,
    Verb,
    Verdict,
)
from protocol.statehash import cell_hash, combine
from protocol.values import (
    Caller,
    Cell,
    CellId,
    DiagramId,
    Epoch,
    Head,
    OperationId,
    Role,
    ThreatModelId,
    User,
)
from rest.ports import Entry, NewDiagram, ThreatModel
from storage.accounts import SqlAccounts
from storage.database import Database
from storage.diagrams import SqlDiagrams
from storage.diagrams_memory import MemoryDiagrams
from storage.memory import MemoryAuthorizer, MemoryStore
from storage.models import SqlModels
from storage.rights import SqlAuthorizer
from storage.sessions import SqlSessions
from storage.sessions_memory import MemorySessions
from storage.trail import SqlTrail

ANA = User("test", "ana", "ana@example.com", "Ana")
BO = User("test", "bo", "bo@example.com", "Bo")
CY = User("other", "cy", "cy@example.com", "Cy")
MODEL = ThreatModelId("m")
D = DiagramId("d")
EPOCH = Epoch("00000000000000aa")
CELLS: tuple[Cell, ...] = (
    {"id": "a", "shape": "process", "x": 1, "y": 2, "width": 80, "height": 40, "attrs": {"body": {"fill": "#fff"}}},
    {"id": "b", "shape": "store", "x": 1.5, "y": -2, "width": 80, "height": 40, "label": "é€😀"},
)


class Hands:
    """A clock that is turned by hand; Unix milliseconds."""

    def __init__(self) -> None:
        self.ms = 1_800_000_000_000

    def __call__(self) -> int:
        return self.ms

    def turn(self, seconds: float) -> None:
        self.ms += round(seconds * 1000)


class Growing(Protocol):
    @property
    def diagrams(self) -> DiagramStore: ...


class World(Growing, Protocol):
    @property
    def clock(self) -> Hands: ...
    @property
    def sessions(self) -> SessionStore: ...
    @property
    def authorizer(self) -> Authorizer: ...

    async def add(self, id: DiagramId = D, cells: tuple[Cell, ...] = CELLS) -> Head:
        """A diagram of ANA's threat model."""

    async def delete(self, id: DiagramId = D) -> None: ...

    async def allow(self, user: User, role: Role) -> None:
        """On the threat model: raises acl_version."""


def new_diagram(id: DiagramId, cells: tuple[Cell, ...]) -> NewDiagram:
    state_hash = combine(map(cell_hash, cells))
    return NewDiagram(id, MODEL, EPOCH, {"name": f"Diagram {id}"}, cells, state_hash)


class MemoryWorld:
    def __init__(self) -> None:
        self.clock = Hands()
        self.store = MemoryStore(self.clock)
        self.store.set_role(MODEL, ANA.id, Role.OWNER)
        self.diagrams = MemoryDiagrams(self.store)
        self.sessions = MemorySessions(self.store)
        self.authorizer = MemoryAuthorizer(self.store)

    async def add(self, id: DiagramId = D, cells: tuple[Cell, ...] = CELLS) -> Head:
        self.store.create_diagram(new_diagram(id, cells))
        return (await self.diagrams.heads([id]))[id]

    async def delete(self, id: DiagramId = D) -> None:
        self.store.delete_diagram(id)

    async def allow(self, user: User, role: Role) -> None:
        self.store.set_role(MODEL, user.id, role)


class SqlWorld:
    def __init__(self, database: Database) -> None:
        self.clock = Hands()
        self.database = database
        self.diagrams = SqlDiagrams(database, self.clock)
        self.sessions = SqlSessions(database, self.clock)
        self.authorizer = SqlAuthorizer(database)
        self.models = SqlModels(database, self.clock)
        self.accounts = SqlAccounts(database, self.clock)
        self.trail = SqlTrail(database)

    async def add(self, id: DiagramId = D, cells: tuple[Cell, ...] = CELLS) -> Head:
        if await self.models.read(MODEL) is None:
            await self.models.create(ThreatModel(MODEL, ANA, ANA, 0, 0, {"name": "Model"}, (), {}))
        assert await self.models.create_diagram(new_diagram(id, cells)) is not None
        return (await self.diagrams.heads([id]))[id]

    async def delete(self, id: DiagramId = D) -> None:
        await self.models.delete_diagram(id)

    async def allow(self, user: User, role: Role) -> None:
        model = await self.models.read(MODEL)
        assert model is not None
        entry = Entry("user", role, user.provider, user.provider_id, user.email)
        kept = tuple(other for other in model.entries if other.provider_id != user.provider_id)
        await self.models.change(msgspec.structs.replace(model, entries=(*kept, entry)))


# values -------------------------------------------------------------------------------------------------------------


def caller(user: User, *groups: str, **more: Any) -> Caller:
    return Caller(user=user, groups=groups, **more)


def operation(vector: int, user: User = ANA, **more: Any) -> LoggedOperation:
    """One that moves cell a to x = `vector`; its hash is not that of any cells."""
    values: dict[str, Any] = {
        "vector": vector,
        "operation_id": OperationId(f"op-{vector}"),
        "user": user,
        "kind": Kind.EDIT,
        "effect": Effect((CellEffect(CellId("a"), Verb.UPDATE, {"x": vector}),)),
        "inverse": Inverse((CellInverse(CellId("a"), Verb.UPDATE, None, ((("x",), (vector - 1,)),)),)),
        "state_hash": 2**127 + vector,
        "at_ms": 1_800_000_000_000 + vector,
    }
    return LoggedOperation(**(values | more))


def outcome(of: LoggedOperation, **more: Any) -> Outcome:
    values: dict[str, Any] = {
        "user": of.user.id,
        "operation_id": of.operation_id,
        "payload_sha256": b"\x01" * 32,
        "verdict": Verdict.ACCEPTED,
        "epoch": EPOCH,
        "vector": of.vector,
        "kind": of.kind,
    }
    return Outcome(**(values | more))


def batch(base: Head, *operations: LoggedOperation, also: tuple[Outcome, ...] = ()) -> Commit:
    """The operations and their outcomes, and outcomes of ids that were not accepted."""
    return Commit(base, operations, (*map(outcome, operations), *also))


async def head_of(world: Growing, id: DiagramId = D) -> Head:
    return (await world.diagrams.heads([id]))[id]


async def grow(world: Growing, count: int, id: DiagramId = D, user: User = ANA, **more: Any) -> Head:
    """Commits `count` operations in one batch; returns the new head."""
    head = await head_of(world, id)
    operations = [operation(head.vector + n, user, **more) for n in range(1, count + 1)]
    await world.diagrams.commit(id, batch(head, *operations))
    return await head_of(world, id)

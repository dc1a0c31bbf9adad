"""The inside of a server in the test's own process: real store, rooms and WebSocket edge, a clock turned by hand."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from uuid import uuid4

from collab.access.guard import Guard
from collab.access.keys import shared
from collab.access.origins import Origins
from collab.access.tokens import Tokens
from collab.core.state import RoomSettings
from collab.endpoint import Endpoint
from collab.handshake import Handshake, Rules
from collab.news import Seal
from collab.ports import Bus, Grant, NewSession, Presence, Session
from collab.room_task import RoomPorts
from collab.rooms import Rooms
from collab.tasks import Tasks
from protocol.notices import ServerFacts
from protocol.values import Caller, DiagramId, Epoch, Limits, Role, SessionId, ThreatModelId, User
from rest.ports import Entry, NewDiagram, ThreatModel
from storage.accounts import SqlAccounts
from storage.bus_memory import MemoryBus
from storage.diagrams import SqlDiagrams
from storage.models import SqlModels
from storage.presence_memory import MemoryPresence
from storage.rights import SqlAuthorizer
from storage.sessions import SqlSessions
from storage.sqlite import SqliteDatabase
from tests.support.clock import HandClock
from tests.support.stores import new_sqlite

KEY = b"a key of a test, which is long enough"
LIMITS = Limits()
DEVELOPMENT = Rules(Origins.of((), development=True))


class Premises:
    """`threat_model` and `diagram` belong to ana; bo writes, cy reads, eve may nothing."""

    def __init__(
        self,
        database: SqliteDatabase,
        rules: Rules,
        limits: Limits,
        *,
        worker: str = "w1",
        clock: HandClock | None = None,
        bus: Bus | None = None,
        presence: Presence | None = None,
        settings: RoomSettings | None = None,
    ) -> None:
        self.clock = clock = clock or HandClock()
        self.database = database
        self.accounts = SqlAccounts(database, self.now_ms)
        self.sessions = SqlSessions(database, self.now_ms)
        self.authorizer = SqlAuthorizer(database)
        self.models = SqlModels(database, self.now_ms)
        self.tokens = Tokens((shared(KEY),), "codraw", "codraw", self.now_ms)
        self.crashes: list[str] = []
        self.tasks = Tasks(lambda name, error: self.crashes.append(f"{name}: {error!r}"))
        self.ports = RoomPorts(
            store=SqlDiagrams(database, self.now_ms),
            sessions=self.sessions,
            authorizer=self.authorizer,
            presence=presence or MemoryPresence(self.now_ms),
            clock=clock,
            tasks=self.tasks,
            worker=worker,
            server=ServerFacts(),
            bus=bus or MemoryBus(),
            seal=Seal(KEY, worker),
        )
        self.rooms = Rooms(self.ports, settings or RoomSettings(limits=limits))
        self.guard = Guard(self.accounts, clock)
        self.handshake = Handshake(rules, self.tokens.verify, self.sessions, self.authorizer, self.accounts, clock)
        self.endpoint = Endpoint(self.handshake, self.rooms, self.guard, self.tasks, clock, limits)
        self.threat_model = ThreatModelId(str(uuid4()))
        self.diagram = DiagramId(str(uuid4()))

    def now_ms(self) -> int:
        return self.clock.now().wall_ms

    @property
    def path(self) -> str:
        return f"/threat_models/{self.threat_model}/diagrams/{self.diagram}/ws"

    async def sign_in(self, name: str) -> tuple[str, Caller]:
        """A fresh login: its access token, and who that is."""
        issued, caller = self.tokens.issue(Caller(person(name), sid=str(uuid4())))
        await self.accounts.start_login(caller.sid, caller)
        return issued, caller

    async def token(self, name: str) -> str:
        return (await self.sign_in(name))[0]

    async def ticket(self, name: str, session: SessionId | None = None, diagram: DiagramId | None = None) -> str:
        _, caller = await self.sign_in(name)
        if session is None:
            live = await self.sessions.live(self.diagram)
            session = live.id if live else SessionId(str(uuid4()))
        secret = f"ticket-{uuid4()}"
        await self.sessions.issue_ticket(secret, Grant(caller, session, diagram or self.diagram), 30_000)
        return secret

    async def open_session(self, host: str = "ana") -> Session:
        created = await self.sessions.create(NewSession(SessionId(str(uuid4())), self.diagram, person(host)))
        assert isinstance(created, Session)
        return created

    async def found(self, cells: Sequence[Any] = ()) -> None:
        ana = person("ana")
        entries = tuple(Entry("user", role, "test", name) for name, role in (("bo", Role.WRITER), ("cy", Role.READER)))
        for name in ("ana", "bo", "cy", "eve"):
            await self.accounts.remember(Caller(person(name)))
        await self.models.create(ThreatModel(self.threat_model, ana, ana, 0, 0, {"name": "model"}, entries, {}))
        canonical, state_hash = await self.rooms.found(cells, free_ids=False)
        epoch = Epoch("9f2c4e7a01b35d68")
        await self.models.create_diagram(
            NewDiagram(self.diagram, self.threat_model, epoch, {"name": "diagram"}, canonical, state_hash)
        )


def person(name: str) -> User:
    return User("test", name, f"{name}@example.org", name.capitalize())


@asynccontextmanager
async def premises(
    folder: Path, *, rules: Rules = DEVELOPMENT, limits: Limits = LIMITS, cells: Sequence[Any] = ()
) -> AsyncIterator[Premises]:
    database = SqliteDatabase(new_sqlite(folder / "store.db"))
    try:
        house = Premises(database, rules, limits)
        await house.found(cells)
        yield house
        await house.rooms.close()
        await house.tasks.close()
        assert house.crashes == []
    finally:
        await database.close()

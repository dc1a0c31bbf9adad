"""The HTTP edge over a real store and real rooms in the test's own process; its clock is turned by hand."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx2

from collab.access.keys import shared
from collab.access.origins import Origins
from collab.access.tokens import Tokens
from collab.core.meeting import Deny, Session
from collab.core.state import RoomSettings
from collab.news import Seal
from collab.room_task import RoomPorts
from collab.rooms import Rooms
from collab.tasks import Tasks
from protocol.notices import ServerFacts
from protocol.values import Caller, Limits, SessionId, User
from rest.dependencies import OAuth, RestDependencies, Webhooks
from rest.oauth.providers import Provider, for_development
from rest.routes import application
from rest.views import TMI, WIKI
from storage.accounts import SqlAccounts
from storage.bus_memory import MemoryBus
from storage.diagrams import SqlDiagrams
from storage.models import SqlModels
from storage.presence_memory import MemoryPresence
from storage.rights import SqlAuthorizer
from storage.sessions import SqlSessions
from storage.sqlite import SqliteDatabase
from storage.trail import SqlTrail
from storage.webhooks import SqlSubscriptions
from tests.support.clock import HandClock
from tests.support.contract import faults, unasked
from tests.support.fronts import front
from tests.support.stores import new_sqlite
from tests.support.tree import lines

BASE = "http://here:8080"
LISTED = "https://app.example.org"
NOWHERE = "00000000-0000-4000-8000-000000000000"
"""A well-formed id of nothing."""

CALLBACKS = frozenset(("https://app.example.org/oauth2/callback",))
LIMITS = Limits(max_cells_per_diagram=1_000)
NODE = {"id": "a", "shape": "process", "x": 100, "y": 200, "width": 120, "height": 80, "label": "A"}


def node(id: str, **more: Any) -> dict[str, Any]:
    return {**NODE, "id": id, **more}


class Edge:
    """`http` asks as nobody; `as_` as somebody, with the test provider's e-mail address."""

    def __init__(
        self,
        database: SqliteDatabase,
        profile: str,
        development: bool,
        providers: Sequence[Provider],
        worker: str = "w1",
    ) -> None:
        self.clock = HandClock()
        self.database = database
        self.tasks = Tasks()
        self.accounts = SqlAccounts(database, self._now)
        self.sessions = SqlSessions(database, self._now)
        self.models = SqlModels(database, self._now)
        self.presence = MemoryPresence(self._now)
        self.tokens = Tokens((shared(b"k" * 32),), BASE, BASE, self._now)
        authorizer = SqlAuthorizer(database)
        ports = RoomPorts(
            store=SqlDiagrams(database, self._now),
            sessions=self.sessions,
            authorizer=authorizer,
            presence=self.presence,
            clock=self.clock,
            tasks=self.tasks,
            worker=worker,
            server=ServerFacts(),
            bus=MemoryBus(),
            seal=Seal(b"k" * 32, worker),
        )
        self.rooms = Rooms(ports, RoomSettings(limits=LIMITS))
        self.deps = RestDependencies(
            front=front(),
            models=self.models,
            accounts=self.accounts,
            sessions=self.sessions,
            authorizer=authorizer,
            rooms=self.rooms,
            tokens=self.tokens,
            now_ms=self._now,
            trail=SqlTrail(database),
            webhooks=Webhooks(SqlSubscriptions(database, self._now), seal=lambda secret: f"sealed {secret}"),
            oauth=OAuth(providers, CALLBACKS, frozenset(("old-tool",))),
            origins=Origins.of((LISTED,), development=False),
            limits=LIMITS,
            forms=TMI if profile == "tmi" else WIKI,
            development=development,
        )
        self._application = (self.deps, application(self.deps))
        self.http = self.client()

    def _now(self) -> int:
        return self.clock.now().wall_ms

    def client(self, **given: Any) -> httpx2.AsyncClient:
        """All have the same application, as on a worker, until `deps` are others: to make one takes 5 ms of CPU."""
        if self._application[0] is not self.deps:
            self._application = (self.deps, application(self.deps))
        transport = httpx2.ASGITransport(self._application[1], raise_app_exceptions=True)
        hooks = {"response": [promised]}
        return httpx2.AsyncClient(transport=transport, base_url=BASE, event_hooks=hooks, **given)

    async def as_(self, name: str, groups: tuple[str, ...] = (), provider: str = "test") -> Somebody:
        """A person with a login of their own, known to the store."""
        user = User(provider, name, f"{name}@tmi.local", name.capitalize())
        caller = Caller(user, groups, sid=f"login-of-{provider}-{name}")
        await self.accounts.remember(caller)
        await self.accounts.start_login(caller.sid, caller)
        token, caller = self.tokens.issue(caller)
        return Somebody(self.client(headers={"Authorization": f"Bearer {token}"}), caller, token)

    async def eject(self, session: SessionId, somebody: Somebody) -> None:
        """As the host does by socket (SES18)."""
        before = await self.sessions.read(session)
        assert before is not None
        changed = await self.sessions.change(session, before.version, Deny(somebody.caller.user, before.presenter))
        assert isinstance(changed, Session)

    async def close(self) -> None:
        await self.http.aclose()
        await self.rooms.close()
        await self.tasks.close()
        await self.database.close()


class Somebody:
    """A signed-in client. Requests that fail to be answered as expected show the answer."""

    def __init__(self, http: httpx2.AsyncClient, caller: Caller, token: str) -> None:
        self.http = http
        self.caller = caller
        self.token = token

    async def ask(self, method: str, path: str, json: Any = None, **given: Any) -> httpx2.Response:
        if json is not None:
            given["json"] = json
        return await self.http.request(method, path, **given)

    async def get(self, path: str, **given: Any) -> Any:
        return self._good(await self.ask("GET", path, **given), 200)

    async def post(self, path: str, json: Any = None, status: int = 201, **given: Any) -> Any:
        return self._good(await self.ask("POST", path, json, **given), status)

    async def put(self, path: str, json: Any = None, **given: Any) -> Any:
        return self._good(await self.ask("PUT", path, json, **given), 200)

    async def patch(self, path: str, json: Any, kind: str = "application/json", **given: Any) -> Any:
        headers = {"Content-Type": kind, **given.pop("headers", {})}
        return self._good(await self.ask("PATCH", path, json, headers=headers, **given), 200)

    async def delete(self, path: str, **given: Any) -> None:
        self._good(await self.ask("DELETE", path, **given), 204)

    async def refused(self, status: int, error: str, method: str, path: str, json: Any = None, **given: Any) -> Any:
        """The body of a refusal, whose form is looked at on the way (RE1)."""
        return refusal(await self.ask(method, path, json, **given), status, error)

    def _good(self, answer: httpx2.Response, status: int) -> Any:
        assert answer.status_code == status, (answer.status_code, answer.text)
        return answer.json() if answer.content else None

    async def threat_model(self, **fields: Any) -> str:
        """Its path."""
        made = await self.post("/threat_models", {"name": "Model", **fields})
        return f"/threat_models/{made['id']}"

    async def shared_model(self, *people: tuple[str, str]) -> str:
        """A threat model with these (name, role) as further entries."""
        entries = [{"subject_type": "user", "provider": "test", "provider_id": n, "role": r} for n, r in people]
        return await self.threat_model(authorization=entries)

    async def diagram(self, model: str, cells: list[Any] | None = None, **fields: Any) -> str:
        made = await self.post(f"{model}/diagrams", {"name": "Diagram", "cells": cells or [], **fields})
        return f"{model}/diagrams/{made['id']}"


async def promised(answer: httpx2.Response) -> None:
    """Every answer to every test is one that openapi.yml promises, and every accepted body one that it asks for."""
    request = answer.request
    if request.method not in ("GET", "PUT", "POST", "DELETE", "PATCH"):
        return
    await answer.aread()
    kind = answer.headers.get("content-type", "").partition(";")[0]
    body = json.loads(answer.content) if kind == "application/json" else answer.content or None
    found = faults(request.method, request.url.path, answer.status_code, kind, body, answer.headers)
    if answer.is_success:
        found += _unasked(request)
    assert not found, lines(found)


def _unasked(request: httpx2.Request) -> list[str]:
    kind = request.headers.get("content-type", "application/json").partition(";")[0].strip().lower()
    # What came piece by piece is gone.
    sent = request.read() if isinstance(request.stream, httpx2.ByteStream) else b""
    if not sent or not kind.endswith("json"):
        return []
    return unasked(request.method, request.url.path, kind, json.loads(sent))


def deps_of_nothing() -> RestDependencies:
    """For looking at the routes only."""
    nothing: Any = None
    return RestDependencies(
        front(),
        nothing,
        nothing,
        nothing,
        nothing,
        nothing,
        Tokens((shared(b"k" * 32),), "", "", lambda: 0),
        lambda: 0,
        nothing,
    )


def refusal(answer: httpx2.Response, status: int, error: str) -> Any:
    assert answer.status_code == status, (answer.status_code, answer.text)
    body = answer.json()
    assert body["error"] == error, body
    assert {"error", "message", "error_description", "details"} <= body.keys()
    assert body["message"] == body["error_description"]
    assert "Traceback" not in answer.text and "SELECT" not in answer.text and "/site-packages" not in answer.text
    return body


@asynccontextmanager
async def edge(
    folder: Path, profile: str = "wiki", development: bool = True, providers: Sequence[Provider] | None = None
) -> AsyncIterator[Edge]:
    database = SqliteDatabase(new_sqlite(folder / "codraw.db"))
    if providers is None:
        providers = for_development() if development else ()
    made = Edge(database, profile, development, providers)
    try:
        yield made
    finally:
        await made.close()

"""Two whole houses on one store in the test's own process, and editors who sit in either: the world of the machines."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

import httpx2

from codraw.house import House
from codraw.settings import Settings
from codraw.stores import Stores, open_store, open_stores
from protocol.values import DiagramId, Limits
from storage.bus_memory import MemoryBus, MemoryHub
from storage.diagrams import SqlDiagrams
from storage.presence_memory import MemoryPresence
from tests.naive import NaiveDiagram
from tests.simulator.truth import Copy
from tests.support.wire import Line

SECRET = "n0t-a-default:9f2c41d7e8b35a60c1d2"
PATIENCE_S = 30.0
LIMITS = Limits()
NAMES = ("ana", "bo", "cy")

Message = dict[str, Any]


@dataclass(slots=True)
class SharedStores(Stores):
    """Of a database that another house has, too."""

    async def close(self) -> None:
        """Whoever opened it closes it."""


class Town:
    """`people`: access tokens by name. Each history has a diagram of its own."""

    def __init__(self, houses: Sequence[House], store: SqlDiagrams) -> None:
        self.houses = houses
        self.store = store
        self.people: dict[str, str] = {}
        self._http = [
            httpx2.AsyncClient(
                transport=httpx2.ASGITransport(house.http), base_url="http://diagrams.example", follow_redirects=True
            )
            for house in houses
        ]

    async def sign_in(self) -> None:
        for name in NAMES:
            answer = await self._http[0].get("/oauth2/authorize", params={"idp": "test", "login_hint": name})
            assert answer.status_code == 200, answer.text
            self.people[name] = answer.json()["access_token"]

    async def ask(
        self, house: int, name: str, method: str, path: str, body: Any = None, **headers: str
    ) -> httpx2.Response:
        bearer = {"Authorization": f"Bearer {self.people[name]}"}
        return await self._http[house].request(method, path, json=body, headers=bearer | headers)

    async def close(self) -> None:
        for http in self._http:
            await http.aclose()


@asynccontextmanager
async def town(store_url: str, redis_url: str | None = None) -> AsyncIterator[Town]:
    """On SQLite both houses share the one file that is open; on PostgreSQL each has connections of its own."""
    async with AsyncExitStack() as stack:
        given: dict[str, Any] = {"mode": "development", "secret_key": SECRET, "store_url": store_url}
        settings = Settings(**given, **({"redis_url": redis_url} if redis_url else {}))
        hub, presence = MemoryHub(), MemoryPresence()
        houses: list[House] = []
        if redis_url is None:
            first = await open_store(settings)
            stack.push_async_callback(first.close)
        for number in range(2):
            if redis_url is not None:
                stores = await open_stores(settings, f"w{number}")
            else:
                database = first
                if settings.postgres and number:
                    database = await open_store(settings)
                    stack.push_async_callback(database.close)
                stores = SharedStores(database, bus=MemoryBus(hub), presence=presence, worker=f"w{number}")
            house = House(settings, stores)
            house.start()
            stack.push_async_callback(house.close)
            houses.append(house)
        database = houses[0]._stores.database
        made = Town(houses, SqlDiagrams(database))
        stack.push_async_callback(made.close)
        await made.sign_in()
        yield made


class Seat:
    """A `codraw.v1` editor: a copy of the diagram that its frames move, and what its requests came to."""

    def __init__(self, town: Town, house: int, name: str, path: str) -> None:
        self.town, self.house, self.name, self.path = town, house, name, path
        self.line: Line | None = None
        self.epoch, self.vector = "", -1
        self.copy = Copy([])
        self.answers: dict[str, Message] = {}
        self.asked: dict[str, list[Message]] = {}
        self.goodbye: Message | None = None
        self.welcomed = False

    @property
    def here(self) -> bool:
        return self.line is not None and self.goodbye is None

    async def sit(self, session: str, house: int) -> bool:
        """False: not let in."""
        answer = await self.town.ask(house, self.name, "GET", f"/ws/ticket?session_id={session}")
        if answer.status_code != 200:
            assert answer.status_code in (403, 404), answer.text
            return False
        self.house, self.goodbye = house, None
        query = {"ticket": answer.json()["ticket"], "dialect": "codraw.v1"}
        if self.vector >= 0:
            query["resume"] = f"{self.epoch}:{self.vector}"
        self.line = Line(self.town.houses[house].socket, f"{self.path}/ws", query)
        await self.until(lambda: self.vector >= 0 and self.welcomed)
        return True

    def say(self, message: Message) -> None:
        assert self.line is not None
        self.line.say(message)

    def leave(self, code: int = 1006) -> None:
        if self.line is not None:
            self.line.leave(code=code, reason="")
            self.line = None
        self.welcomed = False

    async def answer(self, id: str) -> Message:
        await self.until(lambda: id in self.answers)
        return self.answers.pop(id)

    async def until(self, true: Any) -> None:
        """Reads until it is so, or the server has closed."""
        assert self.line is not None
        async with asyncio.timeout(PATIENCE_S):
            while not true() and self.goodbye is None:
                self.receive(await self.line.frames.get())
        assert self.line.faults == []

    def receive(self, message: Message) -> None:
        match message["message_type"]:
            case "welcome":
                self.welcomed = True
            case "state":
                same = message["epoch"] == self.epoch
                assert not same or message["update_vector"] >= self.vector, ("I10", message)
                self.epoch, self.vector = message["epoch"], message["update_vector"]
                self.copy = Copy(message["cells"])
            case "resumed":
                assert message["from"] == self.vector, ("I17", self.vector, message)
            case "event":
                assert message["update_vector"] == self.vector + 1, ("I8", self.name, self.vector, message)
                self.take(message["operation"])
            case "operation_accepted":
                self.receipt(message)
                self.answers[message["operation_id"]] = message
            case "operation_rejected":
                self.answers[message["operation_id"]] = message
            case "goodbye":
                self.goodbye = message
            case _:
                """Who is there, and what they point at: rules of other tests."""

    def receipt(self, message: Message) -> None:
        if not message["changed"] or message["duplicate"]:
            return
        assert message["update_vector"] == self.vector + 1, ("I8", self.name, self.vector, message)
        cells = message["cells"] if "cells" in message else self.asked[message["operation_id"]]
        self.take({"cells": cells})

    def take(self, operation: Message) -> None:
        for entry in operation["cells"]:
            self.copy.put(entry["operation"], entry["id"], entry.get("data"))
        if (order := operation.get("order")) is not None:
            self.copy.cells = sorted(self.copy.cells, key=lambda cell: order.index(cell["id"]))
        self.vector += 1


async def log_of(town: Town, diagram: DiagramId) -> NaiveDiagram:
    """I3, I4, I13: dense, each id once, each hash that of the naive replay. Returns what it comes to."""
    (head,) = (await town.store.heads((diagram,))).values()
    replayed, ids, vector = NaiveDiagram([]), set(), 0
    async for row in town.store.log(diagram, head.epoch):
        vector += 1
        assert row.vector == vector, ("I3", vector, row.vector)
        replayed.replay(row.effect)
        assert replayed.hash() == row.state_hash, ("I13", vector)
        key = (row.user.id, row.operation_id)
        assert key not in ids, ("I4", key)
        ids.add(key)
    assert (head.vector, head.state_hash) == (vector, replayed.hash()), "I3"
    return replayed


def new_id() -> str:
    return str(uuid4())

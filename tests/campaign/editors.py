"""Clients of every kind on all workers, who come back to any of them and send again what has no answer."""

from __future__ import annotations

import asyncio
import json
import random
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Collection, Sequence
from typing import Any
from uuid import UUID

import httpx2
from websockets.asyncio.client import ClientConnection
from websockets.exceptions import ConnectionClosed, WebSocketException

from tests.campaign.stage import Stage, Worker
from tests.campaign.traces import Message, Trace, word
from tests.support.asyncapi import faults
from tests.support.client import Classic, CodrawV1, Editor, Packed, Tmi, add, remove, update

BROKEN = (WebSocketException, OSError, httpx2.HTTPError, TimeoutError)
IMPATIENCE_S = 13.0
"""After so long without an answer a client takes its connection for dead; the server says no later than after ten."""
POOL = 12


FINAL = (1000, 4403, 4404)
"""Who is closed with these does not come back."""


class Refused(OSError):
    """A door said no; try another."""

    def __init__(self, status: int, body: str) -> None:
        super().__init__(f"{status}: {body[:200]}")
        self.status = status


class Doors:
    """REST on every worker, with connections that are kept."""

    def __init__(self, stage: Stage) -> None:
        self.stage = stage
        self._clients: dict[int, httpx2.AsyncClient] = {}

    def at(self, worker: Worker) -> httpx2.AsyncClient:
        if worker.number not in self._clients:
            limits = httpx2.Limits(max_connections=40, keepalive_expiry=2)
            self._clients[worker.number] = httpx2.AsyncClient(
                base_url=worker.http, timeout=IMPATIENCE_S, limits=limits, verify=False, follow_redirects=True
            )
        return self._clients[worker.number]

    async def close(self) -> None:
        for client in self._clients.values():
            await client.aclose()

    async def ask(
        self, worker: Worker, guest: Guest, method: str, path: str, json: Any = None, **headers: str
    ) -> httpx2.Response:
        bearer = {"Authorization": f"Bearer {guest.token}"}
        return await self.at(worker).request(method, path, json=json, headers=bearer | headers)


class Guest:
    """Somebody signed in; what `tests.support.client` asks of a person."""

    def __init__(self, name: str, token: str) -> None:
        self.name, self.token = name, token

    @property
    def id(self) -> str:
        return f"test:{self.name}"


class Subject:
    """A diagram with a live session. Its cells' ids name it."""

    def __init__(self, number: int, host: Guest, threat_model: str, diagram: str, session: str) -> None:
        self.number, self.host = number, host
        self.threat_model, self.diagram, self.session = threat_model, diagram, session
        self.marker = f"{0x8000 + number:04x}"
        self.ids = [f"7d3e6f5a-1b2c-4d3e-{self.marker}-{cell:012x}" for cell in range(POOL)]

    @property
    def path(self) -> str:
        return f"/threat_models/{self.threat_model}/diagrams/{self.diagram}"


class Place:
    """One subject as seen on one worker: what `tests.support.client` asks of a meeting."""

    def __init__(self, doors: Doors, worker: Worker, subject: Subject) -> None:
        self.doors, self.worker, self.subject = doors, worker, subject
        self.connections: list[ClientConnection] = []

    @property
    def url(self) -> str:
        return f"{self.worker.ws}{self.subject.path}/ws"

    async def ticket(self, guest: Guest) -> str:
        answer = await self.doors.ask(self.worker, guest, "GET", f"/ws/ticket?session_id={self.subject.session}")
        if answer.status_code != 200:
            raise Refused(answer.status_code, answer.text)
        return str(answer.json()["ticket"])


class Clock:
    """Times of all clients of a round."""

    def __init__(self) -> None:
        self.sent: dict[str, float] = {}
        self.again: set[str] = set()
        self.receipts: list[float] = []
        self.waited: list[tuple[float, float]] = []
        """Of each receipt: when the operation was sent, when it came."""
        self.deliveries: list[tuple[float, float]] = []
        """When, and after how long."""

    def says(self, operation_id: str) -> None:
        if operation_id in self.sent:
            self.again.add(operation_id)
        self.sent.setdefault(operation_id, time.monotonic())

    def receipt(self, operation_id: str) -> None:
        if operation_id in self.sent and operation_id not in self.again:
            sent, now = self.sent[operation_id], time.monotonic()
            self.receipts.append(now - sent)
            self.waited.append((sent, now))

    def delivery(self, operation_id: str, since: float) -> None:
        """To somebody who has been here since then: what is fetched on return was no delivery."""
        sent = self.sent.get(operation_id, float("-inf"))
        if sent > since and operation_id not in self.again:
            now = time.monotonic()
            self.deliveries.append((now, now - sent))


def by_id(cells: Sequence[Message]) -> list[Message]:
    return sorted(cells, key=lambda cell: str(cell["id"]))


def operation_uuid(chance: random.Random) -> str:
    return str(UUID(int=chance.getrandbits(128), version=4))


def batch(chance: random.Random, ids: Sequence[str], shown: Collection[str]) -> list[Message]:
    return [change(chance, ids, shown) for _ in range(chance.choice((1, 1, 2, 3)))]


def change(chance: random.Random, ids: Sequence[str], shown: Collection[str]) -> Message:
    """Mostly what the copy lets one do, now and then what is refused. `shown`: the cells of the copy."""
    chosen, number, fate = chance.choice(ids), chance.randrange(1_000), chance.randrange(20)
    if fate == 0:
        return remove(chosen)
    if fate == 1 or (chosen not in shown and fate < 18):
        return add(chosen, label=f"{number}")
    return update(chosen, **{chance.choice(("x", "y", "angle", "zIndex")): number})


class Seat:
    """One editor, from its first connection to its last."""

    def __init__(
        self,
        stage: Stage,
        doors: Doors,
        subject: Subject,
        kind: type[Editor],
        guest: Guest,
        *,
        name: str,
        chance: random.Random,
        rate: float,
        clock: Clock,
    ) -> None:
        self.stage, self.doors, self.subject, self.guest = stage, doors, subject, guest
        self.chance, self.rate, self.clock = chance, rate, clock
        self.editor = kind(Place(doors, stage.workers[0], subject), guest)  # type: ignore[arg-type]
        self.trace = Trace(name, guest.id, self.editor.dialect, subject.diagram)
        self.pending: dict[str, Message] = {}
        self.counts: Counter[str] = Counter()
        self.shape_faults: list[str] = []
        self.quiet = asyncio.Event()
        """It sends nothing new from now on."""
        self.leaving = asyncio.Event()
        self.welcome = asyncio.Event()
        """It stays away as long as this is not set."""
        self.welcome.set()
        self.over: str | None = None
        """Why it may not come back: what the server said."""
        self.live = asyncio.Event()
        self.connection = 0
        self.worker: Worker = stage.workers[0]
        self.undo_share = 0.15
        self.outstanding = 6
        self.opened_at = 0.0
        self.choose: Callable[[], Worker] = lambda: self.chance.choice(self.stage.workers)
        self.connection_id: str | None = None
        self._barriers: list[list[str]] = []
        self._waiting_since: dict[str, float] = {}
        self._retry_at: dict[str, float] = {}

    @property
    def is_classic(self) -> bool:
        return isinstance(self.editor, Classic)

    async def run(self) -> None:
        while not self.leaving.is_set() and self.over is None:
            try:
                await self._visit()
            except BROKEN as error:
                self.counts["breaks"] += 1
                if isinstance(error, Refused) and error.status in (400, 403, 404):
                    self.over = str(error)
            self.live.clear()
            await asyncio.sleep(self.chance.uniform(0.02, 0.25))
            await self.welcome.wait()

    async def _visit(self) -> None:
        self.worker = self.choose()
        editor = self.editor
        editor.meeting = Place(self.doors, self.worker, self.subject)  # type: ignore[assignment]
        resume = {"resume": editor.place} if isinstance(editor, CodrawV1) and editor.epoch else {}
        async with asyncio.timeout(IMPATIENCE_S):
            await editor.connect(**resume)
        self.connection += 1
        self.opened_at = time.monotonic()
        self._note("opened", {"resume": editor.place} if resume and isinstance(editor, CodrawV1) else {})
        if self.connection > 1:
            self.counts["returns"] += 1
        arrived = asyncio.Event()
        tasks = [asyncio.ensure_future(self._read(arrived)), asyncio.ensure_future(self._speak(arrived))]
        tasks.append(asyncio.ensure_future(self._watch()))
        try:
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            if self.leaving.is_set():
                await _within(editor.leave(), 2.0)
            editor.connection.transport.abort()
            code = editor.connection.protocol.close_code
            self._note("closed", {"code": code})
            if code in FINAL and not self.leaving.is_set():
                self.over = self.over or f"closed {code}"

    async def _read(self, arrived: asyncio.Event) -> None:
        editor = self.editor
        while True:
            message = editor.decode(await editor.connection.recv())
            self._note("received", message)
            self.shape_faults += faults(editor.dialect, message)
            editor.apply(message)
            self._heard(message)
            if word(message) in editor.first:
                arrived.set()
                self.live.set()

    def _heard(self, message: Message) -> None:
        match word(message):
            case "operation_accepted":
                self._settled(message["operation_id"])
            case "operation_rejected" if message.get("retry"):
                self._retry_at[message["operation_id"]] = time.monotonic() + 0.2
            case "operation_rejected":
                self._settled(message["operation_id"])
            case "diagram_operation_event":
                if message["initiating_user"]["provider_id"] == self.guest.name:
                    self._settled(message["operation_id"])
                else:
                    self.clock.delivery(message["operation_id"], self.opened_at)
            case "event":
                self.clock.delivery(message["operation_id"], self.opened_at)
            case "sync_status_response" if self._barriers:
                for id in self._barriers.pop(0):
                    self._settled(id)
            case "error" if self.is_classic:
                self.counts["classic errors"] += 1
            case "welcome":
                self.connection_id = message["you"]["connection_id"]
            case "goodbye" if message["return"] == "no":
                self.over = message["reason"]
            case "session_ended":
                self.over = "session_ended"

    def _settled(self, id: str) -> None:
        if self.pending.pop(id, None) is not None and not self.is_classic:
            self.clock.receipt(id)
        self._waiting_since.pop(id, None)
        self._retry_at.pop(id, None)

    async def _speak(self, arrived: asyncio.Event) -> None:
        async with asyncio.timeout(IMPATIENCE_S):
            await arrived.wait()
        self._barriers.clear()
        for id, message in list(self.pending.items()):
            self.counts["sent again"] += 1
            await self._say(id, message)
        if self.is_classic and self.pending:
            self.editor.doubtful = True  # type: ignore[attr-defined]
        if self.is_classic:
            await self._barrier()
        while True:
            await asyncio.sleep(self.chance.expovariate(self.rate) if self._writes() else 0.05)
            if self.is_classic and self.editor.doubtful:  # type: ignore[attr-defined]
                self.editor.doubtful = False  # type: ignore[attr-defined]
                await self._raw({"message_type": "sync_request"})
            for id in [id for id, at in self._retry_at.items() if at <= time.monotonic()]:
                del self._retry_at[id]
                if id in self.pending:
                    self.counts["sent again"] += 1
                    await self._say(id, self.pending[id])
            if self._writes() and len(self.pending) < self.outstanding:
                await self._something()

    def _writes(self) -> bool:
        return self.rate > 0 and not self.quiet.is_set()

    async def _something(self) -> None:
        editor = self.editor
        id = operation_uuid(self.chance)
        if self.chance.random() < self.undo_share:
            kind = self.chance.choice(("undo", "undo", "redo"))
            if isinstance(editor, CodrawV1):
                await self._new(id, {"message_type": kind, "operation_id": id})
            elif self.chance.random() < 0.2:
                await self._raw({"message_type": f"{kind}_request"})
        else:
            await self._new(id, editor.operation(batch(self.chance, self.subject.ids, editor.cells), id))
        if isinstance(editor, CodrawV1) and self.chance.random() < 0.1:
            await self._raw({"message_type": "awareness", "cursor": {"x": self.chance.randrange(900), "y": 7}})

    async def _new(self, id: str, message: Message) -> None:
        self.counts["submitted"] += 1
        self.pending[id] = message
        await self._say(id, message)
        if self.is_classic:
            await self._barrier()

    async def _barrier(self) -> None:
        """A classic client hears of failures only; the answer to this comes after its operations were judged."""
        self._barriers.append(list(self.pending))
        await self._raw({"message_type": "sync_status_request"})

    async def _say(self, id: str, message: Message) -> None:
        self.clock.says(id)
        self._waiting_since[id] = time.monotonic()
        if "operation" in message:
            self.editor.sent(message)
        await self._raw(message)

    async def _raw(self, message: Message) -> None:
        self._note("sent", message)
        await self.editor.say(message)

    async def _watch(self) -> None:
        """Real clients notice a dead connection by missing beats; this one by missing answers."""
        while not self.leaving.is_set():
            await asyncio.sleep(0.1)
            now = time.monotonic()
            if any(now - since > IMPATIENCE_S for since in self._waiting_since.values()):
                self._waiting_since.clear()
                self.counts["impatient"] += 1
                return

    def _note(self, what: Any, message: Message) -> None:
        self.trace.add(what, self.worker.number, self.connection, message)

    # at rest ----------------------------------------------------------------------------------------------------------

    def copy(self) -> tuple[int, list[Message]]:
        return self.editor.vector, self.editor.copy()

    def equals(self, vector: int, cells: Sequence[Message]) -> bool:
        if self.over is not None:
            return True
        if not self.live.is_set() or self.pending:
            return False
        if self.is_classic or isinstance(self.editor, Tmi):
            # I2: the order of cells added at once may differ until the next full state.
            return (self.is_classic or self.editor.vector == vector) and by_id(self.editor.copy()) == by_id(cells)
        return self.editor.vector == vector and self.editor.copy() == list(cells)

    async def fetch(self) -> None:
        """A classic client that is not told so cannot know that its copy is wrong: it asks."""
        try:
            await self._raw({"message_type": "sync_request"})
        except ConnectionClosed:
            return

    def keep_copy(self) -> None:
        vector, cells = self.copy()
        message = {"vector": vector, "cells": json.loads(json.dumps(cells)), "over": self.over}
        if isinstance(self.editor, CodrawV1):
            message |= {"epoch": self.editor.epoch, "state_hash": self.editor.state_hash()}
        self._note("copy", message)


class Program:
    """One that speaks REST only: edits, whole replacements, and reads, on any worker."""

    def __init__(
        self, stage: Stage, doors: Doors, subject: Subject, guest: Guest, *, name: str, chance: random.Random,
        rate: float, clock: Clock,
    ) -> None:  # fmt: skip
        self.stage, self.doors, self.subject, self.guest = stage, doors, subject, guest
        self.chance, self.rate, self.clock = chance, rate, clock
        self.trace = Trace(name, guest.id, "rest", subject.diagram)
        self.counts: Counter[str] = Counter()
        self.quiet = asyncio.Event()
        self.idle = asyncio.Event()
        self._request = 0

    async def run(self) -> None:
        while not self.quiet.is_set():
            await asyncio.sleep(self.chance.expovariate(self.rate))
            match self.chance.randrange(10):
                case 0 | 1 | 2 | 3:
                    await self._operation()
                case 4:
                    await self._replacement()
                case _:
                    await self._until_answered("GET", self.subject.path, None, tries=1)
        self.idle.set()

    async def _operation(self) -> None:
        id = operation_uuid(self.chance)
        body = {
            "operation_id": id,
            "operation": {"type": "patch", "cells": batch(self.chance, self.subject.ids, self.subject.ids)},
        }
        self.counts["submitted"] += 1
        await self._until_answered("POST", f"{self.subject.path}/operations", body)

    async def _replacement(self) -> None:
        seen = await self._until_answered("GET", self.subject.path, None, tries=1)
        if seen is None or seen.status_code != 200:
            return
        shown = seen.json()
        cells = [cell | {"label": f"r{self.chance.randrange(100)}"} for cell in shown["cells"]]
        self.chance.shuffle(cells)
        tag = {"If-Match": f'"{shown["update_vector"]}"'}
        await self._until_answered("PATCH", self.subject.path, {"cells": cells}, tries=1, **tag)

    async def _until_answered(
        self, method: str, path: str, body: Any, tries: int = 1_000, **headers: str
    ) -> httpx2.Response | None:
        """Sent again, to any worker, until it is answered by more than `not now`."""
        for attempt in range(tries):
            worker = self.chance.choice(self.stage.workers)
            self._request += 1
            request = self._request
            if body is not None and "operation_id" in body:
                self.clock.says(body["operation_id"])
            asked = {"method": method, "path": path, "body": body, "again": attempt > 0, "headers": headers}
            self.trace.add("asked", worker.number, request, asked)
            try:
                answer = await self.doors.ask(worker, self.guest, method, path, body, **headers)
            except BROKEN as error:
                self.trace.add("answered", worker.number, request, {"status": 0, "error": repr(error)})
                self.counts["breaks"] += 1
                await asyncio.sleep(0.1)
                continue
            self.trace.add("answered", worker.number, request, _shown(answer))
            if answer.status_code not in (429, 502, 503, 504):
                return answer
            self.counts["sent again"] += 1
            await asyncio.sleep(0.2)
        return None


def _shown(answer: httpx2.Response) -> Message:
    try:
        body = answer.json()
    except ValueError:
        body = None
    return {"status": answer.status_code, "etag": answer.headers.get("etag"), "body": body}


async def _within(doing: Awaitable[None], seconds: float) -> None:
    try:
        async with asyncio.timeout(seconds):
            await doing
    except BROKEN:
        return


KINDS: tuple[type[Editor], ...] = (CodrawV1, Tmi, Classic, Packed)

"""What a check plays on: fresh threat models, diagrams, sessions and sockets, all of them gone afterwards."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

import httpx2
from websockets.asyncio.client import connect
from websockets.typing import Origin, Subprotocol

from codraw.conform.messages import (
    Cell,
    Event,
    Message,
    event_of,
    new_id,
    node,
    operation,
    update,
    word,
)
from codraw.conform.people import Person, Target, ask, json_of
from codraw.conform.rules import TEXT, Broken, Dialect, NotApplicable, equal, that
from codraw.conform.wire import Socket, Trace

MAX_SIZE = 20 * 1024 * 1024
MARKER = "00000000-0000-4000-8000-00000000feed"
"""A node of every diagram here, whose changes mark a place in the stream."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one operation came to: accepted, unchanged or refused; `own` is what its sender heard until it was over."""

    id: str
    verdict: str
    reason: str
    own: list[Message]
    events: dict[str, Event]

    def expect(self, verdict: str, *reasons: str) -> None:
        equal(self.verdict, verdict, f"the operation ({self.reason or 'no reason given'})")
        if reasons:
            that(self.reason in reasons, f"the reason: expected {' or '.join(reasons)}, came {self.reason or 'none'}")


class Stage:
    """`dialect`: the one the check runs in, for checks that run in several."""

    def __init__(self, target: Target, dialect: Dialect | None, patience_s: float) -> None:
        self.target = target
        self.patience_s = patience_s
        self.trace = Trace()
        self._dialect = dialect
        self._models: list[tuple[Person, str]] = []
        self._sockets: list[Socket] = []

    @property
    def dialect(self) -> Dialect:
        assert self._dialect is not None  # noqa: S101 - asked for by checks with dialects only
        return self._dialect

    def dialects(self, *wanted: Dialect) -> tuple[Dialect, ...]:
        """Those of them that the server offers."""
        return tuple(one for one in wanted or TEXT if one in self.target.dialects)

    def first(self, *wanted: Dialect) -> Dialect:
        """The first of them that the server offers. Raises NotApplicable."""
        found = self.dialects(*wanted)
        if not found:
            raise NotApplicable(f"needs {' or '.join(wanted)}")
        return found[0]

    async def ask(
        self, person: Person | None, method: str, path: str, body: Any = None, **more: str
    ) -> httpx2.Response:
        return await ask(self.target.http, self.trace, person, method, path, body, **more)

    async def expect(
        self, status: int, person: Person | None, method: str, path: str, body: Any = None, **more: str
    ) -> Any:
        """The object of the answer, whose status must be this."""
        answer = await self.ask(person, method, path, body, **more)
        equal(answer.status_code, status, f"{method} {path}")
        return json_of(answer) if answer.content else {}

    async def person(self, role: str) -> Person:
        return await self.target.person(role)

    async def model(self, owner: Person | None = None, roles: Mapping[str, str] | None = None) -> str:
        """A threat model of alice's; bob and carol may write, dave may read, unless `roles` says otherwise."""
        owner = owner or await self.person("alice")
        if roles is None:
            roles = {"bob": "writer", "carol": "writer", "dave": "reader"}
        entries = [(await self.person(name)).entry(role) for name, role in roles.items() if self._there(name)]
        body = {"name": "conformance", "authorization": entries}
        making = asyncio.ensure_future(self._make_model(owner, body))  # noqa: TID251 - awaited right here
        try:
            return await asyncio.shield(making)
        except asyncio.CancelledError:
            # what the server makes after the interrupt must be known to be deleted
            with suppress(Broken, httpx2.HTTPError):
                await making
            raise

    async def _make_model(self, owner: Person, body: Any) -> str:
        model = await self.expect(201, owner, "POST", "/threat_models", body)
        self._models.append((owner, str(model["id"])))
        return str(model["id"])

    def _there(self, name: str) -> bool:
        return not self.target.tokens or name in self.target.tokens

    async def meeting(self, *cells: Cell, live: bool = True, roles: Mapping[str, str] | None = None) -> Meeting:
        """A diagram of these cells, after the marker, and alice's session on it."""
        alice = await self.person("alice")
        model = await self.model(alice, roles)
        body = {"name": "conformance", "type": "DFD-1.0.0", "cells": [node(MARKER), *cells]}
        diagram = await self.expect(201, alice, "POST", f"/threat_models/{model}/diagrams", body)
        meeting = Meeting(self, alice, model, str(diagram["id"]))
        if live:
            await meeting.begin()
        return meeting

    async def connect(
        self, meeting: Meeting, person: Person, dialect: Dialect, origin: str | None = None, **query: str
    ) -> Socket:
        """As clients of the dialect come in. Raises InvalidStatus."""
        if dialect is Dialect.CLASSIC:
            query = {"token": person.token} | query
        elif "ticket" not in query:
            query = {"ticket": await meeting.ticket(person)} | query
        names = {Dialect.V1: "codraw.v1.json", Dialect.PACKED: "codraw.v1.msgpack"}
        connection = await connect(
            f"{meeting.ws}?{urlencode(query)}",
            max_size=MAX_SIZE,
            max_queue=None,
            compression=None,
            open_timeout=self.patience_s,
            ping_interval=None,
            proxy=None,
            origin=Origin(origin) if origin is not None else None,
            subprotocols=[Subprotocol(names[dialect])] if dialect in names else None,
        )
        socket = Socket(connection, dialect, person.name, self.trace, self.patience_s)
        self.trace.note(socket.name, ">>", "connects")
        self._sockets.append(socket)
        return socket

    async def over(self) -> None:
        """Nothing stays: the deletion of its threat model ends a session and takes the diagram along."""
        for socket in self._sockets:
            await socket.cut()
        for owner, model in self._models:
            with suppress(httpx2.HTTPError):
                await self.ask(owner, "DELETE", f"/threat_models/{model}")


class Meeting:
    """A diagram and the session on it. `session` is empty until it began."""

    def __init__(self, stage: Stage, host: Person, model: str, diagram: str) -> None:
        self.stage = stage
        self.host = host
        self.model = model
        self.diagram = diagram
        self.session = ""
        self.path = f"/threat_models/{model}/diagrams/{diagram}"

    @property
    def ws(self) -> str:
        return "ws" + self.stage.target.url.removeprefix("http") + self.path + "/ws"

    async def begin(self) -> Mapping[str, Any]:
        body: Mapping[str, Any] = await self.stage.expect(201, self.host, "POST", f"{self.path}/collaborate")
        self.session = str(body["session_id"])
        return body

    async def ticket(self, person: Person) -> str:
        answer = await self.stage.expect(200, person, "GET", f"/ws/ticket?session_id={self.session}")
        return str(answer["ticket"])

    # sockets ----------------------------------------------------------------------------------------------------------

    async def connect(self, role: str, dialect: Dialect | None = None, **query: str) -> Socket:
        person = await self.stage.person(role)
        return await self.stage.connect(self, person, dialect or self.stage.dialect, **query)

    async def join(self, role: str, dialect: Dialect | None = None) -> Socket:
        """Connected, and its first full state is there."""
        socket = await self.connect(role, dialect)
        words = {Dialect.CLASSIC: "diagram_state_sync", Dialect.TMI: "diagram_state"}
        await socket.hear(words.get(socket.dialect, "state"))
        return socket

    async def watchers(self) -> list[Socket]:
        """One socket of alice's in each dialect there is."""
        return [await self.join("alice", dialect) for dialect in self.stage.dialects()]

    # what stands ------------------------------------------------------------------------------------------------------

    async def get(self) -> tuple[int, list[Cell]]:
        """Vector and cells, the marker included."""
        body = await self.stage.expect(200, self.host, "GET", self.path)
        return int(body["update_vector"]), list(body["cells"])

    async def cells(self) -> list[Cell]:
        return [cell for cell in (await self.get())[1] if cell["id"] != MARKER]

    async def cell(self, id: str) -> Cell | None:
        return next((cell for cell in await self.cells() if cell["id"] == id), None)

    async def vector(self) -> int:
        return (await self.get())[0]

    async def agree(self, sockets: Iterable[Socket]) -> None:
        """OP13, WS15: each copy, kept from events alone, is what GET shows."""
        vector, cells = await self.get()
        for socket in sockets:
            if socket.faults:
                raise Broken("; ".join(socket.faults))
            if socket.dialect is not Dialect.CLASSIC:
                equal(socket.vector, vector, f"the vector that {socket.name} has heard of")
            equal(socket.copy(), cells, f"the copy of {socket.name}, compared with GET")

    # operations -------------------------------------------------------------------------------------------------------

    async def attempt(self, sender: Socket, watchers: list[Socket], *changes: Message, **more: Any) -> Outcome:
        """One operation and what everybody heard of it; ends with a change of the marker, which costs one vector."""
        begun = {socket.name: len(socket.heard) for socket in (sender, *watchers)}
        id = await sender.edit(*changes, **more)
        await self.settle(sender, watchers)
        own = sender.heard[begun[sender.name] :]
        events = {}
        for watcher in watchers:
            found = [event_of(watcher.dialect, message) for message in watcher.heard[begun[watcher.name] :]]
            told = [event for event in found if event is not None and event.operation_id == id]
            that(len(told) <= 1, f"{watcher.name} was told {len(told)} times of one operation")
            if told:
                events[watcher.name] = told[0]
        that(
            len(events) in (0, len(watchers)),
            f"only {', '.join(events)} of {', '.join(w.name for w in watchers)} heard of the operation",
        )
        reason = next((r for message in own if (r := _reason(message, id))), "")
        verdict = "accepted" if events else "refused" if reason else "unchanged"
        return Outcome(id, verdict, reason, own, events)

    async def accepted(self, sender: Socket, watchers: list[Socket], *changes: Message, **more: Any) -> Outcome:
        outcome = await self.attempt(sender, watchers, *changes, **more)
        outcome.expect("accepted")
        return outcome

    async def settle(self, sender: Socket, watchers: list[Socket]) -> None:
        """Whatever `sender` said before has its outcome now, and what was told of it has been heard."""
        id = await sender.edit(update(MARKER, label=new_id()))
        for watcher in watchers:
            await watcher.event(id)
        if sender.dialect is Dialect.TMI:
            await sender.event(id)
        elif sender.dialect is Dialect.CLASSIC:
            that(watchers, "a classic sender needs somebody who hears it")
            await sender.fence()
        else:
            await sender.until(lambda m: m.get("operation_id") == id, "the receipt of the marker")

    async def edit(self, sender: Socket, *changes: Message, **more: Any) -> Message:
        """An operation that is accepted, without a marker behind it: its receipt; a classic sender has none."""
        id = await sender.edit(*changes, **more)
        if sender.dialect is Dialect.CLASSIC:
            await self._shown(sender, id, changes)
            return {}
        answer = await sender.until(lambda m: m.get("operation_id") == id, "the receipt of its operation")
        that(word(answer) in ("operation_accepted", "diagram_operation_event"), f"the operation was refused: {answer}")
        return answer

    async def _shown(self, sender: Socket, id: str, changes: Iterable[Message]) -> None:
        """A classic sender is told nothing: GET shows when it is stored, the vector when its room has it."""
        last = list(changes)[-1]
        try:
            async with asyncio.timeout(self.stage.patience_s):
                while not _holds(await self.cell(last["id"]), last):  # noqa: ASYNC110 - another process does it
                    await asyncio.sleep(0.01)
                vector = await self.vector()
                while await sender.fence() < vector:  # noqa: ASYNC110 - another process does it
                    await asyncio.sleep(0.01)
        except TimeoutError:
            raise Broken(f"the operation {id} never shows in GET") from None

    async def post(self, person: Person, *changes: Message, id: str | None = None, **more: Any) -> httpx2.Response:
        """An operation by REST."""
        return await self.stage.ask(person, "POST", f"{self.path}/operations", operation(None, changes, id, **more))


def _holds(cell: Cell | None, change: Message) -> bool:
    if change["operation"] == "remove":
        return cell is None
    return cell is not None and all(cell.get(key) == value for key, value in change["data"].items())


def _reason(message: Message, id: str) -> str:
    """Why the message refuses the operation; "" where it does not."""
    kind = word(message)
    if kind == "operation_rejected" and message["operation_id"] == id:
        return str(message["reason"])
    if kind == "authorization_denied" and message["original_operation_id"] == id:
        return "permission_denied"
    if kind == "error" and (message.get("details") or {}).get("operation_id") in (id, None):
        return str(message["error"])
    return "conflict_detected" if kind == "state_correction" else ""

"""Editors of all three dialects on a real WebSocket, each keeping a copy of the diagram as its dialect lets it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterable, Mapping
from typing import Any, Self
from urllib.parse import urlencode
from uuid import uuid4

import msgspec
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed
from websockets.typing import Subprotocol

from protocol.statehash import MODULUS, cell_hash, hex32
from tests.support.asyncapi import judge
from tests.support.servers import Meeting, Person
from tests.support.wire import word

PATIENCE_S = 20.0
MAX_SIZE = 20 * 1024 * 1024

Message = dict[str, Any]


class Editor:
    """`cells` is the copy, in order. `outcomes`: what each of its operations came to, as far as its dialect says."""

    dialect = ""

    def __init__(self, meeting: Meeting, person: Person) -> None:
        self.meeting = meeting
        self.person = person
        self.cells: dict[str, dict[str, Any]] = {}
        self.vector = 0
        self.trace: list[Message] = []
        self.outcomes: dict[str, Message] = {}
        self.faults: list[str] = []
        self._connection: ClientConnection | None = None

    # the wire ---------------------------------------------------------------------------------------------------------

    @property
    def connection(self) -> ClientConnection:
        assert self._connection is not None
        return self._connection

    async def connect(self, **query: str) -> Self:
        """As real clients of the dialect come in."""
        self._connection = await connect(
            f"{self.meeting.url}?{urlencode(await self.credential() | query)}",
            max_size=MAX_SIZE,
            max_queue=None,
            compression=None,
            proxy=None,
            subprotocols=self.subprotocols(),
        )
        self.meeting.connections.append(self._connection)
        return self

    async def join(self, **query: str) -> Self:
        """Connected, and its first full state or what was missed is there."""
        await self.connect(**query)
        await self.hear(*self.first)
        return self

    first: tuple[str, ...] = ()
    """The frames of which one begins or continues the copy."""

    async def credential(self) -> dict[str, str]:
        return {"token": self.person.token}

    def subprotocols(self) -> list[Subprotocol] | None:
        return None

    def encode(self, message: Message) -> str | bytes:
        return json.dumps(message)

    def decode(self, frame: str | bytes) -> Message:
        message = json.loads(frame)
        assert isinstance(message, dict)
        return message

    async def say(self, message: Message) -> None:
        await self.connection.send(self.encode(message))

    async def next(self) -> Message:
        """The next message, applied. Raises ConnectionClosed."""
        message = self.decode(await self.connection.recv())
        self.trace.append(message)
        judge(self.dialect, message)
        self.apply(message)
        return message

    async def hear(self, *kinds: str) -> Message:
        """Reads on to the next message of one of these kinds."""
        try:
            async with asyncio.timeout(PATIENCE_S):
                while True:
                    message = await self.next()
                    if not kinds or word(message) in kinds:
                        return message
        except TimeoutError:
            last = [str(message)[:300] for message in self.trace[-8:]]
            raise AssertionError(
                f"{self.dialect} of {self.person.name} waits for {kinds} and heard last {last}"
            ) from None

    async def closed(self) -> tuple[int | None, list[Message]]:
        """Reads to the end: the close code, and what came before it."""
        heard: list[Message] = []
        async with asyncio.timeout(PATIENCE_S):
            while True:
                try:
                    heard.append(await self.next())
                except ConnectionClosed as closed:
                    return closed.rcvd.code if closed.rcvd else None, heard

    async def leave(self, code: int = 1000) -> None:
        await self.connection.close(code)

    def cut(self) -> None:
        """Without a close frame, as a network does it."""
        self.connection.transport.abort()

    # editing ----------------------------------------------------------------------------------------------------------

    def operation(self, changes: Iterable[Message], operation_id: str | None = None, **more: Any) -> Message:
        return {
            "message_type": self.asks,
            "operation_id": operation_id or str(uuid4()),
            "operation": {"type": "patch", "cells": list(changes)},
            **more,
        }

    asks = ""
    """The message type of an operation."""

    async def edit(self, *changes: Message, operation_id: str | None = None, **more: Any) -> str:
        """Sends; the id."""
        message = self.operation(changes, operation_id, **more)
        await self.say(message)
        self.sent(message)
        return str(message["operation_id"])

    def sent(self, message: Message) -> None:
        """What a client does with its own operation at once."""

    # the copy ---------------------------------------------------------------------------------------------------------

    def apply(self, message: Message) -> None:
        raise NotImplementedError

    def show(self, cells: Iterable[Mapping[str, Any]]) -> None:
        self.cells = {cell["id"]: dict(cell) for cell in cells}

    def assign(self, changes: Iterable[Mapping[str, Any]]) -> None:
        """OP13: assign keys, null deletes."""
        for change in changes:
            id, data = change["id"], change.get("data") or {}
            match change["operation"]:
                case "remove":
                    self.cells.pop(id, None)
                case "add":
                    self.cells[id] = {"id": id, **data}
                case "update" if id in self.cells:
                    merged = self.cells[id] | data
                    self.cells[id] = {key: value for key, value in merged.items() if value is not None}

    def copy(self) -> list[dict[str, Any]]:
        """The cells in order, as REST shows them."""
        return list(self.cells.values())

    def follow(self, vector: int, *, may_repeat: bool = False) -> bool:
        """WS15: whether a message with this vector comes next; what must not be is noted."""
        if vector == self.vector + 1:
            self.vector = vector
            return True
        if not (may_repeat and vector <= self.vector):
            self.faults.append(f"{self.dialect}: {vector} after {self.vector}")
        return False


class Classic(Editor):
    """No receipts, no vectors: edits its copy at once, and asks for a state where it is told that the copy is wrong."""

    dialect = "classic"
    asks = "diagram_operation"
    first = ("diagram_state_sync",)

    def __init__(self, meeting: Meeting, person: Person) -> None:
        super().__init__(meeting, person)
        self.doubtful = False

    def sent(self, message: Message) -> None:
        self.assign(message["operation"]["cells"])

    def apply(self, message: Message) -> None:
        match message.get("message_type"):
            case "diagram_state_sync":
                self.vector = message["update_vector"]
                self.show(message["cells"])
                self.doubtful = False
            case "diagram_operation":
                self.assign(message["operation"]["cells"])
            case "state_correction":
                self.doubtful = True
            case "error" | "authorization_denied":
                self.outcomes[str(message.get("details", {}).get("operation_id"))] = message


class Tmi(Editor):
    """Takes whole cells over from every event, its own echo among them."""

    dialect = "tmi"
    asks = "diagram_operation_request"
    first = ("diagram_state",)

    async def credential(self) -> dict[str, str]:
        return {"ticket": await self.meeting.ticket(self.person)}

    def apply(self, message: Message) -> None:
        match message.get("message_type"):
            case "diagram_state":
                self.vector = message["update_vector"]
                self.show(message["cells"])
            case "diagram_operation_event":
                self._take(message)
            case "operation_rejected":
                self.outcomes[message["operation_id"]] = message

    def _take(self, message: Message) -> None:
        if message["initiating_user"]["provider_id"] == self.person.name:
            self.outcomes.setdefault(message["operation_id"], message)
        if self.follow(message["update_vector"], may_repeat=True) or self._corrects(message):
            self.assign(message["operation"]["cells"])

    def _corrects(self, message: Message) -> bool:
        """E4: a second event at the same vector, from the server's user."""
        return bool(message["initiating_user"]["provider"] == "codraw" and message["update_vector"] == self.vector)

    def copy(self) -> list[dict[str, Any]]:
        # An event shows `data` where the cell has none (E1).
        return [{key: value for key, value in cell.items() if (key, value) != ("data", {})} for cell in super().copy()]

    def assign(self, changes: Iterable[Mapping[str, Any]]) -> None:
        for change in changes:
            if change["operation"] == "remove":
                self.cells.pop(change["id"], None)
            else:
                self.cells[change["id"]] = dict(change["data"])


class CodrawV1(Editor):
    """Receipts, events, resume and state hash."""

    dialect = "codraw.v1"
    asks = "operation"
    first = ("state", "resumed")
    protocol = "codraw.v1.json"

    def __init__(self, meeting: Meeting, person: Person) -> None:
        super().__init__(meeting, person)
        self.epoch = ""
        self.asked: dict[str, Message] = {}
        self.caught_up_at = -1
        """The vector of a state in place of events: receipts up to it come behind it (WS12)."""

    async def credential(self) -> dict[str, str]:
        return {"ticket": await self.meeting.ticket(self.person)}

    def subprotocols(self) -> list[Subprotocol]:
        return [Subprotocol(self.protocol)]

    @property
    def place(self) -> str:
        """For `?resume=`."""
        return f"{self.epoch}:{self.vector}"

    def state_hash(self) -> str:
        return hex32(sum(cell_hash(cell) for cell in self.cells.values()) % MODULUS)

    def sent(self, message: Message) -> None:
        self.asked[message["operation_id"]] = message

    def apply(self, message: Message) -> None:
        match message.get("message_type"):
            case "state":
                self.epoch, self.vector = message["epoch"], message["update_vector"]
                self.caught_up_at = self.vector if message["reason"] in ("overflow", "too_large") else -1
                self.show(message["cells"])
                self._check(message)
            case "repair":
                self._repair(message)
            case "event":
                self._advance(message, message["operation"]["cells"], message["operation"].get("order"))
            case "operation_accepted":
                self._accepted(message)
            case "operation_rejected":
                self.outcomes[message["operation_id"]] = message
            case "heartbeat":
                self._check(message)

    def _accepted(self, message: Message) -> None:
        self.outcomes[message["operation_id"]] = message
        if message["changed"] and not message["duplicate"] and message["update_vector"] > self.caught_up_at:
            asked = self.asked.get(message["operation_id"], {"operation": {"cells": []}})
            self._advance(message, message.get("cells", asked["operation"]["cells"]), None)

    def _repair(self, message: Message) -> None:
        self.epoch, self.vector = message["epoch"], message["update_vector"]
        for id in message["removed"]:
            self.cells.pop(id, None)
        self.cells.update({cell["id"]: cell for cell in message["cells"]})
        if "order" in message:
            self.show([self.cells[id] for id in message["order"]])
        self._check(message)

    def _advance(self, message: Message, changes: Iterable[Mapping[str, Any]], order: list[str] | None) -> None:
        if self.follow(message["update_vector"]):
            self.assign(changes)
            if order is not None:
                self.show(self.cells[id] for id in order)

    def _check(self, message: Message) -> None:
        if message["update_vector"] == self.vector and message["state_hash"] != self.state_hash():
            self.faults.append(f"another hash at {self.vector}")


class Packed(CodrawV1):
    """codraw.v1 in MessagePack."""

    protocol = "codraw.v1.msgpack"

    def encode(self, message: Message) -> bytes:
        return msgspec.msgpack.encode(message)

    def decode(self, frame: str | bytes) -> Message:
        assert isinstance(frame, bytes)
        message = msgspec.msgpack.decode(frame)
        assert isinstance(message, dict)
        return message


ALL: tuple[type[Editor], ...] = (Classic, Tmi, CodrawV1, Packed)


def add(id: str, **data: Any) -> Message:
    node = {"shape": "process", "x": 10, "y": 20, "width": 120, "height": 80, **data}
    return {"id": id, "operation": "add", "data": node}


def update(id: str, **data: Any) -> Message:
    return {"id": id, "operation": "update", "data": data}


def remove(id: str) -> Message:
    return {"id": id, "operation": "remove"}


def cell_id() -> str:
    return str(uuid4())

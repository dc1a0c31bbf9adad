"""A raw socket of one dialect: frames in and out, each kept in the trace, and the copy a client would keep."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import msgpack  # type: ignore[import-untyped]
from websockets.asyncio.client import ClientConnection
from websockets.exceptions import ConnectionClosed

from codraw.conform.messages import Cell, Event, Message, event_of, operation, state_word, word
from codraw.conform.rules import Broken, Dialect
from codraw.conform.statehash import state_hash

SHOWN = 400
SECRET = re.compile(r"""(?<=["'_?&])((?:ticket|token)["']?\s*[:=]\s*["']?)[^"'&\s,}]+|eyJ[\w-]+\.[\w-]+(?:\.[\w-]*)?""")
"""The value of a ticket or token in JSON, a form or an address; a JWT wherever it stands."""


def redacted(text: str) -> str:
    return SECRET.sub(lambda found: f"{found[1] or ''}[redacted]", text)


@dataclass(slots=True)
class Trace:
    """What went over the wire during one check, in order and without its secrets."""

    lines: list[str] = field(default_factory=list)

    def note(self, who: str, arrow: str, what: object) -> None:
        text = what if isinstance(what, str) else repr(what)
        self.lines.append(f"{who:<18} {arrow} {redacted(text)[:SHOWN]}")


@dataclass(frozen=True, slots=True)
class Closed:
    code: int | None
    heard: list[Message]

    @property
    def last(self) -> Message:
        """What was said before the close; where nothing was, a message without a word."""
        return self.heard[-1] if self.heard else {}


class Socket:
    """`cells` and `vector` are the copy, `heard` every message so far, `faults` what the copy found wrong."""

    def __init__(
        self, connection: ClientConnection, dialect: Dialect, name: str, trace: Trace, patience_s: float
    ) -> None:
        self.connection = connection
        self.dialect = dialect
        self.name = f"{name}/{dialect.rpartition('.')[2] if dialect is Dialect.PACKED else dialect}"
        self.heard: list[Message] = []
        self.faults: list[str] = []
        self.cells: dict[str, Cell] = {}
        self.vector = 0
        self.epoch = ""
        self._trace = trace
        self._patience_s = patience_s
        self._asked: dict[str, list[Message]] = {}

    # frames -----------------------------------------------------------------------------------------------------------

    async def say(self, message: Mapping[str, Any]) -> None:
        text = json.dumps(message)
        self._trace.note(self.name, ">>", text)
        await self.connection.send(msgpack.packb(message) if self.dialect is Dialect.PACKED else text)

    async def send(self, frame: str | bytes) -> None:
        """A frame as it is, well-formed or not."""
        self._trace.note(self.name, ">>", frame)
        await self.connection.send(frame)

    async def edit(self, *changes: Message, id: str | None = None, **more: Any) -> str:
        """Says an operation; its id."""
        message = operation(self.dialect, changes, id, **more)
        self._asked[message["operation_id"]] = list(changes)
        await self.say(message)
        return str(message["operation_id"])

    async def next(self) -> Message:
        """Raises ConnectionClosed."""
        frame = await self.connection.recv()
        self._trace.note(self.name, "<<", frame)
        message = self._read(frame)
        self.heard.append(message)
        self._apply(message)
        return message

    def _read(self, frame: str | bytes) -> Message:
        """WS3."""
        try:
            if self.dialect is Dialect.PACKED:
                message = msgpack.unpackb(frame) if isinstance(frame, bytes) else None
            else:
                message = json.loads(frame) if isinstance(frame, str) else None
        except ValueError as error:
            raise Broken(f"a frame to {self.name} is not exactly one object ({error}): {frame[:SHOWN]!r}") from None
        if not isinstance(message, dict):
            raise Broken(f"a frame to {self.name} is no object of its encoding: {frame[:SHOWN]!r}")
        return message

    async def until(self, found: Callable[[Message], object], what: str) -> Message:
        """Reads on to the first message for which `found` holds."""
        begun = len(self.heard)
        try:
            async with asyncio.timeout(self._patience_s):
                while not found(message := await self.next()):
                    pass
                return message
        except TimeoutError:
            came = [word(message) for message in self.heard[begun:]]
            raise Broken(f"{self.name} waits for {what}; came: {came or 'nothing'}") from None
        except ConnectionClosed as closed:
            code = closed.rcvd.code if closed.rcvd else "no close frame"
            raise Broken(f"{self.name} waits for {what} and was closed ({code})") from None

    async def hear(self, *words: str) -> Message:
        return await self.until(lambda message: word(message) in words, " or ".join(words))

    async def event(self, operation_id: str | None = None) -> Event:
        """The next event, or that of an operation."""

        def is_it(message: Message) -> bool:
            event = event_of(self.dialect, message)
            return event is not None and operation_id in (None, event.operation_id)

        event = event_of(self.dialect, await self.until(is_it, f"the event of {operation_id or 'an operation'}"))
        assert event is not None  # noqa: S101 - `until` waited for one
        return event

    async def closed(self) -> Closed:
        """Reads to the end."""
        begun = len(self.heard)
        try:
            async with asyncio.timeout(self._patience_s):
                while True:
                    await self.next()
        except ConnectionClosed as closed:
            code = closed.rcvd.code if closed.rcvd else None
            self._trace.note(self.name, "<<", f"close {code}")
            return Closed(code, self.heard[begun:])
        except TimeoutError:
            came = [word(message) for message in self.heard[begun:]]
            raise Broken(f"{self.name} waits for a close; came: {came or 'nothing'}") from None

    async def leave(self, code: int | None = 1000) -> None:
        """None: by a close frame without a code."""
        self._trace.note(self.name, ">>", f"close {code or 'without a code'}")
        if code is not None:
            await self.connection.close(code)
            return
        self.connection.protocol.send_close()
        self.connection.send_data()
        await self.connection.wait_closed()

    async def cut(self) -> None:
        """Without a close frame, as a network does it."""
        self._trace.note(self.name, ">>", "the connection is cut")
        self.connection.transport.abort()
        await self.connection.wait_closed()

    # fences: what comes before their answer was told before ---------------------------------------------------------

    async def fence(self) -> int:
        """A question of no consequence and its answer: the vector. What a room told before comes before."""
        if self.dialect in (Dialect.V1, Dialect.PACKED):
            ref = f"fence-{len(self.heard)}"
            await self.say({"message_type": "heartbeat", "ref": ref})
            return int((await self.until(lambda m: m.get("ref") == ref, "the heartbeat asked for"))["update_vector"])
        await self.say({"message_type": "sync_status_request"})
        return int((await self.hear("sync_status_response"))["update_vector"])

    # the copy ---------------------------------------------------------------------------------------------------------

    def copy(self) -> list[Cell]:
        """In order, as REST shows it: an event of tmi has `data` where the cell has none."""
        cells = self.cells.values()
        if self.dialect is not Dialect.TMI:
            return list(cells)
        return [{key: value for key, value in cell.items() if (key, value) != ("data", {})} for cell in cells]

    def state_hash(self) -> str:
        return state_hash(self.cells.values())

    def _apply(self, message: Message) -> None:
        kind = word(message)
        if kind == state_word(self.dialect):
            self.vector, self.epoch = message["update_vector"], message.get("epoch", "")
            self.cells = {cell["id"]: dict(cell) for cell in message["cells"]}
            self._compare(message)
        elif (event := event_of(self.dialect, message)) is not None:
            if self._follows(event.vector, message):
                self._assign(event.changes)
                self._order(message["operation"].get("order"))
        elif kind == "operation_accepted" and message["changed"] and not message["duplicate"]:
            if self._follows(message["update_vector"], message):
                self._assign(message.get("cells", self._asked.get(message["operation_id"], [])))
        elif kind in ("heartbeat", "welcome") and "state_hash" in message:
            self._compare(message)

    def _follows(self, vector: int | None, message: Message) -> bool:
        """WS15: whether it is the next one. In tmi retries, no-ops and corrections repeat a vector."""
        if vector is None or vector == self.vector + 1:
            self.vector += 1 if vector is not None else 0
            return True
        if self.dialect is Dialect.TMI and vector <= self.vector:
            return vector == self.vector and message["initiating_user"]["provider"] == "codraw"
        self.faults.append(f"{self.name}: vector {vector} after {self.vector}")
        self.vector = vector
        return True

    def _compare(self, message: Message) -> None:
        claimed = message.get("state_hash")
        if self.epoch and message["update_vector"] == self.vector and claimed not in (None, self.state_hash()):
            self.faults.append(f"{self.name}: state_hash {claimed} at {self.vector} is that of other cells")

    def _assign(self, changes: Iterable[Message]) -> None:
        """OP13: assign keys, null deletes; what tmi shows is the whole cell."""
        for change in changes:
            id, data = change["id"], change.get("data") or {}
            if change["operation"] == "remove":
                self.cells.pop(id, None)
            elif change["operation"] == "add" or self.dialect is Dialect.TMI:
                self.cells[id] = {"id": id, **data}
            else:
                merged = self.cells.get(id, {"id": id}) | data
                self.cells[id] = {key: value for key, value in merged.items() if value is not None}

    def _order(self, order: list[str] | None) -> None:
        if order is not None:
            self.cells = {id: self.cells[id] for id in order if id in self.cells}

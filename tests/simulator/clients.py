"""Editors of the three dialects, written from the protocol's text alone: they apply frames and never read the log."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from collab.core.events import Asked, Departure, Joined, Left
from collab.fanout import Connected
from collab.outbox import Outbox
from collab.sockets import Frame
from protocol.codec import Encoding, decode
from protocol.dialects import CLASSIC, CODRAW_V1, TMI, Dialect
from protocol.intents import Redo, Undo
from protocol.operations import CellChange, Verb
from protocol.refusals import ProtocolError
from protocol.values import Caller, CellId, OperationId, SocketId, User
from tests.naive import NaiveDiagram
from tests.simulator.world import DIAGRAM, SETTINGS, Worker, World, run


class Wire:
    """The client's end of one socket: frames wait here until the client looks."""

    def __init__(self) -> None:
        self.frames: list[Frame] = []
        self.closed: int | None = None
        self.drained = lambda: None

    def write(self, frames: Sequence[Frame]) -> None:
        self.frames.extend(frames)

    def buffered(self) -> int:
        return 0

    def close(self, code: int, reason: str) -> None:
        self.closed = code


Message = dict[str, Any]


class Editor:
    """What the dialects have in common: a socket at some worker, requests without an answer, and what came of each."""

    dialect: Dialect

    def __init__(self, name: str, world: World) -> None:
        self.name = name
        self.world = world
        self.user = User("test", name, f"{name}@tmi.local", name.title())
        self.caller = Caller(self.user, sid=name)
        self.worker: Worker | None = None
        self.life = 0
        self.socket = SocketId("")
        self.wire = Wire()
        self.sockets = 0
        self.admitted = False
        self.asked: dict[str, Message] = {}
        self.yes: dict[str, int] = {}
        self.no: dict[str, str] = {}
        self.noop: set[str] = set()

    @property
    def connected(self) -> bool:
        return self.worker is not None and self.worker.life == self.life and self.wire.closed is None

    # the socket -------------------------------------------------------------------------------------------------------

    def join(self, worker: Worker) -> None:
        self.sockets += 1
        self.worker, self.life, self.wire = worker, worker.life, Wire()
        self.socket = SocketId(f"{self.name}#{self.sockets}")
        self.admitted = False
        self.begin()
        outbox = Outbox(self.wire)
        worker.fanout.attach(Connected(self.socket, self.user.id, self.dialect, Encoding.JSON, outbox))
        session = run(self.world.store.sessions.live(DIAGRAM))
        assert session is not None
        role = self.world.role(self.caller)
        worker.post(Joined(self.socket, self.caller, role, self.dialect.name, session, self.resume()))

    def begin(self) -> None:
        """A new socket: what the old one still had for us is lost."""

    def resume(self) -> Any:
        return None

    def leave(self, how: Departure = Departure.LOST) -> None:
        worker, self.worker = self.worker, None
        if worker is not None and worker.life == self.life:
            worker.fanout.detach(self.socket)
            worker.post(Left(self.socket, how))

    def send(self, message: Message) -> None:
        if not self.connected or not self.admitted:
            return
        assert self.worker is not None
        frame = decode(json.dumps(message), Encoding.JSON)
        try:
            intent = self.dialect.read(frame, limits=SETTINGS.limits)
        except ProtocolError as error:
            raise AssertionError((message, error)) from error
        if isinstance(intent, Undo | Redo) and intent.operation_id is None:
            self.sockets += 1
            intent = type(intent)(OperationId(operation_id(self.name, 10_000 + self.sockets)))
        self.worker.post(Asked(self.socket, intent))

    def look(self) -> None:
        """Reads the frames that have come."""
        frames, self.wire.frames = self.wire.frames, []
        for frame in frames:
            self.receive(json.loads(frame.payload))
        if frames and not self.admitted:
            self.admitted = True
            for message in list(self.asked.values()):
                self.ask_again(message)
        if self.wire.closed is not None:
            self.leave()

    def ask_again(self, message: Message) -> None:
        """On a new socket, after its state."""
        self.send(message)

    def receive(self, message: Message) -> None:
        raise NotImplementedError

    # what became of requests ------------------------------------------------------------------------------------------

    def accepted(self, id: str, vector: int) -> Message | None:
        assert id not in self.no, (self.name, id, "both yes and no")
        assert self.yes.setdefault(id, vector) == vector, (self.name, id, "two vectors")
        return self.asked.pop(id, None)

    def refused(self, id: str, reason: str) -> None:
        if reason in ("unavailable", "permission_denied"):
            self.asked.pop(id, None)
            return
        assert id not in self.yes, (self.name, id, reason, "both yes and no")
        assert id not in self.noop, (self.name, id, reason)
        self.no[id] = reason
        self.asked.pop(id, None)


def operation_id(name: str, number: int) -> str:
    return f"{ord(name[0]):08x}-0000-4000-8000-{number:012x}"


class V1(Editor):
    """`codraw.v1`: a confirmed copy, moved by events and receipts in order."""

    dialect = CODRAW_V1

    def __init__(self, name: str, world: World) -> None:
        super().__init__(name, world)
        self.epoch = ""
        self.vector = -1
        self.copy = NaiveDiagram([])
        self.welcomed = False

    def begin(self) -> None:
        self.welcomed = False

    def resume(self) -> Any:
        if self.vector < 0:
            return None
        return self.dialect.read(self.where(), limits=SETTINGS.limits)

    def where(self) -> Message:
        state_hash = f"{self.copy.hash():032x}"
        return {
            "message_type": "resume",
            "epoch": self.epoch,
            "update_vector": self.vector,
            "state_hash": state_hash,
        }

    def edit(self, number: int, cells: list[Message], strict: bool) -> None:
        id = operation_id(self.name, number)
        operation = {"type": "patch", "cells": cells}
        self.asked[id] = {"message_type": "operation", "operation_id": id, "operation": operation}
        if strict:
            self.asked[id] |= {"strict": True, "base_vector": max(self.vector, 0)}
        self.send(self.asked[id])

    def invert(self, number: int, word: str) -> None:
        id = operation_id(self.name, number)
        self.asked[id] = {"message_type": word, "operation_id": id}
        self.send(self.asked[id])

    def receive(self, message: Message) -> None:
        kind = message["message_type"]
        assert self.welcomed or kind in ("welcome", "goodbye"), (self.name, message, "WS14")
        match kind:
            case "welcome":
                self.welcomed = True
            case "state":
                self.state(message)
            case "resumed":
                assert message["from"] == self.vector, (self.name, self.vector, message)
            case "event":
                assert message["update_vector"] == self.vector + 1, (self.name, self.vector, message)
                self.take(message["operation"]["cells"])
            case "operation_accepted":
                self.receipt(message)
            case "operation_rejected":
                self.refused(message["operation_id"], message["reason"])
            case "heartbeat":
                assert message["update_vector"] == self.vector, (self.name, self.vector, message)
            case "participants" | "presenter" | "goodbye" | "awareness":
                pass
            case _:
                raise AssertionError(message)

    def state(self, message: Message) -> None:
        assert message["epoch"] != self.epoch or message["update_vector"] >= self.vector, (self.name, "VEC5", message)
        self.epoch, self.vector = message["epoch"], message["update_vector"]
        self.copy = NaiveDiagram(message["cells"])
        assert f"{self.copy.hash():032x}" == message["state_hash"], (self.name, "VEC14")

    def receipt(self, message: Message) -> None:
        id, vector = message["operation_id"], message["update_vector"]
        if not message["changed"]:
            assert id not in self.yes and id not in self.no, (self.name, id, "noop and another")
            self.noop.add(id)
            self.asked.pop(id, None)
            return
        asked = self.accepted(id, vector)
        if message["duplicate"]:
            assert vector <= self.vector, (self.name, self.vector, message)
            return
        assert vector == self.vector + 1, (self.name, self.vector, message)
        assert asked is not None or "cells" in message, (self.name, message)
        self.take(message["cells"] if "cells" in message else asked["operation"]["cells"])  # type: ignore[index]

    def take(self, cells: list[Message]) -> None:
        for entry in cells:
            assign(self.copy, entry)
        self.vector += 1


class Tmi(Editor):
    """TMI's web app: shows its own edits at once, skips events of its own e-mail, applies whole cells of the others."""

    dialect = TMI

    def __init__(self, name: str, world: World) -> None:
        super().__init__(name, world)
        self.vector = -1
        self.seen = -1
        """What it takes over from others: an edit of its own leaves it stale."""
        self.copy = NaiveDiagram([])
        self.doubtful = False

    def edit(self, number: int, cells: list[Message], strict: bool) -> None:
        id = operation_id(self.name, number)
        message = {
            "message_type": "diagram_operation_request",
            "operation_id": id,
            "operation": {"type": "patch", "cells": cells},
            "base_vector": max(self.seen, 0),
        }
        self.asked[id] = message
        self.show_and_send(message)

    def show_and_send(self, message: Message) -> None:
        outcome, _ = self.copy.apply(changes(message["operation"]["cells"]), SETTINGS.limits)
        # The app shows only what it could do; what it could not do is refused by the server too, or its copy is stale.
        self.doubtful |= outcome not in ("accepted", "no_op")
        self.send(message)

    def ask_again(self, message: Message) -> None:
        self.show_and_send(message | {"base_vector": max(self.seen, 0)})
        # If it was a no-op the first time, so it is now: only a look at the whole shows what it came to.
        self.doubtful = True

    def invert(self, number: int, word: str) -> None:
        self.send({"message_type": f"{word}_request"})

    def begin(self) -> None:
        self.vector = -1

    def receive(self, message: Message) -> None:
        match message["message_type"]:
            case "diagram_state":
                assert message["update_vector"] >= self.vector, (self.name, message)
                self.vector = self.seen = message["update_vector"]
                self.copy = NaiveDiagram(message["cells"])
                self.doubtful = False
            case "diagram_operation_event":
                self.event(message)
            case "operation_rejected":
                self.refused(message["operation_id"], message["reason"])
                self.doubtful = True
            case "participants_update" | "error" | "history_operation" | "authorization_denied":
                pass
            case _:
                raise AssertionError(message)

    def event(self, message: Message) -> None:
        id, vector = message["operation_id"], message["update_vector"]
        assert self.vector >= 0, (self.name, message, "WS14")
        mine = message["initiating_user"]["email"] == self.user.email
        # Its own edits count for their vector only; a state under way may have taken the place of others' events.
        assert mine or vector <= self.vector + 1, (self.name, self.vector, message)
        self.vector = max(self.vector, vector)
        if mine and id in self.asked:
            # a no-op repeats the vector and is no step; who shows it cannot tell the two apart
            self.asked.pop(id)
        if not mine:
            self.seen = vector
            for entry in message["operation"]["cells"]:
                put(self.copy, entry)


class Classic(Editor):
    """A client of the published page that reads: it applies what the others do, and fetches on a correction."""

    dialect = CLASSIC

    def __init__(self, name: str, world: World) -> None:
        super().__init__(name, world)
        self.copy = NaiveDiagram([])
        self.synced = False

    def begin(self) -> None:
        self.synced = False

    def edit(self, number: int, cells: list[Message], strict: bool) -> None:
        """Only looks."""

    def invert(self, number: int, word: str) -> None:
        """Only looks."""

    def receive(self, message: Message) -> None:
        match message.get("message_type"):
            case "diagram_state_sync":
                self.synced = True
                self.copy = NaiveDiagram(message["cells"])
            case "diagram_operation":
                assert self.synced, (self.name, message, "WS14")
                for entry in message["operation"]["cells"]:
                    assign(self.copy, entry)
            case "current_presenter" | "error" | None:
                pass
            case _:
                raise AssertionError(message)


def assign(copy: NaiveDiagram, entry: Message) -> None:
    """OP13: assign keys, null deletes."""
    verb, id = entry["operation"], entry["id"]
    if verb == "add":
        assert all(cell["id"] != id for cell in copy.cells), (entry, "there already")
        copy.cells.append({"id": id, **entry["data"]})
    elif verb == "remove":
        copy.cells = [cell for cell in copy.cells if cell["id"] != id]
    else:
        (cell,) = [cell for cell in copy.cells if cell["id"] == id]
        cell.update(entry["data"])
        for key in [key for key, value in cell.items() if value is None]:
            del cell[key]


def put(copy: NaiveDiagram, entry: Message) -> None:
    """A whole cell in place of what is there, as an editor that knows no partial changes does."""
    others = [cell for cell in copy.cells if cell["id"] != entry["id"]]
    if entry["operation"] == "remove":
        copy.cells = others
        return
    whole = {**entry["data"], "id": entry["id"]}
    whole.pop("data", None) if whole.get("data") == {} else None
    if len(others) == len(copy.cells):
        copy.cells.append(whole)
    else:
        copy.cells = [whole if cell["id"] == entry["id"] else cell for cell in copy.cells]


def changes(cells: list[Message]) -> list[CellChange]:
    return [
        CellChange(
            CellId(cell["id"]),
            Verb(cell["operation"]),
            {**cell["data"], "id": cell["id"]} if cell["operation"] == "add" else cell.get("data"),
        )
        for cell in cells
    ]

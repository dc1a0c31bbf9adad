"""Editors of the three dialects, written from the protocol's text alone: they apply frames and never read the log.

Their judge does: each frame is held against the log as it stood when the frame was written.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from collab.core.events import Asked, Barred, Departure, Joined, Left
from collab.fanout import Connected
from collab.outbox import Outbox
from collab.sockets import Frame
from protocol.codec import Encoding, decode
from protocol.dialects import Dialect
from protocol.intents import Redo, Undo
from protocol.operations import CellChange
from protocol.refusals import Ending, ProtocolError
from protocol.values import Caller, OperationId, SocketId, User
from tests.simulator.worker import Worker
from tests.simulator.world import SETTINGS, World, nobody

LATE_S = 5.5
"""A right that was lost closes sockets within 5 s, and half a second is the answer's way."""
CONTENT = frozenset(
    (
        *("state", "event", "resumed", "operation_accepted", "awareness"),
        *("diagram_state", "diagram_operation_event"),
        *("diagram_state_sync", "diagram_operation", "presenter_cursor"),
    )
)
"""What shows something of the diagram."""

Message = dict[str, Any]


class Written:
    """A frame, and how the store stood when the server wrote it."""

    __slots__ = ("at_s", "epoch", "frame", "vector")

    def __init__(self, frame: Frame, epoch: str, vector: int, at_s: float) -> None:
        self.frame, self.epoch, self.vector, self.at_s = frame, epoch, vector, at_s


class Wire:
    """The client's end of one socket: frames wait here until the client looks."""

    pass_on = None

    def __init__(self, world: World) -> None:
        self._world = world
        self.frames: list[Written] = []
        self.closed: int | None = None
        self.drained = lambda: None

    def write(self, frames: Sequence[Frame]) -> None:
        world = self._world
        world.ledger.hold(self.closed is None, "I21", "a frame after the close", frames)
        head, at_s = world.store.head, world.time_s
        self.frames.extend([Written(frame, head.epoch, head.vector, at_s) for frame in frames])

    def buffered(self) -> int:
        return 0

    def close(self, code: int, reason: str) -> None:
        if self.closed is None:
            self.closed = code


class Editor:
    """What the dialects have in common: a socket at some worker, requests without an answer, and what came of each.

    `lost_s`: since when its user may not even read. `spared_s`: when that was over, of which its worker may not even
    have heard the beginning yet.
    """

    dialect: Dialect
    encoding = Encoding.JSON

    def __init__(self, index: int, name: str, world: World) -> None:
        self.index = index
        self.name = name
        self.world = world
        self.user = User("test", name, f"{name}@tmi.local", name.title())
        self.caller = Caller(self.user, sid=name)
        self.worker: Worker | None = None
        self.life = 0
        self.socket = SocketId("")
        self.wire = Wire(world)
        self.sockets = 0
        self.admitted = False
        self.admitted_at_s = 0.0
        self.lost_s: float | None = None
        self.spared_s = float("-inf")
        self.presenter: tuple[int, str | None] = (-1, None)
        """Newest term, and who presents, as far as it was told."""
        self.roster: frozenset[str] = frozenset()
        self.asked: dict[str, Message] = {}
        self.sent_at: dict[str, tuple[int, int]] = {}
        """Epoch, counted, and vector of the head when an operation was sent first."""
        self.yes: dict[str, int] = {}
        self.no: dict[str, str] = {}
        self.noop: set[str] = set()
        self.changes: dict[str, list[CellChange]] = {}

    @property
    def connected(self) -> bool:
        return self.worker is not None and self.worker.life == self.life and self.wire.closed is None

    def here_since(self, since_s: float, until_s: float) -> bool:
        """On one socket, admitted, at a worker that was never frozen meanwhile."""
        worker, steady = self.worker, self.admitted and self.admitted_at_s <= since_s
        return bool(
            worker is not None
            and steady
            and self.connected
            and not worker.frozen
            and worker.thawed_at_s < since_s
            and self.lost_s is None
            and self.spared_s < since_s
        )

    # the socket -------------------------------------------------------------------------------------------------------

    def join(self, worker: Worker) -> None:
        role = self.world.role(self.caller)
        if nobody(role) or self.world.away or worker.frozen:
            # refused before there is a socket
            self.worker = None
            return
        session = self.world.live() or self.world.open_session(self.user)
        self.sockets += 1
        self.worker, self.life, self.wire = worker, worker.life, Wire(self.world)
        self.socket = SocketId(f"{self.name}#{self.sockets}")
        self.admitted = False
        self.roster = frozenset()
        self.begin()
        outbox = Outbox(self.wire)
        worker.fanout.attach(Connected(self.socket, self.user.id, self.dialect, self.encoding, outbox))
        worker.post(Joined(self.socket, self.caller, role, self.dialect.name, session, self.resume()))

    def begin(self) -> None:
        """A new socket: what the old one still had for us is lost."""

    def resume(self) -> Any:
        return None

    def leave(self, how: Departure = Departure.LOST, *, noticed_s: float = 0.0) -> None:
        """`noticed_s`: so much later the server hears of it; until then the old socket is a ghost."""
        worker, self.worker = self.worker, None
        if worker is None or worker.life != self.life:
            return
        socket, life = self.socket, self.life

        def gone() -> None:
            if worker.life == life:
                worker.fanout.detach(socket)
                worker.post(Left(socket, how))
                self.check_superseded(worker)

        if noticed_s:
            self.world.later.append((self.world.time_s + noticed_s, gone))
        else:
            gone()

    def check_superseded(self, gone_from: Worker) -> None:
        """I23: the end of an older socket changes nothing for this one."""
        if self.worker is gone_from and self.connected and self.admitted and gone_from.room is not None:
            here = gone_from.room.state.roster.get(self.socket) is not None or gone_from.frozen
            self.world.ledger.hold(here, "I23", self.name, self.socket)

    def expire(self) -> None:
        """I26: its login ended; the guard of its worker says so to the room."""
        if self.connected and self.worker is not None:
            self.world.count["expired"] += 1
            self.worker.post(Barred(self.socket, Ending.TOKEN_EXPIRED))
            if not self.worker.frozen and self.worker.room is not None:
                self.world.ledger.hold(not self.connected, "I26", self.name)

    def send(self, message: Message) -> None:
        if not self.connected or not self.admitted:
            return
        assert self.worker is not None
        if (id := message.get("operation_id")) is not None:
            self.sent_at.setdefault(id, (len(self.world.truths), self.world.store.head.vector))
        packed = self.encoding is Encoding.MSGPACK
        raw = msgspec.msgpack.encode(message) if packed else msgspec.json.encode(message).decode()
        try:
            intent = self.dialect.read(decode(raw, self.encoding), limits=SETTINGS.limits)
        except ProtocolError as error:
            raise AssertionError((message, error)) from error
        if isinstance(intent, Undo | Redo) and intent.operation_id is None:
            self.sockets += 1
            intent = type(intent)(OperationId(self.operation_id(10_000 + self.sockets)))
        self.worker.post(Asked(self.socket, intent))

    def look(self) -> None:
        """Reads the frames that have come."""
        wire = self.wire
        frames, wire.frames = wire.frames, []
        for written in frames:
            payload = written.frame.payload
            message = msgspec.json.decode(payload) if written.frame.text else msgspec.msgpack.decode(payload)
            if self.lost_s is not None and message.get("message_type") in CONTENT:
                self.check_content(message, written.at_s)
            self.receive(message, written)
        if frames and not self.admitted and wire.closed is None:
            self.admitted = True
            self.admitted_at_s = self.world.time_s
            for message in list(self.asked.values()):
                self.ask_again(message)
        if wire.closed is not None:
            self.leave()

    def check_content(self, message: Message, at_s: float) -> None:
        """I24, I25: nothing of the diagram long after the right to read it went."""
        if self.lost_s is not None and self.world.away_at_s < self.lost_s - LATE_S:
            self.world.ledger.hold(at_s <= self.lost_s + LATE_S, "I25", self.name, self.lost_s, at_s, message)

    def ask_again(self, message: Message) -> None:
        """On a new socket, after its state."""
        self.send(message)

    def receive(self, message: Message, written: Written) -> None:
        raise NotImplementedError

    def edit(self, number: int, cells: list[Message], strict: bool) -> None:
        raise NotImplementedError

    def invert(self, number: int, word: str) -> None:
        raise NotImplementedError

    def point(self) -> None:
        """Shows its cursor, at its own index."""

    def present(self, action: str, user: User | None) -> None:
        """Asks for, grants, or gives up presenting."""

    # what became of requests ------------------------------------------------------------------------------------------

    def operation_id(self, number: int) -> str:
        return f"{self.index:08x}-0000-4000-8000-{number:012x}"

    def accepted(self, id: str, vector: int) -> Message | None:
        hold = self.world.ledger.hold
        hold(id not in self.no, "I6", self.name, id, "both yes and no")
        hold(self.yes.setdefault(id, vector) == vector, "I4", self.name, id, "two vectors")
        return self.asked.pop(id, None)

    def refused(self, id: str, reason: str) -> None:
        if reason in ("unavailable", "permission_denied"):
            self.asked.pop(id, None)
            return
        hold = self.world.ledger.hold
        hold(id not in self.yes and id not in self.noop, "I6", self.name, id, reason, "both yes and no")
        self.no[id] = reason
        self.asked.pop(id, None)

    def check_event(self, vector: int, written: Written, id: str | None = None) -> None:
        """I7: nobody is told what could still vanish; what is told is the log's."""
        world = self.world
        world.ledger.hold(vector <= written.vector, "I7", self.name, vector, written.vector)
        truth = world.truth
        if id is not None and truth.epoch == written.epoch and truth.base < vector:
            row = truth.row(vector)
            world.ledger.hold(row.operation_id == id, "I7", self.name, vector, id, row.operation_id)

    def check_presenter(self, term: int, who: str | None) -> None:
        """I20: terms do not fall, and one term has one presenter."""
        known, then = self.presenter
        hold = self.world.ledger.hold
        hold(term >= known, "I20", self.name, "an older term", term, known)
        hold(term > known or who == then, "I20", self.name, "two presenters in one term", term, who, then)
        self.presenter = (term, who)

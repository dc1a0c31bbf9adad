"""One diagram as all its editors together know it: what was sent, which operation took which vector, and the replay.

Every editor of one dialect must get the same bytes for the same vector. So the first to get them reads them, and the
others compare: that is how one core follows tens of thousands of deliveries a second, and how every editor is known to
hold what the replay of the one stream gives.
"""

from __future__ import annotations

from collections import deque
from typing import Any

import msgspec

from codraw.client import Replica
from codraw.client.messages import State, read
from codraw.load.measures import Measures
from codraw.load.wire import Dialect, Said, unpacked
from protocol.codec import Encoding
from protocol.dialects.codraw_v1_messages import Event

KEPT = 8_192
"""So many vectors of frames, times and ids are kept behind the replay; a reader further behind is followed by order."""
REMEMBERED = 100_000
"""So many operations are under way at most, those of classic among them that nobody ever hears of."""


class Board:
    """`due`: vector -> when the operation was meant to be sent, as far as it is ours."""

    def __init__(self, threat_model: str, diagram: str, session: str, measures: Measures) -> None:
        self.threat_model, self.diagram, self.session = threat_model, diagram, session
        self.epoch = ""
        self.newest = -1
        self.streams: dict[Dialect, dict[int, bytes]] = {dialect: {} for dialect in Dialect}
        self.due: dict[int, float] = {}
        self.operation_at: dict[int, str] = {}
        self.vector_of: dict[str, int] = {}
        self.asked: dict[str, float] = {}
        self.replica = Replica()
        self.bytes_told = 0
        self._measures = measures
        self._first: dict[int, str] = {}
        self._events: dict[int, tuple[bytes, Encoding]] = {}
        self._receipts: deque[tuple[int, Any]] = deque()
        self._hashes: dict[int, str] = {}
        self._claims: dict[tuple[int, str], str] = {}
        self._copies: dict[bytes, str] = {}

    def ask(self, id: str, intended: float) -> None:
        """An operation of ours is on its way."""
        self.asked[id] = intended
        if len(self.asked) > REMEMBERED:
            del self.asked[next(iter(self.asked))]

    def note(self, vector: int, id: str, who: str) -> None:
        """Somebody was told that this operation took this vector: everybody must be told the same."""
        known = self.operation_at.setdefault(vector, id)
        if known != id:
            first = self._first.get(vector, "somebody")
            self._measures.fault("other content", f"{who} at vector {vector}: {id}, {first} was told {known}")
            return
        self._first.setdefault(vector, who)
        self.vector_of[id] = vector
        if vector not in self.due and (intended := self.asked.get(id)) is not None:
            self.due[vector] = intended
        self.newest = max(self.newest, vector)

    def tell(self, dialect: Dialect, said: Said, frame: bytes, payload: bytes, who: str) -> None:
        """An event, as the first of this dialect, or as somebody whose bytes are not those of the first, got it."""
        vector = said.update_vector
        self.note(vector, said.operation_id, who)
        first = self.streams[dialect].setdefault(vector, frame)
        if first is frame:
            self.bytes_told += len(frame)
        elif first != frame:
            self._measures.tally["events in other bytes"] += 1
        if dialect.is_v1:
            encoding = Encoding.MSGPACK if dialect is Dialect.PACKED else Encoding.JSON
            known = self._events.setdefault(vector, (payload, encoding))
            if known[0] is not payload and _cells(known) != _cells((payload, encoding)):
                self._measures.fault("other content", f"{who} at vector {vector}: other cells than others were told")

    def effective(self, dialect: Dialect, vector: int, cells: msgspec.Raw) -> None:
        """A receipt says what became of the operation: that must be what the others were told."""
        self._receipts.append((vector, unpacked(dialect, cells)))

    def claim(self, vector: int, state_hash: str, who: str) -> None:
        """A full state, a resumption or a heartbeat says what the cells come to at a vector."""
        known = self._hashes.get(vector)
        if known is None:
            if not self._hashes or vector > self.replica.confirmed.vector:
                self._claims.setdefault((vector, state_hash), who)
        elif known != state_hash:
            self._measures.fault("hash differs", f"{who} at vector {vector}: {state_hash}, the replay gives {known}")

    def show(self, dialect: Dialect, said: Said, payload: bytes, who: str) -> None:
        """A full state; of many equal ones the first is taken apart."""
        if payload not in self._copies:
            if len(self._copies) > 16:
                self._copies.clear()
            state = State(said.epoch, said.update_vector, "", "", True, unpacked(dialect, said.cells))
            copy = Replica()
            copy.show(state)
            self._copies[payload] = copy.state_hash
            if self.newest < 0 or (said.epoch and self.epoch and said.epoch != self.epoch):
                self._begin(state, said)
            elif said.epoch and not self.epoch:
                self.epoch = said.epoch
                self.replica.confirmed = msgspec.structs.replace(self.replica.confirmed, epoch=said.epoch)
        self.claim(said.update_vector, self._copies[payload], who)
        if said.state_hash:
            self.claim(said.update_vector, said.state_hash, who)
        self.newest = max(self.newest, said.update_vector)

    def _begin(self, state: State, said: Said) -> None:
        if self.epoch:
            self._measures.tally["epochs changed"] += 1
        self.epoch, self.newest = said.epoch, said.update_vector
        for stream in self.streams.values():
            stream.clear()
        for kept in (self.due, self.operation_at, self._first, self._events, self._hashes, self._claims):
            kept.clear()
        self.replica = Replica()
        self.replica.show(state)
        self._hashes[said.update_vector] = self.replica.state_hash

    def replay(self) -> None:
        """Takes the events that stand in a row into the copy, holds every claim against it and forgets the old."""
        while (found := self._events.pop(vector := self.replica.confirmed.vector + 1, None)) is not None:
            event = read(*found)
            if not isinstance(event, Event):
                self._measures.fault("unreadable event", f"vector {vector}: {found[0][:200]!r}")
                return
            self.replica.happened(event)
            self._hashes[vector] = self.replica.state_hash
            self._agree(vector, event)
            self._forget(vector - KEPT)

    def _agree(self, vector: int, event: Event) -> None:
        for claimed, who in [(c, w) for c, w in self._claims.items() if c[0] <= vector]:
            del self._claims[claimed]
            self.claim(*claimed, who)
        while self._receipts and self._receipts[0][0] <= vector:
            at, cells = self._receipts.popleft()
            if at == vector and cells != msgspec.to_builtins(event.operation.cells):
                self._measures.fault("other content", f"the receipt at vector {vector} has other cells than the event")

    def _forget(self, vector: int) -> None:
        for stream in self.streams.values():
            stream.pop(vector, None)
        for kept in (self.due, self._first, self._hashes):
            kept.pop(vector, None)
        if (id := self.operation_at.pop(vector, None)) is not None:
            self.vector_of.pop(id, None)
            self.asked.pop(id, None)

    @property
    def replayed(self) -> int:
        """Up to here every event was seen."""
        return self.replica.confirmed.vector


def _cells(event: tuple[bytes, Encoding]) -> Any:
    found = read(*event)
    return found.operation if isinstance(found, Event) else None

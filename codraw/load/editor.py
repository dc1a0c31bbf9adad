"""One simulated editor: what it was told, in order or not, what it waits for, and what it sends again."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Mapping, Sequence
from time import perf_counter
from typing import TYPE_CHECKING, Protocol

import msgspec

from codraw.load.board import Board
from codraw.load.measures import Measures
from codraw.load.wire import Dialect, Message, Said, cursor, framed, operation, read, unpacked

if TYPE_CHECKING:
    from codraw.load.line import Line

NO_NEWS_S = 5.0
"""After so long a classic sender waits no longer to be heard of by others."""


class Crew(Protocol):
    """Whom an editor tells of the end of its connections."""

    def lost(self, editor: Editor, code: int) -> None: ...


class Editor:
    """`vector`: all up to here is known; `pending`: operation id -> when it was meant to be sent, and its frame."""

    def __init__(self, name: str, dialect: Dialect, board: Board, measures: Measures, crew: Crew) -> None:
        self.name, self.dialect, self.board, self.measures, self.crew = name, dialect, board, measures, crew
        self.vector = -1
        self.pending: dict[str, tuple[float, bytes]] = {}
        self.line: Line | None = None
        self.is_in_sync = False
        self.is_slow = self.was_slow = False
        self.wants_in = True
        self.dialled_at = 0.0
        self.left_at: float | None = None
        self.synced: asyncio.Future[bool] | None = None
        self._mine: set[str] = set()
        self._awaited: set[str] = set()
        self._last_sent = 0.0
        self._heard: deque[str] = deque()
        self.until = self._shown_at = -1

    # what it does -----------------------------------------------------------------------------------------------------

    def edit(self, id: str, cells: Sequence[Message], intended: float) -> None:
        """Without a connection it is sent when there is one again."""
        frame = framed(self.dialect, operation(self.dialect, id, max(self.vector, 0), cells))
        self.board.ask(id, intended)
        if not self.dialect.is_v1:
            self._mine.add(id)
        if self.dialect is Dialect.CLASSIC:
            self._awaited.add(id)
            self._last_sent = perf_counter()
        else:
            self.pending[id] = (intended, frame)
        self.measures.tally["operations"] += 1
        if self.line is not None and self.is_in_sync:
            self.line.write(frame)

    def point(self, place: int, intended: float) -> None:
        """The number of the cursor stands in it: those who see it know when it was meant to be sent."""
        if self.line is not None and self.is_in_sync:
            self.measures.tally["cursors"] += 1
            self.line.write(framed(self.dialect, cursor(place, intended)))

    def slow_down(self, *, trickle: bool) -> None:
        """Reads 1 KiB a second, or nothing."""
        self.is_slow = self.was_slow = True
        if self.line is not None:
            self.line.slow_down(trickle)

    def recover(self) -> None:
        if not self.is_slow:
            return
        self.is_slow = False
        if self.line is not None:
            self.line.recover()

    @property
    def resume(self) -> Mapping[str, str]:
        """What a returning codraw.v1 client adds to the address."""
        if not self.dialect.is_v1 or self.vector < 0 or not self.board.epoch:
            return {}
        return {"resume": f"{self.board.epoch}:{self.vector}"}

    # what it is told --------------------------------------------------------------------------------------------------

    def connected(self, line: Line) -> None:
        self.line = line
        self.is_in_sync = False

    def disconnected(self, line: Line, code: int) -> None:
        if self.line is not line:
            return
        self.line = None
        self.is_in_sync = False
        if self.left_at is None and self.vector >= 0:
            self.left_at = perf_counter()
        if self.synced is not None and not self.synced.done():
            self.synced.set_result(False)
        else:
            self.crew.lost(self, code)

    def take(self, payload: bytes, frame: bytes, now: float) -> None:
        """One message that was not what everybody else had got already."""
        try:
            said = read(self.dialect, payload)
        except msgspec.MsgspecError:
            self.measures.fault("unreadable", f"{self.name}: {payload[:200]!r}")
            return
        match said.message_type:
            case "event" | "diagram_operation_event":
                self._event(said, payload, frame, now)
            case "operation_accepted":
                self._receipt(said, now)
            case "diagram_operation":
                self._overheard(said, now)
            case "operation_rejected":
                self._rejected(said)
            case "state" | "diagram_state" | "diagram_state_sync":
                self._state(said, payload, now)
            case "resumed":
                self._resumed(said, now)
            case "heartbeat":
                self.board.claim(said.update_vector, said.state_hash, self.name)
            case "awareness":
                self._awareness(said, now)
            case "goodbye":
                self.measures.tally[f"goodbye {said.reason}"] += 1
            case "error" | "authorization_denied" | "state_correction":
                self.measures.tally[f"{said.message_type} {said.error}".strip()] += 1

    def _event(self, said: Said, payload: bytes, frame: bytes, now: float) -> None:
        vector = said.update_vector
        is_mine = said.operation_id in self.pending
        if vector <= self.vector:
            if is_mine:
                self._settle(said.operation_id, now)
            elif self.dialect is Dialect.TMI and self.board.operation_at.get(vector) in self._mine:
                self.measures.tally["corrections of own operations"] += 1
            else:
                self.measures.fault("doubled", f"{self.name} got vector {vector} after {self.vector}")
            return
        self._advance(vector)
        self.board.tell(self.dialect, said, frame, payload, self.name)
        if is_mine:
            self._settle(said.operation_id, now)
        else:
            self._delivered(vector, now)

    def _receipt(self, said: Said, now: float) -> None:
        vector = said.update_vector
        if said.duplicate:
            self.measures.tally["duplicates answered"] += 1
            if vector > self.vector:
                self.measures.fault("lost", f"{self.name} at {self.vector}: duplicate of {vector} before its event")
        elif said.changed and vector <= self.vector and self._shown_at >= vector:
            # WS12: a full state took the place of what waited for us, the receipts of which stayed
            self.measures.tally["receipts behind a state"] += 1
        elif said.changed:
            self._advance(vector)
        else:
            self.measures.tally["no-ops"] += 1
        if said.changed:
            self.board.note(vector, said.operation_id, self.name)
            if said.cells:
                self.board.effective(self.dialect, vector, said.cells)
        if said.operation_id in self.pending or not said.duplicate:
            self._settle(said.operation_id, now)
        self.perhaps_in_sync(now)

    def _settle(self, id: str, now: float) -> None:
        found = self.pending.pop(id, None)
        if found is None:
            self.measures.fault("two outcomes", f"{self.name}: {id} was answered again")
            return
        self.measures.tally["accepted"] += 1
        (self.measures.slow_receipt if self.was_slow else self.measures.receipt).add(now - found[0])

    def _rejected(self, said: Said) -> None:
        self.measures.rejections[said.reason] += 1
        self.board.asked.pop(said.operation_id, None)
        if self.pending.pop(said.operation_id, None) is None:
            self.measures.fault("two outcomes", f"{self.name}: {said.operation_id} refused after it was answered")

    def _advance(self, vector: int) -> None:
        if vector <= self.vector:
            self.measures.fault("doubled", f"{self.name} got a receipt at {vector} after {self.vector}")
            return
        if vector != self.vector + 1:
            self.measures.fault("lost", f"{self.name} got vector {vector} after {self.vector}")
        self.vector = vector

    def _delivered(self, vector: int, now: float) -> None:
        self.measures.tally["deliveries"] += 1
        if (due := self.board.due.get(vector)) is not None and self.until < vector:
            (self.measures.slow if self.was_slow else self.measures.delivery).add(now - due)
        self.perhaps_in_sync(now)

    def _overheard(self, said: Said, now: float) -> None:
        """Classic frames have no vector: their order is held against that of others, once a second."""
        self.measures.tally["deliveries"] += 1
        self._heard.append(said.operation_id)
        if (due := self.board.asked.get(said.operation_id)) is not None:
            self.measures.delivery.add(now - due)

    @property
    def is_answered(self) -> bool:
        """Classic senders hear nothing of their own operations: others must have, or time passes."""
        self._awaited = {id for id in self._awaited if id not in self.board.vector_of}
        return not self.pending and (not self._awaited or perf_counter() - self._last_sent > NO_NEWS_S)

    def compare(self) -> None:
        """Classic: what lies between two overheard operations must be our own, all of it."""
        while self._heard and (vector := self.board.vector_of.get(self._heard[0])) is not None:
            id = self._heard.popleft()
            if vector <= self.vector:
                self.measures.fault("doubled", f"{self.name} got {id} (vector {vector}) after {self.vector}")
                continue
            self._own_up_to(vector - 1)
            self.vector = vector

    def _own_up_to(self, vector: int) -> None:
        for at in range(self.vector + 1, vector + 1):
            if self.board.operation_at.get(at) not in self._mine:
                self.measures.fault("lost", f"{self.name} never got vector {at}")
        self.vector = max(self.vector, vector)

    def finish(self) -> None:
        """Classic: the last operations may be our own, of which we hear nothing."""
        if self.dialect is Dialect.CLASSIC:
            self.compare()
            while self.board.operation_at.get(self.vector + 1) in self._mine:
                self.vector += 1

    def _state(self, said: Said, payload: bytes, now: float) -> None:
        self.measures.tally["full states"] += 1
        if said.epoch in (self.board.epoch, "") and said.update_vector < self.vector and not self._heard:
            self.measures.fault("vector fell", f"{self.name} got a state at {said.update_vector} after {self.vector}")
        self.board.show(self.dialect, said, payload, self.name)
        self.vector = self._shown_at = said.update_vector
        self._heard.clear()
        self.until = -1
        self._in_sync(now)

    def _resumed(self, said: Said, now: float) -> None:
        self.measures.tally["resumed"] += 1
        self.board.claim(said.to, said.state_hash, self.name)
        self.until = said.to
        self.perhaps_in_sync(now)

    def perhaps_in_sync(self, now: float) -> None:
        if not self.is_in_sync and 0 <= self.until <= self.vector:
            self._in_sync(now)

    def _in_sync(self, now: float) -> None:
        """Connected, and nothing is missing; what has no outcome is sent again, same ids, same order."""
        if self.is_in_sync or self.line is None:
            return
        self.is_in_sync = True
        (self.measures.join if self.left_at is None else self.measures.resume).add(now - self.dialled_at)
        if self.left_at is not None:
            self.measures.step("away").add(now - self.left_at)
        self.left_at = None
        for _, frame in self.pending.values():
            self.measures.tally["sent again"] += 1
            self.line.write(frame)
        if self.synced is not None and not self.synced.done():
            self.synced.set_result(True)

    def _awareness(self, said: Said, now: float) -> None:
        """The second coordinate is the time at which it was meant to be sent."""
        self.measures.tally["cursors seen"] += 1
        for update in unpacked(self.dialect, said.updates) if said.updates else ():
            if (where := update.get("cursor")) is not None:
                self.measures.awareness.add(now - where["y"])

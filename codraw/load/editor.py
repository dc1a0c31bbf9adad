"""One simulated editor: a connection after another, what it was told, in order or not, and what it waits for."""

from __future__ import annotations

import asyncio
import os
from collections import deque
from collections.abc import Mapping, Sequence
from time import perf_counter
from typing import Protocol, cast

import msgspec

from codraw.load.board import Board
from codraw.load.frames import CLOSE, PING, PONG, extent, masked, upgraded
from codraw.load.measures import Measures
from codraw.load.wire import Dialect, Message, Said, cursor, framed, operation, read, unpacked

TRICKLE_BYTES = 1_024
TRICKLE_S = 1.0
ABNORMAL = 1006
NO_NEWS_S = 5.0


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
        self._cursors: list[float] = []
        self._until = -1

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
            self._cursors.append(intended)
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
        self._perhaps_in_sync(now)

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
        if (due := self.board.due.get(vector)) is not None and self._until < vector:
            (self.measures.slow if self.was_slow else self.measures.delivery).add(now - due)
        self._perhaps_in_sync(now)

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
        self.vector = said.update_vector
        self._heard.clear()
        self._until = -1
        self._in_sync(now)

    def _resumed(self, said: Said, now: float) -> None:
        self.measures.tally["resumed"] += 1
        self.board.claim(said.to, said.state_hash, self.name)
        self._until = said.to
        self._perhaps_in_sync(now)

    def _perhaps_in_sync(self, now: float) -> None:
        if not self.is_in_sync and 0 <= self._until <= self.vector:
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


class Line(asyncio.Protocol):
    """One connection of one editor, from the upgrade to its end."""

    def __init__(self, editor: Editor, request: bytes) -> None:
        self.editor = editor
        self.status = 0
        self.code = ABNORMAL
        self._request = request
        self._rest = b""
        self._parts: list[bytes] = []
        self._transport: asyncio.Transport | None = None
        self._timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self.editor.connected(self)
        self._transport.write(self._request)

    def connection_lost(self, error: Exception | None) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self.editor.disconnected(self, self.code)

    def write(self, frame: bytes) -> None:
        if self._transport is not None:
            self._transport.write(frame)

    def leave(self) -> None:
        """Politely: a close frame, and what comes until the other side hangs up is not looked at."""
        if self._transport is not None:
            self._transport.write(masked(CLOSE, (1000).to_bytes(2, "big")))

    def cut(self) -> None:
        """As bad weather would."""
        if self._transport is not None:
            self._transport.abort()

    # slow readers -----------------------------------------------------------------------------------------------------

    def slow_down(self, trickle: bool) -> None:
        """The transport reads no more. Who trickles reads past it, which leaves the system's buffers as they are."""
        if self._transport is not None:
            self._transport.pause_reading()
            is_plain = self._transport.get_extra_info("ssl_object") is None
            if trickle and is_plain:
                self._sip(self._transport.get_extra_info("socket").fileno())

    def _sip(self, file: int) -> None:
        try:
            data = os.read(file, TRICKLE_BYTES)
        except BlockingIOError:
            pass
        except OSError:
            return self.cut()
        else:
            if not data:
                return self.cut()
            self.data_received(data)
        self._timer = asyncio.get_running_loop().call_later(TRICKLE_S, self._sip, file)
        return None

    def recover(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._transport is not None and not self._transport.is_closing():
            self._transport.resume_reading()

    # reading ----------------------------------------------------------------------------------------------------------

    def data_received(self, data: bytes) -> None:
        now = perf_counter()
        if self._rest:
            data = self._rest + data
        at = 0 if self.status else self._upgraded(data)
        if at is not None:
            at = self._frames(data, at, now)
        self._rest = data[at:]

    def _upgraded(self, data: bytes) -> int | None:
        found = upgraded(data)
        if found is None:
            return None
        self.status, at = found
        if self.status != 101:
            self.editor.measures.tally[f"upgrade refused {self.status}"] += 1
            self.cut()
            return len(data)
        return at

    def _frames(self, data: bytes, at: int, now: float) -> int:
        """Up to where all was read. What others of this dialect have got already is compared and not read again."""
        editor = self.editor
        board, vector = editor.board, editor.vector
        stream, due, end = board.streams[editor.dialect], board.due, len(data)
        add = editor.measures.slow.add if editor.was_slow else editor.measures.delivery.add
        same = 0
        while at < end:
            frame = stream.get(vector + 1)
            if (
                frame is not None
                and data.startswith(frame, at)
                and board.operation_at[vector + 1] not in editor.pending
            ):
                vector += 1
                at += len(frame)
                same += 1
                editor.vector = vector
                if editor._until < vector and vector in due:
                    add(now - due[vector])
                elif not editor.is_in_sync:
                    editor._perhaps_in_sync(now)
                continue
            place = extent(data, at)
            if place is None or place[1] > end:
                break
            self._frame(data, at, place, now)
            at, vector = place[1], editor.vector
        editor.measures.tally["deliveries"] += same
        return at

    def _frame(self, data: bytes, at: int, place: tuple[int, int], now: float) -> None:
        payload = data[place[0] : place[1]]
        opcode, is_final = data[at] & 0x0F, data[at] & 0x80
        if opcode == PING:
            self.write(masked(PONG, payload))
        elif opcode == CLOSE:
            self.code = int.from_bytes(payload[:2], "big") if payload else 1005
            self.write(masked(CLOSE, payload[:2]))
        elif opcode != PONG:
            self._parts.append(payload)
            if is_final:
                whole = payload if len(self._parts) == 1 else b"".join(self._parts)
                self._parts.clear()
                self.editor.take(whole, data[at : place[1]], now)

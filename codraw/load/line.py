"""One connection of one editor: the upgrade, frames in pieces and in bulk, and reading slowly on purpose."""

from __future__ import annotations

import asyncio
import os
from time import perf_counter
from typing import cast

from codraw.load.editor import Editor
from codraw.load.frames import CLOSE, PING, PONG, extent, masked, upgraded

TRICKLE_BYTES = 1_024
TRICKLE_S = 1.0
ABNORMAL = 1006


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
                if editor.until < vector and vector in due:
                    add(now - due[vector])
                elif not editor.is_in_sync:
                    editor.perhaps_in_sync(now)
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

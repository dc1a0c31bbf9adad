"""One face for every kind of WebSocket: `Socket`. Plain ASGI sends and receives event by event, in tasks; where the
server has `READY_FRAMES`, frames go out in one write, and what comes is a call."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Mapping, Sequence
from contextlib import suppress
from typing import Any, Protocol

import msgspec

Message = Mapping[str, Any]
"""An ASGI event."""
Hear = Callable[[Message], bool]
"""Takes what has come; False: nothing more until it is listened again."""

READY_FRAMES = "codraw.frames"
"""The ASGI extension by which a server takes frames as they go over the wire and keeps the connection: its value is a
`Carrier`."""
HANDOVER = 64 * 1024
"""Bytes that a socket may have on its way before it is given no more."""
SHARED = 16 * 1024
"""Longer payloads are not copied to stand beside others: all sockets that wait for one hold the same bytes."""
LACKING = (1011, "")
"""How a socket is closed that could not be written to: others are written to in that turn, and it must come back."""


class Frame(msgspec.Struct, eq=False):
    """One wire message, encoded once and handed to every socket that is told the same."""

    payload: bytes
    text: bool
    _message: Message | None = None
    _wire: bytes | None = None

    @property
    def head(self) -> bytes:
        """RFC 6455, 5.2: final, not masked, not compressed."""
        opcode, size = b"\x81" if self.text else b"\x82", len(self.payload)
        if size < 126:
            return opcode + size.to_bytes(1)
        return opcode + (b"\x7e" + size.to_bytes(2) if size < 65_536 else b"\x7f" + size.to_bytes(8))

    @property
    def wire(self) -> bytes:
        """Head and payload, put together once for all sockets."""
        if self._wire is None:
            self._wire = self.head + self.payload
        return self._wire

    def message(self) -> Message:
        """The ASGI event, made once for all sockets: servers read it and do not change it."""
        if self._message is None:
            content = {"text": self.payload.decode()} if self.text else {"bytes": self.payload}
            self._message = {"type": "websocket.send", **content}
        return self._message


class Batch(list[Frame]):
    """Frames that many sockets are given together; joined once for all of them."""

    __slots__ = ("wire",)

    def __init__(self, frames: Iterable[Frame]) -> None:
        super().__init__(frames)
        self.wire = self[0].wire if len(self) == 1 else b"".join([frame.wire for frame in self])


def nothing() -> None:
    """Whom a socket tells that has nobody to tell."""


class Socket(Protocol):
    """What an outbox writes to, and a visit listens at."""

    drained: Callable[[], None]
    """Called whenever everything written has been taken, if `HANDOVER` bytes or more waited before."""
    pass_on: Callable[[bytes], None] | None
    """Writes frames as they go over the wire, without a step in between; None: this socket takes none, or no more. What
    it raises, OSError or RuntimeError, says that the socket lacks something now: it is to be closed."""

    def write(self, frames: Sequence[Frame]) -> None:
        """Never waits; order is kept."""

    def buffered(self) -> int:
        """Bytes written and not yet taken by the transport."""
        ...

    def close(self, code: int, reason: str) -> None:
        """After everything written before; what is written later is dropped."""

    def listen(self, hear: Hear) -> None:
        """What waits and what comes goes to `hear`, event by event, until it returns False."""

    def finish(self) -> None:
        """Nobody listens any more."""


class AsgiSocket:
    """Plain ASGI: `run` alone calls `send`, so frames keep their order and one wake-up serves a batch; `read` alone
    calls `receive`."""

    pass_on: Callable[[bytes], None] | None = None

    def __init__(self, receive: Callable[[], Awaitable[Message]], send: Callable[[Any], Awaitable[None]]) -> None:
        self.drained: Callable[[], None] = nothing
        self._receive = receive
        self._hear: Hear | None = None
        self._listened = asyncio.Event()
        self._reading: asyncio.Timeout | None = None
        self._finished = False
        self._send = send
        self._queue: deque[Frame] = deque()
        self._buffered = 0
        self._ending: Message | None = None
        self._closed = False
        self._wake = asyncio.Event()

    def write(self, frames: Sequence[Frame]) -> None:
        if self._closed or self._ending is not None:
            return
        self._queue.extend(frames)
        for frame in frames:
            self._buffered += len(frame.payload)
        self._wake.set()

    def buffered(self) -> int:
        return self._buffered

    def close(self, code: int, reason: str) -> None:
        if self._ending is None:
            self._ending = {"type": "websocket.close", "code": code, "reason": reason}
            self._wake.set()

    def listen(self, hear: Hear) -> None:
        self._hear = hear
        self._listened.set()

    def finish(self) -> None:
        self.drained = nothing
        self._hear = None
        self._finished = True
        if self._reading is not None:
            self._reading.reschedule(0)

    async def read(self) -> None:
        """Hands on what comes, until `finish`."""
        try:
            async with asyncio.timeout(None) as self._reading:
                while not self._finished:
                    await self._listened.wait()
                    message = await self._receive()
                    self._listened.clear()
                    if self._hear is not None and self._hear(message):
                        self._listened.set()
        except TimeoutError:
            pass
        finally:
            self._reading = None

    async def run(self) -> None:
        """Writes until it has closed the socket or found it gone."""
        try:
            while not self._closed:
                await self._wake.wait()
                self._wake.clear()
                await self._write_out()
        except (OSError, RuntimeError):
            # `send` on a connection that is gone is an OSError; where the server itself has sent a close frame, uvicorn
            # makes it a RuntimeError. The reading side sees the disconnect and acts on it.
            pass
        finally:
            self._closed = True
            self._queue.clear()
            self._buffered = 0

    async def _write_out(self) -> None:
        while self._queue:
            frame = self._queue.popleft()
            await self._send(frame.message())
            self._buffered -= len(frame.payload)
        # May fill the queue again, and then the close waits for that.
        self.drained()
        if self._ending is not None and not self._queue:
            await self._send(self._ending)
            self._closed = True


class Carrier(Protocol):
    """One connection of a server with `READY_FRAMES`."""

    def report(self, drained: Callable[[], None], above: int) -> None:
        """`drained` is called when nothing waits any more, each time that `above` bytes or more did."""

    def pass_on(self, wire: bytes) -> None:
        """Never waits. What comes once the connection is being closed is dropped."""

    @property
    def waiting(self) -> Callable[[], int]:
        """Bytes passed on that the kernel has not taken."""
        ...

    def listen(self, hear: Hear) -> None:
        """What waits and what comes goes to `hear`, until it returns False. The application may return: the connection
        stays until `finish`."""

    def finish(self) -> None:
        """What the return of an application is that did not listen."""


class FrameSocket:
    """Ready frames straight to the transport: no task, no queue, and one write for all that a turn of the loop has."""

    __slots__ = ("_carrier", "_send", "_start", "buffered", "drained", "pass_on")

    def __init__(
        self,
        carrier: Carrier,
        send: Callable[[Any], Awaitable[None]],
        start: Callable[[Coroutine[Any, Any, None]], object],
    ) -> None:
        self.drained: Callable[[], None] = nothing
        self.buffered = carrier.waiting
        self.pass_on: Callable[[bytes], None] | None = carrier.pass_on
        self._carrier = carrier
        self._send = send
        self._start = start
        carrier.report(self._drained, HANDOVER)

    def write(self, frames: Sequence[Frame]) -> None:
        pass_on = self.pass_on
        if pass_on is None:
            return
        try:
            self._write(frames, pass_on)
        except (OSError, RuntimeError):
            self.close(*LACKING)

    @staticmethod
    def _write(frames: Sequence[Frame], pass_on: Callable[[bytes], None]) -> None:
        small: list[bytes] = []
        for frame in frames:
            if len(frame.payload) <= SHARED:
                small.append(frame.wire)
                continue
            pass_on(b"".join((*small, frame.head)))
            small.clear()
            pass_on(frame.payload)
        if small:
            pass_on(b"".join(small))

    def close(self, code: int, reason: str) -> None:
        if self.pass_on is not None:
            self.pass_on = None
            self._start(self._close({"type": "websocket.close", "code": code, "reason": reason}))

    def listen(self, hear: Hear) -> None:
        self._carrier.listen(hear)

    def finish(self) -> None:
        # Whom it tells holds it.
        self.drained = nothing
        self._carrier.finish()

    def _drained(self) -> None:
        self.drained()

    async def _close(self, ending: Message) -> None:
        # As in `AsgiSocket.run`: it may be gone.
        with suppress(OSError, RuntimeError):
            await self._send(ending)

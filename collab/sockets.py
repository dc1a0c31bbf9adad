"""One face for every kind of WebSocket: `Socket`. Here is the plain ASGI kind; a faster kind is one more class."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, Protocol

Message = Mapping[str, Any]
"""An ASGI event."""


class Frame:
    """One wire message, encoded once and handed to every socket that is told the same."""

    __slots__ = ("_message", "payload", "text")

    def __init__(self, payload: bytes, *, text: bool) -> None:
        self.payload = payload
        self.text = text
        self._message: Message | None = None

    def message(self) -> Message:
        """The ASGI event, made once for all sockets: servers read it and do not change it."""
        if self._message is None:
            content = {"text": self.payload.decode()} if self.text else {"bytes": self.payload}
            self._message = {"type": "websocket.send", **content}
        return self._message


class Socket(Protocol):
    """What an outbox writes to."""

    drained: Callable[[], None]
    """Called whenever everything written has been taken."""

    def write(self, frames: Sequence[Frame]) -> None:
        """Never waits; order is kept."""

    def buffered(self) -> int:
        """Bytes written and not yet taken by the transport."""
        ...

    def close(self, code: int, reason: str) -> None:
        """After everything written before; what is written later is dropped."""


class AsgiSocket:
    """Plain ASGI: `run` alone calls `send`, so frames keep their order and one wake-up serves a batch."""

    def __init__(self, send: Callable[[Any], Awaitable[None]]) -> None:
        self.drained: Callable[[], None] = lambda: None
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

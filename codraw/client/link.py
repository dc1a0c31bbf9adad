"""What the parts of a live diagram share: how to say something to the server, and to whoever listens."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import Any

from codraw.client.events import Event
from codraw.client.wire import Wire
from protocol.codec import Encoding, encode


class Timers:
    """Things to be done a little later, each by its name: asked for again, the later time counts."""

    def __init__(self) -> None:
        self._waiting: dict[str, asyncio.TimerHandle] = {}

    def __contains__(self, name: str) -> bool:
        return name in self._waiting

    def after(self, delay_s: float, name: str, action: Callable[[], None]) -> None:
        def due() -> None:
            self._waiting.pop(name, None)
            action()

        self.stop(name)
        self._waiting[name] = asyncio.get_running_loop().call_later(delay_s, due)

    def stop(self, name: str) -> None:
        if (former := self._waiting.pop(name, None)) is not None:
            former.cancel()

    def clear(self) -> None:
        for name in list(self._waiting):
            self.stop(name)


class Link:
    """`tell` takes an event to all iterators. `timers` stop with the connection."""

    def __init__(self, encoding: Encoding, tell: Callable[[Event], None]) -> None:
        self.encoding = encoding
        self.tell = tell
        self.timers = Timers()
        self.wire: Wire | None = None

    @property
    def is_live(self) -> bool:
        return self.wire is not None and self.wire.state == "live"

    def say(self, message: Mapping[str, Any]) -> bool:
        """False: there is no connection."""
        return self.wire is not None and self.wire.send(self.frame(message))

    def frame(self, message: Mapping[str, Any]) -> bytes:
        return encode(message, self.encoding)

    def cut(self, reason: str, message: str) -> None:
        if self.wire is not None:
            self.wire.cut(reason, message)

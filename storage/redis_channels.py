"""Which channels one subscribing connection is to hear, which it was asked for, and which it has confirmed.

Rooms open and close all the time, and answers come in the order of the requests: so what is wanted and what was asked
are kept apart, and a channel counts as confirmed only when no request for it is open any more.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Iterator

from storage.redis_link import Command

Hear = Callable[[bytes | None], None]


class Listener:
    """Whoever hears a channel. `owed`: news may have been lost, and it has not been told yet."""

    __slots__ = ("channel", "hear", "owed")

    def __init__(self, channel: Channel, hear: Hear) -> None:
        self.channel = channel
        self.hear = hear
        self.owed = False


class Channel:
    """`asked`: the last request of this connection was to subscribe. `open_requests`: how many are not answered."""

    __slots__ = ("asked", "confirmed", "listeners", "name", "open_requests")

    def __init__(self, name: bytes) -> None:
        self.name = name
        self.listeners: list[Listener] = []
        self.asked = False
        self.open_requests = 0
        self.confirmed = asyncio.Event()


class Channels:
    """`change` is set where something is to be asked."""

    def __init__(self) -> None:
        self.change = asyncio.Event()
        self._channels: dict[bytes, Channel] = {}
        self._changed: dict[bytes, Channel] = {}
        self._requests: deque[Channel] = deque()

    def __len__(self) -> int:
        return len(self._channels)

    def get(self, name: bytes) -> Channel | None:
        return self._channels.get(name)

    def listeners(self) -> Iterator[Listener]:
        for channel in self._channels.values():
            yield from channel.listeners

    def join(self, name: bytes, hear: Hear) -> Listener:
        channel = self._channels.get(name)
        if channel is None:
            channel = self._channels[name] = Channel(name)
        listener = Listener(channel, hear)
        channel.listeners.append(listener)
        self._note(channel)
        return listener

    def leave(self, listener: Listener) -> None:
        if listener in listener.channel.listeners:
            listener.channel.listeners.remove(listener)
            self._note(listener.channel)

    def connected(self) -> None:
        """A new connection, which has been asked nothing."""
        for channel in self._channels.values():
            self._note(channel)

    def disconnected(self) -> None:
        self._requests.clear()
        for channel in list(self._channels.values()):
            channel.asked = False
            channel.open_requests = 0
            channel.confirmed.clear()
            self._drop_if_idle(channel)

    def due(self, *, sharded: bool) -> list[Command]:
        """What to send now. One command for each channel: so a refusal, too, answers exactly one request."""
        prefix = b"S" if sharded else b""
        self.change.clear()
        commands: list[Command] = []
        changed, self._changed = self._changed, {}
        for channel in changed.values():
            wanted = bool(channel.listeners)
            if wanted != channel.asked:
                channel.asked = wanted
                channel.confirmed.clear()
                channel.open_requests += 1
                self._requests.append(channel)
                commands.append((prefix + (b"SUBSCRIBE" if wanted else b"UNSUBSCRIBE"), channel.name))
            self._drop_if_idle(channel)
        return commands

    def answered(self, name: bytes) -> bool:
        """False: nobody asked, so this is not the connection that was asked, or it was sent away."""
        if not self._requests or self._requests[0].name != name:
            return False
        channel = self._requests.popleft()
        channel.open_requests -= 1
        if channel.asked and not channel.open_requests:
            channel.confirmed.set()
        self._drop_if_idle(channel)
        return True

    @property
    def settled(self) -> bool:
        """Everything that was asked is answered."""
        return not self._requests

    def _note(self, channel: Channel) -> None:
        self._changed[channel.name] = channel
        self.change.set()

    def _drop_if_idle(self, channel: Channel) -> None:
        idle = not channel.listeners and not channel.asked and not channel.open_requests
        if idle and self._channels.get(channel.name) is channel:
            del self._channels[channel.name]

"""A newcomer hears that it is in when the other workers have heard so: whatever it does next, they know of it.

What a client does upon its first frames, or those who see them, may reach another worker at once: the second tab that
is open before the first one closes, the host who ejects whoever has just come. The bus keeps the order of what is said
on it, so that whoever hears our own news come back knows that the others were sent it before.
"""

from __future__ import annotations

import asyncio

from collab.fanout import Fanout
from protocol.values import SocketId

PATIENCE_S = 0.25
"""So long our own news may be on its way; then the newcomer waits no longer."""


class Newcomers:
    def __init__(self, fanout: Fanout) -> None:
        self._fanout = fanout
        self._unsaid: list[SocketId] = []
        self._said: dict[bytes, tuple[SocketId, ...]] = {}
        """By the piece of news that tells of them."""

    def hold(self, socket: SocketId) -> None:
        """Until what is announced next, which tells of it, was heard."""
        self._fanout.hold(socket)
        self._unsaid.append(socket)

    def said(self, sealed: bytes) -> None:
        if self._unsaid:
            self._said[sealed], self._unsaid = tuple(self._unsaid), []
            asyncio.get_running_loop().call_later(PATIENCE_S, self.heard, sealed)

    def heard(self, sealed: bytes) -> None:
        """Any piece of news, our own among them."""
        if self._said:
            for socket in self._said.pop(sealed, ()):
                self._fanout.release(socket)

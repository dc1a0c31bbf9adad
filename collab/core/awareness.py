"""Cursors, selections and viewports: the newest value of each connection, at most 20 times a second (PR9, PR10)."""

from __future__ import annotations

from collections.abc import Collection, Iterable

import msgspec

from protocol.intents import Aware
from protocol.notices import AwareUpdate
from protocol.values import SocketId, User

FIELDS = ("cursor", "selection", "viewport")


class Awareness:
    """`note` keeps what a connection shows, `flush` hands out what changed since the last flush."""

    def __init__(self) -> None:
        self._known: dict[SocketId, AwareUpdate] = {}
        self._changed: dict[SocketId, AwareUpdate] = {}
        self._heard: dict[SocketId, int] = {}
        """Numbers of what other workers said of their connections."""

    def note(self, socket: SocketId, user: User, presenting: bool, aware: Aware) -> None:
        blank = AwareUpdate(socket, user, presenting)
        self._known[socket] = _over(self._known.get(socket, blank), aware, presenting)
        self._changed[socket] = _over(self._changed.get(socket, blank), aware, presenting)

    def hear(self, update: AwareUpdate, presenting: bool, serial: int) -> bool:
        """All that a connection at another worker shows. Whether it is news: not what was overtaken or is known."""
        socket = update.connection_id
        if serial < self._heard.get(socket, 0):
            return False
        self._heard[socket] = serial
        blank = AwareUpdate(socket, update.user, presenting)
        known = self._known.get(socket, blank)
        news = {field: getattr(update, field) for field in FIELDS if getattr(update, field) != getattr(known, field)}
        news = {field: value for field, value in news.items() if value is not msgspec.UNSET}
        if not news:
            return False
        self._known[socket] = msgspec.structs.replace(known, presenting=presenting, **news)
        changed = self._changed.get(socket, blank)
        self._changed[socket] = msgspec.structs.replace(changed, presenting=presenting, **news)
        return True

    def forget(self, socket: SocketId) -> None:
        for kept in (self._known, self._changed, self._heard):
            kept.pop(socket, None)

    def keep(self, sockets: Collection[SocketId]) -> None:
        """Forgets all others (PR10)."""
        for socket in (self._known.keys() | self._changed.keys() | self._heard.keys()) - set(sockets):
            self.forget(socket)

    def new_term(self, staying: Collection[SocketId]) -> bool:
        """PR7: what was shown under the older term reaches nobody as the presenter's. `staying` may show theirs without
        presenting; of the others it is taken back. Whether there is something to flush."""
        for socket, update in list(self._known.items()):
            if socket not in staying:
                self._known.pop(socket)
                gone = AwareUpdate(socket, update.user, presenting=False, cursor=None, selection=None)
                self._changed[socket] = gone
        for updates in (self._known, self._changed):
            for socket, update in updates.items():
                updates[socket] = msgspec.structs.replace(update, presenting=False)
        return bool(self._changed)

    def flush(self) -> tuple[AwareUpdate, ...]:
        updates, self._changed = tuple(self._changed.values()), {}
        return updates

    def known(self) -> tuple[AwareUpdate, ...]:
        return tuple(self._known.values())

    def of(self, sockets: Iterable[SocketId]) -> tuple[AwareUpdate, ...]:
        return tuple(known for socket in sockets if (known := self._known.get(socket)) is not None)


def _over(update: AwareUpdate, aware: Aware, presenting: bool) -> AwareUpdate:
    changes = {field: value for field in FIELDS if (value := getattr(aware, field)) is not msgspec.UNSET}
    return msgspec.structs.replace(update, presenting=presenting, **changes)

"""Cursors, selections and viewports: the newest value of each connection, at most 20 times a second (PR9, PR10)."""

from __future__ import annotations

from collections.abc import Collection

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

    def note(self, socket: SocketId, user: User, presenting: bool, aware: Aware) -> None:
        blank = AwareUpdate(socket, user, presenting)
        self._known[socket] = _over(self._known.get(socket, blank), aware, presenting)
        self._changed[socket] = _over(self._changed.get(socket, blank), aware, presenting)

    def forget(self, socket: SocketId) -> None:
        self._known.pop(socket, None)
        self._changed.pop(socket, None)

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


def _over(update: AwareUpdate, aware: Aware, presenting: bool) -> AwareUpdate:
    changes = {field: value for field in FIELDS if (value := getattr(aware, field)) is not msgspec.UNSET}
    return msgspec.structs.replace(update, presenting=presenting, **changes)

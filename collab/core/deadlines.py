"""Named deadlines of a room, and the one instant it wants to be woken at."""

from __future__ import annotations

from protocol.values import Instant, SocketId

RETRY = "retry"
"""Of the writing lane, and below of the session: the store was away."""
SESSION_RETRY = "session"
GAP = "gap"
SNAPSHOT = "snapshot"
AWARENESS = "awareness"
HEARTBEAT = "heartbeat"
HOST = "host"
"""Until it is to have been said where a host is who has returned."""
TURN = "turn"
"""Until then a commit of another worker goes first."""
ROSTER = "roster"
"""A crowd is shown who has come and gone."""
STATE = "state:"
"""With a socket behind it, as the next: a full state is due (WS9), and a doubt may be told again (E8)."""
DOUBT = "doubt:"


class Deadlines:
    """Each name has at most one deadline; `due` hands out those that have come and forgets them."""

    def __init__(self) -> None:
        self._at_s: dict[str, float] = {}

    def set(self, name: str, at_s: float) -> None:
        self._at_s[name] = at_s

    def set_if_unset(self, name: str, at_s: float) -> None:
        self._at_s.setdefault(name, at_s)

    def drop(self, name: str) -> None:
        self._at_s.pop(name, None)

    def drop_of(self, socket: SocketId) -> None:
        self.drop(STATE + socket)
        self.drop(DOUBT + socket)

    def __contains__(self, name: str) -> bool:
        return name in self._at_s

    def due(self, now: Instant) -> list[str]:
        """In the order of their instants."""
        names = [name for name, at_s in self._at_s.items() if at_s <= now.monotonic_s]
        names.sort(key=self._at_s.__getitem__)
        for name in names:
            del self._at_s[name]
        return names

    def next_s(self) -> float | None:
        return min(self._at_s.values(), default=None)

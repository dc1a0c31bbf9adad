"""What one client said and heard, in order, by a clock that never goes back; of clients the checker reads no more."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any, Literal

import msgspec

Message = dict[str, Any]
What = Literal["opened", "sent", "received", "closed", "asked", "answered", "copy"]
"""`opened` … `closed`: of a socket. `asked`, `answered`: of one REST request, by `ref`. `copy`: what it had at rest."""


class Entry(msgspec.Struct, frozen=True):
    """`connection`: counts the client's sockets or requests. `worker`: which one it spoke to."""

    at: float
    what: What
    worker: int
    connection: int
    message: Message


class Trace:
    """Append-only. `user` as the log names it; `dialect`: classic, tmi, codraw.v1 or rest."""

    def __init__(self, client: str, user: str, dialect: str, diagram: str) -> None:
        self.client, self.user, self.dialect, self.diagram = client, user, dialect, diagram
        self.entries: list[Entry] = []

    def add(self, what: What, worker: int, connection: int, message: Message, at: float | None = None) -> None:
        self.entries.append(Entry(time.monotonic() if at is None else at, what, worker, connection, message))

    def sockets(self) -> Iterator[list[Entry]]:
        """The entries of each connection."""
        found: dict[int, list[Entry]] = {}
        for entry in self.entries:
            if entry.what in ("opened", "sent", "received", "closed"):
                found.setdefault(entry.connection, []).append(entry)
        yield from found.values()

    def of(self, *kinds: str) -> Iterator[Entry]:
        """Received messages of these types."""
        return (entry for entry in self.entries if entry.what == "received" and word(entry.message) in kinds)


def word(message: Message) -> str:
    return str(message.get("message_type", message.get("event")))

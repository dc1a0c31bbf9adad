"""Who is at other workers, as each of them said last."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping

import msgspec

from protocol.notices import Participant
from protocol.values import SocketId, UserId

FRESH_S = 5.0
"""A worker that was heard so short a while ago knows better than presence; and only its sockets count for the caps:
those of one that died are in presence for half a minute yet, while their users return."""


class _Worker:
    """`participants` by user; when the worker itself was heard, and the number of what it said last."""

    def __init__(self, participants: dict[UserId, Participant]) -> None:
        self.participants = participants
        self.heard_s = float("-inf")
        self.serial = 0
        self.as_said = False
        """Nothing has been changed here since."""


class Remote:
    """`sighted`: whether nobody is missing. While it is False, who is not here may be elsewhere."""

    def __init__(self) -> None:
        self.sighted = True
        self._workers: dict[str, _Worker] = {}
        self._by_user: dict[UserId, Participant] = {}

    def __bool__(self) -> bool:
        return bool(self._by_user)

    def __iter__(self) -> Iterator[Participant]:
        return iter(self._by_user.values())

    def get(self, user: UserId) -> Participant | None:
        return self._by_user.get(user)

    def connections(self) -> set[SocketId]:
        return {connection.connection_id for one in self._by_user.values() for connection in one.connections}

    def sockets(self, now_s: float, user: UserId | None = None) -> int:
        """Of a user, or of everybody, at workers heard lately."""
        fresh = (worker for worker in self._workers.values() if now_s - worker.heard_s <= FRESH_S)
        found = (one for worker in fresh for one in worker.participants.values())
        return sum(len(one.connections) for one in found if user is None or one.user.id == user)

    # what changes it --------------------------------------------------------------------------------------------------

    def hear(self, worker: str, serial: int, participants: Collection[Participant], now_s: float) -> bool:
        """Of the worker itself. Whether it is news: not what was overtaken, nor what was said before."""
        known = self._workers.get(worker)
        if known is not None and serial < known.serial:
            return False
        moved = self._set(worker, participants)
        heard = self._workers.setdefault(worker, _Worker({}))
        heard.heard_s, heard.serial, heard.as_said = now_s, serial, True
        return moved

    def stands(self, worker: str, serial: int, now_s: float) -> bool:
        """Of the worker itself: what it said so. False: that was not heard here."""
        known = self._workers.get(worker)
        if known is None or not known.as_said or known.serial < serial:
            return False
        if known.serial == serial:
            known.heard_s = now_s
        return True

    def stale(self, now_s: float) -> bool:
        """Whether presence knows better of anybody who is listed."""
        return any(worker.participants and now_s - worker.heard_s > FRESH_S for worker in self._workers.values())

    def read(self, said: Mapping[str, tuple[Participant, ...]], now_s: float, *, whole: bool = True) -> bool:
        """Of presence, for workers that were not heard lately. Whether it is news. `whole`: all others are gone."""
        known = {**self._workers, **said} if whole else said
        old = [name for name in known if now_s - self._heard_s(name) > FRESH_S]
        moved = [self._set(name, said.get(name, ())) for name in old]
        for name in old:
            if name not in said:
                self._workers.pop(name, None)
        return any(moved)

    def forget(self, users: Iterable[UserId]) -> None:
        """They are not there any more, whoever says otherwise yet."""
        gone = frozenset(users)
        for name, worker in self._workers.items():
            if not gone.isdisjoint(worker.participants):
                self._set(name, [one for user, one in worker.participants.items() if user not in gone])

    def clear(self) -> None:
        self._workers.clear()
        self._by_user.clear()

    def _heard_s(self, name: str) -> float:
        known = self._workers.get(name)
        return known.heard_s if known is not None else float("-inf")

    def _set(self, name: str, participants: Collection[Participant]) -> bool:
        now = {one.user.id: one for one in participants}
        known = self._workers.setdefault(name, _Worker({}))
        moved = _seen(known.participants) != _seen(now)
        known.participants, known.as_said = now, known.as_said and not moved
        self._by_user.clear()
        for worker in self._workers.values():
            for user, one in worker.participants.items():
                other = self._by_user.get(user)
                self._by_user[user] = one if other is None else together(other, one)
        return moved


def together(one: Participant, other: Participant) -> Participant:
    """One user at two workers: all connections, the higher role as within a worker, the rest as where they were active
    last."""
    newest = max(one, other, key=lambda participant: participant.last_activity_ms)
    connections = sorted((*one.connections, *other.connections), key=lambda c: (c.joined_at_ms, c.connection_id))
    return msgspec.structs.replace(newest, role=max(one.role, other.role), connections=tuple(connections))


def _seen(participants: dict[UserId, Participant]) -> dict[UserId, Participant]:
    """All of it that is told at once: when somebody was active last is not."""
    return {user: msgspec.structs.replace(one, last_activity_ms=0) for user, one in participants.items()}

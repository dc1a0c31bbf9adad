"""Keeping the confirmed copy equal to the server's: gaps are filled, what differs is repaired (VEC15)."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import msgspec

from codraw.client.events import Mismatch
from codraw.client.link import Link
from codraw.client.replica import Replica
from protocol.dialects.codraw_v1_messages import Heartbeat, Resumed

CATCH_UP_S = 1.0
ANSWER_S = 10.0
REPAIRS = 2
"""First a repair, then a full state; where that does not help either, the fault is not in the copy."""


class _Missing(msgspec.Struct):
    """Something is missing since then. `to` None: the server has not answered yet."""

    since: float
    to: int | None = None
    state_hash: str = ""


class Agreement:
    """`whole` is called whenever nothing is missing any more."""

    def __init__(self, replica: Replica, link: Link, whole: Callable[[], None]) -> None:
        self._replica, self._link, self._whole = replica, link, whole
        self._missing: _Missing | None = None
        self._repairs = 0

    def expect(self) -> None:
        """A state, or what was missed, will come by itself."""
        self._missing = _Missing(asyncio.get_running_loop().time())

    def resume(self, *, with_hashes: bool = False) -> None:
        """Asks for what the confirmed copy lacks; `with_hashes`: for a repair of the cells that differ."""
        if self._missing is not None:
            return
        self.expect()
        replica = self._replica
        plain = {
            "message_type": "resume",
            "epoch": replica.confirmed.epoch,
            "update_vector": replica.confirmed.vector,
            "state_hash": replica.state_hash,
        }
        detailed = {**plain, "cell_hashes": replica.cell_hashes} if with_hashes else plain
        fits = len(self._link.frame(detailed)) <= replica.limits.max_frame_bytes
        self._link.say(detailed if fits else plain)

    def resumed(self, answer: Resumed) -> None:
        """The events from `from` to `to` follow."""
        since = self._missing.since if self._missing else asyncio.get_running_loop().time()
        self._missing = _Missing(since, answer.to, answer.state_hash)
        self.advanced()

    def advanced(self) -> None:
        """The confirmed copy has moved on."""
        missing, vector = self._missing, self._replica.confirmed.vector
        if missing is None or missing.to is None or vector < missing.to:
            return
        self._caught_up()
        if vector == missing.to:
            self.verify(missing.state_hash)

    def shown(self, state_hash: str) -> None:
        """A full state or a repair was taken over."""
        self._caught_up()
        self.verify(state_hash)

    def _caught_up(self) -> None:
        self._missing = None
        self._whole()

    def heartbeat(self, beat: Heartbeat) -> None:
        """Equal vectors have equal hashes, and a vector that the server has is here a second later."""
        confirmed = self._replica.confirmed
        if self._missing is not None:
            if asyncio.get_running_loop().time() - self._missing.since > ANSWER_S:
                self._link.cut("unanswered", "the server did not send what was missing")
        elif beat.epoch != confirmed.epoch:
            self.resume()
        elif beat.update_vector == confirmed.vector:
            self.verify(beat.state_hash)
        elif beat.update_vector > confirmed.vector:
            self._link.timers.after(CATCH_UP_S, "catch up", lambda: self._catch_up(beat.update_vector))

    def _catch_up(self, vector: int) -> None:
        if self._replica.confirmed.vector < vector:
            self.resume()

    def verify(self, server_hash: str) -> None:
        client_hash = self._replica.state_hash
        if client_hash == server_hash:
            self._repairs = 0
            return
        self._link.tell(Mismatch(self._replica.confirmed.vector, client_hash, server_hash))
        if self._repairs < REPAIRS:
            self._repairs += 1
            self.resume(with_hashes=self._repairs == 1)

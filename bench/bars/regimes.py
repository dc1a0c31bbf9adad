"""The loads: how many rooms and editors, and how fast these go. The same for everybody who is measured."""

from __future__ import annotations

import msgspec

from bench.peers import Load

SENDERS = 10
"""In every room, whatever its size: what differs between rooms is how many hear of an operation."""
OPERATION_BYTES = 400


class Regime(msgspec.Struct, frozen=True):
    """Saturated where `per_second` is 0: each sender has `window` operations under way until everybody has them."""

    rooms: int
    editors: int
    window: int = 4
    per_second: int = 0

    @property
    def name(self) -> str:
        return f"{self.rooms}x{self.editors}"

    @property
    def told(self) -> str:
        return f"{self.name} at {self.per_second:,} deliveries/s" if self.per_second else f"{self.name} saturated"

    @property
    def rate(self) -> float:
        """Operations a second of each sender."""
        return self.per_second / (self.rooms * (self.editors - 1) * SENDERS)

    def load(self, port: int, pids: tuple[int, ...], warm: float, seconds: float) -> Load:
        return Load(
            port=port,
            pids=pids,
            rooms=self.rooms,
            editors=self.editors,
            senders=SENDERS,
            window=self.window,
            rate=self.rate,
            warm=warm,
            seconds=seconds,
            sample=1 if self.per_second else 64,
        )


ROOM_OF_10 = Regime(1, 10)
ROOM_OF_100 = Regime(1, 100)
ROOM_OF_1000 = Regime(1, 1_000)
ROOMS_100 = Regime(100, 10, window=1)
"""A thousand senders: one operation each makes ten under way in a room."""
SATURATED = (ROOM_OF_10, ROOM_OF_100, ROOM_OF_1000, ROOMS_100)
FIXED_10, FIXED_100, FIXED_1000 = FIXED = (
    Regime(1, 10, per_second=10_000),
    Regime(1, 100, per_second=10_000),
    Regime(1, 1_000, per_second=10_000),
)
HEAVY = Regime(1, 100, per_second=100_000)

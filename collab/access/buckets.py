"""Token buckets: how much of something is allowed, and how long to wait for more."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable


class Bucket:
    """`rate` tokens a second, at most `burst` of them saved up; a rate of 0 allows everything. Times are monotonic."""

    __slots__ = ("_at_s", "_level", "burst", "rate")

    def __init__(self, rate: float, burst: float, now_s: float) -> None:
        self.rate = rate
        self.burst = burst
        self._level = burst
        self._at_s = now_s

    def left(self, now_s: float) -> float:
        """How many tokens are there."""
        self._refill(now_s)
        return self._level

    def take(self, now_s: float) -> float:
        """Takes a token, if need be one that is not there yet: wait so many seconds (0: none) before going on."""
        if not self.rate:
            return 0.0
        self._refill(now_s)
        self._level -= 1
        return max(0.0, -self._level / self.rate)

    def ready_in(self, now_s: float) -> float:
        """In how many seconds a token will be there; takes none."""
        if not self.rate:
            return 0.0
        self._refill(now_s)
        return max(0.0, (1 - self._level) / self.rate)

    def ask(self, now_s: float) -> float:
        """Takes a token if one is there, else none; returns what `ready_in` said before."""
        wait_s = self.ready_in(now_s)
        return wait_s or self.take(now_s)

    def _refill(self, now_s: float) -> None:
        self._level = min(self.burst, self._level + (now_s - self._at_s) * self.rate)
        self._at_s = now_s


class Buckets:
    """A bucket for each key; of more than `keys` the one unused for longest is forgotten."""

    def __init__(self, rate: float, burst: float, keys: int = 10_000) -> None:
        self._rate = rate
        self._burst = burst
        self._keys = keys
        self._buckets: OrderedDict[Hashable, Bucket] = OrderedDict()

    def ready_in(self, key: Hashable, now_s: float) -> float:
        bucket = self._buckets.get(key)
        return 0.0 if bucket is None else bucket.ready_in(now_s)

    def left(self, key: Hashable, now_s: float) -> float:
        bucket = self._buckets.get(key)
        return self._burst if bucket is None else bucket.left(now_s)

    def ask(self, key: Hashable, now_s: float) -> float:
        bucket = self._buckets.get(key)
        if bucket is None:
            bucket = self._buckets[key] = Bucket(self._rate, self._burst, now_s)
            if len(self._buckets) > self._keys:
                self._buckets.popitem(last=False)
        self._buckets.move_to_end(key)
        return bucket.ask(now_s)

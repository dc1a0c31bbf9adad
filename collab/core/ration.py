"""Full states on request: a few at once, then one per interval, shared by the requests between (WS9)."""

from __future__ import annotations

BURST = 3
INTERVAL_S = 5.0


class Ration:
    """A token bucket of one socket; time is an argument."""

    def __init__(self) -> None:
        self._tokens = float(BURST)
        self._at_s: float | None = None

    def take(self, now_s: float) -> float:
        """Takes one, and says in how many seconds it may be had: 0 is now. One that is awaited is taken already."""
        if self._at_s is not None:
            self._tokens = min(BURST, self._tokens + (now_s - self._at_s) / INTERVAL_S)
        self._at_s = now_s
        self._tokens -= 1
        return max(0.0, -self._tokens * INTERVAL_S)

"""A clock that tests turn by hand."""

from __future__ import annotations

from collections.abc import Callable

from protocol.values import Instant

START_MS = 1_800_000_000_000


class Timer:
    def __init__(self, at_s: float, callback: Callable[[], None]) -> None:
        self.at_s = at_s
        self.callback = callback
        self.cancelled = False

    def cancel(self) -> None:
        self.cancelled = True


class HandClock:
    """`collab.ports.Clock`: both readings move together, and only by `advance`, unless the wall clock is `set`."""

    def __init__(self, wall_ms: int = START_MS) -> None:
        self._start_ms = wall_ms
        self._passed_s = 0.0
        self.timers: list[Timer] = []

    def now(self) -> Instant:
        return Instant(1_000.0 + self._passed_s, self._start_ms + round(self._passed_s * 1_000))

    def call_at(self, at: Instant, callback: Callable[[], None]) -> Timer:
        timer = Timer(at.monotonic_s, callback)
        self.timers.append(timer)
        return timer

    def set(self, seconds: float) -> None:
        """The wall clock alone, forward or back."""
        self._start_ms += round(seconds * 1_000)

    def advance(self, seconds: float) -> None:
        """Fires what falls due, each at its own time."""
        until_s = self._passed_s + seconds
        while due := [timer for timer in self._waiting() if timer.at_s <= 1_000.0 + until_s]:
            first = min(due, key=lambda timer: timer.at_s)
            self.timers.remove(first)
            self._passed_s = max(self._passed_s, first.at_s - 1_000.0)
            first.callback()
        self._passed_s = until_s

    def _waiting(self) -> list[Timer]:
        self.timers = [timer for timer in self.timers if not timer.cancelled]
        return self.timers

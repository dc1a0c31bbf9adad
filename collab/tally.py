"""What has happened since the process began, in plain numbers, for whoever shows them (`codraw.metrics`).

Who counts adds to them and knows nothing of how they are shown; none is ever set back. Keys are closed sets: a
dialect, an outcome, a reason; never an id, a name or anything else that a client may choose.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Sequence

from protocol.notices import Accepted, Rejected

SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0)
BATCHES = (1, 2, 4, 8, 16, 32, 64)


class Spread:
    """How many values were at most as large as each of `bounds`, one count more for those beyond, and their sum."""

    __slots__ = ("bounds", "counts", "total")

    def __init__(self, bounds: Sequence[float] = SECONDS) -> None:
        self.bounds = bounds
        self.counts = [0] * (len(bounds) + 1)
        self.total = 0.0

    def add(self, value: float) -> None:
        self.counts[bisect_left(self.bounds, value)] += 1
        self.total += value


class Tally:
    """Of one process."""

    def __init__(self) -> None:
        self.operations: Counter[tuple[str, str]] = Counter()
        """By dialect or `rest`, and `accepted` or the reason of the refusal."""
        self.deliveries: Counter[str] = Counter()
        """Notices that were put before sockets, by dialect."""
        self.receipts = Spread()
        """Seconds from an operation that was read while its socket waited for no other one, to its outcome."""
        self.commits = Spread()
        """Seconds, as the room waits for them."""
        self.batches = Spread(BATCHES)
        """Operations of a commit."""
        self.missed_commits = 0
        """Somebody else's came first, and the room caught up."""
        self.behind = 0
        """Rooms that were behind the store when they were compared (I18): most hear of it a moment later."""
        self.corrections = 0
        """Copies that were wrong and were told so (E4, E8)."""
        self.lags = 0
        """Sockets that were shown a full state since they did not take the events (WS12)."""
        self.refused: Counter[int] = Counter()
        """Upgrades, by HTTP status."""
        self.closes: Counter[str] = Counter()
        """Sockets that went, by the reason for which the server ended them, or `clean` or `lost`."""

    def judged(self, by: str, outcome: Accepted | Rejected) -> None:
        how = "accepted" if isinstance(outcome, Accepted) else outcome.refusal.reason.value
        self.operations[by, how] += 1

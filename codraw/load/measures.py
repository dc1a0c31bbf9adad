"""What is counted and timed while a run lasts: histograms, tallies, faults with examples, one sample a second."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

import msgspec
from hdrh.histogram import HdrHistogram

SHORTEST_US = 1
LONGEST_US = 3_600_000_000
DIGITS = 3
EXAMPLES = 20
PERCENTILES = {"p50": 50.0, "p90": 90.0, "p99": 99.0, "p99.9": 99.9}
MS = 1_000
STEADY = "steady"
"""The phase before anybody disturbs."""


class Latency:
    """Seconds go in (`add` is bound once by those who are in a hurry), milliseconds come out."""

    def __init__(self) -> None:
        self._histogram = HdrHistogram(SHORTEST_US, LONGEST_US, DIGITS)
        self._fresh: list[float] = []
        self.add = self._fresh.append

    def fold(self) -> None:
        """Takes the new values into the histogram: one by one as they come would cost two microseconds each."""
        for micros, count in Counter([int(value * 1e6) for value in self._fresh]).items():
            self._histogram.record_value(min(max(micros, SHORTEST_US), LONGEST_US), count)
        self._fresh.clear()

    def recent(self) -> Recent:
        """What came since it was last asked (or anything else was); they count for the whole as well."""
        recent = Recent(sorted(self._fresh))
        self.fold()
        return recent

    def merge(self, others: Iterable[Latency]) -> Latency:
        for other in others:
            other.fold()
            self._histogram.add(other._histogram)
        return self

    @property
    def count(self) -> int:
        self.fold()
        return int(self._histogram.get_total_count())

    def at(self, percentile: float) -> float:
        """Milliseconds."""
        self.fold()
        return round(self._histogram.get_value_at_percentile(percentile) / MS, 3) if self.count else 0.0

    def summary(self) -> dict[str, float]:
        """Milliseconds, and how many."""
        found = {name: self.at(percentile) for name, percentile in PERCENTILES.items()}
        return {"count": self.count, **found, "max": self.at(100.0)}

    def curve(self) -> list[tuple[float, float]]:
        """(percentile, milliseconds), ever finer towards 100."""
        return [(p, self.at(p)) for p in (0, 10, 25, 50, 75, 90, 95, 99, 99.5, 99.9, 99.95, 99.99, 100)]


class Recent:
    """A few seconds' worth of values, in order."""

    def __init__(self, values: Sequence[float]) -> None:
        self._values = values

    def at(self, percentile: float) -> float:
        """Milliseconds."""
        if not self._values:
            return 0.0
        return round(self._values[min(int(len(self._values) * percentile / 100), len(self._values) - 1)] * 1_000, 3)


class Sample(msgspec.Struct, frozen=True):
    """One second of the run; the milliseconds are those of this second alone."""

    second: float
    connected: int
    operations: int
    deliveries: int
    receipt_p50: float
    receipt_p99: float
    delivery_p50: float
    delivery_p99: float
    rejections: int
    closes: int
    generator_cpu: float
    servers: dict[str, tuple[float, float]] = {}
    """Process id -> (share of one core, MiB)."""


class Measures:
    """`phase`: which part of the run it is; a scenario that disturbs begins a second one to be compared."""

    def __init__(self) -> None:
        self.phases: dict[str, tuple[Latency, Latency]] = {}
        self.join, self.resume, self.lag, self.awareness = (Latency() for _ in range(4))
        self.slow, self.slow_receipt = Latency(), Latency()
        self.steps: dict[str, Latency] = {}
        self.tally: Counter[str] = Counter()
        self.closes: Counter[int] = Counter()
        self.rejections: Counter[str] = Counter()
        self.faults: Counter[str] = Counter()
        self.examples: list[str] = []
        self.samples: list[Sample] = []
        self.begin(STEADY)

    def begin(self, phase: str) -> None:
        self.receipt, self.delivery = self.phases.setdefault(phase, (Latency(), Latency()))

    def fault(self, kind: str, example: str) -> None:
        """Something the server must never do."""
        self.faults[kind] += 1
        if len(self.examples) < EXAMPLES:
            self.examples.append(f"{kind}: {example}")

    def step(self, name: str) -> Latency:
        """Of one REST call or one such, by its name."""
        return self.steps.setdefault(name, Latency())

    def fold(self) -> None:
        """What came meanwhile; as single values those of an hour would fill the memory."""
        phases = (latency for both in self.phases.values() for latency in both)
        others = (self.join, self.resume, self.lag, self.awareness, self.slow, self.slow_receipt)
        for latency in (*phases, *others, *self.steps.values()):
            latency.fold()

    @property
    def receipts(self) -> Latency:
        return Latency().merge(receipt for receipt, _ in self.phases.values())

    @property
    def deliveries(self) -> Latency:
        return Latency().merge(delivery for _, delivery in self.phases.values())

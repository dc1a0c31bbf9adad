"""What runs came to, as values: one figure for each contestant and load, made of several rounds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from statistics import median
from typing import Any

import msgspec

Latency = Mapping[str, float] | None


class Round(msgspec.Struct, frozen=True):
    """`us`: user and system time of the server by delivery. Shares are of one core."""

    us: float
    per_second: float
    share: float
    generator_share: float
    is_bottleneck: bool
    deliveries: int
    delivery_ms: Latency
    receipt_ms: Latency
    late_ms: Latency


class Figure(msgspec.Struct):
    """`failed`: why rounds did not count, in sentences."""

    contestant: str
    regime: str
    rounds: list[Round] = []
    failed: list[str] = []

    @property
    def us(self) -> float:
        return median(one.us for one in self.rounds)

    @property
    def spread(self) -> tuple[float, float]:
        return min(one.us for one in self.rounds), max(one.us for one in self.rounds)

    @property
    def per_second(self) -> float:
        return median(one.per_second for one in self.rounds)

    @property
    def share(self) -> float:
        return median(one.share for one in self.rounds)

    @property
    def generator_share(self) -> float:
        return median(one.generator_share for one in self.rounds)

    def delivery_ms(self, percentile: str) -> float | None:
        return _middle([one.delivery_ms for one in self.rounds], percentile)

    def receipt_ms(self, percentile: str) -> float | None:
        return _middle([one.receipt_ms for one in self.rounds], percentile)


def _middle(latencies: Sequence[Latency], percentile: str) -> float | None:
    known = [one[percentile] for one in latencies if one is not None]
    return median(known) if known else None


def round_of(result: Mapping[str, Any]) -> Round:
    """Of the generator's result."""
    return Round(
        us=sum(result["server_cpu_s"]) / max(result["deliveries"], 1) * 1e6,
        per_second=result["deliveries"] / result["seconds"],
        share=result["server_cpu_share"],
        generator_share=result["cpu_share"],
        is_bottleneck=result["bottleneck"],
        deliveries=result["deliveries"],
        delivery_ms=result["delivery_ms"],
        receipt_ms=result["receipt_ms"],
        late_ms=result["late_ms"],
    )


class Figures(msgspec.Struct):
    """All of a run, by contestant and load."""

    all: list[Figure] = []

    def of(self, contestant: str, regime: str) -> Figure:
        """Made where there is none."""
        for one in self.all:
            if (one.contestant, one.regime) == (contestant, regime):
                return one
        self.all.append(Figure(contestant, regime))
        return self.all[-1]

    def known(self, contestant: str, regime: str) -> Figure | None:
        """With at least one round that counted."""
        return next((f for f in self.all if (f.contestant, f.regime) == (contestant, regime) and f.rounds), None)

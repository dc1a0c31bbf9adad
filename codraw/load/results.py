"""What a run came to, as a value: for the JSON file as it is, and for the reports to be drawn from."""

from __future__ import annotations

import os
import platform
from collections.abc import Mapping, Sequence

import msgspec

from codraw.load.agreement import Agreement
from codraw.load.measures import STEADY, Measures, Sample
from codraw.load.plan import Plan
from codraw.load.usage import Use, Watch

BUSY = 0.85
LATE_MS = 20.0


class Served(msgspec.Struct, frozen=True):
    """A server process of this machine, from the first connection to the last."""

    pid: int
    begun: Use | None
    ended: Use | None
    most_mib: float


class Results(msgspec.Struct, frozen=True):
    """Latencies in milliseconds, from when an operation was meant to be sent."""

    begun_at: str
    machine: str
    python: str
    server: str
    command: str
    plan: Plan
    took_s: float
    operations_per_s: float
    deliveries_per_s: float
    latencies: Mapping[str, Mapping[str, float]]
    phases: Mapping[str, Mapping[str, Mapping[str, float]]]
    curves: Mapping[str, Sequence[tuple[float, float]]]
    tally: Mapping[str, int]
    rejections: Mapping[str, int]
    closes: Mapping[str, int]
    faults: Mapping[str, int]
    examples: Sequence[str]
    agreement: Agreement | None
    generator_cpu: float
    servers: Sequence[Served]
    remarks: Sequence[str]
    samples: Sequence[Sample]
    is_interrupted: bool = False

    @property
    def is_good(self) -> bool:
        return not self.faults

    @property
    def is_proof(self) -> bool:
        """Of nothing that was sent, nothing could be lost."""
        return bool(self.tally.get("operations") or self.tally.get("cursors"))


def machine() -> str:
    load = ", ".join(f"{load:.1f}" for load in os.getloadavg())
    return f"{platform.platform()}, {os.cpu_count()} cores, load {load}"


def latencies(measures: Measures) -> dict[str, dict[str, float]]:
    """Those of which there are any."""
    named = {
        "receipt": measures.receipts,
        "delivery": measures.deliveries,
        "receipt, slow readers": measures.slow_receipt,
        "delivery, slow readers": measures.slow,
        "cursor": measures.awareness,
        "join": measures.join,
        "return": measures.resume,
        "lag of the generator": measures.lag,
        **measures.steps,
    }
    return {name: latency.summary() for name, latency in named.items() if latency.count}


def phases(measures: Measures) -> dict[str, dict[str, dict[str, float]]]:
    return {
        name: {"receipt": receipt.summary(), "delivery": delivery.summary()}
        for name, (receipt, delivery) in measures.phases.items()
    }


def served(watches: Sequence[Watch], ended: Sequence[Use | None]) -> list[Served]:
    return [Served(watch.pid, watch.begun, end, watch.most_mib) for watch, end in zip(watches, ended, strict=True)]


def remarks(measures: Measures, cpu: float) -> list[str]:
    """Where the figures are those of the generator and not of the server, that is said first."""
    found, late = [], measures.lag.at(99)
    if unsent := measures.tally["due and not sent"]:
        due = unsent + measures.tally["operations"] + measures.tally["cursors"]
        found.append(f"Not all that was due was sent: of about {due} strokes {unsent} ({unsent / due:.0%}) were not.")
    if waits := measures.tally["waits for a rate limit"]:
        found.append(
            f"The server limits how often one may ask: {waits} times somebody waited as told, and asked for less."
        )
    if cpu >= BUSY:
        found.append(f"The generator itself was the bottleneck: it used {cpu:.0%} of one core.")
    elif late > LATE_MS:
        found.append(
            f"The generator sent late (p99 {late:.0f} ms) though it used only {cpu:.0%} of one core: the machine has "
            "no time for it, and so much of the latencies is its own."
        )
    if not measures.tally["operations"] and not measures.tally["cursors"]:
        found.append("Nothing was sent in that time, so that nothing is proved: give more --duration or --rate.")
        return found
    for phase, (receipt, delivery) in measures.phases.items():
        if not receipt.count and not delivery.count and phase != STEADY:
            found.append(
                f"Nobody edited in the phase {phase}: nothing is proved of it, give more --duration or --rate."
            )
    return found

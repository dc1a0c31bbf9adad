"""`python -m tests.campaign quick|full|soak|planted`: faults on real processes, and the report of what came of them."""

from __future__ import annotations

import argparse
import asyncio
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import msgspec

from codraw.local_stores import LocalStoreFailed
from tests.campaign.editors import Doors
from tests.campaign.faults import PARTS, Part
from tests.campaign.report import Outcome, Report, as_json, as_text, machine, percentiles, seed_base
from tests.campaign.round import HANG_GUARD, Guests, Round
from tests.campaign.stage import Stage

ROUND_S = 600.0
"""A round that takes longer hangs."""
CAUGHT_BY = {
    "publish before commit": ("F1", "I7"),
    "receipt before commit": ("F1", "I1"),
    "no head poll": ("F8b", "I2"),
    "a turn answers the next one": ("F12x", "I1"),
    "empty presence is absence": ("F4", "I22"),
}


async def play(
    stage: Stage, doors: Doors, guests: Guests, part: Part, seed: int, full: bool, guard: float = HANG_GUARD
) -> Outcome:
    began = time.monotonic()
    round = Round(stage, doors, guests, name=part.id, seed=seed, size=part.full_size if full else part.quick_size)
    round.needs, round.guard = list(part.needs), guard
    try:
        async with asyncio.timeout(ROUND_S), round:
            await part.act(round)
            await round.rest()
            await round.judge()
    except Exception as error:
        round.problems.append(f"the round broke off: {error!r}")
        round.problems += stage.complaints(guests.secrets)
        stage.heal()
    return _outcome(stage, round, part, time.monotonic() - began)


def _outcome(stage: Stage, round: Round, part: Part, seconds: float) -> Outcome:
    verdicts = round.verdicts
    receipts = percentiles(round.clock.receipts)
    deliveries = percentiles([late for _, late in round.clock.deliveries])
    latency = {f"receipt {name}": value for name, value in receipts.items()}
    latency |= {f"delivery {name}": value for name, value in deliveries.items()}
    return Outcome(
        part=part.id,
        what=part.what,
        seed=round.seed,
        seconds=seconds,
        injected=dict(round.injected),
        operations={
            "submitted": round.submitted,
            "receipted": len(round.clock.receipts),
            "logged": sum(len(ledger.log) for ledger in round.evidence.ledgers.values()),
            "rejected": round.recovered["refused"],
            "sent again": round.recovered["operations sent again"],
            "unknown and asked again": round.recovered["store: commit again"],
        },
        recovered=dict(round.recovered),
        latency=latency,
        notes=round.notes,
        usage={str(worker.number): worker.usage() for worker in stage.workers},
        invariants={id: verdict.word for id, verdict in verdicts.items()},
        checked={id: verdict.checked for id, verdict in verdicts.items()},
        violations={
            id: f"{verdict.violations[0]} ({len(verdict.violations)} in all)"
            for id, verdict in verdicts.items()
            if verdict.violations
        },
        problems=list(dict.fromkeys(round.problems))[:20],
    )


def schedule(size: str, only: Sequence[str], seed: int) -> Iterator[tuple[Part, int]]:
    for part in PARTS:
        if only and part.id not in only:
            continue
        repeats = {"quick": part.quick or min(1, len(only)), "full": part.full, "soak": max(1, part.full // 10)}[size]
        for number in range(repeats):
            yield part, seed + number


async def campaign(
    size: str, only: Sequence[str], seed: int, workers: int, folder: Path, journal: Path | None
) -> Report:
    report = Report(f"campaign {size}", machine(), seed, [], _skipped())
    done = resumed(journal)
    for supervised in (False, True):
        rounds = [(part, number) for part, number in schedule(size, only, seed) if part.supervised is supervised]
        if rounds:
            where = folder / ("supervised" if supervised else "apart")
            stage = Stage(where, 1, processes=workers) if supervised else Stage(where, workers)
            await _played(stage, rounds, report, done, size == "full", journal)
    return report


async def _played(
    opened: Stage,
    rounds: Sequence[tuple[Part, int]],
    report: Report,
    done: set[str],
    full: bool,
    journal: Path | None,
) -> None:
    async with opened as stage:
        doors = Doors(stage)
        guests = Guests(doors)
        for part, number in rounds:
            if f"{part.id}:{number}" in done:
                report.skipped.append(f"{part.id} seed {number}: passed in an earlier run of this journal")
                continue
            outcome = await play(stage, doors, guests, part, number, full)
            report.rounds.append(outcome)
            _progress(outcome)
            if journal is not None:
                with journal.open("ab") as lines:
                    lines.write(msgspec.json.encode(outcome) + b"\n")
        await doors.close()
        if damage := await stage.damage():
            report.rounds[-1].problems.append(f"verify: {damage}")
            _progress(report.rounds[-1])


def _progress(outcome: Outcome) -> None:
    word = "FAILED" if outcome.failed else "ok"
    print(f"{outcome.part:<5}{outcome.seconds:6.1f} s  {word:<7}{outcome.what}: {outcome.injected}", flush=True)
    for found in (*outcome.violations.items(), *outcome.problems[:6]):
        print("      !!", found, flush=True)


def _skipped() -> list[str]:
    return [
        "F5 (failover of Redis with losses): needs two Redis servers and a sentinel",
        "F11 (slow or failing disk): needs the right to trace the database's processes",
        "F13 (wrong clocks): in the simulator",
        "F15 (stuck loop, crash loop): in the tests of the supervisor",
        "F17 (cancelled calls): in the tests of the adapters",
    ]


async def planted(seed: int, folder: Path, only: Sequence[str]) -> int:
    """Each bug must be found by its invariant; whoever finds none of them tests nothing."""
    missed = 0
    parts = {part.id: part for part in PARTS}
    for number, (bug, (part, invariant)) in enumerate(CAUGHT_BY.items()):
        if only and part not in only:
            continue
        async with Stage(folder / str(number), 2, bug=bug) as stage:
            doors = Doors(stage)
            outcome = await play(stage, doors, Guests(doors), parts[part], seed, False, guard=1.5)
            await doors.close()
        caught = invariant in outcome.violations
        missed += not caught
        first = outcome.violations.get(invariant, str(sorted(outcome.violations)))
        print(f"{'caught' if caught else 'MISSED':<7}{bug} by {invariant} ({part}): {first[:200]}", flush=True)
    return missed


def resumed(path: Path | None) -> set[str]:
    """Rounds that an earlier run of this file has passed already."""
    if path is None or not path.exists():
        return set()
    lines = [msgspec.json.decode(line) for line in path.read_bytes().splitlines() if line]
    return {f"{line['part']}:{line['seed']}" for line in lines if not line["violations"] and not line["problems"]}


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.campaign")
    parser.add_argument("size", choices=("quick", "full", "soak", "planted"))
    parser.add_argument("--seed", type=int, default=None, help="default: of the commit")
    parser.add_argument("--only", action="append", default=[], help="a fault, as F4; may be repeated")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--report", type=Path, help="writes the report as JSON")
    parser.add_argument("--json", action="store_true", help="prints the summary as one line of JSON, last")
    parser.add_argument("--journal", type=Path, help="a file of finished rounds; those that passed are not run again")
    parser.add_argument("--folder", type=Path, help="keeps logs and stores there; it must be empty")
    chosen = parser.parse_args()
    seed = seed_base() if chosen.seed is None else chosen.seed
    unknown = set(chosen.only) - {part.id for part in PARTS}
    if unknown:
        parser.error(f"unknown: {', '.join(sorted(unknown))}; known: {', '.join(part.id for part in PARTS)}")
    with tempfile.TemporaryDirectory(prefix="codraw-campaign-") as temporary:
        folder = chosen.folder or Path(temporary)
        try:
            if chosen.size == "planted":
                return 1 if asyncio.run(planted(seed, folder, chosen.only)) else 0
            report = asyncio.run(campaign(chosen.size, chosen.only, seed, chosen.workers, folder, chosen.journal))
        except LocalStoreFailed as failed:
            print(f"error: {failed}", file=sys.stderr)
            return 2
    print(as_text(report))
    if chosen.report:
        chosen.report.write_text(as_json(report) + "\n", "utf-8")
    if chosen.json:
        print(as_json(report))
    return 1 if report.failed else 0


if __name__ == "__main__":
    sys.exit(main())

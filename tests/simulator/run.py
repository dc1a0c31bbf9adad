"""Many random histories on all cores: `python -m tests.simulator.run --seeds 0:10000`.

Exits with 1 if an invariant was violated, if a path of recovery ran in too few histories, or if a fault never happened.
"""

from __future__ import annotations

import argparse
import gc
import json
import multiprocessing
import platform
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec

from tests.simulator.faults import STORMS, Faults
from tests.simulator.histories import STEPS, History
from tests.simulator.ledger import KNOWN, invariant_of

CHUNK = 25
USUAL, UNDO_HEAVY = 0.3, 0.42
"""Undo and redo of what is asked."""
PATHS = {
    "gap fill": "gap fill",
    "duplicate": "Known",
    "miss": "Missed",
    "undo conflict": "undo conflict",
    "kill": "kill",
    "unknown outcome": "unknown outcome",
}
"""H7: recoveries that must run in many histories, and what counts them."""
SHARE = 0.2
INJECTED = (
    *("kill", "freeze", "store outage", "bus outage", "presence emptied", "damage", "new epoch", "drain"),
    *("room closed", "role", "ejected", "session ended", "expired", "unknown outcome", "unavailable", "zombie commit"),
    *("news lost", "news doubled", "news forged", "news replayed", "sent twice", "id misused", "last frame lost"),
)
RECOVERED = ("gap fill", "Missed", "Known", "duplicate", "Loaded", "news refused", "heartbeat heals", "SessionStale")
ENOUGH = 1_000
"""Histories from which on every kind of fault must have happened."""


class Plan(msgspec.Struct, frozen=True):
    """How histories are played."""

    steps: int = STEPS
    undo: float = USUAL
    faults: bool = True
    without: tuple[str, ...] = ()

    def history(self, seed: int) -> History:
        return History(seed, Faults(on=self.faults, without=self.without), undo=self.undo)

    @property
    def options(self) -> str:
        """As the command line has them."""
        parts = [f"--steps {self.steps}", *(["--undo-heavy"] if self.undo == UNDO_HEAVY else [])]
        parts += ["--calm"] if not self.faults else []
        return " ".join([*parts, *([f"--without {','.join(self.without)}"] if self.without else [])])


class Failure(msgspec.Struct, frozen=True):
    seed: int
    invariant: str
    message: str


class Tally(msgspec.Struct):
    """What some histories came to. `paths`: in how many of them each path of recovery ran."""

    histories: int = 0
    counts: dict[str, int] = {}
    held: dict[str, int] = {}
    paths: dict[str, int] = {}
    failures: list[Failure] = []
    cpu_s: float = 0.0

    def add(self, other: Tally) -> None:
        self.histories += other.histories
        self.counts = dict(Counter(self.counts) + Counter(other.counts))
        self.held = dict(Counter(self.held) + Counter(other.held))
        self.paths = dict(Counter(self.paths) + Counter(other.paths))
        self.failures += other.failures
        self.cpu_s += other.cpu_s


def played(plan: Plan, seeds: range) -> Tally:
    began_s = time.process_time()
    counts: Counter[str] = Counter()
    held: Counter[str] = Counter()
    paths: Counter[str] = Counter()
    failures: list[Failure] = []
    for seed in seeds:
        history = plan.history(seed)
        failure = failure_of(history, plan.steps, seed)
        if failure is not None:
            failures.append(failure)
        counts.update(history.world.count)
        held.update(history.world.ledger.held)
        paths.update(name for name, counter in PATHS.items() if history.world.count[counter])
    return Tally(len(seeds), counts, held, paths, failures, time.process_time() - began_s)


def failure_of(history: History, steps: int, seed: int) -> Failure | None:
    try:
        history.play(steps)
    except Exception as error:
        return Failure(seed, invariant_of(error), f"{type(error).__name__}: {error}"[:1_000])
    return None


def shrunk(plan: Plan, failure: Failure) -> Plan:
    """Fewer steps and fewer kinds of faults that break the same invariant."""

    def breaks(other: Plan) -> bool:
        again = failure_of(other.history(failure.seed), other.steps, failure.seed)
        return again is not None and again.invariant == failure.invariant

    for steps in range(10, plan.steps, 10):
        if breaks(msgspec.structs.replace(plan, steps=steps)):
            plan = msgspec.structs.replace(plan, steps=steps)
            break
    for name in STORMS if plan.faults else ():
        less = msgspec.structs.replace(plan, without=(*plan.without, name))
        if breaks(less):
            plan = less
    return plan


# many at once ---------------------------------------------------------------------------------------------------------


def chunks(seeds: range) -> Iterator[range]:
    for first in range(seeds.start, seeds.stop, CHUNK):
        yield range(first, min(first + CHUNK, seeds.stop))


def _one(work: tuple[Plan, range]) -> Tally:
    return played(*work)


def many(plan: Plan, seeds: range, processes: int, state: Path | None = None) -> Tally:
    """In order of the seeds. `state`: what was done is kept there, and gone on with."""
    done, first = _resumed(state, plan, seeds)
    began_s = said_s = time.monotonic()
    gc.freeze()
    left = range(first, seeds.stop)
    with multiprocessing.get_context("fork").Pool(processes) as pool:
        for part, tally in zip(chunks(left), pool.imap(_one, ((plan, part) for part in chunks(left))), strict=True):
            done.add(tally)
            if time.monotonic() - said_s > 10 or tally.failures:
                said_s = time.monotonic()
                rate = (part.stop - first) / (said_s - began_s)
                print(
                    f"{part.stop - seeds.start} of {len(seeds)}, {rate:.0f}/s, {len(done.failures)} failed", flush=True
                )
                if state is not None:
                    _keep(state, plan, seeds, part.stop, done)
    if state is not None:
        _keep(state, plan, seeds, seeds.stop, done)
    return done


def _resumed(state: Path | None, plan: Plan, seeds: range) -> tuple[Tally, int]:
    if state is None or not state.exists():
        return Tally(), seeds.start
    kept = json.loads(state.read_text())
    if kept["plan"] != msgspec.to_builtins(plan) or kept["seeds"] != [seeds.start, seeds.stop]:
        raise SystemExit(f"{state} is of another run: remove it or name another file")
    return msgspec.convert(kept["tally"], Tally), kept["next"]


def _keep(state: Path, plan: Plan, seeds: range, next_seed: int, tally: Tally) -> None:
    kept = {"plan": plan, "seeds": [seeds.start, seeds.stop], "next": next_seed, "tally": tally}
    unfinished = state.with_suffix(".new")
    unfinished.write_bytes(msgspec.json.encode(kept))
    unfinished.replace(state)


# the report -----------------------------------------------------------------------------------------------------------


def report(name: str, plan: Plan, seeds: range, tally: Tally, wall_s: float) -> dict[str, Any]:
    violated = {failure.invariant for failure in tally.failures}
    words = {True: "violated", False: "held"}
    return {
        "name": name,
        "machine": f"{platform.machine()}, Python {platform.python_version()}",
        "seeds": [seeds.start, seeds.stop],
        "options": plan.options,
        "seconds": round(wall_s, 1),
        "seeds_per_core_second": round(tally.histories / max(tally.cpu_s, 1e-9), 1),
        "counts": {"histories": tally.histories, **{k: tally.counts.get(k, 0) for k in COUNTED}},
        "injected": {kind: tally.counts.get(kind, 0) for kind in INJECTED},
        "recoveries": {kind: tally.counts.get(kind, 0) for kind in RECOVERED},
        "shares": {path: round(tally.paths.get(path, 0) / max(tally.histories, 1), 3) for path in PATHS},
        "invariants": {
            id: words[id in violated] if id in violated or tally.held.get(id) else "not exercised" for id in KNOWN
        },
        "failures": [msgspec.to_builtins(failure) for failure in tally.failures[:20]],
        "skipped": [],
    }


LINE = ("name", "counts", "injected", "recoveries", "invariants", "skipped")
COUNTED = ("operations", "accepted", "undo asked", "inverted", "Committed")


def complaints(plan: Plan, tally: Tally) -> list[str]:
    """Why a run does not count, or failed."""
    found = [f"{len(tally.failures)} histories violated an invariant"] if tally.failures else []
    if plan.undo == UNDO_HEAVY and tally.counts["undo asked"] < 0.3 * tally.counts["operations"]:
        found.append("less than 30 % undo and redo")
    if not plan.faults or plan.without or tally.histories < ENOUGH:
        return found
    shares = {path: tally.paths.get(path, 0) / tally.histories for path in PATHS if plan.undo == USUAL}
    found += [f"only {share:.0%} of the histories had: {path}" for path, share in shares.items() if share < SHARE]
    found += [f"never happened: {kind}" for kind in INJECTED if not tally.counts.get(kind)]
    found += [f"not exercised: {id}" for id in KNOWN if not tally.held.get(id)]
    return found


def shown(summary: dict[str, Any]) -> str:
    lines = [f"{summary['name']}: {summary['counts']['histories']} histories in {summary['seconds']} s"]
    lines += [f"  {summary['seeds_per_core_second']} per core and second; {summary['machine']}"]
    for part in ("counts", "injected", "recoveries", "shares"):
        lines.append(f"  {part}: " + ", ".join(f"{key} {value}" for key, value in summary[part].items()))
    by_word: dict[str, list[str]] = {}
    for id, word in summary["invariants"].items():
        by_word.setdefault(word, []).append(id)
    return "\n".join([*lines, *(f"  {word}: {' '.join(ids)}" for word, ids in sorted(by_word.items()))])


def commit_number() -> int:
    """Of the checkout; 0 where there is none."""
    found = subprocess.run(["git", "rev-parse", "HEAD"], capture_output=True, text=True, check=False).stdout
    return int(found[:7], 16) if found else 0


def main(arguments: list[str] | None = None) -> int:
    options = _options(arguments)
    base = commit_number() if options.base is None else options.base
    if options.seed is not None:
        base, seeds = 0, range(options.seed, options.seed + 1)
    else:
        seeds = range(base + options.seeds[0], base + options.seeds[1])
    undo = UNDO_HEAVY if options.undo_heavy else USUAL
    plan = Plan(options.steps, undo, not options.calm, tuple(options.without))
    print(f"simulator: base {base}, seeds {seeds.start}:{seeds.stop}, {plan.options}", flush=True)
    began_s = time.monotonic()
    tally = many(plan, seeds, options.workers, options.state)
    name = options.name or ("H4 undo and redo" if options.undo_heavy else "H1 simulator")
    summary = report(name, plan, seeds, tally, time.monotonic() - began_s) | {"base": base}
    print(shown(summary))
    wrong = complaints(plan, tally)
    for failure in tally.failures[: options.shrink]:
        less = shrunk(plan, failure)
        print(f"{failure.invariant} violated by seed {failure.seed}: {failure.message}")
        print(f"  again: python -m tests.simulator.run --seed {failure.seed} {less.options}")
    for complaint in wrong:
        print(f"FAILED: {complaint}")
    summary["failed"] = wrong
    if options.json is not None:
        options.json.write_text(json.dumps(summary, indent=2))
    print(
        json.dumps({key: summary[key] for key in ("name", "counts", "injected", "recoveries", "invariants", "skipped")})
    )
    return 1 if wrong else 0


def _options(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="tests.simulator.run", description=__doc__)
    parser.add_argument("--seeds", type=_span, default=(0, 1_000), help="A:B, counted from the base")
    parser.add_argument("--base", type=int, help="the first seed's number; else the commit's")
    parser.add_argument("--seed", type=int, help="this one alone, as a failure names it")
    parser.add_argument("--workers", type=int, default=2, help="processes")
    parser.add_argument("--steps", type=int, default=STEPS)
    parser.add_argument("--undo-heavy", action="store_true")
    parser.add_argument("--calm", action="store_true", help="no faults")
    parser.add_argument("--without", type=lambda text: text.split(","), default=[], help="kinds of faults, by comma")
    parser.add_argument("--shrink", type=int, default=3, help="so many failures are made smaller")
    parser.add_argument("--state", type=Path, help="to go on with after an interruption")
    parser.add_argument("--json", "--report", type=Path, help="the summary")
    parser.add_argument("--name")
    return parser.parse_args(arguments)


def _span(text: str) -> tuple[int, int]:
    first, _, last = text.partition(":")
    return int(first), int(last)


if __name__ == "__main__":
    sys.exit(main())

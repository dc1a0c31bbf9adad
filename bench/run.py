"""The bars of speed in one run: the C floor, codraw and the peers under the same loads, on this machine.

    python -m bench.run [--quick] [--rounds 3] [--seconds 2] [--window 4] [--without-peers]
                        [--only saturated --only fixed …] [--seed 1] [--folder .] [--results bench/results]

saturated     B1 to B4: CPU by delivery, senders as fast as the server takes it
fixed         B5: CPU and latency at 10 000 deliveries a second; B5b: 100 000 into a room of 100
single        B6, B7: the receipt of an editor on an idle diagram; CPU of an operation nobody else hears of
workers       B10: two workers with PostgreSQL and Redis
growth        B8, B9, B11: python -m bench.growth

The servers run on one core and the load generator on another, where there are two. `--quick` has no peers, no growth,
one worker, and tells its figures without judging them. Exit status 1: a bar is not met.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import msgspec

from bench.bars import judge, report, single, workers
from bench.bars.commits import Commit, bare_commits
from bench.bars.contest import Contest
from bench.bars.contestants import CODRAW, Codraw
from bench.bars.figures import Figures
from bench.bars.programs import CPUS, ROOT, Failed
from bench.bars.regimes import FIXED, FIXED_100, HEAVY, ROOM_OF_10, ROOM_OF_100, SATURATED, Regime
from bench.growth.results import Row
from bench.options import count, seconds
from codraw.local_stores import temporary_folder

PARTS = ("saturated", "fixed", "single", "workers", "growth")
QUICK = ("saturated", "fixed", "single")
GROWTH_S = 900.0
PATH_OPERATIONS = 6_400


class Run:
    """What is asked for, and the report that comes of it."""

    def __init__(self, given: argparse.Namespace, folder: Path) -> None:
        self.given, self.folder = given, folder
        self.parts = given.only or (QUICK if given.quick else PARTS)
        command = " ".join(["python -m bench.run", *sys.argv[1:]])
        self.report = report.Report(report.head(given.seed, command), Figures())
        print("\n".join(self.report.head.values()), flush=True)
        if len(CPUS) < 2:
            self.report.remarks.append("one core: the load generator takes time from the server, ratios are rough")

    def run(self) -> None:
        self._try("", "the C floor and the load", self._contest)
        if "single" in self.parts:
            self._try("B7", "the path of an operation", self._path)
        if "workers" in self.parts:
            print("\nworkers", flush=True)
            self._try("B10", "two workers", self._workers)
        if "growth" in self.parts:
            print("\ngrowth", flush=True)
            self._try("B8", "growth", self._growth)

    def _try(self, bar: str, what: str, part: Callable[[], None]) -> None:
        """What cannot be measured is named, and the rest goes on."""
        try:
            part()
        except (Failed, subprocess.TimeoutExpired) as failed:
            self.report.rows.append(judge.unmeasured(bar, what, ""))
            self.report.missing.append(f"{what}: {failed}")
            print(f"missing: {what}: {failed}", flush=True)

    def _contest(self) -> None:
        given = self.given
        if not set(self.parts) & set(QUICK):
            return
        with_peers = not (given.quick or given.without_peers) and bool({"saturated", "fixed"} & set(self.parts))
        contest = Contest(self.folder, given.seed, tell)
        self.report.figures, self.report.missing = contest.figures, contest.missing
        with contest.open(with_peers=with_peers):
            if "saturated" in self.parts:
                loads: tuple[Regime, ...] = (ROOM_OF_100, ROOM_OF_10) if given.quick else SATURATED
                if given.window:
                    loads = tuple(msgspec.structs.replace(load, window=given.window) for load in loads)
                contest.play(loads, given.rounds, given.seconds)
            commit = bare_commits(self.folder)
            if "fixed" in self.parts:
                paced: tuple[Regime, ...] = (FIXED_100,) if given.quick else (*FIXED, HEAVY)
                contest.play(paced, given.rounds, given.seconds)
            self._judge(contest, commit, with_peers)
            if "single" in self.parts:
                print("\nsingle", flush=True)
                self._try("B6", "one editor alone", lambda: self._single(contest))

    def _judge(self, contest: Contest, commit: Commit, with_peers: bool) -> None:
        self.report.remarks.append(f"a bare durable commit here: {commit.told}")
        rows = judge.rows(contest.figures, commit, with_peers)
        if self.given.quick or self.given.only:
            rows = [row for row in rows if not row.what.endswith("not measured")]
        self.report.rows += rows

    def _single(self, contest: Contest) -> None:
        given = self.given
        codraw = next((one for one in contest.contestants if one.name == CODRAW), None)
        if not isinstance(codraw, Codraw):
            raise Failed("codraw did not start")
        rounds, seed = given.rounds, given.seed
        if not given.quick:
            self._rows(single.receipt_rows(codraw, contest.generator, self.folder, rounds, given.seconds, seed))
        self._rows(single.alone_rows(codraw, contest.generator, rounds, given.seconds, seed))

    def _path(self) -> None:
        operations = PATH_OPERATIONS // (4 if self.given.quick else 1)
        self._rows(single.path_rows(self.given.rounds, operations))

    def _workers(self) -> None:
        folder = self.folder / "workers"
        folder.mkdir()
        contest = Contest(folder, self.given.seed, tell)
        self._rows(workers.rows(contest.generator, folder, self.given.rounds, self.given.seconds, self.given.seed))

    def _growth(self) -> None:
        rows = self.folder / "growth.json"
        command = [sys.executable, "-m", "bench.growth", "--seed", str(self.given.seed), "--rows", str(rows)]
        command += ["--rounds", str(self.given.rounds), "--results", str(self.given.results.absolute())]
        if self.given.folder:
            command += ["--folder", str(self.given.folder)]
        subprocess.run(command, cwd=ROOT, check=False, timeout=GROWTH_S)
        if not rows.exists():
            raise Failed("bench.growth came to no end, see above")
        self.report.rows += msgspec.json.decode(rows.read_bytes(), type=list[Row])

    def _rows(self, rows: list[Row]) -> None:
        for row in rows:
            print(f"  {row.bar:4}{row.value:10.3f}  {row.bar_is:18}  {row.what}", flush=True)
        self.report.rows += rows


def tell(line: str) -> None:
    print(line, flush=True)


def main() -> int:
    arguments = argparse.ArgumentParser(
        prog="python -m bench.run", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    arguments.add_argument("--quick", action="store_true")
    arguments.add_argument("--rounds", type=count, default=3)
    arguments.add_argument("--seconds", type=seconds, default=2.0, help="of each round, beside its warming up")
    arguments.add_argument("--only", action="append", choices=PARTS, default=[])
    arguments.add_argument("--window", type=count, default=0, help="operations under way of each sender, saturated")
    arguments.add_argument("--without-peers", action="store_true")
    arguments.add_argument("--seed", type=int, default=1)
    arguments.add_argument("--folder", type=Path, default=None, help="on the disk to measure")
    arguments.add_argument("--results", type=Path, default=ROOT / "bench" / "results")
    given = arguments.parse_args()
    given.results.mkdir(parents=True, exist_ok=True)  # where it cannot be, that is known before all is measured
    begun = time.monotonic()
    with temporary_folder("codraw-bench-", given.folder) as folder:
        folder.chmod(0o755)  # PostgreSQL runs as another user where we are root
        run = Run(given, folder)
        run.run()
    run.report.remarks.append(f"took {time.monotonic() - begun:.0f} s")
    print(report.table(run.report), flush=True)
    print(f"\nwritten to {report.write(run.report, given.results, time.strftime('%Y%m%d-%H%M%S'))}.*")
    return 0 if given.quick or run.report.is_good else 1


if __name__ == "__main__":
    sys.exit(main())

"""The report of a run: a table, its values, and a picture."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec
from matplotlib.axes import Axes
from matplotlib.figure import Figure as Picture

from bench.bars.contestants import CODRAW
from bench.bars.figures import Figure, Figures
from bench.bars.programs import compiler
from bench.growth.results import Row, machine


class Report(msgspec.Struct):
    """`head`: machine, versions, commit, seed, command."""

    head: Mapping[str, str]
    figures: Figures
    rows: list[Row] = []
    missing: list[str] = []
    remarks: list[str] = []

    @property
    def is_good(self) -> bool:
        return all(row.met is not False for row in self.rows)


def head(seed: int, command: str) -> dict[str, str]:
    cc = compiler()
    versions = [machine()["versions"], _first_line([cc, "--version"] if cc else []), _node()]
    return {
        **machine(),
        "versions": ", ".join(filter(None, versions)),
        "cpu": _cpu(),
        "seed": f"seed {seed}",
        "command": command,
    }


def _first_line(command: Sequence[str]) -> str:
    if not command:
        return ""
    done = subprocess.run(command, capture_output=True, check=False, text=True)
    return next(iter(done.stdout.splitlines()), "")


def _node() -> str:
    node = shutil.which("node")
    return f"Node {_first_line([node, '--version'])}" if node else ""


def _cpu() -> str:
    try:
        found = re.search(r"^model name\s*:\s*(.+)$", Path("/proc/cpuinfo").read_text(), re.MULTILINE)
    except OSError:
        return ""
    return found[1] if found else ""


# the table ------------------------------------------------------------------------------------------------------------


def table(report: Report) -> str:
    lines = []
    for regime in dict.fromkeys(figure.regime for figure in report.figures.all):
        lines += [f"\n{regime}", TITLES]
        figures = [figure for figure in report.figures.all if figure.regime == regime]
        lines += [_line(figure, _floor_of(figures)) for figure in figures]
    lines.append(f"\n{'bar':5}{'value':>11}{'reference':>11}{'ratio':>9}  {'bar is':20}{'met':6}what")
    lines += [_row(row) for row in report.rows]
    lines += [f"\n{remark}" for remark in report.remarks]
    lines += [f"missing: {one}" for one in report.missing]
    return "\n".join(lines)


TITLES = (
    f"  {'':24}{'us CPU a delivery':>18}{'(least to most)':>20}{'x codraw':>10}{'k/s':>9}{'core':>6}"
    f"{'generator':>10}{'p50 ms':>9}{'p99 ms':>9}"
)


def _floor_of(figures: Sequence[Figure]) -> float | None:
    return next((figure.us for figure in figures if figure.contestant == CODRAW and figure.rounds), None)


def _line(figure: Figure, ours: float | None) -> str:
    if not figure.rounds:
        return f"  {figure.contestant:24}failed: {figure.failed[-1][:120] if figure.failed else 'no round'}"
    low, high = figure.spread
    times = f"{figure.us / ours:.2f}" if ours else ""
    latency = "".join(_ms(figure.delivery_ms(p)) for p in ("p50", "p99"))
    failed = f"  {len(figure.failed)} rounds failed: {figure.failed[-1][:80]}" if figure.failed else ""
    busy = "  the generator was the bottleneck" if any(one.is_bottleneck for one in figure.rounds) else ""
    spread = f"({low:.2f} to {high:.2f})"
    return (
        f"  {figure.contestant:24}{figure.us:18.3f}{spread:>20}{times:>10}{figure.per_second / 1_000:9.1f}"
        f"{figure.share:6.2f}{figure.generator_share:10.2f}{latency}{failed}{busy}"
    )


def _ms(value: float | None) -> str:
    return f"{'' if value is None else f'{value:.2f}':>9}"


def _row(row: Row) -> str:
    met = {True: "yes", False: "NO", None: ""}[row.met]
    reference = "" if row.reference is None else f"{row.reference:.3f}"
    ratio = "" if row.ratio is None else f"{row.ratio:.2f}"
    return f"{row.bar:5}{row.value:11.3f}{reference:>11}{ratio:>9}  {row.bar_is:20}{met:6}{row.what}"


# the picture ----------------------------------------------------------------------------------------------------------

COLUMNS = 3
WIDTH, HEIGHT = 6.0, 3.6
OURS, THEIRS = "#1f5fa8", "#b8bcc4"


def draw(report: Report, path: Path) -> None:
    """CPU by delivery, a panel for each load; below them the latencies of the fixed rates."""
    regimes = list(dict.fromkeys(figure.regime for figure in report.figures.all if figure.rounds))
    paced = [regime for regime in regimes if "deliveries/s" in regime]
    panels = [(regime, "us") for regime in regimes] + [(regime, "p99") for regime in paced]
    rows = -(-max(len(panels), 1) // COLUMNS)
    picture = Picture(figsize=(WIDTH * COLUMNS, HEIGHT * rows + 0.6), layout="constrained")
    picture.suptitle(", ".join(report.head.values()), fontsize="small", wrap=True)
    for place, (regime, what) in enumerate(panels):
        figures = [one for one in report.figures.all if one.regime == regime and one.rounds]
        _panel(picture.add_subplot(rows, COLUMNS, place + 1), regime, what, figures)
    picture.savefig(path, dpi=110)


def _panel(axes: Axes, regime: str, what: str, figures: Sequence[Figure]) -> None:
    values = {one.contestant: one.us if what == "us" else one.delivery_ms("p99") or 0.0 for one in figures}
    shown = sorted((name for name in values if values[name] > 0), key=values.__getitem__, reverse=True)
    bars = axes.barh(shown, [values[name] for name in shown], color=[OURS if n == CODRAW else THEIRS for n in shown])
    axes.bar_label(bars, fmt="%.2f", fontsize="x-small", padding=2)
    axes.set_xscale("log")
    axes.margins(x=0.25)
    axes.set_title(f"{regime}\n{'CPU us a delivery' if what == 'us' else 'p99 ms of a delivery'}", fontsize="small")
    axes.tick_params(labelsize="x-small")


def write(report: Report, folder: Path, stamp: str) -> Path:
    """Table, values and picture under one name, without the ending."""
    base = folder / f"bench-{stamp}"
    base.with_suffix(".txt").write_text("\n".join([*report.head.values(), table(report), ""]), "utf-8")
    content: dict[str, Any] = msgspec.to_builtins(report)
    base.with_suffix(".json").write_bytes(msgspec.json.format(msgspec.json.encode(content), indent=1) + b"\n")
    draw(report, base.with_suffix(".png"))
    return base

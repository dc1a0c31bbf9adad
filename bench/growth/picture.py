"""The curves as one picture with a panel each."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from matplotlib.figure import Figure

from bench.growth.results import Curve

COLUMNS = 3
WIDTH, HEIGHT = 5.2, 3.6


def draw(curves: Sequence[Curve], title: str, path: Path) -> None:
    rows = -(-len(curves) // COLUMNS)
    figure = Figure(figsize=(WIDTH * COLUMNS, HEIGHT * rows + 0.5), layout="constrained")
    figure.suptitle(title, fontsize="small")
    for place, curve in enumerate(curves):
        axes = figure.add_subplot(rows, COLUMNS, place + 1)
        places, middles = [one.x for one in curve.points], [one.y for one in curve.points]
        axes.plot(places, middles, marker="o", linewidth=1.4)
        axes.fill_between(places, [one.low for one in curve.points], [one.high for one in curve.points], alpha=0.2)
        if places[0] > 0 and places[-1] / places[0] >= 50:
            axes.set_xscale("log")
        axes.set_ylim(bottom=0, top=1.25 * max(one.high for one in curve.points) or 1)
        axes.set_title(curve.title, fontsize="medium")
        axes.set_xlabel(f"{curve.x}\n{curve.note}", fontsize="x-small")
        axes.set_ylabel(curve.y, fontsize="small")
        axes.grid(alpha=0.3)
    figure.savefig(path, dpi=110)

"""What was measured, as values: curves, and the rows that say whether a bar is met."""

from __future__ import annotations

import os
import platform
import sqlite3
import subprocess
from collections.abc import Sequence
from statistics import median

import msgspec

from tests.support.tree import ROOT


class Point(msgspec.Struct, frozen=True):
    """The median of several rounds, and the least and most of them."""

    x: float
    y: float
    low: float
    high: float


class Curve(msgspec.Struct, frozen=True):
    """`note`: the regime in which it was measured."""

    part: str
    title: str
    x: str
    y: str
    note: str
    points: Sequence[Point]

    def at(self, x: float) -> float:
        return next(point.y for point in self.points if point.x == x)


class Row(msgspec.Struct, frozen=True):
    """`ratio`: value by reference; `met` is None where no bar stands for it."""

    bar: str
    what: str
    value: float
    reference: float | None
    ratio: float | None
    bar_is: str
    met: bool | None


class Found(msgspec.Struct):
    curves: list[Curve] = []
    rows: list[Row] = []
    remarks: list[str] = []


def point(x: float, values: Sequence[float]) -> Point:
    return Point(x, round(median(values), 2), round(min(values), 2), round(max(values), 2))


def flat(bar: str, what: str, curve: Curve, first: float, last: float) -> Row:
    """Within a tenth; less is no fault."""
    reference, value = curve.at(first), curve.at(last)
    ratio = round(value / reference, 3)
    return Row(bar, f"{what}, {last:g} against {first:g}", value, reference, ratio, "flat: <= 1.10", ratio <= 1.1)


def at_most(bar: str, what: str, value: float, most: float, unit: str) -> Row:
    return Row(bar, what, round(value, 2), None, None, f"<= {most:g} {unit}", value <= most)


def told(what: str, value: float, reference: float | None = None) -> Row:
    """A figure beside the bars."""
    ratio = None if not reference else round(value / reference, 3)
    return Row("", what, round(value, 2), reference if reference is None else round(reference, 2), ratio, "", None)


def failed(part: str, error: Exception) -> Row:
    return Row("", f"{part} came to no end: {error or type(error).__name__}", 0.0, None, None, "an end", False)


def table(found: Found) -> str:
    lines = []
    for curve in found.curves:
        lines += [f"\n{curve.title}: {curve.y} over {curve.x}", f"  {curve.note}"]
        least = curve.points[0].y
        for one in curve.points:
            by = f"{one.y / least:6.2f} of the first" if least and curve.points[0].x else ""
            lines.append(f"  {one.x:9,.0f}  {one.y:10,.2f}  ({one.low:,.2f} to {one.high:,.2f})  {by}")
    lines.append(f"\n{'bar':5}{'value':>11}{'reference':>11}{'ratio':>8}  {'bar is':16}{'met':6}what")
    for row in found.rows:
        met = {True: "yes", False: "NO", None: ""}[row.met]
        reference = "" if row.reference is None else f"{row.reference:.2f}"
        ratio = "" if row.ratio is None else f"{row.ratio:.3f}"
        lines.append(f"{row.bar:5}{row.value:11.2f}{reference:>11}{ratio:>8}  {row.bar_is:16}{met:6}{row.what}")
    return "\n".join([*lines, *(f"\n{remark}" for remark in found.remarks)])


def commit_name() -> str:
    command = ["git", "describe", "--always", "--dirty"]
    try:
        described = subprocess.run(command, cwd=ROOT, capture_output=True, check=False, text=True)
    except OSError:
        return "unknown"  # no git here
    return described.stdout.strip() or "unknown"


def machine() -> dict[str, str]:
    return {
        "machine": f"{platform.platform()}, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}",
        "versions": f"Python {platform.python_version()}, SQLite {sqlite3.sqlite_version}",
        "commit": commit_name(),
    }

from __future__ import annotations

import msgspec
import pytest

from bench.growth.results import Curve, Found, at_most, commit_name, failed, flat, point, table, told


def curve(first: float, last: float) -> Curve:
    return Curve("cells", "An operation", "cells", "us", "alone", [point(10, [first]), point(10_000, [last])])


@pytest.mark.parametrize(("last", "met"), [(50.0, True), (110.0, True), (110.2, False)])
def test_flat_is_within_a_tenth_and_less_is_no_fault(last: float, met: bool) -> None:
    row = flat("B8", "us", curve(100.0, last), 10, 10_000)
    assert (row.value, row.reference, row.met) == (last, 100.0, met)


def test_a_bar_is_met_up_to_itself() -> None:
    assert at_most("B9", "KiB", 12.0, 12.0, "KiB").met is True
    assert at_most("B9", "KiB", 12.01, 12.0, "KiB").met is False


def test_a_point_is_the_median_of_its_rounds() -> None:
    assert point(10, [3.0, 1.0, 9.0]).y == 3.0


def test_the_table_shows_every_curve_and_row_and_what_is_not_met() -> None:
    rows = [flat("B8", "by cells", curve(100, 200), 10, 10_000), told("beside", 1.0), failed("rooms", OSError("gone"))]
    text = table(Found([curve(100, 200)], rows, ["only 100 files"]))
    for word in ("An operation", "10,000", "2.00 of the first", "NO", "by cells", "rooms came to no end: gone", "only"):
        assert word in text


def test_rows_are_what_the_report_of_all_bars_takes() -> None:
    (row,) = msgspec.json.decode(msgspec.json.encode([told("MiB", 2.0, 1.0)]))
    assert row == {
        "bar": "", "what": "MiB", "value": 2.0, "reference": 1.0, "ratio": 2.0, "bar_is": "", "met": None
    }  # fmt: skip


def test_where_git_is_not_the_commit_is_unknown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    assert commit_name() == "unknown"

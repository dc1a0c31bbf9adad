"""The examples that a new diagram may begin with: the server takes them, and they are drawn well."""

from __future__ import annotations

import json
from collections.abc import Mapping
from itertools import combinations
from typing import Any

import pytest

from protocol.cells import canonical_cells, is_edge
from protocol.values import Limits
from tests.support.tree import ROOT

FOLDER = ROOT / "web/shell/start/examples"
EXAMPLES = {path.stem: json.loads(path.read_text("utf-8")) for path in sorted(FOLDER.glob("*.json"))}
Box = Mapping[str, Any]


@pytest.fixture(params=EXAMPLES)
def cells(request: pytest.FixtureRequest) -> dict[str, Any]:
    """As the server would store them."""
    raw = EXAMPLES[request.param]["cells"]
    return {cell["id"]: cell for cell in canonical_cells(raw, free_ids=True, limits=Limits())}


def inside(box: Box, outer: Box) -> bool:
    return all(
        outer[at] <= box[at] and box[at] + box[side] <= outer[at] + outer[side]
        for at, side in (("x", "width"), ("y", "height"))
    )


def apart(one: Box, other: Box) -> bool:
    return any(
        one[at] + one[side] <= other[at] or other[at] + other[side] <= one[at]
        for at, side in (("x", "width"), ("y", "height"))
    )


def test_the_page_offers_them_all() -> None:
    listed = (ROOT / "web/shell/start/templates.js").read_text("utf-8").partition("EXAMPLES = [")[2].partition("]")[0]
    assert sorted(json.loads(f"[{listed}]")) == sorted(EXAMPLES)
    assert all(example["name"] and example["description"] for example in EXAMPLES.values())


def test_everything_has_a_name_and_flows_have_both_ends(cells: dict[str, Any]) -> None:
    assert all(cell["label"] for cell in cells.values())
    for flow in filter(is_edge, cells.values()):
        assert {flow["source"]["cell"], flow["target"]["cell"]} <= cells.keys()


def test_boxes_stand_inside_their_boundaries_and_on_no_other_box(cells: dict[str, Any]) -> None:
    boxes = [cell for cell in cells.values() if not is_edge(cell)]
    for box in boxes:
        if "parent" in box:
            assert inside(box, cells[box["parent"]]), box["id"]
    for one, other in combinations(boxes, 2):
        assert apart(one, other) or one["id"] == other.get("parent"), (one["id"], other["id"])

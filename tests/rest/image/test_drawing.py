"""A whole diagram as SVG."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from contextlib import suppress
from typing import Any
from xml.etree import ElementTree

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from protocol.cells import canonical_cells
from protocol.refusals import CellError
from protocol.values import Limits
from rest.image.asked import Asked, Format
from rest.image.drawing import EMPTY, PIECE, drawing
from rest.image.geometry import Box
from rest.image.looks import SHAPES
from rest.image.paints import NONE
from rest.image.style import Style
from rest.problems import Problem
from tests.support.tree import ROOT

SVG = "{http://www.w3.org/2000/svg}"
ELEMENTS = {"svg", "g", "rect", "ellipse", "path", "text", "tspan"}
ATTRIBUTES = {
    *("viewBox", "width", "height", "font-family", "role", "data-id", "transform", "x", "y", "rx", "ry", "cx"),
    *("cy", "d", "fill", "fill-opacity", "stroke", "stroke-opacity", "stroke-width", "stroke-dasharray"),
    *("stroke-linejoin", "paint-order", "font-size", "font-weight", "text-anchor"),
}


def node(id: str, **more: Any) -> dict[str, Any]:
    return {"id": id, "shape": "actor", "x": 0, "y": 0, "width": 100, "height": 40, **more}


def read(*cells: Any, style: Style | None = None) -> ElementTree.Element:
    drawn = drawing(cells, style or Style())
    return ElementTree.fromstring(drawn.document(round(drawn.frame.width), round(drawn.frame.height)))


def ids(root: ElementTree.Element) -> list[str | None]:
    return [group.get("data-id") for group in root.iter(f"{SVG}g")]


def test_the_picture_holds_everything_and_a_margin() -> None:
    root = read(node("a"), node("b", x=300, y=200))
    assert (root.get("viewBox"), root.get("width"), root.get("height")) == ("-24 -24 448 288", "448", "288")


@pytest.mark.parametrize("far", [1e300, 1.7e308])
@pytest.mark.parametrize("format", ["svg", "png"])
def test_RE60_there_is_a_picture_however_far_out_cells_lie(far: float, format: Format) -> None:
    turns = [{"x": far, "y": -far}, {"x": -far, "y": far}]
    cells = [node("a", x=-far, angle=30), node("b", x=far, y=far, width=far), node("c", height=far, shape="process")]
    ends = {"source": {"cell": "a"}, "target": {"cell": "b", "port": "top"}}
    flows = [{"id": "f", "shape": "flow", **ends, "vertices": turns, "labels": [{"position": 0.3}], "label": "x"}]
    flows += [{"id": "g", "shape": "flow", **ends}, {"id": "h", "shape": "flow", **ends, "target": ends["source"]}]
    drawn = drawing(canonical_cells([*cells, *flows], free_ids=True, limits=Limits()), Style())
    text = drawn.document(*Asked(format).size(drawn.frame))
    assert not re.search("inf|nan|[0-9]{12}", text)
    assert len(ids(ElementTree.fromstring(text))) == 6


def test_nothing_is_an_empty_sheet() -> None:
    assert drawing([], Style()).frame == EMPTY
    assert [child.tag for child in read()] == [f"{SVG}rect"]


def test_no_paper_where_none_is_wanted() -> None:
    assert len(read(style=Style("light", NONE))) == 0


def test_what_has_the_greater_z_index_lies_on_top() -> None:
    flow = {"id": "f", "shape": "flow", "source": {"cell": "a"}, "target": {"cell": "b"}}
    cells = [node("a"), flow, node("b", zIndex=-5), node("c", shape="security-boundary"), node("d", zIndex=1)]
    assert ids(read(*cells)) == ["b", "c", "f", "a", "d"]


def test_what_is_hidden_is_left_out_with_what_hangs_on_it() -> None:
    flow = {"id": "f", "shape": "flow", "source": {"cell": "a"}, "target": {"cell": "b"}}
    assert ids(read(node("a"), node("b", visible=False), flow)) == ["a"]


def test_an_edge_is_held_by_its_port() -> None:
    held = {"cell": "a", "port": "bottom"}
    flow = {"id": "f", "shape": "flow", "source": held, "target": {"cell": "b", "port": "nowhere"}}
    line = next(read(node("a"), node("b", x=300), flow).iter(f"{SVG}path"))
    assert line.get("d") == "M50 40L300 23.3"


@pytest.mark.parametrize("name", ["kubernetes", "oauth-code-flow", "dfd-100"])
def test_every_cell_of_a_real_diagram_is_there(name: str) -> None:
    cells = json.loads((ROOT / f"tests/data/{name}.json").read_text("utf-8"))
    assert sorted(map(str, ids(read(*cells)))) == sorted(cell["id"] for cell in cells)


def test_the_same_cells_give_the_same_bytes() -> None:
    cells = json.loads((ROOT / "tests/data/dfd-100.json").read_text("utf-8"))
    assert drawing(cells, Style()).document(9, 9) == drawing(cells, Style()).document(9, 9)


def test_between_pieces_of_the_work_there_is_a_pause() -> None:
    pauses: list[None] = []
    drawing([node(f"n{at}") for at in range(3 * PIECE)], Style(), lambda: pauses.append(None))
    assert len(pauses) >= 3


def test_RE62_what_is_refused_for_its_size_is_not_drawn_first() -> None:
    pauses: list[None] = []
    cells = [node("far", y=90_000), *(node(f"n{at}") for at in range(5 * PIECE))]

    def paused_so_often(admit: Callable[[Box], object]) -> int:
        pauses.clear()
        with suppress(Problem):
            drawing(cells, Style(), lambda: pauses.append(None), admit)
        return len(pauses)

    assert paused_so_often(Asked("png", 4_096).size) == paused_so_often(Asked("png").size) / 2


def test_a_small_picture_goes_without_words() -> None:
    drawn = drawing([node("a", label="one\ntwo <b>"), node("b", label="three", x=200)], Style())
    root = ElementTree.fromstring(drawn.without_words().document(9, 9))
    assert not list(root.iter(f"{SVG}text")) and ids(root) == ["a", "b"]


ATTACKS = (
    "<script>alert(1)</script>",
    '"><image href="https://evil.example/"/>',
    "]]></svg><svg onload='alert(1)'>",
    "url(https://evil.example/x)",
    "url(#a)",
    "&lt;!ENTITY x SYSTEM 'file:///etc/passwd'>",
    "javascript:alert(1)",
    "\x01\u202e\ufffe",
    "red",
    "#fff",
)
HOSTILE = st.sampled_from(ATTACKS) | st.text(max_size=30)
ANYTHING = st.recursive(
    HOSTILE | st.none() | st.booleans() | st.floats(-1e6, 1e6) | st.integers(-(2**53) + 1, 2**53 - 1),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(HOSTILE, inner, max_size=3),
    max_leaves=8,
)
MEMBERS = ("fill", "stroke", "strokeWidth", "strokeDasharray", "fillOpacity", "fontSize", "text", "targetMarker")
OF_ONE = st.fixed_dictionaries({}, optional=dict.fromkeys(MEMBERS, HOSTILE | ANYTHING)) | ANYTHING
ATTRS = st.fixed_dictionaries({}, optional=dict.fromkeys(("body", "text", "label", "line", "image"), OF_ONE))
FREE = {
    "label": HOSTILE,
    "attrs": ATTRS,
    "angle": st.floats(-720, 720),
    "zIndex": st.integers(-9, 9),
    "ports": st.lists(st.fixed_dictionaries({"id": HOSTILE, "group": ANYTHING}), max_size=3),
    "labels": st.lists(st.fixed_dictionaries({"attrs": ATTRS, "position": ANYTHING}), max_size=3),
    "markup": ANYTHING,
    "style": ANYTHING,
}
SHAPE_NAMES = st.sampled_from(["actor", "process", "store", "security-boundary", "text-box", "image", "script"])
EXTENT = st.floats(40, 900)
NODES = st.fixed_dictionaries(
    {"shape": SHAPE_NAMES, "x": st.floats(-1e9, 1e9), "y": st.floats(-1e9, 1e9), "width": EXTENT, "height": EXTENT},
    optional=FREE,
)


@settings(max_examples=60, deadline=None)
@given(
    st.lists(NODES, min_size=1, max_size=3),
    st.fixed_dictionaries({}, optional=FREE),
    st.sampled_from(["light", "dark"]),
)
def test_S55_whatever_cells_say_only_plain_shapes_and_text_come_out(nodes: Any, flow: Any, theme: Any) -> None:
    cells = [{**one, "id": f"n{at}"} for at, one in enumerate(nodes)]
    ends = {"id": "f", "shape": "flow", "source": {"cell": "n0"}, "target": {"cell": cells[-1]["id"]}}
    try:
        canonical = canonical_cells([*cells, {**flow, **ends}], free_ids=True, limits=Limits())
    except CellError:
        return
    judge(read(*canonical, style=Style(theme)))


@pytest.mark.parametrize("attack", ATTACKS)
def test_S55_an_attack_in_every_place_at_once_stays_text(attack: str) -> None:
    attrs = {
        name: dict.fromkeys((*MEMBERS, "rx", "fontFamily", "opacity"), attack) for name in ("body", "text", "line")
    }
    everywhere = {"attrs": attrs, "label": attack, "labels": [{"attrs": attrs, "position": attack}], "angle": attack}
    nodes = [node(f"n{at}", shape=shape, **everywhere) for at, shape in enumerate([*SHAPES, attack])]
    flow = {
        "id": "f",
        "shape": "flow",
        "source": {"cell": "n0"},
        "target": {"cell": "n1", "port": attack},
        **everywhere,
    }
    judge(read(*nodes, flow))


def judge(root: ElementTree.Element) -> None:
    """Plain shapes with plain looks and text, nothing else."""
    for element in root.iter():
        assert element.tag.removeprefix(SVG) in ELEMENTS
        assert set(element.attrib) <= ATTRIBUTES
        looks = {name: value for name, value in element.attrib.items() if name != "data-id"}
        assert not any(re.search("url|script|[:<&]", value) for value in looks.values()), looks
    assert ids(root).count("f") == 1

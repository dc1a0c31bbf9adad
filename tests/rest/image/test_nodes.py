"""One node as SVG."""

from __future__ import annotations

from typing import Any
from xml.etree import ElementTree

import pytest

from rest.image.geometry import FAR, Box
from rest.image.looks import Theme
from rest.image.nodes import box_of, look_of, node
from rest.image.style import Style


def drawn(shape: str, theme: Theme = "light", **more: Any) -> ElementTree.Element:
    cell = {"id": "a", "shape": shape, "x": 10, "y": 20, "width": 120, "height": 80, "label": "Label", **more}
    return ElementTree.fromstring(node(cell, box_of(cell), Style(theme)))


def tags(group: ElementTree.Element) -> list[str]:
    return [child.tag for child in group]


@pytest.mark.parametrize(
    ("shape", "expected"),
    [
        ("process", ["ellipse", "text"]),
        ("store", ["rect", "path", "text"]),
        ("actor", ["rect", "text"]),
        ("security-boundary", ["rect", "text"]),
        ("text-box", ["rect", "text"]),
        ("something-else", ["rect", "text"]),
    ],
)
def test_every_shape_has_its_outline_and_its_label(shape: str, expected: list[str]) -> None:
    group = drawn(shape)
    assert (group.get("data-id"), tags(group)) == ("a", expected)
    assert [span.text for span in group.iter("tspan")] == ["Label"]


def test_an_ellipse_fills_its_box() -> None:
    ellipse = drawn("process")[0].attrib
    assert [ellipse[name] for name in ("cx", "cy", "rx", "ry")] == ["70", "60", "60", "40"]


def test_a_store_is_open_at_its_sides() -> None:
    assert drawn("store")[1].get("d") == "M10 20H130M10 100H130"


def test_a_boundary_is_dashed_and_named_in_its_corner() -> None:
    outline, label = drawn("security-boundary")
    assert outline.get("stroke-dasharray") == "7 5"
    assert label.get("text-anchor") is None and label[0].get("x") == "24"


def test_a_label_stands_in_the_middle() -> None:
    label = drawn("actor")[1]
    assert (label.get("text-anchor"), label[0].get("x"), label[0].get("y")) == ("middle", "70", "64.9")


def test_a_long_label_takes_the_lines_that_there_are() -> None:
    label = drawn("actor", label="some words " * 40)[1]
    assert 2 <= len(label) <= 4
    assert str(label[-1].text).endswith("…")


def test_a_cell_without_a_label_has_no_text() -> None:
    assert tags(drawn("actor", label="  ")) == ["rect"]


def test_what_a_cell_says_of_its_looks_is_done() -> None:
    attrs = {"body": {"fill": "#203060", "stroke": "red", "strokeWidth": 3}, "text": {"fontSize": 20}}
    outline, label = drawn("actor", attrs=attrs)
    assert (outline.get("fill"), outline.get("stroke"), outline.get("stroke-width")) == ("#203060", "#ff0000", "3")
    # White on what is dark.
    assert (label.get("font-size"), label.get("fill")) == ("20", "#ffffff")


def test_on_what_shows_through_the_label_has_its_usual_colour() -> None:
    assert drawn("actor", attrs={"body": {"fill": "#20306040"}})[1].get("fill") == "#1b2430"


@pytest.mark.parametrize(
    ("shape", "fill", "line", "ink"),
    [
        ("security-boundary", "#ffffff", "#e4e9f0", "#e4e9f0"),
        ("text-box", "transparent", "#000000", "#e4e9f0"),
        ("process", None, "#000000", "#e4e9f0"),
        ("process", "#ffffff", "#000000", "#000000"),
    ],
)
def test_what_is_black_upon_a_dark_ground_can_be_read(shape: str, fill: str | None, line: str, ink: str) -> None:
    attrs = {"body": {"fill": fill, "stroke": "black"}, "text": {"fill": "#000"}}
    body, text = drawn(shape, "dark", attrs=attrs)
    assert (body.get("stroke"), text.get("fill")) == (line, ink)
    body, text = drawn(shape, attrs=attrs)
    assert (body.get("stroke"), text.get("fill")) == ("#000000", "#000000")


def test_a_painted_boundary_lets_through_what_it_holds() -> None:
    outline, label = drawn("security-boundary", attrs={"body": {"fill": "#203060"}})
    assert (outline.get("fill"), outline.get("fill-opacity")) == ("#203060", "0.18")
    assert label.get("fill") == "#b75d75"


def test_a_turned_node_turns_around_its_middle() -> None:
    assert drawn("actor", angle=30).get("transform") == "rotate(30 70 60)"


def test_a_node_lies_no_further_out_than_can_be_drawn() -> None:
    cell = {"id": "a", "shape": "actor", "x": -1.7e308, "y": 3, "width": 1e300, "height": 80}
    assert box_of(cell) == Box(-FAR, 3, FAR, 80)


def test_an_unknown_shape_looks_like_a_box() -> None:
    assert look_of({"shape": "?"}).radius == 8

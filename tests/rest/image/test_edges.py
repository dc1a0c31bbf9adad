"""One edge as SVG."""

from __future__ import annotations

from typing import Any
from xml.etree import ElementTree

import pytest

from rest.image.edges import edge, turns_of
from rest.image.geometry import FAR, Box, End, Point
from rest.image.style import Style

BOXES = {"a": Box(0, 0, 100, 40), "b": Box(200, 0, 100, 40)}


def flow(id: str = "f", source: str = "a", target: str = "b", **more: Any) -> dict[str, Any]:
    return {"id": id, "shape": "flow", "source": {"cell": source}, "target": {"cell": target}, **more}


def drawn(**more: Any) -> ElementTree.Element:
    markup, _ = edge(flow(**more), (End(BOXES["a"]), End(BOXES["b"])), [], Style())
    return ElementTree.fromstring(markup)


def test_an_edge_is_a_line_with_an_arrow_at_its_target() -> None:
    line, arrow = drawn()
    assert (line.get("d"), line.get("fill")) == ("M100 20L200 20", "none")
    assert str(arrow.get("d")).startswith("M200 20") and arrow.get("fill") == line.get("stroke")


@pytest.mark.parametrize(
    ("attrs", "tips"),
    [
        ({}, ["M200 20"]),
        ({"targetMarker": None}, []),
        ({"targetMarker": ""}, []),
        ({"targetMarker": {"name": ""}}, []),
        ({"sourceMarker": "block"}, ["M100 20", "M200 20"]),
        ({"sourceMarker": {"name": "classic", "size": 8}, "targetMarker": None}, ["M100 20"]),
    ],
)
def test_arrows_are_where_the_edge_says(attrs: Any, tips: list[str]) -> None:
    arrows = drawn(attrs={"line": attrs}).findall("path")[1:]
    assert [str(arrow.get("d"))[:7] for arrow in arrows] == tips


def test_an_arrow_has_the_size_that_was_asked_for() -> None:
    arrow = drawn(attrs={"line": {"targetMarker": {"name": "classic", "size": 20}}})[1]
    assert arrow.get("d") == "M200 20L180 30L180 10Z"


def test_a_label_stands_on_the_middle_of_its_line() -> None:
    text = drawn(label="talks")[2]
    assert (text.text, text.get("x"), text.get("text-anchor")) == ("talks", "150", "middle")


def test_every_label_stands_where_it_says() -> None:
    labels = [
        {"position": 0.1, "attrs": {"text": {"text": "near"}}},
        {"position": {"distance": -20}, "attrs": {"label": {"text": "far"}}},
        {"position": "?", "attrs": {"text": {"text": "middle"}}},
        {"attrs": {}},
    ]
    texts = drawn(labels=labels).findall("text")
    assert [(text.text, text.get("x")) for text in texts] == [("near", "110"), ("far", "180"), ("middle", "150")]


def test_what_is_seen_of_an_edge_holds_its_labels() -> None:
    _, seen = edge(flow(label="x" * 60), (End(BOXES["a"]), End(BOXES["b"])), [], Style())
    assert min(point.x for point in seen) < 0


def test_vertices_lead_the_line() -> None:
    led = flow("1", vertices=[{"x": 150, "y": 100}, {"x": "?"}])
    turns = turns_of([led, flow("2")], BOXES)
    assert turns == {"1": [Point(150, 100)], "2": []}
    markup, _ = edge(led, (End(BOXES["a"]), End(BOXES["b"])), turns["1"], Style())
    assert markup.count("Q150 100") == 1


def test_edges_between_the_same_nodes_lie_beside_each_other() -> None:
    turns = turns_of([flow("1"), flow("2", "b", "a"), flow("3")], BOXES)
    assert {id: [point.y for point in points] for id, points in turns.items()} == {"1": [56], "2": [], "3": [-16]}


def test_an_edge_that_a_port_holds_keeps_its_way() -> None:
    ported = {**flow("2"), "source": {"cell": "a", "port": "top"}}
    turns = turns_of([ported, flow("3")], BOXES)
    assert (turns["2"], len(turns["3"])) == ([], 1)


def test_an_edge_to_its_own_node_goes_around_its_corner() -> None:
    assert len(turns_of([flow("1", "a", "a")], BOXES)["1"]) == 3


def test_an_edge_turns_no_further_out_than_can_be_drawn() -> None:
    vertices = [{"x": 1e308, "y": 5}, {"x": 1, "y": -1e308}, {"x": 1}, {"x": True, "y": 1}]
    assert turns_of([flow(vertices=vertices)], BOXES) == {"f": [Point(FAR, 5), Point(1, -FAR)]}

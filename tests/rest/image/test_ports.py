"""Where an edge is held that names a port."""

from __future__ import annotations

from typing import Any

import pytest

from rest.image.geometry import Box, Point
from rest.image.ports import anchors

BOX = Box(0, 0, 100, 40)


def test_a_node_without_ports_has_one_at_each_side() -> None:
    assert anchors({}, BOX) == {
        "top": Point(50, 0),
        "right": Point(100, 20),
        "bottom": Point(50, 40),
        "left": Point(0, 20),
    }


@pytest.mark.parametrize(
    "ports",
    [
        [{"id": "p", "group": "top"}],
        {"items": [{"id": "p", "group": "top"}]},
        {"items": [{"id": "p", "group": "g"}], "groups": {"g": {"position": "top"}}},
        {"items": [{"id": "p", "group": "g"}], "groups": {"g": {"position": {"name": "top"}}}},
    ],
)
def test_a_port_lies_on_the_side_of_its_group(ports: Any) -> None:
    assert anchors({"ports": ports}, BOX) == {"p": Point(50, 0)}


def test_ports_of_a_side_lie_at_equal_distances() -> None:
    found = anchors({"ports": [{"id": name, "group": "bottom"} for name in "ab"]}, BOX)
    assert found == {"a": Point(25, 40), "b": Point(75, 40)}


def test_what_is_no_port_is_none() -> None:
    assert set(anchors({"ports": {"items": [7, {"id": 7}, None]}}, BOX)) == {"top", "right", "bottom", "left"}
    assert set(anchors({"ports": "x"}, BOX)) == {"top", "right", "bottom", "left"}

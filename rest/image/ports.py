"""Where on a node an edge is held that names one of its ports."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from typing import Any

from protocol.values import Cell
from rest.image.geometry import Box, Point
from rest.image.paints import said

SIDES: Mapping[str, tuple[float, float]] = {"top": (0.5, 0), "right": (1, 0.5), "bottom": (0.5, 1), "left": (0, 0.5)}
"""The middle of each side, as shares of width and height."""


def anchors(node: Cell, box: Box) -> Mapping[str, Point]:
    """By the port's id. Ports of one side lie at equal distances. A node that has none has one at each side; an edge at
    a port that is not here is led to the middle of the node."""
    sides: defaultdict[str, list[str]] = defaultdict(list)
    for item in _items(node):
        id = said(item, "id")
        if isinstance(id, str):
            sides[_side(node, item, id)].append(id)
    found = {} if sides else {side: _at(box, side, 0.5) for side in SIDES}
    for side, ids in sides.items():
        found |= {id: _at(box, side, (at + 0.5) / len(ids)) for at, id in enumerate(ids)}
    return found


def _items(node: Cell) -> list[Any]:
    ports = node.get("ports")
    listed = said(ports, "items") if isinstance(ports, Mapping) else ports
    return listed if isinstance(listed, list) else []


def _side(node: Cell, item: Any, id: Any) -> str:
    """What the port's group says, else its id where that is the name of a side."""
    group = said(item, "group")
    position = said(node.get("ports"), "groups", group, "position") if isinstance(group, str) else None
    words = (said(position, "name"), position, group, id)
    return next((word for word in words if isinstance(word, str) and word in SIDES), "right")


def _at(box: Box, side: str, share: float) -> Point:
    across, down = SIDES[side]
    across, down = (share, down) if side in ("top", "bottom") else (across, share)
    return box.turned(Point(box.x + box.width * across, box.y + box.height * down), box.turn)

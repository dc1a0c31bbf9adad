"""One edge as SVG: its line, its arrows, its labels."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from operator import itemgetter
from typing import Any

from protocol.values import Cell
from rest.image import svg
from rest.image.geometry import FAR, Box, End, Line, Point, arrowhead, beside, loop, route
from rest.image.looks import EDGE, TEXT
from rest.image.measures import shortened, width_of
from rest.image.paints import label_of, label_text, labels_of, quantity, said
from rest.image.style import Attributes, Style, fill
from rest.image.svg import Markup, element

MOST_LABELS = 20
LONGEST_LABEL = 80
HALO: Attributes = {"paint-order": "stroke", "stroke-width": "5", "stroke-linejoin": "round"}


def edge(cell: Cell, ends: tuple[End, End], turns: Sequence[Point], style: Style) -> tuple[Markup, list[Point]]:
    """And the points that are to be seen of it."""
    line = route(*ends, turns)
    attrs = said(cell, "attrs", "line")
    looks = style.line(attrs, EDGE.stroke, EDGE.line)
    parts = [element("path", {"d": line.path, "fill": "none", **looks})]
    tips = (("sourceMarker", line.points[1], line.points[0]), ("targetMarker", line.points[-2], line.points[-1]))
    for name, before, tip in tips:
        if _has_arrow(attrs, name):
            size = quantity(said(attrs, name, "size"), 2, 40)
            head = arrowhead(before, tip, (size, size) if size else EDGE.arrow)
            parts.append(element("path", {"d": head, "fill": looks["stroke"]}))
    labels, seen = _labels(cell, line, style)
    return element("g", {"data-id": cell["id"]}, *parts, *labels), [*line.points, *seen]


def turns_of(edges: Sequence[Cell], boxes: Mapping[str, Box]) -> Mapping[str, Sequence[Point]]:
    """Where each edge turns: at its vertices; without any, around its own node, or aside where others lie beside it."""
    turns: dict[str, Sequence[Point]] = {one["id"]: _vertices(one) for one in edges}
    beside_each_other: defaultdict[tuple[str, str], list[Cell]] = defaultdict(list)
    for one in edges:
        first, second = sorted((one["source"]["cell"], one["target"]["cell"]))
        if turns[one["id"]]:
            continue
        if first == second:
            turns[one["id"]] = loop(boxes[first])
        else:
            beside_each_other[first, second].append(one)
    for (first, second), some in beside_each_other.items():
        for at, one in enumerate(sorted(some, key=itemgetter("id"))):
            lane = at - (len(some) - 1) / 2
            if lane and not any("port" in one[end] for end in ("source", "target")):
                turns[one["id"]] = (beside(boxes[first].centre, boxes[second].centre, lane * EDGE.lane),)
    return turns


def _labels(cell: Cell, line: Line, style: Style) -> tuple[list[Markup], list[Point]]:
    given = labels_of(cell)[:MOST_LABELS]
    texts = [label_of(cell), *(label_text(label) or "" for label in given[1:])]
    places = [_share(said(label, "position"), line) for label in given] or [0.5]
    drawn, seen = [], []
    for text, place in zip(texts, places, strict=True):
        if text:
            label, corners = _label(text, line.along(place), style)
            drawn.append(label)
            seen += corners
    return drawn, seen


def _label(text: str, at: Point, style: Style) -> tuple[Markup, list[Point]]:
    short = shortened(" ".join(text[: 2 * LONGEST_LABEL].split())[:LONGEST_LABEL], EDGE.size, LONGEST_LABEL * EDGE.size)
    behind = style.colour("surface") if style.paper.is_none else style.paper
    look: Attributes = {"font-size": EDGE.size, "font-weight": str(EDGE.weight), "text-anchor": "middle"}
    place: Attributes = {"x": at.x, "y": at.y + EDGE.size * TEXT.base}
    around = {**HALO, "stroke": behind.colour}
    half = width_of(short, EDGE.size) / 2
    corners = [Point(at.x - half, at.y - EDGE.size), Point(at.x + half, at.y + EDGE.size)]
    return element("text", {**place, **look, **fill(style.colour(EDGE.ink)), **around}, svg.words(short)), corners


def _share(position: Any, line: Line) -> float:
    """X6 counts from 0 to 1 as a share of the way, anything else in units, from the end where it is negative."""
    given = said(position, "distance") if isinstance(position, Mapping) else position
    distance = quantity(given, -1e9, 1e9)
    if distance is None:
        return 0.5
    if 0 <= distance <= 1:
        return distance
    share = distance / (line.length or 1)
    return min(max(share if distance > 0 else 1 + share, 0), 1)


def _has_arrow(attrs: Any, name: str) -> bool:
    """An edge points to its target unless it says otherwise (`null`, an empty name), to its source if it says so."""
    marker = said(attrs, name)
    word = said(marker, "name") if isinstance(marker, Mapping) else marker
    if word in (None, ""):
        return name == "targetMarker" and not (isinstance(attrs, Mapping) and name in attrs)
    return True


def _vertices(cell: Cell) -> list[Point]:
    given = cell.get("vertices")
    return [point for one in given or () if (point := _point(one)) is not None]


def _point(value: Any) -> Point | None:
    x, y = (quantity(said(value, axis), -FAR, FAR) for axis in "xy")
    return None if x is None or y is None else Point(x, y)

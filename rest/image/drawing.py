"""Cells become SVG: elements and presentation attributes of ours, text of theirs, nothing that leads elsewhere (S55).

Pure: the same cells and style give the same bytes.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from protocol.cells import is_edge
from protocol.values import Cell
from rest.image import svg
from rest.image.edges import edge, turns_of
from rest.image.geometry import Box, End, Point, around, fitted
from rest.image.looks import EDGE, TEXT
from rest.image.nodes import box_of, look_of, node
from rest.image.paints import quantity, said
from rest.image.ports import anchors
from rest.image.style import Attributes, Style, fill
from rest.image.svg import Markup, element

MARGIN = 24
PIECE = 32
"""Cells that are drawn at once: 1 to 2 ms."""
WORDS = re.compile("<text.*?</text>", re.DOTALL)
EMPTY = Box(0, 0, 320, 200)


@dataclass(frozen=True, slots=True)
class Drawn:
    """`content`: an element a cell, in the coordinates of the diagram; `frame`: the part of it that is seen."""

    content: Sequence[Markup]
    frame: Box
    style: Style

    def without_words(self) -> Drawn:
        """For a picture so small that nobody could read them: they take most of the time of a renderer."""
        return replace(self, content=[Markup(WORDS.sub("", one)) for one in self.content])

    def document(self, width: int, height: int) -> str:
        """The whole file, so many pixels wide and high; the frame grows by what rounding has added."""
        frame = fitted(self.frame, width, height)
        area: Attributes = {"x": frame.x, "y": frame.y, "width": frame.width, "height": frame.height}
        root: Attributes = {
            "xmlns": svg.NAMESPACE,
            "viewBox": " ".join(map(svg.number, (frame.x, frame.y, frame.width, frame.height))),
            "width": str(width),
            "height": str(height),
            "font-family": TEXT.family,
            "role": "img",
        }
        paper = [] if self.style.paper.is_none else [element("rect", {**area, **fill(self.style.paper)})]
        return element("svg", root, *paper, *self.content)


def drawing(
    cells: Sequence[Cell],
    style: Style,
    pause: Callable[[], object] = int,
    admit: Callable[[Box], object] = bool,
) -> Drawn:
    """`cells` are canonical. What is invisible, or hangs on what is, is left out. `pause` is called between pieces of
    the work: who draws beside an event loop lets that go first. `admit` gets the frame before any node is drawn, and
    raises where such a picture is not wanted."""
    shown = [cell for cell in cells if cell.get("visible") is not False]
    nodes = _Nodes([cell for cell in shown if not is_edge(cell)])
    tied = {
        cell["id"]: ends for cell in _paced(shown, pause) if is_edge(cell) and (ends := nodes.ends(cell)) is not None
    }
    edges = [cell for cell in shown if cell["id"] in tied]
    turns = turns_of(edges, nodes.boxes)
    # How far an edge reaches is known when it is drawn.
    lines = {one["id"]: edge(one, tied[one["id"]], turns[one["id"]], style) for one in _paced(edges, pause)}
    seen = [corner for box in nodes.boxes.values() for corner in box.corners()]
    frame = around(seen + [point for _, points in lines.values() for point in points], MARGIN) or EMPTY
    admit(frame)
    tops = sorted((cell for cell in shown if cell["id"] in lines or cell["id"] in nodes.boxes), key=_order)
    content = [
        lines[cell["id"]][0] if cell["id"] in lines else node(cell, nodes.boxes[cell["id"]], style)
        for cell in _paced(tops, pause)
    ]
    return Drawn(content, frame, style)


def _paced(cells: Sequence[Cell], pause: Callable[[], object]) -> Iterator[Cell]:
    for at, cell in enumerate(cells, 1):
        yield cell
        if at % PIECE == 0:
            pause()


class _Nodes:
    def __init__(self, cells: Sequence[Cell]) -> None:
        self.cells = {cell["id"]: cell for cell in cells}
        self.boxes = {id: box_of(cell) for id, cell in self.cells.items()}
        self._anchors: dict[str, Mapping[str, Point]] = {}

    def ends(self, edge: Cell) -> tuple[End, End] | None:
        source, target = self._end(edge.get("source")), self._end(edge.get("target"))
        return None if source is None or target is None else (source, target)

    def _end(self, end: Any) -> End | None:
        id, port = said(end, "cell"), said(end, "port")
        if id not in self.boxes:
            return None
        if port is None:
            return End(self.boxes[id])
        if id not in self._anchors:
            self._anchors[id] = anchors(self.cells[id], self.boxes[id])
        return End(self.boxes[id], self._anchors[id].get(port))


def _order(cell: Cell) -> float:
    """What has the greater `zIndex` lies on top; of equals the later."""
    layer = EDGE.layer if is_edge(cell) else look_of(cell).layer
    given = quantity(cell.get("zIndex"), -1e9, 1e9)
    return layer if given is None else given

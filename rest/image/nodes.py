"""One node as SVG: its outline and its label."""

from __future__ import annotations

from dataclasses import dataclass

from protocol.values import Cell
from rest.image import svg
from rest.image.geometry import FAR, Box
from rest.image.looks import OTHER, SHAPES, TEXT, Look
from rest.image.measures import wrapped
from rest.image.paints import Paint, label_of, paint, quantity, said
from rest.image.style import Attributes, Style, fill
from rest.image.svg import Markup, element

BOUNDARY = "security-boundary"
PAINTED_BOUNDARY = 0.18
"""How much of its colour a boundary shows: what it holds is to be read."""
ON_LIGHT, ON_DARK = Paint("#1b2430"), Paint("#ffffff")


def box_of(cell: Cell) -> Box:
    x, y = (quantity(cell[key], -FAR, FAR) or 0.0 for key in ("x", "y"))
    width, height = (quantity(cell[key], 0, FAR) or 0.0 for key in ("width", "height"))
    turn = quantity(cell.get("angle"), -3_600, 3_600) or 0
    return Box(x, y, width, height, look_of(cell).outline == "ellipse", turn)


def look_of(cell: Cell) -> Look:
    return SHAPES.get(cell["shape"], OTHER)


def node(cell: Cell, box: Box, style: Style) -> Markup:
    drawn = _Node(cell, box, look_of(cell), style, paint(said(cell, "attrs", "body", "fill")))
    middle = box.centre
    turn = f"rotate({svg.number(box.turn)} {svg.number(middle.x)} {svg.number(middle.y)})" if box.turn else None
    return element("g", {"data-id": cell["id"], "transform": turn}, *drawn.outline(), *drawn.label())


@dataclass(frozen=True, slots=True)
class _Node:
    cell: Cell
    box: Box
    look: Look
    style: Style
    painted: Paint | None

    def outline(self) -> list[Markup]:
        box, inside = self.box, self._inside()
        own, look = said(self.cell, "attrs", "body"), self.look
        line = self.style.line(own, look.stroke, look.line, look.dash, is_upon_ground=look.label == "corner")
        area: Attributes = {"x": box.x, "y": box.y, "width": box.width, "height": box.height}
        match self.look.outline:
            case "ellipse":
                at = {"cx": box.centre.x, "cy": box.centre.y, "rx": box.width / 2, "ry": box.height / 2}
                return [element("ellipse", {**at, **inside, **line})]
            case "bars":
                left, right, top, bottom = map(svg.number, (box.x, box.x + box.width, box.y, box.y + box.height))
                bars = f"M{left} {top}H{right}M{left} {bottom}H{right}"
                return [element("rect", {**area, **inside}), element("path", {"d": bars, "fill": "none", **line})]
            case "rect":
                return [element("rect", {**area, "rx": self.look.radius, **inside, **line})]

    def _inside(self) -> Attributes:
        colour = self.painted or self.style.colour(self.look.fill)
        if self.painted and not colour.is_none and self.cell["shape"] == BOUNDARY:
            colour = Paint(colour.colour, PAINTED_BOUNDARY)
        opacity = quantity(said(self.cell, "attrs", "body", "fillOpacity"), 0, 1)
        return fill(colour if opacity is None else Paint(colour.colour, opacity))

    def label(self) -> list[Markup]:
        box, is_corner = self.box, self.look.label == "corner"
        size = quantity(said(self.cell, "attrs", "text", "fontSize"), 6, 96) or self.look.size
        step = TEXT.line * size
        room = box.width * (TEXT.in_ellipse if box.is_round else 1) - TEXT.margin[0] - is_corner * TEXT.corner[0]
        most = 1 if is_corner else max(1, int((box.height - TEXT.margin[1]) / step))
        lines = wrapped(label_of(self.cell), size, room, most)
        if not lines:
            return []
        x = box.x + TEXT.corner[0] if is_corner else box.centre.x
        y = (
            box.y + TEXT.corner[1] + step
            if is_corner
            else box.centre.y - (len(lines) - 1) * step / 2 + size * TEXT.base
        )
        text: Attributes = {
            "font-size": size,
            "font-weight": str(self.look.weight),
            "text-anchor": None if is_corner else "middle",
        }
        spans = [element("tspan", {"x": x, "y": y + at * step}, svg.words(line)) for at, line in enumerate(lines)]
        return [element("text", {**text, **fill(self._ink())}, *spans)]

    def _ink(self) -> Paint:
        own = paint(said(self.cell, "attrs", "text", "fill"))
        if self.painted is None or self.painted.shows_through or self.look.label == "corner":
            return self.style.upon_ground(own) or self.style.colour(self.look.ink)
        return own or (ON_DARK if self.painted.is_dark else ON_LIGHT)

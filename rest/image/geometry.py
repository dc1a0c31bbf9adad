"""Where things are: boxes, borders, lines between them. As web/adapters/x6-shapes.js lays them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

from rest.image.looks import EDGE
from rest.image.svg import number

THINNEST = 1e-6
FAR = 1e7
"""From the origin, at most: a cell may say 1e308, of which one sum is infinite."""


@dataclass(frozen=True, slots=True)
class Point:
    x: float
    y: float


@dataclass(frozen=True, slots=True)
class Box:
    """`turn`: in degrees, around its middle."""

    x: float
    y: float
    width: float
    height: float
    is_round: bool = False
    turn: float = 0

    @property
    def centre(self) -> Point:
        return Point(self.x + self.width / 2, self.y + self.height / 2)

    def turned(self, point: Point, degrees: float) -> Point:
        if not degrees:
            return point
        middle, angle = self.centre, math.radians(degrees)
        dx, dy = point.x - middle.x, point.y - middle.y
        cos, sin = math.cos(angle), math.sin(angle)
        return Point(middle.x + dx * cos - dy * sin, middle.y + dx * sin + dy * cos)

    def corners(self) -> list[Point]:
        right, bottom = self.x + self.width, self.y + self.height
        upright = (Point(self.x, self.y), Point(right, self.y), Point(right, bottom), Point(self.x, bottom))
        return [self.turned(corner, self.turn) for corner in upright]


@dataclass(frozen=True, slots=True)
class End:
    """Where an edge is held: `point` on the border of the box (a port), or None for where the line meets the border."""

    box: Box
    point: Point | None = None

    @property
    def aim(self) -> Point:
        return self.point or self.box.centre

    def meeting(self, towards: Point) -> Point:
        return self.point or border(self.box, towards)


@dataclass(frozen=True, slots=True)
class Line:
    """A way through at least two points, round where it turns."""

    points: tuple[Point, ...]

    @property
    def path(self) -> str:
        start, *turns, end = self.points
        drawn = f"M{at(start)}"
        for before, turn, after in zip(self.points, turns, self.points[2:], strict=False):
            drawn += f"L{at(nearer(turn, before))}Q{at(turn)} {at(nearer(turn, after))}"
        return f"{drawn}L{at(end)}"

    def along(self, share: float) -> Point:
        """The point after this share of the way."""
        lengths = [distance(a, b) for a, b in pairwise(self.points)]
        left = sum(lengths) * share
        for (a, b), length in zip(pairwise(self.points), lengths, strict=True):
            if left <= length and length > 0:
                return between(a, b, left / length)
            left -= length
        return self.points[-1]

    @property
    def length(self) -> float:
        return sum(distance(a, b) for a, b in pairwise(self.points))


def route(source: End, target: End, turns: Sequence[Point]) -> Line:
    start = source.meeting(turns[0] if turns else target.aim)
    end = target.meeting(turns[-1] if turns else source.aim)
    return Line((start, *turns, end))


def loop(box: Box) -> tuple[Point, ...]:
    """Where a line turns that goes from a box to itself: around the upper right corner."""
    right, top = box.x + box.width + EDGE.loop, box.y - EDGE.loop
    return Point(box.x + box.width * 0.7, top), Point(right, top), Point(right, box.y + box.height * 0.25)


def beside(start: Point, end: Point, out: float) -> Point:
    """A point beside the middle of a line: to the right of who goes along it, with y downwards to the left."""
    length = distance(start, end) or 1
    dx, dy = (end.x - start.x) / length * out, (end.y - start.y) / length * out
    return Point((start.x + end.x) / 2 + dy, (start.y + end.y) / 2 - dx)


def nearer(turn: Point, neighbour: Point) -> Point:
    """Where the curve at a turn begins, on the way to the neighbour: never beyond half of that."""
    whole = distance(turn, neighbour)
    return turn if whole == 0 else between(turn, neighbour, min(EDGE.bend, whole / 2) / whole)


def border(box: Box, towards: Point) -> Point:
    """Where the line from the middle of a box towards a point leaves it; the middle where the point is inside."""
    middle, goal = box.centre, box.turned(towards, -box.turn)
    dx, dy = goal.x - middle.x, goal.y - middle.y
    a, b = max(box.width / 2, THINNEST), max(box.height / 2, THINNEST)
    reach = math.hypot(dx / a, dy / b) if box.is_round else max(abs(dx) / a, abs(dy) / b)
    if reach <= 1:
        return middle
    return box.turned(Point(middle.x + dx / reach, middle.y + dy / reach), box.turn)


def arrowhead(before: Point, tip: Point, size: tuple[float, float] = EDGE.arrow) -> str:
    """A triangle of this length and width that touches with its tip."""
    length, half = size[0], size[1] / 2
    way = distance(before, tip) or 1
    dx, dy = (tip.x - before.x) / way, (tip.y - before.y) / way
    x, y = tip.x - length * dx, tip.y - length * dy
    return f"M{at(tip)}L{at(Point(x - half * dy, y + half * dx))}L{at(Point(x + half * dy, y - half * dx))}Z"


def between(a: Point, b: Point, share: float) -> Point:
    return Point(a.x + (b.x - a.x) * share, a.y + (b.y - a.y) * share)


def distance(a: Point, b: Point) -> float:
    return math.hypot(b.x - a.x, b.y - a.y)


def at(point: Point) -> str:
    return f"{number(point.x)} {number(point.y)}"


def around(points: Sequence[Point], margin: float) -> Box | None:
    """The smallest box around all of them, and a margin."""
    if not points:
        return None
    left, top = min(point.x for point in points), min(point.y for point in points)
    right, bottom = max(point.x for point in points), max(point.y for point in points)
    return grown(Box(left, top, right - left, bottom - top), margin)


def grown(box: Box, by: float) -> Box:
    return replace(box, x=box.x - by, y=box.y - by, width=box.width + 2 * by, height=box.height + 2 * by)


def fitted(box: Box, width: float, height: float) -> Box:
    """The smallest box around this one that has these proportions."""
    wide, high = max(box.width, box.height * width / height), max(box.height, box.width * height / width)
    return Box(box.x - (wide - box.width) / 2, box.y - (high - box.height) / 2, wide, high)

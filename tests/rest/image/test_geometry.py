"""Boxes, borders, and the way of lines between them."""

from __future__ import annotations

import math

import pytest

from rest.image.geometry import Box, End, Line, Point, around, arrowhead, beside, border, fitted, loop, nearer, route

A, B = Box(0, 0, 100, 40), Box(200, 0, 100, 40)


@pytest.mark.parametrize(
    ("box", "towards", "meets"),
    [
        (A, Point(500, 20), Point(100, 20)),
        (A, Point(50, -500), Point(50, 0)),
        (Box(0, 0, 100, 100), Point(200, 200), Point(100, 100)),
        (Box(0, 0, 100, 40, is_round=True), Point(500, 20), Point(100, 20)),
        (A, Point(60, 25), Point(50, 20)),
        (A, Point(50, 20), Point(50, 20)),
    ],
)
def test_a_line_from_the_middle_meets_the_border(box: Box, towards: Point, meets: Point) -> None:
    found = border(box, towards)
    assert (found.x, found.y) == pytest.approx((meets.x, meets.y))


def test_a_turned_box_is_met_where_it_is() -> None:
    found = border(Box(0, 0, 100, 40, turn=90), Point(50, 500))
    assert (found.x, found.y) == pytest.approx((50, 70))


def test_a_box_of_hardly_any_size_is_met_too() -> None:
    assert math.isfinite(border(Box(0, 0, 5e-324, 5e-324), Point(1, 1)).x)


def test_a_line_is_straight_between_two_borders() -> None:
    assert route(End(A), End(B), []).path == "M100 20L200 20"


def test_a_port_holds_a_line_where_it_is() -> None:
    assert route(End(A, Point(50, 40)), End(B), [Point(50, 90), Point(250, 90)]).points[0] == Point(50, 40)


def test_a_line_is_round_where_it_turns() -> None:
    assert route(End(A), End(B), [Point(150, 100)]).path.count("Q150 100") == 1
    assert nearer(Point(0, 0), Point(8, 0)) == Point(4, 0)
    assert nearer(Point(0, 0), Point(0, 0)) == Point(0, 0)


def test_a_loop_goes_around_the_corner_of_its_box() -> None:
    assert loop(A) == (Point(70, -32), Point(132, -32), Point(132, 10))


def test_lines_beside_each_other_bend_to_both_sides() -> None:
    assert (beside(A.centre, B.centre, 10).y, beside(A.centre, B.centre, -10).y) == (10, 30)


@pytest.mark.parametrize(("share", "x"), [(0, 0), (0.25, 25), (0.5, 50), (1, 50)])
def test_a_share_of_the_way(share: float, x: float) -> None:
    assert Line((Point(0, 0), Point(50, 0), Point(50, 50))).along(share).x == x


def test_a_way_of_no_length_has_its_end_everywhere() -> None:
    assert Line((Point(1, 1), Point(1, 1))).along(0.5) == Point(1, 1)


def test_an_arrow_touches_with_its_tip() -> None:
    assert arrowhead(Point(0, 0), Point(50, 0)) == "M50 0L40 4L40 -4Z"


def test_a_frame_holds_all_points_and_a_margin() -> None:
    assert around([Point(0, 5), Point(10, 0)], 2) == Box(-2, -2, 14, 9)
    assert around([], 2) is None


def test_a_frame_grows_to_the_proportions_of_the_picture() -> None:
    assert fitted(Box(0, 0, 100, 50), 100, 100) == Box(0, -25, 100, 100)
    assert fitted(Box(0, 0, 100, 50), 200, 100) == Box(0, 0, 100, 50)

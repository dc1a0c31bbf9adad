"""Colours of a theme, and what cells say against them."""

from __future__ import annotations

from rest.image.paints import NONE, Paint
from rest.image.style import Style, fill


def test_paper_is_that_of_the_theme_unless_it_was_chosen() -> None:
    assert Style("light").paper == Paint("#ffffff")
    assert Style("dark").paper != Style("light").paper
    assert Style("dark", NONE).paper.is_none


def test_a_line_is_as_the_cell_says_and_else_as_usual() -> None:
    style = Style()
    assert style.line({"stroke": "red", "strokeWidth": 900, "strokeDasharray": "x"}, "edge", 1.5, "7 5") == {
        "stroke": "#ff0000",
        "stroke-opacity": None,
        "stroke-width": 20,
        "stroke-dasharray": "7 5",
    }
    assert style.line(None, "edge", 1.5)["stroke-width"] == 1.5
    assert style.line({"stroke": "none"}, "edge", 1.5) == {"stroke": "none"}


def test_a_black_flow_is_seen_upon_a_dark_ground() -> None:
    assert Style("dark").line({"stroke": "black"}, "edge", 1.5)["stroke"] == "#e4e9f0"
    assert Style("light").line({"stroke": "black"}, "edge", 1.5)["stroke"] == "#000000"


def test_an_opacity_stands_beside_its_colour() -> None:
    assert fill(Paint("#010203", 0.5)) == {"fill": "#010203", "fill-opacity": "0.5"}

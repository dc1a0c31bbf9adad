"""In which colours a picture is drawn, and the presentation attributes that follow from them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from rest.image.looks import COLOURS, Theme
from rest.image.paints import BLACK, NONE, Paint, dash, paint, quantity, said

Attributes = Mapping[str, str | float | None]


@dataclass(frozen=True, slots=True)
class Style:
    """`background`: None for that of the theme."""

    theme: Theme = "light"
    background: Paint | None = None

    def colour(self, name: str) -> Paint:
        return paint(COLOURS[self.theme].get(name)) or NONE

    @property
    def paper(self) -> Paint:
        return self.background or self.colour("surface")

    def upon_ground(self, given: Paint | None) -> Paint | None:
        """Black, which TMI writes into whatever it draws, picked or not: upon a dark ground it is the usual ink."""
        return self.colour("ink") if given == BLACK and self.theme == "dark" else given

    def line(
        self, attrs: Any, colour: str, width: float, dashes: str = "", *, is_upon_ground: bool = True
    ) -> Attributes:
        """What a cell's `attrs.body` or `attrs.line` say of a line; `colour` is the name of what it has otherwise."""
        own = paint(said(attrs, "stroke"))
        stroke = (self.upon_ground(own) if is_upon_ground else own) or self.colour(colour)
        if stroke.is_none:
            return {"stroke": "none"}
        given = quantity(said(attrs, "strokeWidth"), 0, 20)
        return {
            "stroke": stroke.colour,
            "stroke-opacity": stroke.opacity_text,
            "stroke-width": width if given is None else given,
            "stroke-dasharray": dash(said(attrs, "strokeDasharray")) or dashes or None,
        }


def fill(colour: Paint) -> Attributes:
    return {"fill": colour.colour, "fill-opacity": colour.opacity_text}

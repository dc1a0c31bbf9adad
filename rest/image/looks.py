"""How cells look where they do not say it themselves: as web/shell/style.css and web/adapters/x6-shapes.js have it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

Theme = Literal["light", "dark"]


@dataclass(frozen=True, slots=True)
class Look:
    """Lengths in units of the diagram; `fill`, `stroke` and `ink` are names in COLOURS."""

    outline: Literal["rect", "ellipse", "bars"]
    fill: str
    stroke: str
    radius: float = 0
    dash: str = ""
    line: float = 1.6
    label: Literal["middle", "corner"] = "middle"
    ink: str = "ink"
    size: float = 14
    weight: int = 500
    layer: int = 1
    """The `zIndex` of a cell that has none."""


@dataclass(frozen=True, slots=True)
class EdgeLook:
    """`lane`: how far lines between the same two nodes lie apart; `loop`: how far one to its own node goes out;
    `bend`: the radius where a line turns."""

    stroke: str = "edge"
    line: float = 1.7
    arrow: tuple[float, float] = (10, 8)
    lane: float = 36
    loop: float = 32
    bend: float = 10
    ink: str = "ink"
    size: float = 12.5
    weight: int = 500
    layer: int = 0


@dataclass(frozen=True, slots=True)
class TextLook:
    """As shares of the size: `line` from one line of a label to the next, `base` from the middle of a line down to
    what its letters stand on. `margin`: beside and above a label; `corner`: from a boundary's left side."""

    line: float = 1.22
    base: float = 0.35
    margin: tuple[float, float] = (14, 6)
    corner: tuple[float, float] = (14, 8)
    in_ellipse: float = 0.8
    family: str = "system-ui, sans-serif"


SHAPES: Mapping[str, Look] = {
    "process": Look("ellipse", "process", "process-line"),
    "store": Look("bars", "store", "store-line", line=2.2),
    "actor": Look("rect", "actor", "actor-line", radius=4),
    "security-boundary": Look(
        "rect",
        "boundary",
        "boundary-line",
        14,
        "7 5",
        label="corner",
        ink="boundary-line",
        size=13,
        weight=600,
        layer=-1,
    ),
    "text-box": Look("rect", "none", "none", radius=4, weight=400),
}
OTHER = Look("rect", "surface", "edge", radius=8)
EDGE = EdgeLook()
TEXT = TextLook()
COLOURS: Mapping[Theme, Mapping[str, str]] = {
    "light": {
        "ink": "#1b2430",
        "ground": "#f4f6f9",
        "surface": "#ffffff",
        "edge": "#5f6b7a",
        "process": "#e9effd",
        "process-line": "#5479d8",
        "store": "#e6f4ec",
        "store-line": "#3f8f64",
        "actor": "#fcf2e1",
        "actor-line": "#b98028",
        "boundary": "#b75d750a",
        "boundary-line": "#b75d75",
    },
    "dark": {
        "ink": "#e4e9f0",
        "ground": "#12161b",
        "surface": "#1a2027",
        "edge": "#98a4b3",
        "process": "#1d2b49",
        "process-line": "#7b9cf0",
        "store": "#17322a",
        "store-line": "#62b78c",
        "actor": "#372a17",
        "actor-line": "#d5a458",
        "boundary": "#d5839a0d",
        "boundary-line": "#d5839a",
    },
}

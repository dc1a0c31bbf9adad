"""What a cell says of its own looks, as far as it is a plain colour, number or text. Anything else is as if unsaid."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from protocol.values import Cell

HEX = re.compile(r"#(?:[0-9a-f]{3,4}|[0-9a-f]{6}|[0-9a-f]{8})", re.ASCII)
RGB = re.compile(r"rgba?\( ?([0-9]{1,3}) ?, ?([0-9]{1,3}) ?, ?([0-9]{1,3}) ?(?:, ?(1|0|0?\.[0-9]{1,4}) ?)?\)", re.ASCII)
NAMED = {
    "black": "#000000",
    "silver": "#c0c0c0",
    "gray": "#808080",
    "grey": "#808080",
    "white": "#ffffff",
    "maroon": "#800000",
    "red": "#ff0000",
    "purple": "#800080",
    "fuchsia": "#ff00ff",
    "magenta": "#ff00ff",
    "green": "#008000",
    "lime": "#00ff00",
    "olive": "#808000",
    "yellow": "#ffff00",
    "navy": "#000080",
    "blue": "#0000ff",
    "teal": "#008080",
    "aqua": "#00ffff",
    "cyan": "#00ffff",
    "orange": "#ffa500",
    "pink": "#ffc0cb",
    "brown": "#a52a2a",
    "gold": "#ffd700",
    "none": "none",
    "transparent": "none",
}
LONGEST = 40
LABEL_TEXTS = (("attrs", "text", "text"), ("attrs", "label", "text"))
EDGE_LABEL_TEXTS = (("text", "text"), ("label", "text"), ("labelText", "text"))
DASH = re.compile(r"[0-9]{1,3}(?:\.[0-9]{1,2})?(?:[ ,]+[0-9]{1,3}(?:\.[0-9]{1,2})?){0,7}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Paint:
    """`colour`: `#rrggbb` or `none`."""

    colour: str
    opacity: float | None = None

    @property
    def is_none(self) -> bool:
        return self.colour == "none"

    @property
    def shows_through(self) -> bool:
        return self.is_none or (self.opacity is not None and self.opacity < 0.5)

    @property
    def opacity_text(self) -> str | None:
        """None where it is whole."""
        return None if self.opacity is None or self.opacity >= 1 else f"{self.opacity:.3g}"

    @property
    def is_dark(self) -> bool:
        """Whether what is written on it is better white."""
        red, green, blue = (int(self.colour[at : at + 2], 16) for at in (1, 3, 5))
        return red * 0.299 + green * 0.587 + blue * 0.114 < 140


NONE, BLACK = Paint("none"), Paint("#000000")


def paint(value: Any) -> Paint | None:
    """A colour of CSS in one of its plain spellings; no `url(…)`, no variable, no gradient."""
    if not isinstance(value, str) or len(value) > LONGEST:
        return None
    text = value.strip().lower()
    if text in NAMED:
        return Paint(NAMED[text])
    if HEX.fullmatch(text):
        return _of_hex(text[1:])
    found = RGB.fullmatch(text)
    if found is None or any(int(part) > 255 for part in found.groups()[:3]):
        return None
    red, green, blue = (int(part) for part in found.groups()[:3])
    return Paint(f"#{red:02x}{green:02x}{blue:02x}", float(found[4]) if found[4] else None)


def _of_hex(digits: str) -> Paint:
    if len(digits) < 6:
        digits = "".join(digit * 2 for digit in digits)
    return Paint(f"#{digits[:6]}", round(int(digits[6:], 16) / 255, 3) if len(digits) == 8 else None)


def said(value: Any, *path: str) -> Any:
    """The member at the end of the path, or None."""
    for name in path:
        if not isinstance(value, Mapping):
            return None
        value = value.get(name)
    return value


def quantity(value: Any, least: float, most: float) -> float | None:
    """A number within its bounds."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return min(max(value, least), most)


def dash(value: Any) -> str | None:
    """A pattern of dashes."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        value = str(value)
    return value if isinstance(value, str) and DASH.fullmatch(value) else None


def label_of(cell: Cell) -> str:
    """The text of a cell, wherever the editor that drew it keeps it; as `caption` of the page."""
    texts = [cell.get("label"), *(said(cell, *path) for path in LABEL_TEXTS), *map(label_text, labels_of(cell)[:1])]
    return next((text for text in texts if isinstance(text, str)), "")


def labels_of(cell: Cell) -> list[Any]:
    labels = cell.get("labels")
    return labels if isinstance(labels, list) else []


def label_text(label: Any) -> str | None:
    texts = (said(label, "attrs", *path) for path in EDGE_LABEL_TEXTS)
    return next((text for text in texts if isinstance(text, str)), None)

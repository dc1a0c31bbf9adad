"""What picture a request asks for."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, field
from typing import Literal

from starlette.requests import Request

from rest.image.geometry import Box
from rest.image.looks import Theme
from rest.image.paints import paint
from rest.image.style import Style
from rest.negotiation import prefers_png
from rest.problems import Problem, bad_field

Format = Literal["svg", "png"]
MEDIA: dict[Format, str] = {"svg": "image/svg+xml", "png": "image/png"}
WIDTHS = (16, 4_096)
SCALES = (0.05, 8.0)
MOST_PIXELS = 16 << 20
"""Of a PNG."""
USUAL_PIXELS = 4 << 20
"""Of a PNG that nobody sized, at most."""
MOST_HEIGHT = 16_384
MOST = {"most_width": WIDTHS[1], "most_height": MOST_HEIGHT, "most_pixels": MOST_PIXELS}
DECIMAL = re.compile(r"[0-9]{1,4}(?:\.[0-9]{1,4})?", re.ASCII)


@dataclass(frozen=True, slots=True)
class Asked:
    """`width` in pixels, or `scale`: pixels for one unit of the diagram; neither: as large as it is."""

    format: Format = "svg"
    width: int | None = None
    scale: float | None = None
    style: Style = field(default_factory=Style)

    def size(self, frame: Box) -> tuple[int, int]:
        """Pixels, at least one each way. Raises 422 where it was the client who chose more than are drawn."""
        chosen = self.width / frame.width if self.width is not None else self.scale
        if chosen is None:
            chosen = min(1.0, _fitting(frame)) if self.format == "png" else 1.0
        width, height = (max(1, round(side * chosen)) for side in (frame.width, frame.height))
        if self.format == "png" and (width > WIDTHS[1] or height > MOST_HEIGHT or width * height > MOST_PIXELS):
            raise too_large(width, height)
        return width, height


def asked(request: Request) -> Asked:
    """Raises 400 `invalid_input`."""
    query = request.query_params
    width, scale = query.get("width"), query.get("scale")
    if width is not None and scale is not None:
        raise _refused("scale", "is given by width; name one of the two")
    theme = _word("theme", query.get("theme", "light"), ("light", "dark"))
    return Asked(
        _format(query.get("format"), request.headers.get("accept", "")),
        None if width is None else _whole("width", width, WIDTHS),
        None if scale is None else _between("scale", scale, SCALES),
        _style("dark" if theme == "dark" else "light", query.get("background")),
    )


def _format(named: str | None, accept: str) -> Format:
    if named is None:
        return "png" if prefers_png(accept) else "svg"
    return "png" if _word("format", named, ("svg", "png")) == "png" else "svg"


def _style(theme: Theme, background: str | None) -> Style:
    if background is None:
        return Style(theme)
    # A query has no way to write "#" but %23, which people forget.
    colour = paint(background) or paint(f"#{background}")
    if colour is None:
        raise _refused("background", "must be a colour (ffffff, white, rgb(255,255,255)) or transparent")
    return Style(theme, colour)


def _word(name: str, given: str, known: tuple[str, ...]) -> str:
    if given not in known:
        raise _refused(name, f"must be one of {', '.join(known)}")
    return given


def _whole(name: str, given: str, bounds: tuple[int, int]) -> int:
    value = _between(name, given, bounds)
    if value != int(value):
        raise _refused(name, "must be a whole number")
    return int(value)


def _between(name: str, given: str, bounds: tuple[float, float]) -> float:
    if DECIMAL.fullmatch(given) is None or not bounds[0] <= float(given) <= bounds[1]:
        raise _refused(name, f"must be a number from {bounds[0]:g} to {bounds[1]:g}")
    return float(given)


def _refused(name: str, reason: str) -> Problem:
    return bad_field(name, reason, status=400, error="invalid_input")


def _fitting(frame: Box) -> float:
    """The greatest scale of a PNG that nobody sized."""
    by_area = math.sqrt(USUAL_PIXELS / frame.width / frame.height)
    # Rounding must not lead over the bound.
    return 0.999 * min(WIDTHS[1] / frame.width, MOST_HEIGHT / frame.height, by_area)


def too_large(width: int, height: int) -> Problem:
    message = f"The picture would have {width} x {height} pixels; ask for a smaller width or scale."
    details = {"width": width, "height": height, **MOST}
    return Problem(422, "limit_exceeded", message, details=details)

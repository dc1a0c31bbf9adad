"""What picture a request asks for."""

from __future__ import annotations

import pytest
from starlette.requests import Request

from rest.image.asked import USUAL_PIXELS, Asked, asked
from rest.image.geometry import Box
from rest.image.paints import NONE, Paint
from rest.image.style import Style
from rest.problems import Problem


def request(query: str = "", accept: str = "*/*") -> Request:
    headers = [(b"accept", accept.encode())]
    return Request({"type": "http", "method": "GET", "query_string": query.encode(), "headers": headers})


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("", Asked()),
        ("format=png&width=320", Asked("png", 320)),
        ("scale=0.5&theme=dark", Asked(scale=0.5, style=Style("dark"))),
        ("background=transparent", Asked(style=Style(background=NONE))),
        ("background=fff", Asked(style=Style(background=Paint("#ffffff")))),
        ("background=%23ffffff", Asked(style=Style(background=Paint("#ffffff")))),
    ],
)
def test_a_request_says_what_it_wants(query: str, expected: Asked) -> None:
    assert asked(request(query)) == expected


@pytest.mark.parametrize(
    ("accept", "format"),
    [
        ("image/png", "png"),
        ("image/svg+xml,image/png;q=0.5", "svg"),
        ("image/avif,image/webp,image/png,image/svg+xml,image/*;q=0.8,*/*;q=0.5", "svg"),
        ("image/png,image/*;q=0.8", "png"),
        ("application/json", "svg"),
        ("", "svg"),
    ],
)
def test_without_a_format_the_client_says_what_it_likes(accept: str, format: str) -> None:
    assert asked(request("", accept)).format == format
    assert asked(request("format=png", accept)).format == "png"


@pytest.mark.parametrize(
    "query",
    [
        "format=gif",
        "format=",
        "width=0",
        "width=15",
        "width=4097",
        "width=1.5",
        "width=1e3",
        "width=-20",
        "width=٣٢٠",
        "scale=0",
        "scale=9",
        "scale=nan",
        "width=100&scale=1",
        "theme=blue",
        "background=url(x)",
        "background=",
    ],
)
def test_what_cannot_be_is_refused(query: str) -> None:
    with pytest.raises(Problem) as refused:
        asked(request(query))
    assert (refused.value.status, refused.value.error) == (400, "invalid_input")


def test_a_picture_is_as_large_as_its_diagram_or_as_was_asked() -> None:
    frame = Box(0, 0, 200, 100)
    assert Asked().size(frame) == (200, 100)
    assert Asked(width=320).size(frame) == (320, 160)
    assert Asked("png", scale=2).size(frame) == (400, 200)
    assert Asked(width=320).size(Box(0, 0, 1e15, 100)) == (320, 1)


@pytest.mark.parametrize("frame", [Box(0, 0, 1e6, 1e6), Box(0, 0, 1e15, 1), Box(0, 0, 1, 1e15)])
def test_RE62_a_png_that_nobody_sized_is_made_to_fit(frame: Box) -> None:
    width, height = Asked("png").size(frame)
    assert width <= 4_096 and width * height <= USUAL_PIXELS


@pytest.mark.parametrize("wanted", [Asked("png", width=4_096), Asked("png", scale=8)])
def test_RE62_a_png_that_was_asked_too_large_is_refused(wanted: Asked) -> None:
    with pytest.raises(Problem) as refused:
        wanted.size(Box(0, 0, 1_000, 5_000))
    assert (refused.value.status, refused.value.error) == (422, "limit_exceeded")


def test_RE62_the_refusal_names_every_bound_the_height_too() -> None:
    tall = Box(0, 0, 48, 16_800)
    with pytest.raises(Problem) as refused:
        Asked("png", scale=1).size(tall)
    bounds = {"most_width": 4_096, "most_height": 16_384, "most_pixels": 16_777_216}
    assert refused.value.details == {"width": 48, "height": 16_800, **bounds}
    assert Asked("png", scale=1).size(Box(0, 0, 48, 16_384)) == (48, 16_384)

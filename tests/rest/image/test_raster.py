"""The program that makes PNG."""

from __future__ import annotations

import struct

import pytest

from rest.image.raster import FOREIGN, png

SHEET = '<svg xmlns="http://www.w3.org/2000/svg" width="{0}" height="{1}" font-family="system-ui, sans-serif">{2}</svg>'


def size(image: bytes) -> tuple[int, ...]:
    assert image.startswith(b"\x89PNG\r\n\x1a\n")
    return struct.unpack(">II", image[16:24])


def test_a_png_has_the_size_of_its_svg() -> None:
    assert size(png(SHEET.format(60, 40, ""))) == (60, 40)


def test_text_is_drawn_whatever_fonts_the_machine_has() -> None:
    drawn = [png(SHEET.format(60, 40, f'<text y="20">{text}</text>')) for text in ("", "Ab", "Cd")]
    assert len(set(drawn)) == 3


@pytest.mark.parametrize(
    "foreign",
    [
        '<image href="/etc/passwd"/>',
        '<g><IMAGE href="file:///etc/passwd"/></g>',
        '<svg:image href="/etc/passwd"/>',
        "<style>@import url(x)</style>",
        '<use href="#a"/>',
        '<!DOCTYPE svg [<!ENTITY a "b">]>',
        "<?xml-stylesheet href='x'?>",
        "<textPath/>",
    ],
)
def test_S55_what_is_not_of_our_drawing_is_not_drawn(foreign: str) -> None:
    with pytest.raises(ValueError, match="element"):
        png(SHEET.format(60, 40, foreign))


def test_other_scripts_are_looked_for_among_the_fonts_of_the_machine() -> None:
    assert FOREIGN.search("日本") and FOREIGN.search("שלום") and FOREIGN.search("😀")
    assert not FOREIGN.search("Zażółć Ελληνικά Кириллица – „x“ … €")

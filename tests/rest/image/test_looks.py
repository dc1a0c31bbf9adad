"""The server draws as the page does: the same colours, sizes and distances."""

from __future__ import annotations

import json
import re
import subprocess
from typing import Any

import pytest

from rest.image.looks import COLOURS, EDGE, OTHER, SHAPES, TEXT, Look, Theme
from rest.image.paints import label_of
from tests.support.needs import need
from tests.support.tree import ROOT

STYLE = (ROOT / "web/shell/style.css").read_text("utf-8")
ADAPTER = ROOT / "web/adapters/x6-shapes.js"


def colours(theme: Theme) -> dict[str, str]:
    both = re.findall(r"--([\w-]+): light-dark\((#[0-9a-f]{3,8}), (#[0-9a-f]{3,8})\);", STYLE)
    return {name: light if theme == "light" else dark for name, light, dark in both}


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_a_theme_has_the_colours_of_the_page(theme: Theme) -> None:
    of_page = colours(theme)
    assert {name: of_page.get(name) for name in COLOURS[theme]} == COLOURS[theme]


@pytest.fixture(scope="module")
def shapes() -> Any:
    program = f"import {{ SHAPES }} from {json.dumps(ADAPTER.as_uri())}; console.log(JSON.stringify(SHAPES))"
    told = subprocess.run([need("node"), "--input-type=module", "-e", program], capture_output=True, check=True)
    return json.loads(told.stdout)


@pytest.mark.needs_node
@pytest.mark.parametrize("shape", [*SHAPES, "box"])
def test_a_shape_looks_as_on_the_page(shapes: Any, shape: str) -> None:
    look, body, text = SHAPES.get(shape, OTHER), shapes[shape]["body"], shapes[shape]["text"]
    assert (name_of(body["fill"]), name_of(body["stroke"])) == (look.fill, look.stroke)
    assert (body["strokeWidth"], body.get("rx", 0)) == (look.line, look.radius)
    assert body.get("strokeDasharray", "") == look.dash
    assert (name_of(text["fill"]), text["fontSize"], text["fontWeight"]) == (look.ink, look.size, look.weight)
    assert (text["textAnchor"] == "start") is (look.label == "corner")
    assert outline(body) == look.outline


def name_of(colour: str) -> str:
    """`var(--actor)` -> `actor`."""
    return "none" if colour == "transparent" else colour.removeprefix("var(--").removesuffix(")")


def outline(body: Any) -> str:
    return "bars" if "openSides" in body else "ellipse" if "refRx" in body else "rect"


@pytest.mark.needs_node
def test_a_flow_looks_as_on_the_page(shapes: Any) -> None:
    line = shapes["flow"]["line"]
    assert (name_of(line["stroke"]), line["strokeWidth"]) == (EDGE.stroke, EDGE.line)
    assert (line["targetMarker"]["width"], line["targetMarker"]["height"]) == EDGE.arrow


def test_distances_are_those_of_the_page() -> None:
    page = ADAPTER.read_text("utf-8")
    assert f"const LANE = {EDGE.lane:g};" in page and f"[x + width + {EDGE.loop:g}, y - {EDGE.loop:g}]" in page
    # Of a line from a node to itself; rest/image/geometry.py has it.
    assert "x + width * 0.7, y: top" in page and "x: right, y: y + height * 0.25" in page
    assert f"Number(fontSize) * {TEXT.line}" in page and f"Number(fontSize) * {TEXT.base}" in page
    assert f"{TEXT.in_ellipse} : 1) - {TEXT.margin[0]:g}" in page and f"(height - {TEXT.margin[1]:g}) / line" in page
    assert f"- (isBoundary ? {TEXT.corner[0]:g} : 0)" in page


TEXTS: list[Any] = [
    {"label": "own"},
    {"attrs": {"text": {"text": "text"}}},
    {"attrs": {"label": {"text": "label"}}},
    {"attrs": {"text": {"text": "text"}, "label": {"text": "label"}}},
    {"labels": [{"attrs": {"text": {"text": "of text"}, "label": {"text": "of label"}}}]},
    {"labels": [{"attrs": {"labelText": {"text": "of labelText"}, "label": {"text": "of label"}}}]},
    {"labels": [{"attrs": {"labelText": {"text": "of labelText"}}}, {"attrs": {"text": {"text": "second"}}}]},
    {"labels": "x"},
]


@pytest.mark.needs_node
def test_a_cell_with_several_texts_is_called_as_on_the_page() -> None:
    cells = [a | b for a in TEXTS for b in TEXTS]
    program = f"import {{ caption }} from {json.dumps(ADAPTER.as_uri())};"
    program += f"console.log(JSON.stringify({json.dumps(cells)}.map(caption)))"
    told = subprocess.run([need("node"), "--input-type=module", "-e", program], capture_output=True, check=True)
    assert [label_of(cell) for cell in cells] == json.loads(told.stdout)


def test_a_look_of_an_unknown_shape_is_that_of_a_box() -> None:
    assert isinstance(OTHER, Look) and OTHER.outline == "rect"

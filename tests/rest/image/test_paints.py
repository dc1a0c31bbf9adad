"""What a cell says of its looks: plain colours, numbers and texts, and nothing else."""

from __future__ import annotations

from typing import Any

import pytest

from rest.image.paints import NONE, Paint, dash, label_of, paint, quantity, said


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("#AbCdEf", Paint("#abcdef")),
        ("#abc", Paint("#aabbcc")),
        ("#abcdef80", Paint("#abcdef", 0.502)),
        ("#abc8", Paint("#aabbcc", 0.533)),
        (" white ", Paint("#ffffff")),
        ("transparent", NONE),
        ("rgb(1, 2,3)", Paint("#010203")),
        ("rgba(255,0,0,.5)", Paint("#ff0000", 0.5)),
    ],
)
def test_a_plain_colour_is_taken(value: str, expected: Paint) -> None:
    assert paint(value) == expected


@pytest.mark.parametrize(
    "value",
    [
        "url(#x)",
        "url(https://evil.example/)",
        "var(--ink)",
        'red"/><script/>',
        "rgb(256,0,0)",
        "#12345",
        "#١٢٣",
        "currentColor",
        "expression(alert(1))",
        {"type": "linearGradient"},
        7,
        None,
        "#" + "a" * 10_000,
    ],
)
def test_S55_anything_else_is_no_colour(value: Any) -> None:
    assert paint(value) is None


@pytest.mark.parametrize(("colour", "dark"), [("#000080", True), ("#ffffff", False), ("#ffff00", False)])
def test_a_colour_says_what_is_read_on_it(colour: str, dark: bool) -> None:
    assert Paint(colour).is_dark is dark


def test_what_is_opaque_needs_no_opacity() -> None:
    assert (Paint("#000000", 1.0).opacity_text, Paint("#000000", 0.18).opacity_text) == (None, "0.18")


@pytest.mark.parametrize(("value", "expected"), [(3, 3), (-1, 0), (99, 10), (True, None), ("3", None), (None, None)])
def test_a_quantity_is_a_number_within_bounds(value: Any, expected: float | None) -> None:
    assert quantity(value, 0, 10) == expected


@pytest.mark.parametrize(
    ("value", "expected"), [("5 5", "5 5"), (4, "4"), ("1,2.5", "1,2.5"), ("x", None), ("-1", None), (True, None)]
)
def test_a_pattern_of_dashes_is_numbers(value: Any, expected: str | None) -> None:
    assert dash(value) == expected


def test_a_member_is_found_by_its_path() -> None:
    assert said({"a": {"b": 1}}, "a", "b") == 1
    assert said({"a": 1}, "a", "b") is None


@pytest.mark.parametrize(
    "cell",
    [
        {"label": "L", "attrs": {"text": {"text": "no"}}},
        {"attrs": {"text": {"text": "L"}}},
        {"attrs": {"label": {"text": "L"}}},
        {"labels": [{"attrs": {"label": {"text": "L"}}}]},
        {"labels": [{"attrs": {"text": {"text": "L"}}}, {"attrs": {"text": {"text": "second"}}}]},
        {"labels": [{"attrs": {"labelText": {"text": "L"}}}]},
    ],
)
def test_a_label_is_found_wherever_an_editor_keeps_it(cell: dict[str, Any]) -> None:
    assert label_of(cell) == "L"


def test_a_label_that_is_no_text_is_none() -> None:
    assert label_of({"label": {"x": 1}, "labels": "?", "attrs": []}) == ""

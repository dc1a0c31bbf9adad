"""SVG as text: what is not ours never becomes markup."""

from __future__ import annotations

from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rest.image.svg import element, escaped, number, words


@given(st.text(), st.text())
def test_S55_any_text_is_text_again_when_it_is_read(content: str, attribute: str) -> None:
    read = ElementTree.fromstring(element("text", {"data-id": attribute}, words(content)))
    assert (read.tag, list(read)) == ("text", [])
    # XML has one kind of line end, and in an attribute a blank for each.
    assert (read.text or "") == ElementTree.fromstring(f"<t>{escaped(content)}</t>").text or not content
    assert set(read.attrib) == {"data-id"}


@pytest.mark.parametrize("forbidden", ["\0", "\x1b", "\ud800", "\ufffe"])
def test_what_xml_cannot_write_is_replaced(forbidden: str) -> None:
    assert words(f"a{forbidden}b") == "a\ufffdb"


def test_an_element_leaves_out_what_is_none_and_closes_what_is_empty() -> None:
    assert element("rect", {"x": 1.26, "rx": None, "fill": "none"}) == '<rect x="1.3" fill="none"/>'
    assert element("g", {}, words("a"), words("b")) == "<g>ab</g>"


@pytest.mark.parametrize(
    ("value", "text"), [(1, "1"), (1.0, "1"), (-0.04, "-0"), (2.55, "2.5"), (2.0**53, "9007199254740992")]
)
def test_a_number_has_a_tenth_at_most_and_no_exponent(value: float, text: str) -> None:
    assert number(value) == text

"""SVG as text. Every character of somebody else's goes through `escaped`: none of it becomes markup (S55)."""

from __future__ import annotations

import re
from collections.abc import Mapping

NAMESPACE = "http://www.w3.org/2000/svg"
# What XML 1.0 has no way to write (its production Char), not even as a reference.
UNWRITABLE = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")
SPECIAL = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "'": "&#39;"})


class Markup(str):
    """Text that is SVG already. Only this module makes it."""

    __slots__ = ()


def element(name: str, attributes: Mapping[str, str | float | None], *inside: Markup) -> Markup:
    """`name` and the names of attributes are words of ours; None leaves an attribute out."""
    given = "".join(f' {key}="{_value(value)}"' for key, value in attributes.items() if value is not None)
    return Markup(f"<{name}{given}>{''.join(inside)}</{name}>" if inside else f"<{name}{given}/>")


def words(text: str) -> Markup:
    return Markup(escaped(text))


def escaped(text: str) -> str:
    return UNWRITABLE.sub("\ufffd", text).translate(SPECIAL)


def number(value: float) -> str:
    """To a tenth, which nobody sees the difference of, without an exponent."""
    short = f"{value:.1f}"
    return short[:-2] if short.endswith(".0") else short


def _value(value: str | float) -> str:
    return escaped(value) if isinstance(value, str) else number(value)

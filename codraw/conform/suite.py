"""All checks there are, in the order of the specification."""

from __future__ import annotations

from codraw.conform import hostile, identity, inversion, operations, order, presence, rest, sessions, sockets, undo
from codraw.conform.rules import CHECKS, Check, family

MODULES = (sockets, operations, order, undo, inversion, presence, sessions, identity, rest, hostile)
"""Whose import has registered them."""
FAMILIES = ("WS", "OP", "VEC", "UN", "PR", "SES", "AU", "RE", "S")


def _place(check: Check) -> tuple[int, int]:
    first = check.ids[0]
    name = family(first)
    return FAMILIES.index(name), int(first.removeprefix(name))


SUITE: tuple[Check, ...] = tuple(sorted(CHECKS, key=_place))

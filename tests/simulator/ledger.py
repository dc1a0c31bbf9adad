"""Which invariants a history had something to say about, and which one it broke."""

from __future__ import annotations

import re
from collections import Counter
from typing import Any

KNOWN = tuple(f"I{number}" for number in (*range(1, 15), *range(16, 19), *range(20, 27), 29))
"""Those that the simulator can refute."""


class Broken(AssertionError):
    """An invariant of reliability, by id, and what was seen."""

    def __init__(self, invariant: str, *seen: Any) -> None:
        super().__init__(invariant, *seen)
        self.invariant = invariant


class Ledger:
    def __init__(self) -> None:
        self.held: Counter[str] = Counter()

    def hold(self, true: bool, invariant: str, *seen: Any) -> None:
        if not true:
            raise Broken(invariant, *seen)
        self.held[invariant] += 1


def invariant_of(error: BaseException) -> str:
    """The id that a failure names; a room that fails by itself holds nobody's edits: I29."""
    if isinstance(error, Broken):
        return error.invariant
    named = re.search(r"\bI\d+\b", str(error))
    return named.group() if named else "I29"

"""If-Match of a diagram: `"5"`, `5`, `W/"5"`, a list of them, or `*` (RE12)."""

from __future__ import annotations

import re
from dataclasses import dataclass

VECTOR = re.compile(r'(?:W/)?"([0-9]{1,16})"|([0-9]{1,16})', re.ASCII)


@dataclass(frozen=True, slots=True)
class IfMatch:
    """`anything`: the client does not care; what cannot be read fits nothing."""

    vectors: frozenset[int] = frozenset()
    anything: bool = False

    @classmethod
    def of(cls, header: str | None) -> IfMatch | None:
        """None: there is no such header."""
        if header is None:
            return None
        if header.strip() == "*":
            return cls(anything=True)
        found = [VECTOR.fullmatch(part.strip()) for part in header.split(",")]
        return cls(frozenset(int(one[1] or one[2]) for one in found if one))

    def fits(self, vector: int) -> bool:
        return self.anything or vector in self.vectors

"""If-Match and If-None-Match: `"5"`, `5`, `W/"5"`, `"5-<epoch>"`, a list of them, or `*` (RE12)."""

from __future__ import annotations

import re
from dataclasses import dataclass

from starlette.requests import Request

from rest.problems import conflict

TAG = re.compile(r'(?:W/)?"([0-9]{1,16})(?:-([0-9a-f]{1,64}))?"|([0-9]{1,16})', re.ASCII)
Tag = tuple[int, str | None]


@dataclass(frozen=True, slots=True)
class IfMatch:
    """Vectors of a diagram, or versions of anything else. `anything`: the client does not care; what cannot be read
    fits nothing.

    A vector names a state within one epoch. Only a store that lost acknowledged operations, played back from a backup,
    comes to the same vector again in a new epoch; who would not write over that names the epoch, too.
    """

    tags: frozenset[Tag] = frozenset()
    anything: bool = False

    @classmethod
    def of(cls, header: str | None) -> IfMatch | None:
        """None: there is no such header."""
        if header is None:
            return None
        if header.strip() == "*":
            return cls(anything=True)
        found = [TAG.fullmatch(part.strip()) for part in header.split(",")]
        return cls(frozenset((int(one[1] or one[3]), one[2]) for one in found if one))

    def fits(self, vector: int, epoch: str | None = None) -> bool:
        return self.anything or not self.tags.isdisjoint(((vector, None), (vector, epoch)))


def if_match(request: Request) -> IfMatch | None:
    return IfMatch.of(request.headers.get("if-match"))


def if_none_match(request: Request) -> IfMatch | None:
    return IfMatch.of(request.headers.get("if-none-match"))


def hold_to(wanted: IfMatch | None, version: int) -> None:
    """Raises 409 `version_mismatch` where the client has seen another version than the one that stands."""
    if wanted is not None and not wanted.fits(version):
        raise conflict(f"Version {version} stands here.", "version_mismatch", version=version)


def etag(version: int) -> str:
    return f'"{version}"'

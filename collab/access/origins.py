"""Whose pages may call this server: exact origins, nothing by prefix or suffix (RE11, AU3, S1)."""

from __future__ import annotations

import re
from dataclasses import dataclass

ORIGIN = re.compile(r"(https?)://([a-z0-9._-]+|\[[0-9a-f:.]+\])(?::([0-9]{1,5}))?", re.ASCII)
LOOPBACK = frozenset(("localhost", "127.0.0.1", "[::1]"))
DEFAULT_PORTS = {"http": 80, "https": 443}

Parts = tuple[str, str, int]


def parts(origin: str) -> Parts | None:
    """Scheme, host, port; None for `null`, a wildcard, a path, anything that no browser sends as an origin."""
    found = ORIGIN.fullmatch(origin.lower())
    if found is None:
        return None
    scheme, host, port = found.groups()
    return scheme, host, int(port or DEFAULT_PORTS[scheme])


@dataclass(frozen=True, slots=True)
class Origins:
    """`listed`: other origins that the operator allows. In `development` every loopback origin counts as listed."""

    listed: frozenset[Parts] = frozenset()
    development: bool = False

    @classmethod
    def of(cls, listed: tuple[str, ...], development: bool) -> Origins:
        """What is no origin is left out, so that a wildcard opens nothing."""
        return cls(frozenset(found for origin in listed if (found := parts(origin))), development)

    def listing(self, origin: str) -> bool:
        found = parts(origin)
        return found is not None and (found in self.listed or (self.development and found[1] in LOOPBACK))

    def allowing(self, origin: str, own: str) -> bool:
        """Whether a page of `origin` may call; `own` is this server's address as the client reached it."""
        found = parts(origin)
        return found is not None and (found == parts(own) or self.listing(origin))

"""What a client would take, and what it likes best, by its Accept headers (RFC 9110, 12.4.2 and 12.5)."""

from __future__ import annotations

import re
from collections.abc import Mapping


def accepts_gzip(accept_encoding: str) -> bool:
    weights = weights_of(accept_encoding)
    return weights.get("gzip", weights.get("*", 0.0)) > 0


def prefers_html(accept: str) -> bool:
    """A browser names text/html and likes it best; a program names JSON, or takes anything."""
    weights = weights_of(accept)
    return weights.get("text/html", 0.0) > liking(weights, "application/json")


def prefers_png(accept: str) -> bool:
    weights = weights_of(accept)
    return liking(weights, "image/png") > liking(weights, "image/svg+xml")


def weights_of(header: str) -> dict[str, float]:
    """By what is named, in small letters; from 0 to 1."""
    weights: dict[str, float] = {}
    for part in header.lower().split(","):
        kind, _, parameters = part.strip().partition(";")
        weights[kind.strip()] = _weight(parameters)
    return weights


def liking(weights: Mapping[str, float], kind: str) -> float:
    """Of a media type: what names it most exactly counts."""
    names = (kind, f"{kind.partition('/')[0]}/*", "*/*")
    return next((weights[name] for name in names if name in weights), 0.0)


def _weight(parameters: str) -> float:
    found = re.search(r"(?:^|;)\s*q=([01](?:\.[0-9]{0,3})?)\s*(?:;|$)", parameters)
    return float(found[1]) if found else 1.0

"""Addresses to send a browser back to, with the client's `state` as it came (AU7)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from urllib.parse import quote, urlencode

from starlette.requests import Request

AS_IT_CAME = re.compile(r"[A-Za-z0-9._~!$'()*+,;:@/?=%-]*", re.ASCII)
"""What a query string may hold unchanged beside `&` and `#`."""


def query(request: Request) -> str:
    """As it came: Starlette's own fails on bytes that are no UTF-8."""
    raw: bytes = request.scope["query_string"]
    return raw.decode("latin-1")


def raw_parameter(request: Request, name: str) -> str | None:
    """The value as it stands in the address, not decoded: a client that reads `state` raw must find its own bytes."""
    for pair in query(request).split("&"):
        found, _, value = pair.partition("=")
        if found == name:
            return value if AS_IT_CAME.fullmatch(value) else quote(value, safe="%", encoding="latin-1")
    return None


def back(callback: str, parameters: Mapping[str, str], state: str | None) -> str:
    """`state` is raw. A callback that has a query string keeps it."""
    query = urlencode(parameters)
    if state is not None:
        query += f"&state={state}"
    return f"{callback}{'&' if '?' in callback else '?'}{query}"

"""A value becomes a JSON answer."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from starlette.responses import Response

from protocol.codec import Encoding, encode


def answer(body: Any, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    return Response(encode(body, Encoding.JSON), status, headers, media_type="application/json")


def created(body: Any, location: str, headers: Mapping[str, str] | None = None) -> Response:
    return answer(body, 201, {"Location": location, **(headers or {})})


def nothing() -> Response:
    return Response(status_code=204)

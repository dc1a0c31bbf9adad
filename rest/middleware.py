"""What every HTTP answer carries: CORS, no-store, nosniff, a content policy, the request's id (RE10, RE11)."""

from __future__ import annotations

import secrets
from collections.abc import Mapping

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from collab.access.origins import Origins
from rest.problems import Problem

ALLOWED_HEADERS = "Content-Type, Authorization, Accept, Cache-Control, Pragma, If-Match, If-None-Match"
ALLOWED_METHODS = "GET, POST, PUT, PATCH, DELETE"
EXPOSED_HEADERS = "ETag, Location, Retry-After, X-Total-Count"
PREFLIGHT_SECONDS = "600"

ALWAYS: Mapping[str, str] = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
}
UNLESS_SAID_OTHERWISE: Mapping[str, str] = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
}


class AnswerHeaders:
    """Outermost, so that the answer to a fault of ours carries them too."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        request_id = secrets.token_hex(8)
        scope.setdefault("state", {})["request_id"] = request_id

        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                headers.update({**ALWAYS, "X-Request-Id": request_id})
                for name, value in UNLESS_SAID_OTHERWISE.items():
                    headers.setdefault(name, value)
            await send(message)

        await self.app(scope, receive, with_headers)


class Cors:
    """A listed origin is echoed exactly, with credentials; any other gets no permission."""

    def __init__(self, app: ASGIApp, origins: Origins) -> None:
        self.app = app
        self.origins = origins

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        origin = Headers(scope=scope).get("origin") if scope["type"] == "http" else None
        if scope["type"] != "http":
            await self.app(scope, receive, send)
        elif origin is not None and is_preflight(Request(scope)):
            await self._preflight(origin)(scope, receive, send)
        else:
            await self.app(scope, receive, self._permitting(origin, send))

    def _preflight(self, origin: str) -> Response:
        if not self.origins.listing(origin):
            return Problem(403, "origin_not_allowed", "Pages of this origin may not ask.").response()
        headers = {
            **permission(origin),
            "Access-Control-Allow-Methods": ALLOWED_METHODS,
            "Access-Control-Allow-Headers": ALLOWED_HEADERS,
            "Access-Control-Max-Age": PREFLIGHT_SECONDS,
        }
        return Response(status_code=204, headers=headers)

    def _permitting(self, origin: str | None, send: Send) -> Send:
        async def permitting(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                headers.add_vary_header("Origin")
                if origin is not None and self.origins.listing(origin):
                    headers.update({**permission(origin), "Access-Control-Expose-Headers": EXPOSED_HEADERS})
            await send(message)

        return permitting


def is_preflight(request: Request) -> bool:
    return request.method == "OPTIONS" and "access-control-request-method" in request.headers


def permission(origin: str) -> dict[str, str]:
    return {
        "Access-Control-Allow-Origin": origin,
        "Access-Control-Allow-Credentials": "true",
        "Vary": "Origin",
    }

"""What every HTTP answer carries: CORS, no-store, nosniff, a content policy, the request's id (RE10, RE11)."""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Mapping

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from collab.access.origins import Origins
from rest.problems import Problem

ALLOWED_HEADERS = (
    "Content-Type, Authorization, Accept, Cache-Control, Pragma, If-Match, If-None-Match, X-Requested-With, skip-auth"
)
"""The last is what TMI's app marks its look at `/` with, before it saves."""
ALLOWED_METHODS = "GET, POST, PUT, PATCH, DELETE"
EXPOSED_HEADERS = (
    "ETag, Location, Retry-After, X-Total-Count, X-RateLimit-Limit, X-RateLimit-Remaining, X-RateLimit-Reset, "
    "X-Request-Id, WWW-Authenticate"
)
PREFLIGHT_SECONDS = "600"

Pairs = list[tuple[bytes, bytes]]


def pairs(headers: Mapping[str, str]) -> Pairs:
    return [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in headers.items()]


ALWAYS = pairs(
    {
        "X-Content-Type-Options": "nosniff",
        "X-Frame-Options": "DENY",
        "Referrer-Policy": "no-referrer",
        "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
    }
)
UNLESS_SAID_OTHERWISE = pairs(
    {
        "Cache-Control": "no-store",
        "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
        # Not same-origin: an app on a machine beside this one may show a picture of a diagram.
        "Cross-Origin-Resource-Policy": "same-site",
    }
)
OF_PAGES = pairs({"Cross-Origin-Opener-Policy": "same-origin"})
"""Not of redirects: an app that signs in by a window of its own would lose that window."""
OF_HTTPS = pairs({"Strict-Transport-Security": "max-age=31536000"})
"""Of this host alone: what its neighbours do is not ours to say."""


class AnswerHeaders:
    """Outermost, so that the answer to a fault of ours carries them too. HEAD gets those of GET, and no body."""

    def __init__(self, app: ASGIApp, public_url: str | None = None) -> None:
        self.app = app
        self._always = ALWAYS + (OF_HTTPS if (public_url or "").startswith("https:") else [])

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        request_id = secrets.token_hex(8)
        scope.setdefault("state", {})["request_id"] = request_id
        always = [*self._always, (b"x-request-id", request_id.encode())]

        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = completed(message["headers"], always)
            elif message["type"] == "http.response.body" and scope["method"] == "HEAD":
                message["body"] = b""
            await send(message)

        await self.app(scope, receive, with_headers)


def completed(given: Iterable[tuple[bytes, bytes]], always: Pairs) -> Pairs:
    """What an endpoint says for itself stays, but for what is said always."""
    ours = {name for name, _ in always}
    said = [(name, value) for name, value in given if name not in ours]
    names = {name for name, _ in said}
    page = any(name == b"content-type" and value.startswith(b"text/html") for name, value in said)
    more = UNLESS_SAID_OTHERWISE + OF_PAGES if page else UNLESS_SAID_OTHERWISE
    return [*said, *always, *(pair for pair in more if pair[0] not in names)]


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
            "Vary": "Origin",
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
    return {"Access-Control-Allow-Origin": origin, "Access-Control-Allow-Credentials": "true"}

"""Who asks: bearer header or cookie, before anything else is said (AU2, AU3, AU14)."""

from __future__ import annotations

from dataclasses import dataclass

from starlette.datastructures import State
from starlette.requests import Request
from starlette.types import ASGIApp, Receive, Scope, Send

from collab.access.tokens import InvalidToken
from collab.ports import StoreUnavailable
from protocol.values import Caller
from rest.calls import Call
from rest.dependencies import RestDependencies
from rest.problems import Problem, as_problem, unauthorized
from rest.views import TMI, Forms

ACCESS_COOKIE = "tmi_access_token"
REFRESH_COOKIE = "tmi_refresh_token"
SAFE = frozenset(("GET", "HEAD", "OPTIONS"))
OWN_SITE = frozenset(("same-origin", "none"))
INTROSPECT = "/oauth2/introspect"
"""Wants a login (RFC 7662 2.1), but not in the profile `tmi`: the contract of its clients has none there."""
SETS_COOKIES = frozenset(("/oauth2/token", "/oauth2/refresh"))

PUBLIC = frozenset(
    (
        "/",
        "/config",
        "/saml/providers",
        "/healthz",
        "/readyz",
        "/metrics",
        "/playground",
        "/openapi.yml",
        "/asyncapi.yml",
    )
) | frozenset(f"/oauth2/{name}" for name in ("providers", "authorize", "callback", "token", "refresh", "revoke"))
PUBLIC_BELOW = ("/.well-known/", "/docs", "/web/")


def is_public(path: str) -> bool:
    return path in PUBLIC or path.startswith(PUBLIC_BELOW)


@dataclass(frozen=True, slots=True)
class Shown:
    """Who the credential of a request shows."""

    caller: Caller
    by_cookie: bool


class Identity:
    """Middleware: what is not public is answered 401 without a good credential, also where there is nothing."""

    def __init__(self, app: ASGIApp, deps: RestDependencies) -> None:
        self.app = app
        self.deps = deps

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            request = Request(scope)
            try:
                self._check_origin(request)
                if not self._is_open(request):
                    scope.setdefault("state", {})["shown"] = await self._shown(request)
            except (Problem, StoreUnavailable) as raised:
                problem = as_problem(raised)
                assert problem is not None  # noqa: S101 - both are listed there
                await problem.response()(scope, receive, send)
                return
        await self.app(scope, receive, send)

    def _is_open(self, request: Request) -> bool:
        path = request.scope["path"]
        if path == INTROSPECT and self.deps.forms is TMI and not _shows_something(request):
            return True
        return is_public(path)

    def _check_origin(self, request: Request) -> None:
        """AU3: a browser sends cookies along whatever page asks, and takes those it is given: a foreign page could act
        for its visitor, or sign its visitor in as somebody else."""
        if request.method in SAFE or "authorization" in request.headers:
            return
        carried = ACCESS_COOKIE in request.cookies or REFRESH_COOKIE in request.cookies
        given = request.scope["path"] in SETS_COOKIES
        if (carried or given) and not self._is_from_here(request):
            raise Problem(403, "origin_not_allowed", "Pages of this origin may not do that.")

    def _is_from_here(self, request: Request) -> bool:
        origin = request.headers.get("origin")
        if origin is not None:
            return self.deps.origins.allowing(origin, self.deps.base(request))
        # A browser that keeps the page's origin to itself still tells a foreign one; programs tell neither (S98).
        return request.headers.get("sec-fetch-site", "none") in OWN_SITE

    async def _shown(self, request: Request) -> Shown:
        header = request.headers.get("authorization")
        token = request.cookies.get(ACCESS_COOKIE, "") if header is None else _bearer(header)
        try:
            caller = self.deps.tokens.verify(token)
        except InvalidToken:
            raise unauthorized() from None
        if await self.deps.accounts.ended(caller.sid):
            raise unauthorized()
        return Shown(caller, by_cookie=header is None)


def _shows_something(request: Request) -> bool:
    return "authorization" in request.headers or ACCESS_COOKIE in request.cookies


def _bearer(header: str) -> str:
    scheme, _, token = header.partition(" ")
    return token.strip() if scheme.lower() == "bearer" else ""


def call(request: Request, deps: RestDependencies) -> Call:
    """What `Identity` found out, for the endpoints."""
    state: State = request.state
    shown: Shown = state.shown
    return Call(request, shown.caller, forms_of(request, deps), deps.base(request), shown.by_cookie)


def forms_of(request: Request, deps: RestDependencies) -> Forms:
    """How bodies look to whoever asks, signed in or not."""
    shown: Shown | None = getattr(request.state, "shown", None)
    return TMI if shown is not None and shown.by_cookie else deps.forms

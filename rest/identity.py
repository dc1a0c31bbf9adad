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
from rest.views import TMI

ACCESS_COOKIE = "tmi_access_token"
REFRESH_COOKIE = "tmi_refresh_token"
SAFE = frozenset(("GET", "HEAD", "OPTIONS"))
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
                if not is_public(scope["path"]):
                    scope.setdefault("state", {})["shown"] = await self._shown(request)
            except (Problem, StoreUnavailable) as raised:
                problem = as_problem(raised)
                assert problem is not None  # noqa: S101 - both are listed there
                await problem.response()(scope, receive, send)
                return
        await self.app(scope, receive, send)

    def _check_origin(self, request: Request) -> None:
        """AU3: a browser sends cookies along whatever page asks, and takes those it is given: a foreign page could act
        for its visitor, or sign its visitor in as somebody else. Only Origin tells which page it was."""
        origin = request.headers.get("origin")
        if request.method in SAFE or origin is None or "authorization" in request.headers:
            return
        carried = ACCESS_COOKIE in request.cookies or REFRESH_COOKIE in request.cookies
        given = request.scope["path"] in SETS_COOKIES
        if (carried or given) and not self.deps.origins.allowing(origin, self.deps.base(request)):
            raise Problem(403, "origin_not_allowed", "Pages of this origin may not do that.")

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


def _bearer(header: str) -> str:
    scheme, _, token = header.partition(" ")
    return token.strip() if scheme.lower() == "bearer" else ""


def call(request: Request, deps: RestDependencies) -> Call:
    """What `Identity` found out, for the endpoints."""
    state: State = request.state
    shown: Shown = state.shown
    return Call(request, shown.caller, TMI if shown.by_cookie else deps.forms, deps.base(request), shown.by_cookie)

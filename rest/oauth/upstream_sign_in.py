"""Sign-ins that lead over a provider: a browser is sent there, and comes back to `/oauth2/callback`."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from urllib.parse import urlsplit

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from protocol.values import Caller
from rest.dependencies import RestDependencies
from rest.oauth.asked import Asked
from rest.oauth.providers import Provider
from rest.oauth.redirects import back
from rest.oauth.upstream import Upstream
from rest.oauth.upstream_errors import AWAY, DENIED, NotVouched
from rest.oauth.upstream_state import Pending, PendingCookies, begun
from rest.problems import Problem

OWN_CALLBACK = "/oauth2/callback"

log = logging.getLogger(__name__)


class UpstreamSignIns:
    def __init__(self, deps: RestDependencies) -> None:
        self._deps = deps
        self._cookies = PendingCookies(deps.oauth.sealing_key, deps.now_ms)
        self._upstreams = {
            provider.id: Upstream(provider, provider.openid, deps.now_ms, deps.development)
            for provider in deps.oauth.providers
            if provider.openid is not None
        }

    async def begin(self, request: Request, provider: Provider, asked: Asked, login_hint: str | None) -> Response:
        pending = begun(provider.id, asked, self._deps.now_ms())
        try:
            address = await self._upstreams[provider.id].authorization_url(
                pending, self._redirect_uri(request), login_hint
            )
        except NotVouched as refused:
            return _answer(provider.id, asked, refused)
        response = RedirectResponse(address, 302)
        self._cookies.keep(request, response, pending, self._secure(request))
        return response

    def pending(self, request: Request, parameters: Mapping[str, str]) -> Pending | None:
        """The sign-in that has come back with these parameters, if this browser began it (S33)."""
        pending = self._cookies.kept(request, parameters.get("state", ""), self._secure(request))
        return pending if pending is not None and pending.provider in self._upstreams else None

    async def finish(self, request: Request, parameters: Mapping[str, str], pending: Pending) -> Caller | Response:
        """Who has signed in; or what the client is told instead."""
        upstream = self._upstreams[pending.provider]
        try:
            return await upstream.caller(parameters, pending, self._redirect_uri(request))
        except NotVouched as refused:
            return _answer(pending.provider, pending.asked, refused)

    def forget(self, request: Request, response: Response, pending: Pending) -> None:
        self._cookies.drop(response, pending, self._secure(request))

    def _redirect_uri(self, request: Request) -> str:
        return self._deps.base(request) + OWN_CALLBACK

    def _secure(self, request: Request) -> bool:
        return urlsplit(self._deps.base(request)).scheme == "https"


def _answer(provider: str, asked: Asked, refused: NotVouched) -> Response:
    log.log(logging.INFO if refused.error == DENIED else logging.WARNING, "sign-in by %s: %s", provider, refused.why)
    if asked.callback is not None:
        said = {"error": refused.error, "error_description": refused.message}
        return RedirectResponse(back(asked.callback, said, asked.state), 302)
    return _problem(refused).response()


def _problem(refused: NotVouched) -> Problem:
    """Where there is no client to go back to (form C)."""
    if refused.error == AWAY:
        return Problem(503, "unavailable", refused.message, headers={"Retry-After": "5"})
    if refused.error == DENIED:
        return Problem(403, DENIED, refused.message)
    return Problem(400, "invalid_grant", refused.message)

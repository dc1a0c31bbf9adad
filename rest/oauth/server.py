"""The OAuth endpoints that clients see, in the three forms of request that are out there.

A: TMI's app (`client_callback`, JSON, cookies). B: the wiki's programs (`redirect_uri`, form, bearer). C: the wiki's
curl lines (no callback: our own answers the tokens).
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from protocol.values import Caller, User
from rest.answers import answer
from rest.bodies import fields, unique_parameters
from rest.dependencies import RestDependencies
from rest.identity import REFRESH_COOKIE
from rest.oauth import dev, proofs
from rest.oauth.cookies import set_cookies
from rest.oauth.providers import Provider
from rest.oauth.redirects import back, query, raw_parameter
from rest.ports import Code, Refresh
from rest.problems import Problem
from rest.views import TMI, Forms

CODE_MS = 60_000
GRACE_MS = 30_000
OWN_CALLBACK = "/oauth2/callback"
DEFAULT_SCOPE = "openid email profile"
LONGEST_STATE = 2_048

Parameters = Mapping[str, str]


class OAuthServer:
    def __init__(self, deps: RestDependencies) -> None:
        self.deps = deps

    async def providers(self, request: Request) -> Response:
        base = self.deps.base(request)
        return answer({"providers": [provider.form(base) for provider in self.deps.oauth.providers]})

    async def saml_providers(self, _: Request) -> Response:
        """TMI's app shows no way to sign in at all unless both lists can be read."""
        return answer({"providers": []})

    async def authorize(self, request: Request) -> Response:
        parameters = unique_parameters(query(request))
        provider = self._provider(parameters.get("idp"))
        if parameters.get("response_type", "code") != "code":
            raise invalid_request("response_type must be code.")
        if len(parameters.get("state", "")) > LONGEST_STATE:
            raise invalid_request("state is too long.")
        callback = self._callback(parameters)
        if callback is not None:
            code = await self._issue(parameters, provider, callback)
            return RedirectResponse(back(callback, {"code": code}, raw_parameter(request, "state")), 302)
        state = parameters.get("state") or secrets.token_urlsafe(16)
        code = await self._issue(parameters, provider, own_callback(state))
        raw = raw_parameter(request, "state") or state
        return RedirectResponse(back(OWN_CALLBACK, {"code": code}, raw), 302)

    def _provider(self, id: str | None) -> Provider:
        providers = self.deps.oauth.providers
        for provider in providers:
            if provider.id == id or (id is None and (provider.for_tests or len(providers) == 1)):
                return provider
        raise invalid_request("idp names no provider of this server.")

    def _callback(self, parameters: Parameters) -> str | None:
        named = {parameters[name] for name in ("client_callback", "redirect_uri") if name in parameters}
        if len(named) > 1:
            raise invalid_request("client_callback and redirect_uri differ.")
        callback = next(iter(named), None)
        if callback is not None and not proofs.is_allowed(callback, self.deps.oauth.callbacks, self.deps.development):
            raise invalid_request("This callback is not allowed.")
        return callback

    async def _issue(self, parameters: Parameters, provider: Provider, callback: str) -> str:
        """The code for a person whom the provider has just vouched for."""
        client_id = parameters.get("client_id", "")
        excused = provider.for_tests or client_id in self.deps.oauth.excused
        challenge = proofs.challenge(parameters, excused)
        caller = Caller(vouched(provider, parameters.get("login_hint") or None), sid=secrets.token_urlsafe(16))
        await self.deps.accounts.remember(caller)
        # Before the code, so that a second use of it finds the login it has to end (AU4).
        await self.deps.accounts.start_login(caller.sid, caller)
        code = secrets.token_urlsafe(32)
        scope = parameters.get("scope", DEFAULT_SCOPE)
        await self.deps.accounts.issue_code(code, Code(caller, client_id, callback, challenge, scope), CODE_MS)
        return code

    async def callback(self, request: Request) -> Response:
        """Form C: the code was issued for this very address and state."""
        parameters = unique_parameters(query(request))
        what = await self._redeem(parameters.get("code", ""))
        if what.redirect_uri != own_callback(parameters.get("state", "")) or what.challenge is not None:
            raise invalid_grant()
        return await self._sign_in(request, what, self.deps.forms, cookies=False)

    async def token(self, request: Request) -> Response:
        parameters = await fields(request)
        match parameters.get("grant_type"):
            case "authorization_code":
                return await self._by_code(request, parameters)
            case "refresh_token":
                return await self._by_refresh(request, parameters.get("refresh_token", ""), self.deps.forms)
        raise invalid_request("grant_type must be authorization_code or refresh_token.")

    async def refresh(self, request: Request) -> Response:
        token = (await fields(request)).get("refresh_token")
        if token is None:
            return await self._by_refresh(request, request.cookies.get(REFRESH_COOKIE, ""), TMI)
        return await self._by_refresh(request, token, self.deps.forms)

    async def _redeem(self, code: str) -> Code:
        what = await self.deps.accounts.redeem_code(code) if code else None
        if what is None:
            raise invalid_grant()
        return what

    async def _by_code(self, request: Request, parameters: Parameters) -> Response:
        what = await self._redeem(parameters.get("code", ""))
        callback = parameters.get("redirect_uri", parameters.get("client_callback"))
        client_id = parameters.get("client_id", what.client_id)
        proven = proofs.is_proven(what.challenge, parameters.get("code_verifier"))
        if callback != what.redirect_uri or client_id != what.client_id or not proven:
            raise invalid_grant()
        return await self._sign_in(request, what, self.deps.forms, cookies=True)

    async def _sign_in(self, request: Request, what: Code, forms: Forms, *, cookies: bool) -> Response:
        refresh = secrets.token_urlsafe(32)
        ttl_ms = self.deps.oauth.refresh_s * 1_000
        await self.deps.accounts.issue_refresh(refresh, Refresh(what.caller, what.scope), ttl_ms)
        return await self._tokens(request, what.caller, what.scope, refresh, forms, cookies=cookies)

    async def _by_refresh(self, request: Request, token: str, forms: Forms) -> Response:
        ttl_ms = self.deps.oauth.refresh_s * 1_000
        successor = secrets.token_urlsafe(32)
        rotated = await self.deps.accounts.rotate_refresh(token, successor, ttl_ms, GRACE_MS) if token else None
        if rotated is None:
            raise invalid_grant()
        what, stands = rotated
        return await self._tokens(request, what.caller, what.scope, stands, forms, cookies=True)

    async def _tokens(
        self, request: Request, caller: Caller, scope: str, refresh: str, forms: Forms, *, cookies: bool
    ) -> Response:
        access, issued = self.deps.tokens.issue(caller)
        await self.deps.accounts.raise_expiry(caller.sid, issued.expires_at_ms)
        body = {
            "access_token": access,
            "refresh_token": refresh,
            "token_type": forms.token_type,
            "expires_in": self.deps.tokens.lifetime_s,
            "scope": scope,
        }
        response = answer(body)
        if cookies:
            secure = self.deps.base(request).startswith("https:")
            set_cookies(response, access, self.deps.tokens.lifetime_s, refresh, self.deps.oauth.refresh_s, secure)
        return response


def own_callback(state: str) -> str:
    """Where a code of form C is worth something: our callback, with the state it was asked with (S33)."""
    return f"{OWN_CALLBACK}?state={state}"


def vouched(provider: Provider, hint: str | None) -> User:
    """Whom the provider has signed in. Only the test provider answers at once; for any other there is no way yet."""
    if not provider.for_tests:
        raise invalid_request("This provider cannot be used yet.")
    if not dev.is_hint(hint):
        raise invalid_request("login_hint is no name.")
    return dev.user(hint)


def invalid_request(message: str) -> Problem:
    return Problem(400, "invalid_request", message)


def invalid_grant() -> Problem:
    """One sentence for whatever is wrong with a code or refresh token: the reason would help to guess."""
    return Problem(400, "invalid_grant", "The code or refresh token is not valid here.")

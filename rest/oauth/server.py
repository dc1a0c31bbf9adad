"""The OAuth endpoints that clients see, in the three forms of request that are out there.

A: TMI's app (`client_callback`, JSON, cookies). B: the wiki's programs (`redirect_uri`, form, bearer). C: the wiki's
curl lines (no callback: our own answers the tokens).
"""

from __future__ import annotations

import logging
import re
import secrets
from collections.abc import Mapping
from typing import TYPE_CHECKING

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from protocol.values import Caller, User
from rest.answers import answer
from rest.bodies import fields, unique_parameters
from rest.dependencies import RestDependencies
from rest.identity import REFRESH_COOKIE
from rest.negotiation import prefers_html
from rest.oauth import dev, proofs
from rest.oauth.asked import DEFAULT_SCOPE, Asked
from rest.oauth.cookies import set_cookies
from rest.oauth.providers import Provider
from rest.oauth.redirects import back, query, raw_parameter
from rest.ports import Code, Refresh
from rest.problems import Problem
from rest.views import TMI, Forms

if TYPE_CHECKING:
    from rest.oauth.upstream_sign_in import UpstreamSignIns

CODE_MS = 60_000
GRACE_MS = 30_000
OWN_CALLBACK = "/oauth2/callback"
OWN_PAGE = "/"
"""The page of this server is a client like any other, and needs no listing (AU6)."""
OVER = f"{OWN_PAGE}?sign-in=over"
"""Where a browser is led whose sign-in cannot be finished, nor told to the client that began it."""
LONGEST = {"state": 2_048, "scope": 256, "client_id": 256}
"""The last two go into every token, which has to fit into a cookie."""
PRINTED = re.compile(r"[ -~]*", re.ASCII)
"""What they may hold (RFC 6749, appendix A). Anything else would be six times as long in a token, or refused there."""

log = logging.getLogger(__name__)

Parameters = Mapping[str, str]


class OAuthServer:
    def __init__(self, deps: RestDependencies) -> None:
        self.deps = deps
        self._upstreams = upstreams(deps)

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
        for name, longest in LONGEST.items():
            if len(parameters.get(name, "")) > longest:
                raise invalid_request(f"{name} is too long.")
        for name in ("scope", "client_id"):
            if PRINTED.fullmatch(parameters.get(name, "")) is None:
                raise invalid_request(f"{name} may hold printable ASCII only.")
        hint = parameters.get("login_hint") or None
        if not dev.is_hint(hint):
            raise invalid_request("login_hint is no name.")
        asked = self._asked(request, parameters, provider)
        if self._upstreams is not None and provider.openid is not None:
            return await self._upstreams.begin(request, provider, asked, hint)
        caller = Caller(vouched(provider, hint), sid=secrets.token_urlsafe(16))
        if asked.callback is not None:
            return await self._hand_over(request, asked, caller)
        state = parameters.get("state") or secrets.token_urlsafe(16)
        code = await self._issue(asked.model_copy(update={"callback": own_callback(state)}), caller)
        return RedirectResponse(back(OWN_CALLBACK, {"code": code}, asked.state or state), 302)

    def _provider(self, id: str | None) -> Provider:
        providers = self.deps.oauth.providers
        for provider in providers:
            if provider.id == id or (id is None and (provider.for_tests or len(providers) == 1)):
                return provider
        raise invalid_request("idp names no provider of this server.")

    def _callback(self, request: Request, parameters: Parameters) -> str | None:
        named = {parameters[name] for name in ("client_callback", "redirect_uri") if name in parameters}
        if len(named) > 1:
            raise invalid_request("client_callback and redirect_uri differ.")
        callback = next(iter(named), None)
        listed = self.deps.oauth.callbacks | {self.deps.base(request) + OWN_PAGE}
        if callback is not None and not proofs.is_allowed(callback, listed, self.deps.development):
            raise invalid_request("This callback is not allowed.")
        return callback

    def _asked(self, request: Request, parameters: Parameters, provider: Provider) -> Asked:
        callback = self._callback(request, parameters)
        client_id = parameters.get("client_id", "")
        if callback is None:
            # Nobody is there to show a verifier: that browser gets the tokens which has begun the sign-in.
            if "code_challenge" in parameters or "code_challenge_method" in parameters:
                raise invalid_request("code_challenge takes a redirect_uri.")
            challenge = None
        else:
            challenge = proofs.challenge(parameters, provider.excuses_pkce or client_id in self.deps.oauth.excused)
        return Asked(
            callback=callback,
            state=raw_parameter(request, "state"),
            client_id=client_id,
            challenge=challenge,
            scope=parameters.get("scope", DEFAULT_SCOPE),
        )

    async def _hand_over(self, request: Request, asked: Asked, caller: Caller) -> Response:
        """To the client that has sent this person to sign in: a code of ours, or without a callback the tokens."""
        if asked.callback is not None:
            said = await self._said(asked, caller)
            return RedirectResponse(back(asked.callback, said, asked.state), 302)
        await self._admit(caller)
        what = Code(caller, asked.client_id, OWN_CALLBACK, None, asked.scope)
        return await self._sign_in(request, what, self.deps.forms, cookies=False)

    async def _said(self, asked: Asked, caller: Caller) -> Parameters:
        try:
            return {"code": await self._issue(asked, caller)}
        except Problem as refused:
            return {"error": refused.error, "error_description": refused.message}

    async def _issue(self, asked: Asked, caller: Caller) -> str:
        """The code for a person whom the provider has just vouched for."""
        # Before the code, so that a second use of it finds the login it has to end (AU4).
        await self._admit(caller)
        code = secrets.token_urlsafe(32)
        what = Code(caller, asked.client_id, asked.callback or OWN_CALLBACK, asked.challenge, asked.scope)
        await self.deps.accounts.issue_code(code, what, CODE_MS)
        return code

    async def _admit(self, caller: Caller) -> None:
        """Raises 403 `access_denied` where an operator has disabled the account (AU12)."""
        await self.deps.accounts.remember(caller)
        if not await self.deps.accounts.start_login(caller.sid, caller):
            raise Problem(403, "access_denied", "This account may not sign in here.")

    async def callback(self, request: Request) -> Response:
        """From a provider, with its code or error; or form C with ours, issued for this very address and state."""
        parameters = unique_parameters(query(request))
        if request.method == "HEAD":
            # A look at an address uses up no code: nobody would be told the tokens.
            raise invalid_grant()
        if self._upstreams is not None and (pending := self._upstreams.pending(request, parameters)):
            found = await self._upstreams.finish(request, parameters, pending)
            response = found if isinstance(found, Response) else await self._hand_over(request, pending.asked, found)
            self._upstreams.forget(request, response, pending)
            return response
        code, own = parameters.get("code"), own_callback(parameters.get("state", ""))
        what = await self.deps.accounts.redeem_code(code) if code else None
        if what is not None and what.redirect_uri == own and what.challenge is None:
            return await self._sign_in(request, what, self.deps.forms, cookies=False)
        if self._upstreams is not None and prefers_html(request.headers.get("accept", "")):
            # The button Back leads over a provider once more, and some stand there for long: people read no JSON.
            log.info("a browser came back with a sign-in that is over, older than ten minutes, or not its own")
            return RedirectResponse(OVER, 302)
        raise invalid_grant()

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
        kept = Refresh(what.caller, what.scope, what.client_id, self.deps.now_ms())
        await self.deps.accounts.issue_refresh(refresh, kept, self.deps.oauth.refresh_s * 1_000)
        return await self._tokens(request, kept, refresh, forms, cookies=cookies)

    async def _by_refresh(self, request: Request, token: str, forms: Forms) -> Response:
        ttl_ms = self.deps.oauth.refresh_s * 1_000
        successor = secrets.token_urlsafe(32)
        rotated = await self.deps.accounts.rotate_refresh(token, successor, ttl_ms, GRACE_MS) if token else None
        if rotated is None:
            raise invalid_grant()
        what, stands = rotated
        if what.since_ms and self.deps.now_ms() - what.since_ms >= self.deps.oauth.login_s * 1_000:
            await self.deps.accounts.end_login(what.caller.sid)
            raise invalid_grant()
        return await self._tokens(request, what, stands, forms, cookies=True)

    async def _tokens(self, request: Request, what: Refresh, refresh: str, forms: Forms, *, cookies: bool) -> Response:
        access, issued = self.deps.tokens.issue(what.caller, client_id=what.client_id, scope=what.scope)
        await self.deps.accounts.raise_expiry(issued.sid, issued.expires_at_ms)
        body = {
            "access_token": access,
            "refresh_token": refresh,
            "token_type": forms.token_type,
            "expires_in": self.deps.tokens.lifetime_s,
            "scope": what.scope,
        }
        response = answer(body)
        if cookies:
            secure = self.deps.base(request).startswith("https:")
            set_cookies(response, access, self.deps.tokens.lifetime_s, refresh, self.deps.oauth.refresh_s, secure)
        return response


def upstreams(deps: RestDependencies) -> UpstreamSignIns | None:
    if not any(provider.openid for provider in deps.oauth.providers):
        return None
    # What talks to providers and checks signatures is no business of a server without any.
    from rest.oauth.upstream_sign_in import UpstreamSignIns  # noqa: PLC0415

    return UpstreamSignIns(deps)


def own_callback(state: str) -> str:
    """Where a code of form C is worth something: our callback, with the state it was asked with (S33)."""
    return f"{OWN_CALLBACK}?state={state}"


def vouched(provider: Provider, hint: str | None) -> User:
    """Whom the test provider has signed in: whoever is named."""
    if not provider.for_tests:
        raise invalid_request("This provider is not configured.")
    return dev.user(hint)


def invalid_request(message: str) -> Problem:
    return Problem(400, "invalid_request", message)


def invalid_grant() -> Problem:
    """One sentence for whatever is wrong with a code or refresh token: the reason would help to guess."""
    return Problem(400, "invalid_grant", "The code or refresh token is not valid here.")

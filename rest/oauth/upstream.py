"""One OpenID Connect provider behind us: where to send a browser, and whom it vouches for when that is back."""

from __future__ import annotations

import asyncio
import hmac
import json
import secrets
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any
from urllib.parse import quote_plus

import httpx2
from authlib.integrations.base_client import OAuthError
from authlib.integrations.httpx_client import AsyncOAuth2Client

from protocol.values import Caller
from rest.oauth import proofs
from rest.oauth.providers import OpenId, Provider
from rest.oauth.redirects import back
from rest.oauth.upstream_documents import Kept, Metadata, VerifyingKey, document, keys, metadata, unreachable
from rest.oauth.upstream_errors import AWAY, BROKEN, DENIED, NotVouched, broken, denied
from rest.oauth.upstream_http import PATIENCE_S, ProviderTransport
from rest.oauth.upstream_person import Claims, caller, completed, lacks
from rest.oauth.upstream_state import Pending
from rest.oauth.upstream_tokens import IdToken, UnknownKey, check, verified

CANCELLED = frozenset((DENIED, "login_required", "consent_required", "interaction_required"))
"""What a provider answers where its user, or a rule of its own, said no; anything else is a fault."""
CODE_IS_BAD = "invalid_grant"


class Upstream:
    """`now_ms` is Unix time. Every method raises NotVouched."""

    def __init__(self, provider: Provider, openid: OpenId, now_ms: Callable[[], int], development: bool) -> None:
        self.provider = provider
        self.openid = openid
        self._now_ms = now_ms
        self._development = development
        self._metadata = Kept(partial(metadata, openid.issuer, development), now_ms)
        self._keys: Kept[Sequence[VerifyingKey]] = Kept(self._fetch_keys, now_ms)

    async def reached(self) -> None:
        """Whether it answers, and as the standard has it."""
        if not await self._keys.get():
            raise broken("its key set holds no key that can verify an ID token")

    async def authorization_url(self, pending: Pending, redirect_uri: str, login_hint: str | None) -> str:
        """OpenID Connect Core 3.1.2.1; PKCE whether the provider says that it knows it or not (RFC 9700 2.1.1)."""
        found = await self._metadata.get()
        parameters = {
            "response_type": "code",
            "client_id": self.openid.client_id,
            "redirect_uri": redirect_uri,
            "scope": " ".join(self.openid.scopes),
            "nonce": pending.nonce,
            "code_challenge": proofs.s256(pending.verifier),
            "code_challenge_method": "S256",
            **({"login_hint": login_hint} if login_hint else {}),
        }
        return back(found.authorization_endpoint, parameters, pending.state)

    async def caller(self, parameters: Mapping[str, str], pending: Pending, redirect_uri: str) -> Caller:
        """The person for whom the provider has sent these parameters to our callback."""
        found = await self._metadata.get()
        self._check_sender(found, parameters.get("iss"))
        if "error" in parameters:
            raise declined(parameters["error"])
        tokens = await self._exchange(found, parameters.get("code", ""), pending.verifier, redirect_uri)
        claims = await self._claims(found, tokens, pending.nonce)
        return caller(self.provider, self.openid, claims, secrets.token_urlsafe(16))

    def _check_sender(self, found: Metadata, sender: str | None) -> None:
        """RFC 9207: an answer of another provider must not get this one's code (S33)."""
        if sender is None and not found.authorization_response_iss_parameter_supported:
            return
        if sender is None or not hmac.compare_digest(sender.encode("utf-8", "replace"), found.issuer.encode()):
            raise broken("the answer names another issuer, or none")

    async def _exchange(self, found: Metadata, code: str, verifier: str, redirect_uri: str) -> Mapping[str, Any]:
        if not code:
            raise broken("it has sent neither code nor error")
        method = found.client_authentication(self.openid.client_secret)
        client = AsyncOAuth2Client(
            *credentials(self.openid, method),
            token_endpoint_auth_method=method,
            transport=ProviderTransport(self._development),
        )
        try:
            async with asyncio.timeout(PATIENCE_S), client:
                tokens = await client.fetch_token(
                    found.token_endpoint,
                    grant_type="authorization_code",
                    code=code,
                    redirect_uri=redirect_uri,
                    code_verifier=verifier,
                )
        except OAuthError as error:
            raise declined_exchange(str(error.error)) from None
        except (httpx2.HTTPError, TimeoutError, OSError) as error:
            raise unreachable(found.token_endpoint, error) from None
        except (ValueError, TypeError, AttributeError, KeyError):
            raise broken("its token endpoint answers something else") from None
        return tokens if isinstance(tokens, dict) else {}

    async def _claims(self, found: Metadata, tokens: Mapping[str, Any], nonce: str) -> Claims:
        id_token, access = tokens.get("id_token"), tokens.get("access_token")
        if not isinstance(id_token, str):
            raise broken("it has given no ID token; is openid among the scopes?")
        judged = await self._judged(found, id_token)
        check(judged, found.issuer, self.openid.client_id, nonce, self._now_ms() / 1_000)
        if found.userinfo_endpoint is None or not isinstance(access, str) or not lacks(self.openid, judged.claims):
            return judged.claims
        return completed(judged.claims, await self._userinfo(found.userinfo_endpoint, access, judged.sub))

    async def _judged(self, found: Metadata, id_token: str) -> IdToken:
        try:
            return verified(id_token, await self._keys.get(), found.algorithms)
        except UnknownKey:
            # Keys are changed now and then: the set that is kept may be older than the token.
            newer = await self._keys.get(newer=True)
        try:
            return verified(id_token, newer, found.algorithms)
        except UnknownKey:
            raise broken("its ID token is signed with a key that it does not publish") from None

    async def _userinfo(self, url: str, access: str, subject: str) -> Claims:
        raw = await document(url, self._development, access)
        try:
            found = json.loads(raw)
        except (ValueError, RecursionError):
            found = None
        if not isinstance(found, dict):
            raise broken("its userinfo endpoint answers no JSON; are its answers signed or encrypted?")
        # OpenID Connect Core 5.3.4: without this, somebody else's claims could be joined to this person.
        if found.get("sub") != subject:
            raise broken("its userinfo endpoint tells of somebody else")
        return found

    async def _fetch_keys(self) -> Sequence[VerifyingKey]:
        return await keys((await self._metadata.get()).jwks_uri, self._development)


def credentials(openid: OpenId, method: str) -> tuple[str, str | None]:
    """RFC 6749 2.3.1: in a header both are encoded as in a form, which the library leaves to us."""
    if method != "client_secret_basic":
        return openid.client_id, openid.client_secret
    return quote_plus(openid.client_id), quote_plus(openid.client_secret or "")


def declined(error: str) -> NotVouched:
    if error in CANCELLED:
        return denied(f"it answered {error}", "The sign-in was cancelled.")
    kind = error if error == AWAY else BROKEN
    return NotVouched(kind, "The sign-in provider refused.", f"it answered {error[:64]!r}")


def declined_exchange(error: str) -> NotVouched:
    if error == CODE_IS_BAD:
        return denied("it takes the code for used, old or foreign", "The sign-in took too long, or was done twice.")
    return broken(f"its token endpoint answered {error[:64]!r}; are client id and secret right?")

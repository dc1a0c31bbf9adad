"""What a provider publishes of itself, kept for a while: its metadata (OpenID Connect Discovery 1.0) and its keys."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import httpx2
from joserfc.errors import JoseError
from joserfc.jwk import JWKRegistry, Key
from pydantic import BaseModel, ConfigDict, ValidationError

from rest.oauth.upstream_errors import NotVouched, away, broken
from rest.oauth.upstream_http import fetched, is_allowed

FRESH_MS = 3_600_000
"""A key that was withdrawn counts no longer than that."""
AGAIN_MS = 5_000
"""Between two looks, whatever came of the first: neither strange key ids nor an absence make a flood (S24)."""
WELL_KNOWN = "/.well-known/openid-configuration"

ALGORITHMS: Mapping[str, str] = {
    **dict.fromkeys(("RS256", "RS384", "RS512", "PS256", "PS384", "PS512"), "RSA"),
    **dict.fromkeys(("ES256", "ES384", "ES512"), "EC"),
}
"""What may sign an ID token, and the kind of key that it takes. No secret that both sides know, never `none` (S20)."""
SHORTEST_RSA = 340
"""Digits in base 64 of 2 048 bits, but for the last."""

T = TypeVar("T")


class Metadata(BaseModel):
    model_config = ConfigDict(strict=True, frozen=True)

    issuer: str
    authorization_endpoint: str
    token_endpoint: str
    jwks_uri: str
    userinfo_endpoint: str | None = None
    id_token_signing_alg_values_supported: list[str] = ["RS256"]
    token_endpoint_auth_methods_supported: list[str] = ["client_secret_basic"]
    authorization_response_iss_parameter_supported: bool = False

    @property
    def algorithms(self) -> list[str]:
        return [name for name in self.id_token_signing_alg_values_supported if name in ALGORITHMS]

    def client_authentication(self, secret: str | None) -> str:
        """As the registry of RFC 7591 names it; without a secret PKCE alone proves who redeems the code."""
        if secret is None:
            return "none"
        offered = self.token_endpoint_auth_methods_supported
        only_post = "client_secret_post" in offered and "client_secret_basic" not in offered
        return "client_secret_post" if only_post else "client_secret_basic"


@dataclass(frozen=True, slots=True)
class VerifyingKey:
    id: str | None
    kind: str
    algorithm: str | None
    """The only one it is for; None: any of its kind."""
    key: Key

    def fits(self, algorithm: str) -> bool:
        return ALGORITHMS.get(algorithm) == self.kind and self.algorithm in (None, algorithm)


class Kept(Generic[T]):
    """Fetched when it is first needed and when it has grown old, by one caller at a time."""

    def __init__(self, fetch: Callable[[], Awaitable[T]], now_ms: Callable[[], int]) -> None:
        self._fetch = fetch
        self._now_ms = now_ms
        self._turn = asyncio.Lock()
        self._value: T | None = None
        self._fetched_ms = 0
        self._tried_ms: int | None = None
        self._failure: NotVouched | None = None

    async def get(self, *, newer: bool = False) -> T:
        """`newer`: what is kept lacks something. Raises NotVouched."""
        async with self._turn:
            if self._value is not None and (self._is_recent() if newer else self._is_fresh()):
                return self._value
            if self._is_recent():
                raise again(self._failure)
            self._tried_ms, self._failure = self._now_ms(), None
            self._value = None
            try:
                self._value = await self._fetch()
            except NotVouched as failure:
                # From now on: those who waited behind a look that took long would each wait for one of their own.
                self._tried_ms, self._failure = self._now_ms(), failure
                raise
            self._fetched_ms = self._now_ms()
            return self._value

    def _is_fresh(self) -> bool:
        return 0 <= self._now_ms() - self._fetched_ms < FRESH_MS

    def _is_recent(self) -> bool:
        return self._tried_ms is not None and 0 <= self._now_ms() - self._tried_ms < AGAIN_MS


def again(failure: NotVouched | None) -> NotVouched:
    """What the last look came to; None: it was broken off."""
    if failure is None:
        return away("it could not be reached a moment ago")
    return NotVouched(failure.error, failure.message, f"{failure.why} (seen a moment ago)")


async def metadata(issuer: str, development: bool) -> Metadata:
    raw = await document(issuer.rstrip("/") + WELL_KNOWN, development)
    try:
        found = Metadata.model_validate_json(raw)
    except ValidationError:
        raise broken("its metadata is not what OpenID Connect Discovery asks for") from None
    if found.issuer != issuer:
        raise broken(f"it calls itself {found.issuer[:256]!r}, and is configured as {issuer!r}")
    if not found.algorithms:
        raise broken("it signs with no algorithm that is accepted here")
    places = (found.authorization_endpoint, found.token_endpoint, found.jwks_uri, found.userinfo_endpoint)
    if not all(_is_place(url, development) for url in places if url is not None):
        raise broken("its metadata names an address that is not https")
    return found


def _is_place(url: str, development: bool) -> bool:
    try:
        return is_allowed(httpx2.URL(url), development)
    except (httpx2.InvalidURL, TypeError, ValueError):
        return False


async def keys(jwks_uri: str, development: bool) -> Sequence[VerifyingKey]:
    """Those that can verify an ID token; whatever else a set holds is left alone."""
    raw = await document(jwks_uri, development)
    try:
        listed = json.loads(raw)["keys"]
    except (ValueError, KeyError, TypeError, RecursionError):
        raise broken("its key set cannot be read") from None
    if not isinstance(listed, list):
        raise broken("its key set is no list")
    return [key for given in listed if isinstance(given, dict) and (key := verifying_key(given))]


def verifying_key(given: Mapping[str, Any]) -> VerifyingKey | None:
    kind, id, algorithm = given.get("kty"), given.get("kid"), given.get("alg")
    if not isinstance(kind, str) or kind not in ALGORITHMS.values() or given.get("use", "sig") != "sig":
        return None
    if not isinstance(id, str | None) or not isinstance(algorithm, str | None):
        return None
    if kind == "RSA" and len(str(given.get("n", ""))) < SHORTEST_RSA:
        return None
    try:
        return VerifyingKey(id, kind, algorithm, JWKRegistry.import_key(dict(given)))
    except (JoseError, ValueError, TypeError, KeyError):
        return None


async def document(url: str, development: bool, bearer: str | None = None) -> bytes:
    """Raises NotVouched."""
    headers = {"Authorization": f"Bearer {bearer}"} if bearer else None
    try:
        return await fetched(url, development, headers)
    except (httpx2.HTTPError, httpx2.InvalidURL, TimeoutError, OSError) as error:
        raise unreachable(url, error) from None


def unreachable(url: str, error: Exception) -> NotVouched:
    # The library's own words for a status repeat headers of the answer, which could forge lines of the log.
    status = error.response.status_code if isinstance(error, httpx2.HTTPStatusError) else None
    why = f"the answer is {status}" if status else str(error) or type(error).__name__
    return away(f"{url} cannot be read: {why}")

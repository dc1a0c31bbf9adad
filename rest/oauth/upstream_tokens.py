"""ID tokens are judged: signature, algorithm, and the claims that say for whom one was made (OIDC Core 3.1.3.7)."""

from __future__ import annotations

import base64
import hmac
import json
from collections.abc import Mapping, Sequence
from typing import Annotated, Any

from joserfc import jws
from joserfc.errors import JoseError
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from rest.oauth.upstream_documents import VerifyingKey
from rest.oauth.upstream_errors import broken

LEEWAY_S = 60
"""How far apart the provider's clock and ours may be."""
OLDEST_S = 600
"""An ID token is made for the code that has just been redeemed; an old one was made for another."""
LONGEST = 65_536
LONGEST_HEADER = 8_192
LONGEST_SUBJECT = 255
"""OpenID Connect Core 2."""

Time = Annotated[float, Field(allow_inf_nan=False)]


class IdToken(BaseModel):
    """What every ID token has; the rest is in `model_extra`."""

    model_config = ConfigDict(strict=True, extra="allow", frozen=True)

    iss: str
    sub: Annotated[str, Field(min_length=1, max_length=LONGEST_SUBJECT)]
    aud: str | list[str]
    exp: Time
    iat: Time
    nonce: str
    azp: str | None = None

    @property
    def claims(self) -> Mapping[str, Any]:
        return {**(self.model_extra or {}), "sub": self.sub}


class UnknownKey(Exception):
    """No key of the set is the one that the token names: it may be newer than the set."""


def verified(token: str, keys: Sequence[VerifyingKey], algorithms: Sequence[str]) -> IdToken:
    """Raises UnknownKey, or NotVouched."""
    header = _header(token)
    algorithm = header.get("alg")
    if not isinstance(algorithm, str) or algorithm not in algorithms:
        raise broken(f"its ID token is signed with {str(algorithm)[:16]!r}")
    key = _named(header.get("kid"), [key for key in keys if key.fits(algorithm)])
    registry = jws.JWSRegistry(algorithms=[algorithm], strict_check_header=False)
    # The library's own bounds are too narrow for somebody who is in a hundred groups.
    registry.max_payload_length, registry.max_header_length = LONGEST, LONGEST_HEADER
    try:
        payload = jws.deserialize_compact(token, key.key, registry=registry).payload
        return IdToken.model_validate_json(payload or b"")
    except JoseError as error:
        raise broken(f"its ID token is not what it signed ({type(error).__name__})") from None
    except (ValidationError, ValueError, TypeError):
        raise broken("its ID token lacks a claim, or has one of another type") from None


def _header(token: str) -> Mapping[str, Any]:
    """Not believed yet: it says which key to try."""
    first = token.partition(".")[0]
    try:
        found = json.loads(base64.urlsafe_b64decode(first + "=" * (-len(first) % 4))) if len(token) < LONGEST else None
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        raise broken("its ID token is no JSON Web Token")
    return found


def _named(id: object, keys: Sequence[VerifyingKey]) -> VerifyingKey:
    """Without a name there must be no choice (OpenID Connect Core 10.1)."""
    found = [key for key in keys if key.id == id] if id is not None else keys
    if not found or (id is None and len(found) > 1):
        raise UnknownKey
    return found[0]


def check(token: IdToken, issuer: str, client_id: str, nonce: str, now_s: float) -> None:
    """Raises NotVouched."""
    if fault := _fault(token, issuer, client_id, nonce, now_s):
        raise broken(f"its ID token {fault}")


def _fault(token: IdToken, issuer: str, client_id: str, nonce: str, now_s: float) -> str | None:
    audience = [token.aud] if isinstance(token.aud, str) else token.aud
    if token.iss != issuer:
        return "is of another issuer"
    if client_id not in audience:
        return "is for another client"
    if (token.azp is not None or len(audience) > 1) and token.azp != client_id:
        return "was given to another client"
    if token.exp <= now_s - LEEWAY_S:
        return "has expired"
    if not now_s - OLDEST_S <= token.iat <= now_s + LEEWAY_S:
        return "was not made now"
    if not hmac.compare_digest(token.nonce.encode("utf-8", "replace"), nonce.encode()):
        return "answers another request"
    if not token.sub.isprintable():
        return "names somebody in characters that no name has"
    return None

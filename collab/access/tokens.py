"""Access tokens: issued at sign-in, verified at both edges (AU1)."""

from __future__ import annotations

import json
import secrets
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import jwt
from jwt import api_jws
from jwt.utils import base64url_decode

from collab.access.keys import Key
from protocol.codec import decode_body
from protocol.refusals import ProtocolError
from protocol.values import Caller, User

TOKEN_USE = "access"  # noqa: S105 - a claim's value, not a secret
MAX_TOKEN_BYTES = 8_192
SKEW_S = 5
"""How far ahead the clock of the worker that issued a token may run."""

TEXTS = ("iss", "aud", "sub", "jti", "sid", "token_use", "idp", "provider_id", "email", "name")
TIMES = ("iat", "exp")
OPTIONAL = ("client_id", "scope")
"""Texts that tokens of an older version do not have."""


class InvalidToken(Exception):
    """The token proves nothing. The message is for logs; it never repeats the token."""


@dataclass(frozen=True, slots=True)
class Tokens:
    """Issues and verifies. Of the `keys` the first signs, and all verify; `now_ms` is Unix time."""

    keys: tuple[Key, ...]
    issuer: str
    audience: str
    now_ms: Callable[[], int]
    lifetime_s: int = 3_600

    def __post_init__(self) -> None:
        if self.keys[0].signs is None:
            raise ValueError("the first key must be one that signs")

    @property
    def algorithm(self) -> str:
        return self.keys[0].algorithm

    def issue(self, caller: Caller, *, client_id: str = "", scope: str = "") -> tuple[str, Caller]:
        """The token, and the caller as it will be read from it: with its expiry."""
        now = self.now_ms() // 1_000
        expires = now + self.lifetime_s
        user = caller.user
        claims = {
            "iss": self.issuer,
            "aud": self.audience,
            "sub": user.id,
            "iat": now,
            "nbf": now,
            "exp": expires,
            "jti": secrets.token_urlsafe(16),
            "sid": caller.sid,
            "idp": user.provider,
            "provider_id": user.provider_id,
            "email": user.email,
            "email_verified": caller.email_verified,
            "name": user.display_name,
            "groups": list(caller.groups),
            "client_id": client_id,
            "scope": scope,
            "token_use": TOKEN_USE,
        }
        issued = Caller(user, caller.groups, caller.sid, expires * 1_000, caller.email_verified)
        key = self.keys[0]
        headers = None if key.kid is None else {"kid": key.kid}
        return jwt.encode(claims, key.signs, key.algorithm, headers), issued

    def verify(self, token: str) -> Caller:
        """Raises InvalidToken, and nothing else."""
        claims = self.claims(token)
        user = User(claims["idp"], claims["provider_id"], claims["email"], claims["name"])
        return Caller(user, tuple(claims["groups"]), claims["sid"], claims["exp"] * 1_000, claims["email_verified"])

    def claims(self, token: str) -> Mapping[str, Any]:
        """What a good token says, each claim of `issue` with its own type. Raises InvalidToken, and nothing else."""
        claims = self._signed(token)
        _check_types(claims)
        if claims["iss"] != self.issuer or claims["aud"] != self.audience or claims["token_use"] != TOKEN_USE:
            raise InvalidToken("issued by or for somebody else")
        self._check_times(claims)
        if claims["sub"] != f"{claims['idp']}:{claims['provider_id']}":
            raise InvalidToken("sub contradicts idp and provider_id")
        return claims

    def _signed(self, token: str) -> Mapping[str, Any]:
        if len(token) > MAX_TOKEN_BYTES:
            raise InvalidToken("too long")
        try:
            # PyJWT's own reader of claims lets the last of two equal keys win.
            claims = decode_body(self._payload(token))
        except (jwt.InvalidTokenError, ProtocolError, UnicodeError, ValueError, RecursionError):
            raise InvalidToken("not signed by this server") from None
        if not isinstance(claims, dict):
            raise InvalidToken("claims are no object")
        return claims

    def _payload(self, token: str) -> bytes:
        """A key verifies by its own algorithm, whatever a token asks for: a public key is never taken for a secret."""
        header = _header(token)
        for key in self.keys:
            if key.fits(header):
                with suppress(jwt.InvalidSignatureError):
                    payload: bytes = api_jws.decode(token, key.verifies, [key.algorithm])
                    return payload
        raise jwt.InvalidTokenError("no key of ours")

    def _check_times(self, claims: Mapping[str, Any]) -> None:
        now = self.now_ms() / 1_000
        if claims["exp"] <= now:
            raise InvalidToken("expired")
        if max(claims["iat"], claims.get("nbf", 0)) > now + SKEW_S:
            raise InvalidToken("not valid yet")
        if claims["exp"] - claims["iat"] > self.lifetime_s:
            raise InvalidToken("lives longer than this server lets a token live")


def _header(token: str) -> Mapping[str, Any]:
    """To choose a key by, and for nothing else: PyJWT reads it again, and strictly. Its own reader of headers decodes
    the claims along with it, which makes `verify` a third dearer (m)."""
    header = json.loads(base64url_decode(token.partition(".")[0]))
    if not isinstance(header, dict):
        raise jwt.InvalidTokenError("the header is no object")
    return header


def _check_types(claims: Mapping[str, Any]) -> None:
    """Every claim of `issue` stands there with its own type: a text is no number, a bool no integer (S22)."""
    wrong = [name for name in TEXTS if type(claims.get(name)) is not str]
    wrong += [name for name in TIMES if type(claims.get(name)) is not int]
    wrong += [name for name in OPTIONAL if type(claims.get(name, "")) is not str]
    if "nbf" in claims and type(claims["nbf"]) is not int:
        wrong.append("nbf")
    if type(claims.get("email_verified")) is not bool:
        wrong.append("email_verified")
    groups = claims.get("groups")
    if type(groups) is not list or any(type(group) is not str for group in groups):
        wrong.append("groups")
    if wrong:
        raise InvalidToken(f"missing or of a wrong type: {', '.join(wrong)}")

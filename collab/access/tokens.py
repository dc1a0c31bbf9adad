"""Access tokens: issued at sign-in, verified at both edges (AU1)."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import jwt
from jwt import api_jws

from protocol.codec import decode_body
from protocol.refusals import ProtocolError
from protocol.values import Caller, User

ALGORITHM = "HS256"
TOKEN_USE = "access"  # noqa: S105 - a claim's value, not a secret
SHORTEST_KEY_BYTES = 32
MAX_TOKEN_BYTES = 8_192
SKEW_S = 5
"""How far ahead the clock of the worker that issued a token may run."""

TEXTS = ("iss", "aud", "sub", "jti", "sid", "token_use", "idp", "provider_id", "email", "name")
TIMES = ("iat", "exp")


class InvalidToken(Exception):
    """The token proves nothing. The message is for logs; it never repeats the token."""


@dataclass(frozen=True, slots=True)
class Tokens:
    """Issues and verifies. `key` has at least 32 bytes; `now_ms` is Unix time."""

    key: bytes
    issuer: str
    audience: str
    now_ms: Callable[[], int]
    lifetime_s: int = 3_600

    def __post_init__(self) -> None:
        if len(self.key) < SHORTEST_KEY_BYTES:
            raise ValueError(f"the key must have at least {SHORTEST_KEY_BYTES} bytes")

    def __repr__(self) -> str:
        return f"Tokens({self.issuer!r})"

    def issue(self, caller: Caller) -> tuple[str, Caller]:
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
            "token_use": TOKEN_USE,
        }
        issued = Caller(user, caller.groups, caller.sid, expires * 1_000, caller.email_verified)
        return jwt.encode(claims, self.key, ALGORITHM), issued

    def verify(self, token: str) -> Caller:
        """Raises InvalidToken, and nothing else."""
        claims = self._signed(token)
        _check_types(claims)
        if claims["iss"] != self.issuer or claims["aud"] != self.audience or claims["token_use"] != TOKEN_USE:
            raise InvalidToken("issued by or for somebody else")
        self._check_times(claims)
        user = User(claims["idp"], claims["provider_id"], claims["email"], claims["name"])
        if claims["sub"] != user.id:
            raise InvalidToken("sub contradicts idp and provider_id")
        return Caller(user, tuple(claims["groups"]), claims["sid"], claims["exp"] * 1_000, claims["email_verified"])

    def _signed(self, token: str) -> Mapping[str, Any]:
        if len(token) > MAX_TOKEN_BYTES:
            raise InvalidToken("too long")
        try:
            payload = api_jws.decode(token, self.key, [ALGORITHM])
            # PyJWT's own reader of claims lets the last of two equal keys win.
            claims = decode_body(payload)
        except (jwt.InvalidTokenError, ProtocolError, UnicodeError, ValueError, RecursionError):
            raise InvalidToken("not signed by this server") from None
        if not isinstance(claims, dict):
            raise InvalidToken("claims are no object")
        return claims

    def _check_times(self, claims: Mapping[str, Any]) -> None:
        now = self.now_ms() / 1_000
        if claims["exp"] <= now:
            raise InvalidToken("expired")
        if max(claims["iat"], claims.get("nbf", 0)) > now + SKEW_S:
            raise InvalidToken("not valid yet")
        if claims["exp"] - claims["iat"] > self.lifetime_s:
            raise InvalidToken("lives longer than this server lets a token live")


def _check_types(claims: Mapping[str, Any]) -> None:
    """Every claim of `issue` stands there with its own type: a text is no number, a bool no integer (S22)."""
    wrong = [name for name in TEXTS if type(claims.get(name)) is not str]
    wrong += [name for name in TIMES if type(claims.get(name)) is not int]
    if "nbf" in claims and type(claims["nbf"]) is not int:
        wrong.append("nbf")
    if type(claims.get("email_verified")) is not bool:
        wrong.append("email_verified")
    groups = claims.get("groups")
    if type(groups) is not list or any(type(group) is not str for group in groups):
        wrong.append("groups")
    if wrong:
        raise InvalidToken(f"missing or of a wrong type: {', '.join(wrong)}")

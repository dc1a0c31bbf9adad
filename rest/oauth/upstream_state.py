"""What is remembered of a sign-in while its user is at the provider: in the user's own browser, sealed (S33).

A cookie and not a row, because anybody may begin a sign-in: rows would be theirs to heap up. Sealed with a key that all
workers have, it is read by whichever of them the browser comes back to. It binds the sign-in to the browser that began
it; that it works once is held by the provider's code, which works once and only with the verifier in here.
"""

from __future__ import annotations

import hmac
import re
import secrets
from collections.abc import Callable

from joserfc import jwe
from joserfc.errors import JoseError
from joserfc.jwk import OctKey
from pydantic import BaseModel, ConfigDict, ValidationError
from starlette.requests import Request
from starlette.responses import Response

from rest.oauth.asked import Asked
from rest.problems import Problem

LIFE_S = 600
AT_ONCE = 3
"""Sign-ins that one browser may have begun; more cookies would outgrow the head of a request."""
LONGEST_COOKIE = 3_900
"""Browsers keep 4 096 bytes, name and attributes included."""
NAME = re.compile(r"(?:__Host-)?codraw-sign-in-[A-Za-z0-9_-]{12}", re.ASCII)
HEADER = {"alg": "dir", "enc": "A256GCM"}


class Pending(BaseModel):
    model_config = ConfigDict(strict=True, frozen=True)

    provider: str
    state: str
    nonce: str
    verifier: str
    began_ms: int
    asked: Asked


def begun(provider: str, asked: Asked, now_ms: int) -> Pending:
    """`state`, `nonce` and `verifier`: 256 random bits each."""
    state, nonce, verifier = (secrets.token_urlsafe(32) for _ in range(3))
    return Pending(provider=provider, state=state, nonce=nonce, verifier=verifier, began_ms=now_ms, asked=asked)


class PendingCookies:
    """One cookie for each sign-in that was begun, so that two tabs do not take each other's."""

    def __init__(self, key: bytes, now_ms: Callable[[], int]) -> None:
        self._key = OctKey.import_key(key)
        self._now_ms = now_ms

    def keep(self, request: Request, response: Response, pending: Pending, secure: bool) -> None:
        """Raises 400 where the client's request is too large to be remembered."""
        name, value = cookie_name(pending.state, secure), self._sealed(pending)
        if len(name) + len(value) > LONGEST_COOKIE:
            raise Problem(400, "invalid_request", "state or callback is too long.")
        others = [found for found in request.cookies if NAME.fullmatch(found)]
        for other in others[: max(0, len(others) - AT_ONCE + 1)]:
            _delete(response, other, secure)
        response.set_cookie(name, value, LIFE_S, path="/", secure=secure, httponly=True, samesite="lax")

    def kept(self, request: Request, state: str, secure: bool) -> Pending | None:
        """None: this browser has not begun that sign-in, or too long ago."""
        pending = self._unsealed(request.cookies.get(cookie_name(state, secure), ""))
        if pending is None or not hmac.compare_digest(pending.state.encode(), state.encode("utf-8", "replace")):
            return None
        return pending if 0 <= self._now_ms() - pending.began_ms < LIFE_S * 1_000 else None

    def drop(self, response: Response, pending: Pending, secure: bool) -> None:
        _delete(response, cookie_name(pending.state, secure), secure)

    def _sealed(self, pending: Pending) -> str:
        return jwe.encrypt_compact(dict(HEADER), pending.model_dump_json().encode(), self._key)

    def _unsealed(self, sealed: str) -> Pending | None:
        if not sealed or len(sealed) > LONGEST_COOKIE:
            return None
        try:
            opened = jwe.decrypt_compact(sealed, self._key, algorithms=list(HEADER.values()))
            return Pending.model_validate_json(opened.plaintext or b"")
        except (JoseError, ValidationError, ValueError, TypeError):
            return None


def cookie_name(state: str, secure: bool) -> str:
    """`__Host-`: only this very host can have set it, so no neighbour can have its own sign-in finished here."""
    return f"{'__Host-' if secure else ''}codraw-sign-in-{state[:12]}"


def _delete(response: Response, name: str, secure: bool) -> None:
    response.delete_cookie(name, path="/", secure=secure, httponly=True, samesite="lax")

"""What a token is good for, and the end of it: revocation (RFC 7009) and introspection (RFC 7662)."""

from __future__ import annotations

from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from collab.access.tokens import InvalidToken
from protocol.values import Caller
from rest.answers import answer
from rest.bodies import fields
from rest.dependencies import RestDependencies
from rest.identity import forms_of
from rest.problems import Problem

Found = dict[str, Any]

REFRESH = "refresh_token"


class Revocation:
    def __init__(self, deps: RestDependencies) -> None:
        self.deps = deps

    async def revoke(self, request: Request) -> Response:
        """Ends the login, with all its tokens and sockets. Whoever has a token may end it: that proves enough. What is
        no token of ours is answered in the same way, so that nothing can be learnt here."""
        token = await _token(request)
        try:
            sid = self.deps.tokens.verify(token).sid
        except InvalidToken:
            await self.deps.accounts.end_login_of(token)
        else:
            await self.deps.accounts.end_login(sid)
        return answer({})

    async def introspect(self, request: Request) -> Response:
        token = await _token(request)
        found = await self._access(token, forms_of(request, self.deps).token_type) or await self._refresh(token)
        return answer({"active": found is not None, **(found or {})})

    async def _access(self, token: str, token_type: str) -> Found | None:
        try:
            claims = self.deps.tokens.claims(token)
        except InvalidToken:
            return None
        if await self.deps.accounts.ended(claims["sid"]):
            return None
        named = {name: claims[name] for name in ("sub", "iss", "aud", "exp", "iat", "email", "name")}
        return {
            **named,
            "username": claims["email"],
            "client_id": claims.get("client_id", ""),
            "scope": claims.get("scope", ""),
            "token_type": token_type,
        }

    async def _refresh(self, token: str) -> Found | None:
        state = await self.deps.accounts.refresh_state(token)
        if state is None:
            return None
        what, expires_at_ms = state
        if what.since_ms:
            expires_at_ms = min(expires_at_ms, what.since_ms + self.deps.oauth.login_s * 1_000)
        if expires_at_ms <= self.deps.now_ms():
            return None
        return {
            **_person(what.caller),
            "iss": self.deps.tokens.issuer,
            "aud": self.deps.tokens.audience,
            "exp": expires_at_ms // 1_000,
            "client_id": what.client_id,
            "scope": what.scope,
            "token_type": REFRESH,
        }


def _person(caller: Caller) -> Found:
    user = caller.user
    return {"sub": user.id, "username": user.email, "email": user.email, "name": user.display_name}


async def _token(request: Request) -> str:
    token = (await fields(request)).get("token")
    if not token:
        raise Problem(400, "invalid_request", "token is missing.")
    return token

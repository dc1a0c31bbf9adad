"""Everything the HTTP edge is made of; `codraw.app` fills it in."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from starlette.requests import Request

from collab.access.origins import Origins
from collab.access.tokens import Tokens
from collab.ports import Authorizer, SessionStore
from protocol.values import Limits
from rest.front import Front
from rest.oauth.providers import Provider
from rest.ports import Accounts, LiveDiagrams, Models
from rest.views import WIKI, Forms


@dataclass(frozen=True, slots=True)
class OAuth:
    """How people sign in. `callbacks` are matched exactly; `excused`: names of clients that need no PKCE (AU5, AU6)."""

    providers: Sequence[Provider] = ()
    callbacks: frozenset[str] = frozenset()
    excused: frozenset[str] = frozenset()
    refresh_s: int = 604_800


@dataclass(frozen=True, slots=True)
class RestDependencies:
    front: Front
    models: Models
    accounts: Accounts
    sessions: SessionStore
    authorizer: Authorizer
    rooms: LiveDiagrams
    tokens: Tokens
    now_ms: Callable[[], int]
    oauth: OAuth = field(default_factory=OAuth)
    origins: Origins = field(default_factory=Origins)
    limits: Limits = field(default_factory=Limits)
    forms: Forms = WIKI
    """Of requests that TMI's cookies do not authenticate; those are always TMI."""
    public_url: str | None = None
    development: bool = False
    ticket_s: int = 30

    def base(self, request: Request) -> str:
        """The address of this server as clients reach it, without a slash at its end."""
        return self.public_url or str(request.base_url).rstrip("/")

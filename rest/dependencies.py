"""Everything the HTTP edge is made of; `codraw.app` fills it in."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial

from starlette.requests import Request

from collab.access.origins import Origins
from collab.access.tokens import Tokens
from collab.ports import Authorizer, SessionStore
from protocol.values import Limits
from rest.front import Front
from rest.oauth.providers import Provider
from rest.ports import Accounts, LiveDiagrams, Models, Rates, Trail
from rest.rates import LocalRates, Quotas
from rest.views import WIKI, Forms
from rest.webhooks.addresses import Policy
from rest.webhooks.ports import Subscriptions


@dataclass(frozen=True, slots=True)
class OAuth:
    """How people sign in. `callbacks` are matched exactly; `excused`: names of clients that need no PKCE (AU5, AU6);
    `admins`, `reviewers`: groups, as `provider:group` or, of any provider, by a name without a colon."""

    providers: Sequence[Provider] = ()
    callbacks: frozenset[str] = frozenset()
    excused: frozenset[str] = frozenset()
    refresh_s: int = 604_800
    login_s: int = 2_592_000
    """After so long somebody signs in again: who they are, and their groups, is what the provider said then (AU20)."""
    sealing_key: bytes = field(default_factory=partial(secrets.token_bytes, 32), repr=False)
    """32 bytes, the same on every worker: seals what a browser keeps while its user is at a provider."""
    admins: frozenset[str] = frozenset()
    reviewers: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Webhooks:
    """`seal` hides a secret from whoever reads the store; `most`: subscriptions of one user."""

    store: Subscriptions
    seal: Callable[[str], str]
    policy: Policy = field(default_factory=Policy)
    most: int = 20


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
    trail: Trail
    oauth: OAuth = field(default_factory=OAuth)
    origins: Origins = field(default_factory=Origins)
    limits: Limits = field(default_factory=Limits)
    rates: Rates = field(default_factory=LocalRates)
    quotas: Quotas = field(default_factory=Quotas)
    forms: Forms = WIKI
    """Of requests that TMI's cookies do not authenticate; those are always TMI."""
    public_url: str | None = None
    development: bool = False
    ticket_s: int = 30
    webhooks: Webhooks | None = None

    def base(self, request: Request) -> str:
        """The address of this server as clients reach it, without a slash at its end."""
        return self.public_url or str(request.base_url).rstrip("/")

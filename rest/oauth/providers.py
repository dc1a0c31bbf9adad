"""The providers that people sign in with."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from rest.oauth import dev

CLIENT_ID = "codraw"


@dataclass(frozen=True, slots=True)
class OpenId:
    """An OpenID Connect provider as it is asked, and what its word counts here."""

    issuer: str
    """Exactly as the provider spells itself; its metadata is found below it."""
    client_id: str
    client_secret: str | None = field(default=None, repr=False)
    scopes: tuple[str, ...] = ("openid", "email", "profile")
    groups_claim: str | None = "groups"
    trusts_email: bool = False
    """Whether an address counts as verified where the provider says nothing about it."""
    email_domains: frozenset[str] = frozenset()
    """If any, only people with a verified address of one of them are let in."""


@dataclass(frozen=True, slots=True)
class Provider:
    """`for_tests`: signs in anybody, is never there in production. Any other has `openid`.

    `excuses_pkce`: clients that send a challenge to none are let through (AU5).
    """

    id: str
    name: str
    icon: str = "/web/icon.svg"
    for_tests: bool = False
    openid: OpenId | None = None
    excuses_pkce: bool = False

    def form(self, base: str) -> dict[str, str]:
        return {
            "id": self.id,
            "name": self.name,
            "icon": self.icon,
            "auth_url": f"{base}/oauth2/authorize?idp={self.id}",
            "token_url": f"{base}/oauth2/token?idp={self.id}",
            "redirect_uri": f"{base}/oauth2/callback",
            "client_id": CLIENT_ID,
        }


def for_development() -> Sequence[Provider]:
    """`tmi` is asked for by TMI's clients only, whose contract requires PKCE; programs of the written pages ask for
    `test`, some without."""
    return tuple(Provider(id, "Test user", for_tests=True, excuses_pkce=id == dev.PROVIDER) for id in dev.ALIASES)

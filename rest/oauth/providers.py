"""The providers that people sign in with."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from rest.oauth import dev

CLIENT_ID = "codraw"


@dataclass(frozen=True, slots=True)
class Provider:
    """`for_tests`: signs in anybody, excuses a missing PKCE, and is never there in production."""

    id: str
    name: str
    icon: str = "/web/icon.svg"
    for_tests: bool = False

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
    return tuple(Provider(id, "Test user", for_tests=True) for id in dev.ALIASES)

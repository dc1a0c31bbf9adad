"""The test provider: in development anybody may sign in under any name, at once and without a password (S35)."""

from __future__ import annotations

import secrets

from protocol.values import User

PROVIDER = "test"
ALIASES = (PROVIDER, "tmi")
"""Both are listed: TMI's app asks for a user name only where the id is `tmi`."""
DOMAIN = "@tmi.local"
LONGEST_HINT = 128


def real_provider(name: str) -> str:
    return PROVIDER if name in ALIASES else name


def provider_id(hint: str) -> str:
    """`alice` and `alice@tmi.local` are one person."""
    return hint.removesuffix(DOMAIN) if len(hint) > len(DOMAIN) else hint


def user(hint: str | None) -> User:
    """The person of a `login_hint`; a hint with `@` is the e-mail address; without one, somebody new."""
    id = provider_id(hint) if hint else f"user-{secrets.token_hex(4)}"
    email = id if "@" in id else id + DOMAIN
    return User(PROVIDER, id, email, id.partition("@")[0].capitalize())


def is_hint(hint: str | None) -> bool:
    return hint is None or (0 < len(hint) <= LONGEST_HINT and hint.isprintable() and not hint.isspace())

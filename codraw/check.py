"""What keeps these settings from being served, one sentence each."""

from __future__ import annotations

import re
from collections.abc import Iterator

from codraw.settings import REDIS, SQLITE, Settings, unknown_names
from codraw.signing import key_pairs
from collab.access.keys import SECRET, UnfitKey, shared
from collab.access.origins import parts

LOOPBACK = re.compile(r"localhost|127(\.[0-9]{1,3}){3}|::1")
CALLBACK = re.compile(r"[a-z][a-z0-9+.-]*:[^\s#*]+", re.IGNORECASE | re.ASCII)
# Words of the secrets that stand in tutorials, sample files and other servers' defaults.
PLACEHOLDER = re.compile(r"change[-_ ]?(me|this|it|in)|your[-_ ].*(secret|key)|(secret|key).*example|placeholder", re.I)


def refusals(settings: Settings) -> list[str]:
    """Why `codraw serve` refuses to start with `settings`; empty when it does not."""
    return [*_places(settings), *_contradictions(settings), *_callbacks(settings), *_production(settings)]


def _places(settings: Settings) -> Iterator[str]:
    """Whether the stores that are named can carry the workers that are asked for."""
    if settings.workers > 1 and (missing := [*_missing(settings)]):
        yield f"More than one worker needs PostgreSQL and Redis: {' and '.join(missing)}."
    if not settings.postgres and (not settings.store_url.startswith(SQLITE) or settings.store_url == SQLITE):
        yield "CODRAW_STORE_URL must look like sqlite:///codraw.db or postgresql://user@host/database."
    if settings.redis_url is not None and not settings.redis_url.startswith(REDIS):
        yield "CODRAW_REDIS_URL must look like redis://host:6379/0, or begin with rediss:// or unix://."


def _missing(settings: Settings) -> Iterator[str]:
    if not settings.postgres:
        yield "a SQLite file serves one process"
    if settings.redis_url is None:
        yield "CODRAW_REDIS_URL is not set"


def _contradictions(settings: Settings) -> Iterator[str]:
    for smaller, larger in (
        ("max_cell_bytes", "max_diagram_bytes"),
        ("max_cells_per_operation", "max_cells_per_diagram"),
        ("max_sockets_per_user", "max_sockets_per_session"),
    ):
        if getattr(settings, smaller) > getattr(settings, larger):
            yield f"CODRAW_{smaller.upper()} is larger than CODRAW_{larger.upper()}."
    if settings.public_url is not None and parts(settings.public_url) is None:
        # The pages of this server come from an origin, and with another one in the settings they would be turned away.
        yield "CODRAW_PUBLIC_URL must look like https://draw.example.com:8443: no path, international names as xn--…."
    yield from _secrets(settings)
    try:
        key_pairs(settings)
    except UnfitKey as unfit:
        yield str(unfit)


def _secrets(settings: Settings) -> Iterator[str]:
    for name in ("secret_key", "secret_key_previous"):
        secret = getattr(settings, name)
        try:
            if secret is not None:
                shared(secret.get_secret_value().encode())
        except UnfitKey as unfit:
            yield f"CODRAW_{name.upper()} {unfit}"
        except UnicodeEncodeError:
            yield f"CODRAW_{name.upper()} holds bytes that are no text: write them in Base64."


def _callbacks(settings: Settings) -> Iterator[str]:
    """RFC 6749 3.1.2: absolute, and without a fragment."""
    for callback in settings.oauth_callbacks:
        if CALLBACK.fullmatch(callback) is None:
            yield f"CODRAW_OAUTH_CALLBACKS: {callback} is no absolute address, or has a # or a * in it."


def _production(settings: Settings) -> Iterator[str]:
    if settings.development:
        return
    if settings.secret_key is None:
        yield "CODRAW_SECRET_KEY is not set: production needs a secret of its own (or start with --dev)."
    elif is_known(settings.secret_key.get_secret_value()):
        yield "CODRAW_SECRET_KEY is a default or a placeholder that others know."
    if settings.secret_key_previous is not None and is_known(settings.secret_key_previous.get_secret_value()):
        yield "CODRAW_SECRET_KEY_PREVIOUS is a default or a placeholder that others know."
    if settings.public_url is None:
        yield "CODRAW_PUBLIC_URL is not set: production needs the address by which clients reach it."
    elif not settings.public_url.startswith("https://"):
        yield "CODRAW_PUBLIC_URL must start with https:// in production: tokens would travel in the open."
    for provider in settings.oidc_providers:
        if provider.in_the_open:
            yield f"CODRAW_OIDC_PROVIDERS: the issuer of {provider.id} must start with https:// in production."
    if "*" in settings.allowed_origins:
        yield "CODRAW_ALLOWED_ORIGINS lists *, which lets every site act for its visitors."


def algorithm(settings: Settings) -> str:
    """Of the tokens that are issued. Raises UnfitKey."""
    pairs = key_pairs(settings)
    return pairs[0].algorithm if pairs else SECRET


def is_known(secret: str) -> bool:
    return PLACEHOLDER.search(secret) is not None or len(set(secret)) < 8


def warnings(settings: Settings) -> list[str]:
    """What is strange, but does not keep the server from running."""
    found = [
        f"{name} is not a setting" + (f"; did you mean {nearest}?" if nearest else ".")
        for name, nearest in unknown_names().items()
    ]
    if not settings.development and not settings.oidc_providers:
        found.append("Nobody can sign in: CODRAW_OIDC_PROVIDERS names no provider (docs/sign-in.md says how).")
    if settings.development and not LOOPBACK.fullmatch(settings.host):
        found.append(f"Whoever reaches {settings.host} may sign in under any name: this is development mode.")
    found += [
        f"CODRAW_ALLOWED_ORIGINS: {origin} is not like https://app.example.com, and allows nobody."
        for origin in settings.allowed_origins
        if parts(origin) is None
    ]
    if not settings.postgres and settings.redis_url is not None:
        found.append("CODRAW_REDIS_URL is not used: the one worker on a SQLite file has nobody to tell.")
    if not settings.postgres and settings.durability != "disk":
        found.append("CODRAW_DURABILITY is not used: SQLite always writes to the disk before it answers.")
    return found

"""OpenID Connect providers as an operator writes them down: a JSON list, in a variable or a file."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, SecretStr, StringConstraints, ValidationError, field_validator

TAKEN = frozenset(("test", "tmi", "codraw"))
"""Names of the test provider and of the server itself."""
LOOPBACK = frozenset(("localhost", "127.0.0.1", "::1"))
ASIDE = "client_secret_file"

Word = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=512)]


class OidcProvider(BaseModel):
    """The fields of one entry; what they mean stands in docs/sign-in.md."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9-]{0,31}$")]
    name: Word
    icon: Word = "/web/icon.svg"
    issuer: Word
    client_id: Word
    client_secret: SecretStr | None = None
    scopes: tuple[Word, ...] = ("openid", "email", "profile")
    groups_claim: Word | None = "groups"
    trust_email: bool = Field(False, description="an address counts as verified where the provider says nothing")
    email_domains: tuple[Word, ...] = ()

    @field_validator("id", mode="after")
    @classmethod
    def _free(cls, value: str) -> str:
        if value in TAKEN:
            raise ValueError("is a name of this server's own")
        return value

    @field_validator("issuer", mode="after")
    @classmethod
    def _address(cls, value: str) -> str:
        parts = urlsplit(value)
        if parts.query or parts.fragment or "@" in parts.netloc or not parts.hostname:
            raise ValueError("must be an address without user, query and fragment")
        if parts.scheme != "https" and not (parts.scheme == "http" and parts.hostname in LOOPBACK):
            raise ValueError("must start with https://")
        return value

    @field_validator("client_secret", mode="after")
    @classmethod
    def _filled(cls, value: SecretStr | None) -> SecretStr | None:
        """An empty one would silently be none, and the provider would take this server for nobody."""
        if value is not None and not value.get_secret_value():
            raise ValueError("is empty; leave it out for a public client")
        return value

    @field_validator("scopes", mode="after")
    @classmethod
    def _openid(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        if "openid" not in value:
            raise ValueError("must contain openid")
        return value

    @field_validator("email_domains", mode="after")
    @classmethod
    def _lower(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(domain.lower().removeprefix("@") for domain in value)

    @property
    def in_the_open(self) -> bool:
        """Whether it is asked without TLS, as on a developer's machine."""
        return self.issuer.startswith("http:")

    def written(self) -> dict[str, Any]:
        """As `providers` reads it, secret included."""
        secret = self.client_secret
        return self.model_dump(mode="json") | {"client_secret": secret.get_secret_value() if secret else None}


def providers(given: Any) -> tuple[OidcProvider, ...]:
    """Of a text or of what it says. Raises ValueError with a sentence's end that shows no value."""
    entries = _read(given) if isinstance(given, str) else given
    if isinstance(entries, tuple) and all(isinstance(entry, OidcProvider) for entry in entries):
        return entries
    if not isinstance(entries, list | tuple) or not all(isinstance(entry, dict) for entry in entries):
        raise ValueError("must be a JSON list of objects")
    found = tuple(_provider(n, entry) for n, entry in enumerate(entries, 1))
    if len({provider.id for provider in found}) != len(found):
        raise ValueError("names an id twice")
    return found


def _read(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        raise ValueError("must be a JSON list of objects") from None


def _provider(n: int, entry: dict[str, Any]) -> OidcProvider:
    try:
        return OidcProvider.model_validate(_with_secret(n, entry))
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(map(str, first["loc"]))
        why = first["msg"].removeprefix("Value error, ").replace("Input should", "should")
        raise ValueError(f"entry {n}, {where}: {why[:1].lower()}{why[1:]}") from None


def _with_secret(n: int, entry: dict[str, Any]) -> dict[str, Any]:
    if ASIDE not in entry:
        return entry
    try:
        secret = Path(entry[ASIDE]).read_text("utf-8").rstrip("\r\n")
    except (OSError, TypeError, ValueError):
        raise ValueError(f"entry {n}, {ASIDE}: names a file that cannot be read") from None
    return {name: value for name, value in entry.items() if name != ASIDE} | {"client_secret": secret}

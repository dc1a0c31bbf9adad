"""What can be set: `CODRAW_*` variables, `.env` and secret files, read once into one frozen value."""

from __future__ import annotations

import os
from collections.abc import Mapping
from difflib import get_close_matches
from ipaddress import ip_network
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from dotenv import dotenv_values
from pydantic import Field, SecretStr, ValidationError, field_validator
from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings, NoDecode, PydanticBaseSettingsSource, SettingsConfigDict

from codraw.oidc import OidcProvider, providers
from protocol.values import Limits

PREFIX = "CODRAW_"
FROM_FILES = ("secret_key", "secret_key_previous", "store_url", "redis_url", "oidc_providers")
"""Settings that may hold a password, and that `CODRAW_<NAME>_FILE` therefore reads from a file."""
LISTS = (
    "signing_keys",
    "oauth_callbacks",
    "oauth_clients_without_pkce",
    "admin_groups",
    "reviewer_groups",
    "webhook_allow_private",
    "trusted_proxies",
)
NOT_SETTINGS = ("CODRAW_TEST_", "CODRAW_REQUIRE")
"""What the test suite reads under the same prefix."""
SQLITE = "sqlite:///"
POSTGRES = ("postgresql://", "postgres://")
REDIS = ("redis://", "rediss://", "unix://")
HIDDEN = "(hidden)"
"""Of an address that cannot be told from a password."""

Mode = Literal["development", "production"]
Count = Annotated[int, Field(ge=1)]
Rate = Annotated[int, Field(ge=0, le=1_000_000)]
Names = Annotated[tuple[str, ...], NoDecode]
"""Separated by commas."""


class SettingsRefused(Exception):
    """The settings cannot be read. `sentences` says why, one each; none shows a value."""

    def __init__(self, sentences: list[str]) -> None:
        super().__init__("\n".join(sentences))
        self.sentences = sentences


class Settings(BaseSettings):
    model_config = SettingsConfigDict(
        env_prefix=PREFIX, env_file=".env", frozen=True, extra="ignore", env_ignore_empty=True
    )

    mode: Mode = Field("production", description="development or production; --dev is development")
    host: str = Field("127.0.0.1", description="address to listen on")
    port: int = Field(8080, ge=0, le=65535, description="port to listen on; 0 takes a free one")
    workers: Count = Field(1, description="number of server processes")
    metrics_port: Annotated[int, Field(ge=1, le=65535)] | None = Field(
        None, description="port for metrics in Prometheus' format, which asks for no token; none by default"
    )
    metrics_host: str = Field("127.0.0.1", description="address to listen on for whoever reads the metrics")
    log_level: Literal["debug", "info", "warning", "error"] = Field("info", description="least level that is logged")

    store_url: str = Field(
        "sqlite:///codraw.db", description="sqlite:///file, with four slashes absolute; or postgresql://…"
    )
    redis_url: str | None = Field(None, description="redis://…, carries news between workers")
    redis_prefix: str = Field("codraw:", description="names in a Redis that others use too begin with it")
    durability: Literal["disk", "relaxed", "replica"] = Field(
        "disk", description="what a receipt survives: relaxed, disk or, with a synchronous standby, replica"
    )
    store_pool_size: Annotated[int, Field(ge=2)] = Field(10, description="connections of a worker to PostgreSQL")
    store_statement_cache: bool = Field(True, description="off behind a proxy that pools by transaction")
    store_patience_seconds: Count = Field(10, description="operations wait so long for a store that is away")

    secret_key: SecretStr | None = Field(None, description="signs tokens; at least 32 bytes")
    public_url: str | None = Field(None, description="address by which clients reach this server, https://…")
    allowed_origins: Annotated[tuple[str, ...], NoDecode] = Field((), description="other origins, separated by commas")
    require_origin: bool = Field(False, description="refuse sockets that send no Origin, as many libraries do")
    api_profile: Literal["wiki", "tmi"] = Field("wiki", description="which of two contracts counts where they differ")
    query_token: bool = Field(True, description="accept ?token= on sockets of the dialects classic and tmi")
    access_token_seconds: Count = Field(3_600, description="life of an access token")
    refresh_token_seconds: Count = Field(604_800, description="life of a refresh token")
    login_seconds: Count = Field(2_592_000, description="somebody who stays signed in so long signs in again")
    ticket_seconds: Count = Field(30, description="life of a ticket for a socket")
    secret_key_previous: SecretStr | None = Field(None, description="a former secret: what it signed or sealed counts")
    signing_keys: Names = Field((), description="PEM files; the first signs tokens with RS256 or ES256, all verify")
    oidc_providers: Annotated[tuple[OidcProvider, ...], NoDecode] = Field(
        (), description="OpenID Connect providers that people sign in with, a JSON list: docs/sign-in.md"
    )
    oauth_callbacks: Names = Field((), description="where clients may have people sent back to, exactly")
    oauth_clients_without_pkce: Names = Field((), description="ids of clients that need no PKCE")
    admin_groups: Names = Field((), description="who is shown as administrator: group, or provider:group")
    reviewer_groups: Names = Field((), description="who is shown as security reviewer: group, or provider:group")

    host_grace_seconds: Count = Field(15, description="how long a lost host may return")
    host_leave_ends: bool = Field(True, description="a host who leaves ends the session; off, the next writer is host")
    session_first_socket_seconds: Count = Field(60, description="a new session without a socket ends after this")
    session_empty_seconds: Count = Field(30, description="a session without sockets ends after this")
    session_idle_seconds: Count = Field(900, description="a session without inbound messages ends after this")

    undo_scope: Literal["user", "session"] = Field("user", description="undo takes back one's own edits, or anybody's")

    audit_days: int = Field(0, ge=0, description="what was done longer ago leaves the audit trails; 0 = for ever")

    webhook_allow_private: Names = Field((), description="networks of your own that webhooks may call")
    webhook_http: bool = Field(False, description="webhooks may call http:// addresses, as in development")
    webhook_days: Count = Field(7, description="deliveries of webhooks are kept so long")
    webhook_requests_at_once: Count = Field(10, description="requests to receivers of webhooks under way")
    webhooks_per_user: Count = Field(20, description="webhook subscriptions of one user")

    ping_seconds: float = Field(20, gt=0, description="a socket is pinged so often; a pong this late ends it")
    operations_per_second: int = Field(100, ge=0, description="per socket, then it is read more slowly; 0 = no limit")
    max_frame_bytes: Count = Field(262_144, description="largest inbound frame")
    max_cells_per_diagram: Count = 10_000
    max_cells_per_operation: Count = 500
    max_cell_bytes: Count = 65_536
    max_diagram_bytes: Count = 16 * 1024 * 1024
    max_sockets_per_session: Count = 50
    max_sockets_per_user: Count = Field(5, description="per user and diagram")
    min_node_size: Annotated[tuple[int, int], NoDecode] = Field((40, 30), description="width x height, as 40x30")

    rate_limits: bool | None = Field(None, description="of REST requests; by default on in production alone")
    reads_per_minute: Rate = Field(6_000, description="requests of a user that change nothing; 0 = no limit")
    writes_per_minute: Rate = Field(3_000, description="requests of a user that change something; 0 = no limit")
    joins_per_minute: Rate = Field(600, description="tickets, sessions begun and joined, of a user; 0 = no limit")
    webhooks_per_minute: Rate = Field(60, description="changes of webhook subscriptions, of a user; 0 = no limit")
    sign_ins_per_minute: Rate = Field(300, description="sign-ins begun from an address; 0 = no limit")
    failed_sign_ins_per_minute: Rate = Field(300, description="refused codes and tokens of an address; 0 = no limit")
    trusted_proxies: Names = Field(
        ("127.0.0.1", "::1"), description="addresses and networks of proxies that say by X-Forwarded-For who asks"
    )

    @field_validator("allowed_origins", mode="before")
    @classmethod
    def _split_origins(cls, value: Any) -> Any:
        if isinstance(value, str):
            return tuple(origin.strip().rstrip("/") for origin in value.split(",") if origin.strip())
        return value

    @field_validator(*LISTS, mode="before")
    @classmethod
    def _split_names(cls, value: Any) -> Any:
        if isinstance(value, str):
            return tuple(name.strip() for name in value.split(",") if name.strip())
        return value

    @field_validator("oidc_providers", mode="before")
    @classmethod
    def _read_providers(cls, value: Any) -> Any:
        return providers(value)

    @field_validator("trusted_proxies", "webhook_allow_private", mode="after")
    @classmethod
    def _as_networks(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for network in value:
            try:
                ip_network(network)
            except ValueError:
                # What is no address would be trusted by its letters, and a name does not stand in a connection.
                raise ValueError("must be addresses or networks such as 10.0.0.0/8, separated by commas") from None
        return value

    @field_validator("min_node_size", mode="before")
    @classmethod
    def _split_size(cls, value: Any) -> Any:
        if isinstance(value, str):
            width, cross, height = value.lower().partition("x")
            if not (cross and width.strip().isdecimal() and height.strip().isdecimal()):
                raise ValueError("must look like 40x30")
            return int(width), int(height)
        return value

    @field_validator("public_url", mode="after")
    @classmethod
    def _without_slash(cls, value: str | None) -> str | None:
        if value is not None and not value.startswith(("http://", "https://")):
            raise ValueError("must start with https:// or http://")
        return value.rstrip("/") if value else None

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        return init_settings, env_settings, SecretFiles(settings_cls), dotenv_settings

    @property
    def development(self) -> bool:
        return self.mode == "development"

    @property
    def rates_limited(self) -> bool:
        return not self.development if self.rate_limits is None else self.rate_limits

    @property
    def postgres(self) -> bool:
        return self.store_url.startswith(POSTGRES)

    @property
    def store_place(self) -> str:
        """For people: nothing that is secret."""
        path = self.sqlite_path
        return f"postgresql {place(self.store_url)}" if path is None else f"sqlite {path}"

    @property
    def bus_place(self) -> str:
        return f"redis {place(self.bus_url)}" if self.bus_url else "memory"

    @property
    def bus_url(self) -> str | None:
        """Of the Redis in use: one worker on a SQLite file has nobody to tell."""
        return self.redis_url if self.postgres else None

    @property
    def durability_held(self) -> str:
        """SQLite forces every commit to the disk."""
        return self.durability if self.postgres else "disk"

    @property
    def sqlite_path(self) -> Path | None:
        return Path(self.store_url.removeprefix(SQLITE)) if self.store_url.startswith(SQLITE) else None

    def limits(self) -> Limits:
        width, height = self.min_node_size
        return Limits(
            max_frame_bytes=self.max_frame_bytes,
            max_cells_per_diagram=self.max_cells_per_diagram,
            max_cells_per_operation=self.max_cells_per_operation,
            max_cell_bytes=self.max_cell_bytes,
            max_diagram_bytes=self.max_diagram_bytes,
            max_sockets_per_session=self.max_sockets_per_session,
            max_sockets_per_user=self.max_sockets_per_user,
            operations_per_second=self.operations_per_second,
            min_node_width=width,
            min_node_height=height,
        )


class Handed(Settings):
    """As one process hands them to another: only what is given counts, nothing is read again."""

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        return (init_settings,)


def handed(settings: Settings) -> dict[str, Any]:
    """For `taken`, secrets included: through a pipe, never into an argument, a file or a log."""
    given = settings.model_dump() | {"oidc_providers": [provider.written() for provider in settings.oidc_providers]}
    return {name: value.get_secret_value() if isinstance(value, SecretStr) else value for name, value in given.items()}


def taken(given: Mapping[str, Any]) -> Settings:
    """What the other process has; a setting that only this version knows has its default."""
    return Handed(**given)


class SecretFiles(PydanticBaseSettingsSource):
    """Reads `CODRAW_SECRET_KEY_FILE` and its like; a trailing line end is not part of the secret."""

    def get_field_value(self, field: FieldInfo, field_name: str) -> tuple[Any, str, bool]:
        name = variable(field_name) + "_FILE"
        path = (os.environ.get(name) or dotenv_values(".env").get(name)) if field_name in FROM_FILES else None
        if not path:
            return None, field_name, False
        try:
            return Path(path).read_text("utf-8").rstrip("\r\n"), field_name, False
        except (OSError, UnicodeDecodeError):
            raise SettingsRefused([f"{name} names a file that cannot be read."]) from None

    def __call__(self) -> dict[str, Any]:
        found = {name: self.get_field_value(field, name)[0] for name, field in self.settings_cls.model_fields.items()}
        return {name: value for name, value in found.items() if value is not None}


def place(url: str) -> str:
    """Machine, port and path of an address: neither who signs in there nor with what."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return HIDDEN
    machine = parts.netloc.rpartition("@")[2]
    # a password with a sign in it that should have been written in percents ends the first part too early
    cut = "@" in parts.path + parts.query + parts.fragment
    return HIDDEN if cut else machine + parts.path


def variable(field: str) -> str:
    return PREFIX + field.upper()


def load(given: Mapping[str, Any] | None = None) -> Settings:
    """Reads all sources; `given` (the command line) wins over them, then variables, files, `.env`, defaults.

    Raises SettingsRefused and nothing else.
    """
    try:
        return Settings(**{name: value for name, value in (given or {}).items() if value is not None})
    except ValidationError as error:
        # The message alone: pydantic's own text repeats the value, which may be a secret.
        raise SettingsRefused([_sentence(found["loc"], found["msg"]) for found in error.errors()]) from None
    except (OSError, UnicodeDecodeError):
        raise SettingsRefused([".env cannot be read: it has to be text in UTF-8."]) from None


def _sentence(where: tuple[int | str, ...], message: str) -> str:
    name = variable(str(where[0])) if where else "A setting"
    return f"{name} {message.removeprefix('Value error, ').replace('Input should be', 'should be')}."


def sources(given: Mapping[str, Any] | None = None) -> dict[str, str]:
    """Field -> where its value comes from, in the order in which `load` looks."""
    dotenv = {name.upper() for name, value in dotenv_values(".env").items() if value}
    environment = {name.upper() for name, value in os.environ.items() if value}

    def source(field: str) -> str:
        name = variable(field)
        if (given or {}).get(field) is not None:
            return "command line"
        if name in environment:
            return "environment"
        if field in FROM_FILES and name + "_FILE" in environment | dotenv:
            return "file"
        return ".env" if name in dotenv else "default"

    return {field: source(field) for field in Settings.model_fields}


def unknown_names() -> dict[str, str | None]:
    """Every `CODRAW_*` name that is no setting, in the environment or in `.env`, with the nearest that is one."""
    known = [field.upper() for field in Settings.model_fields] + [f"{field.upper()}_FILE" for field in FROM_FILES]
    names = {name.upper() for name in (*os.environ, *dotenv_values(".env"))}
    ours = {name for name in names if name.startswith(PREFIX) and not name.startswith(NOT_SETTINGS)}
    # Compared without the prefix: seven equal letters in front make every name near to every other.
    strange = sorted({name.removeprefix(PREFIX) for name in ours}.difference(known))
    return {PREFIX + name: _nearest(name, known) for name in strange}


def _nearest(name: str, known: list[str]) -> str | None:
    near = get_close_matches(name, known, n=1)
    return PREFIX + near[0] if near else None

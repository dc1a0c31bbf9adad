"""Everything that lives while the server runs, joined: stores, rooms, both edges, and what happens by itself."""

from __future__ import annotations

import asyncio
import hmac
import importlib
import importlib.util
import re
import threading
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from functools import cache, partial
from pathlib import Path
from typing import Any, TypeVar

import msgspec
import yaml

from codraw import __version__
from codraw.access_log import AccessLog
from codraw.assets import asset
from codraw.clock import SystemClock
from codraw.health import Health
from codraw.metrics import Metrics
from codraw.oidc import OidcProvider
from codraw.sealing import Sealing
from codraw.settings import Settings
from codraw.signing import signing_keys
from codraw.stores import Stores
from codraw.webhooks import asked_for, delivering
from collab.access.guard import Guard
from collab.access.origins import Origins
from collab.access.tokens import Tokens
from collab.core.state import RoomSettings
from collab.endpoint import Endpoint
from collab.handshake import Handshake, Rules
from collab.headwatch import HeadWatch, Looks
from collab.keeper import Intervals, Keeper
from collab.news import Seal
from collab.room_task import RoomPorts
from collab.rooms import Rooms
from collab.tally import Tally
from collab.tasks import Tasks
from protocol.dialects import CLASSIC, DIALECTS, TMI_APP
from protocol.notices import ServerFacts
from rest.dependencies import OAuth, RestDependencies
from rest.docs_page import index, reader
from rest.front import Front
from rest.oauth.providers import OpenId, Provider, for_development
from rest.rates import Quotas
from rest.routes import application
from rest.views import PROFILES
from rest.wire_page import page
from storage.accounts import SqlAccounts
from storage.diagrams import SqlDiagrams
from storage.models import SqlModels
from storage.rights import SqlAuthorizer
from storage.saving import Observed
from storage.session_rules import Ages
from storage.sessions import SqlSessions
from storage.trail import SqlTrail

DOCUMENTS = ("openapi.yml", "asyncapi.yml")
SEALING = b"codraw sign-in"
"""Parts the key of what browsers keep for us from the one that signs tokens."""
DAY_MS = 24 * 3_600_000
SLICES = 10
SLICE_SOCKETS = 50
SLICE_S = 0.5
"""Sockets are sent away in slices, so that not all of them knock at the other workers at once."""
_RENDERING = threading.Lock()

R = TypeVar("R")


class House:
    """`http` and `socket` are the ASGI applications of the two edges. Needs a running event loop."""

    def __init__(self, settings: Settings, stores: Stores) -> None:
        database = Observed(stores.database)
        self._settings = settings
        self._stores = stores
        self._tasks = Tasks()
        self._drain: asyncio.Task[None] | None = None
        self._clock = SystemClock()
        self._tokens = tokens(settings, self._clock)
        now_ms = self._clock.wall_ms
        self._accounts = SqlAccounts(database, now_ms)
        self._sessions = SqlSessions(database, now_ms, ages(settings))
        self._authorizer = SqlAuthorizer(stores.database)
        self._models = SqlModels(database)
        self._store = SqlDiagrams(stores.database, now_ms, settings.audit_days * DAY_MS or None)
        self._health = Health(stores, self._clock, lambda: database.saving.works and self._store.saving.works)
        rules = room_settings(settings)
        tally = Tally()
        ports = RoomPorts(
            store=self._store,
            sessions=self._sessions,
            authorizer=self._authorizer,
            presence=stores.presence,
            clock=self._clock,
            tasks=self._tasks,
            worker=stores.worker,
            server=ServerFacts("codraw", __version__, settings.durability_held, round(rules.heartbeat_s)),
            bus=stores.bus,
            seal=Seal(secret(settings), stores.worker),
            tally=tally,
        )
        self._rooms = Rooms(ports, rules)
        self._guard = Guard(self._accounts, self._clock, settings.access_token_seconds)
        self._keeper = Keeper(self._rooms, ports, Intervals())
        self._head_watch = HeadWatch(self._rooms, ports, Looks())
        self._sealing = Sealing(secrets_known(settings))
        self._deliveries = delivering(settings, stores, self._sealing, now_ms, self._tasks)
        self.http = AccessLog(application(self._rest()))
        self.socket = self._endpoint(tally)
        self.metrics = Metrics(tally, stores, self._health, self.http.requests, self._rooms.open_rooms)

    def start(self) -> None:
        self._tasks.start("guard", self._guard.run())
        self._tasks.start("keeper", self._keeper.run())
        if self._settings.postgres:
            self._tasks.start("head watch", self._head_watch.run())
        self._tasks.start("health", self._health.run())
        self._tasks.start("webhooks", self._deliveries.run())
        if self._stores.roll is not None:
            self._tasks.start("roll", self._stores.roll.run())

    def drain(self) -> asyncio.Task[None]:
        """Nobody is let in any more; what was read gets its outcome, and whoever is here is sent away to return."""
        self._health.draining = self.socket.draining = True
        if self._drain is None:
            self._drain = self._tasks.start("drain", self._send_away())
        return self._drain

    async def close(self) -> None:
        await self.drain()
        await self._tasks.close()
        await self._stores.close()

    async def _send_away(self) -> None:
        leaving = []
        for n, rooms in enumerate(slices(self._rooms.open_rooms(), lambda room: len(room.fanout))):
            if n:
                await asyncio.sleep(SLICE_S)
            # Not waited for: a room may wait for its store, and the others need not wait for it.
            leaving += [self._tasks.start(f"close {room.diagram}", room.close()) for room in rooms]
        if leaving:
            await asyncio.wait(leaving)
        await self._rooms.close()

    def _endpoint(self, tally: Tally) -> Endpoint:
        settings = self._settings
        rules = Rules(
            origins=Origins.of(settings.allowed_origins, settings.development),
            public_url=settings.public_url,
            require_origin=settings.require_origin,
            query_token=settings.query_token,
            token_alone=TMI_APP if settings.api_profile == "tmi" else CLASSIC,
        )
        handshake = Handshake(rules, self._tokens.verify, self._sessions, self._authorizer, self._accounts, self._clock)
        return Endpoint(handshake, self._rooms, self._guard, self._tasks, self._clock, settings.limits(), tally)

    def _rest(self) -> RestDependencies:
        settings = self._settings
        return RestDependencies(
            front=self._front(),
            models=self._models,
            accounts=self._accounts,
            sessions=self._sessions,
            authorizer=self._authorizer,
            rooms=self._rooms,
            tokens=self._tokens,
            now_ms=self._clock.wall_ms,
            trail=SqlTrail(self._stores.database),
            oauth=OAuth(
                providers=providers(settings),
                sealing_key=hmac.digest(secret(settings), SEALING, "sha256"),
                refresh_s=settings.refresh_token_seconds,
                login_s=settings.login_seconds,
                callbacks=frozenset(settings.oauth_callbacks),
                excused=frozenset(settings.oauth_clients_without_pkce),
                admins=frozenset(settings.admin_groups),
                reviewers=frozenset(settings.reviewer_groups),
            ),
            origins=Origins.of(settings.allowed_origins, settings.development),
            limits=settings.limits(),
            rates=self._stores.rates,
            quotas=quotas(settings),
            forms=PROFILES[settings.api_profile],
            public_url=settings.public_url,
            development=settings.development,
            ticket_s=settings.ticket_seconds,
            webhooks=asked_for(settings, self._stores, self._sealing, self._clock.wall_ms),
        )

    def _front(self) -> Front:
        settings = self._settings
        return Front(
            build=build_number(__version__),
            dialects=tuple(DIALECTS),
            limits=msgspec.structs.asdict(settings.limits()),
            durability=settings.durability_held,
            store="postgresql" if settings.postgres else "sqlite",
            bus="redis" if settings.bus_url else "memory",
            workers=lambda: self._stores.roll.alive if self._stores.roll is not None else 1,
            status_word="ok" if settings.api_profile == "tmi" else "OK",
            public_url=settings.public_url,
            documents={name: path for name in DOCUMENTS if (path := asset(name))},
            now=lambda: datetime.now(UTC),
            readiness=self._health.readiness,
            web=asset("web"),
            messages=partial(written, page, wire) if (wire := asset("asyncapi.yml")) else None,
            calls=partial(written, index, calls) if (calls := asset("openapi.yml")) else None,
            reader=reader_page if importlib.util.find_spec("offapi") else None,
        )


def slices(rooms: Sequence[R], sockets: Callable[[R], int]) -> Iterator[list[R]]:
    """At most SLICES of about as many sockets each; few sockets are one slice. Those of a room leave together."""
    size = max(SLICE_SOCKETS, sum(map(sockets, rooms)) / SLICES)
    slice_: list[R] = []
    for room in rooms:
        slice_.append(room)
        if sum(map(sockets, slice_)) >= size:
            yield slice_
            slice_ = []
    if slice_:
        yield slice_


def secret(settings: Settings) -> bytes:
    if settings.secret_key is None:
        raise ValueError("the settings have no secret: with_secret comes first")
    return settings.secret_key.get_secret_value().encode()


def providers(settings: Settings) -> Sequence[Provider]:
    """The test provider first: where it is there, it is the one that need not be named."""
    tests = for_development() if settings.development else ()
    return (*tests, *(provider(entry) for entry in settings.oidc_providers))


def provider(entry: OidcProvider) -> Provider:
    secret = entry.client_secret
    openid = OpenId(
        issuer=entry.issuer,
        client_id=entry.client_id,
        client_secret=secret.get_secret_value() if secret else None,
        scopes=entry.scopes,
        groups_claim=entry.groups_claim,
        trusts_email=entry.trust_email,
        email_domains=frozenset(entry.email_domains),
    )
    return Provider(entry.id, entry.name, entry.icon, openid=openid)


def tokens(settings: Settings, clock: SystemClock) -> Tokens:
    issuer = settings.public_url or "codraw"
    return Tokens(
        keys=signing_keys(settings, secret(settings)),
        issuer=issuer,
        audience=issuer,
        now_ms=clock.wall_ms,
        lifetime_s=settings.access_token_seconds,
    )


def secrets_known(settings: Settings) -> Sequence[bytes]:
    """The one that counts, and the former one."""
    former = settings.secret_key_previous
    return (secret(settings), *((former.get_secret_value().encode(),) if former else ()))


def ages(settings: Settings) -> Ages:
    return Ages(
        first_socket=settings.session_first_socket_seconds * 1_000,
        empty=settings.session_empty_seconds * 1_000,
        idle=settings.session_idle_seconds * 1_000,
    )


def quotas(settings: Settings) -> Quotas:
    if not settings.rates_limited:
        return Quotas()
    return Quotas(
        reads=settings.reads_per_minute,
        writes=settings.writes_per_minute,
        joins=settings.joins_per_minute,
        webhooks=settings.webhooks_per_minute,
        sign_ins=settings.sign_ins_per_minute,
        failed_sign_ins=settings.failed_sign_ins_per_minute,
    )


def room_settings(settings: Settings) -> RoomSettings:
    return RoomSettings(
        limits=settings.limits(),
        host_grace_s=settings.host_grace_seconds,
        host_leave_ends=settings.host_leave_ends,
        shared_undo=settings.undo_scope == "session",
        store_patience_s=settings.store_patience_seconds,
    )


def written(page: Callable[[Any], str], document: Path) -> str:
    """A file that came with the program does not change while it runs."""
    # A cache alone has all of the first callers parse it, and anybody may call.
    with _RENDERING:
        return _written(page, document)


@cache
def _written(page: Callable[[Any], str], document: Path) -> str:
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    return page(yaml.load(document.read_text("utf-8"), loader))  # noqa: S506 - both are the safe one


def reader_page() -> tuple[str, str]:
    with _RENDERING:
        return _reader_page()


@cache
def _reader_page() -> tuple[str, str]:
    # It holds megabytes of other people's scripts: not before somebody wants to see it.
    return reader(importlib.import_module("offapi").OpenAPITemplate.SWAGGER.value)


def build_number(version: str) -> str:
    """`1.2.3` of `1.2.3.dev4`: TMI's app splits it at the dots and reads three numbers."""
    found = re.match(r"\d+\.\d+\.\d+", version)
    return found.group() if found else "0.0.0"

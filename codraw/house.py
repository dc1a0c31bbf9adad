"""Everything that lives while the server runs, joined: stores, rooms, both edges, and what happens by itself."""

from __future__ import annotations

import asyncio
import re
import secrets
import threading
from datetime import UTC, datetime
from functools import cache, partial
from pathlib import Path

import msgspec
import yaml
from starlette.types import ASGIApp

from codraw import __version__
from codraw.access_log import AccessLog
from codraw.assets import asset
from codraw.clock import SystemClock
from codraw.settings import Settings
from collab.access.guard import Guard
from collab.access.origins import Origins
from collab.access.tokens import Tokens
from collab.core.state import RoomSettings
from collab.endpoint import Endpoint
from collab.handshake import Handshake, Rules
from collab.keeper import Intervals, Keeper
from collab.ports import StoreUnavailable
from collab.room_task import RoomPorts
from collab.rooms import Rooms
from collab.tasks import Tasks
from protocol.dialects import CLASSIC, DIALECTS, TMI_APP
from protocol.notices import ServerFacts
from rest.dependencies import OAuth, RestDependencies
from rest.front import Front, Readiness
from rest.oauth.providers import for_development
from rest.routes import application
from rest.views import PROFILES
from rest.wire_page import page
from storage.accounts import SqlAccounts
from storage.database import Database
from storage.diagrams import SqlDiagrams
from storage.migrations.migrate import migrate
from storage.models import SqlModels
from storage.presence_memory import MemoryPresence
from storage.rights import SqlAuthorizer
from storage.session_rules import Ages
from storage.sessions import SqlSessions
from storage.sqlite import SqliteDatabase, sqlite_path

DURABILITY = "disk"
DOCUMENTS = ("openapi.yml", "asyncapi.yml")
_RENDERING = threading.Lock()


async def open_store(settings: Settings) -> Database:
    """Brought to this version's schema. Raises StoreRefused."""
    database = SqliteDatabase(sqlite_path(settings.store_url))
    try:
        await migrate(database)
    except BaseException:
        await database.close()
        raise
    return database


class House:
    """`http` and `socket` are the ASGI applications of the two edges. Needs a running event loop."""

    def __init__(self, settings: Settings, database: Database) -> None:
        self._settings = settings
        self._database = database
        self._tasks = Tasks()
        self._draining = False
        self._clock = SystemClock()
        self._tokens = tokens(settings, self._clock)
        self._accounts = SqlAccounts(database)
        self._sessions = SqlSessions(database, ages=ages(settings))
        self._authorizer = SqlAuthorizer(database)
        self._store = SqlDiagrams(database)
        rules = room_settings(settings)
        ports = RoomPorts(
            store=self._store,
            sessions=self._sessions,
            authorizer=self._authorizer,
            presence=MemoryPresence(),
            clock=self._clock,
            tasks=self._tasks,
            worker=secrets.token_hex(4),
            server=ServerFacts("codraw", __version__, DURABILITY, round(rules.heartbeat_s)),
        )
        self._rooms = Rooms(ports, rules)
        self._guard = Guard(self._accounts, self._clock)
        self._keeper = Keeper(self._rooms, ports, Intervals())
        self.http: ASGIApp = AccessLog(application(self._rest()))
        self.socket = self._endpoint()

    def start(self) -> None:
        self._tasks.start("guard", self._guard.run())
        self._tasks.start("keeper", self._keeper.run())

    def drain(self) -> asyncio.Task[None]:
        """Nobody is let in any more; what was read gets its outcome, and whoever is here is sent away to return."""
        self._draining = self.socket.draining = True
        return self._tasks.start("drain", self._rooms.close())

    async def close(self) -> None:
        await self.drain()
        await self._tasks.close()
        await self._database.close()

    def _endpoint(self) -> Endpoint:
        settings = self._settings
        rules = Rules(
            origins=Origins.of(settings.allowed_origins, settings.development),
            public_url=settings.public_url,
            require_origin=settings.require_origin,
            query_token=settings.query_token,
            token_alone=TMI_APP if settings.api_profile == "tmi" else CLASSIC,
        )
        handshake = Handshake(rules, self._tokens.verify, self._sessions, self._authorizer, self._accounts, self._clock)
        return Endpoint(handshake, self._rooms, self._guard, self._tasks, self._clock, settings.limits())

    def _rest(self) -> RestDependencies:
        settings = self._settings
        return RestDependencies(
            front=self._front(),
            models=SqlModels(self._database),
            accounts=self._accounts,
            sessions=self._sessions,
            authorizer=self._authorizer,
            rooms=self._rooms,
            tokens=self._tokens,
            now_ms=lambda: self._clock.now().wall_ms,
            oauth=OAuth(
                providers=for_development() if settings.development else (),
                refresh_s=settings.refresh_token_seconds,
            ),
            origins=Origins.of(settings.allowed_origins, settings.development),
            limits=settings.limits(),
            forms=PROFILES[settings.api_profile],
            public_url=settings.public_url,
            development=settings.development,
            ticket_s=settings.ticket_seconds,
        )

    def _front(self) -> Front:
        settings = self._settings
        return Front(
            build=build_number(__version__),
            dialects=tuple(DIALECTS),
            limits=msgspec.structs.asdict(settings.limits()),
            durability=DURABILITY,
            status_word="ok" if settings.api_profile == "tmi" else "OK",
            public_url=settings.public_url,
            documents={name: path for name in DOCUMENTS if (path := asset(name))},
            now=lambda: datetime.now(UTC),
            readiness=self._ready,
            web=asset("web"),
            messages=partial(wire_page, wire) if (wire := asset("asyncapi.yml")) else None,
        )

    async def _ready(self) -> Readiness:
        """The schema is this version's, or the house would not stand; news needs no bus with one worker."""
        try:
            await self._store.heads(())
        except StoreUnavailable:
            return Readiness(store="down", bus="ok", schema="ok", draining=self._draining)
        return Readiness(store="ok", bus="ok", schema="ok", draining=self._draining)


def tokens(settings: Settings, clock: SystemClock) -> Tokens:
    secret = settings.secret_key
    if secret is None:
        raise ValueError("the settings have no secret: with_secret comes first")
    issuer = settings.public_url or "codraw"
    return Tokens(
        key=secret.get_secret_value().encode(),
        issuer=issuer,
        audience=issuer,
        now_ms=lambda: clock.now().wall_ms,
        lifetime_s=settings.access_token_seconds,
    )


def ages(settings: Settings) -> Ages:
    return Ages(
        first_socket=settings.session_first_socket_seconds * 1_000,
        empty=settings.session_empty_seconds * 1_000,
        idle=settings.session_idle_seconds * 1_000,
    )


def room_settings(settings: Settings) -> RoomSettings:
    return RoomSettings(
        limits=settings.limits(),
        host_grace_s=settings.host_grace_seconds,
        host_leave_ends=settings.host_leave_ends,
        shared_undo=settings.undo_scope == "session",
    )


def wire_page(document: Path) -> str:
    """A file that came with the program does not change while it runs."""
    # A cache alone has all of the first callers parse it, and anybody may call.
    with _RENDERING:
        return _rendered(document)


@cache
def _rendered(document: Path) -> str:
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    return page(yaml.load(document.read_text("utf-8"), loader))  # noqa: S506 - both are the safe one


def build_number(version: str) -> str:
    """`1.2.3` of `1.2.3.dev4`: TMI's app splits it at the dots and reads three numbers."""
    found = re.match(r"\d+\.\d+\.\d+", version)
    return found.group() if found else "0.0.0"

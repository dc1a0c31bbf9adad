"""The composition root: builds the ASGI application from the settings; it alone knows everybody."""

from __future__ import annotations

import re
from datetime import UTC, datetime

import msgspec
from starlette.types import ASGIApp, Receive, Scope, Send

from codraw import __version__
from codraw.access_log import AccessLog
from codraw.assets import asset
from codraw.settings import Settings
from rest.front import Front, Readiness
from rest.routes import application

DIALECTS = ("classic", "tmi", "codraw.v1")
DOCUMENTS = ("openapi.yml", "asyncapi.yml")
PAGES = {"server": "/", "health": "/healthz"}
"""What the banner of `codraw serve` points at; only what is there."""


class App:
    """WebSocket scopes go to the bare ASGI edge, everything else to Starlette."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.http: ASGIApp = AccessLog(application(front(settings)))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "websocket":
            await refuse_socket(receive, send)
        else:
            await self.http(scope, receive, send)


def front(settings: Settings) -> Front:
    return Front(
        build=build_number(__version__),
        dialects=DIALECTS,
        limits=msgspec.structs.asdict(settings.limits()),
        durability="disk",
        status_word="ok" if settings.api_profile == "tmi" else "OK",
        public_url=settings.public_url,
        documents={name: path for name in DOCUMENTS if (path := asset(name))},
        now=lambda: datetime.now(UTC),
        readiness=ready,
    )


async def ready() -> Readiness:
    return Readiness(store="ok", bus="ok", schema="ok", draining=False)


def build_number(version: str) -> str:
    """`1.2.3` of `1.2.3.dev4`: TMI's app splits it at the dots and reads three numbers."""
    found = re.match(r"\d+\.\d+\.\d+", version)
    return found.group() if found else "0.0.0"


async def refuse_socket(receive: Receive, send: Send) -> None:
    """No room opens yet; closing before the accept is an HTTP refusal."""
    await receive()
    await send({"type": "websocket.close", "code": 4404, "reason": ""})

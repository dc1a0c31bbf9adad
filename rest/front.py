"""What is answered without a login: what this server is, whether it lives, whether it is ready."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import Literal

from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, PlainTextResponse, Response

from rest.problems import not_found

API_VERSION = "1.0"
State = Literal["ok", "degraded", "down"]


@dataclass(frozen=True, slots=True)
class Readiness:
    store: State
    bus: State
    schema: State
    draining: bool

    @property
    def ready(self) -> bool:
        """A lost bus only delays news; without the store nothing can be promised."""
        return self.store == "ok" and self.schema == "ok" and not self.draining


@dataclass(frozen=True, slots=True)
class Front:
    """The facts; everything that is known only while running is asked for when a request comes."""

    build: str
    dialects: Sequence[str]
    limits: Mapping[str, int]
    durability: str
    status_word: str
    public_url: str | None
    documents: Mapping[str, Path]
    now: Callable[[], datetime]
    readiness: Callable[[], Awaitable[Readiness]]

    async def root(self, request: Request) -> Response:
        base = self.public_url or str(request.base_url).rstrip("/")
        return JSONResponse(
            {
                "status": {"code": self.status_word, "time": timestamp(self.now())},
                "service": {"name": "codraw", "build": self.build},
                "api": {"version": API_VERSION, "specification": f"{base}/openapi.yml"},
                "dialects": list(self.dialects),
                "limits": dict(self.limits),
                "durability": self.durability,
            },
            headers={"Cache-Control": "no-store"},
        )

    async def healthz(self, _: Request) -> Response:
        """That this is answered at all is the news: the loop turns."""
        return PlainTextResponse("ok\n")

    async def readyz(self, _: Request) -> Response:
        now = await self.readiness()
        return JSONResponse(asdict(now), 200 if now.ready else 503, {} if now.ready else {"Retry-After": "1"})

    async def document(self, request: Request) -> Response:
        path = self.documents.get(request.url.path.removeprefix("/"))
        if path is None:
            raise not_found()
        return FileResponse(path, media_type="application/yaml")


def timestamp(moment: datetime) -> str:
    """RFC 3339 in UTC, to the second; `moment` is in UTC."""
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")

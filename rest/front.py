"""What is answered without a login: what this server is, whether it lives, whether it is ready."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import Literal

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import FileResponse, HTMLResponse, JSONResponse, PlainTextResponse, Response

from rest.problems import not_found

API_VERSION = "1.0.0"
State = Literal["ok", "degraded", "down"]
SERVED = frozenset((".html", ".js", ".css", ".svg", ".png", ".ts"))
MEDIA = {".js": "text/javascript", ".ts": "text/plain", ".svg": "image/svg+xml"}
"""Where the machine's own table cannot be trusted."""
ALWAYS_SAID = ("store", "bus", "schema", "draining")
"""Of readiness; the rest where there is something to say."""
NOT_SERVED = frozenset(("tests", "node_modules"))
READING_POLICY = (
    "default-src 'none'; style-src 'self'; img-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
"""Of a page that is only read."""


@dataclass(frozen=True, slots=True)
class Readiness:
    store: State
    bus: State
    schema: State
    draining: bool
    clock: State = "ok"
    """Degraded: this machine's and the store's are far apart."""
    workers: State = "ok"
    """Down: there is another worker that this one cannot exchange news with."""

    @property
    def ready(self) -> bool:
        """A lost bus only delays news; without the store nothing can be promised."""
        return self.store == self.schema == "ok" and self.workers != "down" and not self.draining


@dataclass(frozen=True, slots=True)
class Front:
    """The facts; everything that is known only while running is asked for when a request comes."""

    build: str
    dialects: Sequence[str]
    limits: Mapping[str, int]
    durability: str
    store: str
    bus: str
    workers: Callable[[], int]
    """How many serve this store now."""
    status_word: str
    public_url: str | None
    documents: Mapping[str, Path]
    now: Callable[[], datetime]
    readiness: Callable[[], Awaitable[Readiness]]
    web: Path | None = None
    """The folder with the page at `/` and its modules."""
    messages: Callable[[], str] | None = None
    """The page of asyncapi.yml; it may take a moment, and is asked for in a thread."""
    calls: Callable[[], str] | None = None
    """The page of openapi.yml, likewise."""
    reader: Callable[[], tuple[str, str]] | None = None
    """The page in which the calls can be tried, and the content policy that it needs."""

    async def root(self, request: Request) -> Response:
        base = self.public_url or str(request.base_url).rstrip("/")
        if self.web is not None and prefers_html(request.headers.get("accept", "")):
            return self._page(self.web / "playground" / "index.html", base)
        return JSONResponse(
            {
                "status": {"code": self.status_word, "time": timestamp(self.now())},
                "service": {"name": "codraw", "build": self.build},
                "api": {"version": API_VERSION, "specification": f"{base}/openapi.yml"},
                "dialects": list(self.dialects),
                "limits": dict(self.limits),
                "durability": self.durability,
                "store": self.store,
                "bus": self.bus,
                "workers": self.workers(),
            },
            headers={"Cache-Control": "no-store", "Vary": "Accept"},
        )

    async def file(self, request: Request) -> Response:
        found = self._inside(request.path_params["path"])
        if found is None:
            raise not_found()
        return self._page(found, self.public_url or str(request.base_url).rstrip("/"))

    def _inside(self, path: str) -> Path | None:
        """A file that the page is made of, and nothing beside the folder."""
        if self.web is None or "\0" in path:
            return None
        try:
            found = (self.web / path).resolve(strict=True)
        except OSError:
            # Not there, or a name longer than a file can have.
            return None
        inside = found.relative_to(self.web.resolve()).parts if found.is_relative_to(self.web.resolve()) else ()
        hidden = any(part.startswith(".") or part in NOT_SERVED for part in inside)
        return found if inside and not hidden and found.suffix in SERVED and found.is_file() else None

    def _page(self, path: Path, base: str) -> Response:
        # Not every browser counts the socket of the same host as 'self'.
        policy = (
            f"default-src 'self'; connect-src 'self' ws{base.removeprefix('http')}; object-src 'none'; "
            "base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
        )
        kept = {"Cache-Control": "no-cache", "Content-Security-Policy": policy, "Vary": "Accept"}
        return FileResponse(path, headers=kept, media_type=MEDIA.get(path.suffix))

    async def docs_page(self, _: Request) -> Response:
        return await _to_read(self.calls)

    async def wire_page(self, _: Request) -> Response:
        return await _to_read(self.messages)

    async def reader_page(self, _: Request) -> Response:
        if self.reader is None:
            raise not_found()
        html, policy = await run_in_threadpool(self.reader)
        return HTMLResponse(html, headers={"Cache-Control": "no-cache", "Content-Security-Policy": policy})

    async def healthz(self, _: Request) -> Response:
        """That this is answered at all is the news: the loop turns."""
        return PlainTextResponse("ok\n")

    async def readyz(self, _: Request) -> Response:
        return readiness_answer(await self.readiness())

    async def document(self, request: Request) -> Response:
        path = self.documents.get(request.scope["path"].removeprefix("/"))
        if path is None:
            raise not_found()
        return FileResponse(path, media_type="application/yaml")


async def _to_read(page: Callable[[], str] | None) -> Response:
    if page is None:
        raise not_found()
    kept = {"Cache-Control": "no-cache", "Content-Security-Policy": READING_POLICY}
    return HTMLResponse(await run_in_threadpool(page), headers=kept)


def readiness_answer(now: Readiness) -> Response:
    said = {name: value for name, value in asdict(now).items() if value != "ok" or name in ALWAYS_SAID}
    return JSONResponse(said, 200 if now.ready else 503, {} if now.ready else {"Retry-After": "1"})


def prefers_html(accept: str) -> bool:
    """A browser names text/html and likes it best; a program names JSON, or takes anything."""
    weights: dict[str, float] = {}
    for part in accept.lower().split(","):
        kind, _, parameters = part.strip().partition(";")
        weights[kind.strip()] = _weight(parameters)
    json = next((weights[kind] for kind in ("application/json", "application/*", "*/*") if kind in weights), 0.0)
    return weights.get("text/html", 0.0) > json


def _weight(parameters: str) -> float:
    found = re.search(r"(?:^|;)\s*q=([01](?:\.[0-9]{0,3})?)\s*(?:;|$)", parameters)
    return float(found[1]) if found else 1.0


def timestamp(moment: datetime) -> str:
    """RFC 3339 in UTC, to the second; `moment` is in UTC."""
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")

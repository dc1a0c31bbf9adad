"""What is answered without a login: what this server is, whether it lives, whether it is ready."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import Literal

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, PlainTextResponse, Response

from rest.negotiation import prefers_html
from rest.pages import SMALL_PAGE, first_page, inside, served
from rest.problems import not_found

API_VERSION = "1.0.0"
State = Literal["ok", "degraded", "down"]
ALWAYS_SAID = ("store", "bus", "schema", "draining")
"""Of readiness; the rest where there is something to say."""
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
        base = self._base(request)
        if self.web is not None and prefers_html(request.headers.get("accept", "")):
            return await served(request, first_page(self.web), policy(base), "Accept, Accept-Encoding")
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

    async def playground(self, request: Request) -> Response:
        """The page that needs no build."""
        return await self._file(request, SMALL_PAGE)

    async def file(self, request: Request) -> Response:
        return await self._file(request, request.path_params["path"])

    async def _file(self, request: Request, path: str) -> Response:
        found = inside(self.web, path) if self.web is not None else None
        if found is None:
            raise not_found()
        return await served(request, found, policy(self._base(request)))

    def _base(self, request: Request) -> str:
        return self.public_url or str(request.base_url).rstrip("/")

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
        return await served(request, path, READING_POLICY)


async def _to_read(page: Callable[[], str] | None) -> Response:
    if page is None:
        raise not_found()
    kept = {"Cache-Control": "no-cache", "Content-Security-Policy": READING_POLICY}
    return HTMLResponse(await run_in_threadpool(page), headers=kept)


def readiness_answer(now: Readiness) -> Response:
    said = {name: value for name, value in asdict(now).items() if value != "ok" or name in ALWAYS_SAID}
    return JSONResponse(said, 200 if now.ready else 503, {} if now.ready else {"Retry-After": "1"})


def policy(base: str) -> str:
    """Of a page that is worked with. `blob:` is for thumbnails and exports, `data:` for the grid that X6 draws."""
    return (
        # Not every browser counts the socket of the same host as 'self'.
        f"default-src 'self'; connect-src 'self' ws{base.removeprefix('http')}; object-src 'none'; "
        "img-src 'self' data: blob:; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
    )


def timestamp(moment: datetime) -> str:
    """RFC 3339 in UTC, to the second; `moment` is in UTC."""
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")

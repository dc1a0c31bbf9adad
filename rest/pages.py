"""The files a page is made of: found in one folder, compressed once, named by what they hold (RFC 9110, 8.8.3)."""

from __future__ import annotations

import gzip
import hashlib
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response

from rest.negotiation import accepts_gzip

MEDIA = {
    ".html": "text/html",
    ".js": "text/javascript",
    ".css": "text/css",
    ".json": "application/json",
    ".svg": "image/svg+xml",
    ".png": "image/png",
    ".ts": "text/plain",
    ".txt": "text/plain",
    ".yml": "application/yaml",
}
"""What is served at all. The machine's own table of types cannot be trusted."""
NOT_SERVED = frozenset(("tests", "node_modules", "package.json", "package-lock.json", "build.js"))
PACKED_ALREADY = frozenset((".png",))
EDITOR = ("editor/index.html", "vendor/x6.min.js")
SMALL_PAGE = "playground/index.html"
FILES_KEPT = 512
FOR_GOOD = "public, max-age=31536000, immutable"
"""Of an address that names what it holds, by hash. A version would not do: while an upgrade is rolled out, the new page
asks an old worker too, and what that one has would be kept for a year under the new name."""
ASK_AGAIN = "no-cache"


@dataclass(frozen=True, slots=True)
class Packed:
    body: bytes
    shorter: bytes | None
    """With gzip, where that is shorter."""
    tag: str


def first_page(web: Path) -> Path:
    """The editor where it was built; it may be built while the server runs."""
    page, library = (web / name for name in EDITOR)
    return page if library.is_file() and page.is_file() else web / SMALL_PAGE


def inside(web: Path, path: str) -> Path | None:
    """A file that a page is made of, and nothing beside the folder."""
    if "\0" in path:
        return None
    try:
        found, folder = (web / path).resolve(strict=True), web.resolve()
    except OSError:
        # Not there, or a name longer than a file can have.
        return None
    parts = found.relative_to(folder).parts if found.is_relative_to(folder) else ()
    hidden = any(part.startswith(".") or part in NOT_SERVED for part in parts)
    return found if parts and not hidden and found.suffix in MEDIA and found.is_file() else None


async def served(request: Request, file: Path, policy: str, vary: str = "Accept-Encoding") -> Response:
    """`policy`: the content policy of a page; what pages are made of has the one that everything has.

    A 304 repeats it, since a browser gives what it keeps the headers of the 304.
    """
    packed = await run_in_threadpool(_current, file)
    short = packed.shorter is not None and accepts_gzip(request.headers.get("accept-encoding", ""))
    tag = f'"{packed.tag}-gzip"' if short else f'"{packed.tag}"'
    headers = {
        "Cache-Control": FOR_GOOD if request.query_params.get("v") == packed.tag else ASK_AGAIN,
        "ETag": tag,
        "Vary": vary,
        **({"Content-Security-Policy": policy} if file.suffix == ".html" else {}),
    }
    if _names(request.headers.get("if-none-match", ""), tag):
        return Response(status_code=304, headers=headers)
    if short:
        headers["Content-Encoding"] = "gzip"
    return Response(packed.shorter if short else packed.body, headers=headers, media_type=MEDIA[file.suffix])


def _current(file: Path) -> Packed:
    known = file.stat()
    return _packed(file, known.st_mtime_ns, known.st_size)


@lru_cache(maxsize=FILES_KEPT)
def _packed(file: Path, _changed_ns: int, _size: int) -> Packed:
    """Once for each version of a file: the largest takes 30 ms, and all of them together less than 2 MB."""
    body = file.read_bytes()
    shorter = None if file.suffix in PACKED_ALREADY else gzip.compress(body, mtime=0)
    return Packed(
        body,
        shorter if shorter is not None and len(shorter) < len(body) else None,
        hashlib.sha256(body).hexdigest()[:32],
    )


def _names(if_none_match: str, tag: str) -> bool:
    """Compared weakly (RFC 9110, 13.1.2)."""
    given = [one.strip().removeprefix("W/") for one in if_none_match.split(",")]
    return tag in given or "*" in given

"""Runs the application under uvicorn, and says what runs where."""

from __future__ import annotations

import socket
from collections.abc import Callable

import uvicorn

from codraw import __version__
from codraw.app import PAGES, App
from codraw.logs import configure
from codraw.settings import Settings


class Server(uvicorn.Server):
    """Calls `listening` once connections are taken: the banner must not promise what is not there yet."""

    def __init__(self, config: uvicorn.Config, listening: Callable[[int], None]) -> None:
        super().__init__(config)
        self.listening = listening

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.listening(self.servers[0].sockets[0].getsockname()[1])


def run(settings: Settings, say: Callable[[str], None]) -> None:
    """Returns when the server was told to stop."""
    configure(settings.log_level)
    server = Server(uvicorn_config(settings), lambda port: say(banner(settings, port)))
    try:
        server.run()
    except KeyboardInterrupt:
        # uvicorn has drained and raises Ctrl-C again; a traceback would look like a failure.
        return


def uvicorn_config(settings: Settings) -> uvicorn.Config:
    return uvicorn.Config(
        App(settings),
        host=settings.host,
        port=settings.port,
        http="httptools",
        ws="websockets-sansio",
        ws_max_size=settings.max_frame_bytes,
        ws_per_message_deflate=False,
        ws_ping_interval=20.0,
        ws_ping_timeout=20.0,
        log_config=None,
        access_log=False,
        server_header=False,
        lifespan="on",
    )


def banner(settings: Settings, port: int) -> str:
    base = settings.public_url or f"http://{_in_url(settings.host)}:{port}"
    plural = "" if settings.workers == 1 else "s"
    lines = [
        f"codraw {__version__}  {settings.mode}  store sqlite {settings.sqlite_path} (durability disk)"
        f"  bus memory  {settings.workers} worker{plural}"
    ]
    lines += [f"  {name:<9}{base}{path}" for name, path in PAGES.items()]
    return "\n".join(lines)


def _in_url(host: str) -> str:
    """A host one can click: the wildcard addresses are not, and IPv6 stands in brackets."""
    if host in ("0.0.0.0", "::", ""):  # noqa: S104 - compared, not bound
        return "127.0.0.1"
    return f"[{host}]" if ":" in host else host

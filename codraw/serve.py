"""Runs the application under uvicorn, and says what runs where."""

from __future__ import annotations

import asyncio
import logging
import socket
import time
from collections.abc import Callable
from types import FrameType

import uvicorn

from codraw import __version__
from codraw.app import PAGES, App
from codraw.fastws import SocketProtocol
from codraw.logs import configure
from codraw.settings import Settings

DRAIN_S = 15.0
"""After so long the process ends anyway: nothing depends on a clean end."""
CUT_S = 5
"""So long requests still under way may take after that."""


class Server(uvicorn.Server):
    """Calls `listening` once connections are taken: the banner must not promise what is not there yet."""

    def __init__(self, config: uvicorn.Config, app: App, listening: Callable[[int], None]) -> None:
        super().__init__(config)
        self.app = app
        self.listening = listening

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.listening(self.servers[0].sockets[0].getsockname()[1])

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """The first signal drains, a second ends at once. Raised again, as by uvicorn, it would look like a failure."""
        self.force_exit = self.should_exit
        self.should_exit = True

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """First the application sends its sockets away, after their outcomes: uvicorn would close them all at once."""
        drain = self.app.house.drain() if self.app.house is not None else None
        give_up_s = time.monotonic() + DRAIN_S
        while not self.force_exit and time.monotonic() < give_up_s:
            # `tasks` are the requests and sockets under way, which end by themselves once they are sent away.
            if (drain is None or drain.done()) and not self.server_state.tasks:
                break
            await asyncio.sleep(0.02)
        await super().shutdown(sockets)


def run(settings: Settings, say: Callable[[str], None]) -> str | None:
    """Returns when the server was told to stop, or at once with the sentence that says why it cannot start."""
    configure(settings.log_level)
    try:
        listener = listen(settings.host, settings.port)
    except OSError as error:
        why = str(error.strerror).partition(" (")[0]
        return f"The server cannot listen on {settings.host}, port {settings.port} ({why})."
    app = App(settings)
    # Once the application has said why it cannot start, that uvicorn could not start it is no news.
    logging.getLogger("uvicorn.error").addFilter(lambda _: app.refusal is None)
    try:
        Server(uvicorn_config(app), app, lambda port: say(banner(settings, port))).run([listener])
    except SystemExit:
        return app.refusal or "The application could not start."
    return None


def listen(host: str, port: int) -> socket.socket:
    """Raises OSError, where uvicorn would log it and leave the process."""
    return socket.create_server((host, port), family=socket.AF_INET6 if ":" in host else socket.AF_INET, backlog=2048)


def uvicorn_config(app: App) -> uvicorn.Config:
    settings = app.settings
    return uvicorn.Config(
        app,
        http="httptools",
        ws=SocketProtocol,
        ws_max_size=settings.max_frame_bytes,
        ws_per_message_deflate=False,
        ws_ping_interval=settings.ping_seconds,
        ws_ping_timeout=settings.ping_seconds,
        log_config=None,
        access_log=False,
        server_header=False,
        lifespan="on",
        timeout_graceful_shutdown=CUT_S,
    )


def banner(settings: Settings, port: int) -> str:
    base = settings.public_url or f"http://{_in_url(settings.host)}:{port}"
    plural = "" if settings.workers == 1 else "s"
    lines = [
        f"codraw {__version__}  {settings.mode}  store sqlite {settings.sqlite_path} (durability disk)"
        f"  bus memory  {settings.workers} worker{plural}"
    ]
    lines += [f"  {name:<9}{base}{path}" for name, path in PAGES.items()]
    if settings.development:
        lines.append("  sign in  any name (test provider)")
    return "\n".join(lines)


def _in_url(host: str) -> str:
    """A host one can click: the wildcard addresses are not, and IPv6 stands in brackets."""
    if host in ("0.0.0.0", "::", ""):  # noqa: S104 - compared, not bound
        return "127.0.0.1"
    return f"[{host}]" if ":" in host else host

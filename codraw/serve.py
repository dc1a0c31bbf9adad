"""Runs the application under uvicorn, and says what runs where."""

from __future__ import annotations

import asyncio
import gc
import logging
import signal
import socket
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from types import FrameType

import uvicorn

from codraw import __version__
from codraw.app import PAGES, App
from codraw.fastws import SocketProtocol
from codraw.heap import give_back_large_blocks
from codraw.http_heads import HttpProtocol
from codraw.logs import configure
from codraw.metrics import Row, Show, unseen
from codraw.settings import Settings
from codraw.supervisor import supervise
from codraw.watchdog import Watchdog

DRAIN_S = 15.0
"""After so long the process ends anyway: nothing depends on a clean end."""
BACKLOG = 2_048
CUT_S = 5
"""So long requests still under way may take after that."""
SWITCH_S = 0.000_5
"""So long a store's thread waits for a busy event loop, a dozen times a commit. With Python's own 5 ms the loop made
twenty times as many turns until a batch was written."""
YOUNG = 5_000
"""So many new objects set off a collection. At Python's own 700 the collector looked at operations under way, which
are in no cycles, again and again: a fifteenth of what an operation costs. Ten such rounds are an older one, as ever."""


def prepare_process() -> None:
    """Threads, collector and heap as a server needs them."""
    sys.setswitchinterval(SWITCH_S)
    gc.set_threshold(YOUNG, *gc.get_threshold()[1:])
    give_back_large_blocks()


class Server(uvicorn.Server):
    """Calls `listening` once connections are taken: the banner must not promise what is not there yet."""

    def __init__(self, config: uvicorn.Config, app: App, listening: Callable[[int], None]) -> None:
        super().__init__(config)
        self.app = app
        self.listening = listening

    def serve_on(self, listener: socket.socket) -> str | None:
        """Returns when it was told to stop, or with the sentence that says why it cannot serve."""
        # Once the application has said why it cannot start, that uvicorn could not start it is no news.
        logging.getLogger("uvicorn.error").addFilter(lambda _: self.app.refusal is None)
        self.app.refused = self.leave
        prepare_process()
        try:
            self.run([listener])
        except SystemExit:
            return self.app.refusal or "The application could not start."
        return self.app.refusal

    def leave(self) -> None:
        self.should_exit = True

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.listening(self.servers[0].sockets[0].getsockname()[1])

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """The first signal drains, a second ends at once. Raised again, as by uvicorn, it would look like a failure."""
        self.force_exit = self.should_exit
        self.should_exit = True

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """First the application sends its sockets away, after their outcomes: uvicorn would close them all at once."""
        drain = self.app.drain()
        give_up_s = time.monotonic() + DRAIN_S
        while not self.force_exit and time.monotonic() < give_up_s:
            # These are the requests and sockets under way, which end by themselves once they are sent away.
            if (drain is None or drain.done()) and not (self.server_state.tasks or self._listened()):
                break
            await asyncio.sleep(0.02)
        else:
            # What did not end by itself is not waited for again.
            self.force_exit = True
        await super().shutdown(sockets)

    def _listened(self) -> bool:
        connections = self.server_state.connections
        return any(isinstance(connection, SocketProtocol) and connection.listened for connection in connections)


class OnlyServer(Server):
    """The one process of `codraw serve` without others."""

    def __init__(self, config: uvicorn.Config, app: App, listening: Callable[[int], None], show: Show) -> None:
        super().__init__(config, app, listening)
        self._show = show

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        # Where somebody may be at a debugger nobody would start another one.
        if not self.app.settings.development:
            self.app.tasks.start("watchdog", Watchdog().run())
        self._show(self._metrics)
        await super().startup(sockets)

    async def _metrics(self) -> Mapping[int, Sequence[Row] | None]:
        return {0: self.app.metrics()}


def run(settings: Settings, say: Callable[[str], None]) -> str | None:
    """Returns when the server was told to stop, or at once with the sentence that says why it cannot start."""
    configure(settings.log_level)
    try:
        listener, *others = listen(settings.host, settings.port, settings.workers)
    except OSError as error:
        return _taken(settings.host, settings.port, error)
    try:
        with shown(settings) as show:
            return _run(settings, (listener, *others), say, show)
    except MetricsPortTaken as taken:
        return str(taken)


@contextmanager
def shown(settings: Settings) -> Iterator[Show]:
    """The page of metrics, while there is one. Raises MetricsPortTaken."""
    if settings.metrics_port is None:
        yield unseen
        return
    # Here: who shows nothing need not have it in memory.
    from codraw.exposition import Exposition  # noqa: PLC0415

    try:
        page = Exposition(settings.metrics_host, settings.metrics_port)
    except OSError as error:
        raise MetricsPortTaken(_taken(settings.metrics_host, settings.metrics_port, error)) from None
    try:
        yield page.ask
    finally:
        page.close()


class MetricsPortTaken(Exception):
    """Says so in a sentence."""


def _taken(host: str, port: int, error: OSError) -> str:
    why = str(error.strerror).partition(" (")[0]
    return f"The server cannot listen on {host}, port {port} ({why})."


def _run(settings: Settings, listeners: Sequence[socket.socket], say: Callable[[str], None], show: Show) -> str | None:
    listener = listeners[0]
    port = listener.getsockname()[1]
    if settings.workers > 1:
        return supervise(settings, listeners, lambda processes: say(banner(settings, port, processes)), show)
    app = App(settings)
    server = OnlyServer(uvicorn_config(app), app, lambda port: say(banner(settings, port)), show)
    # The parent of several replaces them at this word. This one leaves as at SIGTERM, for whoever starts it again.
    if sys.platform != "win32" and signal.getsignal(signal.SIGHUP) == signal.SIG_DFL:
        signal.signal(signal.SIGHUP, lambda *_: server.leave())
    return server.serve_on(listener)


def listen(host: str, port: int, workers: int = 1) -> list[socket.socket]:
    """One socket for each worker where the system spreads connections over those of one port, else one for all.

    Raises OSError, where uvicorn would log it and leave the process.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    if workers == 1 or sys.platform != "linux":
        return [socket.create_server((host, port), family=family, backlog=BACKLOG)]
    if port:
        # Not shared, it is refused where somebody listens already; the shared ones would get half of his connections.
        socket.create_server((host, port), family=family).close()
    found: list[socket.socket] = []
    for _ in range(workers):
        at = found[0].getsockname()[1] if found else port
        found.append(socket.create_server((host, at), family=family, backlog=BACKLOG, reuse_port=True))
    return found


def uvicorn_config(app: App) -> uvicorn.Config:
    settings = app.settings
    return uvicorn.Config(
        app,
        http=HttpProtocol,
        ws=SocketProtocol,
        ws_max_size=settings.max_frame_bytes,
        ws_per_message_deflate=False,
        ws_ping_interval=settings.ping_seconds,
        ws_ping_timeout=settings.ping_seconds,
        log_config=None,
        access_log=False,
        server_header=False,
        # Said here, for uvicorn would ask the environment.
        proxy_headers=bool(settings.trusted_proxies),
        forwarded_allow_ips=list(settings.trusted_proxies),
        lifespan="on",
        timeout_graceful_shutdown=CUT_S,
    )


def banner(settings: Settings, port: int, processes: Sequence[int] = ()) -> str:
    base = settings.public_url or f"http://{_in_url(settings.host)}:{port}"
    plural = "" if settings.workers == 1 else "s"
    lines = [
        f"codraw {__version__}  {settings.mode}  store {settings.store_place} (durability {settings.durability_held})"
        f"  bus {settings.bus_place}  {settings.workers} worker{plural}"
    ]
    lines += [f"  {name:<9}{base}{path}" for name, path in PAGES.items()]
    ways = ["any name (test provider)"] if settings.development else []
    ways += [provider.name for provider in settings.oidc_providers]
    if ways:
        lines.append(f"  sign in  {', '.join(ways)}")
    if settings.metrics_port is not None:
        lines.append(f"  metrics  http://{_in_url(settings.metrics_host)}:{settings.metrics_port}/metrics")
    if processes:
        lines.append(f"  workers  {' '.join(map(str, processes))} (process ids)")
    return "\n".join(lines)


def _in_url(host: str) -> str:
    """A host one can click: the wildcard addresses are not, and IPv6 stands in brackets."""
    if host in ("0.0.0.0", ""):  # noqa: S104 - compared, not bound
        return "127.0.0.1"
    if host == "::":
        # nobody listens on IPv4 there
        return "[::1]"
    return f"[{host}]" if ":" in host else host

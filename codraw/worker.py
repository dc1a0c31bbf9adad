"""One worker of several: `python -m codraw.worker FD …` serves on the listening socket FD, and looks after the others'.

Standard input: a line with its settings and whether others serve already, then words (`drain`, `now`,
`metrics`); its end is the end of the parent. Standard output: a line for each report. Both in JSON.
"""

from __future__ import annotations

import asyncio
import json
import logging
import os
import signal
import socket
import sys
from collections.abc import Sequence
from contextlib import suppress
from functools import partial
from types import FrameType
from typing import Any

import structlog

from codraw.app import App
from codraw.logs import configure
from codraw.serve import Server, uvicorn_config
from codraw.settings import taken
from codraw.watchdog import Watchdog

log = logging.getLogger(__name__)

HELP_S = 0.05
"""Between two looks at the sockets of the others."""


class Worker(Server):
    """Drains at the word of its parent, at its end, and at SIGTERM. `others`: the sockets of the other workers."""

    others: Sequence[socket.socket] = ()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        self.app.tasks.start("watchdog", Watchdog().run())
        self.app.tasks.start("parent", self._obey())
        await super().startup(sockets)
        self.app.tasks.start("others", self._help_out())

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Ctrl-C goes to the whole group, and SIGTERM may: a second one from the parent would cut the drain short."""
        if sig != signal.SIGINT:
            self.leave()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        # The other workers take what comes now; and when the parent is gone, the next one may have the port.
        for server in self.servers:
            server.close()
        for listener in self.others:
            listener.close()
        await super().shutdown(sockets)

    async def _help_out(self) -> None:
        """Whoever has knocked at the socket of a worker that is dead or stopped does not wait for another one."""
        loop = asyncio.get_running_loop()
        while not self.should_exit:
            for listener in self.others:
                # One at a time: most of the time its worker lives, and takes them itself.
                with suppress(OSError):
                    connection, _ = listener.accept()
                    await loop.connect_accepted_socket(self._protocol, connection)
            await asyncio.sleep(HELP_S)

    def _protocol(self) -> asyncio.Protocol:
        """As uvicorn makes one for each connection."""
        protocol: asyncio.Protocol = self.config.http_protocol_class(  # type: ignore[call-arg]
            config=self.config, server_state=self.server_state, app_state=self.lifespan.state
        )
        return protocol

    async def _obey(self) -> None:
        reader = asyncio.StreamReader()
        await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
        while word := await reader.readline():
            match json.loads(word):
                case "metrics":
                    self._tell_metrics()
                case said:
                    self.force_exit = said == "now"
                    self.leave()
        if not self.should_exit:
            log.warning("the parent is gone, and this worker leaves")
        self.leave()

    def _tell_metrics(self) -> None:
        try:
            report(metrics=self.app.metrics())
        except Exception:
            # Our bug; whoever hears no more words would not leave when told to.
            log.exception("the metrics cannot be told")


def report(**said: Any) -> None:
    """A parent that is gone hears nothing."""
    with suppress(OSError):
        os.write(1, json.dumps(said).encode() + b"\n")


def first_line(fd: int) -> bytes:
    """Byte by byte: what follows is for whoever reads next."""
    line = bytearray()
    while (byte := os.read(fd, 1)) not in (b"\n", b""):
        line += byte
    return bytes(line)


def main(own: socket.socket, *others: socket.socket) -> int:
    """Exit code 0: drained; 1: cannot serve, and has reported why, unless another try may help."""
    # A terminal that is closed, or a word for the parent: workers are replaced by it, not by this signal.
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    given = json.loads(first_line(0))
    settings = taken(given["settings"])
    configure(settings.log_level)
    app = App(settings, stands=partial(report, stands=True), beside_others=given["beside_others"])
    structlog.contextvars.bind_contextvars(worker=app.worker)
    worker = Worker(uvicorn_config(app), app, lambda port: report(listens=port))
    worker.others = others
    for listener in others:
        listener.setblocking(False)
    refusal = worker.serve_on(own)
    if refusal is not None and not app.crashed:
        report(refused=refusal)
    return 0 if refusal is None else 1


if __name__ == "__main__":
    sys.exit(main(*(socket.socket(fileno=int(fd)) for fd in sys.argv[1:])))

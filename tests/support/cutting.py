"""A way to a server that can be cut, and on which nothing may arrive any more."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Self
from urllib.parse import urlsplit, urlunsplit


class Wire:
    """Listens on a free port of its own and passes everything on."""

    def __init__(self, host: str, port: int) -> None:
        self._target = (host, port)
        self._open: set[asyncio.StreamWriter] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._deaf = False
        self.awaited = b""
        """Once this was passed to the server, `seen` is set, and with `cut_there` all is cut before any answer."""
        self.cut_there = False
        self.seen = asyncio.Event()
        self.connections = 0

    async def start(self) -> Self:
        self._server = await asyncio.start_server(self._pass, "127.0.0.1", 0)
        return self

    @property
    def port(self) -> int:
        port: int = self._server.sockets[0].getsockname()[1]
        return port

    def cut(self) -> None:
        for writer in self._open:
            writer.transport.abort()

    def deafen(self, deaf: bool = True) -> None:
        """Nothing arrives at either end, and nothing is closed."""
        self._deaf = deaf

    async def close(self) -> None:
        self._server.close()
        self.cut()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _pass(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        self._open.add(writer)
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        with suppress(OSError, asyncio.CancelledError):
            there, back = await asyncio.open_connection(*self._target)
            self._open.add(back)
            async with asyncio.TaskGroup() as both:
                both.create_task(self._pump(reader, back, asked=True))
                both.create_task(self._pump(there, writer, asked=False))
        writer.transport.abort()

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, asked: bool) -> None:
        with suppress(OSError):
            while data := await reader.read(65_536):
                if self._deaf:
                    continue
                writer.write(data)
                if asked and self.awaited and self.awaited in data:
                    await writer.drain()
                    self.seen.set()
                    if self.cut_there:
                        self.cut()
        writer.transport.abort()


@asynccontextmanager
async def cuttable(url: str) -> AsyncIterator[tuple[Wire, str]]:
    """The wire, and the address that leads through it."""
    parts = urlsplit(url)
    assert parts.hostname is not None and parts.port is not None
    wire = await Wire(parts.hostname, parts.port).start()
    login = f"{parts.username}@" if parts.username else ""
    try:
        yield wire, urlunsplit(parts._replace(netloc=f"{login}127.0.0.1:{wire.port}"))
    finally:
        await wire.close()

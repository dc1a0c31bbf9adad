"""A TCP proxy that does to connections what networks do: delay, throttle, hold, cut, reset, forget one end."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
from collections.abc import Callable, Iterable, Sequence
from typing import Protocol, Self

CHUNK = 65_536
LINGER_NONE = struct.pack("ii", 1, 0)
"""A close with this linger option is a reset."""
CLOSING_S = 5.0
"""So long a far end that was left alone may still answer."""


class Cut(Exception):
    """Raised by a filter: `forward` still goes on to the far side, the answer never comes back."""

    def __init__(self, forward: bytes = b"") -> None:
        super().__init__()
        self.forward = forward


class Filter(Protocol):
    """Sees one direction of one connection."""

    def feed(self, data: bytes) -> Iterable[bytes]:
        """What goes on, in order. Raises Cut."""

    def late(self) -> Iterable[bytes]:
        """What was held back and is due: asked for all the time."""


class Plain:
    def feed(self, data: bytes) -> Iterable[bytes]:
        return (data,)

    def late(self) -> Iterable[bytes]:
        return ()


class Spotter(Plain):
    """Calls once when one of the needles has passed, and gone on."""

    def __init__(self) -> None:
        self.needles: tuple[bytes, ...] = ()
        self.spotted: Callable[[], None] | None = None

    def feed(self, data: bytes) -> Iterable[bytes]:
        yield data
        if self.spotted is not None and any(needle in data for needle in self.needles):
            spotted, self.spotted = self.spotted, None
            spotted()


Filters = Callable[[], tuple[Filter, Filter]]
"""One for each direction of a new connection: to the far side, and back."""


def plain() -> tuple[Filter, Filter]:
    return Plain(), Plain()


class Direction:
    """How bytes of all connections fare in one direction. What is held waits, as behind a router that drops."""

    def __init__(self) -> None:
        self.delay_s: Callable[[], float] | None = None
        self.bytes_per_s: float | None = None
        self._open = asyncio.Event()
        self._open.set()

    def hold(self) -> None:
        self._open.clear()

    def release(self) -> None:
        self._open.set()

    def heal(self) -> None:
        self.delay_s = self.bytes_per_s = None
        self.release()

    async def passage(self, size: int) -> None:
        await self._open.wait()
        if self.delay_s is not None:
            await asyncio.sleep(self.delay_s())
        if self.bytes_per_s is not None:
            await asyncio.sleep(size / self.bytes_per_s)
        await self._open.wait()


class Line:
    """One connection. `near` is who connected to the proxy."""

    def __init__(self, near: asyncio.StreamWriter, far: asyncio.StreamWriter) -> None:
        self.near, self.far = near, far
        self.forgotten = False

    def finish(self) -> None:
        for writer in (self.near, self.far):
            writer.close()

    def reset(self) -> None:
        for writer in (self.near, self.far):
            reset(writer)

    def forget(self) -> None:
        """Half-open: the far end is gone, the near one is not told."""
        self.forgotten = True
        self.far.close()


class Proxy:
    """Listens on a port of its own and stands for `target`. `counts`: connections, and what was done to them."""

    def __init__(self, target: int, filters: Filters = plain, host: str = "127.0.0.1") -> None:
        self.target, self.host = target, host
        self.filters = filters
        self.port = 0
        self.up, self.down = Direction(), Direction()
        self.accepted = 0
        self._refusing = False
        self._lines: set[Line] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._server: asyncio.Server | None = None

    async def start(self) -> Self:
        self._server = await asyncio.start_server(self._admit, "127.0.0.1", self.port)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def close(self) -> None:
        if self._server is not None:
            self._server.close()
        self.reset()
        for task in tuple(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    # what can be done to it -------------------------------------------------------------------------------------------

    def cut(self) -> int:
        """Each side gets a FIN."""
        return self._each(Line.finish)

    def reset(self) -> int:
        return self._each(Line.reset)

    def forget(self) -> int:
        """The near side of each connection speaks into the void from now on."""
        return self._each(Line.forget)

    def black_hole(self) -> None:
        self.up.hold()
        self.down.hold()

    def refuse(self) -> None:
        """Existing connections break, and new ones do at once."""
        self._refusing = True
        self.reset()

    def heal(self) -> None:
        """What was forgotten stays so, until somebody notices."""
        self._refusing = False
        self.up.heal()
        self.down.heal()

    def _each(self, act: Callable[[Line], None]) -> int:
        lines = [line for line in self._lines if not line.forgotten]
        for line in lines:
            act(line)
        return len(lines)

    # one connection ---------------------------------------------------------------------------------------------------

    async def _admit(self, reader: asyncio.StreamReader, near: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        try:
            await self._serve(reader, near)
        except (OSError, asyncio.CancelledError):
            reset(near)
        finally:
            self._tasks.discard(task)

    async def _serve(self, reader: asyncio.StreamReader, near: asyncio.StreamWriter) -> None:
        self.accepted += 1
        if self._refusing:
            reset(near)
            return
        await self.up.passage(0)
        answers, far = await asyncio.open_connection(self.host, self.target)
        for writer in (near, far):
            writer.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        line = Line(near, far)
        self._lines.add(line)
        asks, says = self.filters()
        try:
            pumps = [
                asyncio.ensure_future(self._pump(reader, far, self.up, asks, line)),
                asyncio.ensure_future(self._pump(answers, near, self.down, says, line)),
                asyncio.ensure_future(_trickle(near, says)),
            ]
            await self._until_over(pumps, line)
        finally:
            self._lines.discard(line)
            for writer in (near, far):
                writer.close()

    async def _until_over(self, pumps: Sequence[asyncio.Future[Cut | None]], line: Line) -> None:
        try:
            done, _ = await asyncio.wait(pumps, return_when=asyncio.FIRST_COMPLETED)
            if line.forgotten:
                await asyncio.wait(pumps[:1])
            elif any(pump.result() for pump in done if pump.exception() is None):
                reset(line.near)
                # Not a reset: the far side would throw away what it has not read yet.
                await asyncio.wait(pumps[1:2], timeout=CLOSING_S)
        finally:
            for pump in pumps:
                pump.cancel()
            await asyncio.gather(*pumps, return_exceptions=True)

    async def _pump(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, way: Direction, filter: Filter, line: Line
    ) -> Cut | None:
        while data := await reader.read(CHUNK):
            await way.passage(len(data))
            if line.forgotten:
                continue
            try:
                for piece in filter.feed(data):
                    writer.write(piece)
            except Cut as cut:
                writer.write(cut.forward)
                with contextlib.suppress(OSError):
                    await writer.drain()
                return cut
            await writer.drain()
        return None


async def _trickle(writer: asyncio.StreamWriter, filter: Filter) -> None:
    if isinstance(filter, Plain):
        await asyncio.Event().wait()
    while True:
        await asyncio.sleep(0.02)
        for piece in filter.late():
            writer.write(piece)


def reset(writer: asyncio.StreamWriter) -> None:
    """An RST instead of a FIN."""
    kept: socket.socket | None = writer.get_extra_info("socket")
    if kept is not None:
        with contextlib.suppress(OSError):
            kept.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, LINGER_NONE)
    writer.transport.abort()

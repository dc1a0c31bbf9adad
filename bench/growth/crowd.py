"""Sockets that count what they are sent and read next to none of it: the machine has its time for the server."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Sequence
from itertools import cycle
from random import Random
from time import perf_counter
from typing import cast
from urllib.parse import urlsplit
from uuid import uuid4

from codraw.load.frames import PONG, extent, masked, upgrade, upgraded
from codraw.load.scenarios import uuid
from codraw.load.wire import Dialect, framed, operation

EVENT, RECEIPT, REFUSED = b'message_type":"event"', b':"operation_accepted"', b':"operation_rejected"'
"""Of one length, so that what was kept of the bytes before never holds one that was counted."""
OVERHEARD = b'e":"diagram_operation'
"""An event in the classic dialect."""
OVERLAP = len(EVENT) - 1
STATES = (b'"message_type":"state"', b'"diagram_state_sync"')
AT_ONCE = 32
PATIENCE_S = 120.0
NOTE = "x" * 200


class Socket(asyncio.Protocol):
    """codraw.v1 in JSON, or classic. `…_at`, by `perf_counter`: upgrade granted, first frame whole, state whole."""

    def __init__(self, request: bytes) -> None:
        self.upgraded_at = self.first_at = self.joined_at = 0.0
        self.events = self.receipts = 0
        self.joined: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.is_lost = False
        self.heard: Callable[[int], None] = lambda _: None
        self._request, self._rest = request, bytearray()
        self.transport: asyncio.Transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)
        self.transport.write(self._request)

    def connection_lost(self, error: Exception | None) -> None:
        self.is_lost = True
        if not self.joined.done():
            self.joined.set_exception(ConnectionError(f"refused: {bytes(self._rest[:300])!r}"))

    def data_received(self, data: bytes) -> None:
        if self.joined_at:
            self._count(data)
        else:
            self._arrive(data)

    def _count(self, data: bytes) -> None:
        if data[0] == 0x89:
            # A ping between messages, as an idle socket gets it; under load they are so rare that none is due.
            self.transport.write(masked(PONG, data[2 : 2 + data[1]]))
        told = bytes(self._rest) + data
        self._rest[:] = told[-OVERLAP:]
        self.events += told.count(EVENT) + told.count(OVERHEARD)
        if heard := told.count(RECEIPT):
            self.receipts += heard
            self.heard(heard)
        assert REFUSED not in told, told

    def _arrive(self, data: bytes) -> None:
        now, rest = perf_counter(), self._rest
        rest += data
        if not self.upgraded_at:
            found = upgraded(bytes(rest[:4096]))
            if found is None or found[0] != 101:
                return
            self.upgraded_at = now
            del rest[: found[1]]
        while (place := extent(rest, 0)) is not None and place[1] <= len(rest):
            self.first_at = self.first_at or now
            head = rest[: place[0] + 200]
            is_state = any(state in head for state in STATES)
            del rest[: place[1]]
            if is_state:
                self.joined_at = now
                self.joined.set_result(None)
                left = bytes(rest)
                rest.clear()
                return self._count(left) if left else None
        return None


class Editor:
    """A socket that changes one of these nodes each time, 400 bytes in all, never to what it was."""

    def __init__(self, socket: Socket, nodes: Sequence[str], seed: int) -> None:
        self.socket, self.nodes, self._chance = socket, nodes, Random(seed)
        self._number = 0

    def send(self) -> None:
        self._number += 1
        where = {"x": self._number % 8_000, "y": self._chance.uniform(0, 8_000), "data/note": NOTE}
        cell = {"id": self._chance.choice(self.nodes), "operation": "update", "data": where}
        self.socket.transport.write(framed(Dialect.V1, operation(Dialect.V1, uuid(self._chance), 0, [cell])))


class Load:
    """So many operations are under way at any time; the editors have their turns in a circle."""

    def __init__(self, editors: Sequence[Editor], in_flight: int) -> None:
        self._editors, self._in_flight = editors, in_flight
        self._turns = cycle(editors)
        self._sent = self._done = self._wanted = 0
        self._over: asyncio.Future[None]
        for editor in editors:
            editor.socket.heard = self._heard

    async def run(self, operations: int) -> None:
        """Returns when all of them have their receipts."""
        self._sent = self._done = 0
        self._wanted = operations
        self._over = asyncio.get_running_loop().create_future()
        self._send(self._in_flight)
        await asyncio.wait_for(self._over, PATIENCE_S)

    def _send(self, count: int) -> None:
        for _ in range(min(count, self._wanted - self._sent)):
            self._sent += 1
            next(self._turns).send()

    def _heard(self, receipts: int) -> None:
        self._done += receipts
        self._send(receipts)
        if self._done == self._wanted and not self._over.done():
            self._over.set_result(None)


async def undo(socket: Socket) -> None:
    """What its user did last. Returns when it has its receipt."""
    over = asyncio.get_running_loop().create_future()
    socket.heard = over.set_result
    socket.transport.write(framed(Dialect.V1, {"message_type": "undo", "operation_id": str(uuid4())}))
    await asyncio.wait_for(over, PATIENCE_S)


async def dial(url: str, token: str) -> Socket:
    """Its upgrade is asked for; await `joined` for the rest. An address with a query names its dialect there."""
    where = urlsplit(url)
    protocol = {} if where.query else Dialect.V1.headers
    target = f"{where.path}?{where.query}" if where.query else where.path
    request = upgrade(where.netloc, target, {"Authorization": f"Bearer {token}", **protocol})
    loop = asyncio.get_running_loop()
    _, socket = await loop.create_connection(lambda: Socket(request), where.hostname, where.port)
    return socket


async def join_all(seats: Iterable[tuple[str, str]]) -> list[Socket]:
    """(address, token) of each; a few at a time."""
    waiting = list(enumerate(seats))[::-1]
    sockets: dict[int, Socket] = {}

    async def worker() -> None:
        while waiting:
            place, seat = waiting.pop()
            sockets[place] = await dial(*seat)
            await asyncio.wait_for(sockets[place].joined, PATIENCE_S)

    async with asyncio.TaskGroup() as workers:
        for _ in range(AT_ONCE):
            workers.create_task(worker())
    return [socket for _, socket in sorted(sockets.items())]


async def all_heard(sockets: Sequence[Socket], events: int) -> None:
    """Until they have so many together: more cannot come, and none may be missing."""
    give_up = perf_counter() + PATIENCE_S
    while (heard := sum(socket.events for socket in sockets)) < events:
        assert perf_counter() < give_up, f"{heard} events of {events} came"
        lost = sum(socket.is_lost for socket in sockets)
        assert not lost, f"the server sent {lost} of {len(sockets)} sockets away"
        await asyncio.sleep(0.01)
    assert heard == events, f"{heard} events came, {events} were due"


def hang_up(sockets: Iterable[Socket]) -> None:
    for socket in sockets:
        socket.transport.abort()

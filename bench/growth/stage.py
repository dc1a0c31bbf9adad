"""A server of its own for each point of a curve, people on it and diagrams with a live session."""

from __future__ import annotations

import asyncio
import resource
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, NamedTuple

from bench.growth.crowd import Editor, Load, Socket, all_heard, hang_up, join_all
from tests.data.generate import diagram
from tests.support.client import add, cell_id
from tests.support.servers import Person, Server, sign_in

SOCKETS_OF_ONE = 5
"""A user may have so many on a diagram."""
QUIET_PINGS = "3600"
MOST_SOCKETS = "10000"
DIAGRAM = {"name": "growth", "type": "DFD-1.0.0"}


class Room(NamedTuple):
    """A diagram with a live session."""

    url: str
    nodes: Sequence[str]


class Stage:
    """`folder`: of the store, which outlives the server."""

    def __init__(self, folder: Path, **settings: str) -> None:
        folder.mkdir(exist_ok=True)
        given = {"operations_per_second": "0", "log_level": "warning", "max_sockets_per_session": MOST_SOCKETS}
        self.server = Server(folder, **{**given, **settings})
        self.people: list[Person] = []
        self.sockets: list[Socket] = []
        self.rooms: list[Room] = []
        self._model = ""

    async def open(self, people: int) -> None:
        await asyncio.to_thread(self.server.start)
        await self.invite(people)

    def close(self) -> None:
        hang_up(self.sockets)
        self.server.kill()

    async def invite(self, people: int) -> None:
        """So many in all."""
        for first in range(len(self.people), people, 16):
            names = [f"person{number}" for number in range(first, min(first + 16, people))]
            self.people += await asyncio.gather(*(sign_in(self.server, name) for name in names))

    async def draw(self, cells: Sequence[dict[str, Any]]) -> Room:
        """A diagram of these, and a session on it."""
        host = self.people[0]
        if not self._model:
            everyone = {"subject": "everyone", "subject_type": "group", "role": "writer"}
            model = await host.post("/threat_models", {"name": "growth", "authorization": [everyone]})
            self._model = f"/threat_models/{model['id']}/diagrams"
        made = await host.post(self._model, {**DIAGRAM, "cells": cells})
        path = f"{self._model}/{made['id']}"
        await host.post(f"{path}/collaborate")
        self.rooms.append(Room(f"{self.server.ws}{path}/ws", [cell["id"] for cell in cells if "x" in cell]))
        return self.rooms[-1]

    async def replace(self, room: Room, cells: Sequence[dict[str, Any]]) -> None:
        """All cells of the room by these, by REST."""
        host, path = self.people[0], room.url.removeprefix(self.server.ws).removesuffix("/ws")
        seen = await host.ask("GET", path)
        answer = await host.ask("PUT", path, {**DIAGRAM, "cells": cells}, **{"If-Match": seen.headers["etag"]})
        assert answer.status_code == 200, answer.text

    def seats(self, room: Room, count: int, each: int = SOCKETS_OF_ONE) -> list[tuple[str, str]]:
        """So many sockets, `each` of them of one person."""
        return [(room.url, self.people[n // each].token) for n in range(count)]

    async def seat(self, seats: Sequence[tuple[str, str]]) -> list[Socket]:
        joined = await join_all(seats)
        self.sockets += joined
        return joined

    @property
    def cpu_s(self) -> float:
        """User and system time of all its threads, ended ones too, to the nanosecond (clock_getcpuclockid(3))."""
        return time.clock_gettime((~self.server.pid << 3) | 2)

    @property
    def memory_kib(self) -> int:
        """What is resident."""
        lines = Path(f"/proc/{self.server.pid}/status").read_text().splitlines()
        return next(int(line.split()[1]) for line in lines if line.startswith("VmRSS"))


class Circle:
    """Editors and listeners on the rooms of a stage, and what they made it do."""

    def __init__(self, stage: Stage, editors: Sequence[Editor], in_flight: int, sockets_a_room: int) -> None:
        self.stage, self._load, self._others = stage, Load(editors, in_flight), sockets_a_room - 1
        self._events = sum(socket.events for socket in stage.sockets)

    async def cost(self, operations: int) -> float:
        """CPU microseconds per operation, until the last listener has the last of them."""
        begun = self.stage.cpu_s
        await self._load.run(operations)
        self._events += operations * self._others
        await all_heard(self.stage.sockets, self._events)
        return (self.stage.cpu_s - begun) / operations * 1e6


@asynccontextmanager
async def staged(folder: Path, people: int = 2, **settings: str) -> AsyncIterator[Stage]:
    stage = Stage(folder, **settings)
    try:
        await stage.open(people)
        yield stage
    except Exception:
        print(stage.server.log[-3_000:])
        raise
    finally:
        stage.close()


def cells(count: int, seed: int) -> list[dict[str, Any]]:
    """Boxes and flows as people draw them; of a few cells, boxes alone."""
    return (
        diagram(count, seed)
        if count >= 100
        else [{"id": cell_id(), **add("", x=200 * n)["data"]} for n in range(count)]
    )


def many_files(needed: int) -> str:
    """Raises the soft limit, which the servers inherit; says so where the machine allows less."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    return "" if most == resource.RLIM_INFINITY or most > needed else f"only {most} files may be open (ulimit -Hn)"

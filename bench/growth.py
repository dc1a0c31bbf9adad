"""What an operation costs the server as a diagram grows: CPU, memory and pauses of the program itself, on loopback.

    python -m bench.growth [--sizes 10,1000,10000] [--rounds 5] [--operations 2000] [--long 20000] [--joins 50]

1. One editor and nine listeners of codraw.v1 per diagram; each diagram has a server of its own, so that none pays for
   another's memory. The rounds of all sizes take turns; CPU is that of the whole process, its writer thread and its
   snapshots included.
2. Memory of the server of the largest diagram: before, after many operations, and idle.
3. A client that asks for a heartbeat every few milliseconds: how late the answer comes while nothing happens, while
   sockets join the largest diagram all at once, and while snapshots of it are written.
"""

from __future__ import annotations

import argparse
import asyncio
import multiprocessing
import os
import platform
import random
import sqlite3
import subprocess
import tempfile
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AsyncExitStack, suppress
from multiprocessing.connection import Connection
from pathlib import Path
from statistics import median
from typing import Any, Self
from urllib.parse import urlencode

import msgspec
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect
from websockets.typing import Subprotocol

from tests.data.generate import diagram
from tests.support.client import CodrawV1, add, cell_id
from tests.support.servers import Person, Server, meet, sign_in
from tests.support.tree import ROOT

LISTENERS = 9
SOCKETS_OF_ONE = 5
"""A user may have so many."""
WINDOW = 16
"""So many operations of the editor are under way at once."""
TICK_S = 1 / os.sysconf("SC_CLK_TCK")
BEAT_S = 0.002


class Word(msgspec.Struct):
    """Of a message only what kind it is; the rest is passed over without being read."""

    message_type: str


_word = msgspec.json.Decoder(Word).decode


class Stage:
    """A server with one diagram, and who is on it."""

    def __init__(self, folder: Path, size: int, seed: int) -> None:
        self.size = size
        self.random = random.Random(seed)
        self.cells = diagram(size, seed) if size >= 100 else [node(number) for number in range(size)]
        self.nodes = [cell["id"] for cell in self.cells if "x" in cell]
        folder.mkdir()
        self.server = Server(folder, operations_per_second="0", log_level="warning", max_sockets_per_session="100")
        self.people: list[Person] = []
        self.listeners: list[asyncio.Task[None]] = []
        self.done = 0

    async def __aenter__(self) -> Self:
        await asyncio.to_thread(self.server.start)
        host = await sign_in(self.server, "host")
        self.meeting = await meet(host)
        body = {"name": "growth", "type": "DFD-1.0.0", "cells": self.cells}
        models = f"/threat_models/{self.meeting.threat_model}/diagrams"
        self.meeting.diagram = (await host.post(models, body))["id"]
        self.meeting.session = (await host.post(f"{self.meeting.path}/collaborate"))["session_id"]
        self.editor = await Bare(self.meeting, host).join()
        for number in range(LISTENERS):
            if number % SOCKETS_OF_ONE == 0:
                self.people.append(await sign_in(self.server, f"listener{number}"))
            self.listeners.append(asyncio.create_task((await self.another(self.people[-1])).listen()))
        return self

    async def __aexit__(self, *_: object) -> None:
        for listener in self.listeners:
            listener.cancel()
        await asyncio.gather(*self.listeners, return_exceptions=True)
        await self.meeting.over()
        self.server.kill()

    async def another(self, person: Person) -> Bare:
        return await Bare(self.meeting, person).join()

    async def work(self, operations: int) -> float:
        """CPU seconds of the server per operation that was accepted."""
        begun = cpu_s(self.server)
        sent = accepted = 0
        while accepted < operations:
            while sent < operations and sent - accepted < WINDOW:
                await self.editor.edit(self._change())
                sent += 1
            word = await self.editor.receive()
            assert word != "operation_rejected", "a move was rejected"
            accepted += word == "operation_accepted"
        self.done += operations
        return (cpu_s(self.server) - begun) / operations

    def _change(self) -> dict[str, Any]:
        where = {"x": self.random.randrange(8_000), "y": self.random.randrange(8_000) + 0.25}
        return {"id": self.random.choice(self.nodes), "operation": "update", "data": where}


class Bare(CodrawV1):
    """Keeps no copy, so that the machine has its time for the server."""

    def apply(self, message: dict[str, Any]) -> None:
        pass

    def sent(self, message: dict[str, Any]) -> None:
        pass

    async def receive(self) -> str:
        return _word(await self.connection.recv(decode=False)).message_type

    async def join(self, **query: str) -> Self:
        await self.connect(**query)
        while await self.receive() != "state":
            pass
        return self

    async def listen(self) -> None:
        with suppress(ConnectionClosed):
            while True:
                await self.connection.recv(decode=False)


class Pulse:
    """How long answers to heartbeats took, one after the other, in a process of its own: the clients have pauses too.

    It stands on a small diagram of the same server, so that its answers wait for nothing but the event loop.
    """

    def __init__(self, server: Server) -> None:
        self.server = server

    async def __aenter__(self) -> Self:
        socket = Bare(await meet(await sign_in(self.server, "prober")), await sign_in(self.server, "prober"))
        url = f"{socket.meeting.url}?{urlencode(await socket.credential())}"
        processes = multiprocessing.get_context("spawn")
        self._here, there = processes.Pipe()
        self._process = processes.Process(target=beat, args=(url, there), daemon=True)
        self._process.start()
        there.close()
        await asyncio.to_thread(self._here.recv)
        return self

    async def __aexit__(self, *_: object) -> None:
        self._process.terminate()

    async def during(self, what: str, act: Awaitable[Any]) -> None:
        self._here.send("begin")
        begun = time.perf_counter()
        await act
        took_s = time.perf_counter() - begun
        self._here.send("end")
        took = sorted(await asyncio.to_thread(self._here.recv))
        late = f"median {median(took):.1f} ms, p99 {took[len(took) * 99 // 100]:.1f}, longest {took[-1]:.1f}"
        print(f"{what:26} {took_s:5.1f} s, {len(took):5} beats: {late}")


def beat(url: str, orders: Connection) -> None:
    with connect(url, subprotocols=[Subprotocol(Bare.protocol)], compression=None, max_size=None) as socket:
        orders.send("ready")
        while True:
            orders.recv()
            took_ms = []
            while not took_ms or not orders.poll():
                begun = time.perf_counter()
                socket.send(f'{{"message_type": "heartbeat", "ref": "{begun}"}}')
                while f'"{begun}"' not in socket.recv():
                    pass
                took_ms.append((time.perf_counter() - begun) * 1000)
                time.sleep(BEAT_S)
            orders.recv()
            orders.send(took_ms)


def node(number: int) -> dict[str, Any]:
    data = add(cell_id(), x=200 * number)["data"]
    return {"id": cell_id(), **data}


def cpu_s(server: Server) -> float:
    """User and system time of all its threads, to a clock tick."""
    fields = Path(f"/proc/{server.pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) * TICK_S


def memory_mib(server: Server) -> float:
    lines = Path(f"/proc/{server.pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmRSS")) / 1024


async def cost(stages: Sequence[Stage], rounds: int, operations: int) -> None:
    print(f"\nCPU of the server per accepted operation, {rounds} rounds of {operations}, {LISTENERS} listeners")
    for stage in stages:
        await stage.work(operations)
    took: dict[int, list[float]] = {stage.size: [] for stage in stages}
    for _ in range(rounds):
        for stage in stages:
            took[stage.size].append(await stage.work(operations) * 1e6)
    least = median(took[stages[0].size])
    for size, costs in took.items():
        middle = median(costs)
        spread = f"{min(costs):5.0f} to {max(costs):5.0f}"
        print(f"{size:7} cells  {middle:6.0f} us  ({spread})  {middle / least:5.2f} of {stages[0].size} cells")


async def memory(stage: Stage, operations: int) -> None:
    print(f"\nResident memory of the server with {stage.size} cells")
    for _ in range(5):
        print(f"{stage.done:7} operations  {memory_mib(stage.server):7.1f} MiB")
        await stage.work(operations // 4)
    await asyncio.sleep(10)
    print(f"{stage.done:7} and 10 s idle {memory_mib(stage.server):7.1f} MiB")


async def pauses(stage: Stage, joins: int) -> None:
    print(f"\nAnswers to heartbeats on {stage.size} cells")
    people = [await sign_in(stage.server, f"guest{number}") for number in range(-(-joins // SOCKETS_OF_ONE))]
    guests = [Bare(stage.meeting, people[number // SOCKETS_OF_ONE]) for number in range(joins)]
    for guest in guests:
        guest.credential = _given(await guest.credential())  # type: ignore[method-assign]
    async with Pulse(stage.server) as pulse:
        await pulse.during("nothing happens", asyncio.sleep(2))
        await pulse.during(f"{joins} sockets join", asyncio.gather(*(guest.join() for guest in guests)))
        for guest in guests:
            guest.cut()
        await asyncio.sleep(1)
        await pulse.during("operations and snapshots", stage.work(6_000))


def _given(ticket: dict[str, str]) -> Callable[[], Any]:
    async def credential() -> dict[str, str]:
        return ticket

    return credential


async def run(given: argparse.Namespace, folder: Path) -> None:
    sizes = [int(size) for size in given.sizes.split(",")]
    async with AsyncExitStack() as stack:
        stages = [
            await stack.enter_async_context(Stage(folder / str(size), size, given.seed + place))
            for place, size in enumerate(sizes)
        ]
        await cost(stages, given.rounds, given.operations)
        if given.long:
            await memory(stages[-1], given.long)
        if given.joins:
            await pauses(stages[-1], given.joins)


def commit() -> str:
    found = subprocess.run(
        ["git", "describe", "--always", "--dirty"], cwd=ROOT, capture_output=True, check=False, text=True
    )
    return found.stdout.strip() or "unknown"


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--sizes", default="10,1000,10000", help="cells of the diagrams, the smallest first")
    arguments.add_argument("--rounds", type=int, default=5)
    arguments.add_argument("--operations", type=int, default=2_000, help="of each round")
    arguments.add_argument("--long", type=int, default=20_000, help="operations of the memory run; 0: none")
    arguments.add_argument("--joins", type=int, default=50, help="sockets that join at once; 0: no pauses")
    arguments.add_argument("--seed", type=int, default=1)
    arguments.add_argument("--folder", type=Path, default=None, help="on the disk to use")
    given = arguments.parse_args()
    print(f"{platform.platform()}, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}")
    print(f"Python {platform.python_version()}, SQLite {sqlite3.sqlite_version}, commit {commit()}, seed {given.seed}")
    with tempfile.TemporaryDirectory(dir=given.folder) as name:
        asyncio.run(run(given, Path(name)))


if __name__ == "__main__":
    main()

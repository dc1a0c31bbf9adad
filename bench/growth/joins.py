"""B11: how soon a joining socket is told something, what fifty at once cost, and who else waits meanwhile."""

from __future__ import annotations

import asyncio
import multiprocessing
import time
from collections.abc import Awaitable, Sequence
from multiprocessing.connection import Connection
from pathlib import Path
from statistics import median
from typing import Any, Self

from websockets.sync.client import connect
from websockets.typing import Subprotocol

from bench.growth.crowd import Editor, hang_up, undo
from bench.growth.results import Curve, Found, Row, at_most, point, told
from bench.growth.stage import QUIET_PINGS, SOCKETS_OF_ONE, Circle, Room, Stage, cells, staged

FIRST_FRAME_MS = 50.0
SHARED = 0.5
"""Where every join had an encoding of its own, one of many would cost as much as one alone."""
BEAT_S = 0.002


async def joining(size: int, joins: int, rounds: int, seed: int, folder: Path) -> Found:
    """Each after an edit, so that none finds what another has left."""
    people = -(-joins // SOCKETS_OF_ONE) + 1
    async with staged(folder, people, ping_seconds=QUIET_PINGS) as stage:
        room = await stage.draw(cells(size, seed))
        (host,) = await stage.seat([(room.url, stage.people[-1].token)])
        circle = Circle(stage, [Editor(host, room.nodes, seed)], 1, 1)
        await _some(stage, room, circle, joins)
        alone, together = [], []
        for _ in range(rounds):
            alone += [await _some(stage, room, circle, 1) for _ in range(5)]
            together.append(await _some(stage, room, circle, joins))
        pauses = await _pauses(stage, room, joins, circle, cells(size, seed + 1))
    first, whole, cost, _ = (median(one) for one in zip(*alone, strict=True))
    curves = [
        Curve("joins", f"Joining {size} cells", "sockets at once", y, "median of the sockets; each after an edit",
              [point(1, [one[place] for one in alone]), point(joins, [one[place] for one in together])])
        for place, y in enumerate(("ms to the first frame", "ms to the whole state", "ms CPU a socket"))
    ]  # fmt: skip
    each = median(one[2] for one in together)
    return Found(curves, [
        at_most("B11", f"ms from the upgrade to the first frame, {size} cells", first, FIRST_FRAME_MS, "ms"),
        told(f"ms from the upgrade to the whole state, {size} cells", whole),
        told(f"the slowest first frame of {joins} at once, ms", median(one[3] for one in together)),
        Row("B11", f"ms CPU a join, {joins} at once against one alone: one encoding is shared", round(each, 2),
            round(cost, 2), round(each / cost, 3), f"<= {SHARED:g}", each / cost <= SHARED),
        *pauses,
    ])  # fmt: skip


async def _some(stage: Stage, room: Room, circle: Circle, count: int) -> tuple[float, float, float, float]:
    """(median first frame, median whole state, CPU a socket, slowest first frame), all in ms."""
    await circle.cost(1)
    before, begun = list(stage.sockets), stage.cpu_s
    sockets = await stage.seat(stage.seats(room, count))
    spent = stage.cpu_s - begun
    hang_up(sockets)
    stage.sockets[:] = before
    await asyncio.sleep(0.3)
    firsts = [(socket.first_at - socket.upgraded_at) * 1e3 for socket in sockets]
    wholes = [(socket.joined_at - socket.upgraded_at) * 1e3 for socket in sockets]
    return median(firsts), median(wholes), spent / count * 1e3, max(firsts)


async def _pauses(stage: Stage, room: Room, joins: int, circle: Circle, others: Sequence[dict[str, Any]]) -> list[Row]:
    """Answers to heartbeats of a socket on a small diagram of the same server."""
    small = await stage.draw(cells(10, 1))

    async def join() -> None:
        await _some(stage, room, circle, joins)

    async with Pulse(small.url, stage.people[0].token) as pulse:
        quiet = await pulse.during(asyncio.sleep(1))
        storm = await pulse.during(join())
        busy = await pulse.during(circle.cost(2_000))
        replaced = await pulse.during(stage.replace(room, others))
        (replacing,) = await stage.seat([(room.url, stage.people[0].token)])
        undone = await pulse.during(undo(replacing))
    return [
        told(f"ms, the latest answer to a heartbeat while {joins} join, against none", storm[-1], quiet[-1]),
        told("ms, the latest answer to a heartbeat under operations and snapshots", busy[-1], quiet[-1]),
        told(f"ms, the latest answer to a heartbeat while REST replaces {len(others)} cells", replaced[-1], quiet[-1]),
        told("ms, the latest answer to a heartbeat while that is undone", undone[-1], quiet[-1]),
    ]


class Pulse:
    """How long answers to heartbeats take, one after the other, in a process of its own: clients have pauses too."""

    def __init__(self, url: str, token: str) -> None:
        processes = multiprocessing.get_context("spawn")
        self._here, there = processes.Pipe()
        self._process = processes.Process(target=beat, args=(url, token, there), daemon=True)
        self._process.start()
        there.close()

    async def __aenter__(self) -> Self:
        await asyncio.to_thread(self._here.recv)
        return self

    async def __aexit__(self, *_: object) -> None:
        self._process.terminate()

    async def during(self, act: Awaitable[Any]) -> list[float]:
        """Milliseconds, in order."""
        self._here.send("begin")
        await act
        self._here.send("end")
        return sorted(await asyncio.to_thread(self._here.recv))


def beat(url: str, token: str, orders: Connection) -> None:
    headers = {"Authorization": f"Bearer {token}"}
    protocols = [Subprotocol("codraw.v1.json")]
    with connect(url, subprotocols=protocols, additional_headers=headers, compression=None, max_size=None) as socket:
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

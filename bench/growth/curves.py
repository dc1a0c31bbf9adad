"""B8: CPU of the program over cells, editors and rooms; each point has a server of its own, and they take turns."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

from bench.growth.crowd import Editor
from bench.growth.results import Curve, Found, flat, point, told
from bench.growth.stage import QUIET_PINGS, SOCKETS_OF_ONE, Circle, Stage, cells, staged

IN_FLIGHT = 16
LISTENERS = 9
SENDERS = 10
LEAST, MOST = 200, 4_000
"""Operations of a round, whatever the size of the room."""
LISTENS = "dialect=classic"
"""In codraw.v1 everybody is told of all connections whenever one comes: of a thousand, a thousand times to a thousand.
That is not what is measured here, and would take longer than all the rest."""
MATES = 2
"""Sockets of a room where there are many rooms: one edits, one listens."""
IDLE_S = 5.0


async def over_cells(sizes: Sequence[int], rounds: int, operations: int, seed: int, folder: Path) -> Found:
    async with AsyncExitStack() as stack:
        circles: dict[int, Circle] = {}
        for size in sizes:
            stage = await stack.enter_async_context(staged(folder / f"cells-{size}", ping_seconds=QUIET_PINGS))
            room = await stage.draw(cells(size, seed))
            sockets = await stage.seat(stage.seats(room, 1 + LISTENERS))
            circles[size] = Circle(stage, [Editor(sockets[0], room.nodes, seed)], IN_FLIGHT, len(sockets))
        note = f"one editor, {LISTENERS} listeners, {IN_FLIGHT} operations of 400 bytes under way; snapshots included"
        curve = Curve(
            "cells", "An operation on a large diagram", "cells", "us CPU an operation", note,
            [point(x, y) for x, y in (await turns(circles, rounds, dict.fromkeys(sizes, operations))).items()],
        )  # fmt: skip
    return Found([curve], [flat("B8", "us CPU an operation by cells", curve, sizes[0], sizes[-1])])


async def over_editors(sizes: Sequence[int], rounds: int, deliveries: int, seed: int, folder: Path) -> Found:
    async with AsyncExitStack() as stack:
        circles: dict[int, Circle] = {}
        for size in sizes:
            people = -(-size // SOCKETS_OF_ONE)
            stage = await stack.enter_async_context(
                staged(folder / f"editors-{size}", people, ping_seconds=QUIET_PINGS)
            )
            room = await stage.draw(cells(100, seed))
            seats = stage.seats(room, size)
            await stage.seat([(f"{url}?{LISTENS}", token) for url, token in seats[SENDERS:]])
            sockets = await stage.seat(seats[:SENDERS])
            editors = [Editor(socket, room.nodes, seed + n) for n, socket in enumerate(sockets)]
            circles[size] = Circle(stage, editors, IN_FLIGHT * SENDERS, size)
        operations = {size: min(MOST, max(LEAST, deliveries // size)) for size in sizes}
        costs = await turns(circles, rounds, operations)
    note = f"{SENDERS} edit in codraw.v1, the rest listen in classic, {IN_FLIGHT * SENDERS} operations under way"
    curve = Curve(
        "editors", "A delivery in a large room", "editors", "us CPU a delivery", note,
        [point(size, [cost / (size - 1) for cost in found]) for size, found in costs.items()],
    )  # fmt: skip
    return Found([curve], [flat("B8", "us CPU a delivery by editors", curve, max(sizes[0], 100), sizes[-1])])


@asynccontextmanager
async def many_rooms(size: int, seed: int, folder: Path) -> AsyncIterator[tuple[Stage, Circle]]:
    """Two sockets in each."""
    async with staged(folder / f"rooms-{size}") as stage:
        rooms = [await stage.draw(cells(10, seed)) for _ in range(size)]
        hosts = await stage.seat([(room.url, stage.people[0].token) for room in rooms])
        await stage.seat([(room.url, stage.people[1].token) for room in rooms])
        editors = [Editor(host, room.nodes, seed + n) for n, (host, room) in enumerate(zip(hosts, rooms, strict=True))]
        yield stage, Circle(stage, editors, IN_FLIGHT, MATES)


async def over_rooms(sizes: Sequence[int], rounds: int, operations: int, seed: int, folder: Path) -> Found:
    idle = []
    async with AsyncExitStack() as stack:
        circles: dict[int, Circle] = {}
        for size in sizes:
            stage, circles[size] = await stack.enter_async_context(many_rooms(size, seed, folder))
            idle.append(point(size, [await idle_cost(stage) for _ in range(2)]))
        costs = await turns(circles, rounds, dict.fromkeys(sizes, operations))
    note = f"{MATES} sockets in each, {IN_FLIGHT} operations of 400 bytes under way in all, the rooms in turn"
    busy = Curve(
        "rooms", "An operation among many rooms", "rooms", "us CPU an operation", note,
        [point(x, y) for x, y in costs.items()],
    )  # fmt: skip
    asleep = Curve(
        "rooms", "Rooms where nothing happens", "rooms", "us CPU a second, all rooms", f"{MATES} sockets in each", idle
    )
    each = (idle[-1].y - idle[0].y) / (sizes[-1] - sizes[0])
    return Found(
        [busy, asleep],
        [
            flat("B8", "us CPU an operation by rooms", busy, sizes[0], sizes[-1]),
            told("us CPU a second of one idle room with two sockets", each),
        ],
    )


async def idle_cost(stage: Stage) -> float:
    """CPU microseconds a second."""
    await asyncio.sleep(1)
    begun = stage.cpu_s
    await asyncio.sleep(IDLE_S)
    return (stage.cpu_s - begun) / IDLE_S * 1e6


async def turns(circles: dict[int, Circle], rounds: int, operations: dict[int, int]) -> dict[int, list[float]]:
    """Microseconds of each round, after one to warm up; what the machine does meanwhile hits all alike."""
    for size, circle in circles.items():
        await circle.cost(operations[size])
    took: dict[int, list[float]] = {size: [] for size in circles}
    for _ in range(rounds):
        for size, circle in circles.items():
            took[size].append(await circle.cost(operations[size]))
    return took

"""B9: what a connection and a stored cell hold in the program, and whether a long life leaves anything behind."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path

import msgspec

from bench.growth.crowd import Editor
from bench.growth.results import Curve, Found, at_most, point, told
from bench.growth.stage import QUIET_PINGS, SOCKETS_OF_ONE, Circle, Stage, cells, staged

SOCKETS_A_ROOM = 50
"""As many as a session takes unless told otherwise."""
CONNECTION_KIB, CELL_KIB = 12.0, 1.5
SETTLE_S = 2.0
BUSY_ROUNDS = 4


async def over_connections(sizes: Sequence[int], busy: int, operations: int, seed: int, folder: Path) -> Found:
    idle = await _connections(sizes, 0, seed, folder / "idle")
    used = await _connections((0, busy), operations, seed, folder / "busy")
    idle_kib = idle.points[-1].y * 1024 / sizes[-1]
    busy_kib = used.points[-1].y * 1024 / busy
    return Found(
        [idle, used],
        [
            at_most("B9", f"KiB a connection, {sizes[-1]} idle, rooms included", idle_kib, CONNECTION_KIB, "KiB"),
            at_most("B9", f"KiB a connection, {busy} busy, rooms included", busy_kib, CONNECTION_KIB, "KiB"),
        ],
    )


async def _connections(sizes: Sequence[int], operations: int, seed: int, folder: Path) -> Curve:
    """Resident MiB over those of the idle process; with `operations`, after each room had its part of so many."""
    points = []
    async with staged(folder, SOCKETS_A_ROOM // SOCKETS_OF_ONE) as stage:
        await _warm(stage, seed)
        for _ in range(-(-sizes[-1] // SOCKETS_A_ROOM)):
            await stage.draw(cells(10, seed))
        rooms = iter(stage.rooms[1:])
        before = await _settled(stage)
        editors: list[Editor] = []
        for size in sizes:
            while len(stage.sockets) < size:
                room = next(rooms)
                sockets = await stage.seat(stage.seats(room, SOCKETS_A_ROOM))
                editors.append(Editor(sockets[0], room.nodes, seed))
            if operations and editors:
                circle = Circle(stage, editors, 2 * len(editors), SOCKETS_A_ROOM)
                for _ in range(BUSY_ROUNDS):
                    await circle.cost(operations // BUSY_ROUNDS)
            points.append(point(size, [(await _settled(stage) - before) / 1024]))
    what = f"after {operations} operations" if operations else "idle"
    note = f"over the process with its diagrams and sessions made; rooms of {SOCKETS_A_ROOM}, 10 people"
    return Curve("connections", f"Connections, {what}", "connections", "MiB more", note, points)


async def over_stored_cells(diagrams: int, size: int, seed: int, folder: Path) -> Found:
    """The server is started anew on the store that has them: what made them is no part of what holds them."""
    async with staged(folder) as maker:
        for _ in range(diagrams):
            await maker.draw(drawn := cells(size, seed))
        rooms, store = maker.rooms, maker.server.store
    bytes_each = len(msgspec.json.encode(drawn)) / size
    del drawn
    points = []
    async with staged(folder) as stage:
        assert stage.server.store == store
        await _warm(stage, seed)
        before = await _settled(stage)
        points.append(point(0, [0.0]))
        for number, room in enumerate(rooms, 1):
            url = room.url.replace(room.url.split("/threat_models")[0], stage.server.ws)
            await stage.seat([(url, stage.people[0].token)])
            points.append(point(number * size, [(await _settled(stage) - before) / 1024]))
    curve = Curve(
        "cells-held", "Diagrams in memory", "cells", "MiB more",
        f"{diagrams} diagrams of {size} cells of {bytes_each:.0f} bytes as JSON, one socket on each", points,
    )  # fmt: skip
    each = points[-1].y * 1024 / (diagrams * size)
    return Found([curve], [at_most("B9", f"KiB a cell held, {bytes_each:.0f} bytes as JSON", each, CELL_KIB, "KiB")])


async def over_operations(size: int, operations: int, seed: int, folder: Path) -> Found:
    points = []
    async with staged(folder, ping_seconds=QUIET_PINGS) as stage:
        room = await stage.draw(cells(size, seed))
        sockets = await stage.seat(stage.seats(room, 10))
        circle = Circle(stage, [Editor(sockets[0], room.nodes, seed)], 16, 10)
        for quarter in range(5):
            points.append(point(quarter * operations // 4, [stage.memory_kib / 1024]))
            if quarter < 4:
                await circle.cost(operations // 4)
        await asyncio.sleep(5)
        after = stage.memory_kib / 1024
    curve = Curve("history", "A long life", "operations", "MiB resident", f"{size} cells, ten sockets", points)
    return Found([curve], [told("MiB after the operations and 5 s idle, against half of them", after, points[2].y)])


async def _warm(stage: Stage, seed: int) -> None:
    """What any first room needs once in the life of a process is no part of a later one."""
    room = await stage.draw(cells(10, seed))
    for socket in await stage.seat([(room.url, stage.people[0].token)]):
        socket.transport.abort()
    stage.sockets.clear()


async def _settled(stage: Stage) -> int:
    await asyncio.sleep(SETTLE_S)
    return stage.memory_kib

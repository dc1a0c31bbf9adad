"""The growth of costs, bars B8, B9 and B11: curves, rows and a picture of the real server with SQLite, on loopback.

    python -m bench.growth [--only cells --only editors …] [--quick] [--rounds 5] [--seed 1] [--folder .]
                           [--rows FILE] [--results bench/results]

cells         CPU of an operation, 10 to 10 000 cells in the diagram (B8)
editors       CPU of a delivery, 10 to 1 000 sockets in one room (B8)
rooms         CPU of an operation, 10 to 1 000 rooms, and what these cost while nothing happens (B8)
connections   memory of a connection, up to 5 000 idle and 1 000 busy (B9)
memory        connections, and memory of a stored cell, 10 diagrams of 10 000 (B9)
history       memory after many operations
joins         a socket joins 5 000 cells, fifty do at once, and how long others wait meanwhile (B11)

CPU is user and system time of the whole server, its store's thread and its snapshots included. `--rows` writes the rows
alone: a list of {"bar", "what", "value", "reference", "ratio", "bar_is", "met"}. The figures of --quick are those of a
short and small run. Exit status 1: a bar is not met.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import tempfile
import time
import traceback
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path

import msgspec
import uvloop

from bench.growth import curves, joins, memory
from bench.growth.picture import draw
from bench.growth.results import Found, failed, machine, table
from bench.growth.stage import many_files
from bench.options import count
from tests.support.tree import ROOT

Measure = Callable[[argparse.Namespace, Path], Awaitable[Found]]
FILES = 6_000


async def _cells(given: argparse.Namespace, folder: Path) -> Found:
    sizes = (10, 1_000) if given.quick else (10, 100, 1_000, 10_000)
    return await curves.over_cells(sizes, given.rounds, 500 if given.quick else 2_000, given.seed, folder)


async def _editors(given: argparse.Namespace, folder: Path) -> Found:
    sizes = (10, 100, 300) if given.quick else (10, 30, 100, 300, 1_000)
    deliveries = 50_000 if given.quick else 400_000
    return await curves.over_editors(sizes, given.rounds, deliveries, given.seed, folder)


async def _rooms(given: argparse.Namespace, folder: Path) -> Found:
    sizes = (10, 100) if given.quick else (10, 100, 1_000)
    return await curves.over_rooms(sizes, given.rounds, 1_000 if given.quick else 4_000, given.seed, folder)


async def _connections(given: argparse.Namespace, folder: Path) -> Found:
    sizes, busy = ((0, 500), 200) if given.quick else ((0, 500, 1_000, 2_000, 3_500, 5_000), 1_000)
    return await memory.over_connections(sizes, busy, 400 if given.quick else 4_000, given.seed, folder)


async def _stored(given: argparse.Namespace, folder: Path) -> Found:
    return await memory.over_stored_cells(
        2 if given.quick else 10, 1_000 if given.quick else 10_000, given.seed, folder
    )


async def _history(given: argparse.Namespace, folder: Path) -> Found:
    return await memory.over_operations(1_000, 2_000 if given.quick else 20_000, given.seed, folder)


async def _joins(given: argparse.Namespace, folder: Path) -> Found:
    size = 1_000 if given.quick else 5_000
    return await joins.joining(size, 50, 1 if given.quick else 3, given.seed, folder)


PARTS: Mapping[str, tuple[Measure, ...]] = {
    "cells": (_cells,),
    "editors": (_editors,),
    "rooms": (_rooms,),
    "connections": (_connections,),
    "memory": (_connections, _stored),
    "history": (_history,),
    "joins": (_joins,),
}
ALL = (_cells, _editors, _rooms, _connections, _stored, _history, _joins)


def measure(given: argparse.Namespace) -> Found:
    chosen = dict.fromkeys(one for part in given.only for one in PARTS[part]) or ALL
    found = Found()
    if said := many_files(FILES):
        found.remarks.append(said)
    with tempfile.TemporaryDirectory(dir=given.folder, prefix="codraw-growth-") as name:
        for number, one in enumerate(chosen):
            folder = Path(name) / str(number)
            folder.mkdir()
            part = attempted(one, given, folder)
            print(table(part), flush=True)
            found.curves += part.curves
            found.rows += part.rows
            found.remarks += part.remarks
    return found


def attempted(one: Measure, given: argparse.Namespace, folder: Path) -> Found:
    """What comes to no end is a bar that is not met, and the other parts go on."""
    try:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            return runner.run(one(given, folder))
    except Exception as error:
        traceback.print_exc()
        return Found(rows=[failed(one.__name__.strip("_"), error)])


def write(found: Found, head: Mapping[str, str], folder: Path) -> Path:
    """Table, values and picture under one name."""
    base = folder / f"growth-{time.strftime('%Y%m%d-%H%M%S')}"
    title = ", ".join(head.values())
    base.with_suffix(".txt").write_text(f"{title}\n{table(found)}\n", "utf-8")
    content = {**head, **msgspec.to_builtins(found)}
    base.with_suffix(".json").write_bytes(msgspec.json.format(msgspec.json.encode(content), indent=1) + b"\n")
    draw(found.curves, title, base.with_suffix(".png"))
    return base


def main() -> int:
    arguments = argparse.ArgumentParser(
        prog="python -m bench.growth", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    arguments.add_argument("--only", action="append", choices=PARTS, default=[])
    arguments.add_argument("--quick", action="store_true")
    arguments.add_argument("--rounds", type=count, default=5)
    arguments.add_argument("--seed", type=int, default=1)
    arguments.add_argument("--folder", type=Path, default=None, help="on the disk to use")
    arguments.add_argument("--rows", type=Path, default=None, help="the rows alone, as JSON")
    arguments.add_argument("--results", type=Path, default=ROOT / "bench" / "results", help="table, JSON and picture")
    given = arguments.parse_args()
    given.results.mkdir(parents=True, exist_ok=True)  # where it cannot be, that is known before all is measured
    head = {**machine(), "seed": f"seed {given.seed}", "command": " ".join(["bench.growth", *sys.argv[1:]])}
    print(", ".join(head.values()), flush=True)
    found = measure(given)
    if given.rows is not None:
        given.rows.write_bytes(msgspec.json.encode(found.rows))
    print(f"\nwritten to {write(found, head, given.results)}.*")
    return 0 if all(row.met is not False for row in found.rows) else 1


if __name__ == "__main__":
    sys.exit(main())

"""What an accepted operation costs the server, part by part: CPU of the program itself, nothing on a network.

    python -m bench.path [--operations 6400] [--rounds 7] [--cells 1000] [--editors 4] [--seed 1] [--folder .]

1. Frames of editors go through the real edge, room and SQLite store, in one process, without a network: "in all" is
   user and system time of the whole process, the store's thread and its fsync included, by accepted operation. As many
   wait as fill batches of 64; everybody hears of everybody, by frames that are written nowhere.
2. A second run is recorded: frames, events of the room, commits. Each part is then given again what it was given then,
   and timed by itself; a room is pure, so that a new one does again what the first one did.
3. What a stored cell takes of memory, of 10 000 read from a snapshot.
4. Medians of the rounds, in microseconds of CPU. Printed, and written as JSON to bench/results/.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import json
import os
import platform
import random
import shutil
import sqlite3
import tempfile
import time
import tracemalloc
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from statistics import median
from typing import Any, TypeVar
from urllib.parse import urlencode
from uuid import UUID

import msgspec
import uvloop

from bench.growth.results import commit_name
from bench.options import count
from codraw.clock import SystemClock
from codraw.serve import prepare_process
from codraw.waits import Mailbox
from collab.access.origins import Origins
from collab.core import diagram as core_diagram
from collab.core import writing as core_writing
from collab.core.effects import Commit, Effect, Send, Tell
from collab.core.events import Asked, Committed, Event
from collab.core.room import Room
from collab.handshake import Rules
from collab.sockets import READY_FRAMES
from protocol.codec import Encoding, decode, encode
from protocol.dialects import CLASSIC, CODRAW_V1, TMI, Dialect
from protocol.notices import Happened, Notice, Side
from protocol.values import DiagramId, Epoch, Instant, Limits
from storage import columns
from storage.commits import values
from storage.diagrams import SqlDiagrams
from storage.migrations.migrate import migrate
from storage.sqlite import SqliteDatabase
from tests.data.generate import diagram
from tests.support.premises import Premises
from tests.support.tree import ROOT

T = TypeVar("T")
RESULTS = ROOT / "bench" / "results"
UNLIMITED = Limits(
    operations_per_second=0,
    max_sockets_per_session=100,
    max_cells_per_diagram=100_000,
    max_diagram_bytes=1 << 30,
)
PEOPLE = ("ana", "bo")
KINDS = ("update", "move", "attrs", "update", "move", "attrs", "update", "add")
"""What editors do, in turn."""
BAR_US, STORE_BAR_US = 50, 22
CELL_BAR_BYTES, CELLS_HELD = 1_536, 10_000

Cell = dict[str, Any]


# what editors do ------------------------------------------------------------------------------------------------------


class Drawing:
    """Seeded operations on a diagram's nodes, of about 400 bytes each but for the moves."""

    def __init__(self, cells: Sequence[Cell], seed: int) -> None:
        self._random = random.Random(seed)
        self._nodes = [cell["id"] for cell in cells if "x" in cell]
        self._made = 0

    def id(self) -> str:
        return str(UUID(int=self._random.getrandbits(128), version=4))

    def message(self) -> dict[str, Any]:
        kind = KINDS[self._made % len(KINDS)]
        self._made += 1
        entry = self._added() if kind == "add" else self._updated(kind)
        return {
            "message_type": "operation",
            "operation_id": self.id(),
            "operation": {"type": "patch", "cells": [entry]},
        }

    def _updated(self, kind: str) -> Cell:
        data: Cell
        number = self._random.randrange(1_000_000)
        if kind == "move":
            data = {"x": self._random.randrange(8_000), "y": self._random.randrange(8_000) + 0.25}
        elif kind == "attrs":
            label = f"Order service of team {number}"
            data = {"label": label, "attrs": {"text": {"text": label}, "body": {"fill": f"#{number:06d}"}}}
        else:
            words = f"Takes orders of region {number}, charges cards, and tells the warehouse what is to be sent where"
            notes = f"Reviewed in round {number}: the queue between the two is to be encrypted as of spring"
            data = {
                "x": self._random.randrange(8_000),
                "zIndex": number,
                "data": {"description": words, "notes": notes},
            }
        return {"id": self._random.choice(self._nodes), "operation": "update", "data": data}

    def _added(self) -> Cell:
        where = {"x": self._random.randrange(8_000), "y": self._random.randrange(8_000), "width": 120, "height": 80}
        look = {"body": {"fill": "#dae8fc", "stroke": "#6c8ebf"}, "text": {"text": "Payment", "fontSize": 14}}
        data = {"shape": "process", **where, "label": "Payment", "attrs": look, "data": {"zone": "internal"}}
        return {"id": self.id(), "operation": "add", "data": data}


# one server without a network -----------------------------------------------------------------------------------------


class Editor:
    """A client, and its connection as the server keeps it: what it says is heard at once, what it is told counted."""

    def __init__(self, house: Premises, query: Mapping[str, str]) -> None:
        self.receipts = 0
        self.joined = asyncio.Event()
        self.gone = False
        self._mailbox = Mailbox[dict[str, Any]]()
        self._mailbox.put_nowait({"type": "websocket.connect"})
        self.listen = self._mailbox.listen
        scope = {"type": "websocket", "path": house.path, "query_string": urlencode(query).encode(), "headers": []}
        scope |= {"subprotocols": ["codraw.v1.json"], "scheme": "ws", "client": ("192.0.2.1", 1)}
        scope["extensions"] = {READY_FRAMES: self}
        self.task = asyncio.ensure_future(house.endpoint(scope, self._mailbox.get, self._send))

    def say(self, *messages: dict[str, Any]) -> None:
        for message in messages:
            self._mailbox.put_nowait(message)

    def report(self, drained: Callable[[], None], above: int) -> None:
        pass

    def pass_on(self, wire: bytes) -> None:
        assert b"operation_rejected" not in wire, wire
        self.receipts += wire.count(b'{"message_type":"operation_accepted"')
        if b'{"message_type":"participants"' in wire:
            self.joined.set()

    def waiting(self) -> int:
        return 0

    def finish(self) -> None:
        self.gone = True

    async def _send(self, message: Mapping[str, Any]) -> None:
        assert message["type"] == "websocket.accept", message


class Stage:
    """A house with one diagram, and its editors; `work` is the whole path of so many operations."""

    def __init__(self, house: Premises, database: SqliteDatabase, seed: int) -> None:
        self.house, self.database = house, database
        self.editors: list[Editor] = []
        self.seed = seed

    async def enter(self, editors: int, cells: Sequence[Cell]) -> None:
        await self.house.found(cells)
        await self.house.open_session()
        for n in range(editors):
            ticket = await self.house.ticket(PEOPLE[n % len(PEOPLE)])
            self.editors.append(editor := Editor(self.house, {"ticket": ticket}))
            await editor.joined.wait()

    async def work(self, frames: Sequence[str]) -> float:
        """CPU seconds of the process by operation."""
        share = -(-len(frames) // len(self.editors))
        heard = sum(editor.receipts for editor in self.editors)
        begun = time.process_time()
        for n, editor in enumerate(self.editors):
            said = [{"type": "websocket.receive", "text": frame} for frame in frames[n * share : (n + 1) * share]]
            editor.say(*said)
        while sum(editor.receipts for editor in self.editors) - heard < len(frames):
            await asyncio.sleep(0.005)
            assert not any(editor.gone for editor in self.editors), self.house.crashes
        return (time.process_time() - begun) / len(frames)

    async def leave(self) -> None:
        for editor in self.editors:
            editor.say({"type": "websocket.disconnect", "code": 1000, "reason": ""})
        await self.house.rooms.close()
        await self.house.tasks.close()
        assert self.house.crashes == []
        await self.database.close()


async def stage(path: Path, given: argparse.Namespace) -> tuple[Stage, Drawing]:
    database = SqliteDatabase(path)
    await migrate(database)
    clock: Any = SystemClock()
    house = Premises(database, Rules(Origins.of((), development=True)), UNLIMITED, clock=clock)
    made = Stage(house, database, given.seed)
    cells = diagram(given.cells, given.seed) if given.cells >= 100 else diagram(100, given.seed)[: given.cells]
    await made.enter(given.editors, cells)
    return made, Drawing(cells, -given.seed - 1)  # other ids than those of the diagram


def spelled(drawing: Drawing, operations: int) -> list[str]:
    return [encode(drawing.message(), Encoding.JSON).decode() for _ in range(operations)]


# the record of a run --------------------------------------------------------------------------------------------------


class Record:
    """What each part of the path was given in one run."""

    def __init__(self) -> None:
        self.room: tuple[tuple[Any, ...], dict[str, Any]] = ((), {})
        self.events: list[tuple[Event, Instant, bool]] = []
        self.effects: list[Effect] = []
        self.calls: dict[str, list[tuple[Any, ...]]] = {}

    @contextmanager
    def on(self) -> Iterator[None]:
        found, handle = Room.__init__, Room.handle
        heard = [
            (core_writing, "apply"),
            (core_writing, "doubtful"),
            (core_diagram, "hash_and_text"),
            (core_diagram, "traced"),
        ]
        former = [(module, name, getattr(module, name)) for module, name in heard]

        def founding(room: Room, *args: Any, **named: Any) -> None:
            self.room = (args, named)
            found(room, *args, **named)

        def handling(room: Room, event: Event, now: Instant, more: bool) -> list[Effect]:
            self.events.append((event, now, more))
            effects = handle(room, event, now, more)
            self.effects += effects
            return effects

        Room.__init__, Room.handle = founding, handling  # type: ignore[method-assign]
        for module, name, function in former:
            setattr(module, name, self._noting(name, function))
        try:
            yield
        finally:
            Room.__init__, Room.handle = found, handle  # type: ignore[method-assign]
            for module, name, function in former:
                setattr(module, name, function)

    def _noting(self, name: str, function: Callable[..., T]) -> Callable[..., T]:
        calls = self.calls.setdefault(name, [])

        def noting(*args: Any) -> T:
            calls.append(args)
            return function(*args)

        return noting

    @property
    def commits(self) -> list[Commit]:
        return [effect for effect in self.effects if isinstance(effect, Commit)]

    def notices(self, kind: type[Send | Tell]) -> list[Any]:
        return [effect.notice for effect in self.effects if isinstance(effect, kind)]


# timing ---------------------------------------------------------------------------------------------------------------


def timed(function: Callable[..., Any], calls: Sequence[tuple[Any, ...]], rounds: int) -> float:
    """Median CPU seconds of all these calls together."""
    took = []
    for _ in range(rounds):
        begun = time.thread_time()
        for args in calls:
            function(*args)
        took.append(time.thread_time() - begun)
    return median(took)


def replayed(record: Record) -> dict[str, float]:
    """CPU seconds of a new room for all events of the record: a batch is judged as the last that it waits for comes."""
    (args, named), took = record.room, {"queue": 0.0, "judge": 0.0, "other": 0.0}
    room = Room(*args, **named)
    for event, now, more in record.events:
        begun = time.thread_time()
        effects = room.handle(event, now, more)
        spent = time.thread_time() - begun
        judged = isinstance(event, Committed) or any([isinstance(effect, Commit) for effect in effects])
        took["judge" if judged else "queue" if isinstance(event, Asked) else "other"] += spent
    return took


def shown(dialect: Dialect, encoding: Encoding, notices: Sequence[Notice], side: Side) -> None:
    for notice in notices:
        for message in dialect.render(notice, side):
            encode(message, encoding)


async def stored(path: Path, diagram_id: DiagramId, commits: Sequence[Commit]) -> float:
    """CPU seconds of the process for all commits, on a copy of the store as it was before them."""
    with tempfile.TemporaryDirectory(dir=path.parent) as folder:
        return await _stored(Path(shutil.copy(path, folder)), diagram_id, commits)


async def _stored(path: Path, diagram_id: DiagramId, commits: Sequence[Commit]) -> float:
    database = SqliteDatabase(path)
    store = SqlDiagrams(database)
    await store.heads([diagram_id])
    begun = time.process_time()
    for commit in commits:
        outcome = await store.commit(diagram_id, commit)
        assert outcome == Committed(), outcome
    took = time.process_time() - begun
    await database.close()
    return took


def held(seed: int) -> int:
    """Bytes by cell of a diagram of 10 000 as it is read from a snapshot."""
    texts = [columns.text(diagram(CELLS_HELD, seed))]
    gc.collect()
    tracemalloc.start()
    # the text goes as it does in the server, and with it its UTF-8, which Python keeps beside it once it was asked for
    there = core_diagram.Diagram.restore(DiagramId("d"), Epoch("e"), 0, columns.cells(texts.pop()), None)
    gc.collect()
    took = tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()
    return took // len(there)


# the report -----------------------------------------------------------------------------------------------------------


async def whole(folder: Path, given: argparse.Namespace) -> list[float]:
    """Of each round, microseconds by operation."""
    at, drawing = await stage(folder / "whole.db", given)
    await at.work(spelled(drawing, given.operations))
    gc.freeze()
    took = [await at.work(spelled(drawing, given.operations)) * 1e6 for _ in range(given.rounds)]
    await at.leave()
    return took


async def recorded(folder: Path, given: argparse.Namespace) -> tuple[Record, list[str], DiagramId]:
    """`folder`/before.db is the store as it was before."""
    record = Record()
    with record.on():
        at, drawing = await stage(folder / "record.db", given)
        frames = spelled(drawing, given.operations)
        with closing(sqlite3.connect(folder / "record.db")) as store:
            store.execute("VACUUM INTO ?", (str(folder / "before.db"),))
        for calls in record.calls.values():
            calls.clear()
        await at.work(frames)
    await at.leave()
    return record, frames, at.house.diagram


def parts(record: Record, frames: Sequence[str], rounds: int) -> dict[str, float]:
    """Microseconds by operation."""
    count = len(frames)
    raw = [(frame.encode(), Encoding.JSON) for frame in frames]
    messages = [decode(*each) for each in raw]
    packed = [(encode(message, Encoding.MSGPACK), Encoding.MSGPACK) for message in messages]
    told = [notice for notice in record.notices(Tell) if isinstance(notice, Happened)]
    answered = [notice for notice in record.notices(Send) if type(notice).__name__ == "Accepted"]
    rules = lambda message: CODRAW_V1.read(message, limits=UNLIMITED)  # noqa: E731
    replays = [replayed(record) for _ in range(rounds)]
    took = {
        "yardstick: msgspec's parse alone": timed(msgspec.json.decode, [(each,) for each, _ in raw], rounds),
        "decode JSON": timed(decode, raw, rounds),
        "decode MessagePack": timed(decode, packed, rounds),
        "rules of a message": timed(rules, [(message,) for message in messages], rounds),
        "core: queue": median(replay["queue"] for replay in replays),
        "core: judge, release": median(replay["judge"] for replay in replays),
        "  of it apply": timed(core_writing.apply, record.calls["apply"], rounds),
        "    of it hash": timed(core_diagram.hash_and_text, record.calls["hash_and_text"], rounds),
        "    of it traces": timed(core_diagram.traced, record.calls["traced"], rounds),
        "  of it corrections": timed(core_writing.doubtful, record.calls["doubtful"], rounds),
        "receipt codraw.v1 JSON": timed(shown, [(CODRAW_V1, Encoding.JSON, answered, Side.SENDER)], rounds),
    }
    for dialect, encoding in ((CODRAW_V1, Encoding.JSON), (CODRAW_V1, Encoding.MSGPACK), (CLASSIC, Encoding.JSON),
                              (TMI, Encoding.JSON)):  # fmt: skip
        name = f"event {dialect.name} {encoding.value}"
        took[name] = timed(shown, [(dialect, encoding, told, Side.OTHER)], rounds)
    rows = [(DiagramId("d"), commit, 0) for commit in record.commits]
    took["values of the log"] = timed(values, rows, rounds)
    return {name: seconds / count * 1e6 for name, seconds in took.items()}


async def run(given: argparse.Namespace, folder: Path) -> dict[str, Any]:
    in_all = await whole(folder, given)
    record, frames, diagram_id = await recorded(folder, given)
    gc.collect()
    gc.freeze()
    found = parts(record, frames, given.rounds)
    commits = record.commits
    stores = [await stored(folder / "before.db", diagram_id, commits) for _ in range(given.rounds)]
    found["store: SQLite, values included"] = median(stores) / len(frames) * 1e6
    batches = [len(commit.operations) for commit in commits]
    return {
        "parts_us": {name: round(us, 2) for name, us in found.items()},
        "in_all_us": {
            "median": round(median(in_all)),
            "least": round(min(in_all)),
            "most": round(max(in_all)),
        },
        "stored_cell_bytes": held(given.seed),
        "batch": {"mean": round(sum(batches) / len(batches), 1), "most": max(batches)},
        "frame_bytes": round(sum(map(len, frames)) / len(frames)),
    }


def report(result: Mapping[str, Any]) -> None:
    print(result["machine"])
    print(result["versions"])
    batch = result["batch"]
    print(f"frames of {result['frame_bytes']} bytes, batches of {batch['mean']} (at most {batch['most']})\n")
    for name, us in result["parts_us"].items():
        print(f"{name:32} {us:7.2f} us")
    whole_us = result["in_all_us"]
    print(f"{'in all':32} {whole_us['median']:7} us  ({whole_us['least']} to {whole_us['most']}), bar {BAR_US}")
    print(f"{'':32} of which the store at most {STORE_BAR_US}")
    print(f"{'a stored cell':32} {result['stored_cell_bytes']:7} bytes, bar {CELL_BAR_BYTES}")


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--operations", type=count, default=6_400, help="of each round")
    arguments.add_argument("--rounds", type=count, default=7)
    arguments.add_argument("--cells", type=int, default=1_000)
    arguments.add_argument("--editors", type=int, default=4)
    arguments.add_argument("--seed", type=int, default=1)
    arguments.add_argument("--folder", type=Path, default=None, help="on the disk to use")
    given = arguments.parse_args()
    prepare_process()
    result: dict[str, Any] = {
        "machine": f"{platform.platform()}, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}",
        "versions": f"Python {platform.python_version()}, msgspec {msgspec.__version__}, SQLite"
        f" {sqlite3.sqlite_version}, commit {commit_name()}, seed {given.seed}, {given.cells} cells",
    }
    with tempfile.TemporaryDirectory(dir=given.folder) as name:
        result |= uvloop.run(run(given, Path(name)))
    report(result)
    RESULTS.mkdir(exist_ok=True)
    name = f"path-{time.strftime('%Y%m%d-%H%M%S', time.gmtime())}.json"
    (RESULTS / name).write_text(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    main()

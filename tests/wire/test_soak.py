"""Fifty editors of all dialects on each real diagram, and a server that is killed in the middle (`make soak`).

It prints figures and asserts no times. CODRAW_TEST_SOAK=seed:operations chooses another run.
"""

from __future__ import annotations

import asyncio
import json
import os
import platform
import random
import sqlite3
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from contextlib import AsyncExitStack, closing
from pathlib import Path
from typing import Any, Literal

import msgspec
import pytest
from websockets.exceptions import ConnectionClosed

from codraw.client import Accepted, LiveDiagram, Mismatch, Outcome, StatusChanged
from protocol.operations import Effect
from tests.data.generate import diagram
from tests.naive import NaiveDiagram
from tests.support.client import Classic, Editor, Message, Tmi, add, cell_id, remove, update
from tests.support.live import seat_at
from tests.support.servers import Meeting, Server, meet, sign_in
from tests.support.tree import ROOT
from tests.support.turns import until

pytestmark = [pytest.mark.soak, pytest.mark.timeout(1_800)]

SEED, OPERATIONS = (int(part) for part in os.environ.get("CODRAW_TEST_SOAK", "1:4000").split(":"))
EDITORS = 50
LARGE = 5_000
DATA = ROOT / "tests" / "data"
SUBJECTS = [*sorted(path.name for path in DATA.glob("*.json") if path.name != "statehash.json"), "1000", str(LARGE)]
"""Files, and numbers of generated cells."""
KINDS: tuple[type[Editor] | Literal["json", "msgpack"], ...] = (Classic, Tmi, "json", "msgpack")
"""The last two by `codraw.client`."""
ANSWERS = {
    "classic": {"sync_status_response"},
    "tmi": {"diagram_operation_event", "operation_rejected"},
}
LOG = "SELECT vector, operation_id, effect FROM diagram_op WHERE diagram = ? ORDER BY vector"


class Run:
    """What all editors share: how much is still to be done, and whether the server is there."""

    def __init__(self, server: Server, operations: int) -> None:
        self.server = server
        self.operations = operations
        self.left = operations
        self.half_done = asyncio.Event()
        self.alive = asyncio.Event()
        self.alive.set()
        self.counts: Counter[str] = Counter()
        self.receipts: dict[str, int] = {}
        self.peak_mib = 0

    def take(self) -> bool:
        self.left -= 1
        if self.left <= self.operations // 2:
            self.half_done.set()
        return self.left >= 0

    async def kill_in_the_middle(self) -> None:
        await self.half_done.wait()
        self.peak_mib = peak_mib(self.server)
        self.alive.clear()
        self.server.kill()
        await asyncio.to_thread(self.server.start)
        self.alive.set()


class Hand:
    """One editor at work. `pending`: what it has sent and has no outcome of."""

    def __init__(self, run: Run, editor: Editor, seed: int) -> None:
        self.run = run
        self.editor = editor
        self.random = random.Random(seed)
        self.pending: Message | None = None

    async def work(self) -> None:
        while self.pending is not None or self.run.take():
            try:
                await self._step()
            except ConnectionClosed:
                await self.return_()

    async def return_(self) -> None:
        self.run.counts["reconnects"] += 1
        while True:
            await self.run.alive.wait()
            try:
                await self.editor.join()
            except (OSError, ConnectionClosed):
                continue
            return

    async def _step(self) -> None:
        if self.pending is None:
            # a classic client applies its own operations itself, and the one of these tests knows whole keys only
            by_path = not isinstance(self.editor, Classic)
            self.pending = self.editor.operation(gesture(self.random, self.editor.cells.values(), by_path=by_path))
            self.editor.sent(self.pending)
            self.run.counts["operations"] += 1
        else:
            self.run.counts["sent again"] += 1
            if isinstance(self.editor, Classic):
                # the state it has just been shown may be older than its own operation
                self.editor.sent(self.pending)
        await self.editor.say(self.pending)
        if isinstance(self.editor, Classic):
            await self.editor.say({"message_type": "sync_status_request"})
        answer = await self._answer(self.pending.get("operation_id"))
        self.pending = None
        self._count(answer)

    async def _answer(self, operation_id: str | None) -> Message:
        while True:
            message = await self.editor.next()
            mine = isinstance(self.editor, Classic) or message.get("operation_id") == operation_id
            if mine and message.get("message_type") in ANSWERS[self.editor.dialect]:
                return message

    def _count(self, answer: Message) -> None:
        match answer["message_type"]:
            case "operation_rejected":
                self.run.counts["rejected"] += 1
            case "diagram_operation_event":
                self.run.counts["receipts"] += 1
                self.run.receipts[answer["operation_id"]] = answer["update_vector"]

    async def settle(self, vector: int) -> bool:
        """Hears all there is; whether the copy had to be fetched anew."""
        editor = self.editor
        if not isinstance(editor, Classic):
            while editor.vector < vector:
                await editor.next()
            return False
        status = -1
        while status < vector:
            await editor.say({"message_type": "sync_status_request"})
            status = (await editor.hear("sync_status_response"))["update_vector"]
        if editor.doubtful:
            await self.fetch()
            return True
        return False

    async def fetch(self) -> None:
        await self.editor.say({"message_type": "sync_request"})
        await self.editor.hear("diagram_state_sync")


class Agent:
    """One editor by `codraw.client`, which returns, sends again and stays equal by itself."""

    def __init__(self, run: Run, live: LiveDiagram, seed: int) -> None:
        self.run = run
        self.live = live
        self.random = random.Random(seed)
        self.mismatches = live.events(Mismatch)
        self.statuses = live.events(StatusChanged)

    async def work(self) -> None:
        while self.run.take():
            self.run.counts["operations"] += 1
            is_undo = self.random.random() < 0.05
            changes = gesture(self.random, self.live.cells, by_path=True)
            self._count(await (self.live.undo() if is_undo else self.live.edit(changes)))

    def _count(self, outcome: Outcome) -> None:
        if not isinstance(outcome, Accepted):
            self.run.counts["rejected"] += 1
            return
        self.run.counts["receipts"] += 1
        if outcome.changed:
            self.run.receipts[outcome.operation_id] = outcome.vector

    async def settle(self, vector: int) -> None:
        await until(lambda: self.live.vector >= vector)

    async def leave(self) -> list[Mismatch]:
        """How often the copy was found to be wrong."""
        await self.live.close()
        offline = [status async for status in self.statuses if status.state == "offline"]
        self.run.counts["reconnects"] += len(offline)
        return [mismatch async for mismatch in self.mismatches]


def gesture(chance: random.Random, cells: Iterable[Mapping[str, Any]], *, by_path: bool) -> list[Message]:
    nodes = [cell["id"] for cell in cells if "x" in cell]
    what = chance.random()
    if not nodes:
        return [add(cell_id())]
    node = chance.choice(nodes)
    if what < 0.65:
        return [update(node, x=chance.randrange(8_000), y=chance.randrange(8_000) + 0.25)]
    if what < 0.85:
        fill = f"#{chance.randrange(16**6):06x}"
        keys = {"attrs/body/fill": fill} if by_path else {}
        return [update(node, label=f"box {fill}", **keys)]
    if what < 0.95:
        box = cell_id()
        ends = {"source": {"cell": box}, "target": {"cell": node}}
        return [add(box), {"id": cell_id(), "operation": "add", "data": {"shape": "flow", **ends}}]
    return [remove(node)]


def peak_mib(server: Server) -> int:
    """The most resident memory its process has had; 0 where the system does not say."""
    status = Path(f"/proc/{server.pid}/status")
    if not status.exists():
        return 0
    return next(int(line.split()[1]) for line in status.read_text().splitlines() if line.startswith("VmHWM")) // 1024


def stored_bytes(folder: Path) -> int:
    return sum(file.stat().st_size for file in folder.glob("codraw.db*"))


async def gather(run: Run, meeting: Meeting, seats: AsyncExitStack) -> tuple[list[Hand], list[Agent]]:
    hands: list[Hand] = []
    agents: list[Agent] = []
    for number in range(EDITORS):
        kind, name, seed = KINDS[number % len(KINDS)], f"editor{number}", SEED * 1_000 + number
        if isinstance(kind, str):
            live = await seats.enter_async_context(seat_at(meeting, name, kind))
            agents.append(Agent(run, live, seed))
        else:
            editor = await kind(meeting, await sign_in(run.server, name)).join()
            hands.append(Hand(run, editor, seed))
    return hands, agents


async def lecture_hall(server: Server, subject: str) -> tuple[Meeting, list[dict[str, Any]]]:
    """A session on the diagram, and its founding cells. The host stays away: a session may do without."""
    raw = diagram(int(subject), SEED) if subject.isdigit() else json.loads((DATA / subject).read_text("utf-8"))
    host = await sign_in(server, "host")
    meeting = await meet(host)
    body = {"name": subject, "type": "DFD-1.0.0", "cells": raw}
    meeting.diagram = (await host.post(f"/threat_models/{meeting.threat_model}/diagrams", body))["id"]
    meeting.session = (await host.post(f"{meeting.path}/collaborate"))["session_id"]
    return meeting, (await meeting.cells())[1]


def logged(server: Server, diagram: str) -> Iterator[tuple[int, str, Effect]]:
    with closing(sqlite3.connect(f"file:{server.store}?mode=ro", uri=True)) as store:
        (number,) = store.execute("SELECT number FROM diagram_head WHERE id = ?", (diagram,)).fetchone()
        for vector, operation_id, effect in store.execute(LOG, (number,)):
            yield vector, operation_id, msgspec.json.decode(effect, type=Effect)


def no_ops(server: Server) -> set[str]:
    with closing(sqlite3.connect(f"file:{server.store}?mode=ro", uri=True)) as store:
        return {id for (id,) in store.execute("SELECT operation_id FROM diagram_outcome WHERE verdict = 'no_op'")}


@pytest.mark.parametrize("subject", SUBJECTS)
async def test_I1_fifty_editors_a_kill_and_everybody_ends_equal(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], subject: str
) -> None:
    async with AsyncExitStack() as seats:
        server = seats.enter_context(Server(tmp_path))
        run = Run(server, OPERATIONS if subject == str(LARGE) else OPERATIONS // 4)
        meeting, founding = await lecture_hall(server, subject)
        joined_at = time.perf_counter()
        hands, agents = await gather(run, meeting, seats)
        started_at = time.perf_counter()
        async with asyncio.TaskGroup() as work:
            work.create_task(run.kill_in_the_middle())
            for hand in hands:
                work.create_task(hand.work())
            for agent in agents:
                work.create_task(agent.work())
        worked_s = time.perf_counter() - started_at
        vector, cells = await meeting.cells()
        async with asyncio.timeout(300):
            fetched = [await hand.settle(vector) for hand in hands]
            for agent in agents:
                await agent.settle(vector)
        mismatches = [mismatch for agent in agents for mismatch in await agent.leave()]
        figures = {
            "machine": f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}",
            "seed": SEED,
            "diagram": subject,
            "cells": f"{len(founding)} at first, {len(cells)} at last",
            "editors": f"{len(hands) + len(agents)} in {started_at - joined_at:.1f} s",
            **run.counts,
            "vector": vector,
            "seconds of work, kill and restart included": round(worked_s, 1),
            "operations per second": round(run.operations / worked_s),
            "memory of the server at its peak, MiB": f"{run.peak_mib} before the kill, {peak_mib(server)} after",
            "store, MiB": round(stored_bytes(tmp_path) / 2**20, 1),
            "classic copies fetched anew at the end": sum(fetched),
            "classic copies that differ all the same": different(hands, cells, (Classic,)),
        }
        with capsys.disabled():
            show(figures)
        assert run.counts["operations"] == run.operations and run.counts["reconnects"] >= EDITORS
        assert [fault for hand in hands for fault in hand.editor.faults] == []
        assert mismatches == []
        assert different(hands, cells, (Tmi,)) == 0
        assert [agent for agent in agents if list(agent.live.cells) != cells] == []
        for hand in hands:
            if isinstance(hand.editor, Classic):
                # It cannot say what it has seen: of two changes of one key at once it may show the wrong one.
                await hand.fetch()
        assert different(hands, cells, (Classic,)) == 0
        await meeting.over()
        assert server.stop() == 0
        judge_the_log(server, meeting, founding, cells, run.receipts)


def different(hands: list[Hand], cells: list[dict[str, Any]], kinds: tuple[type[Editor], ...]) -> int:
    """E1: tmi shows `data` of every cell, `{}` where there is none."""
    truth = {cell["id"]: cell | ({} if cell.get("data") else {"data": {}}) for cell in cells}
    copies = (hand.editor.cells for hand in hands if isinstance(hand.editor, kinds))
    return sum({id: {"data": {}} | cell for id, cell in copy.items()} != truth for copy in copies)


def judge_the_log(
    server: Server,
    meeting: Meeting,
    founding: list[dict[str, Any]],
    cells: list[dict[str, Any]],
    receipts: dict[str, int],
) -> None:
    log = list(logged(server, meeting.diagram))
    assert [vector for vector, _, _ in log] == list(range(1, len(log) + 1))
    placed = {operation_id: vector for vector, operation_id, _ in log}
    # tmi cannot tell a no-op from what was accepted: it is shown the request again, at the current vector
    nothing = no_ops(server)
    told = {id: vector for id, vector in receipts.items() if id not in nothing}
    assert {id: placed.get(id) for id in told} == told
    naive = NaiveDiagram(founding)
    for _, _, effect in log:
        naive.replay(effect)
    assert naive.cells == cells
    command = [sys.executable, "-m", "codraw", "verify", "--store", f"sqlite:///{server.store}"]
    verified = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert verified.returncode == 0, verified.stdout + verified.stderr


def show(figures: Mapping[str, Any]) -> None:
    print("\n== soak")
    for name, figure in figures.items():
        print(f"{name:>44}  {figure}")

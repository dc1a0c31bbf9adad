"""`kill -9` in a loop under editors of every dialect: what was acknowledged is in the log, and all copies agree."""

from __future__ import annotations

import asyncio
import random
import sqlite3
from collections import Counter
from collections.abc import Sequence
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx2
import msgspec
import pytest
from websockets.exceptions import WebSocketException

from codraw.client import Accepted, Asked, LiveDiagram, Mismatch, Unsettled
from protocol.operations import Effect
from protocol.statehash import hex32
from tests.naive import NaiveDiagram
from tests.support.client import Classic, CodrawV1, Editor, Tmi, add, remove, update
from tests.support.live import seat_at
from tests.support.servers import Meeting, Person, Server, meet, sign_in
from tests.support.turns import until
from tests.support.wire import word

ROUNDS = 20
SEED = 20_261_121
BROKEN = (WebSocketException, OSError, httpx2.HTTPError)


class Load:
    """One editor that edits until its connection breaks, and sends again what has no outcome when it is back."""

    def __init__(self, editor: Editor, chance: random.Random, ids: list[str]) -> None:
        self.editor = editor
        self.chance = chance
        self.ids = ids
        self.sent: dict[str, dict[str, Any]] = {}
        self.done = 0

    @property
    def pending(self) -> list[str]:
        """Classic clients hear of failures only: what they sent is as good as done."""
        return [] if isinstance(self.editor, Classic) else [id for id in self.sent if id not in self.editor.outcomes]

    async def edit_until_broken(self) -> None:
        try:
            await self.come_back()
            while True:
                await self.edit()
        except BROKEN:
            return

    async def come_back(self) -> None:
        editor = self.editor
        resume = {"resume": editor.place} if isinstance(editor, CodrawV1) and editor.epoch else {}
        await editor.join(**resume)
        for id in self.pending:
            await self.say(self.sent[id])
        await self.answered()

    async def edit(self) -> None:
        for _ in range(self.chance.randint(1, 4)):
            id = str(UUID(int=self.chance.getrandbits(128), version=4))
            self.sent[id] = self.message(id)
            await self.say(self.sent[id])
        await self.answered()
        self.done += 1

    async def say(self, message: dict[str, Any]) -> None:
        await self.editor.say(message)
        if "operation" in message:
            self.editor.sent(message)

    async def answered(self) -> None:
        if isinstance(self.editor, Classic):
            await self.editor.say({"message_type": "sync_status_request"})
            await self.editor.hear("sync_status_response")
        while self.pending:
            await self.editor.hear()

    def message(self, operation_id: str) -> dict[str, Any]:
        if isinstance(self.editor, CodrawV1) and self.chance.random() < 0.15:
            kind = self.chance.choice(("undo", "redo"))
            return {"message_type": kind, "operation_id": operation_id}
        return self.editor.operation(batch(self.chance, self.ids), operation_id)


class Program:
    """One that lets `codraw.client` come back and send again: it only edits."""

    def __init__(self, live: LiveDiagram, chance: random.Random, ids: list[str]) -> None:
        self.live = live
        self.chance = chance
        self.ids = ids
        self.asked: list[Asked] = []
        self.done = 0
        self.mismatches = live.events(Mismatch)

    async def edit_until(self, over: asyncio.Event) -> None:
        while not over.is_set():
            asked = [self.ask() for _ in range(self.chance.randint(1, 4))]
            self.asked += asked
            for one in asked:
                await one
            self.done += 1

    def ask(self) -> Asked:
        if self.chance.random() < 0.15:
            return self.chance.choice((self.live.undo, self.live.redo))()
        return self.live.edit(batch(self.chance, self.ids))


def batch(chance: random.Random, ids: list[str]) -> list[dict[str, Any]]:
    return [change(chance, ids) for _ in range(chance.randint(1, 3))]


def change(chance: random.Random, ids: list[str]) -> dict[str, Any]:
    chosen, number = chance.choice(ids), chance.randrange(1_000)
    match chance.randrange(10):
        case 0:
            return remove(chosen)
        case 1 | 2 | 3:
            return add(chosen, label=f"{number}")
    key = chance.choice(("x", "y", "angle", "zIndex"))
    return update(chosen, **{key: number})


class Log:
    """The store's own account of one diagram, read behind the server's back."""

    def __init__(self, store: Path, diagram: str) -> None:
        with sqlite3.connect(f"file:{store}?mode=ro", uri=True) as connection:
            ((number, self.head, self.head_hash),) = connection.execute(
                "SELECT number, vector, state_hash FROM diagram_head WHERE id = ?", (diagram,)
            )
            self.rows = connection.execute(
                "SELECT vector, user_id, operation_id, effect, state_hash FROM diagram_op"
                " WHERE diagram = ? ORDER BY vector",
                (number,),
            ).fetchall()
        connection.close()
        self.vectors = {(user, id): vector for vector, user, id, _, _ in self.rows}

    def replayed(self) -> NaiveDiagram:
        """VEC14: every row's hash is that of the cells it led to."""
        diagram = NaiveDiagram([])
        for vector, _, _, effect, state_hash in self.rows:
            diagram.replay(msgspec.json.decode(effect, type=Effect))
            assert hex32(diagram.hash()) == state_hash, f"hash at {vector}"
        return diagram


@pytest.mark.timeout(300)
async def test_I1_I2_I3_I4_I7_VEC4_WS18_nothing_acknowledged_is_lost_and_all_agree_after_kill_9_in_a_loop(
    tmp_path: Path,
) -> None:
    chance = random.Random(SEED)
    server = Server(tmp_path)
    async with AsyncExitStack() as seats:
        seats.enter_context(server)
        meeting = await meet(await sign_in(server, "ana"))
        loads = [Load(editor, random.Random(chance.random()), pool(chance)) for editor in await editors(meeting)]
        # bo has a tmi window open, too
        lives = [
            await seats.enter_async_context(seat_at(meeting, *seat)) for seat in (("bo", "json"), ("cy", "msgpack"))
        ]
        programs = [Program(live, random.Random(chance.random()), pool(chance)) for live in lives]
        over = asyncio.Event()
        editing = [asyncio.ensure_future(program.edit_until(over)) for program in programs]
        for _ in range(ROUNDS):
            enough = done([*loads, *programs]) + chance.randint(5, 60)
            running = [asyncio.ensure_future(load.edit_until_broken()) for load in loads]
            await until(lambda enough=enough: done([*loads, *programs]) >= enough)  # type: ignore[misc]
            server.kill()
            await asyncio.gather(*running)
            server.start()
        for load in loads:
            await load.come_back()
        over.set()
        await asyncio.gather(*editing)
        vector, cells = await agreed(meeting, [load.editor for load in loads])
        await until(lambda: all(program.live.vector >= vector for program in programs))
        for live in lives:
            await live.close()
        server.kill()
    await meeting.over()
    log = Log(server.store, meeting.diagram)
    judge(log, vector, cells, [load.editor for load in loads])
    for program in programs:
        await judge_program(log, cells, program)
    assert sum(len(load.sent) for load in loads) + sum(len(program.asked) for program in programs) > ROUNDS * 20


def done(busy: Sequence[Load | Program]) -> int:
    return sum(one.done for one in busy)


POOL = [f"7d3e6f5a-1b2c-4d3e-8f90-{n:012x}" for n in range(12)]


def pool(chance: random.Random) -> list[str]:
    """Cells that one editor touches: most of them are touched by others too."""
    return chance.sample(POOL, 8)


async def editors(meeting: Meeting) -> list[Editor]:
    people: dict[str, Person] = {name: await sign_in(meeting.server, name) for name in ("bo", "cy", "dee")}
    people["ana"] = meeting.host
    kinds: list[tuple[type[Editor], str]] = [
        (CodrawV1, "ana"), (Tmi, "ana"), (Tmi, "bo"), (Classic, "dee"),
    ]  # fmt: skip
    return [kind(meeting, people[name]) for kind, name in kinds]


async def agreed(meeting: Meeting, editors: list[Editor]) -> tuple[int, list[dict[str, Any]]]:
    """Vector and cells by REST, once every editor has heard all there is to hear."""
    vector, cells = await meeting.cells()
    for editor in editors:
        if isinstance(editor, Classic):
            await editor.say({"message_type": "sync_request"})
            await editor.hear("diagram_state_sync")
        while editor.vector < vector:
            await editor.hear()
        if isinstance(editor, CodrawV1):
            await editor.say({"message_type": "heartbeat", "ref": "last"})
            while (await editor.hear("heartbeat")).get("ref") != "last":
                pass
    return vector, cells


def judge(log: Log, vector: int, cells: list[dict[str, Any]], editors: list[Editor]) -> None:
    replayed = log.replayed()
    assert [row[0] for row in log.rows] == list(range(1, log.head + 1))  # I3
    assert Counter((row[1], row[2]) for row in log.rows).most_common(1)[0][1] == 1  # I4
    assert (vector, cells) == (log.head, replayed.cells)
    assert log.head_hash == hex32(replayed.hash())
    for editor in editors:
        name = f"{editor.dialect} of {editor.person.name}"
        assert editor.faults == [], name
        assert editor.copy() == cells, name  # I2
        for message in editor.trace:
            check(log, editor, message)


async def judge_program(log: Log, cells: list[dict[str, Any]], program: Program) -> None:
    """I1, I2, I6: every one has an outcome, each accepted one is in the log, and the copy was never wrong."""
    assert program.live.you is not None
    name = program.live.you.user.provider_id
    outcomes = [await asked for asked in program.asked]
    assert not any(isinstance(outcome, Unsettled) for outcome in outcomes), name
    told = {one.operation_id: one.vector for one in outcomes if isinstance(one, Accepted) and one.changed}
    assert {id: log.vectors.get((f"test:{name}", id)) for id in told} == told, name
    assert list(program.live.cells) == cells, name
    assert [mismatch async for mismatch in program.mismatches] == [], name


def check(log: Log, editor: Editor, message: dict[str, Any]) -> None:
    """I1: a receipt is in the log at its vector. I7: so is every event that anybody ever saw."""
    user = f"test:{editor.person.name}"
    match word(message):
        case "operation_accepted" if message["changed"]:
            assert log.vectors[user, message["operation_id"]] == message["update_vector"]
        case "event":
            assert log.vectors[message["by"]["id"], message["operation_id"]] == message["update_vector"]
        case "diagram_operation_event" if message["initiating_user"]["provider"] == "test":
            author = f"test:{message['initiating_user']['provider_id']}"
            logged = log.vectors.get((author, message["operation_id"]))
            # E2: a no-op is echoed to its sender alone, at a vector that somebody else's operation has.
            assert logged == message["update_vector"] or (logged is None and author == user)

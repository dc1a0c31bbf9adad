"""Readers that do not read: what they are spared, what they cost, and what the others notice of it."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import closing, suppress
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from tests.support.client import CodrawV1, Editor, Tmi, add, cell_id, update
from tests.support.premises import Premises, premises
from tests.support.raw import Raw, memory
from tests.support.servers import Meeting, Person, Server, meet, sign_in
from tests.support.wire import Line, word

# the ladder, in one process -------------------------------------------------------------------------------------------

ROOM_FOR = 17
"""So many events of `LARGE` characters wait, and not one more."""
LARGE = 60_000


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[Premises]:
    async with premises(tmp_path) as house:
        await house.open_session()
        yield house


async def joined(house: Premises, name: str, **query: str) -> Line:
    ticket = await house.ticket(name)
    return Line(house.endpoint, house.path, {"ticket": ticket, "dialect": "codraw.v1", **query})


async def drawn(line: Line, times: int = 1, size: int = LARGE) -> dict[str, Any]:
    """The last receipt."""
    receipt = {}
    for _ in range(times):
        change = add(cell_id(), data={"text": "x" * size})
        operation = {"type": "patch", "cells": [change]}
        line.say({"message_type": "operation", "operation_id": str(uuid4()), "operation": operation})
        receipt = await line.hear("operation_accepted", "operation_rejected")
        assert word(receipt) == "operation_accepted"
    return receipt


async def to_its_end(line: Line) -> list[dict[str, Any]]:
    await line.ended()
    return [line.frames.get_nowait() for _ in range(line.frames.qsize())]


async def test_WS12_WS15_one_who_lags_is_shown_a_fresh_state_and_then_its_receipts(house: Premises) -> None:
    writer, reader = await joined(house, "bo"), await joined(house, "ana")
    await reader.hear("participants")
    reader.gate.clear()
    await drawn(writer, 5)
    operation = {"type": "patch", "cells": [add(cell_id())]}
    reader.say({"message_type": "operation", "operation_id": str(uuid4()), "operation": operation})
    await writer.hear("event")
    receipt = await drawn(writer, ROOM_FOR)
    reader.gate.set()
    after = await drawn(writer)
    heard = [await reader.hear("event", "state", "operation_accepted")]
    while heard[-1]["update_vector"] != after["update_vector"]:
        heard.append(await reader.hear("event", "state", "operation_accepted"))
    words = [word(message) for message in heard]
    at = words.index("state")
    state, mine = heard[at : at + 2]
    assert words == ["event"] * at + ["state", "operation_accepted"] + ["event"] * (len(words) - at - 2)
    assert [message["update_vector"] for message in heard[:at]] == list(range(1, at + 1))
    assert (state["reason"], mine["update_vector"]) == ("overflow", 6)
    assert 6 < state["update_vector"] <= receipt["update_vector"]
    told = [message["update_vector"] for message in heard[at + 2 :]]
    assert told == list(range(state["update_vector"] + 1, after["update_vector"] + 1))


async def test_WS12_one_who_goes_on_lagging_is_closed_4408_and_may_return(house: Premises) -> None:
    writer, reader = await joined(house, "bo"), await joined(house, "cy")
    welcome = await reader.hear("welcome")
    await reader.hear("participants")
    reader.gate.clear()
    receipt = await drawn(writer, 3 * ROOM_FOR)
    reader.gate.set()
    heard = await to_its_end(reader)
    goodbye = heard[-1]
    assert (goodbye["code"], goodbye["reason"], goodbye["return"]) == (4408, "slow", "yes")
    assert await reader.ended() == 4408
    back = await joined(house, "cy", resume=f"{welcome['epoch']}:{receipt['update_vector'] - 2}")
    assert (await back.hear("resumed", "state"))["count"] == 2


async def test_WS12_cursors_go_before_anything_else(house: Premises) -> None:
    writer, reader = await joined(house, "bo"), await joined(house, "ana")
    await reader.hear("participants")
    reader.gate.clear()
    selection = [f"{n:0128}" for n in range(500)]
    writer.say({"message_type": "awareness", "selection": selection})
    last = await drawn(writer, ROOM_FOR)
    reader.gate.set()
    heard = [await reader.hear("event", "state", "awareness")]
    while heard[-1].get("update_vector") != last["update_vector"]:
        heard.append(await reader.hear("event", "state", "awareness"))
    assert "state" not in map(word, heard)


# again and again, in a process of its own -----------------------------------------------------------------------------

MIB = 1024 * 1024
WARM = 1_500
"""So many operations are drawn before any reader comes: with fewer the server is still growing by itself."""
READERS = 10
TIMES = 2
"""Each is let go so often, and comes again."""
AT_ONCE = 20
"""Operations of one editor that are on their way."""
LARGEST = MIB + 512 * 1024
"""Of one reader's: its queue, and what is on its way into the kernel."""


class Brief(Server):
    """Who is let go has half a second, not five, to read why."""

    before = "from codraw import fastws; fastws.LINGER_S = 0.5\n"


class Drawing:
    """One editor that draws for as long as it is asked to."""

    def __init__(self, editor: Editor, cell: str) -> None:
        self.editor = editor
        self.cell = cell
        self.asked: list[str] = []

    async def until(self, over: Callable[[], bool]) -> None:
        """Every operation has its outcome then."""
        editor, pending = self.editor, set[str]()
        while pending or not over():
            if len(pending) < AT_ONCE and not over():
                number = len(self.asked)
                text = str(number % 10) * 10_000
                self.asked.append(await editor.edit(update(self.cell, x=number, data={"text": text})))
                pending.add(self.asked[-1])
            else:
                await editor.hear()
                pending.difference_update(editor.outcomes)


async def deaf(meeting: Meeting, person: Person) -> None:
    """Joins and reads nothing; whenever it is let go, it comes again."""
    for _ in range(TIMES):
        raw = await Raw.join(meeting, person)
        with closing(raw), suppress(OSError):
            while True:
                await raw.send(b"\x89\x80\0\0\0\0")
                await asyncio.sleep(0.05)


async def largest(server: Server, over: Callable[[], bool]) -> int:
    most = 0
    while not over():
        most = max(most, memory(server.pid))
        await asyncio.sleep(0.1)
    return most


@pytest.mark.skipif(sys.platform != "linux", reason="memory of another process is read from /proc")
@pytest.mark.timeout(300)
async def test_S74_WS12_readers_that_read_nothing_hold_no_more_than_their_queues(tmp_path: Path) -> None:
    with Brief(tmp_path, operations_per_second="0", ping_seconds="1000") as server:
        meeting = await meet(await sign_in(server, "ana"))
        people = [await sign_in(server, name) for name in ("bo", "cy", "dee", "eve")]
        editors: list[Editor] = [await CodrawV1(meeting, meeting.host).join(), await Tmi(meeting, people[0]).join()]
        drawings = []
        for editor in editors:
            id = cell_id()
            await editor.edit(add(id))
            drawings.append(Drawing(editor, id))
            await editor.hear("operation_accepted", "diagram_operation_event")

        async def drawn_until(over: Callable[[], bool]) -> int:
            """The most memory that the server took."""
            *_, most = await asyncio.gather(*(drawing.until(over) for drawing in drawings), largest(server, over))
            return most

        before = await drawn_until(lambda: sum(len(drawing.asked) for drawing in drawings) >= WARM)
        readers = asyncio.gather(*(deaf(meeting, people[2 + n % 2]) for n in range(READERS)))
        most = await drawn_until(readers.done)
        await readers
        drawn = sum(len(drawing.asked) for drawing in drawings)
        print(f"{drawn} operations, {(most - before) / MIB:.1f} MiB")
        assert server.log.count(": slow") >= READERS * TIMES
        assert most - before < READERS * LARGEST
        receipts = {word(drawing.editor.outcomes[id]) for drawing in drawings for id in drawing.asked}
        assert receipts == {"operation_accepted", "diagram_operation_event"}
        vector, cells = await meeting.cells()
        assert vector == 2 + drawn
        back = CodrawV1(meeting, people[2])
        back.epoch, back.vector = drawings[0].editor.outcomes[drawings[0].asked[0]]["epoch"], 2
        await back.join(resume=back.place)
        assert (back.vector, back.copy()) == (vector, cells)
        assert "Traceback" not in server.log
        await meeting.over()

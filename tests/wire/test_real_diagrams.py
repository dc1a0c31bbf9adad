"""The main job on real diagrams: two people edit each at once, two others watch, and all end with the same cells."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Sequence
from typing import Any

import pytest

from protocol.cells import canonical_cells, canonical_changes, is_edge
from protocol.operations import CellEffect, Effect, Verb
from protocol.values import Limits
from tests.naive import ACCEPTED, NaiveDiagram
from tests.support.client import (
    PATIENCE_S,
    Classic,
    CodrawV1,
    Editor,
    Message,
    Packed,
    Tmi,
    add,
    cell_id,
    remove,
    update,
)
from tests.support.servers import Meeting, Server, meet, sign_in
from tests.support.tree import ROOT

DATA = ROOT / "tests" / "data"
NAMES = sorted(path.name for path in DATA.glob("*.json") if path.name != "statehash.json")
LIMITS = Limits()
Cells = list[dict[str, Any]]


class Table:
    """Ana edits in classic, Bo in codraw.v1; Cy watches in tmi, Di in MessagePack, whose frames are the log."""

    def __init__(self, meeting: Meeting, founding: Cells) -> None:
        self.meeting = meeting
        self.founding = founding
        self.asked: dict[str, Sequence[Message]] = {}

    async def seat(self, server: Server) -> None:
        people = [await sign_in(server, name) for name in ("ana", "bo", "cy", "di")]
        self.ana = await Classic(self.meeting, people[0]).join()
        self.bo = await CodrawV1(self.meeting, people[1]).join()
        self.cy = await Tmi(self.meeting, people[2]).join()
        self.di = await Packed(self.meeting, people[3]).join()

    async def edit(self, editor: Editor, *changes: Message) -> str:
        id = await editor.edit(*changes)
        self.asked[id] = changes
        return id

    async def settled(self, vector: int) -> None:
        """Everybody has heard of everything up to `vector`, and done what its dialect then asks for."""
        async with asyncio.timeout(PATIENCE_S):
            for editor in (self.bo, self.cy, self.di):
                while editor.vector < vector:
                    await editor.next()
            while await self._status() < vector:
                pass
            if self.ana.doubtful:
                await self.ana.say({"message_type": "sync_request"})
                await self.ana.hear("diagram_state_sync")

    async def _status(self) -> int:
        """All that was told to Ana before the answer has arrived with it."""
        await self.ana.say({"message_type": "sync_status_request"})
        return int((await self.ana.hear("sync_status_response"))["update_vector"])

    async def equal(self, vector: int) -> None:
        await self.settled(vector)
        at, cells = await self.meeting.cells()
        assert at == vector
        assert list(self.bo.cells.values()) == cells
        assert list(self.di.cells.values()) == cells
        assert list(self.replayed().cells) == cells
        by_id = {cell["id"]: cell for cell in cells}
        assert self.ana.cells == by_id
        assert {id: without_empty_data(cell) for id, cell in self.cy.cells.items()} == by_id
        assert [editor.faults for editor in (self.ana, self.bo, self.cy, self.di)] == [[], [], [], []]

    def replayed(self) -> NaiveDiagram:
        """The log done again by other code: what was asked leads to what was told; an undo is taken as told."""
        naive = NaiveDiagram(self.founding)
        for event in self.di.trace:
            if event["message_type"] != "event":
                continue
            told = effect(event["operation"]["cells"])
            if event["kind"] == "edit":
                changes = canonical_changes(list(self.asked[event["operation_id"]]), free_ids=True, limits=LIMITS)
                verdict, expected = naive.apply(changes, LIMITS)
                assert (verdict, expected and plain(expected)) == (ACCEPTED, plain(told))
            else:
                naive.replay(told)
        return naive


def effect(told: list[Message]) -> Effect:
    def data(change: Message) -> Any:
        return {"id": change["id"], **change["data"]} if change["operation"] == "add" else change.get("data")

    return Effect(tuple(CellEffect(change["id"], Verb(change["operation"]), data(change)) for change in told))


def plain(effect: Effect) -> list[tuple[Any, ...]]:
    return [(cell.id, cell.verb, cell.data) for cell in effect.cells]


def without_empty_data(cell: dict[str, Any]) -> dict[str, Any]:
    """E1: tmi shows `data` of every cell, `{}` where there is none."""
    return {key: value for key, value in cell.items() if key != "data" or value}


@pytest.fixture(params=NAMES)
async def table(server: Server, request: pytest.FixtureRequest) -> AsyncIterator[Table]:
    """One of the real diagrams, created by REST in the geometry of its file, with everybody present."""
    raw = json.loads((DATA / request.param).read_text("utf-8"))
    host = await sign_in(server, "host")
    meeting = await meet(host)
    diagram = await host.post(
        f"/threat_models/{meeting.threat_model}/diagrams", {"name": request.param, "type": "DFD-1.0.0", "cells": raw}
    )
    meeting.diagram = diagram["id"]
    meeting.session = (await host.post(f"{meeting.path}/collaborate"))["session_id"]
    table = Table(meeting, [dict(cell) for cell in canonical_cells(raw, free_ids=True, limits=LIMITS)])
    await table.seat(server)
    yield table
    await meeting.over()


async def test_VEC1_OP17_a_real_diagram_is_shown_canonical_at_vector_0(table: Table) -> None:
    assert await table.meeting.cells() == (0, table.founding)
    await table.equal(0)


async def test_WS1_two_people_do_the_main_job_and_everybody_ends_equal(table: Table) -> None:
    nodes = [cell for cell in table.founding if not is_edge(cell)]
    first, last = nodes[0], nodes[-1]
    ana, bo = table.ana, table.bo

    # at once, and where there is one box only, to different keys of it
    await table.edit(ana, update(last["id"], x=last["x"] + 40, y=last["y"] - 12.5))
    await table.edit(bo, update(first["id"], label="renamed – Überweisung", **{"attrs/body/fill": "#cfe2ff"}))
    await table.equal(2)

    box, line = cell_id(), cell_id()
    ends = {"source": {"cell": first["id"]}, "target": {"cell": box}}
    await table.edit(ana, {"id": line, "operation": "add", "data": {"shape": "flow", **ends}}, add(box, label="new"))
    await table.equal(3)
    await ana.say({"message_type": "undo_request"})
    await ana.hear("history_operation")
    await table.equal(4)
    assert not bo.cells.keys() & {box, line}
    await ana.say({"message_type": "redo_request"})
    await ana.hear("history_operation")
    await table.equal(5)

    before = dict(bo.cells)
    flows = {cell["id"] for cell in before.values() if first["id"] in ends_of(cell)}
    assert line in flows
    removal = await table.edit(bo, remove(first["id"]))
    await table.equal(6)
    assert not bo.cells.keys() & {first["id"], *flows}
    assert {change["id"] for change in bo.outcomes[removal]["cells"]} >= {first["id"], *flows}
    await bo.say({"message_type": "undo"})
    await table.equal(7)
    gone = {first["id"], *flows}
    assert {id: bo.cells.get(id) for id in gone} == {id: before[id] for id in gone}


@pytest.mark.parametrize("table", ["api-workflows.nested.json"], indirect=True)
async def test_VEC14_a_sender_with_another_spelling_is_shown_what_came_of_it(table: Table) -> None:
    nested = {"type": "datastore", "position": {"x": 1, "y": 2}, "size": {"width": 120, "height": 60}}
    await table.edit(table.bo, {"id": cell_id(), "operation": "add", "data": nested})
    await table.equal(1)
    await table.edit(table.bo, update(table.founding[0]["id"], position={"x": 7, "y": 8}))
    await table.equal(2)


def ends_of(cell: dict[str, Any]) -> set[str]:
    return {cell[key]["cell"] for key in ("source", "target")} if is_edge(cell) else set()

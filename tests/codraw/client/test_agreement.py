"""Staying equal: gaps, late vectors, wrong hashes, answers that stay out."""

from __future__ import annotations

from typing import Any

import pytest

from codraw.client import LiveDiagram, Mismatch
from tests.support.live import told
from tests.support.scripted import NO_CELLS, Line, ScriptedPeer
from tests.support.turns import until

WRONG = "1" * 32


def place(vector: int, state_hash: str = NO_CELLS, epoch: str = "e") -> dict[str, Any]:
    return {"epoch": epoch, "update_vector": vector, "state_hash": state_hash}


async def beat(line: Line, vector: int, state_hash: str = NO_CELLS, epoch: str = "e") -> None:
    await line.say("heartbeat", **place(vector, state_hash, epoch), server_time="")


def event(vector: int) -> dict[str, Any]:
    patch = {"type": "patch", "cells": []}
    by = {"id": "test:bo", "name": "Bo"}
    return {**place(vector), "operation_id": str(vector), "by": by, "kind": "edit", "operation": patch, "at": ""}


async def test_an_equal_heartbeat_asks_for_nothing(live: LiveDiagram, line: Line) -> None:
    await beat(line, 0)
    live.check()
    await live.close()
    assert [message["message_type"] for message in (await line.rest())[0]] == ["heartbeat"]


async def test_VEC15_another_hash_asks_for_a_repair_then_for_a_state_and_then_gives_up(
    live: LiveDiagram, line: Line
) -> None:
    events = live.events(Mismatch)
    await beat(line, 0, WRONG)
    assert (await line.hear("resume"))["cell_hashes"] == []
    assert await told(events, Mismatch) == Mismatch(0, NO_CELLS, WRONG)
    await line.say("repair", **place(0, WRONG), cells=[], removed=[])
    assert "cell_hashes" not in await line.hear("resume")
    await line.say("state", **place(0, WRONG), reason="hash_mismatch", resend=True, cells=[])
    await told(events, Mismatch)
    await told(events, Mismatch)
    await live.close()
    assert (await line.rest())[0] == []


async def test_VEC15_a_vector_that_does_not_come_is_asked_for(
    live: LiveDiagram, line: Line, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("codraw.client.agreement.CATCH_UP_S", 0)
    await beat(line, 1)
    asked = await line.hear("resume")
    assert (asked["epoch"], asked["update_vector"], asked["state_hash"]) == ("e", 0, NO_CELLS)
    await line.say("resumed", epoch="e", **{"from": 0}, to=2, count=2, state_hash=NO_CELLS)
    for vector in (1, 2):
        await line.say("event", **event(vector))
    await until(lambda: live.vector == 2)


async def test_a_vector_that_comes_in_time_is_not_asked_for(
    live: LiveDiagram, line: Line, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("codraw.client.agreement.CATCH_UP_S", 0.02)
    await beat(line, 1)
    await line.say("event", **event(1))
    await until(lambda: live.vector == 1 and "catch up" not in live._link.timers)
    await live.close()
    assert (await line.rest())[0] == []


async def test_a_gap_is_asked_for_once(live: LiveDiagram, line: Line) -> None:
    for vector in (2, 3, 4):
        await line.say("event", **event(vector))
    await line.hear("resume")
    await line.say("state", **place(4), reason="requested", resend=True, cells=[])
    await until(lambda: live.vector == 4)
    await live.close()
    assert (await line.rest())[0] == []


async def test_VEC6_another_epoch_is_asked_for(live: LiveDiagram, line: Line) -> None:
    await beat(line, 0, NO_CELLS, "f")
    await line.hear("resume")


async def test_where_the_answer_stays_out_it_comes_in_anew(
    live: LiveDiagram, line: Line, peer: ScriptedPeer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("codraw.client.agreement.ANSWER_S", -1)
    await line.say("event", **event(7))
    await line.hear("resume")
    await beat(line, 7)
    assert "resume=e%3A0" in (await peer.line()).address


async def test_it_is_live_when_all_that_was_missed_is_there(live: LiveDiagram, line: Line, peer: ScriptedPeer) -> None:
    live.cut()
    line = await peer.line()
    await line.say("resumed", epoch="e", **{"from": 0}, to=1, count=1, state_hash=NO_CELLS)
    await line.say("participants_of_the_future")
    await line.say("event", **event(1))
    await until(lambda: live.is_live)
    assert live.vector == 1


async def test_a_wrong_hash_after_a_resume_is_repaired(live: LiveDiagram, line: Line, peer: ScriptedPeer) -> None:
    live.cut()
    line = await peer.line()
    await line.say("resumed", epoch="e", **{"from": 0}, to=0, count=0, state_hash=WRONG)
    assert (await line.hear("resume"))["cell_hashes"] == []

"""Hostile input on the real server: answered or closed by the book, never an exception, and no harm to others."""

from __future__ import annotations

import json
import random
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from typing import Any

import msgpack
import pytest
from websockets.exceptions import ConnectionClosed
from websockets.protocol import State

from tests.support.client import Classic, CodrawV1, Editor, Packed, Tmi, add, cell_id
from tests.support.servers import Meeting, Server, meet, sign_in
from tests.support.wire import word

SEED = 7
FRAMES = 1_000
"""Of each dialect."""
CLOSES = {1003, 1007, 1009, 4429}

VICTIM = "7d3e6f5a-1b2c-4d3e-8f90-a1b2c3d4e5f6"
VALUES: list[Any] = [
    None, True, 0, -1, 1.5, 2**53, 2**64, -0.0, 1e300, "", "x", "1", "\x00", "\u202e", "__proto__", "a" * 70_000,
    [], {}, [[]], {"__proto__": {}}, {"constructor": 1}, VICTIM, [VICTIM] * 600, {"x": {"x": {"x": 1}}},
]  # fmt: skip
TEXTS = [
    "", " ", "{", "}", "[]", "null", "{}{}", '{"a":1}{"b":2}', "[" * 60_000, '{"a":' * 5_000, '{"a":NaN}',
    '{"a":1e999}', '{"a":"\\ud800"}', '{"message_type":"undo","message_type":"redo"}', "\ufeff{}", "{'a':1}",
    '{"a":01}', "//", "\x00",
    '{"message_type":"operation","operation":{"type":"patch","cells":' + "[" * 200 + "]" * 200 + "}}",
]  # fmt: skip


@pytest.fixture(scope="module")
def own_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Of its own, since its log is looked at."""
    with Server(tmp_path_factory.mktemp("garbage")) as server:
        yield server


@pytest.fixture
async def meeting(own_server: Server) -> AsyncIterator[Meeting]:
    meeting = await meet(await sign_in(own_server, "ana"))
    yield meeting
    await meeting.over()


def messages(kind: type[Editor]) -> list[dict[str, Any]]:
    """One good message of each type that clients send."""
    user = {"principal_type": "user", "provider": "test", "provider_id": "eve", "email": "eve@tmi.local"}
    patch = {"type": "patch", "cells": [add(VICTIM), {"id": VICTIM, "operation": "update", "data": {"x": 1}}]}
    tmi: list[dict[str, Any]] = [
        {"message_type": "diagram_operation_request", "operation_id": VICTIM, "base_vector": 0, "operation": patch},
        {"message_type": "undo_request"},
        {"message_type": "redo_request"},
        {"message_type": "presenter_request"},
        {"message_type": "change_presenter_request", "new_presenter": user},
        {"message_type": "presenter_denied_request", "denied_user": user},
        {"message_type": "remove_participant_request", "removed_user": user},
        {"message_type": "presenter_cursor", "cursor_position": {"x": 1, "y": 2}},
        {"message_type": "presenter_selection", "selected_cells": [VICTIM]},
        {"message_type": "sync_request", "update_vector": 0},
        {"message_type": "sync_status_request"},
        {"message_type": "resync_request"},
    ]
    if not issubclass(kind, CodrawV1):
        return tmi
    return [
        *tmi,
        {"message_type": "operation", "operation_id": VICTIM, "base_vector": 0, "strict": True, "operation": patch},
        {"message_type": "undo", "operation_id": VICTIM, "ref": "u"},
        {"message_type": "resume", "epoch": "e", "update_vector": 1, "state_hash": "0" * 32, "cell_hashes": []},
        {"message_type": "awareness", "cursor": {"x": 1, "y": 2}, "selection": [VICTIM], "viewport": None},
        {"message_type": "presenter", "action": "grant", "user": user},
        {"message_type": "remove_participant", "user": user},
        {"message_type": "refresh_token", "access_token": "x", "ref": "r"},
        {"message_type": "heartbeat", "ref": "h"},
    ]


def spoilt(chance: random.Random, value: Any) -> Any:
    """The value with something inside it changed, taken away or added."""
    if isinstance(value, dict) and value and chance.random() < 0.85:
        key = chance.choice(list(value))
        if chance.random() < 0.15:
            return {k: v for k, v in value.items() if k != key}
        if chance.random() < 0.1:
            return {**value, chance.choice(("__proto__", "x" * 300, "\x00", "message_type")): 1}
        return {**value, key: spoilt(chance, value[key])}
    if isinstance(value, list) and value and chance.random() < 0.85:
        at = chance.randrange(len(value))
        return [*value[:at], spoilt(chance, value[at]), *value[at + 1 :]]
    return chance.choice(VALUES)


def hostile(chance: random.Random, kind: type[Editor]) -> str | bytes:
    if kind is Packed:
        good = msgpack.packb(spoilt(chance, chance.choice(messages(kind))), default=lambda huge: float(huge))
        return good if chance.random() < 0.6 else scrambled(chance, good)
    if chance.random() < 0.3:
        return chance.choice(TEXTS)
    text = json.dumps(spoilt(chance, chance.choice(messages(kind))))
    return text if chance.random() < 0.7 else scrambled(chance, text.encode()).decode(errors="replace")


def scrambled(chance: random.Random, raw: bytes) -> bytes:
    wrong = bytearray(raw[: chance.randrange(len(raw)) + 1])
    for _ in range(chance.randint(1, 4)):
        wrong[chance.randrange(len(wrong))] = chance.randrange(256)
    return bytes(wrong)


@pytest.mark.parametrize("kind", [Classic, Tmi, CodrawV1, Packed])
async def test_S60_hostile_frames_are_answered_or_close_the_socket_and_harm_nobody(
    meeting: Meeting, own_server: Server, kind: type[Editor]
) -> None:
    chance = random.Random(SEED)
    victim = await CodrawV1(meeting, await sign_in(own_server, "victim")).join()
    eve = await sign_in(own_server, "eve")
    last = "heartbeat" if issubclass(kind, CodrawV1) else "sync_status_request"
    attacker, codes, answers = await kind(meeting, eve).join(), set(), Counter[str]()
    for n in range(FRAMES):
        try:
            await attacker.connection.send(hostile(chance, kind))
            if n % 40 == 39:
                await attacker.say({"message_type": last})
                await attacker.hear("heartbeat", "sync_status_response")
                await attacker.leave()
        except ConnectionClosed as closed:
            codes.add(closed.rcvd.code if closed.rcvd else None)
        if attacker.connection.state is not State.OPEN:
            answers.update(map(word, attacker.trace))
            attacker = await kind(meeting, eve).join()
    assert answers["error"] + answers["operation_rejected"] > FRAMES / 4
    assert codes <= CLOSES | {1000}
    await victim.edit(add(id := cell_id(), label="unharmed"))
    await victim.hear("operation_accepted")
    await victim.say({"message_type": "heartbeat", "ref": "last"})
    while (await victim.hear("heartbeat")).get("ref") != "last":
        pass
    assert victim.faults == []
    assert victim.copy() == (await meeting.cells())[1]
    assert victim.cells[id]["label"] == "unharmed"
    assert "Traceback" not in own_server.log


@pytest.mark.parametrize("kind", [Classic, Tmi, CodrawV1])
async def test_invalid_UTF8_closes_1007(meeting: Meeting, kind: type[Editor]) -> None:
    attacker = await kind(meeting, await sign_in(meeting.server, "eve")).join()
    attacker.connection.protocol.send_text(b'{"message_type":"\xff"}')
    attacker.connection.send_data()
    assert (await attacker.closed())[0] == 1007


async def test_a_frame_over_the_limit_closes_1009(meeting: Meeting) -> None:
    attacker = await CodrawV1(meeting, await sign_in(meeting.server, "eve")).join()
    await attacker.connection.send('"' + "x" * 262_144 + '"')
    assert (await attacker.closed())[0] == 1009


async def test_WS7_a_flood_of_unreadable_frames_closes_4429(meeting: Meeting) -> None:
    attacker = await CodrawV1(meeting, await sign_in(meeting.server, "eve")).join()
    for _ in range(60):
        await attacker.connection.send("x")
    code, heard = await attacker.closed()
    assert (code, heard[-1]["reason"]) == (4429, "flooding")
    assert [word(message) for message in heard].count("error") == 50


async def test_S76_a_flood_of_operations_loses_and_rejects_none(meeting: Meeting) -> None:
    editor = await CodrawV1(meeting, await sign_in(meeting.server, "eve")).join()
    ids = [await editor.edit(add(cell_id())) for _ in range(300)]
    while len(editor.outcomes) < len(ids):
        await editor.hear()
    assert {word(outcome) for outcome in editor.outcomes.values()} == {"operation_accepted"}
    assert editor.vector == 300


async def test_S74_a_reader_that_does_not_read_is_left_behind_and_others_are_not(meeting: Meeting) -> None:
    """It is shown one fresh state when it reads again, or was closed 4408; what others wrote goes on."""
    writer = await CodrawV1(meeting, await sign_in(meeting.server, "eve")).join()
    reader = await CodrawV1(meeting, await sign_in(meeting.server, "slow")).join()
    reader.connection.transport.pause_reading()
    await writer.edit(add(id := cell_id()))
    await writer.hear("operation_accepted")
    for n in range(400):
        await writer.edit({"id": id, "operation": "update", "data": {"data": {"text": str(n % 10) * 60_000}}})
        await writer.hear("operation_accepted")
        if any(word(message) == "participants" and message["left"] for message in writer.trace):
            break  # it was let go: its last frames wait for a few seconds only
    reader.connection.transport.resume_reading()
    while True:
        try:
            message = await reader.hear()
        except ConnectionClosed as closed:
            assert closed.rcvd is not None and closed.rcvd.code == 4408
            break
        if word(message) == "state" and message["reason"] == "overflow":
            break
    assert writer.vector == n + 2

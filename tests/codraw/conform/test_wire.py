"""A socket's copy of the diagram, and what it finds wrong with what it hears."""

from __future__ import annotations

import json
from typing import Any

import msgpack
import pytest
from websockets.exceptions import ConnectionClosedError
from websockets.frames import Close

from codraw.conform.rules import Broken, Dialect
from codraw.conform.wire import Socket, Trace

CELL = {"id": "a", "shape": "process", "x": 1}
BO = {"provider": "test", "provider_id": "bo"}
SERVER = {"provider": "codraw", "provider_id": "server"}


class Line:
    """A connection on which these frames come, and then a close."""

    def __init__(self, *frames: Any) -> None:
        self.frames = list(frames)
        self.sent: list[Any] = []

    async def recv(self) -> Any:
        if not self.frames:
            raise ConnectionClosedError(Close(4403, ""), None)
        return self.frames.pop(0)

    async def send(self, frame: Any, text: bool | None = None) -> None:
        self.sent.append(frame)


def socket(dialect: Dialect, *messages: Any) -> Socket:
    pack = msgpack.packb if dialect is Dialect.PACKED else json.dumps
    line = Line(*(pack(message) if isinstance(message, dict) else message for message in messages))
    return Socket(line, dialect, "bo", Trace(), 1.0)  # type: ignore[arg-type]


def ours(vector: int, *cells: Any, **more: Any) -> dict[str, Any]:
    patch = {"cells": list(cells), **more}
    return {
        "message_type": "event",
        "by": {"id": "x"},
        "operation_id": "o",
        "update_vector": vector,
        "operation": patch,
    }


def state(*cells: Any, vector: int = 0) -> dict[str, Any]:
    return {"message_type": "state", "epoch": "e", "update_vector": vector, "cells": list(cells)}


@pytest.mark.parametrize(
    "text",
    [
        '200 {"ticket":"SECRET-_"}',
        "POST /x {'access_token': 'SECRET', 'ref': 'no'}",
        "refresh_token=SECRET&x=1",
        "ws://there/ws?token=SECRET",
        "Bearer eyJSECRET.SECRET.SECRET",
        repr(b"\xaceyJSECRET.SECRET.SECRET"),
        "x" * 390 + " eyJSECRET." + "SECRET" * 40 + ".SECRET",
    ],
)
def test_a_trace_holds_no_ticket_and_no_token(text: str) -> None:
    trace = Trace()
    trace.note("bo", "<<", text)
    assert "SECRET" not in trace.lines[0]


def test_a_trace_leaves_other_words_as_they_are() -> None:
    trace = Trace()
    trace.note("bo", ">>", 'GET /ws/ticket?session_id=1 {"message_type":"token_refreshed","error":"invalid_token"}')
    assert "redacted" not in trace.lines[0]


@pytest.mark.parametrize("frame", ["{}{}", "[]", "", b"{}", "nonsense"])
async def test_WS3_a_frame_that_is_not_one_object_breaks_the_rule(frame: Any) -> None:
    with pytest.raises(Broken):
        await socket(Dialect.TMI, frame).next()


async def test_a_text_on_a_MessagePack_socket_breaks_it_too() -> None:
    with pytest.raises(Broken):
        await socket(Dialect.PACKED, "{}").next()
    assert await socket(Dialect.PACKED, {"message_type": "x"}).next() == {"message_type": "x"}


async def test_OP13_the_copy_assigns_keys_and_null_deletes() -> None:
    update = {"id": "a", "operation": "update", "data": {"x": None, "y": 2}}
    bo = socket(Dialect.V1, state(CELL), ours(1, update))
    await bo.event()
    assert (bo.copy(), bo.vector, bo.faults) == ([{"id": "a", "shape": "process", "y": 2}], 1, [])


async def test_an_event_with_an_order_reorders_the_copy() -> None:
    other = {**CELL, "id": "b"}
    bo = socket(Dialect.V1, state(CELL, other), ours(1, order=["b", "a"]))
    await bo.event()
    assert bo.copy() == [other, CELL]


async def test_WS15_a_gap_is_a_fault() -> None:
    bo = socket(Dialect.V1, state(CELL), ours(2))
    await bo.event()
    assert bo.faults == ["bo/codraw.v1: vector 2 after 0"]


async def test_VEC14_a_wrong_hash_is_a_fault() -> None:
    bo = socket(Dialect.V1, {**state(CELL), "state_hash": "0" * 32})
    await bo.next()
    assert "is that of other cells" in bo.faults[0]
    assert bo.state_hash() != "0" * 32


async def test_a_receipt_applies_what_was_asked_or_what_it_says_instead() -> None:
    receipt = {"message_type": "operation_accepted", "changed": True, "duplicate": False, "operation_id": "1"}
    bo = socket(Dialect.V1, state(CELL), receipt | {"update_vector": 1})
    await bo.edit({"id": "a", "operation": "update", "data": {"x": 5}}, id="1")
    await bo.hear("operation_accepted")
    assert bo.cells["a"]["x"] == 5
    removed = {"cells": [{"id": "a", "operation": "remove"}], "update_vector": 1}
    bo = socket(Dialect.V1, state(CELL), receipt | removed)
    await bo.hear("operation_accepted")
    assert bo.copy() == []


async def test_tmi_shows_whole_cells_and_repeats_vectors_only_to_correct() -> None:
    def event(vector: int, by: dict[str, str], x: int) -> dict[str, Any]:
        whole = {"id": "a", "operation": "update", "data": {**CELL, "x": x, "data": {}}}
        about = {"message_type": "diagram_operation_event", "operation_id": "o", "operation": {"cells": [whole]}}
        return {**about, "update_vector": vector, "initiating_user": by}

    begin = {**state(CELL), "message_type": "diagram_state"}
    bo = socket(Dialect.TMI, begin, event(1, BO, 2), event(1, BO, 3), event(1, SERVER, 4))
    seen = []
    for _ in range(4):
        await bo.next()
        seen.append(bo.copy()[0]["x"])
    assert (seen, bo.copy()[0].keys(), bo.faults) == ([1, 2, 2, 4], CELL.keys(), [])


async def test_what_is_waited_for_and_does_not_come_is_told_with_what_came() -> None:
    with pytest.raises(Broken, match=r"bo/tmi waits for error and was closed \(4403\)"):
        await socket(Dialect.TMI, {"message_type": "x"}).hear("error")
    closed = await socket(Dialect.TMI, {"message_type": "x"}).closed()
    assert (closed.code, closed.last) == (4403, {"message_type": "x"})


async def test_a_fence_asks_what_has_no_consequence() -> None:
    bo = socket(Dialect.TMI, {"message_type": "x"}, {"message_type": "sync_status_response", "update_vector": 7})
    assert await bo.fence() == 7
    bo = socket(Dialect.V1, {"message_type": "heartbeat", "ref": "fence-0", "update_vector": 8})
    assert await bo.fence() == 8

from __future__ import annotations

import msgspec
import pytest

from codraw.load.frames import BINARY, TEXT, extent
from codraw.load.wire import Dialect, Message, cursor, framed, operation, read, unpacked

EVENT: Message = {
    "message_type": "event",
    "update_vector": 7,
    "operation_id": "o1",
    "operation": {"type": "patch", "cells": [{"id": "n1"}]},
    "by": {"id": "test:ana"},
    "unknown": [1, 2],
}


@pytest.mark.parametrize("dialect", [Dialect.V1, Dialect.PACKED])
def test_of_a_message_only_what_is_needed_is_read(dialect: Dialect) -> None:
    payload = msgspec.msgpack.encode(EVENT) if dialect is Dialect.PACKED else msgspec.json.encode(EVENT)
    said = read(dialect, payload)
    assert (said.message_type, said.update_vector, said.operation_id) == ("event", 7, "o1")
    assert unpacked(dialect, said.operation) == EVENT["operation"]


def test_a_frame_of_presence_has_no_type() -> None:
    assert read(Dialect.CLASSIC, b'{"event":"join","user_id":"ana@example.com"}').message_type == ""


def test_what_is_no_message_raises() -> None:
    with pytest.raises(msgspec.MsgspecError):
        read(Dialect.V1, b"nonsense")


@pytest.mark.parametrize(
    ("dialect", "word"),
    [
        (Dialect.V1, "operation"),
        (Dialect.PACKED, "operation"),
        (Dialect.TMI, "diagram_operation_request"),
        (Dialect.CLASSIC, "diagram_operation"),
    ],
)
def test_an_operation_in_each_dialect(dialect: Dialect, word: str) -> None:
    message = operation(dialect, "o1", 3, [{"id": "n1", "operation": "remove"}])
    assert message["message_type"] == word
    assert message["base_vector"] == 3 and message["operation"]["cells"] == [{"id": "n1", "operation": "remove"}]


@pytest.mark.parametrize(("dialect", "opcode"), [(Dialect.V1, TEXT), (Dialect.PACKED, BINARY), (Dialect.TMI, TEXT)])
def test_messages_are_framed_as_their_encoding_wants(dialect: Dialect, opcode: int) -> None:
    frame = framed(dialect, cursor(1, 2))
    place = extent(frame, 0)
    assert frame[0] & 0x0F == opcode and place is not None


def test_how_each_dialect_is_asked_for() -> None:
    assert Dialect.PACKED.headers == {"Sec-WebSocket-Protocol": "codraw.v1.msgpack"} and not Dialect.PACKED.query
    assert Dialect.TMI.query == {"dialect": "tmi"} and not Dialect.TMI.headers

"""The short way of an operation says what the long way says, or nothing."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocol.codec import Encoding, decode
from protocol.dialects import CLASSIC, CODRAW_V1, TMI
from protocol.dialects.plain import plain_edit
from protocol.intents import Edit, Intent
from protocol.refusals import ProtocolError
from protocol.values import Limits
from tests.protocol.dialects.samples import NODE_ID, OPERATION_ID

LIMITS = Limits()
ADD = {
    "id": NODE_ID,
    "operation": "add",
    "data": {"shape": "process", "position": {"x": 1.0, "y": -0.0}, "size": {"width": 90, "height": 60}},
}
UPDATE = {"id": NODE_ID.upper(), "operation": "update", "data": {"x": 2.0, "label": "who: me", "attrs/body/fill": None}}
REMOVE = {"id": NODE_ID, "operation": "remove"}


def message(*cells: Any, **members: Any) -> dict[str, Any]:
    patch = {"type": "patch", "cells": list(cells or (UPDATE,))}
    return {"message_type": "operation", "operation_id": OPERATION_ID.upper(), "operation": patch, **members}


def compact(given: Any) -> bytes:
    return msgspec.json.encode(given)


def long_way(frame: bytes, limits: Limits = LIMITS) -> Intent | None:
    """None: it cannot be read."""
    try:
        return CODRAW_V1.read(decode(frame, Encoding.JSON), limits=limits)
    except ProtocolError:
        return None


@pytest.mark.parametrize("cells", [(ADD,), (UPDATE,), (REMOVE,), (UPDATE, REMOVE, ADD)])
@pytest.mark.parametrize(
    "members",
    [{}, {"base_vector": 7}, {"base_vector": 7, "strict": True}, {"strict": False}, {"ref": "r: 1", "group_id": "g"}],
)
def test_a_plain_operation_is_what_the_long_way_makes_of_it(cells: Any, members: Any) -> None:
    frame = compact(message(*cells, **members))
    assert plain_edit(frame, LIMITS) == long_way(frame) != None  # noqa: E711 - both, and not nothing


def test_white_space_behind_colons_and_commas_is_plain() -> None:
    frame = json.dumps(message(REMOVE)).encode()
    assert b'": "' in frame
    assert plain_edit(frame, LIMITS) == long_way(frame) != None  # noqa: E711


@pytest.mark.parametrize(
    "given",
    [
        message(UPDATE, strict=True),
        message(UPDATE, base_vector=None),
        message(UPDATE, base_vector=-1),
        message(UPDATE, base_vector=2**53),
        message(UPDATE, unknown=1),
        message(UPDATE, ref="r" * 65),
        message(UPDATE, ref=1),
        message({**UPDATE, "data": {"label": "\0"}}),
        message({**UPDATE, "data": {"x": 2**53}}),
        message({**UPDATE, "data": {"__proto__": 1}}),
        message({**UPDATE, "data": {"x": "1"}}),
        message({**UPDATE, "operation": "move"}),
        message({**ADD, "id": "no uuid"}),
        message(1),
        message() | {"operation_id": "no uuid"},
        message() | {"operation": {"type": "patch", "cells": []}},
        message() | {"operation": {"type": "other", "cells": [UPDATE]}},
        message() | {"message_type": "undo"},
        message() | {"message_type": "diagram_operation_request"},
        [message()],
    ],
)
def test_what_is_not_quite_plain_goes_the_long_way(given: Any) -> None:
    assert plain_edit(compact(given), LIMITS) is None


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b'"x":2', b'"x":1,"x":2'),
        (b'"x":2', b'"x" :1,"x":2'),
        (b'"x":2', b'"x"\n:1,"x":2'),
        (b'"x":2', b'"x"\t:1,"x":2'),
        (b'"x":2', b'"x"\r:1,"x":2'),
        (b'"type":"patch"', b'"type":"patch","type":"patch"'),
        (b'"type":"patch"', b'"type" :"patch","type":"patch"'),
        (b'"operation":"update"', b'"operation":"update","\\u006fperation":"update"'),
        (b"who", b"\xff"),
        (b"who", b"\\ud800"),
    ],
)
def test_OP14_no_key_that_stands_twice_and_no_broken_text_is_plain(old: bytes, new: bytes) -> None:
    frame = compact(message())
    assert old in frame
    broken = frame.replace(old, new, 1)
    assert plain_edit(broken, LIMITS) is None
    assert not isinstance(long_way(broken), Edit)


def test_OP23_the_limits_are_those_of_the_long_way() -> None:
    frame = compact(message(REMOVE, REMOVE))
    assert plain_edit(frame, LIMITS) is not None
    assert plain_edit(frame, msgspec.structs.replace(LIMITS, max_cells_per_operation=1)) is None


@pytest.mark.parametrize("levels", range(20, 34))
def test_OP14_it_goes_as_deep_as_the_long_way(levels: int) -> None:
    value: Any = 1
    for _ in range(levels):
        value = {"k": value}
    frame = compact(message({**UPDATE, "data": {"data": value}}))
    long = long_way(frame)
    assert plain_edit(frame, LIMITS) == (long if isinstance(long, Edit) else None)


def test_only_codraw_v1_has_a_short_way() -> None:
    frame = compact(message())
    assert CODRAW_V1.plain(frame, LIMITS) is not None
    assert (CLASSIC.plain(frame, LIMITS), TMI.plain(frame, LIMITS)) == (None, None)


TEXTS = st.text(alphabet=':" \\\n\tab{}[],', max_size=6)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**54), 2**54) | st.floats() | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=8,
)


@given(VALUES, st.sampled_from([(",", ":"), (", ", ": "), (" ,", " :"), (",\n", ":\t")]), st.booleans())
def test_whatever_it_makes_of_a_frame_the_long_way_makes_too(value: Any, separators: Any, pretty: bool) -> None:
    cell = {**UPDATE, "data": {"x": 1, "data": value if isinstance(value, dict) else {"k": value}}}
    frame = json.dumps(message(cell), separators=separators, indent=1 if pretty else None).encode()
    short = plain_edit(frame, LIMITS)
    assert short is None or short == long_way(frame)

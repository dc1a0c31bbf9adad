"""Large bodies go by a thread, small ones do not, and both come out the same."""

from __future__ import annotations

import json
import threading
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocol.codec import Encoding, encode
from protocol.statehash import canonical_bytes
from rest.large import CELL_BYTES, LIGHT, PIECE, beside, large_answer, pieces, standing
from tests.support.edges import NODE, Somebody, node

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.text(max_size=4),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=3), inner, max_size=4),
    max_leaves=30,
)


@given(VALUES, st.sampled_from([0, 1, PIECE - 1, PIECE, PIECE + 1, 2 * PIECE]))
def testpieces_make_the_json_of_the_whole(value: Any, more: int) -> None:
    whole = {"value": value, "long": [value] * more, "nested": [{"cells": [value] * more}], "tuple": (value,)}
    assert b"".join(pieces(whole)) == encode(whole, Encoding.JSON)


def test_a_long_list_comes_inpieces() -> None:
    diagrams = [{"cells": [NODE] * 1_000} for _ in range(3)]
    longest = max(len(piece) for piece in pieces({"diagrams": diagrams}))
    assert longest <= PIECE * (len(encode(NODE, Encoding.JSON)) + 1) + 1


CELLS = st.lists(st.dictionaries(st.sampled_from("abc"), VALUES, max_size=3), max_size=4).map(
    lambda found: [{**cell, "id": str(n)} for n, cell in enumerate(found)]
)


@given(CELLS, CELLS)
def test_what_stands_is_what_was_given(before: list[Any], after: list[Any]) -> None:
    assert [canonical_bytes(cell) for cell in standing(before, after)] == [canonical_bytes(cell) for cell in after]


def test_a_cell_that_stays_is_the_very_one_that_stands() -> None:
    stands, moved = node("a", data={"k": [1]}), node("b", data={"k": [1]})
    kept, changed = standing([stands, moved], [json.loads(json.dumps(stands)), node("b", x=7, data={"k": [1]})])
    assert kept is stands
    assert (changed["x"], changed["data"] is moved["data"]) == (7, True)


@pytest.mark.parametrize(("stood", "given_now"), [(1, True), ({"k": [0]}, {"k": [False]}), (None, None)])
def test_OP16_equal_to_python_is_not_the_same(stood: Any, given_now: Any) -> None:
    before = [{"id": "a"} if stood is None else {"id": "a", "k": stood}]
    (found,) = standing(before, [{"id": "a", "k": given_now}])
    assert json.dumps(found) == json.dumps({"id": "a", "k": given_now})


@pytest.mark.parametrize(("size", "elsewhere"), [(0, False), (LIGHT, False), (LIGHT + 1, True)])
async def test_what_is_large_is_done_in_a_thread(size: int, elsewhere: bool) -> None:
    done_by = await beside(size, threading.get_ident)
    assert (done_by != threading.get_ident()) is elsewhere


async def test_what_a_thread_raises_comes_through() -> None:
    def fails() -> None:
        raise ValueError("there")

    with pytest.raises(ValueError, match="there"):
        await beside(LIGHT + 1, fails)


@pytest.mark.parametrize("count", [0, 1, 5_000])
async def test_a_large_answer_is_the_same_as_a_small_one(count: int) -> None:
    body = {"name": "é", "cells": [NODE] * count}
    answer = await large_answer(body, 201, {"ETag": '"1"'})
    assert json.loads(bytes(answer.body)) == body
    assert (answer.status_code, answer.headers["etag"], answer.media_type) == (201, '"1"', "application/json")


async def test_a_diagram_of_many_cells_is_read_judged_and_spelled_in_threads(alice: Somebody) -> None:
    cells = [node(f"n{n}") for n in range(2 * LIGHT // CELL_BYTES)]
    diagram = await alice.diagram(await alice.threat_model(), cells)
    patch = [{"op": "replace", "path": "/cells/0/label", "value": "B"}]
    after = await alice.patch(diagram, patch, "application/json-patch+json")
    assert after["cells"] == [{**cells[0], "label": "B"}, *cells[1:]]
    assert (await alice.put(diagram, {"name": "D", "cells": cells[:1]}))["cells"] == cells[:1]

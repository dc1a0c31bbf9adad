"""Large bodies go by a thread, small ones do not, and both come out the same."""

from __future__ import annotations

import json
import threading
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocol.cell_list import CellList
from protocol.codec import Encoding, encode
from rest.large import CELL_BYTES, LIGHT, PIECE, beside, large_answer, pieces
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


def test_the_cells_of_each_diagram_are_a_piece() -> None:
    cells = CellList([encode(NODE, Encoding.JSON)] * 1_000)
    spelled = list(pieces({"diagrams": [{"cells": cells}, {"cells": cells}]}))
    assert max(map(len, spelled)) < 1.1 * len(cells.json())
    assert json.loads(b"".join(spelled)) == {"diagrams": [{"cells": [NODE] * 1_000}] * 2}


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

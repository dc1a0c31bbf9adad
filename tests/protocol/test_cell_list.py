"""A list of cells that is kept as JSON is, to whoever looks, the list."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from protocol.cell_list import CellList
from protocol.codec import Encoding, decode, encode

CELLS: list[dict[str, Any]] = [
    {"id": "a", "x": 1, "label": "é€😀", "data": {"deep": [None, True, 0.5]}},
    {"id": "b", "attrs": {}},
    {"id": "c"},
]
LIST = CellList([msgspec.json.encode(cell) for cell in CELLS])


def test_it_is_the_list_of_its_cells() -> None:
    assert (list(LIST), len(LIST), LIST[1], LIST[-1]) == (CELLS, 3, CELLS[1], CELLS[2])
    assert list(LIST[1:]) == CELLS[1:]
    assert LIST == CELLS
    assert CELLS[:2] != LIST
    assert LIST != "cells"
    assert repr(LIST) == f"CellList({CELLS!r})"


def test_nothing_that_is_done_to_a_cell_changes_it() -> None:
    LIST[0]["x"] = 7
    assert LIST[0]["x"] == 1


@pytest.mark.parametrize("encoding", Encoding)
@pytest.mark.parametrize("cells", [LIST, LIST[:1], CellList(), CellList(LIST.texts * 6), CellList(LIST.texts * 22_000)])
def test_it_goes_over_the_wire_as_a_list(encoding: Encoding, cells: CellList) -> None:
    assert decode(encode({"cells": cells}, encoding), encoding) == {"cells": list(cells)}


@pytest.mark.parametrize("encoding", Encoding)
def test_what_has_no_form_on_the_wire_is_an_error(encoding: Encoding) -> None:
    with pytest.raises(TypeError, match="object"):
        encode({"cells": object()}, encoding)

"""Equal values kept once: the cells stay what they were, and what they have in common is there once."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from protocol.sharing import Sharing
from tests.data.generate import diagram


def read(*cells: dict[str, Any]) -> list[Any]:
    sharing = Sharing()
    return [sharing.cell(msgspec.json.decode(msgspec.json.encode(cell))) for cell in cells]


def test_the_cells_are_written_as_before() -> None:
    cells = diagram(200)
    assert msgspec.json.encode(read(*cells)) == msgspec.json.encode(cells)


def test_an_equal_object_is_the_same_object() -> None:
    one, other = read({"id": "a", "attrs": {"line": {"width": 2}}}, {"id": "b", "attrs": {"line": {"width": 2}}})
    assert one["attrs"] is other["attrs"]


def test_an_equal_part_of_different_objects_is_the_same() -> None:
    one, other = read({"attrs": {"line": {"width": 2}, "n": 1}}, {"attrs": {"line": {"width": 2}, "n": 2}})
    assert one["attrs"]["line"] is other["attrs"]["line"]


def test_an_id_is_the_same_string_wherever_it_is_named() -> None:
    node, flow = read({"id": "a-node-with-an-id"}, {"source": {"cell": "a-node-with-an-id"}})
    assert flow["source"]["cell"] is node["id"]


@pytest.mark.parametrize(
    ("one", "other"),
    [({"a": 1}, {"a": True}), ({"a": 0}, {"a": False}), ([1, 2], [2, 1]), ({"a": 1}, {"a": "1"}), ({}, [])],
)
def test_what_python_may_take_for_equal_stays_apart(one: Any, other: Any) -> None:
    assert [[*map(repr, cell.values())] for cell in read({"data": one}, {"data": other})] == [
        [repr(one)],
        [repr(other)],
    ]


def test_the_order_of_keys_is_kept() -> None:
    one, other = read({"data": {"a": 1, "b": 2}}, {"data": {"b": 2, "a": 1}})
    assert [list(cell["data"]) for cell in (one, other)] == [["a", "b"], ["b", "a"]]

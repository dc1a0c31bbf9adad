"""What became of a cell: changed keys, leaves, made objects."""

from __future__ import annotations

from typing import Any

import pytest

from collab.core.difference import Difference, difference, same
from protocol.operations import CellEffect, CellInverse, Verb
from protocol.values import CellId
from tests.support.drawing import flow, node

A = CellId("a")


def between(before: dict[str, Any], after: dict[str, Any]) -> Difference:
    found = difference(A, node("a", **before), node("a", **after))
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("one", "other", "equal"),
    [
        (1, 1, True),
        (1, True, False),
        (0, False, False),
        ("1", 1, False),
        ([1], [1], True),
        ([1], [True], False),
        ({"a": {"b": 0}}, {"a": {"b": False}}, False),
        ({"a": 1, "b": 2}, {"b": 2, "a": 1}, True),
        ([None], [None], True),
    ],
)
def test_OP16_equal_means_equal_canonical_bytes(one: Any, other: Any, equal: bool) -> None:
    assert same(one, other) is equal


def test_equal_cells_make_no_difference() -> None:
    assert difference(A, node("a", attrs={"p": {"q": [1]}}), node("a", attrs={"p": {"q": [1]}})) is None
    assert difference(A, None, None) is None


@pytest.mark.parametrize(
    ("before", "after", "keys", "made"),
    [
        ({"label": "old"}, {"label": "new"}, [(("label",), ("old",))], []),
        ({}, {"label": "new"}, [(("label",), ())], []),
        ({"label": "old"}, {}, [(("label",), ("old",))], []),
        ({"extra": {"p": 1}}, {"extra": {"p": 2}}, [(("extra",), ({"p": 1},))], []),
        ({"attrs": {"p": 1, "q": 2}}, {"attrs": {"p": 3, "q": 2}}, [(("attrs", "p"), (1,))], []),
        ({"attrs": {"p": {"q": 1}}}, {"attrs": {"p": {}}}, [(("attrs", "p", "q"), (1,))], []),
        ({"attrs": {"p": {}}}, {"attrs": {"p": {"q": 1}}}, [(("attrs", "p", "q"), ())], []),
        ({}, {"attrs": {"p": {"q": 1}}}, [(("attrs", "p", "q"), ())], [("attrs", "p"), ("attrs",)]),
        ({"attrs": {"p": {"q": 1, "r": {}}}}, {}, [(("attrs", "p", "q"), (1,)), (("attrs", "p", "r"), ({},))], []),
        ({}, {"data": {}}, [(("data",), ())], []),
        ({"data": {}}, {}, [(("data",), ({},))], []),
        ({"attrs": {"p": {"q": 1}}}, {"attrs": {"p": 5}}, [(("attrs", "p"), ({"q": 1},))], []),
        ({"attrs": {"p": 5}}, {"attrs": {"p": {"q": 1}}}, [(("attrs", "p"), (5,))], []),
        ({"attrs": {"p": [1]}}, {"attrs": {"p": [1, 2]}}, [(("attrs", "p"), ([1],))], []),
    ],
)
def test_keys_are_leaves_in_attrs_and_data_and_top_level_keys_elsewhere(
    before: dict[str, Any], after: dict[str, Any], keys: list[Any], made: list[Any]
) -> None:
    found = between(before, after)
    assert (list(found.keys), list(found.made)) == (keys, made)
    assert found.inverse() == CellInverse(A, Verb.UPDATE, keys=tuple(keys), made=tuple(made))


def test_OP13_the_effect_gives_each_changed_key_whole() -> None:
    found = between({"label": "old", "attrs": {"p": 1, "q": 2}}, {"attrs": {"p": 3, "q": 2}, "extra": 5})
    data = {"attrs": {"p": 3, "q": 2}, "extra": 5, "label": None}
    assert found.effect({}) == CellEffect(A, Verb.UPDATE, data)
    assert found.effect({"x": 0, "attrs/p": 3, "data/q": None}).also == ("x", "data")


def test_cells_that_come_and_go_are_kept_whole() -> None:
    came, went = difference(A, None, node("a")), difference(A, node("a"), None)
    assert came is not None and went is not None
    assert (came.effect({}), came.inverse()) == (CellEffect(A, Verb.ADD, node("a")), CellInverse(A, Verb.REMOVE))
    assert (went.effect({}), went.inverse()) == (CellEffect(A, Verb.REMOVE), CellInverse(A, Verb.ADD, node("a")))


def test_only_what_names_other_cells_refers() -> None:
    assert not between({}, {"x": 5, "label": "x"}).refers
    assert between({}, {"parent": "b"}).refers
    led_elsewhere = difference(CellId("f"), flow("f", "a", "b"), flow("f", "a", "c"))
    assert led_elsewhere is not None and led_elsewhere.refers


def test_S78_of_an_update_only_what_it_named_is_compared() -> None:
    found = difference(A, node("a", x=1, y=1), node("a", x=2, y=2), ["x", "label"])
    assert found is not None
    assert (found.data, found.keys) == ({"x": 2}, ((("x",), (1,)),))

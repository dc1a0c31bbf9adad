"""Changes as programs write them: built, spelled as the server would, refused where it surely would."""

from __future__ import annotations

import math
from typing import Any
from uuid import UUID, uuid4

import pytest

from codraw.client import add, remove, update
from codraw.client.changes import Unfit, canonical, compacted, entries, remaining
from protocol.operations import CellChange, Verb
from protocol.values import CellId, Limits

ID = "7d3e6f5a-1b2c-4d3e-8f90-a1b2c3d4e5f6"
SIZE = {"x": 1, "y": 2, "width": 120, "height": 60}


def spelled(*changes: Any) -> list[dict[str, Any]]:
    return entries(canonical(changes, Limits()))


def test_a_new_cell_gets_a_random_id() -> None:
    one, other = add(shape="process", **SIZE), add(shape="process", **SIZE)
    assert UUID(one.id) != UUID(other.id)


def test_a_new_cell_may_bring_its_id() -> None:
    assert spelled(add(ID, shape="process", **SIZE)) == [
        {"id": ID, "operation": "add", "data": {"id": ID, "shape": "process", **SIZE}}
    ]


def test_an_update_names_keys_and_paths() -> None:
    assert spelled(update(ID, {"attrs/body/fill": "#fff"}, x=1, label=None)) == [
        {"id": ID, "operation": "update", "data": {"x": 1, "label": None, "attrs/body/fill": "#fff"}}
    ]


def test_a_removal_has_no_data() -> None:
    assert spelled(remove(ID)) == [{"id": ID, "operation": "remove"}]


def test_OP15_spelling_is_the_server_s() -> None:
    change = add(ID.upper(), type="data-store", position={"x": 1.0, "y": -0.0}, size={"width": 50, "height": 60})
    (entry,) = spelled(change)
    assert entry["data"] == {
        "id": ID, "type": "data-store", "shape": "store", "x": 1, "y": 0, "width": 50, "height": 60
    }  # fmt: skip
    assert type(entry["data"]["x"]) is int


def test_plain_mappings_do_as_well() -> None:
    assert spelled({"id": ID, "operation": "remove"}) == spelled(remove(ID))


def test_what_becomes_of_the_argument_later_has_no_effect() -> None:
    labels = [{"text": "a"}]
    (change,) = canonical([update(ID, labels=labels)], Limits())
    labels.append({"text": "b"})
    assert change.data == {"labels": [{"text": "a"}]}


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ([], "empty_operation"),
        ([update(ID, x=math.nan)], "validation_failed"),
        ([update(ID, x=2**70)], "validation_failed"),
        ([update(ID, x="1")], "validation_failed"),
        ([update(ID, label="\ud800")], "validation_failed"),
        ([update(ID, picture=b"\x00")], "validation_failed"),
        ([update(ID, thing=object())], "validation_failed"),
        ([update(ID, constructor=1)], "validation_failed"),
        ([add("free", shape="process", **SIZE)], "validation_failed"),
        ([add(shape="process")], "validation_failed"),
        ([{"id": ID, "operation": "move"}], "invalid_operation_type"),
        ([remove(ID)] * 501, "limit_exceeded"),
        ([7], "validation_failed"),
    ],
)
def test_OP14_what_the_server_would_surely_refuse_is_unfit(changes: list[Any], reason: str) -> None:
    with pytest.raises(Unfit) as unfit:
        canonical(changes, Limits())
    assert unfit.value.refusal.reason == reason


def test_nesting_without_end_is_unfit() -> None:
    tree: dict[str, Any] = {}
    tree["data"] = tree
    with pytest.raises(Unfit):
        canonical([update(ID, data=tree)], Limits())


def change(id: str, **data: Any) -> CellChange:
    return CellChange(CellId(id), Verb.UPDATE, data)


def test_the_steps_of_a_drag_become_one() -> None:
    steps = [change("a", x=1), change("b", x=1), change("a", x=2, y=2), change("b", x=3)]
    assert compacted(steps) == (change("a", x=2, y=2), change("b", x=3))


def test_what_merges_is_left_as_it_is() -> None:
    steps = [change("a", **{"attrs/b": 1}), change("a", x=1), change("a", data={"k": 1}), change("a", x=2)]
    assert compacted(steps) == tuple(steps)


def test_a_removal_between_is_left_between() -> None:
    steps = [change("a", x=1), CellChange(CellId("a"), Verb.REMOVE), change("a", x=2)]
    assert compacted(steps) == tuple(steps)


@pytest.mark.parametrize(
    ("older", "newer", "left"),
    [
        ({"x": 1}, {"y": 1}, {"x": 1}),
        ({"x": 1, "y": 1}, {"x": 2}, {"y": 1}),
        ({"x": 1}, {"x": 2}, None),
        ({"attrs": {"a": 1, "b": {"c": 1}}}, {"attrs": {"a": 2}}, {"attrs": {"b": {"c": 1}}}),
        ({"attrs/a/b": 1, "attrs/c": 1}, {"attrs/a": {}}, {"attrs/c": 1}),
        ({"attrs/a": 1, "x": 1}, {"attrs": {"b": 1}}, {"attrs/a": 1, "x": 1}),
        ({"attrs": {"a": {"b": 1, "c": 1}}}, {"attrs/a/b": 2}, {"attrs": {"a": {"c": 1}}}),
        ({"attrs/a": {"b": 1}, "x": 1}, {"attrs/a/b": 2}, {"x": 1}),
        ({"attrs": None, "x": 1}, {"attrs/a": 2}, {"x": 1}),
        ({"attrs": None, "x": 1}, {"attrs": {"a": 2}}, {"x": 1}),
        ({"attrs": {"a": 1}, "x": 1}, {"attrs": None}, {"x": 1}),
        ({"source": {"cell": "b", "port": "p"}}, {"source": {"cell": "c"}}, None),
    ],
)
def test_of_older_changes_is_left_what_newer_ones_did_not_say(
    older: dict[str, Any], newer: dict[str, Any], left: dict[str, Any] | None
) -> None:
    assert remaining([change("a", **older)], [change("a", **newer)]) == (() if left is None else (change("a", **left),))


def test_of_older_changes_nothing_is_left_for_a_cell_that_is_gone() -> None:
    removed = CellChange(CellId("a"), Verb.REMOVE)
    assert remaining([change("a", x=1), change("b", x=1)], [removed]) == (change("b", x=1),)


def test_a_uuid_serves_as_id() -> None:
    id = uuid4()
    assert spelled(remove(id))[0]["id"] == str(id)  # type: ignore[arg-type]

from __future__ import annotations

import re

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocol.dialects.patches import as_asked, correction_id, effective, named, oversized, replaces_state, whole
from protocol.operations import CellChange, CellEffect, Effect, Kind, Verb
from protocol.values import OperationId
from tests.protocol.dialects.samples import (
    AFTER,
    CASCADE,
    EDGE,
    EDGE_ID,
    GONE_ID,
    MIXED,
    MOVE,
    MOVED,
    NODE,
    NODE_ID,
    OPERATION_ID,
    View,
    adding,
    big_view,
    changes,
    logged,
)


def cells_of(patch: msgspec.Struct) -> list[dict[str, object]]:
    built = msgspec.to_builtins(patch)
    assert built["type"] == "patch"
    return list(built["cells"])


def test_a_removal_is_bare_in_every_look() -> None:
    bare = [{"id": NODE_ID, "operation": "remove"}, {"id": EDGE_ID, "operation": "remove"}]
    assert cells_of(named(CASCADE, AFTER)) == bare
    assert cells_of(whole(CASCADE.cells, AFTER)) == bare
    assert cells_of(effective(CASCADE)) == bare


def test_OP18_an_add_arrives_in_classic_as_it_was_sent() -> None:
    data = {key: value for key, value in NODE.items() if key != "id"}
    asked = changes({"id": NODE_ID, "operation": "add", "data": data})
    effect = Effect(tuple(CellEffect(change.id, change.verb, change.data) for change in asked))
    assert cells_of(named(effect, AFTER)) == [{"id": NODE_ID, "operation": "add", "data": data}]


def test_an_update_in_classic_holds_each_named_key_changed_or_not() -> None:
    assert cells_of(named(MOVED, AFTER)) == [
        {"id": NODE_ID, "operation": "update", "data": {"x": 150, "label": "New Process", "note": None}}
    ]


def test_a_key_that_is_gone_is_null_in_classic() -> None:
    assert cells_of(named(MIXED, AFTER))[1]["data"] == {"x": 150, "angle": None}


def test_tmi_gets_whole_cells_with_data() -> None:
    assert cells_of(whole(MIXED.cells, AFTER)) == [
        {"id": EDGE_ID, "operation": "add", "data": EDGE},
        {"id": NODE_ID, "operation": "update", "data": {**NODE, "data": {}}},
        {"id": GONE_ID, "operation": "remove"},
    ]


def test_a_whole_cell_that_is_no_more_is_removed() -> None:
    assert cells_of(whole(MOVED.cells, View({}))) == [{"id": NODE_ID, "operation": "remove"}]


def test_rendering_changes_no_cell() -> None:
    named(MOVED, AFTER), whole(MOVED.cells, AFTER), effective(MOVED)
    assert "data" not in NODE


def test_OP13_the_effective_form_assigned_gives_the_cell() -> None:
    [entry] = cells_of(effective(Effect((CellEffect(NODE_ID, Verb.UPDATE, {"x": 150, "angle": None}),))))
    before = {**NODE, "x": 100, "angle": 90}
    data = entry["data"]
    assert isinstance(data, dict)
    assert {key: value for key, value in {**before, **data}.items() if value is not None} == NODE


def test_an_order_is_told_with_the_cells() -> None:
    assert msgspec.to_builtins(effective(Effect((), (EDGE_ID, NODE_ID))))["order"] == (EDGE_ID, NODE_ID)
    assert "order" not in msgspec.to_builtins(effective(MOVED))


def test_what_was_asked_and_came_about_is_as_asked() -> None:
    assert as_asked(MOVE, Effect((CellEffect(NODE_ID, Verb.UPDATE, {"x": 150}),)), AFTER)


def test_a_named_key_that_had_its_value_already_is_as_asked() -> None:
    asked = changes({"id": NODE_ID, "operation": "update", "data": {"x": 150, "label": "New Process"}})
    assert as_asked(asked, Effect((CellEffect(NODE_ID, Verb.UPDATE, {"x": 150}, ("label",)),)), AFTER)


@pytest.mark.parametrize(
    ("asked", "effect"),
    [
        pytest.param(MOVE, CASCADE, id="another operation"),
        pytest.param(changes({"id": NODE_ID, "operation": "remove"}), CASCADE, id="an edge went too"),
        pytest.param(MOVE, Effect((CellEffect(NODE_ID, Verb.UPDATE, {"x": 150}),), (NODE_ID,)), id="an order"),
        pytest.param(
            MOVE, Effect((CellEffect(NODE_ID, Verb.UPDATE, {"x": 150, "y": 200}),)), id="a key more than asked"
        ),
        pytest.param(
            changes({"id": EDGE_ID, "operation": "update", "data": {"data": {"b": 2}}}),
            Effect((CellEffect(EDGE_ID, Verb.UPDATE, {"data": {"a": 1, "b": 2}}),)),
            id="merged deeply",
        ),
        pytest.param(
            changes({"id": EDGE_ID, "operation": "update", "data": {"data/a": 1}}),
            Effect((CellEffect(EDGE_ID, Verb.UPDATE, {"data": {"a": 1}}),)),
            id="by path",
        ),
        pytest.param(
            changes({"id": NODE_ID, "operation": "update", "data": {"label": "other"}}),
            Effect((CellEffect(NODE_ID, Verb.UPDATE, {}, ("label",)),)),
            id="composed with a later change",
        ),
    ],
)
def test_the_rest_is_not_as_asked(asked: tuple[CellChange, ...], effect: Effect) -> None:
    assert not as_asked(asked, effect, AFTER)


def test_a_rendering_of_more_than_a_mebibyte_is_oversized() -> None:
    few, many = named(adding(big_view(15)), AFTER), named(adding(big_view(20)), AFTER)
    assert not oversized(few, len(few.cells))
    assert oversized(many, len(many.cells))


def test_many_small_cells_are_not_oversized() -> None:
    view = big_view(100, characters=100)
    patch = named(adding(view), view)
    assert not oversized(patch, len(patch.cells))


def test_order_and_restore_replace_the_state() -> None:
    assert replaces_state(logged(Effect((), (NODE_ID,))))
    assert replaces_state(logged(kind=Kind.RESTORE))
    assert not replaces_state(logged())


@given(st.text(max_size=64))
def test_a_correction_has_a_uuid_of_its_own(text: str) -> None:
    id = correction_id(OperationId(text))
    assert re.fullmatch(r"[0-9a-f]{8}-[0-9a-f]{4}-5[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}", id)
    assert id == correction_id(OperationId(text))
    assert id != text


def test_corrections_of_two_operations_differ() -> None:
    assert correction_id(OPERATION_ID) != correction_id(OperationId("other"))

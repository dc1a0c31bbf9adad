"""The oracle itself, on the cases that the OP rules of SPEC.md name."""

from __future__ import annotations

import json
from typing import Any

import pytest

from protocol.cells import canonical_changes
from protocol.operations import CellEffect, Effect, Verb
from protocol.statehash import cell_hash, combine
from protocol.values import CellId, Limits
from tests.naive import ACCEPTED, NO_OP, NaiveDiagram

LIMITS = Limits()
INVALID = ("validation_failed", None)
CONFLICT = ("conflict_detected", None)
NOTHING = (NO_OP, None)


def node(id: str, **more: Any) -> dict[str, Any]:
    return {"id": id, "shape": "process", "x": 0, "y": 0, "width": 100, "height": 60, **more}


def flow(id: str, source: str, target: str, **more: Any) -> dict[str, Any]:
    return {"id": id, "shape": "flow", "source": {"cell": source}, "target": {"cell": target}, **more}


def add(cell: dict[str, Any]) -> dict[str, Any]:
    return {"id": cell["id"], "operation": "add", "data": cell}


def update(id: str, **data: Any) -> dict[str, Any]:
    return {"id": id, "operation": "update", "data": data}


def remove(id: str) -> dict[str, Any]:
    return {"id": id, "operation": "remove"}


def apply(diagram: NaiveDiagram, *entries: dict[str, Any], limits: Limits = LIMITS) -> tuple[str, Effect | None]:
    return diagram.apply(canonical_changes(list(entries), free_ids=True, limits=LIMITS), limits)


def accept(diagram: NaiveDiagram, *entries: dict[str, Any]) -> list[tuple[str, str, Any]]:
    """The effect as plain tuples; replayed on a copy it must give the same diagram, as the oracle promises."""
    copy = NaiveDiagram(diagram.cells)
    word, effect = apply(diagram, *entries)
    assert word == ACCEPTED
    assert effect is not None
    copy.replay(effect)
    assert copy.cells == diagram.cells
    return [(entry.id, entry.verb.value, entry.data) for entry in effect.cells]


def ids(diagram: NaiveDiagram) -> list[str]:
    return [cell["id"] for cell in diagram.cells]


@pytest.fixture
def diagram() -> NaiveDiagram:
    return NaiveDiagram([node("a"), node("b"), flow("ab", "a", "b"), node("c"), flow("bc", "b", "c")])


# -- each verb on each kind of cell ------------------------------------------------------------------------------------


def test_an_add_of_a_new_cell_appends(diagram: NaiveDiagram) -> None:
    assert accept(diagram, add(node("d"))) == [("d", "add", node("d"))]
    assert ids(diagram) == ["a", "b", "ab", "c", "bc", "d"]


def test_an_add_of_an_existing_cell_is_a_no_op_or_a_conflict(diagram: NaiveDiagram) -> None:
    assert apply(diagram, add(node("a", x=0.0))) == NOTHING
    assert apply(diagram, add(node("a", x=1))) == CONFLICT
    assert apply(diagram, add(node("a", visible=True))) == CONFLICT


def test_an_update_of_an_existing_cell_merges(diagram: NaiveDiagram) -> None:
    assert accept(diagram, update("a", x=5, label="L")) == [("a", "update", {"x": 5, "label": "L"})]
    assert diagram.cells[0] == node("a", x=5, label="L")
    assert apply(diagram, update("a", x=5)) == NOTHING
    assert apply(diagram, update("a", custom=None)) == NOTHING


def test_an_update_of_a_missing_cell_is_a_conflict(diagram: NaiveDiagram) -> None:
    assert apply(diagram, update("z", x=5)) == CONFLICT
    assert apply(diagram, remove("a"), update("a", x=5)) == CONFLICT


def test_a_removal_of_a_missing_cell_is_a_no_op(diagram: NaiveDiagram) -> None:
    assert apply(diagram, remove("z")) == NOTHING


def test_an_update_says_which_named_keys_it_left_as_they_were(diagram: NaiveDiagram) -> None:
    _, effect = apply(diagram, update("a", x=5, y=0, width=100, **{"attrs/body/fill": "red"}))
    assert effect is not None
    assert effect.cells[0].also == ("y", "width")


# -- OP1 to OP8 --------------------------------------------------------------------------------------------------------


def test_OP1_a_batch_is_all_or_nothing(diagram: NaiveDiagram) -> None:
    before = json.dumps(diagram.cells)
    assert apply(diagram, add(node("d")), update("a", x=9), update("z", x=1)) == CONFLICT
    assert json.dumps(diagram.cells) == before


@pytest.mark.parametrize(
    "entries", [(add(node("d")), remove("d")), (update("a", x=1), update("a", x=0)), (remove("z"),)]
)
def test_OP2_a_batch_without_net_effect_is_a_no_op(diagram: NaiveDiagram, entries: Any) -> None:
    assert apply(diagram, *entries) == NOTHING


def test_OP2_add_and_update_are_an_add(diagram: NaiveDiagram) -> None:
    assert accept(diagram, add(node("d")), update("d", x=1)) == [("d", "add", node("d", x=1))]


def test_OP2_remove_and_add_are_an_update_in_place(diagram: NaiveDiagram) -> None:
    accept(diagram, update("a", label="L"))
    assert accept(diagram, remove("a"), add(node("a", x=7))) == [("a", "update", {"x": 7, "label": None})]
    assert ids(diagram) == ["a", "b", "ab", "c", "bc"]
    assert apply(diagram, remove("a"), add(flow("a", "b", "c"))) == INVALID
    assert apply(diagram, remove("a"), add(node("a", x=7))) == NOTHING


def test_OP2_entries_stand_in_the_order_of_first_mention(diagram: NaiveDiagram) -> None:
    effect = accept(diagram, update("b", x=1), add(node("d")), update("a", x=1), update("b", y=1))
    assert effect == [("b", "update", {"x": 1, "y": 1}), ("d", "add", node("d")), ("a", "update", {"x": 1})]


def test_OP3_an_edge_may_precede_its_nodes(diagram: NaiveDiagram) -> None:
    accept(diagram, add(flow("de", "d", "e")), add(node("e")), add(node("d")))
    assert ids(diagram)[-3:] == ["de", "e", "d"]


@pytest.mark.parametrize(
    "entries",
    [
        *((add(flow("x", "a", "z")),), (update("ab", target={"cell": "z"}),), (add(flow("x", "a", "bc")),)),
        *((remove("a"), add(flow("x", "a", "b"))), (remove("a"), update("bc", source={"cell": "a"}))),
    ],
)
def test_OP3_an_end_that_is_missing_or_an_edge_is_invalid(diagram: NaiveDiagram, entries: Any) -> None:
    assert apply(diagram, *entries) == INVALID


def test_OP4_dangling_edges_go_with_their_node_after_the_asked_cells(diagram: NaiveDiagram) -> None:
    assert accept(diagram, remove("b")) == [("b", "remove", None), ("ab", "remove", None), ("bc", "remove", None)]
    assert ids(diagram) == ["a", "c"]


def test_OP4_an_edge_that_was_led_elsewhere_stays(diagram: NaiveDiagram) -> None:
    effect = accept(diagram, remove("b"), update("bc", source={"cell": "a"}))
    assert effect[1:] == [("bc", "update", {"source": {"cell": "a"}}), ("ab", "remove", None)]


def test_OP4_an_edge_that_was_named_goes_too(diagram: NaiveDiagram) -> None:
    effect = accept(diagram, update("ab", label="L", source={"cell": "a"}), remove("a"))
    assert effect == [("ab", "remove", None), ("a", "remove", None)]


def test_OP5_children_take_the_parent_of_the_removed_node() -> None:
    cells = [node("top", children=["mid"]), node("mid", parent="top", children=["k"]), node("k", parent="mid")]
    diagram = NaiveDiagram([*cells, node("other", children=["mid", "k"])])
    assert accept(diagram, remove("mid")) == [
        ("mid", "remove", None),
        ("top", "update", {"children": []}),
        ("k", "update", {"parent": "top"}),
        ("other", "update", {"children": ["k"]}),
    ]
    assert accept(diagram, remove("top"))[1:] == [("k", "update", {"parent": None})]


def test_OP5_a_chain_of_removed_parents_is_passed() -> None:
    diagram = NaiveDiagram([node("a"), node("b", parent="a"), node("c", parent="b"), node("d", parent="c")])
    assert accept(diagram, remove("c"), remove("b"))[2:] == [("d", "update", {"parent": "a"})]


@pytest.mark.parametrize(
    "entries",
    [
        *((update("a", parent="z"),), (update("a", parent="ab"),), (update("a", parent="a"),)),
        *((update("a", parent="b"), update("b", parent="c"), update("c", parent="a")), (add(node("d", parent="d")),)),
        (remove("a"), update("c", parent="a")),
    ],
)
def test_OP6_a_parent_is_a_node_and_parents_form_no_cycle(diagram: NaiveDiagram, entries: Any) -> None:
    assert apply(diagram, *entries) == INVALID


def test_OP7_updates_and_removals_move_nothing(diagram: NaiveDiagram) -> None:
    accept(diagram, update("a", x=1), remove("ab"), add(node("d")))
    assert ids(diagram) == ["a", "b", "c", "bc", "d"]


def test_OP8_a_node_may_change_its_shape_but_not_become_an_edge(diagram: NaiveDiagram) -> None:
    accept(diagram, update("a", shape="store"))
    ends = {"source": {"cell": "b"}, "target": {"cell": "c"}}
    assert apply(diagram, update("a", shape="flow", **ends)) == INVALID
    assert apply(diagram, update("ab", shape="process", x=0, y=0, width=50, height=50)) == INVALID


def test_OP11_a_no_op_changes_nothing(diagram: NaiveDiagram) -> None:
    before = diagram.hash()
    assert apply(diagram, update("a", x=0)) == NOTHING
    assert diagram.hash() == before


# -- the merge rule ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("before", "data", "after"),
    [
        ({"custom": {"a": 1}}, {"custom": {"b": 2}}, {"custom": {"b": 2}}),
        (
            {"attrs": {"b": {"f": 1}, "l": [1]}},
            {"attrs": {"b": {"s": 2}, "l": []}},
            {"attrs": {"b": {"f": 1, "s": 2}, "l": []}},
        ),
        ({"attrs": {"b": {"f": 1}, "c": 1}}, {"attrs": {"b": None}}, {"attrs": {"c": 1}}),
        ({"attrs": {"b": 5}}, {"attrs": {"b": {"f": 1, "n": None}}}, {"attrs": {"b": {"f": 1}}}),
        ({"data": {"a": 1}}, {"data": None}, {}),
        ({}, {"attrs": {"a": {"n": None}}}, {"attrs": {"a": {}}}),
        ({}, {"attrs/b/f": 1}, {"attrs": {"b": {"f": 1}}}),
        ({"attrs": {"b": {"f": 1}}}, {"attrs/b/f": None}, {"attrs": {"b": {}}}),
        ({"attrs": {"b": {"f": 1, "g": 2}}}, {"attrs/b": {"h": 3}}, {"attrs": {"b": {"h": 3}}}),
        ({"attrs": {"a": 1}}, {"attrs": None, "attrs/b": 2}, {"attrs": {"b": 2}}),
        ({"label": "L", "ports": [{"id": 1}]}, {"label": None, "ports": [{}]}, {"ports": [{}]}),
    ],
)
def test_OP12_an_update_merges_by_the_rule(before: Any, data: Any, after: Any) -> None:
    diagram = NaiveDiagram([node("a", **before)])
    accept(diagram, update("a", **data))
    assert diagram.cells == [node("a", **after)]


def test_a_path_that_deletes_creates_nothing() -> None:
    assert apply(NaiveDiagram([node("a")]), update("a", **{"attrs/b/f": None})) == NOTHING


@pytest.mark.parametrize("value", [1, None])
def test_a_path_through_a_value_that_is_no_object_is_invalid(value: Any) -> None:
    diagram = NaiveDiagram([node("a", attrs={"b": 5})])
    assert apply(diagram, update("a", **{"attrs/b/f": value})) == INVALID


@pytest.mark.parametrize(("id_", "key"), [("a", "x"), ("a", "height"), ("ab", "source")])
def test_null_on_a_required_key_is_invalid(diagram: NaiveDiagram, id_: str, key: str) -> None:
    assert apply(diagram, update(id_, **{key: None})) == INVALID


def test_sizes_are_checked_on_change_of_size_only() -> None:
    diagram = NaiveDiagram([node("a", width=1)])
    accept(diagram, update("a", x=5, shape="store"))
    assert apply(diagram, update("a", width=2)) == INVALID
    accept(diagram, update("a", width=40))


# -- OP13, limits, hash ------------------------------------------------------------------------------------------------


def test_OP13_assigning_keys_gives_the_cell_and_order_the_order() -> None:
    diagram = NaiveDiagram([node("a", label="L"), node("b")])
    a, b, d = CellId("a"), CellId("b"), CellId("d")
    entries = (CellEffect(a, Verb.UPDATE, {"label": None, "x": 1}), CellEffect(d, Verb.ADD, node("d")))
    diagram.replay(Effect(entries, order=(d, b, a)))
    assert diagram.cells == [node("d"), node("b"), node("a", x=1)]


@pytest.mark.parametrize(
    ("limits", "reason"),
    [
        (Limits(max_cells_per_diagram=5), "limit_exceeded"),
        (Limits(max_cells_per_operation=0), "limit_exceeded"),
        (Limits(max_cell_bytes=20), "validation_failed"),
        (Limits(max_diagram_bytes=200), "validation_failed"),
    ],
)
def test_limits_refuse_growth_and_nothing_else(diagram: NaiveDiagram, limits: Limits, reason: str) -> None:
    assert apply(diagram, add(node("d")), limits=limits) == (reason, None)
    if limits.max_cells_per_operation:
        assert apply(diagram, remove("c"), limits=limits)[0] == ACCEPTED


def test_an_operation_without_cells_is_empty(diagram: NaiveDiagram) -> None:
    assert diagram.apply((), LIMITS) == ("empty_operation", None)


def test_VEC14_the_oracle_hashes_as_the_server_does(diagram: NaiveDiagram) -> None:
    assert diagram.hash() == combine(map(cell_hash, diagram.cells))
    assert NaiveDiagram([]).hash() == 0

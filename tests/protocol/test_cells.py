"""Cells and changes in canonical form: what is accepted, how it comes out, what is refused and why."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from protocol.cells import (
    MAX_CELL_LEVELS,
    canonical_cell,
    canonical_cells,
    canonical_changes,
    check_bytes,
    check_cell,
    check_shape,
    check_size,
    is_edge,
    payload_sha256,
    respelled,
)
from protocol.operations import CellChange, Kind, Verb
from protocol.refusals import CellError, Reason
from protocol.statehash import canonical_bytes
from protocol.values import Cell, CellId, Limits

LIMITS = Limits()
UUID = "7d3e6f5a-1b2c-4d3e-8f90-a1b2c3d4e5f6"
BOX = {"x": 100, "y": 200, "width": 120, "height": 80}
NODE = {"id": "a", "shape": "process", **BOX}
EDGE = {"id": "e", "shape": "flow", "source": {"cell": "a"}, "target": {"cell": "b"}}


def cell(raw: Any, limits: Limits = LIMITS) -> Cell:
    return canonical_cell(raw, free_ids=True, limits=limits)


def change(entry: Any, limits: Limits = LIMITS, free_ids: bool = True) -> CellChange:
    (only,) = canonical_changes([entry], free_ids=free_ids, limits=limits)
    return only


def patch(data: Any) -> Any:
    return change({"id": "a", "operation": "update", "data": data}).data


def why_cell(raw: Any, limits: Limits = LIMITS) -> CellError:
    with pytest.raises(CellError) as caught:
        cell(raw, limits)
    return caught.value


def why_change(entry: Any, limits: Limits = LIMITS, free_ids: bool = True) -> CellError:
    with pytest.raises(CellError) as caught:
        change(entry, limits, free_ids)
    return caught.value


def why_patch(data: Any) -> CellError:
    return why_change({"id": "a", "operation": "update", "data": data})


# -- a whole cell ------------------------------------------------------------------------------------------------------


def test_OP15_what_is_canonical_stays_as_it_is() -> None:
    rich = NODE | {
        "label": "L",
        "attrs": {"body": {"fill": "#fff"}},
        "ports": {"items": []},
        "custom": [None, {"a": None}],
    }
    for whole in (NODE, EDGE, rich, NODE | {"shape": "my-shape", "height": 0.5}):
        assert cell(whole) == whole
        assert cell(cell(whole)) == whole


def test_OP15_unknown_keys_survive() -> None:
    assert cell(NODE | {"tools": {"deep": [1, {"x": None}]}, "a/b": 1})["tools"] == {"deep": [1, {"x": None}]}


def test_OP17_geometry_comes_out_flat() -> None:
    nested = {"id": "a", "shape": "process", "position": {"x": 100, "y": 200}, "size": {"width": 120, "height": 80}}
    assert cell(nested) == NODE


def test_OP17_the_flat_key_wins_one_by_one() -> None:
    raw = {"id": "a", "shape": "process", "x": 1, "position": {"x": 100, "y": 200}, "size": BOX, "height": 90}
    assert cell(raw) == {"id": "a", "shape": "process", "x": 1, "y": 200, "width": 120, "height": 90}


@pytest.mark.parametrize("nested", [{"position": [1, 2]}, {"position": 5}, {"size": "large"}, {"position": {"x": "1"}}])
def test_S61_nested_geometry_is_an_object_of_numbers(nested: dict[str, Any]) -> None:
    raw = {"id": "a", "shape": "process", "position": {"x": 1, "y": 2}, "size": BOX}
    assert why_cell(raw | nested).reason is Reason.VALIDATION_FAILED
    why_patch(nested)


def test_OP15_ids_are_lower_case_wherever_they_stand() -> None:
    raw = EDGE | {"id": UUID.upper(), "source": UUID.upper(), "target": {"id": UUID.upper()}, "parent": UUID.upper()}
    end = {"cell": UUID}
    assert cell(raw) == {"id": UUID, "shape": "flow", "source": end, "target": end, "parent": UUID}


def test_a_type_stands_in_for_the_shape_and_is_kept() -> None:
    assert cell({"id": "a", "type": "datastore", **BOX}) == {"id": "a", "shape": "store", "type": "datastore", **BOX}
    assert cell({"id": "a", "type": "link", "shape": "data-store", **BOX})["shape"] == "store"
    assert cell({"id": "a", "type": "process", "shape": None, **BOX})["shape"] == "process"


def test_null_keys_are_left_out_at_the_top_and_inside_attrs_and_data() -> None:
    inner = {"a": None, "b": {"c": None, "d": [None, {"e": None}]}, "f": {"g": None}}
    assert cell(NODE | {"label": None, "attrs": inner, "data": inner, "position": None, "parent": None}) == NODE | {
        "attrs": {"b": {"d": [None, {"e": None}]}, "f": {}},
        "data": {"b": {"d": [None, {"e": None}]}, "f": {}},
    }


def test_paths_in_a_whole_cell_are_set_after_the_plain_keys() -> None:
    raw = {"attrs/body/fill": "red", "attrs": {"body": {"fill": "blue", "r": 1}}, "data/a/b": {"c": 1, "d": None}}
    assert cell(NODE | raw) == NODE | {"attrs": {"body": {"fill": "red", "r": 1}}, "data": {"a": {"b": {"c": 1}}}}


def test_what_was_given_is_not_changed() -> None:
    attrs = {"body": {"fill": "blue", "r": None}}
    raw = NODE | {"attrs": attrs, "attrs/body/fill": "red", "source": {"id": "x"}, "position": {"x": 1}}
    before = str(raw)
    cell(raw)
    change({"id": "a", "operation": "update", "data": raw})
    assert str(raw) == before


@pytest.mark.parametrize("key", ["id", "shape", "x", "y", "width", "height"])
def test_a_node_needs_its_keys(key: str) -> None:
    for raw in ({k: v for k, v in NODE.items() if k != key}, NODE | {key: None}):
        error = why_cell(raw)
        assert (error.reason, error.field) == (Reason.VALIDATION_FAILED, key)


@pytest.mark.parametrize("key", ["id", "shape", "source", "target"])
def test_an_edge_needs_its_keys(key: str) -> None:
    for raw in ({k: v for k, v in EDGE.items() if k != key}, EDGE | {key: None}):
        error = why_cell(raw)
        assert (error.reason, error.field) == (Reason.VALIDATION_FAILED, key)


def test_an_edge_needs_no_geometry() -> None:
    assert cell(EDGE | {"width": -5}) == EDGE | {"width": -5}


@pytest.mark.parametrize("raw", [None, [], "a", 1, {}, {"id": 1}, {"id": "a b"}])
def test_S61_a_cell_is_an_object_with_an_id(raw: Any) -> None:
    error = why_cell(raw)
    assert (error.reason, error.cell) == (Reason.VALIDATION_FAILED, None)


@pytest.mark.parametrize(
    "wrong",
    [{"x": "1"}, {"x": True}, {"label": 5}, {"attrs": []}, {"visible": 1}, {"parent": "a b"}, {"vertices": [{}]}],
)
def test_S61_an_error_names_cell_and_field(wrong: dict[str, Any]) -> None:
    (field,) = wrong
    for error in (why_cell(NODE | wrong), why_patch(wrong)):
        assert (error.reason, error.cell, error.field) == (Reason.VALIDATION_FAILED, "a", field)
        assert error.message.startswith(f"{field} must be ")


@pytest.mark.parametrize(
    ("raw", "edge"),
    [
        *(
            ({"shape": "flow"}, True),
            ({"shape": "process", "source": {"cell": "a"}}, False),
            ({"shape": "my-thing"}, False),
        ),
        *(({"shape": "my-link", "source": {"cell": "a"}}, True), ({"shape": "my-link", "target": {"cell": "a"}}, True)),
    ],
)
def test_another_shape_is_an_edge_if_it_has_an_end(raw: dict[str, Any], edge: bool) -> None:
    assert is_edge(raw) is edge


# -- sizes -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("shape", ["actor", "process", "store", "security-boundary", "text-box"])
def test_a_node_of_the_five_shapes_is_at_least_40_by_30(shape: str) -> None:
    check_size(NODE | {"shape": shape, "width": 40, "height": 30}, LIMITS)
    for key, small in (("width", 39.9), ("height", 29.9), ("width", -1)):
        error = why_cell(NODE | {"shape": shape, key: small})
        assert (error.reason, error.field) == (Reason.VALIDATION_FAILED, key)


def test_a_node_of_another_shape_is_above_0() -> None:
    check_size(NODE | {"shape": "dot", "width": 0.1, "height": 0.1}, LIMITS)
    assert why_cell(NODE | {"shape": "dot", "height": 0}).field == "height"


def test_the_least_size_is_a_setting() -> None:
    check_size(NODE | {"width": 1, "height": 1}, Limits(min_node_width=1, min_node_height=1))
    assert why_cell(NODE, Limits(min_node_width=200)).field == "width"


def test_a_cell_has_a_largest_size_in_canonical_bytes() -> None:
    size = len(canonical_bytes(NODE))
    assert check_bytes(NODE, Limits(max_cell_bytes=size)) == size
    assert why_cell(NODE, Limits(max_cell_bytes=size - 1)).reason is Reason.VALIDATION_FAILED
    add = {"id": "a", "operation": "add", "data": NODE}
    assert why_change(add, Limits(max_cell_bytes=size - 1)).cell == "a"


def test_check_cell_holds_a_merged_cell_to_all_of_it() -> None:
    check_cell(NODE, LIMITS)
    check_cell(EDGE, LIMITS)
    without_x = {k: v for k, v in NODE.items() if k != "x"}
    for wrong in (without_x, NODE | {"width": 1}, NODE | {"label": "x" * 70_000}):
        with pytest.raises(CellError):
            check_cell(wrong, LIMITS)
    with pytest.raises(CellError, match="x is required"):
        check_shape(without_x)


def deep(levels: int) -> Any:
    """A value of that many levels."""
    value: Any = 1
    for _ in range(levels):
        value = {"a": value}
    return value


def test_S53_a_cell_has_as_many_levels_by_every_door() -> None:
    assert cell(NODE | {"attrs": deep(MAX_CELL_LEVELS - 1)})
    for wrong in (deep(MAX_CELL_LEVELS), deep(100_000)):
        assert "levels" in why_cell(NODE | {"attrs": wrong}).message
        assert "levels" in why_cell(NODE | {"custom": [wrong]}).message


@pytest.mark.parametrize("segments", [28, 29, 40, 100_000])
def test_S53_a_path_reaches_no_deeper_than_a_cell_may(segments: int) -> None:
    path = "/".join(["attrs", *["a"] * (segments - 1)])
    if segments == MAX_CELL_LEVELS:
        patch({path: 1})
        assert cell(NODE | {path: 1})
        why_patch({path: {}})
        why_cell(NODE | {path: []})
    else:
        why_patch({path: None})
        why_patch({path: 1})
        why_cell(NODE | {path: 1})


# -- a whole diagram ---------------------------------------------------------------------------------------------------


def cells(raw: Any, limits: Limits = LIMITS, free_ids: bool = True) -> tuple[Cell, ...]:
    return canonical_cells(raw, free_ids=free_ids, limits=limits)


def test_OP7_all_cells_keep_their_order() -> None:
    assert cells([EDGE, NODE, NODE | {"id": "b"}]) == (EDGE, NODE, NODE | {"id": "b"})
    assert cells([]) == ()


def test_an_id_stands_once_in_a_diagram() -> None:
    with pytest.raises(CellError) as caught:
        cells([NODE | {"id": UUID}, NODE | {"id": UUID.upper()}])
    assert (caught.value.reason, caught.value.cell) == (Reason.VALIDATION_FAILED, UUID)


def test_a_diagram_has_limits() -> None:
    both = [NODE, EDGE]
    size = sum(len(canonical_bytes(one)) for one in both)
    assert cells(both, Limits(max_cells_per_diagram=2, max_diagram_bytes=size))
    for limits, reason in (
        (Limits(max_cells_per_diagram=1), Reason.LIMIT_EXCEEDED),
        (Limits(max_diagram_bytes=size - 1), Reason.VALIDATION_FAILED),
    ):
        with pytest.raises(CellError) as caught:
            cells(both, limits)
        assert caught.value.reason is reason


@pytest.mark.parametrize("raw", [None, {}, "ab", 5, [[]], [None], ["a"]])
def test_S61_cells_are_an_array_of_objects(raw: Any) -> None:
    with pytest.raises(CellError):
        cells(raw)


def test_S56_free_ids_only_where_they_are_allowed() -> None:
    assert cells([NODE | {"id": UUID}], free_ids=False)
    with pytest.raises(CellError, match="UUID"):
        cells([NODE], free_ids=False)


# -- an operation ------------------------------------------------------------------------------------------------------


def test_an_add_gives_the_whole_cell() -> None:
    for data in ({k: v for k, v in NODE.items() if k != "id"}, NODE, NODE | {"id": None}):
        assert change({"id": "a", "operation": "add", "data": data}) == CellChange(CellId("a"), Verb.ADD, NODE)


def test_OP12_an_update_gives_only_what_it_names() -> None:
    entry = {"id": UUID.upper(), "operation": "update", "data": {"id": UUID, "x": 150, "label": None}, "more": 1}
    assert change(entry) == CellChange(CellId(UUID), Verb.UPDATE, {"x": 150, "label": None})
    assert patch({}) == {}


def test_an_update_comes_out_canonical() -> None:
    nested = {
        "shape": "datastore",
        "position": {"x": 1, "y": 2},
        "size": {"width": 50},
        "source": "a",
        "target": {"id": "b"},
    }
    assert patch(nested) == {
        "shape": "store",
        "source": {"cell": "a"},
        "target": {"cell": "b"},
        "x": 1,
        "y": 2,
        "width": 50,
    }
    assert patch({"position": None, "size": {"width": None}, "x": None}) == {"width": None, "x": None}
    assert patch({"x": 5, "position": {"x": 6}}) == {"x": 5}


def test_an_update_keeps_nulls_and_paths_for_the_merge() -> None:
    assert patch({"attrs": {"a": None}, "attrs/b": None, "data/c": {"d": None, "e": [None]}, "parent": None}) == {
        "attrs": {"a": None},
        "attrs/b": None,
        "data/c": {"e": [None]},
        "parent": None,
    }


def test_paths_come_last_and_each_after_the_one_it_continues() -> None:
    data = {"attrs/b/c": 1, "attrs": {}, "attrs/b": {}, "x": 1, "attrs/a": 1}
    assert list(patch(data)) == ["attrs", "x", "attrs/a", "attrs/b", "attrs/b/c"]
    assert list(patch(dict(reversed(data.items())))) == ["x", "attrs", "attrs/a", "attrs/b", "attrs/b/c"]


@pytest.mark.parametrize("path", ["attrs/__proto__/x", "attrs/a/constructor", "data/prototype", "data/__proto__"])
def test_S54_a_path_may_not_reach_into_prototypes(path: str) -> None:
    values: list[Any] = [1, None, {}]
    for value in values:
        assert why_patch({path: value}).reason is Reason.VALIDATION_FAILED
    assert why_cell(NODE | {path: 1}).reason is Reason.VALIDATION_FAILED
    assert patch({path.replace("/", "."): 1})


def test_a_path_through_a_value_that_is_no_object_is_refused() -> None:
    assert why_cell(NODE | {"attrs": {"a": 5}, "attrs/a/b": 1}).reason is Reason.VALIDATION_FAILED


@pytest.mark.parametrize("key", ["id", "shape"])
def test_id_and_shape_cannot_be_deleted(key: str) -> None:
    assert why_patch({key: None}).reason is Reason.VALIDATION_FAILED


def test_a_remove_ignores_its_data() -> None:
    for entry in ({}, {"data": None}, {"data": {"id": "other", "x": "nonsense"}}, {"data": 5}):
        assert change({"id": "A.1", "operation": "remove", **entry}) == CellChange(CellId("A.1"), Verb.REMOVE)


@pytest.mark.parametrize("verb", ["add", "update"])
@pytest.mark.parametrize("data", [{}, {"data": None}, {"data": []}, {"data": "x"}])
def test_S61_add_and_update_need_data(verb: str, data: dict[str, Any]) -> None:
    assert why_change({"id": "a", "operation": verb, **data}).reason is Reason.VALIDATION_FAILED


@pytest.mark.parametrize("verb", ["add", "update"])
@pytest.mark.parametrize("id_", ["b", "A", 1, "", "a b", []])
def test_data_names_the_cell_of_its_entry_or_none(verb: str, id_: Any) -> None:
    error = why_change({"id": "a", "operation": verb, "data": NODE | {"id": id_}})
    assert (error.reason, error.cell) == (Reason.VALIDATION_FAILED, "a")


def test_S56_data_may_name_its_cell_in_another_spelling() -> None:
    assert change({"id": UUID, "operation": "add", "data": NODE | {"id": UUID.upper()}}).id == UUID


@pytest.mark.parametrize("verb", [None, "", "ADD", "replace", 1, ["add"], {}])
def test_an_unknown_word_is_an_invalid_operation_type(verb: Any) -> None:
    error = why_change({"id": "a", "operation": verb, "data": NODE})
    assert (error.reason, error.cell) == (Reason.INVALID_OPERATION_TYPE, "a")
    assert why_change({"id": "a"}).reason is Reason.INVALID_OPERATION_TYPE
    assert why_change({"id": [], "operation": verb}).cell is None


def test_an_operation_without_cells_is_empty() -> None:
    with pytest.raises(CellError) as caught:
        canonical_changes([], free_ids=True, limits=LIMITS)
    assert caught.value.reason is Reason.EMPTY_OPERATION


def test_S53_an_operation_has_at_most_500_cells() -> None:
    entry = {"id": "a", "operation": "remove"}
    assert len(canonical_changes([entry] * 500, free_ids=True, limits=LIMITS)) == 500
    with pytest.raises(CellError) as caught:
        canonical_changes([entry] * 501, free_ids=True, limits=LIMITS)
    assert caught.value.reason is Reason.LIMIT_EXCEEDED


@pytest.mark.parametrize("entries", [None, {}, "a", 5, ["a"], [None], [[]], [{"operation": "remove"}]])
def test_S60_S61_cells_of_an_operation_are_an_array_of_entries(entries: Any) -> None:
    with pytest.raises(CellError) as caught:
        canonical_changes(entries, free_ids=True, limits=LIMITS)
    assert caught.value.reason is Reason.VALIDATION_FAILED


def test_S56_without_free_ids_only_an_add_needs_a_UUID() -> None:
    assert change({"id": UUID, "operation": "add", "data": NODE | {"id": UUID}}, free_ids=False).id == UUID
    assert why_change({"id": "a", "operation": "add", "data": NODE}, free_ids=False).cell == "a"
    assert change({"id": "a", "operation": "update", "data": {}}, free_ids=False).id == "a"
    assert change({"id": "a", "operation": "remove"}, free_ids=False).id == "a"


@pytest.mark.parametrize("id_", ["__proto__", "constructor", "prototype"])
def test_S54_no_cell_is_named_like_a_prototype(id_: str) -> None:
    for entry in ({"operation": "add", "data": NODE | {"id": id_}}, {"operation": "remove"}):
        assert why_change({"id": id_, **entry}).reason is Reason.VALIDATION_FAILED


def test_OP18_a_flat_add_comes_out_as_it_was_sent() -> None:
    data = {
        "shape": "store",
        **BOX,
        "label": "L",
        "attrs": {"a": {"b": [1, None]}},
        "zIndex": 3,
        "custom": {"deep": [None]},
    }
    assert change({"id": "a", "operation": "add", "data": data}).data == {"id": "a", **data}


# -- the payload -------------------------------------------------------------------------------------------------------


def payload(*entries: Any, kind: Kind = Kind.EDIT) -> bytes:
    return payload_sha256(kind, canonical_changes(list(entries), free_ids=True, limits=LIMITS))


def update(data: Any, id_: str = UUID) -> dict[str, Any]:
    return {"id": id_, "operation": "update", "data": data}


def test_VEC11_another_spelling_is_the_same_operation() -> None:
    flat = {"x": 1, "y": 2, "source": {"cell": "a"}, "attrs/a": 1}
    nested = {"attrs/a": 1, "id": UUID.upper(), "position": {"y": 2, "x": 1}, "source": "a"}
    assert payload(update(flat)) == payload(update(nested, UUID.upper()) | {"extra": 1})
    assert payload({"id": "a", "operation": "remove", "data": 5}) == payload({"id": "a", "operation": "remove"})


def test_VEC11_edit_and_rest_are_one_kind_and_undo_another() -> None:
    entry = update({"x": 1})
    assert payload(entry, kind=Kind.REST) == payload(entry)
    assert len({payload(entry, kind=kind) for kind in Kind}) == len(Kind) - 1


def test_VEC9_VEC11_another_payload_is_another_operation() -> None:
    one, two = update({"x": 1}), update({"x": 2})
    payloads = [
        *(payload(one), payload(two), payload(one, two), payload(two, one), payload(update({"x": 1}, "a"))),
        *(payload(update({"x": None})), payload(update({})), payload({"id": UUID, "operation": "remove"})),
        *(
            payload(update({"x": 1, "visible": True})),
            payload(update({"x": 1, "zIndex": 1})),
            payload(update({"a": True})),
        ),
        *(payload(update({"a": 1})), payload(update({"a": "1"}))),
    ]
    assert len(set(payloads)) == len(payloads)


def test_VEC11_the_order_of_a_replacement_belongs_to_its_payload() -> None:
    changes = canonical_changes([update({"x": 1})], free_ids=True, limits=LIMITS)
    a, b = CellId("a"), CellId("b")
    orders: list[Sequence[CellId] | None] = [None, (), (a, b), (b, a)]
    assert len({payload_sha256(Kind.REST, changes, order) for order in orders}) == 4
    assert payload_sha256(Kind.REST, changes, [a, b]) == payload_sha256(Kind.EDIT, changes, (a, b))
    assert len(payload_sha256(Kind.UNDO, ())) == 32


# -- fuzz --------------------------------------------------------------------------------------------------------------

PATHS = ["attrs/a", "attrs/a/b", "data/", "attrs//__proto__"]
TYPED = ["attrs", "data", "label", "angle", "visible", "parent", "children", "ports", "vertices", "labels"]
keys = st.sampled_from([*NODE, *EDGE, *PATHS, *TYPED, "type", "position", "size", "custom", "", "é"])
values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-5, 300)
    | st.floats(0.1, 0.9)
    | st.sampled_from(["a", UUID, "flow", "__proto__"]),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["x", "y", "cell", "id", "port", "items"]), inner)
    ),
    max_leaves=6,
)
raws = st.dictionaries(keys, values, max_size=8)
entries = st.fixed_dictionaries(
    {},
    optional={
        "id": values,
        "operation": st.sampled_from(["add", "update", "remove", "x"]) | values,
        "data": raws | values,
    },
)


@given(raws)
@settings(max_examples=300, deadline=None)
def test_S61_any_value_gives_a_canonical_cell_or_a_CellError(raw: dict[str, Any]) -> None:
    for whole in (raw, NODE | raw, EDGE | raw):
        try:
            canonical = cell(whole)
        except CellError as error:
            assert error.reason is Reason.VALIDATION_FAILED
        else:
            assert cell(canonical) == canonical
            check_cell(canonical, LIMITS)


@given(st.lists(entries, max_size=3))
@settings(max_examples=300, deadline=None)
def test_S60_any_entries_give_changes_or_a_CellError(raw: list[Any]) -> None:
    try:
        changes = canonical_changes(raw, free_ids=True, limits=LIMITS)
    except CellError:
        return
    again = [{"id": one.id, "operation": one.verb.value, "data": one.data} for one in changes]
    assert canonical_changes(again, free_ids=True, limits=LIMITS) == changes


@pytest.mark.parametrize(
    ("entry", "other"),
    [
        ({"id": "a", "operation": "add", "data": {"shape": "process", **BOX}}, False),
        ({"id": "a", "operation": "add", "data": {"id": "a", "shape": "process", **BOX}}, False),
        ({"id": "a", "operation": "add", "data": {"type": "datastore", **BOX}}, True),
        ({"id": "a", "operation": "add", "data": {"shape": "process", "label": None, **BOX}}, True),
        ({"id": "a", "operation": "update", "data": {"x": 5, "attrs/body/fill": "red"}}, False),
        ({"id": "a", "operation": "update", "data": {"id": "a", "x": 5}}, False),
        ({"id": "a", "operation": "update", "data": {"position": {"x": 5}}}, True),
        ({"id": "a", "operation": "update", "data": {"source": "b"}}, True),
        ({"id": UUID.upper(), "operation": "remove"}, True),
        ({"id": "a", "operation": "remove", "data": {"x": 1}}, False),
    ],
)
def test_another_spelling_is_noticed(entry: Any, other: bool) -> None:
    assert respelled([entry], [change(entry)]) is other

"""What each key may hold, in any spelling a client may choose."""

from __future__ import annotations

from typing import Any

import pytest

from protocol.cell_keys import EDGE_SHAPES, KEY_RULES, NODE_SHAPES, canonical_id

UUID = "7d3e6f5a-1b2c-4d3e-8f90-a1b2c3d4e5f6"


def accepted(key: str, value: Any) -> Any:
    return KEY_RULES[key](value)


def refused(key: str, value: Any) -> None:
    with pytest.raises(ValueError, match=r"."):
        KEY_RULES[key](value)


# -- ids ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("spelling", [UUID, UUID.upper(), UUID.replace("a", "A")])
def test_OP15_S56_a_UUID_has_one_spelling(spelling: str) -> None:
    assert canonical_id(spelling) == UUID


@pytest.mark.parametrize(
    "id_", ["cell-uuid", "process-1", "A", "a.b:c_d-e", "x" * 128, UUID.replace("-", ""), "Cell-1"]
)
def test_S56_a_free_id_stays_as_it_is(id_: str) -> None:
    assert canonical_id(id_) == id_


@pytest.mark.parametrize(
    "id_",
    [
        *("", " ", "a b", "a/b", "../a", "é", "a\n", UUID + "\n", "{" + UUID + "}", "a\u202e", "a\0", "x" * 129),
        *("x" * 10_240, None, 1, True, [], {}, ["a"]),
    ],
    ids=lambda id_: repr(id_)[:20],
)
@pytest.mark.parametrize("key", ["id", "parent"])
def test_S56_S61_what_is_no_id_is_refused(key: str, id_: Any) -> None:
    refused(key, id_)


@pytest.mark.parametrize("id_", ["__proto__", "constructor", "prototype"])
def test_S54_an_id_that_reaches_into_prototypes_is_refused(id_: str) -> None:
    for value in (id_, {"cell": id_}, {"id": id_}):
        refused("source", value)
    refused("id", id_)
    refused("children", ["a", id_])


# -- shapes ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("alias", "shape"),
    [
        *(("datastore", "store"), ("data-store", "store"), ("textbox", "text-box")),
        *(("edge", "flow"), ("link", "flow"), ("data-flow", "flow"), ("dataflow", "flow")),
        *(("boundary", "security-boundary"), ("trust-boundary", "security-boundary")),
    ],
)
def test_shapes_have_aliases(alias: str, shape: str) -> None:
    assert accepted("shape", alias) == shape
    assert shape in NODE_SHAPES | EDGE_SHAPES


@pytest.mark.parametrize("shape", [*sorted(NODE_SHAPES), *sorted(EDGE_SHAPES), "0", "my-shape-2", "a" * 64])
def test_a_shape_of_ones_own_is_kept(shape: str) -> None:
    assert accepted("shape", shape) == shape


@pytest.mark.parametrize("shape", ["", "-a", "Process", "a_b", "a b", "a" * 65, "é", "flow\n", None, 1, True, ["flow"]])
def test_S61_what_is_no_shape_is_refused(shape: Any) -> None:
    refused("shape", shape)


@pytest.mark.parametrize("text", ["-", "a-", "a", "0-0", "A.", ":", "7d3e6f5a-1b2c-"])
def test_S59_64_KiB_of_attack_text_are_refused(text: str) -> None:
    attack = text * (65_536 // len(text)) + "!"
    refused("id", attack)
    refused("shape", attack)


# -- numbers, flags, objects, text -------------------------------------------------------------------------------------


@pytest.mark.parametrize("key", ["x", "y", "width", "height", "angle", "zIndex"])
@pytest.mark.parametrize("value", ["1", True, False, [], {}, [1]])
def test_S61_a_number_is_a_number(key: str, value: Any) -> None:
    assert accepted(key, 1.5) == 1.5
    assert accepted(key, -7) == -7
    refused(key, value)


@pytest.mark.parametrize("value", [0, 1, "true", "", []])
def test_S61_visible_is_true_or_false(value: Any) -> None:
    assert accepted("visible", False) is False
    refused("visible", value)


@pytest.mark.parametrize("key", ["attrs", "data"])
@pytest.mark.parametrize("value", [[], "{}", 1, True])
def test_S61_attrs_and_data_are_objects(key: str, value: Any) -> None:
    assert accepted(key, {"a": [1]}) == {"a": [1]}
    refused(key, value)


@pytest.mark.parametrize("value", ["x" * 1_025, 1, ["a"], {"text": "a"}, True])
def test_S61_a_label_is_a_string_of_1024_characters(value: Any) -> None:
    for label in ("", "😀" * 1_024):
        assert accepted("label", label) == label
    refused("label", value)


# -- ends of edges -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("key", ["source", "target"])
def test_an_end_has_three_spellings(key: str) -> None:
    for value in (UUID.upper(), {"id": UUID}, {"cell": UUID.upper()}, {"cell": UUID, "port": None}):
        assert accepted(key, value) == {"cell": UUID}


def test_OP15_an_end_keeps_what_else_it_holds() -> None:
    end = {"cell": "a", "port": "p" * 64, "magnet": "circle", "anchor": {"name": "top"}}
    assert accepted("source", end) == end
    assert accepted("source", {"id": "a", "port": "p"}) == {"cell": "a", "port": "p"}


@pytest.mark.parametrize(
    "value",
    [
        *(1, True, [], {}, "", {"x": 1, "y": 2}, {"cell": 1}, {"cell": None}, {"cell": {"id": "a"}}, {"id": ""}),
        *({"cell": "a", "port": 1}, {"cell": "a", "port": "p" * 65}, {"port": "p"}),
    ],
)
def test_S61_what_names_no_cell_is_no_end(value: Any) -> None:
    refused("target", value)


def test_an_end_is_not_changed_in_place() -> None:
    given = {"id": UUID.upper(), "port": None}
    accepted("source", given)
    assert given == {"id": UUID.upper(), "port": None}


# -- lists -------------------------------------------------------------------------------------------------------------

ENTRY: dict[str, Any] = {"children": "a", "ports": {"id": "p"}, "vertices": {"x": 1, "y": 2.5, "z": 0}, "labels": {}}


@pytest.mark.parametrize("key", ENTRY)
def test_S53_a_list_has_at_most_1000_entries(key: str) -> None:
    for count in (0, 1, 1_000):
        assert accepted(key, [ENTRY[key]] * count) == [ENTRY[key]] * count
    refused(key, [ENTRY[key]] * 1_001)


@pytest.mark.parametrize("key", ENTRY)
@pytest.mark.parametrize("value", ["a", 1, True])
def test_S61_a_list_is_a_list(key: str, value: Any) -> None:
    refused(key, value)


@pytest.mark.parametrize(
    ("key", "entry"),
    [
        *(("children", 1), ("children", {"id": "a"}), ("children", ""), ("labels", "text"), ("labels", None)),
        *(
            ("vertices", [1, 2]),
            ("vertices", {"x": 1}),
            ("vertices", {"x": "1", "y": 2}),
            ("vertices", {"x": 1, "y": True}),
        ),
    ],
)
def test_S61_entries_are_of_their_kind(key: str, entry: Any) -> None:
    refused(key, [entry])


def test_children_are_ids_in_their_order() -> None:
    assert accepted("children", ["b", UUID.upper(), "a", "b"]) == ["b", UUID, "a", "b"]


@pytest.mark.parametrize("ports", [{"items": [{"id": "p"}], "groups": {"in": {}}}, {"groups": {}}])
def test_ports_may_be_an_object_with_items(ports: Any) -> None:
    assert accepted("ports", ports) == ports


@pytest.mark.parametrize("items", [[{}] * 1_001, {}, "p", None])
def test_S53_S61_items_of_ports_are_a_list_of_1000(items: Any) -> None:
    refused("ports", {"items": items})

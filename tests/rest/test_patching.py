"""Both kinds of patch say what the named members become, and touch nothing else."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocol.cell_list import CellList
from protocol.values import Cell
from rest.bodies import JSON, JSON_PATCH, MERGE_PATCH
from rest.patching import MOST_OPERATIONS, changes, merge_patch
from rest.problems import Problem

DOCUMENT = {"id": "a", "name": "Old", "tags": ["x", "y"], "data": {"deep": {"k": 1}}, "note": "n"}


def patched(*operations: dict[str, Any]) -> Any:
    return changes(JSON_PATCH, DOCUMENT, list(operations))


def refused(patch: Any, document: Any = DOCUMENT) -> Problem:
    before = copy.deepcopy(document)
    with pytest.raises(Problem) as raised:
        changes(JSON_PATCH, document, patch)
    assert document == before
    return raised.value


def test_RE5_a_json_patch_names_what_changes() -> None:
    assert patched({"op": "replace", "path": "/name", "value": "New"}) == {"name": "New"}
    assert patched({"op": "add", "path": "/tags/-", "value": "z"}) == {"tags": ["x", "y", "z"]}
    assert patched({"op": "remove", "path": "/note"}) == {"note": None}


def test_RE5_an_array_as_plain_json_is_a_json_patch() -> None:
    assert changes(JSON, DOCUMENT, [{"op": "replace", "path": "/name", "value": "New"}]) == {"name": "New"}
    for kind, patch in ((MERGE_PATCH, []), (JSON, "x"), (JSON, None), (JSON_PATCH, {})):
        with pytest.raises(Problem):
            changes(kind, DOCUMENT, patch)


def test_RE5_move_names_both_ends() -> None:
    assert patched({"op": "move", "from": "/note", "path": "/name"}) == {"note": None, "name": "n"}


def test_RE5_replace_of_an_absent_member_adds_it() -> None:
    assert patched({"op": "replace", "path": "/description", "value": "d"}) == {"description": "d"}
    assert patched({"op": "replace", "path": "/data/new", "value": 2}) == {"data": {"deep": {"k": 1}, "new": 2}}


def test_RE5_a_test_changes_nothing() -> None:
    assert patched({"op": "test", "path": "/id", "value": "a"}) == {}


def test_RE5_a_failing_test_is_a_conflict_and_nothing_is_applied() -> None:
    problem = refused([{"op": "replace", "path": "/name", "value": "N"}, {"op": "test", "path": "/id", "value": "b"}])
    assert problem.status == 409


@pytest.mark.parametrize(
    "patch",
    [
        {},
        [5],
        [{}],
        [{"op": "replace", "path": "/name"}],
        [{"op": "frob", "path": "/name", "value": 1}],
        [{"op": ["add"], "path": "/name", "value": 1}],
        [{"op": "replace", "path": "", "value": {}}],
        [{"op": "replace", "path": "name", "value": 1}],
        [{"op": "replace", "path": 5, "value": 1}],
        [{"op": "remove", "path": "/absent"}],
        [{"op": "add", "path": "/absent/inner", "value": 1}],
        [{"op": "add", "path": "/tags/9", "value": 1}],
        [{"op": "add", "path": "/tags/01", "value": 1}],
        [{"op": "replace", "path": "/tags/-", "value": 1}],
        [{"op": "add", "path": "/name/0", "value": 1}],
        [{"op": "add", "path": "/na~2me", "value": 1}],
        [{"op": "move", "path": "/x"}],
        [{"op": "move", "from": "/data", "path": "/data/deep"}],
        [{"op": "copy", "from": "/nothing", "path": "/x"}],
        [{"op": "copy", "from": "/tags/-", "path": "/x"}],
        [{"op": "move", "from": "/tags/-", "path": "/x"}],
        [{"op": "remove", "path": "/tags/-"}],
        [{"op": "add", "path": "/x", "value": 1}] * (MOST_OPERATIONS + 1),
    ],
)
def test_RE5_what_cannot_be_applied_is_refused_whole(patch: Any) -> None:
    problem = refused(patch)
    assert (problem.status, problem.error) == (400, "invalid_patch")


@pytest.mark.parametrize("key", ["__proto__", "constructor", "prototype"])
def test_S54_a_path_never_goes_through_a_forbidden_key(key: str) -> None:
    assert refused([{"op": "add", "path": f"/data/{key}/polluted", "value": 1}]).error == "invalid_patch"
    assert refused([{"op": "copy", "from": f"/data/{key}", "path": "/x"}]).error == "invalid_patch"


def test_a_patch_cannot_double_a_document_without_end() -> None:
    doubling = [{"op": "copy", "from": "/data", "path": f"/data/{n}"} for n in range(60)]
    assert refused(doubling).error == "invalid_patch"


def test_a_patch_cannot_nest_a_document_without_end() -> None:
    deeper = [{"op": "add", "path": "/data" + "/x" * n, "value": {}} for n in range(1, 900)]
    assert refused(deeper).error == "invalid_patch"


PIECES = st.sampled_from(
    ["", "/", "name", "/name", "/tags/0", "/tags/-", "/data/deep", "/data/deep/k", "/~", "/data/x"]
)
JSON_VALUES = st.sampled_from([None, True, 1, -1, "", "x", [], [1, [2]], {}, {"k": {"l": 1}}])
OPERATIONS = st.fixed_dictionaries(
    {"op": st.sampled_from(["add", "remove", "replace", "move", "copy", "test"]), "path": PIECES | JSON_VALUES},
    optional={"from": PIECES, "value": JSON_VALUES},
)


@given(st.lists(OPERATIONS, max_size=5))
def test_any_patch_is_applied_or_refused(operations: list[Any]) -> None:
    before = copy.deepcopy(DOCUMENT)
    try:
        changes(JSON_PATCH, DOCUMENT, operations)
    except Problem as problem:
        assert problem.status in (400, 409)
    assert before == DOCUMENT


@pytest.mark.parametrize(
    ("target", "patch", "result"),
    [
        ({"a": "b"}, {"a": "c"}, {"a": "c"}),
        ({"a": "b"}, {"b": "c"}, {"a": "b", "b": "c"}),
        ({"a": "b"}, {"a": None}, {}),
        ({"a": "b", "b": "c"}, {"a": None}, {"b": "c"}),
        ({"a": ["b"]}, {"a": "c"}, {"a": "c"}),
        ({"a": "c"}, {"a": ["b"]}, {"a": ["b"]}),
        ({"a": {"b": "c"}}, {"a": {"b": "d", "c": None}}, {"a": {"b": "d"}}),
        ({"a": [{"b": "c"}]}, {"a": [1]}, {"a": [1]}),
        (["a", "b"], ["c", "d"], ["c", "d"]),
        ({"a": "b"}, ["c"], ["c"]),
        ({"a": "foo"}, None, None),
        ({"a": "foo"}, "bar", "bar"),
        ({"e": None}, {"a": 1}, {"e": None, "a": 1}),
        ([1, 2], {"a": "b", "c": None}, {"a": "b"}),
        ({}, {"a": {"bb": {"ccc": None}}}, {"a": {"bb": {}}}),
    ],
)
def test_RE5_the_examples_of_rfc_7386(target: Any, patch: Any, result: Any) -> None:
    before = copy.deepcopy(target)
    assert merge_patch(target, patch) == result
    assert target == before


@pytest.mark.parametrize("content_type", [JSON, MERGE_PATCH])
def test_RE5_a_merge_patch_names_what_changes(content_type: str) -> None:
    assert changes(content_type, DOCUMENT, {"name": "New", "data": {"deep": None}, "note": None}) == {
        "name": "New",
        "data": {},
        "note": None,
    }


def test_half_a_person_is_not_merged_into_another() -> None:
    document = {"owner": {"provider": "test", "provider_id": "alice", "email": "alice@tmi.local"}}
    assert changes(JSON, document, {"owner": {"email": "bob@tmi.local"}}) == {"owner": {"email": "bob@tmi.local"}}


def test_RE5_true_is_not_one() -> None:
    problem = refused([{"op": "test", "path": "/data/deep/k", "value": True}])
    assert (problem.status, problem.error) == (409, "conflict")


def test_a_merge_patch_is_an_object() -> None:
    with pytest.raises(Problem) as raised:
        changes(MERGE_PATCH, DOCUMENT, [1])
    assert raised.value.status == 400


class Unseen(CellList):
    def __iter__(self) -> Iterator[Cell]:
        raise AssertionError("somebody looks at the cells")


@pytest.mark.parametrize(
    ("content_type", "patch"),
    [(MERGE_PATCH, {"name": "B"}), (JSON_PATCH, [{"op": "replace", "path": "/name", "value": "B"}])],
)
def test_a_patch_of_the_name_looks_at_no_cell(content_type: str, patch: Any) -> None:
    document = {"name": "A", "cells": Unseen([b'{"id":"a"}'])}
    assert changes(content_type, document, patch) == {"name": "B"}


def test_RE5_cells_are_patched_where_they_stand_as_text() -> None:
    document = {"cells": CellList([b'{"id":"a","x":1}', b'{"id":"b"}'])}
    patch = [
        {"op": "test", "path": "/cells/1/id", "value": "b"},
        {"op": "replace", "path": "/cells/0/x", "value": 2},
        {"op": "add", "path": "/cells/-", "value": {"id": "c"}},
    ]
    assert changes(JSON_PATCH, document, patch) == {"cells": [{"id": "a", "x": 2}, {"id": "b"}, {"id": "c"}]}

"""The merge rule by case."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

import pytest

from collab.core.merge import is_path, merged, top_key, top_keys
from protocol.refusals import CellError, Reason
from tests.support.drawing import node

BODY = {"body": {"fill": "#fff", "stroke": "#000"}, "line": {}}


@pytest.mark.parametrize(
    ("patch", "attrs"),
    [
        ({"attrs": {"body": {"fill": "#eee"}}}, {"body": {"fill": "#eee", "stroke": "#000"}, "line": {}}),
        ({"attrs": {"body": {"fill": None}}}, {"body": {"stroke": "#000"}, "line": {}}),
        ({"attrs": {"body": None, "line": 5}}, {"line": 5}),
        ({"attrs": {"line": {"deep": {"er": 1, "gone": None}}}}, {"line": {"deep": {"er": 1}}, "body": BODY["body"]}),
        ({"attrs": {"body": [1, 2]}}, {"body": [1, 2], "line": {}}),
        ({"attrs": {"a/b": 1}}, {**BODY, "a/b": 1}),
        ({"attrs": {}}, BODY),
        ({"attrs/body/fill": "#eee"}, {"body": {"fill": "#eee", "stroke": "#000"}, "line": {}}),
        ({"attrs/body/fill": None}, {"body": {"stroke": "#000"}, "line": {}}),
        ({"attrs/body": {"fill": 1, "gone": None}}, {"body": {"fill": 1}, "line": {}}),
        ({"attrs/new/deep/key": 1}, {**BODY, "new": {"deep": {"key": 1}}}),
        ({"attrs/new/deep/key": None}, BODY),
        ({"attrs/": 1}, {**BODY, "": 1}),
        ({"attrs": None, "attrs/body/fill": 1}, {"body": {"fill": 1}}),
    ],
)
def test_OP12_attrs_merge_deeply(patch: dict[str, Any], attrs: dict[str, Any]) -> None:
    assert merged(node("a", attrs=BODY, label="kept"), patch) == node("a", attrs=attrs, label="kept")


@pytest.mark.parametrize(
    ("patch", "after"),
    [
        ({"x": 5, "label": "new"}, {"x": 5, "label": "new", "extra": {"p": 1}}),
        ({"label": None, "absent": None}, {"extra": {"p": 1}}),
        ({"extra": {"q": None}}, {"label": "old", "extra": {"q": None}}),
        ({"ports": [1]}, {"label": "old", "extra": {"p": 1}, "ports": [1]}),
        ({"data/p": 1}, {"label": "old", "extra": {"p": 1}, "data": {"p": 1}}),
        ({"elsewhere/p": 1}, {"label": "old", "extra": {"p": 1}, "elsewhere/p": 1}),
    ],
)
def test_OP12_other_keys_are_overwritten_whole(patch: dict[str, Any], after: dict[str, Any]) -> None:
    assert merged(node("a", label="old", extra={"p": 1}), patch) == node("a", **after)


@pytest.mark.parametrize("value", [1, None])
def test_a_path_through_something_else_than_an_object_is_refused(value: int | None) -> None:
    with pytest.raises(CellError) as refusal:
        merged(node("a", attrs={"body": [1]}), {"attrs/body/fill/deep": value})
    assert (refusal.value.reason, refusal.value.cell) == (Reason.VALIDATION_FAILED, "a")


def test_neither_cell_nor_patch_is_changed() -> None:
    cell, patch = node("a", attrs=deepcopy(BODY)), {"attrs": {"body": {"fill": None}}, "attrs/line/p": {"q": 1}}
    before = deepcopy(cell), deepcopy(patch)
    after = merged(cell, patch)
    after["attrs"]["body"]["stroke"] = after["attrs"]["line"]["p"]["q"] = "changed"
    assert (cell, patch) == before


def test_a_path_names_its_top_level_key() -> None:
    assert [top_key(key) for key in ("attrs/body/fill", "data/p", "attrs", "x/y")] == ["attrs", "data", "attrs", "x/y"]
    assert not is_path("attrsbody/fill")


def test_a_patch_is_about_each_top_level_key_once() -> None:
    assert list(top_keys({"x": 1, "attrs/p": 2, "attrs/q": 3, "x/y": 4})) == ["x", "attrs", "x/y"]
    assert list(top_keys({"label": None, "x": 1})) == ["label", "x"]

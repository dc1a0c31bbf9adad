"""The rules between cells, where they are more than a case of `apply`: order of what follows, and what it costs."""

from __future__ import annotations

import pytest

from collab.core.diagram import Diagram
from collab.core.draft import Draft
from collab.core.graph import cycle, settle
from protocol.refusals import CellError
from protocol.values import CellId
from tests.support.drawing import diagram, flow, node


class CountingDraft(Draft):
    """Counts how often a cell was looked at."""

    __slots__ = ("looks",)

    def __init__(self, base: Diagram) -> None:
        super().__init__(base)
        self.looks = 0

    def parent(self, id: CellId) -> CellId | None:
        self.looks += 1
        return super().parent(id)


def chain(length: int) -> list[dict[str, object]]:
    return [node("n0"), *(node(f"n{number}", parent=f"n{number - 1}") for number in range(1, length))]


def removed(*ids: str, of: Diagram) -> Draft:
    draft = Draft(of)
    for id in ids:
        draft.put(CellId(id), None)
    return draft


def test_edges_follow_first_then_the_others_both_in_cell_order() -> None:
    base = diagram(
        node("child", parent="hub"),
        flow("f", "hub", "child"),
        node("group", children=["hub", "child"]),
        node("hub", parent="group"),
        flow("e", "child", "hub", parent="hub"),
    )
    draft = removed("hub", of=base)
    settle(draft)
    assert draft.cells == {
        "hub": None,
        "f": None,
        "e": None,
        "child": node("child", parent="group"),
        "group": node("group", children=["child"]),
    }
    assert list(draft.cells) == ["hub", "f", "e", "child", "group"]


def test_an_edge_with_a_parent_that_goes_is_an_orphan_too() -> None:
    draft = removed("group", of=diagram(node("group"), node("a"), flow("f", "a", "a", parent="group")))
    settle(draft)
    assert draft.cell(CellId("f")) == flow("f", "a", "a")


def test_where_all_was_said_nothing_follows() -> None:
    base = diagram(node("hub"), flow("f", "hub", "hub"), node("group", children=["hub"]), node("child", parent="hub"))
    with pytest.raises(CellError) as refusal:
        settle(removed("hub", "child", of=base), exact=True)
    assert refusal.value.cell == "f"
    with pytest.raises(CellError) as refusal:
        settle(removed("hub", "f", of=base), exact=True)
    assert refusal.value.cell == "child"
    draft = removed("hub", "f", "child", of=base)
    settle(draft, exact=True)
    assert draft.cell(CellId("group")) == node("group", children=["hub"])


def test_a_leaf_of_a_deep_tree_moves_without_a_walk() -> None:
    draft = CountingDraft(diagram(*chain(1_000), node("leaf")))
    draft.put(CellId("leaf"), node("leaf", parent="n999"))
    settle(draft)
    assert draft.looks < 10


def test_no_walk_up_a_deep_tree_is_taken_twice() -> None:
    movers = [node(f"m{number}") for number in range(200)]
    base = diagram(*chain(1_000), *movers, *(node(f"below{number}", parent=f"m{number}") for number in range(200)))
    draft = CountingDraft(base)
    for mover in movers:
        draft.put(mover["id"], {**mover, "parent": "n999"})
    settle(draft)
    assert draft.looks < 1_000 + 10 * 200


def test_of_a_cycle_a_cell_that_moved_is_named() -> None:
    base = diagram(node("a"), node("b", parent="a"), node("c", parent="b"), node("d"))
    draft = Draft(base)
    draft.put(CellId("d"), node("d", parent="c"))
    draft.put(CellId("a"), node("a", parent="c"))
    assert cycle(draft, [CellId("d"), CellId("a")]) == "a"

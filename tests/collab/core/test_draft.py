"""An operation in the making looks like the diagram it is about to become."""

from __future__ import annotations

from collab.core.draft import Draft
from protocol.values import CellId
from tests.support.drawing import diagram, flow, node

A, B, F, NEW = (CellId(id) for id in ("a", "b", "f", "new"))


def test_what_was_put_hides_what_was_there() -> None:
    base = diagram(node("a"), node("b"))
    draft = Draft(base)
    draft.put(A, None)
    draft.put(NEW, node("new"))
    assert [draft.cell(id) for id in (A, B, NEW)] == [None, node("b"), node("new")]
    assert base.cell(A) == node("a")


def test_an_edge_is_no_node() -> None:
    draft = Draft(diagram(node("a"), flow("f", "a", "a")))
    assert [draft.has_node(id) for id in (A, F, B, None)] == [True, False, False, False]


def test_a_removed_node_is_one_that_was_there() -> None:
    draft = Draft(diagram(node("a"), flow("f", "a", "a")))
    for id in (A, F, NEW):
        draft.put(id, None)
    assert draft.removed_nodes() == {A}

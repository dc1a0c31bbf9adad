"""What a cell names."""

from __future__ import annotations

from collab.core.references import children, end, parent, references
from tests.support.drawing import flow, node


def test_an_edge_names_its_ends_and_any_cell_its_parent_and_children() -> None:
    assert references(flow("f", "a", "b", parent="g")) == {"a", "b", "g"}
    assert references(node("a", parent="g", children=["b", "c"])) == {"g", "b", "c"}
    assert references(node("a")) == references(None) == frozenset()


def test_source_and_target_of_a_node_are_data() -> None:
    assert references(node("a", source={"cell": "b"})) == frozenset()


def test_ends_parent_and_children_are_read_where_they_are() -> None:
    edge = flow("f", "a", "b")
    assert (end(edge, "source"), end(edge, "target"), parent(edge), list(children(edge))) == ("a", "b", None, [])
    assert end(node("a"), "source") is None

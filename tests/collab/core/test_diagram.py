"""A diagram as a value: versions, order, snapshots, and who changed what."""

from __future__ import annotations

import json

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from collab.core.apply import Applied, apply
from collab.core.diagram import Diagram
from protocol.statehash import cell_hash, combine
from protocol.values import CellId, DiagramId, Epoch
from tests.support.drawing import (
    ANA,
    BO,
    LIMITS,
    Scribbler,
    add,
    applied,
    changes,
    diagram,
    flow,
    ids,
    node,
    remove,
    update,
    whole,
)

A = CellId("a")


def restored(of: Diagram) -> Diagram:
    """By way of a snapshot."""
    cells = json.loads(json.dumps(list(of.cells_in_order())))
    return Diagram.restore(of.id, of.epoch, of.vector, cells, msgspec.json.decode(msgspec.json.encode(of.touched())))


def test_VEC14_the_hash_is_that_of_the_cells() -> None:
    cells = [node("a"), node("b"), flow("ab", "a", "b")]
    assert diagram().state_hash == 0
    assert diagram(*cells).state_hash == combine(map(cell_hash, cells))


def test_a_change_leaves_the_former_version_as_it_was() -> None:
    before = diagram(node("a"), node("b"))
    known = whole(before)
    after = applied(before, update("a", x=5), remove("b"), add(node("c"))).diagram
    assert whole(before) == known
    assert (ids(before), ids(after)) == (["a", "b"], ["a", "c"])
    assert before.cell(CellId("b")) == before.cells_in_order()[1]


def test_the_list_in_order_is_made_once() -> None:
    before = diagram(node("a"), node("b"))
    assert before.cells_in_order() is before.cells_in_order()
    assert len(before) == 2


def test_cells_that_name_a_cell_are_known_whether_that_exists_or_not() -> None:
    before = diagram(node("a"), flow("f", "a", "a"), node("g", children=["a", "gone"]))
    assert set(before.referrers(A)) == {"f", "g"}
    assert set(before.referrers(CellId("gone"))) == {"g"}
    after = applied(before, update("g", children=[]), remove("f")).diagram
    assert not after.is_named(A)
    assert not after.is_named(CellId("gone"))


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_a_restored_diagram_goes_on_as_the_one_it_was_taken_from(seed: int) -> None:
    scribbler, now = Scribbler(seed), diagram()
    for _ in range(15):
        outcome = apply(now, changes(*scribbler.batch(now)), scribbler.one_of(ANA, BO), LIMITS)
        now = outcome.diagram if isinstance(outcome, Applied) else now
    other = restored(now)
    assert whole(other) == whole(now)
    for _ in range(5):
        batch = changes(*scribbler.batch(now))
        one, two = apply(now, batch, ANA, LIMITS), apply(other, batch, ANA, LIMITS)
        if isinstance(one, Applied) and isinstance(two, Applied):
            assert (one.effect, one.inverse) == (two.effect, two.inverse)
            now, other = one.diagram, two.diagram
            assert whole(other) == whole(now)
        else:
            assert one == two


def test_somebody_elses_change_of_a_key_is_known_from_its_vector_on() -> None:
    after = applied(diagram(node("a", attrs={"p": {"q": 1}})), update("a", {"x": 5, "attrs/p/q": 2}), user=BO).diagram
    for path in (None, ("x",), ("attrs",), ("attrs", "p"), ("attrs", "p", "q"), ("attrs", "p", "q", "deeper")):
        assert after.changed_by_other(A, path, ANA, 0)
        assert not after.changed_by_other(A, path, ANA, 1)
        assert not after.changed_by_other(A, path, BO, 0)
    for path in (("y",), ("attrs", "r"), ("attrs", "p", "r")):
        assert not after.changed_by_other(A, path, ANA, 0)


def test_making_an_object_changes_nothing_beside_it() -> None:
    after = applied(diagram(node("a")), update("a", {"attrs/body/fill": "#fff"}), user=BO).diagram
    assert after.changed_by_other(A, ("attrs", "body", "fill"), ANA, 0)
    assert not after.changed_by_other(A, ("attrs", "line"), ANA, 0)


def test_a_removal_and_an_addition_change_every_key() -> None:
    gone = applied(diagram(node("a")), remove("a"), user=BO).diagram
    assert gone.changed_by_other(A, ("x",), ANA, 0)
    back = applied(gone, add(node("a")), user=ANA).diagram
    assert back.changed_by_other(A, ("x",), ANA, 0)
    assert not back.changed_by_other(A, ("x",), ANA, 1)
    assert back.changed_by_other(A, ("x",), BO, 1)


def test_an_edge_that_went_with_its_node_was_changed_by_who_removed_the_node() -> None:
    after = applied(diagram(node("a"), flow("f", "a", "a")), remove("a"), user=BO).diagram
    assert after.changed_by_other(CellId("f"), None, ANA, 0)


def test_what_is_forgotten_is_in_doubt() -> None:
    after = applied(applied(diagram(node("a")), update("a", x=1)).diagram, update("a", y=1), user=BO).diagram
    forgetful = after.forget_below(1)
    assert forgetful.changed_by_other(A, ("x",), ANA, 0)
    assert not forgetful.changed_by_other(A, ("x",), ANA, 1)
    assert forgetful.changed_by_other(A, ("y",), ANA, 1)
    assert whole(forgetful)[:3] == whole(after)[:3]


def test_a_snapshot_without_a_past_leaves_everything_before_it_in_doubt() -> None:
    unknown = Diagram.restore(DiagramId("d"), Epoch("e"), 7, [node("a")], None)
    assert unknown.changed_by_other(A, ("x",), ANA, 6)
    assert not unknown.changed_by_other(A, ("x",), ANA, 7)


@pytest.mark.parametrize(("user", "since", "answer"), [(BO, 0, True), (BO, 1, False), (ANA, 0, False)])
def test_a_new_order_is_a_change_of_its_own(user: str, since: int, answer: bool) -> None:
    outcome = apply(diagram(node("a"), node("b")), (), ANA, LIMITS, (CellId("b"), A))
    assert isinstance(outcome, Applied)
    assert restored(outcome.diagram).reordered_by_other(user, since) is answer  # type: ignore[arg-type]
    assert not outcome.diagram.changed_by_other(A, None, BO, 0)

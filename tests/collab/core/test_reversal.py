"""What an undo takes back and what it leaves alone, by case."""

from __future__ import annotations

from typing import Any

import pytest

from collab.core.apply import Applied, Refused, Unchanged, apply, replacement
from collab.core.diagram import Diagram
from collab.core.history import Entry, Stacks, invert, judge_inversion
from collab.core.kept import Kept
from protocol.operations import Kind, LoggedOperation, Skipped
from protocol.statehash import canonical_bytes
from protocol.values import CellId, Limits, UserId
from tests.support.drawing import ANA, BO, LIMITS, add, applied, diagram, flow, ids, logged, node, remove, update

A = CellId("a")


class Story:
    """Ana's and Bo's operations on one diagram, and Ana's way back."""

    def __init__(self, *cells: dict[str, Any]) -> None:
        self.now = diagram(*cells)
        self.ana: list[LoggedOperation] = []
        self.skipped: tuple[Skipped, ...] = ()

    def by(self, user: UserId, *entries: dict[str, Any], group_id: str | None = None) -> Story:
        return self._take(applied(self.now, *entries, user=user), user, group_id=group_id)

    def replaced(self, user: UserId, *cells: dict[str, Any]) -> Story:
        changes, order = replacement(self.now, cells, [canonical_bytes(cell) for cell in cells])
        outcome = apply(self.now, changes, user, LIMITS, order)
        assert isinstance(outcome, Applied)
        return self._take(outcome, user, kind=Kind.REST)

    def undo(self) -> Story:
        return self._inverted(Stacks.of(map(Kept.of, self.ana)).undo[-1], Kind.UNDO)

    def redo(self) -> Story:
        return self._inverted(Stacks.of(map(Kept.of, self.ana)).redo[-1], Kind.REDO)

    def _inverted(self, entry: Entry, kind: Kind) -> Story:
        inversion = invert(self.now, entry, ANA)
        self.skipped = inversion.skipped
        outcome = judge_inversion(self.now, inversion, ANA, LIMITS)
        assert not isinstance(outcome, Refused), outcome
        return self if isinstance(outcome, Unchanged) else self._take(outcome, ANA, kind=kind, undo_of=entry.vector)

    def _take(self, outcome: Applied, user: UserId, **more: Any) -> Story:
        self.now = outcome.diagram
        if user == ANA:
            self.ana.append(logged(outcome, user, **more))
        return self

    def cell(self, id: str = "a") -> Any:
        return self.now.cell(CellId(id))

    @property
    def why(self) -> list[tuple[str, tuple[str, ...], str]]:
        return [(skipped.id, skipped.keys, skipped.why) for skipped in self.skipped]


def test_UN1_undo_takes_the_newest_operation_back_as_one_operation() -> None:
    story = Story(node("a")).by(ANA, update("a", x=1)).by(ANA, update("a", y=2, label="new"), add(node("b"))).undo()
    assert list(story.now.cells_in_order()) == [node("a", x=1)]
    assert story.now.vector == 3
    assert (story.ana[-1].kind, story.ana[-1].undo_of) == (Kind.UNDO, 2)


def test_UN1_redo_does_it_again() -> None:
    story = Story(node("a")).by(ANA, update("a", x=1, label="new")).undo().redo()
    assert (story.cell(), story.skipped) == (node("a", x=1, label="new"), ())
    assert story.undo().cell() == node("a")


def test_UN2_keys_go_back_one_by_one() -> None:
    story = Story(node("a")).by(ANA, update("a", x=1, y=1, label="new")).by(BO, update("a", y=7, zIndex=3)).undo()
    assert story.cell() == node("a", y=7, zIndex=3)
    assert story.why == [("a", ("y",), "changed")]


def test_UN2_leaves_of_attrs_are_keys_of_their_own() -> None:
    story = Story(node("a", attrs={"body": {"fill": "#fff"}}))
    story.by(ANA, update("a", {"attrs/body/fill": "#000", "attrs/body/stroke": "#000"}))
    story.by(BO, update("a", {"attrs/body/stroke": "#777"})).undo()
    assert story.cell() == node("a", attrs={"body": {"fill": "#fff", "stroke": "#777"}})
    assert story.why == [("a", ("attrs/body/stroke",), "changed")]


def test_UN2_a_value_that_somebody_else_wrote_again_stays() -> None:
    story = Story(node("a")).by(ANA, update("a", x=1)).by(BO, update("a", x=2)).by(BO, update("a", x=1)).undo()
    assert (story.cell(), story.why) == (node("a", x=1), [("a", ("x",), "changed")])


def test_UN2_what_somebody_else_did_before_does_not_matter() -> None:
    story = Story(node("a")).by(BO, update("a", x=7)).by(ANA, update("a", x=1)).undo()
    assert (story.cell(), story.why) == (node("a", x=7), [])


def test_UN2_keys_of_a_cell_that_is_gone_are_named() -> None:
    story = Story(node("a")).by(ANA, update("a", x=1, y=1)).by(BO, remove("a")).undo()
    assert story.why == [("a", ("x", "y"), "gone")]


@pytest.mark.parametrize(
    ("before", "patch"),
    [
        ({}, {"attrs/body/fill": "#fff"}),
        ({"attrs": {}}, {"attrs/body/fill": "#fff"}),
        ({"attrs": {"body": {}}}, {"attrs/body/fill": "#fff"}),
        ({"attrs": {"body": {"fill": 1}}}, {"attrs": None}),
        ({"attrs": {"body": {"fill": 1, "line": {}}}}, {"attrs/body": None}),
        ({"attrs": {"body": {"fill": 1}}}, {"attrs/body/fill": None}),
        ({"attrs": {"body": {"fill": 1}}}, {"attrs/body": 5}),
        ({"attrs": {"body": 5}}, {"attrs": {"body": {"fill": {"deep": 1}}}}),
        ({"attrs": {"a/b": {"c": 1}}}, {"attrs": {"a/b": {"c": None, "d": 2}}}),
        ({}, {"data": {}}),
        ({"data": {}}, {"data": None}),
        ({"extra": {"p": None}}, {"extra": {"q": 1}}),
        ({"label": "x"}, {"label": None, "zIndex": 1}),
        ({"shape": "store"}, {"shape": "gadget"}),
    ],
)
def test_UN2_what_comes_back_is_what_was_there(before: dict[str, Any], patch: dict[str, Any]) -> None:
    story = Story(node("a", **before)).by(ANA, update("a", patch))
    after = story.cell()
    assert story.undo().cell() == node("a", **before)
    assert story.redo().cell() == after
    assert story.undo().cell() == node("a", **before)


def test_UN2_an_object_that_others_use_by_now_stays() -> None:
    story = Story(node("a")).by(ANA, update("a", {"attrs/body/fill": 1})).by(BO, update("a", {"attrs/line/x": 2}))
    assert story.undo().cell() == node("a", attrs={"line": {"x": 2}})


def test_UN2_an_object_that_others_emptied_stays_empty() -> None:
    story = Story(node("a")).by(ANA, update("a", {"attrs/body/fill": 1})).by(BO, update("a", {"attrs/body/fill": None}))
    assert story.undo().cell() == node("a", attrs={"body": {}})


def test_UN2_a_value_that_is_not_the_one_written_stays_whoever_wrote_it() -> None:
    story = Story(node("a")).by(ANA, update("a", x=1, y=1)).by(ANA, update("a", x=2))
    inversion = invert(story.now, Stacks.of(map(Kept.of, story.ana)).undo[0], ANA)
    assert inversion.skipped == (Skipped(A, ("x",), "changed"),)


def test_UN2_an_end_whose_node_is_gone_stays() -> None:
    story = Story(node("a"), node("b"), node("c"), flow("f", "a", "b"))
    story.by(ANA, update("f", target="c", label="x")).by(BO, remove("b")).undo()
    assert (story.cell("f"), story.why) == (flow("f", "a", "c"), [("f", ("target",), "gone")])


def test_UN2_a_parent_that_is_gone_or_below_by_now_stays() -> None:
    story = Story(node("a", parent="b"), node("b"), node("c"))
    story.by(ANA, update("a", parent="c")).by(BO, remove("b")).undo()
    assert (story.cell(), story.why) == (node("a", parent="c"), [("a", ("parent",), "gone")])
    story = Story(node("a", parent="b"), node("b"))
    story.by(ANA, update("a", parent=None, x=5)).by(BO, update("b", parent="a")).undo()
    assert (story.cell(), story.why) == (node("a"), [("a", ("parent",), "in_use")])


def test_UN2_a_parent_that_cannot_go_back_is_found_above_one_that_goes_with_the_undo() -> None:
    story = Story(node("a", parent="b"), node("b"), node("d"))
    story.by(ANA, add(node("c", parent="d")), group_id="g").by(ANA, update("a", parent="c"), group_id="g")
    story.by(BO, update("b", parent="a")).undo()
    assert (story.cell("c"), story.cell()) == (None, node("a", parent="d"))
    assert story.why == [("a", ("parent",), "in_use")]


def test_UN2_a_kind_that_would_change_stays() -> None:
    story = Story(node("a", shape="gadget"), node("b"))
    story.by(ANA, update("a", shape="process", x=5)).by(BO, update("a", source="b", target="b")).undo()
    assert story.cell()["shape"] == "process"
    assert story.why == [("a", ("shape", "x"), "changed")]


def test_UN3_undo_of_an_add_removes_the_cell() -> None:
    story = Story(node("b")).by(ANA, add(node("a")), add(flow("f", "a", "b"))).undo()
    assert (ids(story.now), story.skipped) == (["b"], ())


def test_UN3_a_cell_that_somebody_else_changed_stays() -> None:
    story = Story().by(ANA, add(node("a")), add(node("b"))).by(BO, update("a", x=5)).undo()
    assert (ids(story.now), story.why) == (["a"], [("a", (), "changed")])


def test_UN3_a_cell_that_went_already_is_named() -> None:
    assert Story().by(ANA, add(node("a"))).by(BO, remove("a")).undo().why == [("a", (), "gone")]


@pytest.mark.parametrize("use", [flow("f", "a", "b"), flow("f", "b", "a"), node("c", parent="a")])
def test_UN3_a_node_to_which_somebody_else_attached_something_stays(use: dict[str, Any]) -> None:
    story = Story(node("b")).by(ANA, add(node("a"))).by(BO, add(use)).undo()
    assert (ids(story.now), story.why) == (["b", "a", use["id"]], [("a", (), "in_use")])


def test_UN3_an_edge_of_ones_own_that_somebody_else_changed_holds_its_node() -> None:
    story = Story(node("b")).by(ANA, add(node("a")), add(flow("f", "a", "b"))).by(BO, update("f", label="x")).undo()
    assert story.why == [("f", (), "changed"), ("a", (), "in_use")]


def test_UN3_an_edge_of_somebody_else_that_cannot_be_led_back_holds_its_node() -> None:
    story = Story(node("b"), node("c")).by(BO, add(flow("f", "b", "c")))
    story.by(ANA, add(node("a")), update("f", target="a")).by(BO, remove("c")).undo()
    assert story.why == [("f", ("target",), "gone"), ("a", (), "in_use")]
    assert story.cell("f") == flow("f", "b", "a")


def test_UN3_a_list_of_children_does_not_hold_a_node() -> None:
    story = Story(node("g"), node("m")).by(ANA, add(node("a"))).by(BO, update("g", children=["m", "a"])).undo()
    assert (story.cell(), story.cell("g"), story.why) == (None, node("g", children=["m"]), [])


def test_UN4_undo_of_a_removal_brings_back_the_cell_and_its_edges_at_the_end() -> None:
    story = Story(node("a", label="x"), flow("f", "a", "b"), node("b", parent="a"), node("g", children=["a", "b"]))
    story.by(ANA, remove("a")).undo()
    assert list(story.now.cells_in_order()) == [
        node("b", parent="a"),
        node("g", children=["a", "b"]),
        node("a", label="x"),
        flow("f", "a", "b"),
    ]


def test_UN5_what_was_added_comes_back_in_its_order_an_edge_before_its_node_too() -> None:
    story = Story(node("a")).by(ANA, add(flow("f", "a", "c")), add(node("c")), add(node("b")))
    assert ids(story.undo().redo().now) == ["a", "f", "c", "b"]


def test_UN4_an_id_that_is_taken_is_not_overwritten() -> None:
    story = Story(node("a")).by(ANA, remove("a")).by(BO, add(node("a", x=7))).undo()
    assert (story.cell(), story.why) == (node("a", x=7), [("a", (), "exists")])


def test_UN4_an_edge_whose_other_end_is_gone_does_not_come_back() -> None:
    story = Story(node("a"), node("b"), flow("f", "a", "b")).by(ANA, remove("a")).by(BO, remove("b")).undo()
    assert (ids(story.now), story.why) == (["a"], [("f", (), "gone")])


def test_UN4_a_node_whose_parent_is_gone_comes_back_without() -> None:
    story = Story(node("p"), node("a", parent="p")).by(ANA, remove("a")).by(BO, remove("p")).undo()
    assert (story.cell(), story.why) == (node("a"), [("a", ("parent",), "gone")])


def test_UN4_a_small_node_comes_back_as_it_was() -> None:
    story = Story(node("a", width=10)).by(ANA, remove("a")).undo()
    assert story.cell() == node("a", width=10)


def test_UN10_an_undo_among_a_group_keeps_what_somebody_else_wrote_in_between() -> None:
    story = Story(node("a")).by(ANA, update("a", x=1), group_id="drag").by(BO, update("a", x=2))
    story.by(ANA, update("a", x=3), group_id="drag").undo()
    assert (story.cell(), story.why) == (node("a", x=2), [("a", ("x",), "changed")])


def test_UN13_a_group_is_undone_and_redone_as_one_operation() -> None:
    story = Story(node("a")).by(ANA, update("a", x=1), group_id="drag").by(BO, update("a", label="x"))
    story.by(ANA, update("a", x=2), group_id="drag").by(ANA, update("a", x=3), add(node("b")), group_id="drag")
    vector = story.now.vector
    assert list(story.undo().now.cells_in_order()) == [node("a", label="x")]
    assert (story.now.vector, story.ana[-1].undo_of) == (vector + 1, vector)
    assert story.redo().cell() == node("a", x=3, label="x")
    assert list(story.undo().now.cells_in_order()) == [node("a", label="x")]


def test_UN13_an_id_that_changed_its_kind_within_a_group_is_not_turned_back() -> None:
    story = Story(node("a"), node("b"), node("c"), flow("f", "b", "a"))
    story.by(ANA, update("f", target="c"), remove("a"), group_id="g")
    story.by(ANA, add(flow("a", "b", "b")), group_id="g").undo()
    assert story.why == [("a", (), "exists"), ("f", (), "gone")]
    assert list(story.now.cells_in_order()) == [node("b"), node("c"), flow("f", "b", "c")]


def test_UN13_what_an_id_was_within_a_group_does_not_matter() -> None:
    story = Story(node("b")).by(ANA, add(flow("a", "b", "b")), group_id="g").by(ANA, remove("a"), group_id="g")
    story.by(ANA, add(node("a")), group_id="g").undo()
    assert (ids(story.now), story.why) == (["b"], [])


def test_an_undone_replacement_gives_the_former_order_back() -> None:
    story = Story(node("a"), node("b"), node("c")).replaced(ANA, node("c"), node("b", x=5), node("d"))
    assert list(story.undo().now.cells_in_order()) == [node("a"), node("b"), node("c")]
    assert list(story.redo().now.cells_in_order()) == [node("c"), node("b", x=5), node("d")]


def test_an_order_that_somebody_else_gave_since_stays() -> None:
    story = Story(node("a"), node("b"), node("c")).replaced(ANA, node("c"), node("b"), node("a"))
    story.replaced(BO, node("b"), node("c"), node("a"))
    assert ids(story.undo().now) == ["b", "c", "a"]
    story.replaced(BO, node("c"), node("b"), node("a"))
    assert ids(story.undo().now) == ["c", "b", "a"]
    story = Story(node("a"), node("b")).replaced(ANA, node("b"), node("a")).by(BO, add(node("c")))
    assert ids(story.undo().now) == ["b", "a", "c"]


def test_an_undo_obeys_the_limits() -> None:
    story = Story(node("a")).by(ANA, remove("a")).by(BO, add(node("b")))
    inversion = invert(story.now, Stacks.of(map(Kept.of, story.ana)).undo[-1], ANA)
    outcome = judge_inversion(story.now, inversion, ANA, Limits(max_cells_per_diagram=1))
    assert isinstance(outcome, Refused)
    assert outcome.refusal.reason == "limit_exceeded"


def test_UN14_with_one_stack_for_all_nobody_is_somebody_else() -> None:
    now = diagram(node("a"))
    rows: list[LoggedOperation] = []
    for user, x in ((ANA, 1), (BO, 2)):
        outcome = applied(now, update("a", x=x), user=user)
        now, rows = outcome.diagram, [*rows, logged(outcome, user)]
    for former in (1, 0):
        entry = Stacks.of(map(Kept.of, rows)).undo[-1]
        inversion = invert(now, entry, None)
        undone = judge_inversion(now, inversion, ANA, LIMITS)
        assert isinstance(undone, Applied)
        now, rows = undone.diagram, [*rows, logged(undone, ANA, Kind.UNDO, undo_of=entry.vector)]
        assert (now.cell(A), inversion.skipped) == (node("a", x=former), ())


def test_an_inversion_changes_nothing_by_itself() -> None:
    story = Story(node("a")).by(ANA, update("a", x=1))
    before: Diagram = story.now
    invert(before, Stacks.of(map(Kept.of, story.ana)).undo[-1], ANA)
    assert before.cell(A) == node("a", x=1)

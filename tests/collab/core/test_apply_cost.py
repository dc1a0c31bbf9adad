"""What an operation costs, counted in bytecodes and bytes instead of seconds: nothing of it grows with the diagram."""

from __future__ import annotations

import gc
import sys
import tracemalloc
from collections.abc import Callable
from types import FrameType
from typing import Any

import pytest

from collab.core.apply import Applied, advance, apply
from collab.core.diagram import Diagram
from collab.core.history import Stacks, invert, judge_inversion
from collab.core.kept import Kept
from protocol.operations import CellChange, Verb
from protocol.statehash import canonical_bytes
from tests.support.drawing import ANA, BO, LIMITS, add, applied, changes, diagram, flow, logged, node, remove, update

FEW, MANY = 10, 9_990
ATTRS = {"body": {"fill": "#fff", "stroke": "#333"}, "text": {"text": "Process", "fontSize": 14}}


def grid(size: int) -> Diagram:
    """Half nodes, half flows in a ring: each cell names and is named by as few in a large one as in a small one."""
    half = size // 2
    nodes = [node(f"n{number}", attrs=ATTRS) for number in range(half)]
    for number in (3, 4):
        nodes[number]["parent"] = "n0"
    return diagram(*nodes, *(flow(f"f{number}", f"n{number}", f"n{(number + 1) % half}") for number in range(half)))


SMALL, LARGE = grid(FEW), grid(MANY)

OPERATIONS = {
    "update": (update("n3", {"x": 5, "attrs/body/fill": "#000"}),),
    "add": (add(node("new", parent="n3")), add(flow("edge", "new", "n1"))),
    "remove an edge": (remove("f2"),),
    "remove a node with its edges": (remove("n2"),),
    "remove a parent": (remove("n0"),),
    "lead an edge elsewhere": (update("f1", target="n4"),),
    "change a parent": (update("n1", parent="n3"),),
    "several": (update("n1", x=1), remove("n2"), add(node("n2", x=9)), update("n4", label="x")),
    "no-op": (update("n1", x=0),),
    "refused": (update("n1", parent="f1"),),
}


def bytecodes(act: Callable[[], Any]) -> int:
    """How many bytecodes run inside; what C code does is not seen, see `peak_bytes`."""
    count = 0

    def trace(frame: FrameType, event: str, _: Any) -> Any:
        nonlocal count
        frame.f_trace_opcodes = True
        count += event == "opcode"
        return trace

    # the collector of cycles, whose turn comes by chance, calls back what a test library measures by
    gc.disable()
    former = sys.gettrace()
    # Python 3.12 tells of bytecodes only where somebody has asked for them before
    sys._getframe().f_trace_opcodes = True
    sys.settrace(trace)
    try:
        act()
    finally:
        sys.settrace(former)
        gc.enable()
    return count


def peak_bytes(act: Callable[[], Any]) -> int:
    """The most memory taken at any one time: a copy of anything large would show."""
    gc.collect()
    tracemalloc.start()
    try:
        act()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def judged(on: Diagram, name: str) -> Callable[[], Any]:
    asked = changes(*OPERATIONS[name])
    return lambda: apply(on, asked, ANA, LIMITS)


@pytest.mark.parametrize("name", OPERATIONS)
def test_S78_an_operation_takes_as_many_steps_on_many_cells_as_on_10(name: str) -> None:
    assert bytecodes(judged(LARGE, name)) == bytecodes(judged(SMALL, name))


@pytest.mark.parametrize("name", OPERATIONS)
def test_S78_an_operation_copies_nothing_that_grows(name: str) -> None:
    # paths of persistent maps are copied: three levels of up to 32 entries instead of one
    assert peak_bytes(judged(LARGE, name)) < peak_bytes(judged(SMALL, name)) + 16_384


@pytest.mark.parametrize("name", ["update", "add", "remove a node with its edges", "several"])
def test_an_operation_of_the_log_and_its_undo_cost_the_same_on_many_cells(name: str) -> None:
    counts = []
    for on in (SMALL, LARGE):
        outcome = applied(on, *OPERATIONS[name])
        row = logged(outcome)

        def replay_and_undo(on: Diagram = on, after: Diagram = outcome.diagram, row: Any = row) -> None:
            advance(on, row)
            judge_inversion(after, invert(after, Stacks().after(Kept.of(row)).undo[-1], ANA), ANA, LIMITS)

        counts.append(bytecodes(replay_and_undo))
    assert counts[0] == counts[1]


def test_S78_a_removed_hub_costs_its_edges_and_no_more() -> None:
    def hub(edges: int) -> Diagram:
        return diagram(node("hub"), node("b"), *(flow(f"f{number}", "hub", "b") for number in range(edges)))

    per_edge = [
        bytecodes(lambda on=on: apply(on, changes(remove("hub")), ANA, LIMITS)) / edges  # type: ignore[misc]
        for edges in (100, 1_000)
        for on in [hub(edges)]
    ]
    assert per_edge[1] < 1.1 * per_edge[0]


def test_S78_a_removed_tree_costs_its_cells_however_deep_it_is() -> None:
    def per_node(depth: int) -> float:
        tree = [node(f"n{number}", parent=f"n{number - 1}") for number in range(1, depth)]
        leaves = [node(f"leaf{number}", parent=f"n{number}") for number in range(depth)]
        batch = changes(*(remove(f"n{number}") for number in range(1, depth)))
        before = diagram(node("n0"), *tree, *leaves)
        return bytecodes(lambda: apply(before, batch, ANA, LIMITS)) / depth

    assert per_node(400) < 1.1 * per_node(100)


def test_S78_many_keys_of_one_cell_cost_each_as_much_as_few() -> None:
    def undone(keys: int) -> float:
        data = {f"k{number}": {"p": number} for number in range(keys)}
        outcome = applied(diagram(node("a")), update("a", data=data), user=ANA)
        after = applied(outcome.diagram, update("a", x=1), user=BO).diagram
        entry = Stacks().after(Kept.of(logged(outcome))).undo[-1]
        return bytecodes(lambda: judge_inversion(after, invert(after, entry, ANA), ANA, LIMITS)) / keys

    assert undone(2_000) < 1.2 * undone(200)


def test_S78_only_the_touched_cells_are_hashed(monkeypatch: pytest.MonkeyPatch) -> None:
    hashed: list[Any] = []

    def noted(cell: Any) -> bytes:
        hashed.append(cell)
        return canonical_bytes(cell)

    monkeypatch.setattr("protocol.statehash.canonical_bytes", noted)
    outcome = applied(LARGE, update("n1", x=1), remove("f2"))
    assert [cell["id"] for cell in hashed] == ["n1"]
    hashed.clear()
    advance(LARGE, logged(outcome))
    assert [cell["id"] for cell in hashed] == ["n1"]


def test_a_version_shares_what_did_not_change() -> None:
    outcome = apply(LARGE, [CellChange(LARGE.order()[7], Verb.UPDATE, {"x": 1})], ANA, LIMITS)
    assert isinstance(outcome, Applied)
    kept = [id for id in LARGE.order() if outcome.diagram.slots[id] is LARGE.slots[id]]
    assert len(kept) == MANY - 1

"""This worker's copy of a diagram and what it remembers of the past."""

from __future__ import annotations

import pytest

from collab.core import replica as module
from collab.core.apply import advance
from collab.core.events import Loaded
from collab.core.kept import Kept
from collab.core.replica import OUTCOMES, Replica
from protocol.operations import CellChange, Kind, LoggedOperation, Outcome, Verb, Verdict
from protocol.values import CellId, Epoch, Limits, OperationId, UserId
from tests.support.script import EPOCH, FOUNDED, change, logged, remove, user

LIMITS = Limits()


def run_of(count: int, by: str = "bo", label: str = "x") -> tuple[LoggedOperation, ...]:
    diagram, operations = FOUNDED, []
    for number in range(1, count + 1):
        operation = logged(diagram, by, f"{by}{number}", change("n1", label=f"{label}{number}"))
        diagram = advance(diagram, operation)
        operations.append(operation)
    return tuple(operations)


def at(operations: tuple[LoggedOperation, ...], limits: Limits = LIMITS) -> Replica:
    replica = Replica(Loaded(FOUNDED, 1), limits)
    for operation in operations:
        replica.take(operation)
    return replica


def outcome(id: str, by: str = "bo") -> Outcome:
    return Outcome(user(by).id, OperationId(id), b"", Verdict.NO_OP, EPOCH, 0)


THREE = run_of(3)
KEPT = tuple(Kept.of(operation) for operation in THREE)


def test_I3_an_operation_moves_the_head_on_by_one() -> None:
    replica = at(THREE[:1])
    assert (replica.head.vector, replica.head.state_hash) == (1, THREE[0].state_hash)


def test_WS17_exactly_what_follows_is_missed() -> None:
    assert at(THREE).missed(EPOCH, 1) == THREE[1:]
    assert at(THREE).missed(EPOCH, 3) == ()


@pytest.mark.parametrize(("epoch", "vector"), [(EPOCH, 4), (Epoch("other"), 2)])
def test_WS17_of_another_history_or_ahead_of_ours_nothing_is_known(epoch: Epoch, vector: int) -> None:
    assert at(THREE).missed(epoch, vector) is None


def test_WS17_what_is_too_far_back_is_not_remembered() -> None:
    replica = at(THREE, Limits(resume_operations=2))
    assert replica.missed(EPOCH, 1) == THREE[1:]
    assert replica.missed(EPOCH, 0) is None


def test_WS17_a_room_that_began_with_the_diagram_knows_its_first_hash() -> None:
    assert at(THREE).hash_at(0) == FOUNDED.state_hash


def test_WS17_a_room_that_was_just_loaded_knows_what_it_was_loaded_with() -> None:
    loaded = Replica(Loaded(at(THREE).diagram, 1, THREE[1:], (1, THREE[0].state_hash)), Limits())
    assert loaded.missed(EPOCH, 1) == THREE[1:]
    assert [loaded.hash_at(vector) for vector in range(4)] == [None, *(one.state_hash for one in THREE)]


def test_VEC8_an_outcome_is_remembered_under_user_and_id() -> None:
    replica = at(())
    replica.remember(outcome("a"))
    assert replica.outcome((user("bo").id, OperationId("a"))) == outcome("a")
    assert replica.outcome((user("ana").id, OperationId("a"))) is None


def test_I28_only_the_newest_outcomes_are_remembered() -> None:
    replica = at(())
    for number in range(OUTCOMES + 1):
        replica.remember(outcome(f"{number}"))
    assert replica.outcome((user("bo").id, OperationId("0"))) is None
    assert replica.outcome((user("bo").id, OperationId("1"))) is not None


def test_a_history_that_was_not_read_is_not_known() -> None:
    assert at(THREE).stacks(user("bo").id) is None


def test_UN1_a_history_grows_with_the_operations_of_its_user() -> None:
    replica = at(THREE[:1])
    replica.set_history(user("bo").id, KEPT[:1])
    replica.take(THREE[1])
    stacks = replica.stacks(user("bo").id)
    assert stacks is not None
    assert [entry.vector for entry in stacks.undo] == [1, 2]


def test_UN1_rows_above_our_vector_count_when_they_come() -> None:
    replica = at(THREE[:1])
    replica.set_history(user("bo").id, KEPT)
    replica.take(THREE[1])
    stacks = replica.stacks(user("bo").id)
    assert stacks is not None
    assert [entry.vector for entry in stacks.undo] == [1, 2]


def test_OP23_the_depth_of_undo_is_the_one_in_force() -> None:
    replica = at(THREE, Limits(undo_depth=2))
    replica.set_history(user("bo").id, KEPT)
    stacks = replica.stacks(user("bo").id)
    assert stacks is not None
    assert stacks.depth.undo == 2


def test_UN10_others_operations_leave_a_history_alone() -> None:
    replica = at(())
    replica.set_history(UserId("test:ana"), ())
    replica.take(THREE[0])
    stacks = replica.stacks(UserId("test:ana"))
    assert stacks is not None
    assert stacks.depth.undo == 0


def test_UN14_with_one_stack_for_all_it_grows_with_the_operations_of_everybody() -> None:
    replica = Replica(Loaded(FOUNDED, 1), LIMITS, shared_undo=True)
    assert replica.stacks(user("ana").id) is None
    replica.set_history(None, ())
    replica.take(THREE[0])
    stacks = replica.stacks(user("ana").id)
    assert stacks is not None
    assert stacks is replica.stacks(user("bo").id)
    assert stacks.depth.undo == 1


def test_UN11_stacks_that_are_forgotten_are_to_be_read_again() -> None:
    replica = at(THREE)
    for name in ("ana", "bo"):
        replica.set_history(user(name).id, ())
    replica.forget_stacks(user("bo").id)
    assert replica.stacks(user("bo").id) is None
    assert replica.stacks(user("ana").id) is not None


def test_a_row_of_kind_rest_is_undone_like_an_edit() -> None:
    row = logged(FOUNDED, "bo", "b1", change("n1", x=1), kind=Kind.REST)
    replica = at(())
    replica.set_history(user("bo").id, ())
    replica.take(row)
    stacks = replica.stacks(user("bo").id)
    assert stacks is not None
    assert stacks.depth.undo == 1


def test_traces_of_cells_that_are_gone_do_not_pile_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "FEW", 0)
    monkeypatch.setattr(module, "REMEMBERED", 1)
    replica = at(())
    for number in range(20):
        new = {"id": f"gone{number}", "shape": "process", "x": 0, "y": 0, "width": 80, "height": 60}
        adding = CellChange(CellId(f"gone{number}"), Verb.ADD, new)
        for word, asked in (("add", adding), ("remove", remove(f"gone{number}"))):
            replica.take(logged(replica.diagram, "bo", f"{word}{number}", asked))
    replica.forget()
    assert len(replica.diagram.traces.cells) <= 1 + len(replica.diagram)

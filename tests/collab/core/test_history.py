"""Whose last operation: stacks out of what the store keeps, all of it or only the newest."""

from __future__ import annotations

from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from collab.core.apply import Applied, Refused
from collab.core.history import GROUP, History, Stacks, invert, judge_inversion, suffice
from collab.core.kept import Kept, Step
from protocol.notices import HistoryDepth
from protocol.operations import Effect, Inverse, Kind, LoggedOperation, Outcome, Verdict
from protocol.values import Epoch, OperationId, User, UserId
from tests.support.drawing import ANA, BO, LIMITS, applied, diagram, logged, node, remove, update


def row(
    vector: int,
    kind: Kind = Kind.EDIT,
    undo_of: int | None = None,
    group_id: str | None = None,
    by: UserId = ANA,
) -> Kept:
    provider, _, name = by.partition(":")
    done = LoggedOperation(
        vector=vector,
        operation_id=OperationId(str(vector)),
        user=User(provider, name, f"{name}@example.com", name),
        kind=kind,
        effect=Effect(),
        inverse=Inverse(),
        state_hash=0,
        at_ms=0,
        group_id=group_id,
        undo_of=undo_of,
    )
    return Kept.of(done)


def undo(vector: int, of: int, group_id: str | None = None) -> Kept:
    return row(vector, Kind.UNDO, of, group_id)


def redo(vector: int, of: int, group_id: str | None = None) -> Kept:
    return row(vector, Kind.REDO, of, group_id)


def futile(kind: Kind, vector: int = 9, of: int | None = None) -> Outcome:
    """Of an undo or redo that had no effect."""
    return Outcome(ANA, OperationId(f"f{vector}"), b"", Verdict.NO_OP, Epoch("e"), vector, kind, undo_of=of)


def stacks(*steps: Step, limit: int = 100) -> tuple[list[int], list[int]]:
    """The vectors that name the entries of both."""
    of = Stacks.of(steps, limit)
    assert of.depth == HistoryDepth(len(of.undo), len(of.redo))
    return [entry.vector for entry in of.undo], [entry.vector for entry in of.redo]


def test_UN1_undo_and_redo_go_back_and_forth() -> None:
    assert stacks(row(1), row(2)) == ([1, 2], [])
    assert stacks(row(1), row(2), undo(3, 2)) == ([1], [2])
    assert stacks(row(1), row(2), undo(3, 2), undo(4, 1)) == ([], [2, 1])
    assert stacks(row(1), row(2), undo(3, 2), undo(4, 1), redo(5, 1)) == ([1], [2])
    assert stacks(row(1), row(2), undo(3, 2), undo(4, 1), redo(5, 1), redo(6, 2)) == ([1, 2], [])


def test_UN1_a_redone_entry_is_undone_by_what_redid_it() -> None:
    entry = Stacks.of([row(1), undo(2, 1), redo(3, 1)]).undo[-1]
    assert ([operation.vector for operation in entry.operations], entry.vector) == ([3], 1)


def test_UN6_an_entry_that_cannot_be_inverted_is_used_up() -> None:
    now = diagram(node("a"), node("b"))
    one = applied(now, update("b", x=1))
    two = applied(one.diagram, update("a", x=1))
    gone = applied(two.diagram, remove("a"), user=BO).diagram
    of = Stacks.of([Kept.of(logged(one)), Kept.of(logged(two))])
    inversion = invert(gone, of.undo[-1], ANA)
    assert not isinstance(judge_inversion(gone, inversion, ANA, LIMITS), Applied | Refused)
    assert inversion.skipped
    assert [entry.vector for entry in of.used_up(Kind.UNDO).undo] == [1]


def test_UN6_what_was_used_up_stays_so_when_the_stacks_are_read_anew() -> None:
    assert stacks(row(1), row(2), futile(Kind.UNDO), row(3)) == ([1, 3], [])
    assert stacks(row(1), row(2), undo(3, 2), undo(4, 1), futile(Kind.REDO)) == ([], [2])
    assert stacks(futile(Kind.UNDO), futile(Kind.REDO), row(1)) == ([1], [])


def test_UN6_an_entry_that_two_workers_have_used_up_at_once_takes_no_other_with_it() -> None:
    assert stacks(row(1), row(2), futile(Kind.UNDO, of=2), futile(Kind.UNDO, of=2)) == ([1], [])
    undone = (row(1), row(2), undo(3, 2), undo(4, 1))
    assert stacks(*undone, futile(Kind.REDO, of=1), futile(Kind.REDO, of=1)) == ([], [2])
    assert stacks(row(1), row(2), futile(Kind.UNDO, of=2), futile(Kind.UNDO, of=1)) == ([], [])


def test_UN6_other_workers_learn_it_from_the_next_row() -> None:
    assert stacks(row(1), row(2), row(3), undo(4, 1)) == ([], [1])
    assert stacks(row(1), row(2), undo(3, 2), undo(4, 1), redo(5, 2)) == ([2], [])


def test_UN7_a_new_edit_empties_the_redo_stack() -> None:
    assert stacks(row(1), undo(2, 1), row(3)) == ([3], [])
    assert stacks(row(1), undo(2, 1), row(3, Kind.REST)) == ([3], [])


def test_UN11_stacks_are_the_same_whenever_they_are_read() -> None:
    rows = [row(1), row(2), undo(3, 2), row(4, group_id="g"), row(5, group_id="g")]
    rows += [undo(6, 5, "g"), redo(7, 5, "g"), row(8)]
    step_by_step = Stacks()
    for read, one in enumerate(rows, start=1):
        step_by_step = step_by_step.after(one)
        assert step_by_step == Stacks.of(rows[:read])


def test_UN11_rows_below_the_horizon_are_no_entries_but_their_undo_can_be_redone() -> None:
    assert stacks(row(7), undo(8, 3)) == ([], [3])
    assert stacks(row(7), undo(8, 3), redo(9, 3)) == ([3], [])


def test_UN11_a_new_epoch_empties_them() -> None:
    assert stacks(row(1), row(2), undo(3, 2), row(4, Kind.RESTORE)) == ([], [])


def test_entries_are_counted_not_rows() -> None:
    rows = [row(vector) for vector in range(1, 8)]
    assert stacks(*rows, limit=3) == ([5, 6, 7], [])
    assert stacks(*rows, undo(8, 7), undo(9, 6), limit=3) == ([5], [7, 6])


def test_UN13_rows_of_one_group_that_follow_each_other_are_one_entry() -> None:
    assert stacks(row(1, group_id="g"), row(2, group_id="g"), row(3, group_id="h"), row(4), row(5)) == (
        [2, 3, 4, 5],
        [],
    )
    assert stacks(row(1, group_id="g"), row(2), row(3, group_id="g")) == ([1, 2, 3], [])
    assert stacks(row(1, group_id="g"), row(2, group_id="g"), undo(3, 2), row(4, group_id="g")) == ([4], [])


def test_UN13_an_entry_does_not_grow_without_end() -> None:
    of = Stacks.of(row(vector, group_id="g") for vector in range(1, 2 * GROUP + 2))
    assert [len(entry.operations) for entry in of.undo] == [GROUP, GROUP, 1]


def test_UN13_a_group_goes_on_after_undo_and_redo() -> None:
    of = Stacks.of([row(1, group_id="g"), undo(2, 1, "g"), redo(3, 1, "g"), row(4, group_id="g")])
    (entry,) = of.undo
    assert [operation.vector for operation in entry.operations] == [3, 4]


def test_UN13_groups_of_two_users_are_two_though_their_names_are_one() -> None:
    assert stacks(row(1, group_id="g"), row(2, group_id="g", by=BO), row(3, group_id="g")) == ([1, 2, 3], [])


# as far as it is read ------------------------------------------------------------------------------------------------


def test_UN11_a_full_stack_needs_nothing_older() -> None:
    assert suffice([row(vector) for vector in range(1, 4)], limit=3)
    assert not suffice([row(vector) for vector in range(1, 4)], limit=4)


def test_UN11_a_stack_that_was_full_and_was_undone_since_needs_nothing_older() -> None:
    assert suffice([row(1), row(2), undo(3, 2), undo(4, 1)], limit=2)


def test_UN11_undos_and_redos_fill_no_stack() -> None:
    pairs = [step for vector in range(10, 90, 2) for step in (undo(vector, 1), redo(vector + 1, 1))]
    assert not suffice([row(1), *pairs], limit=2)
    assert suffice([row(1), row(2), *pairs], limit=2)


def test_UN11_the_rest_of_a_group_is_no_entry_to_count_on() -> None:
    rest = [row(vector, group_id="g") for vector in range(1, 9)]
    assert not suffice(rest, limit=1)
    assert suffice([*rest, row(9, group_id="h")], limit=1)
    assert suffice([*rest, row(9, group_id="g", by=BO)], limit=1)


def test_UN11_what_goes_on_upon_an_entry_that_is_not_known_may_be_of_its_group() -> None:
    assert not suffice([row(7), undo(8, 7), row(9, group_id="g")], limit=2)
    assert not suffice([futile(Kind.UNDO), row(9, group_id="g")], limit=1)


def test_UN11_what_stands_on_a_stack_undone_to_its_ground_may_be_of_the_group_below() -> None:
    older, seen = row(1, group_id="g"), [row(2), undo(3, 2), row(4, group_id="g"), row(5)]
    assert len(Stacks.of([older, *seen], limit=2).undo[0].operations) == 2
    assert not suffice(seen, limit=2)


class Steps:
    """A random history of stacks alone: rows that change nothing, undone and redone, sometimes without effect."""

    def __init__(self, seed: int, limit: int) -> None:
        self.chance = Random(seed)
        self.now = Stacks(limit=limit)
        self.steps: list[Step] = []

    def take(self) -> None:
        vector = len(self.steps) + 1
        match self.chance.choice((Kind.EDIT, Kind.EDIT, Kind.EDIT, Kind.UNDO, Kind.UNDO, Kind.REDO)):
            case Kind.EDIT:
                group = self.chance.choice((None, "g", "g", "g", "h"))
                self._add(row(vector, group_id=group, by=self.chance.choice((ANA, ANA, BO))))
            case kind:
                entries = self.now.undo if kind is Kind.UNDO else self.now.redo
                if entries and self.chance.random() < 0.2:
                    self._add(futile(kind, vector))
                elif entries:
                    entry = entries[-1]
                    self._add(row(vector, kind, entry.vector, entry.group_id, self.chance.choice((ANA, BO))))

    def _add(self, step: Step) -> None:
        self.steps.append(step)
        self.now = self.now.after(step)


@settings(max_examples=300, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(1, 5), st.integers(1, 4))
def test_UN11_stacks_that_are_read_back_are_those_that_were_kept(seed: int, limit: int, group: int) -> None:
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr("collab.core.history.GROUP", group)
        history = Steps(seed, limit)
        for _ in range(60):
            history.take()
        steps = history.steps
        assert Stacks.of(steps, limit) == history.now
        for start in range(len(steps)):
            if suffice(steps[start:], limit):
                assert Stacks.of(steps[start:], limit) == history.now, start


def test_UN11_UN13_groups_of_hundreds_are_known_by_their_own_rows() -> None:
    groups = [row(1 + vector, group_id=f"g{vector // GROUP}") for vector in range(10 * GROUP)]
    kept = Stacks.of([row(0), *groups], limit=9)
    assert not suffice(groups[GROUP + 1 :], limit=9)
    assert suffice(groups[GROUP - 1 :], limit=9)
    assert Stacks.of(groups[GROUP - 1 :], limit=9) == kept
    assert [len(entry.operations) for entry in kept.undo] == [GROUP] * 9


@given(st.lists(st.sampled_from(["edit", "edit", "edit", "grouped", "rest", "undo", "redo", "look"]), max_size=40))
def test_UN7_UN13_stacks_that_nobody_looked_at_are_the_same(done: list[str]) -> None:
    limit, history, eager = 5, History(Stacks(limit=5)), Stacks(limit=5)
    for vector, what in enumerate(done, start=1):
        if what == "look":
            assert history.stacks == eager
            continue
        step = (
            row(vector, group_id="g") if what == "grouped" else row(vector, Kind.REST if what == "rest" else Kind.EDIT)
        )
        if what == "undo" and eager.undo:
            step = undo(vector, eager.undo[-1].vector)
        elif what == "redo" and eager.redo:
            step = redo(vector, eager.redo[-1].vector)
        history.add(step)
        eager = eager.after(step)
        assert history.depth == eager.depth
    assert history.stacks == eager
    assert len(eager.undo) <= limit


def test_I28_of_edits_that_nobody_looks_at_no_more_are_kept_than_twice_the_depth() -> None:
    history, eager = History(Stacks(limit=5)), Stacks(limit=5)
    for vector in range(1, 40):
        history.add(row(vector))
        eager = eager.after(row(vector))
        assert len(history._edits) <= 10
        assert history.depth == eager.depth
    assert history.stacks == eager


def test_edits_are_counted_and_put_on_the_stack_when_somebody_looks() -> None:
    before = Stacks.of([row(1)])
    history = History(before)
    history.add(row(2))
    assert history.depth == HistoryDepth(2, 0)
    assert history._stacks is before
    assert [entry.vector for entry in history.stacks.undo] == [1, 2]

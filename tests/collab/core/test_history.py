"""Whose last operation: stacks out of log rows; and the laws of undo over random histories of two users."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from collab.core.apply import Applied, Refused, apply
from collab.core.diagram import Diagram
from collab.core.history import GROUP, Stacks, invert, judge_inversion
from protocol.notices import HistoryDepth
from protocol.operations import Effect, Inverse, Kind, LoggedOperation
from protocol.values import Cell, CellId, OperationId, User, UserId
from tests.support.drawing import ANA, BO, LIMITS, Scribbler, applied, changes, diagram, logged, node, remove, update


def row(
    vector: int, kind: Kind = Kind.EDIT, undo_of: int | None = None, group_id: str | None = None
) -> LoggedOperation:
    return LoggedOperation(
        vector=vector,
        operation_id=OperationId(str(vector)),
        user=User("test", "ana", "ana@example.com", "Ana"),
        kind=kind,
        effect=Effect(),
        inverse=Inverse(),
        state_hash=0,
        at_ms=0,
        group_id=group_id,
        undo_of=undo_of,
    )


def undo(vector: int, of: int) -> LoggedOperation:
    return row(vector, Kind.UNDO, undo_of=of)


def redo(vector: int, of: int) -> LoggedOperation:
    return row(vector, Kind.REDO, undo_of=of)


def stacks(*rows: LoggedOperation, limit: int = 100) -> tuple[list[int], list[int]]:
    """The vectors that name the entries of both."""
    of = Stacks.of(rows, limit)
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
    of = Stacks.of([logged(one), logged(two)])
    inversion = invert(gone, of.undo[-1], ANA)
    assert not isinstance(judge_inversion(gone, inversion, ANA, LIMITS), Applied | Refused)
    assert inversion.skipped
    assert [entry.vector for entry in of.without(of.undo[-1]).undo] == [1]


def test_UN6_other_workers_learn_it_from_the_next_row() -> None:
    assert stacks(row(1), row(2), row(3), undo(4, 1)) == ([], [1])
    assert stacks(row(1), row(2), undo(3, 2), undo(4, 1), redo(5, 2)) == ([2], [])


def test_UN7_a_new_edit_empties_the_redo_stack() -> None:
    assert stacks(row(1), undo(2, 1), row(3)) == ([3], [])
    assert stacks(row(1), undo(2, 1), row(3, Kind.REST)) == ([3], [])


def test_UN11_stacks_are_the_same_whenever_they_are_read() -> None:
    rows = [row(1), row(2), undo(3, 2), row(4, group_id="g"), row(5, group_id="g"), undo(6, 5), redo(7, 5), row(8)]
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
    of = Stacks.of([row(1, group_id="g"), undo(2, 1), redo(3, 1), row(4, group_id="g")])
    (entry,) = of.undo
    assert [operation.vector for operation in entry.operations] == [3, 4]


# over random histories ----------------------------------------------------------------------------------------------

seeds = st.integers(0, 2**32 - 1)
Place = tuple[CellId, tuple[str, ...]]


class Pair:
    """Users at one diagram who edit, undo and redo; every law is checked at every step."""

    def __init__(self, seed: int, *users: UserId) -> None:
        self.now = diagram()
        self.chance = Scribbler(seed)
        self.users = users
        self.stacks = {user: Stacks() for user in users}
        self.writers: dict[Place, UserId] = {}

    def step(self) -> None:
        user = self.chance.one_of(*self.users)
        if self.chance.one_of(True, False):
            outcome = apply(self.now, changes(*self.chance.batch(self.now)), user, LIMITS)
            if isinstance(outcome, Applied):
                self._take(user, outcome, Kind.EDIT, group_id=self.chance.one_of(None, None, "g"))
        else:
            self._step_in_time(user, self.chance.one_of(Kind.UNDO, Kind.UNDO, Kind.REDO))

    def _step_in_time(self, user: UserId, kind: Kind) -> None:
        stack = self.stacks[user].undo if kind is Kind.UNDO else self.stacks[user].redo
        if not stack:
            return
        entry = stack[-1]
        inversion = invert(self.now, entry, user)
        outcome = judge_inversion(self.now, inversion, user, LIMITS)
        assert not isinstance(outcome, Refused), "within the limits everything that can be inverted is allowed"
        if len(self.users) == 1:
            assert not inversion.skipped, "nobody interfered"
        if not isinstance(outcome, Applied):
            self.stacks[user] = self.stacks[user].without(entry)
            return
        before = self.now
        self._check_that_nothing_of_others_is_lost(user, outcome.diagram)
        self._take(user, outcome, kind, undo_of=entry.vector)
        if kind is Kind.UNDO and not inversion.skipped:
            self._check_that_redo_leads_back(user, before)

    def _check_that_nothing_of_others_is_lost(self, user: UserId, after: Diagram) -> None:
        """UN10. A list of children may lose a node that goes (OP5), and an id that is free may be taken (UN4)."""
        for place in changed(self.now, after):
            if place[1] != ("children",) and self.now.cell(place[0]) is not None:
                assert self.writers.get(place, user) == user, place

    def _check_that_redo_leads_back(self, user: UserId, before: Diagram) -> None:
        """UN5, tried out and thrown away."""
        inversion = invert(self.now, self.stacks[user].redo[-1], user)
        outcome = judge_inversion(self.now, inversion, user, LIMITS)
        assert isinstance(outcome, Applied)
        assert not inversion.skipped
        assert outcome.diagram.state_hash == before.state_hash

    def _take(self, user: UserId, outcome: Applied, kind: Kind, **more: Any) -> None:
        for place in changed(self.now, outcome.diagram):
            self.writers[place] = user
        self.now = outcome.diagram
        self.stacks[user] = self.stacks[user].after(logged(outcome, user, kind, **more))


def changed(before: Diagram, after: Diagram) -> Iterator[Place]:
    """Leaves that hold another value."""
    for id in {*before.order(), *after.order()}:
        one, other = leaves(before.cell(id)), leaves(after.cell(id))
        yield from ((id, path) for path in one | other if repr(one.get(path)) != repr(other.get(path)))


def leaves(cell: Cell | None) -> dict[tuple[str, ...], Any]:
    """Empty objects are none: they come and go with what they hold."""
    found: dict[tuple[str, ...], Any] = {}

    def walk(value: Any, path: tuple[str, ...]) -> None:
        if isinstance(value, dict) and (not path or path[0] in ("attrs", "data")):
            for key, inner in value.items():
                walk(inner, (*path, key))
        else:
            found[path] = value

    walk(dict(cell or {}), ())
    return found


@settings(max_examples=60, deadline=None)
@given(seeds)
def test_UN5_UN10_I14_nothing_of_others_is_lost_and_redo_leads_back(seed: int) -> None:
    pair = Pair(seed, ANA, BO)
    for _ in range(40):
        pair.step()


@settings(max_examples=40, deadline=None)
@given(seeds)
def test_UN5_I14_alone_a_user_can_take_everything_back(seed: int) -> None:
    pair = Pair(seed, ANA)
    for _ in range(40):
        pair.step()


@settings(max_examples=30, deadline=None)
@given(seeds)
def test_I14_undone_to_the_beginning_nothing_is_left_and_redone_to_the_end_everything(seed: int) -> None:
    pair = Pair(seed, ANA)
    for _ in range(20):
        outcome = apply(pair.now, changes(*pair.chance.batch(pair.now)), ANA, LIMITS)
        if isinstance(outcome, Applied):
            pair._take(ANA, outcome, Kind.EDIT)
    end = pair.now.state_hash
    while pair.stacks[ANA].undo:
        pair._step_in_time(ANA, Kind.UNDO)
    assert len(pair.now) == 0
    while pair.stacks[ANA].redo:
        pair._step_in_time(ANA, Kind.REDO)
    assert pair.now.state_hash == end

"""The laws of undo and redo over random histories: edits that collide, groups, new orders, undo and redo among them."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any

from hypothesis import assume, given, settings
from hypothesis import strategies as st

from collab.core.apply import Applied, Refused, advance, apply, replacement
from collab.core.diagram import Diagram
from collab.core.history import Entry, Inversion, Stacks, invert, judge_inversion
from collab.core.kept import Kept
from collab.core.references import references
from protocol.cells import is_edge
from protocol.operations import CellChange, Kind, LoggedOperation, Verb
from protocol.statehash import canonical_bytes
from protocol.values import Cell, CellId, UserId
from tests.support.drawing import ANA, BO, LIMITS, Scribbler, changes, diagram, logged, node, update, whole

CY = UserId("test:cy")
Place = tuple[CellId, tuple[str, ...]]
seeds = st.integers(0, 2**32 - 1)


def law(examples: int) -> Callable[[Callable[[int], None]], Callable[[], None]]:
    def over_seeds(check: Callable[[int], None]) -> Callable[[], None]:
        judged: Callable[[], None] = settings(max_examples=examples, deadline=None)(given(seeds)(check))
        return judged

    return over_seeds


class Studio:
    """Users at one diagram. `shared`: they have one stack (`undo_scope = session`)."""

    def __init__(self, seed: int, *users: UserId, shared: bool = False) -> None:
        self.first = self.now = diagram(node("n0"), node("n1"))
        self.chance = Scribbler(seed)
        self.users = users
        self.shared = shared
        self.stacks: dict[UserId | None, Stacks] = {self.undoer(user): Stacks() for user in users}
        self.log: list[LoggedOperation] = []
        self.states = [self.now]
        self.writers: dict[Place, UserId] = {}
        self.skipped: set[str] = set()
        """Why something was left alone."""

    def undoer(self, user: UserId) -> UserId | None:
        return None if self.shared else user

    def entries(self, user: UserId, kind: Kind) -> tuple[Entry, ...]:
        stacks = self.stacks[self.undoer(user)]
        return stacks.undo if kind is Kind.UNDO else stacks.redo

    def play(self, steps: int) -> None:
        for _ in range(steps):
            user = self.chance.one_of(*self.users)
            if self.chance.one_of(True, False):
                self.edit(user)
            else:
                self.turn(user, self.chance.one_of(Kind.UNDO, Kind.UNDO, Kind.REDO))

    def edit(self, user: UserId) -> None:
        if self.chance.one_of(*range(12)) == 0:
            replaced, order = self._shuffled()
            outcome, more = apply(self.now, replaced, user, LIMITS, order), {"kind": Kind.REST}
        else:
            asked = (self.chance.one_of(*range(4)) == 0 and self._nested()) or self.chance.batch(self.now)
            outcome = apply(self.now, changes(*asked), user, LIMITS)
            more = {"kind": Kind.EDIT, "group_id": self.chance.one_of(None, None, "g", "h")}
        if isinstance(outcome, Applied):
            self._take(user, outcome, **more)

    def _nested(self) -> list[dict[str, Any]]:
        nodes = [id for id, cell in cells(self.now).items() if not is_edge(cell)]
        return [update(self.chance.one_of(*nodes), parent=self.chance.one_of(None, *nodes))] if nodes else []

    def _shuffled(self) -> tuple[tuple[CellChange, ...], tuple[CellId, ...]]:
        cells = list(self.now.cells_in_order())
        for _ in cells:
            cells.append(cells.pop(cells.index(self.chance.one_of(*cells))))
        return replacement(self.now, cells, [canonical_bytes(cell) for cell in cells])

    def look(self, user: UserId, kind: Kind) -> tuple[Inversion, Applied | None]:
        """What an undo or redo would do; the entry must be there."""
        inversion = invert(self.now, self.entries(user, kind)[-1], self.undoer(user))
        outcome = judge_inversion(self.now, inversion, user, LIMITS)
        assert not isinstance(outcome, Refused), "within the limits everything that can be inverted is allowed"
        return inversion, outcome if isinstance(outcome, Applied) else None

    def turn(self, user: UserId, kind: Kind) -> Inversion | None:
        """Undo or redo; None: there was nothing to invert."""
        entries = self.entries(user, kind)
        if not entries:
            return None
        inversion, outcome = self.look(user, kind)
        self.skipped.update(skipped.why for skipped in inversion.skipped)
        if outcome is None:
            stacks = self.stacks[self.undoer(user)]
            self.stacks[self.undoer(user)] = stacks.used_up(kind)
        else:
            self._take(user, outcome, kind, undo_of=entries[-1].vector, group_id=entries[-1].group_id)
        return inversion

    def turn_all(self, user: UserId, kind: Kind) -> None:
        while self.turn(user, kind) is not None:
            pass

    def _take(self, user: UserId, outcome: Applied, kind: Kind, **more: Any) -> None:
        for place in changed(self.now, outcome.diagram):
            self.writers[place] = user
        self.now = outcome.diagram
        self.log.append(logged(outcome, user, kind, **more))
        self.states.append(self.now)
        self.stacks[self.undoer(user)] = self.stacks[self.undoer(user)].after(Kept.of(self.log[-1]))


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


def cells(of: Diagram) -> dict[str, Cell]:
    return {cell["id"]: cell for cell in of.cells_in_order()}


def content(of: Diagram) -> tuple[dict[str, Cell], int]:
    """All but the order: what comes back comes back at the end (UN4)."""
    return cells(of), of.state_hash


def flaws(of: Diagram) -> list[str]:
    """What no diagram may have, looked for as a stranger would."""
    found, there = [], cells(of)
    for id, cell in there.items():
        ends = [cell["source"]["cell"], cell["target"]["cell"]] if is_edge(cell) else []
        above, seen = cell.get("parent"), [id]
        for named in [*ends, *([above] if above is not None else [])]:
            if named not in there or is_edge(there[named]):
                found.append(f"{id} names {named}")
        while above in there and len(seen) <= len(there):
            seen.append(above)
            above = there[above].get("parent")
        if len(seen) > len(there):
            found.append(f"{id} is above itself")
    return found


@law(150)
def test_UN10_I14_an_undo_alters_no_key_that_somebody_else_wrote_last(seed: int) -> None:
    """A list of children may lose a node that goes (OP5), and an id that is free may be taken (UN4)."""
    studio = Studio(seed, ANA, BO, CY)
    studio.play(15)
    for _ in range(30):
        user, kind = studio.chance.one_of(ANA, BO, CY), studio.chance.one_of(Kind.UNDO, Kind.UNDO, Kind.REDO)
        before, writers = studio.now, dict(studio.writers)
        if studio.turn(user, kind) is None:
            studio.edit(user)
            continue
        for place in changed(before, studio.now):
            if place[1] != ("children",) and before.cell(place[0]) is not None:
                assert writers.get(place, user) == user, place


@law(100)
def test_UN5_I14_undo_and_redo_with_nothing_skipped_change_no_cell(seed: int) -> None:
    studio = Studio(seed, ANA, BO, CY)
    for _ in range(6):
        studio.play(6)
        before, user = studio.now, studio.chance.one_of(ANA, BO, CY)
        inversion = studio.turn(user, Kind.UNDO)
        if inversion is None or inversion.skipped or studio.now is before:
            continue
        again = studio.turn(user, Kind.REDO)
        assert again is not None and again.skipped == ()
        assert content(studio.now) == content(before)


@law(100)
def test_UN5_I14_an_edit_undone_at_once_and_redone_changes_neither_cells_nor_order(seed: int) -> None:
    studio = Studio(seed, ANA, BO)
    for _ in range(10):
        studio.play(3)
        before, user = studio.now, studio.chance.one_of(ANA, BO)
        entries = studio.entries(user, Kind.UNDO)
        if not entries or not newest(studio, entries[-1]):
            continue
        inversion = studio.turn(user, Kind.UNDO)
        assert inversion is not None and inversion.skipped == ()
        if studio.now is before:
            continue  # a group that ended where it began
        inversion = studio.turn(user, Kind.REDO)
        assert inversion is not None and inversion.skipped == ()
        assert list(studio.now.cells_in_order()) == list(before.cells_in_order())
        assert studio.now.state_hash == before.state_hash


def newest(studio: Studio, entry: Entry) -> bool:
    """Nothing was done since; and it is no group that removed a cell, which it may have added again: at the end."""
    done = tuple(kept.operation for kept in entry.operations)
    removed = [cell for operation in done for cell in operation.inverse.cells if cell.verb is Verb.ADD]
    return done == tuple(studio.log[-len(done) :]) and (len(done) == 1 or not removed)


def nothing_is_in_the_way(studio: Studio) -> None:
    """But for an id that one group has given to a cell of the other kind, which stays with it (OP2)."""
    assert studio.skipped <= {"exists"}
    assume(not studio.skipped)


@law(100)
def test_UN1_UN5_I14_alone_a_user_can_go_back_to_the_beginning_and_on_to_the_end(seed: int) -> None:
    studio = Studio(seed, ANA)
    studio.play(20)
    studio.turn_all(ANA, Kind.REDO)
    end = studio.now
    studio.turn_all(ANA, Kind.UNDO)
    nothing_is_in_the_way(studio)
    assert content(studio.now) == content(studio.first)
    studio.turn_all(ANA, Kind.REDO)
    assert content(studio.now) == content(end)


@law(80)
def test_UN14_with_one_stack_for_all_anybody_takes_everything_back(seed: int) -> None:
    studio = Studio(seed, ANA, BO, CY, shared=True)
    studio.play(20)
    studio.turn_all(BO, Kind.REDO)
    end = studio.now
    studio.turn_all(CY, Kind.UNDO)
    nothing_is_in_the_way(studio)
    assert content(studio.now) == content(studio.first)
    studio.turn_all(ANA, Kind.REDO)
    assert content(studio.now) == content(end)


@law(100)
def test_UN10_undos_of_two_users_commute_where_they_touch_different_cells(seed: int) -> None:
    studio = Studio(seed, ANA, BO)
    for _ in range(8):
        studio.play(6)
        both = [entry for user in (ANA, BO) for entry in studio.entries(user, Kind.UNDO)[-1:]]
        if len(both) < 2 or not touched(studio, both[0]).isdisjoint(touched(studio, both[1])):
            continue
        before, stacks = studio.now, dict(studio.stacks)
        outcomes = []
        for users in ((ANA, BO), (BO, ANA)):
            studio.now, studio.stacks = before, dict(stacks)
            inversions = {user: studio.turn(user, Kind.UNDO) for user in users}
            skipped = {user: inversions[user].skipped for user in (ANA, BO)}  # type: ignore[union-attr]
            outcomes.append((content(studio.now), skipped))
        assert outcomes[0] == outcomes[1]


def touched(studio: Studio, entry: Entry) -> set[CellId]:
    """Every cell that its operations speak of, those that name one of them, and all above these."""
    spoken = b"".join(kept.effect + kept.rest for kept in entry.operations).decode()
    found = {CellId(id) for id in re.findall(r'"([ne]\d)"', spoken)}
    found |= {by for id in found for by in studio.now.referrers(id)}
    above = list(found)
    while above:
        found.update(named := references(studio.now.cell(above.pop())) - found)
        above += named
    return found


@law(100)
def test_I13_I14_every_inversion_leaves_a_valid_diagram_and_the_log_replays_to_it(seed: int) -> None:
    shared = seed % 3 == 0
    studio = Studio(seed, ANA, BO, CY, shared=shared)
    studio.play(40)
    replayed = studio.first
    for operation, state in zip(studio.log, studio.states[1:], strict=True):
        replayed = advance(replayed, operation)
        assert replayed.state_hash == operation.state_hash == state.state_hash
        assert flaws(state) == []
    assert whole(replayed) == whole(studio.now)

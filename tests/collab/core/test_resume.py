"""What a returning client is shown (WS17)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec
import pytest

from collab.core.apply import Applied, advance, apply
from collab.core.diagram import Diagram
from collab.core.events import Loaded
from collab.core.replica import Replica
from collab.core.resume import look_back
from protocol.intents import Resume
from protocol.notices import Happened, Notice, Repaired, Resumed, StateReason, StateShown
from protocol.operations import CellChange, LoggedOperation
from protocol.statehash import cell_hash
from protocol.values import CellId, Epoch, Limits
from tests.support.script import EPOCH, FOUNDED, add, change, logged, matches, node, remove, some, user

LIMITS = Limits()
FIRST = logged(FOUNDED, "ana", "a1", change("n1", x=1))
SECOND = logged(advance(FOUNDED, FIRST), "bo", "b1", change("n2", x=2))


def replica(*operations: LoggedOperation, of: Diagram = FOUNDED, limits: Limits = LIMITS) -> Replica:
    made = Replica(Loaded(of, 1), limits)
    for operation in operations:
        made.take(operation)
    return made


HERE = replica(FIRST, SECOND)


def looked(vector: int, epoch: Epoch = EPOCH, **rest: Any) -> tuple[Notice, ...]:
    return look_back(HERE, Resume(epoch, vector, **rest), start_vector=0)


def test_WS17_the_missing_operations_follow_in_order() -> None:
    expected = (
        some(Resumed, epoch=EPOCH, since=0, to=2, state_hash=SECOND.state_hash, ref="r"),
        some(Happened, operation=FIRST),
        some(Happened, operation=SECOND),
    )
    assert matches(expected, looked(0, ref="r"))


def test_WS17_who_has_missed_nothing_is_told_so() -> None:
    assert matches((some(Resumed, since=2, to=2),), looked(2))


def test_WS17_the_right_hash_at_that_vector_is_taken() -> None:
    assert matches((Resumed, some(Happened, operation=SECOND)), looked(1, state_hash=f"{FIRST.state_hash:032x}"))


def test_WS17_a_wrong_hash_gets_the_whole_diagram() -> None:
    expected = some(StateShown, diagram=HERE.diagram, reason=StateReason.HASH_MISMATCH, ref="r")
    assert matches((expected,), looked(1, state_hash="0" * 32, ref="r"))


def test_WS17_the_hash_is_checked_as_far_back_as_operations_are_kept() -> None:
    forgetful = replica(FIRST, SECOND, limits=Limits(resume_operations=1))
    shown = look_back(forgetful, Resume(EPOCH, 1, state_hash=f"{FIRST.state_hash:032x}"), start_vector=0)
    assert matches((Resumed, some(Happened, operation=SECOND)), shown)


def test_WS17_a_hash_that_cannot_be_checked_here_is_checked_by_the_client() -> None:
    found = Replica(Loaded(HERE.diagram, 1, (FIRST, SECOND)), LIMITS)
    shown = look_back(found, Resume(EPOCH, 0, state_hash=f"{FOUNDED.state_hash:032x}"), start_vector=0)
    assert matches((some(Resumed, state_hash=SECOND.state_hash), Happened, Happened), shown)


@pytest.mark.parametrize("forgotten", [False, True])
def test_WS18_whoever_has_been_away_too_long_is_told_not_to_send_again(forgotten: bool) -> None:
    assert matches((some(StateShown, resend=not forgotten),), looked(9, forgotten=forgotten))


def test_WS18_a_repair_cannot_say_it_so_who_has_been_away_too_long_gets_the_whole_diagram() -> None:
    hashes = (("n1", "0" * 16), *(shows(FOUNDED, "n2").cell_hashes or ()))
    (repair,) = look_back(replica(), Resume(Epoch("lost"), 7, cell_hashes=hashes), start_vector=0)
    assert isinstance(repair, Repaired), "nothing to repair: the test proves nothing"
    shown = look_back(replica(), Resume(Epoch("lost"), 7, cell_hashes=hashes, forgotten=True), start_vector=0)
    assert matches((some(StateShown, resend=False),), shown)


@pytest.mark.parametrize(("epoch", "vector"), [(EPOCH, 3), (Epoch("e0"), 1)])
def test_WS17_anything_else_gets_the_whole_diagram(epoch: Epoch, vector: int) -> None:
    assert matches((some(StateShown, reason=StateReason.RESUME_IMPOSSIBLE),), looked(vector, epoch))


# repair ---------------------------------------------------------------------------------------------------------------

LARGE = Diagram.found(FOUNDED.id, EPOCH, [node(f"n{number}", label="a process") for number in range(9)])


def after(*changes: CellChange) -> Diagram:
    applied = apply(LARGE, changes, user("bo").id, Limits())
    assert isinstance(applied, Applied)
    return applied.diagram


def repaired(here: Diagram, theirs: Diagram) -> Notice:
    hashes = tuple((cell["id"], f"{cell_hash(cell):032x}"[:16]) for cell in theirs.cells_in_order())
    (notice,) = look_back(replica(of=here), Resume(Epoch("lost"), 7, cell_hashes=hashes, ref="r"), start_vector=0)
    return notice


def mended(theirs: Diagram, repair: Repaired) -> Sequence[CellId]:
    """The order of a client that has carried out the repair."""
    kept = [id for id in theirs.order() if id not in repair.removed]
    order = (*kept, *(id for id in repair.cells if id not in kept))
    return order if repair.order is None else repair.order


def test_WS17_a_repair_holds_what_differs_or_is_lacking_and_names_what_is_no_more() -> None:
    here = after(change("n3", x=7), add("n9"), remove("n5"))
    repair = repaired(here, LARGE)
    assert matches(some(Repaired, diagram=here, cells=("n3", "n9"), removed=("n5",), order=None, ref="r"), repair)


def test_WS17_a_copy_that_is_right_is_repaired_by_nothing() -> None:
    assert matches(some(Repaired, cells=(), removed=(), order=None), repaired(LARGE, LARGE))


def test_WS17_a_repair_gives_the_order_where_the_client_would_have_another() -> None:
    theirs = after(remove("n0"))
    repair = repaired(LARGE, theirs)
    assert isinstance(repair, Repaired)
    assert repair.cells == ("n0",)
    assert mended(theirs, repair) == LARGE.order()


def test_WS17_a_repair_that_saves_nothing_gives_way_to_the_whole_diagram() -> None:
    other = msgspec.structs.replace(Diagram.found(LARGE.id, EPOCH, [node("z")]), vector=4)
    assert matches(some(StateShown, reason=StateReason.RESUME_IMPOSSIBLE), repaired(LARGE, other))


def shows(of: Diagram, *order: str) -> Resume:
    cells = {cell["id"]: cell for cell in of.cells_in_order()}
    hashes = tuple((id, f"{cell_hash(cells[CellId(id)]):032x}"[:16]) for id in order)
    return Resume(EPOCH, of.vector, f"{of.state_hash:032x}", cell_hashes=hashes)


def test_WS17_another_order_of_the_right_cells_is_repaired_though_the_hash_is_right() -> None:
    (notice,) = look_back(replica(), shows(FOUNDED, "n2", "n1"), start_vector=0)
    assert matches(some(Repaired, cells=(), removed=(), order=("n1", "n2")), notice)


def test_WS17_cells_that_are_shown_to_be_wrong_are_repaired_where_no_hash_is_given() -> None:
    resume = Resume(EPOCH, 0, cell_hashes=(("n1", "0" * 16), *(shows(FOUNDED, "n2").cell_hashes or ())))
    (notice,) = look_back(replica(), resume, start_vector=0)
    assert matches(some(Repaired, cells=("n1",), removed=(), order=None), notice)


@pytest.mark.parametrize("theirs", [(("n1", "0" * 16), ("n2", "0" * 16)), ()])
def test_WS17_where_a_repair_of_them_saves_nothing_the_whole_diagram_is_shown(
    theirs: tuple[tuple[str, str], ...],
) -> None:
    (notice,) = look_back(replica(), Resume(EPOCH, 0, cell_hashes=theirs, ref="r"), start_vector=0)
    assert matches(some(StateShown, reason=StateReason.HASH_MISMATCH, resend=True, ref="r"), notice)


def test_WS17_the_right_cells_in_the_right_order_are_resumed() -> None:
    assert matches((Resumed,), look_back(replica(), shows(FOUNDED, "n1", "n2"), start_vector=0))


def test_WS17_whoever_can_resume_needs_no_repair() -> None:
    resume = Resume(EPOCH, 1, cell_hashes=())
    assert matches((Resumed, Happened), look_back(HERE, resume, start_vector=0))

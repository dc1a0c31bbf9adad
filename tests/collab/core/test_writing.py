"""How a batch is made up and judged, before anything of it is told."""

from __future__ import annotations

from typing import Any, get_args

import msgspec
import pytest

from collab.core.apply import advance
from collab.core.events import Loaded, WriterOutcome
from collab.core.kept import Kept, Step
from collab.core.replica import Replica
from collab.core.verdicts import Declined, Judged, Logged, NoOp, Operational, Repeated, Ticket, Waiting
from collab.core.writing import (
    BATCH_BYTES,
    BATCH_OPERATIONS,
    OUTCOMES,
    Idle,
    Judge,
    Writing,
    kind_of,
    payload_of,
    take_batch,
    weight,
)
from protocol.cells import payload_sha256
from protocol.intents import Edit, Redo, Replace, Undo
from protocol.operations import CellChange, Kind, LoggedOperation, Outcome, Verdict
from protocol.refusals import Reason, Refusal
from protocol.statehash import canonical_bytes
from protocol.values import CellId, Limits, OperationId, Role, RoleAt, SocketId
from tests.support.script import (
    EPOCH,
    FOUNDED,
    START,
    add,
    caller,
    change,
    edit,
    logged,
    matches,
    node,
    remove,
    row,
    some,
    user,
)

LIMITS = Limits()


def waiting(intent: Operational, by: str = "ana", *, seen: int = 0, **rest: Any) -> Waiting:
    assert intent.operation_id is not None
    return Waiting(SocketId(by), caller(by), intent, intent.operation_id, 1, seen, weight(intent), **rest)


def replica(*operations: LoggedOperation, shared_undo: bool = False) -> Replica:
    """Of which all histories are known."""
    made = Replica(Loaded(FOUNDED, 1), LIMITS, shared_undo=shared_undo)
    made.set_history(None, ())
    for name in ("ana", "bo"):
        made.set_history(user(name).id, ())
    for operation in operations:
        made.take(operation)
    return made


def judged(*batch: Waiting, of: Replica | None = None, role: Role = Role.WRITER) -> Judged:
    return Judge(of or replica(), lambda _: RoleAt(role, 1), LIMITS, START).batch(batch)


def edits(*ids: str) -> list[Waiting]:
    return [waiting(edit(id, add(id))) for id in ids]


def refused(reason: Reason, *affected: str) -> Any:
    return some(Declined, refusal=some(Refusal, reason=reason, affected=affected))


# batches --------------------------------------------------------------------------------------------------------------


def everybody(_: Waiting) -> bool:
    return True


def test_a_batch_takes_all_that_waits_in_order() -> None:
    queue = edits("a", "b", "c")
    assert [one.operation_id for one in take_batch(queue, everybody)] == ["a", "b", "c"]
    assert queue == []


def test_a_batch_is_bounded_in_operations() -> None:
    queue = edits(*(f"a{number}" for number in range(BATCH_OPERATIONS + 1)))
    assert len(take_batch(queue, everybody)) == BATCH_OPERATIONS
    assert len(queue) == 1


def test_a_batch_is_bounded_in_bytes() -> None:
    queue = [msgspec.structs.replace(one, weight=BATCH_BYTES // 2 + 1) for one in edits("a", "b")]
    assert len(take_batch(queue, everybody)) == 1


def test_an_operation_that_is_too_large_for_any_batch_has_one_of_its_own() -> None:
    queue = [msgspec.structs.replace(one, weight=BATCH_BYTES + 1) for one in edits("a")]
    assert len(take_batch(queue, everybody)) == 1


def test_I8_a_batch_ends_before_what_cannot_be_judged_yet() -> None:
    queue = [*edits("a"), waiting(edit("b", add("b")), "bo"), *edits("c")]
    batch = take_batch(queue, lambda one: one.caller.id == user("ana").id)
    assert [one.operation_id for one in batch] == ["a"], "c is not let past b"
    assert [one.operation_id for one in queue] == ["b", "c"]


def test_every_state_says_what_its_call_can_come_back_with() -> None:
    assert set(OUTCOMES) == set(get_args(Writing))
    assert set().union(*OUTCOMES.values()) == set(get_args(WriterOutcome))
    assert not OUTCOMES[Idle]


# accepted, no-op, refused ---------------------------------------------------------------------------------------------


def test_VEC2_every_accepted_operation_of_a_batch_takes_the_next_vector() -> None:
    verdicts = judged(*edits("a", "b"))
    assert matches((row("a", 1), row("b", 2)), verdicts.operations)


def test_each_operation_is_judged_on_the_outcome_of_the_one_before() -> None:
    verdicts = judged(waiting(edit("a", add("n9"))), waiting(edit("b", change("n9", x=5)), "bo"))
    assert matches((Logged, Logged), verdicts.verdicts)


def test_I12_WS21_a_refused_one_leaves_no_trace_for_the_next() -> None:
    verdicts = judged(waiting(edit("a", add("n9"), change("missing", x=1))), waiting(edit("b", change("n9", x=5))))
    expected = (refused(Reason.CONFLICT_DETECTED, "missing"), refused(Reason.CONFLICT_DETECTED, "n9"))
    assert matches(expected, verdicts.verdicts)
    assert verdicts.operations == ()


def test_VEC3_OP11_a_no_op_takes_no_vector() -> None:
    verdicts = judged(waiting(edit("a", change("n1", x=0))), waiting(edit("b", change("n1", x=1))))
    assert matches((NoOp, some(Logged, operation=row("b", 1))), verdicts.verdicts)


def test_a_judgement_is_private() -> None:
    here = replica()
    judged(*edits("a"), of=here)
    assert here.diagram is FOUNDED
    assert here.outcome((user("ana").id, OperationId("a"))) is None


def test_the_row_of_an_operation_says_who_when_and_with_which_others() -> None:
    verdicts = judged(waiting(edit("a", add("n9"), group_id="g")))
    assert matches((row("a", 1, user=user("ana"), at_ms=START.wall_ms, group_id="g"),), verdicts.operations)


def test_OP21_an_old_a_missing_or_a_future_base_vector_refuses_nothing() -> None:
    moved = replica(logged(FOUNDED, "bo", "b1", change("n1", x=1)))
    for base in (0, None, 99):
        assert matches((Logged,), judged(waiting(edit("a", change("n1", x=2), base_vector=base)), of=moved).verdicts)


# strict ---------------------------------------------------------------------------------------------------------------

BY_BO = logged(FOUNDED, "bo", "b1", change("n1", x=1))


def strictly(base: int | None, by: str = "ana") -> Any:
    strict = edit("a", change("n1", y=2), add("n9"), base_vector=base, strict=True)
    return judged(waiting(strict, by), of=replica(BY_BO)).verdicts


def test_OP22_a_strict_operation_on_what_somebody_else_changed_since_is_a_conflict() -> None:
    assert matches((refused(Reason.CONFLICT_DETECTED, "n1"),), strictly(0))


def test_OP22_what_was_changed_before_or_by_oneself_is_none() -> None:
    assert matches((Logged,), strictly(1))
    assert matches((Logged,), strictly(0, by="bo"))


def test_OP22_strict_without_base_vector_is_invalid() -> None:
    assert matches((refused(Reason.VALIDATION_FAILED),), strictly(None))


def test_OP22_an_operation_of_the_same_batch_counts() -> None:
    strict = edit("a", change("n1", y=2), base_vector=0, strict=True)
    verdicts = judged(waiting(edit("b", change("n1", x=1)), "bo"), waiting(strict))
    assert matches((Logged, refused(Reason.CONFLICT_DETECTED, "n1")), verdicts.verdicts)


# ids ------------------------------------------------------------------------------------------------------------------

EDIT = edit("a", change("n1", x=1))


def known(by: str, intent: Edit, verdict: Verdict = Verdict.ACCEPTED) -> Outcome:
    return Outcome(user(by).id, intent.operation_id, intent.payload_sha256, verdict, EPOCH, 7)


def remembering(*outcomes: Outcome) -> Replica:
    made = replica()
    for outcome in outcomes:
        made.remember(outcome)
    return made


def test_VEC8_a_retry_gets_the_outcome_that_is_remembered() -> None:
    first = known("ana", EDIT)
    verdicts = judged(waiting(EDIT), of=remembering(first))
    assert verdicts == Judged((Repeated(waiting(EDIT), first),), (), ())


def test_VEC8_a_twin_in_the_same_batch_is_a_retry() -> None:
    verdicts = judged(waiting(EDIT), waiting(EDIT))
    assert matches((Logged, Repeated), verdicts.verdicts)
    assert len(verdicts.operations) == len(verdicts.outcomes) == 1


def test_VEC8_a_refused_one_is_refused_again_although_it_would_be_accepted_now() -> None:
    impossible = edit("a", change("n9", x=1))
    verdicts = judged(waiting(impossible), waiting(edit("b", add("n9"))), waiting(impossible))
    assert matches((Declined, Logged, Repeated), verdicts.verdicts)


def test_VEC9_I5_the_same_id_for_another_operation_is_refused_and_changes_nothing() -> None:
    other = waiting(edit("a", change("n1", x=2)))
    for verdicts in (judged(other, of=remembering(known("ana", EDIT))), judged(waiting(EDIT), other)):
        assert matches(refused(Reason.OPERATION_ID_CONFLICT), verdicts.verdicts[-1])
    assert judged(other, of=remembering(known("ana", EDIT))).outcomes == ()


def test_VEC10_S46_the_same_id_of_another_user_is_another_operation() -> None:
    verdicts = judged(waiting(EDIT), waiting(edit("a", change("n1", x=2)), "bo"))
    assert matches((row("a", 1, user=user("ana")), row("a", 2, user=user("bo"))), verdicts.operations)


def test_VEC11_the_payload_is_the_kind_and_the_changes() -> None:
    same = edit("z", *EDIT.changes, base_vector=3, strict=True, group_id="g", ref="r", kind=Kind.REST)
    assert payload_of(same) == payload_of(EDIT)
    different: list[Operational] = [EDIT, edit("a", change("n1", x=2)), Undo(OperationId("a")), Redo(OperationId("a"))]
    assert len({payload_of(intent) for intent in different}) == 4


def test_VEC11_what_the_role_forbids_is_no_outcome() -> None:
    verdicts = judged(waiting(EDIT), role=Role.READER)
    assert matches((refused(Reason.PERMISSION_DENIED),), verdicts.verdicts)
    assert not verdicts.binding


def test_I6_whatever_depends_on_the_cells_is_written_down_refusals_too() -> None:
    verdicts = judged(
        waiting(edit("yes", add("n9"))),
        waiting(edit("nothing", change("n1", x=0))),
        waiting(edit("no", change("missing", x=0))),
        waiting(Undo(OperationId("undone"))),
    )
    assert [(o.operation_id, o.verdict, o.vector) for o in verdicts.outcomes] == [
        ("yes", Verdict.ACCEPTED, 1),
        ("nothing", Verdict.NO_OP, 1),
        ("no", Verdict.REFUSED, 1),
        ("undone", Verdict.ACCEPTED, 2),
    ]
    assert verdicts.outcomes[2].refusal is not None
    assert verdicts.outcomes[2].refusal.reason is Reason.CONFLICT_DETECTED


def test_I6_a_batch_that_accepts_nothing_binds_all_the_same() -> None:
    assert judged(waiting(edit("no", change("missing", x=0)))).binding


# undo -----------------------------------------------------------------------------------------------------------------


def undo(id: str, by: str = "ana") -> Waiting:
    return waiting(Undo(OperationId(id)), by)


def redo(id: str, by: str = "ana") -> Waiting:
    return waiting(Redo(OperationId(id)), by)


def test_UN1_undo_takes_back_the_newest_own_operation_even_one_of_the_same_batch() -> None:
    verdicts = judged(waiting(edit("a", change("n1", x=1))), waiting(edit("b", change("n2", x=2)), "bo"), undo("u"))
    assert matches((row("a", 1), row("b", 2), row("u", 3, kind=Kind.UNDO, undo_of=1)), verdicts.operations)


def test_UN1_redo_brings_it_back() -> None:
    verdicts = judged(waiting(edit("a", change("n1", x=1))), undo("u"), redo("r"))
    assert matches(row("r", 3, kind=Kind.REDO, undo_of=1), verdicts.operations[-1])


def test_UN5_undo_and_redo_leave_the_state_hash_unchanged() -> None:
    verdicts = judged(waiting(edit("a", change("n1", x=1), remove("n2"))), undo("u"), redo("r"))
    first, _, last = verdicts.operations
    assert first.state_hash == last.state_hash


def test_UN6_an_entry_of_which_nothing_can_be_inverted_is_used_up() -> None:
    batch = (waiting(edit("a", change("n1", x=1))), waiting(edit("b", change("n1", x=2)), "bo"), undo("u"), undo("v"))
    verdicts = judged(*batch).verdicts
    assert matches((Logged, Logged, some(NoOp, skipped=(some(object, id="n1", why="changed"),))), verdicts[:3])
    assert matches(refused(Reason.NOTHING_TO_UNDO), verdicts[3])


def test_UN6_two_workers_that_use_up_one_entry_at_once_use_up_no_other() -> None:
    first = logged(FOUNDED, "ana", "a", change("n2", x=1))
    second = logged(advance(FOUNDED, first), "ana", "b", change("n1", x=1))
    third = logged(advance(advance(FOUNDED, first), second), "bo", "c", change("n1", x=2))
    steps: list[Step] = [Kept.of(first), Kept.of(second)]
    at_once = [replica(first, second, third) for _ in range(2)]
    for name, of in zip("uv", at_once, strict=True):
        of.set_history(user("ana").id, tuple(steps[:2]))
        steps += judged(undo(name, "ana"), of=of).outcomes
    afterwards = replica(first, second, third)
    afterwards.set_history(user("ana").id, tuple(steps))
    (took_back,) = judged(undo("w", "ana"), of=afterwards).operations
    assert took_back.undo_of == first.vector


def test_UN7_a_new_edit_empties_the_redo_stack() -> None:
    verdicts = judged(
        waiting(edit("a", change("n1", x=1))), undo("u"), waiting(edit("b", change("n1", x=3))), redo("r")
    )
    assert matches(refused(Reason.NOTHING_TO_REDO), verdicts.verdicts[-1])


def test_UN8_an_empty_stack_is_refused() -> None:
    assert matches(
        (refused(Reason.NOTHING_TO_UNDO), refused(Reason.NOTHING_TO_REDO)), judged(undo("u"), redo("r")).verdicts
    )


def test_UN10_my_undo_finds_nothing_of_yours() -> None:
    verdicts = judged(waiting(edit("a", change("n1", x=1))), undo("u", "bo"))
    assert matches((Logged, refused(Reason.NOTHING_TO_UNDO)), verdicts.verdicts)


def test_UN14_with_one_stack_for_all_whoever_asks_takes_the_newest_back() -> None:
    batch = (waiting(edit("a", change("n1", x=1))), waiting(edit("b", change("n1", x=2)), "bo"), undo("u", "ana"))
    verdicts = judged(*batch, undo("v", "bo"), of=replica(shared_undo=True))
    took_back = [(row.user, row.undo_of) for row in verdicts.operations[2:]]
    assert took_back == [(user("ana"), 2), (user("bo"), 1)]
    logged = verdicts.verdicts[-1]
    assert isinstance(logged, Logged)
    assert (logged.skipped, logged.after.state_hash) == ((), FOUNDED.state_hash)


def test_UN14_UN7_with_one_stack_for_all_anybodys_edit_empties_what_can_be_redone() -> None:
    batch = (waiting(edit("a", change("n1", x=1))), undo("u"), waiting(edit("b", change("n2", y=2)), "bo"), redo("r"))
    verdicts = judged(*batch, of=replica(shared_undo=True)).verdicts
    assert matches((Logged, Logged, Logged, refused(Reason.NOTHING_TO_REDO)), verdicts)


def test_UN14_UN6_with_one_stack_for_all_an_entry_is_used_up_for_everybody() -> None:
    first = logged(FOUNDED, "ana", "a", change("n1", x=1))
    of = replica(first, logged(advance(FOUNDED, first), "bo", "b", change("n1", x=2)), shared_undo=True)
    of.set_history(None, (Kept.of(first),))
    assert matches((NoOp, refused(Reason.NOTHING_TO_UNDO)), judged(undo("u", "bo"), undo("v", "ana"), of=of).verdicts)


def test_UN13_an_undo_and_a_redo_are_of_the_group_of_what_they_invert() -> None:
    verdicts = judged(waiting(edit("a", change("n1", x=1), group_id="g")), undo("u"), redo("r"))
    assert [operation.group_id for operation in verdicts.operations] == ["g"] * 3


def test_UN13_operations_of_one_group_are_undone_as_one() -> None:
    group = {"group_id": "g"}
    verdicts = judged(
        waiting(edit("a", change("n1", x=1), **group)), waiting(edit("b", change("n2", x=2), **group)), undo("u")
    )
    assert matches(row("u", 3, undo_of=2), verdicts.operations[-1])
    logged = verdicts.verdicts[-1]
    assert isinstance(logged, Logged)
    assert logged.after.state_hash == FOUNDED.state_hash


# whole diagrams -------------------------------------------------------------------------------------------------------


def replace(id: str, *cells: Any, expected: int | None = None) -> Waiting:
    sha = payload_sha256(Kind.REST, (), tuple(cell["id"] for cell in cells))
    intent = Replace(OperationId(id), cells, tuple(map(canonical_bytes, cells)), sha, expected)
    return Waiting(Ticket(1), caller("ana"), intent, intent.operation_id, 1, 0, weight(intent))


def test_RE14_a_replacement_is_one_operation_the_difference() -> None:
    verdicts = judged(replace("a", node("n2", x=7), node("n9")))
    assert matches((row("a", 1, kind=Kind.REST),), verdicts.operations)
    (verdict,) = verdicts.verdicts
    assert isinstance(verdict, Logged)
    assert [(cell["id"], cell["x"]) for cell in verdict.after.cells_in_order()] == [("n2", 7), ("n9", 0)]


def test_RE14_an_equal_list_is_a_no_op() -> None:
    assert matches((NoOp,), judged(replace("a", *FOUNDED.cells_in_order())).verdicts)


def test_RE12_a_replacement_of_a_state_that_has_moved_on_is_a_conflict() -> None:
    batch = (waiting(edit("b", change("n1", x=1))), replace("a", node("n2"), expected=0))
    conflict = some(Refusal, reason=Reason.CONFLICT_DETECTED, details={"update_vector": 1})
    assert matches((Logged, some(Declined, refusal=conflict)), judged(*batch).verdicts)
    assert matches((Logged,), judged(replace("a", node("n2"), expected=0)).verdicts)


@pytest.mark.parametrize(
    ("intent", "kind"),
    [
        (EDIT, Kind.EDIT),
        (edit("a", add("n9"), kind=Kind.REST), Kind.REST),
        (Undo(), Kind.UNDO),
        (Redo(), Kind.REDO),
        (Replace(OperationId("a"), (), (), b""), Kind.REST),
    ],
)
def test_RE17_an_operation_has_the_kind_of_its_door(intent: Operational, kind: Kind) -> None:
    assert kind_of(intent) is kind


# a sender's doubtful copy ---------------------------------------------------------------------------------------------

MOVED = replica(BY_BO)


def doubtful(*changes: CellChange, seen: int, of: Replica = MOVED, **rest: Any) -> tuple[CellId, ...]:
    (verdict,) = judged(waiting(edit("a", *changes), seen=seen, **rest), of=of).verdicts
    assert isinstance(verdict, Logged)
    return verdict.doubtful


def test_OP20_an_unseen_change_of_the_same_key_makes_the_senders_copy_doubtful() -> None:
    assert doubtful(change("n1", x=9), seen=0) == ("n1",)


def test_OP20_one_that_it_has_seen_does_not() -> None:
    assert doubtful(change("n1", x=9), seen=1) == ()


def test_OP20_nor_one_of_another_key() -> None:
    assert doubtful(change("n1", y=9), seen=0) == ()


def test_OP20_unless_the_sender_shows_whole_cells() -> None:
    assert doubtful(change("n1", y=9), seen=0, grain=0) == ("n1",)


def test_OP20_to_a_classic_sender_a_top_level_key_is_one() -> None:
    painted = logged(FOUNDED, "bo", "b1", change("n1", attrs={"body": {"fill": "#a"}}))
    paint = change("n1", attrs={"body": {"stroke": "#b"}})
    assert doubtful(paint, seen=0, of=replica(painted), grain=1) == ("n1",)
    assert doubtful(paint, seen=0, of=replica(painted)) == ()


def test_OP20_leaf_paths_count_one_by_one() -> None:
    painted = logged(FOUNDED, "bo", "b1", change("n1", attrs={"body": {"fill": "#a"}}))
    here = replica(painted, logged(advance(FOUNDED, painted), "ana", "a0", change("n2", y=1)))
    assert doubtful(change("n1", **{"attrs/body/stroke": "#b"}), seen=0, of=here) == ()
    assert doubtful(change("n1", **{"attrs/body/fill": "#b"}), seen=0, of=here) == ("n1",)


def test_OP20_a_slash_in_a_key_of_ones_own_is_no_path() -> None:
    assert doubtful(change("n1", **{"app/note": "mine"}), seen=1) == ()


def test_OP20_cells_that_the_server_changed_beyond_what_was_asked_are_doubtful() -> None:
    nested = replica(logged(FOUNDED, "ana", "a0", add("n9", parent="n1")))
    assert doubtful(remove("n1"), seen=1, of=nested) == ("n9",)

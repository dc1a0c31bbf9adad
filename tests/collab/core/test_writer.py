"""The writing lane: queue, commit, follow, catch up, reload; what may leave it and when."""

from __future__ import annotations

from typing import Any

import pytest

from collab.core.apply import advance
from collab.core.effects import (
    CatchUp,
    ChangeSession,
    Closed,
    Commit,
    Publish,
    ReadHistory,
    ReadRights,
    ReadSession,
    Reload,
    Snapshot,
    Survey,
)
from collab.core.events import (
    Asked,
    Barred,
    CaughtUp,
    Closing,
    Committed,
    Departure,
    Event,
    HeadSeen,
    Heard,
    HistoryRead,
    Known,
    Left,
    Missed,
    RightsMoved,
    RightsRead,
    SessionRead,
    SessionUnchanged,
    Stalled,
    Submitted,
    TokenRenewed,
    Told,
    Unavailable,
    Unresolved,
)
from collab.core.kept import Kept
from collab.core.meeting import End
from collab.core.state import RoomSettings
from collab.core.verdicts import Ticket
from collab.core.writing import BATCH_OPERATIONS
from protocol.cells import payload_sha256
from protocol.intents import (
    Heartbeat,
    Undo,
)
from protocol.notices import (
    Accepted,
    CopyDoubtful,
    Happened,
    HeartbeatShown,
    HistoryDepth,
    Rejected,
    TokenRefreshed,
)
from protocol.operations import Kind, Outcome, Skipped, Verdict
from protocol.refusals import Ending, Reason, Refusal
from protocol.values import (
    Caller,
    CellId,
    Epoch,
    Head,
    OperationId,
    Role,
    RoleAt,
    SocketId,
)
from tests.support.script import (
    EPOCH,
    FOUNDED,
    NOTHING_NEW,
    SESSION,
    After,
    Guest,
    Script,
    Together,
    add,
    answered,
    caller,
    change,
    dismissed,
    edit,
    head,
    joined,
    logged,
    participant,
    row,
    script,
    sent,
    session,
    some,
    told,
    user,
)

SESSION_READ = SessionRead(SESSION)
ANA, BO = SocketId("ana"), SocketId("bo")
A1, A2 = edit("a1", change("n1", x=5)), edit("a2", change("n1", x=6))
B1 = edit("b1", change("n2", x=5))
THEIRS = logged(FOUNDED, "di", "d1", change("n2", y=9))
THEIRS_2 = logged(advance(FOUNDED, THEIRS), "di", "d2", change("n2", y=8))
HAPPENED = some(object, notice=Happened)
ACCEPTED = some(object, notice=Accepted)


def commit(*ids: str, base: int = 0, attempt: int = 1, **fields: Any) -> Any:
    rows = tuple(row(id, base + place) for place, id in enumerate(ids, 1))
    return some(Commit, base=some(Head, vector=base, **fields), operations=rows, attempt=attempt)


# one call in flight ---------------------------------------------------------------------------------------------------


def test_VEC4_I7_an_operation_is_told_to_nobody_before_it_is_in_the_log() -> None:
    assert (
        script("ana", "bo")
        >> Asked(ANA, A1)
        << commit("a1")
        >> Asked(BO, B1)
        >> Committed()
        << sent("ana", Accepted, vector=1)
        << told(Happened, "ana", operation=row("a1", 1))
        << some(Publish, epoch=EPOCH, operations=(row("a1", 1),))
        << commit("b1", base=1)
    )


def test_a_commit_carries_the_head_it_was_judged_on_and_an_outcome_for_every_id() -> None:
    outcomes = (some(Outcome, operation_id="a1", verdict=Verdict.ACCEPTED, vector=1),)
    assert script("ana") >> Asked(ANA, A1) << some(Commit, base=head(FOUNDED), outcomes=outcomes)


def test_what_arrives_while_a_commit_is_in_flight_forms_the_next_batch() -> None:
    begun = script("ana", "bo") >> Asked(ANA, A1) << commit("a1") >> Asked(BO, B1) >> Asked(ANA, A2)
    assert begun >> Committed() << ACCEPTED << HAPPENED << Publish << commit("b1", "a2", base=1)


def test_edits_that_are_there_together_go_in_one_commit() -> None:
    begun = script("ana", "bo") >> Together(Asked(ANA, A1), Asked(BO, B1), Asked(ANA, A2))
    assert begun << commit("a1", "b1", "a2")


def test_what_is_there_beside_the_outcome_of_a_commit_goes_with_the_next() -> None:
    begun = script("ana", "bo") >> Asked(ANA, A1) << commit("a1") >> Asked(BO, B1)
    begun >> Together(Committed(), Asked(ANA, A2)) << ACCEPTED << HAPPENED << Publish
    assert begun << commit("b1", "a2", base=1)


def test_what_waits_goes_when_what_the_last_commit_came_to_is_told() -> None:
    begun = script("ana", "bo") >> Asked(ANA, A1) << commit("a1") >> Asked(BO, B1)
    assert begun >> Together(Committed(), Told()) << ACCEPTED << HAPPENED << Publish << commit("b1", base=1)


def test_I29_a_room_that_is_told_to_close_puts_off_no_commit() -> None:
    begun = script("ana", "bo") >> Asked(ANA, A1) << commit("a1") >> Asked(BO, B1) >> Closing()
    begun >> Together(Committed(), Told()) << ACCEPTED << HAPPENED << Publish << commit("b1", base=1)
    begun >> Committed() << sent("bo", Accepted) << told(Happened, "bo") << Publish
    assert begun << dismissed("ana", Ending.RESTART) << dismissed("bo", Ending.RESTART) << Snapshot << Closed


def test_I8_receipts_and_news_leave_in_the_order_of_the_log() -> None:
    begun = script("ana", "bo") >> Asked(ANA, A1) << commit("a1") >> Asked(BO, B1) >> Asked(ANA, A2)
    begun >> Committed() << ACCEPTED << HAPPENED << Publish << Commit
    begun >> Committed() << sent("bo", Accepted, vector=2) << told(Happened, "bo", operation=row("b1", 2))
    assert begun << sent("ana", Accepted, vector=3) << told(Happened, "ana", operation=row("a2", 3)) << Publish


def test_I6_a_no_is_said_only_after_the_commit_in_which_it_was_judged() -> None:
    begun = script("ana") >> Asked(ANA, edit("a1", change("n9", x=1)))
    begun << some(Commit, operations=(), outcomes=(some(Outcome, verdict=Verdict.REFUSED),))
    assert begun >> Committed() << sent("ana", Rejected, operation_id="a1")


def test_VEC3_no_ops_and_refusals_are_confirmed_with_no_vector() -> None:
    begun = (
        script("ana") >> Asked(ANA, edit("a1", change("n1", x=0))) << some(Commit, base=head(FOUNDED), operations=())
    )
    assert begun >> Committed() << sent("ana", Accepted, vector=0, changed=False)
    assert begun.diagram is FOUNDED


def test_VEC11_what_the_role_forbids_needs_no_commit() -> None:
    begun = script(Guest("cy", role=Role.READER)) >> Asked(SocketId("cy"), A1)
    assert begun << sent("cy", Rejected, refusal=some(Refusal, reason=Reason.PERMISSION_DENIED))


def test_WS19_a_forbidden_one_keeps_its_place_among_those_that_wait() -> None:
    begun = script("ana", Guest("cy", role=Role.READER)) >> Asked(ANA, A1) << Commit
    begun >> Asked(ANA, A2) >> Asked(SocketId("cy"), edit("c1", change("n1", x=1)))
    begun >> Committed() << ACCEPTED << HAPPENED << Publish << commit("a2", base=1)
    assert begun >> Committed() << ACCEPTED << HAPPENED << sent("cy", Rejected) << Publish


def test_WS19_whatever_the_role_forbids_is_answered_at_once_however_much_it_is() -> None:
    cy = SocketId("cy")
    begun = script("ana", Guest("cy", role=Role.READER))
    begun >> Together(*(Asked(cy, edit(f"c{number}", change("n1", x=1))) for number in range(BATCH_OPERATIONS + 1)))
    for number in range(BATCH_OPERATIONS + 1):
        begun << sent("cy", Rejected, operation_id=f"c{number}")
    assert begun


def test_I28_a_batch_takes_64_operations_and_leaves_the_rest_for_the_next() -> None:
    begun = script("ana") >> Asked(ANA, A1) << Commit
    for number in range(BATCH_OPERATIONS + 1):
        begun >> Asked(ANA, edit(f"m{number}", add(f"m{number}")))
    begun >> Committed() << ACCEPTED << HAPPENED << Publish
    assert begun << commit(*(f"m{number}" for number in range(BATCH_OPERATIONS)), base=1)


def test_I6_what_a_socket_sent_before_it_went_is_judged_and_then_it_has_left() -> None:
    begun = script("ana", "bo") >> Asked(ANA, A1) << Commit >> Asked(BO, B1)
    begun >> Left(BO, Departure.LOST)
    begun >> Committed() << ACCEPTED << HAPPENED << Publish << commit("b1", base=1)
    assert begun >> Committed() << sent("bo", Accepted) << told(Happened, "bo") << Publish << gone("bo")


def test_SES9_what_the_host_sent_before_a_clean_leave_comes_before_the_end() -> None:
    begun = script("ana", "bo") >> Asked(ANA, A1) << commit("a1")
    begun >> Left(ANA, Departure.CLEAN)
    begun >> Committed() << ACCEPTED << HAPPENED << Publish
    assert begun << some(ChangeSession, change=End(Ending.HOST_LEFT))


def test_SES15_what_waits_of_a_socket_that_is_sent_away_is_not_judged() -> None:
    begun = script("ana", "bo") >> Asked(ANA, A1) << Commit >> Asked(BO, B1)
    begun >> Barred(BO, Ending.TOKEN_EXPIRED) << dismissed("bo", Ending.TOKEN_EXPIRED) << gone("bo")
    assert begun >> Committed() << ACCEPTED << HAPPENED << Publish


def test_SES15_what_is_in_a_commit_of_a_socket_that_is_sent_away_is_told_to_the_others() -> None:
    begun = script("ana", "bo") >> Asked(BO, B1) << Commit
    begun >> Barred(BO, Ending.TOKEN_EXPIRED) << dismissed("bo", Ending.TOKEN_EXPIRED) << gone("bo")
    begun >> Committed() << sent("bo", Accepted)
    assert begun << told(Happened, "bo", operation=row("b1", 1)) << Publish


# histories ------------------------------------------------------------------------------------------------------------


def submitted(intent: Any = A1, by: str = "di", *, acl_version: int = 1, role: Role = Role.WRITER) -> Submitted:
    return Submitted(Ticket(1), caller(by), RoleAt(role, acl_version), intent)


def test_UN11_a_stack_is_read_from_the_log_before_its_user_is_judged() -> None:
    diagram = advance(FOUNDED, THEIRS)
    begun = script("ana", diagram=diagram) >> submitted(Undo(OperationId("u1"))) << ReadHistory(user("di").id)
    begun >> HistoryRead(user("di").id, (Kept.of(THEIRS),)) << commit("u1", base=1)
    begun >> Committed() << answered(1, Accepted, operation=row("u1", 2, kind=Kind.UNDO, undo_of=1)) << HAPPENED
    assert begun << Publish


def test_UN14_one_stack_for_all_is_read_once_for_everybody() -> None:
    shared = RoomSettings(shared_undo=True)
    begun = script(diagram=advance(FOUNDED, THEIRS), settings=shared) >> submitted(Undo(OperationId("u1")))
    begun << ReadHistory(None) >> HistoryRead(None, (Kept.of(THEIRS),)) << commit("u1", base=1)
    begun >> Committed() << answered(1, Accepted, history=HistoryDepth(0, 1)) << HAPPENED << Publish
    assert begun >> submitted(A1, by="bo") << commit("a1", base=2)


@pytest.mark.parametrize("kind", [Kind.UNDO, Kind.REDO])
def test_UN6_a_stack_is_read_again_where_it_turns_out_that_an_entry_was_used_up(kind: Kind) -> None:
    undo = Undo(OperationId("u1"))
    begun = script("ana", diagram=advance(FOUNDED, THEIRS)) >> submitted(undo) << ReadHistory
    begun >> HistoryRead(user("di").id, (Kept.of(THEIRS),)) << commit("u1", base=1)
    sha = payload_sha256(Kind.UNDO, ())
    known = Outcome(user("di").id, OperationId("u1"), sha, Verdict.NO_OP, EPOCH, 1, kind)
    begun >> Known({(known.user, known.operation_id): known}) << ReadHistory(user("di").id)
    begun >> HistoryRead(user("di").id, (Kept.of(THEIRS), known))
    assert begun << answered(1, Accepted, changed=False, duplicate=True)


def test_UN6_where_news_may_be_lost_a_stack_is_read_again_before_it_is_judged_by() -> None:
    begun = script("ana", diagram=advance(FOUNDED, THEIRS)) >> submitted(Undo(OperationId("u1"))) << ReadHistory
    begun >> HistoryRead(user("di").id, (Kept.of(THEIRS),)) << commit("u1", base=1) >> Committed()
    begun << answered(1, Accepted) << HAPPENED << Publish
    begun >> Heard(EPOCH, (), gap=True) << CatchUp << ReadSession >> SESSION_READ
    begun >> CaughtUp(head(begun.diagram)) >> submitted(Undo(OperationId("u2")))
    assert begun << ReadHistory(user("di").id)


def test_UN15_no_event_says_of_a_stack_what_is_known_to_be_untrue() -> None:
    first = logged(FOUNDED, "bo", "b1", change("n1", x=5))
    second = logged(advance(FOUNDED, first), "bo", "b2", change("n1", x=6))
    begun = script("bo", others={}) >> Heard(EPOCH, (first,))
    begun << told(Happened, history=HistoryDepth(1, 0)) << sent("bo", CopyDoubtful)
    begun >> Heard(EPOCH, (second,), used_up=(user("bo").id,))
    assert begun << told(Happened, history=None) << ReadHistory(user("bo").id)


def test_UN15_what_was_used_up_elsewhere_of_somebody_here_is_read_before_their_next_event() -> None:
    begun = script("bo", others={"w2": (participant("bo", "b2"),)})
    assert begun >> Heard(EPOCH, (), used_up=(user("bo").id,)) << ReadHistory(user("bo").id)


def test_I8_operations_of_others_wait_behind_one_whose_history_is_read() -> None:
    begun = script("ana") >> submitted() << ReadHistory >> Asked(ANA, A2)
    assert begun >> NOTHING_NEW << commit("a1", "a2")


def test_news_that_is_heard_while_a_history_is_read_is_told_right_after() -> None:
    begun = script("ana") >> submitted() << ReadHistory >> Heard(EPOCH, (THEIRS,))
    assert begun >> NOTHING_NEW << told(Happened, operation=THEIRS) << commit("a1", base=1)


# missed ---------------------------------------------------------------------------------------------------------------


def test_whoever_loses_the_race_follows_and_judges_anew() -> None:
    begun = script("ana") >> Asked(ANA, A1) << commit("a1")
    begun >> Missed(head(THEIRS), (THEIRS,)) << told(Happened, operation=THEIRS) << commit("a1", base=1, attempt=2)
    assert begun >> Committed() << sent("ana", Accepted, vector=2) << told(Happened, "ana") << Publish


def test_I6_a_verdict_on_an_old_state_is_never_told() -> None:
    begun = script("ana") >> Asked(ANA, edit("a1", add("n9"))) << commit("a1")
    first = logged(FOUNDED, "di", "d1", add("n9", label="theirs"))
    begun >> Missed(head(first), (first,)) << told(Happened, operation=first) << some(Commit, operations=())
    assert begun >> Committed() << sent("ana", Rejected, refusal=some(Refusal, reason=Reason.CONFLICT_DETECTED))


def test_the_attempts_of_a_batch_are_counted() -> None:
    begun = script("ana") >> Asked(ANA, A1) << commit("a1")
    begun >> Missed(head(THEIRS), (THEIRS,)) << HAPPENED << commit("a1", base=1, attempt=2)
    begun >> Missed(head(THEIRS_2), (THEIRS_2,)) << HAPPENED << commit("a1", base=2, attempt=3)
    begun >> Committed() << ACCEPTED << HAPPENED << Publish
    assert begun >> Asked(ANA, A2) << commit("a2", base=3, attempt=1)


def test_what_arrived_meanwhile_joins_the_next_attempt() -> None:
    begun = script("ana", "bo") >> Asked(ANA, A1) << commit("a1") >> Asked(BO, B1)
    assert begun >> Missed(head(THEIRS), (THEIRS,)) << HAPPENED << commit("a1", "b1", base=1, attempt=2)


def test_a_miss_that_brings_too_little_is_followed_by_a_read() -> None:
    begun = script("ana") >> Asked(ANA, A1) << commit("a1") >> Missed(head(THEIRS_2), (THEIRS,))
    begun << told(Happened, operation=THEIRS) << CatchUp(head(THEIRS))
    begun >> CaughtUp(head(THEIRS_2), (THEIRS_2,)) << told(Happened, operation=THEIRS_2)
    assert begun << commit("a1", base=2, attempt=2)


def test_VEC6_I16_another_epoch_is_loaded_before_anything_else_is_judged() -> None:
    begun = script("ana") >> Asked(ANA, A1) << Commit
    assert begun >> Missed(Head(Epoch("e2"), 4, 0, 1)) << Reload


def test_VEC5_a_head_below_ours_is_another_history() -> None:
    begun = script("ana", diagram=advance(FOUNDED, THEIRS)) >> Asked(ANA, A1) << Commit
    assert begun >> Missed(head(FOUNDED)) << Reload


def test_a_miss_does_not_lose_what_came_from_sockets_that_have_gone_since() -> None:
    begun = script("ana", "bo") >> Asked(BO, B1) << commit("b1")
    begun >> Left(BO, Departure.LOST)
    assert begun >> Missed(head(THEIRS), (THEIRS,)) << HAPPENED << commit("b1", base=1, attempt=2)


# rights ---------------------------------------------------------------------------------------------------------------


def rights(acl_version: int, **roles: RoleAt) -> RightsRead:
    return RightsRead(acl_version, {caller(name).bearer: role for name, role in roles.items()})


def test_AU15_I25_S47_a_right_that_is_withdrawn_stops_a_write_that_was_judged_already() -> None:
    begun = script("ana", "bo") >> Asked(BO, B1) << commit("b1", acl_version=1)
    begun >> Missed(head(FOUNDED, acl_version=2)) << ReadRights << ReadSession
    begun >> rights(2, ana=RoleAt(Role.OWNER, 2), bo=RoleAt(Role.READER, 2)) << told(object, roles_changed=True)
    assert begun >> NOTHING_NEW << sent("bo", Rejected, refusal=some(Refusal, reason=Reason.PERMISSION_DENIED))


def test_AU15_after_rights_moved_nothing_is_judged_before_rights_and_session_were_read() -> None:
    begun = script("ana", "bo") >> RightsMoved() << ReadRights << ReadSession >> Asked(BO, B1)
    same = {"ana": RoleAt(Role.WRITER, 2), "bo": RoleAt(Role.WRITER, 2)}
    begun >> rights(2, **same) << CatchUp >> CaughtUp(head(FOUNDED, acl_version=2))
    assert begun >> SESSION_READ << ReadSession >> SESSION_READ << commit("b1", acl_version=2)


def test_I21_a_session_that_was_read_before_rights_of_a_newer_clock_may_be_over() -> None:
    begun = script("bo") >> RightsMoved() << ReadRights << ReadSession >> Asked(BO, B1) >> SESSION_READ
    begun >> rights(2, bo=RoleAt(Role.WRITER, 2)) << CatchUp << ReadSession >> CaughtUp(head(FOUNDED, acl_version=2))
    assert begun >> SESSION_READ << commit("b1", acl_version=2)


def test_AU15_a_read_of_the_rights_that_was_under_way_does_not_count() -> None:
    begun = script("bo") >> RightsMoved() << ReadRights << ReadSession >> RightsMoved() >> Asked(BO, B1)
    begun >> rights(2, bo=RoleAt(Role.WRITER, 2)) << ReadRights
    begun >> rights(3, bo=RoleAt(Role.WRITER, 3)) << CatchUp >> CaughtUp(head(FOUNDED, acl_version=3))
    begun >> SESSION_READ << ReadSession
    assert begun >> SESSION_READ << commit("b1", acl_version=3)


def test_AU15_I25_a_program_that_comes_while_rights_are_read_is_read_as_well() -> None:
    begun = script("ana") >> RightsMoved() << ReadRights << ReadSession >> submitted()
    begun >> rights(2, ana=RoleAt(Role.WRITER, 2)) << ReadRights
    begun >> rights(2, ana=RoleAt(Role.WRITER, 2), di=RoleAt(Role.READER, 2)) << ReadHistory >> NOTHING_NEW << CatchUp
    begun >> SESSION_READ << ReadSession >> SESSION_READ >> CaughtUp(head(FOUNDED, acl_version=2))
    assert begun << answered(1, Rejected, refusal=some(Refusal, reason=Reason.PERMISSION_DENIED))


def test_AU15_I25_of_whoever_waits_to_be_let_in_the_rights_are_read_again_too() -> None:
    begun = script(others={}) >> joined("bo") << Survey << ReadHistory >> NOTHING_NEW << CatchUp >> NOTHING_NEW
    assert begun >> RightsMoved() << some(ReadRights, callers=(caller("bo"),)) << ReadSession


def test_I29_rights_are_not_read_for_ever_where_somebody_has_gone() -> None:
    begun = script("ana", "bo") >> Left(BO, Departure.LOST) << gone("bo")
    begun >> RightsMoved() << ReadRights((caller("ana"),)) << ReadSession
    assert begun >> rights(1, ana=RoleAt(Role.WRITER, 1)) << CatchUp


def test_I21_a_read_of_the_session_that_was_under_way_does_not_count() -> None:
    begun = script("bo") >> HeadSeen(head(FOUNDED), session_version=9) << ReadSession
    begun >> RightsMoved() << ReadRights >> rights(1, bo=RoleAt(Role.WRITER, 1)) << CatchUp
    begun >> CaughtUp(head(FOUNDED)) >> Asked(BO, B1)
    begun >> SESSION_READ << ReadSession
    assert begun >> SESSION_READ << commit("b1")


def test_a_program_whose_role_was_read_by_another_clock_makes_the_room_look() -> None:
    begun = script("ana") >> submitted(acl_version=2) << ReadRights << ReadSession
    begun >> rights(2, di=RoleAt(Role.WRITER, 2), ana=RoleAt(Role.WRITER, 2)) << ReadHistory
    begun >> SESSION_READ << ReadSession >> SESSION_READ
    assert begun >> HistoryRead(user("di").id, ()) << commit("a1", acl_version=2)


def test_AU16_a_program_with_another_token_may_do_what_that_one_says() -> None:
    begun = script("ana") >> submitted(role=Role.READER) << ReadHistory >> NOTHING_NEW << answered(1, Rejected)
    assert begun >> submitted(A2) << commit("a2")


def test_a_program_with_no_session_has_no_session_to_wait_for() -> None:
    begun = script() >> Left(ANA, Departure.LOST)
    begun.room.state.session = None
    begun >> submitted(acl_version=2) << ReadRights >> rights(2, di=RoleAt(Role.WRITER, 2)) << ReadHistory
    assert begun >> NOTHING_NEW << commit("a1", acl_version=2)


# known ----------------------------------------------------------------------------------------------------------------


def outcome(id: str, by: str, vector: int, verdict: Verdict = Verdict.ACCEPTED, **rest: Any) -> Known:
    sha = {"a1": A1, "b1": B1}[id].payload_sha256
    found = Outcome(user(by).id, OperationId(id), sha, verdict, EPOCH, vector, **rest)
    return Known({(found.user, found.operation_id): found})


def test_VEC8_I4_an_id_that_had_an_outcome_gets_it_and_the_rest_is_judged_anew() -> None:
    begun = script("ana", "bo", diagram=advance(FOUNDED, THEIRS)) >> Asked(ANA, A1) << Commit
    begun >> Asked(BO, B1) >> outcome("a1", "ana", 1) << commit("b1", base=1)
    assert begun >> Committed() << sent("ana", Accepted, vector=1, duplicate=True) << ACCEPTED << HAPPENED << Publish


def test_VEC8_an_outcome_from_above_our_vector_is_answered_once_we_stand_there() -> None:
    mine = logged(FOUNDED, "ana", "a1", *A1.changes)
    begun = script("ana", "bo") >> Asked(ANA, A1) << Commit >> outcome("a1", "ana", 1) << CatchUp
    begun >> CaughtUp(head(mine), (mine,)) << told(Happened, operation=mine)
    begun << some(object, notice=some(object, diagram=...))
    assert begun << sent("ana", Accepted, vector=1, duplicate=True)


# unknown outcomes -----------------------------------------------------------------------------------------------------


def test_I1_an_unknown_outcome_is_asked_for_by_the_same_commit_on_the_same_base() -> None:
    begun = script("ana", "bo") >> Asked(ANA, A1)
    begun << commit("a1") >> Unresolved() >> Asked(BO, B1)
    begun >> After(0.2) << commit("a1")
    assert begun >> Committed() << sent("ana", Accepted, duplicate=False) << HAPPENED << Publish << commit("b1", base=1)


def test_I8_when_it_turns_out_to_be_in_the_log_it_takes_its_slot_as_its_receipt() -> None:
    mine = logged(FOUNDED, "ana", "a1", *A1.changes)
    next_ = logged(advance(FOUNDED, mine), "di", "d2", change("n2", y=1))
    begun = script("ana", "bo") >> Asked(ANA, A1) << Commit >> Unresolved() >> After(0.2) << Commit
    begun >> Missed(head(next_), (mine, next_))
    begun << sent("ana", Accepted, vector=1, duplicate=False, operation=mine) << told(Happened, "ana", operation=mine)
    assert begun << told(Happened, operation=next_)


def test_I8_the_same_by_way_of_known_ids_with_what_an_undo_left_alone() -> None:
    mine = logged(FOUNDED, "ana", "a1", *A1.changes)
    begun = script("ana", "bo") >> Asked(ANA, A1) << Commit >> Unresolved() >> After(0.2) << Commit
    left = (Skipped(CellId("n2"), ("x",), "changed"),)
    begun >> outcome("a1", "ana", 1, skipped=left) << CatchUp >> CaughtUp(head(mine), (mine,))
    assert begun << sent("ana", Accepted, vector=1, operation=mine, skipped=left) << told(Happened, "ana")


def test_an_unknown_outcome_stays_unknown_while_the_store_is_away() -> None:
    begun = script("ana") >> Asked(ANA, A1) << Commit >> Unresolved() >> After(0.2) << commit("a1") >> Unavailable()
    assert begun >> After(0.2) << commit("a1")


# the store is away ----------------------------------------------------------------------------------------------------


AWAY = RoomSettings(store_patience_s=1.0, retry_s=0.25)


def away(begun: Script, effect: Any) -> Script:
    """The store answers nothing, however often it is asked; then the patience is over."""
    for _ in range(3):
        begun >> Unavailable() >> After(0.25) << effect
    return begun >> Unavailable() >> After(0.25)


def gone(name: str) -> Any:
    return some(object, notice=some(object, left=(user(name),)))


def test_I29_what_could_not_be_sent_is_tried_again_until_it_can() -> None:
    begun = script("ana", settings=AWAY) >> Asked(ANA, A1) << commit("a1")
    begun >> Unavailable() >> After(0.25) << commit("a1") >> Unavailable() >> After(0.25) << commit("a1")
    assert begun >> Committed() << ACCEPTED << HAPPENED << Publish


def test_I6_after_the_patience_our_own_clients_may_try_again_and_the_others_are_closed() -> None:
    begun = script("ana", Guest("bo", "tmi"), Guest("cy", "classic"), settings=AWAY) >> Asked(ANA, A1) << Commit
    begun >> Asked(BO, B1) >> Asked(SocketId("cy"), edit("c1", change("n1", y=1)))
    begun = away(begun, Commit)
    begun << sent("ana", Rejected, operation_id="a1", refusal=some(Refusal, reason=Reason.UNAVAILABLE, retry=True))
    begun << dismissed("bo", Ending.UNAVAILABLE) << gone("bo")
    assert begun << dismissed("cy", Ending.UNAVAILABLE) << gone("cy")


def test_I6_an_unknown_outcome_is_never_guessed_the_socket_is_closed_without_an_answer() -> None:
    begun = script("ana", "bo", settings=AWAY) >> Asked(BO, B1) << Commit >> Unresolved() >> After(0.25) << Commit
    begun >> Asked(BO, edit("b2", change("n2", x=6)))
    begun >> Unavailable() >> After(0.25) << Commit >> Unavailable() >> After(0.25) << Commit
    begun >> Unavailable() >> After(0.25)
    begun << sent("bo", Rejected, operation_id="b2", refusal=some(Refusal, retry=True))
    assert begun << dismissed("bo", Ending.UNAVAILABLE) << gone("bo") << CatchUp


def test_a_program_is_told_to_come_again() -> None:
    begun = away(script("ana", settings=AWAY) >> submitted(by="ana") << Commit, Commit)
    assert begun << answered(1, Rejected, operation_id="a1", refusal=some(Refusal, reason=Reason.UNAVAILABLE))


def test_a_program_with_an_unknown_outcome_is_told_no_more_than_to_come_again() -> None:
    begun = script("ana", settings=AWAY) >> submitted(by="ana") << Commit
    for _ in range(3):
        begun >> Unresolved() >> After(0.25) << Commit
    begun >> Unresolved() >> After(0.25)
    assert begun << answered(1, Rejected, refusal=some(Refusal, reason=Reason.UNAVAILABLE, retry=True)) << CatchUp


def test_a_socket_that_waits_to_be_let_in_is_closed_too() -> None:
    begun = away(script("ana", settings=AWAY) >> joined("cy") << ReadHistory, ReadHistory)
    assert begun << dismissed("cy", Ending.UNAVAILABLE)


def test_the_patience_begins_anew_with_every_answer_of_the_store() -> None:
    begun = script("ana", settings=AWAY) >> Asked(ANA, A1) << Commit >> Unavailable() >> After(0.25) << Commit
    begun >> Missed(head(THEIRS), (THEIRS,)) << HAPPENED << Commit
    assert away(begun, Commit) << sent("ana", Rejected)


def still_patient(begun: Script) -> Script:
    """Long after the trouble before, of which nothing counts any more."""
    begun >> After(1.0) >> Asked(ANA, A1) << Commit >> Unavailable() >> After(0.25)
    return begun << Commit


def test_the_patience_begins_anew_with_a_read_of_the_log() -> None:
    begun = script("ana", settings=AWAY) >> HeadSeen(head(THEIRS)) << CatchUp >> Unavailable() >> After(0.25) << CatchUp
    assert still_patient(begun >> CaughtUp(head(FOUNDED)))


def test_the_patience_begins_anew_with_a_read_of_the_rights() -> None:
    begun = script("ana", settings=AWAY) >> TokenRenewed(ANA, Caller(user("ana"), groups=("guild",)))
    begun << sent("ana", TokenRefreshed) << ReadRights << ReadSession >> SESSION_READ
    begun >> Unavailable() >> After(0.25) << ReadRights
    assert still_patient(begun >> rights(1, ana=RoleAt(Role.WRITER, 1)))


def test_the_patience_begins_anew_with_a_history() -> None:
    begun = script("ana", settings=AWAY) >> submitted() << ReadHistory >> Unavailable() >> After(0.25) << ReadHistory
    begun >> NOTHING_NEW << Commit >> After(1.0) >> Unavailable() >> After(0.25)
    assert begun << Commit


def test_I29_a_session_that_is_over_ends_though_the_store_is_away() -> None:
    begun = script("ana") >> HeadSeen(head(FOUNDED), session_version=2) << ReadSession
    begun >> SessionRead(session(version=2, ended=Ending.IDLE)) << CatchUp
    assert begun >> Unavailable() << dismissed("ana", Ending.IDLE)


def test_I29_whoever_looks_while_the_store_is_away_is_shown_what_is_known() -> None:
    begun = script("ana") >> Stalled() << ReadRights << ReadSession >> Asked(ANA, Heartbeat("r"))
    begun >> rights(1, ana=RoleAt(Role.WRITER, 1)) << CatchUp
    assert begun >> Unavailable() << sent("ana", HeartbeatShown)


def test_I21_the_patience_covers_a_session_that_cannot_be_read() -> None:
    begun = script("ana", settings=AWAY) >> RightsMoved() << ReadRights << ReadSession
    begun >> rights(1, ana=RoleAt(Role.WRITER, 1)) << CatchUp >> CaughtUp(head(FOUNDED)) >> Asked(ANA, A1)
    for _ in range(3):
        begun >> SessionUnchanged() >> After(0.25) << ReadSession
    begun >> SessionUnchanged() >> After(0.25)
    assert begun << sent("ana", Rejected, refusal=some(Refusal, reason=Reason.UNAVAILABLE)) << ReadSession


def test_a_session_that_cannot_be_read_sends_no_commit_twice() -> None:
    begun = script("ana") >> Asked(ANA, A1) << Commit >> RightsMoved() << ReadSession >> SessionUnchanged()
    assert begun >> After(0.2) << ReadSession


READS: dict[type, Event] = {
    ReadHistory: submitted(),
    CatchUp: HeadSeen(head(THEIRS)),
    Reload: HeadSeen(Head(Epoch("e2"), 0, 0, 1)),
}


@pytest.mark.parametrize("read", READS)
def test_I29_a_read_that_failed_is_made_again(read: type) -> None:
    assert script("bo") >> READS[read] << read >> Unavailable() >> After(0.2) << read


def test_I29_a_read_of_the_rights_that_failed_is_made_again() -> None:
    begun = script("bo") >> RightsMoved() << ReadRights << ReadSession >> Unavailable()
    assert begun >> After(0.2) << ReadRights

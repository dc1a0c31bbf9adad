"""What a verdict becomes once it may be told: the author's answer, and the news for everybody else."""

from __future__ import annotations

import msgspec
import pytest

from collab.core.apply import advance
from collab.core.effects import CatchUp, Commit, Publish
from collab.core.events import Asked, CaughtUp, Committed, Known, Missed, Submitted, Unresolved
from collab.core.state import RoomSettings
from collab.core.verdicts import Ticket
from protocol.intents import AskResync, AskState, Edit, Misedit, Replace, Undo
from protocol.notices import Accepted, CopyDoubtful, Corrected, Happened, HistoryDepth, Rejected, StateShown
from protocol.operations import CellChange, Kind, Outcome, Verb, Verdict
from protocol.refusals import Reason, Refusal
from protocol.statehash import canonical_bytes
from protocol.values import CellId, OperationId, Role, RoleAt, SocketId
from tests.support.script import (
    EPOCH,
    FOUNDED,
    START,
    After,
    Guest,
    Script,
    add,
    answered,
    caller,
    change,
    edge,
    edit,
    head,
    logged,
    node,
    remove,
    row,
    script,
    sent,
    session,
    some,
    told,
    user,
)

ANA, BO = SocketId("ana"), SocketId("bo")
EDIT = edit("a1", change("n1", x=5), ref="r")
Accepted_ = some(object, notice=Accepted)
Happened_ = some(object, notice=Happened)
Rejected_ = some(object, notice=Rejected)


def committed(on: Script, intent: Edit | Undo, by: str = "ana") -> Script:
    return on >> Asked(SocketId(by), intent) << Commit >> Committed()


# accepted -------------------------------------------------------------------------------------------------------------


def test_OP19_the_sender_gets_its_receipt_and_all_others_the_event() -> None:
    assert (
        committed(script("ana", "bo", of=session(start_vector=0)), EDIT)
        << sent("ana", Accepted, operation_id="a1", vector=1, changed=True, duplicate=False, ref="r", kind=Kind.EDIT)
        << told(Happened, "ana", operation=row("a1", 1), start_vector=0)
        << Publish
    )


def test_OP19_the_receipt_holds_what_was_asked_and_what_came_of_it() -> None:
    assert (
        committed(script("ana"), EDIT)
        << sent("ana", Accepted, asked=EDIT.changes, operation=row("a1", 1), by=user("ana"), history=HistoryDepth(1))
        << told(Happened, "ana")
        << Publish
    )


def test_a_receipt_that_must_show_the_cells_holds_nothing_that_was_asked() -> None:
    respelled = msgspec.structs.replace(EDIT, respelled=True)
    assert (
        committed(script("ana"), respelled)
        << sent("ana", Accepted, asked=(), operation=row("a1", 1))
        << told(Happened, "ana")
        << Publish
    )


def test_I7_an_event_shows_the_diagram_right_after_it() -> None:
    begun = script("ana") >> Asked(ANA, EDIT) << Commit >> Asked(ANA, edit("a2", change("n1", x=6)))
    begun >> Committed() << sent("ana", Accepted, after=some(object, vector=1))
    assert begun << told(Happened, "ana", after=some(object, vector=1)) << Publish << Commit


def test_OP11_a_no_op_is_told_to_the_sender_alone() -> None:
    assert committed(script("ana", "bo"), edit("a1", change("n1", x=0))) << sent(
        "ana", Accepted, changed=False, duplicate=False, vector=0, operation=None
    )


def test_E2_a_no_op_holds_what_was_asked_however_it_was_spelled() -> None:
    nothing = msgspec.structs.replace(edit("a1", change("n1", x=0)), respelled=True)
    assert committed(script("ana"), nothing) << sent("ana", Accepted, changed=False, asked=nothing.changes)


def test_VEC12_the_count_of_the_session_goes_with_every_event() -> None:
    begun = committed(script("ana", of=session(start_vector=3)), EDIT)
    assert begun << sent("ana", Accepted, start_vector=3) << told(Happened, "ana", start_vector=3) << Publish


# again ----------------------------------------------------------------------------------------------------------------


def test_VEC8_a_retry_of_an_accepted_one_gets_its_vector_and_nobody_hears_of_it() -> None:
    begun = committed(script("ana", "bo"), EDIT) << Accepted_ << Happened_ << Publish
    begun = committed(begun, edit("b1", change("n2", x=1)), "bo") << Accepted_ << Happened_ << Publish
    assert begun >> Asked(ANA, EDIT) << sent("ana", Accepted, vector=1, changed=True, duplicate=True, operation=None)


def test_VEC8_a_retry_of_a_no_op_is_a_no_op_again() -> None:
    nothing = edit("a1", change("n1", x=0))
    begun = committed(script("ana", "bo"), nothing) << Accepted_
    assert begun >> Asked(ANA, nothing) << sent("ana", Accepted, changed=False, duplicate=True)


def test_VEC8_a_retry_of_a_refused_one_is_refused_again() -> None:
    impossible = edit("a1", change("n9", x=0))
    begun = committed(script("ana", "bo"), impossible) << Rejected_
    begun = committed(begun, edit("b1", add("n9")), "bo") << Accepted_ << Happened_ << Publish
    assert (
        begun
        >> Asked(ANA, impossible)
        << sent("ana", Rejected, operation_id="a1", refusal=some(Refusal, reason=Reason.CONFLICT_DETECTED))
    )


def test_VEC8_it_is_refused_for_the_same_reason() -> None:
    loose = edit("a1", CellChange(CellId("e1"), Verb.ADD, edge("e1", "n1", "gone")))
    begun = committed(script("ana"), loose)
    for _ in range(2):
        begun << sent("ana", Rejected, refusal=some(Refusal, reason=Reason.VALIDATION_FAILED)) >> Asked(ANA, loose)
    assert begun << some(object, notice=Rejected)


def test_VEC8_what_the_store_knows_is_answered_although_this_room_never_heard_of_it() -> None:
    """A retry after a restart: accepted before the room was loaded."""
    first = Outcome(user("ana").id, EDIT.operation_id, EDIT.payload_sha256, Verdict.ACCEPTED, EPOCH, 0)
    begun = script("ana", "bo") >> Asked(ANA, EDIT) << Commit
    assert (
        begun >> Known({(user("ana").id, EDIT.operation_id): first}) << sent("ana", Accepted, vector=0, duplicate=True)
    )


# refused --------------------------------------------------------------------------------------------------------------


def test_a_refusal_shows_the_affected_cells_as_they_are() -> None:
    begun = committed(script("ana"), edit("a1", add("n1", x=77), ref="r"))
    assert begun << sent(
        "ana", Rejected, operation_id="a1", vector=0, current_cells=(node("n1"),), ref="r", at_ms=START.wall_ms
    )


def test_a_refusal_shows_no_cell_that_is_gone() -> None:
    begun = committed(script("ana"), edit("a1", change("n9", x=5)))
    assert begun << sent("ana", Rejected, refusal=some(Refusal, affected=("n9",)), current_cells=())


def test_WS19_one_that_is_invalid_by_itself_is_refused_at_once_with_the_cells_it_names() -> None:
    refusal = Refusal(Reason.VALIDATION_FAILED, "x must be a number", (CellId("n1"),))
    begun = script("ana") >> Asked(ANA, EDIT) << Commit
    begun >> Asked(ANA, Misedit("a2", refusal, "r"))
    assert begun << sent("ana", Rejected, operation_id="a2", refusal=refusal, current_cells=(node("n1"),), ref="r")


def test_S40_a_reader_hears_of_the_right_before_anything_else() -> None:
    begun = script("ana", Guest("cy", role=Role.READER))
    refusal = Refusal(Reason.VALIDATION_FAILED, "x must be a number")
    assert (
        begun
        >> Asked(SocketId("cy"), Misedit("c1", refusal))
        << sent("cy", Rejected, operation_id="c1", refusal=some(Refusal, reason=Reason.PERMISSION_DENIED))
    )


def test_S40_I12_an_edit_of_a_reader_is_refused_with_its_id_and_leaves_no_trace() -> None:
    begun = script("ana", Guest("cy", role=Role.READER))
    for intent in (edit("c1", change("n1", x=5)), Undo(OperationId("c1"))):
        begun >> Asked(SocketId("cy"), intent)
        begun << sent("cy", Rejected, operation_id="c1", refusal=some(Refusal, reason=Reason.PERMISSION_DENIED))
    assert begun.diagram is FOUNDED
    assert begun


# programs -------------------------------------------------------------------------------------------------------------


def submitted(intent: Edit | Replace, ticket: int = 7, by: str = "bo") -> Submitted:
    return Submitted(Ticket(ticket), caller(by), RoleAt(Role.WRITER, 1), intent)


def test_RE17_a_program_is_answered_once_and_every_socket_hears_of_it() -> None:
    begun = script("ana", "bo") >> submitted(edit("r1", change("n1", x=5), kind=Kind.REST)) << Commit >> Committed()
    begun << answered(7, Accepted, operation_id="r1", vector=1)
    assert begun << told(Happened, operation=row("r1", 1, kind=Kind.REST)) << sent("bo", CopyDoubtful) << Publish


def test_OP9_a_refusal_of_a_program_is_the_same() -> None:
    begun = script("ana") >> submitted(edit("r1", change("n9", x=5)), by="ana") << Commit >> Committed()
    assert begun << answered(7, Rejected, operation_id="r1", refusal=some(Refusal, reason=Reason.CONFLICT_DETECTED))


# corrections ----------------------------------------------------------------------------------------------------------

EDGE = CellChange(CellId("e1"), Verb.ADD, edge("e1", "n1", "n2"))


def test_OP20_a_sender_whose_copy_is_wrong_now_is_corrected_after_its_receipt() -> None:
    begun = committed(script(Guest("ana", "tmi"), "bo"), edit("b1", EDGE), "bo") << Accepted_ << Happened_ << Publish
    begun = committed(begun, edit("a1", remove("n1"), base_vector=1))
    begun << sent("ana", Accepted) << sent("ana", Corrected, cells=("e1",), operation=row("a1", 2))
    assert begun << told(Happened, "ana") << Publish


def test_OP20_a_change_that_the_sender_had_not_seen_is_told_back() -> None:
    begun = committed(script(Guest("ana", "tmi"), "bo"), edit("b1", change("n1", x=1)), "bo")
    begun << Accepted_ << Happened_ << Publish
    begun = committed(begun, edit("a1", change("n1", x=2), base_vector=0))
    assert begun << Accepted_ << sent("ana", Corrected, cells=("n1",)) << Happened_ << Publish


@pytest.mark.parametrize("known", [False, True])
def test_OP20_a_sender_is_corrected_although_the_answer_of_the_commit_got_lost(known: bool) -> None:
    flow = logged(FOUNDED, "bo", "b1", EDGE)
    before = advance(FOUNDED, flow)
    mine = logged(before, "ana", "a1", remove("n1"))
    begun = script(Guest("ana", "tmi"), "bo", diagram=before) >> Asked(ANA, edit("a1", remove("n1"), base_vector=1))
    begun << Commit >> Unresolved() >> After(0.2) << Commit
    if known:
        noted = Outcome(user("ana").id, OperationId("a1"), b"", Verdict.ACCEPTED, EPOCH, 2)
        begun >> Known({(noted.user, noted.operation_id): noted}) << CatchUp >> CaughtUp(head(mine), (mine,))
    else:
        begun >> Missed(head(mine), (mine,))
    begun << sent("ana", Accepted) << sent("ana", Corrected, cells=("e1",), operation=mine)
    assert begun << told(Happened, "ana")


def nested(id: str, x: float, base_vector: int) -> Edit:
    return msgspec.structs.replace(edit(id, change("n1", x=x), base_vector=base_vector), respelled=True)


def test_OP20_TMIs_app_reads_its_vector_after_the_edit_so_what_just_came_counts_as_unseen() -> None:
    begun = committed(script(Guest("ana", "tmi"), "bo"), edit("b1", change("n1", x=1)), "bo")
    begun << Accepted_ << Happened_ << Publish
    begun = committed(begun >> After(0.4), nested("a1", 2, base_vector=1))
    assert begun << Accepted_ << sent("ana", Corrected, cells=("n1",)) << Happened_ << Publish


def test_OP20_what_came_long_before_was_seen() -> None:
    begun = committed(script(Guest("ana", "tmi"), "bo"), edit("b1", change("n1", x=1)), "bo")
    begun << Accepted_ << Happened_ << Publish
    assert committed(begun >> After(0.6), nested("a1", 2, base_vector=1)) << Accepted_ << Happened_ << Publish


def test_OP20_a_tmi_client_that_writes_as_the_server_does_has_seen_what_it_says() -> None:
    begun = committed(script(Guest("ana", "tmi"), "bo"), edit("b1", change("n1", x=1)), "bo")
    begun << Accepted_ << Happened_ << Publish
    assert committed(begun, edit("a1", change("n1", x=2), base_vector=1)) << Accepted_ << Happened_ << Publish


def test_OP20_what_a_tmi_client_did_before_it_was_shown_the_diagram_is_shown_to_it_again() -> None:
    begun = (
        script(Guest("ana", "tmi")) >> Asked(ANA, EDIT) << Commit >> Asked(ANA, AskState()) << sent("ana", StateShown)
    )
    assert begun >> Committed() << Accepted_ << sent("ana", Corrected, cells=("n1",)) << Happened_ << Publish


def test_OP20_so_is_what_it_did_before_that_and_sent_after() -> None:
    begun = committed(script(Guest("ana", "tmi"), "bo"), edit("b1", change("n2", x=1)), "bo")
    begun << Accepted_ << Happened_ << Publish >> Asked(ANA, AskState()) << sent("ana", StateShown)
    begun = committed(begun, edit("a1", change("n1", x=2), base_vector=0))
    assert begun << Accepted_ << sent("ana", Corrected, cells=("n1",)) << Happened_ << Publish


def test_OP20_so_is_what_it_did_to_a_cell_before_a_correction_of_that_cell() -> None:
    begun = committed(script(Guest("ana", "tmi"), "bo"), edit("b1", change("n1", x=1)), "bo")
    begun << Accepted_ << Happened_ << Publish
    begun >> Asked(ANA, edit("a1", change("n1", x=2), base_vector=0)) << Commit
    begun >> Asked(ANA, edit("a2", change("n1", x=3), base_vector=1)) >> Committed()
    begun << Accepted_ << sent("ana", Corrected, cells=("n1",)) << Happened_ << Publish << Commit >> Committed()
    assert begun << Accepted_ << sent("ana", Corrected, cells=("n1",)) << Happened_ << Publish


# the sender's other sockets -------------------------------------------------------------------------------------------

TWO_TABS = (Guest("ana", "classic"), Guest("ana", "classic", socket="ana2"), Guest("bo"))


def test_OP20_E8_the_senders_other_sockets_are_told_that_their_copy_is_doubtful() -> None:
    begun = committed(script(*TWO_TABS), EDIT) << Accepted_
    assert begun << told(Happened, "ana") << sent("ana2", CopyDoubtful) << Publish


def test_OP20_E8_at_most_once_a_second_and_the_last_time_is_not_lost() -> None:
    begun = committed(script(*TWO_TABS), EDIT) << Accepted_ << Happened_ << sent("ana2", CopyDoubtful) << Publish
    for id in ("a2", "a3"):
        begun = committed(begun, edit(id, add(id))) << Accepted_ << Happened_ << Publish
    begun >> After(0.9)
    begun >> After(0.1) << sent("ana2", CopyDoubtful, diagram=some(object, vector=3))
    assert begun >> After(1.0)


def test_OP20_E8_another_users_event_makes_nobody_doubt() -> None:
    assert committed(script(*TWO_TABS), edit("b1", add("n9")), "bo") << Accepted_ << told(Happened, "bo") << Publish


@pytest.mark.parametrize("shared", [False, True])
def test_UN15_the_news_of_an_operation_holds_the_depth_of_the_stack_that_it_moved(shared: bool) -> None:
    assert (
        committed(script("ana", "bo", settings=RoomSettings(shared_undo=shared)), EDIT)
        << sent("ana", Accepted, history=HistoryDepth(1))
        << told(Happened, "ana", history=HistoryDepth(1), shared_undo=shared)
        << Publish
    )


def test_UN12_E5_an_undo_needs_no_such_word_since_it_is_shown_whole() -> None:
    begun = script(*TWO_TABS)
    begun = committed(begun, EDIT) << Accepted_ << Happened_ << sent("ana2", CopyDoubtful) << Publish >> After(1.0)
    begun = committed(begun, Undo(OperationId("u1")))
    begun << sent("ana", Accepted, kind=Kind.UNDO, operation=row("u1", 2, kind=Kind.UNDO, undo_of=1))
    assert begun << some(object, notice=some(Happened, operation=row("u1", 2)), by=user("ana").id) << Publish


# undo -----------------------------------------------------------------------------------------------------------------


def test_UN8_an_empty_stack_is_told_to_the_requester_only() -> None:
    begun = committed(script("ana", "bo"), Undo(OperationId("u1"), "r"))
    nothing = some(Refusal, reason=Reason.NOTHING_TO_UNDO)
    assert begun << sent("ana", Rejected, operation_id="u1", refusal=nothing, kind=Kind.UNDO, ref="r")


def test_UN9_S40_a_reader_undoes_nothing() -> None:
    begun = script("ana", Guest("cy", "classic", Role.READER)) >> Asked(SocketId("cy"), Undo(OperationId("u1")))
    assert begun << sent("cy", Rejected, kind=Kind.UNDO, refusal=some(Refusal, reason=Reason.PERMISSION_DENIED))


def test_UN6_an_undo_that_finds_nothing_to_invert_says_what_it_left_alone() -> None:
    begun = committed(script("ana", "bo"), EDIT) << Accepted_ << Happened_ << Publish
    begun = committed(begun, edit("b1", change("n1", x=6)), "bo") << Accepted_ << Happened_ << Publish
    begun = committed(begun, Undo(OperationId("u1")))
    left = some(object, id="n1", keys=("x",), why="changed")
    assert begun << sent("ana", Accepted, changed=False, vector=2, skipped=(left,), history=HistoryDepth(0, 0))


def test_OP20_a_classic_client_that_edits_while_it_fetches_is_told_to_fetch_again() -> None:
    cy = SocketId("cy")
    begun = script("ana", Guest("cy", "classic")) >> Asked(cy, AskState()) << sent("cy", StateShown)
    begun >> Asked(cy, edit("c1", change("n1", x=5))) << Commit
    assert begun >> Committed() << sent("cy", Accepted) << sent("cy", CopyDoubtful) << told(Happened, "cy") << Publish


def test_OP20_a_classic_client_whose_state_has_long_arrived_is_not_told_to_fetch() -> None:
    cy = SocketId("cy")
    begun = script("ana", Guest("cy", "classic")) >> Asked(cy, AskState()) << sent("cy", StateShown)
    begun >> After(1.5) >> Asked(cy, edit("c1", change("n1", x=5))) << Commit
    assert begun >> Committed() << sent("cy", Accepted) << told(Happened, "cy") << Publish


def told_to_fetch() -> Script:
    """A classic client whose edit was refused, so that it fetches the diagram by REST."""
    begun = script("ana", Guest("cy", "classic"))
    return committed(begun, edit("c1", change("gone", x=5)), "cy") << sent("cy", Rejected)


def test_OP20_a_classic_client_that_fetches_is_told_to_fetch_again_after_what_another_did_meanwhile() -> None:
    begun = committed(told_to_fetch(), edit("a1", change("n1", x=5))) << Accepted_ << Happened_
    assert begun << sent("cy", CopyDoubtful) << Publish


def overtaken(begun: Script) -> Script:
    """Another's edit that the body which `cy` is fetching may lack."""
    begun = committed(begun, edit("a1", change("n1", x=7))) << Accepted_ << Happened_
    return begun << sent("cy", CopyDoubtful) << Publish


def test_OP20_so_it_is_where_it_fetches_because_its_edit_was_no_edit() -> None:
    misedit = Misedit(OperationId("c1"), Refusal(Reason.VALIDATION_FAILED, "why"))
    assert overtaken(script("ana", Guest("cy", "classic")) >> Asked(SocketId("cy"), misedit) << sent("cy", Rejected))


def test_OP20_so_it_is_where_it_asked_how_to_fetch() -> None:
    assert overtaken(script("ana", Guest("cy", "classic")) >> Asked(SocketId("cy"), AskResync()) << some(object))


def test_OP20_UN6_so_it_is_where_it_fetches_because_of_an_undo_without_effect() -> None:
    begun = committed(script("ana", Guest("cy", "classic")), edit("c1", change("n1", x=5)), "cy")
    begun << sent("cy", Accepted) << Happened_ << Publish
    begun = committed(begun, edit("a0", change("n1", x=6))) << Accepted_ << Happened_ << Publish
    assert overtaken(committed(begun, Undo(OperationId("u1")), "cy") << sent("cy", Accepted, changed=False))


def test_OP20_E5_so_it_is_where_it_fetches_because_of_an_undo() -> None:
    begun = committed(script("ana", Guest("cy", "classic")), edit("c1", change("n1", x=5)), "cy")
    begun << sent("cy", Accepted) << Happened_ << Publish
    assert overtaken(committed(begun, Undo(OperationId("u1")), "cy") << sent("cy", Accepted) << Happened_ << Publish)


def test_OP20_E4_so_it_is_where_it_fetches_because_of_a_correction() -> None:
    begun = committed(script("ana", Guest("cy", "classic")), edit("c1", EDGE), "cy")
    begun << sent("cy", Accepted) << Happened_ << Publish
    begun = committed(begun, edit("c2", remove("n2")), "cy") << sent("cy", Accepted) << sent("cy", Corrected)
    assert overtaken(begun << Happened_ << Publish)


def test_OP20_E7_so_it_is_where_it_fetches_because_of_another_order() -> None:
    turned = (node("n2"), node("n1"))
    replace = Replace(OperationId("r1"), turned, tuple(map(canonical_bytes, turned)), b"sha")
    begun = script("ana", Guest("cy", "classic")) >> submitted(replace, by="ana") << Commit >> Committed()
    assert overtaken(begun << answered(7, Accepted) << Happened_ << Publish)


def test_OP20_E8_so_it_is_where_it_fetches_because_its_copy_was_doubtful() -> None:
    begun = committed(script(*TWO_TABS), EDIT) << Accepted_ << Happened_ << sent("ana2", CopyDoubtful) << Publish
    begun = committed(begun >> After(0.5), edit("b1", add("n9")), "bo") << Accepted_ << Happened_ << Publish
    assert begun >> After(0.5) << sent("ana2", CopyDoubtful)


def test_OP20_but_not_once_it_has_long_fetched() -> None:
    begun = committed(told_to_fetch() >> After(1.5), edit("a1", change("n1", x=5)))
    assert begun << Accepted_ << Happened_ << Publish


def test_OP20_nor_for_a_state_that_came_in_its_place_among_the_operations() -> None:
    cy = SocketId("cy")
    begun = script("ana", Guest("cy", "classic")) >> Asked(cy, AskState()) << sent("cy", StateShown)
    assert committed(begun, edit("a1", change("n1", x=5))) << Accepted_ << Happened_ << Publish


def test_OP20_a_newcomer_may_edit_at_once() -> None:
    cy = SocketId("cy")
    begun = script("ana", Guest("cy", "classic")) >> Asked(cy, edit("c1", change("n1", x=5))) << Commit
    assert begun >> Committed() << sent("cy", Accepted) << told(Happened, "cy") << Publish

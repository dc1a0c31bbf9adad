"""The room as a whole: looks, cursors, rights, time, and how it closes."""

from __future__ import annotations

from typing import Any

import pytest

from collab.core.effects import (
    Announce,
    CatchUp,
    ChangeSession,
    Closed,
    Commit,
    Publish,
    ReadHistory,
    ReadRights,
    ReadSession,
    Reload,
    Replay,
    Snapshot,
    Survey,
    WakeAt,
)
from collab.core.events import (
    Asked,
    CaughtUp,
    Closing,
    Committed,
    Departure,
    Gone,
    HeadSeen,
    Heard,
    Lagged,
    Left,
    RightsMoved,
    RightsRead,
    SessionChanged,
    SessionRead,
    SessionUnchanged,
    Submitted,
    Surveyed,
    TokenRenewed,
    Unavailable,
    Woke,
)
from collab.core.meeting import End
from collab.core.ration import BURST, INTERVAL_S
from collab.core.verdicts import Ticket
from protocol.intents import (
    AskResync,
    AskState,
    AskVector,
    Aware,
    GrantPresenter,
    Heartbeat,
    Intent,
    RefreshToken,
    Replace,
    Resume,
)
from protocol.notices import (
    Accepted,
    AwarenessShown,
    AwareUpdate,
    CopyDoubtful,
    Happened,
    HeartbeatShown,
    Rejected,
    Resumed,
    ResyncAdvised,
    RosterChanged,
    StateReason,
    StateShown,
    TokenRefreshed,
    VectorShown,
)
from protocol.refusals import Ending, Reason, Refusal
from protocol.values import Caller, Epoch, Head, Instant, OperationId, Role, RoleAt, SocketId
from tests.support.script import (
    DIAGRAM,
    EPOCH,
    FOUNDED,
    SESSION,
    START,
    THREAT_MODEL,
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
    row,
    script,
    sent,
    session,
    some,
    told,
    user,
)

ANA, BO, CY = SocketId("ana"), SocketId("bo"), SocketId("cy")
A1 = edit("a1", change("n1", x=5))
THEIRS = logged(FOUNDED, "di", "d1", change("n2", y=9))
ACCEPTED, HAPPENED = some(object, notice=Accepted), some(object, notice=Happened)

# looks ----------------------------------------------------------------------------------------------------------------


def test_a_heartbeat_is_told_to_all_every_15_s_as_long_as_somebody_is_there() -> None:
    begun = script("ana") >> After(15.0) << told(HeartbeatShown, vector=0, epoch=EPOCH, state_hash=FOUNDED.state_hash)
    begun >> After(15.0) << told(HeartbeatShown)
    begun >> Left(ANA, Departure.LOST) << ChangeSession
    assert begun >> After(60.0)


def test_VEC14_a_heartbeat_on_request_shows_the_hash_at_the_vector_beside_it() -> None:
    begun = script("ana") >> Heard(EPOCH, (THEIRS,)) << HAPPENED >> Asked(ANA, Heartbeat("r"))
    assert begun << sent("ana", HeartbeatShown, vector=1, state_hash=THEIRS.state_hash, ref="r", at_ms=START.wall_ms)


def test_a_state_that_the_caller_has_is_not_sent_again() -> None:
    assert script("ana") >> Asked(ANA, AskState(0)) << sent("ana", VectorShown, vector=0)


@pytest.mark.parametrize("vector", [None, 3])
def test_whoever_stands_elsewhere_is_shown_the_whole_diagram(vector: int | None) -> None:
    begun = script("ana") >> Asked(ANA, AskState(vector, "r"))
    assert begun << sent("ana", StateShown, diagram=FOUNDED, reason=StateReason.REQUESTED, ref="r")


def test_the_vector_is_told_on_request() -> None:
    assert script("ana") >> Asked(ANA, AskVector()) << sent("ana", VectorShown, vector=0)


def test_a_resync_is_advised_by_rest() -> None:
    begun = script("ana") >> Asked(ANA, AskResync())
    assert begun << sent("ana", ResyncAdvised, user=user("ana"), diagram_id=DIAGRAM, threat_model_id=THREAT_MODEL)


def test_WS17_a_resume_at_any_time_gets_what_was_missed_and_repeats_its_ref() -> None:
    begun = script("ana") >> Heard(EPOCH, (THEIRS,)) << HAPPENED >> Asked(ANA, Resume(EPOCH, 0, ref="r"))
    assert begun << some(Replay, socket="ana", notices=(some(Resumed, since=0, to=1, ref="r"), Happened))


def test_WS17_a_resume_that_misses_nothing_is_not_rationed() -> None:
    begun = script("ana")
    for _ in range(BURST + 1):
        begun >> Asked(ANA, Resume(EPOCH, 0)) << some(Replay, notices=(Resumed,))
    assert begun


def test_S76_events_of_a_resume_are_rationed_as_full_states_are() -> None:
    begun = script("ana") >> Heard(EPOCH, (THEIRS,)) << HAPPENED
    for _ in range(BURST):
        begun >> Asked(ANA, Resume(EPOCH, 0)) << some(Replay, notices=(Resumed, Happened))
    begun >> Asked(ANA, Resume(EPOCH, 0, ref="r")) >> Asked(ANA, Resume(EPOCH, 0, ref="s"))
    assert begun >> After(INTERVAL_S) << sent("ana", StateShown, reason=StateReason.RESUME_IMPOSSIBLE, ref="s")


def test_WS18_who_was_away_longer_than_ids_are_remembered_is_told_not_to_send_again() -> None:
    begun = script("ana")
    for _ in range(BURST):
        begun >> Asked(ANA, Resume(Epoch("e0"), 0, forgotten=True)) << sent("ana", StateShown, resend=False)
    begun >> Asked(ANA, Resume(Epoch("e0"), 0, forgotten=True)) >> After(INTERVAL_S)
    assert begun << sent("ana", StateShown, reason=StateReason.RESUME_IMPOSSIBLE, resend=False)


@pytest.mark.parametrize("other", [AskState(), Resume(EPOCH, 0), Resume(Epoch("e0"), 0)])
def test_WS18_another_request_takes_nothing_back_of_what_an_awaited_state_has_to_say(other: Intent) -> None:
    begun = script("ana") >> Heard(EPOCH, (THEIRS,)) << HAPPENED
    for _ in range(BURST):
        begun >> Asked(ANA, AskState()) << sent("ana", StateShown)
    begun >> Asked(ANA, Resume(Epoch("e0"), 0, forgotten=True)) >> Asked(ANA, other)
    assert begun >> After(INTERVAL_S) << sent("ana", StateShown, resend=False)


def test_WS18_a_resume_that_gives_way_to_a_state_says_that_outcomes_are_forgotten() -> None:
    begun = script("ana") >> Heard(EPOCH, (THEIRS,)) << HAPPENED
    for _ in range(BURST):
        begun >> Asked(ANA, AskState()) << sent("ana", StateShown)
    begun >> Asked(ANA, Resume(EPOCH, 0, forgotten=True)) >> After(INTERVAL_S)
    assert begun << sent("ana", StateShown, resend=False)


def test_WS18_nor_does_a_state_that_comes_in_between() -> None:
    begun = script("ana")
    for _ in range(BURST):
        begun >> Asked(ANA, AskState()) << sent("ana", StateShown)
    begun >> Asked(ANA, Resume(Epoch("e0"), 0, forgotten=True))
    assert begun >> Lagged(ANA) << sent("ana", StateShown, reason=StateReason.OVERFLOW, resend=False)


def test_WS9_three_states_on_request_then_one_for_all_requests_of_five_seconds() -> None:
    begun = script("ana")
    for _ in range(3):
        begun >> Asked(ANA, AskState()) << sent("ana", StateShown)
    begun >> Asked(ANA, AskState()) >> Asked(ANA, Resume(Epoch("e0"), 0, ref="r"))
    begun >> After(INTERVAL_S) << sent("ana", StateShown, reason=StateReason.RESUME_IMPOSSIBLE, ref="r")
    begun >> Asked(ANA, AskState()) >> After(INTERVAL_S - 0.5)
    assert begun >> After(0.5) << sent("ana", StateShown)


def test_WS9_a_repair_is_rationed_like_a_state() -> None:
    begun = script("ana")
    for _ in range(3):
        begun >> Asked(ANA, AskState()) << sent("ana", StateShown)
    hashes = tuple((cell["id"], "0") for cell in FOUNDED.cells_in_order()[:1])
    begun >> Asked(ANA, Resume(Epoch("e0"), 0, cell_hashes=hashes))
    assert begun >> After(INTERVAL_S) << sent("ana", StateShown, reason=StateReason.RESUME_IMPOSSIBLE)


def test_WS9_the_ration_of_one_socket_is_not_anothers() -> None:
    begun = script("ana", "bo")
    for _ in range(3):
        begun >> Asked(ANA, AskState()) << sent("ana", StateShown)
    assert begun >> Asked(BO, AskState()) << sent("bo", StateShown)


def test_a_state_that_was_awaited_by_somebody_who_has_gone_is_not_sent() -> None:
    begun = script("ana", "bo")
    for _ in range(3):
        begun >> Asked(BO, AskState()) << sent("bo", StateShown)
    begun >> Asked(BO, AskState()) >> Left(BO, Departure.LOST) << told(RosterChanged)
    assert begun >> After(INTERVAL_S)


def test_WS12_a_slow_reader_gets_one_fresh_state() -> None:
    begun = script("ana") >> Heard(EPOCH, (THEIRS,)) << HAPPENED >> Lagged(ANA)
    assert begun << sent("ana", StateShown, diagram=begun.diagram, reason=StateReason.OVERFLOW)
    assert script("ana") >> Lagged(SocketId("nobody"))


def test_I7_a_state_shows_nothing_that_is_not_committed() -> None:
    begun = script("ana", "bo") >> Asked(ANA, A1) << Commit >> Asked(BO, AskState())
    assert begun << sent("bo", StateShown, diagram=FOUNDED)


# cursors --------------------------------------------------------------------------------------------------------------


def at(x: float) -> Aware:
    return Aware(cursor={"x": x, "y": 0})


def pointing(socket: str, x: float, presenting: bool = False) -> Any:
    return some(AwareUpdate, connection_id=socket, presenting=presenting, cursor={"x": x, "y": 0})


def test_PR8_our_own_clients_show_where_they_point_without_presenting() -> None:
    assert script("ana", "bo") >> Asked(BO, at(1)) << told(AwarenessShown, "bo", updates=(pointing("bo", 1),))


@pytest.mark.parametrize("dialect", ["classic", "tmi"])
def test_PR6_S44_in_the_other_dialects_only_the_presenter_points(dialect: str) -> None:
    begun = script(Guest("ana", dialect), Guest("bo", dialect)) >> Asked(BO, at(1))
    assert begun >> Asked(ANA, at(2)) << told(AwarenessShown, "ana", updates=(pointing("ana", 2, presenting=True),))


def test_PR9_the_newest_value_wins_and_the_last_one_arrives() -> None:
    begun = script("ana", "bo") >> Asked(BO, at(1)) << told(AwarenessShown, "bo")
    begun >> Asked(BO, at(2)) >> After(0.025) >> Asked(BO, at(3))
    begun >> After(0.025) << told(AwarenessShown, "bo", updates=(pointing("bo", 3),))
    assert begun >> After(1.0)


def test_PR9_at_most_20_frames_a_second_however_many_point() -> None:
    begun = script("ana", "bo") >> Asked(ANA, at(1)) << told(AwarenessShown, "ana")
    begun >> Asked(ANA, at(2)) >> Asked(BO, at(3)) >> After(0.05)
    begun << told(AwarenessShown, "ana", "bo", updates=(pointing("ana", 2, presenting=True), pointing("bo", 3)))
    begun << sent("ana", AwarenessShown, updates=(pointing("bo", 3),))
    assert begun << sent("bo", AwarenessShown, updates=(pointing("ana", 2, presenting=True),))


def test_PR10_what_somebody_who_has_gone_last_showed_is_not_told() -> None:
    begun = script("ana", "bo") >> Asked(BO, at(1)) << told(AwarenessShown, "bo") >> Asked(BO, at(2))
    assert begun >> Left(BO, Departure.LOST) << told(RosterChanged) >> After(0.05)


def test_VEC3_a_cursor_moves_no_vector_and_needs_no_store() -> None:
    begun = script("ana") >> Asked(ANA, A1) << Commit >> Unavailable() >> Asked(ANA, at(1))
    assert begun << told(AwarenessShown, "ana"), "cursors flow while the store is away"


# rights ---------------------------------------------------------------------------------------------------------------


def rights(**roles: RoleAt) -> RightsRead:
    return RightsRead(2, {caller(name).bearer: role for name, role in roles.items()})


def moved(*guests: str | Guest) -> Script:
    return script(*guests) >> RightsMoved() << ReadRights << ReadSession


SAME = {"ana": RoleAt(Role.WRITER, 2)}


def test_AU15_whoever_may_not_read_any_more_goes() -> None:
    begun = moved("ana", "bo", Guest("bo", socket="bo2")) >> rights(bo=RoleAt(Role.NONE, 2), **SAME)
    begun << dismissed("bo", Ending.ACCESS_REVOKED) << told(RosterChanged, left=())
    assert begun << dismissed("bo2", Ending.ACCESS_REVOKED) << told(RosterChanged, left=(user("bo"),)) << CatchUp


def test_AU15_whoever_may_not_write_any_more_stays_as_reader_and_all_see_it() -> None:
    begun = moved("ana", "bo") >> rights(bo=RoleAt(Role.READER, 2), **SAME)
    begun << told(RosterChanged, roles_changed=True, left=()) << CatchUp >> CaughtUp(head(FOUNDED, 2))
    begun >> SessionRead(SESSION) << ReadSession >> SessionRead(SESSION) >> Asked(BO, A1)
    assert begun << sent("bo", Rejected, refusal=some(Refusal, reason=Reason.PERMISSION_DENIED))


def test_AU15_whoever_may_write_now_writes() -> None:
    begun = moved("ana", Guest("bo", role=Role.READER)) >> rights(bo=RoleAt(Role.WRITER, 2), **SAME)
    begun << told(RosterChanged, roles_changed=True) << CatchUp >> CaughtUp(head(FOUNDED, 2))
    begun >> SessionRead(SESSION) << ReadSession >> SessionRead(SESSION)
    assert begun >> Asked(BO, A1) << some(Commit, base=head(FOUNDED, 2))


def test_rights_that_are_what_they_were_are_told_to_nobody() -> None:
    assert moved("ana") >> rights(**SAME) << CatchUp


def test_I24_SES18_whoever_was_ejected_goes() -> None:
    begun = moved("ana", "bo") >> rights(bo=RoleAt(Role.WRITER, 2, denied=True), **SAME)
    assert begun << dismissed("bo", Ending.REMOVED) << told(RosterChanged, left=(user("bo"),)) << CatchUp


def test_AU11_a_login_that_lives_longer_is_confirmed() -> None:
    longer = Caller(user("ana"), expires_at_ms=7)
    begun = script("ana") >> After(3.0)
    begun >> TokenRenewed(ANA, longer, "r") << sent("ana", TokenRefreshed, expires_at_ms=7, ref="r")
    assert begun.room.state.roster.active_ms == START.wall_ms + 3_000, "SES14"
    assert begun >> TokenRenewed(SocketId("nobody"), longer)


def test_AU16_a_newer_token_with_other_groups_may_give_other_rights() -> None:
    other = Caller(user("ana"), groups=("guild",))
    begun = script("ana") >> TokenRenewed(ANA, other) << sent("ana", TokenRefreshed)
    assert begun << ReadRights((other,)) << ReadSession


def test_AU16_of_two_logins_of_one_person_each_may_do_what_its_groups_say() -> None:
    laptop, phone = Guest("ana", socket="laptop"), Guest("ana", socket="phone")
    member, other = Caller(user("ana"), groups=("guild",)), caller("ana")
    begun = script("bo", laptop, phone) >> TokenRenewed(laptop.id, member) << sent("laptop", TokenRefreshed)
    begun << ReadRights((caller("bo"), member, other)) << ReadSession >> SessionRead(SESSION)
    roles = {caller("bo").bearer: Role.WRITER, member.bearer: Role.WRITER, other.bearer: Role.READER}
    begun >> RightsRead(1, {bearer: RoleAt(role, 1) for bearer, role in roles.items()}) << told(RosterChanged)
    begun >> Together(Asked(phone.id, edit("p", change("n1", x=1))), Asked(laptop.id, edit("l", change("n1", x=2))))
    begun << some(Commit, operations=(row("l", 1),)) >> Committed()
    begun << sent("phone", Rejected, refusal=some(Refusal, reason=Reason.PERMISSION_DENIED))
    begun << sent("laptop", Accepted) << told(Happened, "laptop") << sent("phone", CopyDoubtful)
    assert begun << Publish


def test_an_intent_that_no_socket_can_have_is_passed_over() -> None:
    begun = script("ana") >> Asked(ANA, Replace(OperationId("a"), (), (), b"")) >> Asked(ANA, RefreshToken("secret"))
    assert begun.room.state.replica.diagram is FOUNDED
    assert begun


# time -----------------------------------------------------------------------------------------------------------------


def test_the_room_is_woken_at_its_earliest_deadline() -> None:
    begun = script("ana", "bo") >> Asked(BO, at(1)) << told(AwarenessShown, "bo") >> Asked(BO, at(2))
    assert begun << WakeAt(Instant(START.monotonic_s + 0.05, 0))


def test_a_waking_that_comes_too_early_is_asked_for_again() -> None:
    assert script("ana") >> Woke() << WakeAt(Instant(START.monotonic_s + 15.0, 0))


def test_a_deadline_that_stays_is_not_asked_for_twice() -> None:
    begun = script("ana") >> Asked(ANA, AskVector()) << sent("ana", VectorShown)
    with pytest.raises(AssertionError, match="nothing more"):
        begun << WakeAt


def test_the_session_is_kept_alive_by_what_is_asked() -> None:
    begun = script("ana") >> After(3.0) >> Asked(ANA, AskVector()) << sent("ana", VectorShown)
    present = begun.room.state.roster.get(ANA)
    assert present is not None
    assert present.active_ms == START.wall_ms + 3_000
    assert begun


# closing --------------------------------------------------------------------------------------------------------------


def test_a_room_with_nobody_in_it_closes_at_once() -> None:
    assert script() >> Closing() << WakeAt(None) << Closed


def test_SES12_everybody_is_told_of_the_restart() -> None:
    begun = script("ana", "bo") >> Closing() << dismissed("ana", Ending.RESTART) << dismissed("bo", Ending.RESTART)
    assert begun << some(Announce, session=SESSION.id, participants=()) << WakeAt(None) << Closed


def test_everything_read_so_far_gets_its_outcome_before_the_room_closes() -> None:
    begun = script("ana", "bo") >> Asked(ANA, A1) << Commit >> Asked(BO, edit("b1", add("n9"))) >> Closing()
    begun >> Committed() << ACCEPTED << HAPPENED << Publish << Commit
    begun >> Committed() << sent("bo", Accepted) << told(Happened, "bo") << Publish
    begun << dismissed("ana", Ending.RESTART) << dismissed("bo", Ending.RESTART) << Snapshot
    assert begun << Closed


def test_a_room_that_closes_takes_nothing_more() -> None:
    begun = script("ana") >> Asked(ANA, A1) << Commit >> Closing() >> Asked(ANA, edit("a2", add("n9")))
    begun >> joined("cy") << dismissed("cy", Ending.RESTART)
    begun >> Submitted(Ticket(1), caller("bo"), RoleAt(Role.WRITER, 1), edit("b1", add("n8")))
    begun << answered(1, Rejected, operation_id="b1", refusal=some(Refusal, reason=Reason.UNAVAILABLE, retry=True))
    begun >> Committed() << ACCEPTED << HAPPENED << Publish << dismissed("ana", Ending.RESTART) << Snapshot
    assert begun << Closed


def test_a_room_that_closes_does_not_wait_for_a_store_that_is_away() -> None:
    begun = script("ana") >> Submitted(Ticket(1), caller("ana"), RoleAt(Role.WRITER, 1), A1) << Commit >> Closing()
    begun >> Unavailable() << answered(1, Rejected, operation_id="a1", refusal=some(Refusal, retry=True))
    assert begun << dismissed("ana", Ending.RESTART) << Closed


def test_who_waits_to_be_let_in_hears_of_the_restart() -> None:
    begun = script("ana") >> joined("cy") << ReadHistory >> Closing()
    begun >> Unavailable() << dismissed("cy", Ending.RESTART) << dismissed("ana", Ending.RESTART)
    assert begun << Closed


def test_a_closed_room_does_nothing() -> None:
    begun = script("ana") >> Closing() << dismissed("ana", Ending.RESTART) << Closed
    assert begun >> Asked(ANA, A1) >> Woke() >> joined("cy") >> Closing()


def test_a_request_to_the_session_that_is_in_flight_is_waited_for() -> None:
    begun = script("ana", "bo") >> Asked(ANA, GrantPresenter(None)) << ChangeSession >> Closing()
    begun >> SessionUnchanged() << dismissed("ana", Ending.RESTART) << dismissed("bo", Ending.RESTART)
    assert begun << Closed


# the diagram goes -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("ending", [Ending.DIAGRAM_DELETED, Ending.THREAT_MODEL_DELETED])
def test_SES21_the_session_says_what_was_deleted(ending: Ending) -> None:
    begun = script("ana", "bo") >> RightsMoved() << ReadRights << ReadSession >> Gone()
    begun >> SessionRead(session(version=2, ended=ending)) << dismissed("ana", ending) << dismissed("bo", ending)
    assert begun << Closed


def test_SES21_a_diagram_that_is_gone_while_its_session_lives_on_was_deleted() -> None:
    begun = script("ana") >> Asked(ANA, A1) << Commit >> Gone() << ReadSession >> SessionRead(SESSION)
    assert begun << dismissed("ana", Ending.DIAGRAM_DELETED) << Closed


def test_SES21_the_session_is_asked_until_it_answers() -> None:
    begun = script("ana") >> Asked(ANA, A1) << Commit >> Gone() << ReadSession >> SessionUnchanged()
    begun >> After(0.2) << ReadSession >> SessionRead(None)
    assert begun << dismissed("ana", Ending.SESSION_NOT_FOUND) << Closed


def test_what_waits_when_the_diagram_goes_is_told_that_it_is_gone() -> None:
    begun = script("ana") >> Submitted(Ticket(1), caller("ana"), RoleAt(Role.WRITER, 1), A1) << Commit
    begun >> joined("cy") >> Gone() << answered(1, Rejected, refusal=some(Refusal, reason=Reason.DIAGRAM_NOT_FOUND))
    begun << dismissed("cy", Ending.DIAGRAM_NOT_FOUND) << ReadSession
    assert begun >> SessionRead(SESSION) << dismissed("ana", Ending.DIAGRAM_DELETED) << Closed


def test_a_diagram_that_goes_while_it_is_loaded_anew_is_gone_for_good() -> None:
    begun = script("ana") >> HeadSeen(Head(Epoch("e2"), 0, 0, 1)) << Reload >> Gone() << ReadSession
    assert begun >> SessionRead(SESSION) << dismissed("ana", Ending.DIAGRAM_DELETED) << Closed


def test_a_room_without_a_session_just_closes() -> None:
    assert script(of=None) >> HeadSeen(head(THEIRS)) << CatchUp >> Gone() << Closed


# empty ----------------------------------------------------------------------------------------------------------------


def test_a_room_is_empty_when_nobody_is_there_and_nothing_is_under_way() -> None:
    begun = script()
    seen = [begun.room.empty]
    begun >> HeadSeen(head(THEIRS)) << CatchUp
    seen.append(begun.room.empty)
    begun >> CaughtUp(head(THEIRS), (THEIRS,)) << HAPPENED
    seen.append(begun.room.empty)
    assert seen == [True, False, True]
    assert begun


def test_SES9_a_room_is_not_empty_while_the_loss_of_the_host_is_not_written_down() -> None:
    begun = script("ana") >> Left(ANA, Departure.CLEAN) << ChangeSession >> SessionUnchanged()
    assert not begun.room.empty
    assert begun


def test_SES9_nor_while_it_is_asked_whether_the_host_is_elsewhere() -> None:
    begun = script("ana", others={}) >> Left(ANA, Departure.CLEAN) << Survey(SESSION.id)
    seen = [begun.room.empty]
    begun >> Surveyed(SESSION.id, {}) << some(ChangeSession, change=End(Ending.HOST_LEFT))
    begun >> SessionChanged(session(version=2, ended=Ending.HOST_LEFT))
    seen.append(begun.room.empty)
    assert seen == [False, True]
    assert begun

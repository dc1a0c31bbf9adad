"""Coming and going: who is let in and what is shown first, who goes and who hears of it."""

from __future__ import annotations

import pytest

from collab.core.apply import advance
from collab.core.effects import (
    Announce,
    CatchUp,
    ChangeSession,
    Commit,
    Publish,
    ReadHistory,
    ReadRights,
    ReadSession,
    Replay,
)
from collab.core.events import (
    Asked,
    Barred,
    CaughtUp,
    Committed,
    Departure,
    HeadSeen,
    Heard,
    HistoryRead,
    Joined,
    Left,
    RightsMoved,
    RightsRead,
    SessionChanged,
    SessionMoved,
    SessionRead,
    Unavailable,
)
from collab.core.kept import Kept
from collab.core.state import RoomSettings
from protocol.intents import AskVector, Aware, Eject, Heartbeat, Resume, UserName
from protocol.notices import (
    Accepted,
    AwarenessShown,
    Done,
    Happened,
    HeartbeatShown,
    HistoryDepth,
    Resumed,
    RosterChanged,
    RosterView,
    StateReason,
    StateShown,
    Welcomed,
)
from protocol.refusals import Ending
from protocol.values import Epoch, Limits, Role, RoleAt, SocketId
from tests.support.script import (
    EPOCH,
    FOUNDED,
    NOTHING_NEW,
    SESSION,
    After,
    Guest,
    Script,
    add,
    admitted,
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
THEIRS = logged(FOUNDED, "di", "d1", change("n2", y=9))
NO_HISTORY = HistoryRead(user("cy").id, ())
CAUGHT_UP = CaughtUp(head(FOUNDED))
ROSTER = some(object, notice=RosterChanged)
ACCEPTED = some(object, notice=Accepted)


def coming(begun: Script, event: Joined | None = None) -> Script:
    """Up to what the joining socket is answered."""
    return begun >> (event or joined("cy")) << ReadHistory >> NO_HISTORY << CatchUp >> NOTHING_NEW


# joining --------------------------------------------------------------------------------------------------------------


def test_WS14_a_newcomer_is_shown_the_state_first_then_the_roster() -> None:
    begun = coming(script("ana"))
    state = some(StateShown, diagram=FOUNDED, reason=StateReason.JOINED)
    begun << admitted("cy", some(Welcomed, you=user("cy"), connection_id="cy", diagram=FOUNDED), state)
    begun << sent("cy", RosterChanged, joined=(), roster=some(RosterView, host=user("ana")))
    assert begun << told(RosterChanged, "cy", joined=(user("cy"),))


def test_the_welcome_says_what_the_newcomer_may_do_and_undo() -> None:
    mine = logged(FOUNDED, "cy", "c1", change("n1", x=5))
    begun = script("ana", diagram=advance(FOUNDED, mine)) >> joined(Guest("cy", role=Role.READER)) << ReadHistory
    begun >> HistoryRead(user("cy").id, (Kept.of(mine),)) << CatchUp >> NOTHING_NEW
    welcome = some(Welcomed, role=Role.READER, history=HistoryDepth(1, 0), session=SESSION.view(), limits=Limits())
    assert begun << admitted("cy", welcome, StateShown) << sent("cy", RosterChanged) << told(RosterChanged, "cy")


def test_UN11_the_welcome_says_what_may_be_undone_although_news_may_have_been_lost_meanwhile() -> None:
    mine = logged(FOUNDED, "cy", "c1", change("n1", x=5))
    diagram, history = advance(FOUNDED, mine), HistoryRead(user("cy").id, (Kept.of(mine),))
    begun = script("ana", diagram=diagram) >> joined("cy") << ReadHistory >> history << CatchUp
    begun >> Heard("", (), gap=True) << ReadSession >> SessionRead(SESSION)
    begun >> CaughtUp(head(diagram)) << ReadHistory >> history << CatchUp
    welcome = some(Welcomed, history=HistoryDepth(1, 0))
    assert begun << admitted("cy", welcome, StateShown) << sent("cy", RosterChanged) << told(RosterChanged, "cy")


def test_WS11_only_the_first_socket_of_a_user_is_a_join() -> None:
    begun = script("ana", "cy") >> joined(Guest("cy", socket="cy2")) << CatchUp >> NOTHING_NEW
    assert begun << admitted("cy2") << sent("cy2", RosterChanged) << told(RosterChanged, "cy2", joined=())


def test_a_newcomer_is_announced_to_presence() -> None:
    begun = coming(script("ana")) << admitted("cy") << sent("cy", RosterChanged) << told(RosterChanged, "cy")
    assert begun << some(Announce, session=SESSION.id, participants=(some(object), some(object, user=user("cy"))))


def test_a_newcomer_sees_where_the_others_point() -> None:
    begun = script("ana") >> Asked(ANA, Aware(cursor={"x": 1, "y": 1})) << told(AwarenessShown, "ana")
    begun = coming(begun) << admitted("cy") << sent("cy", RosterChanged)
    assert (
        begun << sent("cy", AwarenessShown, updates=(some(object, connection_id="ana"),)) << told(RosterChanged, "cy")
    )


def test_I9_I10_a_newcomer_waits_for_a_read_that_began_after_it_came() -> None:
    begun = script("ana") >> HeadSeen(head(THEIRS)) << CatchUp >> joined("cy")
    begun >> CaughtUp(head(THEIRS), (THEIRS,)) << told(Happened) << ReadHistory >> NO_HISTORY
    begun << CatchUp >> CaughtUp(head(THEIRS))
    assert begun << admitted("cy", Welcomed, some(StateShown, diagram=some(object, vector=1))) << ROSTER << ROSTER


def test_I7_a_newcomer_is_not_shown_what_is_not_committed() -> None:
    begun = script("ana") >> Asked(ANA, edit("a1", add("n9"))) << Commit >> joined("cy")
    begun >> Committed() << ACCEPTED << told(Happened, "ana") << Publish << ReadHistory
    begun >> NO_HISTORY << CatchUp >> NOTHING_NEW
    assert begun << admitted("cy", Welcomed, some(StateShown, diagram=some(object, vector=1))) << ROSTER << ROSTER


def test_I8_news_that_comes_with_the_read_is_told_before_the_newcomer_is_let_in() -> None:
    begun = script("ana") >> joined("cy") << ReadHistory >> NO_HISTORY << CatchUp >> Heard(EPOCH, (THEIRS,))
    begun >> CaughtUp(head(THEIRS), (THEIRS,)) << told(Happened, operation=THEIRS)
    assert begun << admitted("cy", Welcomed, some(StateShown, diagram=some(object, vector=1))) << ROSTER << ROSTER


def test_several_who_come_at_once_share_one_read() -> None:
    begun = script("ana", "bo") >> HeadSeen(head(THEIRS)) << CatchUp
    begun >> joined(Guest("ana", socket="ana2")) >> joined(Guest("bo", socket="bo2"))
    begun >> CaughtUp(head(THEIRS), (THEIRS,)) << told(Happened) << CatchUp >> NOTHING_NEW
    assert begun << admitted("ana2") << ROSTER << ROSTER << admitted("bo2") << ROSTER << ROSTER


def test_UN6_a_newcomer_does_not_wait_for_the_undo_stack_of_another() -> None:
    begun = script("ana", "bo") >> HeadSeen(head(THEIRS)) << CatchUp
    begun >> joined(Guest("ana", socket="ana2")) >> joined(Guest("bo", socket="bo2"))
    begun >> CaughtUp(head(THEIRS), (THEIRS,)) << told(Happened) << CatchUp
    begun >> Heard(EPOCH, (), used_up=(user("ana").id,))
    begun >> NOTHING_NEW << ReadHistory(user("ana").id) << admitted("bo2") << ROSTER << ROSTER
    assert begun >> HistoryRead(user("ana").id, ()) << admitted("ana2") << ROSTER << ROSTER


def test_a_read_that_failed_for_a_newcomer_is_made_again() -> None:
    begun = script("ana") >> joined(Guest("ana", socket="ana2")) << CatchUp >> Unavailable()
    assert begun >> After(0.2) << CatchUp >> NOTHING_NEW << admitted("ana2") << ROSTER << ROSTER


def test_a_newcomer_who_has_gone_again_is_not_let_in() -> None:
    begun = script("ana") >> joined("cy") << ReadHistory >> NO_HISTORY << CatchUp >> Left(CY, Departure.LOST)
    assert begun >> NOTHING_NEW
    assert len(begun.room.state.roster) == 1


def test_a_newcomer_who_goes_before_any_read_leaves_nothing_behind() -> None:
    begun = script("ana") >> HeadSeen(head(THEIRS)) << CatchUp >> joined(Guest("ana", socket="ana2"))
    begun >> Left(SocketId("ana2"), Departure.LOST)
    assert begun >> CaughtUp(head(THEIRS), (THEIRS,)) << told(Happened)


# refused --------------------------------------------------------------------------------------------------------------


def read(acl_version: int, **roles: RoleAt) -> RightsRead:
    return RightsRead(acl_version, {caller(name).bearer: role for name, role in roles.items()})


@pytest.mark.parametrize("now", [RoleAt(Role.NONE, 2), RoleAt(Role.WRITER, 2, denied=True)])
def test_I24_S45_whoever_may_not_any_more_is_not_let_in(now: RoleAt) -> None:
    begun = script("ana") >> joined("cy") << ReadHistory >> NO_HISTORY << CatchUp
    begun >> CaughtUp(head(FOUNDED, acl_version=2)) << ReadRights << ReadSession
    begun >> read(2, ana=RoleAt(Role.OWNER, 2), cy=now) << some(object, notice=some(object, roles_changed=True))
    assert begun >> SessionRead(SESSION) << dismissed("cy", Ending.ACCESS_REVOKED)


def test_S45_whoever_is_ejected_while_another_socket_comes_in_is_not_let_in_by_a_read_of_before() -> None:
    begun = script("ana", "bo") >> Asked(SocketId("ana"), Eject(UserName("test", "bo"), "r")) << ChangeSession
    begun >> joined(Guest("bo", socket="bo2")) << CatchUp
    begun >> SessionChanged(session(version=2, denied=frozenset({user("bo").id})))
    begun << dismissed("bo", Ending.REMOVED) << some(object, notice=some(object, ejected=True)) << sent("ana", Done)
    assert begun >> NOTHING_NEW << dismissed("bo2", Ending.ACCESS_REVOKED)


def test_AU15_a_right_that_moves_while_somebody_comes_is_read_before_the_door_opens() -> None:
    begun = script() >> joined("cy") << ReadHistory >> NO_HISTORY << CatchUp >> RightsMoved() << ReadSession
    begun >> CAUGHT_UP << ReadRights >> SessionRead(SESSION)
    assert begun >> read(1, cy=RoleAt(Role.NONE, 1)) << CatchUp << dismissed("cy", Ending.ACCESS_REVOKED)


def test_AU15_I25_whoever_comes_while_rights_are_read_is_read_as_well() -> None:
    begun = script("ana") >> RightsMoved() << ReadRights << ReadSession >> joined("cy")
    begun >> read(2, ana=RoleAt(Role.WRITER, 2)) << ReadRights >> SessionRead(SESSION) << ReadSession
    begun >> SessionRead(SESSION)
    begun >> read(2, ana=RoleAt(Role.WRITER, 2), cy=RoleAt(Role.NONE, 2)) << ReadHistory >> NO_HISTORY << CatchUp
    assert begun >> CaughtUp(head(FOUNDED, acl_version=2)) << dismissed("cy", Ending.ACCESS_REVOKED)


def test_S75_too_many_sockets_of_one_user_are_turned_away() -> None:
    begun = script("ana", settings=RoomSettings(limits=Limits(max_sockets_per_user=2)))
    for socket in ("ana2", "ana3"):
        begun >> joined(Guest("ana", socket=socket)) << CatchUp
        begun >> NOTHING_NEW
        if socket == "ana2":
            begun << admitted("ana2") << ROSTER << ROSTER
    assert begun << dismissed("ana3", Ending.TOO_MANY_CONNECTIONS)


def test_S75_a_full_session_takes_nobody_in() -> None:
    begun = script("ana", settings=RoomSettings(limits=Limits(max_sockets_per_session=1)))
    assert coming(begun) << dismissed("cy", Ending.SESSION_FULL)


def test_S75_sockets_that_wait_together_are_counted_one_by_one() -> None:
    begun = script("ana", "bo", settings=RoomSettings(limits=Limits(max_sockets_per_session=3)))
    begun >> HeadSeen(head(THEIRS)) << CatchUp
    begun >> joined(Guest("ana", socket="ana2")) >> joined(Guest("bo", socket="bo2"))
    begun >> CaughtUp(head(THEIRS), (THEIRS,)) << told(Happened) << CatchUp >> NOTHING_NEW
    assert begun << admitted("ana2") << ROSTER << ROSTER << dismissed("bo2", Ending.SESSION_FULL)


# resuming -------------------------------------------------------------------------------------------------------------


def returned(guest: Guest, resume: Resume) -> Script:
    begun = script("ana") >> Heard(EPOCH, (THEIRS,)) << told(Happened)
    return coming(begun, joined(guest, resume=resume))


def test_WS17_who_returns_is_shown_what_it_missed_and_nothing_else() -> None:
    begun = returned(Guest("cy"), Resume(EPOCH, 0))
    begun << admitted("cy", Welcomed)
    begun << some(Replay, socket=CY, notices=(some(Resumed, since=0, to=1), Happened(THEIRS, begun.diagram, 0)))
    assert begun << sent("cy", RosterChanged) << told(RosterChanged, "cy")


def test_WS17_who_returns_from_too_far_is_shown_the_whole_diagram() -> None:
    begun = returned(Guest("cy"), Resume(Epoch("e0"), 0))
    begun << admitted("cy", Welcomed, some(StateShown, reason=StateReason.RESUME_IMPOSSIBLE))
    assert begun << sent("cy", RosterChanged) << told(RosterChanged, "cy")


@pytest.mark.parametrize("dialect", ["classic", "tmi"])
def test_WS14_a_dialect_that_knows_no_resuming_begins_with_a_state(dialect: str) -> None:
    begun = returned(Guest("cy", dialect), Resume(EPOCH, 0))
    begun << admitted("cy", Welcomed, some(StateShown, reason=StateReason.JOINED))
    assert begun << sent("cy", RosterChanged) << told(RosterChanged, "cy")


# asking early ---------------------------------------------------------------------------------------------------------


def test_WS19_what_a_socket_asks_before_it_is_let_in_is_answered_after() -> None:
    begun = (
        script("ana") >> joined("cy") << ReadHistory >> Asked(CY, edit("c1", add("n9"))) >> Asked(CY, Heartbeat("r"))
    )
    begun >> NO_HISTORY << CatchUp >> NOTHING_NEW << admitted("cy") << ROSTER << ROSTER
    begun << sent("cy", HeartbeatShown, ref="r") << some(Commit, operations=(row("c1", 1),))
    assert begun >> Committed() << sent("cy", Accepted) << told(Happened, "cy") << Publish


def test_a_cursor_from_before_the_state_points_at_nothing() -> None:
    begun = script("ana") >> joined("cy") << ReadHistory >> Asked(CY, Aware(cursor={"x": 1, "y": 1}))
    assert begun >> NO_HISTORY << CatchUp >> NOTHING_NEW << admitted("cy") << ROSTER << ROSTER


def test_what_a_socket_asked_that_was_turned_away_is_nobodys() -> None:
    begun = script("ana", settings=RoomSettings(limits=Limits(max_sockets_per_session=1)))
    begun >> joined("cy") << ReadHistory >> Asked(CY, AskVector())
    assert begun >> NO_HISTORY << CatchUp >> NOTHING_NEW << dismissed("cy", Ending.SESSION_FULL)


def test_I28_what_a_socket_asked_that_has_gone_is_not_kept() -> None:
    begun = script("ana") >> joined("cy") << ReadHistory >> Asked(CY, AskVector()) >> Left(CY, Departure.LOST)
    assert begun.room._door._early == {}
    assert begun


def test_what_nobody_asks_is_answered_to_nobody() -> None:
    assert script("ana") >> Asked(SocketId("nobody"), AskVector())


# leaving --------------------------------------------------------------------------------------------------------------


def test_a_leave_is_told_to_the_others() -> None:
    begun = script("ana", "bo") >> Left(BO, Departure.LOST)
    view = some(RosterView, participants=(some(object, user=user("ana")),))
    assert begun << told(RosterChanged, left=(user("bo"),), presenter_changed=False, roster=view)


def test_WS11_only_the_last_socket_of_a_user_is_a_leave() -> None:
    begun = script("ana", "bo", Guest("bo", socket="bo2")) >> Left(BO, Departure.LOST)
    begun << told(RosterChanged, left=())
    assert begun >> Left(SocketId("bo2"), Departure.LOST) << told(RosterChanged, left=(user("bo"),))


def test_I23_the_late_end_of_a_socket_changes_nothing() -> None:
    begun = script("ana", "bo") >> Left(BO, Departure.LOST) << told(RosterChanged)
    assert begun >> Left(BO, Departure.LOST) >> Left(SocketId("nobody"), Departure.CLEAN)


def test_a_socket_that_the_edge_wants_gone_is_closed_and_has_left() -> None:
    begun = script("ana", "bo") >> Barred(BO, Ending.TOKEN_EXPIRED)
    begun << dismissed("bo", Ending.TOKEN_EXPIRED) << told(RosterChanged, left=(user("bo"),))
    assert begun >> Left(BO, Departure.SERVER)


def test_a_joining_socket_that_the_edge_wants_gone_never_comes_in() -> None:
    begun = script("ana") >> joined("cy") << ReadHistory >> Barred(CY, Ending.FLOODING)
    begun << dismissed("cy", Ending.FLOODING)
    assert begun >> NO_HISTORY


def test_nobody_is_barred_twice() -> None:
    begun = script("ana", "bo") >> Barred(BO, Ending.SLOW) << dismissed("bo", Ending.SLOW) << told(RosterChanged)
    assert begun >> Barred(BO, Ending.SLOW)


def test_SES6_a_guest_who_leaves_by_rest_goes_with_all_sockets_even_those_that_wait() -> None:
    begun = script("ana", "bo") >> joined(Guest("bo", socket="bo2")) << CatchUp
    begun >> SessionMoved(session().id, 2) << ReadSession >> SessionRead(session(version=2, left={user("bo").id: 2}))
    begun << dismissed("bo", Ending.LEFT) << told(RosterChanged, left=(user("bo"),)) << dismissed("bo2", Ending.LEFT)
    assert begun >> NOTHING_NEW


def test_SES6_a_socket_whose_handshake_saw_the_leave_stays() -> None:
    after = session(version=3, left={user("bo").id: 2})
    begun = script("ana", "bo") >> joined(Guest("bo", socket="bo2"), of=session(version=2, left={user("bo").id: 2}))
    begun << dismissed("bo", Ending.LEFT) << told(RosterChanged, left=(user("bo"),)) << CatchUp
    begun >> NOTHING_NEW << admitted("bo2") << sent("bo2", RosterChanged) << told(RosterChanged, "bo2")
    assert begun >> SessionMoved(session().id, 3) << ReadSession >> SessionRead(after)


def test_SES6_a_socket_whose_handshake_did_not_see_the_leave_is_not_let_in() -> None:
    begun = script("ana", of=session(version=2, left={user("bo").id: 2})) >> joined("bo", of=session())
    assert begun << dismissed("bo", Ending.LEFT)


# the end --------------------------------------------------------------------------------------------------------------

ENDED = SessionRead(session(version=2, ended=Ending.OWNER_ENDED))


def ending(begun: Script) -> Script:
    return begun >> HeadSeen(head(FOUNDED), session_version=2) << ReadSession


def test_SES15_everybody_gets_one_end_frame_that_names_the_host() -> None:
    begun = ending(script("ana", "bo")) >> ENDED << CatchUp >> CAUGHT_UP
    begun << some(object, socket="ana", ending=Ending.OWNER_ENDED, host=user("ana"))
    begun << some(object, socket="bo", ending=Ending.OWNER_ENDED, host=user("ana"))
    begun << some(Announce, session=SESSION.id, participants=())
    assert begun >> Left(ANA, Departure.SERVER) >> Left(BO, Departure.SERVER)


def test_SES15_what_was_accepted_before_the_end_is_told_before_it() -> None:
    begun = ending(script("ana", "bo") >> Asked(ANA, edit("a1", add("n9"))) << Commit) >> ENDED
    begun >> Committed() << sent("ana", Accepted) << told(Happened, "ana") << Publish << CatchUp
    begun >> NOTHING_NEW << dismissed("ana", Ending.OWNER_ENDED)
    assert begun << dismissed("bo", Ending.OWNER_ENDED)


def test_SES15_what_another_worker_accepted_before_the_end_too() -> None:
    begun = ending(script("ana")) >> ENDED << CatchUp >> CaughtUp(head(THEIRS, acl_version=2), (THEIRS,))
    begun << told(Happened, operation=THEIRS) << dismissed("ana", Ending.OWNER_ENDED)
    assert begun


def test_SES15_I21_nothing_is_judged_after_the_end() -> None:
    begun = ending(script("ana", "bo")) >> ENDED << CatchUp >> Asked(BO, edit("b1", add("n9")))
    assert begun >> CAUGHT_UP << dismissed("ana", Ending.OWNER_ENDED) << dismissed("bo", Ending.OWNER_ENDED)


def test_SES15_the_end_does_not_wait_for_a_store_that_is_away() -> None:
    begun = ending(script("ana")) >> ENDED << CatchUp >> Unavailable() << dismissed("ana", Ending.OWNER_ENDED)
    assert begun


def test_a_session_that_nobody_takes_part_in_ends_without_a_word() -> None:
    begun = script("ana") >> Left(ANA, Departure.CLEAN) << ChangeSession
    begun >> SessionChanged(session(version=2, ended=Ending.HOST_LEFT))
    assert begun.room.empty
    assert begun

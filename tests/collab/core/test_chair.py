"""The meeting lane: session facts read and changed one after the other, and how their changes are told."""

from __future__ import annotations

from typing import Any

import pytest

from collab.core.chair import WAITING
from collab.core.effects import CatchUp, ChangeSession, Commit, Publish, ReadHistory, ReadSession
from collab.core.events import (
    Asked,
    Barred,
    CaughtUp,
    Committed,
    Departure,
    HeadSeen,
    HistoryRead,
    Joined,
    Left,
    SessionChanged,
    SessionMoved,
    SessionRead,
    SessionStale,
    SessionUnchanged,
    Submitted,
)
from collab.core.meeting import Deny, End, HostBack, HostGone, Session, SetHost, SetPresenter
from collab.core.state import RoomSettings
from collab.core.verdicts import Ticket
from collab.core.writing import BATCH_OPERATIONS
from protocol.intents import AskPresenter, Aware, DenyPresenter, Eject, GrantPresenter, ReleasePresenter, UserName
from protocol.notices import (
    Accepted,
    AwarenessShown,
    AwareUpdate,
    Done,
    Happened,
    Participant,
    PresenterAsked,
    PresenterChanged,
    PresenterDenied,
    RosterChanged,
    RosterView,
    Troubled,
)
from protocol.refusals import Ending, Trouble
from protocol.values import Role, RoleAt, SocketId
from tests.support.script import (
    FOUNDED,
    NOTHING_NEW,
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
    script,
    sent,
    session,
    some,
    told,
    user,
)

ANA, BO, CY = SocketId("ana"), SocketId("bo"), SocketId("cy")


def name(of: str) -> UserName:
    return UserName(provider="test", provider_id=of)


def changing(change: Any) -> Any:
    return some(ChangeSession, change=change)


def changed(**changes: Any) -> SessionChanged:
    return SessionChanged(session(**{"version": 2, **changes}))


BO_PRESENTS = {"presenter": user("bo"), "presenter_term": 2}
AWAY = {"host_grace_until_ms": 99}
NO_HISTORY = HistoryRead(user("cy").id, ())

# requests -------------------------------------------------------------------------------------------------------------


def test_PR4_a_grant_is_told_to_all_once_it_stands_and_then_answered() -> None:
    begun = script("ana", "bo") >> Asked(ANA, GrantPresenter(name("bo"), "r"))
    begun << ChangeSession(session(), SetPresenter(user("bo"), user("ana")), asked=True)
    begun >> changed(**BO_PRESENTS)
    begun << told(PresenterChanged, by="host", roster=some(RosterView, presenter=user("bo"), presenter_term=2))
    assert begun << sent("ana", Done, ref="r")


def test_PR3_a_reader_may_present() -> None:
    begun = script("ana", Guest("cy", role=Role.READER)) >> Asked(ANA, GrantPresenter(name("cy")))
    assert begun << changing(SetPresenter(user("cy"), user("ana")))


def test_PR2_PR4_a_host_who_asks_presents_once_it_is_written_down() -> None:
    begun = script("ana", "bo", of=session(presenter=None)) >> Asked(ANA, AskPresenter())
    begun << changing(SetPresenter(user("ana"), user("ana")))
    assert begun >> changed(presenter_term=2) << told(PresenterChanged, by="host")


def test_PR11_a_request_goes_to_the_host_and_needs_no_store() -> None:
    begun = script("ana", "bo") >> Asked(BO, AskPresenter("r"))
    assert begun << sent("ana", PresenterAsked, user=user("bo")) << sent("bo", Done, ref="r")


def test_PR11_a_request_while_the_host_is_away_is_denied_by_the_system() -> None:
    begun = script("bo", of=session(**AWAY)) >> Asked(BO, AskPresenter())
    assert begun << sent("bo", PresenterDenied, host=None) << sent("bo", Done)


def test_WS22_S40_a_guest_denies_and_ejects_nobody() -> None:
    begun = script("ana", "bo", "cy")
    for what in (DenyPresenter(name("cy")), Eject(name("cy")), Eject(name("ana")), GrantPresenter(name("bo"))):
        begun >> Asked(BO, what) << sent("bo", Troubled, trouble=Trouble.PERMISSION_DENIED)
    assert begun


def test_requests_are_decided_one_after_the_other() -> None:
    begun = script("ana", "bo") >> Asked(ANA, GrantPresenter(name("bo"))) << ChangeSession
    begun >> Asked(BO, AskPresenter("r"))
    begun >> changed(**BO_PRESENTS) << told(PresenterChanged)
    assert begun << sent("bo", Done, ref="r"), "bo presents already when the request is decided"


def test_a_change_that_somebody_else_made_first_is_decided_anew() -> None:
    begun = script("ana", "bo") >> Asked(ANA, GrantPresenter(name("bo"), "r")) << ChangeSession
    theirs = session(version=2, **BO_PRESENTS)
    begun >> SessionStale(theirs) << told(PresenterChanged, by="system")
    assert begun << sent("ana", Done, ref="r"), "nothing is left to be changed"


def test_WS19_WS22_an_ejection_whose_answer_got_lost_has_succeeded() -> None:
    begun = script("ana", "bo") >> Asked(ANA, Eject(name("bo"), "r")) << ChangeSession >> SessionUnchanged()
    begun >> After(0.2) << ChangeSession >> SessionStale(session(version=2, denied=frozenset({user("bo").id})))
    assert begun << dismissed("bo", Ending.REMOVED) << told(RosterChanged, ejected=True) << sent("ana", Done, ref="r")


def test_WS19_WS22_so_has_a_release_whose_answer_got_lost() -> None:
    begun = script("ana", "bo", of=session(**BO_PRESENTS)) >> Asked(BO, ReleasePresenter("r")) << ChangeSession
    begun >> SessionUnchanged() >> After(0.2) << ChangeSession
    begun >> SessionStale(session(version=3, presenter=None, presenter_term=3)) << told(PresenterChanged)
    assert begun << sent("bo", Done, ref="r")


def test_a_change_is_asked_for_on_the_newest_version_that_is_known() -> None:
    begun = script("ana", "bo") >> Asked(ANA, GrantPresenter(None)) << ChangeSession
    theirs = session(version=2, **BO_PRESENTS)
    begun >> SessionStale(theirs) << told(PresenterChanged)
    assert begun << ChangeSession(theirs, SetPresenter(None, user("ana")), asked=True)


def test_I29_a_change_that_could_not_be_asked_for_is_asked_for_again() -> None:
    begun = script("ana", "bo") >> Asked(ANA, GrantPresenter(name("bo"))) << ChangeSession >> SessionUnchanged()
    assert begun >> After(0.2) << ChangeSession


def test_WS8_whoever_asks_faster_than_the_store_answers_stays() -> None:
    begun = script("ana", "bo") >> Asked(ANA, GrantPresenter(None)) << ChangeSession
    for _ in range(WAITING - 1):
        begun >> Asked(BO, AskPresenter())
    assert not begun.room.crowded(BO)
    begun >> Asked(BO, AskPresenter())
    assert begun.room.crowded(BO) and not begun.room.crowded(ANA)
    assert begun >> Asked(BO, AskPresenter()), "on its way already when the edge was told to wait"


def test_I28_whoever_asks_on_and_on_while_the_store_is_away_is_sent_away() -> None:
    begun = script("ana", "bo") >> Asked(ANA, GrantPresenter(None)) << ChangeSession >> SessionUnchanged()
    for _ in range(WAITING):
        begun >> Asked(BO, AskPresenter())
    assert not begun.room.crowded(BO), "to be sent away, and not to wait"
    begun >> Asked(BO, AskPresenter()) << dismissed("bo", Ending.UNAVAILABLE)
    begun << told(RosterChanged, left=(user("bo"),))
    assert [request.socket for request in begun.room._chair._requests] == [ANA]
    assert begun >> After(0.2) << ChangeSession


def test_VEC3_a_presenter_change_moves_no_vector() -> None:
    begun = script("ana", "bo") >> Asked(ANA, GrantPresenter(name("bo"))) << ChangeSession
    assert begun >> changed(**BO_PRESENTS) << told(PresenterChanged)
    assert begun.diagram is FOUNDED


def test_PR7_the_cursors_of_the_old_term_are_no_presenters_any_more() -> None:
    begun = script("ana", "bo", of=session(presenter=user("bo"))) >> Asked(BO, Aware(cursor={"x": 1, "y": 1}))
    begun << told(AwarenessShown, "bo", updates=(some(AwareUpdate, presenting=True),))
    begun >> Asked(BO, Aware(cursor={"x": 2, "y": 2})) >> Asked(ANA, GrantPresenter(None)) << ChangeSession
    begun >> changed(presenter=None, presenter_term=2) << told(PresenterChanged)
    assert begun >> After(0.05) << told(AwarenessShown, "bo", updates=(some(AwareUpdate, presenting=False),))


def test_PR7_a_presenter_of_another_dialect_disappears_from_our_screens() -> None:
    begun = script("ana", Guest("bo", "tmi"), of=session(presenter=user("bo")))
    begun >> Asked(BO, Aware(cursor={"x": 1, "y": 1})) << told(AwarenessShown, "bo")
    begun >> Asked(ANA, GrantPresenter(None)) << ChangeSession
    begun >> changed(presenter=None, presenter_term=2) << told(PresenterChanged)
    gone = some(AwareUpdate, connection_id=BO, cursor=None, selection=None)
    assert begun >> After(0.05) << told(AwarenessShown, "bo", updates=(gone,))


def test_PR7_I20_nothing_is_shown_of_a_session_that_is_over() -> None:
    begun = script("ana", "bo") >> Asked(ANA, Aware(cursor={"x": 1, "y": 1})) << told(AwarenessShown, "ana")
    begun >> Asked(ANA, Aware(cursor={"x": 2, "y": 2}))
    begun >> HeadSeen(head(FOUNDED), session_version=3) << ReadSession
    begun >> SessionRead(session(version=3, ended=Ending.IDLE, **BO_PRESENTS)) << CatchUp
    begun >> After(0.05) >> CaughtUp(head(FOUNDED))
    assert begun << dismissed("ana", Ending.IDLE) << dismissed("bo", Ending.IDLE)


# ejection -------------------------------------------------------------------------------------------------------------


def test_SES18_the_ejected_go_with_all_sockets_and_the_others_see_a_new_roster() -> None:
    begun = script("ana", "bo", Guest("bo", socket="bo2"), "cy") >> Asked(ANA, Eject(name("bo"), "r"))
    begun << changing(Deny(user("bo"), user("ana")))
    begun >> changed(denied=frozenset((user("bo").id,)))
    begun << dismissed("bo", Ending.REMOVED) << dismissed("bo2", Ending.REMOVED)
    begun << told(RosterChanged, left=(user("bo"),), ejected=True, presenter_changed=False)
    assert begun << sent("ana", Done, ref="r")


def test_SES18_what_waits_behind_the_edits_of_the_ejected_is_not_held_up() -> None:
    begun = script("ana", "bo") >> Asked(ANA, edit("a1", change("n1", x=1))) << Commit
    for number in range(BATCH_OPERATIONS + 6):
        begun >> Asked(BO, edit(f"b{number}", change("n2", x=number)))
    begun >> Submitted(Ticket(1), caller("cy"), RoleAt(Role.WRITER, 1), edit("c1", change("n1", y=1)))
    begun >> Asked(ANA, Eject(name("bo"))) << changing(Deny(user("bo"), user("ana")))
    begun >> changed(denied=frozenset((user("bo").id,))) << dismissed("bo", Ending.REMOVED) << told(RosterChanged)
    begun >> Committed() << sent("ana", Accepted) << told(Happened, "ana") << Publish
    assert begun << ReadHistory(user("cy").id)


def test_PR5_the_presenter_falls_back_in_the_same_word_that_tells_the_ejection() -> None:
    begun = script("ana", "bo", of=session(presenter=user("bo"))) >> Asked(ANA, Eject(name("bo")))
    begun << changing(Deny(user("bo"), user("ana"))) >> changed(denied=frozenset((user("bo").id,)), presenter_term=2)
    begun << dismissed("bo", Ending.REMOVED)
    view = some(RosterView, presenter=user("ana"))
    assert begun << told(RosterChanged, left=(user("bo"),), ejected=True, presenter_changed=True, roster=view)


def test_SES18_an_ejection_by_another_worker_is_carried_out_here() -> None:
    begun = script("ana", "bo") >> HeadSeen(head(FOUNDED), session_version=2) << ReadSession
    begun >> SessionRead(session(version=2, denied=frozenset((user("bo").id,)))) << dismissed("bo", Ending.REMOVED)
    assert begun << told(RosterChanged, left=(user("bo"),), ejected=True)


def test_I24_what_the_ejected_still_send_or_have_waiting_is_nobodys() -> None:
    begun = script("ana", "bo") >> Asked(ANA, edit("a1", add("n8"))) << Commit >> Asked(BO, edit("b1", add("n9")))
    begun >> Asked(ANA, Eject(name("bo"))) << ChangeSession
    begun >> changed(denied=frozenset((user("bo").id,))) << dismissed("bo", Ending.REMOVED) << told(RosterChanged)
    begun >> Asked(BO, edit("b2", add("n7"))) >> Left(BO, Departure.SERVER)
    begun >> Committed() << some(object) << some(object) << some(object)
    assert begun


def test_PR10_the_cursor_of_the_ejected_is_shown_to_no_newcomer() -> None:
    begun = script("ana", "bo") >> Asked(BO, Aware(cursor={"x": 1, "y": 1})) << told(AwarenessShown, "bo")
    begun >> Asked(ANA, Eject(name("bo"))) << ChangeSession
    begun >> changed(denied=frozenset((user("bo").id,))) << dismissed("bo", Ending.REMOVED) << told(RosterChanged)
    assert begun.room.state.awareness.known() == ()
    assert begun


# the host goes and comes ----------------------------------------------------------------------------------------------


def test_SES9_the_host_who_leaves_ends_the_session_for_all() -> None:
    begun = script("ana", "bo") >> Left(ANA, Departure.CLEAN) << changing(End(Ending.HOST_LEFT))
    begun >> changed(ended=Ending.HOST_LEFT) << CatchUp >> CaughtUp(head(FOUNDED))
    assert begun << dismissed("bo", Ending.HOST_LEFT)


def test_SES9_while_another_socket_of_the_host_lives_nothing_ends() -> None:
    begun = script("ana", Guest("ana", socket="ana2"), "bo") >> Left(ANA, Departure.CLEAN)
    assert begun << told(RosterChanged, left=(), roster=some(RosterView, host_state="here"))


@pytest.mark.parametrize(("how", "grace_ms"), [(Departure.LOST, 15_000), (Departure.SERVER, 60_000)])
def test_SES10_SES12_a_lost_host_has_a_grace(how: Departure, grace_ms: int) -> None:
    begun = script("ana", "bo") >> Left(ANA, how) << changing(HostGone(grace_ms))
    view = some(RosterView, host_state="away", host=user("ana"))
    assert begun >> changed(**AWAY) << told(RosterChanged, joined=(), left=(), presenter_changed=False, roster=view)


def test_SES12_a_host_whom_the_server_closed_has_the_longer_grace() -> None:
    begun = script("ana", "bo") >> Barred(ANA, Ending.SLOW) << dismissed("ana", Ending.SLOW)
    assert begun << changing(HostGone(60_000))


def test_PR5_the_host_stays_presenter_during_the_grace() -> None:
    begun = script("ana", "bo") >> Left(ANA, Departure.LOST) << ChangeSession
    assert begun >> changed(**AWAY) << told(RosterChanged, roster=some(RosterView, presenter=user("ana")))


def test_SES10_a_return_within_the_grace_leaves_all_as_it_was() -> None:
    away = session(version=2, **AWAY)
    begun = script("bo", of=away) >> joined("ana", of=away) << ReadHistory >> NOTHING_NEW << CatchUp >> NOTHING_NEW
    begun << admitted("ana") << sent("ana", RosterChanged)
    begun << told(RosterChanged, "ana", joined=(), roster=some(RosterView, host_state="here"))
    assert begun << ChangeSession(away, HostBack()) >> changed(version=3)


def test_SES10_a_host_who_is_back_before_the_loss_was_written_down_never_left() -> None:
    """The store was away meanwhile: nobody was told of a leave, so nobody is told of a return."""
    begun = script("ana", "bo") >> Left(ANA, Departure.LOST) << ChangeSession >> SessionUnchanged()
    begun >> joined("ana") << CatchUp >> NOTHING_NEW
    begun << admitted("ana") << sent("ana", RosterChanged) << told(RosterChanged, "ana", joined=())
    assert begun >> After(0.2)


def test_SES10_a_host_who_is_back_while_the_loss_is_being_written_down_takes_it_back() -> None:
    begun = script("ana", "bo") >> Left(ANA, Departure.LOST) << ChangeSession
    begun >> joined("ana") << CatchUp >> NOTHING_NEW
    begun << admitted("ana") << sent("ana", RosterChanged) << told(RosterChanged, "ana", joined=())
    assert begun >> changed(**AWAY) << changing(HostBack()) >> changed(version=3)


def test_SES10_whoever_comes_before_the_loss_is_written_down_sees_the_host_as_away() -> None:
    begun = script("ana", "bo") >> Left(ANA, Departure.LOST) << ChangeSession
    begun >> joined("cy") << ReadHistory >> NO_HISTORY << CatchUp >> NOTHING_NEW
    listed = (
        some(Participant, user=user("bo")),
        some(Participant, user=user("cy")),
        some(Participant, user=user("ana")),
    )
    view = some(RosterView, participants=listed, host_state="away")
    assert begun << admitted("cy") << sent("cy", RosterChanged, roster=view) << told(RosterChanged, "cy")


def test_SES9_a_host_who_leaves_by_rest_has_left() -> None:
    begun = script("ana") >> SessionMoved(session().id, 2) << ReadSession
    begun >> SessionRead(session(version=2, left={user("ana").id: 2})) << dismissed("ana", Ending.LEFT)
    assert begun << changing(End(Ending.HOST_LEFT))


def test_SES9_with_the_setting_off_the_next_writer_is_host_and_the_old_one_has_left() -> None:
    begun = script("ana", "bo", settings=RoomSettings(host_leave_ends=False)) >> Left(ANA, Departure.CLEAN)
    begun << changing(SetHost(user("bo")))
    begun >> changed(host=user("bo"), **BO_PRESENTS)
    assert begun << told(RosterChanged, left=(user("ana"),), roles_changed=True, presenter_changed=True)


def test_SES16_what_was_asked_of_a_session_that_ended_says_nothing_of_the_next() -> None:
    begun = script("ana", "bo") >> Left(ANA, Departure.CLEAN) << ChangeSession
    begun >> SessionUnchanged() >> HeadSeen(head(FOUNDED), session_version=9)
    begun >> After(0.2) << ReadSession >> SessionRead(session(version=2, ended=Ending.IDLE))
    begun << CatchUp >> CaughtUp(head(FOUNDED)) << dismissed("bo", Ending.IDLE)
    other = session(id="s2")
    begun >> joined("bo", of=other) << CatchUp >> NOTHING_NEW
    begun << admitted("bo") << sent("bo", RosterChanged) << told(RosterChanged, "bo")
    assert begun >> After(5.0)


# the presenter goes ---------------------------------------------------------------------------------------------------


def presented_by_bo(*guests: str | Guest) -> Script:
    return script(*guests, of=session(presenter=user("bo")))


def test_PR5_the_presenters_leave_is_told_together_with_who_presents_now() -> None:
    begun = presented_by_bo("ana", "bo", "cy") >> Left(BO, Departure.CLEAN) << changing(SetPresenter(user("ana")))
    begun >> changed(presenter_term=2)
    view = some(RosterView, presenter=user("ana"), presenter_term=2)
    assert begun << told(RosterChanged, left=(user("bo"),), presenter_changed=True, roster=view)


def test_PR5_while_another_socket_of_the_presenter_lives_nothing_changes() -> None:
    begun = presented_by_bo("ana", "bo", Guest("bo", socket="bo2")) >> Left(BO, Departure.LOST)
    assert begun << told(RosterChanged, left=(), presenter_changed=False)


def test_PR5_a_presenter_who_is_back_first_has_neither_left_nor_joined() -> None:
    begun = presented_by_bo("ana", "bo") >> Left(BO, Departure.LOST) << ChangeSession >> SessionUnchanged()
    begun >> joined("bo") << CatchUp >> NOTHING_NEW
    begun << admitted("bo") << sent("bo", RosterChanged) << told(RosterChanged, "bo", joined=())
    assert begun >> After(0.2)


def test_PR5_whoever_comes_before_the_fall_back_stands_sees_who_is_about_to_leave() -> None:
    begun = presented_by_bo("ana", "bo") >> Left(BO, Departure.LOST) << ChangeSession
    begun >> joined("cy") << ReadHistory >> NO_HISTORY << CatchUp >> NOTHING_NEW
    listed = (
        some(Participant, user=user("ana")),
        some(Participant, user=user("cy")),
        some(Participant, user=user("bo")),
    )
    begun << admitted("cy") << sent("cy", RosterChanged, roster=some(RosterView, participants=listed))
    begun << told(RosterChanged, "cy")
    assert begun >> changed(presenter_term=2) << told(RosterChanged, left=(user("bo"),))


def test_PR5_who_was_made_presenter_and_has_gone_meanwhile_is_replaced() -> None:
    begun = script("ana", "bo") >> Asked(ANA, GrantPresenter(name("bo"))) << ChangeSession
    begun >> Left(BO, Departure.LOST) << told(RosterChanged, left=(user("bo"),))
    assert begun >> changed(**BO_PRESENTS) << told(PresenterChanged) << changing(SetPresenter(user("ana")))


def test_SES9_who_was_made_host_and_has_left_meanwhile_is_followed_by_the_next() -> None:
    begun = script("ana", "bo", "cy", settings=RoomSettings(host_leave_ends=False)) >> Left(ANA, Departure.CLEAN)
    begun << changing(SetHost(user("bo"))) >> Left(BO, Departure.LOST) << told(RosterChanged, left=(user("bo"),))
    begun >> changed(host=user("bo")) << told(RosterChanged, left=(user("ana"),)) << changing(SetHost(user("cy")))
    begun >> changed(version=3, host=user("cy")) << told(RosterChanged, left=(), roles_changed=True)
    assert begun << changing(SetPresenter(user("cy")))


def test_PR5_a_presenter_whom_somebody_else_has_replaced_leaves_like_anybody() -> None:
    begun = presented_by_bo("ana", "bo") >> Left(BO, Departure.LOST) << ChangeSession
    begun >> SessionStale(session(version=2, presenter_term=2)) << told(PresenterChanged, by="system")
    assert begun << told(RosterChanged, left=(user("bo"),))


def test_SES6_a_presenter_who_leaves_by_rest_goes_with_all_sockets() -> None:
    begun = presented_by_bo("ana", "bo", Guest("bo", socket="bo2")) >> SessionMoved(session().id, 2) << ReadSession
    begun >> SessionRead(session(version=2, left={user("bo").id: 2}, presenter=user("bo")))
    begun << dismissed("bo", Ending.LEFT) << told(RosterChanged, left=())
    begun << dismissed("bo2", Ending.LEFT) << changing(SetPresenter(user("ana")))
    begun >> changed(version=3, presenter_term=2)
    assert begun << told(RosterChanged, left=(user("bo"),), presenter_changed=True)


# reading --------------------------------------------------------------------------------------------------------------


def test_a_newer_version_of_the_session_is_read() -> None:
    begun = script("ana", "bo") >> HeadSeen(head(FOUNDED), session_version=2) << ReadSession(session().id)
    assert begun >> SessionRead(session(version=2, **BO_PRESENTS)) << told(PresenterChanged, by="system")


def test_I30_a_store_that_has_lost_time_is_not_asked_again_and_again() -> None:
    begun = script("ana", "bo", of=session(version=5)) >> Left(BO, Departure.LOST) << told(RosterChanged)
    release = changing(SetPresenter(None, user("ana")))
    begun >> Asked(ANA, ReleasePresenter()) << release >> SessionStale(session(version=3))
    assert begun >> After(0.2) << release


def test_an_older_look_at_the_session_changes_nothing() -> None:
    begun = script("ana", "bo", of=session(version=5, presenter=None, presenter_term=3))
    begun >> HeadSeen(head(FOUNDED), session_version=4) << ReadSession
    assert begun >> SessionRead(session(version=4))
    assert begun.room.state.session == session(version=5, presenter=None, presenter_term=3)


def test_I29_a_read_that_failed_is_made_again() -> None:
    begun = script("ana") >> HeadSeen(head(FOUNDED), session_version=2) << ReadSession >> SessionUnchanged()
    assert begun >> After(0.2) << ReadSession


def test_a_need_that_arises_while_a_read_is_under_way_is_met_by_the_next() -> None:
    seen = HeadSeen(head(FOUNDED), session_version=2)
    begun = script("ana") >> seen << ReadSession >> seen
    assert begun >> SessionRead(session(version=2)) << ReadSession >> SessionRead(session(version=2))


def test_a_session_that_is_nowhere_is_over() -> None:
    begun = script("ana") >> HeadSeen(head(FOUNDED), session_version=2) << ReadSession >> SessionRead(None)
    assert begun << CatchUp >> CaughtUp(head(FOUNDED)) << dismissed("ana", Ending.SESSION_NOT_FOUND)


def test_what_a_handshake_saw_counts_if_it_is_newer() -> None:
    newer: Session = session(version=2, **BO_PRESENTS)
    event: Joined = joined("cy", of=newer)
    assert script("ana", "bo") >> event << told(PresenterChanged, by="system") << ReadHistory


def test_SES15_a_session_that_ends_while_another_one_begins_ends_first() -> None:
    """Somebody comes with a session that we do not know: ours is looked at before anybody is let in."""
    other = session(id="s2", host=user("cy"))
    begun = script("ana") >> joined("cy", of=other) << ReadHistory << ReadSession(session().id) >> NO_HISTORY << CatchUp
    begun >> SessionRead(session(version=2, ended=Ending.HOST_ENDED))
    begun >> CaughtUp(head(FOUNDED)) << CatchUp >> CaughtUp(head(FOUNDED))
    begun << dismissed("ana", Ending.HOST_ENDED) << ReadSession(other.id)
    begun >> SessionRead(other)
    begun << admitted("cy") << sent("cy", RosterChanged) << told(RosterChanged, "cy", joined=(user("cy"),))
    assert begun.room.state.session == other
    assert begun


def test_I21_the_session_of_a_joiner_may_have_ended_as_well() -> None:
    other = session(id="s2", host=user("cy"))
    begun = script("ana") >> joined("cy", of=other) << ReadHistory << ReadSession(session().id)
    begun >> SessionRead(session(version=2, ended=Ending.HOST_ENDED)) >> NO_HISTORY << CatchUp
    begun >> CaughtUp(head(FOUNDED)) << dismissed("ana", Ending.HOST_ENDED) << ReadSession(other.id)
    begun >> SessionRead(session(id="s2", version=2, ended=Ending.IDLE)) << dismissed("cy", Ending.SESSION_NOT_FOUND)
    assert begun


def test_SES16_a_session_that_has_ended_is_not_begun_again_by_a_late_joiner() -> None:
    begun = script("ana") >> HeadSeen(head(FOUNDED), session_version=2) << ReadSession
    begun >> joined("cy") << ReadHistory
    begun >> SessionRead(session(version=2, ended=Ending.IDLE)) >> NO_HISTORY << CatchUp
    begun >> CaughtUp(head(FOUNDED)) << dismissed("ana", Ending.IDLE)
    assert begun << dismissed("cy", Ending.SESSION_NOT_FOUND)


def test_SES16_a_joiner_of_a_session_that_is_past_is_told_so() -> None:
    other = session(id="s0", host=user("cy"))
    begun = script("ana") >> joined("cy", of=other) << ReadHistory << ReadSession >> NO_HISTORY << CatchUp
    begun >> CaughtUp(head(FOUNDED)) >> SessionRead(session())
    assert begun << dismissed("cy", Ending.SESSION_NOT_FOUND)


def test_a_session_that_has_ended_is_not_read_again() -> None:
    begun = script("ana", "bo") >> HeadSeen(head(FOUNDED), session_version=2) << ReadSession
    begun >> HeadSeen(head(FOUNDED), session_version=2)
    begun >> SessionRead(session(version=2, ended=Ending.IDLE)) << CatchUp >> CaughtUp(head(FOUNDED))
    assert begun << dismissed("ana", Ending.IDLE) << dismissed("bo", Ending.IDLE)

"""What other workers say, and what is said to them."""

from __future__ import annotations

from typing import Any

from collab.core.effects import Announce, CatchUp, ChangeSession, ReadSession, Speak, Survey
from collab.core.elsewhere import REFRESHED_S
from collab.core.events import (
    Asked,
    BusSensed,
    CaughtUp,
    Declined,
    Departure,
    Heard,
    HistoryRead,
    Left,
    Pointed,
    RollCalled,
    Said,
    SessionChanged,
    SessionMoved,
    SessionRead,
    Stood,
    Surveyed,
    Wanted,
)
from collab.core.meeting import Deny, End, HostBack, HostGone, SetPresenter
from collab.core.remote import FRESH_S
from protocol.intents import AskPresenter, Aware, DenyPresenter, Eject, GrantPresenter, ReleasePresenter, UserName
from protocol.notices import (
    AwarenessShown,
    AwareUpdate,
    Done,
    HeartbeatShown,
    Participant,
    PresenterAsked,
    PresenterChanged,
    PresenterDenied,
    RosterChanged,
    RosterView,
    Troubled,
)
from protocol.refusals import Ending, Trouble
from protocol.values import SocketId
from tests.support.script import (
    FOUNDED,
    SESSION,
    After,
    Guest,
    Script,
    admitted,
    dismissed,
    head,
    joined,
    participant,
    script,
    sent,
    session,
    some,
    told,
    user,
)

ANA, BO = SocketId("ana"), SocketId("bo")
ANA_THERE = {"w2": (participant("ana", "a1"),)}
BO_THERE = {"w2": (participant("bo", "b1"),)}
NOBODY: dict[str, tuple[Participant, ...]] = {}


def said(*participants: Participant, version: int = 1, serial: int = 1) -> Said:
    return Said(SESSION.id, version, participants, "w2", serial)


def name(of: str) -> UserName:
    return UserName(provider="test", provider_id=of)


def changing(change: Any) -> Any:
    return some(ChangeSession, change=change)


def roster(*people: str, **fields: Any) -> Any:
    return some(RosterView, participants=tuple(some(Participant, user=user(one)) for one in people), **fields)


# who is there ---------------------------------------------------------------------------------------------------------


def test_WS11_nobody_is_let_in_before_it_is_known_who_is_elsewhere() -> None:
    begun = script(others={}) >> joined("bo") << Survey(SESSION.id)
    begun << some(object, user=user("bo").id) >> HistoryRead(user("bo").id, ()) << CatchUp
    begun >> CaughtUp(head(FOUNDED))
    begun >> Surveyed(SESSION.id, ANA_THERE) << told(RosterChanged, roster=roster("ana"))
    begun << admitted("bo") << sent("bo", RosterChanged, roster=roster("ana", "bo", host_state="here"))
    assert begun << told(RosterChanged, "bo", joined=(user("bo"),))


def test_SES19_I22_where_presence_knows_nothing_somebody_comes_in_all_the_same() -> None:
    begun = script(others={}) >> joined("bo") << Survey << some(object, user=user("bo").id)
    begun >> HistoryRead(user("bo").id, ()) << CatchUp >> CaughtUp(head(FOUNDED))
    assert (
        begun >> Surveyed(SESSION.id, None) << admitted("bo") << sent("bo", RosterChanged) << told(RosterChanged, "bo")
    )


def test_WS11_who_comes_and_goes_at_another_worker_is_told_here() -> None:
    begun = script("ana", others=NOBODY) >> said(participant("bo", "b1"))
    begun << told(RosterChanged, joined=(user("bo"),), left=())
    begun >> said(participant("bo", "b1", "b2"), serial=2) << told(RosterChanged, joined=(), left=())
    assert begun >> said(serial=3) << told(RosterChanged, joined=(), left=(user("bo"),))


def test_WS11_what_another_worker_says_again_is_told_once() -> None:
    begun = script("ana", others=NOBODY) >> said(participant("bo", "b1")) << told(RosterChanged)
    assert begun >> said(participant("bo", "b1"), serial=2)


def test_WS11_what_stands_at_another_worker_is_told_to_nobody() -> None:
    begun = script("ana", others=NOBODY) >> said(participant("bo", "b1")) << told(RosterChanged)
    assert begun >> Stood(SESSION.id, "w2", 1)


def test_I22_where_what_stands_was_not_heard_the_roll_is_called_and_presence_is_asked() -> None:
    begun = script("ana", others=NOBODY) >> said(participant("bo", "b1")) << told(RosterChanged)
    assert begun >> Stood(SESSION.id, "w2", 2) << Survey(SESSION.id)


def test_I22_presence_that_was_out_of_reach_a_moment_ago_lets_nobody_vanish() -> None:
    begun = script("ana", others=NOBODY) >> said(participant("bo", "b1")) << told(RosterChanged)
    begun >> BusSensed(healthy=False) >> After(FRESH_S + 1) >> BusSensed(healthy=True)
    begun >> Surveyed(SESSION.id, NOBODY)
    begun >> After(REFRESHED_S + 1) << told(HeartbeatShown)
    assert begun >> Surveyed(SESSION.id, NOBODY) << told(RosterChanged, left=(user("bo"),))


def test_what_stands_of_another_session_makes_the_room_look() -> None:
    assert script("ana", others=NOBODY) >> Stood(session(id="s2").id, "w2", 1) << ReadSession


def test_WS11_the_last_socket_here_is_no_leave_while_there_is_one_elsewhere() -> None:
    begun = script("ana", "bo", others=NOBODY) >> said(participant("bo", "b1")) << told(RosterChanged, joined=())
    assert begun >> Left(BO, Departure.CLEAN) << told(RosterChanged, left=())


def test_SES9_the_host_s_last_socket_here_ends_nothing_while_there_is_one_elsewhere() -> None:
    begun = script("ana", "bo", others=NOBODY) >> said(participant("ana", "a1")) << told(RosterChanged)
    assert begun >> Left(ANA, Departure.CLEAN) << told(RosterChanged, roster=roster("ana", "bo", host_state="here"))


def test_SES9_SES10_the_last_sockets_of_the_host_here_and_elsewhere_may_go_together() -> None:
    def both(how: Departure, seconds: float) -> Script:
        begun = script("ana", "bo", others=NOBODY) >> said(participant("ana", "a1")) << told(RosterChanged)
        begun >> Left(ANA, how) << told(RosterChanged, roster=roster("ana", "bo", host_state="here")) >> After(seconds)
        return begun >> said(serial=2)

    away = told(RosterChanged, left=(), roster=some(RosterView, host_state="away"))
    clean = both(Departure.CLEAN, 0.5) << Survey(SESSION.id) << away
    assert clean >> Surveyed(SESSION.id, NOBODY) << changing(End(Ending.HOST_LEFT))
    assert both(Departure.LOST, 0.5) << away << changing(HostGone(15_000))
    assert both(Departure.CLEAN, 1.5) << away << changing(HostGone(60_000)), "it went later, and nobody says how"


def test_SES12_a_host_whose_other_worker_closes_its_sockets_is_not_taken_for_gone() -> None:
    begun = script("ana", "bo", others=NOBODY) >> said(participant("ana", "a1")) << told(RosterChanged)
    begun >> Left(ANA, Departure.CLEAN) << told(RosterChanged, roster=roster("ana", "bo", host_state="here"))
    begun >> Said(SESSION.id, 1, (), "w2", 2, closing=True)
    away = told(RosterChanged, left=(), roster=some(RosterView, host_state="away"))
    assert begun << away << changing(HostGone(60_000))


def test_SES9_while_the_bus_is_deaf_another_tab_of_the_host_may_be_elsewhere() -> None:
    begun = script("ana", "bo", others=NOBODY) >> BusSensed(healthy=False)
    assert begun >> Left(ANA, Departure.CLEAN) << changing(HostGone(15_000))
    begun = script("ana", "bo", others=NOBODY) >> Surveyed(SESSION.id, None)
    assert begun >> Left(ANA, Departure.CLEAN) << changing(HostGone(15_000))
    begun = script("ana", "bo", others=NOBODY) >> BusSensed(healthy=False) >> BusSensed(healthy=True)
    begun >> Left(ANA, Departure.CLEAN) << Survey(SESSION.id)
    assert begun >> Surveyed(SESSION.id, NOBODY) << changing(End(Ending.HOST_LEFT))


def test_SES9_a_tab_of_the_host_that_only_presence_knows_of_gives_the_host_a_grace() -> None:
    begun = script("ana", "bo", others=NOBODY) >> said(participant("bo", "b1")) << told(RosterChanged)
    begun >> Left(ANA, Departure.CLEAN) << Survey(SESSION.id)
    assert begun >> Surveyed(SESSION.id, {"w2": (participant("ana", "a1"),)}) << changing(HostGone(15_000))


def test_SES9_a_host_who_cannot_be_asked_for_may_be_elsewhere() -> None:
    begun = script("ana", "bo", others=NOBODY) >> Left(ANA, Departure.CLEAN) << Survey(SESSION.id)
    assert begun >> Surveyed(SESSION.id, None) << changing(HostGone(15_000))


def test_SES9_a_host_who_is_back_while_it_is_asked_where_they_are_has_lost_nothing() -> None:
    begun = script("ana", "bo", others=NOBODY) >> Left(ANA, Departure.CLEAN) << Survey(SESSION.id)
    begun >> joined("ana") << CatchUp >> CaughtUp(head(FOUNDED)) << admitted("ana") << sent("ana", RosterChanged)
    begun << told(RosterChanged, "ana")
    assert begun >> Surveyed(SESSION.id, NOBODY)


def test_what_is_said_of_facts_that_the_store_does_not_have_is_asked_about_once() -> None:
    """Of a store that has lost time, one worker knows newer facts than it has."""
    begun = script("ana", others=NOBODY) >> said(participant("bo", "b1"), version=7) << ReadSession
    assert begun >> SessionRead(session())


def test_SES12_a_host_who_went_with_another_worker_has_a_minute() -> None:
    begun = script("bo", others=ANA_THERE)
    begun >> said() << told(RosterChanged, left=(), roster=some(RosterView, host_state="away"))
    begun << changing(HostGone(60_000))
    away = session(version=2, host_grace_until_ms=99)
    assert (
        begun
        >> SessionChanged(away)
        << told(RosterChanged, joined=(), left=(), roster=some(RosterView, host_state="away"))
    )


def test_PR5_of_a_presenter_who_went_with_another_worker_the_next_one_takes_over() -> None:
    of = session(presenter=user("bo"))
    begun = script("ana", of=of, others=BO_THERE) >> said() << told(RosterChanged, left=(user("bo"),))
    assert begun << changing(SetPresenter(user("ana")))


def test_a_leave_that_is_decided_elsewhere_is_told_when_the_facts_are_known() -> None:
    begun = script("ana", of=session(presenter=user("bo")), others=BO_THERE)
    begun >> said(version=2) << ReadSession
    begun >> SessionRead(session(version=2, presenter=user("ana"), presenter_term=2)) << told(object)
    assert begun << told(RosterChanged, left=(user("bo"),))


def test_SES10_a_host_who_is_away_elsewhere_is_listed_and_has_not_left() -> None:
    begun = script("bo", others=ANA_THERE) >> said(participant("ana"), version=2) << ReadSession
    begun >> SessionRead(session(version=2, host_grace_until_ms=99))
    assert begun << told(RosterChanged, left=(), roster=roster("bo", "ana", host_state="away"))


def test_SES10_a_host_who_is_here_takes_back_a_grace_that_another_worker_began() -> None:
    begun = script("ana", others=NOBODY) >> SessionMoved(SESSION.id, 2) << ReadSession
    assert begun >> SessionRead(session(version=2, host_grace_until_ms=99)) << changing(HostBack())


def test_SES10_who_returned_to_another_worker_is_not_said_to_be_away_here() -> None:
    begun = script("ana", "bo", others=NOBODY) >> Left(ANA, Departure.LOST) << changing(HostGone(15_000))
    begun >> said(participant("ana", "a1")) << told(RosterChanged, joined=(), left=())
    assert begun << some(Announce, participants=(some(Participant, user=user("bo")),)), "and says so itself"


def returned() -> Script:
    """To where, nobody has said yet."""
    begun = (
        script("bo", of=session(host_grace_until_ms=99), others=NOBODY) >> SessionMoved(SESSION.id, 2) << ReadSession
    )
    begun >> SessionRead(session(version=2))
    return begun << told(RosterChanged, joined=(), left=(), roster=roster("ana", "bo", host_state="away"))


def test_SES10_a_host_who_is_back_stays_listed_until_it_is_said_where() -> None:
    begun = returned() >> said(participant("ana", "a1"), version=2)
    begun << told(RosterChanged, joined=(), left=(), roster=some(RosterView, host_state="here"))
    assert begun >> After(FRESH_S + 1)


def test_SES12_a_host_of_whom_nobody_says_where_is_missed() -> None:
    begun = returned() >> After(FRESH_S + 0.1)
    assert begun << told(RosterChanged, left=()) << changing(HostGone(60_000))


def test_SES18_what_was_said_before_an_ejection_brings_nobody_back() -> None:
    begun = script("ana", others=BO_THERE) >> Asked(ANA, Eject(name("bo"))) << changing(Deny(user("bo"), user("ana")))
    ejected = session(version=2, denied=frozenset((user("bo").id,)))
    begun >> SessionChanged(ejected) << told(RosterChanged, ejected=True, left=(user("bo"),))
    assert begun >> said(participant("bo", "b1"), serial=9)


def test_SES18_an_ejection_decided_elsewhere_closes_the_user_s_sockets_here() -> None:
    begun = script("bo", "cy", others=ANA_THERE) >> SessionMoved(SESSION.id, 2) << ReadSession
    begun >> SessionRead(session(version=2, denied=frozenset((user("bo").id,)))) << dismissed("bo", Ending.REMOVED)
    assert begun << told(RosterChanged, ejected=True, left=(user("bo"),))


def test_a_change_that_is_known_is_read_no_more() -> None:
    assert script("ana", others=NOBODY) >> SessionMoved(SESSION.id, 1)


def test_what_is_said_of_another_session_makes_the_room_look() -> None:
    other = Said(session(id="s2").id, 1, (participant("bo", "b1"),), "w2", 1)
    assert script("ana", others=NOBODY) >> other << ReadSession


def test_a_roll_call_is_answered_with_who_is_here_and_what_they_show() -> None:
    begun = script("ana", others=NOBODY) >> Asked(ANA, Aware(cursor={"x": 1, "y": 2})) << told(AwarenessShown, "ana")
    begun >> RollCalled(SESSION.id)
    begun << some(Announce, session=SESSION.id, participants=(some(Participant, user=user("ana")),), version=1)
    assert begun << Speak(Pointed(SESSION.id, 1, (AwareUpdate(ANA, user("ana"), True, cursor={"x": 1, "y": 2}),)))


def test_nobody_here_is_no_answer_to_a_roll_call() -> None:
    assert script(others=NOBODY) >> RollCalled(SESSION.id)


def test_I18_where_news_may_be_lost_everything_is_asked_anew() -> None:
    begun = script("ana", others=NOBODY) >> Heard("", (), gap=True)
    assert begun << Survey(SESSION.id) << CatchUp << ReadSession


def test_PR9_where_news_may_be_lost_what_is_shown_here_is_said_again() -> None:
    begun, cursor = seeing(), {"x": 1, "y": 2}
    shows = Speak(Pointed(SESSION.id, 1, (AwareUpdate(BO, user("bo"), False, cursor=cursor),)))
    begun >> Asked(BO, Aware(cursor=cursor)) << told(AwarenessShown, "bo") << shows
    assert begun >> Heard("", (), gap=True) << Survey(SESSION.id) << shows << CatchUp << ReadSession


def test_S75_SES8_sockets_at_other_workers_count() -> None:
    there = participant("bo", *(f"b{n}" for n in range(5)))
    begun = script("ana", others=NOBODY) >> said(there) << told(RosterChanged)
    begun >> joined("bo") << some(object, user=user("bo").id) >> HistoryRead(user("bo").id, ()) << CatchUp
    assert begun >> CaughtUp(head(FOUNDED)) << dismissed("bo", Ending.TOO_MANY_CONNECTIONS)


def test_WS11_who_comes_to_an_empty_room_is_let_in_only_when_it_is_known_again_who_is_elsewhere() -> None:
    begun = script("bo", others=NOBODY) >> Left(BO, Departure.LOST) << told(RosterChanged, left=(user("bo"),))
    assert begun >> joined("bo") << Survey(SESSION.id) << CatchUp


def test_SES9_a_host_who_is_only_said_to_be_away_elsewhere_is_not_there() -> None:
    begun = script("ana", "bo", others=NOBODY) >> Left(ANA, Departure.CLEAN) << Survey(SESSION.id)
    begun >> Surveyed(SESSION.id, {"w2": (participant("ana"),)}) << told(RosterChanged, left=())
    assert begun << changing(End(Ending.HOST_LEFT))


def test_SES10_a_host_of_whose_loss_nothing_is_decided_yet_stays_listed_whoever_comes_elsewhere() -> None:
    begun = script("ana", "cy", others=NOBODY) >> Left(ANA, Departure.LOST) << changing(HostGone(15_000))
    begun >> said(participant("bo", "b1"))
    away = roster("bo", "cy", "ana", host_state="away")
    assert begun << told(RosterChanged, joined=(user("bo"),), left=(), roster=away)


# what they ask for ----------------------------------------------------------------------------------------------------


def test_PR11_a_request_goes_to_the_host_at_another_worker() -> None:
    begun = script("bo", others=ANA_THERE) >> Asked(BO, AskPresenter("r"))
    assert begun << Speak(Wanted(SESSION.id, user("bo"))) << sent("bo", Done, ref="r")


def test_PR11_while_news_is_lost_a_request_to_a_host_at_another_worker_is_denied_by_the_system() -> None:
    begun = script("bo", others=ANA_THERE) >> BusSensed(healthy=False) >> Asked(BO, AskPresenter("r"))
    assert begun << sent("bo", PresenterDenied, user=user("bo"), host=None) << sent("bo", Done, ref="r")


def test_PR11_while_news_is_lost_a_request_to_a_host_here_arrives() -> None:
    begun = script("ana", "bo", others=NOBODY) >> BusSensed(healthy=False) >> Asked(BO, AskPresenter("r"))
    assert begun << sent("ana", PresenterAsked, user=user("bo")) << sent("bo", Done, ref="r")


def test_PR11_WS22_while_news_is_lost_a_denial_for_another_worker_is_answered_with_why() -> None:
    begun = script("ana", others=BO_THERE) >> BusSensed(healthy=False) >> Asked(ANA, DenyPresenter(name("bo"), "r"))
    assert begun << sent("ana", Troubled, trouble=Trouble.INVALID_PARTICIPANT, ref="r")


def test_PR11_a_request_from_another_worker_is_shown_to_all_sockets_of_the_host() -> None:
    begun = script("ana", Guest("ana", socket="ana2"), "cy", others=BO_THERE) >> Wanted(SESSION.id, user("bo"))
    assert begun << sent("ana", PresenterAsked, user=user("bo")) << sent("ana2", PresenterAsked)


def test_PR11_a_denial_goes_to_the_user_at_another_worker() -> None:
    begun = script("ana", others=BO_THERE) >> Asked(ANA, DenyPresenter(name("bo"), "r"))
    assert begun << Speak(Declined(SESSION.id, user("bo"), by_host=True)) << sent("ana", Done, ref="r")


def test_PR11_a_denial_from_another_worker_is_shown_to_the_user() -> None:
    begun = script("bo", others=ANA_THERE) >> Declined(SESSION.id, user("bo"), by_host=True)
    assert begun << sent("bo", PresenterDenied, user=user("bo"), host=user("ana"))


def test_PR11_a_denial_from_another_worker_may_be_the_server_s() -> None:
    begun = script("bo", others=ANA_THERE) >> Declined(SESSION.id, user("bo"), by_host=False)
    assert begun << sent("bo", PresenterDenied, user=user("bo"), host=None)


def test_PR4_who_is_at_another_worker_may_be_made_presenter() -> None:
    begun = script("ana", others=BO_THERE) >> Asked(ANA, GrantPresenter(name("bo")))
    assert begun << changing(SetPresenter(user("bo"), user("ana")))


def test_PR4_by_whom_the_presenter_changed_is_told_at_all_workers() -> None:
    begun = script("bo", others=ANA_THERE) >> SessionMoved(SESSION.id, 2, asked=True) << ReadSession
    begun >> SessionRead(session(version=2, presenter=user("bo"), presenter_term=2))
    begun << told(PresenterChanged, by="host") >> SessionMoved(SESSION.id, 3) << ReadSession
    begun >> SessionRead(session(version=3, presenter=user("ana"), presenter_term=3))
    assert begun << told(PresenterChanged, by="system")


# what they point at ---------------------------------------------------------------------------------------------------


def pointed(term: int = 1, x: int = 1, serial: int = 1, socket: str = "a1") -> Pointed:
    update = AwareUpdate(SocketId(socket), user("ana"), True, cursor={"x": x, "y": 0})
    return Pointed(SESSION.id, term, (update,), serial)


def shown(x: int) -> Any:
    return told(
        AwarenessShown, updates=(some(AwareUpdate, connection_id="a1", presenting=True, cursor={"x": x, "y": 0}),)
    )


def seeing() -> Script:
    return script("bo", others=ANA_THERE)


def test_PR8_a_cursor_at_another_worker_is_shown_here() -> None:
    assert seeing() >> pointed() << shown(1)


def test_PR8_what_was_shown_before_it_was_known_that_somebody_is_elsewhere_is_said_then() -> None:
    begun = script("ana", others=NOBODY) >> Asked(ANA, Aware(cursor={"x": 1, "y": 2})) << told(AwarenessShown, "ana")
    begun >> said(participant("bo", "b1")) << told(RosterChanged)
    begun << Speak(Pointed(SESSION.id, 1, (AwareUpdate(ANA, user("ana"), True, cursor={"x": 1, "y": 2}),)))
    assert begun >> said(participant("bo", "b1", "b2"), serial=2) << told(RosterChanged), "who came later has heard it"


def test_PR9_a_cursor_waits_with_the_news_of_whose_it_is() -> None:
    begun = script("bo", others=NOBODY) >> said(participant("ana", "a1"), version=2) << ReadSession
    begun >> pointed()
    begun >> SessionRead(session(version=2)) << told(RosterChanged)
    assert begun << shown(1)


def test_PR8_nothing_is_said_of_cursors_where_nobody_is_elsewhere() -> None:
    begun = script("ana", others=NOBODY) >> Asked(ANA, Aware(cursor={"x": 1, "y": 2}))
    assert begun << told(AwarenessShown, "ana")


def test_PR9_what_is_shown_already_is_not_shown_again_and_what_was_overtaken_never() -> None:
    begun = seeing() >> pointed(serial=5) << shown(1)
    begun >> pointed(serial=6) >> pointed(x=9, serial=4)
    assert begun


def test_PR8_of_what_is_said_together_the_new_is_shown() -> None:
    begun = script("bo", others={"w2": (participant("ana", "a1", "a2"),)}) >> pointed() << shown(1) >> After(1.0)
    one, other = pointed().updates[0], pointed(x=2, socket="a2").updates[0]
    begun >> Pointed(SESSION.id, 1, (one, other), 2)
    assert begun << told(AwarenessShown, updates=(some(AwareUpdate, connection_id="a2"),))


def test_PR7_I20_a_cursor_of_an_older_term_reaches_nobody() -> None:
    begun = script("bo", of=session(presenter_term=2), others=ANA_THERE)
    assert begun >> pointed(term=1)


def test_PR7_I20_a_cursor_of_a_newer_term_waits_until_it_is_known_who_presents() -> None:
    begun = seeing() >> pointed(term=2) << ReadSession
    begun >> SessionRead(session(version=2, presenter=None, presenter_term=2)) << told(object)
    update = some(AwareUpdate, connection_id="a1", presenting=False)
    assert begun << told(AwarenessShown, updates=(update,)), "who presents is for the facts to say"


def test_PR7_I20_a_cursor_of_a_newer_term_waits_for_a_read_that_is_to_begin_yet() -> None:
    begun = script("bo", of=session(presenter=user("bo")), others=ANA_THERE)
    begun >> Asked(BO, ReleasePresenter()) << changing(SetPresenter(None, user("bo"))) >> pointed(term=3)
    begun >> SessionChanged(session(version=2, presenter=None, presenter_term=2)) << told(PresenterChanged)
    begun << ReadSession >> SessionRead(session(version=3, presenter_term=3)) << told(PresenterChanged)
    assert begun << shown(1)


def test_PR9_what_was_said_under_an_older_term_is_said_again_under_the_new_one() -> None:
    begun, cursor = seeing(), {"x": 1, "y": 2}
    begun >> Asked(BO, Aware(cursor=cursor)) << told(AwarenessShown, "bo")
    begun << Speak(Pointed(SESSION.id, 1, (AwareUpdate(BO, user("bo"), False, cursor=cursor),)))
    begun >> SessionMoved(SESSION.id, 2) << ReadSession
    begun >> SessionRead(session(version=2, presenter=None, presenter_term=2)) << told(PresenterChanged)
    assert begun << Speak(Pointed(SESSION.id, 2, (AwareUpdate(BO, user("bo"), False, cursor=cursor),)))


def test_PR10_who_is_not_there_shows_nothing() -> None:
    assert seeing() >> pointed(socket="nobody")


def test_PR10_what_a_connection_showed_goes_with_it() -> None:
    begun = seeing() >> pointed() << shown(1)
    begun >> said(participant("ana", "a9"), serial=9) << told(RosterChanged)
    assert begun
    assert begun.room.state.awareness.known() == ()

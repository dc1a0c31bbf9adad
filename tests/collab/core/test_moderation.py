"""Who hosts, who presents, who stays: every request by everybody who may make it."""

from __future__ import annotations

from typing import Any

import pytest

from collab.core.effects import Send
from collab.core.meeting import Deny, End, HostBack, HostGone, Session, SetHost, SetPresenter
from collab.core.moderation import (
    NOTHING,
    ByLoss,
    ByUser,
    Decision,
    HostLost,
    HostMissed,
    HostReturned,
    PresenterLost,
    Request,
    decide,
    next_presenter,
)
from collab.core.roster import Present, Roster
from protocol.intents import AskPresenter, DenyPresenter, Eject, GrantPresenter, ReleasePresenter, UserName
from protocol.notices import Done, PresenterAsked, PresenterDenied, Troubled
from protocol.refusals import Ending, Trouble
from protocol.values import Role, RoleAt, SocketId
from tests.support.script import SESSION, Guest, caller, matches, participant, sent, session, user

ANA, BO, CY = Guest("ana"), Guest("bo"), Guest("cy", role=Role.READER)


def roster(*guests: Guest) -> Roster:
    made = Roster()
    for guest in guests:
        made.add(Present(guest.id, caller(guest.name), RoleAt(guest.role, 1), guest.dialect, 0))
    return made


def name(of: str) -> UserName:
    return UserName(provider="test", provider_id=of)


def asked(what: ByUser, by: str, *guests: Guest, of: Session = SESSION, leave_ends: bool = True) -> Decision:
    request = Request(what, SocketId(by), user(by))
    return decide(request, of, roster(*(guests or (ANA, BO, CY))), leave_ends, 5)


def lost(what: ByLoss, *guests: Guest, of: Session = SESSION, leave_ends: bool = True) -> Decision:
    return decide(Request(what), of, roster(*guests), leave_ends, 5)


def is_told(decision: Decision, *effects: Any) -> bool:
    return decision.change is None and matches(effects, decision.effects)


def trouble(socket: str, of: Trouble) -> Any:
    return sent(socket, Troubled, trouble=of, ref="r", at_ms=5)


BO_PRESENTS = session(presenter=user("bo"))
BO_IS_LOST = PresenterLost(user("bo").id)

# asking ---------------------------------------------------------------------------------------------------------------


def test_PR11_a_request_of_somebody_else_is_shown_to_the_hosts_sockets() -> None:
    decision = asked(AskPresenter("r"), "bo", ANA, Guest("ana", socket="ana2"), BO)
    asking = {"user": user("bo")}
    assert is_told(
        decision,
        sent("ana", PresenterAsked, **asking),
        sent("ana2", PresenterAsked, **asking),
        sent("bo", Done, ref="r"),
    )


def test_PR11_a_request_while_the_host_is_not_there_is_denied_by_the_system() -> None:
    decision = asked(AskPresenter(), "bo", BO)
    assert is_told(decision, sent("bo", PresenterDenied, user=user("bo"), host=None), Send(SocketId("bo"), Done()))


def test_PR2_a_host_who_asks_presents_at_once() -> None:
    assert asked(AskPresenter(), "ana", of=BO_PRESENTS) == Decision(SetPresenter(user("ana"), user("ana")))


def test_who_presents_and_asks_is_not_heard() -> None:
    assert is_told(asked(AskPresenter("r"), "bo", of=BO_PRESENTS), sent("bo", Done, ref="r"))
    assert is_told(asked(AskPresenter("r"), "ana"), sent("ana", Done, ref="r"))


def test_who_has_gone_since_is_not_heard() -> None:
    assert asked(AskPresenter(), "bo", ANA) == NOTHING


# granting, releasing --------------------------------------------------------------------------------------------------


def test_PR3_the_host_lets_even_a_reader_present() -> None:
    assert asked(GrantPresenter(name("cy")), "ana") == Decision(SetPresenter(user("cy"), user("ana")))


def test_WS22_granting_to_somebody_absent_is_an_invalid_participant() -> None:
    assert is_told(asked(GrantPresenter(name("eve"), "r"), "ana"), trouble("ana", Trouble.INVALID_PARTICIPANT))


def test_the_host_lets_nobody_present() -> None:
    assert asked(GrantPresenter(None), "ana") == Decision(SetPresenter(None, user("ana")))


def test_PR4_a_grant_that_changes_nothing_raises_no_term() -> None:
    assert is_told(asked(GrantPresenter(name("ana"), "r"), "ana"), sent("ana", Done, ref="r"))
    assert is_told(asked(GrantPresenter(None), "ana", of=session(presenter=None)), sent("ana", Done))


@pytest.mark.parametrize("by", ["ana", "bo"])
def test_presenter_and_host_may_release(by: str) -> None:
    assert asked(ReleasePresenter(), by, of=BO_PRESENTS) == Decision(SetPresenter(None, user(by)))


HOSTS_ONLY: list[ByUser] = [
    GrantPresenter(name("bo"), "r"),
    GrantPresenter(None, "r"),
    DenyPresenter(name("cy"), "r"),
    Eject(name("cy"), "r"),
    Eject(name("ana"), "r"),
    Eject(name("eve"), "r"),
]


@pytest.mark.parametrize("what", [*HOSTS_ONLY, ReleasePresenter("r")])
def test_S40_WS22_what_only_the_host_may_is_denied_to_others(what: ByUser) -> None:
    assert is_told(asked(what, "bo"), trouble("bo", Trouble.PERMISSION_DENIED))


@pytest.mark.parametrize("what", HOSTS_ONLY)
def test_S40_presenting_makes_nobody_host(what: ByUser) -> None:
    assert is_told(asked(what, "bo", of=BO_PRESENTS), trouble("bo", Trouble.PERMISSION_DENIED))


# denying --------------------------------------------------------------------------------------------------------------


def test_a_denial_is_told_to_the_sockets_of_the_denied() -> None:
    decision = asked(DenyPresenter(name("bo"), "r"), "ana", ANA, BO, Guest("bo", socket="bo2"))
    denied = {"user": user("bo"), "host": user("ana")}
    assert is_told(
        decision,
        sent("bo", PresenterDenied, **denied),
        sent("bo2", PresenterDenied, **denied),
        sent("ana", Done, ref="r"),
    )


def test_PR11_denying_somebody_absent_is_no_more_than_a_notice() -> None:
    assert is_told(asked(DenyPresenter(name("eve"), "r"), "ana"), trouble("ana", Trouble.INVALID_PARTICIPANT))


# ejecting -------------------------------------------------------------------------------------------------------------


def test_SES18_the_host_ejects_somebody_and_the_presenter_stays() -> None:
    assert asked(Eject(name("cy")), "ana", of=BO_PRESENTS) == Decision(Deny(user("cy"), user("bo")))


def test_PR5_when_the_presenter_is_ejected_the_host_presents() -> None:
    assert asked(Eject(name("bo")), "ana", of=BO_PRESENTS) == Decision(Deny(user("bo"), user("ana")))


def test_S44_the_host_is_not_ejected() -> None:
    assert is_told(asked(Eject(name("ana"), "r"), "ana"), trouble("ana", Trouble.VALIDATION_ERROR))


def test_S44_nobody_is_punished_for_a_stale_name() -> None:
    assert is_told(
        asked(Eject(UserName(email="old@tmi.local"), "r"), "ana"), trouble("ana", Trouble.INVALID_PARTICIPANT)
    )


# losses ---------------------------------------------------------------------------------------------------------------

CLEANLY, SUDDENLY = HostLost(user("ana").id, True, 15_000), HostLost(user("ana").id, False, 15_000)
MISSED = HostMissed(user("ana").id, 60_000)


def test_SES9_a_host_who_leaves_ends_the_session() -> None:
    assert lost(CLEANLY, BO) == Decision(End(Ending.HOST_LEFT))


def test_SES10_a_host_who_is_lost_may_return() -> None:
    assert lost(SUDDENLY, BO) == Decision(HostGone(15_000))


def test_SES9_with_the_setting_off_the_writer_connected_longest_becomes_host() -> None:
    assert lost(CLEANLY, CY, BO, leave_ends=False) == Decision(SetHost(user("bo")))


def test_SES9_without_a_writer_the_session_ends_all_the_same() -> None:
    assert lost(CLEANLY, CY, leave_ends=False) == Decision(End(Ending.HOST_LEFT))


@pytest.mark.parametrize("what", [CLEANLY, SUDDENLY, MISSED])
def test_SES10_a_host_who_is_back_before_that_was_noted_has_not_left(what: HostLost | HostMissed) -> None:
    assert lost(what, ANA) == NOTHING


@pytest.mark.parametrize("what", [CLEANLY, SUDDENLY, MISSED])
def test_SES9_the_loss_of_a_former_host_ends_nothing(what: HostLost | HostMissed) -> None:
    assert lost(what, CY, of=session(host=user("bo"))) == NOTHING


def test_SES12_a_host_who_is_missed_while_away_gets_no_other_grace() -> None:
    assert lost(MISSED, BO) == Decision(HostGone(60_000))
    assert lost(MISSED, BO, of=session(host_grace_until_ms=9)) == NOTHING


def test_SES10_a_host_who_returns_within_the_grace_ends_it() -> None:
    assert lost(HostReturned(), ANA, of=session(host_grace_until_ms=9)) == Decision(HostBack())


def test_SES10_a_host_who_was_not_away_has_nothing_to_return_from() -> None:
    assert lost(HostReturned(), ANA) == NOTHING
    assert lost(HostReturned(), of=session(host_grace_until_ms=9)) == NOTHING


def test_PR5_a_lost_presenter_makes_room_for_the_host() -> None:
    assert lost(BO_IS_LOST, ANA, of=BO_PRESENTS) == Decision(SetPresenter(user("ana")))


def test_PR5_for_a_host_at_another_worker_too() -> None:
    there = roster(CY, Guest("di"))
    there.remote.hear("w2", 1, (participant("ana", "a1"),), 0.0)
    assert next_presenter(BO_PRESENTS, there) == user("ana")


def test_PR5_without_the_host_for_the_writer_connected_longest() -> None:
    assert lost(BO_IS_LOST, CY, Guest("di"), of=BO_PRESENTS) == Decision(SetPresenter(user("di")))


def test_PR5_and_without_a_writer_for_nobody() -> None:
    assert lost(BO_IS_LOST, CY, of=BO_PRESENTS) == Decision(SetPresenter(None))


def test_PR5_a_host_who_is_away_is_no_lost_presenter() -> None:
    assert lost(PresenterLost(user("ana").id), BO, of=session(host_grace_until_ms=9)) == NOTHING


def test_PR5_a_presenter_who_is_back_keeps_presenting() -> None:
    assert lost(BO_IS_LOST, ANA, BO, of=BO_PRESENTS) == NOTHING


def test_PR5_who_presents_by_now_is_not_deposed_for_the_one_who_was_lost() -> None:
    assert lost(BO_IS_LOST, ANA, of=session(presenter=user("di"))) == NOTHING


def test_PR5_a_host_who_is_away_presents_no_more_though_their_worker_has_not_said_so_yet() -> None:
    away = session(presenter=user("bo"), host_grace_until_ms=99)
    there = roster(BO, CY)
    there.remote.hear("w2", 1, (participant("ana", "a1"),), 0.0)
    assert next_presenter(away, there) == user("bo")
    assert next_presenter(away, roster(ANA, BO)) == user("ana"), "who is here is back"

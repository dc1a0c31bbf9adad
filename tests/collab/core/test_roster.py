"""The sockets of one room, by socket and by user."""

from __future__ import annotations

import pytest

from collab.core.roster import Present, Roster, Shown
from protocol.intents import UserName
from protocol.values import CellId, Role, RoleAt, SocketId, User, UserId
from tests.support.script import Guest, caller, session, user


def present(guest: Guest, at_ms: int = 0) -> Present:
    return Present(guest.id, caller(guest.name), RoleAt(guest.role, 1), guest.dialect, at_ms)


def roster(*guests: Guest) -> Roster:
    made = Roster()
    for at_ms, guest in enumerate(guests):
        made.add(present(guest, at_ms))
    return made


ANA, ANA_2, BO = Guest("ana"), Guest("ana", socket="ana2"), Guest("bo")


def test_WS11_the_first_and_the_last_socket_of_a_user_are_told_apart_from_the_others() -> None:
    made = Roster()
    assert [made.add(present(guest)) for guest in (ANA, ANA_2)] == [True, False]
    assert [made.remove(guest.id) for guest in (ANA, ANA_2)] == [False, True]


def test_sockets_are_found_by_user() -> None:
    made = roster(ANA, BO, ANA_2)
    assert [p.socket for p in made.of(user("ana").id)] == ["ana", "ana2"]
    assert made.of(UserId("test:cy")) == ()
    assert made.get(SocketId("cy")) is None


def test_a_user_is_named_by_identity() -> None:
    made = roster(ANA, BO)
    assert made.named(UserName(provider="test", provider_id="bo")) == user("bo")
    assert made.named(UserName(provider="other", provider_id="bo")) is None


def test_S27_the_identity_wins_over_an_address_that_says_otherwise() -> None:
    made = roster(ANA, BO)
    assert made.named(UserName(provider="test", provider_id="bo", email="ana@tmi.local")) == user("bo")


def test_S44_an_address_that_fits_two_people_names_nobody() -> None:
    made = roster(ANA)
    assert made.named(UserName(email="ana@tmi.local")) == user("ana")
    twin = Present(SocketId("t"), caller("ana"), RoleAt(Role.READER, 1), "classic", 0)
    twin.caller = type(twin.caller)(User("other", "ana", "ana@tmi.local", "Another Ana"))
    made.add(twin)
    assert made.named(UserName(email="ana@tmi.local")) is None


@pytest.mark.parametrize("name", [UserName(), UserName(email="cy@tmi.local"), UserName(provider="test")])
def test_who_is_not_there_is_not_found(name: UserName) -> None:
    assert roster(ANA).named(name) is None


def test_PR5_the_writer_connected_longest_comes_first() -> None:
    made = roster(Guest("eve", role=Role.READER), BO, ANA)
    assert made.longest_writer() == user("bo")
    assert made.longest_writer(without=user("bo")) == user("ana")
    assert roster(Guest("eve", role=Role.READER)).longest_writer() is None


def test_PR5_whoever_changed_sockets_has_been_connected_all_the_while() -> None:
    made = roster(ANA, BO, ANA_2)
    made.remove(ANA.id)
    assert made.longest_writer() == user("ana")


def test_PR5_AU16_who_may_write_by_one_of_two_logins_is_a_writer() -> None:
    made = roster(Guest("ana", socket="phone", role=Role.READER), Guest("ana", socket="laptop"))
    assert [one.role for one in made.participants()] == [Role.WRITER]
    assert made.longest_writer() == user("ana")


def test_a_participant_is_shown_with_all_connections() -> None:
    (ana,) = roster(ANA, ANA_2).participants()
    assert [(c.connection_id, c.joined_at_ms) for c in ana.connections] == [("ana", 0), ("ana2", 1)]


def test_the_last_activity_of_a_participant_is_that_of_the_busiest_socket() -> None:
    made = roster(ANA, ANA_2)
    next(iter(made)).active_ms = 7
    assert made.participants()[0].last_activity_ms == 7


def test_SES14_what_somebody_said_counts_after_they_have_left() -> None:
    made = roster(ANA, BO)
    assert made.active_ms == 1
    made.remove(BO.id)
    assert made.active_ms == 1
    made.remove(ANA.id)
    assert made.active_ms == 1


def test_SES11_a_host_who_never_came_is_absent_and_not_listed() -> None:
    view = roster(BO).view(session())
    assert view.host_state == "absent"
    assert [p.user for p in view.participants] == [user("bo")]


def test_SES10_a_host_who_is_away_stays_listed() -> None:
    view = roster(BO).view(session(host_grace_until_ms=99))
    assert view.host_state == "away"
    assert next((p.user, p.connections) for p in view.participants) == (user("ana"), ())


def test_a_host_who_is_here_is_listed_once() -> None:
    view = roster(BO, ANA).view(session(host_grace_until_ms=99))
    assert view.host_state == "here"
    assert [p.user for p in view.participants] == [user("bo"), user("ana")]


def test_SES17_an_owner_counts_as_writer() -> None:
    (bo,) = roster(Guest("bo", role=Role.OWNER)).participants()
    assert bo.role.permissions == "writer"


@pytest.mark.parametrize("dialect", ["classic", "tmi"])
def test_only_our_own_dialect_points_freely_resumes_and_understands_retries(dialect: str) -> None:
    theirs, ours = present(Guest("bo", dialect)), present(Guest("bo"))
    assert (theirs.free_awareness, theirs.resumes, theirs.takes_retry) == (False, False, False)
    assert (ours.free_awareness, ours.resumes, ours.takes_retry) == (True, True, True)


def test_a_full_state_is_newer_than_the_cells_shown_before() -> None:
    bo = present(BO)
    bo.corrected[CellId("n1")] = Shown(1, 1)
    bo.show(Shown(2, 1))
    assert (bo.shown, bo.corrected) == (Shown(2, 1), {})


def test_only_sockets_that_fetch_are_looked_through_with_every_operation() -> None:
    classic = Guest("cy", dialect="classic")
    made = roster(ANA, BO, classic)
    for each in made:
        each.fetches(10.0)
    assert [found.socket for found in made.fetching(10.5)] == [classic.id]
    assert made.fetching(11.5) == []
    assert list(made._fetchers) == [classic.id]
    made.remove(classic.id)
    assert made.fetching(10.5) == []

"""Who is at other workers."""

from __future__ import annotations

import msgspec

from collab.core.remote import FRESH_S, Remote, together
from protocol.notices import Participant
from protocol.values import Role, SocketId
from tests.support.script import participant, user

ANA, BO = participant("ana", "a1"), participant("bo", "b1", "b2")
LATER_S = FRESH_S + 0.1


def heard(*participants: Participant, worker: str = "w2", serial: int = 1, now_s: float = 0.0) -> Remote:
    made = Remote()
    made.hear(worker, serial, participants, now_s)
    return made


def users(remote: Remote) -> list[str]:
    return [one.user.provider_id for one in remote]


def test_what_a_worker_says_replaces_what_it_said() -> None:
    remote = heard(ANA, BO)
    assert remote.hear("w2", 2, (BO,), 0.0)
    assert users(remote) == ["bo"]
    assert remote.connections() == {SocketId("b1"), SocketId("b2")}


def test_I22_what_was_overtaken_on_its_way_counts_no_more() -> None:
    remote = heard(BO, serial=5)
    assert not remote.hear("w2", 4, (ANA, BO), 0.0)
    assert users(remote) == ["bo"]


def test_what_was_said_before_is_no_news() -> None:
    remote = heard(ANA)
    active = participant("ana", "a1", at_ms=0)
    assert not remote.hear("w2", 2, (active,), 1.0)
    assert remote.hear("w2", 3, (participant("ana", "a1", "a2"),), 1.0)


def test_a_user_at_two_workers_is_one_with_all_connections() -> None:
    remote = heard(participant("ana", "a2", at_ms=9))
    remote.hear("w3", 1, (ANA,), 0.0)
    (ana,) = remote
    assert [connection.connection_id for connection in ana.connections] == ["a1", "a2"]
    assert together(ANA, participant("ana", "a2", at_ms=9)).last_activity_ms == 9


def test_AU16_a_user_who_may_write_at_one_of_two_workers_is_a_writer() -> None:
    reader = msgspec.structs.replace(participant("ana", "a2", at_ms=9), role=Role.READER)
    assert [together(*pair).role for pair in ((ANA, reader), (reader, ANA))] == [Role.WRITER, Role.WRITER]


def test_what_stands_is_as_if_it_were_said_again() -> None:
    remote = heard(ANA, serial=5)
    assert remote.stands("w2", 5, FRESH_S)
    assert not remote.read({"w2": (BO,)}, LATER_S)
    assert remote.sockets(LATER_S) == 1


def test_I22_what_stands_and_was_not_heard_is_to_be_asked_for() -> None:
    remote = heard(ANA, serial=5)
    assert not remote.stands("w2", 6, 0.0)
    assert not remote.stands("w3", 5, 0.0)


def test_what_is_overtaken_by_what_was_said_since_stands_for_nothing() -> None:
    remote = heard(ANA, serial=5)
    assert remote.stands("w2", 4, FRESH_S)
    assert remote.read({"w2": (BO,)}, LATER_S)


def test_I22_what_was_changed_here_since_does_not_stand() -> None:
    remote = heard(ANA, serial=5)
    remote.read({"w2": (BO,)}, LATER_S)
    assert not remote.stands("w2", 5, LATER_S)
    remote = heard(ANA, BO, serial=5)
    remote.forget([user("ana").id])
    assert not remote.stands("w2", 5, 0.0)


def test_I22_a_worker_with_somebody_and_not_heard_lately_is_stale() -> None:
    remote = heard(ANA)
    assert (remote.stale(FRESH_S), remote.stale(LATER_S)) == (False, True)
    assert not heard().stale(LATER_S)


def test_I22_presence_speaks_for_workers_that_were_not_heard_lately() -> None:
    remote = heard(ANA)
    assert not remote.read({"w2": (BO,)}, FRESH_S)
    assert users(remote) == ["ana"]
    assert remote.read({"w2": (BO,)}, LATER_S)
    assert users(remote) == ["bo"]


def test_I22_a_worker_that_presence_does_not_know_is_gone() -> None:
    remote = heard(ANA)
    assert remote.read({}, LATER_S)
    assert not remote


def test_S75_sockets_are_counted_of_workers_that_were_heard_lately() -> None:
    remote = heard(ANA, BO)
    remote.hear("w3", 1, (participant("bo", "b3"),), 4.0)
    assert (remote.sockets(4.0), remote.sockets(4.0, user("bo").id)) == (4, 3)
    assert (remote.sockets(6.0), remote.sockets(6.0, user("bo").id)) == (1, 1)


def test_SES18_who_was_ejected_is_forgotten_at_all_workers() -> None:
    remote = heard(ANA, BO)
    remote.hear("w3", 1, (BO,), 0.0)
    remote.forget([user("bo").id])
    assert users(remote) == ["ana"]


def test_a_session_that_ends_leaves_nobody() -> None:
    remote = heard(ANA)
    remote.clear()
    assert not remote
    assert remote.get(user("ana").id) is None
    assert remote.hear("w2", 1, (ANA,), 0.0), "numbers of another session do not matter"

"""What the parts of a room share."""

from __future__ import annotations

from typing import Any

from collab.core.deadlines import ROSTER, STATE
from collab.core.effects import Announce, Dismiss, Tell
from collab.core.events import Loaded
from collab.core.meeting import Session
from collab.core.roster import Present
from collab.core.state import CROWD, RoomSettings, RoomState
from protocol.intents import Aware
from protocol.notices import Participant, RosterChanged
from protocol.refusals import Ending
from protocol.values import Role, RoleAt, SocketId, UserId
from tests.support.script import (
    FOUNDED,
    SESSION,
    THREAT_MODEL,
    Guest,
    caller,
    matches,
    participant,
    session,
    some,
    told,
    user,
)


def state(of: Session | None = SESSION, *names: str) -> RoomState:
    made = RoomState(THREAT_MODEL, Loaded(FOUNDED, 1), of, RoomSettings())
    for name in names:
        made.roster.add(present(name))
    return made


def present(name: str) -> Present:
    return Present(SocketId(name), caller(name), RoleAt(Role.WRITER, 1), "tmi", 0)


def told_of(*names: str) -> RoomState:
    """Everybody has been told of these."""
    made = state(SESSION, *names)
    made.tell_roster()
    made.effects.clear()
    return made


def asked(of: RoomState, *effects: Any) -> bool:
    return matches(effects, tuple(of.effects))


def test_a_change_of_the_roster_is_told_to_all_and_to_presence() -> None:
    room = state(SESSION, "ana", "bo")
    room.tell_roster(successor=True)
    assert asked(room, told(RosterChanged, roles_changed=True), some(Announce, session=SESSION.id))


def test_WS11_a_join_is_seen_from_the_side_of_who_joined() -> None:
    room = told_of("ana")
    room.roster.add(present("bo"))
    room.tell_roster(skip=frozenset((SocketId("bo"),)))
    assert asked(room, told(RosterChanged, "bo", joined=(user("bo"),), left=()), Announce)
    assert asked(room, some(Tell, by=user("bo").id), Announce)


def test_WS11_a_leave_is_seen_from_the_side_of_who_left() -> None:
    room = told_of("ana", "bo")
    room.remove(SocketId("bo"))
    room.tell_roster()
    assert asked(room, told(RosterChanged, joined=(), left=(user("bo"),)), Announce)
    assert asked(room, some(Tell, by=user("bo").id), Announce)


def test_WS11_what_was_told_is_told_once() -> None:
    room = told_of("ana", "bo")
    room.tell_roster()
    assert asked(room, told(RosterChanged, joined=(), left=(), roles_changed=False), Announce)


def crowd(dialect: str, size: int = CROWD) -> RoomState:
    """Of a classic socket and others; everybody has been told of them."""
    room = state(SESSION, *(f"u{number}" for number in range(size)))
    room.roster.add(Present(SocketId("old"), caller("old"), RoleAt(Role.WRITER, 1), dialect, 0))
    room.tell_roster()
    room.effects.clear()
    return room


def come(room: RoomState, name: str) -> None:
    room.roster.add(present(name))
    room.tell_roster(skip=frozenset((SocketId(name),)))


def lists(room: RoomState) -> list[tuple[tuple[UserId, ...], tuple[UserId, ...]]]:
    """Who came and who went, of each roster that the sockets of `u…` were told."""
    found = []
    for effect in room.effects:
        if isinstance(effect, Tell) and isinstance(effect.notice, RosterChanged) and SocketId("u1") not in effect.skip:
            joined, left = effect.notice.joined, effect.notice.left
            found.append((tuple(one.id for one in joined), tuple(one.id for one in left)))
    return found


def test_WS11_a_crowd_is_listed_now_and_then() -> None:
    room = crowd("tmi")
    come(room, "ana")
    come(room, "bo")
    room.remove(SocketId("ana"))
    room.tell_roster()
    assert lists(room) == []
    assert ROSTER in room.deadlines
    room.list_roster()
    assert lists(room) == [((user("bo").id,), ())]
    assert ROSTER not in room.deadlines


def test_WS11_in_a_crowd_classic_sockets_are_told_of_each_at_once() -> None:
    room = crowd("classic")
    come(room, "ana")
    come(room, "bo")
    room.list_roster()
    heard = [
        [one.id for one in effect.notice.joined]
        for effect in room.effects
        if isinstance(effect, Tell) and SocketId("old") not in effect.skip
    ]
    assert heard == [[user("ana").id], [user("bo").id]]


def test_WS11_what_a_crowd_may_not_miss_is_told_at_once_and_with_it_who_came() -> None:
    room = crowd("tmi")
    come(room, "ana")
    room.tell_roster(presenter_changed=True)
    assert lists(room) == [((user("ana").id,), ())]
    assert ROSTER not in room.deadlines


def test_WS11_fifty_sockets_are_no_crowd() -> None:
    room = crowd("tmi", CROWD - 2)
    come(room, "ana")
    assert lists(room) == [((user("ana").id,), ())]


def test_AU15_another_role_is_told_whoever_found_it_out() -> None:
    room = told_of("ana", "bo")
    room.roster.remote.hear("w2", 1, (participant(Guest("cy", role=Role.READER), "c1"),), 0.0)
    room.tell_roster()
    room.roster.remote.hear("w2", 2, (participant("cy", "c1"),), 0.0)
    room.effects.clear()
    room.tell_roster()
    assert asked(room, told(RosterChanged, roles_changed=True, joined=(), left=()), Announce)


def test_SES10_the_role_of_a_host_who_is_away_is_none_that_counts() -> None:
    room = told_of("bo")
    room.roster.remote.hear("w2", 1, (participant("ana", "a1"),), 0.0)
    room.tell_roster()
    room.roster.remote.hear("w2", 2, (), 0.0)
    room.session = session(host_grace_until_ms=99)
    room.effects.clear()
    room.tell_roster()
    assert asked(room, told(RosterChanged, roles_changed=False, joined=(), left=()), Announce)


def test_WS11_at_other_workers_who_is_away_and_may_return_is_announced_without_connections() -> None:
    room = told_of("ana", "bo")
    room.roster.unheard[user("cy").id] = Participant(user("cy"), Role.WRITER, (), 0)
    room.tell_roster()
    (announced,) = (effect for effect in room.effects if isinstance(effect, Announce))
    assert [(one.user, len(one.connections)) for one in announced.participants] == [
        (user("ana"), 1),
        (user("bo"), 1),
        (user("cy"), 0),
    ]


def test_what_another_worker_said_is_not_announced_as_ours() -> None:
    room = told_of("ana")
    room.tell_roster(announce=False)
    assert asked(room, Tell)


def test_without_a_session_there_is_no_roster_to_tell() -> None:
    room = state(None)
    room.tell_roster()
    assert asked(room)


def test_SES15_an_end_frame_names_the_host() -> None:
    assert state().dismissal(SocketId("bo"), Ending.IDLE) == Dismiss(SocketId("bo"), Ending.IDLE, user("ana"))


def test_a_session_is_over_once_it_has_an_ending() -> None:
    assert state().over is None
    assert state(None).over is None
    assert state(session(ended=Ending.IDLE)).over is Ending.IDLE


def test_PR10_a_socket_that_goes_takes_with_it_what_was_kept_for_it() -> None:
    room = state(SESSION, "ana")
    ana = SocketId("ana")
    room.awareness.note(ana, user("ana"), True, Aware(cursor={"x": 1, "y": 1}))
    room.after_s(STATE + ana, 5.0)
    assert room.remove(ana)
    assert (room.awareness.known(), room.deadlines.next_s(), len(room.roster)) == ((), None, 0)


def test_VEC12_the_count_of_a_session_begins_at_its_first_vector() -> None:
    assert state(session(start_vector=41)).start_vector == 41
    assert state(None).start_vector == 0

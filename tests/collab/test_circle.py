"""What one turn of the event loop has for those who listen alike."""

from __future__ import annotations

import random

import pytest

from collab.circle import Circle
from collab.outbox import Kind, Outbox, Parcel
from collab.sockets import HANDOVER, Batch
from protocol.values import SocketId, UserId
from tests.collab.test_outbox import Wire, parcel

ANA, BO = UserId("test:ana"), UserId("test:bo")
A, B, C = (SocketId(id) for id in "abc")
EVERYBODY = (A, B, C)


class Gathering:
    """A circle of sockets of ana's (a) and bo's, and the outboxes that a flush left to be flushed."""

    def __init__(self) -> None:
        self.circle = Circle()
        self.wires: dict[SocketId, Wire] = {}
        self.outboxes: dict[SocketId, Outbox] = {}
        for socket in EVERYBODY:
            self.enter(socket)

    def enter(self, socket: SocketId) -> None:
        self.wires[socket] = Wire()
        self.outboxes[socket] = Outbox(self.wires[socket])
        self.circle.enter(socket, ANA if socket == A else BO, self.outboxes[socket])

    def tell(self, payload: bytes, apart: dict[SocketId, Parcel | None] | None = None) -> None:
        self.circle.tell(event(payload), apart or {})

    def send(self, socket: SocketId, payload: bytes) -> bool:
        return self.circle.send(socket, parcel(Kind.KEPT, payload))

    def flush(self) -> list[SocketId]:
        late = dict(self.circle.flush())
        for outbox in late.values():
            outbox.flush()
        return list(late)

    def got(self, socket: SocketId) -> list[bytes]:
        return self.wires[socket].written


def event(payload: bytes) -> Parcel:
    return parcel(Kind.EVENT, payload)


@pytest.fixture
def gathering() -> Gathering:
    return Gathering()


def test_what_a_turn_has_is_one_write_to_each_of_the_same_bytes(gathering: Gathering) -> None:
    written: list[object] = []
    for wire in gathering.wires.values():
        wire.write = written.append  # type: ignore[method-assign]
    for n in range(3):
        gathering.tell(b"%d" % n)
    assert gathering.flush() == []
    first = written[0]
    assert isinstance(first, Batch)
    assert [frame.payload for frame in first] == [b"0", b"1", b"2"]
    assert all(one is first for one in written) and len(written) == len(EVERYBODY)


def test_a_turn_without_anything_writes_nothing(gathering: Gathering) -> None:
    gathering.flush()
    assert [wire.writes for wire in gathering.wires.values()] == [0, 0, 0]


def test_WS19_a_receipt_stands_where_its_event_stands_for_the_others(gathering: Gathering) -> None:
    gathering.tell(b"1")
    gathering.send(A, b"receipt of 2")
    gathering.tell(b"2", {A: None})
    gathering.tell(b"3")
    gathering.flush()
    assert gathering.got(A) == [b"1", b"receipt of 2", b"3"]
    assert gathering.got(B) == [b"1", b"2", b"3"]
    assert gathering.wires[A].writes == 1


def test_who_is_told_something_else_gets_that_in_its_place(gathering: Gathering) -> None:
    gathering.tell(b"1")
    gathering.tell(b"2", {B: event(b"your own 2"), C: None})
    gathering.flush()
    assert [gathering.got(socket) for socket in EVERYBODY] == [[b"1", b"2"], [b"1", b"your own 2"], [b"1"]]


def test_I8_who_enters_amid_a_turn_gets_what_follows_its_state_and_nothing_else(gathering: Gathering) -> None:
    late = SocketId("late")
    gathering.tell(b"1")
    gathering.enter(late)
    gathering.tell(b"2")
    gathering.flush()
    assert gathering.got(late) == [b"2"]


def test_what_is_put_after_settling_comes_behind_what_the_turn_had(gathering: Gathering) -> None:
    gathering.tell(b"1")
    gathering.circle.settle(B)
    gathering.outboxes[B].put(event(b"put"))
    gathering.tell(b"2")
    gathering.outboxes[B].flush()
    gathering.flush()
    assert gathering.got(B) == [b"1", b"put", b"2"]


def test_who_leaves_amid_a_turn_takes_along_what_it_had(gathering: Gathering) -> None:
    gathering.tell(b"1")
    gathering.circle.leave(C, BO)
    gathering.tell(b"2")
    gathering.flush()
    gathering.outboxes[C].flush()
    assert (gathering.got(C), gathering.got(B)) == ([b"1"], [b"1", b"2"])
    assert (C in gathering.circle, list(gathering.circle.of(BO)), len(gathering.circle)) == (False, [B], 2)


def test_of_a_user_without_sockets_there_are_none(gathering: Gathering) -> None:
    gathering.circle.leave(A, ANA)
    assert (list(gathering.circle.of(ANA)), list(gathering.circle.of(None))) == ([], [])


@pytest.mark.parametrize("reason", ["waiting", "held", "stalled"])
def test_who_does_not_keep_pace_gets_it_by_the_rules_of_its_outbox(gathering: Gathering, reason: str) -> None:
    match reason:
        case "waiting":
            gathering.outboxes[B].put(event(b"before"))
        case "held":
            gathering.outboxes[B].held = True
        case "stalled":
            gathering.wires[B].stall()
    gathering.tell(b"1")
    late = dict(gathering.circle.flush())
    assert list(late) == [B]
    assert gathering.got(B) == []
    gathering.outboxes[B].held = False
    gathering.wires[B].read()
    late[B].flush()
    assert gathering.got(B)[-1] == b"1"
    assert gathering.got(A) == [b"1"]


def test_WS12_what_comes_to_much_is_given_only_as_it_is_taken(gathering: Gathering) -> None:
    gathering.wires[A].reading = False
    gathering.tell(b"x" * (HANDOVER + 1))
    gathering.tell(b"next")
    gathering.flush()
    assert len(gathering.got(A)) == 1
    gathering.wires[A].read()
    assert len(gathering.got(A)) == 2


def test_I28_much_of_one_socket_s_own_does_not_wait_for_the_flush(gathering: Gathering) -> None:
    assert gathering.send(A, b"r" * HANDOVER)
    assert not gathering.send(A, b"one too many")
    assert gathering.outboxes[A].weight == HANDOVER + len(b"one too many")


def test_a_turn_has_room_for_as_much_as_is_given_at_once(gathering: Gathering) -> None:
    gathering.tell(b"x" * 1_000)
    assert gathering.circle.has_room(event(b"x" * (HANDOVER - 1_000)))
    assert not gathering.circle.has_room(event(b"x" * (HANDOVER - 999)))
    gathering.flush()
    assert gathering.circle.has_room(event(b"x" * 2 * HANDOVER))


def test_of_cursors_about_the_same_the_latest_goes_out(gathering: Gathering) -> None:
    for subject, payload in (("bo", b"bo 1"), ("cy", b"cy 1"), ("bo", b"bo 2")):
        gathering.circle.tell(parcel(Kind.AWARENESS, payload, subject), {})
    gathering.flush()
    assert gathering.got(A) == [b"cy 1", b"bo 2"]


def test_WS15_a_cursor_takes_the_place_of_nothing_but_one_of_its_own_turn(gathering: Gathering) -> None:
    gathering.circle.tell(parcel(Kind.AWARENESS, b"cursor 1", "bo"), {})
    gathering.flush()
    gathering.tell(b"event")
    gathering.circle.tell(parcel(Kind.AWARENESS, b"cursor 2", "bo"), {})
    gathering.flush()
    assert gathering.got(A) == [b"cursor 1", b"event", b"cursor 2"]


def test_WS12_cursors_of_a_turn_are_dropped_first_for_one_who_does_not_read(gathering: Gathering) -> None:
    gathering.wires[B].stall()
    gathering.circle.tell(parcel(Kind.AWARENESS, b"cursor", "bo"), {})
    gathering.flush()
    gathering.outboxes[B].put(event(b"e" * 1024 * 1024))
    gathering.wires[B].read()
    assert [payload[:6] for payload in gathering.got(B)] == [b"eeeeee"]


def test_WS15_whatever_happens_amid_a_turn_each_gets_its_own_in_order() -> None:
    chance = random.Random(5)
    for _ in range(200):
        gathering = Gathering()
        due: dict[SocketId, list[bytes]] = {socket: [] for socket in EVERYBODY}
        gone: dict[SocketId, list[bytes]] = {}
        for n in range(60):
            payload, one = b"%d" % n, chance.choice(list(due))
            match chance.randrange(11):
                case 0 | 1:
                    gathering.tell(payload)
                    for sequel in due.values():
                        sequel.append(payload)
                case 2:
                    gathering.tell(payload, {one: None})
                    for socket, sequel in due.items():
                        if socket != one:
                            sequel.append(payload)
                case 3:
                    gathering.tell(payload, {one: event(b"own")})
                    for socket, sequel in due.items():
                        sequel.append(b"own" if socket == one else payload)
                case 4:
                    gathering.send(one, payload)
                    due[one].append(payload)
                case 5:
                    gathering.circle.settle(one)
                    gathering.outboxes[one].put(parcel(Kind.KEPT, payload))
                    due[one].append(payload)
                case 6:
                    gathering.wires[one].stall()
                case 7:
                    gathering.wires[one].read()
                case 8:
                    gathering.flush()
                case 9:
                    late = SocketId(f"late {n}")
                    gathering.enter(late)
                    due[late] = []
                case 10 if len(due) > 1:
                    gathering.circle.leave(one, ANA if one == A else BO)
                    gone[one] = due.pop(one)
        gathering.flush()
        for wire in gathering.wires.values():
            wire.read()
        for socket, sequel in (due | gone).items():
            gathering.outboxes[socket].flush()
            assert gathering.got(socket) == sequel

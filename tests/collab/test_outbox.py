"""The bounded queue of one socket."""

from __future__ import annotations

import random
from collections.abc import Callable, Hashable, Sequence
from weakref import ref

from collab.outbox import STATES, Kind, Outbox, Parcel
from collab.sockets import HANDOVER, Batch, Frame

BOUND = 1_000


class Wire:
    """A socket whose peer reads when the test says so."""

    pass_on = None

    def __init__(self) -> None:
        self.drained: Callable[[], None] = lambda: None
        self.reading = True
        self.written: list[bytes] = []
        self.writes = 0
        self.closed: tuple[int, str] | None = None
        self._buffered = 0

    def write(self, frames: Sequence[Frame]) -> None:
        self.writes += 1
        self.written += [frame.payload for frame in frames]
        if not self.reading:
            self._buffered += sum(len(frame.payload) for frame in frames)

    def buffered(self) -> int:
        return self._buffered

    def close(self, code: int, reason: str) -> None:
        self.closed = (code, reason)

    def stall(self) -> None:
        self.reading = False
        self._buffered = HANDOVER

    def read(self) -> None:
        self.reading = True
        self._buffered = 0
        self.drained()


class Asked:
    """One outbox with everything around it."""

    def __init__(self) -> None:
        self.wire = Wire()
        self.asked: list[str] = []
        self.outbox = Outbox(self.wire, BOUND)
        self.outbox.on_lag = lambda: self.asked.append("state")
        self.outbox.on_slow = lambda: self.asked.append("end")

    def put(self, kind: Kind, payload: bytes, subject: Hashable = None) -> None:
        self.outbox.put(parcel(kind, payload, subject))

    def read(self) -> list[bytes]:
        self.wire.read()
        return self.wire.written


def parcel(kind: Kind, payload: bytes, subject: Hashable = None) -> Parcel:
    return Parcel([Frame(payload, text=True)], kind, subject)


def stalled() -> Asked:
    asked = Asked()
    asked.wire.stall()
    return asked


def test_nothing_goes_out_before_the_flush_and_then_all_in_one_write() -> None:
    asked = Asked()
    for payload in (b"1", b"2", b"3"):
        asked.put(Kind.EVENT, payload)
    assert asked.wire.written == []
    asked.outbox.flush()
    assert asked.wire.written == [b"1", b"2", b"3"]
    assert asked.wire.writes == 1


def test_a_socket_is_given_only_what_it_can_pass_on() -> None:
    asked = Asked()
    asked.wire.reading = False
    asked.outbox = Outbox(asked.wire)
    for _ in range(5):
        asked.put(Kind.EVENT, b"x" * (HANDOVER // 2))
    asked.outbox.flush()
    assert len(asked.wire.written) == 2
    assert len(asked.read()) == 5


def test_WS12_cursors_go_first() -> None:
    asked = stalled()
    asked.put(Kind.EVENT, b"e" * 600)
    asked.put(Kind.AWARENESS, b"c" * 300, "bo")
    asked.put(Kind.EVENT, b"f" * 200)
    assert asked.read() == [b"e" * 600, b"f" * 200]
    assert asked.asked == []


def test_WS12_waiting_events_give_way_to_one_fresh_state_and_receipts_stay() -> None:
    asked = stalled()
    asked.put(Kind.EVENT, b"e" * 900)
    asked.put(Kind.KEPT, b"receipt")
    asked.put(Kind.EVENT, b"f" * 200)
    assert asked.asked == ["state"]
    asked.put(Kind.EVENT, b"missed by the state? no: it is older")
    asked.put(Kind.STATE, b"state")
    asked.put(Kind.EVENT, b"next")
    asked.put(Kind.KEPT, b"receipt of next")
    assert asked.read() == [b"state", b"receipt", b"next", b"receipt of next"]


def test_WS15_a_receipt_does_not_go_out_before_the_state_that_holds_what_came_before_it() -> None:
    asked = stalled()
    asked.put(Kind.EVENT, b"e" * 1_001)
    asked.put(Kind.KEPT, b"receipt")
    assert asked.read() == []
    asked.put(Kind.STATE, b"state")
    asked.outbox.flush()
    assert asked.wire.written == [b"state", b"receipt"]


def test_WS12_while_the_state_is_awaited_events_do_not_pile_up() -> None:
    asked = stalled()
    for _ in range(5):
        asked.put(Kind.EVENT, b"e" * 600)
    assert asked.asked == ["state"]
    assert asked.outbox.weight == 0


def test_WS12_a_second_overflow_before_all_is_drained_ends_the_socket() -> None:
    asked = stalled()
    asked.put(Kind.EVENT, b"e" * 1_001)
    asked.put(Kind.STATE, b"state")
    asked.put(Kind.EVENT, b"f" * 1_001)
    assert asked.asked == ["state", "end"]
    assert asked.outbox.closing


def test_WS12_after_everything_is_drained_the_count_begins_anew() -> None:
    asked = stalled()
    asked.put(Kind.EVENT, b"e" * 1_001)
    asked.put(Kind.STATE, b"state")
    asked.read()
    asked.wire.stall()
    asked.put(Kind.EVENT, b"f" * 1_001)
    assert asked.asked == ["state", "state"]


def test_WS12_what_is_given_and_not_read_is_not_drained() -> None:
    asked = stalled()
    asked.put(Kind.EVENT, b"e" * 1_001)
    asked.wire._buffered = HANDOVER - 1
    asked.put(Kind.STATE, b"state")
    asked.outbox.flush()
    assert asked.wire.written == [b"state"]
    asked.put(Kind.EVENT, b"f" * 1_001)
    assert asked.asked == ["state", "end"]


def test_WS12_a_full_state_is_not_counted() -> None:
    asked = stalled()
    asked.put(Kind.STATE, b"s" * 100 * BOUND)
    asked.put(Kind.EVENT, b"e" * BOUND)
    assert asked.asked == []
    assert asked.outbox.weight == BOUND


def test_WS12_receipts_alone_may_overflow_too() -> None:
    asked = stalled()
    for _ in range(3):
        asked.put(Kind.KEPT, b"r" * 400)
    assert asked.asked == ["end"]


def test_a_burst_that_the_socket_takes_is_no_lag() -> None:
    asked = Asked()
    for n in range(50):
        asked.put(Kind.EVENT, b"%03d" % n * 10)
    asked.outbox.flush()
    assert asked.asked == []
    assert len(asked.wire.written) == 50


def test_WS15_a_state_lets_stand_what_waits_before_it() -> None:
    asked = stalled()
    what = [(Kind.EVENT, b"1"), (Kind.KEPT, b"receipt 2"), (Kind.STATE, b"3"), (Kind.EVENT, b"4"), (Kind.STATE, b"5")]
    for kind, payload in what:
        asked.put(kind, payload)
    assert asked.read() == [payload for _, payload in what]


def test_of_many_states_only_the_last_waits_for_one_who_does_not_read() -> None:
    asked = stalled()
    for n in range(STATES + 2):
        asked.put(Kind.EVENT, b"event %d" % n)
        asked.put(Kind.STATE, b"state %d" % n)
    assert asked.read() == [b"state 3", b"event 4", b"state 4"]


def test_WS15_a_receipt_comes_after_the_last_of_many_states() -> None:
    asked = stalled()
    for n in range(STATES + 1):
        asked.put(Kind.EVENT, b"event %d" % n)
        asked.put(Kind.KEPT, b"receipt %d" % n)
        asked.put(Kind.STATE, b"state %d" % n)
    assert asked.read() == [b"state 3", *(b"receipt %d" % n for n in range(STATES + 1))]


def test_WS19_a_receipt_that_came_with_a_state_stays_where_that_gives_way_to_another() -> None:
    asked = stalled()
    receipt = Frame(b"receipt", text=True)
    asked.outbox.put(Parcel([Frame(b"state", text=True), receipt], Kind.STATE, receipt=[receipt]))
    asked.put(Kind.EVENT, b"e" * 1_001)
    asked.put(Kind.STATE, b"fresh state")
    assert asked.read() == [b"fresh state", b"receipt"]


def test_of_awareness_about_the_same_the_latest_goes_out() -> None:
    asked = stalled()
    asked.put(Kind.AWARENESS, b"bo 1", "bo")
    asked.put(Kind.AWARENESS, b"cy 1", "cy")
    asked.put(Kind.AWARENESS, b"bo 2", "bo")
    assert asked.read() == [b"cy 1", b"bo 2"]
    assert asked.outbox.weight == 0


def test_the_end_comes_after_all_that_waits_and_then_nothing() -> None:
    asked = stalled()
    asked.put(Kind.EVENT, b"event")
    asked.outbox.end(parcel(Kind.KEPT, b"goodbye"), 1000, "over")
    asked.put(Kind.KEPT, b"too late")
    asked.outbox.end(parcel(Kind.KEPT, b"again"), 1012, "restart")
    assert asked.wire.closed is None
    assert asked.read() == [b"event", b"goodbye"]
    assert asked.wire.closed == (1000, "over")


def test_one_who_is_too_slow_gets_only_the_end() -> None:
    asked = stalled()
    asked.put(Kind.KEPT, b"r" * 1_001)
    asked.put(Kind.EVENT, b"more")
    asked.outbox.end(parcel(Kind.KEPT, b"goodbye"), 4408, "slow")
    assert asked.read() == [b"goodbye"]
    assert asked.wire.closed == (4408, "slow")


def test_I28_whatever_comes_the_bound_holds() -> None:
    chance = random.Random(7)
    for _ in range(300):
        asked = Asked()
        for n in range(60):
            kind = chance.choice(list(Kind))
            asked.put(kind, bytes(chance.randrange(1, 400)), n % 3)
            assert asked.outbox.weight <= BOUND
            match chance.randrange(6):
                case 0:
                    asked.wire.stall()
                case 1:
                    asked.wire.read()
                case 2:
                    asked.outbox.flush()


def test_I8_events_reach_a_slow_reader_without_a_hole_until_the_next_state() -> None:
    chance = random.Random(11)
    states = 0
    for _ in range(300):
        asked = Asked()
        for vector in range(1, 80):
            asked.put(Kind.EVENT, b"%d " % vector + bytes(chance.randrange(200)))
            while asked.asked and asked.asked.pop() == "state" and not asked.outbox.closing:
                asked.put(Kind.STATE, b"%d state" % vector)
                states += 1
            match chance.randrange(8):
                case 0 | 1:
                    asked.wire.stall()
                case 2 | 3:
                    asked.wire.read()
                case 4:
                    asked.outbox.flush()
        seen = 0
        for payload in asked.read():
            vector = int(payload.split(b" ")[0])
            assert vector == seen + 1 or payload.endswith(b"state")
            seen = vector
    assert states > 100


def test_what_is_held_goes_out_in_order_when_it_is_let_go() -> None:
    asked = Asked()
    asked.outbox.held = True
    asked.put(Kind.STATE, b"state")
    asked.put(Kind.KEPT, b"roster")
    asked.outbox.flush()
    assert asked.wire.written == []
    asked.outbox.held = False
    asked.outbox.flush()
    assert asked.wire.written == [b"state", b"roster"]


def test_who_is_sent_away_while_held_hears_why() -> None:
    asked = Asked()
    asked.outbox.held = True
    asked.put(Kind.STATE, b"state")
    asked.outbox.end(parcel(Kind.KEPT, b"end"), 4403, "")
    assert (asked.wire.written, asked.wire.closed) == ([b"state", b"end"], (4403, ""))


def test_a_state_is_kept_for_others_for_as_long_as_the_socket_passes_it_on() -> None:
    asked = Asked()
    asked.wire.reading = False
    state = parcel(Kind.STATE, b"s" * HANDOVER)
    asked.outbox.put(state)
    asked.outbox.flush()
    alive = ref(state)
    del state
    assert alive() is not None
    asked.read()
    assert alive() is None
    asked.outbox.put(state := parcel(Kind.STATE, b"s" * HANDOVER))
    alive = ref(state)
    del state
    asked.outbox.flush()
    assert alive() is None


def test_a_batch_goes_out_at_once_only_where_nothing_is_in_its_way() -> None:
    asked, batch = Asked(), Batch([Frame(b"batch", text=True)])
    assert asked.outbox.pass_on(batch)
    asked.put(Kind.AWARENESS, b"cursor", "bo")
    assert not asked.outbox.pass_on(batch)
    asked.outbox.flush()
    asked.put(Kind.EVENT, b"event")
    assert not asked.outbox.pass_on(batch)
    asked.outbox.flush()
    asked.outbox.held = True
    assert not asked.outbox.pass_on(batch)
    asked.outbox.held = False
    asked.wire.stall()
    assert not asked.outbox.pass_on(batch)
    asked.wire.read()
    asked.outbox.end(parcel(Kind.KEPT, b"end"), 1000, "")
    assert not asked.outbox.pass_on(batch)
    assert asked.wire.written == [b"batch", b"cursor", b"event", b"end"]


def test_a_batch_goes_over_the_wire_without_a_step_in_between_where_the_socket_can() -> None:
    asked, passed = Asked(), []
    asked.wire.pass_on = passed.append  # type: ignore[assignment]
    batch = Batch([Frame(b"batch", text=True)])
    assert asked.outbox.pass_on(batch)
    assert passed == [batch.wire]


def test_a_socket_that_cannot_be_written_to_any_more_is_closed_and_may_come_back() -> None:
    def broken(wire: bytes) -> None:
        raise OSError

    asked = Asked()
    asked.wire.pass_on = broken  # type: ignore[assignment]
    assert asked.outbox.pass_on(Batch([Frame(b"batch", text=True)]))
    assert asked.wire.closed == (1011, "")


def test_WS12_what_was_taken_without_a_word_is_drained_too() -> None:
    asked = stalled()
    asked.put(Kind.EVENT, b"e" * 1_001)
    asked.wire._buffered = HANDOVER - 1
    asked.put(Kind.STATE, b"state")
    asked.outbox.flush()
    asked.wire._buffered = 0
    asked.put(Kind.EVENT, b"f")
    asked.wire.stall()
    asked.put(Kind.EVENT, b"f" * 1_000)
    assert asked.asked == ["state", "state"]

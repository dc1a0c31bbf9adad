"""The audience of a room: admission, sides, shared bytes, back-pressure on those who ask."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Sequence
from typing import Any

import msgspec
import pytest

from collab import fanout
from collab.core.apply import Applied, apply
from collab.core.diagram import Diagram
from collab.core.events import Barred, Event, Lagged
from collab.fanout import FLUSHED, UNANSWERED, Connected, Fanout
from collab.outbox import BOUND, STATES, Outbox
from collab.sockets import HANDOVER, Frame
from protocol.codec import Encoding
from protocol.dialects import CLASSIC, CODRAW_V1, TMI, Dialect, patches
from protocol.notices import (
    Accepted,
    AwarenessShown,
    AwareUpdate,
    Ended,
    Happened,
    HeartbeatShown,
    HistoryDepth,
    Notice,
    Rejected,
    Resumed,
    ServerFacts,
    SessionView,
    StateReason,
    StateShown,
    TokenExpiring,
    Welcomed,
)
from protocol.operations import CellChange, Effect, Inverse, Kind, LoggedOperation, Verb
from protocol.refusals import Ending, Reason, Refusal
from protocol.values import (
    CellId,
    DiagramId,
    Epoch,
    Limits,
    OperationId,
    Role,
    SessionId,
    SocketId,
    ThreatModelId,
    User,
)
from tests.support.turns import turns

ANA = User("test", "ana", "ana@example.org", "Ana")
BO = User("test", "bo", "bo@example.org", "Bo")
CELL = CellId("7d3e6f5a-1b2c-4d3e-8f90-a1b2c3d4e5f6")
EMPTY = Diagram.found(DiagramId("5e110000-0000-4000-8000-000000000001"), Epoch("9f2c4e7a01b35d68"), ())
BOX = {"id": CELL, "shape": "process", "x": 1, "y": 2, "width": 120, "height": 80}
ASKED = (CellChange(CELL, Verb.ADD, BOX),)


def _one_box() -> tuple[Diagram, Effect, Inverse]:
    applied = apply(EMPTY, ASKED, ANA.id, Limits())
    assert isinstance(applied, Applied)
    return applied.diagram, applied.effect, applied.inverse


AFTER, EFFECT, INVERSE = _one_box()
OPERATION = LoggedOperation(1, OperationId("op"), ANA, Kind.EDIT, EFFECT, INVERSE, AFTER.state_hash, 0)
HAPPENED = Happened(OPERATION, AFTER, 0)
STATE = StateShown(AFTER, StateReason.JOINED)
ACCEPTED = Accepted("op", 1, True, False, Kind.EDIT, ANA, AFTER, 0, ASKED, OPERATION)
REJECTED = Rejected("op", Refusal(Reason.CONFLICT_DETECTED, "no"), 1, Kind.EDIT, 0)
OVER = Ended(Ending.HOST_ENDED, 0, ANA)


class Wire:
    """A socket whose peer reads everything at once, unless it is `stalled`, or `keeps` what comes until `take`."""

    pass_on = None

    def __init__(self) -> None:
        self.drained: Callable[[], None] = lambda: None
        self.frames: list[Frame] = []
        self.writes = 0
        self.closed: int | None = None
        self.stalled = self.keeps = False
        self.kept = 0

    def write(self, frames: Sequence[Frame]) -> None:
        self.writes += 1
        self.frames += frames
        if self.keeps:
            self.kept += sum(len(frame.payload) for frame in frames)

    def take(self) -> None:
        self.kept = 0
        self.drained()

    def buffered(self) -> int:
        return 1_000_000 if self.stalled else self.kept

    def close(self, code: int, reason: str) -> None:
        self.closed = code


class Listener:
    def __init__(self, id: str, user: User, dialect: Dialect, encoding: Encoding) -> None:
        self.id = SocketId(id)
        self.wire = Wire()
        self.connected = Connected(self.id, user.id, dialect, encoding, Outbox(self.wire))

    @property
    def heard(self) -> list[Any]:
        decode = json.loads if self.connected.encoding is Encoding.JSON else msgspec.msgpack.decode
        return [decode(frame.payload) for frame in self.wire.frames]

    @property
    def words(self) -> list[str]:
        """What kind of frames came."""
        return [message.get("message_type", message.get("event")) for message in self.heard]


class House:
    """A fanout whose turns of the event loop the test makes."""

    def __init__(self) -> None:
        self.posted: list[Event] = []
        self.later: list[Callable[[], None]] = []
        self.fanout = Fanout(self.posted.append, ServerFacts(version="9.9.9"), self.later.append)

    def attach(
        self, id: str, user: User = BO, dialect: Dialect = CODRAW_V1, encoding: Encoding = Encoding.JSON
    ) -> Listener:
        listener = Listener(id, user, dialect, encoding)
        self.fanout.attach(listener.connected)
        return listener

    def join(
        self, id: str, user: User = BO, dialect: Dialect = CODRAW_V1, encoding: Encoding = Encoding.JSON
    ) -> Listener:
        """Admitted, and its first frames forgotten."""
        listener = self.attach(id, user, dialect, encoding)
        self.fanout.admit(listener.id, (StateShown(EMPTY, StateReason.JOINED),))
        self.turn()
        listener.wire.frames.clear()
        listener.wire.writes = 0
        return listener

    def turn(self) -> None:
        later, self.later[:] = list(self.later), []
        for work in later:
            work()


@pytest.fixture
def house() -> House:
    return House()


def test_I8_a_newcomer_hears_its_state_first_and_then_what_follows(house: House) -> None:
    newcomer = house.attach("a")
    house.fanout.tell(HAPPENED)
    house.fanout.admit(newcomer.id, (STATE,))
    house.fanout.tell(HAPPENED)
    house.turn()
    assert newcomer.words == ["state", "event"]


def test_WS14_what_is_sent_before_the_admission_waits_for_it(house: House) -> None:
    newcomer = house.attach("a")
    house.fanout.send(newcomer.id, TokenExpiring(0))
    house.turn()
    assert newcomer.heard == []
    house.fanout.admit(newcomer.id, (STATE,))
    house.turn()
    assert newcomer.words == ["state", "token_expiring"]


def test_the_welcome_names_server_and_encoding(house: House) -> None:
    newcomer = house.attach("a", encoding=Encoding.MSGPACK)
    session = SessionView(SessionId("s"), ThreatModelId("t"), EMPTY.id, ANA, None, 1, 0)
    welcome = Welcomed(session, BO, newcomer.id, Role.READER, 0, HistoryDepth(), EMPTY, Limits(), 0)
    house.fanout.admit(newcomer.id, (welcome,))
    house.turn()
    (heard,) = newcomer.heard
    assert (heard["encoding"], heard["server"]["version"]) == ("msgpack", "9.9.9")


def test_OP19_each_dialect_answers_its_sender_in_its_own_way(house: House) -> None:
    classic, tmi, v1 = (house.join(d.name, ANA, d) for d in (CLASSIC, TMI, CODRAW_V1))
    for listener in (classic, tmi, v1):
        house.fanout.send(listener.id, ACCEPTED)
    house.turn()
    assert (classic.words, tmi.words, v1.words) == ([], ["diagram_operation_event"], ["operation_accepted"])


def test_a_notice_is_told_to_all_but_those_to_skip(house: House) -> None:
    sender, other, third = house.join("a", ANA), house.join("b"), house.join("c", dialect=TMI)
    house.fanout.tell(HAPPENED, frozenset((sender.id,)), ANA.id)
    house.turn()
    assert (sender.words, other.words, third.words) == ([], ["event"], ["diagram_operation_event"])


def test_another_socket_of_the_same_user_is_told_from_its_own_side(house: House) -> None:
    own, other = house.join("a", ANA, TMI), house.join("b", BO, TMI)
    house.fanout.tell(HAPPENED, by=ANA.id)
    house.turn()
    assert own.heard[0]["initiating_user"]["provider"] == "codraw"
    assert other.heard[0]["initiating_user"]["provider_id"] == "ana"


def test_where_most_sockets_are_one_user_s_each_is_told_from_its_side_all_the_same(house: House) -> None:
    sender, *own = (house.join(f"own {n}", ANA, TMI) for n in range(4))
    other = house.join("other", BO, TMI)
    house.fanout.tell(HAPPENED, frozenset((sender.id,)), ANA.id)
    house.turn()
    assert sender.words == []
    assert [listener.heard[0]["initiating_user"]["provider"] for listener in own] == ["codraw"] * 3
    assert other.heard[0]["initiating_user"]["provider_id"] == "ana"
    assert len({id(listener.wire.frames[0]) for listener in own}) == 1


def test_what_nobody_but_its_author_could_hear_is_not_rendered(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    sender = house.join("a", ANA)
    monkeypatch.setattr(fanout, "encode", None)
    house.fanout.tell(HAPPENED, frozenset((sender.id,)), ANA.id)
    house.turn()
    assert sender.words == []


def test_WS15_a_receipt_and_the_events_around_it_stay_in_order(house: House) -> None:
    sender, other = house.join("a", ANA), house.join("b")
    house.fanout.tell(HAPPENED)
    house.fanout.send(sender.id, ACCEPTED)
    house.fanout.tell(HAPPENED, frozenset((sender.id,)), ANA.id)
    house.fanout.tell(HAPPENED)
    house.turn()
    assert sender.words == ["event", "operation_accepted", "event"]
    assert other.words == ["event"] * 3
    assert (sender.wire.writes, other.wire.writes) == (1, 1)


def test_I8_who_is_sent_away_amid_a_turn_hears_what_was_told_before_and_then_the_end(house: House) -> None:
    listener, other = house.join("a"), house.join("b")
    house.fanout.tell(HAPPENED)
    house.fanout.dismiss(listener.id, OVER)
    house.fanout.tell(HAPPENED)
    house.turn()
    assert (listener.words, other.words) == (["event", "goodbye"], ["event", "event"])


def test_WS17_what_a_resume_shows_comes_behind_what_was_told_in_the_same_turn(house: House) -> None:
    listener = house.join("a")
    house.fanout.tell(HAPPENED)
    house.fanout.replay(listener.id, (Resumed(AFTER.epoch, 0, 1, AFTER.state_hash),))
    house.fanout.tell(HAPPENED)
    house.turn()
    assert listener.words == ["event", "resumed", "event"]


def test_WS11_what_was_told_in_the_turn_of_a_release_comes_behind_what_was_held(house: House) -> None:
    newcomer = house.attach("a")
    house.fanout.admit(newcomer.id, (STATE,))
    house.fanout.hold(newcomer.id)
    house.turn()
    house.fanout.tell(HAPPENED)
    house.fanout.release(newcomer.id)
    house.turn()
    assert newcomer.words == ["state", "event"]


def test_more_than_is_given_at_once_goes_out_in_parts_and_in_order(house: House) -> None:
    listener = house.join("a")
    for _ in range(1_000):
        house.fanout.tell(HAPPENED)
    house.turn()
    parts = sum(len(frame.payload) for frame in listener.wire.frames) / HANDOVER
    assert listener.words == ["event"] * 1_000
    assert parts < listener.wire.writes < parts + 2


def test_whoever_listens_alike_gets_the_same_bytes(house: House) -> None:
    alike = [house.join(str(n)) for n in range(3)]
    packed = house.join("p", encoding=Encoding.MSGPACK)
    house.fanout.tell(HAPPENED)
    house.turn()
    assert len({id(listener.wire.frames[0]) for listener in alike}) == 1
    assert packed.heard == alike[0].heard
    assert not packed.wire.frames[0].text


def test_a_full_state_is_encoded_once_for_all_who_join_at_one_vector(house: House) -> None:
    first, second, classic = house.attach("a"), house.attach("b"), house.attach("c", dialect=CLASSIC)
    for listener in (first, second, classic):
        house.fanout.admit(listener.id, (STATE,))
    house.turn()
    assert first.wire.frames[0] is second.wire.frames[0]
    assert classic.words == ["diagram_state_sync"]


def test_a_state_of_another_vector_is_another_one(house: House) -> None:
    first, second = house.attach("a"), house.attach("b")
    house.fanout.admit(first.id, (StateShown(EMPTY, StateReason.JOINED),))
    house.fanout.admit(second.id, (STATE,))
    house.turn()
    assert [len(listener.heard[0]["cells"]) for listener in (first, second)] == [0, 1]


def test_a_state_shown_for_another_reason_is_another_message(house: House) -> None:
    first, second = house.attach("a"), house.attach("b")
    house.fanout.admit(first.id, (STATE,))
    house.fanout.admit(second.id, (StateShown(AFTER, StateReason.OVERFLOW),))
    house.turn()
    assert [listener.heard[0]["reason"] for listener in (first, second)] == ["joined", "overflow"]


def test_one_turn_of_the_loop_is_one_write(house: House) -> None:
    listener = house.join("a")
    for _ in range(5):
        house.fanout.tell(HAPPENED)
    assert listener.wire.frames == []
    assert len(house.later) == 1
    house.turn()
    assert (listener.wire.writes, len(listener.heard)) == (1, 5)


def test_what_comes_to_much_is_spread_over_turns_and_the_order_stays(house: House) -> None:
    """Fifty who join at once are not to keep everybody else waiting while their states are written."""
    large = EMPTY
    while len(large) < FLUSHED // 60_000 + 1:
        box = BOX | {"id": f"cell-{len(large)}", "label": "x" * 60_000}
        applied = apply(large, (CellChange(CellId(box["id"]), Verb.ADD, box),), ANA.id, Limits())
        assert isinstance(applied, Applied)
        large = applied.diagram
    newcomers = [house.attach(id) for id in "abc"]
    for newcomer in newcomers:
        newcomer.wire.keeps = True
        house.fanout.admit(newcomer.id, (StateShown(large, StateReason.JOINED),))
    house.fanout.tell(HAPPENED)
    heard = []
    while house.later:
        house.turn()
        heard.append([newcomer.words for newcomer in newcomers])
    whole = ["state", "event"]
    assert heard == [[["state"], [], []], [["state"], ["state"], []], [["state"]] * 3]
    for newcomer in newcomers:
        newcomer.wire.take()
    assert [newcomer.words for newcomer in newcomers] == [whole] * 3


async def test_by_itself_the_flush_comes_with_the_next_turn() -> None:
    fanout = Fanout(lambda event: None)
    listener = Listener("a", BO, CODRAW_V1, Encoding.JSON)
    fanout.attach(listener.connected)
    fanout.admit(listener.id, (STATE,))
    await turns(1)
    assert listener.words == ["state"]


def test_a_resumed_socket_is_told_its_own_operations_too(house: House) -> None:
    listener = house.join("a", ANA)
    notices: tuple[Notice, ...] = (Resumed(AFTER.epoch, 0, 1, AFTER.state_hash), HAPPENED)
    house.fanout.replay(listener.id, notices)
    house.turn()
    assert listener.words == ["resumed", "event"]


def test_WS19_a_receipt_too_large_to_show_its_cells_outlives_the_state_in_their_place(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(patches, "SURELY_SMALL", 0)
    monkeypatch.setattr(patches, "RENDERING_BYTES", 0)
    listener = house.join("a", ANA)
    listener.wire.stalled = True
    house.fanout.send(listener.id, msgspec.structs.replace(ACCEPTED, kind=Kind.UNDO))
    for _ in range(STATES):
        house.fanout.send(listener.id, STATE)
    house.turn()
    listener.wire.stalled = False
    listener.wire.drained()
    house.turn()
    assert listener.words == ["state", "operation_accepted"]


def test_WS17_what_a_resume_shows_is_never_a_part_however_much_it_is(house: House) -> None:
    listener = house.join("a", ANA)
    listener.wire.stalled = True
    events = (HAPPENED,) * 4_000
    house.fanout.replay(listener.id, (Resumed(AFTER.epoch, 0, len(events), AFTER.state_hash), *events))
    assert house.posted == []
    listener.wire.stalled = False
    house.turn()
    assert listener.words == ["resumed", *["event"] * len(events)]
    assert sum(len(frame.payload) for frame in listener.wire.frames) > BOUND


def test_WS12_of_several_resumes_that_wait_only_the_first_is_not_counted(house: House) -> None:
    listener = house.join("a", ANA)
    listener.wire.stalled = True
    events = (Resumed(AFTER.epoch, 0, 4_000, AFTER.state_hash), *(HAPPENED,) * 4_000)
    house.fanout.replay(listener.id, events)
    assert house.posted == []
    house.fanout.replay(listener.id, events)
    assert house.posted == [Lagged(listener.id)]
    house.fanout.send(listener.id, STATE)
    listener.wire.stalled = False
    house.turn()
    assert listener.words == ["state"]


@pytest.mark.parametrize(("dialect", "words"), [(CLASSIC, "session_ended"), (TMI, "error"), (CODRAW_V1, "goodbye")])
def test_who_is_dismissed_hears_the_end_and_nothing_after(house: House, dialect: Dialect, words: str) -> None:
    listener = house.join("a", BO, dialect)
    house.fanout.tell(HAPPENED)
    house.fanout.dismiss(listener.id, OVER)
    house.fanout.tell(HAPPENED)
    house.fanout.send(listener.id, REJECTED)
    house.turn()
    assert listener.words[1:] == [words]
    assert listener.wire.closed == 1000


def test_a_newcomer_may_be_dismissed_instead_of_admitted(house: House) -> None:
    listener = house.attach("a")
    house.fanout.dismiss(listener.id, Ended(Ending.SESSION_FULL, 0))
    house.fanout.admit(listener.id, (STATE,))
    house.turn()
    assert listener.words == ["goodbye"]
    assert listener.heard[0]["retry_after_ms"] > 0
    assert listener.wire.closed == 4429


@pytest.mark.parametrize(
    "ending", [Ending.TOO_MANY_CONNECTIONS, Ending.SESSION_FULL, Ending.FLOODING, Ending.UNAVAILABLE, Ending.RESTART]
)
def test_whoever_is_to_come_later_is_told_when_and_not_all_the_same(house: House, ending: Ending) -> None:
    listeners = [house.join(f"s{n}", BO, CODRAW_V1) for n in range(20)]
    house.fanout.dismiss_all(Ended(ending, 0))
    house.turn()
    assert len({listener.heard[-1]["retry_after_ms"] for listener in listeners}) > 1


def test_all_are_dismissed_at_once(house: House) -> None:
    listeners = [house.join("a"), house.attach("b"), house.join("c", dialect=TMI)]
    house.fanout.dismiss_all(Ended(Ending.RESTART, 0))
    assert [listener.wire.closed for listener in listeners] == [1012] * 3
    assert len(house.fanout) == 0


def test_who_has_gone_is_told_nothing(house: House) -> None:
    gone, other = house.join("a"), house.join("b")
    house.fanout.detach(gone.id)
    house.fanout.detach(gone.id)
    house.fanout.tell(HAPPENED)
    house.fanout.send(gone.id, ACCEPTED)
    house.fanout.replay(gone.id, (HAPPENED,))
    house.fanout.dismiss(gone.id, OVER)
    house.turn()
    assert (gone.words, other.words) == ([], ["event"])


def test_WS12_a_socket_that_lags_is_reported_and_recovers_with_a_state(house: House) -> None:
    listener = house.join("a")
    listener.wire.stalled = True
    for _ in range(4_000):
        house.fanout.tell(HAPPENED)
    assert house.posted == [Lagged(listener.id)]
    house.fanout.send(listener.id, StateShown(AFTER, StateReason.OVERFLOW))
    house.fanout.tell(HAPPENED)
    house.turn()
    listener.wire.stalled = False
    listener.wire.drained()
    assert listener.words == ["state", "event"]


def test_WS12_a_socket_that_is_too_slow_is_reported_too(house: House) -> None:
    listener = house.join("a")
    listener.wire.stalled = True
    for _ in range(8_000):
        house.fanout.send(listener.id, ACCEPTED)
    assert house.posted == [Barred(listener.id, Ending.SLOW)]


def test_WS12_a_full_state_in_place_of_an_event_is_not_counted(house: House) -> None:
    """E5 in tmi: the requester's receipt of an undo is a full state."""
    listener = house.join("a", ANA, TMI)
    listener.wire.stalled = True
    undone = msgspec.structs.replace(
        ACCEPTED, kind=Kind.UNDO, operation=msgspec.structs.replace(OPERATION, kind=Kind.UNDO)
    )
    house.fanout.send(listener.id, undone)
    house.turn()
    assert listener.connected.outbox.weight == 0


def test_awareness_about_the_same_connection_is_replaced_while_it_waits(house: House) -> None:
    listener = house.join("a")
    for connection, x in (("c1", 1), ("c2", 2), ("c1", 3)):
        update = AwareUpdate(SocketId(connection), ANA, True, cursor={"x": x, "y": 0})
        house.fanout.tell(AwarenessShown((update,)))
    house.turn()
    assert [message["updates"][0]["cursor"]["x"] for message in listener.heard] == [2, 3]


def test_a_cursor_takes_no_place_of_a_selection(house: House) -> None:
    listener = house.join("a")
    for update in (
        AwareUpdate(SocketId("c1"), ANA, True, cursor={"x": 1, "y": 0}),
        AwareUpdate(SocketId("c1"), ANA, True, selection=(CELL,)),
    ):
        house.fanout.tell(AwarenessShown((update,)))
    house.turn()
    assert len(listener.heard) == 2


async def test_one_who_has_too_many_operations_unanswered_waits(house: House) -> None:
    listener = house.join("a")
    for _ in range(UNANSWERED):
        await listener.connected.room_for_operation()
        listener.connected.asked()
    waiting = asyncio.create_task(listener.connected.room_for_operation())
    await turns()
    house.fanout.send(listener.id, HeartbeatShown(AFTER.epoch, 1, 0, 0))
    await turns()
    assert not waiting.done()
    house.fanout.send(listener.id, REJECTED)
    await waiting


async def test_no_answer_is_awaited_of_a_socket_that_is_being_closed(house: House) -> None:
    listener = house.join("a")
    for _ in range(UNANSWERED):
        listener.connected.asked()
    waiting = asyncio.create_task(listener.connected.room_for_operation())
    await turns()
    house.fanout.dismiss(listener.id, OVER)
    await waiting


@pytest.mark.parametrize("come_in", [True, False])
async def test_a_socket_waits_until_it_is_admitted_or_turned_away(house: House, come_in: bool) -> None:
    listener = house.attach("a")
    waiting = asyncio.create_task(listener.connected.admission())
    await turns()
    assert not waiting.done()
    if come_in:
        house.fanout.admit(listener.id, (STATE,))
    else:
        house.fanout.dismiss(listener.id, OVER)
    await waiting

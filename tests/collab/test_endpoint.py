"""The WebSocket edge: what it reads, refuses, slows down, and tells the room."""

from __future__ import annotations

import asyncio
import gc
import json
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import msgspec
import pytest

from codraw.waits import Mailbox
from collab.core.diagram import Diagram
from collab.core.events import Asked, Barred, Departure, Event, Joined, Left, TokenRenewed
from collab.endpoint import UNREADABLE_PER_MINUTE, Endpoint, Visit, departure
from collab.entrance import AT_ONCE
from collab.fanout import UNANSWERED, Fanout
from collab.handshake import Admission, Entry
from collab.sockets import READY_FRAMES
from protocol.intents import AskState, Edit, Heartbeat, Resume, Undo
from protocol.notices import Ended, Rejected, StateReason, StateShown
from protocol.operations import Kind
from protocol.refusals import Ending, Reason, Refusal
from protocol.values import DiagramId, Epoch, Limits, SocketId
from tests.support.premises import Premises, premises
from tests.support.turns import turns, until
from tests.support.wire import Line, word

CELL = "7d3e6f5a-1b2c-4d3e-8f90-a1b2c3d4e5f6"
BOX = {"shape": "process", "x": 1, "y": 2, "width": 120, "height": 80}
HEARTBEAT = {"message_type": "heartbeat"}


def edit(operation_id: str | None = None, verb: str = "add") -> dict[str, Any]:
    return {
        "message_type": "operation",
        "operation_id": operation_id or str(uuid4()),
        "operation": {"type": "patch", "cells": [{"id": CELL, "operation": verb, "data": BOX}]},
    }


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[Premises]:
    async with premises(tmp_path) as house:
        await house.open_session()
        yield house


async def enter(house: Premises, name: str = "ana", dialect: str = "codraw.v1", **query: str) -> Line:
    return Line(house.endpoint, house.path, {"ticket": await house.ticket(name), "dialect": dialect, **query})


async def present(house: Premises, name: str = "ana", dialect: str = "codraw.v1", **query: str) -> Line:
    """Admitted, its first frames heard."""
    line = await enter(house, name, dialect, **query)
    await line.hear("participants", "participants_update", "current_presenter")
    return line


# a room that only listens ---------------------------------------------------------------------------------------------


class Listening:
    """The neighbour's interface: a room that admits everybody with an empty diagram and notes what it hears."""

    def __init__(self) -> None:
        self.fanout = Fanout(self.post_now)
        self.closed = self.full = False
        self.heard: list[Event] = []
        self.shown = Diagram.found(DiagramId("d"), Epoch("e"), ())
        self.held = 0

    async def post(self, event: Joined | Asked) -> None:
        if self.full:
            await self.freed.wait()
        self.post_now(event)

    def full_until_freed(self) -> asyncio.Event:
        self.full, self.freed = True, asyncio.Event()
        return self.freed

    def post_now(self, event: Event) -> None:
        self.heard.append(event)
        match event:
            case Joined(socket=socket):
                self.fanout.admit(socket, (StateShown(self.shown, StateReason.JOINED),))
            case Barred(socket=socket, ending=ending):
                self.fanout.dismiss(socket, Ended(ending, 0))

    async def recall(self, resume: Resume) -> Resume:
        return resume

    def answer(self, socket: SocketId) -> None:
        refusal = Refusal(Reason.CONFLICT_DETECTED, "no")
        self.fanout.send(socket, Rejected("op", refusal, 0, Kind.EDIT, 0))

    async def enter(self, diagram: DiagramId) -> Listening:
        self.held += 1
        return self

    @property
    def room(self) -> Listening:
        return self

    def release(self) -> None:
        self.held -= 1

    def send_away(self, ending: Ending) -> None:
        """The first who came."""
        self.post_now(Barred(self.of(Joined)[0].socket, ending))

    def of(self, kind: type[Event]) -> list[Any]:
        return [event for event in self.heard if isinstance(event, kind)]


@pytest.fixture
def room(house: Premises) -> Listening:
    room = Listening()
    house.endpoint = Endpoint(house.handshake, room, house.guard, house.tasks, house.clock, house.endpoint.limits)
    return room


@pytest.fixture
def no_patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever is sent away and does not go is cut at once."""
    monkeypatch.setattr("collab.endpoint.CLOSE_PATIENCE_S", 0.0)


async def asked(room: Listening, n: int) -> list[Any]:
    await until(lambda: len(room.of(Asked)) >= n)
    return [event.intent for event in room.of(Asked)]


# coming and going -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("message", "how"),
    [
        ({"code": 1000, "reason": ""}, Departure.CLEAN),
        ({"code": 1000}, Departure.CLEAN),
        ({"code": 1005, "reason": ""}, Departure.CLEAN),
        ({"code": 1005}, Departure.LOST),
        ({"code": 1006, "reason": ""}, Departure.LOST),
        ({"code": 1001, "reason": "reload"}, Departure.LOST),
        ({"code": 1012}, Departure.SERVER),
        ({"code": 1012, "reason": "said by a client"}, Departure.LOST),
        ({}, Departure.LOST),
    ],
)
def test_SES9_SES10_a_departure_is_clean_only_with_a_close_frame_1000_or_1005(
    message: dict[str, Any], how: Departure
) -> None:
    assert departure({"type": "websocket.disconnect", **message}) is how


@pytest.mark.parametrize("place", ["\0:1", "9f2c\0:41", ":41", "9f2c:", "9f2c:-1", "9f2c:4:1", "9f2c:" + "9" * 17])
async def test_OP14_S60_a_place_that_is_none_is_passed_over(house: Premises, room: Listening, place: str) -> None:
    line = await enter(house, "bo", resume=place)
    await line.hear("state")
    assert room.of(Joined)[0].resume is None
    line.leave(code=1000, reason="")
    await line.ended()


async def test_the_room_hears_of_a_socket_once_when_it_comes_and_once_when_it_goes(
    house: Premises, room: Listening
) -> None:
    line = await enter(house, "bo", resume="9f2c4e7a01b35d68:41")
    await line.hear("state")
    line.leave(code=1000, reason="")
    await line.ended()
    joined, left = room.heard
    assert isinstance(joined, Joined)
    assert (joined.caller.user.provider_id, joined.dialect) == ("bo", "codraw.v1")
    assert joined.resume == Resume(Epoch("9f2c4e7a01b35d68"), 41)
    assert left == Left(joined.socket, Departure.CLEAN)
    assert (len(room.fanout), room.held, len(house.tasks)) == (0, 0, 0)


async def test_a_cancelled_socket_has_left_too(house: Premises, room: Listening) -> None:
    line = await enter(house)
    await line.hear("state")
    line.task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await line.ended()
    assert [event.how for event in room.of(Left)] == [Departure.LOST]
    assert len(room.fanout) == 0


async def test_SES12_a_socket_that_the_server_closes_was_not_left_by_its_user(house: Premises, room: Listening) -> None:
    line = await enter(house)
    await line.hear("state")
    room.send_away(Ending.TOKEN_EXPIRED)
    assert await line.ended() == 4401
    assert [event.how for event in room.of(Left)] == [Departure.SERVER]


async def test_a_bug_at_the_edge_sends_the_client_away_and_shows_nothing(
    house: Premises, room: Listening, caplog: pytest.LogCaptureFixture
) -> None:
    line = await enter(house)
    await line.hear("state")
    del room.full
    line.say(HEARTBEAT)
    assert await line.ended() == 1012
    assert "AttributeError" not in json.dumps(line.frames.get_nowait())
    assert [event.how for event in room.of(Left)] == [Departure.LOST]
    assert "crashed" in caplog.text


async def test_a_room_that_has_closed_meanwhile_is_not_waited_for(house: Premises, room: Listening) -> None:
    room.closed = True
    assert await (await enter(house)).ended() == 1012
    assert room.heard == []


async def test_a_diagram_that_went_meanwhile_is_not_found(house: Premises, room: Listening) -> None:
    async def gone(diagram: DiagramId) -> None:
        return None

    room.enter = gone  # type: ignore[assignment,method-assign]
    assert await (await enter(house)).ended() == 4404


@pytest.mark.usefixtures("no_patience")
async def test_a_peer_that_does_not_read_its_last_frames_is_cut(house: Premises, room: Listening) -> None:
    line = await enter(house)
    await line.hear("state")
    line.gate.clear()
    room.send_away(Ending.FLOODING)
    await line.ended()
    assert [event.how for event in room.of(Left)] == [Departure.SERVER]
    assert len(house.tasks) == 0


# a server that keeps the connection by itself -------------------------------------------------------------------------


class Keeping:
    """The server's side of `READY_FRAMES`: it takes frames, and tells whoever listens what comes."""

    def __init__(self) -> None:
        self.told = b""
        self.finished = False
        self._mailbox = Mailbox[Mapping[str, Any]]()
        self.listen = self._mailbox.listen

    def report(self, drained: Callable[[], None], above: int) -> None:
        self.drained = drained

    def pass_on(self, wire: bytes) -> None:
        self.told += wire

    def waiting(self) -> int:
        return 0

    def finish(self) -> None:
        self.finished = True

    def come(self, *messages: Any) -> None:
        for message in messages:
            self._mailbox.put_nowait({"type": "websocket.receive", "text": json.dumps(message)})

    def go(self, **how: Any) -> None:
        self._mailbox.put_nowait({"type": "websocket.disconnect", **how})
        del self.drained


async def kept(house: Premises, name: str = "ana", **query: str) -> tuple[Line, Keeping]:
    keeping = Keeping()
    query = {"ticket": await house.ticket(name), "dialect": "codraw.v1", **query}
    return Line(house.endpoint, house.path, query, extensions={READY_FRAMES: keeping}), keeping


async def test_a_socket_that_the_server_keeps_has_no_task_while_nothing_comes(house: Premises, room: Listening) -> None:
    line, keeping = await kept(house)
    await line.task
    assert (len(house.tasks), room.held, len(room.fanout)) == (0, 1, 1)
    keeping.come(HEARTBEAT, edit())
    assert [type(event.intent) for event in room.of(Asked)] == [Heartbeat, Edit]
    assert len(house.tasks) == 0
    keeping.go(code=1000, reason="")
    assert [event.how for event in room.of(Left)] == [Departure.CLEAN]
    assert (keeping.finished, room.held, len(room.fanout)) == (True, 0, 0)


class Visits:
    """Visits of this test, for as long as they are there: no collector of cycles runs."""

    def __init__(self) -> None:
        gc.unfreeze()
        gc.collect()
        gc.disable()
        self._others = {id(one) for one in gc.get_objects() if isinstance(one, Visit)}

    def __len__(self) -> int:
        gc.unfreeze()
        return sum(isinstance(one, Visit) and id(one) not in self._others for one in gc.get_objects())


@pytest.fixture
def visits() -> Iterator[Visits]:
    yield Visits()
    gc.enable()


@pytest.mark.parametrize("keeps", [True, False])
async def test_of_a_socket_that_has_gone_nothing_waits_for_a_collector_of_cycles(
    house: Premises, visits: Visits, keeps: bool
) -> None:
    line, keeping = await kept(house) if keeps else (await present(house), None)
    await until(lambda: len(visits) == 1)
    if keeping is not None:
        await line.task
        keeping.go(code=1000, reason="")
    line.leave(code=1000, reason="")
    await line.task
    del line, keeping
    await until(lambda: len(visits) == 0)


@pytest.mark.usefixtures("no_patience")
async def test_nor_of_one_that_was_cut_while_something_waited(house: Premises, room: Listening, visits: Visits) -> None:
    line, keeping = await kept(house)
    await line.task
    room.full_until_freed()
    keeping.come(edit())
    await turns()
    room.send_away(Ending.LEFT)
    await until(lambda: len(house.tasks) == 0)
    keeping.go(code=1000, reason="")
    del line, keeping
    await until(lambda: len(visits) == 0)


async def test_a_bug_in_leaving_keeps_no_room_open(
    house: Premises, room: Listening, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    line, keeping = await kept(house)
    await line.task
    monkeypatch.delattr(Fanout, "detach")
    keeping.go(code=1000, reason="")
    assert (room.held, keeping.finished) == (0, True)
    assert "crashed as it left" in caplog.text


def broken_recall(room: Listening) -> asyncio.Event:
    """What is recalled fails, once the event is set."""
    free = asyncio.Event()

    async def recall(resume: Resume) -> Resume:
        await free.wait()
        raise LookupError

    room.recall = recall  # type: ignore[method-assign]
    return free


RESUME = {"message_type": "resume", "epoch": "9f2c4e7a01b35d68", "update_vector": 0}


async def test_a_bug_in_what_waits_sends_the_client_away(house: Premises, room: Listening) -> None:
    line, keeping = await kept(house)
    await line.task
    broken_recall(room).set()
    keeping.come(RESUME, edit())
    await until(lambda: b"goodbye" in keeping.told)
    assert [event.how for event in room.of(Left)] == [Departure.LOST]
    keeping.go(code=1005)
    assert (keeping.finished, room.of(Asked)) == (True, [])


async def test_a_bug_while_one_comes_sends_it_away_and_holds_no_room(house: Premises, room: Listening) -> None:
    broken_recall(room).set()
    line, keeping = await kept(house, resume="9f2c4e7a01b35d68:0")
    await line.task
    assert (room.held, len(room.fanout), room.heard) == (0, 0, [])
    assert b"goodbye" in keeping.told


async def test_who_was_sent_away_already_is_not_by_a_bug(
    house: Premises, room: Listening, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    line, keeping = await kept(house)
    await line.task
    free = broken_recall(room)
    keeping.come(RESUME)
    await turns()
    room.send_away(Ending.LEFT)
    free.set()
    await turns()
    keeping.go(code=1000, reason="")
    assert keeping.told.count(b"goodbye") == 1
    assert caplog.messages[-1].endswith(str(Ending.LEFT))


async def test_whoever_is_cut_off_while_it_comes_has_left(house: Premises, room: Listening) -> None:
    room.fanout.admit = lambda socket, notices: None  # type: ignore[method-assign]
    line, _ = await kept(house)
    await until(lambda: bool(room.of(Joined)))
    line.task.cancel()
    await asyncio.wait((line.task,))
    assert [event.how for event in room.of(Left)] == [Departure.LOST]
    assert (room.held, len(room.fanout), house.guard._watches) == (0, 0, {})


@pytest.mark.parametrize("joined", [True, False])
async def test_who_is_sent_away_while_it_comes_is_cut_if_it_does_not_go(
    house: Premises, room: Listening, monkeypatch: pytest.MonkeyPatch, joined: bool
) -> None:
    monkeypatch.setattr("collab.endpoint.CLOSE_PATIENCE_S", 0.02)
    room.fanout.admit = lambda socket, notices: None  # type: ignore[method-assign]
    if not joined:
        room.full_until_freed()
    _, keeping = await kept(house)
    await until(lambda: bool(room.of(Joined) if joined else len(room.fanout)))
    room.fanout.dismiss_all(Ended(Ending.RESTART, 0))
    await until(lambda: keeping.finished)
    assert ([event.how for event in room.of(Left)], room.held) == ([Departure.SERVER] if joined else [], 0)


@pytest.mark.parametrize("keeps", [True, False])
async def test_whoever_is_in_or_sent_away_makes_place_for_the_next(
    house: Premises, room: Listening, keeps: bool
) -> None:
    for name in ("ana", "eve") * AT_ONCE:
        line = (await kept(house, name))[0] if keeps else await enter(house, name)
        await until(lambda line=line: line.task.done() or len(line.got) > 1)  # type: ignore[misc]


async def test_I29_whoever_comes_while_the_server_drains_opens_no_room(
    house: Premises, room: Listening, monkeypatch: pytest.MonkeyPatch
) -> None:
    admission = house.handshake.admission

    async def late(entry: Entry) -> Admission | Ending:
        admitted = await admission(entry)
        house.endpoint.draining = True
        return admitted

    monkeypatch.setattr(house.handshake, "admission", late)
    line = await enter(house)
    assert await line.ended() == 1012
    assert (room.held, room.heard) == (0, [])


async def test_what_comes_behind_something_that_waits_is_heard_after_it(house: Premises, room: Listening) -> None:
    line, keeping = await kept(house)
    await line.task
    free = room.full_until_freed()
    keeping.come(edit(), HEARTBEAT)
    await turns()
    room.full = False
    keeping.come({"message_type": "sync_request"})
    assert room.of(Asked) == []
    free.set()
    await asked(room, 3)
    assert [type(event.intent) for event in room.of(Asked)] == [Edit, Heartbeat, AskState]


@pytest.mark.usefixtures("no_patience")
async def test_what_waits_of_one_who_is_cut_is_never_asked(house: Premises, room: Listening) -> None:
    line, keeping = await kept(house)
    await line.task
    free = room.full_until_freed()
    keeping.come(edit())
    await turns()
    room.send_away(Ending.LEFT)
    await until(lambda: len(house.tasks) == 0 and keeping.finished)
    free.set()
    await turns()
    assert (len(room.of(Left)), room.of(Asked)) == (1, [])


@pytest.mark.usefixtures("no_patience")
async def test_WS12_a_kept_socket_that_does_not_read_its_last_frames_is_cut(house: Premises, room: Listening) -> None:
    line, keeping = await kept(house)
    await line.task
    room.send_away(Ending.FLOODING)
    await until(lambda: keeping.finished)
    assert [event.how for event in room.of(Left)] == [Departure.SERVER]
    keeping.go(code=1005)
    assert len(room.of(Left)) == 1


# reading --------------------------------------------------------------------------------------------------------------


async def test_an_undo_without_id_gets_one(house: Premises, room: Listening) -> None:
    line = await enter(house)
    line.say({"message_type": "undo"})
    line.say({"message_type": "redo", "operation_id": "b1d7c0de-0000-4000-8000-000000000001"})
    undo, redo = await asked(room, 2)
    assert isinstance(undo, Undo)
    assert UUID(undo.operation_id).version == 4
    assert redo.operation_id == "b1d7c0de-0000-4000-8000-000000000001"


async def test_nothing_is_asked_before_the_admission(house: Premises, room: Listening) -> None:
    admit, room.fanout.admit = room.fanout.admit, lambda socket, notices: None  # type: ignore[method-assign]
    line = await enter(house)
    line.say(HEARTBEAT)
    await until(lambda: bool(room.of(Joined)))
    await turns()
    assert room.of(Asked) == []
    admit(room.of(Joined)[0].socket, ())
    assert await asked(room, 1) == [Heartbeat()]


@pytest.mark.parametrize(
    ("dialect", "frame"), [("classic", b"{}"), ("tmi", b""), ("codraw.v1", b'{"message_type":"heartbeat"}')]
)
async def test_WS4_a_binary_frame_on_a_JSON_socket_closes_1003(house: Premises, dialect: str, frame: bytes) -> None:
    line = await present(house, "bo", dialect)
    line.say_raw(frame)
    assert await line.ended() == 1003


async def test_WS4_text_on_a_MessagePack_socket_closes_1003(house: Premises) -> None:
    line = Line(house.endpoint, house.path, {"ticket": await house.ticket("bo")}, subprotocols=["codraw.v1.msgpack"])
    assert (await line.hear())["encoding"] == "msgpack"
    line.say_raw(msgspec.msgpack.encode(HEARTBEAT))
    assert await line.hear("heartbeat")
    line.say_raw("{}")
    assert await line.ended() == 1003


async def test_S71_a_frame_over_the_limit_closes_1009(house: Premises) -> None:
    line = await present(house)
    limit = house.endpoint.limits.max_frame_bytes
    fits = json.dumps({**HEARTBEAT, "ref": "fits", "padding": "é"}, ensure_ascii=False)
    fits += " " * (limit - len(fits.encode()))
    line.say_raw(fits)
    assert (await line.hear("heartbeat"))["ref"] == "fits"
    line.say_raw(fits + " ")
    assert await line.ended() == 1009


@pytest.mark.parametrize("dialect", ["classic", "tmi", "codraw.v1"])
@pytest.mark.parametrize(
    "frame",
    ["", " ", "null", "7", '"text"', "[]", "{}", "{", "\ufeff{}", '{"message_type":7}', '{"message_type":"nonsense"}',
     '{"message_type":"welcome"}', '{"a":1,"a":2}', '{"a":NaN}', "[" * 10_000, '{"a":"\\ud800"}', '{"a":"\\u0000"}',
     '{"message_type":"diagram_operation","operation_id":7}', "\ud800", "{}{}"],
)  # fmt: skip
async def test_WS7_S60_unreadable_input_is_answered_and_leaves_the_socket_open(
    house: Premises, dialect: str, frame: str
) -> None:
    line = await present(house, "ana", dialect)
    line.say_raw(frame)
    assert word(await line.hear("error", "operation_rejected")) == "error"
    line.say({"message_type": "sync_request"})
    assert await line.hear("state", "diagram_state", "diagram_state_sync")


async def test_an_operation_with_an_id_is_refused_by_name_even_if_it_breaks_the_rules_of_JSON(house: Premises) -> None:
    line = await present(house)
    operation_id = str(uuid4())
    line.say_raw(json.dumps(edit(operation_id)).replace(": 120", ": NaN"))
    rejected = await line.hear("operation_rejected")
    assert (rejected["operation_id"], rejected["reason"]) == (operation_id, "validation_failed")


async def test_WS7_more_than_fifty_unreadable_frames_a_minute_close_4429(house: Premises) -> None:
    line = await present(house)
    for _ in range(UNREADABLE_PER_MINUTE):
        line.say_raw("x")
    for _ in range(UNREADABLE_PER_MINUTE):
        await line.hear("error")
    line.say(HEARTBEAT)
    assert await line.hear("heartbeat")
    house.clock.advance(59)
    line.say_raw("x")
    assert await line.ended() == 4429


async def test_WS7_fifty_a_minute_may_go_on_for_ever(house: Premises) -> None:
    line = await present(house)
    for _ in range(3):
        for _ in range(UNREADABLE_PER_MINUTE):
            line.say_raw("x")
        for _ in range(UNREADABLE_PER_MINUTE):
            await line.hear("error")
        house.clock.advance(60)
    line.say(HEARTBEAT)
    assert await line.hear("heartbeat")


async def test_WS8_a_socket_that_sends_too_fast_is_read_more_slowly(house: Premises, room: Listening) -> None:
    line = await enter(house)
    for _ in range(230):
        line.say(HEARTBEAT)
    await asked(room, 200)
    await turns(50)
    assert len(room.of(Asked)) == 200
    for n in range(1, 31):
        house.clock.advance(0.01)
        await asked(room, 200 + n)
        await turns(5)
        assert len(room.of(Asked)) == 200 + n


async def test_WS8_edits_that_come_too_fast_are_read_more_slowly(tmp_path: Path) -> None:
    async with premises(tmp_path, limits=Limits(operations_per_second=4)) as house:
        await house.open_session()
        room = Listening()
        house.endpoint = Endpoint(house.handshake, room, house.guard, house.tasks, house.clock, house.endpoint.limits)
        line = await enter(house)
        for _ in range(10):
            line.say(edit())
        await asked(room, 8)
        for n in (9, 10):
            await turns(50)
            assert len(room.of(Asked)) == n - 1
            house.clock.advance(0.25)
            await asked(room, n)


async def test_an_edit_waits_for_a_room_that_is_full(house: Premises, room: Listening) -> None:
    line = await enter(house)
    await line.hear("state")
    free = room.full_until_freed()
    for _ in range(2):
        line.say(edit())
    await turns(50)
    assert room.of(Asked) == []
    free.set()
    await asked(room, 2)


async def test_WS8_PR9_a_cursor_that_moves_500_times_a_second_holds_up_no_edit(
    house: Premises, room: Listening
) -> None:
    line = await enter(house)
    for n in range(1_000):
        line.say({"message_type": "awareness", "cursor": {"x": n, "y": 0}})
    line.say(edit())
    await asked(room, 1_001)


async def test_WS8_the_allowance_can_be_switched_off(tmp_path: Path) -> None:
    async with premises(tmp_path, limits=Limits(operations_per_second=0)) as house:
        await house.open_session()
        line = await present(house)
        for _ in range(500):
            line.say(HEARTBEAT)
        for _ in range(500):
            await line.hear("heartbeat")


async def test_a_socket_with_too_many_unanswered_operations_is_read_no_further(
    house: Premises, room: Listening
) -> None:
    line = await enter(house)
    for _ in range(UNANSWERED + 2):
        line.say(edit())
    await asked(room, UNANSWERED)
    await turns(50)
    assert len(room.of(Asked)) == UNANSWERED
    room.answer(room.of(Joined)[0].socket)
    await asked(room, UNANSWERED + 1)
    await turns(50)
    assert len(room.of(Asked)) == UNANSWERED + 1


async def test_nothing_is_read_from_a_socket_that_is_being_closed(house: Premises, room: Listening) -> None:
    line = await enter(house)
    await line.hear("state")
    line.gate.clear()
    room.send_away(Ending.LEFT)
    line.say(edit())
    line.say_raw(b"binary")
    line.gate.set()
    assert await line.ended() == 1000
    assert room.of(Asked) == []


# tokens ---------------------------------------------------------------------------------------------------------------


async def test_AU11_a_newer_token_raises_the_deadline_in_band(house: Premises, room: Listening) -> None:
    line = await enter(house, "bo")
    await line.hear("state")
    house.clock.advance(3_000)
    token, caller = await house.sign_in("bo")
    line.say({"message_type": "refresh_token", "access_token": token, "ref": "r1"})
    await until(lambda: bool(room.of(TokenRenewed)))
    assert room.of(TokenRenewed) == [TokenRenewed(room.of(Joined)[0].socket, caller, "r1")]
    house.clock.advance(1_000)
    await house.guard.check()
    assert room.of(Barred) == []


async def test_AU11_a_ticket_renews_too_and_is_told_with_the_new_deadline(house: Premises) -> None:
    line = await present(house, "bo")
    house.clock.advance(600)
    line.say({"message_type": "refresh_token", "ticket": await house.ticket("bo"), "ref": "r1"})
    renewed = await line.hear("token_refreshed")
    assert (renewed["ref"], renewed["expires_at"]) == ("r1", "2027-01-15T09:10:00Z")


@pytest.mark.parametrize("what", ["foreign", "forged", "spent", "ended"])
async def test_AU13_a_refresh_by_anything_but_the_same_user_s_good_credential_is_refused(
    house: Premises, room: Listening, what: str
) -> None:
    line = await enter(house, "bo")
    await line.hear("state")
    token, caller = await house.sign_in("eve" if what == "foreign" else "bo")
    message = {"message_type": "refresh_token", "access_token": token, "ref": "r1"}
    if what == "forged":
        message["access_token"] = token[:-4] + "AAAA"
    elif what == "ended":
        await house.accounts.end_login(caller.sid)
    elif what == "spent":
        ticket = await house.ticket("bo")
        await house.sessions.redeem(ticket)
        message = {"message_type": "refresh_token", "ticket": ticket, "ref": "r1"}
    line.say(message)
    error = await line.hear("error")
    assert (error["error"], error["ref"]) == ("invalid_token", "r1")
    assert room.of(TokenRenewed) == []


async def test_AU13_after_a_refused_refresh_the_old_deadline_stays(house: Premises) -> None:
    line = await present(house, "bo")
    house.clock.advance(3_541)
    foreign, _ = await house.sign_in("ana")
    line.say({"message_type": "refresh_token", "access_token": foreign})
    assert (await line.hear("error"))["error"] == "invalid_token"
    await house.guard.check()
    assert (await line.hear("token_expiring"))["expires_at"] == "2027-01-15T09:00:00Z"
    house.clock.advance(59)
    await house.guard.check()
    assert await line.ended() == 4401


async def test_S37_a_token_that_expires_in_mid_session_ends_the_socket(house: Premises) -> None:
    line = await present(house, "bo")
    house.clock.advance(3_541)
    await house.guard.check()
    assert await line.hear("token_expiring")
    house.clock.advance(60)
    await house.guard.check()
    assert (await line.hear("goodbye"))["reason"] == "token_expired"
    assert await line.ended() == 4401


async def test_the_guard_forgets_a_socket_that_left(house: Premises, room: Listening) -> None:
    line = await enter(house)
    await line.hear("state")
    line.leave(code=1000, reason="")
    await line.ended()
    house.clock.advance(4_000)
    await house.guard.check()
    assert room.of(Barred) == []


@pytest.mark.parametrize(("dialect", "code"), [("classic", 1000), ("tmi", 4401), ("codraw.v1", 4401)])
async def test_AU12_WS16_a_logout_ends_the_sockets_of_that_login(house: Premises, dialect: str, code: int) -> None:
    token, caller = await house.sign_in("bo")
    headers = [("authorization", f"Bearer {token}")]
    line = Line(house.endpoint, house.path, {"dialect": dialect}, headers=headers)
    other = await present(house, "bo")
    await line.hear("participants", "participants_update", "current_presenter")
    await house.accounts.end_login(caller.sid)
    await house.guard.check()
    assert await line.ended() == code
    other.say(HEARTBEAT)
    assert await other.hear("heartbeat")


@pytest.mark.parametrize(("dialect", "code"), [("classic", 1000), ("tmi", 4401), ("codraw.v1", 4401)])
async def test_AU12_S36_a_disabled_account_loses_its_sockets_and_gets_no_other(
    house: Premises, dialect: str, code: int
) -> None:
    token, _ = await house.sign_in("bo")
    headers = [("authorization", f"Bearer {token}")]
    line = Line(house.endpoint, house.path, {"dialect": dialect}, headers=headers)
    await line.hear("participants", "participants_update", "current_presenter")
    ticket = await house.ticket("bo")
    assert await house.accounts.disable("test", "bo")
    await house.guard.check()
    assert await line.ended() == code
    for query, head in (({"dialect": dialect}, headers), ({"ticket": ticket, "dialect": dialect}, [])):
        again = Line(house.endpoint, house.path, query, headers=head)
        status, body, _ = await again.refusal()
        assert (status, body["error"]) == (401, "unauthorized")


# a whole visit, with a real room --------------------------------------------------------------------------------------

FIRST = {
    "classic": ["diagram_state_sync", "current_presenter"],
    "tmi": ["diagram_state", "participants_update"],
    "codraw.v1": ["welcome", "state", "participants"],
}


@pytest.mark.parametrize("dialect", list(FIRST))
async def test_WS14_the_first_frame_of_an_admitted_socket_is_its_state(house: Premises, dialect: str) -> None:
    line = await enter(house, "bo", dialect)
    assert [word(await line.hear()) for _ in FIRST[dialect]] == FIRST[dialect]


async def test_WS19_an_operation_sent_before_the_state_has_come_gets_its_outcome(house: Premises) -> None:
    line = await enter(house)
    line.say(edit(operation_id := str(uuid4())))
    assert (await line.hear("operation_accepted"))["operation_id"] == operation_id


@pytest.mark.parametrize(("away_s", "resend"), [(29 * 86_400, True), (31 * 86_400, False)])
@pytest.mark.parametrize("how", ["address", "message"])
async def test_WS18_after_longer_than_ids_are_remembered_nothing_is_to_be_sent_again(
    tmp_path: Path, away_s: int, resend: bool, how: str
) -> None:
    async with premises(tmp_path, limits=Limits(resume_operations=1)) as house:
        await house.open_session()
        line = await present(house, "bo")
        for verb in ("add", "remove"):
            line.say(edit(verb=verb))
            receipt = await line.hear("operation_accepted")
        house.clock.advance(away_s)
        place = {"epoch": receipt["epoch"], "update_vector": 0}
        if how == "address":
            back = await enter(house, resume=f"{receipt['epoch']}:0")
        else:
            back = await present(house)
            back.say({"message_type": "resume", **place})
        state = await back.hear("state")
        while state["reason"] == "joined":
            state = await back.hear("state", "resumed")
        assert (state["reason"], state["resend"]) == ("resume_impossible", resend)


# full states on request -----------------------------------------------------------------------------------------------

SYNCS = {
    "classic": ("sync_request", "diagram_state_sync"),
    "tmi": ("sync_request", "diagram_state"),
    "codraw.v1": ("sync_request", "state"),
}


@pytest.mark.parametrize("dialect", SYNCS)
async def test_WS9_three_states_at_once_then_one_per_five_seconds_for_all_requests(
    house: Premises, dialect: str
) -> None:
    line = await present(house, dialect=dialect)
    ask, state = SYNCS[dialect]
    probe = HEARTBEAT | {"ref": "last"} if dialect == "codraw.v1" else {"message_type": "sync_status_request"}

    async def states(times: int) -> int:
        """How many come of so many requests at once."""
        for _ in range(times):
            line.say({"message_type": ask})
        line.say(probe)
        shown = 0
        while (message := await line.hear()).get("ref") != "last" and word(message) != "sync_status_response":
            shown += word(message) == state
        return shown

    assert await states(10) == 3
    for _ in range(3):
        house.clock.advance(5)
        assert await line.hear(state)
        assert await states(10) == 0
    house.clock.advance(60)
    assert await line.hear(state)
    assert await states(10) == 3

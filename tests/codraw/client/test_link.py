"""Timers by name, and messages as frames of the encoding."""

from __future__ import annotations

import msgspec

from codraw.client.events import Event, StatusChanged
from codraw.client.link import Link, Timers
from protocol.codec import Encoding
from tests.support.turns import until


async def test_a_timer_is_due_once() -> None:
    timers, due = Timers(), list[str]()
    timers.after(0, "a", lambda: due.append("a"))
    assert "a" in timers
    await until(lambda: due == ["a"])
    assert "a" not in timers


async def test_the_later_time_counts_and_what_is_stopped_is_never_due() -> None:
    timers, due = Timers(), list[str]()
    timers.after(0, "a", lambda: due.append("early"))
    timers.after(0, "a", lambda: due.append("late"))
    timers.after(0, "b", lambda: due.append("stopped"))
    timers.stop("b")
    await until(lambda: due == ["late"])
    timers.after(0, "c", lambda: due.append("cleared"))
    timers.after(0, "d", timers.clear)
    timers.clear()
    timers.after(0, "e", lambda: due.append("end"))
    await until(lambda: due[-1] == "end")
    assert due == ["late", "end"]


async def test_without_a_wire_nothing_is_said() -> None:
    told: list[Event] = []
    link = Link(Encoding.JSON, told.append)
    assert not link.say({"message_type": "heartbeat"}) and not link.is_live
    link.cut("a", "b")
    link.tell(StatusChanged("closed", 0))
    assert told == [StatusChanged("closed", 0)]


def test_a_message_is_a_frame_of_the_encoding() -> None:
    message = {"message_type": "heartbeat"}
    assert msgspec.json.decode(Link(Encoding.JSON, print).frame(message)) == message
    assert msgspec.msgpack.decode(Link(Encoding.MSGPACK, print).frame(message)) == message

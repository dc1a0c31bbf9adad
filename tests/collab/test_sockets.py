"""The plain ASGI socket, and that of ready frames: order, back-pressure, close."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import Any

import pytest
from websockets.frames import Frame as LibraryFrame
from websockets.frames import Opcode

from collab.outbox import Outbox
from collab.sockets import HANDOVER, SHARED, AsgiSocket, Batch, Frame, FrameSocket, Hear
from tests.support.turns import turns


class Server:
    """The ASGI server's side; `gate` holds what it takes back, `gone` makes it a connection that is lost."""

    def __init__(self) -> None:
        self.got: list[Mapping[str, Any]] = []
        self.gate = asyncio.Event()
        self.gate.set()
        self.gone: type[Exception] | None = None
        self.said: asyncio.Queue[Mapping[str, Any]] = asyncio.Queue()
        self.socket = AsgiSocket(self.said.get, self.send)
        self.task = asyncio.create_task(self.socket.run())

    async def send(self, message: Mapping[str, Any]) -> None:
        await self.gate.wait()
        if self.gone is not None:
            raise self.gone
        self.got.append(message)

    def texts(self) -> list[str]:
        return [message["text"] for message in self.got if "text" in message]


def text(content: str) -> Frame:
    return Frame(content.encode(), text=True)


async def test_frames_keep_their_order() -> None:
    server = Server()
    server.socket.write([text("1"), text("2")])
    server.socket.write([text("3")])
    await turns()
    server.socket.write([text("4")])
    await turns()
    assert server.texts() == ["1", "2", "3", "4"]


async def test_a_binary_frame_goes_out_as_bytes() -> None:
    server = Server()
    server.socket.write([Frame(b"\x81", text=False)])
    await turns()
    assert server.got == [{"type": "websocket.send", "bytes": b"\x81"}]


async def test_many_sockets_share_one_message() -> None:
    one, other = Server(), Server()
    frame = text("to all")
    one.socket.write([frame])
    other.socket.write([frame])
    await turns()
    assert one.got[0] is other.got[0]


async def test_write_never_waits_and_what_is_not_taken_is_counted() -> None:
    server = Server()
    server.gate.clear()
    server.socket.write([text("abc"), text("de")])
    await turns()
    assert server.socket.buffered() == 5
    server.gate.set()
    await turns()
    assert server.socket.buffered() == 0


async def test_whoever_feeds_it_hears_when_all_is_taken() -> None:
    server = Server()
    drained: list[int] = []
    server.socket.drained = lambda: drained.append(server.socket.buffered())
    server.gate.clear()
    server.socket.write([text("abc")])
    await turns()
    assert drained == []
    server.gate.set()
    await turns()
    assert drained == [0]


async def test_the_close_comes_after_everything_written_before() -> None:
    server = Server()
    server.gate.clear()
    server.socket.write([text("1")])
    server.socket.close(1000, "over")
    server.socket.write([text("too late")])
    server.socket.close(4401, "too late")
    server.gate.set()
    await turns()
    assert server.texts() == ["1"]
    assert server.got[-1] == {"type": "websocket.close", "code": 1000, "reason": "over"}
    assert server.task.done()


async def test_what_comes_when_all_is_taken_still_comes_before_the_close() -> None:
    server = Server()

    def last() -> None:
        server.socket.write([text("2")])
        server.socket.close(1000, "")

    server.socket.drained = last
    server.socket.write([text("1")])
    await turns()
    assert server.texts() == ["1", "2"]
    assert server.got[-1]["type"] == "websocket.close"


@pytest.mark.parametrize("error", [OSError, RuntimeError])
async def test_a_connection_that_is_gone_ends_the_writer_quietly(error: type[Exception]) -> None:
    server = Server()
    server.gone = error
    server.socket.write([text("1")])
    await turns()
    server.socket.write([text("2")])
    await turns()
    assert server.task.done()
    assert server.task.exception() is None
    assert server.socket.buffered() == 0


async def test_a_cancelled_writer_keeps_nothing() -> None:
    server = Server()
    server.gate.clear()
    server.socket.write([text("1")])
    await turns()
    server.task.cancel()
    await turns()
    assert server.socket.buffered() == 0


async def reading(server: Server, *events: str) -> tuple[list[str], asyncio.Task[None]]:
    """What is heard, of one that wants no more after "enough"."""
    heard: list[str] = []

    def hear(message: Mapping[str, Any]) -> bool:
        heard.append(message["type"])
        return message["type"] != "enough"

    for event in events:
        server.said.put_nowait({"type": event})
    task = asyncio.create_task(server.socket.read())
    server.socket.listen(hear)
    await turns()
    return heard, task


async def test_who_listens_hears_what_comes_until_it_has_enough() -> None:
    server = Server()
    heard, task = await reading(server, "1", "enough", "2")
    assert heard == ["1", "enough"]
    server.socket.listen(lambda message: heard.append(message["type"]) is None)
    await turns()
    assert heard == ["1", "enough", "2"]
    task.cancel()


@pytest.mark.parametrize("events", [(), ("enough",)])
async def test_reading_ends_when_nobody_listens_any_more(events: tuple[str, ...]) -> None:
    server = Server()
    _, task = await reading(server, *events)
    server.socket.finish()
    await asyncio.wait_for(task, 20)


# ready frames ---------------------------------------------------------------------------------------------------------


class Transport:
    """The server's side of `READY_FRAMES`, and of ASGI for the close."""

    def __init__(self) -> None:
        self.got: list[bytes] = []
        self.on_its_way = 0
        self.closed: list[Mapping[str, Any]] = []
        self.gone: type[Exception] | None = None
        self.tasks: list[asyncio.Task[None]] = []
        self.socket = FrameSocket(self, self.send, lambda work: self.tasks.append(asyncio.create_task(work)))

    def report(self, drained: Callable[[], None], above: int) -> None:
        self.drained, self.above = drained, above

    def pass_on(self, wire: bytes) -> None:
        if self.gone is not None:
            raise self.gone
        self.got.append(wire)

    def waiting(self) -> int:
        return self.on_its_way

    def listen(self, hear: Hear) -> None:
        self.hear: Hear | None = hear

    def finish(self) -> None:
        self.hear = None

    async def send(self, message: Mapping[str, Any]) -> None:
        if self.gone is not None:
            raise self.gone
        self.closed.append(message)


@pytest.mark.parametrize("size", [0, 1, 125, 126, 65_535, 65_536, 70_000])
@pytest.mark.parametrize("text_frame", [True, False])
def test_a_ready_frame_is_what_a_library_would_make_of_it(size: int, text_frame: bool) -> None:
    opcode = Opcode.TEXT if text_frame else Opcode.BINARY
    frame = Frame(b"x" * size, text=text_frame)
    assert frame.wire == LibraryFrame(opcode, frame.payload).serialize(mask=False)
    assert frame.wire == frame.head + frame.payload


def test_a_ready_frame_is_made_once() -> None:
    frame = text("to all")
    assert frame.wire is frame.wire


def test_frames_together_are_one_write() -> None:
    transport = Transport()
    transport.socket.write([text("1"), text("2")])
    assert transport.got == [b"\x81\x011\x81\x012"]


def test_many_sockets_are_given_the_same_bytes_of_a_batch() -> None:
    one, other, batch = Transport(), Transport(), Batch([text("1"), text("2")])
    assert Outbox(one.socket).pass_on(batch)
    assert Outbox(other.socket).pass_on(batch)
    assert one.got == [b"\x81\x011\x81\x012"]
    assert one.got[0] is other.got[0]


def test_I28_a_large_payload_is_given_as_it_is_and_not_as_a_copy() -> None:
    transport, large = Transport(), Frame(b"s" * (SHARED + 1), text=True)
    transport.socket.write([text("1"), large, text("2")])
    assert transport.got == [b"\x81\x011" + large.head, large.payload, b"\x81\x012"]
    assert transport.got[1] is large.payload


def test_of_a_large_payload_no_second_copy_is_kept() -> None:
    large = Frame(b"s" * (SHARED + 1), text=True)
    Transport().socket.write([large])
    assert large._wire is None


def test_what_waits_is_what_the_transport_says() -> None:
    transport = Transport()
    transport.on_its_way = 7
    assert transport.socket.buffered() == 7


def test_an_outbox_hears_when_all_of_much_is_taken() -> None:
    transport, heard = Transport(), list[str]()
    transport.socket.drained = lambda: heard.append("drained")
    transport.drained()
    assert (heard, transport.above) == (["drained"], HANDOVER)


async def test_the_close_is_the_server_s_and_comes_once_and_last() -> None:
    transport = Transport()
    transport.socket.write([text("1")])
    transport.socket.close(4401, "token")
    transport.socket.write([text("too late")])
    transport.socket.close(1000, "again")
    await turns()
    assert transport.got == [b"\x81\x011"]
    assert transport.closed == [{"type": "websocket.close", "code": 4401, "reason": "token"}]


@pytest.mark.parametrize("error", [OSError, RuntimeError])
async def test_the_close_of_a_connection_that_is_gone_is_quiet(error: type[Exception]) -> None:
    transport = Transport()
    transport.gone = error
    transport.socket.close(1000, "")
    await turns()
    assert transport.tasks[0].exception() is None


@pytest.mark.parametrize("error", [OSError, RuntimeError])
@pytest.mark.parametrize("how", ["batch", "frames"])
async def test_a_write_that_fails_costs_those_nothing_who_are_written_to_next(error: type[Exception], how: str) -> None:
    transport = Transport()
    outbox, batch = Outbox(transport.socket), Batch([text("1")])
    for transport.gone in (error, None):
        if how == "batch":
            outbox.pass_on(batch)
        else:
            transport.socket.write(list(batch))
    await turns()
    assert transport.got == []
    assert [message["code"] for message in transport.closed] == [1011]

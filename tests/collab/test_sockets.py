"""The plain ASGI socket: order, back-pressure, close."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

import pytest

from collab.sockets import AsgiSocket, Frame
from tests.support.turns import turns


class Server:
    """The ASGI server's side; `gate` holds what it takes back, `gone` makes it a connection that is lost."""

    def __init__(self) -> None:
        self.got: list[Mapping[str, Any]] = []
        self.gate = asyncio.Event()
        self.gate.set()
        self.gone: type[Exception] | None = None
        self.socket = AsgiSocket(self.send)
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

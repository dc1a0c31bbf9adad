"""Floods of frames that make no message, on a real connection, its rests turned by hand."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from uvicorn import Config
from uvicorn.server import ServerState
from websockets.frames import apply_mask  # type: ignore[attr-defined]

from codraw.reading import SLICE, SPARE, ReadingProtocol
from tests.support.loops import on_both_loops
from tests.support.raw import CLOSE, HANDSHAKE, PING, PONG, TEXT, Raw, frame

LEAST = len(frame(PING))
CONTINUATION = 0


class Flood(Raw):
    """Of an application that hears until the end. `turns`: what was parsed of a flood between two rests."""

    server: ReadingProtocol

    def __init__(self, sock: socket.socket) -> None:
        super().__init__(sock)
        self.heard: asyncio.Queue[str] = asyncio.Queue()
        self.turns: list[int] = []
        self.hearing = asyncio.Event()
        self.hearing.set()

    async def app(self, scope: Any, receive: Any, send: Any) -> None:
        await receive()
        await send({"type": "websocket.accept"})
        while await self.hearing.wait() and "text" in (message := await receive()):
            self.heard.put_nowait(message["text"])

    async def upgraded(self, port: int) -> None:
        loop = asyncio.get_running_loop()
        await loop.sock_connect(self._sock, ("127.0.0.1", port))
        await loop.sock_sendall(self._sock, HANDSHAKE.format(path="/", port=port).encode())
        while b"\r\n\r\n" not in self._read:
            await self._more(1)
        self._read = b""

    def hurry(self) -> None:
        """The rest, if there is one, is over."""
        if self.server.rest is not None:
            self.turns.append(self.server.spare)
            self.server.rest.cancel()
            self.server.go_on()

    async def after(self, count: int) -> list[int]:
        """The opcodes of so many frames."""
        reading = asyncio.ensure_future(self._count(count))
        while not reading.done():
            self.hurry()
            await asyncio.sleep(0)
        return await reading

    async def hears(self) -> str:
        while self.heard.empty():
            self.hurry()
            await asyncio.sleep(0)
        return self.heard.get_nowait()

    async def _count(self, count: int) -> list[int]:
        return [(await self.read())[0] for _ in range(count)]


@asynccontextmanager
async def flooding() -> AsyncIterator[Flood]:
    sock, listening = socket.socket(), socket.socket()
    sock.setblocking(False)
    listening.bind(("127.0.0.1", 0))
    flood = Flood(sock)
    config = Config(flood.app, ws_ping_interval=None, interface="asgi3", log_config=None)
    config.load()
    state = ServerState()

    def protocol() -> ReadingProtocol:
        flood.server = ReadingProtocol(config, state, {})
        return flood.server

    async with await asyncio.get_running_loop().create_server(protocol, sock=listening):
        await flood.upgraded(listening.getsockname()[1])
        try:
            yield flood
        finally:
            flood.close()
            flood.server.transport.abort()
            for task in state.tasks:
                task.cancel()
            await asyncio.sleep(0)


both = on_both_loops(flooding)


@pytest.mark.parametrize("opcode", [PING, PONG])
@both
async def test_S76_of_a_flood_of_control_frames_few_are_taken_at_a_time(flood: Flood, opcode: int) -> None:
    await flood.send(frame(opcode) * 10_000 + frame(TEXT, b"behind"))
    assert await flood.hears() == "behind"
    assert max(flood.turns) < SPARE + SLICE // LEAST
    assert len(flood.turns) >= 10_000 // (SPARE + SLICE // LEAST)


@both
async def test_S76_a_flood_of_pings_is_answered_all_the_same(flood: Flood) -> None:
    await flood.send(frame(PING) * 10_000)
    assert await flood.after(10_000) == [PONG] * 10_000


@both
async def test_S76_of_a_flood_of_fragments_few_are_taken_at_a_time_and_none_is_lost(flood: Flood) -> None:
    await flood.send(frame(TEXT, b"", fin=False) + frame(CONTINUATION, b"x", fin=False) * 10_000 + frame(CONTINUATION))
    assert await flood.hears() == "x" * 10_000
    assert max(flood.turns) < SPARE + SLICE // LEAST


@both
async def test_S76_messages_amid_a_flood_keep_their_order(flood: Flood) -> None:
    """Where the application takes one it has reading go on, with the rest not over and frames waiting to be parsed."""
    said = [str(number) for number in range(9)]
    await flood.send(b"".join(frame(PING) * 1_999 + frame(TEXT, text.encode()) for text in said))
    assert [await flood.hears() for _ in said] == said


@both
async def test_S76_what_an_application_has_not_taken_outlasts_the_rest(flood: Flood) -> None:
    flood.hearing.clear()
    await flood.send(frame(TEXT, b"x") * 2 + frame(PING) * SPARE)
    assert await flood.after(SPARE) == [PONG] * SPARE
    flood.hurry()
    assert flood.server.read_paused
    flood.hearing.set()
    assert [await flood.hears() for _ in range(2)] == ["x"] * 2
    assert not flood.server.read_paused


@both
async def test_S76_a_message_alone_is_no_reason_to_rest(flood: Flood) -> None:
    await flood.send(frame(TEXT, b"x") * 4 * SPARE)
    assert [await flood.hears() for _ in range(4 * SPARE)] == ["x"] * 4 * SPARE
    assert not flood.turns


@both
async def test_S76_a_flood_ends_with_its_close(flood: Flood) -> None:
    await flood.send(frame(PONG) * 5_000 + frame(CLOSE) + frame(PING) * 5_000)
    assert await flood.after(1) == [CLOSE]
    flood.hurry()
    with pytest.raises(ConnectionError):
        await flood.read()


MESSAGES = [frame(TEXT, b"short"), frame(TEXT, b"long" * 100), frame(TEXT, "\u00e4".encode()), frame(TEXT, b"")]
"""Short and long heads, and nothing at all."""
TEXTS = ["short", "long" * 100, "\u00e4", ""]


@pytest.mark.parametrize("size", [1, 2, 3, 4, 5, 6, 7, 8, 9, 13, 400, 1_000])
@both
async def test_messages_are_the_same_wherever_they_are_cut(flood: Flood, size: int) -> None:
    sent = b"".join(MESSAGES * 3)
    for at in range(0, len(sent), size):
        flood.server.data_received(sent[at : at + size])
    assert [await flood.hears() for _ in range(12)] == TEXTS * 3


LURE = "as a frame \x01\x01begins"
LURES = b"".join(
    [
        bytes((0x81, 0x80 | len(LURE))) + mask + apply_mask(LURE.encode(), mask)
        for mask in (b"\x81\x80\x81\x80", b"\x80\x81\x80\x81", b"\0\0\0\0")
    ]
)
"""Masks and masked bytes that look like the head of a message."""


@both
async def test_what_looks_like_the_head_of_a_message_amid_one_is_none(flood: Flood) -> None:
    flood.server.data_received(MESSAGES[0])
    for at in range(1, len(LURES)):
        flood.server.data_received(LURES[:at])
        flood.server.data_received(LURES[at:])
    heard = [await flood.hears() for _ in range(1 + 3 * (len(LURES) - 1))]
    assert set(heard[1:]) == {LURE}


@both
async def test_messages_amid_other_frames_keep_their_order(flood: Flood) -> None:
    pieces = frame(TEXT, b"in ", fin=False) + frame(CONTINUATION, b"two")
    flood.server.data_received(b"".join([*MESSAGES, pieces, frame(PING, b"?"), *MESSAGES]))
    flood.server.data_received(b"".join([*MESSAGES, pieces[:5]]))
    flood.server.data_received(b"".join([pieces[5:], *MESSAGES]))
    assert [await flood.hears() for _ in range(18)] == [*TEXTS, "in two", *TEXTS, *TEXTS, "in two", *TEXTS]


@pytest.mark.parametrize(
    "wrong",
    [frame(TEXT, b"\xff"), b"\x81\x02hi", b"\xc1" + frame(TEXT, b"reserved")[1:], frame(CONTINUATION, b"of nothing")],
    ids=["no UTF-8", "not masked", "reserved bit", "continues nothing"],
)
@both
async def test_what_is_wrong_ends_the_connection_after_what_was_right(flood: Flood, wrong: bytes) -> None:
    flood.server.data_received(MESSAGES[0])
    flood.server.data_received(b"".join([*MESSAGES, wrong, *MESSAGES]))
    assert [await flood.hears() for _ in range(5)] == ["short", *TEXTS]
    assert flood.server.transport.is_closing()
    assert flood.heard.empty()


@both
async def test_a_message_beyond_the_limit_is_not_taken(flood: Flood) -> None:
    flood.server.conn.max_message_size = 5
    flood.server.data_received(frame(TEXT, b"1"))
    flood.server.data_received(frame(TEXT, b"12345") + frame(TEXT, b"123456"))
    assert [await flood.hears() for _ in range(2)] == ["1", "12345"]
    assert flood.server.transport.is_closing()


@both
async def test_whole_messages_are_not_given_to_the_library(flood: Flood, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its parser takes 2.5 times as long for one."""
    flood.server.data_received(MESSAGES[0])
    given: list[bytes] = []
    monkeypatch.setattr(flood.server.conn, "receive_data", given.append)
    flood.server.data_received(b"".join(MESSAGES))
    assert [await flood.hears() for _ in range(5)] == ["short", *TEXTS]
    assert given == []

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
        yield flood
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

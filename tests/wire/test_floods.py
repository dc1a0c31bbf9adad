"""Very many frames of one socket, and very many connections that are none: the others' work goes on."""

from __future__ import annotations

import asyncio
import socket
import sys
from collections.abc import AsyncIterator

import pytest

from tests.support.client import CodrawV1, add, cell_id
from tests.support.raw import HANDSHAKE, PING, PONG, TEXT, Raw, frame
from tests.support.servers import Meeting, Person

CONNECTIONS = 500
ELSEWHERE = "127.0.0.2"
"""One address that is refused too often has to wait."""
FRAMES = 100
"""Thousands: five seconds' worth at the pace at which they are read."""
FLOODS = {
    "pings": frame(PING),
    "pongs": frame(PONG),
    "empty fragments": frame(0, fin=False),
    "fragments": frame(0, b" ", fin=False),
}


@pytest.fixture
async def editor(meeting: Meeting, bo: Person) -> AsyncIterator[CodrawV1]:
    editor = await CodrawV1(meeting, bo).join()
    yield editor
    await editor.leave()


@pytest.mark.parametrize("flood", FLOODS.values(), ids=FLOODS.keys())
async def test_I30_an_edit_does_not_wait_for_the_end_of_a_flood(
    meeting: Meeting, editor: CodrawV1, flood: bytes
) -> None:
    raw = await Raw.join(meeting, meeting.host, window=4 * 1024 * 1024)
    await raw.say(TEXT, fin=False)
    hearing = asyncio.ensure_future(last(raw))
    for _ in range(FRAMES):
        await raw.send(flood * 1_000)
    await raw.say(PING, b"last")
    await editor.edit(add(cell_id()))
    await editor.hear("operation_accepted")
    assert not hearing.done()
    hearing.cancel()
    await asyncio.wait([hearing])


async def last(raw: Raw) -> None:
    while await raw.read() != (PONG, b"last"):
        pass


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux has a second loopback address")
@pytest.mark.parametrize("said", ["", "GET / HTTP/1.1\r\nHost: ", HANDSHAKE], ids=["silent", "half", "no login"])
async def test_I30_who_does_not_come_in_keeps_nobody_out(meeting: Meeting, bo: Person, said: str) -> None:
    port = meeting.server.port
    for _ in range(CONNECTIONS):
        await knock(meeting, said.format(path=f"{meeting.path}/ws", port=port))
    editor = await CodrawV1(meeting, bo).join()
    await editor.edit(add(cell_id()))
    await editor.hear("operation_accepted")


async def knock(meeting: Meeting, said: str) -> None:
    sock = socket.socket()
    meeting.sockets.append(sock)
    sock.setblocking(False)
    sock.bind((ELSEWHERE, 0))
    loop = asyncio.get_running_loop()
    await loop.sock_connect(sock, ("127.0.0.1", meeting.server.port))
    await loop.sock_sendall(sock, said.encode())

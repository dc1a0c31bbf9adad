"""Requests that do not come, on both event loops; the deadlines are turned by hand."""

from __future__ import annotations

import asyncio
import gc
import socket
import weakref
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from uvicorn import Config
from uvicorn.server import ServerState
from websockets.server import ServerProtocol

from codraw.fastws import SocketProtocol
from codraw.http_heads import BODY_S, HEAD_BYTES, HEAD_S, LEAST_BODY, LEAST_TAKEN, WAITING, HttpProtocol
from codraw.untaken import untaken
from tests.support.loops import on_both_loops
from tests.support.raw import HANDSHAKE
from tests.support.turns import until

WHOLE = b"GET / HTTP/1.1\r\nhost: a\r\n\r\n"
UPGRADE = HANDSHAKE.format(path="/", port=80).encode()
LENGTH = 16 * 1024 * 1024
POST = b"POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 1000000\r\n\r\n"


async def app(scope: Any, receive: Any, send: Any) -> None:
    """Reads everything and says yes."""
    if scope["type"] == "websocket":
        await receive()
        await send({"type": "websocket.accept"})
        await receive()
        return
    while (message := await receive())["type"] == "http.request" and message.get("more_body"):
        pass
    if message["type"] == "http.request" and scope["path"] == "/long":
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"%d" % LENGTH)]})
        await send({"type": "http.response.body", "body": bytes(LENGTH)})
    elif message["type"] == "http.request":
        await send({"type": "http.response.start", "status": 204, "headers": []})
        await send({"type": "http.response.body", "body": b""})


class Client:
    server: HttpProtocol

    def __init__(self) -> None:
        self.sock = socket.socket()
        self.sock.setblocking(False)

    async def send(self, data: bytes) -> None:
        await asyncio.get_running_loop().sock_sendall(self.sock, data)

    async def read(self) -> bytes:
        try:
            return await asyncio.get_running_loop().sock_recv(self.sock, 65_536)
        except ConnectionResetError:
            return b""

    def due_s(self) -> float:
        assert self.server.deadline is not None
        # uvloop counts in milliseconds, and a difference of those may be a hair too long
        return round(self.server.deadline.when() - asyncio.get_running_loop().time(), 6)

    async def late(self) -> bytes:
        """The deadline is over: what the client reads then."""
        head = self.due_s() <= HEAD_S
        self.server.deadline.cancel()  # type: ignore[union-attr]
        self.server.late_head() if head else self.server.late_body()
        return await self.read()


@asynccontextmanager
async def connected() -> AsyncIterator[Client]:
    client, listening, state = Client(), socket.socket(), ServerState()
    listening.bind(("127.0.0.1", 0))
    config = Config(app, ws=SocketProtocol, interface="asgi3", log_config=None)
    config.load()

    def protocol() -> HttpProtocol:
        client.server = HttpProtocol(config, state, {})
        return client.server

    server = await asyncio.get_running_loop().create_server(protocol, sock=listening)
    await asyncio.get_running_loop().sock_connect(client.sock, listening.getsockname())
    await until(lambda: hasattr(client, "server") and client.server.transport is not None)
    try:
        yield client
    finally:
        client.sock.close()
        client.server.transport.abort()
        server.close()
    await until(lambda: not state.connections and not state.tasks)
    await server.wait_closed()


both = on_both_loops(connected)


@both
async def test_S73_a_connection_that_says_nothing_is_closed(client: Client) -> None:
    assert 0 < client.due_s() <= HEAD_S
    assert await client.late() == b""


@both
@pytest.mark.parametrize("part", [b"GET", WHOLE[:-2], b"\r\n", UPGRADE[:-2]])
async def test_S73_a_head_that_does_not_end_is_closed(client: Client, part: bytes) -> None:
    first = client.server.deadline
    await client.send(part)
    await until(lambda: client.server.received == len(part))
    assert client.server.deadline is first
    assert await client.late() == b""


@both
async def test_S73_the_head_of_the_next_request_has_its_own_deadline(client: Client) -> None:
    await client.send(WHOLE)
    assert b" 204 " in await client.read()
    assert client.server.deadline is None
    await client.send(b"GET")
    await until(lambda: client.server.deadline is not None)
    assert client.due_s() <= HEAD_S
    assert await client.late() == b""


@both
async def test_S73_a_body_that_does_not_come_is_closed(client: Client) -> None:
    await client.send(POST + b"a")
    await until(lambda: client.server.deadline is not None and client.due_s() > HEAD_S)
    assert client.due_s() <= BODY_S
    assert await client.late() == b""


@both
async def test_a_body_that_comes_slowly_is_read_to_its_end(client: Client) -> None:
    await client.send(POST)
    await until(lambda: client.server.deadline is not None and client.due_s() > HEAD_S)
    await client.send(bytes(LEAST_BODY))
    await until(lambda: client.server.received >= LEAST_BODY)
    client.server.late_body()
    assert client.server.received == 0
    await client.send(bytes(1_000_000 - LEAST_BODY))
    assert b" 204 " in await client.read()
    assert client.server.deadline is None


@both
async def test_a_body_that_we_do_not_read_is_not_late(client: Client) -> None:
    await client.send(POST)
    await until(lambda: client.server.deadline is not None and client.due_s() > HEAD_S)
    client.server.flow.pause_reading()
    client.server.late_body()
    assert not client.server.transport.is_closing()


LONG = b"GET /long HTTP/1.1\r\nhost: a\r\n\r\n"
LAST = LONG.replace(b"host: a", b"connection: close")


@both
@pytest.mark.parametrize("request_", [LONG, LAST])
async def test_S74_an_answer_that_is_not_taken_is_let_go(client: Client, request_: bytes) -> None:
    await client.send(request_)
    await until(lambda: client.server.taking is not None)
    client.server.late_client()
    await until(lambda: client.server not in client.server.connections)
    assert client.server.taking is None


@both
async def test_an_answer_that_is_taken_slowly_is_taken_to_its_end(client: Client) -> None:
    await client.send(LONG)
    await until(lambda: client.server.taking is not None)
    taken = looks = 0
    while taken < LENGTH:
        taken += len(await client.read())
        if client.server.taking is not None and client.server.untaken - untaken(client.server.transport) > LEAST_TAKEN:
            client.server.taking.cancel()
            client.server.late_client()
            looks += 1
    assert looks
    assert client.server.taking is None


@both
async def test_an_upgrade_has_no_deadline_left(client: Client) -> None:
    await client.send(UPGRADE)
    assert b" 101 " in await client.read()
    assert client.server.deadline is None


@both
async def test_a_connection_that_went_has_no_deadline(client: Client) -> None:
    client.sock.close()
    await until(lambda: client.server.deadline is None)


LINES, MUCH = b"a: b\r\n" * (HEAD_BYTES // 6 + 1), b"a" * HEAD_BYTES


@both
@pytest.mark.parametrize("head", [b"GET / HTTP/1.1\r\n" + LINES, b"GET /" + MUCH])
async def test_S4_a_head_without_end_is_refused(client: Client, head: bytes) -> None:
    await client.send(head)
    assert (await client.read()).startswith(b"HTTP/1.1 431 ")
    assert await client.read() == b""


@both
@pytest.mark.parametrize("head", [b"GET / HTTP/1.1\r\nx: " + MUCH, b"GET /" + MUCH + b" HTTP/1.1\r\nhost: a"])
async def test_S4_so_is_one_that_is_whole(client: Client, head: bytes) -> None:
    await client.send(head + b"\r\n\r\n")
    assert (await client.read()).startswith(b"HTTP/1.1 431 ")
    assert await client.read() == b""


@both
async def test_S4_whoever_names_two_hosts_is_refused(client: Client) -> None:
    await client.send(b"GET / HTTP/1.1\r\nhost: a\r\nHost: b\r\n\r\n")
    assert (await client.read()).startswith(b"HTTP/1.1 400 ")


@both
@pytest.mark.parametrize("part", [b"0\r\nx: " + b"a" * HEAD_BYTES, b"1;" + b"a" * HEAD_BYTES])
async def test_S4_what_goes_with_a_body_in_parts_comes_to_an_end(client: Client, part: bytes) -> None:
    await client.send(b"POST / HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\n")
    await until(lambda: client.server.cycle is not None)
    await client.send(part)
    assert await client.read() == b""
    assert client.server.deadline is None


@both
async def test_a_long_head_is_read_to_its_end(client: Client) -> None:
    await client.send(b"GET / HTTP/1.1\r\nx: " + b"a" * (HEAD_BYTES // 2))
    await until(lambda: client.server.received > HEAD_BYTES // 2)
    await client.send(b"\r\n\r\n")
    assert b" 204 " in await client.read()


@both
async def test_requests_that_come_at_once_are_answered_one_after_the_other(client: Client) -> None:
    await client.send(WHOLE * WAITING)
    answers = b""
    while answers.count(b" 204 ") < WAITING:
        answers += await client.read()


@both
async def test_I28_requests_that_nobody_waits_for_are_not_kept(client: Client) -> None:
    await client.send(WHOLE * 50 * WAITING)
    assert await client.read() == b""
    assert len(client.server.pipeline) <= WAITING


@both
async def test_a_body_that_cannot_be_read_is_answered(client: Client) -> None:
    await client.send(b"POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n")
    await until(lambda: client.server.cycle is not None)
    await client.send(b"nonsense\r\n")
    assert (await client.read()).startswith(b"HTTP/1.1 400 ")


@both
async def test_what_is_no_request_is_not_the_answer_to_the_one_before_it(client: Client) -> None:
    await client.send(WHOLE + b"nonsense\r\n\r\n")
    assert await client.read() == b""


@both
async def test_what_led_to_a_socket_is_gone_and_does_not_wait_for_the_collector(client: Client) -> None:
    gc.collect()
    gc.disable()
    try:
        await client.send(UPGRADE)
        assert (await client.read()).startswith(b"HTTP/1.1 101")
        former = weakref.ref(client.server)
        client.server = client.server.transport.get_protocol()  # type: ignore[assignment]
        await until(lambda: former() is None)
        assert [one for one in gc.get_objects() if type(one) is ServerProtocol] == []
    finally:
        gc.enable()

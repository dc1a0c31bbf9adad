"""Peers that do not read or answer, on the real server."""

from __future__ import annotations

import asyncio
import gc
import socket
import sys
import weakref
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from functools import partial
from typing import Any, TypeVar

import pytest
from uvicorn import Config
from uvicorn.server import ServerState

from codraw.fastws import INBOUND, MESSAGE, SEND_BUFFER, SocketProtocol
from codraw.reading import FULL, SPARE
from collab.sockets import READY_FRAMES
from tests.support.client import CodrawV1, add, cell_id
from tests.support.loops import on_both_loops
from tests.support.raw import CLOSE, HANDSHAKE, PING, PONG, TEXT, Raw, frame, memory
from tests.support.servers import Meeting, Server, meet, sign_in
from tests.support.turns import until

MIB = 1024 * 1024
SMALL = 256 * 1024
"""Of the kernel's buffer of a peer that reads."""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Pings every second."""
    with Server(tmp_path_factory.mktemp("pinging"), ping_seconds="1", operations_per_second="0") as server:
        yield server


@pytest.fixture
async def meeting(server: Server) -> AsyncIterator[Meeting]:
    meeting = await meet(await sign_in(server, "ana"))
    yield meeting
    await meeting.over()


async def test_WS5_one_who_answers_no_ping_is_let_go(meeting: Meeting) -> None:
    silent = await Raw.join(meeting, await sign_in(meeting.server, "bo"))
    codes = await silent.ended()
    silent.close()
    assert codes[-2:] == (PING, CLOSE)


async def test_WS5_one_who_answers_stays(meeting: Meeting) -> None:
    lively = await Raw.join(meeting, await sign_in(meeting.server, "bo"))
    answered = 0
    while answered < 3:
        opcode, payload = await lively.read()
        assert opcode != CLOSE
        if opcode == PING:
            await lively.say(PONG, payload)
            answered += 1
    await lively.say(TEXT, b'{"message_type":"heartbeat"}')
    while b'"heartbeat"' not in (await lively.read())[1]:
        pass
    lively.close()


async def test_WS5_one_who_reads_nothing_leaves_the_roster_too(meeting: Meeting) -> None:
    """Nine MiB fit neither its window nor the kernel's buffer: they would be on their way for as long as it lives."""
    editor = await CodrawV1(meeting, meeting.host).join()
    for _ in range(40):
        await editor.edit(*(add(cell_id(), data={"text": "x" * 60_000}) for _ in range(4)))
    bo = await sign_in(meeting.server, "bo")
    deaf = await Raw.join(meeting, bo)
    left: list[str] = []
    while "test:bo" not in left:
        left += [user["id"] for user in (await editor.hear("participants"))["left"]]
    with pytest.raises(OSError):
        while True:
            await deaf.say(TEXT, b'{"message_type":"heartbeat"}' + b" " * 60_000)
    deaf.close()


@pytest.mark.skipif(sys.platform != "linux", reason="memory of another process is read from /proc")
async def test_S72_pings_of_one_who_reads_nothing_pile_up_nothing(tmp_path_factory: pytest.TempPathFactory) -> None:
    with Server(tmp_path_factory.mktemp("patient"), ping_seconds="1000") as server:
        meeting = await meet(await sign_in(server, "ana"))
        deaf = await Raw.join(meeting, meeting.host)
        pings = frame(PING, b"p" * 125) * 1_000
        await deaf.send(pings)
        before = memory(server.pid)
        for _ in range(100):
            await deaf.send(pings)
        assert memory(server.pid) - before < 5 * MIB
        editor = await CodrawV1(meeting, await sign_in(server, "bo")).join()
        await editor.edit(add(cell_id()))
        await editor.hear("operation_accepted")
        deaf.close()
        await meeting.over()


@pytest.mark.skipif(sys.platform != "linux", reason="memory of another process is read from /proc")
async def test_S71_a_message_of_very_many_fragments_takes_no_more_than_it_is_long(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    with Server(tmp_path_factory.mktemp("patient"), ping_seconds="1000") as server:
        meeting = await meet(await sign_in(server, "ana"))
        endless = [await Raw.join(meeting, meeting.host) for _ in range(4)]
        for raw in endless:
            await raw.say(TEXT, b'"', fin=False)
        before = memory(server.pid)
        for raw in endless:
            for _ in range(100):
                await raw.send(frame(0, b"x", fin=False) * 1_000)
            await raw.say(PING, b"read")
        for raw in endless:
            while (await raw.read())[0] != PONG:
                pass
        assert memory(server.pid) - before < 10 * MIB
        for raw in endless:
            raw.close()
        await meeting.over()


P = TypeVar("P", bound="Peer")


# one peer, its keepalive turned by hand -------------------------------------------------------------------------------


class Peer(Raw):
    """Of an application that does what `orders` say, one after the other: sends so many bytes, or receives (0)."""

    server: SocketProtocol

    def __init__(self, sock: socket.socket) -> None:
        super().__init__(sock)
        self.orders: asyncio.Queue[int] = asyncio.Queue()
        self.sent: asyncio.Queue[int] = asyncio.Queue()
        self.received: asyncio.Queue[str] = asyncio.Queue()

    async def app(self, scope: Any, receive: Any, send: Any) -> None:
        assert (await receive())["type"] == "websocket.connect"
        await send({"type": "websocket.accept"})
        while True:
            if size := await self.orders.get():
                await send({"type": "websocket.send", "bytes": bytes(size)})
                self.sent.put_nowait(size)
            elif "text" in (message := await receive()):
                self.received.put_nowait(message["text"])

    async def connect(self, port: int, asked: str) -> None:
        loop = asyncio.get_running_loop()
        await loop.sock_connect(self._sock, ("127.0.0.1", port))
        await loop.sock_sendall(self._sock, asked.format(path="/", port=port).encode())
        while b"\r\n\r\n" not in self._read:
            await self._more(1)
        assert self._read.startswith(b"HTTP/1.1 101"), self._read
        self._read = b""

    async def take(self, size: int) -> None:
        await self._exactly(size)

    async def is_heard(self, text: str) -> None:
        await self.say(TEXT, text.encode())
        self.orders.put_nowait(0)
        assert await self.received.get() == text

    async def is_owed(self) -> None:
        """More than the kernel takes of what is not read."""
        self.orders.put_nowait(4 * MIB)
        await self.sent.get()
        assert not self.server.writable.is_set()

    def late(self) -> bool:
        """The time for the pong is over: whether the server lets go."""
        assert self.server.pong_timer is not None
        self.server.pong_timer.cancel()
        self.server.keepalive_timeout()
        return self.server.transport.is_closing()


class Heard(Peer):
    """Of an application that listens and returns. `heard`: what it has heard; it takes `most` events at a time."""

    def __init__(self, sock: socket.socket) -> None:
        super().__init__(sock)
        self.heard: list[Any] = []
        self.most = 1_000_000

    async def app(self, scope: Any, receive: Any, send: Any) -> None:
        assert (await receive())["type"] == "websocket.connect"
        await send({"type": "websocket.accept"})
        self.server.listen(self.hear)

    def hear(self, message: Any) -> bool:
        self.heard.append(message.get("text") or message.get("code"))
        if message["type"] == "websocket.disconnect":
            self.server.finish()
            return False
        return len(self.heard) % self.most > 0


@asynccontextmanager
async def connected(asked: str = HANDSHAKE, kind: type[P] = Peer, **settings: Any) -> AsyncIterator[P]:  # type: ignore[assignment]
    sock, listening = socket.socket(), socket.socket()
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, SMALL)
    sock.setblocking(False)
    listening.bind(("127.0.0.1", 0))
    peer = kind(sock)
    pings = {"ws_ping_interval": 1_000, "ws_ping_timeout": 1_000, "ws_per_message_deflate": False}
    config = Config(peer.app, interface="asgi3", log_config=None, **(pings | settings))
    config.load()
    state = ServerState()

    def protocol() -> SocketProtocol:
        peer.server = SocketProtocol(config, state, {})
        return peer.server

    async with await asyncio.get_running_loop().create_server(protocol, sock=listening):
        await peer.connect(listening.getsockname()[1], asked)
        try:
            yield peer
        finally:
            peer.close()
            for connection in state.connections:
                connection.transport.abort()
            for task in state.tasks:
                task.cancel()


@asynccontextmanager
async def listened() -> AsyncIterator[Heard]:
    async with connected(kind=Heard) as peer:
        yield peer


both = on_both_loops(connected)
both_listened = on_both_loops(listened)


@both
async def test_I28_the_kernel_keeps_little_for_a_peer(peer: Peer) -> None:
    """Linux counts what it needs itself, too: twice as much."""
    sock = peer.server.transport.get_extra_info("socket")
    assert sock.getsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF) in (SEND_BUFFER, 2 * SEND_BUFFER)


@both
async def test_the_newest_ping_of_one_who_reads_late_is_answered(peer: Peer) -> None:
    await peer.is_owed()
    for payload in (b"1", b"2", b"3"):
        await peer.say(PING, payload)
    await peer.is_heard("pinged")
    await peer.read()
    assert await peer.read() == (PONG, b"3")
    await peer.say(PING, b"4")
    assert await peer.read() == (PONG, b"4")


@both
async def test_no_pong_follows_a_close_frame(peer: Peer) -> None:
    await peer.is_owed()
    await peer.say(PING)
    await peer.is_heard("pinged")
    await peer.say(CLOSE, b"\x03\xe8")
    assert await peer.ended() == (2, CLOSE)


@both
async def test_a_close_that_comes_with_a_ping_is_answered(peer: Peer) -> None:
    await peer.is_owed()
    await peer.send(frame(PING) + frame(CLOSE, b"\x03\xe8"))
    assert await peer.ended() == (2, PONG, CLOSE)


@both
async def test_WS5_one_who_reads_slowly_stays_as_long_as_it_takes_something(peer: Peer) -> None:
    await peer.is_owed()
    peer.server.send_keepalive_ping()
    for _ in range(3):
        await peer.take(2 * SMALL)
        assert not peer.late()
    assert peer.late()


@both
async def test_WS5_what_came_behind_the_ping_is_also_waited_for(peer: Peer) -> None:
    peer.server.send_keepalive_ping()
    await peer.is_owed()
    await peer.take(2 * SMALL)
    assert not peer.late()
    assert peer.late()


@both
async def test_WS5_one_whose_pong_is_behind_what_it_sends_stays(peer: Peer) -> None:
    peer.server.send_keepalive_ping()
    for text in ("a", "b"):
        await peer.is_heard(text)
        assert not peer.late()
    assert peer.late()
    assert await peer.ended() == (PING, CLOSE)


@both
async def test_WS8_one_who_is_not_read_is_not_expected_to_answer(peer: Peer) -> None:
    await peer.send(frame(TEXT, bytes(INBOUND)) + frame(PING))
    await peer.read()
    peer.server.send_keepalive_ping()
    assert not peer.late()
    peer.orders.put_nowait(0)
    await peer.received.get()
    assert peer.late()


@both
async def test_S74_one_who_speaks_but_takes_nothing_is_let_go(peer: Peer) -> None:
    await peer.is_owed()
    peer.server.send_keepalive_ping()
    for _ in range(20):
        await peer.is_heard("still here")
        if peer.late():
            return
    pytest.fail("it was not let go")


# ready frames ---------------------------------------------------------------------------------------------------------

HELLO = b"\x81\x05hello"


@both
async def test_ready_frames_go_out_as_they_are(peer: Peer) -> None:
    assert peer.server.scope["extensions"][READY_FRAMES] is peer.server
    peer.server.pass_on(HELLO + b"\x82\x01")
    peer.server.pass_on(b"!")
    assert [await peer.read(), await peer.read()] == [(TEXT, b"hello"), (2, b"!")]
    assert peer.server.waiting() == 0


@both
async def test_what_it_was_asked_with_is_forgotten(peer: Peer) -> None:
    headers = peer.server.request.headers
    assert "upgrade" in headers
    peer.server.report(lambda: None, 1_000)
    assert [*headers.raw_items()] == []


@both
async def test_of_much_that_waits_it_is_told_when_all_is_taken(peer: Peer) -> None:
    drained: list[int] = []
    peer.server.report(lambda: drained.append(peer.server.waiting()), 64 * 1024)
    peer.server.pass_on(HELLO)
    peer.server.pass_on(bytes(4 * MIB))
    assert peer.server.waiting() > MIB
    assert drained == []
    await peer.take(len(HELLO) + 4 * MIB)
    await until(lambda: drained != [])
    assert drained == [0]


@both
async def test_what_waits_at_the_limit_is_told_of_too(peer: Peer) -> None:
    """An outbox gives no more then: a transport that pauses only above it would never call back."""
    peer.server.report(lambda: None, 1_000)
    assert peer.server.transport.get_write_buffer_limits() == (0, 999)


@both
async def test_nothing_follows_a_close_frame(peer: Peer) -> None:
    await peer.server.send({"type": "websocket.close", "code": 1000, "reason": ""})
    peer.server.pass_on(HELLO)
    assert (await peer.read())[0] == CLOSE
    await peer.say(CLOSE, b"\x03\xe8")
    assert await peer.ended() == ()


@both
async def test_what_comes_for_a_connection_that_is_gone_is_dropped(peer: Peer) -> None:
    peer.server.transport.abort()
    peer.server.pass_on(HELLO)
    await until(lambda: peer.server.disconnected)
    peer.server.pass_on(HELLO)
    assert peer.server.waiting() == 0


async def test_WS6_where_frames_are_compressed_the_library_makes_them() -> None:
    offer = "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Extensions: permessage-deflate\r\n"
    asked = HANDSHAKE.replace("Sec-WebSocket-Version: 13\r\n", offer)
    for deflate in (True, False):
        async with connected(asked, ws_per_message_deflate=deflate) as peer:
            assert (READY_FRAMES in peer.server.scope["extensions"]) is not deflate


# reading --------------------------------------------------------------------------------------------------------------


@both
async def test_S71_S73_a_message_that_does_not_end_is_cut(peer: Peer) -> None:
    for part in (frame(TEXT, b"{", fin=False), frame(TEXT, b"{}")[:-1]):
        assert peer.server.deadline is None
        await peer.send(part)
        await until(lambda: peer.server.deadline is not None)
        peer.server.deadline = None
    peer.server.late_message()
    assert await peer.read() == (CLOSE, b"\x03\xf0unfinished message")


@both
async def test_a_message_that_has_ended_is_not_late(peer: Peer) -> None:
    await peer.send(frame(TEXT, b"{", fin=False))
    await until(lambda: peer.server.deadline is not None)
    await peer.send(frame(0, b"}"))
    await until(lambda: peer.server.messages == 1)
    peer.server.late_message()
    assert peer.server.deadline is None
    assert not peer.server.transport.is_closing()


@both
async def test_the_next_message_has_its_own_deadline(peer: Peer) -> None:
    await peer.send(frame(TEXT, b"{", fin=False))
    await until(lambda: peer.server.deadline is not None)
    await peer.send(frame(0, b"}") + frame(TEXT, b"{", fin=False))
    await until(lambda: peer.server.messages == 1)
    peer.server.late_message()
    assert not peer.server.transport.is_closing()
    peer.server.late_message()
    assert peer.server.transport.is_closing()


@both
async def test_WS8_a_message_that_we_do_not_read_is_not_late(peer: Peer) -> None:
    await peer.send(frame(TEXT, bytes(INBOUND)) + frame(TEXT, b"{", fin=False))
    await until(lambda: peer.server.deadline is not None)
    peer.server.late_message()
    peer.server.late_message()
    assert not peer.server.transport.is_closing()


@both
async def test_S76_so_many_bytes_wait_for_the_application_and_no_more(peer: Peer) -> None:
    size = 1_000
    few = INBOUND // (size + MESSAGE)
    await peer.send(frame(TEXT, bytes(size)) * few)
    await until(lambda: peer.server.messages == few)
    assert not peer.server.read_paused
    await peer.send(frame(TEXT, bytes(size)))
    await until(lambda: peer.server.read_paused)
    for _ in range(few + 1):
        peer.orders.put_nowait(0)
        await peer.received.get()
    assert not peer.server.read_paused
    await peer.is_heard("again")
    assert not peer.server.read_paused


# one that listens -----------------------------------------------------------------------------------------------------


@both_listened
async def test_one_that_listens_hears_though_its_application_has_returned(peer: Heard) -> None:
    await until(lambda: not peer.server.tasks)
    await peer.say(TEXT, b"a")
    await peer.send(frame(TEXT, b"b", fin=False) + frame(0, b"c"))
    await until(lambda: peer.heard == ["a", "bc"])
    peer.server.pass_on(HELLO)
    assert await peer.read() == (TEXT, b"hello")
    assert peer.server.listened


@both_listened
async def test_nothing_that_the_connection_was_asked_with_is_kept_for_one_that_listens(peer: Heard) -> None:
    await until(lambda: not peer.server.tasks)
    assert not hasattr(peer.server, "scope")


@both_listened
async def test_S76_what_comes_after_it_has_enough_waits_and_is_bounded(peer: Heard) -> None:
    peer.most = 1
    await peer.send(frame(TEXT, b"first") + frame(TEXT, bytes(INBOUND)) + frame(TEXT, b"last"))
    await until(lambda: peer.server.read_paused)
    assert peer.heard == ["first"]
    peer.most = 1_000_000
    peer.server.listen(peer.hear)
    await until(lambda: peer.heard == ["first", "\0" * INBOUND, "last"])
    assert not peer.server.read_paused


@both_listened
async def test_a_long_message_that_is_taken_at_once_does_not_stop_the_reading(peer: Heard) -> None:
    await peer.send(frame(TEXT, bytes(INBOUND)))
    await until(lambda: len(peer.heard) == 1)
    assert (peer.server.read_paused, peer.server.inbound) == (False, 0)


@both_listened
async def test_the_close_of_the_peer_is_heard_and_answered(peer: Heard) -> None:
    await peer.say(CLOSE, b"\x03\xe8")
    assert await peer.ended() == (CLOSE,)
    assert (peer.heard, peer.server.listened) == ([1000], False)


@both_listened
async def test_a_close_of_the_server_goes_out_before_its_end(peer: Heard) -> None:
    await until(lambda: not peer.server.tasks)
    await peer.server.send({"type": "websocket.close", "code": 4401, "reason": ""})
    assert peer.heard == [4401]
    assert await peer.read() == (CLOSE, b"\x11\x31")
    await peer.say(CLOSE, b"\x11\x31")
    assert await peer.ended() == ()


@both_listened
async def test_one_that_listens_no_more_is_closed(peer: Heard) -> None:
    await until(lambda: not peer.server.tasks)
    peer.server.finish()
    assert await peer.ended() == ()


@both_listened
async def test_a_connection_that_breaks_is_heard(peer: Heard) -> None:
    peer.server.transport.abort()
    await until(lambda: peer.heard == [1005])


async def test_of_a_connection_that_is_gone_nothing_waits_for_a_collector_of_cycles(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("codraw.fastws.LINGER_S", 0.0)
    async with connected(kind=Heard) as peer:
        await until(lambda: not peer.server.tasks)
        # as an outbox's socket does
        peer.server.report(partial(setattr, peer.server, "told", True), 1_000)
        gone = [weakref.ref(peer.server), weakref.ref(peer.server.conn)]
        gc.disable()
        try:
            peer.server.transport.abort()
            await until(lambda: peer.heard == [1005])
            del peer.server
            await until(lambda: not any(one() for one in gone))
        finally:
            gc.enable()


@both_listened
async def test_S76_after_a_full_read_others_have_their_turn(peer: Heard) -> None:
    small = frame(TEXT, b"x")
    peer.server.data_received(small * (FULL // len(small) + 1))
    assert peer.server.read_paused
    await until(lambda: not peer.server.read_paused)
    peer.server.data_received(small)
    assert not peer.server.read_paused


@both_listened
async def test_S76_what_comes_in_bulk_after_our_close_is_read_slowly(peer: Heard) -> None:
    await until(lambda: not peer.server.tasks)
    await peer.server.send({"type": "websocket.close", "code": 1012, "reason": ""})
    peer.server.data_received(frame(TEXT, b"x") * 2 * SPARE)
    assert peer.server.rest is not None
    assert len(peer.server.unparsed) > SPARE


@both_listened
async def test_S76_a_message_that_is_taken_does_not_end_a_rest(peer: Heard) -> None:
    peer.most = 1
    peer.server.data_received(frame(TEXT, b"a") + frame(TEXT, b"b") + frame(PING) * 2 * SPARE)
    peer.server.listen(peer.hear)
    assert peer.heard == ["a", "b"]
    assert peer.server.read_paused


@both_listened
async def test_the_close_of_the_peer_is_read_though_its_last_messages_wait(peer: Heard) -> None:
    peer.most = 1
    await until(lambda: not peer.server.tasks)
    await peer.send(frame(TEXT, b"first") + frame(TEXT, b"x"))
    await until(lambda: peer.heard == ["first"])
    await peer.server.send({"type": "websocket.close", "code": 1012, "reason": ""})
    assert await peer.read() == (CLOSE, b"\x03\xf4")
    await peer.say(TEXT, bytes(INBOUND))
    await until(lambda: peer.server.messages == 3)
    assert not peer.server.read_paused
    await peer.say(CLOSE, b"\x03\xf4")
    assert await peer.ended() == ()


@both_listened
async def test_one_that_listens_has_no_room_for_the_upgrade_in_its_dictionary(peer: Heard) -> None:
    await until(lambda: not peer.server.tasks)
    state = vars(peer.server)
    assert sys.getsizeof(state) == sys.getsizeof(dict(state))

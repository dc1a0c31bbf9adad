from __future__ import annotations

import pytest

from bench.growth.crowd import Editor, Load, Socket, all_heard
from tests.codraw.load.scene import UPGRADED, Pipe, event, receipt, served, state

WELCOME = served({"message_type": "welcome"})


def arrived(*pieces: bytes) -> Socket:
    socket = Socket(b"GET /")
    socket.connection_made(Pipe())
    for piece in pieces:
        socket.data_received(piece)
    return socket


def told(count: int) -> bytes:
    return b"".join(event(vector, f"op-{vector}") for vector in range(1, count + 1))


@pytest.mark.parametrize("size", [1, 7, 64, 1_000_000])
async def test_however_the_bytes_are_cut_every_frame_counts_once(size: int) -> None:
    data = UPGRADED + WELCOME + state(0) + told(20) + receipt(21, "mine")
    socket = arrived(*(data[at : at + size] for at in range(0, len(data), size)))
    assert (socket.events, socket.receipts) == (20, 1)
    assert 0 < socket.upgraded_at <= socket.first_at <= socket.joined_at


async def test_a_classic_listener_counts_what_it_overhears() -> None:
    overheard = served({"message_type": "diagram_operation", "operation_id": "one"})
    socket = arrived(UPGRADED, served({"event": "join"}), served({"message_type": "diagram_state_sync"}), overheard)
    assert socket.joined.done() and socket.events == 1


async def test_it_has_joined_when_the_state_is_whole_and_not_before() -> None:
    shown = state(0)
    socket = arrived(UPGRADED, WELCOME, shown[:-1])
    assert socket.first_at and not socket.joined_at
    socket.data_received(shown[-1:])
    assert socket.joined.done()


async def test_a_refused_upgrade_says_why() -> None:
    socket = arrived(b"HTTP/1.1 401 Unauthorized\r\n\r\nno token")
    socket.connection_lost(None)
    with pytest.raises(ConnectionError, match="no token"):
        await socket.joined


async def test_a_refused_operation_ends_the_bench() -> None:
    socket = arrived(UPGRADED, state(0))
    with pytest.raises(AssertionError):
        socket.data_received(served({"message_type": "operation_rejected"}))


async def test_an_idle_socket_answers_pings() -> None:
    socket, pipe = arrived(UPGRADED, state(0)), Pipe()
    socket.transport = pipe
    socket.data_received(b"\x89\x02hi")
    assert pipe.written == [b"\x8a\x82\0\0\0\0hi"]


async def test_so_many_operations_are_under_way_and_no_more() -> None:
    sockets = [arrived(UPGRADED, state(0)) for _ in range(2)]
    for socket in sockets:
        socket.transport = Pipe()
    load = Load([Editor(socket, ["n1"], 1) for socket in sockets], 4)
    load._wanted = 5
    load._send(4)
    assert [len(socket.transport.written) for socket in sockets] == [2, 2]  # type: ignore[attr-defined]
    load._heard(2)
    assert [len(socket.transport.written) for socket in sockets] == [3, 2]  # type: ignore[attr-defined]


async def test_more_events_than_were_due_are_a_fault() -> None:
    with pytest.raises(AssertionError, match="2 events came, 1 were due"):
        await all_heard([arrived(UPGRADED, state(0), told(2))], 1)


async def test_whoever_was_sent_away_is_told_of_at_once() -> None:
    socket = arrived(UPGRADED, state(0))
    socket.connection_lost(None)
    with pytest.raises(AssertionError, match="sent 1 of 1 sockets away"):
        await all_heard([socket], 1)

from __future__ import annotations

import socket

import pytest

from codraw.load.editor import Editor
from codraw.load.frames import CLOSE, PING, PONG, TEXT, masked
from tests.codraw.load.scene import Pipe, Scene, event, served, state, tell


def pipe(editor: Editor) -> Pipe:
    assert editor.line is not None and isinstance(editor.line._transport, Pipe)
    return editor.line._transport


@pytest.mark.parametrize("piece", [1, 2, 3, 7, 100])
def test_frames_may_come_in_pieces(piece: int) -> None:
    scene = Scene()
    ana, bob = scene.joined("ana"), scene.joined("bob")
    stream = event(1, "o1") + event(2, "o2", label="x" * 300) + event(3, "o3")
    tell(ana, stream)
    for at in range(0, len(stream), piece):
        tell(bob, stream[at : at + piece])
    assert bob.vector == 3 and not scene.faults


def test_a_message_may_come_in_fragments() -> None:
    scene = Scene()
    ana = scene.joined("ana")
    whole = event(1, "o1")[4:]
    first, rest = served(whole[:50], TEXT), served(whole[50:], 0)
    tell(ana, bytes((first[0] & 0x7F,)) + first[1:], rest)
    assert ana.vector == 1 and not scene.faults


def test_a_ping_is_answered() -> None:
    scene = Scene()
    ana = scene.joined("ana")
    tell(ana, served(b"beat", PING))
    assert pipe(ana).written == [masked(PONG, b"beat")]


def test_a_close_is_answered_and_told_with_its_code() -> None:
    scene = Scene()
    ana = scene.joined("ana")
    tell(ana, served((4408).to_bytes(2, "big") + b"slow", CLOSE))
    assert ana.line is not None
    ana.line.connection_lost(None)
    assert scene.losses == [("ana", 4408)] and ana.line is None


def test_a_cut_is_told_as_1006() -> None:
    scene = Scene()
    ana = scene.joined("ana")
    assert ana.line is not None
    ana.line.connection_lost(ConnectionResetError())
    assert scene.losses == [("ana", 1006)]


def test_a_refused_upgrade_is_counted_and_hung_up() -> None:
    scene = Scene()
    ana = scene.joined("ana")
    assert ana.line is not None
    ana.line.status = 0
    tell(ana, b"HTTP/1.1 503 Service Unavailable\r\n\r\nsorry")
    assert scene.measures.tally["upgrade refused 503"] == 1 and pipe(ana).is_cut


# slow readers -----------------------------------------------------------------------------------------------------


async def test_who_trickles_takes_a_kibibyte_at_a_time_until_it_recovers() -> None:
    scene = Scene()
    ana = scene.editor("ana")
    server, client = socket.socketpair()
    with server, client:
        client.setblocking(False)
        way = scene.connect(ana, client)
        tell(ana, state(0))
        server.sendall(event(1, "o1", label="x" * 600) + event(2, "o2", label="x" * 600))
        ana.slow_down(trickle=True)
        assert ana.vector == 1 and not way.is_reading
        ana.recover()
        assert way.is_reading


async def test_who_reads_nothing_takes_nothing() -> None:
    scene = Scene()
    ana = scene.joined("ana")
    ana.slow_down(trickle=False)
    assert not pipe(ana).is_reading
    ana.recover()
    assert pipe(ana).is_reading


async def test_who_trickles_learns_of_the_end() -> None:
    scene = Scene()
    ana = scene.editor("ana")
    server, client = socket.socketpair()
    with client:
        client.setblocking(False)
        way = scene.connect(ana, client)
        server.close()
        ana.slow_down(trickle=True)
        assert way.is_cut

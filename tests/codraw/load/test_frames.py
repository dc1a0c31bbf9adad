from __future__ import annotations

import pytest
from websockets.frames import Opcode
from websockets.server import ServerProtocol

from codraw.load.frames import BINARY, TEXT, extent, masked, upgrade, upgraded
from tests.codraw.load.scene import served


def answered() -> ServerProtocol:
    """The server side of a library, after the upgrade that we asked for."""
    server = ServerProtocol()
    server.receive_data(upgrade("there", "/ws?a=b", {"Authorization": "Bearer t"}))
    (request,) = server.events_received()
    server.send_response(server.accept(request))  # type: ignore[arg-type]
    return server


def test_the_upgrade_is_one_that_a_library_accepts() -> None:
    assert upgraded(b"".join(answered().data_to_send())) is not None


@pytest.mark.parametrize("size", [0, 1, 125, 126, 65_535, 65_536, 100_000])
def test_a_frame_of_any_size_is_read_by_a_library(size: int) -> None:
    server = answered()
    server.receive_data(masked(BINARY, b"x" * size))
    (frame,) = server.events_received()
    assert (frame.opcode, frame.data) == (Opcode.BINARY, b"x" * size)  # type: ignore[union-attr]


@pytest.mark.parametrize("size", [0, 125, 126, 65_535, 65_536])
def test_where_a_frame_of_the_server_ends(size: int) -> None:
    server = answered()
    server.data_to_send()
    server.send_text(b"x" * size)
    data = b"before" + b"".join(server.data_to_send())
    assert extent(data + b"after", 6) == (len(data) - size, len(data))


@pytest.mark.parametrize("frame", [served(b"x", TEXT)[:1], served(b"x" * 200)[:3], served(b"x" * 70_000)[:9], b""])
def test_a_head_that_is_not_all_there(frame: bytes) -> None:
    assert extent(frame, 0) is None


def test_an_answer_that_is_not_all_there() -> None:
    assert upgraded(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: w") is None


def test_a_refusal_tells_its_status() -> None:
    assert upgraded(b"HTTP/1.1 401 Unauthorized\r\n\r\nbody") == (401, 29)


def test_an_answer_that_is_none_has_no_status() -> None:
    assert upgraded(b"hello\r\n\r\n") == (0, 9)

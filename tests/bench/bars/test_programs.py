"""The floor and the load generator, compiled here: what goes in comes out, and is counted as what it was."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
from websockets.sync.client import connect
from websockets.sync.server import ServerConnection, serve

from bench.bars.programs import Failed, Process, compiled, compiler, generated, started

pytestmark = pytest.mark.skipif(compiler() is None, reason="no C compiler on the path")

OPERATION = '{"stamp":"%T","sender":%S,"n":%N}'
ALL: frozenset[int] = frozenset()
PATIENCE_S = 30.0


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("programs")


@pytest.fixture(scope="module")
def generator(folder: Path) -> Path:
    return compiled("generator", folder)


@pytest.fixture(params=["joined", "plain"], scope="module")
def floor(request: pytest.FixtureRequest, folder: Path) -> Iterator[Process]:
    program = str(compiled("floor", folder))
    process = started(lambda port: (program, str(port), request.param), folder / "floor.log", {}, ALL)
    yield process
    process.stop()


def plan(port: int, *lines: str, payload: str = f"text {OPERATION}") -> str:
    head = (f"port {port}", "warm 0", "seconds 0.1", "settle 0", "delivery text 20", "receipt text 3")
    return "\n".join((*head, f"payload op {payload}", *lines)) + "\n"


def run(generator: Path, text: str) -> dict[str, Any]:
    return generated(generator, text, 0.1, ALL)[-1]


def test_rounds_follow_each_other_on_the_same_connections(generator: Path, floor: Process) -> None:
    lines = ("connection /n", "sends op", "window 2 delivered", "connection /n")
    rounds = generated(generator, "rounds 3\n" + plan(floor.port, *lines), 0.3, ALL)
    totals = [result["sent_total"] for result in rounds]
    assert len(rounds) == 3
    assert 0 < totals[0] < totals[1] < totals[2] == rounds[2]["deliveries_total"]
    assert all(0 < result["sent"] <= result["sent_total"] for result in rounds)


def test_each_operation_reaches_all_others_of_its_room_and_earns_a_receipt(generator: Path, floor: Process) -> None:
    room = ("connection /a", "copies 2", "sends op", "window 3 delivered", "connection /a", "copies 5")
    other = ("connection /b", "sends op", "window 1 receipt", "connection /b")
    result = run(generator, plan(floor.port, *room, *other))
    assert result["sent_total"] > 0
    assert result["receipts_total"] == result["sent_total"]
    assert result["deliveries_total"] == result["expected_total"] > result["sent_total"]
    assert (result["missing"], result["errors"], result["lost"], result["others"]) == (0, 0, 0, 0)


def test_a_rate_is_kept(generator: Path, floor: Process) -> None:
    result = run(generator, plan(floor.port, "connection /r", "sends op", "rate 200", "connection /r"))
    assert 1 <= result["sent_total"] <= 21
    assert result["deliveries_total"] == result["sent_total"]


def test_groups_are_counted_apart(generator: Path, floor: Process) -> None:
    lines = ("connection /g", "sends op", "window 1 delivered", "connection /g", "group 1", "copies 3")
    groups = run(generator, plan(floor.port, *lines))["groups"]
    assert groups[0]["deliveries"] == 0
    assert groups[1]["deliveries"] > 0


def test_latency_is_told_of_the_samples(generator: Path, floor: Process) -> None:
    lines = ("connection /l", "sends op", "rate 300", "connection /l", "copies 2")
    result = run(generator, plan(floor.port, *lines))
    assert result["delivery_ms"]["count"] == 2 * result["receipt_ms"]["count"] > 0
    assert 0 < result["delivery_ms"]["p50"] <= result["delivery_ms"]["max"]


def test_recorded_frames_are_sent_in_order_and_end_the_load(generator: Path, floor: Process, tmp_path: Path) -> None:
    file = tmp_path / "recorded"
    frames = [b"~T0000000000000000 number %d" % number for number in range(7)]
    file.write_bytes(b"".join(struct.pack(">I", len(frame)) + frame for frame in frames))
    with connect(f"ws://127.0.0.1:{floor.port}/f") as listener:
        lines = ("connection /f", "sends op", "window 2 receipt")
        result = run(generator, plan(floor.port, *lines, payload=f"frames-text {file}"))
        heard = [listener.recv(timeout=PATIENCE_S) for _ in frames]
    assert result["sent_total"] == len(frames)
    assert [str(frame)[18:] for frame in heard] == [f" number {number}" for number in range(7)]
    assert all(int(str(frame)[2:18], 16) > 0 for frame in heard)


@pytest.mark.parametrize("size", [0, 125, 126, 65_535, 65_536, 100_000])
def test_the_floor_passes_a_message_of_any_size_unchanged(floor: Process, size: int) -> None:
    address = f"ws://127.0.0.1:{floor.port}/size-{size}"
    with connect(address, compression=None) as sender, connect(address, compression=None) as receiver:
        sender.send(message := bytes(number % 251 for number in range(size)))
        assert receiver.recv(timeout=PATIENCE_S) == message
        assert sender.recv(timeout=PATIENCE_S) == "+ok"


@pytest.fixture
def library() -> Iterator[tuple[int, list[Any]]]:
    """A server by the library, that greets, answers each message with a receipt, and notes what it heard."""
    heard: list[Any] = []

    def talk(connection: ServerConnection) -> None:
        connection.send("hello")
        for message in connection:
            heard.append(message)
            connection.send("no" if message == "wrong" else "done")

    with serve(talk, "127.0.0.1", 0, compression=None) as server:
        thread = Thread(target=server.serve_forever)
        thread.start()
        yield server.socket.getsockname()[1], heard
        server.shutdown()
        thread.join()


def test_a_template_is_filled_anew_for_each_operation(generator: Path, library: tuple[int, list[Any]]) -> None:
    port, heard = library
    lines = ("connection", "wait contains hello", r"set 1 caf\xc3\xa9", "base 7", "sends op", "window 1 receipt")
    run(generator, plan(port, *lines, payload="text %N %M %S %V %U 100%% %1"))
    first, second = (message.split(" ") for message in heard[:2])
    assert [first[:4], second[:4]] == [["0", "1", "0", "7"], ["1", "2", "0", "8"]]
    assert first[5:] == second[5:] == ["100%", "café"]
    assert first[4] != second[4]
    assert (len(first[4]), first[4][14]) == (36, "4")


def test_what_a_server_refuses_is_an_error(generator: Path, library: tuple[int, list[Any]]) -> None:
    lines = ("fail no", "connection", "wait frames 1", "sends op", "rate 50")
    result = run(generator, plan(library[0], *lines, payload="text wrong"))
    assert result["errors"] == result["sent_total"] > 0
    assert "no" in result["first_errors"][0]


def test_a_server_that_is_not_there_is_named(generator: Path) -> None:
    with pytest.raises(Failed, match="no connection Connection refused"):
        run(generator, plan(1, "connection"))

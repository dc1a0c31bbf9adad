from __future__ import annotations

import struct
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from bench.peers import PEERS, Load, plans

LOAD = Load(port=9001, pids=(7, 8), rooms=2, editors=12, senders=3, window=4, rate=0, warm=0.5, seconds=2, sample=64)
FRAME = b"\x00\x02\x03abc"


@pytest.fixture(autouse=True)
def recorded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Two frames of every sender, as record.mjs writes them."""
    monkeypatch.setattr(plans, "MADE", tmp_path)
    for sender in range(plans.SENDERS):
        (tmp_path / f"{sender}.frames").write_bytes(2 * (struct.pack(">I", len(FRAME)) + FRAME))
    return tmp_path


every_peer = pytest.mark.parametrize("plan", [peer.plan for peer in PEERS], ids=[peer.name for peer in PEERS])
Plan = Callable[[Load], str]


def words(text: str, word: str) -> list[str]:
    return [line.removeprefix(f"{word} ") for line in text.splitlines() if line.startswith(f"{word} ")]


def connections(text: str) -> list[list[str]]:
    return [block.splitlines() for block in text.split("\nconnection ")[1:]]


@every_peer
def test_all_editors_of_all_rooms_come(plan: Plan) -> None:
    found = [
        int(next((line.split()[1] for line in lines if line.startswith("copies ")), "1"))
        for lines in connections(plan(LOAD))
    ]
    assert sum(found) == LOAD.rooms * LOAD.editors


@every_peer
def test_so_many_send_in_every_room(plan: Plan) -> None:
    senders = [lines for lines in connections(plan(LOAD)) if any(line.startswith("sends ") for line in lines)]
    rooms = [next(line for line in lines if line.startswith("room ")) for lines in senders]
    assert [rooms.count(room) for room in dict.fromkeys(rooms)] == [LOAD.senders] * LOAD.rooms


@every_peer
def test_what_is_sent_is_a_payload_of_the_plan(plan: Plan) -> None:
    text = plan(LOAD)
    assert {line.split()[0] for line in words(text, "payload")} == set(words(text, "sends"))


@every_peer
def test_both_processes_are_measured(plan: Plan) -> None:
    text = plan(LOAD)
    assert (words(text, "port"), words(text, "server")) == (["9001"], ["7", "8"])


@every_peer
def test_a_rate_binds_instead_of_the_window(plan: Plan) -> None:
    text = plan(replace(LOAD, rate=2.5))
    assert (words(text, "rate"), words(text, "window")) == (["2.5"] * 6, [])


@every_peer
def test_all_have_the_same_window(plan: Plan) -> None:
    assert words(plan(LOAD), "window") == ["4 delivered"] * 6


@every_peer
def test_every_run_has_rooms_of_its_own(plan: Plan) -> None:
    """A server keeps its documents, and takes a recorded frame for known the second time."""
    assert not set(words(plan(LOAD), "room")) & set(words(plan(LOAD), "room"))


@every_peer
def test_more_senders_than_recordings_are_refused(plan: Plan) -> None:
    with pytest.raises(ValueError, match="at most 10 senders"):
        plan(replace(LOAD, senders=11))


@every_peer
def test_a_room_of_senders_alone_has_nobody_else(plan: Plan) -> None:
    assert not words(plan(replace(LOAD, editors=3)), "copies")


@every_peer
def test_an_operation_carries_its_time_of_sending(plan: Plan) -> None:
    templates = [line for line in words(plan(LOAD), "payload") if " text " in line]
    assert all("%T" in template for template in templates)


def test_editors_of_pycrdt_come_one_by_one() -> None:
    assert words(plans.pycrdt(LOAD), "at_once") == ["1"]


def test_hocuspocus_frames_begin_with_the_name_of_their_room(recorded: Path) -> None:
    text = plans.hocuspocus(LOAD)
    room = words(text, "room")[0]
    named = bytes([len(room)]) + room.encode() + FRAME
    assert (recorded / "named-0-0.frames").read_bytes() == 2 * (struct.pack(">I", len(named)) + named)


def test_hocuspocus_is_greeted_by_the_name_of_the_room() -> None:
    text = plans.hocuspocus(LOAD)
    room = words(text, "room")[0]
    assert rf"binary \x0a{room}\x02\x00\x05token" in words(text, "send")

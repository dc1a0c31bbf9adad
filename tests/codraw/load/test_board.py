from __future__ import annotations

import msgspec

from codraw.client import Replica
from codraw.client.messages import State
from codraw.load.board import KEPT
from codraw.load.wire import Dialect
from tests.codraw.load.scene import EPOCH, NODE, Scene, event, receipt, served, state, tell


def hash_of(*cells: dict[str, object]) -> str:
    copy = Replica()
    copy.show(State(EPOCH, 0, "", "", True, cells))
    return copy.state_hash


def beat(vector: int, state_hash: str) -> bytes:
    return served({"message_type": "heartbeat", "epoch": EPOCH, "update_vector": vector, "state_hash": state_hash})


def test_the_replay_is_what_the_events_come_to() -> None:
    scene = Scene()
    ana = scene.joined("ana")
    tell(ana, event(1, "o1", x=5), event(2, "o2", label="L"))
    scene.board.replay()
    assert scene.board.replayed == 2
    assert scene.board.replica.state_hash == hash_of({**NODE, "x": 5, "label": "L"})
    assert not scene.faults


def test_the_replay_waits_for_what_nobody_has_got_yet() -> None:
    scene = Scene()
    tell(scene.joined("ana"), event(1, "o1"))
    late = scene.joined("bob", vector=2)
    tell(late, event(3, "o3"))
    scene.board.replay()
    assert scene.board.replayed == 1


def test_two_operations_at_one_vector_are_a_fault() -> None:
    scene = Scene()
    ana, bob = scene.joined("ana"), scene.joined("bob")
    tell(ana, event(1, "o1"))
    tell(bob, event(1, "o2"))
    assert scene.faults == {"other content": 1}


def test_one_operation_with_two_contents_is_a_fault() -> None:
    scene = Scene()
    ana, bob = scene.joined("ana"), scene.joined("bob")
    tell(ana, event(1, "o1", x=1))
    tell(bob, event(1, "o1", x=2))
    assert scene.faults == {"other content": 1}


def test_a_receipt_that_names_other_cells_than_the_event_is_a_fault() -> None:
    scene = Scene()
    ana, bob = scene.joined("ana"), scene.joined("bob")
    for id in ("o1", "o2"):
        ana.edit(id, [], 0.0)
    same, other = ([{"id": "n1", "operation": "update", "data": {"x": x}}] for x in (1, 3))
    tell(ana, receipt(1, "o1", cells=same))
    tell(bob, event(1, "o1", x=1))
    scene.board.replay()
    assert not scene.faults
    tell(ana, receipt(2, "o2", cells=other))
    tell(bob, event(2, "o2", x=2))
    scene.board.replay()
    assert scene.faults == {"other content": 1}


def test_a_hash_is_held_against_the_replay_when_that_has_come_so_far() -> None:
    scene = Scene()
    ana = scene.joined("ana")
    tell(ana, beat(1, hash_of({**NODE, "x": 5})), event(1, "o1", x=5))
    scene.board.replay()
    assert not scene.faults
    tell(ana, beat(1, "0" * 32))
    assert scene.faults == {"hash differs": 1}


def test_a_hash_that_comes_first_is_held_too() -> None:
    scene = Scene()
    ana = scene.joined("ana")
    tell(ana, beat(1, "0" * 32), event(1, "o1"))
    scene.board.replay()
    assert scene.faults == {"hash differs": 1}


def test_a_full_state_must_be_what_the_replay_gives() -> None:
    scene = Scene()
    tell(scene.joined("ana"), event(1, "o1", x=5))
    scene.board.replay()
    tell(scene.editor("bob"), state(1, {**NODE, "x": 5}))
    assert not scene.faults
    tell(scene.editor("eve"), state(1, {**NODE, "x": 6}))
    assert scene.faults == {"hash differs": 1}


def test_a_new_epoch_begins_anew() -> None:
    scene = Scene()
    ana = scene.joined("ana", vector=7)
    tell(ana, state(8, {**NODE, "x": 9}, epoch="00000000000000bb"))
    assert scene.board.epoch == "00000000000000bb" and scene.board.replayed == 8
    assert scene.measures.tally["epochs changed"] == 1 and not scene.faults


def test_a_state_without_epoch_leaves_the_epoch_to_be_learnt() -> None:
    scene = Scene()
    whole = {"message_type": "diagram_state", "diagram_id": "d", "update_vector": 0, "cells": [NODE]}
    tell(scene.editor("tom", Dialect.TMI), served(whole))
    ana = scene.joined("ana")
    tell(ana, event(1, "o1"))
    scene.board.replay()
    assert scene.board.epoch == EPOCH and scene.board.replayed == 1


def test_the_old_is_forgotten() -> None:
    scene = Scene()
    ana = scene.joined("ana")
    for vector in range(1, KEPT + 11):
        tell(ana, event(vector, f"o{vector}"))
    scene.board.replay()
    assert len(scene.board.streams[Dialect.V1]) == KEPT
    assert len(scene.board.operation_at) == len(scene.board.vector_of) == KEPT


def test_what_cannot_be_read_as_an_event_is_a_fault() -> None:
    scene = Scene()
    broken = {"message_type": "event", "update_vector": 1, "operation_id": "o1", "epoch": EPOCH}
    tell(scene.joined("ana"), served(msgspec.json.encode(broken)))
    scene.board.replay()
    assert scene.faults == {"unreadable event": 1}


def test_the_longest_waits_count_however_many_wait() -> None:
    scene = Scene()
    ana = scene.joined("ana")
    for number in range(50_000):
        scene.board.ask(f"o{number}", 0.0)
    tell(ana, event(1, "o0"))
    assert scene.measures.delivery.count == 1


def test_what_has_long_happened_is_no_longer_on_its_way() -> None:
    scene = Scene()
    ana = scene.joined("ana")
    for vector in range(1, KEPT + 11):
        scene.board.ask(f"o{vector}", 0.0)
        tell(ana, event(vector, f"o{vector}"))
    scene.board.replay()
    assert len(scene.board.asked) == KEPT

from __future__ import annotations

import msgspec
import pytest

from codraw.load.wire import Dialect
from tests.codraw.load.scene import EPOCH, NODE, Scene, event, receipt, served, state, tell

MOVE = [{"id": "n1", "operation": "update", "data": {"x": 1}}]


def rejected(id: str) -> bytes:
    return served({"message_type": "operation_rejected", "operation_id": id, "reason": "conflict_detected"})


def resumed(to: int) -> bytes:
    return served({"message_type": "resumed", "epoch": EPOCH, "from": 0, "to": to, "count": to, "state_hash": ""})


def told_tmi(vector: int, id: str) -> bytes:
    said = {"message_type": "diagram_operation_event", "update_vector": vector, "operation_id": id}
    return served({**said, "sequence_number": vector, "operation": {"type": "patch", "cells": []}})


def overheard(id: str) -> bytes:
    return served({"message_type": "diagram_operation", "user_id": "ana@example.com", "operation_id": id})


# order ------------------------------------------------------------------------------------------------------------


def test_I8_events_in_a_row_are_no_fault() -> None:
    scene = Scene()
    ana, bob = scene.joined("ana"), scene.joined("bob")
    for editor in (ana, bob):
        tell(editor, event(1, "o1"), event(2, "o2"), event(3, "o3"))
    assert (ana.vector, bob.vector) == (3, 3)
    assert scene.measures.tally["deliveries"] == 6 and not scene.faults


@pytest.mark.parametrize("is_first", [True, False])
def test_I8_a_gap_is_a_loss(is_first: bool) -> None:
    scene = Scene()
    ana, bob = scene.joined("ana"), scene.joined("bob")
    if not is_first:
        tell(bob, event(1, "o1"), event(2, "o2"))
    tell(ana, event(2, "o2"))
    assert scene.faults == {"lost": 1}


@pytest.mark.parametrize("is_first", [True, False])
def test_I8_a_repetition_is_a_fault(is_first: bool) -> None:
    scene = Scene()
    ana, bob = scene.joined("ana"), scene.joined("bob")
    if not is_first:
        tell(bob, event(1, "o1"), event(2, "o2"))
    tell(ana, event(1, "o1"), event(1, "o1"))
    assert scene.faults == {"doubled": 1}


def test_I8_two_that_are_swapped_are_found() -> None:
    scene = Scene()
    tell(scene.joined("ana"), event(2, "o2"), event(1, "o1"))
    assert scene.faults == {"lost": 1, "doubled": 1}


def test_a_state_that_falls_back_is_a_fault() -> None:
    scene = Scene()
    ana = scene.joined("ana", vector=5)
    tell(ana, state(4))
    assert scene.faults == {"vector fell": 1}


def test_I23_the_late_end_of_a_former_connection_is_no_loss() -> None:
    scene = Scene()
    ana = scene.joined("ana")
    former = ana.line
    scene.connect(ana)
    assert former is not None
    former.connection_lost(None)
    assert not scene.losses and ana.line is not None


def test_nonsense_is_a_fault() -> None:
    scene = Scene()
    tell(scene.joined("ana"), served(b"[nonsense"))
    assert scene.faults == {"unreadable": 1}


# outcomes ---------------------------------------------------------------------------------------------------------


def test_a_receipt_takes_the_slot_of_its_operation() -> None:
    scene = Scene()
    ana, bob = scene.joined("ana"), scene.joined("bob")
    ana.edit("mine", MOVE, 0.0)
    tell(bob, event(1, "mine"), event(2, "o2"))
    tell(ana, receipt(1, "mine"), event(2, "o2"))
    assert ana.vector == 2 and not ana.pending and not scene.faults
    assert scene.measures.receipts.count == 1


def test_WS12_a_receipt_may_stand_behind_the_state_that_holds_it_already() -> None:
    scene = Scene()
    ana = scene.joined("ana")
    ana.edit("mine", MOVE, 0.0)
    tell(ana, state(5), receipt(3, "mine"), event(6, "o6"))
    assert ana.vector == 6 and not ana.pending and not scene.faults
    ana.edit("again", MOVE, 0.0)
    tell(ana, receipt(6, "again"))
    assert scene.faults == {"doubled": 1, "other content": 1}


def test_I6_a_second_outcome_is_a_fault() -> None:
    scene = Scene()
    ana = scene.joined("ana")
    ana.edit("mine", MOVE, 0.0)
    tell(ana, receipt(1, "mine"), rejected("mine"))
    assert scene.faults == {"two outcomes": 1}


def test_a_refusal_is_counted_by_its_reason() -> None:
    scene = Scene()
    ana = scene.joined("ana")
    ana.edit("mine", MOVE, 0.0)
    tell(ana, rejected("mine"))
    assert scene.measures.rejections == {"conflict_detected": 1} and not ana.pending and not scene.faults


def test_a_no_op_costs_no_vector() -> None:
    scene = Scene()
    ana = scene.joined("ana")
    ana.edit("mine", MOVE, 0.0)
    tell(ana, receipt(0, "mine", changed=False))
    assert ana.vector == 0 and not ana.pending and not scene.faults


def test_latency_counts_from_when_it_was_meant_to_be_sent() -> None:
    scene = Scene()
    ana, bob = scene.joined("ana"), scene.joined("bob")
    ana.edit("mine", MOVE, -1_000.0)
    tell(bob, event(1, "mine"))
    tell(ana, receipt(1, "mine"))
    assert scene.measures.receipts.at(50) > 1_000_000
    assert scene.measures.deliveries.at(50) > 1_000_000


# away and back ----------------------------------------------------------------------------------------------------


def test_what_is_asked_while_away_is_sent_on_return_in_its_order() -> None:
    scene = Scene()
    ana = scene.joined("ana")
    ana.edit("one", MOVE, 0.0)
    assert ana.line is not None
    ana.line.connection_lost(None)
    ana.edit("two", MOVE, 0.0)
    back = scene.connect(ana)
    assert not back.written
    tell(ana, resumed(0))
    ids = [msgspec.json.decode(frame[8:])["operation_id"] for frame in back.written]
    assert ids == ["one", "two"] and scene.measures.tally["sent again"] == 2


def test_I17_it_resumes_from_its_vector_and_is_in_sync_when_that_is_filled() -> None:
    scene = Scene()
    ana = scene.joined("ana", vector=4)
    assert ana.resume == {"resume": f"{EPOCH}:4"}
    scene.connect(ana)
    tell(ana, resumed(6), event(5, "o5"))
    assert not ana.is_in_sync
    tell(ana, event(6, "o6"))
    assert ana.is_in_sync and not scene.faults


def test_an_own_event_after_a_return_is_the_receipt_and_a_repeated_one_no_fault() -> None:
    scene = Scene()
    ana = scene.joined("ana")
    ana.edit("mine", MOVE, 0.0)
    scene.connect(ana)
    tell(ana, resumed(1), event(1, "mine"), receipt(1, "mine", duplicate=True))
    assert ana.vector == 1 and not ana.pending and not scene.faults


def test_a_duplicate_whose_event_never_came_is_a_loss() -> None:
    scene = Scene()
    ana = scene.joined("ana")
    ana.edit("mine", MOVE, 0.0)
    tell(ana, receipt(3, "mine", duplicate=True))
    assert scene.faults == {"lost": 1}


def test_events_that_were_missed_have_no_latency() -> None:
    scene = Scene()
    ana, bob = scene.joined("ana"), scene.joined("bob")
    bob.edit("o1", MOVE, 0.0)
    tell(bob, receipt(1, "o1"))
    scene.connect(ana)
    tell(ana, resumed(1), event(1, "o1"))
    assert scene.measures.deliveries.count == 0


# other dialects ---------------------------------------------------------------------------------------------------


def test_E1_in_tmi_the_own_event_is_the_receipt() -> None:
    scene = Scene()
    tom, tim = (scene.editor(name, Dialect.TMI) for name in ("tom", "tim"))
    whole = served({"message_type": "diagram_state", "update_vector": 0, "cells": [NODE]})
    tom.edit("mine", MOVE, 0.0)
    for editor in (tim, tom):
        tell(editor, whole, told_tmi(1, "mine"))
    assert not tom.pending and scene.measures.receipts.count == 1 and not scene.faults


def test_E4_a_correction_of_an_own_operation_repeats_its_vector() -> None:
    scene = Scene()
    tom = scene.editor("tom", Dialect.TMI)
    tell(tom, served({"message_type": "diagram_state", "update_vector": 0, "cells": [NODE]}))
    tom.edit("mine", MOVE, 0.0)
    tell(tom, told_tmi(1, "mine"), told_tmi(1, "another"))
    assert not scene.faults
    tell(tom, told_tmi(2, "o2"), told_tmi(2, "another"))
    assert scene.faults == {"doubled": 1}


def test_classic_is_followed_by_what_others_were_told() -> None:
    scene = Scene()
    witness = scene.joined("witness")
    carl = scene.editor("carl", Dialect.CLASSIC)
    tell(carl, served({"message_type": "diagram_state_sync", "update_vector": 0, "cells": [NODE]}))
    carl.edit("mine", MOVE, 0.0)
    tell(witness, event(1, "o1"), event(2, "mine"), event(3, "o3"), event(4, "o4"))
    tell(carl, overheard("o1"), overheard("o3"))
    carl.compare()
    assert carl.vector == 3 and not scene.faults
    tell(witness, event(5, "o5"))
    tell(carl, overheard("o5"), overheard("o1"))
    carl.compare()
    assert scene.faults == {"lost": 1, "doubled": 1}


def test_classic_the_last_operation_may_be_its_own() -> None:
    scene = Scene()
    witness = scene.joined("witness")
    carl = scene.editor("carl", Dialect.CLASSIC)
    tell(carl, served({"message_type": "diagram_state_sync", "update_vector": 0, "cells": [NODE]}))
    carl.edit("mine", MOVE, 0.0)
    tell(witness, event(1, "mine"))
    carl.finish()
    assert carl.vector == 1


def test_a_cursor_says_when_it_was_meant_to_be_sent() -> None:
    scene = Scene()
    ana = scene.joined("ana")
    update = {"connection_id": "c1", "cursor": {"x": 1, "y": -1_000.0}}
    tell(ana, served({"message_type": "awareness", "updates": [update, {"connection_id": "c2", "selection": []}]}))
    assert scene.measures.awareness.count == 1 and scene.measures.awareness.at(50) > 1_000_000

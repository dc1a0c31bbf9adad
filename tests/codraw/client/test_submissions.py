"""What is asked, frame by frame."""

from __future__ import annotations

from uuid import uuid4

import pytest

from codraw.client import Accepted, LiveDiagram, Rejected, Unsettled, add, update
from tests.support.scripted import NO_CELLS, Line, ScriptedPeer
from tests.support.turns import until

NODE = {"shape": "process", "x": 0, "y": 0, "width": 120, "height": 60}


async def welcomed(peer: ScriptedPeer, live: LiveDiagram) -> Line:
    line = await peer.line()
    await line.welcome()
    await live.ready()
    return line


async def accept(line: Line, id: str, vector: int) -> None:
    await line.say(
        "operation_accepted", operation_id=id, epoch="e", update_vector=vector, changed=True, duplicate=False,
        kind="edit", history={"undo": vector, "redo": 0},
    )  # fmt: skip


async def test_an_operation_says_what_it_was_based_on(live: LiveDiagram, peer: ScriptedPeer) -> None:
    line = await welcomed(peer, live)
    new = add(**NODE)
    asked = live.edit(new, group_id="g", strict=True)
    entry = {"id": new.id, "operation": "add", "data": {"id": new.id, **NODE}}
    assert await line.hear("operation") == {
        "message_type": "operation",
        "operation_id": asked.id,
        "operation": {"type": "patch", "cells": [entry]},
        "base_vector": 0,
        "group_id": "g",
        "strict": True,
    }
    await accept(line, asked.id, 1)
    assert await asked == Accepted(operation_id=asked.id, vector=1)
    assert live.history.undo == 1
    undo = live.undo()
    assert await line.hear("undo") == {"message_type": "undo", "operation_id": undo.id}


async def test_UN11_of_a_replaced_history_there_is_nothing_to_undo(live: LiveDiagram, peer: ScriptedPeer) -> None:
    line = await welcomed(peer, live)
    asked = live.edit(add(**NODE))
    await accept(line, asked.id, 1)
    await asked
    state = {"state_hash": NO_CELLS, "reason": "epoch_changed", "resend": True, "cells": []}
    for vector, epoch, undo in (2, "e", 1), (3, "e2", 0):
        await line.say("state", epoch=epoch, update_vector=vector, **state)
        await until(lambda at=vector: live.vector == at)
        assert live.history.undo == undo


async def test_WS18_after_a_loss_everything_is_sent_again_in_its_order_with_its_ids(
    live: LiveDiagram, peer: ScriptedPeer
) -> None:
    line = await welcomed(peer, live)
    first, second = live.edit(add(**NODE)), live.undo()
    sent = [await line.hear("operation"), await line.hear("undo")]
    live.cut()
    await until(lambda: not live.is_live)
    third = live.edit(add(**NODE))
    line = await welcomed(peer, live)
    again = [await line.hear("operation"), await line.hear("undo"), await line.hear("operation")]
    assert again[:2] == sent
    assert [message["operation_id"] for message in again] == [first.id, second.id, third.id]


async def test_UN2_what_an_undo_left_alone_is_told_though_its_receipt_was_lost(
    live: LiveDiagram, peer: ScriptedPeer
) -> None:
    line = await welcomed(peer, live)
    undo = live.undo()
    await line.hear("undo")
    live.cut()
    line = await peer.line()
    place = {"epoch": "e", "update_vector": 1, "operation_id": undo.id, "kind": "undo"}
    patch = {"type": "patch", "cells": []}
    await line.welcome(1, missed=[{**place, "by": {"id": "test:ana", "name": "Ana"}, "operation": patch, "at": ""}])
    assert (await line.hear("undo"))["operation_id"] == undo.id
    skipped = [{"id": "a", "keys": ["x"], "why": "changed"}]
    more = {"history": {"undo": 0, "redo": 1}, "skipped": skipped}
    await line.say("operation_accepted", **place, changed=True, duplicate=True, **more)
    outcome = await undo
    assert isinstance(outcome, Accepted) and [(one.id, one.why) for one in outcome.skipped] == [("a", "changed")]
    assert live.status.pending == 0


async def test_nothing_is_sent_before_the_copy_is_whole(live: LiveDiagram, peer: ScriptedPeer) -> None:
    asked = live.edit(add(**NODE))
    line = await peer.line()
    assert not live.is_live and asked.outcome is None
    await line.welcome()
    assert (await line.hear("operation"))["operation_id"] == asked.id


async def test_what_no_longer_fits_a_frame_is_refused_on_return(live: LiveDiagram, peer: ScriptedPeer) -> None:
    asked = live.edit(add(**NODE, note="x" * 3_000))
    live.replica.limits = live.limits
    line = await peer.line()
    await line.welcome(limits={"max_frame_bytes": 2_000})
    outcome = await asked
    assert isinstance(outcome, Rejected) and outcome.reason == "limit_exceeded"


async def test_only_steps_of_one_group_grow_together(live: LiveDiagram) -> None:
    new = add(**NODE)
    live.edit(new)
    a = live.edit(update(new.id, x=1), group_id="a")
    assert live.edit(update(new.id, y=2), group_id="a") is a
    assert live.edit(update(new.id, y=3), group_id="a", strict=True) is not a
    assert live.edit(update(new.id, x=2), group_id="b").id != live.edit(update(new.id, x=3)).id
    assert [len(operation.changes) for operation in live.replica.pending] == [1, 1, 1, 1, 1]


async def test_a_gesture_with_too_many_cells_becomes_a_second_operation(live: LiveDiagram) -> None:
    new = [add(**NODE) for _ in range(300)]
    assert live.edit(new, group_id="g") is not live.edit([add(**NODE) for _ in range(300)], group_id="g")
    assert len(live.cells) == 600


async def test_an_outcome_that_nobody_waits_for_is_no_fault(live: LiveDiagram, peer: ScriptedPeer) -> None:
    line = await welcomed(peer, live)
    await accept(line, "unknown", 0)
    await line.say("operation_rejected", operation_id="unknown", reason="x", message="")
    await line.say("operation_rejected", operation_id="unknown", reason="x", message="", retry=True)
    assert live.edit(add(**NODE)).outcome is None
    assert await line.hear("operation")


async def test_a_rejection_that_says_so_is_followed_by_a_resume(live: LiveDiagram, peer: ScriptedPeer) -> None:
    line = await welcomed(peer, live)
    asked = live.edit(add(**NODE))
    said = {"operation_id": asked.id, "reason": "conflict_detected", "message": "no", "requires_resync": True}
    await line.say("operation_rejected", **said)
    await line.hear("resume")
    assert isinstance(await asked, Rejected)


# operations that could not be judged ----------------------------------------------------------------------------------


async def drawn(live: LiveDiagram, line: Line) -> str:
    """The id of a cell that is there."""
    new = add(**NODE)
    asked = live.edit(new)
    await line.hear("operation")
    await accept(line, asked.id, 1)
    await asked
    return new.id


async def send_back(line: Line, id: str, after_ms: int = 1) -> None:
    await line.say(
        "operation_rejected", operation_id=id, reason="unavailable", message="", retry=True, retry_after_ms=after_ms
    )


async def test_while_one_waits_for_its_retry_what_is_asked_later_waits_behind_it(live: LiveDiagram, line: Line) -> None:
    cell = await drawn(live, line)
    first = live.edit(update(cell, x=1))
    await line.hear("operation")
    await send_back(line, first.id, after_ms=100)
    await until(lambda: live.replica.pending[0].is_unjudged)
    second = live.edit(update(cell, x=2))
    assert [(await line.hear("operation"))["operation_id"] for _ in range(2)] == [first.id, second.id]
    assert live.cell(cell) == {"id": cell, **NODE, "x": 2}


async def test_what_was_under_way_when_an_older_one_was_sent_back_keeps_its_values(
    live: LiveDiagram, line: Line
) -> None:
    cell = await drawn(live, line)
    first, second = live.edit(update(cell, x=1, y=1)), live.edit(update(cell, x=2))
    for _ in range(2):
        await line.hear("operation")
    await send_back(line, first.id)
    await accept(line, second.id, 2)
    again = await line.hear("operation")
    assert (again["operation_id"], again["operation"]["cells"][0]["data"]) == (first.id, {"y": 1})
    await accept(line, first.id, 3)
    await first
    assert live.cell(cell) == {"id": cell, **NODE, "x": 2, "y": 1}


async def test_what_has_nothing_left_to_do_after_a_newer_one_is_told_as_not_done(live: LiveDiagram, line: Line) -> None:
    cell = await drawn(live, line)
    first, undo, second = live.edit(update(cell, x=1)), live.undo(), live.edit(update(cell, x=2))
    for id in (first.id, undo.id):
        await send_back(line, id)
    await accept(line, second.id, 2)
    for one in (first, undo):
        outcome = await one
        assert isinstance(outcome, Rejected) and outcome.reason == "superseded"
    assert live.cell(cell) == {"id": cell, **NODE, "x": 2}
    assert not live.replica.pending


# states that replace the copy -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("answer", ["state", "repair"])
async def test_what_is_accepted_does_not_stay_on_top_of_a_copy_that_could_not_take_its_receipt(
    live: LiveDiagram, line: Line, answer: str
) -> None:
    missing = str(uuid4())
    asked = live.edit(update(missing, x=100))
    await line.hear("operation")
    await accept(line, asked.id, 1)
    await line.hear("resume")
    shown = {"epoch": "e", "update_vector": 1, "state_hash": "0" * 32, "reason": "x", "resend": True, "removed": []}
    await line.say(answer, **shown, cells=[{"id": missing, **NODE, "x": 100}])
    await until(lambda: live.cell(missing) is not None)
    assert isinstance(asked.outcome, Accepted) and live.status.pending == 0


async def test_what_was_never_sent_is_sent_even_when_the_server_remembers_no_outcomes(
    live: LiveDiagram, line: Line, peer: ScriptedPeer
) -> None:
    sent = live.edit(add(**NODE))
    await line.hear("operation")
    live.cut()
    await until(lambda: not live.is_live)
    unsent, strict = live.edit(add(**NODE)), live.edit(add(**NODE), strict=True)
    line = await peer.line()
    await line.say("state", epoch="f", update_vector=9, state_hash="0" * 32, reason="x", resend=False, cells=[])
    assert (await line.hear("operation"))["operation_id"] == unsent.id
    assert isinstance(await sent, Unsettled) and isinstance(await strict, Rejected)
    assert [operation.id for operation in live.replica.pending] == [unsent.id]

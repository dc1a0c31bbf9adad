"""What is asked, frame by frame."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from codraw.client import Accepted, LiveDiagram, Rejected, add, connect, update
from tests.support.live import soon
from tests.support.scripted import Line, ScriptedPeer
from tests.support.turns import until

NODE = {"shape": "process", "x": 0, "y": 0, "width": 120, "height": 60}


async def ticket(wants: str) -> str:
    return "t"


@pytest.fixture
async def live(peer: ScriptedPeer) -> AsyncIterator[LiveDiagram]:
    live = connect(peer.url, ticket, backoff=soon())
    live.open()
    yield live
    await live.close(timeout_s=0)


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

"""A diagram out of snapshot and log, believed only where the head agrees."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from collab.core.diagram import Diagram
from collab.core.replay import Damaged, replayed
from protocol.operations import CellEffect, Effect, LoggedOperation, Verb
from protocol.values import CellId, Epoch, Head
from tests.support.drawing import history, whole

STATES = history(seed=7, operations=40)
NEWEST = STATES[-1][0]
HEAD = Head(NEWEST.epoch, NEWEST.vector, NEWEST.state_hash, 3)
TAIL = [operation for _, operation in STATES if operation is not None]


def replay(
    start: int = 0, tail: list[LoggedOperation] | None = None, head: Head = HEAD, **of: Any
) -> Diagram | Damaged:
    """From the state at `start`, as a snapshot in the store would give it; `of` replaces parts of the snapshot."""
    state = STATES[start][0]
    stored = msgspec.json.decode(msgspec.json.encode([list(state.cells_in_order()), state.touched()]))
    snapshot: dict[str, Any] = {"epoch": state.epoch, "vector": start, "cells": stored[0], "touched": stored[1]} | of
    return replayed(id=state.id, tail=TAIL[start:] if tail is None else tail, head=head, **snapshot)


@pytest.mark.parametrize("start", [0, 1, 17, 40])
def test_I13_snapshot_and_log_give_the_diagram_that_was(start: int) -> None:
    found = replay(start)
    assert isinstance(found, Diagram)
    assert whole(found) == whole(NEWEST)


def why(found: Diagram | Damaged) -> str:
    assert isinstance(found, Damaged)
    return found.why


def test_a_missing_or_repeated_operation_is_damage() -> None:
    assert why(replay(tail=TAIL[:20] + TAIL[21:])) == "after vector 20 the log goes on with 22"
    assert why(replay(tail=TAIL[:20] + TAIL[19:])) == "after vector 20 the log goes on with 20"
    assert why(replay(5, tail=TAIL[6:])) == "after vector 5 the log goes on with 7"


def test_a_log_that_ends_early_is_damage() -> None:
    assert "end at vector 39, the head is at 40" in why(replay(tail=TAIL[:-1]))
    assert "end at vector 40, the head is at 41" in why(replay(head=msgspec.structs.replace(HEAD, vector=41)))


def test_other_content_than_the_hash_says_is_damage() -> None:
    changed = msgspec.structs.replace(TAIL[9], effect=Effect())
    assert why(replay(tail=[*TAIL[:9], changed, *TAIL[10:]])) == (
        "at vector 10 the cells do not have the hash of the log"
    )
    assert "hashes differ" in why(replay(head=msgspec.structs.replace(HEAD, state_hash=1)))
    cells = [{**cell, "x": 12_345} for cell in STATES[40][0].cells_in_order()]
    assert "hashes differ" in why(replay(40, cells=cells))


def test_a_snapshot_of_another_epoch_is_damage() -> None:
    assert "is of epoch other" in why(replay(epoch=Epoch("other")))


@pytest.mark.parametrize("part", [{"cells": [{"shape": "process"}]}, {"cells": [7]}, {"touched": {"floor": "x"}}])
def test_a_snapshot_of_another_shape_is_damage(part: dict[str, Any]) -> None:
    assert "cannot be read" in why(replay(**part))


def test_an_operation_of_another_shape_is_damage() -> None:
    strange = msgspec.structs.replace(
        TAIL[9], effect=Effect((CellEffect(CellId("z"), Verb.ADD, {"id": "z", "children": 5}),))
    )
    assert why(replay(tail=[*TAIL[:9], strange])).startswith("the operation at vector 10 cannot be replayed")

"""A diagram made of a snapshot and the log after it, believed only if it ends where the head says."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from collab.core.apply import advance
from collab.core.diagram import Diagram
from protocol.operations import LoggedOperation
from protocol.values import Cell, DiagramId, Epoch, Head


class Damaged(msgspec.Struct, frozen=True):
    """Snapshot and log do not give what the head says. `why` is for the operator."""

    why: str


def replayed(
    id: DiagramId,
    epoch: Epoch,
    vector: int,
    cells: Sequence[Cell],
    touched: Any,
    tail: Sequence[LoggedOperation],
    head: Head,
) -> Diagram | Damaged:
    """From the snapshot at (`epoch`, `vector`); `tail`: the operations after it, in order."""
    if epoch != head.epoch:
        return Damaged(f"the snapshot is of epoch {epoch}, the head of {head.epoch}")
    try:
        diagram = Diagram.restore(id, epoch, vector, cells, touched)
    except Exception as error:
        # What has been damaged may have any shape, and so may what it does to those who trust it.
        return Damaged(f"the snapshot at vector {vector} cannot be read ({error!r})")
    for operation in tail:
        if operation.vector != diagram.vector + 1:
            return Damaged(f"after vector {diagram.vector} the log goes on with {operation.vector}")
        try:
            diagram = advance(diagram, operation)
        except Exception as error:
            return Damaged(f"the operation at vector {operation.vector} cannot be replayed ({error!r})")
        if diagram.state_hash != operation.state_hash:
            return Damaged(f"at vector {operation.vector} the cells do not have the hash of the log")
    if (diagram.vector, diagram.state_hash) != (head.vector, head.state_hash):
        return Damaged(
            f"snapshot and log end at vector {diagram.vector}, the head is at {head.vector}, or hashes differ"
        )
    return diagram

"""What every transaction that changes something writes of it.

Laws: (1) a change is recorded by the last statements of the transaction that makes it; (2) a serial is taken by
updating one row, which holds up whoever wants the next one until this transaction has ended: serials become visible in
their order and without gaps; who holds that row waits for nothing else; (3) changes of cells are not written here: the
log has them, and a commit of cells does nothing for the trail.
"""

from __future__ import annotations

from protocol.values import DiagramId, ThreatModelId
from rest.ports import Action, Cause, Change
from storage import columns
from storage.columns import text
from storage.database import Transaction, Value

SERIALS = "UPDATE change_serial SET last = last + $1 RETURNING last"
ADD = (
    "INSERT INTO change (serial, at, user_id, author, action, object_type, object_id, threat_model_id, diagram_id,"
    " door, detail, vector) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11,"
    " (SELECT vector FROM diagram_head WHERE id = $9))"
)
"""The vector is read after the serial was taken: of two changes of a diagram the later one has no lower vector."""


def line(
    cause: Cause,
    action: Action,
    object_type: str,
    object_id: str,
    threat_model_id: str,
    diagram_id: str | None = None,
) -> Change:
    """For `record`, which adds serial, time and vector. What the cause says wins."""
    return Change(
        serial=0,
        at_ms=0,
        by=cause.by,
        action=cause.action or action,
        object_type=cause.object_type or object_type,
        object_id=object_id,
        threat_model_id=ThreatModelId(threat_model_id),
        diagram_id=None if diagram_id is None else DiagramId(diagram_id),
        door=cause.door,
        detail=cause.detail,
    )


async def record(tx: Transaction, at_ms: int, *changes: Change) -> None:
    """The last that a transaction does (1)."""
    if not changes:
        return
    ((last,),) = await tx.fetch(SERIALS, len(changes))
    for serial, change in enumerate(changes, last - len(changes) + 1):
        await tx.execute(ADD, serial, at_ms, *_values(change))


def _values(change: Change) -> tuple[Value, ...]:
    return (
        None if change.by is None else change.by.id,
        columns.text_or_none(change.by),
        change.action.value,
        change.object_type,
        change.object_id,
        change.threat_model_id,
        change.diagram_id,
        change.door.value,
        text(change.detail),
    )

"""New epochs: after one, nobody goes on from what was read before; each client gets the diagram whole.

The vector does not fall, and the log of the former epoch stays until it is old.
"""

from __future__ import annotations

import logging
import secrets
from collections.abc import Callable, Iterable
from functools import partial

from collab.core.diagram import Diagram
from collab.core.events import Gone
from collab.core.replay import Damaged, replayed
from collab.ports import StoredDiagram
from protocol.values import DiagramId, Epoch
from rest.ports import Action, Cause
from storage import columns
from storage.changes import line, record
from storage.clock import real_ms
from storage.database import DamagedRow, Database, Transaction
from storage.diagrams import SAVE, stored

log = logging.getLogger(__name__)

ALL = "SELECT id FROM diagram_head WHERE deleted_at IS NULL ORDER BY number"
HELD = "SELECT number, threat_model_id FROM diagram_head WHERE id = $1 AND deleted_at IS NULL FOR NO KEY UPDATE"
BEGIN = "UPDATE diagram_head SET epoch = $2 WHERE number = $1"


def random_epoch() -> Epoch:
    return Epoch(secrets.token_hex(8))


async def new_epoch(
    database: Database, diagrams: Iterable[DiagramId] | None = None, make: Callable[[], Epoch] = random_epoch
) -> list[DiagramId]:
    """Those that have one now, of these or of all that live. One that is damaged keeps its own: what cannot be read
    cannot begin anew."""
    if diagrams is None:
        diagrams = [DiagramId(id) for (id,) in await database.fetch(ALL)]
    return [id for id in diagrams if await database.transaction(partial(begin_epoch, diagram=id, epoch=make()))]


async def begin_epoch(tx: Transaction, diagram: DiagramId, epoch: Epoch) -> bool:
    """The head is held from the first statement on: no commit comes between what is read and what is written. The last
    that a transaction does, since the trail is told."""
    held = await tx.fetch(HELD, diagram)
    if not held:
        return False
    whole = await _whole(tx, diagram)
    if whole is None:
        log.error("diagram %s is damaged and keeps its epoch", diagram)
        return False
    cells, touched = columns.text(whole.cells_in_order()), columns.text(whole.touched())
    (number, threat_model_id), state_hash = held[0], columns.hash_text(whole.state_hash)
    await tx.execute(SAVE, number, epoch, whole.vector, cells, touched, state_hash)
    await tx.execute(BEGIN, number, epoch)
    begun = Cause(detail={"changed": ["epoch"], "epoch": epoch})
    await record(tx, real_ms(), line(begun, Action.UPDATED, "diagram", diagram, threat_model_id, diagram))
    return True


async def _whole(tx: Transaction, diagram: DiagramId) -> Diagram | None:
    for newest in (True, False):
        try:
            found = await stored(tx, diagram, newest)
        except DamagedRow:
            continue
        if isinstance(found, Gone):
            return None
        if isinstance(whole := _replayed(found), Diagram):
            return whole
    return None


def _replayed(found: StoredDiagram) -> Diagram | Damaged:
    at = found.snapshot
    return replayed(found.diagram, at.epoch, at.vector, at.cells, at.touched, found.tail, found.head)

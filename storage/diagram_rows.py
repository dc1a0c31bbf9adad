"""Diagrams as REST knows them: names, descriptions, metadata; and how they begin and end."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

from protocol.refusals import Ending
from protocol.values import Caller, DiagramId, Epoch, ThreatModelId
from rest.ports import Changed, DiagramRow, NewDiagram, Page
from storage import columns
from storage.columns import hash_text, text
from storage.database import Row, Transaction, first
from storage.rights import MODEL_STAYS, RAISE_ONE, READABLE, asking
from storage.sessions import end_sessions
from storage.tables import Tables, name_key, window

MODIFIED = "CASE WHEN o.committed_at > d.modified_at THEN o.committed_at ELSE d.modified_at END"
"""By its row or by the newest operation of its log, whichever is later."""
ROWS = (
    f"SELECT d.id AS id, d.threat_model_id, d.created_at AS created_at, {MODIFIED} AS modified_at, d.fields,"
    " d.metadata, h.vector, h.epoch, d.name AS name FROM diagram d JOIN diagram_head h ON h.id = d.id"
    " LEFT JOIN diagram_op o ON o.diagram = h.number AND o.epoch = h.epoch AND o.vector = h.vector"
)
ADD = (
    "INSERT INTO diagram (id, threat_model_id, created_at, modified_at, fields, metadata, name)"
    " VALUES ($1, $2, $3, $3, $4, $5, $6)"
)
HEAD = (
    "INSERT INTO diagram_head (id, threat_model_id, epoch, vector, state_hash, acl_version)"
    " VALUES ($1, $2, $3, 0, $4, 1) RETURNING number"
)
HELD = "SELECT 1 FROM diagram_head WHERE id = $1 FOR NO KEY UPDATE"
FIRST = (
    "INSERT INTO diagram_snapshot (diagram, epoch, vector, cells, touched, state_hash) VALUES ($1, $2, 0, $3, $4, $5)"
)


class DiagramRows(Tables):
    async def create_diagram(self, new: NewDiagram) -> DiagramRow | None:
        return await self._database.transaction(
            partial(_create, new=new, cells=text(new.cells), fields=text(new.fields), now_ms=self._now_ms())
        )

    async def diagram(self, id: DiagramId) -> DiagramRow | None:
        row = await self._database.read(lambda tx: first(tx, f"{ROWS} WHERE d.id = $1", id))
        return None if row is None else _diagram(row)

    async def diagrams(self, id: ThreatModelId, page: Page) -> tuple[Sequence[DiagramRow], int]:
        return await self._database.read(partial(_diagrams, id=id, page=page))

    async def readable_diagrams(self, caller: Caller) -> Sequence[DiagramId]:
        sql = (
            f"SELECT d.id FROM diagram d JOIN threat_model t ON t.id = d.threat_model_id WHERE {READABLE} ORDER BY d.id"
        )
        return [id for (id,) in await self._database.read(lambda tx: tx.fetch(sql, *asking(caller)))]

    async def change_diagram(self, id: DiagramId, fields: Mapping[str, Any], metadata: Mapping[str, str]) -> Changed:
        sql = "UPDATE diagram SET fields = $2, metadata = $3, name = $4, modified_at = $5 WHERE id = $1"
        values = (text(fields), text(metadata), name_key(fields), self._now_ms())
        changed = await self._database.transaction(lambda tx: tx.execute(sql, id, *values))
        return Changed.DONE if changed else Changed.GONE

    async def delete_diagram(self, id: DiagramId) -> Changed:
        return await self._database.transaction(partial(_delete, id=id, now_ms=self._now_ms()))


async def _create(tx: Transaction, new: NewDiagram, cells: str, fields: str, now_ms: int) -> DiagramRow | None:
    if await first(tx, MODEL_STAYS, new.threat_model_id) is None:
        return None
    await tx.execute(ADD, new.id, new.threat_model_id, now_ms, fields, text(new.metadata), name_key(new.fields))
    head = await tx.fetch(HEAD, new.id, new.threat_model_id, new.epoch, hash_text(new.state_hash))
    # VEC1: nobody has changed anything yet, so there is nothing to know of who did
    await tx.execute(FIRST, head[0][0], new.epoch, cells, "null", hash_text(new.state_hash))
    return DiagramRow(new.id, new.threat_model_id, now_ms, now_ms, new.fields, new.metadata, 0, new.epoch)


async def _diagrams(tx: Transaction, id: ThreatModelId, page: Page) -> tuple[list[DiagramRow], int]:
    total = await tx.fetch("SELECT count(*) FROM diagram WHERE threat_model_id = $1", id)
    rows = await tx.fetch(f"{ROWS} WHERE d.threat_model_id = $1{window(page)}", id)
    return [_diagram(row) for row in rows], total[0][0]


def _diagram(row: Row) -> DiagramRow:
    id, threat_model_id, created_at, modified_at, fields, metadata, vector, epoch, _ = row
    return DiagramRow(
        id=DiagramId(id),
        threat_model_id=ThreatModelId(threat_model_id),
        created_at_ms=created_at,
        modified_at_ms=modified_at,
        fields=columns.fields(fields),
        metadata=columns.fields(metadata),
        vector=vector,
        epoch=Epoch(epoch),
    )


async def _delete(tx: Transaction, id: DiagramId, now_ms: int) -> Changed:
    await tx.fetch(HELD, id)
    if not await tx.execute("DELETE FROM diagram WHERE id = $1", id):
        return Changed.GONE
    await tx.execute(RAISE_ONE, id)
    await end_sessions(tx, [id], Ending.DIAGRAM_DELETED, now_ms)
    await tx.execute("UPDATE diagram_head SET deleted_at = $2 WHERE id = $1", id, now_ms)
    return Changed.DONE

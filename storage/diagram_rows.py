"""Diagrams as REST knows them: names, descriptions, metadata; and how they begin and end."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from protocol.refusals import Ending
from protocol.values import Caller, DiagramId, Epoch, ThreatModelId
from rest.ports import BY_ITSELF, Action, Cause, Changed, DiagramRow, NewDiagram, Page
from storage import columns
from storage.changes import line, record
from storage.columns import hash_text, text
from storage.database import Row, Transaction, first
from storage.rights import MODEL_STAYS, RAISE_ONE, READABLE, asking
from storage.sessions import end_sessions
from storage.tables import Tables, name_key, window

OBJECT = "diagram"
MODIFIED = "CASE WHEN o.committed_at > d.modified_at THEN o.committed_at ELSE d.modified_at END"
"""By its row or by the newest operation of its log, whichever is later."""
ROWS = (
    f"SELECT d.id AS id, d.threat_model_id, d.created_at AS created_at, {MODIFIED} AS modified_at, d.fields,"
    " d.metadata, h.vector, h.epoch, d.version, d.modified_at AS fields_at, d.name AS name"
    " FROM diagram d JOIN diagram_head h ON h.id = d.id"
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
CHANGE = (
    "UPDATE diagram SET fields = $3, metadata = $4, name = $5, modified_at = $6, version = version + 1"
    " WHERE id = $1 AND version = $2 RETURNING threat_model_id"
)
HELD = "SELECT vector, epoch FROM diagram_head WHERE id = $1 AND deleted_at IS NULL FOR NO KEY UPDATE"
FIRST = (
    "INSERT INTO diagram_snapshot (diagram, epoch, vector, cells, touched, state_hash) VALUES ($1, $2, 0, $3, $4, $5)"
)


class DiagramRows(Tables):
    async def create_diagram(self, new: NewDiagram, cause: Cause = BY_ITSELF) -> DiagramRow | None:
        cells, fields = text(new.cells), text(new.fields)
        return await self._database.transaction(
            partial(_create, new=new, cells=cells, fields=fields, cause=cause, now_ms=self._now_ms())
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

    async def change_diagram(
        self, row: DiagramRow, cause: Cause = BY_ITSELF, at: tuple[int, Epoch] | None = None
    ) -> Changed:
        return await self._database.transaction(partial(_change, row=row, cause=cause, at=at, now_ms=self._now_ms()))

    async def delete_diagram(
        self, id: DiagramId, cause: Cause = BY_ITSELF, at: tuple[int, Epoch] | None = None
    ) -> Changed:
        return await self._database.transaction(partial(_delete, id=id, cause=cause, at=at, now_ms=self._now_ms()))


async def _create(
    tx: Transaction, new: NewDiagram, cells: str, fields: str, cause: Cause, now_ms: int
) -> DiagramRow | None:
    if await first(tx, MODEL_STAYS, new.threat_model_id) is None:
        return None
    await tx.execute(ADD, new.id, new.threat_model_id, now_ms, fields, text(new.metadata), name_key(new.fields))
    head = await tx.fetch(HEAD, new.id, new.threat_model_id, new.epoch, hash_text(new.state_hash))
    # VEC1: nobody has changed anything yet, so there is nothing to know of who did
    await tx.execute(FIRST, head[0][0], new.epoch, cells, "null", hash_text(new.state_hash))
    await record(tx, now_ms, line(cause, Action.CREATED, OBJECT, new.id, new.threat_model_id, new.id))
    return DiagramRow(
        id=new.id,
        threat_model_id=new.threat_model_id,
        created_at_ms=now_ms,
        modified_at_ms=now_ms,
        fields=new.fields,
        metadata=new.metadata,
        epoch=new.epoch,
        fields_at_ms=now_ms,
    )


async def _diagrams(tx: Transaction, id: ThreatModelId, page: Page) -> tuple[list[DiagramRow], int]:
    total = await tx.fetch("SELECT count(*) FROM diagram WHERE threat_model_id = $1", id)
    rows = await tx.fetch(f"{ROWS} WHERE d.threat_model_id = $1{window(page)}", id)
    return [_diagram(row) for row in rows], total[0][0]


def _diagram(row: Row) -> DiagramRow:
    id, threat_model_id, created_at, modified_at, fields, metadata, vector, epoch, version, fields_at, _ = row
    return DiagramRow(
        id=DiagramId(id),
        threat_model_id=ThreatModelId(threat_model_id),
        created_at_ms=created_at,
        modified_at_ms=modified_at,
        fields=columns.fields(fields),
        metadata=columns.fields(metadata),
        vector=vector,
        epoch=Epoch(epoch),
        version=version,
        fields_at_ms=fields_at,
    )


async def _change(tx: Transaction, row: DiagramRow, cause: Cause, at: tuple[int, Epoch] | None, now_ms: int) -> Changed:
    # the head before the row (law 5), and only where somebody asks for its vector: else no commit waits for this
    if at is not None and (refused := _moved_on(await first(tx, HELD, row.id), at)) is not None:
        return refused
    values = (text(row.fields), text(row.metadata), name_key(row.fields), now_ms)
    changed = await first(tx, CHANGE, row.id, row.version, *values)
    if changed is None:
        left = await first(tx, "SELECT 1 FROM diagram WHERE id = $1", row.id)
        return Changed.GONE if left is None else Changed.STALE
    await record(tx, now_ms, line(cause, Action.UPDATED, OBJECT, row.id, changed[0], row.id))
    return Changed.DONE


async def _delete(tx: Transaction, id: DiagramId, cause: Cause, at: tuple[int, Epoch] | None, now_ms: int) -> Changed:
    refused = _moved_on(await first(tx, HELD, id), at)
    if refused is not None:
        return refused
    row = await first(tx, "DELETE FROM diagram WHERE id = $1 RETURNING threat_model_id", id)
    if row is None:
        return Changed.GONE
    await tx.execute(RAISE_ONE, id)
    ended = await end_sessions(tx, [id], Ending.DIAGRAM_DELETED, cause, now_ms)
    await tx.execute("UPDATE diagram_head SET deleted_at = $2 WHERE id = $1", id, now_ms)
    await record(tx, now_ms, *ended, line(cause, Action.DELETED, OBJECT, id, row[0], id))
    return Changed.DONE


def _moved_on(head: Row | None, at: tuple[int, Epoch] | None) -> Changed | None:
    if head is None:
        return Changed.GONE
    return None if at in (None, tuple(head)) else Changed.STALE

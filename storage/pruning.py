"""What the store lets go of, a little at a time: commits wait behind every piece."""

from __future__ import annotations

from functools import partial
from itertools import takewhile

from storage.database import Database, Row, Transaction

DAY_MS = 24 * 3_600_000
ACCEPTED_MS = 30 * DAY_MS
OTHERS_MS = DAY_MS
"""How long an id's outcome is remembered (VEC8)."""
PIECE = 1_000

PRUNABLE = (
    "SELECT h.number, h.epoch, h.vector - $1, min(s.vector) FROM diagram_head h"
    " JOIN diagram_snapshot s ON s.diagram = h.number AND s.epoch = h.epoch"
    " WHERE h.deleted_at IS NULL AND h.vector > $1 GROUP BY h.number, h.epoch, h.vector"
)
DELETED = (
    "SELECT number FROM diagram_head h WHERE deleted_at < $1"
    " AND EXISTS (SELECT 1 FROM diagram_snapshot s WHERE s.diagram = h.number)"
)
OUTCOMES = (
    "DELETE FROM diagram_outcome WHERE (diagram, user_id, operation_id) IN"
    " (SELECT diagram, user_id, operation_id FROM diagram_outcome o WHERE decided_at < $1 AND {} LIMIT $2"
    " FOR UPDATE OF o SKIP LOCKED)"
)
FUTILE = "verdict = 'no_op' AND kind IN ('undo', 'redo')"
LONG = (
    f"NOT ({FUTILE} AND EXISTS (SELECT 1 FROM diagram_op l"
    " WHERE l.diagram = o.diagram AND l.epoch = o.epoch AND l.vector <= o.vector))"
)
"""An undo or redo without effect used up an entry of its stack (UN6): without it the log would say that it stands."""
BRIEF = f"verdict <> 'accepted' AND NOT ({FUTILE})"
SESSIONS = "SELECT id FROM session WHERE ended_at < $1 LIMIT $2 FOR UPDATE SKIP LOCKED"
LOGINS = (
    "DELETE FROM login WHERE sid IN (SELECT sid FROM login WHERE access_expires_at < $1"
    " AND coalesce(ended_at, access_expires_at) BETWEEN 1 AND $1"
    " AND sid NOT IN (SELECT sid FROM refresh_token) LIMIT $2 FOR UPDATE OF login SKIP LOCKED)"
)
"""A login that has not issued a token yet (0) stays, and so does an ended one that a refresh token would bring back."""
CHANGES = (
    "DELETE FROM change WHERE serial IN"
    " (SELECT serial FROM change WHERE at < $1 ORDER BY at LIMIT $2 FOR UPDATE SKIP LOCKED)"
)


async def prune(
    database: Database, keep_operations: int, keep_ms: int, now_ms: int, keep_changes_ms: int | None = None
) -> int:
    """How many rows went. A deleted diagram leaves only its head behind, `keep_ms` after its end. `keep_changes_ms`: of
    the trail; None: for ever."""
    horizon = now_ms - keep_ms
    gone = 0
    for row in await database.read(lambda tx: tx.fetch(PRUNABLE, keep_operations)):
        while removed := await database.transaction(partial(_prune_log, row=row, horizon=horizon)):
            gone += removed
    for (number,) in await database.read(lambda tx: tx.fetch(DELETED, horizon)):
        while removed := await database.transaction(partial(_empty, number=number)):
            gone += removed
    for what, before in ((LONG, now_ms - ACCEPTED_MS), (BRIEF, now_ms - OTHERS_MS)):
        sql = OUTCOMES.format(what)
        while removed := await database.transaction(partial(_forget, sql=sql, before=before)):
            gone += removed
    for work in (_forget_sessions, partial(_forget, sql=LOGINS)):
        while removed := await database.transaction(partial(work, before=horizon)):
            gone += removed
    if keep_changes_ms is not None:
        while removed := await database.transaction(partial(_forget, sql=CHANGES, before=now_ms - keep_changes_ms)):
            gone += removed
    return gone


async def _prune_log(tx: Transaction, row: Row, horizon: int) -> int:
    """Only from below: a row that is young by its stamp keeps all rows above it, so that the log has no holes (I3)."""
    number, epoch, behind, snapshot = row
    floor = min(behind, snapshot)
    page = "SELECT vector, committed_at FROM diagram_op WHERE diagram = $1 AND epoch = $2 AND vector <= $3 ORDER BY 1"
    rows = await tx.fetch(page + " LIMIT $4", number, epoch, floor, PIECE)
    old = [vector for vector, _ in takewhile(lambda found: found[1] < horizon, rows)]
    former = "DELETE FROM diagram_op WHERE diagram = $1 AND epoch <> $2 AND vector <= $3 AND committed_at < $4"
    removed = await tx.execute(former, number, epoch, floor, horizon)
    if old:
        sql = "DELETE FROM diagram_op WHERE diagram = $1 AND epoch = $2 AND vector <= $3"
        removed += await tx.execute(sql, number, epoch, old[-1])
    return removed


async def _empty(tx: Transaction, number: int) -> int:
    """The snapshots last: by them a diagram is found that is not empty yet."""
    keys = {"diagram_op": "epoch, vector", "diagram_outcome": "user_id, operation_id"}
    for table, key in keys.items():
        some = f"SELECT {key} FROM {table} WHERE diagram = $1 LIMIT $2 FOR UPDATE SKIP LOCKED"
        sql = f"DELETE FROM {table} WHERE diagram = $1 AND ({key}) IN ({some})"
        if removed := await tx.execute(sql, number, PIECE):
            return removed
    return await tx.execute("DELETE FROM diagram_snapshot WHERE diagram = $1", number)


async def _forget_sessions(tx: Transaction, before: int) -> int:
    ids = [id for (id,) in await tx.fetch(SESSIONS, before, PIECE)]
    members = await tx.execute("DELETE FROM session_member WHERE session_id = ANY($1)", ids)
    return members + await tx.execute("DELETE FROM session WHERE id = ANY($1)", ids)


async def _forget(tx: Transaction, sql: str, before: int) -> int:
    return await tx.execute(sql, before, PIECE)

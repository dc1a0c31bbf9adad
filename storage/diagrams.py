"""The DiagramStore on a database: heads, the log, outcomes and snapshots."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Mapping, Sequence
from contextlib import suppress
from functools import partial

import msgspec

from collab.core.effects import Commit
from collab.core.events import CaughtUp, Committed, Gone, Known, Missed, StoreOutcome, Unavailable, Unresolved
from collab.core.kept import Done
from collab.ports import SnapshotData, StoredDiagram, StoreUnavailable, Watched
from protocol.operations import Kind, LoggedOperation, Outcome, Verdict
from protocol.values import DiagramId, Epoch, Head, OperationId, SessionId, ThreatModelId, UserId
from storage import columns
from storage.clock import real_ms
from storage.columns import OPERATION
from storage.commits import values, written, written_at_once
from storage.database import CommitUnknown, Conflict, DamagedRow, Database, Row, Transaction, first
from storage.pruning import ACCEPTED_MS, prune
from storage.saving import Saving
from storage.turns import Turns

log = logging.getLogger(__name__)

PAGE = 1_000
KEPT = 2
"""Snapshots of a diagram."""
ABOVE_ALL = 2**63 - 1
"""No vector is as high."""

HEAD = "number, epoch, vector, state_hash, acl_version, threat_model_id"
WATCHED = (
    "SELECT h.number, h.epoch, h.vector, h.state_hash, h.acl_version, h.threat_model_id, h.id, s.id, s.version"
    " FROM diagram_head h LEFT JOIN session s ON s.diagram_id = h.id AND s.ended_at IS NULL"
    " WHERE h.id = ANY($1) AND h.deleted_at IS NULL"
)
LIVE = f"SELECT {HEAD} FROM diagram_head WHERE id = $1 AND deleted_at IS NULL"
OUTCOME = "user_id, operation_id, payload_sha256, verdict, epoch, vector, kind, answer"
KNOWN = f"SELECT {OUTCOME} FROM diagram_outcome WHERE diagram = $1 AND user_id = ANY($2) AND operation_id = ANY($3)"
AFTER = f"SELECT {OPERATION} FROM diagram_op WHERE diagram = $1 AND epoch = $2 AND vector > $3 ORDER BY vector"
OF = "FROM diagram_op WHERE diagram = (SELECT number FROM diagram_head WHERE id = $1) AND epoch = $2"
OF_USER = " AND user_id = $5"
HISTORY = f"SELECT {OPERATION} {OF} AND vector < $3{{}} ORDER BY vector DESC LIMIT $4"
FUTILE = (
    f"SELECT {OUTCOME} FROM diagram_outcome WHERE diagram = (SELECT number FROM diagram_head WHERE id = $1)"
    " AND epoch = $2 AND vector < $3 AND vector >= $4 AND verdict = 'no_op' AND kind IN ('undo', 'redo'){}"
)
NEWEST = f"SELECT {OPERATION} {OF} AND vector <= $3 ORDER BY vector DESC LIMIT $4"
NEXT = f"SELECT vector, committed_at {OF} AND vector BETWEEN $3 AND $3 + 1 ORDER BY vector"
SNAPSHOTS = (
    "SELECT vector, cells, touched, state_hash FROM diagram_snapshot"
    " WHERE diagram = $1 AND epoch = $2 AND vector <= $3 ORDER BY vector"
)
LOGGED_HASH = "SELECT state_hash FROM diagram_op WHERE diagram = $1 AND epoch = $2 AND vector = $3"
DROP = (
    "DELETE FROM diagram_snapshot WHERE diagram = $1 AND (epoch <> $2 OR vector < $3)"
    " AND (SELECT epoch FROM diagram_head WHERE number = $1) = $2"
)
"""The epoch is asked for again: what another process has just begun a new one with stays."""
SAVE = (
    "INSERT INTO diagram_snapshot (diagram, epoch, vector, cells, touched, state_hash) VALUES ($1, $2, $3, $4, $5, $6)"
)


class SqlDiagrams:
    def __init__(
        self, database: Database, now_ms: Callable[[], int] = real_ms, keep_changes_ms: int | None = None
    ) -> None:
        """`keep_changes_ms`: how long `prune` leaves what the trail says; None: for ever."""
        self._database = database
        self._now_ms = now_ms
        self._keep_changes_ms = keep_changes_ms
        self.saving = Saving()
        self._turns: Turns[Missed | Gone] | None = None
        self._written: Callable[[DiagramId, Commit, int], Awaitable[bool]] = partial(written, database)
        if database.writes_tables_at_once:
            self._turns, self._written = Turns(database, _missed), partial(written_at_once, database)

    async def load(self, diagram: DiagramId) -> StoredDiagram | Gone:
        return await self._database.read(partial(stored, diagram=diagram, newest=True))

    async def older(self, diagram: DiagramId) -> StoredDiagram | Gone:
        return await self._database.read(partial(stored, diagram=diagram, newest=False))

    async def commit(self, diagram: DiagramId, commit: Commit) -> StoreOutcome:
        try:
            outcome = await self._committed(diagram, commit)
        except StoreUnavailable as error:
            # a full disk may say so only at the end, when it is not known any more what is written
            self.saving.refused(error)
            return Unresolved() if isinstance(error, CommitUnknown) else Unavailable()
        except Exception:
            # A fault of ours or of the data: nothing was written. The room must not hang on it.
            log.exception("a commit failed in diagram %s", diagram)
            return Unavailable()
        self.saving.took()
        return outcome

    async def _committed(self, diagram: DiagramId, commit: Commit) -> StoreOutcome:
        try:
            if self._turns is not None and self._turns.due(diagram, commit.attempt):
                # not beside the event loop: the head may be held for this, and only for a moment
                wanted = values(diagram, commit, self._now_ms())
                missed = await self._turns.written(diagram, commit.base, wanted)
                return Committed() if missed is None else missed
            if await self._written(diagram, commit, self._now_ms()):
                return Committed()
        except Conflict:
            return await self._database.read(partial(_known, diagram=diagram, commit=commit))
        return await self._database.read(lambda tx: _missed(tx, diagram, commit.base))

    async def since(self, diagram: DiagramId, head: Head) -> CaughtUp | Gone | Unavailable:
        try:
            # every join asks, and most find nothing new: one way to the server and back is enough for that
            rows = await self._database.fetch(LIVE, diagram)
            if rows and _follows(_head(rows[0]), head):
                return await self._database.read(partial(_since, diagram=diagram, head=head))
            return CaughtUp(_head(rows[0])) if rows else Gone()
        except StoreUnavailable:
            return Unavailable()

    async def history(
        self, diagram: DiagramId, epoch: Epoch, user: UserId | None, rows: int, below: int | None = None
    ) -> tuple[Done, ...]:
        end = ABOVE_ALL if below is None else below
        found = await self._database.read(lambda tx: _history(tx, diagram, epoch, user, rows, end))
        # Beside the event loop: the operations may be large.
        return await asyncio.to_thread(_steps, *found)

    async def newest(self, diagram: DiagramId, epoch: Epoch, vector: int, rows: int) -> tuple[LoggedOperation, ...]:
        found = await self._database.fetch(NEWEST, diagram, epoch, vector, rows)
        return await asyncio.to_thread(lambda: tuple(columns.operation(row) for row in reversed(found)))

    async def remembers(self, diagram: DiagramId, epoch: Epoch, vector: int) -> bool:
        head = (await self.heads((diagram,))).get(diagram)
        rows = await self._database.fetch(NEXT, diagram, epoch, vector)
        if rows and rows[-1][0] > vector:
            return bool(rows[-1][1] >= self._now_ms() - ACCEPTED_MS)
        return bool(rows) or (head is not None and (head.epoch, head.vector) == (epoch, vector))

    async def heads(self, diagrams: Collection[DiagramId]) -> Mapping[DiagramId, Head]:
        sql = f"SELECT {HEAD}, id FROM diagram_head WHERE id = ANY($1) AND deleted_at IS NULL"
        rows = await self._database.fetch(sql, list(diagrams))
        return {row[6]: _head(row) for row in rows}

    async def watched(self, diagrams: Collection[DiagramId]) -> Mapping[DiagramId, Watched]:
        rows = await self._database.fetch(WATCHED, list(diagrams))
        return {row[6]: _watched(row) for row in rows}

    async def snapshot(self, diagram: DiagramId, snapshot: SnapshotData) -> None:
        # Beside the event loop, and before the writer has it: neither sockets nor commits wait while it is spelled.
        texts = await asyncio.to_thread(_texts, snapshot)
        # the conflict: another worker has saved this very one
        with suppress(Conflict):
            await self._database.transaction(lambda tx: _save(tx, diagram, snapshot, *texts))

    async def snapshots(self, diagram: DiagramId) -> Sequence[SnapshotData | DamagedRow]:
        """Those kept of the head's epoch, oldest first: for `codraw.verify`, which passes none over."""
        return await self._database.read(partial(_snapshots, diagram=diagram))

    async def prune(self, keep_operations: int, keep_ms: int) -> int:
        return await prune(self._database, keep_operations, keep_ms, self._now_ms(), self._keep_changes_ms)

    async def diagrams(self) -> Sequence[DiagramId]:
        sql = "SELECT id FROM diagram_head WHERE deleted_at IS NULL ORDER BY number"
        return [id for (id,) in await self._database.fetch(sql)]

    async def log(self, diagram: DiagramId, epoch: Epoch) -> AsyncIterator[LoggedOperation]:
        """Page by page: no read transaction stays open while the caller works."""
        vector = -1
        while rows := await self._database.read(partial(_page, diagram=diagram, epoch=epoch, vector=vector)):
            for row in rows:
                yield columns.operation(row)
            vector = rows[-1][0]


def _head(row: Row) -> Head:
    _, epoch, vector, state_hash, acl_version, *_ = row
    return Head(epoch=epoch, vector=vector, state_hash=columns.hash_value(state_hash), acl_version=acl_version)


def _watched(row: Row) -> Watched:
    session, version = row[7:9]
    return Watched(_head(row)) if session is None else Watched(_head(row), SessionId(session), version)


def _texts(snapshot: SnapshotData) -> tuple[str, str, str]:
    return columns.text(snapshot.cells), columns.text(snapshot.touched), columns.hash_text(snapshot.state_hash)


async def _missed(tx: Transaction, diagram: DiagramId, base: Head) -> Missed | Gone:
    match await _since(tx, diagram, base):
        case CaughtUp(head=head, operations=operations):
            return Missed(head, operations)
        case gone:
            return gone


async def _known(tx: Transaction, diagram: DiagramId, commit: Commit) -> Known | Missed | Gone | Unresolved:
    row = await first(tx, LIVE, diagram)
    if row is None or _head(row) != commit.base:
        # another worker has written since: an outcome may be of an operation that the room has not heard of
        return await _missed(tx, diagram, commit.base)
    wanted = {(outcome.user, outcome.operation_id) for outcome in commit.outcomes}
    users, ids = sorted({user for user, _ in wanted}), sorted({id for _, id in wanted})
    rows = await tx.fetch(KNOWN, row[0], users, ids)
    outcomes = {(outcome.user, outcome.operation_id): outcome for outcome in map(_outcome, rows)}
    known = {key: outcome for key, outcome in outcomes.items() if key in wanted}
    # Past their horizon since: the same batch again will find the ids free.
    return Known(known) if known else Unresolved()


def _outcome(row: Row) -> Outcome:
    user, operation_id, payload_sha256, verdict, epoch, vector, kind, raw = row
    answer = columns.answer(raw)
    return Outcome(
        user=UserId(user),
        operation_id=OperationId(operation_id),
        payload_sha256=payload_sha256,
        verdict=Verdict(verdict),
        epoch=epoch,
        vector=vector,
        kind=Kind(kind),
        refusal=answer.refusal,
        skipped=answer.skipped,
        undo_of=answer.undo_of,
    )


def _follows(now: Head, head: Head) -> bool:
    return now.epoch == head.epoch and now.vector > head.vector


async def _since(tx: Transaction, diagram: DiagramId, head: Head) -> CaughtUp | Gone:
    row = await first(tx, LIVE, diagram)
    if row is None:
        return Gone()
    now = _head(row)
    if not _follows(now, head):
        return CaughtUp(now)
    operations = await _after(tx, row[0], now, head.vector)
    # A caller from below the log's floor loads anew: part of the way is no way.
    return CaughtUp(now, operations if len(operations) == now.vector - head.vector else ())


async def _history(
    tx: Transaction, diagram: DiagramId, epoch: Epoch, user: UserId | None, rows: int, below: int
) -> tuple[Sequence[Row], Sequence[Row]]:
    """Operations, newest first, and the outcomes of what had no effect since the oldest of them."""
    whose, of = (OF_USER, (user,)) if user is not None else ("", ())
    operations = await tx.fetch(HISTORY.format(whose), diagram, epoch, below, rows, *of)
    if not operations:
        return (), ()
    return operations, await tx.fetch(FUTILE.format(whose), diagram, epoch, below, operations[-1][0], *of)


def _steps(operations: Sequence[Row], futile: Sequence[Row]) -> tuple[Done, ...]:
    found: list[Done] = [columns.operation(row) for row in reversed(operations)]
    found += map(_outcome, futile)
    return tuple(sorted(found, key=lambda step: step.vector))


async def _page(tx: Transaction, diagram: DiagramId, epoch: Epoch, vector: int) -> Sequence[Row]:
    row = await first(tx, "SELECT number FROM diagram_head WHERE id = $1", diagram)
    return await tx.fetch(f"{AFTER} LIMIT $4", row[0] if row else None, epoch, vector, PAGE)


async def _after(tx: Transaction, number: int, head: Head, vector: int) -> tuple[LoggedOperation, ...]:
    return tuple(columns.operation(row) for row in await tx.fetch(AFTER, number, head.epoch, vector))


async def stored(tx: Transaction, diagram: DiagramId, newest: bool) -> StoredDiagram | Gone:
    """As `load` and `older` say; DamagedRow where what they need cannot be read."""
    row = await first(tx, LIVE, diagram)
    if row is None:
        return Gone()
    head = _head(row)
    snapshot = await _snapshot(tx, row[0], head, newest)
    tail = await _after(tx, row[0], head, snapshot.vector)
    return StoredDiagram(diagram, ThreatModelId(row[5]), head, snapshot, tail)


async def _snapshot(tx: Transaction, number: int, head: Head, newest: bool) -> SnapshotData:
    """The newest that can be read, or the oldest. Raises DamagedRow."""
    sql = SNAPSHOTS + (" DESC" if newest else "") + " LIMIT 1 OFFSET $4"
    why = DamagedRow(head.vector, f"there is no snapshot at or below {head.vector}")
    for offset in range(KEPT):
        found = await first(tx, sql, number, head.epoch, head.vector, offset)
        if found is None:
            break
        try:
            return _snapshot_data(head.epoch, found)
        except DamagedRow as damaged:
            why = damaged
    raise why


async def _snapshots(tx: Transaction, diagram: DiagramId) -> list[SnapshotData | DamagedRow]:
    row = await first(tx, LIVE, diagram)
    if row is None:
        return []
    found: list[SnapshotData | DamagedRow] = []
    for snapshot in await tx.fetch(SNAPSHOTS, row[0], row[1], row[2]):
        try:
            found.append(_snapshot_data(row[1], snapshot))
        except DamagedRow as damaged:
            found.append(damaged)
    return found


def _snapshot_data(epoch: Epoch, row: Row) -> SnapshotData:
    vector, cells, touched, state_hash = row
    try:
        return SnapshotData(
            epoch=epoch,
            vector=vector,
            cells=columns.cells(cells),
            touched=columns.anything(touched),
            state_hash=columns.hash_value(state_hash),
        )
    except (msgspec.MsgspecError, ValueError) as error:
        raise DamagedRow(vector, f"the snapshot at {vector} cannot be read ({error})") from None


async def _save(
    tx: Transaction, diagram: DiagramId, snapshot: SnapshotData, cells: str, touched: str, state_hash: str
) -> None:
    row = await first(tx, LIVE, diagram)
    if row is None or row[1] != snapshot.epoch or row[2] < snapshot.vector:
        return
    number, epoch = row[0], snapshot.epoch
    newest = "SELECT vector FROM diagram_snapshot WHERE diagram = $1 AND epoch = $2 ORDER BY vector DESC LIMIT 2"
    kept = [vector for (vector,) in await tx.fetch(newest, number, epoch)]
    if kept and kept[0] >= snapshot.vector:
        return
    logged = await first(tx, LOGGED_HASH, number, epoch, snapshot.vector)
    if logged is not None and logged[0] != state_hash:
        log.error("a snapshot of diagram %s at %d is not what the log says, and is let go", diagram, snapshot.vector)
        return
    await tx.execute(SAVE, number, epoch, snapshot.vector, cells, touched, state_hash)
    if kept:
        await tx.execute(DROP, number, epoch, kept[0])

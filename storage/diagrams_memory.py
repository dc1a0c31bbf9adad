"""The DiagramStore in memory, with the rules of the one on a database."""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from itertools import takewhile

import msgspec

from collab.core.effects import Commit
from collab.core.events import CaughtUp, Committed, Gone, Known, Missed, StoreOutcome
from collab.core.kept import Done
from collab.ports import SnapshotData, StoredDiagram, Watched
from protocol.operations import Kind, LoggedOperation, Outcome, Verdict
from protocol.values import DiagramId, Epoch, Head, UserId
from storage.database import DamagedRow
from storage.memory import DiagramRecord, MemoryStore
from storage.pruning import ACCEPTED_MS, OTHERS_MS

KEPT = 2


class MemoryDiagrams:
    def __init__(self, store: MemoryStore) -> None:
        self._store = store

    async def load(self, diagram: DiagramId) -> StoredDiagram | Gone:
        return self._stored(diagram, -1)

    async def older(self, diagram: DiagramId) -> StoredDiagram | Gone:
        return self._stored(diagram, 0)

    def _stored(self, diagram: DiagramId, which: int) -> StoredDiagram | Gone:
        record = self._store.present(diagram)
        if record is None:
            return Gone()
        snapshot = record.snapshots[which]
        return StoredDiagram(diagram, record.threat_model_id, record.head, snapshot, record.after(snapshot.vector))

    async def commit(self, diagram: DiagramId, commit: Commit) -> StoreOutcome:
        record = self._store.present(diagram)
        if record is None:
            return Gone()
        base, head = commit.base, record.head
        if base != head:
            caught_up = _since(record, base)
            return Missed(caught_up.head, caught_up.operations)
        keys = [(outcome.user, outcome.operation_id) for outcome in commit.outcomes]
        known = {key: record.outcomes[key][0] for key in keys if key in record.outcomes}
        if known:
            return Known(known)
        now_ms = self._store.now_ms()
        record.outcomes.update(zip(keys, ((outcome, now_ms) for outcome in commit.outcomes), strict=True))
        if commit.operations:
            record.log[head.epoch].extend(commit.operations)
            last = commit.operations[-1]
            record.head = msgspec.structs.replace(head, vector=last.vector, state_hash=last.state_hash)
        return Committed()

    async def since(self, diagram: DiagramId, head: Head) -> CaughtUp | Gone:
        record = self._store.present(diagram)
        return Gone() if record is None else _since(record, head)

    async def history(
        self, diagram: DiagramId, epoch: Epoch, user: UserId | None, rows: int, below: int | None = None
    ) -> tuple[Done, ...]:
        log = self._log(diagram, epoch)
        own = [done for done in log if user in (None, done.user.id) and (below is None or done.vector < below)]
        found: list[Done] = [*own[max(0, len(own) - rows) :]]
        if found:
            outcomes = [
                outcome for outcome, _ in self._store.diagrams[diagram].outcomes.values() if _is_futile(outcome)
            ]
            futile = (one for one in outcomes if one.epoch == epoch and user in (None, one.user))
            since = [outcome for outcome in futile if outcome.vector >= found[0].vector]
            found += [outcome for outcome in since if below is None or outcome.vector < below]
        return tuple(sorted(found, key=lambda step: step.vector))

    async def newest(self, diagram: DiagramId, epoch: Epoch, vector: int, rows: int) -> tuple[LoggedOperation, ...]:
        below = [operation for operation in self._log(diagram, epoch) if operation.vector <= vector]
        return tuple(below[max(0, len(below) - rows) :])

    async def remembers(self, diagram: DiagramId, epoch: Epoch, vector: int) -> bool:
        record = self._store.diagrams.get(diagram)
        at_ms = {operation.vector: operation.at_ms for operation in self._log(diagram, epoch)}
        if vector + 1 in at_ms:
            return at_ms[vector + 1] >= self._store.now_ms() - ACCEPTED_MS
        here = record is not None and (record.head.epoch, record.head.vector) == (epoch, vector)
        return vector in at_ms or here

    async def heads(self, diagrams: Collection[DiagramId]) -> Mapping[DiagramId, Head]:
        found = ((id, self._store.present(id)) for id in diagrams)
        return {id: record.head for id, record in found if record is not None}

    async def watched(self, diagrams: Collection[DiagramId]) -> Mapping[DiagramId, Watched]:
        return {id: self._watched(id, head) for id, head in (await self.heads(diagrams)).items()}

    def _watched(self, id: DiagramId, head: Head) -> Watched:
        live = self._store.live(id)
        return Watched(head) if live is None else Watched(head, live.session.id, live.session.version)

    async def snapshot(self, diagram: DiagramId, snapshot: SnapshotData) -> None:
        record = self._store.present(diagram)
        if record is None or snapshot.epoch != record.head.epoch or snapshot.vector > record.head.vector:
            return
        logged = [done.state_hash for done in record.log[snapshot.epoch] if done.vector == snapshot.vector]
        if logged not in ([], [snapshot.state_hash]):
            return
        kept = [other for other in record.snapshots if other.epoch == snapshot.epoch]
        if not kept or kept[-1].vector < snapshot.vector:
            record.snapshots = [*kept, snapshot][-KEPT:]

    async def snapshots(self, diagram: DiagramId) -> Sequence[SnapshotData | DamagedRow]:
        """Those kept of the head's epoch, oldest first."""
        record = self._store.present(diagram)
        return [] if record is None else [kept for kept in record.snapshots if kept.epoch == record.head.epoch]

    async def prune(self, keep_operations: int, keep_ms: int) -> int:
        now_ms = self._store.now_ms()
        gone = 0
        for record in self._store.diagrams.values():
            gone += _prune_log(record, keep_operations, now_ms - keep_ms) + _prune_outcomes(record, now_ms)
        return gone

    async def diagrams(self) -> Sequence[DiagramId]:
        return [id for id, record in self._store.diagrams.items() if record.deleted_at is None]

    async def log(self, diagram: DiagramId, epoch: Epoch) -> AsyncIterator[LoggedOperation]:
        for operation in self._log(diagram, epoch):
            yield operation

    def _log(self, diagram: DiagramId, epoch: Epoch) -> tuple[LoggedOperation, ...]:
        record = self._store.diagrams.get(diagram)
        return () if record is None else tuple(record.log.get(epoch, ()))


def _is_futile(outcome: Outcome) -> bool:
    """An undo or redo without effect."""
    return outcome.verdict is Verdict.NO_OP and outcome.kind in (Kind.UNDO, Kind.REDO)


def _since(record: DiagramRecord, head: Head) -> CaughtUp:
    now = record.head
    if now.epoch != head.epoch or now.vector <= head.vector:
        return CaughtUp(now)
    operations = record.after(head.vector)
    return CaughtUp(now, operations if len(operations) == now.vector - head.vector else ())


def _prune_log(record: DiagramRecord, keep_operations: int, horizon: int) -> int:
    if record.deleted_at is not None:
        return _empty(record) if record.deleted_at < horizon else 0
    log, head = record.log[record.head.epoch], record.head
    floor = min(head.vector - keep_operations, record.snapshots[0].vector)
    old = list(takewhile(lambda operation: operation.vector <= floor and operation.at_ms < horizon, log))
    del log[: len(old)]
    return len(old)


def _empty(record: DiagramRecord) -> int:
    """What was deleted leaves only its head behind."""
    rows = sum(map(len, record.log.values())) + len(record.outcomes) + len(record.snapshots)
    record.log = {record.head.epoch: []}
    record.outcomes, record.snapshots = {}, []
    return rows


def _prune_outcomes(record: DiagramRecord, now_ms: int) -> int:
    kept = {key: noted for key, noted in record.outcomes.items() if _stays(record, *noted, now_ms)}
    gone = len(record.outcomes) - len(kept)
    record.outcomes = kept
    return gone


def _stays(record: DiagramRecord, outcome: Outcome, at_ms: int, now_ms: int) -> bool:
    """What used up an entry (UN6) stays while the log could show that entry."""
    if not _is_futile(outcome):
        return at_ms >= now_ms - (ACCEPTED_MS if outcome.verdict is Verdict.ACCEPTED else OTHERS_MS)
    log = record.log.get(outcome.epoch)
    return at_ms >= now_ms - ACCEPTED_MS or bool(log and log[0].vector <= outcome.vector)

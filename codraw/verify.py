"""Whether the store says what it said: every kept log replayed against its own hashes, its snapshots and its head."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Protocol

import msgspec

from collab.core.apply import advance
from collab.core.diagram import Diagram
from collab.core.events import Gone
from collab.ports import DiagramStore, SnapshotData, StoredDiagram
from protocol.values import DiagramId
from storage.database import DamagedRow


class Finding(msgspec.Struct, frozen=True):
    """One piece of damage; `vector` None: the diagram as a whole."""

    diagram: DiagramId
    vector: int | None
    what: str

    def __str__(self) -> str:
        where = "" if self.vector is None else f" at vector {self.vector}"
        return f"diagram {self.diagram}{where}: {self.what}"


class Verifiable(DiagramStore, Protocol):
    async def snapshots(self, diagram: DiagramId) -> Sequence[SnapshotData | DamagedRow]:
        """Those kept of the head's epoch, oldest first."""


async def verify(store: Verifiable, diagram: DiagramId | None = None) -> list[Finding]:
    """Damage of one diagram or of all that live, in their order. Reads only; raises StoreUnavailable."""
    ids = await store.diagrams() if diagram is None else (diagram,)
    return [finding for id in ids for finding in await _verified(store, id)]


async def _verified(store: Verifiable, id: DiagramId) -> list[Finding]:
    snapshots = await store.snapshots(id)
    found = [Finding(id, kept.vector, str(kept)) for kept in snapshots if isinstance(kept, DamagedRow)]
    try:
        stored = await store.older(id)
    except DamagedRow as damaged:
        return [*found, Finding(id, damaged.vector, str(damaged))]
    if isinstance(stored, Gone):
        return [Finding(id, None, "is unknown or deleted")]
    readable = {kept.vector: kept for kept in snapshots if isinstance(kept, SnapshotData)}
    return [*found, *_replayed(stored, readable)]


def _replayed(stored: StoredDiagram, snapshots: dict[int, SnapshotData]) -> Iterator[Finding]:
    """Of what follows from one piece of damage only the first is told; a sound snapshot ends the run."""
    id, first = stored.diagram, stored.snapshot
    restored = _restored(id, first)
    if isinstance(restored, Finding):
        yield restored
        return
    diagram = restored
    yield from _against(diagram, first)
    wrong = False
    for operation in stored.tail:
        if operation.vector != diagram.vector + 1:
            yield Finding(id, diagram.vector + 1, f"is missing in the log, which goes on with {operation.vector}")
            return
        try:
            diagram = advance(diagram, operation)
        except Exception as error:
            yield Finding(id, operation.vector, f"the operation cannot be replayed ({error!r})")
            return
        if diagram.state_hash == operation.state_hash:
            wrong = False
        elif not wrong:
            wrong = True
            yield Finding(id, operation.vector, "the cells do not have the state hash of the log")
        if (snapshot := snapshots.get(diagram.vector)) is None:
            continue
        if wrong and isinstance(restored := _restored(id, snapshot), Diagram):
            diagram, wrong = restored, False
        yield from _against(diagram, snapshot)
    head = stored.head
    if diagram.vector != head.vector:
        yield Finding(id, diagram.vector, f"snapshot and log end here, the head is at {head.vector}")
    elif diagram.state_hash != head.state_hash and not wrong:
        yield Finding(id, head.vector, "the cells do not have the state hash of the head")


def _restored(id: DiagramId, snapshot: SnapshotData) -> Diagram | Finding:
    try:
        return Diagram.restore(id, snapshot.epoch, snapshot.vector, snapshot.cells, snapshot.touched)
    except Exception as error:
        return Finding(id, snapshot.vector, f"the snapshot cannot be restored ({error!r})")


def _against(diagram: Diagram, snapshot: SnapshotData) -> Iterator[Finding]:
    if diagram.state_hash != snapshot.state_hash:
        yield Finding(diagram.id, snapshot.vector, "the cells do not have the state hash of the snapshot")
        return
    try:
        same = diagram.cells_in_order() == snapshot.cells
    except Exception as error:
        yield Finding(diagram.id, snapshot.vector, f"the snapshot cannot be read ({error!r})")
        return
    if not same:
        yield Finding(diagram.id, snapshot.vector, "the snapshot has other cells, or in another order, than the log")

"""A diagram out of the store: snapshot and log, replayed and checked against the head."""

from __future__ import annotations

import asyncio
import logging

import msgspec

from collab.core.events import Gone, Loaded
from collab.core.recent import RESUME_BYTES
from collab.core.replay import Damaged, replayed
from collab.ports import DiagramStore, StoredDiagram, StoreUnavailable
from protocol.operations import LoggedOperation
from protocol.values import DiagramId, ThreatModelId

PAGE = 125
"""Operations read at once: they may be large, and few of them may do."""

log = logging.getLogger(__name__)


class Opened(msgspec.Struct, frozen=True):
    threat_model: ThreatModelId
    loaded: Loaded


async def load(store: DiagramStore, diagram: DiagramId, resumable: int = 0) -> Opened | Gone:
    """From the newest snapshot, else from the older one. A diagram that is damaged counts as away, it alone.

    With so many of the newest operations as a client may resume from, as far as the log and WS17 reach.
    """
    for read in (store.load, store.older):
        stored = await read(diagram)
        if isinstance(stored, Gone):
            return stored
        # Beside the event loop: thousands of cells are measured, and other rooms have people in them.
        found = await asyncio.to_thread(opened, stored)
        if isinstance(found, Opened):
            return await _with_recent(store, found, resumable) if resumable else found
        log.error("diagram %s is damaged: %s", diagram, found.why)
    raise StoreUnavailable("the diagram is damaged")


def opened(stored: StoredDiagram) -> Opened | Damaged:
    """Pure, and long for a large diagram."""
    snapshot = stored.snapshot
    found = replayed(
        stored.diagram, snapshot.epoch, snapshot.vector, snapshot.cells, snapshot.touched, stored.tail, stored.head
    )
    if isinstance(found, Damaged):
        return found
    snapshot_at = (snapshot.vector, snapshot.state_hash)
    return Opened(stored.threat_model_id, Loaded(found, stored.head.acl_version, stored.tail, snapshot_at))


async def _with_recent(store: DiagramStore, opened: Opened, resumable: int) -> Opened:
    """A fresh snapshot leaves a short tail, and the log has more. One operation more than is missed shows the hash
    before them."""
    loaded = opened.loaded
    found, before = loaded.recent, loaded.before
    size = await asyncio.to_thread(_size, found)
    while len(found) <= resumable and size <= RESUME_BYTES:
        first = found[0].vector if found else loaded.diagram.vector + 1
        page = await store.newest(loaded.diagram.id, loaded.diagram.epoch, first - 1, PAGE)
        if not page or page[-1].vector != first - 1:
            break
        found, before, size = (*page, *found), None, size + await asyncio.to_thread(_size, page)
    return Opened(opened.threat_model, Loaded(loaded.diagram, loaded.acl_version, found, before))


def _size(operations: tuple[LoggedOperation, ...]) -> int:
    """Takes long where a tail is, and so beside the event loop."""
    return sum(len(msgspec.json.encode(operation.effect)) for operation in operations)

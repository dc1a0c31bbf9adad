"""A diagram out of the store: snapshot and log, replayed and checked against the head."""

from __future__ import annotations

import asyncio
import logging

import msgspec

from collab.core.events import Gone, Loaded
from collab.core.replay import Damaged, replayed
from collab.ports import DiagramStore, StoredDiagram, StoreUnavailable
from protocol.values import DiagramId, ThreatModelId

log = logging.getLogger(__name__)


class Opened(msgspec.Struct, frozen=True):
    threat_model: ThreatModelId
    loaded: Loaded


async def load(store: DiagramStore, diagram: DiagramId) -> Opened | Gone:
    """From the newest snapshot, else from the older one. A diagram that is damaged counts as away, it alone."""
    for read in (store.load, store.older):
        stored = await read(diagram)
        if isinstance(stored, Gone):
            return stored
        # Beside the event loop: thousands of cells are measured, and other rooms have people in them.
        found = await asyncio.to_thread(opened, stored)
        if isinstance(found, Opened):
            return found
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
    return Opened(stored.threat_model_id, Loaded(found, stored.head.acl_version, stored.tail))

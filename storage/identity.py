"""Whether the store is what it was. One that was promoted or played back has lost time: what clients and workers hold
may be of a history that never happened, so that every diagram begins a new epoch before anything else is done.

Laws: (1) the new identity is written down when the last diagram has its epoch: who dies on the way is continued;
(2) of many workers that notice each diagram is renewed by one.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any, Protocol, runtime_checkable

from protocol.values import DiagramId
from storage.database import Database, Transaction, first
from storage.epochs import begin_epoch, random_epoch

log = logging.getLogger(__name__)

NAME = "identity"
KNOWN = "SELECT identity, renewing, renewed FROM store_identity"
NOTE = "INSERT INTO store_identity (one, identity, renewed) VALUES (1, $1, 0)"
RENEWING = "UPDATE store_identity SET renewing = $1, renewed = $2"
RENEWED = "UPDATE store_identity SET identity = $1, renewing = NULL, renewed = 0"
NEXT = "SELECT number, id FROM diagram_head WHERE number > $1 AND deleted_at IS NULL ORDER BY number LIMIT 1"


@runtime_checkable
class Identified(Protocol):
    """A database that may be another one when it is reached again."""

    async def identity(self) -> str: ...
    def watch(self, identity: str, renew: Callable[[Any], Awaitable[object]]) -> None:
        """Nothing is done any more on one that differs before `renew` was."""


async def settle(database: Database) -> int:
    """After the migration, before anything is served: how many diagrams begin anew. Afterwards the database settles by
    itself whenever it is reached again. Raises StoreUnavailable."""
    if not isinstance(database, Identified):
        return 0
    identity = await database.identity()
    count = 0
    while await database.transaction(partial(_turn, identity=identity)) is not None:
        count += 1
    if count:
        log.error("the store lost time and is %s now: %d diagrams begin new epochs", identity, count)
    database.watch(identity, settle)
    return count


async def _turn(tx: Transaction, identity: str) -> DiagramId | None:
    """Which diagram was renewed; None: there was nothing left to do."""
    await tx.alone(NAME, patient=True)
    row = await first(tx, KNOWN)
    if row is None:
        await tx.execute(NOTE, identity)
        return None
    known, renewing, renewed = row
    if known == identity:
        return None
    found = await first(tx, NEXT, renewed if renewing == identity else 0)
    if found is None:
        await tx.execute(RENEWED, identity)
        return None
    number, diagram = found
    await tx.execute(RENEWING, identity, number)
    await begin_epoch(tx, diagram, random_epoch())
    return DiagramId(diagram)

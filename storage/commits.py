"""The commit, in the two ways databases know: one statement that writes three tables, or one transaction.

Laws: (1) compare-and-set on the head and all rows, or nothing; (2) never ON CONFLICT: an id that is known takes the
whole batch back, and no vector is burnt.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from functools import partial
from typing import TypeVar

from collab.core.effects import Commit
from protocol.operations import Outcome
from protocol.values import DiagramId
from storage import columns
from storage.columns import OPERATION
from storage.database import Database, Transaction, Value, first

T = TypeVar("T")

CLAIM = (
    "UPDATE diagram_head SET vector = vector + $6, state_hash = $7 WHERE id = $1 AND epoch = $2 AND vector = $3"
    " AND acl_version = $4 AND state_hash = $5 AND deleted_at IS NULL RETURNING number"
)
OUTCOME = "user_id, operation_id, payload_sha256, epoch, vector, kind, verdict, answer"
DECIDE = (
    f"INSERT INTO diagram_outcome ({OUTCOME}, diagram, decided_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)"
)
APPEND = (
    f"INSERT INTO diagram_op ({OPERATION}, user_id, diagram, epoch, acl_version)"
    " VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)"
)
WHOLE = (
    f"WITH head AS ({CLAIM}), decided AS ("
    f"INSERT INTO diagram_outcome ({OUTCOME}, diagram, decided_at) SELECT o.*, head.number, $8 FROM head, unnest("
    "$9::text[], $10::text[], $11::bytea[], $12::text[], $13::bigint[], $14::text[], $15::text[], $16::text[]) o"
    f"), logged AS (INSERT INTO diagram_op ({OPERATION}, user_id, diagram, epoch, acl_version)"
    " SELECT o.*, head.number, $2, $4 FROM head, unnest($17::bigint[], $18::text[], $19::text[], $20::text[],"
    " $21::text[], $22::text[], $23::text[], $24::bigint[], $25::text[], $26::bigint[], $27::text[]) o)"
    " SELECT number FROM head"
)
"""READ COMMITTED: a claim that has waited for another transaction is judged anew by what that left: after a
revocation it finds no row."""
OUTCOME_COLUMNS, OPERATION_COLUMNS = 8, 11
FEW_CELLS = 200
"""So many are written in the event loop: a millisecond."""


async def written(database: Database, diagram: DiagramId, commit: Commit, decided_at: int) -> bool:
    """False: the base does not stand any more. Conflict: an id has its outcome already."""
    claim, outcomes = _claim(diagram, commit), _outcome_rows(commit)
    operations = await _beside(commit, partial(_operation_rows, commit))
    return await database.transaction(lambda tx: _write(tx, claim, outcomes, operations, decided_at))


async def written_at_once(database: Database, diagram: DiagramId, commit: Commit, decided_at: int) -> bool:
    """As `written`."""
    wanted = await _beside(commit, partial(values, diagram, commit, decided_at))
    return bool(await database.write(WHOLE, *wanted))


async def _beside(commit: Commit, write: Callable[[], T]) -> T:
    """What `write` makes of the commit; beside the event loop, where the operations are large."""
    cells = sum([len(operation.effect.cells) for operation in commit.operations])
    return await asyncio.to_thread(write) if cells > FEW_CELLS else write()


def values(diagram: DiagramId, commit: Commit, decided_at: int) -> tuple[Value, ...]:
    """Of the one statement."""
    outcomes = _turned(_outcome_rows(commit), OUTCOME_COLUMNS)
    return (*_claim(diagram, commit), decided_at, *outcomes, *_turned(_operation_rows(commit), OPERATION_COLUMNS))


def _claim(diagram: DiagramId, commit: Commit) -> tuple[Value, ...]:
    base = commit.base
    before = columns.hash_text(base.state_hash)
    after = columns.hash_text(commit.operations[-1].state_hash) if commit.operations else before
    return (diagram, base.epoch, base.vector, base.acl_version, before, len(commit.operations), after)


def _outcome_rows(commit: Commit) -> list[tuple[Value, ...]]:
    return [_outcome_row(outcome) for outcome in commit.outcomes]


def _operation_rows(commit: Commit) -> list[tuple[Value, ...]]:
    return [columns.operation_row(operation) for operation in commit.operations]


async def _write(
    tx: Transaction,
    claim: tuple[Value, ...],
    outcomes: Sequence[tuple[Value, ...]],
    operations: Sequence[tuple[Value, ...]],
    decided_at: int,
) -> bool:
    claimed = await first(tx, CLAIM, *claim)
    if claimed is None:
        return False
    number = claimed[0]
    _, epoch, _, acl_version, *_ = claim
    await tx.execute_many(DECIDE, ((*row, number, decided_at) for row in outcomes))
    await tx.execute_many(APPEND, ((*row, number, epoch, acl_version) for row in operations))
    return True


def _turned(rows: Sequence[tuple[Value, ...]], width: int) -> list[list[Value]]:
    return [list(column) for column in zip(*rows, strict=True)] or [[] for _ in range(width)]


def _outcome_row(outcome: Outcome) -> tuple[Value, ...]:
    said = outcome.refusal is not None or bool(outcome.skipped) or outcome.undo_of is not None
    return (
        outcome.user,
        outcome.operation_id,
        outcome.payload_sha256,
        outcome.epoch,
        outcome.vector,
        # `.value` is two calls of Python, for each row
        outcome.kind._value_,
        outcome.verdict._value_,
        columns.text(columns.Answer(outcome.refusal, outcome.skipped, outcome.undo_of)) if said else None,
    )

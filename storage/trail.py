"""The trail on a database: by serial, of a threat model, of a diagram. A diagram's is read from two tables at once, the
changes and the log of its cells, in the order of the vector: by no clock.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from functools import partial

import msgspec

from protocol.operations import Kind
from protocol.values import DiagramId, ThreatModelId
from rest.ports import Action, Change, ChangesWanted, Door, Page
from storage import columns
from storage.database import Database, Row, Transaction, Value, first

COLUMNS = "serial, at, author, action, object_type, object_id, threat_model_id, diagram_id, door, vector, detail"
SINCE = f"SELECT {COLUMNS} FROM change WHERE serial > $1 ORDER BY serial LIMIT $2"
CHANGES = f"SELECT {COLUMNS} FROM change WHERE serial = ANY($1)"

NUMBER = "SELECT number, threat_model_id FROM diagram_head WHERE id = $1"
NEXT_EPOCH = "SELECT min(epoch) FROM diagram_op WHERE diagram = $1 AND epoch > $2"
IN_EPOCH = "FROM diagram_op WHERE diagram = $1 AND epoch = $2"
ENDS = f"SELECT (SELECT min(vector) {IN_EPOCH}), (SELECT max(vector) {IN_EPOCH})"
STAMP = f"SELECT committed_at {IN_EPOCH} AND vector = $3"
COUNTABLE = 32_768
"""Characters of an effect whose cells are counted: a page has up to 1 000 of them."""
OPERATIONS = (
    "SELECT vector, committed_at, author, kind, operation_id, group_id, undo_of,"
    f" CASE WHEN length(effect) <= {COUNTABLE} THEN effect END {IN_EPOCH} AND vector = ANY($3)"
)
KEPT_BY = {Kind.REST: Door.REST, Kind.RESTORE: Door.SYSTEM}
"""The door of an operation; of all other kinds it is the socket."""


class Span(msgspec.Struct, frozen=True):
    """Vectors of one epoch, both ends included; empty where `high` is lower."""

    epoch: str
    low: int
    high: int


class Touching(msgspec.Struct, frozen=True):
    """As much of an effect as is needed to count its cells."""

    cells: tuple[msgspec.Raw, ...] = ()


Key = tuple[int, int, str]
"""Vector, serial, epoch: a trail is read by them, backwards. An operation has the serial 0, a change no epoch."""

_touching = msgspec.json.Decoder(Touching)


class SqlTrail:
    def __init__(self, database: Database) -> None:
        self._database = database

    async def since(self, serial: int, limit: int) -> Sequence[Change]:
        return [_change(row) for row in await self._database.fetch(SINCE, serial, limit)]

    async def newest(self) -> int:
        ((last,),) = await self._database.fetch("SELECT last FROM change_serial")
        return int(last)

    async def of_threat_model(
        self, id: ThreatModelId, wanted: ChangesWanted, page: Page
    ) -> tuple[Sequence[Change], int]:
        return await self._database.read(partial(_of_threat_model, id=id, wanted=wanted, page=page))

    async def of_diagram(self, id: DiagramId, wanted: ChangesWanted, page: Page) -> tuple[Sequence[Change], int]:
        keys, rows, total = await self._database.read(partial(_of_diagram, id=id, wanted=wanted, page=page))
        # Beside the event loop: the effects may be many.
        found = await asyncio.to_thread(lambda: {key: _logged(id, key, row) for key, row in rows.items()})
        return [found[key] for key in keys], total


def _change(row: Row) -> Change:
    serial, at, author, action, object_type, object_id, threat_model_id, diagram_id, door, vector, detail = row
    return Change(
        serial=serial,
        at_ms=at,
        by=columns.user_or_none(author),
        action=Action(action),
        object_type=object_type,
        object_id=object_id,
        threat_model_id=ThreatModelId(threat_model_id),
        diagram_id=None if diagram_id is None else DiagramId(diagram_id),
        door=Door(door),
        update_vector=vector,
        detail=columns.fields(detail),
        id=str(serial),
    )


async def _of_threat_model(
    tx: Transaction, id: ThreatModelId, wanted: ChangesWanted, page: Page
) -> tuple[list[Change], int]:
    where, args = _conditions("threat_model_id", id, wanted)
    total = await tx.fetch(f"SELECT count(*) FROM change WHERE {where}", *args)
    order = f"ORDER BY serial DESC LIMIT {page.limit:d} OFFSET {page.offset:d}"
    rows = await tx.fetch(f"SELECT {COLUMNS} FROM change WHERE {where} {order}", *args)
    return [_change(row) for row in rows], total[0][0]


def _conditions(column: str, id: str, wanted: ChangesWanted) -> tuple[str, list[Value]]:
    asked: dict[str, Value] = {
        f"{column} = {{}}": id,
        "action = ANY({})": wanted.actions or None,
        "object_type = ANY({})": wanted.object_types or None,
        "user_id = {}": wanted.by,
        "at >= {}": wanted.since_ms,
        "at < {}": wanted.until_ms,
    }
    given = {condition: value for condition, value in asked.items() if value is not None}
    conditions = [condition.format(f"${n}") for n, condition in enumerate(given, 1)]
    return " AND ".join(conditions), list(given.values())


async def _of_diagram(
    tx: Transaction, id: DiagramId, wanted: ChangesWanted, page: Page
) -> tuple[list[Key], dict[Key, Row], int]:
    """Keys first, from indexes alone; then the rows of this page, whatever lies before it."""
    head = await first(tx, NUMBER, id)
    if head is None:
        return [], {}, 0
    number, threat_model_id = head
    spans = await _spans(tx, number, wanted)
    where, args = _conditions("diagram_id", id, wanted)
    ((changes,),) = await tx.fetch(f"SELECT count(*) FROM change WHERE {where}", *args)
    total = changes + await _counted(tx, number, spans, wanted)
    if page.offset >= total:
        return [], {}, total
    keys = await _keys(tx, number, spans, (where, args), wanted, page)
    rows: dict[Key, Row] = {}
    for row in await tx.fetch(CHANGES, [serial for _, serial, _ in keys if serial]):
        rows[row[9], row[0], ""] = row
    for span in spans:
        vectors = [vector for vector, _, epoch in keys if epoch == span.epoch]
        for row in await tx.fetch(OPERATIONS, number, span.epoch, vectors) if vectors else ():
            rows[row[0], 0, span.epoch] = (threat_model_id, *row)
    return keys, rows, total


async def _spans(tx: Transaction, number: int, wanted: ChangesWanted) -> list[Span]:
    """What of the log is wanted, epoch by epoch: no vector is in two of them, and the index has them one by one."""
    spans: list[Span] = []
    if wanted.actions and Action.UPDATED not in wanted.actions:
        return spans
    if wanted.object_types and "diagram" not in wanted.object_types:
        return spans
    ((epoch,),) = await tx.fetch(NEXT_EPOCH, number, "")
    while epoch is not None:
        ((low, high),) = await tx.fetch(ENDS, number, epoch)
        span = Span(epoch, low, high)
        if wanted.since_ms is not None:
            span = Span(epoch, await _stamped(tx, number, span, wanted.since_ms), high)
        if wanted.until_ms is not None:
            span = Span(epoch, span.low, await _stamped(tx, number, span, wanted.until_ms) - 1)
        if span.low <= span.high:
            spans.append(span)
        ((epoch,),) = await tx.fetch(NEXT_EPOCH, number, epoch)
    return spans


async def _stamped(tx: Transaction, number: int, span: Span, at_ms: int) -> int:
    """The first vector from that time on, found by halving: stamps have no index, but rise with the vectors."""
    low, high = span.low, span.high + 1
    while low < high:
        middle = (low + high) // 2
        row = await first(tx, STAMP, number, span.epoch, middle)
        if row is not None and row[0] >= at_ms:
            high = middle
        else:
            low = middle + 1
    return low


async def _counted(tx: Transaction, number: int, spans: Sequence[Span], wanted: ChangesWanted) -> int:
    """The log has no gaps: how much of it there is, its ends tell."""
    if wanted.by is None:
        return sum(span.high - span.low + 1 for span in spans)
    sql = f"SELECT count(*) {IN_EPOCH} AND user_id = $3 AND vector BETWEEN $4 AND $5"
    return sum([(await tx.fetch(sql, number, *_of_user(span, wanted)))[0][0] for span in spans])


def _of_user(span: Span, wanted: ChangesWanted) -> tuple[Value, ...]:
    return span.epoch, wanted.by, span.low, span.high


async def _keys(
    tx: Transaction,
    number: int,
    spans: Sequence[Span],
    changes: tuple[str, list[Value]],
    wanted: ChangesWanted,
    page: Page,
) -> list[Key]:
    """Each part gives as many as the page could need, from the end of its index."""
    where, args = changes
    most = f"LIMIT {page.limit + page.offset:d}"
    parts = [f"SELECT vector, serial, '' AS epoch FROM change WHERE {where} ORDER BY serial DESC {most}"]
    for span in spans:
        given: tuple[Value, ...] = (number, span.epoch, span.low, span.high)
        of_user = "" if wanted.by is None else f" AND user_id = ${len(args) + 5}"
        diagram, epoch, low, high = (f"${len(args) + n}" for n in range(1, 5))
        parts.append(
            f"SELECT vector, 0 AS serial, epoch FROM diagram_op WHERE diagram = {diagram} AND epoch = {epoch}"
            f" AND vector BETWEEN {low} AND {high}{of_user} ORDER BY vector DESC {most}"
        )
        args = [*args, *given, *(() if wanted.by is None else (wanted.by,))]
    union = " UNION ALL ".join(f"SELECT * FROM ({part}) p{n}" for n, part in enumerate(parts))
    order = f"ORDER BY vector DESC, serial DESC LIMIT {page.limit:d} OFFSET {page.offset:d}"
    return [(vector, serial, epoch) for vector, serial, epoch in await tx.fetch(f"{union} {order}", *args)]


def _logged(id: DiagramId, key: Key, row: Row) -> Change:
    if key[1]:
        return _change(row)
    threat_model_id, vector, at, author, kind, operation_id, group_id, undo_of, effect = row
    detail = {
        "kind": kind,
        "operation_id": operation_id,
        "group_id": group_id,
        "undo_of": undo_of,
        "cells": _cells(effect),
    }
    return Change(
        serial=0,
        at_ms=at,
        by=columns.user(author),
        action=Action.UPDATED,
        object_type="diagram",
        object_id=id,
        threat_model_id=ThreatModelId(threat_model_id),
        diagram_id=id,
        door=KEPT_BY.get(Kind(kind), Door.SOCKET),
        update_vector=vector,
        detail={name: value for name, value in detail.items() if value is not None},
        id=f"{key[2]}-{vector}",
    )


def _cells(effect: str | None) -> int | None:
    """How many were touched; None: too many to count, or what was written cannot be read any more."""
    with suppress(msgspec.MsgspecError):
        return None if effect is None else len(_touching.decode(effect).cells)
    return None

"""Threat models, who may read them, and what is counted below them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import msgspec

from protocol.dialects.times import rfc3339
from protocol.refusals import Ending
from protocol.values import Caller, DiagramId, Role, ThreatModelId, User
from rest.ports import (
    BY_ITSELF,
    Action,
    Between,
    Cause,
    Changed,
    Counts,
    Entry,
    Filters,
    ItemKind,
    Page,
    ThreatModel,
)
from storage import columns, entries
from storage.changes import line, record
from storage.columns import text
from storage.database import Row, Transaction, Value, first
from storage.entries import email_key
from storage.rights import MODEL, READABLE, ROLE, asking, raise_below
from storage.sessions import end_sessions
from storage.tables import Tables, containing, holding, member, name_key, window
from storage.webhooks import remember_readers

OBJECT = "threat_model"
COLUMNS = "id, owner, created_by, created_at, modified_at, fields, metadata, version"
ADD = (
    "INSERT INTO threat_model (id, owner, owner_provider, owner_provider_id, owner_email, created_by, fields, metadata,"
    " name, status, security_reviewer, created_at, modified_at, version)"
    " VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $12, $13)"
)
CHANGE = (
    "UPDATE threat_model SET owner = $3, owner_provider = $4, owner_provider_id = $5, owner_email = $6, fields = $7,"
    " metadata = $8, name = $9, status = $10, security_reviewer = $11, modified_at = $12, version = version + 1"
    " WHERE id = $1 AND version = $2"
)
MODEL_GOES = "SELECT version FROM threat_model WHERE id = $1 FOR UPDATE"
COUNTS = ", ".join(
    (
        "(SELECT count(*) FROM diagram d WHERE d.threat_model_id = t.id)",
        *(f"(SELECT count(*) FROM item i WHERE i.threat_model_id = t.id AND i.kind = '{kind}')" for kind in ItemKind),
    )
)
COUNTED = 1 + len(ItemKind)
SECONDS = len("2026-01-31T12:00:00")
"""Of a time as it is kept in the fields; what follows is a fraction or none."""


class ThreatModels(Tables):
    async def create(self, model: ThreatModel, cause: Cause = BY_ITSELF) -> ThreatModel:
        return await self._database.transaction(partial(_create, model=model, cause=cause, now_ms=self._now_ms()))

    async def read(self, id: ThreatModelId) -> ThreatModel | None:
        return await self._database.read(partial(_read, id=id))

    async def role(self, caller: Caller, id: ThreatModelId) -> Role | None:
        sql = f"SELECT {ROLE} FROM threat_model t WHERE t.id = $4"
        rows = await self._database.fetch(sql, *asking(caller), id)
        return Role(rows[0][0]) if rows else None

    async def readable(
        self, caller: Caller, filters: Filters, page: Page
    ) -> tuple[Sequence[tuple[ThreatModel, Counts]], int]:
        return await self._database.read(partial(_readable, caller=caller, filters=filters, page=page))

    async def counts(self, id: ThreatModelId) -> Counts:
        row = await self._database.read(lambda tx: first(tx, f"SELECT {COUNTS} FROM threat_model t WHERE id = $1", id))
        return Counts() if row is None else Counts(*row)

    async def change(self, model: ThreatModel, cause: Cause = BY_ITSELF) -> Changed:
        return await self._database.transaction(partial(_change, model=model, cause=cause, now_ms=self._now_ms()))

    async def delete(
        self, id: ThreatModelId, cause: Cause = BY_ITSELF, version: int | None = None
    ) -> Sequence[DiagramId] | None:
        return await self._database.transaction(
            partial(_delete, id=id, cause=cause, version=version, now_ms=self._now_ms())
        )

    async def known_users(self, email: str) -> Sequence[User]:
        return await self._database.read(partial(entries.known_users, email=email))


async def _create(tx: Transaction, model: ThreatModel, cause: Cause, now_ms: int) -> ThreatModel:
    settled = await entries.settled(tx, model.entries)
    model = msgspec.structs.replace(model, entries=settled, created_at_ms=now_ms, modified_at_ms=now_ms)
    owner, *described = _described(model)
    values = (*owner, text(model.created_by), *described, now_ms, model.version)
    await tx.execute(ADD, model.id, *values)
    await entries.write(tx, model.id, settled)
    await record(tx, now_ms, line(cause, Action.CREATED, OBJECT, model.id, model.id))
    return model


def _described(model: ThreatModel) -> tuple[tuple[Value, ...], Value, Value, Value, Value, Value]:
    """The owner's columns; fields, metadata, and what of the fields is searched."""
    owner, fields = model.owner, model.fields
    status = fields.get("status")
    return (
        (text(owner), owner.provider, owner.provider_id, email_key(owner.email)),
        text(fields),
        text(model.metadata),
        name_key(fields),
        status if isinstance(status, str) else None,
        _person_key(fields.get("security_reviewer")),
    )


def _person_key(person: Any) -> str | None:
    """A field that names somebody holds an address or a User object."""
    if isinstance(person, Mapping):
        person = person.get("email") or person.get("provider_id")
    return email_key(person) if isinstance(person, str) else None


async def _read(tx: Transaction, id: ThreatModelId) -> ThreatModel | None:
    row = await first(tx, f"SELECT {COLUMNS} FROM threat_model WHERE id = $1", id)
    return None if row is None else _model(row, (await entries.read(tx, [id]))[id])


def _model(row: Row, its_entries: tuple[Entry, ...]) -> ThreatModel:
    id, owner, created_by, created_at, modified_at, fields, metadata, version = row
    return ThreatModel(
        id=ThreatModelId(id),
        owner=columns.user(owner),
        created_by=columns.user(created_by),
        created_at_ms=created_at,
        modified_at_ms=modified_at,
        fields=columns.fields(fields),
        entries=its_entries,
        metadata=columns.fields(metadata),
        version=version,
    )


async def _readable(
    tx: Transaction, caller: Caller, filters: Filters, page: Page
) -> tuple[list[tuple[ThreatModel, Counts]], int]:
    where, args = _conditions(caller, filters)
    total = await tx.fetch(f"SELECT count(*) FROM threat_model t WHERE {where}", *args)
    rows = await tx.fetch(f"SELECT {COLUMNS}, {COUNTS} FROM threat_model t WHERE {where}{window(page)}", *args)
    found = await entries.read(tx, [row[0] for row in rows])
    return [(_model(row[:-COUNTED], found[row[0]]), Counts(*row[-COUNTED:])) for row in rows], total[0][0]


def _conditions(caller: Caller, filters: Filters) -> tuple[str, list[Value]]:
    conditions, args = [READABLE], list(asking(caller))

    def also(condition: str, *values: Value) -> None:
        conditions.append(condition.format(*(f"${len(args) + n}" for n in range(1, len(values) + 1))))
        args.extend(values)

    if filters.name is not None:
        also("t.name LIKE {} ESCAPE '\\'", containing(filters.name))
    for name in ("description", "issue_uri"):
        if part := getattr(filters, name):
            # lowered by the database on both sides: not every one lowers every letter
            also(f"lower({member(name)}) LIKE lower({{}}) ESCAPE '\\'", holding(part))
    if filters.owner is not None:
        id = "{} IN (t.owner_provider_id, t.owner_provider || ':' || t.owner_provider_id)"
        also(f"(t.owner_email LIKE {{}} ESCAPE '\\' OR {id})", containing(filters.owner.strip()), filters.owner)
    if filters.status:
        also("t.status = ANY({})", filters.status)
    if filters.security_reviewer is not None:
        also("t.security_reviewer LIKE {} ESCAPE '\\'", containing(filters.security_reviewer.strip()))
    if filters.reviewed is not None:
        also(f"t.security_reviewer IS {'NOT ' * filters.reviewed}NULL")
    for column, between in (("t.created_at", filters.created), ("t.modified_at", filters.modified)):
        for sign, moment in _bounds(between):
            also(f"{column} {sign} {{}}", moment)
    for sign, moment in _bounds(filters.status_updated):
        also(f"substr({member('status_updated')}, 1, {SECONDS}) {sign} {{}}", rfc3339(moment)[:SECONDS])
    return " AND ".join(conditions), args


def _bounds(between: Between) -> list[tuple[str, int]]:
    return [(sign, at) for sign, at in ((">", between.after_ms), ("<", between.before_ms)) if at is not None]


async def _change(tx: Transaction, model: ThreatModel, cause: Cause, now_ms: int) -> Changed:
    settled = await entries.settled(tx, model.entries)
    await tx.fetch(MODEL, model.id)
    before = await _read(tx, model.id)
    if before is None:
        return Changed.GONE
    owner, *described = _described(model)
    if not await tx.execute(CHANGE, model.id, model.version, *owner, *described, now_ms):
        return Changed.STALE
    if settled != before.entries or model.owner != before.owner:
        await raise_below(tx, model.id)
    if settled != before.entries:
        await entries.write(tx, model.id, settled)
    await record(tx, now_ms, line(cause, Action.UPDATED, OBJECT, model.id, model.id))
    return Changed.DONE


async def _delete(
    tx: Transaction, id: ThreatModelId, cause: Cause, version: int | None, now_ms: int
) -> list[DiagramId] | None:
    held = await first(tx, MODEL_GOES, id)
    if held is not None and version not in (None, held[0]):
        return None
    diagrams = await raise_below(tx, id)
    ended = await end_sessions(tx, diagrams, Ending.THREAT_MODEL_DELETED, cause, now_ms)
    await tx.execute(
        "UPDATE diagram_head SET deleted_at = $2 WHERE threat_model_id = $1 AND deleted_at IS NULL", id, now_ms
    )
    await remember_readers(tx, id, now_ms)
    if await tx.execute("DELETE FROM threat_model WHERE id = $1", id):
        await record(tx, now_ms, *ended, line(cause, Action.DELETED, OBJECT, id, id))
    return sorted(diagrams)

"""Members of the nested collections of a threat model, all of one shape."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import msgspec

from protocol.values import Caller, ThreatModelId
from rest.ports import (
    ANY_ITEM,
    BY_ITSELF,
    NO_DETAILS,
    RANKS,
    SCORE,
    Action,
    Cause,
    Changed,
    Details,
    Item,
    ItemFilters,
    ItemId,
    ItemKind,
    Page,
)
from storage import columns
from storage.changes import line, record
from storage.columns import text
from storage.database import Row, Transaction, Value, first
from storage.rights import MODEL_STAYS, READABLE, asking
from storage.tables import Tables, containing, holding, member, name_key, window

COLUMNS = "id, threat_model_id, created_at, modified_at, fields, metadata, version"
ADD = f"INSERT INTO item ({COLUMNS}, kind, name) VALUES ($1, $2, $3, $3, $4, $5, $6, $7, $8)"
CHANGE = "UPDATE item SET fields = $2, metadata = $3, name = $4, modified_at = $5, version = version + 1 WHERE id = $1"
HELD = "SELECT id, version FROM item WHERE id = ANY($1) AND kind = $2 ORDER BY id FOR NO KEY UPDATE"
OF_MODEL = "threat_model_id = $1"
OF_READABLE = f"threat_model_id IN (SELECT t.id FROM threat_model t WHERE {READABLE})"


def _rank(name: str, words: Sequence[str]) -> str:
    whens = " ".join(f"WHEN '{word}' THEN {rank}" for rank, word in enumerate(words))
    return f"CASE lower({member(name)}) {whens} ELSE -1 END"


SORTS = {name: _rank(name, words) for name, words in RANKS.items()} | {
    SCORE: f"coalesce(CAST({member(SCORE)} AS double precision), -1)"
}


class Items(Tables):
    async def create_items(
        self, kind: ItemKind, items: Sequence[Item], cause: Cause = BY_ITSELF
    ) -> Sequence[Item] | None:
        now_ms = self._now_ms()
        made = [msgspec.structs.replace(item, created_at_ms=now_ms, modified_at_ms=now_ms) for item in items]
        return await self._database.transaction(partial(_create, kind=kind, items=made, cause=cause, now_ms=now_ms))

    async def item(self, kind: ItemKind, id: ItemId) -> Item | None:
        sql = f"SELECT {COLUMNS} FROM item WHERE id = $1 AND kind = $2"
        row = await self._database.read(lambda tx: first(tx, sql, id, kind.value))
        return None if row is None else _item(row)

    async def items(
        self, kind: ItemKind, id: ThreatModelId, page: Page, filters: ItemFilters = ANY_ITEM
    ) -> tuple[Sequence[Item], int]:
        where, args = _conditions(OF_MODEL, (id,), kind, filters)
        return await self._database.read(partial(_items, where=where, args=args, page=page))

    async def readable_items(
        self, caller: Caller, kind: ItemKind, page: Page, filters: ItemFilters = ANY_ITEM
    ) -> tuple[Sequence[Item], int]:
        where, args = _conditions(OF_READABLE, asking(caller), kind, filters)
        return await self._database.read(partial(_items, where=where, args=args, page=page))

    async def change_items(
        self, kind: ItemKind, items: Sequence[Item], cause: Cause = BY_ITSELF, details: Details = NO_DETAILS
    ) -> Changed:
        causes = [with_details(cause, details.get(item.id, {})) for item in items]
        return await self._database.transaction(
            partial(_change, kind=kind, items=items, causes=causes, now_ms=self._now_ms())
        )

    async def delete_item(self, kind: ItemKind, item: Item, cause: Cause = BY_ITSELF) -> Changed:
        return await self._database.transaction(
            partial(_delete, kind=kind, item=item, cause=cause, now_ms=self._now_ms())
        )


async def _create(
    tx: Transaction, kind: ItemKind, items: Sequence[Item], cause: Cause, now_ms: int
) -> Sequence[Item] | None:
    for model in {item.threat_model_id for item in items}:
        if await first(tx, MODEL_STAYS, model) is None:
            return None
    await tx.execute_many(ADD, [_added(kind, item) for item in items])
    await record(tx, now_ms, *(line(cause, Action.CREATED, kind, item.id, item.threat_model_id) for item in items))
    return items


def _added(kind: ItemKind, item: Item) -> tuple[Value, ...]:
    values = (text(item.fields), text(item.metadata), item.version, kind.value, name_key(item.fields))
    return (item.id, item.threat_model_id, item.created_at_ms, *values)


def with_details(cause: Cause, details: Mapping[str, Any]) -> Cause:
    return msgspec.structs.replace(cause, detail={**details, **cause.detail}) if details else cause


async def _change(
    tx: Transaction, kind: ItemKind, items: Sequence[Item], causes: Sequence[Cause], now_ms: int
) -> Changed:
    held = await _held(tx, kind, items)
    if held is not Changed.DONE:
        return held
    rows = [(item.id, text(item.fields), text(item.metadata), name_key(item.fields), now_ms) for item in items]
    await tx.execute_many(CHANGE, rows)
    each = zip(items, causes, strict=True)
    lines = [line(cause, Action.UPDATED, kind, item.id, item.threat_model_id) for item, cause in each]
    await record(tx, now_ms, *lines)
    return Changed.DONE


async def _delete(tx: Transaction, kind: ItemKind, item: Item, cause: Cause, now_ms: int) -> Changed:
    held = await _held(tx, kind, (item,))
    if held is not Changed.DONE:
        return held
    await tx.execute("DELETE FROM item WHERE id = $1", item.id)
    await record(tx, now_ms, line(cause, Action.DELETED, kind, item.id, item.threat_model_id))
    return Changed.DONE


async def _held(tx: Transaction, kind: ItemKind, items: Sequence[Item]) -> Changed:
    """Whether all of them are as they were read; from here on they stay so."""
    wanted = {str(item.id): item.version for item in items}
    found = {id: version for id, version in await tx.fetch(HELD, sorted(wanted), kind.value)}
    if found.keys() != wanted.keys():
        return Changed.GONE
    return Changed.DONE if found == wanted else Changed.STALE


async def _items(tx: Transaction, where: str, args: Sequence[Value], page: Page) -> tuple[list[Item], int]:
    total = await tx.fetch(f"SELECT count(*) FROM item WHERE {where}", *args)
    rows = await tx.fetch(f"SELECT {COLUMNS} FROM item WHERE {where}{window(page, SORTS)}", *args)
    return [_item(row) for row in rows], total[0][0]


def _conditions(
    scope: str, scope_args: Sequence[Value], kind: ItemKind, filters: ItemFilters
) -> tuple[str, tuple[Value, ...]]:
    conditions, args = [scope], list(scope_args)

    def also(condition: str, value: Value) -> None:
        args.append(value)
        conditions.append(condition.format(f"${len(args)}"))

    also("kind = {}", kind.value)
    if filters.name is not None:
        also("name LIKE {} ESCAPE '\\'", containing(filters.name))
    for name in ("severity", "priority", "status", "diagram_id"):
        if words := getattr(filters, name):
            # as it is, too: not every database lowers every letter
            either = f"({member(name)} = ANY({{0}}) OR lower({member(name)}) = ANY({{0}}))"
            also(either, [*words, *(word.lower() for word in words)])
    for word in filters.threat_type:
        # one word, or an array of them, which is JSON here; lowered by the database on both sides
        quoted = f"('\"' || lower({member('threat_type')}) || '\"')"
        also(f"{quoted} LIKE lower({{}}) ESCAPE '\\'", holding(text(word)))
    if filters.mitigated is not None:
        spelled = ("true", "1") if filters.mitigated else ("false", "0")
        also(f"coalesce(CAST({member('mitigated')} AS text), 'false') = ANY({{}})", spelled)
    return " AND ".join(conditions), tuple(args)


def _item(row: Row) -> Item:
    id, threat_model_id, created_at, modified_at, fields, metadata, version = row
    return Item(
        id=ItemId(id),
        threat_model_id=ThreatModelId(threat_model_id),
        created_at_ms=created_at,
        modified_at_ms=modified_at,
        fields=columns.fields(fields),
        metadata=columns.fields(metadata),
        version=version,
    )

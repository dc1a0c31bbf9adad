"""Members of the nested collections of a threat model, all of one shape."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import msgspec

from protocol.values import ThreatModelId
from rest.ports import Changed, Item, ItemId, ItemKind, Page
from storage import columns
from storage.columns import text
from storage.database import Row, Transaction, first
from storage.rights import MODEL_STAYS
from storage.tables import Tables, name_key, window

COLUMNS = "id, threat_model_id, created_at, modified_at, fields, metadata"
ADD = f"INSERT INTO item ({COLUMNS}, kind, name) VALUES ($1, $2, $3, $3, $4, $5, $6, $7)"


class Items(Tables):
    async def create_item(self, kind: ItemKind, item: Item) -> Item | None:
        now_ms = self._now_ms()
        item = msgspec.structs.replace(item, created_at_ms=now_ms, modified_at_ms=now_ms)
        return await self._database.transaction(partial(_create, kind=kind, item=item))

    async def item(self, kind: ItemKind, id: ItemId) -> Item | None:
        sql = f"SELECT {COLUMNS} FROM item WHERE id = $1 AND kind = $2"
        row = await self._database.read(lambda tx: first(tx, sql, id, kind.value))
        return None if row is None else _item(row)

    async def items(self, kind: ItemKind, id: ThreatModelId, page: Page) -> tuple[Sequence[Item], int]:
        return await self._database.read(partial(_items, kind=kind, id=id, page=page))

    async def change_item(
        self, kind: ItemKind, id: ItemId, fields: Mapping[str, Any], metadata: Mapping[str, str]
    ) -> Changed:
        sql = "UPDATE item SET fields = $3, metadata = $4, name = $5, modified_at = $6 WHERE id = $1 AND kind = $2"
        values = (text(fields), text(metadata), name_key(fields), self._now_ms())
        changed = await self._database.transaction(lambda tx: tx.execute(sql, id, kind.value, *values))
        return Changed.DONE if changed else Changed.GONE

    async def delete_item(self, kind: ItemKind, id: ItemId) -> Changed:
        sql = "DELETE FROM item WHERE id = $1 AND kind = $2"
        gone = await self._database.transaction(lambda tx: tx.execute(sql, id, kind.value))
        return Changed.DONE if gone else Changed.GONE


async def _create(tx: Transaction, kind: ItemKind, item: Item) -> Item | None:
    if await first(tx, MODEL_STAYS, item.threat_model_id) is None:
        return None
    values = (text(item.fields), text(item.metadata), kind.value, name_key(item.fields))
    await tx.execute(ADD, item.id, item.threat_model_id, item.created_at_ms, *values)
    return item


async def _items(tx: Transaction, kind: ItemKind, id: ThreatModelId, page: Page) -> tuple[list[Item], int]:
    where = "FROM item WHERE threat_model_id = $1 AND kind = $2"
    total = await tx.fetch(f"SELECT count(*) {where}", id, kind.value)
    rows = await tx.fetch(f"SELECT {COLUMNS} {where}{window(page)}", id, kind.value)
    return [_item(row) for row in rows], total[0][0]


def _item(row: Row) -> Item:
    id, threat_model_id, created_at, modified_at, fields, metadata = row
    return Item(
        id=ItemId(id),
        threat_model_id=ThreatModelId(threat_model_id),
        created_at_ms=created_at,
        modified_at_ms=modified_at,
        fields=columns.fields(fields),
        metadata=columns.fields(metadata),
    )

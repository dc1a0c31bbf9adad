"""Threats and whatever else lies below a threat model: one table of kinds, one set of endpoints (RE18)."""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from starlette.responses import Response

from protocol.values import Role, ThreatModelId
from rest import calls, rights, views
from rest.answers import answer, created, nothing
from rest.bodies import (
    Body,
    ItemFields,
    ThreatFields,
    check,
    check_size,
    content_type,
    json_object,
    json_value,
    metadata_of,
    without_server_fields,
)
from rest.calls import Call
from rest.dependencies import RestDependencies
from rest.editing import WHOLE, all_items
from rest.models import metadata_after
from rest.paging import listing, page, part
from rest.patching import TYPES, changes
from rest.ports import Changed, Filters, Item, ItemId, ItemKind, Page
from rest.problems import bad_field, not_found

Rows = list[Item]
Ranks = Mapping[str, Sequence[str]]
"""Field -> its words from the least to the greatest; a field without words is a number."""

SEVERITIES = ("unknown", "informational", "low", "medium", "high", "critical")
PRIORITIES = ("deferred", "low", "medium", "high", "immediate")
STATUSES = (
    "open",
    "confirmed",
    "deferred",
    "mitigation_planned",
    "mitigation_in_progress",
    "verification_pending",
    "mitigated",
    "resolved",
    "accepted",
    "closed",
    "false_positive",
)
"""The words of TMI's app; in this order it wants them sorted."""


@dataclass(frozen=True, slots=True)
class Kind:
    """`ranks`: by what its lists can be sorted beside name and times."""

    kind: ItemKind
    fields: type[ItemFields] = ItemFields
    defaults: Mapping[str, Any] = field(default_factory=dict)
    ranks: Ranks = field(default_factory=dict)

    @property
    def resource(self) -> str:
        """Its name in lists and addresses."""
        return views.RESOURCES[self.kind]


THREATS = Kind(
    ItemKind.THREAT,
    ThreatFields,
    {"status": "open"},
    {"severity": SEVERITIES, "priority": PRIORITIES, "status": STATUSES, "score": ()},
)


OTHERS = tuple(Kind(kind) for kind in views.RESOURCES if kind is not THREATS.kind)


class Items:
    """The items of one kind, at their nested addresses and, without a threat model in the path, at their flat ones."""

    def __init__(self, deps: RestDependencies, kind: Kind) -> None:
        self.deps = deps
        self.kind = kind

    async def list(self, call: Call) -> Response:
        within = self._within(call, call.query.get("threat_model_id"))
        asked = page(call.request, self.kind.ranks)
        if within is not None:
            await rights.on_model(self.deps, call, within, Role.READER)
        found = self._of_all_models(call, asked) if within is None else self._of_one(within, asked)
        rows, total = await found
        return listing(self.kind.resource, [self._view(row) for row in rows], total, asked)

    async def create(self, call: Call) -> Response:
        body = await json_object(call.request)
        within = self._within(call, body.get("threat_model_id"))
        if within is None:
            raise bad_field("threat_model_id", "Field required")
        await rights.on_model(self.deps, call, within, Role.WRITER)
        given = without_server_fields(body, same={"threat_model_id": body.get("threat_model_id")})
        metadata = metadata_of(given.pop("metadata", {}))
        item = Item(
            id=ItemId(str(uuid.uuid4())),
            threat_model_id=within,
            created_at_ms=0,
            modified_at_ms=0,
            fields=self._fields(self.kind.defaults, given),
            metadata=metadata,
        )
        made = await self.deps.models.create_item(self.kind.kind, item)
        if made is None:
            raise not_found()
        return created(self._view(made), call.here(made.id))

    async def read(self, call: Call) -> Response:
        return answer(self._view(await self._row(call, Role.READER)))

    async def replace(self, call: Call) -> Response:
        """Replaces what it names; `name` or `title` is required."""
        row = await self._row(call, Role.WRITER)
        body = await json_object(call.request)
        if body.get("name", body.get("title")) is None:
            raise bad_field("name", "Field required")
        return await self._change(row, body)

    async def patch(self, call: Call) -> Response:
        row = await self._row(call, Role.WRITER)
        kind = content_type(call.request, TYPES)
        patch = await json_value(call.request, types=TYPES)
        return await self._change(row, changes(kind, self._view(row), patch))

    async def delete(self, call: Call) -> Response:
        row = await self._row(call, Role.WRITER)
        if await self.deps.models.delete_item(self.kind.kind, row.id) is not Changed.DONE:
            raise not_found()
        return nothing()

    def _within(self, call: Call, named: Any) -> ThreatModelId | None:
        """The threat model of the path, else the one that query or body name. In both, they agree (S42)."""
        found = None
        if named is not None:
            if not isinstance(named, str):
                raise bad_field("threat_model_id", "must be a UUID", status=400, error="invalid_id")
            found = ThreatModelId(calls.uuid(named, "threat_model_id"))
        if "threat_model_id" not in call.request.path_params:
            return found
        if found not in (None, call.threat_model_id):
            raise bad_field("threat_model_id", "is another one than in the address", status=400, error="invalid_input")
        return call.threat_model_id

    async def _row(self, call: Call, needed: Role) -> Item:
        """404 before 403 where the item itself is unknown: its id alone tells nothing."""
        nested = "threat_model_id" in call.request.path_params
        id = ItemId(call.id("item_id"))
        if nested:
            await rights.on_model(self.deps, call, call.threat_model_id, needed)
        row = await self.deps.models.item(self.kind.kind, id)
        if row is None or (nested and row.threat_model_id != call.threat_model_id):
            raise not_found()
        if not nested:
            await rights.on_model(self.deps, call, row.threat_model_id, needed)
        return row

    async def _of_one(self, within: ThreatModelId, asked: Page) -> tuple[Sequence[Item], int]:
        if asked.sort not in self.kind.ranks:
            return await self.deps.models.items(self.kind.kind, within, asked)
        return self._sorted(await all_items(self.deps, self.kind.kind, within), asked)

    async def _of_all_models(self, call: Call, asked: Page) -> tuple[Sequence[Item], int]:
        readable, _ = await self.deps.models.readable(call.caller, Filters(), WHOLE)
        rows: Rows = []
        for model, counts in readable:
            if counts.threats:
                rows += await all_items(self.deps, self.kind.kind, model.id)
        return self._sorted(rows, asked)

    def _sorted(self, rows: Rows, asked: Page) -> tuple[Sequence[Item], int]:
        rows.sort(key=lambda row: (_sort_key(row, asked.sort, self.kind.ranks), row.id), reverse=asked.descending)
        return part(rows, asked), len(rows)

    async def _change(self, row: Item, body: Body) -> Response:
        without_server_fields(body, same={"threat_model_id": row.threat_model_id})
        named = {name: value for name, value in body.items() if name not in ("metadata", "threat_model_id")}
        fields = self._fields(row.fields, named)
        metadata = metadata_after(row.metadata, body.get("metadata", {}))
        if await self.deps.models.change_item(self.kind.kind, row.id, fields, metadata) is not Changed.DONE:
            raise not_found()
        after = await self.deps.models.item(self.kind.kind, row.id)
        if after is None:
            raise not_found()
        return answer(self._view(after))

    def _fields(self, before: Mapping[str, Any], body: Body) -> dict[str, Any]:
        """The fields after `body`. `title` is another spelling of `name`, which wins where both stand. Raises 422."""
        named = dict(body)
        title = named.pop("title", None)
        if "name" not in named and "title" in body:
            named["name"] = title
        fields = {name: value for name, value in {**before, **named}.items() if value is not None}
        check(self.kind.fields, fields)
        check_size(fields)
        return fields

    def _view(self, row: Item) -> views.View:
        return views.item(self.kind.kind, row)


def _sort_key(row: Item, field: str, ranks: Ranks) -> Any:
    if field == "name":
        return row.fields["name"].casefold()
    return _rank(row.fields.get(field), ranks[field]) if field in ranks else getattr(row, f"{field}_ms")


def _rank(value: Any, words: Sequence[str]) -> float:
    """What is not there, or no word of the list, comes before all that is."""
    if isinstance(value, str):
        return words.index(value.lower()) if value.lower() in words else -1
    return -1 if value is None else value

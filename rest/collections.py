"""Threats and whatever else lies below a threat model: one table of kinds, one set of endpoints (RE18)."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from starlette.responses import Response

from protocol.values import Role, ThreatModelId
from rest import calls, rights, views
from rest.answers import answer, created, nothing
from rest.bodies import (
    REQUIRED,
    Body,
    ItemFields,
    ThreatFields,
    TitleFields,
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
from rest.editing import ATTEMPTS, edit_item, keeps_changing, turn
from rest.models import metadata_after
from rest.paging import listing, page, text, word, words
from rest.patching import TYPES, changes
from rest.ports import ANY_ITEM, RANKS, SCORE, Changed, Item, ItemFilters, ItemId, ItemKind, but
from rest.preconditions import etag, hold_to, if_match
from rest.problems import bad_field, not_found


@dataclass(frozen=True, slots=True)
class Kind:
    """`sorts`: by what its lists can be sorted beside name and times."""

    kind: ItemKind
    fields: type[ItemFields] = ItemFields
    defaults: Mapping[str, Any] = field(default_factory=dict)
    sorts: Sequence[str] = ()

    @property
    def resource(self) -> str:
        """Its name in lists and addresses."""
        return views.RESOURCES[self.kind]


THREATS = Kind(ItemKind.THREAT, ThreatFields, {"status": "open"}, (*RANKS, SCORE))


OTHERS = tuple(Kind(kind) for kind in views.RESOURCES if kind is not THREATS.kind)


class Items:
    """The items of one kind, at their nested addresses and, without a threat model in the path, at their flat ones."""

    def __init__(self, deps: RestDependencies, kind: Kind) -> None:
        self.deps = deps
        self.kind = kind

    async def list(self, call: Call) -> Response:
        within = self._within(call, call.query.get("threat_model_id"))
        asked, wanted = page(call.request, self.kind.sorts), self._filters(call)
        if within is None:
            rows, total = await self.deps.models.readable_items(call.caller, self.kind.kind, asked, wanted)
        else:
            await rights.on_model(self.deps, call, within, Role.READER)
            rows, total = await self.deps.models.items(self.kind.kind, within, asked, wanted)
        return listing(self.kind.resource, [self.view(row) for row in rows], total, asked)

    async def create(self, call: Call) -> Response:
        body = await json_object(call.request)
        within = self._within(call, body.get("threat_model_id"))
        if within is None:
            raise bad_field("threat_model_id", REQUIRED)
        await rights.on_model(self.deps, call, within, Role.WRITER)
        made = await self.deps.models.create_items(self.kind.kind, (self.founded(within, body),), call.cause())
        if made is None:
            raise not_found()
        (item,) = made
        return created(self.view(item), call.here(item.id), {"ETag": etag(item.version)})

    async def read(self, call: Call) -> Response:
        return self._shown(await self._row(call, Role.READER))

    async def replace(self, call: Call) -> Response:
        """Replaces what it names; `name` or `title` is required."""
        row = await self._row(call, Role.WRITER)
        body = await json_object(call.request)
        return await self._change(call, row, lambda before: self.replaced(before, body))

    async def patch(self, call: Call) -> Response:
        row = await self._row(call, Role.WRITER)
        kind = content_type(call.request, TYPES)
        patch = await json_value(call.request, types=TYPES)
        return await self._change(call, row, lambda before: self.patched(before, kind, patch))

    async def delete(self, call: Call) -> Response:
        wanted = if_match(call.request)
        for attempt in range(ATTEMPTS):
            await turn(attempt)
            row = await self._row(call, Role.WRITER)
            hold_to(wanted, row.version)
            gone = await self.deps.models.delete_item(self.kind.kind, row, call.cause())
            if gone is Changed.DONE:
                return nothing()
            if gone is Changed.GONE:
                raise not_found()
        raise keeps_changing()

    # items as values --------------------------------------------------------------------------------------------------

    def founded(self, within: ThreatModelId, body: Body) -> Item:
        """A new one as this body describes it. Raises 400, 422."""
        given = without_server_fields(body, same={"threat_model_id": within})
        metadata = metadata_of(given.pop("metadata", {}))
        return Item(
            id=ItemId(str(uuid.uuid4())),
            threat_model_id=within,
            created_at_ms=0,
            modified_at_ms=0,
            fields=self._fields(self.kind.defaults, given),
            metadata=metadata,
        )

    def replaced(self, before: Item, body: Body) -> Item:
        if self._named(body).get("name") is None:
            raise bad_field("name", REQUIRED)
        return self.changed(before, body)

    def patched(self, before: Item, kind: str, patch: Any) -> Item:
        return self.changed(before, changes(kind, self.view(before), patch))

    def changed(self, before: Item, body: Body) -> Item:
        """`body`: members and what they become, None where they go. Raises 400, 422."""
        without_server_fields(body, same={"threat_model_id": before.threat_model_id})
        named = {name: value for name, value in body.items() if name not in ("metadata", "threat_model_id")}
        metadata = metadata_after(before.metadata, body.get("metadata", {}))
        return but(before, fields=self._fields(before.fields, named), metadata=metadata)

    def view(self, row: Item) -> views.View:
        return views.item(self.kind.kind, row)

    def _fields(self, before: Mapping[str, Any], body: Body) -> dict[str, Any]:
        """The fields after `body`. Raises 422."""
        fields = {name: value for name, value in {**before, **self._named(body)}.items() if value is not None}
        check(self.kind.fields, fields)
        check_size(fields)
        return fields

    def _named(self, body: Body) -> Body:
        """A threat's `title` is another spelling of its `name`, which wins where both stand."""
        if self.kind is not THREATS or "title" not in body:
            return body
        check(TitleFields, body)
        return {"name": body["title"]} | {name: value for name, value in body.items() if name != "title"}

    # requests ---------------------------------------------------------------------------------------------------------

    def _filters(self, call: Call) -> ItemFilters:
        """Everything has a name; what else is known here, threats have."""
        query = call.request.query_params
        named = but(ANY_ITEM, name=text(query, "name"))
        if self.kind is not THREATS:
            return named
        return but(
            named,
            severity=words(query, "severity"),
            priority=words(query, "priority"),
            status=words(query, "status"),
            diagram_id=words(query, "diagram_id"),
            threat_type=words(query, "threat_type"),
            mitigated=word(query, "mitigated", {"true": True, "false": False}),
        )

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

    async def _change(self, call: Call, row: Item, change: Callable[[Item], Item]) -> Response:
        """`change`: from the item that stands to the one that shall."""
        wanted = if_match(call.request)

        async def edit(before: Item) -> Item:
            # Once more, since the body may have taken its time (AU15).
            await rights.on_model(self.deps, call, before.threat_model_id, Role.WRITER)
            hold_to(wanted, before.version)
            return change(before)

        return self._shown(await edit_item(self.deps, self.kind.kind, row.id, edit, call.cause()))

    def _shown(self, row: Item) -> Response:
        return answer(self.view(row), headers={"ETag": etag(row.version)})

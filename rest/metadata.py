"""`{key, value}` pairs of threat models, diagrams and items: one set of endpoints over three kinds of holder."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Protocol

from starlette.responses import Response

from protocol.values import Role
from rest import rights
from rest.answers import answer, created, nothing
from rest.bodies import as_object, json_object, json_value, metadata_key, metadata_of, metadata_value
from rest.calls import Call
from rest.dependencies import RestDependencies
from rest.editing import edit_model
from rest.paging import bare, listing, page, part
from rest.ports import Changed, DiagramRow, Item, ItemId, ItemKind, ThreatModel, but
from rest.problems import bad_field, conflict, not_found
from rest.views import View, metadata_form

BULK_ENTRIES = 100
Pairs = Mapping[str, str]
Edit = Callable[[Pairs], Pairs]


class Holder(Protocol):
    async def read(self, call: Call, needed: Role) -> Pairs:
        """Looks at the caller's rights first."""

    async def edit(self, call: Call, edit: Edit) -> Pairs:
        """The pairs as written. `read` with a writer's right comes before it."""


class Metadata:
    def __init__(self, holder: Holder) -> None:
        self.holder = holder

    async def list(self, call: Call) -> Response:
        return _listing(call, await self.holder.read(call, Role.READER))

    async def add(self, call: Call) -> Response:
        await self.holder.read(call, Role.WRITER)
        body = await json_object(call.request)
        key, value = metadata_key(body.get("key")), metadata_value(body.get("value"))
        await self.holder.edit(call, lambda pairs: _added(pairs, {key: value}))
        return created({"key": key, "value": value}, call.here(key))

    async def read(self, call: Call) -> Response:
        key = call.request.path_params["key"]
        pairs = await self.holder.read(call, Role.READER)
        if key not in pairs:
            raise not_found()
        return answer({"key": key, "value": pairs[key]})

    async def replace(self, call: Call) -> Response:
        await self.holder.read(call, Role.WRITER)
        key = call.request.path_params["key"]
        value = metadata_value((await json_object(call.request)).get("value"))
        await self.holder.edit(call, lambda pairs: {**_holding(pairs, key), key: value})
        return answer({"key": key, "value": value})

    async def remove(self, call: Call) -> Response:
        await self.holder.read(call, Role.WRITER)
        key = call.request.path_params["key"]
        await self.holder.edit(call, lambda pairs: {k: v for k, v in _holding(pairs, key).items() if k != key})
        return nothing()

    async def add_all(self, call: Call) -> Response:
        await self.holder.read(call, Role.WRITER)
        given = await _bulk(call)
        pairs = await self.holder.edit(call, lambda pairs: _added(pairs, given))
        return _listing(call, pairs, 201)

    async def replace_all(self, call: Call) -> Response:
        await self.holder.read(call, Role.WRITER)
        given = await _bulk(call)
        return _listing(call, await self.holder.edit(call, lambda _: given))

    async def merge_all(self, call: Call) -> Response:
        await self.holder.read(call, Role.WRITER)
        given = await _bulk(call)
        return _listing(call, await self.holder.edit(call, lambda pairs: {**pairs, **given}))


def _listing(call: Call, pairs: Pairs, status: int = 200) -> Response:
    shown: list[View] = metadata_form(pairs)
    if call.forms.bare_metadata:
        response = bare(shown, len(shown))
    else:
        asked = page(call.request)
        response = listing("metadata", part(shown, asked), len(shown), asked)
    response.status_code = status
    return response


def _added(pairs: Pairs, given: Pairs) -> Pairs:
    for key in given:
        if key in pairs:
            raise conflict(f"There is a value for {key} already.", key=key)
    return metadata_of({**pairs, **given})


def _holding(pairs: Pairs, key: str) -> Pairs:
    if key not in pairs:
        raise not_found()
    return pairs


async def _bulk(call: Call) -> Pairs:
    """A list of pairs, bare or under `metadata`, or an object map."""
    body = await json_value(call.request)
    if isinstance(body, dict):
        body = as_object(body).get("metadata", body)
    given = metadata_of(body)
    if len(given) > BULK_ENTRIES:
        raise bad_field("metadata", f"more than {BULK_ENTRIES} entries at once")
    return given


class OfThreatModel:
    def __init__(self, deps: RestDependencies) -> None:
        self.deps = deps

    async def read(self, call: Call, needed: Role) -> Pairs:
        id = call.threat_model_id
        await rights.on_model(self.deps, call, id, needed)
        model = await self.deps.models.read(id)
        if model is None:
            raise not_found()
        return model.metadata

    async def edit(self, call: Call, edit: Edit) -> Pairs:
        def edited(model: ThreatModel) -> ThreatModel:
            return but(model, metadata=dict(edit(model.metadata)))

        return (await edit_model(self.deps, call.threat_model_id, edited)).metadata


class OfDiagram:
    def __init__(self, deps: RestDependencies) -> None:
        self.deps = deps

    async def read(self, call: Call, needed: Role) -> Pairs:
        await rights.on_diagram(self.deps, call, call.threat_model_id, call.diagram_id, needed)
        return (await self._row(call)).metadata

    async def edit(self, call: Call, edit: Edit) -> Pairs:
        row = await self._row(call)
        after = dict(edit(row.metadata))
        if await self.deps.models.change_diagram(row.id, row.fields, after) is not Changed.DONE:
            raise not_found()
        return after

    async def _row(self, call: Call) -> DiagramRow:
        row = await self.deps.models.diagram(call.diagram_id)
        if row is None:
            raise not_found()
        return row


class OfItem:
    def __init__(self, deps: RestDependencies, kind: ItemKind) -> None:
        self.deps = deps
        self.kind = kind

    async def read(self, call: Call, needed: Role) -> Pairs:
        await rights.on_model(self.deps, call, call.threat_model_id, needed)
        return (await self._row(call)).metadata

    async def edit(self, call: Call, edit: Edit) -> Pairs:
        row = await self._row(call)
        after = dict(edit(row.metadata))
        if await self.deps.models.change_item(self.kind, row.id, row.fields, after) is not Changed.DONE:
            raise not_found()
        return after

    async def _row(self, call: Call) -> Item:
        row = await self.deps.models.item(self.kind, ItemId(call.id("item_id")))
        if row is None or row.threat_model_id != call.threat_model_id:
            raise not_found()
        return row

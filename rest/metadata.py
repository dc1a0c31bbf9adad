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
from rest.editing import edit_diagram, edit_item, edit_model
from rest.paging import BARE, bare, listing, page, part
from rest.ports import Action, Cause, DiagramRow, Item, ItemId, ItemKind, Page, ThreatModel, but
from rest.problems import bad_field, conflict, not_found
from rest.trail import NAMED
from rest.views import View, metadata_form

BULK_ENTRIES = 100
Pairs = Mapping[str, str]
Edit = Callable[[Pairs], Pairs]


class Holder(Protocol):
    object_type: str

    async def read(self, call: Call, needed: Role) -> Pairs:
        """Looks at the caller's rights first."""

    async def edit(self, call: Call, edit: Edit, cause: Cause) -> Pairs:
        """The pairs as written. `read` with a writer's right comes before it."""


class Metadata:
    def __init__(self, holder: Holder) -> None:
        self.holder = holder

    async def list(self, call: Call) -> Response:
        pairs = await self.holder.read(call, Role.READER)
        return _listing(call, pairs, page(call.request))

    async def add(self, call: Call) -> Response:
        await self.holder.read(call, Role.WRITER)
        body = await json_object(call.request)
        key, value = metadata_key(body.get("key")), metadata_value(body.get("value"))
        await self._edit(call, lambda pairs: _added(pairs, {key: value}), self._cause(call, Action.CREATED, key))
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
        cause = self._cause(call, Action.UPDATED, key)
        await self._edit(call, lambda pairs: {**_holding(pairs, key), key: value}, cause)
        return answer({"key": key, "value": value})

    async def remove(self, call: Call) -> Response:
        await self.holder.read(call, Role.WRITER)
        key = call.request.path_params["key"]
        cause = self._cause(call, Action.DELETED, key)
        await self._edit(call, lambda pairs: {k: v for k, v in _holding(pairs, key).items() if k != key}, cause)
        return nothing()

    async def add_all(self, call: Call) -> Response:
        await self.holder.read(call, Role.WRITER)
        given = await _bulk(call)
        cause = self._cause(call, Action.CREATED, *given)
        await self._edit(call, lambda pairs: _added(pairs, given), cause)
        response = _listing(call, given, BARE)
        response.status_code = 201
        return response

    async def replace_all(self, call: Call) -> Response:
        await self.holder.read(call, Role.WRITER)
        given = await _bulk(call)
        # Which keys it takes away, too, shows when it is written.
        cause = self._cause(call, Action.UPDATED)
        return _listing(call, await self._edit(call, lambda _: given, cause), BARE)

    async def merge_all(self, call: Call) -> Response:
        await self.holder.read(call, Role.WRITER)
        given = await _bulk(call)
        cause = self._cause(call, Action.UPDATED, *given)
        return _listing(call, await self._edit(call, lambda pairs: {**pairs, **given}, cause), BARE)

    async def _edit(self, call: Call, edit: Edit, cause: Cause) -> Pairs:
        """The right is looked at once more, since the body may have taken its time (AU15)."""
        await self.holder.read(call, Role.WRITER)
        return await self.holder.edit(call, edit, cause)

    def _cause(self, call: Call, action: Action, *keys: str) -> Cause:
        named = {"keys": keys[:NAMED]} if keys else {}
        return call.cause("metadata", action, of=self.holder.object_type, **named)


def _listing(call: Call, pairs: Pairs, asked: Page) -> Response:
    """A bulk call is answered with all that it made: no parameter of it asks for a part, nor could be refused when all
    is written."""
    shown: list[View] = metadata_form(pairs)
    if call.forms.bare_metadata:
        return bare(shown, len(shown))
    return listing("metadata", part(shown, asked), len(shown), asked)


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
    object_type = "threat_model"

    def __init__(self, deps: RestDependencies) -> None:
        self.deps = deps

    async def read(self, call: Call, needed: Role) -> Pairs:
        id = call.threat_model_id
        await rights.on_model(self.deps, call, id, needed)
        model = await self.deps.models.read(id)
        if model is None:
            raise not_found()
        return model.metadata

    async def edit(self, call: Call, edit: Edit, cause: Cause) -> Pairs:
        async def edited(model: ThreatModel) -> ThreatModel:
            return but(model, metadata=dict(edit(model.metadata)))

        return (await edit_model(self.deps, call.threat_model_id, edited, cause)).metadata


class OfDiagram:
    object_type = "diagram"

    def __init__(self, deps: RestDependencies) -> None:
        self.deps = deps

    async def read(self, call: Call, needed: Role) -> Pairs:
        await rights.on_diagram(self.deps, call, call.threat_model_id, call.diagram_id, needed)
        row = await self.deps.models.diagram(call.diagram_id)
        if row is None:
            raise not_found()
        return row.metadata

    async def edit(self, call: Call, edit: Edit, cause: Cause) -> Pairs:
        async def edited(row: DiagramRow) -> DiagramRow:
            return but(row, metadata=dict(edit(row.metadata)))

        return (await edit_diagram(self.deps, call.diagram_id, edited, cause)).metadata


class OfItem:
    def __init__(self, deps: RestDependencies, kind: ItemKind) -> None:
        self.deps = deps
        self.kind = kind
        self.object_type = kind.value

    async def read(self, call: Call, needed: Role) -> Pairs:
        id = ItemId(call.id("item_id"))
        await rights.on_model(self.deps, call, call.threat_model_id, needed)
        row = await self.deps.models.item(self.kind, id)
        if row is None or row.threat_model_id != call.threat_model_id:
            raise not_found()
        return row.metadata

    async def edit(self, call: Call, edit: Edit, cause: Cause) -> Pairs:
        async def edited(row: Item) -> Item:
            return but(row, metadata=dict(edit(row.metadata)))

        return (await edit_item(self.deps, self.kind, ItemId(call.id("item_id")), edited, cause)).metadata

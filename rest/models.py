"""Threat models: list, create, read, change, delete."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from typing import Any

from starlette.responses import Response

from protocol.dialects.times import rfc3339
from protocol.values import Role, ThreatModelId, User
from rest import rights, views
from rest.answers import answer, created, nothing
from rest.bodies import (
    Body,
    ThreatModelFields,
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
from rest.editing import all_diagrams, all_items, edit_model
from rest.entries import Entries, checked, owner_entry, read_entries, read_owner, subject, with_owner
from rest.paging import BARE, asked_for, bare, listing, page
from rest.patching import TYPES, changes
from rest.ports import Filters, ThreatModel, but
from rest.problems import bad_field, forbidden, malformed, not_found

DEFAULTS = {"threat_model_framework": "STRIDE"}
BELOW = ("diagrams", *views.RESOURCES.values())
"""Shown inside a threat model, changed at their own addresses."""
BY_OWNER = ("authorization", "owner")


class ThreatModels:
    def __init__(self, deps: RestDependencies) -> None:
        self.deps = deps

    async def list(self, call: Call) -> Response:
        as_bare = call.forms.bare_models and not asked_for(call.request)
        asked = BARE if as_bare else page(call.request)
        rows, total = await self.deps.models.readable(call.caller, filters(call.query), asked)
        items = [views.threat_model_item(model, counts, call.forms) for model, counts in rows]
        return bare(items, total) if as_bare else listing("threat_models", items, total, asked)

    async def create(self, call: Call) -> Response:
        body = without_server_fields(await json_object(call.request), "owner", *BELOW)
        given = await read_entries(self.deps.models, body.pop("authorization", []))
        metadata = metadata_of(body.pop("metadata", {}))
        fields = checked_fields(DEFAULTS, body, self.deps.now_ms())
        user = call.caller.user
        model = ThreatModel(
            id=ThreatModelId(str(uuid.uuid4())),
            owner=user,
            created_by=user,
            created_at_ms=0,
            modified_at_ms=0,
            fields=fields,
            entries=checked(with_creator(given, user)),
            metadata=metadata,
        )
        model = await self.deps.models.create(model)
        return created(await self._whole(call, model), f"/threat_models/{model.id}")

    async def read(self, call: Call) -> Response:
        id = call.threat_model_id
        await rights.on_model(self.deps, call, id, Role.READER)
        return answer(await self._whole(call, await self._model(id)))

    async def replace(self, call: Call) -> Response:
        """Replaces what it names; `name` is required."""
        id = call.threat_model_id
        role = await rights.on_model(self.deps, call, id, Role.WRITER)
        body = await json_object(call.request)
        if "name" not in body:
            raise bad_field("name", "Field required")
        return await self._change(call, id, role, body)

    async def patch(self, call: Call) -> Response:
        id = call.threat_model_id
        role = await rights.on_model(self.deps, call, id, Role.WRITER)
        kind = content_type(call.request, TYPES)
        patch = await json_value(call.request, types=TYPES)
        document = await self._whole(call, await self._model(id))
        return await self._change(call, id, role, changes(kind, document, patch))

    async def delete(self, call: Call) -> Response:
        id = call.threat_model_id
        await rights.on_model(self.deps, call, id, Role.OWNER)
        for diagram in await self.deps.models.delete(id):
            await self.deps.rooms.session_changed(diagram)
        return nothing()

    async def _model(self, id: ThreatModelId) -> ThreatModel:
        model = await self.deps.models.read(id)
        if model is None:
            raise not_found()
        return model

    async def _change(self, call: Call, id: ThreatModelId, role: Role, body: Body) -> Response:
        """`body`: top-level members and what they become, None where they go."""
        without_server_fields(body, *BELOW)
        if role < Role.OWNER and any(name in body for name in BY_OWNER):
            raise forbidden("Only an owner may change who has access.")
        owner = await read_owner(self.deps.models, body["owner"]) if body.get("owner") is not None else None
        named = body.get("authorization")
        entries = None if named is None else await read_entries(self.deps.models, named)

        def edit(model: ThreatModel) -> ThreatModel:
            return but(
                model,
                owner=owner or model.owner,
                entries=_entries(model, entries, owner),
                metadata=metadata_after(model.metadata, body.get("metadata", {})),
                fields=checked_fields(model.fields, body, self.deps.now_ms()),
            )

        return answer(await self._whole(call, await edit_model(self.deps, id, edit)))

    async def _whole(self, call: Call, model: ThreatModel) -> views.View:
        items = {
            resource: [views.item(kind, row) for row in await all_items(self.deps, kind, model.id)]
            for kind, resource in views.RESOURCES.items()
        }
        diagrams = [row async for row in all_diagrams(self.deps, model.id)]
        counts = await self.deps.models.counts(model.id)
        shown = [views.diagram_item(row) for row in diagrams]
        if call.forms.whole_diagrams:
            viewed = [(row, await self.deps.rooms.view(row.id)) for row in diagrams]
            shown = [views.diagram(row, found) for row, found in viewed if found is not None]
        return views.threat_model(model, counts, call.forms, shown, items)


def filters(query: Mapping[str, str]) -> Filters:
    if any("\0" in value for value in query.values()):
        raise malformed("A filter holds NUL.")
    statuses = tuple(word.strip() for word in query.get("status", "").split(",") if word.strip())
    return Filters(
        name=query.get("name") or None,
        owner=query.get("owner") or None,
        status=statuses,
        security_reviewer=query.get("security_reviewer") or None,
    )


def with_creator(given: Entries, user: User) -> Entries:
    """AU17: the creator is owner, whatever the body says of them."""
    own = owner_entry(user)
    return (own, *(entry for entry in given if subject(entry) != subject(own)))


def _entries(model: ThreatModel, entries: Entries | None, owner: User | None) -> Entries:
    """A former owner keeps an entry, a new one has one."""
    after = model.entries if entries is None else entries
    if owner is not None and owner.id != model.owner.id:
        after = with_owner(with_owner(after, model.owner), owner)
    return after if after is model.entries else checked(after)


def checked_fields(before: Mapping[str, Any], body: Body, now_ms: int) -> dict[str, Any]:
    """The fields after `body` was laid over them. Raises 422."""
    named = {name: value for name, value in body.items() if name not in (*BY_OWNER, "metadata", "status_updated")}
    fields = {name: value for name, value in {**before, **named}.items() if value is not None}
    check(ThreatModelFields, fields)
    check_size(fields)
    if fields.get("status") != before.get("status"):
        fields["status_updated"] = rfc3339(now_ms)
    return fields


def metadata_after(before: Mapping[str, str], value: Any) -> dict[str, str]:
    """An object is merged by key, null deleting; a list replaces; null deletes all. Raises 422."""
    if not isinstance(value, dict):
        return metadata_of([] if value is None else value)
    kept = {key: text for key, text in before.items() if value.get(key, text) is not None}
    return metadata_of(kept | {key: text for key, text in value.items() if text is not None})

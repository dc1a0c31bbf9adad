"""Threat models: list, create, read, change, delete."""

from __future__ import annotations

import uuid
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from starlette.datastructures import QueryParams
from starlette.responses import Response

from protocol.dialects.times import rfc3339
from protocol.values import Role, ThreatModelId, User
from rest import rights, views
from rest.answers import nothing
from rest.bodies import (
    REQUIRED,
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
from rest.entries import Entries, checked, owner_entry, owner_of, read_entries, read_owner, subject, with_owner
from rest.large import large_answer
from rest.paging import BARE, asked_for, bare, listing, moment, page, text, words
from rest.patching import TYPES, changes
from rest.ports import Between, Filters, ThreatModel, but
from rest.preconditions import etag, hold_to, if_match
from rest.problems import bad_field, conflict, forbidden, not_found

DEFAULTS = {"threat_model_framework": "STRIDE", "status": "not_started"}
BELOW = ("diagrams", *views.RESOURCES.values())
"""Shown inside a threat model, changed at their own addresses."""
BY_OWNER = ("authorization", "owner")
REVIEWED = {"is:null": False, "is:notnull": True}
"""Words of the filter `security_reviewer`."""

Change = Callable[[ThreatModel], Awaitable[Body]]
"""From the threat model that stands to the top-level members that become something else, None where they go."""


class ThreatModels:
    def __init__(self, deps: RestDependencies) -> None:
        self.deps = deps

    async def list(self, call: Call) -> Response:
        as_bare = call.forms.bare_models and not asked_for(call.request)
        asked = BARE if as_bare else page(call.request)
        rows, total = await self.deps.models.readable(call.caller, filters(call.request.query_params), asked)
        items = [views.threat_model_item(model, counts, call.forms) for model, counts in rows]
        return bare(items, total) if as_bare else listing("threat_models", items, total, asked)

    async def create(self, call: Call) -> Response:
        body = without_server_fields(await json_object(call.request), "owner", *BELOW)
        given = await read_entries(self.deps.models, body.pop("authorization", []))
        metadata = metadata_of(body.pop("metadata", {}))
        fields = checked_fields({}, DEFAULTS | body, self.deps.now_ms())
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
        model = await self.deps.models.create(model, call.cause())
        return await self._shown(call, model, 201, {"Location": f"/threat_models/{model.id}"})

    async def read(self, call: Call) -> Response:
        id = call.threat_model_id
        await rights.on_model(self.deps, call, id, Role.READER)
        return await self._shown(call, await self._model(id))

    async def replace(self, call: Call) -> Response:
        """Replaces what it names; `name` is required."""
        await rights.on_model(self.deps, call, call.threat_model_id, Role.WRITER)
        body = await json_object(call.request)
        if "name" not in body:
            raise bad_field("name", REQUIRED)

        async def named(_: ThreatModel) -> Body:
            return body

        return await self._change(call, named)

    async def patch(self, call: Call) -> Response:
        await rights.on_model(self.deps, call, call.threat_model_id, Role.WRITER)
        kind = content_type(call.request, TYPES)
        patch = await json_value(call.request, types=TYPES)

        async def patched(model: ThreatModel) -> Body:
            return changes(kind, await self._whole(call, model), patch)

        return await self._change(call, patched)

    async def delete(self, call: Call) -> Response:
        id, wanted = call.threat_model_id, if_match(call.request)
        await rights.on_model(self.deps, call, id, Role.OWNER)
        version = None
        if wanted is not None:
            version = (await self._model(id)).version
            hold_to(wanted, version)
        diagrams = await self.deps.models.delete(id, call.cause(), None if wanted and wanted.anything else version)
        if diagrams is None:
            raise conflict("It has just been changed.", "version_mismatch")
        for diagram in diagrams:
            await self.deps.rooms.session_changed(diagram)
        return nothing()

    async def _model(self, id: ThreatModelId) -> ThreatModel:
        model = await self.deps.models.read(id)
        if model is None:
            raise not_found()
        return model

    async def _change(self, call: Call, change: Change) -> Response:
        id, wanted = call.threat_model_id, if_match(call.request)

        async def edit(model: ThreatModel) -> ThreatModel:
            # Asked for after the row was read, which is written only if it still stands: whoever takes a right away
            # meanwhile changes it (AU15).
            role = await rights.on_model(self.deps, call, id, Role.WRITER)
            hold_to(wanted, model.version)
            return await self._edited(model, role, await change(model))

        return await self._shown(call, await edit_model(self.deps, id, edit, call.cause()))

    async def _edited(self, model: ThreatModel, role: Role, body: Body) -> ThreatModel:
        without_server_fields(body, *BELOW)
        if role < Role.OWNER and any(name in body for name in BY_OWNER):
            raise forbidden("Only an owner may change who has access.")
        owner, entries = model.owner, None
        if body.get("owner") is not None:
            named = await read_owner(self.deps.models, body["owner"])
            owner = named if named.id != owner.id else owner
        if body.get("authorization") is not None:
            entries = await read_entries(self.deps.models, body["authorization"], model.entries)
            if body.get("owner") is not None and owner is model.owner:
                entries = with_owner(entries, owner)
        after = _entries(model, entries, owner)
        return but(
            model,
            owner=owner if after is model.entries else owner_of(after, owner),
            entries=after,
            metadata=metadata_after(model.metadata, body.get("metadata", {})),
            fields=checked_fields(model.fields, body, self.deps.now_ms()),
        )

    async def _shown(
        self, call: Call, model: ThreatModel, status: int = 200, headers: Mapping[str, str] | None = None
    ) -> Response:
        tagged = {"ETag": etag(model.version), **(headers or {})}
        return await large_answer(await self._whole(call, model), status, tagged)

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


def filters(query: QueryParams) -> Filters:
    reviewer = text(query, "security_reviewer")
    return Filters(
        name=text(query, "name"),
        description=text(query, "description"),
        issue_uri=text(query, "issue_uri"),
        owner=text(query, "owner"),
        status=words(query, "status"),
        security_reviewer=None if reviewer in REVIEWED else reviewer,
        reviewed=REVIEWED.get(reviewer or ""),
        created=_between(query, "created"),
        modified=_between(query, "modified"),
        status_updated=_between(query, "status_updated"),
    )


def _between(query: QueryParams, name: str) -> Between:
    return Between(moment(query, f"{name}_after"), moment(query, f"{name}_before"))


def with_creator(given: Entries, user: User) -> Entries:
    """AU17: the creator is owner, whatever the body says of them."""
    own = owner_entry(user)
    return (own, *(entry for entry in given if subject(entry) != subject(own)))


def _entries(model: ThreatModel, entries: Entries | None, owner: User) -> Entries:
    """A former owner keeps an entry, in the role that the given list has for them; a new one has one."""
    after = model.entries if entries is None else entries
    if owner.id != model.owner.id:
        former = subject(owner_entry(model.owner))
        if entries is None or former not in map(subject, entries):
            after = with_owner(after, model.owner)
        after = with_owner(after, owner)
    return after if after is model.entries else checked(after)


def checked_fields(before: Mapping[str, Any], body: Body, now_ms: int) -> dict[str, Any]:
    """The fields after `body` was laid over them; what is taken away is the default again. Raises 422."""
    named = {
        name: DEFAULTS.get(name) if value is None else value
        for name, value in body.items()
        if name not in (*BY_OWNER, "metadata", "status_updated")
    }
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

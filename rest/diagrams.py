"""Diagrams: create, read, change, delete; their cells go through the room (RE12-RE16)."""

from __future__ import annotations

import secrets
import uuid
from collections.abc import Callable, Mapping
from typing import Any

from starlette.responses import Response

from protocol.cells import canonical_cells, payload_sha256
from protocol.intents import Replace
from protocol.notices import Accepted
from protocol.operations import CellChange, Kind, Verb
from protocol.refusals import Reason
from protocol.values import DiagramId, Epoch, OperationId, Role, RoleAt, ThreatModelId
from rest import rights, views
from rest.answers import answer, created, nothing
from rest.bodies import (
    CELLS_BODY_BYTES,
    Body,
    DiagramFields,
    as_object,
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
from rest.models import metadata_after
from rest.operations import refused
from rest.paging import listing, page
from rest.patching import TYPES, changes
from rest.ports import Changed, DiagramRow, NewDiagram, Viewed
from rest.preconditions import IfMatch
from rest.problems import Problem, bad_field, conflict, not_found

TYPE = "DFD-1.0.0"
ATTEMPTS = 20
NOT_FIELDS = ("cells", "metadata", "threat_model_id")


class Diagrams:
    def __init__(self, deps: RestDependencies) -> None:
        self.deps = deps

    async def list(self, call: Call) -> Response:
        id = call.threat_model_id
        await rights.on_model(self.deps, call, id, Role.READER)
        asked = page(call.request)
        rows, total = await self.deps.models.diagrams(id, asked)
        return listing("diagrams", [views.diagram_item(row) for row in rows], total, asked)

    async def create(self, call: Call) -> Response:
        within = call.threat_model_id
        await rights.on_model(self.deps, call, within, Role.WRITER)
        body = without_server_fields(founding(await json_object(call.request, CELLS_BODY_BYTES)))
        cells, state_hash = await self.deps.rooms.found(cell_list(body.pop("cells", [])), free_ids=True)
        metadata = metadata_of(body.pop("metadata", {}))
        new = NewDiagram(
            id=DiagramId(str(uuid.uuid4())),
            threat_model_id=within,
            epoch=Epoch(secrets.token_hex(8)),
            fields=picturing(checked_fields({"type": TYPE}, body), body, 0),
            cells=cells,
            state_hash=state_hash,
            metadata=metadata,
        )
        row = await self.deps.models.create_diagram(new)
        if row is None:
            raise not_found()
        return created(await self._whole(row.id), call.here(row.id), {"ETag": etag(0)})

    async def read(self, call: Call) -> Response:
        id = call.diagram_id
        await rights.on_diagram(self.deps, call, call.threat_model_id, id, Role.READER)
        return _shown(await self._whole(id))

    async def replace(self, call: Call) -> Response:
        """Replaces what it names; `name` is required."""
        id, role = await self._writing(call, call.threat_model_id)
        body = await json_object(call.request, CELLS_BODY_BYTES)
        if body.get("name") is None:
            raise bad_field("name", "Field required")
        return await self._change(call, id, role, lambda _: body)

    async def patch(self, call: Call) -> Response:
        id, role = await self._writing(call, call.threat_model_id)
        kind = content_type(call.request, TYPES)
        patch = await json_value(call.request, CELLS_BODY_BYTES, TYPES)
        return await self._change(call, id, role, lambda document: changes(kind, document, patch))

    async def replace_cells(self, call: Call) -> Response:
        """The flat address of the written contract: cells and nothing else."""
        id, role = await self._writing(call, None)
        body = await json_object(call.request, CELLS_BODY_BYTES)
        if "cells" not in body:
            raise bad_field("cells", "Field required")
        return await self._change(call, id, role, lambda _: {"cells": body["cells"]})

    async def delete(self, call: Call) -> Response:
        id = call.diagram_id
        await rights.on_diagram(self.deps, call, call.threat_model_id, id, Role.OWNER)
        if await self.deps.models.delete_diagram(id) is not Changed.DONE:
            raise not_found()
        await self.deps.rooms.session_changed(id)
        return nothing()

    async def _writing(self, call: Call, within: ThreatModelId | None) -> tuple[DiagramId, RoleAt]:
        id = call.diagram_id
        return id, await rights.on_diagram(self.deps, call, within, id, Role.WRITER)

    async def _row(self, id: DiagramId) -> DiagramRow:
        row = await self.deps.models.diagram(id)
        if row is None:
            raise not_found()
        return row

    async def _viewed(self, id: DiagramId) -> Viewed:
        viewed = await self.deps.rooms.view(id)
        if viewed is None:
            raise not_found()
        return viewed

    async def _whole(self, id: DiagramId) -> views.View:
        viewed = await self._viewed(id)
        return views.diagram(await self._row(id), viewed)

    async def _change(
        self, call: Call, id: DiagramId, role: RoleAt, change: Callable[[Mapping[str, Any]], Body]
    ) -> Response:
        """`change`: from the diagram as the client sees it to the members it names. Cells first: if they are refused,
        nothing of the request is applied (RE12)."""
        if_match = IfMatch.of(call.request.headers.get("if-match"))
        for _ in range(ATTEMPTS):
            viewed, row = await self._viewed(id), await self._row(id)
            body = change(views.diagram(row, viewed))
            without_server_fields(body, same={"threat_model_id": row.threat_model_id})
            fields = checked_fields(row.fields, body)
            metadata = metadata_after(row.metadata, body.get("metadata", {}))
            vector: int | None = viewed.vector
            if "cells" in body:
                vector = await self._replaced(call, id, role, if_match, viewed.vector, body["cells"])
            if vector is None:
                continue
            await self._write(row, picturing(fields, body, vector), metadata)
            return _shown(await self._whole(id))
        raise conflict("The diagram keeps changing; try again.", "version_mismatch")

    async def _replaced(
        self, call: Call, id: DiagramId, role: RoleAt, if_match: IfMatch | None, vector: int, cells: Any
    ) -> int | None:
        """The vector at which the cells are these; None: somebody else wrote after `vector`, and no If-Match forbids to
        try again on what is there now."""
        # The session is looked for after the vector was read: one that begins later finds its first edit in the way.
        if await self.deps.sessions.live(id) is not None:
            if if_match is None:
                raise conflict("While a session lives, If-Match must name the vector.", "if_match_required")
            if if_match.anything:
                raise version_mismatch(vector)
        if if_match is not None and not if_match.fits(vector):
            raise version_mismatch(vector)
        outcome = await self.deps.rooms.submit(id, call.caller, role, self._replacement(cells, vector))
        if isinstance(outcome, Accepted):
            return outcome.vector
        if outcome.refusal.reason is not Reason.CONFLICT_DETECTED:
            raise refused(outcome)
        if if_match is not None and not if_match.anything:
            raise version_mismatch(outcome.vector)
        return None

    def _replacement(self, cells: Any, vector: int) -> Replace:
        canonical = canonical_cells(cell_list(cells), free_ids=True, limits=self.deps.limits)
        changes = [CellChange(cell["id"], Verb.ADD, cell) for cell in canonical]
        order = [cell["id"] for cell in canonical]
        id = OperationId(str(uuid.uuid4()))
        return Replace(id, canonical, payload_sha256(Kind.REST, changes, order), expected_vector=vector)

    async def _write(self, row: DiagramRow, fields: Mapping[str, Any], metadata: Mapping[str, str]) -> None:
        if (fields, metadata) == (row.fields, row.metadata):
            return
        if await self.deps.models.change_diagram(row.id, fields, metadata) is not Changed.DONE:
            raise not_found()


def founding(body: Body) -> Body:
    """Both spellings of a new diagram: `name`, `type`, `cells`, or `title`, `diagram_type`, `diagram_json`."""
    given = dict(body)
    title, _ = given.pop("title", None), given.pop("diagram_type", None)
    if given.get("name") is None:
        given["name"] = title
    nested = given.pop("diagram_json", None)
    if nested is not None:
        nested = as_object(nested)
        given = {name: nested[name] for name in ("cells", "assets") if name in nested} | given
    return given


def cell_list(value: Any) -> list[Any]:
    """No value is no cells."""
    if not isinstance(value, list | None):
        raise bad_field("cells", "must be a list of cells")
    return value or []


def checked_fields(before: Mapping[str, Any], body: Body) -> dict[str, Any]:
    """The fields after `body` was laid over them. Raises 422."""
    named = {name: value for name, value in body.items() if name not in NOT_FIELDS}
    fields = {name: value for name, value in {**before, **named}.items() if value is not None}
    check(DiagramFields, fields)
    check_size(fields)
    return fields


def picturing(fields: dict[str, Any], body: Body, vector: int) -> dict[str, Any]:
    """A new image says which vector it shows; the client cannot know the one that its request meets."""
    if body.get("image") is None:
        return fields
    return {**fields, "image": {**fields["image"], "update_vector": vector}}


def etag(vector: int) -> str:
    return f'"{vector}"'


def version_mismatch(vector: int) -> Problem:
    return conflict(f"The diagram stands at {vector}.", "version_mismatch", update_vector=vector)


def _shown(body: views.View) -> Response:
    return answer(body, headers={"ETag": etag(body["update_vector"])})

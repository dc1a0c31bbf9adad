"""Diagrams: create, read, change, delete; their cells go through the room (RE12-RE16)."""

from __future__ import annotations

import secrets
import uuid
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

from starlette.responses import Response

from protocol.cells import canonical_cells, payload_sha256
from protocol.intents import Replace
from protocol.notices import Accepted
from protocol.operations import CellChange, Kind, Verb
from protocol.refusals import Reason
from protocol.statehash import canonical_bytes
from protocol.values import Cell, DiagramId, Epoch, OperationId, Role, RoleAt, ThreatModelId
from rest import rights, views
from rest.answers import nothing
from rest.bodies import (
    CELLS_BODY_BYTES,
    REQUIRED,
    Body,
    DiagramFields,
    FoundingFields,
    announced,
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
from rest.editing import ATTEMPTS, edit_diagram, keeps_changing, telling, turn, unchanged
from rest.large import CELL_BYTES, beside, large_answer
from rest.models import metadata_after
from rest.operations import refused
from rest.paging import listing, page
from rest.patching import TYPES, changes
from rest.ports import Changed, DiagramRow, NewDiagram, Viewed, but
from rest.preconditions import IfMatch, etag, if_match, if_none_match
from rest.problems import Problem, bad_field, conflict, not_found

TYPE = "DFD-1.0.0"
NOT_FIELDS = ("cells", "metadata", "threat_model_id")
SKEW_MS = 5_000
"""How far the clocks of two workers may be apart."""

Change = Callable[[Mapping[str, Any]], Body]
"""From the diagram as the client sees it to the members it names, each with what it becomes."""


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
        given = founding(await json_object(call.request, CELLS_BODY_BYTES))
        body = without_server_fields(given, same={"threat_model_id": within})
        cells, state_hash = await self.deps.rooms.found(cell_list(body.pop("cells", [])), free_ids=True)
        metadata = metadata_of(body.pop("metadata", {}))
        # Once more, since the body may have taken its time (AU15).
        await rights.on_model(self.deps, call, within, Role.WRITER)
        new = NewDiagram(
            id=DiagramId(str(uuid.uuid4())),
            threat_model_id=within,
            epoch=Epoch(secrets.token_hex(8)),
            fields=picturing(checked_fields({"type": TYPE}, body), body, 0),
            cells=cells,
            state_hash=state_hash,
            metadata=metadata,
        )
        row = await self.deps.models.create_diagram(new, call.cause())
        if row is None:
            raise not_found()
        headers = {"Location": call.here(row.id), "ETag": etag(0)}
        return await large_answer(await self._whole(row.id), 201, headers)

    async def read(self, call: Call) -> Response:
        id = call.diagram_id
        await rights.on_diagram(self.deps, call, call.threat_model_id, id, Role.READER)
        seen = if_none_match(call.request)
        if seen is not None:
            row = await self._row(id)
            if seen.fits(row.vector, row.epoch) and (seen.anything or tells_all(row)):
                return Response(status_code=304, headers={"ETag": etag(row.vector)})
        return await self._shown(id)

    async def replace(self, call: Call) -> Response:
        """Replaces what it names; `name` is required."""
        within = call.threat_model_id
        await self._writing(call, within)
        body = await json_object(call.request, CELLS_BODY_BYTES)
        if body.get("name") is None:
            raise bad_field("name", REQUIRED)
        _refuse_null(body)
        return await self._change(call, within, lambda _: body)

    async def patch(self, call: Call) -> Response:
        within = call.threat_model_id
        await self._writing(call, within)
        kind = content_type(call.request, TYPES)
        patch = await json_value(call.request, CELLS_BODY_BYTES, TYPES)
        return await self._change(call, within, lambda document: changes(kind, document, patch))

    async def replace_cells(self, call: Call) -> Response:
        """The flat address of the written contract: cells and nothing else."""
        await self._writing(call, None)
        body = await json_object(call.request, CELLS_BODY_BYTES)
        if "cells" not in body:
            raise bad_field("cells", REQUIRED)
        _refuse_null(body)
        return await self._change(call, None, lambda _: {"cells": body["cells"]})

    async def delete(self, call: Call) -> Response:
        id = call.diagram_id
        await rights.on_diagram(self.deps, call, call.threat_model_id, id, Role.OWNER)
        wanted = if_match(call.request)
        for attempt in range(ATTEMPTS):
            await turn(attempt)
            row = await self._row(id)
            at = _held_to(wanted, row.vector, row.epoch)
            deleted = await self.deps.models.delete_diagram(id, call.cause(), at)
            if deleted is Changed.GONE:
                raise not_found()
            if deleted is Changed.DONE:
                await self.deps.rooms.session_changed(id)
                return nothing()
        raise keeps_changing()

    async def _writing(self, call: Call, within: ThreatModelId | None) -> RoleAt:
        return await rights.on_diagram(self.deps, call, within, call.diagram_id, Role.WRITER)

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

    async def _shown(self, id: DiagramId) -> Response:
        body = await self._whole(id)
        return await large_answer(body, headers={"ETag": etag(body["update_vector"])})

    async def _change(self, call: Call, within: ThreatModelId | None, change: Change) -> Response:
        """Cells first: if they are refused, nothing of the request is applied (RE12). Whatever could refuse the fields
        is looked at before them."""
        id, wanted = call.diagram_id, if_match(call.request)
        for attempt in range(ATTEMPTS):
            await turn(attempt)
            # Once more, since the body may have taken its time (AU15).
            role = await self._writing(call, within)
            viewed, row = await self._viewed(id), await self._row(id)
            size = _weight(viewed.cells) + (announced(call.request) or CELLS_BODY_BYTES)
            body, after = await beside(size, partial(_judged, row, viewed, change))
            at = _held_to(wanted, viewed.vector, viewed.epoch)
            if "cells" not in body:
                written = await self._write(call, row, after, at)
            else:
                written = await self._replace(call, row, role, wanted, viewed.vector, body)
            if written:
                return await self._shown(id)
        raise keeps_changing()

    async def _write(self, call: Call, row: DiagramRow, after: DiagramRow, at: tuple[int, Epoch] | None) -> bool:
        """False: somebody else wrote fields after they were read, or cells where If-Match names the vector."""
        if unchanged(row, after):
            return True
        written = await self.deps.models.change_diagram(after, telling(call.cause(), row, after), at)
        if written is Changed.GONE:
            raise not_found()
        return written is Changed.DONE

    async def _replace(
        self, call: Call, row: DiagramRow, role: RoleAt, wanted: IfMatch | None, vector: int, body: Body
    ) -> bool:
        """Cells, and what else the body names. False: somebody else changed cells after they were viewed."""
        now = await self._replaced(call, row.id, role, wanted, vector, body["cells"])
        if now is None:
            return False

        async def laid(row: DiagramRow) -> DiagramRow:
            # The cells stand now, whoever wrote fields meanwhile: theirs stay but for those that this request names.
            return changed(row, body, now)

        if body.keys() - {"cells", "threat_model_id"}:
            await edit_diagram(self.deps, row.id, laid, call.cause())
        return True

    async def _replaced(
        self, call: Call, id: DiagramId, role: RoleAt, wanted: IfMatch | None, vector: int, cells: Any
    ) -> int | None:
        """The vector at which the cells are these; None: somebody else wrote since `vector`, and no If-Match forbids to
        try again on what is there now."""
        # The session is looked for after the vector was read: one that begins later finds its first edit in the way.
        if await self.deps.sessions.live(id) is not None:
            if wanted is None:
                raise conflict("While a session lives, If-Match must name the vector.", "if_match_required")
            if wanted.anything:
                raise version_mismatch(vector)
        listed = cell_list(cells)
        intent = await beside(_weight(listed), partial(self._replacement, listed, vector))
        outcome = await self.deps.rooms.submit(id, call.caller, role, intent)
        if isinstance(outcome, Accepted):
            return outcome.vector
        if outcome.refusal.reason is not Reason.CONFLICT_DETECTED:
            raise refused(outcome)
        if wanted is not None and not wanted.anything:
            raise version_mismatch(outcome.vector)
        return None

    def _replacement(self, cells: Sequence[Any], vector: int) -> Replace:
        canonical = canonical_cells(cells, free_ids=True, limits=self.deps.limits)
        texts = tuple([canonical_bytes(cell) for cell in canonical])
        changes = [CellChange(cell["id"], Verb.ADD, cell) for cell in canonical]
        order = [cell["id"] for cell in canonical]
        id = OperationId(str(uuid.uuid4()))
        return Replace(id, canonical, texts, payload_sha256(Kind.REST, changes, order), expected_vector=vector)


def _weight(cells: Sequence[Cell]) -> int:
    return CELL_BYTES * len(cells)


def _judged(row: DiagramRow, viewed: Viewed, change: Change) -> tuple[Body, DiagramRow]:
    """What the request names, and the row after it. Raises what refuses it."""
    body = change(views.diagram(row, viewed))
    without_server_fields(body, same={"threat_model_id": row.threat_model_id})
    return body, changed(row, body, viewed.vector)


def changed(row: DiagramRow, body: Body, vector: int) -> DiagramRow:
    fields = picturing(checked_fields(row.fields, body), body, vector)
    return but(row, fields=fields, metadata=metadata_after(row.metadata, body.get("metadata", {})))


def tells_all(row: DiagramRow) -> bool:
    """Whether fields and metadata are still those of whoever has seen this vector, which does not count them (RE15):
    written once, or well before the operation that made the vector."""
    untouched = row.version == 1 and row.fields_at_ms == row.created_at_ms
    return untouched or row.modified_at_ms > row.fields_at_ms + SKEW_MS


def founding(body: Body) -> Body:
    """Both spellings of a new diagram: `name`, `type`, `cells`, or `title`, `diagram_type`, `diagram_json`."""
    given = dict(body)
    check(FoundingFields, given)
    title, _ = given.pop("title", None), given.pop("diagram_type", None)
    if given.get("name") is None:
        given["name"] = title
    nested = given.pop("diagram_json", None)
    if nested is not None:
        given = {name: nested[name] for name in ("cells", "assets") if name in nested} | given
    return given


def cell_list(value: Any) -> list[Any]:
    """No value is no cells."""
    if not isinstance(value, list | None):
        raise bad_field("cells", "must be a list of cells")
    return value or []


def checked_fields(before: Mapping[str, Any], body: Body) -> dict[str, Any]:
    """The fields after `body` was laid over them; a type that is taken away is the default again. Raises 422."""
    named = {name: value for name, value in body.items() if name not in NOT_FIELDS}
    fields = {"type": TYPE} | {name: value for name, value in {**before, **named}.items() if value is not None}
    check(DiagramFields, fields)
    check_size(fields)
    return fields


def picturing(fields: dict[str, Any], body: Body, vector: int) -> dict[str, Any]:
    """A new image says which vector it shows; the client cannot know the one that its request meets."""
    if body.get("image") is None:
        return fields
    return {**fields, "image": {**fields["image"], "update_vector": vector}}


def _refuse_null(body: Body) -> None:
    """A client's empty optional must not wipe a diagram; who means that sends `[]`."""
    if "cells" in body and body["cells"] is None:
        raise bad_field("cells", "must be a list of cells")


def _held_to(wanted: IfMatch | None, vector: int, epoch: Epoch) -> tuple[int, Epoch] | None:
    """Where the diagram has to stand when it is written, too; None: wherever. Raises 409 `version_mismatch`."""
    if wanted is None or wanted.anything:
        return None
    if not wanted.fits(vector, epoch):
        raise version_mismatch(vector)
    return vector, epoch


def version_mismatch(vector: int) -> Problem:
    return conflict(f"The diagram stands at {vector}.", "version_mismatch", update_vector=vector)

"""The door for programs: one operation as the socket takes it, answered with its receipt (RE17)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import Response

from protocol.cells import canonical_changes, payload_sha256, respelled
from protocol.codec import Encoding, decode_body, encode
from protocol.dialects import codraw_v1
from protocol.intents import Edit
from protocol.notices import Accepted, Rejected, Side
from protocol.operations import Kind
from protocol.refusals import Reason
from protocol.values import OperationId, Role
from rest import rights
from rest.answers import answer
from rest.bodies import CELLS_BODY_BYTES, Body, as_object, check, json_object
from rest.calls import UUID, Call
from rest.dependencies import RestDependencies
from rest.problems import INVALID, Problem, bad_field, malformed

STATUS = {
    Reason.PERMISSION_DENIED: (403, "forbidden"),
    Reason.CONFLICT_DETECTED: (409, "conflict_detected"),
    Reason.OPERATION_ID_CONFLICT: (409, "operation_id_conflict"),
    Reason.DIAGRAM_NOT_FOUND: (404, "not_found"),
    Reason.UNAVAILABLE: (503, "unavailable"),
}
"""Every other reason is INVALID and its own `error`."""
TYPES = ("operation", "diagram_operation", "diagram_operation_request")

Vector = Annotated[int, Field(ge=0, le=2**53 - 1)]


class OperationFields(BaseModel):
    """The v1 message; `operation` is looked at by the rules of cells, which have reasons of their own."""

    model_config = ConfigDict(strict=True, frozen=True)

    message_type: Literal[TYPES] | None = None  # type: ignore[valid-type]
    base_vector: Vector | None = None
    strict: bool | None = None
    group_id: Annotated[str, Field(max_length=64)] | None = None


class Operations:
    def __init__(self, deps: RestDependencies) -> None:
        self.deps = deps

    async def submit(self, call: Call) -> Response:
        id = call.diagram_id
        role = await rights.on_diagram(self.deps, call, call.threat_model_id, id, Role.WRITER)
        edit = self._edit(await json_object(call.request, CELLS_BODY_BYTES))
        outcome = await self.deps.rooms.submit(id, call.caller, role, edit)
        if isinstance(outcome, Rejected):
            raise refused(outcome)
        return answer(receipt(outcome), headers={"ETag": f'"{outcome.vector}"'})

    def _edit(self, body: Body) -> Edit:
        operation_id = body.get("operation_id")
        if not isinstance(operation_id, str) or UUID.fullmatch(operation_id) is None:
            raise malformed("operation_id must be a UUID.")
        given = check(OperationFields, body)
        if given.strict and given.base_vector is None:
            raise bad_field("base_vector", "strict needs one", error=Reason.VALIDATION_FAILED)
        operation = as_object(body.get("operation"))
        if operation.get("type") != "patch":
            raise bad_field("operation.type", "must be patch", error=Reason.INVALID_OPERATION_TYPE)
        changes = canonical_changes(operation.get("cells"), free_ids=True, limits=self.deps.limits)
        return Edit(
            operation_id=OperationId(operation_id.lower()),
            changes=changes,
            payload_sha256=payload_sha256(Kind.REST, changes),
            base_vector=given.base_vector,
            strict=bool(given.strict),
            group_id=given.group_id,
            kind=Kind.REST,
            respelled=respelled(operation["cells"], changes),
        )


def receipt(accepted: Accepted) -> Any:
    """`operation_accepted` of codraw.v1; of several messages the last is the receipt."""
    return codraw_v1.render(accepted, Side.SENDER)[-1]


def refused(rejected: Rejected) -> Problem:
    refusal = rejected.refusal
    status, error = STATUS.get(refusal.reason, (INVALID, refusal.reason.value))
    messages: Sequence[Any] = codraw_v1.render(rejected, Side.SENDER)
    details = decode_body(encode(messages[-1], Encoding.JSON))
    seconds = -(-(refusal.retry_after_ms or 1_000) // 1_000)
    return Problem(
        status,
        error,
        refusal.message,
        details=details,
        headers={"Retry-After": str(seconds)} if status == 503 else None,
    )

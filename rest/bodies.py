"""What a request body may be: its size, its type, strict JSON or a form, and the fields of each resource."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from typing import Annotated, Any, Literal, TypeVar
from urllib.parse import parse_qsl

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError
from starlette.requests import Request

from protocol.codec import FORBIDDEN_KEYS, Encoding, decode_body, encode
from rest.problems import BY_STATUS, Problem, bad_field, malformed, read_only

BODY_BYTES = 1_048_576
CELLS_BODY_BYTES = 16_777_216
METADATA_ENTRIES = 1_000
"""More than anybody reads; keeps a row small."""

JSON_PATCH = "application/json-patch+json"
MERGE_PATCH = "application/merge-patch+json"
JSON = "application/json"
FORM = "application/x-www-form-urlencoded"

COUNTED = ("diagram", "threat", "document", "repo", "asset", "note")
READ_ONLY = frozenset(
    ("id", "created_at", "modified_at", "created_by", "update_vector", "epoch", *(f"{name}_count" for name in COUNTED))
)
"""RE6: what the server owns in every resource."""
METADATA_KEY = re.compile(r"[A-Za-z0-9._:/-]{1,256}", re.ASCII)
BULK = "bulk"
"""Not a key: it is the address of `…/metadata/bulk`."""

Body = dict[str, Any]
Model = TypeVar("Model", bound=BaseModel)


async def raw(request: Request, limit: int) -> bytes:
    """At most `limit` bytes; 413 as soon as there are more, whatever Content-Length says."""
    announced = request.headers.get("content-length", "")
    if announced.isdecimal() and int(announced) > limit:
        raise Problem(413, *BY_STATUS[413])
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > limit:
            raise Problem(413, *BY_STATUS[413])
    return bytes(body)


def content_type(request: Request, among: Collection[str]) -> str:
    """The type without parameters; none counts as JSON. Raises 415."""
    found = request.headers.get("content-type", JSON).partition(";")[0].strip().lower()
    if found not in among:
        raise Problem(415, *BY_STATUS[415], details={"accepted": sorted(among)})
    return found


async def json_value(request: Request, limit: int = BODY_BYTES, types: Collection[str] = (JSON,)) -> Any:
    content_type(request, types)
    return decode_body(await raw(request, limit))


async def json_object(request: Request, limit: int = BODY_BYTES) -> Body:
    return as_object(await json_value(request, limit))


def as_object(value: Any) -> Body:
    if not isinstance(value, dict):
        raise malformed("The body must be a JSON object.")
    return value


async def fields(request: Request) -> Mapping[str, str]:
    """The parameters of an OAuth request: a form or a JSON object of strings. None may stand twice (RFC 6749 3.2)."""
    kind = content_type(request, (JSON, FORM))
    body = await raw(request, BODY_BYTES)
    if kind == FORM:
        return unique_parameters(body.decode("utf-8", "replace"))
    given = as_object(decode_body(body or b"{}"))
    return {name: value for name, value in given.items() if isinstance(value, str)}


def unique_parameters(query: str) -> Mapping[str, str]:
    try:
        pairs = parse_qsl(query, keep_blank_values=True, max_num_fields=100)
    except ValueError:
        raise Problem(400, "invalid_request", "There are too many parameters.") from None
    found = dict(pairs)
    if len(found) != len(pairs):
        raise Problem(400, "invalid_request", "A parameter stands twice.")
    return found


def without_server_fields(body: Body, *more: str, same: Mapping[str, Any] | None = None) -> Body:
    """RE6: raises 400 `read_only_field`. `same` are server-owned fields that may be repeated with their value.

    A null is the absence of an optional field, so it is left out.
    """
    for name in body:
        if name in READ_ONLY or name in more:
            raise read_only(name)
        if same is not None and name in same and body[name] != same[name]:
            raise read_only(name)
    return {name: value for name, value in body.items() if value is not None and name not in (same or ())}


def check(model: type[Model], body: Mapping[str, Any]) -> Model:
    """Raises 422 naming the first bad field."""
    try:
        return model.model_validate(dict(body))
    except ValidationError as raised:
        first = raised.errors(include_url=False, include_input=False)[0]
        raise bad_field(".".join(map(str, first["loc"])) or "body", first["msg"]) from None


def check_size(fields: Mapping[str, Any]) -> None:
    """Unknown fields are kept (RE7), but a row cannot grow without end from one merge to the next."""
    if len(encode(fields, Encoding.JSON)) > BODY_BYTES:
        raise bad_field("body", "the resource would be larger than 1 MiB")


def metadata_of(value: Any) -> dict[str, str]:
    """An object map or a list of `{key, value}`; raises 422."""
    entries: dict[str, str] = {}
    for key, text in _metadata_pairs(value):
        if key in entries:
            raise bad_field("metadata", "a key stands twice")
        entries[metadata_key(key)] = metadata_value(text)
    if len(entries) > METADATA_ENTRIES:
        raise bad_field("metadata", f"more than {METADATA_ENTRIES} entries")
    return entries


def _metadata_pairs(value: Any) -> list[tuple[Any, Any]]:
    match value:
        case dict():
            return list(value.items())
        case list():
            if all(isinstance(entry, dict) and {"key", "value"} <= entry.keys() for entry in value):
                return [(entry["key"], entry["value"]) for entry in value]
    raise bad_field("metadata", "must be an object or a list of {key, value}")


def metadata_key(key: Any) -> str:
    if not isinstance(key, str) or METADATA_KEY.fullmatch(key) is None:
        raise bad_field("key", "must be 1 to 256 of A-Z a-z 0-9 . _ : / -")
    if key in FORBIDDEN_KEYS or key == BULK:
        raise bad_field("key", "is a reserved word")
    return key


def metadata_value(text: Any) -> str:
    if not isinstance(text, str) or not 1 <= len(text) <= 1_024:
        raise bad_field("value", "must be a text of 1 to 1024 characters")
    return text


def _visible(text: str) -> str:
    if not text.strip():
        raise ValueError("is empty")
    return text


Name = Annotated[str, Field(min_length=1, max_length=256), AfterValidator(_visible)]
Word = Annotated[str, Field(max_length=256)]
Text = Annotated[str, Field(max_length=16_384)]


class Fields(BaseModel):
    """What a client may set. Only judged: the row keeps what was given, unknown fields included (RE7)."""

    model_config = ConfigDict(strict=True, extra="allow", frozen=True)


class ThreatModelFields(Fields):
    name: Name
    description: Annotated[str, Field(max_length=2_048)] | None = None
    threat_model_framework: Word | None = None
    issue_uri: Annotated[str, Field(max_length=2_048)] | None = None
    status: Word | None = None
    security_reviewer: Word | dict[str, Any] | None = None


class Image(Fields):
    svg: Annotated[str, Field(max_length=BODY_BYTES)] | None = None


class DiagramFields(Fields):
    name: Name
    type: Word | None = None
    description: Annotated[str, Field(max_length=2_048)] | None = None
    image: Image | None = None
    color_palette: list[Any] | None = None
    assets: list[Any] | None = None


class ItemFields(Fields):
    name: Name
    description: Text | None = None


class ThreatFields(ItemFields):
    stride: Word | list[Word] | None = None
    category: Word | None = None
    severity: Word | None = None
    likelihood: Word | None = None
    impact: Text | None = None
    mitigation: Text | None = None
    status: Word | None = None
    affected_assets: list[Any] | None = None
    resolution_notes: Text | None = None
    resolved_at: Word | None = None
    diagram_id: Word | None = None
    cell_id: Word | None = None
    threat_type: Word | list[Word] | None = None
    score: float | None = None
    priority: Word | None = None
    mitigated: bool | None = None
    issue_uri: Annotated[str, Field(max_length=2_048)] | None = None


class RoleFields(Fields):
    role: Literal["reader", "writer", "owner"]


class EntryFields(RoleFields):
    """An authorization entry in either spelling: by `subject` or by `principal_type` and what belongs to it."""

    subject: Word | None = None
    subject_type: Literal["user", "group"] | None = None
    principal_type: Literal["user", "group"] | None = None
    provider: Word | None = None
    provider_id: Word | None = None
    email: Word | None = None
    display_name: Word | None = None
    name: Word | None = None

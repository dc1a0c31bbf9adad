"""What a request body may be: its size, its type, strict JSON or a form, and the fields of each resource."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from functools import partial
from typing import Annotated, Any, Literal, TypeVar
from urllib.parse import parse_qsl

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError
from starlette.requests import Request

from protocol.codec import FORBIDDEN_KEYS, Encoding, decode_body, encode
from rest.large import beside
from rest.problems import BY_STATUS, Problem, bad_field, malformed, placed, read_only

BODY_BYTES = 1_048_576
CELLS_BODY_BYTES = 16_777_216
METADATA_ENTRIES = 1_000
"""More than anybody reads; keeps a row small."""

JSON_PATCH = "application/json-patch+json"
MERGE_PATCH = "application/merge-patch+json"
JSON = "application/json"
FORM = "application/x-www-form-urlencoded"
ACCEPTS = {"PATCH": "Accept-Patch", "POST": "Accept-Post"}
"""Headers of a 415."""

COUNTED = ("diagram", "threat", "document", "repo", "asset", "note")
READ_ONLY = frozenset(
    ("id", "created_at", "modified_at", "created_by", "update_vector", "epoch", *(f"{name}_count" for name in COUNTED))
)
"""RE6: what the server owns in every resource."""
METADATA_KEY = re.compile(r"[A-Za-z0-9._:/-]{1,256}", re.ASCII)
BULK = "bulk"
"""Not a key: it is the address of `…/metadata/bulk`."""

REQUIRED = "Field is required"
"""As the written contract has it."""
REASONS = {
    "missing": REQUIRED,
    "string_type": "must be a text",
    "string_too_short": "has at least {min_length} characters",
    "string_too_long": "has at most {max_length} characters",
    "int_type": "must be a whole number",
    "int_from_float": "must be a whole number",
    "float_type": "must be a number",
    "bool_type": "must be true or false",
    "list_type": "must be a list",
    "too_short": "has at least {min_length} entries",
    "too_long": "has at most {max_length} entries",
    "dict_type": "must be an object",
    "model_type": "must be an object",
    "literal_error": "must be one of {expected}",
    "greater_than": "must be above {gt}",
    "greater_than_equal": "must be at least {ge}",
    "less_than": "must be below {lt}",
    "less_than_equal": "must be at most {le}",
    "value_error": "{error}",
}
"""What pydantic finds, in our words: its own change with its version, and name types of Python."""

Body = dict[str, Any]
Model = TypeVar("Model", bound=BaseModel)


def announced(request: Request) -> int | None:
    """The size of the body, where the client says it."""
    said = request.headers.get("content-length", "")
    # More digits than any size has: reading them all is slow.
    return int(said[:16]) if said.isascii() and said.isdecimal() else None


async def raw(request: Request, limit: int) -> bytes:
    """At most `limit` bytes; 413 as soon as there are more, whatever Content-Length says."""
    if (announced(request) or 0) > limit:
        raise Problem(413, *BY_STATUS[413])
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > limit:
            raise Problem(413, *BY_STATUS[413])
    return bytes(body)


def content_type(request: Request, among: Collection[str]) -> str:
    """The type without parameters; none counts as JSON. Raises 415, which says what would do (RFC 5789, 9110)."""
    found = request.headers.get("content-type", JSON).partition(";")[0].strip().lower()
    if found not in among:
        named = ACCEPTS.get(request.method, "Accept")
        accepted = sorted(among)
        raise Problem(415, *BY_STATUS[415], details={"accepted": accepted}, headers={named: ", ".join(accepted)})
    if request.headers.get("content-encoding", "identity").strip().lower() != "identity":
        raise Problem(415, *BY_STATUS[415], details={"accepted": []}, headers={"Accept-Encoding": "identity"})
    return found


async def json_value(request: Request, limit: int = BODY_BYTES, types: Collection[str] = (JSON,)) -> Any:
    content_type(request, types)
    body = await raw(request, limit)
    return await beside(len(body), partial(decode_body, body))


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
    if not all(isinstance(value, str) for value in given.values()):
        raise Problem(400, "invalid_request", "Each parameter is a string.")
    return given


def unique_parameters(query: str) -> Mapping[str, str]:
    try:
        pairs = parse_qsl(query, keep_blank_values=True, max_num_fields=100)
    except ValueError:
        raise Problem(400, "invalid_request", "There are too many parameters.") from None
    found = dict(pairs)
    if len(found) != len(pairs):
        raise Problem(400, "invalid_request", "A parameter stands twice.")
    return found


def without_server_fields(body: Body, *more: str, same: Mapping[str, str] | None = None) -> Body:
    """RE6: raises 400 `read_only_field`. `same` are ids that the server owns and that may be repeated, in any case.

    A null is the absence of an optional field, so it is left out.
    """
    for name in body:
        if name in READ_ONLY or name in more:
            raise read_only(name)
        if same is not None and name in same and str(body[name]).lower() != same[name]:
            raise read_only(name)
    return {name: value for name, value in body.items() if value is not None and name not in (same or ())}


def check(model: type[Model], body: Mapping[str, Any]) -> Model:
    """Raises 422 naming the first bad field by its path, as `image.svg` or `stride[1]`."""
    try:
        return model.model_validate(dict(body))
    except ValidationError as raised:
        raise _refused(raised.errors(include_url=False, include_input=False), body) from None


def _refused(errors: Sequence[Mapping[str, Any]], body: Mapping[str, Any]) -> Problem:
    """Of a field that may be of several types there is an error for each: the deepest know best."""
    found = [(_path(error, body), _reason(error)) for error in errors]
    first = found[0][0][:1]
    of_first = [(path, reason) for path, reason in found if path[:1] == first]
    deepest = max((path for path, _ in of_first), key=len)
    reason, *others = dict.fromkeys(reason for path, reason in of_first if path == deepest)
    words = [reason, *(other.removeprefix("must be ") for other in others)]
    return bad_field(path_text(deepest) or "body", " or ".join(words))


def _path(error: Mapping[str, Any], body: Mapping[str, Any]) -> tuple[str | int, ...]:
    """Where in the body: without the names of types that pydantic tried."""
    path: list[str | int] = []
    value: Any = body
    for part in error["loc"]:
        if _is_in(part, value):
            path.append(part)
            value = value[part]
    if error["type"] == "missing":
        path.append(error["loc"][-1])
    return tuple(path)


def _is_in(part: str | int, value: Any) -> bool:
    if isinstance(part, int):
        return isinstance(value, list) and part < len(value)
    return isinstance(value, dict) and part in value


def _reason(error: Mapping[str, Any]) -> str:
    context = error.get("ctx", {})
    if error["type"] == "string_too_short" and context.get("min_length") == 1:
        return "is empty"
    return REASONS.get(error["type"], "is not valid").format_map(context)


def path_text(path: Sequence[str | int]) -> str:
    text = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in path)
    return text.removeprefix(".")


def check_size(fields: Mapping[str, Any]) -> None:
    """Unknown fields are kept (RE7), but a row cannot grow without end from one merge to the next."""
    if len(encode(fields, Encoding.JSON)) > BODY_BYTES:
        raise bad_field("body", "the resource would be larger than 1 MiB")


def metadata_of(value: Any) -> dict[str, str]:
    """An object map or a list of `{key, value}`; raises 422, which names the pair."""
    entries: dict[str, str] = {}
    for n, (given, text) in enumerate(_metadata_pairs(value)):
        try:
            key, entry = metadata_key(given), metadata_value(text)
        except Problem as refused:
            raise placed(refused, f"metadata[{n}]" if isinstance(value, list) else f"metadata.{given}") from None
        if key in entries:
            raise bad_field("metadata", "a key stands twice")
        entries[key] = entry
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


class TitleFields(Fields):
    """Another spelling of a name."""

    title: Name | None = None


class Drawing(Fields):
    cells: list[Any] | None = None
    assets: list[Any] | None = None


class FoundingFields(TitleFields):
    """The other spelling of a new diagram."""

    diagram_json: Drawing | None = None


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


class PersonFields(Fields):
    provider: Word | None = None
    provider_id: Word | None = None
    email: Word | None = None
    display_name: Word | None = None


class OwnerFields(Fields):
    owner: PersonFields


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

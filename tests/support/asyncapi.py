"""asyncapi.yml as a judge: every frame that a test's client hears must be one that the document promises."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from functools import cache
from typing import Any

import yaml
from jsonschema import Draft7Validator

from tests.support.tree import ROOT

Json = dict[str, Any]

DOCUMENT: Json = yaml.load((ROOT / "asyncapi.yml").read_text("utf-8"), getattr(yaml, "CSafeLoader", yaml.SafeLoader))
CHANNELS = {"classic": "classic", "tmi": "tmi", "codraw.v1": "codraw_v1"}
"""Dialect -> channel."""
LOOKED_AT = 8
"""Of a list so many items are judged: a state of 5 000 cells says of a cell's shape no more than its first ones."""


def found(document: Json, reference: str) -> Any:
    node: Any = document
    for step in reference.removeprefix("#/").split("/"):
        node = node[step]
    return node


def inlined(document: Json, node: Any) -> Any:
    """`node` with every reference replaced by what it names."""
    if isinstance(node, dict):
        if "$ref" in node:
            return inlined(document, found(document, node["$ref"]))
        return {key: inlined(document, value) for key, value in node.items()}
    return [inlined(document, item) for item in node] if isinstance(node, list) else node


def messages(document: Json, channel: str, by: str) -> dict[str, Json]:
    """`message_type` (or `event`) -> message, of those that `by` (client or server) sends."""
    listed = document["channels"][channel]["messages"]
    return {
        key.removeprefix(f"{by}."): inlined(document, message)
        for key, message in listed.items()
        if key.startswith(f"{by}.")
    }


def closed(schema: Any) -> Any:
    """The schema, with no member allowed that it does not name; what is free of form stays so."""
    if isinstance(schema, list):
        return [closed(part) for part in schema]
    if not isinstance(schema, dict) or schema.get("x-free-form"):
        return schema
    inside = {key: closed(part) for key, part in schema.items()}
    return inside | {"additionalProperties": False} if isinstance(schema.get("properties"), Mapping) else inside


@cache
def promised(dialect: str) -> Mapping[str, Draft7Validator]:
    told = messages(DOCUMENT, CHANNELS[dialect], "server")
    return {name: Draft7Validator(closed(message["payload"])) for name, message in told.items()}


def judge(dialect: str, frame: Json) -> None:
    """Raises AssertionError for a frame that the document does not promise to this dialect."""
    assert faults(dialect, frame) == []


def faults(dialect: str, frame: Json) -> list[str]:
    """In what it is none that the document promises to this dialect."""
    if (dialect, looks := shape(frame)) in _passed:
        return []
    name = str(frame.get("message_type", frame.get("event")))
    validator = promised(dialect).get(name)
    if validator is None:
        return [f"asyncapi.yml knows no {name} in {dialect}: {str(frame)[:300]}"]
    told = [f"{error.json_path}: {error.message[:200]}" for error in validator.iter_errors(shortened(frame))]
    if not told:
        _passed.add((dialect, looks))
    return [f"asyncapi.yml promises another {name} in {dialect}: {fault}" for fault in told]


_passed: set[tuple[str, Hashable]] = set()
"""Fifty editors hear the same few shapes hundreds of thousands of times."""


def shape(value: Any) -> Hashable:
    """The same for frames that a schema cannot tell apart: it looks at members, types and words."""
    match value:
        case dict():
            return tuple([(key, shape(part)) for key, part in value.items()])
        case list():
            return tuple({shape(part) for part in value[:LOOKED_AT]})
        case str():
            return value if value.isidentifier() else str
        case bool():
            return value
        case _:
            return type(value)


def shortened(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: shortened(part) for key, part in value.items()}
    return [shortened(part) for part in value[:LOOKED_AT]] if isinstance(value, list) else value

"""openapi.yml as a judge: every answer that a test sees must be one that the document promises."""

from __future__ import annotations

import json
import re
from functools import cache, lru_cache
from pathlib import Path
from typing import Any

import yaml
from jsonschema import Draft202012Validator
from referencing import Registry, Resource
from referencing.jsonschema import DRAFT202012

DOCUMENT = Path(__file__).parents[2] / "openapi.yml"
METHODS = ("get", "put", "post", "delete", "patch")
URI = "urn:openapi"


@cache
def document() -> dict[str, Any]:
    read: dict[str, Any] = yaml.safe_load(DOCUMENT.read_text("utf-8"))
    return read


def operations() -> dict[tuple[str, str], dict[str, Any]]:
    """(METHOD, path) -> operation."""
    return {
        (method.upper(), path): item[method]
        for path, item in document()["paths"].items()
        for method in METHODS
        if method in item
    }


def resolved(value: dict[str, Any]) -> dict[str, Any]:
    while "$ref" in value:
        found: Any = document()
        for part in value["$ref"].removeprefix("#/").split("/"):
            found = found[part]
        value = found
    return value


@cache
def _templates() -> list[tuple[re.Pattern[str], str]]:
    """The longer a template's fixed text, the earlier it is tried; `key` and `path` may hold slashes."""
    paths = sorted(document()["paths"], key=lambda path: -len(re.sub(r"\{\w+\}", "", path)))
    return [(re.compile(_pattern(path)), path) for path in paths]


def _pattern(path: str) -> str:
    parts = re.split(r"(\{\w+\})", path)
    wide = {"{key}": ".+", "{path}": ".+"}
    return "".join(wide.get(part, "[^/]+") if part.startswith("{") else re.escape(part) for part in parts)


def template(path: str) -> str | None:
    return next((found for pattern, found in _templates() if pattern.fullmatch(path)), None)


@cache
def _registry() -> Any:
    return Registry().with_resource(URI, Resource.from_contents(document(), default_specification=DRAFT202012))


@lru_cache(maxsize=512)
def _validator(schema: str) -> Draft202012Validator:
    absolute = schema.replace('"#/components/', f'"{URI}#/components/')
    return Draft202012Validator(json.loads(absolute), registry=_registry())


def faults(method: str, path: str, status: int, kind: str, body: Any) -> list[str]:
    """Why the document does not promise this answer; `body`: the JSON value, or None where there is none."""
    found = template(path)
    operation = operations().get((method.upper(), found or ""))
    if operation is None:
        # What is not there is refused, in the one form of all refusals.
        return [] if status in (401, 403, 404, 405) else [f"{method} {path} is not in the document"]
    responses = operation["responses"]
    promised = responses.get(str(status)) or (responses.get("default") if status >= 400 else None)
    if promised is None:
        return [f"{method} {found} does not promise {status}"]
    content = resolved(promised).get("content", {})
    if not content:
        return [] if body is None else [f"{method} {found} {status} promises no body"]
    if kind not in content:
        return [] if "*/*" in content else [f"{method} {found} {status} does not promise {kind}"]
    if kind != "application/json":
        return []
    errors = _validator(json.dumps(content[kind]["schema"])).iter_errors(body)
    return [f"{method} {found} {status} at {error.json_path}: {error.message}" for error in errors]

"""openapi.yml as a judge: it promises every answer that a test sees, and asks for every body that was accepted."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
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
    read: dict[str, Any] = yaml.load(DOCUMENT.read_text("utf-8"), getattr(yaml, "CSafeLoader", yaml.SafeLoader))
    return read


@cache
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
    formats = Draft202012Validator.FORMAT_CHECKER
    return Draft202012Validator(json.loads(absolute), registry=_registry(), format_checker=formats)


def broken(schema: Any, value: Any) -> list[str]:
    """Where and why the value is not as the schema says."""
    errors = _validator(json.dumps(schema)).iter_errors(value)
    return [f"at {error.json_path}: {error.message}" for error in errors]


def faults(
    method: str, path: str, status: int, kind: str, body: Any, headers: Mapping[str, str] | None = None
) -> list[str]:
    """Why the document does not promise this answer; `body`: the JSON value, or None where there is none. `headers`,
    asked for by names in any case, are looked at where they are given."""
    found = template(path)
    operation = operations().get((method.upper(), found or ""))
    if operation is None:
        # What is not there is refused, in the one form of all refusals.
        return [] if status in (401, 403, 404, 405) else [f"{method} {path} is not in the document"]
    responses = operation["responses"]
    promised = responses.get(str(status)) or (responses.get("default") if status >= 400 else None)
    if promised is None:
        return [f"{method} {found} does not promise {status}"]
    wrong = [] if headers is None else _wrong_headers(resolved(promised).get("headers", {}), headers)
    if wrong:
        return [f"{method} {found} {status}: {reason}" for reason in wrong]
    content = resolved(promised).get("content", {})
    if not content:
        return [] if body is None else [f"{method} {found} {status} promises no body"]
    if kind not in content:
        return [] if "*/*" in content else [f"{method} {found} {status} does not promise {kind}"]
    if kind != "application/json":
        return []
    return [f"{method} {found} {status} {reason}" for reason in broken(content[kind]["schema"], body)]


def _wrong_headers(promised: Mapping[str, Any], headers: Mapping[str, str]) -> list[str]:
    wrong = []
    for name, header in promised.items():
        about, value = resolved(header), headers.get(name)
        if value is None:
            wrong += [f"{name} is missing"] if about.get("required") else []
        elif about["schema"]["type"] == "integer" and not value.isdecimal():
            wrong.append(f"{name} is no number: {value}")
    return wrong


def unasked(method: str, path: str, kind: str, body: Any) -> list[str]:
    """Why the document does not ask for this body, which has been accepted."""
    operation = operations().get((method.upper(), template(path) or ""), {})
    content = resolved(operation.get("requestBody", {})).get("content", {})
    if not content:
        return []
    if kind not in content:
        return [f"{method} {template(path)} asks for no {kind}"]
    return [f"{method} {template(path)} takes a body {reason}" for reason in broken(content[kind]["schema"], body)]

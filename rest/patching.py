"""PATCH (RE5): RFC 6902 and RFC 7386, both read as "these top-level members become this"."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import jsonpatch

from protocol.codec import Encoding, decode_body, encode
from protocol.refusals import ProtocolError
from rest.bodies import BODY_BYTES, JSON, JSON_PATCH, MERGE_PATCH, Body, as_object
from rest.problems import Problem, conflict

TYPES = (JSON, JSON_PATCH, MERGE_PATCH)
MOST_OPERATIONS = 1_000
# Tuples: what a client sends as `op` need not be hashable.
WITH_VALUE = ("add", "replace", "test")
WITH_FROM = ("move", "copy")
WORDS = (*WITH_VALUE, *WITH_FROM, "remove")

WHOLE = ("metadata", "owner")
"""What a merge patch gives stays as it is: an object of metadata is merged by key, where the document shows a list; and
half of one person with half of another would be neither."""

Operation = dict[str, Any]


def changes(content_type: str, document: Mapping[str, Any], patch: Any) -> Body:
    """The top-level members that `patch` names, each with its new value, None where it is gone.

    `document` is the resource as the client sees it; it is not changed. Raises 400 `invalid_patch`, 409 where a `test`
    fails: nothing has been applied then.
    """
    # Programs that hand a list to their HTTP library send it so; a merge patch is never one.
    if content_type == JSON_PATCH or (content_type == JSON and isinstance(patch, list)):
        return json_patch(document, patch)
    return merge_changes(document, as_object(patch))


def merge_changes(document: Mapping[str, Any], patch: Body) -> Body:
    """RFC 7386, but for WHOLE."""
    return {name: value if name in WHOLE else merge_patch(document.get(name), value) for name, value in patch.items()}


def merge_patch(target: Any, patch: Any) -> Any:
    """`MergePatch` of RFC 7386 section 2."""
    if not isinstance(patch, dict):
        return patch
    merged = dict(target) if isinstance(target, dict) else {}
    for name, value in patch.items():
        if value is None:
            merged.pop(name, None)
        else:
            merged[name] = merge_patch(merged.get(name), value)
    return merged


def json_patch(document: Mapping[str, Any], patch: Any) -> Body:
    operations = _operations(patch)
    target = _copy({name: document[name] for name in _members(operations) if name in document})
    budget = BODY_BYTES
    for operation in operations:
        budget -= _copied(target, operation)
        if budget < 0:
            raise _invalid("The patch copies more than a body may hold.")
        _apply(target, operation)
    # OP14 holds for every operation, but what they build together may be nested too deeply.
    return _copy({name: target.get(name) for name in _changed(operations)})


def _operations(patch: Any) -> list[Operation]:
    if not isinstance(patch, list):
        raise _invalid("A JSON patch is an array of operations.")
    if len(patch) > MOST_OPERATIONS:
        raise _invalid(f"A patch has at most {MOST_OPERATIONS} operations.")
    return [_operation(entry) for entry in patch]


def _operation(entry: Any) -> Operation:
    if not isinstance(entry, dict) or entry.get("op") not in WORDS or not _is_path(entry.get("path")):
        raise _invalid("An operation has op, and a path below the top.")
    if entry["op"] in WITH_VALUE and "value" not in entry:
        raise _invalid("The operation needs a value.")
    if entry["op"] in WITH_FROM and not _is_path(entry.get("from")):
        raise _invalid("The operation needs from.")
    return entry


def _is_path(path: Any) -> bool:
    return isinstance(path, str) and path.startswith("/")


def _segments(path: str) -> list[str]:
    return [segment.replace("~1", "/").replace("~0", "~") for segment in path.split("/")[1:]]


def _members(operations: list[Operation]) -> set[str]:
    paths = [operation[name] for operation in operations for name in ("path", "from") if _is_path(operation.get(name))]
    return {_segments(path)[0] for path in paths}


def _changed(operations: list[Operation]) -> set[str]:
    """`move` takes away what it names in `from`; `test` changes nothing."""
    paths = [operation["path"] for operation in operations if operation["op"] != "test"]
    paths += [operation["from"] for operation in operations if operation["op"] == "move"]
    return {_segments(path)[0] for path in paths}


def _copied(target: Body, operation: Operation) -> int:
    """What `copy` adds: without a bound a document doubles with every operation."""
    if operation["op"] != "copy":
        return 0
    try:
        return len(encode(jsonpatch.JsonPointer(operation["from"]).resolve(target), Encoding.JSON))
    except (jsonpatch.JsonPointerException, RecursionError, TypeError):
        # TypeError: `-` resolves to the place behind the last entry, which is no value.
        raise _invalid("copy names nothing that is there.") from None


def _apply(target: Body, operation: Operation) -> None:
    if operation["op"] == "replace" and _parent_is_object(target, operation["path"]):
        # RE5: replacing an absent member adds it.
        operation = {**operation, "op": "add"}
    try:
        jsonpatch.JsonPatch([operation]).apply(target, in_place=True)
    except jsonpatch.JsonPatchTestFailed:
        raise conflict(f"The test of {operation['path']} fails.") from None
    except (jsonpatch.JsonPatchException, jsonpatch.JsonPointerException, RecursionError):
        raise _invalid(f"{operation['op']} {operation['path']} cannot be applied.") from None


def _parent_is_object(target: Body, path: str) -> bool:
    parent = path.rpartition("/")[0]
    try:
        return isinstance(jsonpatch.JsonPointer(parent).resolve(target), dict)
    except jsonpatch.JsonPointerException:
        return False


def _copy(members: Mapping[str, Any]) -> Body:
    try:
        strict: Body = decode_body(encode(members, Encoding.JSON))
    except (ProtocolError, RecursionError):
        raise _invalid("The patched resource would break the rules of JSON bodies.") from None
    return strict


def _invalid(message: str) -> Problem:
    return Problem(400, "invalid_patch", message)

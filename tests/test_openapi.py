"""openapi.yml and the code are two accounts of one thing: they are held together in both directions."""

from __future__ import annotations

import ast
import copy
import re
from collections.abc import Iterable, Iterator
from typing import Any

import pytest
import yaml
from openapi_spec_validator import OpenAPIV31SpecValidator

from protocol.refusals import Reason
from rest.bodies import READ_ONLY, DiagramFields, EntryFields, ItemFields, ThreatFields, ThreatModelFields
from rest.identity import is_public
from rest.paging import MOST, SORTABLE
from rest.problems import BY_STATUS
from rest.routes import table
from tests.support.contract import DOCUMENT, METHODS, broken, document, faults, operations, resolved, template, unasked
from tests.support.edges import deps_of_nothing
from tests.support.tree import lines, sources

PROBLEM = {"error": "not_found", "message": "m", "error_description": "m", "details": {}}


def routes() -> set[tuple[str, str]]:
    """(METHOD, path), with the converter of a parameter left out."""
    return {
        (method, re.sub(r":\w+\}", "}", path))
        for path, methods in table(deps_of_nothing()).items()
        for method in methods
    }


def differences(routed: set[tuple[str, str]], documented: set[tuple[str, str]]) -> list[str]:
    return [
        *(f"{method} {path} is answered, and not in the document" for method, path in sorted(routed - documented)),
        *(f"{method} {path} is in the document, and not answered" for method, path in sorted(documented - routed)),
    ]


def test_the_document_is_valid() -> None:
    assert [error.message for error in OpenAPIV31SpecValidator(document()).iter_errors()] == []


def repeated(node: Any) -> list[str]:
    """Keys that one object has twice: of these this library takes the last without a word, others refuse the file."""
    found: list[str] = []
    for key, value in node.value if isinstance(node, yaml.MappingNode) else ():
        found += repeated(value)
        if [other.value for other, _ in node.value].count(key.value) > 1:
            found.append(f"{key.value} at line {key.start_mark.line + 1}")
    for value in node.value if isinstance(node, yaml.SequenceNode) else ():
        found += repeated(value)
    return found


def test_no_object_of_the_document_has_a_key_twice() -> None:
    found = repeated(yaml.compose(DOCUMENT.read_text("utf-8"), getattr(yaml, "CSafeLoader", yaml.SafeLoader)))
    assert not found, lines(found)


def test_answers_stand_in_the_order_of_their_status() -> None:
    stated = {f"{method} {path}": list(one["responses"]) for (method, path), one in operations().items()}
    found = [operation for operation, statuses in stated.items() if statuses != sorted(statuses)]
    assert not found, lines(found)


@pytest.mark.parametrize(
    "path",
    [
        "/threat_models/{threat_model_id}/diagrams",
        "/threat_models/{threat_model_id}/threats/bulk",
        "/webhook/subscriptions",
    ],
)
def test_what_is_new_without_a_key_of_its_own_conflicts_with_nothing(path: str) -> None:
    assert "409" not in operations()["POST", path]["responses"]


def test_every_route_is_in_the_document_and_the_other_way_round() -> None:
    found = differences(routes(), set(operations()))
    assert not found, lines(found)


def test_a_route_that_is_missing_on_either_side_is_named() -> None:
    one, other = ("GET", "/a"), ("PUT", "/a")
    assert differences({one, other}, {one}) == ["PUT /a is answered, and not in the document"]
    assert differences({one}, {one, other}) == ["PUT /a is in the document, and not answered"]
    assert differences({one}, {one}) == []


def test_public_paths_are_those_without_security() -> None:
    for (method, path), operation in operations().items():
        assert (operation.get("security") == []) == is_public(path.replace("{path}", "x")), (method, path)


def test_operations_have_names_of_their_own() -> None:
    names = [operation["operationId"] for operation in operations().values()]
    assert len(set(names)) == len(names)


def test_path_parameters_are_described_where_they_stand() -> None:
    for path, item in document()["paths"].items():
        for method in METHODS:
            if method in item:
                described = [
                    resolved(one) for one in (*item.get("parameters", ()), *item[method].get("parameters", ()))
                ]
                named = {one["name"] for one in described if one["in"] == "path"}
                assert named == set(re.findall(r"\{(\w+)\}", path)), (method, path)


def test_every_operation_says_how_it_refuses() -> None:
    for (method, path), operation in operations().items():
        codes = set(operation["responses"])
        if operation.get("security") != []:
            assert {"401", "429", "503"} <= codes, (method, path)
            assert method == "GET" or "403" in codes, (method, path)
        if "{threat_model_id}" in path or "{diagram_id}" in path:
            assert {"400", "403", "404"} <= codes, (method, path)
        if "requestBody" in operation:
            assert {"400", "413", "415"} <= codes, (method, path)
        assert "default" in codes or codes & {"404", "503"}, (method, path)


def test_every_operation_stands_under_one_subject() -> None:
    known = {tag["name"] for tag in document()["tags"]}
    for where, operation in operations().items():
        assert len(operation["tags"]) == 1 and operation["tags"][0] in known, where


def schemas(value: Any, path: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    """Every schema of the document that stands where a generator of clients looks, with its place."""
    if isinstance(value, list):
        for index, part in enumerate(value):
            yield from schemas(part, f"{path}/{index}")
    elif isinstance(value, dict):
        is_schema = path.endswith(("/schema", "/items", "/additionalProperties"))
        if is_schema or re.search(r"/(schemas|properties)/[^/]+$|/(allOf|anyOf|oneOf)/\d+$", path):
            yield path, value
        for name, part in value.items():
            if name not in ("example", "examples"):
                yield from schemas(part, f"{path}/{name}")


UNUSUAL = {"const", "not", "if", "then", "else", "patternProperties", "dependentSchemas", "prefixItems", "contains"}


def test_generators_of_clients_meet_nothing_unusual() -> None:
    """Every list says what it holds, and nothing is said in words that a generator passes over or fails at."""
    found = list(schemas(document()))
    assert len(found) > 500
    for path, schema in found:
        assert not UNUSUAL & schema.keys(), path
        assert "array" not in schema.get("type", "") or "items" in schema, path


def test_generators_of_clients_make_names_that_are_not_taken() -> None:
    """Go: a `NewX` for every X. Java: a `Pair` of its own."""
    names = document()["components"]["schemas"].keys()
    assert not {"Pair", *(f"New{name}" for name in names)} & names


def test_generators_of_clients_are_not_asked_for_an_object_of_any_members_or_a_list_as_one_body() -> None:
    """OpenAPI Generator's TypeScript has no type for that."""
    for place, medium in media():
        parts = [resolved(part) for part in medium["schema"].get("anyOf", ())]
        free = [part for part in parts if part.get("type") == "object" and "properties" not in part]
        assert not free or all(part.get("type") != "array" for part in parts), place


def test_generators_of_clients_take_pictures_for_bytes() -> None:
    pictures = [medium["schema"] for place, medium in media() if "image/" in place]
    assert [schema.get("format") for schema in pictures] == ["binary", "binary"]


def media() -> Iterator[tuple[str, dict[str, Any]]]:
    """Every body of the document, asked for or given, with its place."""
    parts = [(f"{kind}/{name}", part) for kind in ("requestBodies", "responses") for name, part in _component(kind)]
    for (method, path), operation in operations().items():
        own = {"body": operation.get("requestBody", {}), **operation["responses"]}
        parts += [(f"{method} {path} {name}", part) for name, part in own.items()]
    for place, part in parts:
        for kind, medium in part.get("content", {}).items():
            yield f"{place} {kind}", medium


def _component(kind: str) -> Iterable[tuple[str, dict[str, Any]]]:
    found: dict[str, dict[str, Any]] = document()["components"][kind]
    return found.items()


def test_the_examples_are_what_the_schemas_say() -> None:
    shown = [(place, medium) for place, medium in media() if "example" in medium]
    assert len(shown) > 25
    for place, medium in shown:
        assert broken(medium["schema"], medium["example"]) == [], place


@pytest.mark.parametrize(("status", "word"), [(status, word) for status, (word, _) in BY_STATUS.items()])
def test_what_a_status_always_says_is_among_the_words_of_that_status(status: int, word: str) -> None:
    for where, operation in operations().items():
        if str(status) in operation["responses"]:
            schema = resolved(operation["responses"][str(status)])["content"]["application/json"]["schema"]
            problem = {"error": word, "message": "m", "error_description": "m", "details": {}}
            assert not [reason for reason in broken(schema, problem) if "error" in reason], where


def test_links_name_operations_and_their_parameters() -> None:
    known = {operation["operationId"]: (path, operation) for (_, path), operation in operations().items()}
    found = 0
    for operation in operations().values():
        for response in operation["responses"].values():
            for link in resolved(response).get("links", {}).values():
                path, _ = known[link["operationId"]]
                assert set(link["parameters"]) == set(re.findall(r"\{(\w+)\}", path)) - {"index", "key"}
                found += 1
    assert found > 20


def test_every_part_is_used() -> None:
    text = re.findall(r"#/components/(\w+)/([\w-]+)", (str(document())))
    used = set(text)
    for section in ("schemas", "responses", "parameters", "requestBodies", "headers"):
        for name in document()["components"][section]:
            assert (section, name) in used, f"{section}/{name}"


def errors_in_code() -> set[str]:
    """Words that stand as `error` of a refusal in the source: each is a lower_snake string there."""
    words = {reason.value for reason in Reason}
    for path, text in sources("rest").items():
        words |= {
            node.value
            for node in ast.walk(ast.parse(text, path))
            if isinstance(node, ast.Constant)
            and isinstance(node.value, str)
            and re.fullmatch("[a-z]+(_[a-z]+)*", node.value)
        }
    return words | {"invalid_limit", "invalid_offset"}


def test_every_documented_error_is_in_the_code() -> None:
    documented = {
        word
        for name, schema in document()["components"]["schemas"].items()
        if name.endswith("Problem") and "allOf" in schema
        for word in schema["allOf"][1]["properties"]["error"]["enum"]
    }
    assert len(documented) > 25
    assert documented - errors_in_code() == set()


def test_server_owned_fields_are_marked_in_the_document() -> None:
    schemas = document()["components"]["schemas"]
    marked = {
        name
        for schema in ("ThreatModelItem", "DiagramItem", "Diagram", "Threat")
        for part in (schemas[schema], *schemas[schema].get("allOf", ()))
        for name, field in part.get("properties", {}).items()
        if field.get("readOnly")
    }
    below = {"diagrams", "threats", "documents", "repositories", "assets", "notes"}
    assert marked - below == READ_ONLY


@pytest.mark.parametrize(
    ("model", "schema"),
    [
        (ThreatModelFields, "ThreatModelInput"),
        (DiagramFields, "DiagramInput"),
        (EntryFields, "EntryInput"),
        (ThreatFields, "ThreatFields"),
        (ItemFields, "ThreatFields"),
        (ItemFields, "ItemFields"),
    ],
)
def test_fields_that_are_judged_are_in_the_document_with_their_limits(model: Any, schema: str) -> None:
    documented = document()["components"]["schemas"][schema]["properties"]
    for name, field in model.model_json_schema()["properties"].items():
        if (model, name) == (EntryFields, "name"):
            continue
        assert name in documented, (schema, name)
        limit = documented[name].get("maxLength")
        assert limit in (None, *_limits(field)), (schema, name, limit)


def _limits(field: dict[str, Any]) -> list[int]:
    return [part["maxLength"] for part in (field, *field.get("anyOf", ())) if "maxLength" in part]


def test_the_limits_of_lists_are_those_of_the_document() -> None:
    parameters = document()["components"]["parameters"]
    pattern = parameters["sort"]["schema"]["pattern"]
    assert all(re.match(pattern, f"-{name}") for name in SORTABLE)
    assert str(MOST) in parameters["limit"]["description"]
    assert document()["components"]["schemas"]["Page"]["properties"]["limit"]["maximum"] == MOST


def test_an_answer_that_the_document_does_not_promise_is_named() -> None:
    good = faults("GET", "/ws/ticket", 200, "application/json", {"ticket": "t"})
    assert good == []
    assert faults("GET", "/ws/ticket", 200, "application/json", {"tickets": "t"})
    assert faults("GET", "/ws/ticket", 200, "text/plain", None)
    assert faults("GET", "/ws/ticket", 201, "application/json", {"ticket": "t"})
    assert faults("GET", "/nowhere", 200, "application/json", {})
    assert faults("GET", "/ws/ticket", 404, "application/json", PROBLEM) == []
    assert faults("GET", "/ws/ticket", 404, "application/json", {**PROBLEM, "error": "unauthorized"})
    assert faults("GET", "/ws/ticket", 500, "application/json", {**PROBLEM, "error": "server_error"}) == []


def test_a_promised_header_that_is_missing_is_named() -> None:
    limited = {**PROBLEM, "error": "rate_limit_exceeded"}
    for headers, good in (({"Retry-After": "1"}, True), ({}, False), ({"Retry-After": "soon"}, False)):
        assert (faults("GET", "/me", 429, "application/json", limited, headers) == []) == good


def test_a_body_that_the_document_does_not_ask_for_is_named() -> None:
    path = "/threat_models/x/metadata"
    assert unasked("POST", path, "application/json", {"key": "a", "value": "b"}) == []
    assert unasked("POST", path, "application/json", {"key": "a"})
    assert unasked("POST", path, "application/merge-patch+json", {"key": "a", "value": "b"})
    assert unasked("DELETE", f"{path}/a", "application/json", {}) == []


def test_addresses_find_their_template() -> None:
    assert template("/threat_models/x/metadata/bulk") == "/threat_models/{threat_model_id}/metadata/bulk"
    assert template("/threat_models/x/metadata/a/b") == "/threat_models/{threat_model_id}/metadata/{key}"
    assert template("/threats/x") == "/threats/{item_id}"


def test_the_document_is_not_changed_by_looking_at_it() -> None:
    before = copy.deepcopy(document())
    operations()
    assert document() == before

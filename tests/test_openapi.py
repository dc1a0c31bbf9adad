"""openapi.yml and the code are two accounts of one thing: they are held together in both directions."""

from __future__ import annotations

import ast
import copy
import re
from typing import Any

import pytest
from openapi_spec_validator import OpenAPIV31SpecValidator

from protocol.refusals import Reason
from rest.bodies import READ_ONLY, DiagramFields, EntryFields, ItemFields, ThreatFields, ThreatModelFields
from rest.identity import is_public
from rest.paging import MOST, SORTABLE
from rest.routes import table
from tests.support.contract import METHODS, document, faults, operations, resolved, template
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
            assert "401" in codes, (method, path)
        if "_id}" in path:
            assert {"400", "403", "404"} <= codes, (method, path)
        assert "default" in codes or codes & {"404", "503"}, (method, path)


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
    documented = set(document()["components"]["schemas"]["Problem"]["properties"]["error"]["enum"])
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
        (ThreatFields, "ThreatInput"),
        (ItemFields, "ThreatInput"),
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
    assert faults("GET", "/ws/ticket", 404, "application/json", {**PROBLEM, "error": "odd"})


def test_addresses_find_their_template() -> None:
    assert template("/threat_models/x/metadata/bulk") == "/threat_models/{threat_model_id}/metadata/bulk"
    assert template("/threat_models/x/metadata/a/b") == "/threat_models/{threat_model_id}/metadata/{key}"
    assert template("/threats/x") == "/threats/{item_id}"


def test_the_document_is_not_changed_by_looking_at_it() -> None:
    before = copy.deepcopy(document())
    operations()
    assert document() == before

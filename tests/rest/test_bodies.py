"""Bodies: sizes, types, strict JSON."""

from __future__ import annotations

from typing import Any

import pytest

from rest.bodies import (
    BODY_BYTES,
    CELLS_BODY_BYTES,
    DiagramFields,
    RoleFields,
    ThreatFields,
    ThreatModelFields,
    check,
    check_size,
    metadata_of,
    unique_parameters,
    without_server_fields,
)
from rest.operations import OperationFields
from rest.problems import Problem
from tests.support.edges import Edge, Somebody, refusal

JSON = {"Content-Type": "application/json"}
MESSAGE_TYPES = "must be one of 'operation', 'diagram_operation' or 'diagram_operation_request'"


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"{",
        b"[]",
        b"5",
        b'"x"',
        b"null",
        b'{"name": NaN}',
        b'{"name": 1e999}',
        b'{"name": 9007199254740992}',
        b'{"name": "a", "name": "b"}',
        b'{"name": "\\u0000"}',
        b'{"name": "\\ud800"}',
        b'{"name": "\xff"}',
        b'\xef\xbb\xbf{"name": "bom"}',
        b'{"constructor": 1}',
        b'{"__pr\\u006fto__": 1}',
        b'{"name":' + b"[" * 100_000,
    ],
)
async def test_OP14_a_body_is_strict_json(alice: Somebody, raw: bytes) -> None:
    await alice.refused(400, "invalid_input", "POST", "/threat_models", content=raw, headers=JSON)


async def test_RE9_a_body_that_is_too_large_is_413(alice: Somebody) -> None:
    raw = b'{"name":"' + b"x" * BODY_BYTES + b'"}'
    await alice.refused(413, "payload_too_large", "POST", "/threat_models", content=raw, headers=JSON)
    model = await alice.threat_model()
    cells = b'{"name":"D","cells":[],"description":"' + b"x" * CELLS_BODY_BYTES + b'"}'
    await alice.refused(413, "payload_too_large", "POST", f"{model}/diagrams", content=cells, headers=JSON)


@pytest.mark.parametrize(
    ("method", "named", "types"),
    [
        ("POST", "accept-post", "application/json"),
        ("PUT", "accept", "application/json"),
        ("PATCH", "accept-patch", "application/json, application/json-patch+json, application/merge-patch+json"),
    ],
)
async def test_RE9_a_415_says_what_would_do(alice: Somebody, method: str, named: str, types: str) -> None:
    path = "/threat_models" if method == "POST" else await alice.threat_model()
    for kind in ("text/xml", "text/plain; charset=utf-8", "", "application/jsonp"):
        answer = await alice.ask(method, path, content=b"{}", headers={"Content-Type": kind})
        refusal(answer, 415, "unsupported_media_type")
        assert answer.headers[named] == types


async def test_RE9_a_body_that_is_packed_is_415(alice: Somebody) -> None:
    headers = {**JSON, "Content-Encoding": "gzip"}
    answer = await alice.ask("POST", "/threat_models", content=b"\x1f\x8b", headers=headers)
    refusal(answer, 415, "unsupported_media_type")
    assert answer.headers["accept-encoding"] == "identity"


async def test_a_body_of_unknown_length_is_cut_off(alice: Somebody) -> None:
    async def endless() -> Any:
        while True:
            yield b" " * 65_536

    await alice.refused(413, "payload_too_large", "POST", "/threat_models", content=endless(), headers=JSON)


@pytest.mark.parametrize(
    "kind", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data", "application/xml"]
)
async def test_RE9_another_type_is_415(alice: Somebody, kind: str) -> None:
    headers = {"Content-Type": kind}
    await alice.refused(415, "unsupported_media_type", "POST", "/threat_models", content=b"{}", headers=headers)


async def test_a_type_may_have_parameters(alice: Somebody) -> None:
    headers = {"Content-Type": "Application/JSON; charset=utf-8"}
    assert (await alice.ask("POST", "/threat_models", content=b'{"name":"M"}', headers=headers)).status_code == 201


def test_RE6_a_field_of_the_server_may_be_repeated_where_it_says_so() -> None:
    assert without_server_fields({"name": "a", "threat_model_id": "m"}, same={"threat_model_id": "m"}) == {"name": "a"}
    with pytest.raises(Problem) as raised:
        without_server_fields({"threat_model_id": "n"}, same={"threat_model_id": "m"})
    assert raised.value.error == "read_only_field"


@pytest.mark.parametrize(
    ("model", "fields", "field", "reason"),
    [
        (ThreatModelFields, {}, "name", "Field is required"),
        (ThreatModelFields, {"name": ""}, "name", "is empty"),
        (ThreatModelFields, {"name": " "}, "name", "is empty"),
        (ThreatModelFields, {"name": 5}, "name", "must be a text"),
        (ThreatModelFields, {"name": "x" * 257}, "name", "has at most 256 characters"),
        (ThreatModelFields, {"name": "M", "security_reviewer": 5}, "security_reviewer", "must be a text or an object"),
        (ThreatFields, {"name": "T", "cell_id": 5, "score": "x"}, "cell_id", "must be a text"),
        (DiagramFields, {"name": "D", "image": 5}, "image", "must be an object"),
        (DiagramFields, {"name": "D", "image": {"svg": 5}}, "image.svg", "must be a text"),
        (DiagramFields, {"name": "D", "assets": {}}, "assets", "must be a list"),
        (ThreatFields, {"name": "T", "stride": ["s", 5]}, "stride[1]", "must be a text"),
        (ThreatFields, {"name": "T", "stride": {"x": 1}}, "stride", "must be a text or a list"),
        (ThreatFields, {"name": "T", "score": "7"}, "score", "must be a number"),
        (ThreatFields, {"name": "T", "mitigated": 1}, "mitigated", "must be true or false"),
        (RoleFields, {"role": "admin"}, "role", "must be one of 'reader', 'writer' or 'owner'"),
        (OperationFields, {"base_vector": -1}, "base_vector", "must be at least 0"),
        (OperationFields, {"base_vector": 1.5}, "base_vector", "must be a whole number"),
        (OperationFields, {"message_type": "x"}, "message_type", MESSAGE_TYPES),
    ],
)
def test_RE1_a_bad_field_is_named_by_its_path_and_in_our_words(
    model: Any, fields: Any, field: str, reason: str
) -> None:
    with pytest.raises(Problem) as raised:
        check(model, fields)
    details = raised.value.details
    assert (raised.value.status, details) == (422, {"field": field, "reason": reason})


def test_a_null_is_the_absence_of_a_field() -> None:
    assert without_server_fields({"name": "a", "description": None}) == {"name": "a"}


@pytest.mark.parametrize("value", [{"k": "v"}, [{"key": "k", "value": "v"}], [{"key": "k", "value": "v", "more": 1}]])
def test_metadata_has_two_spellings(value: Any) -> None:
    assert metadata_of(value) == {"k": "v"}


@pytest.mark.parametrize(
    "value",
    [
        *(5, "k", [["k", "v"]], [{"key": "k"}], {"k": None}, {str(n): "v" for n in range(1_001)}),
        *([{"key": key, "value": "v"}] for key in ({}, [], None, 5)),
    ],
)
def test_nothing_else_is_metadata(value: Any) -> None:
    with pytest.raises(Problem):
        metadata_of(value)


def test_a_row_has_a_limit() -> None:
    check_size({"x": "y" * 1_000_000})
    with pytest.raises(Problem):
        check_size({"x": "y" * BODY_BYTES})


@pytest.mark.parametrize("query", ["a=1&a=2", "a=1&" * 101, "a=&a="])
def test_a_parameter_stands_once(query: str) -> None:
    with pytest.raises(Problem) as raised:
        unique_parameters(query)
    assert raised.value.error == "invalid_request"


async def test_the_fields_of_a_form_and_of_json_are_the_same(here: Edge) -> None:
    fields = {"grant_type": "none"}
    refusal(await here.http.post("/oauth2/token", data=fields), 400, "invalid_request")
    refusal(await here.http.post("/oauth2/token", json=fields), 400, "invalid_request")
    answer = await here.http.post("/oauth2/token", content=b"x", headers={"Content-Type": "text/plain"})
    refusal(answer, 415, "unsupported_media_type")

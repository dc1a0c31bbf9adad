"""Every refusal has one form, and shows nothing of the inside."""

from __future__ import annotations

from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.testclient import TestClient

from rest.problems import HANDLERS, Problem, bad_field, not_found


def answer_to(raised: Exception, method: str = "GET", path: str = "/") -> Any:
    async def endpoint(_: Request) -> Response:
        raise raised

    app = Starlette(routes=[Route("/", endpoint)], exception_handlers=HANDLERS)
    return TestClient(app, raise_server_exceptions=False).request(method, path)


def test_RE1_the_two_texts_are_one() -> None:
    assert answer_to(Problem(409, "conflict", "It changed.", details={"id": "a"})).json() == {
        "error": "conflict",
        "message": "It changed.",
        "error_description": "It changed.",
        "details": {"id": "a"},
    }


def test_a_client_that_goes_in_the_middle_of_its_body_is_no_fault_of_ours() -> None:
    assert answer_to(ClientDisconnect()).status_code == 400


def test_RE1_a_bad_field_is_named_with_its_reason() -> None:
    answer = answer_to(bad_field("name", "is empty"))
    assert answer.status_code == 422
    assert answer.json()["details"] == {"field": "name", "reason": "is empty"}


def test_RE1_a_bug_shows_nothing_of_the_inside() -> None:
    answer = answer_to(RuntimeError("SELECT secret FROM /etc/passwd"))
    assert answer.status_code == 500
    assert answer.json()["error"] == "server_error"
    assert "SELECT" not in answer.text and "Traceback" not in answer.text


@pytest.mark.parametrize(
    ("raised", "status", "error"),
    [
        (not_found(), 404, "not_found"),
        (HTTPException(413), 413, "payload_too_large"),
        (HTTPException(418, "SELECT"), 418, "invalid_request"),
    ],
)
def test_RE1_every_refusal_has_the_form(raised: Exception, status: int, error: str) -> None:
    answer = answer_to(raised)
    assert (answer.status_code, answer.json()["error"]) == (status, error)
    assert set(answer.json()) == {"error", "message", "error_description", "details"}
    assert "SELECT" not in answer.text


def test_RE1_an_unknown_address_has_the_form() -> None:
    assert answer_to(not_found(), path="/nowhere").json()["error"] == "not_found"


def test_a_wrong_method_names_the_right_ones() -> None:
    answer = answer_to(not_found(), method="DELETE")
    assert (answer.status_code, answer.json()["error"]) == (405, "method_not_allowed")
    assert set(answer.headers["allow"].split(", ")) == {"GET", "HEAD"}


def test_headers_of_a_problem_are_sent() -> None:
    answer = answer_to(Problem(503, "unavailable", "Later.", headers={"Retry-After": "3"}))
    assert answer.headers["retry-after"] == "3"


def test_the_body_is_json_in_utf_8() -> None:
    answer = answer_to(Problem(422, "validation_error", "Größe"))
    assert answer.headers["content-type"] == "application/json"
    assert "Größe".encode() in answer.content

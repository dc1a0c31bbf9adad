"""The URL table becomes routes: by method, and without redirects."""

from __future__ import annotations

import gc
from pathlib import Path

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.testclient import TestClient

from protocol.refusals import CellError
from rest.identity import ACCESS_COOKIE
from rest.problems import HANDLERS, Problem
from rest.routes import front_table, routes, starlette
from tests.support.edges import NOWHERE, Edge, Somebody, edge, node, refusal
from tests.support.fronts import front


async def read(_: Request) -> Response:
    return PlainTextResponse("read")


async def written(_: Request) -> Response:
    return PlainTextResponse("written")


@pytest.fixture
def client() -> TestClient:
    rows = {"/thing": {"GET": read, "PUT": written}}
    return TestClient(Starlette(routes=routes(rows), exception_handlers=HANDLERS))


@pytest.mark.parametrize(("method", "text"), [("GET", "read"), ("PUT", "written"), ("HEAD", "")])
def test_each_method_has_its_endpoint(client: TestClient, method: str, text: str) -> None:
    assert client.request(method, "/thing").text == text


def test_a_405_names_all_methods_of_the_path(client: TestClient) -> None:
    assert set(client.delete("/thing").headers["allow"].split(", ")) == {"GET", "HEAD", "OPTIONS", "PUT"}


def test_options_is_answered_with_them(client: TestClient) -> None:
    answer = client.options("/thing")
    assert (answer.status_code, answer.content, answer.headers["allow"]) == (204, b"", "GET, HEAD, OPTIONS, PUT")


def test_another_spelling_of_a_path_is_not_redirected() -> None:
    assert TestClient(starlette(front_table(front()))).get("/healthz/", follow_redirects=False).status_code == 404


async def test_the_whole_application_answers(here: Edge) -> None:
    assert (await here.http.get("/")).json()["service"]["name"] == "codraw"
    assert (await here.http.head("/healthz")).status_code == 200
    assert (await here.http.post("/healthz")).status_code == 405


INVALID = [
    ("POST", "/threat_models", {"name": ["x"]}, "validation_error"),
    ("POST", "{model}/diagrams", {"name": "D", "cells": [node("a", x="left")]}, "validation_failed"),
    ("POST", "{model}/threats/bulk", [{"name": "T", "score": "high"}], "validation_error"),
    ("POST", "{diagram}/operations", {"operation_id": NOWHERE, "operation": {"type": "x"}}, "invalid_operation_type"),
    ("PUT", "{diagram}", {"name": "D", "cells": [{"id": "a", "shape": "blob"}]}, "validation_failed"),
    ("POST", "{diagram}/metadata", {"key": "k", "value": "v" * 70_000}, "validation_error"),
    ("POST", "/webhook/subscriptions", {"name": "W"}, "validation_error"),
]


@pytest.mark.parametrize("profile", ["wiki", "tmi"])
@pytest.mark.parametrize(("method", "path", "body", "error"), INVALID)
async def test_RE9_what_is_invalid_has_the_status_of_the_profile(
    tmp_path: Path, profile: str, method: str, path: str, body: object, error: str
) -> None:
    async with edge(tmp_path, profile=profile) as here:
        alice = await here.as_("alice")
        model = await alice.threat_model()
        there = path.format(model=model, diagram=await alice.diagram(model))
        await alice.refused(400 if profile == "tmi" else 422, error, method, there, body)


async def test_RE9_TMIs_app_hears_of_what_is_invalid_in_its_own_way(here: Edge, alice: Somebody) -> None:
    async with here.client(cookies={ACCESS_COOKIE: alice.token}) as app:
        refusal(await app.post("/threat_models", json={"name": ""}), 400, "validation_error")
    await alice.refused(422, "validation_error", "POST", "/threat_models", {"name": ""})


@pytest.mark.parametrize("host", ["", "evil.test", "a b", "[::", "x:99999999", "\xe9"])
async def test_no_host_header_breaks_an_answer(here: Edge, host: str) -> None:
    assert (await here.http.get("/oauth2/providers", headers={b"Host": host.encode("latin-1")})).status_code == 200


@pytest.mark.parametrize("query", ["\xff", "%ff", "%00", "a=%ed%a0%80", "&&&", "=", "a" * 8_000])
async def test_S90_no_query_breaks_an_answer(here: Edge, alice: Somebody, query: str) -> None:
    for path in ("/threat_models", "/oauth2/authorize", "/oauth2/callback", "/ws/ticket", "/threats"):
        answer = await alice.ask("GET", f"{path}?{query}")
        assert answer.status_code < 500, (path, answer.text)


async def test_a_refusal_leaves_nothing_to_the_collector(here: Edge) -> None:
    """A cycle would keep the body of each refused request in memory until the collector comes by."""
    alice = await here.as_("alice")
    model = await alice.threat_model()
    diagram = await alice.diagram(model)
    gc.collect()
    gc.disable()
    try:
        await alice.refused(422, "validation_error", "PUT", model, {"name": ["x"]})
        await alice.refused(422, "validation_failed", "PUT", diagram, {"name": "D", "cells": [{"id": 1}]})
        left = [found for found in gc.get_objects() if type(found) in (Problem, CellError)]
    finally:
        gc.enable()
    assert left == []

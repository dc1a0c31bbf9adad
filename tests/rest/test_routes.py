"""The URL table becomes routes: by method, and without redirects."""

from __future__ import annotations

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.testclient import TestClient

from rest.problems import HANDLERS
from rest.routes import front_table, routes, starlette
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
    assert set(client.delete("/thing").headers["allow"].split(", ")) == {"GET", "HEAD", "PUT"}


def test_another_spelling_of_a_path_is_not_redirected() -> None:
    assert TestClient(starlette(front_table(front()))).get("/healthz/", follow_redirects=False).status_code == 404

"""What anybody may ask: what this server is, whether it lives, whether it is ready."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from rest.front import Front, Readiness
from rest.routes import front_table, starlette
from tests.support.fronts import READY, front


def client(made: Front) -> TestClient:
    return TestClient(starlette(front_table(made)), base_url="http://here:81")


def test_the_front_says_what_this_server_is() -> None:
    assert client(front()).get("/").json() == {
        "status": {"code": "OK", "time": "2026-11-21T10:00:00Z"},
        "service": {"name": "codraw", "build": "1.2.3"},
        "api": {"version": "1.0", "specification": "http://here:81/openapi.yml"},
        "dialects": ["classic", "tmi"],
        "limits": {"max_frame_bytes": 262144},
        "durability": "disk",
    }


def test_the_specification_is_where_clients_reach_it() -> None:
    answer = client(front(public_url="https://draw.example.org")).get("/")
    assert answer.json()["api"]["specification"] == "https://draw.example.org/openapi.yml"


def test_a_head_request_gets_no_body() -> None:
    answer = client(front()).head("/")
    assert (answer.status_code, answer.content) == (200, b"")


def test_while_the_loop_turns_it_lives() -> None:
    assert client(front(replace(READY, store="down"))).get("/healthz").status_code == 200


def test_readiness_names_its_parts() -> None:
    answer = client(front()).get("/readyz")
    assert answer.status_code == 200
    assert answer.json() == {"store": "ok", "bus": "ok", "schema": "ok", "draining": False}


@pytest.mark.parametrize(
    ("readiness", "status"),
    [
        (replace(READY, bus="down"), 200),
        (replace(READY, bus="degraded"), 200),
        (replace(READY, store="down"), 503),
        (replace(READY, schema="down"), 503),
        (replace(READY, draining=True), 503),
    ],
)
def test_only_store_schema_and_draining_make_it_unready(readiness: Readiness, status: int) -> None:
    assert client(front(readiness)).get("/readyz").status_code == status


def test_unready_says_when_to_ask_again() -> None:
    assert client(front(replace(READY, draining=True))).get("/readyz").headers["retry-after"] == "1"


def test_a_contract_is_served(tmp_path: Path) -> None:
    (tmp_path / "openapi.yml").write_text("openapi: 3.1.0\n")
    answer = client(front(documents={"openapi.yml": tmp_path / "openapi.yml"})).get("/openapi.yml")
    assert (answer.text, answer.headers["content-type"]) == ("openapi: 3.1.0\n", "application/yaml")


def test_a_contract_that_was_not_built_in_is_not_found() -> None:
    assert client(front()).get("/asyncapi.yml").json()["error"] == "not_found"

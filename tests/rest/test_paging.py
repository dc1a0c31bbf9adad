"""Lists: their form, their limits, their order."""

from __future__ import annotations

from typing import Any

import pytest
from starlette.requests import Request

from rest.paging import MOST, page
from rest.ports import Page
from rest.problems import Problem
from tests.support.edges import Edge, Somebody


def asked(query: str) -> Page:
    return page(Request({"type": "http", "query_string": query.encode(), "headers": []}))


@pytest.mark.parametrize(
    ("query", "wanted"),
    [
        ("", Page()),
        ("limit=50", Page(limit=50)),
        ("limit=1000000", Page(limit=MOST)),
        ("offset=5", Page(offset=5)),
        ("sort=name", Page(sort="name")),
        ("sort=-created_at", Page(descending=True)),
        ("sort=modified_at:desc", Page(sort="modified_at", descending=True)),
        ("sort=created_at:asc", Page()),
        ("sort=", Page()),
        ("other=1", Page()),
    ],
)
def test_RE3_RE4_what_a_query_asks_for(query: str, wanted: Page) -> None:
    assert asked(query) == wanted


@pytest.mark.parametrize(
    ("query", "error"),
    [
        ("limit=0", "invalid_limit"),
        ("limit=-1", "invalid_limit"),
        ("limit=x", "invalid_limit"),
        ("limit=", "invalid_limit"),
        ("limit=1.5", "invalid_limit"),
        ("limit=%D9%A1", "invalid_limit"),
        ("limit=" + "9" * 5_000, "invalid_limit"),
        ("offset=-1", "invalid_offset"),
        ("offset=x", "invalid_offset"),
        ("sort=secret", "invalid_input"),
        ("sort=name;drop%20table", "invalid_input"),
        ("sort=name:up", "invalid_input"),
        ("sort=--name", "invalid_input"),
    ],
)
def test_RE3_RE4_S58_what_cannot_be_read_is_400(query: str, error: str) -> None:
    with pytest.raises(Problem) as raised:
        asked(query)
    assert (raised.value.status, raised.value.error) == (400, error)
    assert raised.value.details["field"] == query.partition("=")[0]


@pytest.fixture
async def three(alice: Somebody, here: Edge) -> list[str]:
    names = ["C", "a", "B"]
    for name in names:
        await alice.threat_model(name=name)
        here.clock.advance(1)
    return names


async def test_RE2_a_list_with_paging_parameters_is_an_object(alice: Somebody, three: list[str]) -> None:
    answer = await alice.ask("GET", "/threat_models?limit=2&sort=-created_at")
    body = answer.json()
    assert [model["name"] for model in body["items"]] == ["B", "a"]
    assert body["items"] == body["threat_models"]
    assert (body["total"], body["limit"], body["offset"]) == (3, 2, 0)
    assert answer.headers["x-total-count"] == "3"


@pytest.mark.parametrize(
    ("query", "names"),
    [
        ("sort=created_at", "CaB"),
        ("sort=-created_at", "BaC"),
        ("sort=name", "aBC"),
        ("offset=1", "aB"),
        ("offset=9", ""),
    ],
)
async def test_RE4_the_order(alice: Somebody, three: list[str], query: str, names: str) -> None:
    body = await alice.get(f"/threat_models?{query}")
    assert "".join(model["name"] for model in body["items"]) == names
    assert body["total"] == 3


async def test_RE2_a_bare_array_counts_too(alice: Somebody, three: list[str]) -> None:
    answer = await alice.ask("GET", "/threat_models")
    assert len(answer.json()) == 3
    assert answer.headers["x-total-count"] == "3"


@pytest.mark.parametrize("resource", ["diagrams", "threats", "authorization", "metadata"])
async def test_RE2_a_nested_list_is_always_an_object(alice: Somebody, resource: str) -> None:
    model = await alice.threat_model()
    body: Any = await alice.get(f"{model}/{resource}")
    assert body["items"] == body[resource]
    assert {"total", "limit", "offset"} <= body.keys()

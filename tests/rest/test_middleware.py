"""What every answer carries."""

from __future__ import annotations

import pytest
from starlette.requests import Request
from starlette.responses import Response
from starlette.testclient import TestClient

from collab.access.origins import Origins
from rest.middleware import AnswerHeaders, Cors
from rest.routes import starlette
from tests.support.edges import LISTED, Edge, Somebody, refusal

PREFLIGHT = {
    "Access-Control-Request-Method": "GET",
    "Access-Control-Request-Headers": "authorization,cache-control,pragma",
}


async def test_RE10_an_answer_to_somebody_is_not_kept(alice: Somebody) -> None:
    answer = await alice.ask("GET", "/me")
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize("path", ["/", "/nowhere", "/oauth2/providers", "/healthz"])
async def test_RE10_every_answer_has_its_policy(here: Edge, path: str) -> None:
    headers = (await here.http.get(path)).headers
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["content-security-policy"] == "default-src 'none'; frame-ancestors 'none'"
    assert headers["cache-control"] == "no-store"


async def test_every_answer_names_its_request(here: Edge) -> None:
    ids = {(await here.http.get("/healthz")).headers["x-request-id"] for _ in range(3)}
    assert len(ids) == 3


def test_S90_a_fault_of_ours_carries_the_headers_and_hides_its_inside() -> None:
    async def broken(_: Request) -> Response:
        raise RuntimeError("SELECT secret FROM /etc/passwd")

    app = AnswerHeaders(Cors(starlette({"/": {"GET": broken}}), Origins.of((LISTED,), development=False)))
    answer = TestClient(app, raise_server_exceptions=False).get("/", headers={"Origin": LISTED})
    assert answer.status_code == 500
    assert (answer.headers["x-content-type-options"], answer.headers["access-control-allow-origin"]) == (
        "nosniff",
        LISTED,
    )
    assert "SELECT" not in answer.text and "passwd" not in answer.text


async def test_RE11_S97_a_listed_origin_is_echoed(here: Edge, alice: Somebody) -> None:
    headers = (await alice.ask("GET", "/me", headers={"Origin": LISTED})).headers
    assert headers["access-control-allow-origin"] == LISTED
    assert headers["access-control-allow-credentials"] == "true"
    assert "Origin" in headers["vary"]
    exposed = {name.strip() for name in headers["access-control-expose-headers"].split(",")}
    assert exposed == {"ETag", "Location", "Retry-After", "X-Total-Count"}


async def test_RE11_a_refusal_can_be_read_by_a_listed_page(here: Edge) -> None:
    answer = await here.http.get("/me", headers={"Origin": LISTED})
    assert (answer.status_code, answer.headers["access-control-allow-origin"]) == (401, LISTED)


@pytest.mark.parametrize("origin", ["https://evil.test", "null", "*", f"{LISTED}.evil.test", "http://localhost:4200"])
async def test_RE11_S97_no_other_origin_is(alice: Somebody, origin: str) -> None:
    headers = (await alice.ask("GET", "/me", headers={"Origin": origin})).headers
    assert "access-control-allow-origin" not in headers
    assert "access-control-allow-credentials" not in headers
    assert "Origin" in headers["vary"]


async def test_RE11_a_preflight_needs_no_credential(here: Edge) -> None:
    answer = await here.http.options("/threat_models", headers={"Origin": LISTED, **PREFLIGHT})
    assert (answer.status_code, answer.content) == (204, b"")
    assert answer.headers["access-control-allow-origin"] == LISTED
    allowed = {name.strip().lower() for name in answer.headers["access-control-allow-headers"].split(",")}
    assert allowed == {
        "content-type",
        "authorization",
        "accept",
        "cache-control",
        "pragma",
        "if-match",
        "if-none-match",
    }
    methods = {name.strip() for name in answer.headers["access-control-allow-methods"].split(",")}
    assert methods == {"GET", "POST", "PUT", "PATCH", "DELETE"}


async def test_RE11_a_preflight_of_a_foreign_page_is_refused(here: Edge) -> None:
    answer = await here.http.options("/threat_models", headers={"Origin": "https://evil.test", **PREFLIGHT})
    refusal(answer, 403, "origin_not_allowed")
    assert "access-control-allow-origin" not in answer.headers

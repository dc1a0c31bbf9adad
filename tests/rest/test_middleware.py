"""What every answer carries."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx2
import pytest
from starlette.requests import Request
from starlette.responses import Response
from starlette.testclient import TestClient

from collab.access.origins import Origins
from rest.middleware import AnswerHeaders, Cors
from rest.routes import starlette
from tests.support.edges import LISTED, Edge, Somebody, edge, refusal

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


@pytest.mark.parametrize("path", ["/", "/nowhere", "/oauth2/providers", "/healthz", "/oauth2/authorize"])
async def test_RE10_every_answer_asks_little_of_a_browser(here: Edge, path: str) -> None:
    headers = (await here.http.get(path)).headers
    assert headers["x-frame-options"] == "DENY"
    assert headers["referrer-policy"] == "no-referrer"
    assert "camera=()" in headers["permissions-policy"]
    assert headers["cross-origin-resource-policy"] == "same-site"
    assert "cross-origin-opener-policy" not in headers


def answered(headers: dict[str, str], public_url: str | None = None) -> Any:
    """By an endpoint that says these headers."""

    async def endpoint(_: Request) -> Response:
        return Response(b"body", headers=headers)

    return TestClient(AnswerHeaders(starlette({"/": {"GET": endpoint}}), public_url)).get("/")


def test_a_page_is_opened_by_nobody_else() -> None:
    assert answered({"Content-Type": "text/html; charset=utf-8"}).headers["cross-origin-opener-policy"] == "same-origin"


def test_what_an_endpoint_says_stays_where_it_may_say_it() -> None:
    said = {
        "Cache-Control": "no-cache",
        "Content-Security-Policy": "default-src 'self'",
        "Cross-Origin-Resource-Policy": "cross-origin",
    }
    headers = answered({**said, "X-Content-Type-Options": "sniff", "X-Request-Id": "mine"}).headers
    assert {name: headers[name] for name in said} == said
    assert headers.get_list("x-content-type-options") == ["nosniff"]
    assert headers["x-request-id"] != "mine"


@pytest.mark.parametrize(
    ("public_url", "told"), [("https://draw.example.org", True), ("http://x", False), (None, False)]
)
def test_S7_under_https_browsers_are_told_to_stay_there(public_url: str | None, told: bool) -> None:
    assert ("strict-transport-security" in answered({}, public_url).headers) is told


def test_several_cookies_stay_several() -> None:
    async def endpoint(_: Request) -> Response:
        response = Response()
        response.set_cookie("a", "1")
        response.set_cookie("b", "2")
        return response

    answer = TestClient(AnswerHeaders(starlette({"/": {"GET": endpoint}}))).get("/")
    assert len(answer.headers.get_list("set-cookie")) == 2


async def test_head_has_the_headers_of_get_and_no_body() -> None:
    async def endpoint(_: Request) -> Response:
        return Response(b"body")

    transport = httpx2.ASGITransport(AnswerHeaders(starlette({"/": {"GET": endpoint}})))
    async with httpx2.AsyncClient(transport=transport, base_url="http://here") as http:
        answer = await http.head("/")
    assert (answer.content, answer.headers["content-length"]) == (b"", "4")


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
    limits = {"Retry-After", "X-RateLimit-Limit", "X-RateLimit-Remaining", "X-RateLimit-Reset"}
    assert exposed == {"ETag", "Location", "X-Total-Count", "X-Request-Id", "WWW-Authenticate"} | limits


async def test_RE11_what_else_an_answer_depends_on_is_said_to_a_listed_origin_too(alice: Somebody) -> None:
    path = f"{await alice.diagram(await alice.threat_model())}/image"
    headers = (await alice.ask("GET", path, headers={"Origin": LISTED})).headers
    assert headers["vary"] == "Accept, Authorization, Cookie, Origin"


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
        "x-requested-with",
        "skip-auth",
    }
    methods = {name.strip() for name in answer.headers["access-control-allow-methods"].split(",")}
    assert methods == {"GET", "POST", "PUT", "PATCH", "DELETE"}


async def test_RE11_a_preflight_of_a_foreign_page_is_refused(here: Edge) -> None:
    answer = await here.http.options("/threat_models", headers={"Origin": "https://evil.test", **PREFLIGHT})
    refusal(answer, 403, "origin_not_allowed")
    assert "access-control-allow-origin" not in answer.headers


@pytest.mark.parametrize("header", ["skip-auth", "x-requested-with", "Cache-Control, Pragma"])
async def test_RE11_a_preflight_says_yes_to_what_TMIs_app_sends(here: Edge, header: str) -> None:
    asked = {"Origin": LISTED, "Access-Control-Request-Method": "GET", "Access-Control-Request-Headers": header}
    answer = await here.http.options("/", headers=asked)
    allowed = {name.strip().lower() for name in answer.headers["access-control-allow-headers"].split(",")}
    assert {name.strip().lower() for name in header.split(",")} <= allowed
    assert int(answer.headers["access-control-max-age"]) > 0


@pytest.mark.parametrize("host", ["evil.test", "evil.test:443", "evil.test@draw.example.org", "a b", ""])
async def test_S7_a_forged_host_is_in_no_address_that_is_handed_out(tmp_path: Path, host: str) -> None:
    async with edge(tmp_path) as here:
        here.deps = replace(here.deps, public_url="https://draw.example.org")
        ana = await here.as_("ana")
        forged = {"Host": host, "X-Forwarded-Host": "evil.test", "Forwarded": "host=evil.test;proto=http"}
        made = await ana.ask("POST", "/threat_models", {"name": "N"}, headers=forged)
        drawn = await ana.ask("POST", f"{made.headers['location']}/diagrams", {"name": "D"}, headers=forged)
        begun = await ana.ask("POST", f"{drawn.headers['location']}/collaborate", headers=forged)
        providers = await ana.ask("GET", "/oauth2/providers", headers=forged)
        for answer in (made, drawn, begun, providers, await ana.ask("GET", "/threat_models", headers=forged)):
            assert answer.status_code < 300
            assert "evil" not in answer.text + str(answer.headers)
        assert begun.json()["websocket_url"].startswith("wss://draw.example.org/")

"""Who asks too often is told when to come back; whoever has shown a good secret never is."""

from __future__ import annotations

import math
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx2
import pytest

from rest.identity import REFRESH_COOKIE
from rest.rates import LocalRates, Quotas
from rest.routes import application
from tests.support.edges import BASE, LISTED, NOWHERE, Edge, Somebody, edge, refusal

CALLBACK = "http://localhost:4200/callback"
ONE, OTHER = "192.0.2.1", "192.0.2.2"


@asynccontextmanager
async def limited(folder: Path, **quotas: int) -> AsyncIterator[Edge]:
    """An edge with these quotas; nothing comes back unless its clock is turned."""
    async with edge(folder) as made:
        rates = LocalRates(lambda: made.clock.now().monotonic_s)
        made.deps = replace(made.deps, quotas=Quotas(**quotas), rates=rates)
        made.http = made.client()
        yield made


def at(made: Edge, host: str) -> httpx2.AsyncClient:
    """Somebody who asks from this address."""
    transport = httpx2.ASGITransport(application(made.deps), client=(host, 5))
    return httpx2.AsyncClient(transport=transport, base_url=BASE)


async def signed_in(http: httpx2.AsyncClient) -> str:
    """A refresh token, by the test provider."""
    there = await http.get("/oauth2/authorize", params={"idp": "test", "login_hint": "ana", "redirect_uri": CALLBACK})
    code = httpx2.URL(there.headers["location"]).params["code"]
    body = {"grant_type": "authorization_code", "code": code, "redirect_uri": CALLBACK}
    found: str = (await http.post("/oauth2/token", json=body)).json()["refresh_token"]
    return found


# users ----------------------------------------------------------------------------------------------------------------


async def test_S75_RE9_a_user_who_asks_too_often_is_told_when_to_come_back(tmp_path: Path) -> None:
    async with limited(tmp_path, reads=3) as here:
        ana = await here.as_("ana")
        for left in (2, 1, 0):
            answer = await ana.ask("GET", "/threat_models")
            assert (answer.status_code, answer.headers["x-ratelimit-remaining"]) == (200, str(left))
            assert answer.headers["x-ratelimit-limit"] == "3"
        answer = await ana.ask("GET", "/threat_models")
        body = refusal(answer, 429, "rate_limit_exceeded")
        assert body["details"] == {"limit": "reads", "per_minute": 3}
        assert (answer.headers["retry-after"], answer.headers["x-ratelimit-remaining"]) == ("20", "0")
        now_s = here.clock.now().wall_ms / 1_000
        assert answer.headers["x-ratelimit-reset"] == str(math.ceil(now_s + 60))
        here.clock.advance(20.1)
        assert await ana.get("/threat_models") == []


async def test_S75_others_do_not_suffer_for_it(tmp_path: Path) -> None:
    async with limited(tmp_path, reads=1) as here:
        ana, bo = await here.as_("ana"), await here.as_("bo")
        await ana.get("/me")
        await ana.refused(429, "rate_limit_exceeded", "GET", "/me")
        await bo.get("/me")


async def test_S75_one_user_has_one_quota_by_whatever_credential(tmp_path: Path) -> None:
    async with limited(tmp_path, reads=1) as here:
        ana = await here.as_("ana")
        await ana.get("/me")
        answer = await here.http.get("/me", headers={"Cookie": f"tmi_access_token={ana.token}"})
        refusal(answer, 429, "rate_limit_exceeded")


KINDS = [
    ("reads", "GET", "/threat_models"),
    ("reads", "HEAD", "/threat_models"),
    ("reads", "OPTIONS", "/threat_models"),
    ("reads", "GET", "/nowhere"),
    ("reads", "GET", f"/threat_models/{NOWHERE}/diagrams/{NOWHERE}/collaborate"),
    ("writes", "POST", "/threat_models"),
    ("writes", "PUT", f"/threat_models/{NOWHERE}"),
    ("writes", "PATCH", f"/threat_models/{NOWHERE}"),
    ("writes", "DELETE", f"/threat_models/{NOWHERE}"),
    ("writes", "DELETE", f"/threat_models/{NOWHERE}/diagrams/{NOWHERE}/collaborate"),
    ("joins", "POST", f"/threat_models/{NOWHERE}/diagrams/{NOWHERE}/collaborate"),
    ("joins", "PUT", f"/threat_models/{NOWHERE}/diagrams/{NOWHERE}/collaborate"),
    ("joins", "GET", "/ws/ticket"),
    ("webhooks", "POST", "/webhook/subscriptions"),
    ("reads", "GET", "/webhook/subscriptions"),
]


@pytest.mark.parametrize(("kind", "method", "path"), KINDS)
async def test_S75_each_kind_of_request_has_its_quota(tmp_path: Path, kind: str, method: str, path: str) -> None:
    async with limited(tmp_path, **{kind: 1}) as here:
        ana = await here.as_("ana")
        ana.http.event_hooks = {}
        assert (await ana.ask(method, path)).status_code != 429
        answer = await ana.ask(method, path)
        assert answer.status_code == 429 and answer.headers["retry-after"] == "60"
        others = {"reads", "writes", "joins", "webhooks"} - {kind}
        statuses = [(await ana.ask(m, p)).status_code for k, m, p in KINDS if k in others]
        assert statuses and 429 not in statuses


async def test_0_is_no_limit_and_costs_nothing(tmp_path: Path) -> None:
    async with limited(tmp_path, writes=1) as here:
        ana = await here.as_("ana")
        for _ in range(5):
            assert "x-ratelimit-limit" not in (await ana.ask("GET", "/me")).headers


async def test_S75_a_refusal_for_another_reason_counts_too(tmp_path: Path) -> None:
    async with limited(tmp_path, writes=1) as here:
        ana = await here.as_("ana")
        await ana.refused(400, "invalid_input", "POST", "/threat_models", content=b"{")
        await ana.refused(429, "rate_limit_exceeded", "POST", "/threat_models", {"name": "N"})


async def test_RE11_a_listed_page_can_read_when_to_come_back(tmp_path: Path) -> None:
    async with limited(tmp_path, reads=1) as here:
        ana = await here.as_("ana")
        await ana.get("/me")
        answer = await ana.ask("GET", "/me", headers={"Origin": LISTED})
        assert (answer.status_code, answer.headers["access-control-allow-origin"]) == (429, LISTED)
        assert "Retry-After" in answer.headers["access-control-expose-headers"]
        asked = {"Origin": LISTED, "Access-Control-Request-Method": "GET"}
        assert (await here.http.options("/me", headers=asked)).status_code == 204


# addresses ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("method", "path"), [("GET", "authorize"), ("GET", "callback"), ("POST", "revoke")])
async def test_S75_an_address_may_begin_so_many_sign_ins(tmp_path: Path, method: str, path: str) -> None:
    async with limited(tmp_path, sign_ins=2) as here, at(here, ONE) as one, at(here, OTHER) as other:
        statuses = [(await one.request(method, f"/oauth2/{path}")).status_code for _ in range(3)]
        assert [status == 429 for status in statuses] == [False, False, True]
        assert (await one.get("/oauth2/authorize")).status_code == 429
        assert (await other.request(method, f"/oauth2/{path}")).status_code != 429


@pytest.mark.parametrize("path", ["/", "/healthz", "/oauth2/providers", "/saml/providers", "/openapi.yml", "/config"])
async def test_pages_and_probes_are_not_counted(tmp_path: Path, path: str) -> None:
    async with limited(tmp_path, reads=1, sign_ins=1, failed_sign_ins=1) as here:
        assert {(await here.http.get(path)).status_code == 429 for _ in range(4)} == {False}


async def test_AU14_without_a_credential_it_is_401_however_often(tmp_path: Path) -> None:
    async with limited(tmp_path, reads=1, sign_ins=1, failed_sign_ins=1) as here:
        for _ in range(4):
            refusal(await here.http.get("/threat_models"), 401, "unauthorized")


async def test_AU8_whoever_refreshes_in_parallel_is_never_sent_away(tmp_path: Path) -> None:
    async with limited(tmp_path, writes=1, sign_ins=1, failed_sign_ins=1) as here, at(here, ONE) as http:
        token = await signed_in(http)
        cookie = {"Cookie": f"{REFRESH_COOKIE}={token}"}
        statuses = {(await http.post("/oauth2/refresh", json={}, headers=cookie)).status_code for _ in range(20)}
        assert statuses == {200}


GUESSES: list[tuple[str, Any]] = [
    ("/oauth2/token", {"grant_type": "authorization_code", "code": "guess"}),
    ("/oauth2/token", {"grant_type": "refresh_token", "refresh_token": "guess"}),
    ("/oauth2/refresh", {"refresh_token": "guess"}),
    ("/oauth2/refresh", {}),
]


@pytest.mark.parametrize(("path", "body"), GUESSES)
async def test_S75_guesses_are_counted_by_address(tmp_path: Path, path: str, body: Any) -> None:
    async with limited(tmp_path, failed_sign_ins=2) as here, at(here, ONE) as one, at(here, OTHER) as other:
        assert [(await one.post(path, json=body)).status_code for _ in range(4)] == [400, 400, 429, 429]
        answer = await one.post(path, json=body)
        assert answer.headers["retry-after"] == "30"
        refusal(answer, 429, "rate_limit_exceeded")
        assert (await other.post(path, json=body)).status_code == 400
        here.clock.advance(30.1)
        assert (await one.post(path, json=body)).status_code == 400


async def test_S75_a_guess_is_told_how_many_are_left(tmp_path: Path) -> None:
    async with limited(tmp_path, failed_sign_ins=2) as here, at(here, ONE) as one:
        answers = [await one.post("/oauth2/refresh", json={"refresh_token": "guess"}) for _ in range(2)]
        assert [answer.headers["x-ratelimit-remaining"] for answer in answers] == ["1", "0"]


async def test_S8_nobody_chooses_an_address_by_a_header(tmp_path: Path) -> None:
    async with limited(tmp_path, sign_ins=1) as here, at(here, ONE) as http:
        await http.get("/oauth2/authorize")
        for name in ("X-Forwarded-For", "X-Real-IP", "Forwarded", "True-Client-IP", "CF-Connecting-IP"):
            answer = await http.get("/oauth2/authorize", headers={name: "for=203.0.113.9"})
            assert answer.status_code == 429


async def test_where_nothing_is_limited_nothing_is_asked(here: Edge, alice: Somebody) -> None:
    assert here.deps.quotas == Quotas()
    assert "x-ratelimit-limit" not in (await alice.ask("GET", "/me")).headers

"""Who asks: bearer or cookie, before anything else is said."""

from __future__ import annotations

from typing import Any

import pytest

from rest.identity import ACCESS_COOKIE, REFRESH_COOKIE, is_public
from tests.support.edges import BASE, LISTED, NOWHERE, Edge, Somebody, refusal

PROTECTED = ["/threat_models", "/me", f"/threat_models/{NOWHERE}", "/nowhere", "/oauth2/userinfo", "/oauth2", "/WEB/x"]


def cookie(somebody: Somebody) -> dict[str, str]:
    return {"Cookie": f"{ACCESS_COOKIE}={somebody.token}"}


async def test_AU14_without_a_credential_every_path_is_401(here: Edge) -> None:
    for path in PROTECTED:
        for method in ("GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "FROB"):
            answer = await here.http.request(method, path)
            refusal(answer, 401, "unauthorized")
            assert answer.headers["www-authenticate"] == "Bearer"


async def test_AU14_a_forged_credential_is_401(here: Edge) -> None:
    for header in ("", "Bearer", "Bearer ", "Bearer x.y.z", "Basic YTpi", "bearer", "Token x", "Bearer a b"):
        refusal(await here.http.get("/me", headers={"Authorization": header}), 401, "unauthorized")


async def test_AU14_an_expired_token_is_401(here: Edge, alice: Somebody) -> None:
    here.clock.advance(3_599)
    await alice.get("/me")
    here.clock.advance(2)
    await alice.refused(401, "unauthorized", "GET", "/me")


async def test_AU14_with_a_credential_the_unknown_is_404_and_405(alice: Somebody) -> None:
    await alice.refused(404, "not_found", "GET", "/nowhere")
    answer = await alice.ask("DELETE", "/threat_models")
    refusal(answer, 405, "method_not_allowed")
    assert set(answer.headers["allow"].split(", ")) == {"GET", "HEAD", "OPTIONS", "POST"}


PUBLIC = ["/", "/config", "/saml/providers", "/.well-known/jwks.json", "/healthz", "/readyz", "/metrics", "/docs"]
PUBLIC += ["/docs/ws", "/playground", "/openapi.yml", "/asyncapi.yml", "/web/shell/dom.js"]
PUBLIC += [f"/oauth2/{name}" for name in ("providers", "authorize", "callback", "token", "refresh", "revoke")]


async def test_AU14_public_paths_need_no_credential(here: Edge) -> None:
    for path in PUBLIC:
        assert is_public(path)
        assert (await here.http.get(path)).status_code != 401


async def test_AU2_a_cookie_is_as_good_as_a_header(here: Edge, alice: Somebody) -> None:
    assert (await here.http.get("/me", headers=cookie(alice))).json()["provider_id"] == "alice"


async def test_AU2_with_both_the_header_counts(here: Edge, alice: Somebody, bob: Somebody) -> None:
    headers = {**cookie(alice), "Authorization": f"Bearer {bob.token}"}
    assert (await here.http.get("/me", headers=headers)).json()["provider_id"] == "bob"
    refusal(await here.http.get("/me", headers={**cookie(alice), "Authorization": "Bearer x"}), 401, "unauthorized")


async def test_a_cookie_speaks_in_the_tmi_profile(here: Edge, alice: Somebody) -> None:
    await alice.threat_model()
    listed = (await here.http.get("/threat_models", headers=cookie(alice))).json()
    assert listed["items"][0]["owner"]["provider_id"] == "alice"


FOREIGN = ["https://evil.test", "null", f"{LISTED}.evil.test", "http://here:8081", "http://here"]


async def test_AU3_S98_a_foreign_page_changes_nothing_by_cookie(here: Edge, alice: Somebody) -> None:
    model = await alice.threat_model()
    for origin in FOREIGN:
        for method, path in (("POST", "/threat_models"), ("PUT", model), ("PATCH", model), ("DELETE", model)):
            headers = {**cookie(alice), "Origin": origin}
            body: Any = None if method == "DELETE" else {"name": "N"}
            refusal(await here.http.request(method, path, json=body, headers=headers), 403, "origin_not_allowed")
    assert [model["name"] for model in await alice.get("/threat_models")] == ["Model"]


@pytest.mark.parametrize("site", ["cross-site", "same-site", "", "something new"])
async def test_AU3_S98_a_page_that_hides_its_origin_is_known_by_its_site(
    here: Edge, alice: Somebody, site: str
) -> None:
    headers = {"Sec-Fetch-Site": site}
    own = {**cookie(alice), **headers}
    refusal(await here.http.post("/threat_models", json={"name": "N"}, headers=own), 403, "origin_not_allowed")
    refusal(await here.http.post("/oauth2/token", json={}, headers=headers), 403, "origin_not_allowed")
    assert await alice.get("/threat_models") == []
    assert (await here.http.get("/me", headers=own)).status_code == 200
    await alice.post("/threat_models", {"name": "N"}, headers=headers)


@pytest.mark.parametrize("site", ["same-origin", "none", None])
async def test_AU3_a_request_without_an_origin_is_a_program_s_or_our_own_page_s(
    here: Edge, alice: Somebody, site: str | None
) -> None:
    headers = {**cookie(alice), **({} if site is None else {"Sec-Fetch-Site": site})}
    assert (await here.http.post("/threat_models", json={"name": "N"}, headers=headers)).status_code == 201


@pytest.mark.parametrize("origin", [LISTED, BASE])
async def test_AU3_a_listed_page_and_our_own_may(here: Edge, alice: Somebody, origin: str) -> None:
    headers = {**cookie(alice), "Origin": origin}
    assert (await here.http.post("/threat_models", json={"name": "N"}, headers=headers)).status_code == 201


async def test_AU3_a_bearer_header_is_no_cookie(alice: Somebody) -> None:
    headers = {"Origin": "https://evil.test"}
    assert (await alice.ask("POST", "/threat_models", {"name": "N"}, headers=headers)).status_code == 201


async def test_AU3_a_foreign_page_cannot_refresh(here: Edge) -> None:
    headers = {"Cookie": f"{REFRESH_COOKIE}=x", "Origin": "https://evil.test"}
    refusal(await here.http.post("/oauth2/refresh", json={}, headers=headers), 403, "origin_not_allowed")


@pytest.mark.parametrize("path", ["/oauth2/token", "/oauth2/refresh"])
async def test_AU3_a_foreign_page_signs_nobody_in(here: Edge, path: str) -> None:
    for origin in FOREIGN:
        answer = await here.http.post(path, data={"grant_type": "refresh_token"}, headers={"Origin": origin})
        refusal(answer, 403, "origin_not_allowed")
    answer = await here.http.post(path, data={"grant_type": "refresh_token"}, headers={"Origin": LISTED})
    refusal(answer, 400, "invalid_grant")


async def test_AU12_a_token_of_an_ended_login_is_401(here: Edge, alice: Somebody) -> None:
    await alice.get("/me")
    await here.accounts.end_login(alice.caller.sid)
    await alice.refused(401, "unauthorized", "GET", "/me")


async def test_a_token_of_an_unknown_login_is_401(here: Edge, alice: Somebody) -> None:
    caller = type(alice.caller)(alice.caller.user, sid="never begun")
    token, _ = here.tokens.issue(caller)
    answer = await here.http.get("/me", headers={"Authorization": f"Bearer {token}"})
    refusal(answer, 401, "unauthorized")


async def test_S92_without_the_store_nobody_is_let_in(here: Edge, alice: Somebody) -> None:
    await here.database.close()
    answer = await alice.ask("GET", "/me")
    refusal(answer, 503, "unavailable")
    assert answer.headers["retry-after"] == "1"

"""Signing in, in the three forms of request that are out there."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import httpx2
import pytest

from rest.identity import ACCESS_COOKIE, REFRESH_COOKIE
from rest.oauth.proofs import s256
from rest.oauth.providers import Provider
from tests.support.edges import BASE, CALLBACKS, Edge, edge, refusal
from tests.support.tree import ROOT

CALLBACK = "http://localhost:4200/oauth2/callback"
VERIFIER = "v" * 43
PKCE = {"code_challenge": s256(VERIFIER), "code_challenge_method": "S256"}


async def authorize(here: Edge, **parameters: str) -> httpx2.Response:
    return await here.http.get("/oauth2/authorize", params=parameters)


async def code(here: Edge, **parameters: str) -> str:
    answer = await authorize(here, **{"idp": "test", "login_hint": "alice", "client_callback": CALLBACK, **parameters})
    assert answer.status_code == 302, answer.text
    return parse_qs(urlsplit(answer.headers["location"]).query)["code"][0]


async def exchange(here: Edge, code: str, **more: str) -> httpx2.Response:
    body = {"grant_type": "authorization_code", "code": code, "redirect_uri": CALLBACK, **more}
    return await here.http.post("/oauth2/token", json=body)


async def tokens(here: Edge) -> Any:
    return (await exchange(here, await code(here))).json()


async def refresh(here: Edge, token: str) -> httpx2.Response:
    return await here.http.post("/oauth2/refresh", json={"refresh_token": token})


async def me(here: Edge, token: str) -> httpx2.Response:
    return await here.http.get("/me", headers={"Authorization": f"Bearer {token}"})


async def test_both_lists_of_providers_can_be_read(here: Edge) -> None:
    assert (await here.http.get("/saml/providers")).json() == {"providers": []}
    test, tmi = (await here.http.get("/oauth2/providers")).json()["providers"]
    assert (test["id"], tmi["id"]) == ("test", "tmi")
    assert tmi["auth_url"] == f"{BASE}/oauth2/authorize?idp=tmi"
    assert test.keys() == {"id", "name", "icon", "auth_url", "token_url", "redirect_uri", "client_id"}
    assert (ROOT / test["icon"].removeprefix("/")).is_file(), "TMI's app loads it from this server"


async def test_form_A_of_tmis_app(here: Edge) -> None:
    provider = (await here.http.get("/oauth2/providers")).json()["providers"][1]
    query = urlencode({"client_callback": CALLBACK, "scope": "openid", "login_hint": "alice", **PKCE})
    answer = await here.http.get(f"{provider['auth_url']}&state=YWJj==&{query}")
    location = answer.headers["location"]
    assert location.startswith(CALLBACK + "?code=") and location.endswith("&state=YWJj==")
    found = parse_qs(urlsplit(location).query)["code"][0]
    body = {"grant_type": "authorization_code", "code": found, "code_verifier": VERIFIER, "redirect_uri": CALLBACK}
    answer = await here.http.post(f"{provider['token_url']}", json=body)
    assert answer.status_code == 200
    assert {ACCESS_COOKIE, REFRESH_COOKIE} <= set(answer.cookies)
    assert (await here.http.get("/me")).json()["email"] == "alice@tmi.local"
    assert (await here.http.post("/oauth2/refresh", json={})).status_code == 200


async def test_form_B_of_the_wikis_programs(here: Edge) -> None:
    asked = {
        "response_type": "code",
        "client_id": "your-client-id",
        "redirect_uri": CALLBACK,
        "scope": "openid email profile",
        "state": "random-state-string",
        **PKCE,
    }
    location = (await authorize(here, **asked)).headers["location"]
    found = parse_qs(urlsplit(location).query)
    assert found["state"] == ["random-state-string"]
    answer = await here.http.post(
        "/oauth2/token",
        data={
            "grant_type": "authorization_code",
            "code": found["code"][0],
            "redirect_uri": CALLBACK,
            "client_id": "your-client-id",
            "code_verifier": VERIFIER,
        },
    )
    body = answer.json()
    assert (body["token_type"], body["expires_in"], body["scope"]) == ("Bearer", 3_600, "openid email profile")
    assert (await me(here, body["access_token"])).status_code == 200


async def test_form_C_of_the_wikis_curl_lines(here: Edge) -> None:
    answer = await here.http.get("/oauth2/authorize?idp=test&login_hint=alice", follow_redirects=True)
    assert answer.url.path == "/oauth2/callback"
    assert {"code", "state"} <= parse_qs(answer.url.query.decode()).keys()
    body = answer.json()
    assert body.keys() == {"access_token", "refresh_token", "token_type", "expires_in", "scope"}
    assert (await me(here, body["access_token"])).json()["provider_id"] == "alice"
    assert not answer.cookies


async def test_AU5_what_tmis_clients_ask_for_wants_the_challenge_of_their_contract(here: Edge) -> None:
    answer = await authorize(here, idp="tmi", scope="openid", client_callback=CALLBACK)
    assert "code_challenge" in refusal(answer, 400, "invalid_request")["error_description"]
    assert (await authorize(here, idp="test", scope="openid", client_callback=CALLBACK)).status_code == 302


async def test_a_HEAD_uses_up_no_code(here: Edge) -> None:
    callback = (await authorize(here, idp="test", login_hint="alice")).headers["location"]
    assert (await here.http.head(callback)).status_code == 400
    assert (await here.http.get(callback)).status_code == 200


async def test_form_C_takes_no_challenge_since_nobody_could_show_a_verifier(here: Edge) -> None:
    refusal(await authorize(here, idp="test", **PKCE), 400, "invalid_request")
    assert (await authorize(here, idp="tmi", login_hint="alice")).status_code == 302


async def test_in_development_the_test_provider_need_not_be_named(here: Edge) -> None:
    answer = await here.http.get("/oauth2/authorize", follow_redirects=True)
    assert (await me(here, answer.json()["access_token"])).json()["provider"] == "test"


async def test_AU10_a_token_lives_longer_than_clients_refresh(here: Edge) -> None:
    assert (await tokens(here))["expires_in"] > 900


async def test_AU4_S31_a_code_works_once_and_its_second_use_ends_the_login(here: Edge) -> None:
    once = await code(here)
    first = (await exchange(here, once)).json()
    refusal(await exchange(here, once), 400, "invalid_grant")
    assert (await me(here, first["access_token"])).status_code == 401
    refusal(await refresh(here, first["refresh_token"]), 400, "invalid_grant")


async def test_AU4_S31_of_many_at_once_one_gets_tokens(here: Edge) -> None:
    once = await code(here)
    answers = await asyncio.gather(*(exchange(here, once) for _ in range(20)))
    granted = [answer.json() for answer in answers if answer.status_code == 200]
    assert len(granted) == 1
    assert (await me(here, granted[0]["access_token"])).status_code == 401


async def test_AU4_S31_a_code_lives_60_seconds(here: Edge) -> None:
    early, late = await code(here), await code(here)
    here.clock.advance(59)
    assert (await exchange(here, early)).status_code == 200
    here.clock.advance(2)
    refusal(await exchange(here, late), 400, "invalid_grant")


@pytest.mark.parametrize(
    "more",
    [
        {"redirect_uri": "http://localhost:4200/other"},
        {"redirect_uri": CALLBACK + "/"},
        {"redirect_uri": ""},
        {"client_id": "another"},
        {"code_verifier": VERIFIER},
        {"code": "x"},
        {"code": ""},
    ],
)
async def test_AU4_S31_a_code_works_for_its_client_and_callback_only(here: Edge, more: dict[str, str]) -> None:
    issued = await code(here, client_id="one")
    refusal(await exchange(here, **{"code": issued, **more}), 400, "invalid_grant")


@pytest.mark.parametrize("verifier", [None, "w" * 43, s256(VERIFIER), "plain"])
async def test_S30_a_challenge_wants_its_verifier(here: Edge, verifier: str | None) -> None:
    more = {} if verifier is None else {"code_verifier": verifier}
    refusal(await exchange(here, await code(here, **PKCE), **more), 400, "invalid_grant")


@pytest.mark.parametrize(
    "parameters",
    [
        {"idp": "google"},
        {"idp": ""},
        {"response_type": "token"},
        {"client_callback": "https://evil.test/cb"},
        {"redirect_uri": "http://localhost:4200/other"},
        {"code_challenge": s256(VERIFIER)},
        {"code_challenge": s256(VERIFIER), "code_challenge_method": "plain"},
        {"login_hint": "a\nb"},
        {"state": "x" * 3_000},
        {"scope": "x" * 257},
        {"client_id": "x" * 257},
        {"scope": "openid\0"},
        {"client_id": "é"},
    ],
)
async def test_a_malformed_request_is_answered_here_and_redirects_nowhere(
    here: Edge, parameters: dict[str, str]
) -> None:
    answer = await authorize(here, **{"idp": "test", "client_callback": CALLBACK, **parameters})
    refusal(answer, 400, "invalid_request")
    assert "location" not in answer.headers


async def test_S33_a_code_of_form_C_works_with_its_state_only(here: Edge) -> None:
    issued = (await authorize(here, idp="test", state="mine")).headers["location"]
    found = parse_qs(urlsplit(issued).query)["code"][0]
    refusal(await here.http.get("/oauth2/callback", params={"code": found, "state": "theirs"}), 400, "invalid_grant")
    refusal(await here.http.get("/oauth2/callback", params={"code": found, "state": "mine"}), 400, "invalid_grant")
    for query in ({}, {"code": "x"}, {"state": "mine"}):
        refusal(await here.http.get("/oauth2/callback", params=query), 400, "invalid_grant")


async def test_S33_a_code_of_a_client_is_worth_nothing_at_our_callback(here: Edge) -> None:
    issued = await code(here, state="s")
    refusal(await here.http.get("/oauth2/callback", params={"code": issued, "state": "s"}), 400, "invalid_grant")


async def test_AU8_S34_a_refresh_token_gives_the_same_successor_for_a_while(here: Edge) -> None:
    first = (await tokens(here))["refresh_token"]
    answers = await asyncio.gather(*(refresh(here, first) for _ in range(5)))
    assert len({answer.json()["refresh_token"] for answer in answers}) == 1
    successor = answers[0].json()
    assert successor["refresh_token"] != first
    here.clock.advance(31)
    assert (await refresh(here, successor["refresh_token"])).status_code == 200
    refusal(await refresh(here, first), 400, "invalid_grant")
    assert (await me(here, successor["access_token"])).status_code == 401


async def test_AU8_S34_of_50_uses_at_once_all_get_one_successor(here: Edge) -> None:
    first = (await tokens(here))["refresh_token"]
    answers = await asyncio.gather(*(refresh(here, first) for _ in range(50)))
    assert {answer.status_code for answer in answers} == {200}
    (successor,) = {answer.json()["refresh_token"] for answer in answers}
    assert (await refresh(here, successor)).status_code == 200


async def test_AU8_the_token_endpoint_refreshes_too(here: Edge) -> None:
    made = await tokens(here)
    body = {"grant_type": "refresh_token", "refresh_token": made["refresh_token"]}
    answer = await here.http.post("/oauth2/token", data=body)
    assert answer.status_code == 200
    assert (await me(here, answer.json()["access_token"])).status_code == 200


async def test_AU11_a_refresh_raises_the_deadline_of_the_login(here: Edge) -> None:
    made = await tokens(here)
    sid = here.tokens.verify(made["access_token"]).sid
    before = (await here.accounts.standing([sid]))[sid].access_expires_at_ms
    here.clock.advance(1_000)
    await refresh(here, made["refresh_token"])
    assert (await here.accounts.standing([sid]))[sid].access_expires_at_ms == before + 1_000_000


async def test_AU20_a_login_ends_30_days_after_the_sign_in_however_often_it_was_renewed(here: Edge) -> None:
    made = await tokens(here)
    for _ in range(5):
        here.clock.advance(518_400)
        last, answer = made, await refresh(here, made["refresh_token"])
        made = answer.json()
    refusal(answer, 400, "invalid_grant")
    assert (await me(here, last["access_token"])).status_code == 401
    refusal(await refresh(here, last["refresh_token"]), 400, "invalid_grant")


async def test_a_refresh_token_dies_after_a_week(here: Edge) -> None:
    made = await tokens(here)
    here.clock.advance(604_801)
    refusal(await refresh(here, made["refresh_token"]), 400, "invalid_grant")


@pytest.mark.parametrize(
    "body", [{}, {"grant_type": "password"}, {"grant_type": ["authorization_code"]}, {"grant_type": None}]
)
async def test_another_grant_is_refused(here: Edge, body: Any) -> None:
    refusal(await here.http.post("/oauth2/token", json=body), 400, "invalid_request")


@pytest.mark.parametrize("token", ["", "x", "x" * 5_000])
async def test_a_refresh_token_that_is_none(here: Edge, token: str) -> None:
    refusal(await refresh(here, token), 400, "invalid_grant")


async def test_S98_cookies_are_out_of_reach_of_scripts_and_other_sites(here: Edge) -> None:
    answer = await exchange(here, await code(here))
    access, refreshing = sorted(answer.headers.get_list("set-cookie"))
    assert access.startswith(ACCESS_COOKIE) and refreshing.startswith(REFRESH_COOKIE)
    assert {"HttpOnly", "Path=/", "SameSite=lax", "Max-Age=3600"} <= set(access.split("; "))
    assert {"HttpOnly", "Path=/oauth2", "SameSite=strict", "Max-Age=604800"} <= set(refreshing.split("; "))


async def test_S98_under_https_cookies_are_secure(here: Edge) -> None:
    issued = await code(here)
    body = {"grant_type": "authorization_code", "code": issued, "redirect_uri": CALLBACK}
    answer = await here.http.post(f"{BASE.replace('http:', 'https:')}/oauth2/token", json=body)
    assert all("; Secure" in cookie for cookie in answer.headers.get_list("set-cookie"))


async def disabled(here: Edge) -> Any:
    """The tokens of alice from before an operator has locked her out."""
    made = await tokens(here)
    assert await here.accounts.disable("test", "alice")
    return made


async def test_AU12_S36_with_the_account_all_its_tokens_end(here: Edge) -> None:
    issued = await code(here)
    made = await disabled(here)
    assert (await me(here, made["access_token"])).status_code == 401
    refusal(await refresh(here, made["refresh_token"]), 400, "invalid_grant")
    refusal(await exchange(here, issued), 400, "invalid_grant")


async def test_AU12_a_disabled_account_is_told_so_at_the_clients_callback(here: Edge) -> None:
    await disabled(here)
    answer = await authorize(here, idp="test", login_hint="alice", client_callback=CALLBACK, state="a=b")
    found = parse_qs(urlsplit(answer.headers["location"]).query)
    assert (answer.status_code, found["error"], found["state"]) == (302, ["access_denied"], ["a=b"])
    assert "code" not in found and answer.headers["location"].startswith(CALLBACK + "?")


async def test_AU12_a_disabled_account_is_told_so_where_there_is_no_client(here: Edge) -> None:
    await disabled(here)
    refusal(await authorize(here, idp="test", login_hint="alice"), 403, "access_denied")
    assert (await authorize(here, idp="test", login_hint="bob")).status_code == 302


async def test_an_enabled_account_signs_in_again(here: Edge) -> None:
    made = await disabled(here)
    assert await here.accounts.enable("test", "alice")
    assert (await me(here, (await tokens(here))["access_token"])).status_code == 200
    assert (await me(here, made["access_token"])).status_code == 401


async def test_the_longest_request_makes_a_token_that_fits_a_cookie(here: Edge) -> None:
    more = {"client_id": "c" * 256, "scope": "s" * 256, "login_hint": "u" * 128}
    made = (await exchange(here, await code(here, **more), client_id="c" * 256)).json()
    assert len(made["access_token"]) < 3_000
    assert (await me(here, made["access_token"])).status_code == 200


async def test_S35_in_production_there_is_no_test_provider(tmp_path: Path) -> None:
    async with edge(tmp_path, development=False) as here:
        assert (await here.http.get("/oauth2/providers")).json() == {"providers": []}
        for query in ("", "?idp=test", "?idp=tmi&login_hint=alice"):
            refusal(await here.http.get(f"/oauth2/authorize{query}"), 400, "invalid_request")


@pytest.mark.parametrize(
    ("parameters", "why"),
    [
        ({}, "PKCE"),
        ({"client_id": "new-tool"}, "PKCE"),
        ({"redirect_uri": CALLBACK, **PKCE}, "callback"),
        ({"client_id": "old-tool"}, "configured"),
        (PKCE, "configured"),
    ],
)
async def test_AU5_AU6_in_production_pkce_and_a_listed_callback_are_required(
    tmp_path: Path, parameters: dict[str, str], why: str
) -> None:
    async with edge(tmp_path, development=False, providers=(Provider("corp", "Corp"),)) as here:
        answer = await authorize(here, **{"idp": "corp", "redirect_uri": next(iter(CALLBACKS)), **parameters})
        assert why in refusal(answer, 400, "invalid_request")["message"]

"""Revocation ends a login by any of its tokens and tells nothing; introspection says what a token is good for."""

from __future__ import annotations

from typing import Any

import httpx2
import pytest

from rest.identity import ACCESS_COOKIE
from tests.support.edges import BASE, Edge, Somebody, refusal

FORM = {"Content-Type": "application/x-www-form-urlencoded"}
NONE_OF_OURS = ["x", "invalid.token.here", "x" * 9_000, "é.é.é", "a.b.c.d"]


async def signed_in(here: Edge, **more: str) -> Any:
    """The tokens of a login of alice."""
    query = {"idp": "test", "login_hint": "alice", **more}
    return (await here.http.get("/oauth2/authorize", params=query, follow_redirects=True)).json()


async def revoke(here: Edge, token: str, **more: str) -> httpx2.Response:
    return await here.http.post("/oauth2/revoke", data={"token": token, **more})


async def introspect(somebody: Somebody, token: str) -> Any:
    return await somebody.post("/oauth2/introspect", {"token": token}, 200)


async def me(here: Edge, token: str) -> int:
    return (await here.http.get("/me", headers={"Authorization": f"Bearer {token}"})).status_code


# revocation -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["access_token", "refresh_token"])
@pytest.mark.parametrize("hint", ["access_token", "refresh_token", "something else", None])
async def test_AU12_a_revoked_token_ends_the_login(here: Edge, kind: str, hint: str | None) -> None:
    tokens, other = await signed_in(here), await signed_in(here)
    answer = await revoke(here, tokens[kind], **({} if hint is None else {"token_type_hint": hint}))
    assert (answer.status_code, answer.json()) == (200, {})
    assert await me(here, tokens["access_token"]) == 401
    refreshed = await here.http.post("/oauth2/refresh", json={"refresh_token": tokens["refresh_token"]})
    refusal(refreshed, 400, "invalid_grant")
    assert await me(here, other["access_token"]) == 200


async def test_a_refresh_token_that_was_used_ends_the_login_too(here: Edge) -> None:
    first = await signed_in(here)
    again = (await here.http.post("/oauth2/refresh", json={"refresh_token": first["refresh_token"]})).json()
    await revoke(here, first["refresh_token"])
    assert await me(here, again["access_token"]) == 401


@pytest.mark.parametrize("token", NONE_OF_OURS)
async def test_what_is_no_token_of_ours_is_answered_in_the_same_way(here: Edge, alice: Somebody, token: str) -> None:
    answer = await revoke(here, token)
    assert (answer.status_code, answer.json()) == (200, {})
    await alice.get("/me")


async def test_an_expired_access_token_ends_nothing(here: Edge) -> None:
    tokens = await signed_in(here)
    here.clock.advance(3_601)
    assert (await revoke(here, tokens["access_token"])).status_code == 200
    again = await here.http.post("/oauth2/refresh", json={"refresh_token": tokens["refresh_token"]})
    assert again.status_code == 200


@pytest.mark.parametrize("path", ["/oauth2/revoke", "/oauth2/introspect"])
async def test_without_a_token_there_is_nothing_to_do(alice: Somebody, path: str) -> None:
    for body in ({}, {"token": ""}, {"token": 5}, {"tokens": "x"}):
        await alice.refused(400, "invalid_request", "POST", path, body)
    for form in ("", "token=", "token=a&token=b"):
        refusal(await alice.http.post(path, content=form, headers=FORM), 400, "invalid_request")
    answer = await alice.http.post(path, content="token=a", headers={"Content-Type": "text/plain"})
    refusal(answer, 415, "unsupported_media_type")


async def test_AU3_a_foreign_page_revokes_nothing_by_its_visitor_s_cookies(here: Edge, alice: Somebody) -> None:
    headers = {"Cookie": f"{ACCESS_COOKIE}={alice.token}", "Origin": "https://evil.test"}
    answer = await here.http.post("/oauth2/revoke", json={"token": alice.token}, headers=headers)
    refusal(answer, 403, "origin_not_allowed")
    await alice.get("/me")


# introspection --------------------------------------------------------------------------------------------------------


async def test_an_access_token_is_told_with_its_claims(here: Edge, alice: Somebody) -> None:
    token = (await signed_in(here, client_id="app", scope="openid email"))["access_token"]
    found = await introspect(alice, token)
    issued = here.clock.now().wall_ms // 1_000
    assert found == {
        "active": True,
        "sub": "test:alice",
        "iss": BASE,
        "aud": BASE,
        "exp": issued + 3_600,
        "iat": issued,
        "email": "alice@tmi.local",
        "name": "Alice",
        "username": "alice@tmi.local",
        "client_id": "app",
        "scope": "openid email",
        "token_type": "Bearer",
    }


async def test_a_refreshed_access_token_is_of_the_same_client(here: Edge, alice: Somebody) -> None:
    first = await signed_in(here, client_id="app", scope="openid")
    again = (await here.http.post("/oauth2/refresh", json={"refresh_token": first["refresh_token"]})).json()
    found = await introspect(alice, again["access_token"])
    assert (found["client_id"], found["scope"]) == ("app", "openid")


async def test_a_refresh_token_is_good_until_it_is_used(here: Edge, alice: Somebody) -> None:
    token = (await signed_in(here, client_id="app"))["refresh_token"]
    found = await introspect(alice, token)
    assert (found["active"], found["sub"], found["client_id"]) == (True, "test:alice", "app")
    assert (found["token_type"], found["exp"]) == ("refresh_token", here.clock.now().wall_ms // 1_000 + 604_800)
    assert "iat" not in found
    await here.http.post("/oauth2/refresh", json={"refresh_token": token})
    assert await introspect(alice, token) == {"active": False}


async def test_AU20_no_refresh_token_is_good_for_longer_than_its_login(here: Edge) -> None:
    made, ends = await signed_in(here), here.clock.now().wall_ms // 1_000 + 2_592_000
    for _ in range(4):
        here.clock.advance(600_000)
        made = (await here.http.post("/oauth2/refresh", json={"refresh_token": made["refresh_token"]})).json()
    assert (await introspect(await here.as_("bob"), made["refresh_token"]))["exp"] == ends
    here.clock.advance(192_000)
    assert await introspect(await here.as_("bob"), made["refresh_token"]) == {"active": False}


@pytest.mark.parametrize("token", NONE_OF_OURS)
async def test_what_is_no_token_of_ours_is_not_active(alice: Somebody, token: str) -> None:
    assert await introspect(alice, token) == {"active": False}


async def test_what_has_expired_or_ended_is_not_active(here: Edge, bob: Somebody) -> None:
    old = await signed_in(here)
    here.clock.advance(3_599)
    ended = await signed_in(here)
    await revoke(here, ended["access_token"])
    for token in ended["access_token"], ended["refresh_token"]:
        assert await introspect(bob, token) == {"active": False}
    here.clock.advance(2)
    fresh = await here.as_("cleo")
    assert await introspect(fresh, old["access_token"]) == {"active": False}
    here.clock.advance(604_800)
    later = await here.as_("dora")
    assert await introspect(later, old["refresh_token"]) == {"active": False}


async def test_AU14_introspection_wants_a_login(here: Edge, alice: Somebody) -> None:
    answer = await here.http.post("/oauth2/introspect", data={"token": alice.token})
    refusal(answer, 401, "unauthorized")


async def test_the_clients_of_the_profile_tmi_ask_without_a_login(tmi: Edge) -> None:
    token = (await signed_in(tmi))["access_token"]
    found = (await tmi.http.post("/oauth2/introspect", data={"token": token})).json()
    assert {"active", "sub", "email", "name", "exp", "iat", "iss", "token_type", "scope"} <= found.keys()
    assert (found["active"], found["token_type"]) == (True, "bearer")
    assert (await tmi.http.post("/oauth2/introspect", data={"token": "x.y.z"})).json() == {"active": False}
    forged = await tmi.http.post("/oauth2/introspect", data={"token": token}, headers={"Authorization": "Bearer x"})
    refusal(forged, 401, "unauthorized")


async def test_a_cookie_is_answered_in_the_form_of_tmi(here: Edge, alice: Somebody) -> None:
    headers = {"Cookie": f"{ACCESS_COOKIE}={alice.token}"}
    found = (await here.http.post("/oauth2/introspect", json={"token": alice.token}, headers=headers)).json()
    assert (found["active"], found["token_type"]) == (True, "bearer")


@pytest.mark.parametrize("hint", [1, None, ["access_token"]], ids=str)
async def test_a_parameter_that_is_no_string_is_refused_and_nothing_is_done(
    here: Edge, alice: Somebody, hint: object
) -> None:
    for path in "/oauth2/revoke", "/oauth2/introspect":
        refused = await alice.ask("POST", path, {"token": alice.token, "token_type_hint": hint})
        refusal(refused, 400, "invalid_request")
    assert await me(here, alice.token) == 200


async def test_S10_an_answer_does_not_repeat_the_token(here: Edge, alice: Somebody) -> None:
    for path in "/oauth2/revoke", "/oauth2/introspect":
        answer = await alice.ask("POST", path, {"token": alice.token, "token_type_hint": alice.token})
        assert alice.token not in answer.text

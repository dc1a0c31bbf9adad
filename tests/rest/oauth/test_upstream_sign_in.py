"""Signing in over a provider that is really there, in the three forms of request, and what goes wrong on the way."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import httpx2
import pytest

from rest.identity import ACCESS_COOKIE
from rest.oauth import upstream_http
from rest.oauth.proofs import s256
from rest.oauth.providers import OpenId, Provider, for_development
from rest.routes import application
from tests.support.edges import BASE, CALLBACKS, Edge, edge, promised, refusal
from tests.support.oidc_provider import ANA, CLIENT, SECRET, OidcProvider, key
from tests.support.servers import Server

CALLBACK = "http://localhost:4200/oauth2/callback"
VERIFIER = "v" * 43
PKCE = {"code_challenge": s256(VERIFIER), "code_challenge_method": "S256"}
ASKED = {"idp": "corp", "client_callback": CALLBACK, "state": "s", **PKCE}


@pytest.fixture
def idp() -> Iterator[OidcProvider]:
    with OidcProvider() as provider:
        yield provider


def corp(idp: OidcProvider, **more: Any) -> Provider:
    return Provider("corp", "Corp", openid=OpenId(**{"issuer": idp.issuer, "client_id": CLIENT, **more}))


@pytest.fixture
async def here(tmp_path: Path, idp: OidcProvider) -> AsyncIterator[Edge]:
    other = Provider("other", "Other", openid=OpenId("http://127.0.0.1:1/", "x"))
    providers = (*for_development(), corp(idp, client_secret=SECRET), other)
    async with edge(tmp_path, providers=providers) as made:
        idp.now = lambda: made.clock.now().wall_ms / 1_000
        yield made


def told(answer: httpx2.Response) -> dict[str, str]:
    """The parameters of the address that a browser is sent to."""
    assert answer.status_code == 302, answer.text
    return {name: values[0] for name, values in parse_qs(urlsplit(answer.headers["location"]).query).items()}


async def at_provider(answer: httpx2.Response) -> str:
    """Where the provider sends the browser on."""
    assert answer.status_code == 302, answer.text
    async with httpx2.AsyncClient() as browser:
        passed = await browser.get(answer.headers["location"])
    assert passed.status_code == 302, passed.text
    return str(passed.headers["location"])


async def through(here: Edge, http: httpx2.AsyncClient | None = None, **asked: str) -> httpx2.Response:
    """What our callback answers to the browser that has come back."""
    browser = http or here.http
    away = await browser.get("/oauth2/authorize", params={**ASKED, **asked})
    return await browser.get(await at_provider(away))


async def exchange(here: Edge, code: str, **more: str) -> httpx2.Response:
    body = {"grant_type": "authorization_code", "code": code, "redirect_uri": CALLBACK, "code_verifier": VERIFIER}
    return await here.http.post("/oauth2/token", json={**body, **more})


async def me(here: Edge, token: str) -> Any:
    return (await here.http.get("/me", headers={"Authorization": f"Bearer {token}"})).json()


async def signed_in(here: Edge, **asked: str) -> Any:
    """Whom `/me` shows."""
    found = told(await through(here, **asked))
    assert "code" in found, found
    return await me(here, (await exchange(here, found["code"])).json()["access_token"])


async def refused(here: Edge, error: str, **asked: str) -> dict[str, str]:
    found = told(await through(here, **asked))
    assert (found.get("error"), found.get("state")) == (error, "s"), found
    assert "code" not in found and found["error_description"]
    return found


async def test_a_provider_is_listed_like_any_other(here: Edge) -> None:
    listed = {found["id"]: found for found in (await here.http.get("/oauth2/providers")).json()["providers"]}
    assert listed["corp"]["auth_url"] == f"{BASE}/oauth2/authorize?idp=corp"
    assert listed["corp"]["client_id"] != CLIENT, "the provider knows us by a name that clients need not know"


async def test_form_A_over_a_provider(here: Edge) -> None:
    query = urlencode({"client_callback": CALLBACK, "scope": "openid", **PKCE})
    away = await here.http.get(f"/oauth2/authorize?idp=corp&state=YWJj==&{query}")
    back = await here.http.get(await at_provider(away))
    location = back.headers["location"]
    assert location.startswith(CALLBACK + "?code=") and location.endswith("&state=YWJj==")
    answer = await exchange(here, told(back)["code"])
    assert answer.status_code == 200 and ACCESS_COOKIE in answer.cookies
    assert (await here.http.get("/me")).json()["email"] == ANA["email"]


async def test_form_B_over_a_provider(here: Edge) -> None:
    asked = {"response_type": "code", "client_id": "tool", "redirect_uri": CALLBACK, "scope": "openid", "state": "s"}
    away = await here.http.get("/oauth2/authorize", params={"idp": "corp", **asked, **PKCE})
    code = told(await here.http.get(await at_provider(away)))["code"]
    answer = await exchange(here, code, client_id="tool")
    assert (await me(here, answer.json()["access_token"]))["provider"] == "corp"


async def test_form_C_over_a_provider_answers_tokens_to_the_browser_that_began(here: Edge) -> None:
    away = await here.http.get("/oauth2/authorize?idp=corp")
    back = await at_provider(away)
    stranger = here.client()
    refusal(await stranger.get(back), 400, "invalid_grant")
    await stranger.aclose()
    answer = await here.http.get(back)
    assert answer.status_code == 200, answer.text
    assert answer.json().keys() == {"access_token", "refresh_token", "token_type", "expires_in", "scope"}
    assert (await me(here, answer.json()["access_token"]))["provider_id"] == ANA["sub"]


async def test_form_C_takes_no_challenge_whose_verifier_nobody_could_show(here: Edge) -> None:
    refusal(await here.http.get("/oauth2/authorize", params={"idp": "corp", **PKCE}), 400, "invalid_request")


async def test_the_provider_is_asked_as_the_standards_have_it(here: Edge, idp: OidcProvider) -> None:
    await signed_in(here, login_hint="ana")
    (asked,) = idp.asked
    assert asked["response_type"] == "code" and asked["client_id"] == CLIENT and asked["login_hint"] == "ana"
    assert asked["redirect_uri"] == f"{BASE}/oauth2/callback" and asked["scope"] == "openid email profile"
    assert asked["code_challenge_method"] == "S256" and asked["code_challenge"] != PKCE["code_challenge"]
    assert len({asked["state"], asked["nonce"], asked["code_challenge"]}) == 3
    assert all(len(asked[name]) == 43 for name in ("state", "nonce", "code_challenge"))


async def test_a_person_is_shown_as_the_provider_names_them(here: Edge) -> None:
    found = await signed_in(here)
    assert (found["sub"], found["idp"]) == (f"corp:{ANA['sub']}", "corp")
    assert (found["email"], found["email_verified"], found["name"]) == (ANA["email"], True, ANA["name"])
    assert [group["group_name"] for group in found["groups"]] == ANA["groups"]


async def test_AU18_S27_the_same_subject_or_address_at_two_providers_is_two_people(here: Edge) -> None:
    found = await signed_in(here)
    same = await here.as_(ANA["sub"])
    assert found["sub"] != same.caller.id and found["provider_id"] == same.caller.user.provider_id


async def test_S27_who_takes_an_address_over_is_somebody_else(here: Edge, idp: OidcProvider) -> None:
    first = await signed_in(here)
    idp.person["sub"] = "another"
    second = await signed_in(here)
    assert first["email"] == second["email"] and first["sub"] != second["sub"]


@pytest.mark.parametrize("algorithm", ["RS256", "ES256"])
async def test_both_usual_algorithms_will_do(here: Edge, idp: OidcProvider, algorithm: str) -> None:
    idp.algorithm, idp.signing = algorithm, key("RSA" if algorithm == "RS256" else "EC")
    assert (await signed_in(here))["provider"] == "corp"


@pytest.mark.parametrize("algorithm", ["none", "HS256"])
async def test_S20_an_id_token_that_anybody_could_have_made_is_refused(
    here: Edge, idp: OidcProvider, algorithm: str
) -> None:
    idp.algorithm = algorithm
    await refused(here, "server_error")


@pytest.mark.parametrize(
    "claims",
    [
        {"nonce": "another"},
        {"nonce": None},
        {"aud": "another"},
        {"aud": [CLIENT, "another"]},
        {"azp": "another"},
        {"iss": "http://127.0.0.1:9/realms/corp"},
        {"exp": 1},
        {"exp": "tomorrow"},
        {"iat": 1},
        {"iat": None},
        {"sub": ""},
        {"sub": "a\nb"},
        {"sub": 7},
        {"sub": "x" * 256},
    ],
    ids=json.dumps,
)
async def test_S22_S23_an_id_token_for_another_purpose_is_refused(
    here: Edge, idp: OidcProvider, claims: dict[str, Any]
) -> None:
    idp.claims = claims
    await refused(here, "server_error")


async def test_an_id_token_for_several_names_the_one_it_was_given_to(here: Edge, idp: OidcProvider) -> None:
    idp.claims = {"aud": [CLIENT, "another"], "azp": CLIENT}
    assert (await signed_in(here))["provider"] == "corp"


async def test_S24_a_new_key_is_found_and_strange_key_ids_make_no_flood(here: Edge, idp: OidcProvider) -> None:
    await signed_in(here)
    here.clock.advance(60)
    idp.rotate()
    assert (await signed_in(here))["provider"] == "corp"
    idp.published = [key("EC")]
    for _ in range(3):
        assert (await signed_in(here))["provider"] == "corp", "the set that is kept still has it"
    assert idp.requests.count("jwks") == 2
    idp.signing = key("RSA", 2)
    for _ in range(3):
        await refused(here, "server_error")
    assert idp.requests.count("jwks") == 2, "the last look was a moment ago"


async def test_metadata_and_keys_are_kept(here: Edge, idp: OidcProvider) -> None:
    for _ in range(3):
        await signed_in(here)
    assert idp.requests.count("openid-configuration") == idp.requests.count("jwks") == 1
    here.clock.advance(3_601)
    await signed_in(here)
    assert idp.requests.count("openid-configuration") == idp.requests.count("jwks") == 2


@pytest.mark.parametrize("place", ["openid-configuration", "jwks"])
async def test_S24_S62_no_redirect_is_followed(here: Edge, idp: OidcProvider, place: str) -> None:
    idp.broken[place] = (302, {"Location": f"{idp.issuer}/elsewhere"}, b"")
    found = told(await here.http.get("/oauth2/authorize", params=ASKED))
    if "error" not in found:
        found = await refused(here, "temporarily_unavailable")
    assert found["error"] == "temporarily_unavailable" and "elsewhere" not in idp.requests


@pytest.mark.parametrize(
    ("place", "answer", "error"),
    [
        ("openid-configuration", (500, {}, b""), "temporarily_unavailable"),
        ("openid-configuration", (200, {}, b"<html>"), "server_error"),
        ("openid-configuration", (200, {"Content-Encoding": "gzip"}, b"\x1f\x8b"), "temporarily_unavailable"),
        ("openid-configuration", (200, {}, b" " * (upstream_http.LARGEST_BYTES + 1)), "temporarily_unavailable"),
        ("jwks", (200, {}, b"[" * 5_000), "server_error"),
        ("jwks", (200, {}, b'{"keys":{}}'), "server_error"),
        ("jwks", (200, {}, b'{"keys":[]}'), "server_error"),
        ("token", (200, {}, b"[]"), "server_error"),
        ("token", (200, {}, b'"error"'), "server_error"),
        ("token", (200, {}, b'{"access_token":"x"}'), "server_error"),
        ("token", (200, {}, b'{"access_token":"x","id_token":"x.y.z"}'), "server_error"),
        ("token", (200, {}, b"\xff"), "server_error"),
        ("token", (503, {}, b"away"), "temporarily_unavailable"),
        ("token", (302, {"Location": "/elsewhere"}, b""), "temporarily_unavailable"),
    ],
    ids=str,
)
async def test_a_provider_that_answers_nonsense_signs_nobody_in(
    here: Edge, idp: OidcProvider, caplog: pytest.LogCaptureFixture, place: str, answer: Any, error: str
) -> None:
    idp.broken[place] = answer
    away = await here.http.get("/oauth2/authorize", params=ASKED)
    found = told(away) if place == "openid-configuration" else told(await here.http.get(await at_provider(away)))
    assert (found["error"], found["state"]) == (error, "s")
    assert "elsewhere" not in idp.requests
    assert "elsewhere" not in caplog.text and "\n" not in caplog.messages[-1]


@pytest.mark.parametrize(
    "metadata",
    [
        {"issuer": "http://127.0.0.1:9/realms/corp"},
        {"token_endpoint": "http://corp.example/token"},
        {"jwks_uri": "file:///etc/passwd"},
        {"authorization_endpoint": "javascript:alert(1)"},
        {"userinfo_endpoint": "https://ana:secret@corp.example/"},
        {"jwks_uri": None},
        {"id_token_signing_alg_values_supported": ["HS256", "none"]},
    ],
    ids=json.dumps,
)
async def test_S62_metadata_that_leads_astray_is_refused(
    here: Edge, idp: OidcProvider, metadata: dict[str, Any]
) -> None:
    idp.metadata = metadata
    assert told(await here.http.get("/oauth2/authorize", params=ASKED))["error"] == "server_error"


async def test_a_provider_that_is_away_is_said_and_asked_again_later(here: Edge, idp: OidcProvider) -> None:
    idp.broken["openid-configuration"] = (500, {}, b"")
    for _ in range(3):
        found = told(await here.http.get("/oauth2/authorize", params=ASKED))
        assert found["error"] == "temporarily_unavailable"
    assert idp.requests.count("openid-configuration") == 1
    idp.broken.clear()
    here.clock.advance(6)
    assert (await signed_in(here))["provider"] == "corp"


async def test_a_slow_provider_is_not_waited_for_without_end(
    here: Edge, idp: OidcProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(upstream_http, "PATIENCE_S", 0.05)
    idp.held.clear()
    found = told(await here.http.get("/oauth2/authorize", params=ASKED))
    assert found["error"] == "temporarily_unavailable"


async def test_without_a_callback_a_provider_that_is_away_is_a_503(here: Edge, idp: OidcProvider) -> None:
    idp.broken["openid-configuration"] = (500, {}, b"")
    answer = await here.http.get("/oauth2/authorize?idp=corp")
    refusal(answer, 503, "unavailable")
    assert answer.headers["retry-after"]


@pytest.mark.parametrize(
    ("error", "heard"),
    [
        ("access_denied", "access_denied"),
        ("login_required", "access_denied"),
        ("temporarily_unavailable", "temporarily_unavailable"),
        ("unauthorized_client", "server_error"),
        ("x\r\nSet-Cookie: a=b", "server_error"),
    ],
)
async def test_a_refusal_of_the_provider_reaches_the_client(
    here: Edge, idp: OidcProvider, error: str, heard: str
) -> None:
    idp.error = error
    await refused(here, heard)


async def test_without_a_callback_a_refusal_is_a_403(here: Edge, idp: OidcProvider) -> None:
    idp.error = "access_denied"
    away = await here.http.get("/oauth2/authorize?idp=corp")
    refusal(await here.http.get(await at_provider(away)), 403, "access_denied")


# S33: a sign-in belongs to the browser that began it, and to one provider ---------------------------------------------


async def test_S33_what_comes_back_to_another_browser_is_refused(here: Edge) -> None:
    back = await at_provider(await here.http.get("/oauth2/authorize", params=ASKED))
    stranger = here.client()
    refusal(await stranger.get(back), 400, "invalid_grant")
    await stranger.aclose()


@pytest.mark.parametrize("state", [None, "", "x", "x" * 43, "ü" * 43])
async def test_S33_a_state_that_was_never_given_is_refused(here: Edge, state: str | None) -> None:
    back = urlsplit(await at_provider(await here.http.get("/oauth2/authorize", params=ASKED)))
    code = parse_qs(back.query)["code"][0]
    query = {"code": code} if state is None else {"code": code, "state": state}
    refusal(await here.http.get("/oauth2/callback", params=query), 400, "invalid_grant")


async def test_S33_a_cookie_of_one_sign_in_does_not_finish_another(here: Edge) -> None:
    first = await at_provider(await here.http.get("/oauth2/authorize", params=ASKED))
    second = await at_provider(await here.http.get("/oauth2/authorize", params=ASKED))
    code, state = (parse_qs(urlsplit(back).query)[name][0] for back, name in ((first, "code"), (second, "state")))
    answer = await here.http.get("/oauth2/callback", params={"code": code, "state": state})
    assert told(answer)["error"] == "access_denied", "the provider holds the code to its own verifier"


async def test_S33_a_sign_in_is_finished_once(here: Edge) -> None:
    back = await at_provider(await here.http.get("/oauth2/authorize", params=ASKED))
    kept = dict(here.http.cookies)
    assert "code" in told(await here.http.get(back))
    assert not [name for name in here.http.cookies if name.startswith("codraw-sign-in-")]
    refusal(await here.http.get(back), 400, "invalid_grant")
    again = here.client(cookies=kept)
    assert told(await again.get(back))["error"] == "access_denied", "the provider takes its code once"
    await again.aclose()


async def test_S33_a_sign_in_lasts_ten_minutes(here: Edge) -> None:
    back = await at_provider(await here.http.get("/oauth2/authorize", params=ASKED))
    here.clock.advance(601)
    refusal(await here.http.get(back), 400, "invalid_grant")


async def test_S33_a_browser_that_comes_back_too_late_or_twice_is_led_to_the_page(here: Edge) -> None:
    browser = {"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"}
    back = await at_provider(await here.http.get("/oauth2/authorize", params=ASKED))
    here.clock.advance(601)
    late = await here.http.get(back, headers=browser)
    back = await at_provider(await here.http.get("/oauth2/authorize", params=ASKED))
    await here.http.get(back)
    twice = await here.http.get(back, headers=browser)
    for answer in (late, twice):
        assert (answer.status_code, answer.headers["location"]) == (302, "/?sign-in=over")
        assert ACCESS_COOKIE not in answer.cookies


@pytest.mark.parametrize("sender", ["http://127.0.0.1:1/", "", "http://127.0.0.1:1/realms/corp"])
async def test_S33_an_answer_in_the_name_of_another_provider_is_refused(
    here: Edge, idp: OidcProvider, sender: str
) -> None:
    idp.sends_issuer = sender or None
    idp.metadata = {} if sender else {"authorization_response_iss_parameter_supported": True}
    await refused(here, "server_error")
    assert "token" not in idp.requests, "the code goes nowhere"


async def test_an_answer_may_name_its_issuer(here: Edge, idp: OidcProvider) -> None:
    idp.sends_issuer, idp.metadata = idp.issuer, {"authorization_response_iss_parameter_supported": True}
    assert (await signed_in(here))["provider"] == "corp"


async def test_two_tabs_sign_in_side_by_side(here: Edge) -> None:
    first, second = [await at_provider(await here.http.get("/oauth2/authorize", params=ASKED)) for _ in range(2)]
    for back in (second, first):
        assert "code" in told(await here.http.get(back))


async def test_a_browser_keeps_few_sign_ins_at_a_time(here: Edge) -> None:
    for _ in range(6):
        await here.http.get("/oauth2/authorize", params=ASKED)
    assert len([name for name in here.http.cookies if name.startswith("codraw-sign-in-")]) == 3


async def test_S98_the_cookie_is_out_of_reach_of_scripts_and_neighbours(tmp_path: Path, idp: OidcProvider) -> None:
    async with edge(tmp_path, providers=(corp(idp, client_secret=SECRET),)) as here:
        secure = f"{BASE.replace('http:', 'https:')}/oauth2/authorize"
        header = (await here.http.get(secure, params=ASKED)).headers["set-cookie"]
    assert header.startswith("__Host-codraw-sign-in-")
    assert {"HttpOnly", "Secure", "Path=/", "SameSite=lax", "Max-Age=600"} <= set(header.split("; "))
    assert "Domain" not in header and CALLBACK not in header


async def test_what_is_too_large_to_be_remembered_is_refused(here: Edge) -> None:
    asked = {**ASKED, "state": "s" * 2_048, "client_callback": CALLBACK + "/" + "x" * 2_000}
    refusal(await here.http.get("/oauth2/authorize", params=asked), 400, "invalid_request")


async def test_any_worker_finishes_what_another_began(here: Edge) -> None:
    back = await at_provider(await here.http.get("/oauth2/authorize", params=ASKED))
    transport = httpx2.ASGITransport(application(here.deps))
    hooks = {"response": [promised]}
    async with httpx2.AsyncClient(
        transport=transport, base_url=BASE, cookies=here.http.cookies, event_hooks=hooks
    ) as other:
        code = told(await other.get(back))["code"]
    assert (await exchange(here, code)).status_code == 200


async def test_a_server_with_another_secret_finishes_nothing(here: Edge) -> None:
    back = await at_provider(await here.http.get("/oauth2/authorize", params=ASKED))
    oauth = replace(here.deps.oauth, sealing_key=b"x" * 32)
    transport = httpx2.ASGITransport(application(replace(here.deps, oauth=oauth)))
    async with httpx2.AsyncClient(transport=transport, base_url=BASE, cookies=here.http.cookies) as other:
        refusal(await other.get(back), 400, "invalid_grant")


# what the provider tells of a person ----------------------------------------------------------------------------------


async def test_what_the_id_token_leaves_out_is_asked_for(here: Edge, idp: OidcProvider) -> None:
    idp.in_id_token = False
    found = await signed_in(here)
    assert (found["email"], found["email_verified"], found["name"]) == (ANA["email"], True, ANA["name"])
    assert [group["name"] for group in found["groups"]] == ANA["groups"]


async def test_what_the_id_token_tells_is_not_asked_again(here: Edge, idp: OidcProvider) -> None:
    await signed_in(here)
    assert "userinfo" not in idp.requests


async def test_userinfo_of_somebody_else_is_refused(here: Edge, idp: OidcProvider) -> None:
    idp.in_id_token, idp.userinfo = False, {"sub": "another"}
    await refused(here, "server_error")


async def test_userinfo_that_is_signed_is_not_told_as_somebody_elses(
    here: Edge, idp: OidcProvider, caplog: pytest.LogCaptureFixture
) -> None:
    idp.in_id_token = False
    idp.broken["userinfo"] = (200, {"Content-Type": "application/jwt"}, idp.signed({"sub": ANA["sub"]}).encode())
    await refused(here, "server_error")
    assert "its userinfo endpoint answers no JSON" in caplog.text


async def test_without_an_address_a_person_has_one_that_leads_nowhere(here: Edge, idp: OidcProvider) -> None:
    idp.person = {"sub": "4711", "preferred_username": "ana"}
    found = await signed_in(here)
    assert (found["email"], found["email_verified"], found["name"]) == ("4711@corp.invalid", False, "ana")


async def test_only_addresses_of_the_domains_that_are_let_in(tmp_path: Path, idp: OidcProvider) -> None:
    guarded = corp(idp, client_secret=SECRET, email_domains=frozenset(("corp.example",)))
    async with edge(tmp_path, providers=(guarded,)) as here:
        idp.now = lambda: here.clock.now().wall_ms / 1_000
        assert (await signed_in(here))["provider"] == "corp"
        idp.person["email_verified"] = False
        await refused(here, "access_denied")
        idp.person |= {"email": "ana@corp.example.evil.test", "email_verified": True}
        await refused(here, "access_denied")


@pytest.mark.parametrize(
    ("secret", "methods"),
    [
        (SECRET, ["client_secret_basic"]),
        ("one+two%41/three=€", ["client_secret_basic"]),
        (SECRET, ["client_secret_post"]),
        ("one+two%41/three=€", ["client_secret_post"]),
        (SECRET, None),
        (None, ["none"]),
    ],
)
async def test_the_client_proves_itself_as_the_provider_wants(
    tmp_path: Path, idp: OidcProvider, secret: str | None, methods: list[str] | None
) -> None:
    idp.secret, idp.metadata = secret, {"token_endpoint_auth_methods_supported": methods}
    async with edge(tmp_path, providers=(corp(idp, client_secret=secret),)) as here:
        idp.now = lambda: here.clock.now().wall_ms / 1_000
        assert (await signed_in(here))["provider"] == "corp"


async def test_a_wrong_client_secret_signs_nobody_in(tmp_path: Path, idp: OidcProvider) -> None:
    async with edge(tmp_path, providers=(corp(idp, client_secret="wrong"),)) as here:
        idp.now = lambda: here.clock.now().wall_ms / 1_000
        await refused(here, "server_error")


# who may begin --------------------------------------------------------------------------------------------------------


async def test_AU5_a_client_of_a_real_provider_needs_pkce(here: Edge) -> None:
    asked = {"idp": "corp", "client_callback": CALLBACK}
    refusal(await here.http.get("/oauth2/authorize", params=asked), 400, "invalid_request")
    excused = await here.http.get("/oauth2/authorize", params={**asked, "client_id": "old-tool"})
    assert excused.status_code == 302


async def test_AU6_the_page_of_this_server_needs_no_listing(tmp_path: Path, idp: OidcProvider) -> None:
    async with edge(tmp_path, development=False, providers=(corp(idp),)) as here:
        for callback, status in (
            (f"{BASE}/", 302),
            (f"{BASE}/x", 400),
            (f"{BASE}.evil.test/", 400),
            (CALLBACK, 400),
            (next(iter(CALLBACKS)), 302),
        ):
            answer = await here.http.get("/oauth2/authorize", params={**ASKED, "client_callback": callback})
            assert answer.status_code == status, callback


async def test_S62_in_production_a_provider_on_this_machine_is_not_asked(tmp_path: Path, idp: OidcProvider) -> None:
    async with edge(tmp_path, development=False, providers=(corp(idp),)) as here:
        asked = {**ASKED, "client_callback": next(iter(CALLBACKS))}
        assert told(await here.http.get("/oauth2/authorize", params=asked))["error"] == "temporarily_unavailable"
    assert not idp.requests


def written(idp: OidcProvider) -> str:
    """As an operator configures it."""
    entry = {"id": "corp", "name": "Corp", "issuer": idp.issuer, "client_id": CLIENT, "client_secret": SECRET}
    return json.dumps([entry])


async def test_a_configured_server_signs_people_in(tmp_path: Path, idp: OidcProvider) -> None:
    with Server(tmp_path, oidc_providers=written(idp)) as server:
        async with httpx2.AsyncClient(base_url=server.http, timeout=30, verify=False) as http:
            listed = [found["id"] for found in (await http.get("/oauth2/providers")).json()["providers"]]
            assert listed == ["test", "tmi", "corp"]
            back = await at_provider(await http.get("/oauth2/authorize", params={**ASKED, "state": "YQ=="}))
            code = told(await http.get(back))["code"]
            body = {"grant_type": "authorization_code", "code": code, "redirect_uri": CALLBACK}
            made = (await http.post("/oauth2/token", json={**body, "code_verifier": VERIFIER})).json()
            shown = await http.get("/me", headers={"Authorization": f"Bearer {made['access_token']}"})
    assert shown.json()["sub"] == f"corp:{ANA['sub']}"
    assert SECRET not in server.log and code not in server.log


async def test_of_two_workers_either_finishes_what_one_of_them_began(
    tmp_path: Path, idp: OidcProvider, postgres_url: str, redis_url: str
) -> None:
    given = {"store_url": postgres_url, "redis_url": redis_url, "workers": "2", "oidc_providers": written(idp)}
    # A connection for each request: the kernel spreads them.
    apart = httpx2.Limits(max_keepalive_connections=0)
    with Server(tmp_path, **given) as server:
        async with httpx2.AsyncClient(base_url=server.http, timeout=30, verify=False, limits=apart) as http:
            for _ in range(8):
                back = await at_provider(await http.get("/oauth2/authorize", params=ASKED))
                assert "code" in told(await http.get(back))

"""ID tokens, each with one thing wrong."""

from __future__ import annotations

import json
from typing import Any

import pytest
from joserfc import jws

from rest.oauth.upstream_documents import VerifyingKey, verifying_key
from rest.oauth.upstream_errors import NotVouched
from rest.oauth.upstream_tokens import LEEWAY_S, LONGEST, OLDEST_S, IdToken, UnknownKey, check, verified
from tests.support.oidc_provider import base64url, key

NOW = 1_800_000_000
GOOD = {"iss": "https://a", "sub": "ana", "aud": "us", "exp": NOW + 300, "iat": NOW, "nonce": "n"}
USUAL = ["RS256", "ES256"]


def keys(*which: tuple[str, int]) -> list[VerifyingKey]:
    found = [verifying_key(dict(key(kind, n).as_dict(private=False))) for kind, n in which or [("RSA", 0)]]
    return [found for found in found if found is not None]


def signed(claims: dict[str, Any] = GOOD, kind: str = "RSA", **header: Any) -> str:
    algorithm = "RS256" if kind == "RSA" else "ES256"
    given = {"alg": algorithm, "kid": f"{kind}-0", **header}
    without = {name: value for name, value in given.items() if value is not None}
    registry = jws.JWSRegistry(algorithms=[algorithm], strict_check_header=False)
    return jws.serialize_compact(without, json.dumps(claims).encode(), key(kind), registry=registry)


def accepted(claims: dict[str, Any], now: float = NOW) -> bool:
    try:
        check(IdToken.model_validate_json(json.dumps(claims)), "https://a", "us", "n", now)
    except NotVouched:
        return False
    return True


def test_a_good_one_is_read() -> None:
    token = verified(signed({**GOOD, "email": "ana@a", "groups": ["g"]}), keys(), USUAL)
    assert token.claims == {"sub": "ana", "email": "ana@a", "groups": ["g"]}
    check(token, "https://a", "us", "n", NOW)


def test_somebody_in_hundreds_of_groups_is_read() -> None:
    token = verified(signed({**GOOD, "groups": [f"group-{n:04}" for n in range(2_000)]}), keys(), USUAL)
    assert len(token.claims["groups"]) == 2_000


def test_a_key_need_not_be_named_where_there_is_one() -> None:
    assert verified(signed(kid=None), keys(("RSA", 0), ("EC", 0)), USUAL).sub == "ana"
    with pytest.raises(UnknownKey):
        verified(signed(kid=None), keys(("RSA", 0), ("RSA", 1)), USUAL)


@pytest.mark.parametrize("kid", ["RSA-9", "../../etc/passwd", "' OR 1=1", "https://evil.test/jwks", 7, ["RSA-0"]])
def test_S24_a_key_that_is_not_published_is_unknown_and_nothing_is_fetched_by_its_name(kid: Any) -> None:
    header = base64url(json.dumps({"alg": "RS256", "kid": kid}).encode())
    with pytest.raises(UnknownKey):
        verified(f"{header}.{signed().partition('.')[2]}", keys(), USUAL)


def test_S24_a_key_that_the_token_brings_along_counts_for_nothing() -> None:
    brought = dict(key("RSA", 1).as_dict(private=False))
    registry = jws.JWSRegistry(algorithms=["RS256"], strict_check_header=False)
    header = {"alg": "RS256", "kid": "RSA-0", "jwk": brought, "jku": "https://evil.test/jwks"}
    registry.max_header_length = 4_096
    token = jws.serialize_compact(header, json.dumps(GOOD).encode(), key("RSA", 1), registry=registry)
    with pytest.raises(NotVouched):
        verified(token, keys(), USUAL)


@pytest.mark.parametrize(
    "token",
    [
        "",
        ".",
        "x.y.z",
        "e30.e30.e30",
        "W10.e30.e30",
        base64url(b"[" * 3_000) + ".e30.e30",
        base64url(b'{"alg":["RS256"]}') + ".e30.e30",
        base64url(b'{"alg":"RS256","kid":"RSA-0"}') + ".e30.e30",
        base64url(b'{"alg":"RS256","kid":"RSA-0","crit":["x"],"x":1}') + ".e30.e30",
        "ü.ü.ü",
        "x" * LONGEST,
    ],
    ids=lambda token: token[:12],
)
def test_S25_what_is_no_token_is_refused(token: str) -> None:
    with pytest.raises(NotVouched):
        verified(token, keys(), USUAL)


def test_S20_the_key_decides_what_may_have_signed() -> None:
    with pytest.raises(NotVouched):
        verified(signed(), keys(), ["ES256"])
    with pytest.raises(UnknownKey):
        verified(signed(), keys(("EC", 0)), USUAL)


@pytest.mark.parametrize("part", [0, 1, 2])
def test_a_token_that_was_changed_is_refused(part: int) -> None:
    parts = signed().split(".")
    other = signed({**GOOD, "sub": "eve"}, typ="JWT").split(".")
    parts[part] = other[part]
    with pytest.raises(NotVouched):
        verified(".".join(parts), keys(), USUAL)


@pytest.mark.parametrize(
    "claims",
    [
        *({name: value for name, value in GOOD.items() if name != left} for left in GOOD),
        {**GOOD, "aud": [7]},
        {**GOOD, "exp": "1800000300"},
        {**GOOD, "exp": True},
        {**GOOD, "iat": None},
        {**GOOD, "sub": 7},
        {**GOOD, "azp": 7},
    ],
    ids=str,
)
def test_S21_S22_every_claim_is_there_and_of_its_type(claims: dict[str, Any]) -> None:
    with pytest.raises(NotVouched):
        verified(signed(claims), keys(), USUAL)


def test_S22_a_time_without_end_is_refused() -> None:
    endless = json.dumps({**GOOD, "exp": 0}).replace('"exp": 0', '"exp": 1e999')
    registry = jws.JWSRegistry(algorithms=["RS256"])
    token = jws.serialize_compact({"alg": "RS256", "kid": "RSA-0"}, endless.encode(), key("RSA"), registry=registry)
    with pytest.raises(NotVouched):
        verified(token, keys(), USUAL)


@pytest.mark.parametrize(
    ("claims", "good"),
    [
        ({}, True),
        ({"aud": ["us"]}, True),
        ({"aud": ["us", "them"], "azp": "us"}, True),
        ({"aud": []}, False),
        ({"aud": ["us", "them"]}, False),
        ({"azp": "them"}, False),
        ({"iss": "https://a/"}, False),
        ({"iss": "https://a.evil.test"}, False),
        ({"nonce": "N"}, False),
        ({"nonce": "ü"}, False),
        ({"sub": "a\x00b"}, False),
    ],
)
def test_S23_it_is_for_this_server_and_this_request(claims: dict[str, Any], good: bool) -> None:
    assert accepted({**GOOD, **claims}) == good


def test_clocks_may_differ_a_little() -> None:
    assert accepted(GOOD, NOW - LEEWAY_S) and not accepted(GOOD, NOW - LEEWAY_S - 1)
    lasting = {**GOOD, "exp": NOW + 9_999}
    assert accepted(lasting, NOW + OLDEST_S) and not accepted(lasting, NOW + OLDEST_S + 1)
    assert accepted(GOOD, NOW + 300 + LEEWAY_S - 1) and not accepted(GOOD, NOW + 300 + LEEWAY_S)

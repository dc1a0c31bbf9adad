"""Access tokens: what is issued is read back, and everything else is refused."""

from __future__ import annotations

import base64
import json
from typing import Any

import jwt
import pytest

from collab.access.tokens import InvalidToken, Tokens
from protocol.values import Caller, User

KEY = b"k" * 32
NOW_S = 1_800_000_000
ALICE = Caller(User("test", "alice", "alice@tmi.local", "Alice"), groups=("staff",), sid="login-1")

TOKENS = Tokens(KEY, issuer="http://here", audience="codraw", now_ms=lambda: NOW_S * 1_000 + 1)


def claims(**changed: Any) -> dict[str, Any]:
    """The claims of a good token; None leaves one out."""
    token, _ = TOKENS.issue(ALICE)
    good = jwt.decode(token, options={"verify_signature": False})
    return {name: value for name, value in (good | changed).items() if value is not None}


def signed(claims: dict[str, Any] | bytes, key: bytes = KEY, **header: Any) -> str:
    """A token as an attacker who has the key would make it: nothing is checked on the way."""
    payload = claims if isinstance(claims, bytes) else json.dumps(claims).encode()
    return jwt.api_jws.encode(payload, key, "HS256", headers=header)


def refused(token: str) -> bool:
    with pytest.raises(InvalidToken) as raised:
        TOKENS.verify(token)
    assert token == "" or token not in str(raised.value)
    return True


def test_what_was_issued_names_the_caller() -> None:
    token, issued = TOKENS.issue(ALICE)
    assert TOKENS.verify(token) == issued
    assert (issued.user, issued.groups, issued.sid) == (ALICE.user, ("staff",), "login-1")


def test_AU10_a_token_lives_longer_than_clients_refresh_it() -> None:
    _, issued = TOKENS.issue(ALICE)
    assert issued.expires_at_ms == (NOW_S + 3_600) * 1_000
    assert TOKENS.lifetime_s > 900


def test_no_two_tokens_are_equal() -> None:
    assert TOKENS.issue(ALICE)[0] != TOKENS.issue(ALICE)[0]


def test_the_forged_copy_of_a_good_token_is_good() -> None:
    """Else every refusal below would prove nothing."""
    assert TOKENS.verify(signed(claims())).user == ALICE.user


@pytest.mark.parametrize(
    "name", ["iss", "aud", "sub", "iat", "exp", "jti", "sid", "idp", "provider_id", "email", "name", "groups"]
)
def test_AU1_S21_a_required_claim_is_missing(name: str) -> None:
    assert refused(signed(claims(**{name: None})))


@pytest.mark.parametrize("alg", ["none", "None", "HS512", "RS256", "", None, ["HS256"], {"HS256": 1}, 5])
def test_AU1_S20_another_algorithm_is_refused(alg: Any) -> None:
    def part(value: Any) -> str:
        return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()

    signature = signed(claims()).rpartition(".")[2]
    for tail in ("", signature):
        assert refused(f"{part({'alg': alg, 'typ': 'JWT'})}.{part(claims())}.{tail}")


def test_S20_another_key_is_refused() -> None:
    assert refused(signed(claims(), b"x" * 32))


@pytest.mark.parametrize(
    "changed",
    [
        {"exp": str(NOW_S + 60)},
        {"exp": 1e300},
        {"exp": NOW_S + 60.5},
        {"exp": True},
        {"exp": NOW_S},
        {"exp": NOW_S - 1},
        {"exp": -1},
        {"exp": 2**60},
        {"exp": NOW_S + 3_601},
        {"iat": str(NOW_S)},
        {"iat": NOW_S + 60, "exp": NOW_S + 100},
        {"nbf": NOW_S + 60},
        {"nbf": "0"},
        {"iat": NOW_S - 4_000},
    ],
)
def test_AU1_S22_times_are_integers_in_their_order(changed: dict[str, Any]) -> None:
    assert refused(signed(claims(**changed)))


def test_the_clock_of_another_worker_may_run_a_little_ahead() -> None:
    assert TOKENS.verify(signed(claims(iat=NOW_S + 4, nbf=NOW_S + 4))).user == ALICE.user


@pytest.mark.parametrize(
    "changed",
    [
        {"iss": "http://her"},
        {"iss": "http://here/"},
        {"iss": ["http://here"]},
        {"aud": "codra"},
        {"aud": ["codraw"]},
        {"token_use": "refresh"},
        {"token_use": "id"},
        {"token_use": None},
    ],
)
def test_AU1_S23_a_token_for_something_else_is_refused(changed: dict[str, Any]) -> None:
    assert refused(signed(claims(**changed)))


@pytest.mark.parametrize("changed", [{"sub": "test:bob"}, {"idp": "other"}, {"provider_id": "bob"}])
def test_the_names_of_a_person_agree(changed: dict[str, Any]) -> None:
    assert refused(signed(claims(**changed)))


@pytest.mark.parametrize("changed", [{"groups": "staff"}, {"groups": [1]}, {"email_verified": 1}, {"name": 5}])
def test_claims_have_their_types(changed: dict[str, Any]) -> None:
    assert refused(signed(claims(**changed)))


@pytest.mark.parametrize("header", [{"kid": "../../key"}, {"jku": "http://evil"}, {"jwk": {"kty": "oct", "k": "AA"}}])
def test_what_a_header_says_of_keys_is_not_looked_at(header: dict[str, Any]) -> None:
    assert TOKENS.verify(signed(claims(), **header)).user == ALICE.user


@pytest.mark.parametrize(
    "token",
    ["", ".", "..", "a.b.c", "é.é.é", "\udcff", "x" * 100_000, f"{signed(claims())}x", f"{signed(claims())}.x"],
)
def test_rubbish_is_refused(token: str) -> None:
    assert refused(token)


@pytest.mark.parametrize(
    "payload",
    [
        b'{"sub":"a","sub":"b"}',
        b'{"sub":"a\\u0000"}',
        b"[]",
        b"5",
        b"",
        b"[" * 5_000,
    ],
)
def test_a_signed_payload_that_is_no_plain_object_is_refused(payload: bytes) -> None:
    assert refused(signed(payload))


def test_doubled_claims_are_refused() -> None:
    doubled = json.dumps(claims())[:-1] + ', "sub": "test:bob"}'
    assert refused(signed(doubled.encode()))


def test_a_short_key_signs_nothing() -> None:
    with pytest.raises(ValueError, match="32 bytes"):
        Tokens(b"short", "i", "a", lambda: 0)


def test_the_key_is_not_shown() -> None:
    assert "kkk" not in repr(TOKENS)

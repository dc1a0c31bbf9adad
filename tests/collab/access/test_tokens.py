"""Access tokens: what is issued is read back, and everything else is refused."""

from __future__ import annotations

import base64
import hmac
import json
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from collab.access.keys import CURVE, RSA, Key, pair, shared
from collab.access.tokens import InvalidToken, Tokens
from protocol.values import Caller, User

KEY = b"k" * 32
NOW_S = 1_800_000_000
ALICE = Caller(User("test", "alice", "alice@tmi.local", "Alice"), groups=("staff",), sid="login-1")


def tokens(*keys: Key) -> Tokens:
    return Tokens(keys, issuer="http://here", audience="codraw", now_ms=lambda: NOW_S * 1_000 + 1)


TOKENS = tokens(shared(KEY))
PRIVATE: dict[str, Any] = {RSA: rsa.generate_private_key(65537, 2048), CURVE: ec.generate_private_key(ec.SECP256R1())}
PAIRS = {name: pair(name, private.public_key(), private) for name, private in PRIVATE.items()}


def claims(**changed: Any) -> dict[str, Any]:
    """The claims of a good token; None leaves one out."""
    token, _ = TOKENS.issue(ALICE)
    good = jwt.decode(token, options={"verify_signature": False})
    return {name: value for name, value in (good | changed).items() if value is not None}


def signed(claims: dict[str, Any] | bytes, key: bytes = KEY, **header: Any) -> str:
    """A token as an attacker who has the key would make it: nothing is checked on the way."""
    payload = claims if isinstance(claims, bytes) else json.dumps(claims).encode()
    return jwt.api_jws.encode(payload, key, "HS256", headers=header)


def encoded(value: bytes) -> str:
    return base64.urlsafe_b64encode(value).rstrip(b"=").decode()


def part(value: Any) -> str:
    return encoded(json.dumps(value).encode())


def refused(token: str, by: Tokens = TOKENS) -> bool:
    with pytest.raises(InvalidToken) as raised:
        by.verify(token)
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


HEADERS: list[dict[str, Any]] = [
    {"kid": "../../key"},
    {"kid": "' OR 1=1 --"},
    {"jku": "http://evil"},
    {"x5u": "http://evil"},
    {"jwk": {"kty": "oct", "k": "AA"}},
]


@pytest.mark.parametrize("header", HEADERS)
def test_S24_what_a_header_says_of_keys_is_not_looked_at(header: dict[str, Any]) -> None:
    assert TOKENS.verify(signed(claims(), **header)).user == ALICE.user


@pytest.mark.parametrize(
    "token",
    ["", ".", "..", "a.b.c", "é.é.é", "\udcff", "x" * 100_000, f"{signed(claims())}x", f"{signed(claims())}.x"],
)
def test_S25_rubbish_is_refused(token: str) -> None:
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
def test_S25_a_signed_payload_that_is_no_plain_object_is_refused(payload: bytes) -> None:
    assert refused(signed(payload))


def test_the_client_and_what_it_asked_for_stand_in_the_token() -> None:
    token, _ = TOKENS.issue(ALICE, client_id="app", scope="openid email")
    found = TOKENS.claims(token)
    assert (found["client_id"], found["scope"]) == ("app", "openid email")


def test_a_token_of_an_older_version_names_neither_and_is_good() -> None:
    assert TOKENS.verify(signed(claims(client_id=None, scope=None))).user == ALICE.user
    assert refused(signed(claims(scope=5)))


def test_S25_doubled_claims_are_refused() -> None:
    doubled = json.dumps(claims())[:-1] + ', "sub": "test:bob"}'
    assert refused(signed(doubled.encode()))


def test_a_key_without_a_private_half_signs_nothing() -> None:
    with pytest.raises(ValueError, match="signs"):
        tokens(pair(CURVE, PRIVATE[CURVE].public_key()))


def test_the_key_is_not_shown() -> None:
    assert "kkk" not in repr(TOKENS)


# key pairs ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("algorithm", [RSA, CURVE])
def test_AU1_what_a_private_key_signed_its_public_half_verifies(algorithm: str) -> None:
    token, issued = tokens(PAIRS[algorithm]).issue(ALICE)
    assert jwt.get_unverified_header(token) == {"alg": algorithm, "typ": "JWT", "kid": PAIRS[algorithm].kid}
    elsewhere = tokens(shared(KEY), pair(algorithm, PRIVATE[algorithm].public_key()))
    assert elsewhere.verify(token) == issued


def test_a_key_that_came_later_signs_and_the_former_still_verifies() -> None:
    former, newer = tokens(PAIRS[RSA]), tokens(PAIRS[CURVE], PAIRS[RSA])
    assert newer.algorithm == CURVE
    assert newer.verify(former.issue(ALICE)[0]).user == ALICE.user
    assert refused(newer.issue(ALICE)[0], by=former)


def test_a_former_secret_still_verifies_until_it_is_taken_away() -> None:
    newer = tokens(shared(b"n" * 32), shared(KEY))
    former, _ = TOKENS.issue(ALICE)
    assert newer.verify(former).user == ALICE.user
    assert TOKENS.verify(signed(claims(), KEY)).user == ALICE.user
    assert refused(former, by=tokens(shared(b"n" * 32)))
    assert refused(newer.issue(ALICE)[0])


@pytest.mark.parametrize("kid", [PAIRS[RSA].kid, None, "x"], ids=["its", "none", "another"])
def test_S20_a_public_key_is_never_taken_for_a_secret(kid: str | None) -> None:
    """The forger knows it, as everybody does: a verifier that lets the token choose the algorithm would be lost."""
    public = PRIVATE[RSA].public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    head = {"alg": "HS256", "typ": "JWT"} | ({} if kid is None else {"kid": kid})
    text = ".".join(map(part, (head, claims())))
    forged = f"{text}.{encoded(hmac.digest(public, text.encode(), 'sha256'))}"
    assert refused(forged, by=tokens(PAIRS[RSA]))
    assert refused(forged, by=tokens(PAIRS[RSA], PAIRS[CURVE], shared(KEY)))


@pytest.mark.parametrize("kid", ["x", "../../etc/passwd", "' OR 1=1 --", "http://evil/keys", "", 5, None, ["a"]])
def test_S24_a_key_that_is_not_ours_is_not_looked_for(kid: Any) -> None:
    """However many are named: nothing is fetched, opened or remembered."""
    good, _ = tokens(PAIRS[CURVE]).issue(ALICE)
    _, payload, signature = good.split(".")
    head = {"alg": CURVE, "typ": "JWT"} | ({} if kid is None else {"kid": kid})
    assert refused(f"{part(head)}.{payload}.{signature}", by=tokens(PAIRS[CURVE]))


def test_S24_a_key_that_a_token_brings_along_proves_nothing() -> None:
    own = ec.generate_private_key(ec.SECP256R1())
    jwk = dict(pair(CURVE, own.public_key()).jwk or {})
    for kid in (jwk["kid"], PAIRS[CURVE].kid):
        head = {"jwk": jwk, "kid": kid, "jku": "http://evil/keys", "x5u": "http://evil/cert"}
        forged = jwt.api_jws.encode(json.dumps(claims()).encode(), own, CURVE, headers=head)
        assert refused(forged, by=tokens(PAIRS[CURVE]))


@pytest.mark.parametrize("algorithm", [RSA, CURVE])
def test_S20_a_pair_verifies_its_own_algorithm_only(algorithm: str) -> None:
    other = {RSA: "PS256", CURVE: "ES512"}[algorithm]
    good, _ = tokens(PAIRS[algorithm]).issue(ALICE)
    _, payload, signature = good.split(".")
    for alg in (other, "none", "HS256"):
        head = {"alg": alg, "kid": PAIRS[algorithm].kid}
        for tail in (signature, ""):
            assert refused(f"{part(head)}.{payload}.{tail}", by=tokens(PAIRS[algorithm]))

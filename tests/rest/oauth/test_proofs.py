"""What a client proves itself by."""

from __future__ import annotations

import pytest

from rest.oauth.proofs import challenge, is_allowed, is_proven, s256
from rest.problems import Problem

LISTED = ("https://app.example.org/cb", "https://app.example.org/cb?x=1")
VERIFIER = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"
CHALLENGE = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"


def test_the_example_of_rfc_7636() -> None:
    assert s256(VERIFIER) == CHALLENGE
    assert is_proven(CHALLENGE, VERIFIER)


@pytest.mark.parametrize("callback", LISTED)
def test_AU6_a_listed_callback_is_allowed(callback: str) -> None:
    assert is_allowed(callback, LISTED, development=False)


FOREIGN = [
    "",
    "/",
    "//evil.test",
    "https:app.example.org/cb",
    "http://app.example.org/cb",
    "https://app.example.org",
    "https://app.example.org/",
    "https://app.example.org/cb/",
    "https://app.example.org/cb/..",
    "https://app.example.org/cb?",
    "https://app.example.org/cb?x=2",
    "https://app.example.org/cb?x=1&y=2",
    "https://app.example.org/cb#",
    "https://app.example.org/cb#x",
    "https://app.example.org/CB",
    "https://APP.example.org/cb",
    "https://app.example.org:443/cb",
    "https://app.example.org:8443/cb",
    "https://app.example.org.evil.test/cb",
    "https://evil.test/https://app.example.org/cb",
    "https://evil.test?https://app.example.org/cb",
    "https://evil.test#https://app.example.org/cb",
    "https://evil.test\\@app.example.org/cb",
    "https://app.example.org@evil.test/cb",
    "https://user@app.example.org/cb",
    "https://user:pass@app.example.org/cb",
    "https://xapp.example.org/cb",
    "https://app.example.org/%63b",
    "https://app.example.org/cb%00",
    "https://app.example.org/cb%0d%0aSet-Cookie:x",
    "https://app.example.org/cb\r\nX: y",
    " https://app.example.org/cb",
    "https://app.example.org/cb ",
    "https://app.example.org/cb\t",
    "https://ａpp.example.org/cb",
    "https://app。example.org/cb",
    "javascript:alert(1)",
    "data:text/html,x",
    "file:///etc/passwd",
    "app://cb",
]


@pytest.mark.parametrize("development", [False, True])
@pytest.mark.parametrize("callback", FOREIGN)
def test_AU6_S32_a_foreign_callback_is_refused(callback: str, development: bool) -> None:
    assert not is_allowed(callback, LISTED, development)


LOOPBACK = [
    "http://localhost",
    "http://localhost:4200/oauth2/callback",
    "http://localhost:1/?x=1&y=%20",
    "http://127.0.0.1:8080/cb",
    "http://[::1]:8080/cb",
]


@pytest.mark.parametrize("callback", LOOPBACK)
def test_AU6_in_development_loopback_will_do(callback: str) -> None:
    assert is_allowed(callback, (), development=True)
    assert not is_allowed(callback, (), development=False)


@pytest.mark.parametrize(
    "callback",
    [
        "https://localhost/cb",
        "http://localhost.evil.test/cb",
        "http://localhost@evil.test/cb",
        "http://evil.test@localhost/cb",
        "http://localhost:80@evil.test/cb",
        "http://localhost:/cb",
        "http://localhost:999999/cb",
        "http://localhost\\@evil.test/cb",
        "http://localhost#x",
        "http://localhost/cb#x",
        "http://localhost/cb\\x",
        "http://localhost/\r\nX: y",
        "http://localhost/ä",
        "http://127.0.0.1.evil.test/",
        "http://127.1/",
        "http://0.0.0.0/",
        "http://[::2]/",
        "http://[::1]evil.test/",
        "http://2130706433/",
        "http://LOCALHOST/cb",
    ],
)
def test_AU6_S32_what_looks_like_loopback_is_not(callback: str) -> None:
    assert not is_allowed(callback, (), development=True)


@pytest.mark.parametrize(
    "parameters",
    [
        {},
        {"code_challenge": CHALLENGE},
        {"code_challenge": CHALLENGE, "code_challenge_method": "plain"},
        {"code_challenge": CHALLENGE, "code_challenge_method": "s256"},
        {"code_challenge": CHALLENGE[:-1], "code_challenge_method": "S256"},
        {"code_challenge": CHALLENGE + "x", "code_challenge_method": "S256"},
        {"code_challenge": CHALLENGE[:-1] + "=", "code_challenge_method": "S256"},
        {"code_challenge": "", "code_challenge_method": "S256"},
        {"code_challenge_method": "S256"},
    ],
)
def test_AU5_S30_a_challenge_is_required_and_s256(parameters: dict[str, str]) -> None:
    with pytest.raises(Problem) as raised:
        challenge(parameters, excused=False)
    assert (raised.value.status, raised.value.error) == (400, "invalid_request")


def test_AU5_whoever_is_excused_may_leave_it_out_but_not_weaken_it() -> None:
    assert challenge({}, excused=True) is None
    assert challenge({"code_challenge": CHALLENGE, "code_challenge_method": "S256"}, excused=True) == CHALLENGE
    with pytest.raises(Problem):
        challenge({"code_challenge": CHALLENGE, "code_challenge_method": "plain"}, excused=True)
    with pytest.raises(Problem):
        challenge({"code_challenge_method": "S256"}, excused=True)


@pytest.mark.parametrize(
    ("stored", "verifier"),
    [
        (CHALLENGE, None),
        (CHALLENGE, ""),
        (CHALLENGE, CHALLENGE),
        (CHALLENGE, VERIFIER + "x"),
        (CHALLENGE, VERIFIER[:42]),
        (s256("short"), "short"),
        (s256("x" * 129), "x" * 129),
        (s256("y" * 42 + "ä"), "y" * 42 + "ä"),
        (None, VERIFIER),
    ],
)
def test_S30_a_wrong_verifier_proves_nothing(stored: str | None, verifier: str | None) -> None:
    assert not is_proven(stored, verifier)


def test_without_a_challenge_no_verifier_is_the_proof() -> None:
    assert is_proven(None, None)

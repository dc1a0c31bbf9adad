"""Sign-ins that browsers keep for us: sealed, short-lived, one cookie each."""

from __future__ import annotations

import pytest
from starlette.requests import Request
from starlette.responses import Response

from rest.oauth.asked import Asked
from rest.oauth.upstream_state import LIFE_S, Pending, PendingCookies, begun, cookie_name

KEY = b"k" * 32
NOW = 1_000_000


def request(**cookies: str) -> Request:
    header = "; ".join(f"{name}={value}" for name, value in cookies.items()).encode()
    return Request({"type": "http", "headers": [(b"cookie", header)]})


def cookies(key: bytes = KEY, now_ms: int = NOW) -> PendingCookies:
    return PendingCookies(key, lambda: now_ms)


def started() -> tuple[Pending, str]:
    """A sign-in and what its cookie holds."""
    pending, response = begun("corp", Asked(callback="https://a/cb", state="cw=="), NOW), Response()
    cookies().keep(request(), response, pending, False)
    name, _, rest = response.headers["set-cookie"].partition("=")
    assert name == cookie_name(pending.state, False)
    return pending, rest.partition(";")[0]


def test_what_was_kept_is_found_by_its_state() -> None:
    pending, sealed = started()
    kept = request(**{cookie_name(pending.state, False): sealed})
    assert cookies().kept(kept, pending.state, False) == pending


def test_S33_nothing_of_it_can_be_read() -> None:
    pending, sealed = started()
    assert all(hidden not in sealed for hidden in (pending.verifier, pending.nonce, pending.state, "corp"))


def test_S33_two_sign_ins_have_nothing_in_common() -> None:
    one, other = started()[0], started()[0]
    assert not {one.state, one.nonce, one.verifier} & {other.state, other.nonce, other.verifier}


@pytest.mark.parametrize("key", [b"x" * 32, b"K" + b"k" * 31])
def test_S33_another_secret_opens_nothing(key: bytes) -> None:
    pending, sealed = started()
    assert cookies(key).kept(request(**{cookie_name(pending.state, False): sealed}), pending.state, False) is None


@pytest.mark.parametrize("at", range(0, 300, 7))
def test_S33_a_changed_cookie_is_none(at: int) -> None:
    pending, sealed = started()
    changed = sealed[:at] + ("A" if sealed[at] != "A" else "B") + sealed[at + 1 :]
    assert cookies().kept(request(**{cookie_name(pending.state, False): changed}), pending.state, False) is None


@pytest.mark.parametrize("sealed", ["", "x", "....", "a.b.c.d.e", "x" * 5_000, "eyJhbGciOiJkaXIifQ....", "ü"])
def test_S33_what_is_no_cookie_of_ours_is_none(sealed: str) -> None:
    assert cookies().kept(request(**{cookie_name("s" * 43, False): sealed}), "s" * 43, False) is None


def test_S33_a_cookie_under_another_state_is_none() -> None:
    pending, sealed = started()
    other = pending.state[:12] + "x" * 31
    assert cookies().kept(request(**{cookie_name(other, False): sealed}), other, False) is None


def test_it_lives_ten_minutes() -> None:
    pending, sealed = started()
    kept = request(**{cookie_name(pending.state, False): sealed})
    assert cookies(now_ms=NOW + LIFE_S * 1_000 - 1).kept(kept, pending.state, False) == pending
    assert cookies(now_ms=NOW + LIFE_S * 1_000).kept(kept, pending.state, False) is None


def test_a_cookie_with_a_strange_name_is_not_touched() -> None:
    response = Response()
    strange = {f"codraw-sign-in-{n}()": "x" for n in range(9)} | {"other": "y"}
    cookies().keep(request(**strange), response, begun("corp", Asked(), NOW), False)
    assert len(response.headers.getlist("set-cookie")) == 1

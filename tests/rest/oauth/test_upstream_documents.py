"""What a provider publishes, kept for a while."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from rest.oauth.upstream_documents import AGAIN_MS, FRESH_MS, Kept, Metadata, verifying_key
from rest.oauth.upstream_errors import NotVouched, away, broken
from tests.support.oidc_provider import key

LEAST = {
    "issuer": "https://a",
    "authorization_endpoint": "https://a/a",
    "token_endpoint": "https://a/t",
    "jwks_uri": "https://a/k",
}


class Source:
    def __init__(self) -> None:
        self.now = 1_000_000
        self.fetches = 0
        self.takes_ms = 0
        self.fault: NotVouched | None = None
        self.kept: Kept[int] = Kept(self.fetch, lambda: self.now)

    async def fetch(self) -> int:
        await asyncio.sleep(0)
        self.now += self.takes_ms
        self.fetches += 1
        if self.fault is not None:
            raise self.fault
        return self.fetches


async def test_of_many_at_once_one_fetches() -> None:
    source = Source()
    assert set(await asyncio.gather(*(source.kept.get() for _ in range(9)))) == {1}


async def test_for_a_while_a_look_in_vain_is_told_as_what_it_was() -> None:
    source = Source()
    source.fault = broken("it calls itself otherwise")
    for why in ("it calls itself otherwise", "it calls itself otherwise (seen a moment ago)"):
        with pytest.raises(NotVouched) as told:
            await source.kept.get()
        assert (told.value.error, told.value.why) == (source.fault.error, why)
    assert source.fetches == 1


async def test_S24_those_who_wait_for_a_look_that_takes_long_do_not_wait_for_another_each() -> None:
    source = Source()
    source.fault, source.takes_ms = away("no answer"), 2 * AGAIN_MS
    told = await asyncio.gather(*(source.kept.get() for _ in range(9)), return_exceptions=True)
    assert all(isinstance(one, NotVouched) for one in told)
    assert source.fetches == 1


async def test_what_has_grown_old_is_fetched_again() -> None:
    source = Source()
    await source.kept.get()
    source.now += FRESH_MS - 1
    assert await source.kept.get() == 1
    source.now += 1
    assert await source.kept.get() == 2


async def test_a_clock_that_goes_back_keeps_nothing_for_ever() -> None:
    source = Source()
    await source.kept.get()
    source.now -= FRESH_MS
    assert await source.kept.get() == 2


async def test_S24_a_newer_one_is_asked_for_now_and_then_only() -> None:
    source = Source()
    await source.kept.get()
    assert await source.kept.get(newer=True) == 1
    source.now += AGAIN_MS
    assert [await source.kept.get(newer=True) for _ in range(3)] == [2, 2, 2]


async def test_after_a_failure_nobody_asks_for_a_while() -> None:
    source = Source()
    source.fault = away("no")
    for _ in range(3):
        with pytest.raises(NotVouched):
            await source.kept.get()
    source.fault = None
    source.now += AGAIN_MS
    assert (await source.kept.get(), source.fetches) == (2, 2)


def public(kind: str, **more: Any) -> dict[str, Any]:
    return {**key(kind).as_dict(private=False), **more}


@pytest.mark.parametrize(
    "given",
    [
        {"kty": "oct", "k": "c2VjcmV0"},
        {"kty": "new"},
        {"kty": "RSA"},
        {"kty": "RSA", "n": "AQAB", "e": "AQAB"},
        {"kty": "EC", "crv": "P-256", "x": "AA", "y": "AA"},
        {"kty": "EC", "crv": "new", "x": "AA", "y": "AA"},
        {"kty": ["RSA"]},
        {},
    ],
)
def test_S24_a_key_that_cannot_verify_is_left_alone(given: dict[str, Any]) -> None:
    assert verifying_key(given) is None


def test_a_key_for_something_else_is_left_alone() -> None:
    assert verifying_key(public("RSA")) is not None
    assert verifying_key(public("RSA", use="enc")) is None
    assert verifying_key(public("RSA", kid=7)) is None


def test_S20_a_key_is_for_its_own_kind_of_algorithm() -> None:
    rsa, only = verifying_key(public("RSA")), verifying_key(public("RSA", alg="PS256"))
    assert rsa is not None and only is not None
    assert [rsa.fits(name) for name in ("RS256", "PS256", "ES256", "HS256", "none")] == [
        True,
        True,
        False,
        False,
        False,
    ]
    assert [only.fits(name) for name in ("RS256", "PS256")] == [False, True]


@pytest.mark.parametrize(
    ("offered", "secret", "way"),
    [
        (["client_secret_basic", "client_secret_post"], "s", "client_secret_basic"),
        (["client_secret_post"], "s", "client_secret_post"),
        (["private_key_jwt"], "s", "client_secret_basic"),
        (["client_secret_basic", "none"], None, "none"),
    ],
)
def test_how_the_client_proves_itself(offered: list[str], secret: str | None, way: str) -> None:
    found = Metadata.model_validate({**LEAST, "token_endpoint_auth_methods_supported": offered})
    assert found.client_authentication(secret) == way

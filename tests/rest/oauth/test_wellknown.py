"""What programs find out about signing in here by themselves."""

from __future__ import annotations

from dataclasses import replace
from typing import Any
from urllib.parse import urlsplit

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from collab.access.keys import CURVE, RSA, pair, shared
from collab.access.tokens import Tokens
from rest.oauth.wellknown import WellKnown
from rest.routes import table
from tests.support.edges import BASE, Edge, deps_of_nothing, refusal

METADATA = ["openid-configuration", "oauth-authorization-server", "oauth-protected-resource", "jwks.json"]
CURVED, LONG = ec.generate_private_key(ec.SECP256R1()), rsa.generate_private_key(65537, 2048)


async def read(here: Edge, name: str) -> Any:
    answer = await here.http.get(f"/.well-known/{name}")
    assert answer.status_code == 200, answer.text
    return answer.json()


@pytest.mark.parametrize("name", METADATA)
async def test_AU14_anybody_may_read_it_and_keep_it_for_a_while(here: Edge, name: str) -> None:
    answer = await here.http.get(f"/.well-known/{name}")
    assert (answer.status_code, answer.headers["cache-control"]) == (200, "public, max-age=300")
    refusal(await here.http.post(f"/.well-known/{name}", json={}), 405, "method_not_allowed")


async def test_other_metadata_is_not_there(here: Edge) -> None:
    refusal(await here.http.get("/.well-known/nonexistent"), 404, "not_found")


@pytest.mark.parametrize("name", METADATA[:2])
async def test_every_address_that_is_told_is_answered(here: Edge, name: str) -> None:
    told = await read(here, name)
    paths = [urlsplit(value).path for key, value in told.items() if key.endswith(("_endpoint", "_uri"))]
    assert len(paths) >= 5 and set(paths) <= set(table(here.deps))
    assert told["issuer"] == BASE == here.tokens.issuer


async def test_what_is_told_is_what_is_done(here: Edge) -> None:
    told = await read(here, "oauth-authorization-server")
    assert told["response_types_supported"] == ["code"]
    assert told["grant_types_supported"] == ["authorization_code", "refresh_token"]
    assert told["code_challenge_methods_supported"] == ["S256"]
    assert told["token_endpoint_auth_methods_supported"] == ["none"]


async def test_discovery_has_what_its_standard_requires(here: Edge) -> None:
    told = await read(here, "openid-configuration")
    assert {
        "issuer",
        "authorization_endpoint",
        "token_endpoint",
        "jwks_uri",
        "response_types_supported",
        "subject_types_supported",
        "id_token_signing_alg_values_supported",
    } <= told.keys()
    assert told["id_token_signing_alg_values_supported"] == ["HS256"]


async def test_the_protected_resource_names_its_server(here: Edge) -> None:
    told = await read(here, "oauth-protected-resource")
    assert (told["resource"], told["authorization_servers"], told["bearer_methods_supported"]) == (
        BASE,
        [BASE],
        ["header"],
    )


async def test_S26_a_secret_is_not_published(here: Edge) -> None:
    assert await read(here, "jwks.json") == {"keys": []}


async def test_whoever_reads_the_keys_can_verify_our_tokens(here: Edge) -> None:
    pairs = (pair(CURVE, CURVED.public_key(), CURVED), pair(RSA, LONG.public_key(), LONG))
    somebody = await here.as_("alice")
    for first, second in (pairs, pairs[::-1]):
        tokens = Tokens((first, second, shared(b"k" * 32)), BASE, BASE, here.deps.now_ms)
        answer = await WellKnown(replace(deps_of_nothing(), tokens=tokens)).jwks(None)  # type: ignore[arg-type]
        published = jwt.PyJWKSet.from_json(bytes(answer.body).decode())
        assert [key.key_id for key in published.keys] == [first.kid, second.kid]
        issued, _ = tokens.issue(somebody.caller)
        kid = jwt.get_unverified_header(issued)["kid"]
        options: Any = {"verify_exp": False, "verify_nbf": False, "verify_iat": False}
        read = jwt.decode(issued, published[kid], audience=BASE, issuer=BASE, options=options)
        assert read["sub"] == "test:alice"
        assert b'"d"' not in bytes(answer.body)

"""A provider behind us, asked directly."""

from __future__ import annotations

from urllib.parse import parse_qs, urlsplit

import pytest

from rest.oauth.asked import Asked
from rest.oauth.providers import OpenId, Provider
from rest.oauth.upstream import Upstream, declined, declined_exchange
from rest.oauth.upstream_errors import NotVouched
from rest.oauth.upstream_state import begun
from tests.support.oidc_provider import CLIENT, OidcProvider


def upstream(idp: OidcProvider) -> Upstream:
    openid = OpenId(idp.issuer, CLIENT)
    return Upstream(Provider("corp", "Corp", openid=openid), openid, lambda: 1_000_000, development=True)


async def test_a_provider_is_reached_where_it_publishes_a_key() -> None:
    with OidcProvider() as idp:
        await upstream(idp).reached()
        idp.published = []
        with pytest.raises(NotVouched, match="no key"):
            await upstream(idp).reached()


async def test_an_authorization_endpoint_keeps_the_query_that_it_has() -> None:
    with OidcProvider() as idp:
        idp.metadata = {"authorization_endpoint": f"{idp.issuer}/authorize?tenant=a"}
        url = await upstream(idp).authorization_url(begun("corp", Asked(), 0), "https://us/oauth2/callback", None)
    query = parse_qs(urlsplit(url).query)
    assert query["tenant"] == ["a"] and query["client_id"] == [CLIENT] and "login_hint" not in query


async def test_a_provider_that_calls_itself_otherwise_is_named_in_the_log() -> None:
    with OidcProvider() as idp:
        idp.metadata = {"issuer": idp.issuer + "/"}
        with pytest.raises(NotVouched, match="calls itself"):
            await upstream(idp).reached()


@pytest.mark.parametrize(
    ("error", "heard"),
    [
        ("consent_required", "access_denied"),
        ("temporarily_unavailable", "temporarily_unavailable"),
        ("", "server_error"),
    ],
)
def test_what_a_client_hears_of_a_providers_error(error: str, heard: str) -> None:
    assert declined(error).error == heard


def test_a_used_code_is_the_users_and_anything_else_the_operators_business() -> None:
    assert declined_exchange("invalid_grant").error == "access_denied"
    assert "secret" in declined_exchange("invalid_client").why

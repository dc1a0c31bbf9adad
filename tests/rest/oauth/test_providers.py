"""Providers as clients see them."""

from __future__ import annotations

from rest.oauth.providers import OpenId, Provider, for_development


def test_an_address_for_signing_in_can_be_continued() -> None:
    form = Provider("corp", "Corp").form("https://draw.example.org")
    assert form["auth_url"] == "https://draw.example.org/oauth2/authorize?idp=corp"
    assert form["redirect_uri"] == "https://draw.example.org/oauth2/callback"


def test_a_secret_does_not_show_in_a_provider() -> None:
    assert "hunter2" not in repr(Provider("corp", "Corp", openid=OpenId("https://a", "us", "hunter2")))


def test_AU5_only_the_name_that_the_pages_have_excuses_a_missing_challenge() -> None:
    assert [provider.id for provider in for_development() if provider.excuses_pkce] == ["test"]
    assert not Provider("corp", "Corp").excuses_pkce


def test_S35_only_the_test_provider_signs_in_anybody() -> None:
    assert all(provider.for_tests for provider in for_development())
    assert not Provider("corp", "Corp").for_tests

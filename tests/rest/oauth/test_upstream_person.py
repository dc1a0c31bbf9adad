"""Who somebody is, by the claims of a provider."""

from __future__ import annotations

import logging
from typing import Any

import pytest

from collab.access.tokens import MAX_TOKEN_BYTES
from protocol.values import Caller
from rest.oauth.providers import OpenId, Provider
from rest.oauth.upstream_errors import NotVouched
from rest.oauth.upstream_person import GROUPS_BYTES, caller, completed, lacks

OPENID = OpenId("https://a", "us")
ANA = {"sub": "7", "email": "ana@a.example", "email_verified": True, "name": "Ana Ruiz"}


def found(claims: dict[str, Any], **more: Any) -> Caller:
    openid = OpenId("https://a", "us", **more)
    return caller(Provider("corp", "Corp", openid=openid), openid, {**ANA, **claims}, "sid")


def test_the_subject_is_the_identity() -> None:
    ana = found({})
    assert (ana.id, ana.user.email, ana.user.display_name) == ("corp:7", "ana@a.example", "Ana Ruiz")
    assert (ana.email_verified, ana.sid) == (True, "sid")


@pytest.mark.parametrize(
    ("said", "trusting", "otherwise"),
    [(True, True, True), (False, False, False), ("true", True, True), ("false", False, False), (None, True, False)],
)
def test_whether_an_address_is_verified_is_the_providers_word(said: Any, trusting: bool, otherwise: bool) -> None:
    claims = {"email_verified": said}
    assert found(claims, trusts_email=True).email_verified == trusting
    assert found(claims).email_verified == otherwise


@pytest.mark.parametrize("email", [None, 7, "", "ana", "a b@c", "<a@b>", "a@b\x00", "x" * 250 + "@b.cd"])
def test_what_is_no_address_is_replaced_by_one_that_leads_nowhere(email: Any) -> None:
    ana = found({"email": email}, trusts_email=True)
    assert (ana.user.email, ana.email_verified) == ("7@corp.invalid", False)


def test_a_subject_that_would_make_no_address_is_hashed_there() -> None:
    email = found({"sub": "a|b c", "email": None}).user.email
    local, _, host = email.partition("@")
    assert host == "corp.invalid" and len(local) == 16 and local.isalnum()


@pytest.mark.parametrize(
    ("claims", "name"),
    [
        ({"name": None, "preferred_username": "ana.r"}, "ana.r"),
        ({"name": "\x1b[31m", "preferred_username": None, "nickname": "Annie"}, "Annie"),
        ({"name": "  "}, "ana"),
        ({"name": "x" * 500}, "x" * 128),
    ],
)
def test_a_person_has_a_name_that_can_be_shown(claims: dict[str, Any], name: str) -> None:
    assert found(claims).user.display_name == name


@pytest.mark.parametrize(
    ("claims", "path", "groups"),
    [
        ({"groups": ["a", "b", "a"]}, "groups", ("a", "b")),
        ({"groups": "a"}, "groups", ("a",)),
        ({"groups": ["a", 7, "", "b\n", "x" * 300]}, "groups", ("a",)),
        ({"groups": {"a": 1}}, "groups", ()),
        ({"realm_access": {"roles": ["r"]}}, "realm_access.roles", ("r",)),
        ({"resource_access": {"draw.example": {"roles": ["r"]}}}, "resource_access.draw.example.roles", ("r",)),
        ({"a": {"b": 1}, "a.b": {"c": ["r"]}}, "a.b.c", ("r",)),
        ({"https://a.example/roles": ["r"]}, "https://a.example/roles", ("r",)),
        ({"realm_access": "r"}, "realm_access.roles", ()),
        ({"groups": ["a"]}, None, ()),
        ({}, "groups", ()),
    ],
)
def test_AU16_groups_are_those_of_the_claim(claims: dict[str, Any], path: str | None, groups: tuple[str, ...]) -> None:
    assert found(claims, groups_claim=path).groups == groups


def test_groups_that_would_outgrow_a_token_are_left_out_and_told(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        kept = found({"groups": [f"gruppe-äöü-{n}" for n in range(900)]}).groups
    assert 0 < len(kept) < 900 and kept[0] == "gruppe-äöü-0" and "900 groups" in caplog.text
    assert sum(len(name.encode("ascii", "backslashreplace")) + 3 for name in kept) <= GROUPS_BYTES < MAX_TOKEN_BYTES


@pytest.mark.parametrize(
    ("claims", "let_in"),
    [
        ({}, True),
        ({"email": "ana@A.EXAMPLE"}, True),
        ({"email_verified": False}, False),
        ({"email": "ana@b.example"}, False),
        ({"email": "ana@a.example.evil.test"}, False),
        ({"email": "ana@sub.a.example"}, False),
        ({"email": None}, False),
    ],
)
def test_a_provider_may_be_bound_to_domains(claims: dict[str, Any], let_in: bool) -> None:
    try:
        found(claims, email_domains=frozenset(("a.example",)))
    except NotVouched as refused:
        assert not let_in and refused.error == "access_denied"
    else:
        assert let_in


def test_what_is_missing_is_asked_for() -> None:
    whole = {**ANA, "groups": []}
    assert not lacks(OPENID, whole)
    assert all(
        lacks(OPENID, {name: whole[name] for name in whole if name != left}) for left in ("email", "groups", "name")
    )
    assert not lacks(OpenId("https://a", "us", groups_claim=None), ANA)


def test_an_address_and_its_verification_come_from_one_place() -> None:
    told = {"sub": "7", "email": "eve@b.example", "email_verified": True, "name": "Eve", "groups": ["g"]}
    whole = completed({"sub": "7", "email": "ana@a.example"}, told)
    assert whole == {"sub": "7", "email": "ana@a.example", "name": "Eve", "groups": ["g"]}
    assert completed({"sub": "7", "email_verified": True}, {"email": "e@b.c"}) == {"sub": "7", "email": "e@b.c"}

"""Who is signed in, and the end of it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from protocol.values import Caller, User
from rest.dependencies import OAuth
from rest.identity import ACCESS_COOKIE
from rest.oauth.account import belongs
from tests.support.edges import Edge, Somebody


async def test_userinfo_has_the_published_fields(here: Edge) -> None:
    somebody = await here.as_("alice", groups=("staff",))
    assert await somebody.get("/oauth2/userinfo") == {
        "sub": "test:alice",
        "email": "alice@tmi.local",
        "name": "Alice",
        "idp": "test",
        "groups": ["staff"],
        "provider": "test",
        "provider_id": "alice",
    }


async def test_me_has_what_tmis_app_reads(here: Edge) -> None:
    somebody = await here.as_("alice", groups=("staff",))
    me = await somebody.get("/me")
    (group,) = me.pop("groups")
    assert me == {
        "principal_type": "user",
        "provider": "test",
        "provider_id": "alice",
        "email": "alice@tmi.local",
        "display_name": "Alice",
        "name": "Alice",
        "sub": "test:alice",
        "idp": "test",
        "email_verified": True,
        "is_admin": False,
        "is_security_reviewer": True,
    }
    assert (group["group_name"], group["name"], len(group["internal_uuid"])) == ("staff", "staff", 36)
    assert (await somebody.get("/me"))["groups"] == [group]


@pytest.mark.parametrize(
    ("provider", "groups", "listed", "is_in"),
    [
        ("corp", ("staff",), {"corp:staff"}, True),
        ("corp", ("staff",), {"staff"}, True),
        ("corp", ("urn:staff",), {"corp:urn:staff"}, True),
        ("other", ("staff",), {"corp:staff"}, False),
        ("corp", ("staff",), {"corp:staffs", "staf", "STAFF"}, False),
        ("corp", (), {"corp:", ""}, False),
        # a name made to read like a group of another provider
        ("evil", ("corp:staff",), {"corp:staff"}, False),
        ("evil", ("urn:staff",), {"urn:staff"}, False),
    ],
)
def test_S27_a_group_is_one_of_its_provider(
    provider: str, groups: tuple[str, ...], listed: set[str], is_in: bool
) -> None:
    assert belongs(Caller(User(provider, "ana", "ana@example.org", "Ana"), groups), listed) is is_in


async def test_administrators_and_reviewers_are_members_of_the_groups_that_are_set(here: Edge) -> None:
    here.deps = replace(here.deps, oauth=OAuth(admins=frozenset(("corp:root",)), reviewers=frozenset(("audit",))))
    here.http = here.client()
    shown = []
    for name, groups in (("root", ("root",)), ("audit", ("audit",)), ("both", ("root", "audit")), ("none", ("staff",))):
        me = await (await here.as_(name, groups, provider="corp")).get("/me")
        shown.append((me["is_admin"], me["is_security_reviewer"]))
    assert shown == [(True, False), (False, True), (True, True), (False, False)]


async def test_test_users_are_no_reviewers_where_reviewers_are_named(here: Edge) -> None:
    here.deps = replace(here.deps, oauth=OAuth(reviewers=frozenset(("audit",))))
    here.http = here.client()
    shown = [(await (await here.as_(name, groups)).get("/me")) for name, groups in (("ana", ()), ("rita", ("audit",)))]
    assert [me["is_security_reviewer"] for me in shown] == [False, True]


@pytest.mark.parametrize("path", ["/me/logout", "/oauth2/logout"])
async def test_AU12_logging_out_ends_the_login(here: Edge, alice: Somebody, path: str) -> None:
    answer = await alice.ask("POST", path)
    assert answer.status_code == 204
    assert ACCESS_COOKIE in answer.headers["set-cookie"]
    await alice.refused(401, "unauthorized", "GET", "/me")
    await alice.refused(401, "unauthorized", "POST", path)
    assert await here.accounts.ended(alice.caller.sid)


async def test_logging_out_ends_no_other_login(here: Edge, alice: Somebody, bob: Somebody) -> None:
    await alice.ask("POST", "/me/logout")
    await bob.get("/me")

"""Who is signed in, and the end of it."""

from __future__ import annotations

import pytest

from rest.identity import ACCESS_COOKIE
from tests.support.edges import Edge, Somebody


async def test_userinfo_has_the_published_fields(here: Edge) -> None:
    somebody = await here.as_("alice", groups=("staff",))
    assert await somebody.get("/oauth2/userinfo") == {
        "sub": "test:alice",
        "email": "alice@tmi.local",
        "name": "Alice",
        "idp": "test",
        "groups": ["staff"],
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

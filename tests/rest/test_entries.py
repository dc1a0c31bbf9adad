"""Authorization entries: either spelling in, both out; the last owner stays."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any

import pytest

from protocol.values import Role
from rest.entries import owner_entry, owner_of, with_owner
from rest.ports import BY_ITSELF, Cause, Changed, ThreatModel, but
from storage.models import SqlModels
from tests.support.edges import Edge, Somebody
from tests.support.script import user

BOB = {"subject": "bob@tmi.local", "subject_type": "user", "role": "writer"}
EVERYONE = {"subject": "everyone", "subject_type": "group", "role": "reader"}


async def test_AU17_the_creator_is_owner(alice: Somebody) -> None:
    model = await alice.threat_model()
    listed = await alice.get(f"{model}/authorization")
    assert listed["total"] == 1
    assert listed["items"] == listed["authorization"]
    assert listed["items"][0] == {
        "principal_type": "user",
        "subject_type": "user",
        "provider": "test",
        "provider_id": "alice",
        "display_name": "Alice",
        "email": "alice@tmi.local",
        "subject": "alice@tmi.local",
        "role": "owner",
    }


async def test_AU17_a_body_cannot_make_the_creator_less(alice: Somebody) -> None:
    own = {"subject": "alice@tmi.local", "subject_type": "user", "role": "reader"}
    model = await alice.threat_model(authorization=[own])
    assert [entry["role"] for entry in (await alice.get(model))["authorization"]] == ["owner"]


@pytest.mark.parametrize(
    "given",
    [
        BOB,
        {"principal_type": "user", "provider": "test", "provider_id": "bob", "role": "writer"},
        {"principal_type": "user", "provider": "tmi", "provider_id": "bob", "role": "writer"},
        {"principal_type": "user", "provider": "tmi", "provider_id": "bob@tmi.local", "role": "writer"},
        {"principal_type": "user", "provider": "*", "email": "bob@tmi.local", "role": "writer"},
    ],
)
async def test_every_spelling_names_the_same_person(alice: Somebody, bob: Somebody, given: dict[str, Any]) -> None:
    model = await alice.threat_model()
    entry = await alice.post(f"{model}/authorization", given)
    assert (entry["provider"], entry["provider_id"], entry["index"]) == ("test", "bob", 1)
    assert (await bob.put(model, {"name": "Bob's"}))["name"] == "Bob's"
    await alice.refused(409, "conflict", "POST", f"{model}/authorization", BOB)


async def test_an_address_waits_for_its_person(here: Edge, alice: Somebody) -> None:
    model = await alice.threat_model(authorization=[{**BOB, "subject": "late@tmi.local"}])
    entry = (await alice.get(model))["authorization"][1]
    assert (entry["provider"], entry["provider_id"], entry["subject"]) == ("*", "late@tmi.local", "late@tmi.local")
    late = await here.as_("late")
    assert (await late.put(model, {"name": "Late's"}))["name"] == "Late's"
    assert (await alice.get(model))["authorization"][1]["provider_id"] == "late"


async def test_an_address_alone_names_a_person(alice: Somebody, bob: Somebody) -> None:
    model = await alice.threat_model(authorization=[{"subject": "bob@tmi.local", "role": "writer"}])
    assert (await bob.get(model))["authorization"][1]["principal_type"] == "user"


@pytest.mark.parametrize("kind", ["application/json", "application/json-patch+json"])
async def test_an_address_at_a_provider_still_waits_when_the_list_comes_back(
    here: Edge, alice: Somebody, kind: str
) -> None:
    late = {"subject_type": "user", "provider": "other", "email": "late@tmi.local", "role": "reader"}
    model = await alice.threat_model(authorization=[late])
    listed = (await alice.get(model))["authorization"]
    raised = [listed[0], {**listed[1], "role": "writer"}]
    patch = [{"op": "replace", "path": "/authorization/1/role", "value": "writer"}]
    await alice.patch(model, {"authorization": raised} if kind == "application/json" else patch, kind)
    assert (await alice.get(model))["authorization"] == raised
    assert (await (await here.as_("late", provider="other")).put(model, {"name": "Late's"}))["name"] == "Late's"


async def test_AU18_one_address_at_two_providers_is_two_people(here: Edge, alice: Somebody) -> None:
    await here.as_("sam")
    other = await here.as_("sam", provider="other")
    model = await alice.threat_model()
    entry = {"subject": "sam@tmi.local", "subject_type": "user", "role": "writer"}
    await alice.refused(409, "ambiguous_subject", "POST", f"{model}/authorization", entry)
    await alice.refused(409, "ambiguous_subject", "PATCH", model, {"owner": "sam@tmi.local"})
    named = await alice.post(f"{model}/authorization", {**entry, "provider": "test", "provider_id": "sam"})
    assert named["provider"] == "test"
    await other.refused(403, "forbidden", "GET", model)


async def test_AU16_everyone_is_everybody_who_is_signed_in(alice: Somebody, eve: Somebody) -> None:
    model = await alice.threat_model()
    await eve.refused(403, "forbidden", "GET", model)
    await alice.post(f"{model}/authorization", EVERYONE)
    await eve.get(model)
    await eve.refused(403, "forbidden", "PUT", model, {"name": "N"})


async def test_a_role_is_changed_and_taken_away(alice: Somebody, bob: Somebody) -> None:
    model = await alice.shared_model(("bob", "reader"))
    changed = await alice.put(f"{model}/authorization/1", {"role": "writer"})
    assert (changed["role"], changed["index"]) == ("writer", 1)
    await bob.put(model, {"name": "Bob's"})
    await alice.delete(f"{model}/authorization/1")
    await bob.refused(403, "forbidden", "GET", model)


async def test_AU17_the_last_owner_stays(alice: Somebody, bob: Somebody) -> None:
    model = await alice.shared_model(("bob", "writer"))
    own = f"{model}/authorization/0"
    await alice.refused(409, "last_owner", "PUT", own, {"role": "writer"})
    await alice.refused(409, "last_owner", "DELETE", own)
    await alice.refused(409, "last_owner", "PATCH", model, {"authorization": [BOB]})
    await alice.put(f"{model}/authorization/1", {"role": "owner"})
    await alice.delete(own)


LESS = {
    "entry removed": ("DELETE", "authorization/0", None),
    "entry lowered": ("PUT", "authorization/0", {"role": "reader"}),
    "list without it": ("PATCH", "", {"authorization": [{**BOB, "role": "owner"}]}),
}


@pytest.mark.parametrize("how", LESS)
async def test_AU15_AU17_an_owner_who_is_less_now_is_not_owner_by_name(
    alice: Somebody, bob: Somebody, how: str
) -> None:
    model = await alice.threat_model(authorization=[{**BOB, "role": "owner"}])
    method, below, body = LESS[how]
    assert (await bob.ask(method, f"{model}/{below}".rstrip("/"), body)).status_code in (200, 204)
    await alice.refused(403, "forbidden", "PUT", model, {"name": "N"})
    assert (await bob.get(model))["owner"] == "bob@tmi.local"


def test_AU17_an_owner_by_name_who_stays_owner_is_named_wherever_the_list_has_them() -> None:
    entries = (owner_entry(user("bob")), owner_entry(user("alice")))
    assert owner_of(entries, user("alice")) == user("alice")
    assert owner_of(entries, user("eve")) == user("bob")


def test_AU17_whoever_owns_is_owner_in_a_list_that_says_less() -> None:
    less = but(owner_entry(user("alice")), role=Role.READER)
    assert with_owner((less, owner_entry(user("bob"))), user("alice"))[0].role is Role.OWNER


async def test_AU17_who_has_never_come_is_no_last_owner(alice: Somebody) -> None:
    model = await alice.threat_model(authorization=[{**BOB, "subject": "late@tmi.local", "role": "owner"}])
    await alice.refused(409, "last_owner", "DELETE", f"{model}/authorization/0")


async def test_AU17_an_owner_who_is_named_with_the_list_is_in_it(alice: Somebody, bob: Somebody) -> None:
    model = await alice.shared_model(("bob", "owner"))
    given = {"owner": "alice@tmi.local", "authorization": [{**BOB, "role": "owner"}]}
    after = await bob.patch(model, given)
    assert after["owner"] == "alice@tmi.local"
    assert [entry["role"] for entry in after["authorization"]] == ["owner", "owner"]


async def test_AU17_a_group_alone_owns_nothing(alice: Somebody) -> None:
    team = {"subject": "team", "subject_type": "group", "role": "owner"}
    model = await alice.threat_model(authorization=[team])
    await alice.refused(409, "last_owner", "DELETE", f"{model}/authorization/0")
    await alice.refused(409, "last_owner", "PATCH", model, {"authorization": [team]})
    assert (await alice.get(model))["authorization"][1]["role"] == "owner"


async def test_AU17_everyone_is_never_owner(alice: Somebody) -> None:
    owning = {**EVERYONE, "role": "owner"}
    model = await alice.threat_model(authorization=[EVERYONE])
    asked = [
        ("POST", "/threat_models", {"name": "M", "authorization": [owning]}),
        ("PUT", f"{model}/authorization/1", {"role": "owner"}),
        ("PATCH", model, {"authorization": [BOB, owning]}),
    ]
    for method, path, body in asked:
        refused = await alice.refused(422, "validation_error", method, path, body)
        assert refused["details"]["field"] == "role"
    await alice.delete(f"{model}/authorization/1")
    await alice.refused(422, "validation_error", "POST", f"{model}/authorization", {**owning, "provider": "test"})


async def test_a_list_holds_nobody_twice(alice: Somebody, bob: Somebody) -> None:
    twice = [BOB, {"principal_type": "user", "provider": "test", "provider_id": "bob", "role": "reader"}]
    await alice.refused(409, "conflict", "POST", "/threat_models", {"name": "M", "authorization": twice})


@pytest.mark.parametrize(
    ("entry", "field"),
    [
        ({"subject": "x@y.z", "subject_type": "user"}, "role"),
        ({"subject": "x@y.z", "subject_type": "user", "role": "admin"}, "role"),
        ({"subject": "team", "role": "reader"}, "subject_type"),
        ({"subject": "x@y.z", "subject_type": "robot", "role": "reader"}, "subject_type"),
        ({"subject_type": "group", "role": "reader"}, "subject"),
        ({"subject": "no address", "subject_type": "user", "role": "reader"}, "subject"),
        ({"subject_type": "user", "provider": "test", "role": "reader"}, "subject"),
        ({"subject": 5, "subject_type": "user", "role": "reader"}, "subject"),
    ],
)
async def test_an_entry_that_names_nobody_is_422(alice: Somebody, entry: dict[str, Any], field: str) -> None:
    model = await alice.threat_model()
    body = await alice.refused(422, "validation_error", "POST", f"{model}/authorization", entry)
    assert body["details"]["field"] == field


async def test_only_an_owner_changes_the_list(alice: Somebody, bob: Somebody) -> None:
    model = await alice.shared_model(("bob", "writer"))
    assert len((await bob.get(f"{model}/authorization"))["items"]) == 2
    await bob.refused(403, "forbidden", "POST", f"{model}/authorization", EVERYONE)
    await bob.refused(403, "forbidden", "PUT", f"{model}/authorization/1", {"role": "owner"})
    await bob.refused(403, "forbidden", "DELETE", f"{model}/authorization/0")


@pytest.mark.parametrize(
    ("index", "status", "error"), [("9", 404, "not_found"), ("-1", 400, "invalid_id"), ("x", 400, "invalid_id")]
)
async def test_a_position_that_is_not_there(alice: Somebody, index: str, status: int, error: str) -> None:
    model = await alice.threat_model()
    await alice.refused(status, error, "DELETE", f"{model}/authorization/{index}")
    await alice.refused(status, error, "PUT", f"{model}/authorization/{index}", {"role": "reader"})


async def test_an_id_is_looked_at_before_anything_is_looked_up(eve: Somebody, alice: Somebody) -> None:
    model = await alice.threat_model()
    for path in ("authorization/x", "threats/x", "notes/x", "threats/x/metadata/k", "diagrams/x/metadata/k"):
        await eve.refused(400, "invalid_id", "PUT", f"{model}/{path}", {})


async def test_a_list_can_be_changed_after_somebody_whom_it_names_in_two_ways_has_signed_in(
    here: Edge, alice: Somebody
) -> None:
    late = {"subject_type": "user", "provider": "test", "provider_id": "late", "role": "reader"}
    model = await alice.threat_model(authorization=[late, {**BOB, "subject": "late@tmi.local"}])
    await here.as_("late")
    assert [entry["role"] for entry in (await alice.get(model))["authorization"]] == ["owner", "writer"]
    await alice.post(f"{model}/authorization", EVERYONE)


async def test_if_match_says_which_list_was_seen(alice: Somebody, bob: Somebody) -> None:
    model = await alice.shared_model(("bob", "reader"))
    seen = (await alice.ask("GET", f"{model}/authorization")).headers["etag"]
    await alice.put(model, {"name": "Another name"})
    await alice.post(f"{model}/authorization", EVERYONE, headers={"If-Match": seen})
    stale = {"If-Match": seen}
    await alice.refused(409, "version_mismatch", "DELETE", f"{model}/authorization/1", headers=stale)
    await alice.refused(409, "version_mismatch", "PUT", f"{model}/authorization/1", {"role": "writer"}, headers=stale)
    now = (await alice.ask("GET", f"{model}/authorization")).headers["etag"]
    for spelled in (f"W/{now}", now.strip('"'), f"{seen}, {now}", "*"):
        changed = await alice.ask("PUT", f"{model}/authorization/1", {"role": "reader"}, headers={"If-Match": spelled})
        assert (changed.status_code, changed.headers["etag"]) == (200, now)
    await alice.refused(409, "version_mismatch", "DELETE", f"{model}/authorization/1", headers={"If-Match": ""})


async def test_the_list_is_paged(alice: Somebody) -> None:
    model = await alice.threat_model(authorization=[EVERYONE])
    page = await alice.get(f"{model}/authorization?limit=1&offset=1")
    assert [entry["subject"] for entry in page["items"]] == ["everyone"]
    assert (page["total"], page["limit"], page["offset"]) == (2, 1, 1)


class Followed(SqlModels):
    """Somebody's change is made right after the first one that is written."""

    afterwards: Callable[[], Awaitable[Any]] | None = None

    async def change(self, model: ThreatModel, cause: Cause = BY_ITSELF) -> Changed:
        written = await super().change(model, cause)
        afterwards, self.afterwards = self.afterwards, None
        if afterwards is not None:
            await afterwards()
        return written


async def followed(here: Edge) -> tuple[Followed, Somebody, str]:
    """An owner, and a threat model of theirs with a second entry."""
    models = Followed(here.database, lambda: here.clock.now().wall_ms)
    here.deps = replace(here.deps, models=models)
    alice = await here.as_("alice")
    return models, alice, await alice.shared_model(("bob", "reader"))


async def test_a_new_entry_is_shown_and_not_the_next_one(here: Edge) -> None:
    models, alice, model = await followed(here)
    models.afterwards = lambda: alice.post(f"{model}/authorization", EVERYONE)
    carol = {"principal_type": "user", "provider": "test", "provider_id": "carol", "role": "reader"}
    answer = await alice.ask("POST", f"{model}/authorization", carol)
    assert (answer.status_code, answer.json()["provider_id"], answer.json()["index"]) == (201, "carol", 2)
    assert answer.headers["location"] == f"{model}/authorization/2"


async def test_a_changed_entry_is_shown_although_it_is_gone(here: Edge) -> None:
    models, alice, model = await followed(here)
    models.afterwards = lambda: alice.delete(f"{model}/authorization/1")
    changed = await alice.put(f"{model}/authorization/1", {"role": "writer"})
    assert (changed["provider_id"], changed["role"], changed["index"]) == ("bob", "writer", 1)

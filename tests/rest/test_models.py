"""Threat models: what is kept, who may, and what comes back."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from protocol.values import ThreatModelId
from rest.ports import but
from tests.support.edges import NOWHERE, Edge, Somebody, edge

PATCH = "application/json-patch+json"
SERVER_OWNED = [
    "id",
    "created_at",
    "modified_at",
    "created_by",
    "update_vector",
    "epoch",
    "diagram_count",
    "threat_count",
    "document_count",
    "repo_count",
    "asset_count",
    "note_count",
]


async def test_RE8_a_creation_says_where_the_new_thing_is(alice: Somebody) -> None:
    answer = await alice.ask("POST", "/threat_models", {"name": "Payments"})
    assert answer.status_code == 201
    assert answer.headers["location"] == f"/threat_models/{answer.json()['id']}"
    assert (await alice.get(answer.headers["location"]))["name"] == "Payments"


async def test_the_list_is_the_bare_array_of_the_written_contract(alice: Somebody) -> None:
    model = await alice.threat_model(name="Web", description="Security analysis")
    await alice.diagram(model)
    await alice.post(f"{model}/threats", {"name": "T"})
    (listed,) = await alice.get("/threat_models")
    assert listed == {
        "id": model.removeprefix("/threat_models/"),
        "name": "Web",
        "description": "Security analysis",
        "owner": "alice@tmi.local",
        "created_by": "alice@tmi.local",
        "created_at": "2027-01-15T08:00:00Z",
        "modified_at": "2027-01-15T08:00:00Z",
        "threat_model_framework": "STRIDE",
        "status": "not_started",
        "status_updated": "2027-01-15T08:00:00Z",
        "security_reviewer": None,
        "diagram_count": 1,
        "threat_count": 1,
        "document_count": 0,
        "repo_count": 0,
        "asset_count": 0,
        "note_count": 0,
    }


async def test_a_model_shows_all_that_is_below_it(alice: Somebody) -> None:
    model = await alice.threat_model(metadata={"phase": "design"})
    diagram = await alice.diagram(model)
    threat = await alice.post(f"{model}/threats", {"name": "T"})
    whole = await alice.get(model)
    assert whole["metadata"] == [{"key": "phase", "value": "design"}]
    assert [shown["id"] for shown in whole["diagrams"]] == [diagram.rpartition("/")[2]]
    assert whole["threats"] == [threat]
    assert [whole[name] for name in ("documents", "repositories", "assets", "notes")] == [[], [], [], []]


async def test_only_readable_models_are_listed(alice: Somebody, bob: Somebody) -> None:
    await alice.threat_model(name="hers")
    await alice.shared_model(("bob", "reader"))
    assert [model["name"] for model in await bob.get("/threat_models")] == ["Model"]


async def test_AU16_a_group_of_the_token_reads_its_models(here: Edge, alice: Somebody) -> None:
    entries = [{"subject": "security-team", "subject_type": "group", "role": "reader"}]
    model = await alice.threat_model(authorization=entries)
    member = await here.as_("mem", groups=("security-team",))
    assert (await member.get(model))["name"] == "Model"
    await (await here.as_("other", groups=("cooks",))).refused(403, "forbidden", "GET", model)


@pytest.mark.parametrize(
    ("query", "names"),
    [
        ("name=PAY", ["Payments"]),
        ("name=%25", []),
        ("name=_", []),
        ("status=active,done", ["Payments", "Web"]),
        ("status=active", ["Payments"]),
        ("owner=alice@tmi.local", ["Payments", "Web"]),
        ("owner=bob@tmi.local", []),
        ("security_reviewer=rev@tmi.local", ["Web"]),
        ("security_reviewer=is:null", ["Payments"]),
        ("security_reviewer=is:notnull", ["Web"]),
        ("description=cards", ["Payments"]),
        ("issue_uri=issues/7", ["Web"]),
        ("created_after=2027-01-15T07:59:59.999Z&created_before=2027-01-15T09:00:00%2B00:30", ["Payments", "Web"]),
        ("created_after=2027-01-15T08:00:00Z", []),
        ("modified_before=2027-01-15T08:00:00Z", []),
        ("status_updated_after=2027-01-15T08:00:00Z", []),
        ("nonsense=1", ["Payments", "Web"]),
        ("name=%27%20OR%201=1--", []),
    ],
)
async def test_S58_filters_compare_and_nothing_else(alice: Somebody, query: str, names: list[str]) -> None:
    await alice.threat_model(name="Payments", status="active", description="Takes Cards")
    reviewed = {"security_reviewer": "rev@tmi.local", "issue_uri": "https://tracker.example/Issues/7"}
    await alice.threat_model(name="Web", status="done", **reviewed)
    assert sorted(model["name"] for model in await alice.get(f"/threat_models?{query}")) == names


@pytest.mark.parametrize("time", ["yesterday", ""])
async def test_a_time_that_is_none_is_no_filter(alice: Somebody, time: str) -> None:
    await alice.refused(400, "invalid_input", "GET", f"/threat_models?created_after={time}")


async def test_a_threat_model_always_has_a_status(alice: Somebody) -> None:
    """TMI's app lists at first those with the statuses of what is not over."""
    model = await alice.threat_model()
    assert [one["status"] for one in await alice.get("/threat_models?status=not_started,active")] == ["not_started"]
    await alice.patch(model, {"status": "done"})
    assert (await alice.patch(model, {"status": None}))["status"] == "not_started"


async def test_a_change_of_status_is_dated(here: Edge, alice: Somebody) -> None:
    model = await alice.threat_model(status="draft", status_updated="1999-01-01T00:00:00Z")
    assert (await alice.get(model))["status_updated"] == "2027-01-15T08:00:00Z"
    here.clock.advance(60)
    await alice.patch(model, {"description": "same status"})
    assert (await alice.get(model))["status_updated"] == "2027-01-15T08:00:00Z"
    await alice.patch(model, {"status": "done"})
    assert (await alice.get(model))["status_updated"] == "2027-01-15T08:01:00Z"


async def test_what_was_stored_without_a_status_gets_none_by_another_change(here: Edge, alice: Somebody) -> None:
    model = await alice.threat_model()
    row = await here.models.read(ThreatModelId(model.rpartition("/")[2]))
    assert row is not None
    await here.models.change(but(row, fields={"name": "Old"}))
    await alice.patch(model, {"description": "d"})
    row = await here.models.read(row.id)
    assert row is not None and row.fields == {"name": "Old", "description": "d"}


@pytest.mark.parametrize("name", [*SERVER_OWNED, "owner", "diagrams", "threats"])
async def test_RE6_server_owned_fields_are_named_and_refused_on_create(alice: Somebody, name: str) -> None:
    body = await alice.refused(400, "read_only_field", "POST", "/threat_models", {"name": "M", name: "x"})
    assert body["details"]["field"] == name


@pytest.mark.parametrize("name", ["id", "created_by", "diagram_count", "diagrams"])
@pytest.mark.parametrize("method", ["PUT", "PATCH", "JSON PATCH"])
async def test_RE6_server_owned_fields_are_refused_on_change(alice: Somebody, name: str, method: str) -> None:
    model = await alice.threat_model()
    if method == "JSON PATCH":
        patch = [{"op": "replace", "path": f"/{name}", "value": "x"}]
        body = await alice.refused(400, "read_only_field", "PATCH", model, patch, headers={"Content-Type": PATCH})
    else:
        body = await alice.refused(400, "read_only_field", method, model, {"name": "M", name: "x"})
    assert body["details"]["field"] == name


async def test_RE7_unknown_fields_are_kept_and_returned(alice: Somebody) -> None:
    model = await alice.threat_model(**{"x-team": {"lead": "Ann"}})
    assert (await alice.get(model))["x-team"] == {"lead": "Ann"}
    await alice.patch(model, {"x-team": {"size": 3}})
    assert (await alice.get(model))["x-team"] == {"lead": "Ann", "size": 3}


async def test_RE7_unknown_fields_cannot_grow_without_end(alice: Somebody) -> None:
    model = await alice.threat_model(one="x" * 600_000)
    await alice.refused(422, "validation_error", "PATCH", model, {"two": "x" * 600_000})


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({}, "name"),
        ({"name": ""}, "name"),
        ({"name": "  "}, "name"),
        ({"name": None}, "name"),
        ({"name": 5}, "name"),
        ({"name": "x" * 257}, "name"),
        ({"name": "M", "description": "x" * 2_049}, "description"),
        ({"name": "M", "description": ["d"]}, "description"),
        ({"name": "M", "metadata": "x"}, "metadata"),
        ({"name": "M", "metadata": {"__bad key": "v"}}, "metadata.__bad key.key"),
        ({"name": "M", "metadata": {"k": 1}}, "metadata.k.value"),
        ({"name": "M", "metadata": [{"key": "k", "value": "1"}, {"key": "k", "value": "2"}]}, "metadata"),
        ({"name": "M", "authorization": {}}, "authorization"),
        ({"name": "M", "authorization": ["bob"]}, "authorization"),
    ],
)
async def test_RE9_what_is_well_formed_but_invalid_is_422(alice: Somebody, fields: Any, field: str) -> None:
    body = await alice.refused(422, "validation_error", "POST", "/threat_models", fields)
    assert body["details"]["field"] == field
    assert body["details"]["reason"]


async def test_RE1_a_bad_entry_is_named_with_its_place(alice: Somebody) -> None:
    entries = [{"subject": "a@b.c", "subject_type": "user", "role": "reader"}, {"subject_type": "group"}]
    given = {"name": "M", "authorization": entries}
    body = await alice.refused(422, "validation_error", "POST", "/threat_models", given)
    assert body["details"] == {"field": "authorization[1].role", "reason": "Field is required"}


@pytest.mark.parametrize(
    ("owner", "field"),
    [
        (5, "owner"),
        ({"email": 5}, "owner.email"),
        ({"email": "nobody@tmi.local"}, "owner"),
        ({}, "owner"),
        ("x", "owner"),
    ],
)
async def test_RE9_an_owner_is_somebody(alice: Somebody, owner: Any, field: str) -> None:
    model = await alice.threat_model()
    body = await alice.refused(422, "validation_error", "PATCH", model, {"owner": owner})
    assert body["details"]["field"] == field


@pytest.mark.parametrize("spelled", ["bob", "bob@tmi.local"])
async def test_an_owner_of_tmis_app_is_who_signs_in_so(alice: Somebody, bob: Somebody, spelled: str) -> None:
    model = await alice.threat_model()
    await alice.patch(model, {"owner": {"provider": "tmi", "provider_id": spelled, "email": "bob@tmi.local"}})
    assert (await bob.get(model))["owner"] == "bob@tmi.local"


@pytest.mark.parametrize("metadata", [False, 0, "", "x"])
async def test_RE9_nor_does_a_change_take_them_for_no_metadata(alice: Somebody, metadata: Any) -> None:
    model = await alice.threat_model(metadata={"k": "v"})
    await alice.refused(422, "validation_error", "PATCH", model, {"metadata": metadata})
    assert len((await alice.get(model))["metadata"]) == 1


async def test_put_replaces_what_it_names(alice: Somebody) -> None:
    model = await alice.threat_model(description="old", metadata={"a": "1", "b": "2"})
    after = await alice.put(model, {"name": "New", "metadata": {"b": "3", "c": "4"}})
    assert (after["name"], after["description"]) == ("New", "old")
    assert {pair["key"]: pair["value"] for pair in after["metadata"]} == {"a": "1", "b": "3", "c": "4"}
    await alice.refused(422, "validation_error", "PUT", model, {"description": "no name"})


async def test_RE5_both_patches_change_one_member(alice: Somebody) -> None:
    model = await alice.threat_model(description="old")
    assert (await alice.patch(model, [{"op": "replace", "path": "/name", "value": "N"}], PATCH))["name"] == "N"
    after = await alice.patch(model, {"description": None, "metadata": {"k": "v"}}, "application/merge-patch+json")
    assert "description" not in after or after["description"] is None
    assert after["metadata"] == [{"key": "k", "value": "v"}]
    assert (await alice.patch(model, {"metadata": {"k": None}}))["metadata"] == []


@pytest.fixture(params=["wiki", "tmi"])
async def either(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Edge]:
    async with edge(tmp_path, profile=request.param) as made:
        yield made


async def test_an_owner_in_half_a_form_is_not_half_the_former_one(either: Edge) -> None:
    alice, bob = await either.as_("alice"), await either.as_("bob")
    model = await alice.threat_model()
    await alice.patch(model, {"owner": {"email": "bob@tmi.local"}})
    assert [entry["provider_id"] for entry in (await bob.get(model))["authorization"]] == ["bob", "alice"]
    mine = {"provider": "test", "provider_id": "bob", "email": "root@example.org", "display_name": "Root"}
    owner = (await bob.patch(model, {"owner": mine}))["owner"]
    assert owner == "bob@tmi.local" or owner["email"] == "bob@tmi.local"


async def test_RE5_a_list_of_metadata_replaces(alice: Somebody) -> None:
    model = await alice.threat_model(metadata={"a": "1", "b": "2"})
    patch = [{"op": "add", "path": "/metadata/-", "value": {"key": "c", "value": "3"}}]
    assert len((await alice.patch(model, patch, PATCH))["metadata"]) == 3
    assert len((await alice.patch(model, [{"op": "remove", "path": "/metadata/0"}], PATCH))["metadata"]) == 2


async def test_RE5_another_type_of_patch_is_415(alice: Somebody) -> None:
    model = await alice.threat_model()
    headers = {"Content-Type": "text/plain"}
    await alice.refused(415, "unsupported_media_type", "PATCH", model, {"name": "N"}, headers=headers)


async def test_RE5_a_patch_that_fails_changes_nothing(alice: Somebody) -> None:
    model = await alice.threat_model()
    patch = [{"op": "replace", "path": "/name", "value": "N"}, {"op": "remove", "path": "/nothing"}]
    await alice.refused(400, "invalid_patch", "PATCH", model, patch, headers={"Content-Type": PATCH})
    assert (await alice.get(model))["name"] == "Model"


async def test_a_deleted_model_is_gone_with_all_below_it(alice: Somebody) -> None:
    model = await alice.threat_model()
    diagram = await alice.diagram(model)
    threat = await alice.post(f"{model}/threats", {"name": "T"})
    await alice.post(f"{diagram}/collaborate")
    await alice.delete(model)
    for path in (model, diagram, f"/threats/{threat['id']}", f"{diagram}/collaborate"):
        await alice.refused(404, "not_found", "GET", path)
    assert await alice.get("/me/sessions") == []


@pytest.mark.parametrize(
    ("role", "reads", "writes", "deletes"),
    [("reader", 200, 403, 403), ("writer", 200, 200, 403), ("owner", 200, 200, 204)],
)
async def test_roles_allow_what_they_are_for(
    alice: Somebody, bob: Somebody, role: str, reads: int, writes: int, deletes: int
) -> None:
    model = await alice.shared_model(("bob", role))
    assert (await bob.ask("GET", model)).status_code == reads
    assert (await bob.ask("PUT", model, {"name": "N"})).status_code == writes
    assert (await bob.ask("PATCH", model, {"name": "N"})).status_code == writes
    assert (await bob.ask("DELETE", model)).status_code == deletes


async def test_AU19_a_stranger_gets_403_and_an_unknown_id_404(alice: Somebody, eve: Somebody) -> None:
    model = await alice.threat_model()
    for method in ("GET", "PUT", "PATCH", "DELETE"):
        body = None if method in ("GET", "DELETE") else {"name": "N"}
        await eve.refused(403, "forbidden", method, model, body)
        await eve.refused(404, "not_found", method, f"/threat_models/{NOWHERE}", body)
        await eve.refused(400, "invalid_id", method, "/threat_models/5", body)


async def test_a_writer_cannot_change_who_may(alice: Somebody, bob: Somebody) -> None:
    model = await alice.shared_model(("bob", "writer"))
    mine = [{"subject": "bob@tmi.local", "subject_type": "user", "role": "owner"}]
    await bob.refused(403, "forbidden", "PATCH", model, {"authorization": mine})
    await bob.refused(403, "forbidden", "PUT", model, {"name": "N", "owner": "bob@tmi.local"})
    await bob.refused(
        403,
        "forbidden",
        "PATCH",
        model,
        [{"op": "replace", "path": "/authorization/1/role", "value": "owner"}],
        headers={"Content-Type": PATCH},
    )


async def test_a_former_owner_keeps_an_entry(alice: Somebody, bob: Somebody) -> None:
    model = await alice.threat_model()
    after = await alice.patch(model, {"owner": "bob@tmi.local"})
    assert after["owner"] == "bob@tmi.local"
    roles = {entry["subject"]: entry["role"] for entry in after["authorization"]}
    assert roles == {"alice@tmi.local": "owner", "bob@tmi.local": "owner"}
    await bob.delete(model)


async def test_a_former_owner_has_the_role_that_the_same_request_gives(alice: Somebody, bob: Somebody) -> None:
    model = await alice.shared_model(("bob", "writer"))
    alices, bobs = (await alice.get(model))["authorization"]
    given = {"owner": "bob@tmi.local", "authorization": [{**alices, "role": "reader"}, bobs]}
    after = await alice.patch(model, given)
    assert [entry["role"] for entry in after["authorization"]] == ["reader", "owner"]
    await alice.refused(403, "forbidden", "PATCH", model, {"name": "N"})


@pytest.mark.parametrize("owner", ["nobody@tmi.local", {"provider": "test"}, {"email": "nobody@tmi.local"}])
async def test_an_owner_is_somebody(alice: Somebody, owner: Any) -> None:
    model = await alice.threat_model()
    await alice.refused(422, "validation_error", "PATCH", model, {"owner": owner})


async def test_the_tmi_profile_shows_people_and_whole_diagrams(tmi: Edge) -> None:
    alice = await tmi.as_("alice")
    model = await alice.threat_model()
    await alice.diagram(model, [{"id": "a", "shape": "process", "x": 1, "y": 2, "width": 80, "height": 40}])
    listed = await alice.get("/threat_models")
    assert listed["total"] == 1
    assert listed["items"] == listed["threat_models"]
    person = {
        "principal_type": "user",
        "provider": "test",
        "provider_id": "alice",
        "email": "alice@tmi.local",
        "display_name": "Alice",
    }
    whole = await alice.get(model)
    assert listed["items"][0]["owner"] == whole["owner"] == whole["created_by"] == person
    assert whole["diagrams"][0]["cells"][0]["id"] == "a"


async def test_S43_what_a_client_says_of_itself_changes_nothing(alice: Somebody) -> None:
    model = await alice.threat_model(user_id="root", role="owner", user={"provider": "x"})
    assert (await alice.get(model))["owner"] == "alice@tmi.local"


async def test_S58_a_filter_is_text(alice: Somebody) -> None:
    await alice.refused(400, "invalid_input", "GET", "/threat_models?name=a%00b")
    assert await alice.get("/threat_models?name=%ff%fe&owner=%ed%a0%80") == []

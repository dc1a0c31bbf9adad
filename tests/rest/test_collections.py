"""Threats, at their nested and at their flat addresses, and what else lies below a threat model."""

from __future__ import annotations

from typing import Any

import pytest

from rest.collections import OTHERS, Kind
from tests.support.edges import NOWHERE, Edge, Somebody


@pytest.fixture(params=["nested", "flat"])
async def place(request: pytest.FixtureRequest, alice: Somebody) -> tuple[str, dict[str, str]]:
    """Where threats are made, and what the body needs there."""
    model = await alice.threat_model()
    if request.param == "nested":
        return f"{model}/threats", {}
    return "/threats", {"threat_model_id": model.removeprefix("/threat_models/")}


Place = tuple[str, dict[str, str]]


async def test_a_threat_lives(alice: Somebody, place: Place) -> None:
    base, needed = place
    answer = await alice.ask("POST", base, {"name": "SQL Injection", "severity": "high", **needed})
    threat = answer.json()
    path = f"{base}/{threat['id']}"
    assert (answer.status_code, answer.headers["location"]) == (201, path)
    assert (threat["name"], threat["title"], threat["status"]) == ("SQL Injection", "SQL Injection", "open")
    assert await alice.get(path) == threat
    assert (await alice.put(path, {"name": "XSS", "score": 7.5}))["score"] == 7.5
    assert (await alice.patch(path, {"status": "mitigated", "severity": None}))["status"] == "mitigated"
    patch = [{"op": "replace", "path": "/title", "value": "Renamed"}]
    after = await alice.patch(path, patch, "application/json-patch+json")
    assert (after["name"], after["title"], after["severity"]) == ("Renamed", "Renamed", None)
    await alice.delete(path)
    await alice.refused(404, "not_found", "GET", path)


async def test_title_is_name(alice: Somebody, place: Place) -> None:
    base, needed = place
    threat = await alice.post(base, {"title": "Threat 1", **needed})
    assert (threat["name"], threat["title"]) == ("Threat 1", "Threat 1")


async def test_RE7_unknown_fields_of_a_threat_are_kept(alice: Somebody, place: Place) -> None:
    base, needed = place
    assert (await alice.post(base, {"name": "T", "x-ref": [1], **needed}))["x-ref"] == [1]


@pytest.mark.parametrize("name", ["id", "created_at", "modified_at", "created_by"])
async def test_RE6_server_owned_fields_of_a_threat_are_refused(alice: Somebody, place: Place, name: str) -> None:
    base, needed = place
    await alice.refused(400, "read_only_field", "POST", base, {"name": "T", name: "x", **needed})
    threat = await alice.post(base, {"name": "T", **needed})
    await alice.refused(400, "read_only_field", "PATCH", f"{base}/{threat['id']}", {name: "x"})


@pytest.mark.parametrize(
    ("fields", "field"),
    [({}, "name"), ({"name": "T", "score": "7"}, "score"), ({"name": "T", "mitigated": 1}, "mitigated")],
)
async def test_an_invalid_threat_is_422(alice: Somebody, place: Place, fields: Any, field: str) -> None:
    base, needed = place
    body = await alice.refused(422, "validation_error", "POST", base, {**fields, **needed})
    assert body["details"]["field"] == field


async def test_a_flat_threat_names_its_model(alice: Somebody) -> None:
    await alice.refused(422, "validation_error", "POST", "/threats", {"name": "T"})
    await alice.refused(400, "invalid_id", "POST", "/threats", {"name": "T", "threat_model_id": "x"})
    await alice.refused(404, "not_found", "POST", "/threats", {"name": "T", "threat_model_id": NOWHERE})


async def test_the_id_of_a_model_is_taken_in_capitals_too(alice: Somebody) -> None:
    model = await alice.threat_model()
    own = {"threat_model_id": model.removeprefix("/threat_models/").upper()}
    for base in ("/threats", f"{model}/threats"):
        threat = await alice.post(base, {"name": "T", **own})
        changed = await alice.put(f"{model}/threats/{threat['id']}", {"name": "U", **own})
        assert changed["threat_model_id"] == own["threat_model_id"].lower()


async def test_S42_a_threat_stays_in_its_model(alice: Somebody) -> None:
    one, other = await alice.threat_model(), await alice.threat_model()
    threat = await alice.post(f"{one}/threats", {"name": "T"})
    other_id = other.removeprefix("/threat_models/")
    for method in ("GET", "DELETE"):
        await alice.refused(404, "not_found", method, f"{other}/threats/{threat['id']}")
    await alice.refused(400, "read_only_field", "PATCH", f"/threats/{threat['id']}", {"threat_model_id": other_id})
    body = {"name": "T", "threat_model_id": other_id}
    await alice.refused(400, "invalid_input", "POST", f"{one}/threats", body)


async def test_RE18_a_flat_address_gives_no_more_than_the_nested_one(
    alice: Somebody, bob: Somebody, eve: Somebody
) -> None:
    model = await alice.shared_model(("bob", "reader"))
    model_id = model.removeprefix("/threat_models/")
    threat = await alice.post(f"{model}/threats", {"name": "T"})
    for base in (f"{model}/threats", "/threats"):
        path, body = f"{base}/{threat['id']}", {"name": "U", "threat_model_id": model_id}
        assert (await bob.get(path))["name"] == "T"
        await bob.refused(403, "forbidden", "POST", base, body)
        for method in ("PUT", "PATCH"):
            await bob.refused(403, "forbidden", method, path, {"name": "U"})
            await eve.refused(403, "forbidden", method, path, {"name": "U"})
        await bob.refused(403, "forbidden", "DELETE", path)
        await eve.refused(403, "forbidden", "GET", path)
        await eve.refused(403, "forbidden", "POST", base, body)
        await eve.refused(404, "not_found", "GET", f"{base.replace(model, '')}/{NOWHERE}")


async def test_the_flat_list_holds_what_the_caller_may_read(here: Edge, alice: Somebody, bob: Somebody) -> None:
    shared, own = await alice.shared_model(("bob", "reader")), await alice.threat_model()
    for model, name in ((shared, "b"), (own, "C"), (shared, "A")):
        await alice.post(f"{model}/threats", {"name": name})
        here.clock.advance(1)
    assert [threat["name"] for threat in (await alice.get("/threats"))["items"]] == ["b", "C", "A"]
    assert [threat["name"] for threat in (await alice.get("/threats?sort=name&limit=2"))["threats"]] == ["A", "b"]
    assert [threat["name"] for threat in (await bob.get("/threats?sort=-created_at"))["items"]] == ["A", "b"]
    filtered = await alice.get("/threats", params={"threat_model_id": own.removeprefix("/threat_models/")})
    assert [threat["name"] for threat in filtered["items"]] == ["C"]
    await bob.refused(403, "forbidden", "GET", f"/threats?threat_model_id={own.removeprefix('/threat_models/')}")


RANKED: list[tuple[dict[str, Any], str]] = [
    ({"name": "a", "severity": "High", "priority": "low", "status": "closed", "score": 2}, "a"),
    ({"name": "b", "severity": "low", "priority": "immediate", "status": "open", "score": 10.5}, "b"),
    ({"name": "c"}, "c"),
    ({"name": "d", "severity": "critical", "priority": "medium", "status": "confirmed", "score": 7}, "d"),
]


@pytest.mark.parametrize(
    ("sort", "names"),
    [
        ("severity:asc", "cbad"),
        ("severity:desc", "dabc"),
        ("-priority", "bdac"),
        ("score", "cadb"),
        ("name:desc", "dcba"),
    ],
)
async def test_RE4_threats_are_sorted_by_what_their_words_mean(
    alice: Somebody, place: Place, sort: str, names: str
) -> None:
    base, needed = place
    for fields, _ in RANKED:
        await alice.post(base, {**fields, **needed})
    assert "".join(threat["name"] for threat in (await alice.get(f"{base}?sort={sort}"))["threats"]) == names
    part = await alice.get(f"{base}?sort={sort}&limit=2&offset=1")
    assert ("".join(threat["name"] for threat in part["threats"]), part["total"]) == (names[1:3], 4)


async def test_RE4_threats_are_sorted_by_their_progress(alice: Somebody) -> None:
    model = await alice.threat_model()
    for status in ("closed", "open", "mitigated"):
        await alice.post(f"{model}/threats", {"name": status, "status": status})
    sorted_so = await alice.get(f"{model}/threats?sort=status:asc&limit=10&offset=0")
    assert [threat["name"] for threat in sorted_so["items"]] == ["open", "mitigated", "closed"]


async def test_RE4_only_threats_are_sorted_by_severity(alice: Somebody) -> None:
    model = await alice.threat_model()
    await alice.refused(400, "invalid_input", "GET", f"{model}/assets?sort=severity")


FOUND: list[tuple[dict[str, Any], str]] = [
    ({"name": "SQL injection", "severity": "high", "status": "open", "threat_type": ["Tampering"], "score": 1}, "s"),
    ({"name": "XSS", "severity": "low", "status": "mitigated", "mitigated": True, "priority": "high"}, "x"),
    ({"name": "CSRF", "severity": "High", "diagram_id": NOWHERE, "threat_type": ["Spoofing", "Tampering"]}, "c"),
]


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("name=inject", "s"),
        ("name=", "sxc"),
        ("severity=high", "sc"),
        ("severity=high,low", "sxc"),
        ("severity=high&severity=low", "sxc"),
        ("severity=,%20low,", "x"),
        ("status=open", "sc"),
        ("priority=HIGH", "x"),
        (f"diagram_id={NOWHERE}", "c"),
        ("threat_type=Tampering", "sc"),
        ("threat_type=Tampering&threat_type=spoofing", "c"),
        ("mitigated=true", "x"),
        ("mitigated=False", "sc"),
        ("severity=high&status=mitigated", ""),
        ("severity=%27%20OR%201=1--", ""),
        ("nonsense=1", "sxc"),
        ("severity=high&sort=-score&limit=1", "s"),
    ],
)
async def test_RE30_threats_are_filtered(alice: Somebody, place: Place, query: str, found: str) -> None:
    base, needed = place
    for fields, _ in FOUND:
        await alice.post(base, {**fields, **needed})
    listed = await alice.get(f"{base}?{query}")
    assert sorted(threat["name"][0].lower() for threat in listed["items"]) == sorted(found)
    assert listed["total"] == len(found) or "limit" in query


@pytest.mark.parametrize("query", ["mitigated=1", "mitigated=perhaps", "name=%00", "severity=a,%00", "status=%00"])
async def test_RE30_a_filter_that_cannot_be_is_400(alice: Somebody, place: Place, query: str) -> None:
    await alice.refused(400, "invalid_input", "GET", f"{place[0]}?{query}")


async def test_RE30_the_flat_list_counts_beyond_its_page(alice: Somebody, bob: Somebody) -> None:
    for _ in range(3):
        model = await alice.threat_model()
        for name in "ab":
            await alice.post(f"{model}/threats", {"name": name})
    page = await alice.get("/threats?limit=2&offset=3&sort=name")
    assert ([threat["name"] for threat in page["items"]], page["total"]) == (["b", "b"], 6)
    assert (await bob.get("/threats"))["total"] == 0


async def test_RE30_other_kinds_are_filtered_by_name_alone(alice: Somebody) -> None:
    model = await alice.threat_model()
    for name in ("Login", "Logout"):
        await alice.post(f"{model}/notes", {"name": name, "status": "x"})
    assert (await alice.get(f"{model}/notes?name=logi&status=y"))["total"] == 1


async def test_S42_no_item_is_found_under_another_kind(alice: Somebody) -> None:
    model = await alice.threat_model()
    note = await alice.post(f"{model}/notes", {"name": "N"})
    for method in ("GET", "DELETE"):
        await alice.refused(404, "not_found", method, f"{model}/threats/{note['id']}")
        await alice.refused(404, "not_found", method, f"/threats/{note['id']}")
        await alice.refused(400, "invalid_id", method, f"{model}/threats/x")


@pytest.mark.parametrize("flat", [False, True])
@pytest.mark.parametrize(
    ("role", "reads", "writes"), [("reader", 200, 403), ("writer", 200, 200), ("owner", 200, 200), (None, 403, 403)]
)
async def test_RE18_S42_every_role_may_as_much_at_every_address(
    alice: Somebody, bob: Somebody, flat: bool, role: str | None, reads: int, writes: int
) -> None:
    model = await alice.shared_model(*([("bob", role)] if role else []))
    within = {"threat_model_id": model.removeprefix("/threat_models/")}
    threat = await alice.post(f"{model}/threats", {"name": "T"})
    base = "/threats" if flat else f"{model}/threats"
    path = f"{base}/{threat['id']}"
    made = {200: 201, 403: 403}[writes]
    gone = {200: 204, 403: 403}[writes]
    asked = [
        ("GET", f"{base}?threat_model_id={within['threat_model_id']}", None, reads),
        ("GET", path, None, reads),
        ("POST", base, {"name": "U", **within}, made),
        ("PUT", path, {"name": "U"}, writes),
        ("PATCH", path, {"name": "U"}, writes),
        ("DELETE", path, None, gone),
    ]
    for method, address, body, status in asked:
        answer = await bob.ask(method, address, body)
        assert answer.status_code == status, (method, address, answer.text)


@pytest.mark.parametrize("kind", OTHERS, ids=lambda kind: kind.resource)
async def test_an_item_of_another_kind_lives(alice: Somebody, kind: Kind) -> None:
    model = await alice.threat_model()
    base = f"{model}/{kind.resource}"
    made = await alice.post(base, {"name": "N", "uri": "https://example.test/x"})
    path = f"{base}/{made['id']}"
    assert (made["name"], made["uri"], "title" in made) == ("N", "https://example.test/x", False)
    assert (await alice.put(path, {"name": "M"}))["name"] == "M"
    assert (await alice.patch(path, {"description": "D"}))["description"] == "D"
    here = await alice.get(path)
    listed = await alice.get(f"{base}?limit=10&offset=0")
    assert (listed["items"], listed[kind.resource], listed["total"]) == ([here], [here], 1)
    assert (await alice.get(model))[kind.resource] == [here]
    await alice.delete(path)
    assert (await alice.get(f"{base}?limit=10"))["items"] == []


async def test_RE7_only_a_threat_has_a_title_for_its_name(alice: Somebody) -> None:
    model = await alice.threat_model()
    assert (await alice.post(f"{model}/notes", {"name": "N", "title": "T"}))["title"] == "T"
    await alice.refused(422, "validation_error", "POST", f"{model}/notes", {"title": "T"})
    for title in (5, "", "x" * 257):
        body = await alice.refused(422, "validation_error", "POST", f"{model}/threats", {"name": "N", "title": title})
        assert body["details"]["field"] == "title"


async def test_each_kind_is_counted_by_itself(alice: Somebody) -> None:
    model = await alice.threat_model()
    for count, name in enumerate(("threats", "assets", "documents", "repositories", "notes"), 1):
        for _ in range(count):
            await alice.post(f"{model}/{name}", {"name": name})
    whole = await alice.get(model)
    counts = [whole[f"{one}_count"] for one in ("diagram", "threat", "asset", "document", "repo", "note")]
    assert counts == [0, 1, 2, 3, 4, 5]
    assert [(await alice.get("/threat_models"))[0][f"{one}_count"] for one in ("asset", "note")] == [2, 5]


@pytest.mark.parametrize("path", ["/addons", "/projects", "/intake/surveys", "/intake/survey_responses"])
async def test_what_tmis_app_asks_for_and_nobody_has_is_an_empty_list(alice: Somebody, path: str) -> None:
    name = path.rpartition("/")[2]
    assert await alice.get(f"{path}?limit=200") == {"items": [], name: [], "total": 0, "limit": 200, "offset": 0}


async def test_a_threat_without_types_has_a_list_of_none(alice: Somebody) -> None:
    threat = await alice.post(f"{await alice.threat_model()}/threats", {"name": "T"})
    assert threat["threat_type"] == []

"""Many threats in one request: all or nothing."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from tests.support.edges import NOWHERE, Edge, Somebody

MERGE = "application/merge-patch+json"


@pytest.fixture
async def bulk(alice: Somebody) -> str:
    return f"{await alice.shared_model(('bob', 'reader'))}/threats/bulk"


async def made(alice: Somebody, bulk: str, *names: str) -> list[str]:
    return [threat["id"] for threat in (await alice.post(bulk, [{"name": name} for name in names]))["items"]]


async def names(alice: Somebody, bulk: str) -> list[str]:
    listed = await alice.get(bulk.removesuffix("/bulk") + "?sort=name")
    return [threat["name"] for threat in listed["items"]]


@pytest.mark.parametrize("wrapped", [None, "threats", "items"])
async def test_many_threats_are_made_at_once(alice: Somebody, bulk: str, wrapped: str | None) -> None:
    bodies = [{"name": "A", "severity": "high"}, {"title": "B", "metadata": {"k": "v"}}]
    answer = await alice.ask("POST", bulk, {wrapped: bodies} if wrapped else bodies)
    body = answer.json()
    assert (answer.status_code, answer.headers["location"]) == (201, bulk.removesuffix("/bulk"))
    assert (answer.headers["x-total-count"], body["total"]) == ("2", 2)
    assert [threat["name"] for threat in body["threats"]] == ["A", "B"]
    assert body["items"] == body["threats"]
    assert await alice.get(bulk.removesuffix("bulk") + body["items"][1]["id"]) == body["items"][1]


async def test_many_threats_are_replaced_at_once(alice: Somebody, bulk: str) -> None:
    one, other = await made(alice, bulk, "A", "B")
    changed = await alice.put(bulk, [{"id": other, "name": "D", "score": 2}, {"id": one.upper(), "title": "C"}])
    assert [(threat["id"], threat["name"]) for threat in changed["threats"]] == [(other, "D"), (one, "C")]
    assert await names(alice, bulk) == ["C", "D"]


@pytest.mark.parametrize("kind", ["application/json", MERGE])
async def test_many_threats_are_merged_at_once(alice: Somebody, bulk: str, kind: str) -> None:
    one, other = await made(alice, bulk, "A", "B")
    entries = [{"id": one, "status": "closed", "metadata": {"k": "v"}}, {"id": other, "x": {"y": 1}}]
    changed = await alice.patch(bulk, entries, kind)
    assert [threat["name"] for threat in changed["items"]] == ["A", "B"]
    assert (changed["items"][0]["status"], changed["items"][0]["metadata"]) == ("closed", [{"key": "k", "value": "v"}])
    assert (await alice.patch(bulk, [{"id": other, "x": {"y": None}}], kind))["items"][0]["x"] == {}


async def test_RE5_tmis_clients_send_a_json_patch_for_each(alice: Somebody, bulk: str) -> None:
    one, other = await made(alice, bulk, "A", "B")
    replace = {"op": "replace", "path": "/status", "value": "closed"}
    patches = [{"id": id, "operations": [replace]} for id in (one, other)]
    changed = await alice.patch(bulk, {"patches": patches})
    assert [threat["status"] for threat in changed["threats"]] == ["closed", "closed"]
    failing = {"id": other, "operations": [{"op": "test", "path": "/status", "value": "open"}]}
    reopened = {"id": one, "operations": [{**replace, "value": "open"}]}
    await alice.refused(409, "conflict", "PATCH", bulk, {"patches": [reopened, failing]})
    await alice.refused(400, "invalid_patch", "PATCH", bulk, {"patches": [reopened, {"id": other}]})
    assert {threat["status"] for threat in (await alice.get(bulk.removesuffix("/bulk")))["items"]} == {"closed"}


async def test_the_tmi_profile_answers_with_an_array(tmi: Edge) -> None:
    alice = await tmi.as_("alice")
    bulk = f"{await alice.threat_model()}/threats/bulk"
    answer = await alice.ask("POST", bulk, [{"name": "A"}])
    assert ([threat["name"] for threat in answer.json()], answer.headers["x-total-count"]) == (["A"], "1")


@pytest.mark.parametrize(
    ("second", "status", "error", "field"),
    [
        ({}, 422, "validation_error", "[1].name"),
        ({"name": "B", "score": "7"}, 422, "validation_error", "[1].score"),
        ({"name": "B", "created_at": "x"}, 400, "read_only_field", "[1].created_at"),
        ({"name": "B", "id": NOWHERE}, 400, "read_only_field", "[1].id"),
        ({"name": "B", "threat_model_id": NOWHERE}, 400, "read_only_field", "[1].threat_model_id"),
    ],
)
async def test_RE33_one_bad_threat_makes_none(
    alice: Somebody, bulk: str, second: Any, status: int, error: str, field: str
) -> None:
    body = await alice.refused(status, error, "POST", bulk, [{"name": "A"}, second])
    assert body["details"]["field"] == field
    assert await names(alice, bulk) == []


@pytest.mark.parametrize("method", ["PUT", "PATCH"])
async def test_RE33_one_bad_entry_changes_none(alice: Somebody, bulk: str, method: str) -> None:
    one, other = await made(alice, bulk, "A", "B")
    elsewhere = await made(alice, f"{await alice.threat_model()}/threats/bulk", "E")
    good = {"id": one, "name": "C"}
    for bad, status, error in (
        ({"id": NOWHERE, "name": "D"}, 404, "not_found"),
        ({"id": elsewhere[0], "name": "D"}, 404, "not_found"),
        ({"id": "x", "name": "D"}, 400, "invalid_id"),
        ({"name": "D"}, 422, "validation_error"),
        ({"id": 5, "name": "D"}, 422, "validation_error"),
        ({"id": one, "name": "D"}, 422, "validation_error"),
        ({"id": other, "name": ""}, 422, "validation_error"),
        ({"id": other, "name": "D", "modified_at": "x"}, 400, "read_only_field"),
    ):
        await alice.refused(status, error, method, bulk, [good, bad])
    assert await names(alice, bulk) == ["A", "B"]


@pytest.mark.parametrize(
    ("body", "status"),
    [([], 422), ([{"name": "A"}] * 101, 422), ({}, 400), ("x", 400), ([5], 400), ({"threats": 5}, 400)],
)
async def test_RE9_what_is_no_list_of_1_to_100_is_refused(alice: Somebody, bulk: str, body: Any, status: int) -> None:
    for method in ("POST", "PUT", "PATCH"):
        assert (await alice.ask(method, bulk, body)).status_code == status
    assert await names(alice, bulk) == []


async def test_RE9_another_type_is_415(alice: Somebody, bulk: str) -> None:
    headers = {"Content-Type": "application/json-patch+json"}
    for method in ("POST", "PUT", "PATCH"):
        await alice.refused(415, "unsupported_media_type", method, bulk, [], headers=headers)


async def test_S42_readers_and_strangers_change_nothing(
    alice: Somebody, bob: Somebody, eve: Somebody, bulk: str
) -> None:
    (one,) = await made(alice, bulk, "A")
    for somebody in (bob, eve):
        for method in ("POST", "PUT", "PATCH"):
            await somebody.refused(403, "forbidden", method, bulk, [{"id": one, "name": "B"}])
    assert await names(alice, bulk) == ["A"]


async def test_of_many_merges_at_once_none_is_lost(alice: Somebody, bulk: str) -> None:
    ids = await made(alice, bulk, "A", "B")
    await asyncio.gather(*(alice.patch(bulk, [{"id": id, f"x-{n}": n} for id in ids]) for n in range(6)))
    for threat in (await alice.get(bulk.removesuffix("/bulk")))["items"]:
        assert [threat[f"x-{n}"] for n in range(6)] == list(range(6))


async def test_RE32_RE40_what_changes_nothing_is_not_written(alice: Somebody, here: Edge, bulk: str) -> None:
    one, other = await made(alice, bulk, "A", "B")
    threat = f"{bulk.removesuffix('bulk')}{one}"
    before, line = await alice.ask("GET", threat), await here.deps.trail.newest()
    for method in ("PUT", "PATCH"):
        answer = await alice.ask(method, bulk, [{"id": one, "name": "A"}])
        assert (answer.status_code, answer.json()["items"]) == (200, [before.json()])
    assert await here.deps.trail.newest() == line
    changed = await alice.patch(bulk, [{"id": one, "name": "A"}, {"id": other, "name": "C"}])
    assert [item["name"] for item in changed["items"]] == ["A", "C"]
    after = await alice.ask("GET", threat)
    assert (after.headers["etag"], after.json()) == (before.headers["etag"], before.json())

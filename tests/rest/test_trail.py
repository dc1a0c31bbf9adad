"""Audit trails over REST: who reads them, how they look, and that no call that changes something leaves no line."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from protocol.values import DiagramId
from rest.ports import Action, Cause, ChangesWanted, Door, ItemKind, Page
from rest.routes import DG, TM, signed_in_table
from rest.trail import wanted
from rest.views import RESOURCES
from tests.support.edges import NOWHERE, Edge, Somebody, deps_of_nothing, node

CELLS = [node("a"), node("b")]
HOLDERS = (TM, DG, *(f"{TM}/{resource}/{{item_id}}" for resource in RESOURCES.values()))
"""What has metadata."""
OF_MODELS = ("/threat_models", "/diagrams", *(f"/{resource}" for resource in RESOURCES.values()))
"""Where whatever changes something changes a threat model or what is below it."""
CHANGING = ("POST", "PUT", "PATCH", "DELETE")
OPERATION = {
    "operation_id": "11111111-1111-4111-8111-111111111111",
    "operation": {"type": "patch", "cells": [{"id": "n", "operation": "add", "data": node("n")}]},
}

Case = tuple[Any, list[str]]
"""Body, and what the trail says of the call: `action object_type`, a line each."""


def cases() -> Iterator[tuple[tuple[str, str], Case]]:
    yield ("POST", "/threat_models"), ({"name": "N"}, ["created threat_model"])
    yield ("PUT", TM), ({"name": "New"}, ["updated threat_model"])
    yield ("PATCH", TM), ({"description": "New"}, ["updated threat_model"])
    yield ("DELETE", TM), (None, ["ended session", "deleted threat_model"])
    entry = {"subject_type": "user", "subject": "x@example.org", "role": "reader"}
    yield ("POST", f"{TM}/authorization"), (entry, ["created authorization"])
    yield ("PUT", f"{TM}/authorization/{{index}}"), ({"role": "writer"}, ["updated authorization"])
    yield ("DELETE", f"{TM}/authorization/{{index}}"), (None, ["deleted authorization"])
    yield ("POST", f"{TM}/diagrams"), ({"name": "N"}, ["created diagram"])
    yield ("PUT", DG), ({"name": "New"}, ["updated diagram"])
    yield ("PATCH", DG), ({"description": "New"}, ["updated diagram"])
    yield ("DELETE", DG), (None, ["ended session", "deleted diagram"])
    yield ("PUT", "/diagrams/{diagram_id}/cells"), ({"cells": CELLS}, ["updated diagram"])
    yield ("POST", f"{DG}/operations"), (OPERATION, ["updated diagram"])
    yield ("POST", f"{DG}/collaborate"), (None, ["started session"])
    yield ("PUT", f"{DG}/collaborate"), (None, [])
    yield ("DELETE", f"{DG}/collaborate"), (None, ["ended session"])
    for base in HOLDERS:
        yield from metadata_cases(base)
    for kind, resource in RESOURCES.items():
        yield from item_cases(kind, f"{TM}/{resource}")
    yield from item_cases(ItemKind.THREAT, "/threats")
    many = [{"name": "N1"}, {"name": "N2"}]
    yield ("POST", f"{TM}/threats/bulk"), (many, ["created threat", "created threat"])
    yield ("PUT", f"{TM}/threats/bulk"), ([{"id": "{item_id}", "name": "N"}], ["updated threat"])
    yield ("PATCH", f"{TM}/threats/bulk"), ([{"id": "{item_id}", "severity": "low"}], ["updated threat"])


def metadata_cases(base: str) -> Iterator[tuple[tuple[str, str], Case]]:
    key, bulk = f"{base}/metadata/{{key:path}}", f"{base}/metadata/bulk"
    yield ("POST", f"{base}/metadata"), ({"key": "new", "value": "v"}, ["created metadata"])
    yield ("PUT", key), ({"value": "w"}, ["updated metadata"])
    yield ("DELETE", key), (None, ["deleted metadata"])
    yield ("POST", bulk), ({"new": "v"}, ["created metadata"])
    yield ("PUT", bulk), ({"new": "v"}, ["updated metadata"])
    yield ("PATCH", bulk), ({"k": "w"}, ["updated metadata"])


def item_cases(kind: ItemKind, base: str) -> Iterator[tuple[tuple[str, str], Case]]:
    flat = {} if base.startswith(TM) else {"threat_model_id": "{threat_model_id}"}
    yield ("POST", base), ({"name": "N", **flat}, [f"created {kind}"])
    yield ("PUT", f"{base}/{{item_id}}"), ({"name": "New"}, [f"updated {kind}"])
    yield ("PATCH", f"{base}/{{item_id}}"), ({"description": "New"}, [f"updated {kind}"])
    yield ("DELETE", f"{base}/{{item_id}}"), (None, [f"deleted {kind}"])


CASES: Mapping[tuple[str, str], Case] = dict(cases())


class Scene:
    """A threat model of alice with one of everything, its diagram with a session where the call is not to begin one."""

    def __init__(self, here: Edge, alice: Somebody, values: dict[str, str], items: dict[str, str]) -> None:
        self.here = here
        self.alice = alice
        self.values = values
        self.items = items

    async def ask(self, method: str, path: str, body: Any) -> None:
        values = dict(self.values)
        for resource, id in self.items.items():
            if f"/{resource}" in path:
                values["item_id"] = id
        address = filled(path, values)
        answer = await self.alice.ask(method, address, filled_in(body, values))
        assert answer.status_code < 300, (method, address, answer.text)

    async def lines(self, serial: int, vector: int) -> list[tuple[str, Cause]]:
        """All that was changed since, in every trail there is."""
        changes = list(await self.here.deps.trail.since(serial, 100))
        diagram = DiagramId(self.values["diagram_id"])
        logged, _ = await self.here.deps.trail.of_diagram(diagram, ChangesWanted(), Page(100))
        changes += [change for change in logged if not change.serial and (change.update_vector or 0) > vector]
        return [(f"{change.action} {change.object_type}", Cause(change.by, change.door)) for change in changes]


def filled(path: str, values: Mapping[str, str]) -> str:
    return re.sub(r"\{(\w+)(?::\w+)?\}", lambda found: values[found[1]], path)


def filled_in(body: Any, values: Mapping[str, str]) -> Any:
    if isinstance(body, list):
        return [filled_in(entry, values) for entry in body]
    if isinstance(body, dict):
        return {name: filled_in(value, values) for name, value in body.items()}
    return values.get(body[1:-1], body) if isinstance(body, str) and body.startswith("{") else body


@pytest.fixture
async def scene(here: Edge, alice: Somebody, bob: Somebody) -> Scene:
    model = await alice.shared_model(("bob", "reader"))
    diagram = await alice.diagram(model)
    items = {r: (await alice.post(f"{model}/{r}", {"name": "T"}))["id"] for r in RESOURCES.values()}
    for holder in (model, diagram, *(f"{model}/{resource}/{id}" for resource, id in items.items())):
        await alice.post(f"{holder}/metadata", {"key": "k", "value": "v"})
    values = {"threat_model_id": model.split("/")[-1], "diagram_id": diagram.split("/")[-1], "index": "1", "key": "k"}
    return Scene(here, alice, values, items)


def test_RE40_no_call_that_changes_something_is_missing_here() -> None:
    """A new one is either in `cases`, or nothing of a threat model."""
    changing = {
        (method, path)
        for path, methods in signed_in_table(deps_of_nothing()).items()
        for method in methods
        if method in CHANGING and path.startswith(OF_MODELS)
    }
    assert changing == CASES.keys()


@pytest.mark.parametrize(("method", "path"), CASES, ids=lambda value: value)
async def test_RE40_every_call_that_changes_something_leaves_its_lines(scene: Scene, method: str, path: str) -> None:
    body, expected = CASES[method, path]
    if ("session" in "".join(expected) and method == "DELETE") or (method, path) == ("PUT", f"{DG}/collaborate"):
        await scene.ask("POST", f"{DG}/collaborate", None)
    before = await scene.here.deps.trail.newest()
    await scene.ask(method, path, body)
    told = await scene.lines(before, 0)
    assert [line for line, _ in told] == expected
    assert all(cause == Cause(scene.alice.caller.user, Door.REST) for _, cause in told)


NOTHING_NEW = {
    "the same value": ("PATCH", "", {"name": "N"}),
    "a test alone": ("PATCH", "", [{"op": "test", "path": "/name", "value": "N"}]),
    "the same role": ("PUT", "authorization/0", {"role": "owner"}),
    "the same pair": ("PUT", "metadata/k", {"value": "v"}),
}


@pytest.mark.parametrize("how", NOTHING_NEW)
async def test_RE32_RE40_what_changes_nothing_has_no_version_and_no_line(alice: Somebody, here: Edge, how: str) -> None:
    model = await alice.threat_model(name="N", metadata={"k": "v"})
    method, below, body = NOTHING_NEW[how]
    before, line = await alice.ask("GET", model), await here.deps.trail.newest()
    answer = await alice.ask(method, f"{model}/{below}".rstrip("/"), body)
    after = await alice.ask("GET", model)
    assert (answer.status_code, after.headers["etag"], after.json()) == (200, before.headers["etag"], before.json())
    assert await here.deps.trail.newest() == line


async def test_RE40_a_field_of_another_type_has_changed(alice: Somebody, here: Edge) -> None:
    model = await alice.threat_model(flag=1)
    before = await here.deps.trail.newest()
    assert (await alice.patch(model, {"flag": True}))["flag"] is True
    assert await here.deps.trail.newest() != before


async def test_RE41_a_call_that_is_refused_leaves_no_line(scene: Scene, bob: Somebody, here: Edge) -> None:
    before = await here.deps.trail.newest()
    model = f"/threat_models/{scene.values['threat_model_id']}"
    await bob.refused(403, "forbidden", "PATCH", model, {"description": "x"})
    await scene.alice.refused(409, "conflict", "POST", f"{model}/metadata", {"key": "k", "value": "v"})
    await scene.alice.refused(422, "validation_error", "PUT", model, {"name": ""})
    await scene.alice.refused(404, "not_found", "DELETE", f"{model}/threats/{NOWHERE}")
    assert await here.deps.trail.newest() == before


async def test_RE40_a_line_names_the_fields_that_changed(alice: Somebody) -> None:
    model = await alice.threat_model(description="old", status="open")
    await alice.patch(model, {"description": "new", "issue_uri": "https://x.example", "status": "open"})
    newest, *_ = (await alice.get(f"{model}/audit_trail"))["items"]
    assert newest["details"] == {"changed": ["description", "issue_uri"]}


async def test_RE40_a_field_that_changes_its_type_alone_has_changed(alice: Somebody) -> None:
    model = await alice.threat_model(flag=1)
    await alice.patch(model, {"flag": True})
    newest, *_ = (await alice.get(f"{model}/audit_trail"))["items"]
    assert newest["details"] == {"changed": ["flag"]}


async def test_RE40_a_line_says_whose_role_changed(alice: Somebody) -> None:
    model = await alice.shared_model(("bob", "reader"))
    await alice.put(f"{model}/authorization/1", {"role": "writer"})
    newest, *_ = (await alice.get(f"{model}/audit_trail"))["items"]
    assert (newest["action"], newest["object_type"]) == ("updated", "authorization")
    assert newest["details"]["roles"] == [{"subject": "user test:bob", "was": "reader", "role": "writer"}]
    await alice.delete(f"{model}/authorization/1")
    newest, *_ = (await alice.get(f"{model}/audit_trail"))["items"]
    assert newest["details"]["roles"] == [{"subject": "user test:bob", "was": "writer", "role": None}]


async def test_RE40_a_line_of_metadata_names_holder_and_keys(alice: Somebody) -> None:
    model = await alice.threat_model()
    diagram = await alice.diagram(model)
    await alice.post(f"{diagram}/metadata/bulk", {"a": "1", "b": "2"})
    newest, *_ = (await alice.get(f"{diagram}/audit_trail"))["items"]
    assert (newest["object_type"], newest["object_id"]) == ("metadata", diagram.split("/")[-1])
    assert newest["details"] == {"of": "diagram", "keys": ["a", "b"], "changed": ["metadata"]}


async def test_RE40_who_replaces_all_metadata_is_told_to_have_taken_keys_away(alice: Somebody) -> None:
    model = await alice.threat_model(metadata={"kept": "1", "gone": "2", "moved": "3"})
    await alice.put(f"{model}/metadata/bulk", {"kept": "1", "moved": "4", "new": "5"})
    newest, *_ = (await alice.get(f"{model}/audit_trail"))["items"]
    assert newest["details"] == {"of": "threat_model", "keys": ["gone", "moved", "new"], "changed": ["metadata"]}
    await alice.patch(model, {"metadata": {"new": "6"}})
    newest, *_ = (await alice.get(f"{model}/audit_trail"))["items"]
    assert newest["details"] == {"keys": ["new"], "changed": ["metadata"]}


async def test_RE40_each_line_of_a_bulk_call_names_the_fields_that_changed(alice: Somebody) -> None:
    model = await alice.threat_model()
    bulk = f"{model}/threats/bulk"
    a, b = [threat["id"] for threat in (await alice.post(bulk, [{"name": "a"}, {"name": "b"}]))["items"]]
    await alice.patch(bulk, [{"id": a, "severity": "low"}, {"id": b, "name": "B", "metadata": {"k": "v"}}])
    lines = (await alice.get(f"{model}/audit_trail?limit=2"))["items"]
    assert {line["object_id"]: line["details"] for line in lines} == {
        a: {"changed": ["severity"]},
        b: {"changed": ["metadata", "name"], "keys": ["k"]},
    }


async def test_RE40_readers_read_the_trail(alice: Somebody, bob: Somebody, eve: Somebody) -> None:
    model = await alice.shared_model(("bob", "reader"))
    diagram = await alice.diagram(model)
    for path in (model, diagram):
        assert (await bob.get(f"{path}/audit_trail"))["total"] > 0
        await eve.refused(403, "forbidden", "GET", f"{path}/audit_trail")
    await alice.refused(404, "not_found", "GET", f"/threat_models/{NOWHERE}/audit_trail")
    await alice.refused(404, "not_found", "GET", f"{model}/diagrams/{NOWHERE}/audit_trail")
    await alice.refused(400, "invalid_id", "GET", "/threat_models/x/audit_trail")
    other = await alice.threat_model()
    await alice.refused(404, "not_found", "GET", f"{other}/diagrams/{diagram.split('/')[-1]}/audit_trail")


async def test_RE42_a_line_looks_like_this(here: Edge, alice: Somebody) -> None:
    model = await alice.threat_model()
    diagram = await alice.diagram(model)
    await alice.post(f"{diagram}/operations", OPERATION, 200)
    answer = await alice.ask("GET", f"{diagram}/audit_trail?limit=1")
    assert answer.headers["x-total-count"] == "2"
    body = answer.json()
    assert (body["total"], body["limit"], body["offset"]) == (2, 1, 0)
    assert body["items"] == body["audit_trail"]
    (line,) = body["items"]
    assert line == {
        "id": line["id"],
        "at": "2027-01-15T08:00:00Z",
        "by": {
            "principal_type": "user",
            "provider": "test",
            "provider_id": "alice",
            "email": "alice@tmi.local",
            "display_name": "Alice",
        },
        "action": "updated",
        "object_type": "diagram",
        "object_id": diagram.split("/")[-1],
        "threat_model_id": model.split("/")[-1],
        "diagram_id": diagram.split("/")[-1],
        "door": "rest",
        "update_vector": 1,
        "details": {"kind": "rest", "operation_id": OPERATION["operation_id"], "cells": 1},
    }


async def test_RE42_a_trail_is_filtered(alice: Somebody) -> None:
    model = await alice.threat_model()
    diagram = await alice.diagram(model)
    await alice.post(f"{diagram}/collaborate")
    await alice.delete(f"{diagram}/collaborate")

    async def told(query: str) -> list[str]:
        found = (await alice.get(f"{model}/audit_trail?{query}"))["items"]
        return [f"{line['action']} {line['object_type']}" for line in found]

    assert await told("") == ["ended session", "started session", "created diagram", "created threat_model"]
    assert await told("action=created,ended&limit=2") == ["ended session", "created diagram"]
    assert await told("object_type=session,threat") == ["ended session", "started session"]
    assert len(await told("by=test:alice")) == 4
    assert await told("by=test:bob") == []
    assert await told("since=2027-01-15T09:00:00%2B01:00&until=2027-01-15T08:00:00Z") == []
    assert len(await told("since=2027-01-15T09:00:00+01:00")) == 4


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("action=made", "action"),
        ("object_type=diagram,cells", "object_type"),
        ("by=a%00b", "by"),
        ("since=yesterday", "since"),
        ("since=", "since"),
        ("since=2027-01-15", "since"),
        ("until=2027-01-15T08:00:00", "until"),
        ("until=99999999999999", "until"),
    ],
)
async def test_a_filter_that_means_nothing_is_refused(alice: Somebody, query: str, field: str) -> None:
    model = await alice.threat_model()
    body = await alice.refused(400, "invalid_input", "GET", f"{model}/audit_trail?{query}")
    assert body["details"]["field"] == field


def test_empty_filters_ask_for_nothing() -> None:
    assert wanted(dict.fromkeys(("action", "object_type", "by"), "")) == ChangesWanted()


def test_far_away_times_are_times() -> None:
    found = wanted({"since": "0001-01-01T00:00:00+14:00", "until": "9999-12-31T23:59:59.999999-14:00"})
    assert (found.since_ms, found.until_ms) == (0, 253_402_300_799_999)


def test_every_action_can_be_asked_for() -> None:
    assert wanted({"action": ",".join(Action)}).actions == tuple(Action)


async def test_TMIs_clients_read_the_trail_in_their_words(tmi: Edge) -> None:
    ana = await tmi.as_("ana")
    model = await ana.threat_model()
    threat = await ana.post(f"{model}/threats", {"name": "T"})
    await ana.post(f"{model}/threats/{threat['id']}/metadata", {"key": "k", "value": "v"})
    await ana.post(f"{model}/authorization", {"subject": "x@example.org", "role": "reader"})
    found = await ana.get(f"{model}/audit_trail")
    assert [(line["object_type"], line["object_id"], line["change_type"]) for line in found["audit_entries"]] == [
        ("threat_model", found["audit_trail"][0]["threat_model_id"], "updated"),
        ("threat", threat["id"], "updated"),
        ("threat", threat["id"], "created"),
        ("threat_model", found["audit_trail"][0]["threat_model_id"], "created"),
    ]
    assert len({line["id"] for line in found["audit_entries"]}) == 4


async def test_nobody_else_is_told_the_trail_twice(alice: Somebody) -> None:
    assert "audit_entries" not in await alice.get(f"{await alice.threat_model()}/audit_trail")

"""RE: REST."""

from __future__ import annotations

from typing import Any

import httpx2

from codraw.conform.messages import add, edge, event_of, new_id, node, update, word
from codraw.conform.people import json_of
from codraw.conform.rules import Dialect, equal, one_of, rule, that
from codraw.conform.stage import MARKER, Meeting, Stage


def problem(answer: httpx2.Response, status: int, *errors: str) -> dict[str, Any]:
    """RE1: the one shape of every refusal."""
    body = json_of(answer)
    equal(answer.status_code, status, f"the status ({body})")
    shape = {"error", "message", "error_description", "details"}
    that(shape <= body.keys(), f"the error body lacks {sorted(shape - body.keys())}: {body}")
    equal(body["message"], body["error_description"], "message and error_description")
    that(isinstance(body["details"], dict), f"details is no object: {body['details']}")
    for leak in ("Traceback", 'File "', ".py", "SELECT ", "INSERT ", "sqlite"):
        that(leak not in answer.text, f"the error body shows {leak!r}: {answer.text[:300]}")
    if errors:
        that(body["error"] in errors, f"error: expected {' or '.join(errors)}, came {body['error']}")
    return body


@rule("RE1 RE9 S90", "every refusal has the one shape and the right status")
async def problems(stage: Stage) -> None:
    alice = await stage.person("alice")
    problem(await stage.ask(None, "GET", "/threat_models"), 401)
    problem(await stage.ask(alice, "GET", f"/threat_models/{new_id()}"), 404, "not_found")
    problem(await stage.ask(alice, "GET", "/threat_models/not-a-uuid"), 400, "invalid_id")
    problem(await stage.ask(alice, "GET", "/threat_models/1%27%20OR%201=1"), 400, "invalid_id")
    problem(await stage.ask(alice, "POST", "/threat_models", b"{"), 400)
    problem(await stage.ask(alice, "POST", "/threat_models", b"[1]"), 400)
    problem(await stage.ask(alice, "PUT", "/threat_models", {}), 405)
    body = problem(await stage.ask(alice, "POST", "/threat_models", {"name": ["x"]}), 422)
    that({"field", "reason"} <= body["details"].keys(), f"details of a bad field are {body['details']}")


@rule("RE2 RE3", "lists are objects with items, total, limit and offset; X-Total-Count is always there")
async def lists(stage: Stage) -> None:
    alice = await stage.person("alice")
    model = await stage.model()
    for n in range(3):
        new = {"name": f"d{n}", "type": "DFD-1.0.0"}
        await stage.expect(201, alice, "POST", f"/threat_models/{model}/diagrams", new)
    answer = await stage.ask(alice, "GET", f"/threat_models/{model}/diagrams?limit=2&offset=1")
    body = json_of(answer)
    equal([d["name"] for d in body["items"]], [d["name"] for d in body["diagrams"]], "items and diagrams")
    found = (len(body["items"]), body["total"], body["limit"], body["offset"])
    equal(found, (2, 3, 2, 1), "number of items, total, limit, offset")
    equal(answer.headers.get("x-total-count"), "3", "X-Total-Count")
    plain = await stage.ask(alice, "GET", "/threat_models")
    that("x-total-count" in plain.headers, "GET /threat_models has no X-Total-Count")
    bad = await stage.ask(alice, "GET", f"/threat_models/{model}/diagrams?limit=0")
    problem(bad, 400, "invalid_limit")


@rule("RE3", "limit is 20 unless said, at most 1000, and what is no number is refused by its name")
async def pages(stage: Stage) -> None:
    alice = await stage.person("alice")
    path = f"/threat_models/{await stage.model()}/diagrams"
    for query, limit in (("", 20), ("?limit=1000", 1000), ("?limit=1001", 1000), ("?limit=99999", 1000)):
        equal((await stage.expect(200, alice, "GET", f"{path}{query}"))["limit"], limit, f"limit of a list{query}")
    for query, error in (("limit=x", "invalid_limit"), ("limit=-1", "invalid_limit"), ("offset=-1", "invalid_offset")):
        problem(await stage.ask(alice, "GET", f"{path}?{query}"), 400, error)


@rule("RE4", "lists are sorted by the field asked for, either way; what else the query says is ignored")
async def sorted_lists(stage: Stage) -> None:
    alice = await stage.person("alice")
    path = f"/threat_models/{await stage.model()}/diagrams"
    for name in "bca":
        await stage.expect(201, alice, "POST", path, {"name": name, "type": "DFD-1.0.0"})
    orders = {"name": "abc", "-name": "cba", "name:desc": "cba", "created_at": "bca", "-created_at": "acb"}
    for sort, names in orders.items():
        body = await stage.expect(200, alice, "GET", f"{path}?sort={sort}&nonsense=1")
        equal("".join(one["name"] for one in body["items"]), names, f"the names sorted by {sort}")
    problem(await stage.ask(alice, "GET", f"{path}?sort=nothing"), 400)


@rule("RE5", "a JSON patch that replaces an absent member adds it")
async def replaces_absent(stage: Stage) -> None:
    alice = await stage.person("alice")
    path = f"/threat_models/{await stage.model()}"
    steps = [{"op": "replace", "path": "/x_absent", "value": 7}]
    found = await stage.expect(200, alice, "PATCH", path, steps, Content_Type="application/json-patch+json")
    equal(found.get("x_absent"), 7, "the member that was not there")


@rule("S96", "health pages show state and nothing else")
async def health(stage: Stage) -> None:
    for path in ("/healthz", "/readyz"):
        answer = await stage.ask(None, "GET", path)
        one_of(answer.status_code, (200, 503), f"the status of {path}")
        for leak in ("://", "Traceback", ".py", ".db", "password", "secret", "@"):
            that(leak not in answer.text, f"{path} shows {leak!r}: {answer.text[:300]}")


@rule("RE5", "PATCH by content type: merge patch, JSON patch that is all or nothing, else 415")
async def patches(stage: Stage) -> None:
    alice = await stage.person("alice")
    path = f"/threat_models/{await stage.model()}"
    merged = await stage.expect(200, alice, "PATCH", path, {"description": "merged"}, Content_Type="application/json")
    equal(merged["description"], "merged", "description after a merge patch")
    kind = "application/json-patch+json"
    steps = [{"op": "replace", "path": "/description", "value": "patched"}]
    equal((await stage.expect(200, alice, "PATCH", path, steps, Content_Type=kind))["description"], "patched", kind)
    half = [{"op": "replace", "path": "/description", "value": "half"}, {"op": "test", "path": "/name", "value": "no"}]
    refused = await stage.ask(alice, "PATCH", path, half, Content_Type=kind)
    that(400 <= refused.status_code < 500, f"a patch whose test fails came to {refused.status_code}")
    equal((await stage.expect(200, alice, "GET", path))["description"], "patched", "description after a failed patch")
    problem(await stage.ask(alice, "PATCH", path, b"x", Content_Type="text/plain"), 415)


@rule("RE6", "a field that the server owns is 400 read_only_field naming it")
async def owned(stage: Stage) -> None:
    alice = await stage.person("alice")
    meeting = await stage.meeting(live=False)
    answer = await stage.ask(alice, "POST", "/threat_models", {"name": "x", "id": new_id()})
    body = problem(answer, 400, "read_only_field")
    equal(body["details"].get("field"), "id", "details.field")
    body = problem(await stage.ask(alice, "PATCH", meeting.path, {"update_vector": 9}), 400, "read_only_field")
    equal(body["details"].get("field"), "update_vector", "details.field")


@rule("RE7", "unknown fields of threat models and diagrams are kept and returned")
async def unknown_kept(stage: Stage) -> None:
    meeting = await stage.meeting(live=False)
    strange = {"a": [1, {"b": None}], "c": "ü"}
    for path in (meeting.path, f"/threat_models/{meeting.model}"):
        await stage.expect(200, meeting.host, "PATCH", path, {"x_strange": strange})
        found = await stage.expect(200, meeting.host, "GET", path)
        equal(found.get("x_strange"), strange, f"an unknown field of {path}")


@rule("RE8", "a creation is 201 with Location, a deletion 204")
async def created(stage: Stage) -> None:
    alice = await stage.person("alice")
    model = await stage.model()
    answer = await stage.ask(alice, "POST", f"/threat_models/{model}/diagrams", {"name": "d", "type": "DFD-1.0.0"})
    location = answer.headers.get("location", "")
    that(location.endswith(json_of(answer)["id"]), f"Location is {location!r}")
    path = f"/threat_models/{model}/diagrams/{json_of(answer)['id']}"
    await stage.expect(204, alice, "DELETE", path)
    problem(await stage.ask(alice, "GET", path), 404)


@rule("RE10", "answers to signed-in callers are no-store, all are nosniff")
async def headers(stage: Stage) -> None:
    answer = await stage.ask(await stage.person("alice"), "GET", "/threat_models")
    that("no-store" in answer.headers.get("cache-control", ""), f"Cache-Control: {answer.headers.get('cache-control')}")
    for one in (answer, await stage.ask(None, "GET", "/")):
        equal(one.headers.get("x-content-type-options"), "nosniff", "X-Content-Type-Options")


@rule("RE11 S97", "an origin that is not listed gets no permission to read")
async def cors(stage: Stage) -> None:
    alice = await stage.person("alice")
    answer = await stage.ask(alice, "GET", "/threat_models", Origin="https://evil.example")
    equal(answer.headers.get("access-control-allow-origin"), None, "Access-Control-Allow-Origin for a foreign page")


async def replace(meeting: Meeting, cells: list[Any], **headers: str) -> httpx2.Response:
    return await meeting.stage.ask(
        await meeting.stage.person("bob"), "PUT", f"/diagrams/{meeting.diagram}/cells", {"cells": cells}, **headers
    )


@rule("RE12", "while a session lives a replacement of cells needs If-Match with the vector")
async def guarded(stage: Stage) -> None:
    cell = node()
    meeting = await stage.meeting(cell)
    bob = await stage.person("bob")
    await meeting.post(bob, update(cell["id"], x=100))
    kept = {**cell, "x": 100}
    problem(await replace(meeting, []), 409, "if_match_required")
    for tag in ('"0"', "*", '"7"', "nonsense"):
        problem(await replace(meeting, [], If_Match=tag), 409, "version_mismatch")
    body = {"cells": [], "name": "renamed"}
    problem(await stage.ask(bob, "PATCH", meeting.path, body, If_Match='"0"'), 409, "version_mismatch")
    found = await stage.expect(200, meeting.host, "GET", meeting.path)
    equal((found["name"], await meeting.cells()), ("conformance", [kept]), "name and cells after refused replacements")


@rule("RE12", "without a session If-Match is optional, but must fit")
async def unguarded(stage: Stage) -> None:
    cell = node()
    meeting = await stage.meeting(live=False)
    problem(await replace(meeting, [], If_Match='"5"'), 409, "version_mismatch")
    equal((await replace(meeting, [cell])).status_code, 200, "PUT of cells without If-Match")
    equal((await replace(meeting, [], If_Match='"1"')).status_code, 200, "PUT of cells with the right If-Match")
    equal(await meeting.vector(), 2, "the vector")


@rule("RE13 RE14", "an accepted replacement is one operation, told to every socket; order and cells are as given")
async def replaced(stage: Stage) -> None:
    a, b = node(), node(label="goes too")
    meeting = await stage.meeting(a, b, edge(a["id"], b["id"]))
    watchers = await meeting.watchers()
    marker = (await meeting.get())[1][0]
    c = node()
    whole = [c, {key: value for key, value in b.items() if key != "label"}, marker]
    answer = await replace(meeting, whole, If_Match='"0"')
    equal((answer.status_code, answer.headers.get("etag")), (200, '"1"'), "status and ETag")
    equal(await meeting.get(), (1, whole), "vector and cells")
    for watcher in watchers:
        shown = ("diagram_state", "diagram_state_sync", "event")
        message = await watcher.hear(*shown)
        equal(watcher.copy(), whole, f"the copy of {watcher.name}")
        if word(message) == "event":
            equal(message["operation"].get("order"), [cell["id"] for cell in whole], "order of the event")
    equal((await replace(meeting, whole, If_Match='"1"')).status_code, 200, "an equal replacement")
    equal(await meeting.vector(), 1, "the vector after an equal replacement")


@rule("RE15 VEC3", "other fields change at any time without If-Match and add nothing to the vector")
async def other_fields(stage: Stage) -> None:
    meeting = await stage.meeting()
    found = await stage.expect(200, meeting.host, "PATCH", meeting.path, {"name": "another"})
    equal((found["name"], found["update_vector"]), ("another", 0), "name and vector")
    await stage.expect(200, meeting.host, "PUT", meeting.path, {"name": "a third"})
    equal(len((await meeting.get())[1]), 1, "the number of cells after a PUT of the name alone")


@rule("RE16", "GET shows what sockets were just told of, before it reaches any file")
async def live(stage: Stage) -> None:
    meeting = await stage.meeting()
    bob = await meeting.join("bob", stage.first(Dialect.TMI, Dialect.V1))
    for n in range(10):
        await meeting.edit(bob, update(MARKER, x=1000 + n))
        (found,) = (await meeting.get())[1]
        equal(found["x"], 1000 + n, "x right after its receipt")


@rule("RE17", "an operation by REST needs no session, takes free ids, and is answered with its receipt")
async def by_rest(stage: Stage) -> None:
    meeting = await stage.meeting(live=False)
    bob = await stage.person("bob")
    id = new_id()
    answer = await meeting.post(bob, add(node("a-free.id")), id=id)
    receipt = json_of(answer)
    expected = {"operation_id": id, "update_vector": 1, "changed": True, "duplicate": False}
    equal((answer.status_code, {key: receipt.get(key) for key in expected}), (200, expected), "status and receipt")
    refused = problem(await meeting.post(bob, update("nobody", x=1)), 409, "conflict_detected")
    equal(refused["details"].get("affected_cells"), ["nobody"], "details.affected_cells")
    problem(await meeting.post(bob), 422, "empty_operation")
    problem(await meeting.post(bob, {"id": "a", "operation": "paint"}), 422, "invalid_operation_type")
    problem(await meeting.post(bob, add(edge("x", "y"))), 422, "validation_failed")


@rule("RE17", "an operation by REST reaches the sockets of the session as an event")
async def told(stage: Stage) -> None:
    meeting = await stage.meeting()
    bob = await stage.person("bob")
    watchers = await meeting.watchers()
    id, cell = new_id(), node()
    await meeting.post(bob, add(cell), id=id)
    for watcher in watchers:
        event = await watcher.event(id)
        that(event.by in (bob.id, bob.email), f"{watcher.name} heard that {event.by} did it")
        if watcher.dialect is Dialect.V1:
            kinds = [m["kind"] for m in watcher.heard if event_of(watcher.dialect, m) is not None]
            equal(kinds, ["rest"], "the kind of the event")
    await meeting.agree(watchers)


@rule("RE18", "a flat path gives no more access than the nested one")
async def flat(stage: Stage) -> None:
    cell = node()
    meeting = await stage.meeting(cell, live=False)
    for role in ("erin", "dave"):
        answer = await stage.ask(await stage.person(role), "PUT", f"/diagrams/{meeting.diagram}/cells", {"cells": []})
        one_of(answer.status_code, (403, 404), f"PUT /diagrams/…/cells by {role}")
    equal(await meeting.cells(), [cell], "the cells")

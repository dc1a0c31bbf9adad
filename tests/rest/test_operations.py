"""The door for programs."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import pytest

from tests.support.edges import NODE, NOWHERE, Somebody, node


def operation(*cells: dict[str, Any], id: str | None = None, **more: Any) -> dict[str, Any]:
    return {"operation_id": id or str(uuid4()), "operation": {"type": "patch", "cells": list(cells)}, **more}


def add(id: str, **more: Any) -> dict[str, Any]:
    return {"id": id, "operation": "add", "data": node(id, **more)}


def update(id: str, **data: Any) -> dict[str, Any]:
    return {"id": id, "operation": "update", "data": data}


@pytest.fixture
async def diagram(alice: Somebody) -> str:
    return await alice.diagram(await alice.shared_model(("bob", "writer"), ("ron", "reader")), [NODE])


async def test_RE17_an_operation_is_answered_with_its_receipt(alice: Somebody, diagram: str) -> None:
    asked = operation(update("a", x=7), group_id="g")
    answer = await alice.ask("POST", f"{diagram}/operations", asked)
    receipt = answer.json()
    assert (answer.status_code, answer.headers["etag"]) == (200, '"1"')
    assert receipt["message_type"] == "operation_accepted"
    assert receipt["operation_id"] == asked["operation_id"]
    assert (receipt["update_vector"], receipt["changed"], receipt["duplicate"]) == (1, True, False)
    assert receipt["kind"] == "rest"
    assert receipt["epoch"] == (await alice.get(diagram))["epoch"]


async def test_RE17_it_needs_no_session_and_takes_free_ids(alice: Somebody, diagram: str) -> None:
    await alice.post(f"{diagram}/operations", operation(add("process-1")), 200)
    assert [cell["id"] for cell in (await alice.get(diagram))["cells"]] == ["a", "process-1"]


async def test_RE17_what_the_server_did_beside_is_told(alice: Somebody, diagram: str) -> None:
    flow = {"id": "f", "operation": "add", "data": {"shape": "flow", "source": "a", "target": "b"}}
    await alice.post(f"{diagram}/operations", operation(add("b"), flow), 200)
    receipt = await alice.post(f"{diagram}/operations", operation({"id": "a", "operation": "remove"}), 200)
    assert receipt["cells"] == [{"id": "a", "operation": "remove"}, {"id": "f", "operation": "remove"}]


async def test_VEC8_a_repeated_id_gets_the_first_answer(alice: Somebody, diagram: str) -> None:
    asked = operation(update("a", x=7))
    first = await alice.post(f"{diagram}/operations", asked, 200)
    await alice.post(f"{diagram}/operations", operation(update("a", x=8)), 200)
    again = await alice.post(f"{diagram}/operations", {**asked, "base_vector": 2}, 200)
    assert (again["duplicate"], again["update_vector"]) == (True, first["update_vector"])
    assert (await alice.get(diagram))["cells"][0]["x"] == 8


async def test_VEC9_the_same_id_with_another_payload_is_refused(alice: Somebody, diagram: str) -> None:
    asked = operation(update("a", x=7))
    await alice.post(f"{diagram}/operations", asked, 200)
    body = await alice.refused(
        409,
        "operation_id_conflict",
        "POST",
        f"{diagram}/operations",
        operation(update("a", x=8), id=asked["operation_id"]),
    )
    assert body["details"]["message_type"] == "operation_rejected"


async def test_VEC10_another_users_id_is_independent(alice: Somebody, bob: Somebody, diagram: str) -> None:
    asked = operation(update("a", x=7))
    await alice.post(f"{diagram}/operations", asked, 200)
    await bob.post(f"{diagram}/operations", operation(update("a", x=8), id=asked["operation_id"]), 200)


async def test_a_conflict_shows_what_is_there(alice: Somebody, diagram: str) -> None:
    body = await alice.refused(409, "conflict_detected", "POST", f"{diagram}/operations", operation(add("a", x=1)))
    details = body["details"]
    assert (details["reason"], details["affected_cells"], details["current_cells"]) == (
        "conflict_detected",
        ["a"],
        [NODE],
    )


async def test_strict_refuses_what_another_changed(alice: Somebody, bob: Somebody, diagram: str) -> None:
    await bob.post(f"{diagram}/operations", operation(update("a", x=7)), 200)
    strict = operation(update("a", y=1), strict=True, base_vector=0)
    await alice.refused(409, "conflict_detected", "POST", f"{diagram}/operations", strict)
    await alice.refused(
        422, "validation_failed", "POST", f"{diagram}/operations", operation(update("a", y=1), strict=True)
    )


@pytest.mark.parametrize(
    ("body", "status", "error"),
    [
        ({"operation": {"type": "patch", "cells": []}}, 400, "invalid_input"),
        ({**operation(add("b")), "operation_id": "x"}, 400, "invalid_input"),
        ([], 400, "invalid_input"),
        ({"operation_id": str(uuid4())}, 400, "invalid_input"),
        (operation(), 422, "empty_operation"),
        ({"operation_id": str(uuid4()), "operation": {"type": "put", "cells": []}}, 422, "invalid_operation_type"),
        (operation({"id": "a", "operation": "frob"}), 422, "invalid_operation_type"),
        (operation({"id": "a", "operation": "update"}), 422, "validation_failed"),
        (operation(*(add(f"n{n}") for n in range(501))), 422, "limit_exceeded"),
        (operation(add("b"), base_vector="0"), 422, "validation_error"),
        (operation(add("b"), base_vector=-1), 422, "validation_error"),
        (operation(add("b"), strict="yes"), 422, "validation_error"),
        (operation(add("b"), message_type="undo"), 422, "validation_error"),
        (operation(update("nowhere", x=1)), 409, "conflict_detected"),
    ],
)
async def test_RE9_failures_have_their_status(
    alice: Somebody, diagram: str, body: Any, status: int, error: str
) -> None:
    await alice.refused(status, error, "POST", f"{diagram}/operations", body)
    assert (await alice.get(diagram))["update_vector"] == 0


async def test_a_reader_is_refused(here: Any, eve: Somebody, diagram: str) -> None:
    path = f"{diagram}/operations"
    await (await here.as_("ron")).refused(403, "forbidden", "POST", path, operation(add("b")))
    await eve.refused(403, "forbidden", "POST", path, operation(add("b")))
    await eve.refused(404, "not_found", "POST", f"/threat_models/{NOWHERE}/diagrams/{NOWHERE}/operations", operation())


async def test_S43_what_an_operation_says_of_its_author_is_ignored(alice: Somebody, diagram: str) -> None:
    asked = operation(update("a", x=7), user_id="root", role="owner", update_vector=99, timestamp="1999")
    assert (await alice.post(f"{diagram}/operations", asked, 200))["update_vector"] == 1


async def test_SES18_an_ejected_user_reads_but_does_not_write(
    here: Any, alice: Somebody, bob: Somebody, diagram: str
) -> None:
    session = await alice.post(f"{diagram}/collaborate")
    await here.eject(session["session_id"], bob)
    assert (await bob.get(diagram))["cells"] == [NODE]
    await bob.refused(403, "forbidden", "POST", f"{diagram}/operations", operation(add("b")))
    flat = f"/diagrams/{diagram.rpartition('/')[2]}/cells"
    await bob.refused(403, "forbidden", "PUT", flat, {"cells": []}, headers={"If-Match": '"0"'})
    await bob.put(diagram, {"name": "Renamed"})
    await alice.delete(f"{diagram}/collaborate")
    await bob.post(f"{diagram}/operations", operation(add("b")), 200)

"""Who is told what of whose: every address with an id, seen by everybody."""

from __future__ import annotations

import pytest

from tests.support.edges import NODE, NOWHERE, Edge, Somebody

BELOW_MODEL = [
    ("GET", ""),
    ("PUT", ""),
    ("PATCH", ""),
    ("DELETE", ""),
    ("GET", "/authorization"),
    ("POST", "/authorization"),
    ("PUT", "/authorization/0"),
    ("DELETE", "/authorization/0"),
    ("GET", "/metadata"),
    ("POST", "/metadata"),
    ("GET", "/metadata/k"),
    ("PUT", "/metadata/k"),
    ("DELETE", "/metadata/k"),
    ("POST", "/metadata/bulk"),
    ("PUT", "/metadata/bulk"),
    ("PATCH", "/metadata/bulk"),
    ("GET", "/diagrams"),
    ("POST", "/diagrams"),
    ("GET", "/threats"),
    ("POST", "/threats"),
]
BELOW_DIAGRAM = [
    ("GET", ""),
    ("PUT", ""),
    ("PATCH", ""),
    ("DELETE", ""),
    ("POST", "/operations"),
    ("POST", "/collaborate"),
    ("PUT", "/collaborate"),
    ("GET", "/collaborate"),
    ("DELETE", "/collaborate"),
    ("GET", "/metadata"),
    ("POST", "/metadata"),
    ("GET", "/metadata/k"),
    ("PUT", "/metadata/k"),
    ("DELETE", "/metadata/k"),
    ("POST", "/metadata/bulk"),
]
BELOW_THREAT = [("GET", ""), ("PUT", ""), ("PATCH", ""), ("DELETE", ""), ("GET", "/metadata"), ("PUT", "/metadata/k")]
BODY = {
    "name": "N",
    "role": "reader",
    "key": "k",
    "value": "v",
    "cells": [],
    "subject": "a@b.c",
    "subject_type": "user",
}


@pytest.mark.parametrize(("method", "tail"), BELOW_MODEL)
async def test_AU19_S42_below_a_model(alice: Somebody, eve: Somebody, method: str, tail: str) -> None:
    model = await alice.threat_model(name="secret name")
    body = BODY if method in ("POST", "PUT", "PATCH") else None
    refused = await eve.ask(method, model + tail, body)
    assert (refused.status_code, "secret" in refused.text) == (403, False)
    await eve.refused(404, "not_found", method, f"/threat_models/{NOWHERE}{tail}", body)
    await eve.refused(400, "invalid_id", method, f"/threat_models/x{tail}", body)
    assert (await alice.get(model))["name"] == "secret name"


@pytest.mark.parametrize(("method", "tail"), BELOW_DIAGRAM)
async def test_AU19_S42_below_a_diagram(alice: Somebody, eve: Somebody, method: str, tail: str) -> None:
    diagram = await alice.diagram(await alice.threat_model(), [{**NODE, "label": "secret"}])
    hers = await eve.threat_model()
    body = BODY if method in ("POST", "PUT", "PATCH") else None
    id = diagram.rpartition("/")[2]
    refused = await eve.ask(method, diagram + tail, body)
    assert (refused.status_code, "secret" in refused.text) == (403, False)
    moved = await eve.ask(method, f"{hers}/diagrams/{id}{tail}", body)
    assert (moved.status_code, "secret" in moved.text) == (404, False)
    await eve.refused(404, "not_found", method, f"{hers}/diagrams/{NOWHERE}{tail}", body)
    await eve.refused(400, "invalid_id", method, f"{hers}/diagrams/x{tail}", body)
    assert (await alice.get(diagram))["cells"][0]["label"] == "secret"


@pytest.mark.parametrize(("method", "tail"), BELOW_THREAT)
async def test_AU19_S42_below_a_threat(alice: Somebody, eve: Somebody, method: str, tail: str) -> None:
    model, hers = await alice.threat_model(), await eve.threat_model()
    id = (await alice.post(f"{model}/threats", {"name": "secret"}))["id"]
    body = BODY if method in ("PUT", "PATCH") else None
    addresses = {f"{model}/threats/{id}": 403, f"{hers}/threats/{id}": 404, f"{hers}/threats/{NOWHERE}": 404}
    if not tail:
        addresses |= {f"/threats/{id}": 403, f"/threats/{NOWHERE}": 404}
    for address, status in addresses.items():
        refused = await eve.ask(method, address + tail, body)
        assert (address, refused.status_code, "secret" in refused.text) == (address, status, False)
    assert (await alice.get(f"/threats/{id}"))["name"] == "secret"


async def test_AU15_a_right_that_is_taken_away_counts_at_once(alice: Somebody, bob: Somebody) -> None:
    model = await alice.shared_model(("bob", "writer"))
    diagram = await alice.diagram(model, [NODE])
    flat = f"/diagrams/{diagram.rpartition('/')[2]}/cells"
    await bob.put(flat, {"cells": []})
    await alice.put(f"{model}/authorization/1", {"role": "reader"})
    await bob.refused(403, "forbidden", "PUT", flat, {"cells": [NODE]})
    await alice.delete(f"{model}/authorization/1")
    await bob.refused(403, "forbidden", "GET", diagram)


async def test_a_right_that_goes_between_check_and_commit_is_refused_by_the_room(
    here: Edge, alice: Somebody, bob: Somebody
) -> None:
    model = await alice.shared_model(("bob", "writer"))
    diagram = await alice.diagram(model, [NODE])
    id = diagram.rpartition("/")[2]
    role = await here.deps.authorizer.role(bob.caller, id)  # type: ignore[arg-type]
    await alice.delete(f"{model}/authorization/1")

    class Stale:
        """What was read before the right went, as if the request had been that slow."""

        belongs = here.deps.authorizer.belongs

        async def role(self, *_: object) -> object:
            return role

    from dataclasses import replace

    slow = replace(here.deps, authorizer=Stale())  # type: ignore[arg-type]
    here.deps = slow
    late = await here.as_("bob")
    answer = await late.ask("PUT", f"/diagrams/{id}/cells", {"cells": []})
    assert answer.status_code == 403
    assert (await alice.get(diagram))["cells"] == [NODE]

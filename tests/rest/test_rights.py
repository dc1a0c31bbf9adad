"""Who is told what of whose: every route of the table, asked by everybody."""

from __future__ import annotations

from typing import Any

import pytest

from rest.collections import OTHERS
from rest.routes import signed_in_table
from tests.support.edges import NODE, NOWHERE, Edge, Somebody, deps_of_nothing, refusal

ROUTES = [(method, path) for path, methods in signed_in_table(deps_of_nothing()).items() for method in methods]
WITH_ID = [(method, path) for method, path in ROUTES if "{" in path and not path.startswith("/webhook/")]
"""Webhooks belong to a person, not to a threat model: tests/rest/webhooks."""
IN_A_MODEL = [(method, path) for method, path in WITH_ID if path.count("_id}") == 2]
WITH_BODY = [(m, p) for m, p in ROUTES if m in ("POST", "PUT", "PATCH") and not p.endswith(("/logout", "/replay"))]
BODY = {
    "name": "N",
    "role": "reader",
    "subject": "a@b.c",
    "subject_type": "user",
    "key": "k",
    "value": "v",
    "cells": [],
    "metadata": {"k": "v"},
}


def address(path: str, **ids: str) -> str:
    """The path with these ids; a key and a position that are there. An item of another kind than a threat has the id
    under the name of its collection."""
    collection = path.partition("/{item_id}")[0].rpartition("/")[2]
    item_id = ids.get(collection, ids["item_id"])
    return path.replace("{key:path}", "k").format(index="0", **{**ids, "item_id": item_id})


def body_for(method: str) -> Any:
    return BODY if method in ("POST", "PUT", "PATCH") else None


@pytest.fixture
async def hidden(alice: Somebody) -> dict[str, str]:
    """Ids of Alice's things, all of which say `secret`."""
    model = await alice.threat_model(name="secret", metadata={"k": "secret"})
    diagram = await alice.diagram(model, [{**NODE, "label": "secret"}], metadata={"k": "secret"})
    threat = await alice.post(f"{model}/threats", {"name": "secret", "metadata": {"k": "secret"}})
    others = [kind.resource for kind in OTHERS]
    return {
        **{name: (await alice.post(f"{model}/{name}", {"name": "secret"}))["id"] for name in others},
        "threat_model_id": model.removeprefix("/threat_models/"),
        "diagram_id": diagram.rpartition("/")[2],
        "item_id": threat["id"],
    }


async def test_AU14_without_a_credential_every_route_is_401(here: Edge) -> None:
    ids = dict.fromkeys(("threat_model_id", "diagram_id", "item_id", "subscription_id", "delivery_id"), NOWHERE)
    for method, path in ROUTES:
        refusal(await here.http.request(method, address(path, **ids)), 401, "unauthorized")


async def test_AU19_S42_a_stranger_is_told_nothing(alice: Somebody, eve: Somebody, hidden: dict[str, str]) -> None:
    whole = await alice.get(f"/threat_models/{hidden['threat_model_id']}")
    for method, path in WITH_ID:
        refused = await eve.ask(method, address(path, **hidden), body_for(method))
        refusal(refused, 403, "forbidden")
        assert "secret" not in refused.text
    assert await alice.get(f"/threat_models/{hidden['threat_model_id']}") == whole


async def test_S42_the_right_thing_in_the_wrong_model_is_404(eve: Somebody, hidden: dict[str, str]) -> None:
    hers = (await eve.threat_model()).removeprefix("/threat_models/")
    for method, path in IN_A_MODEL:
        refused = await eve.ask(method, address(path, **{**hidden, "threat_model_id": hers}), body_for(method))
        refusal(refused, 404, "not_found")
        assert "secret" not in refused.text


async def test_AU19_an_unknown_id_is_404_and_none_at_all_400(eve: Somebody) -> None:
    hers = (await eve.threat_model()).removeprefix("/threat_models/")
    for method, path in WITH_ID:
        nested = (method, path) in IN_A_MODEL
        unknown = {"threat_model_id": hers if nested else NOWHERE, "diagram_id": NOWHERE, "item_id": NOWHERE}
        await eve.refused(404, "not_found", method, address(path, **unknown), body_for(method))
        malformed = {"threat_model_id": hers if nested else "x", "diagram_id": "x", "item_id": "x"}
        await eve.refused(400, "invalid_id", method, address(path, **malformed), body_for(method))


async def test_RE9_a_malformed_body_is_400(alice: Somebody, hidden: dict[str, str]) -> None:
    headers = {"Content-Type": "application/json"}
    for method, path in WITH_BODY:
        for raw in (b"{", b'{"a":1,"a":2}', b'{"__proto__":{}}'):
            there = address(path, **hidden)
            await alice.refused(400, "invalid_input", method, there, content=raw, headers=headers)


async def test_AU15_a_right_that_is_taken_away_counts_at_once(alice: Somebody, bob: Somebody) -> None:
    model = await alice.shared_model(("bob", "writer"))
    diagram = await alice.diagram(model, [NODE])
    flat = f"/diagrams/{diagram.rpartition('/')[2]}/cells"
    await bob.put(flat, {"cells": []})
    await alice.put(f"{model}/authorization/1", {"role": "reader"})
    await bob.refused(403, "forbidden", "PUT", flat, {"cells": [NODE]})
    await alice.delete(f"{model}/authorization/1")
    await bob.refused(403, "forbidden", "GET", diagram)

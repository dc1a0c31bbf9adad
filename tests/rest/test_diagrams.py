"""Diagrams over REST: cells as they live, replaced only by who has seen them."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any

import pytest

from collab.core import difference
from protocol.statehash import canonical_bytes, cell_hash, hex32
from protocol.values import DiagramId, Epoch
from rest.ports import BY_ITSELF, Cause, Changed, DiagramRow
from storage.models import SqlModels
from tests.support.edges import NODE, NOWHERE, Edge, Somebody, node

PATCH = "application/json-patch+json"
EDGE = {"id": "f", "shape": "flow", "source": {"cell": "a"}, "target": {"cell": "b"}}


def flat(diagram: str) -> str:
    return f"/diagrams/{diagram.rpartition('/')[2]}/cells"


async def live(alice: Somebody, diagram: str) -> None:
    await alice.post(f"{diagram}/collaborate")


def at(vector: int | str) -> dict[str, str]:
    return {"If-Match": str(vector)}


async def test_VEC1_a_new_diagram_stands_at_zero_with_its_cells(alice: Somebody) -> None:
    model = await alice.threat_model()
    answer = await alice.ask("POST", f"{model}/diagrams", {"name": "D", "description": "d", "cells": [NODE]})
    made = answer.json()
    assert (answer.status_code, answer.headers["etag"]) == (201, '"0"')
    assert answer.headers["location"] == f"{model}/diagrams/{made['id']}"
    assert made["cells"] == [NODE]
    assert (made["update_vector"], made["type"], made["name"]) == (0, "DFD-1.0.0", "D")
    assert made["threat_model_id"] == model.removeprefix("/threat_models/")
    assert await alice.get(answer.headers["location"]) == made


async def test_the_other_spelling_of_a_new_diagram(alice: Somebody) -> None:
    model = await alice.threat_model()
    cells = [
        {"id": "p", "type": "process", "position": {"x": 1, "y": 2}, "size": {"width": 120, "height": 60}},
        {"id": "s", "type": "datastore", "position": {"x": 300, "y": 2}, "size": {"width": 100, "height": 60}},
        {"id": "l", "type": "link", "source": {"id": "p"}, "target": {"id": "s"}},
    ]
    body = {"title": "T", "diagram_type": "data_flow", "diagram_json": {"cells": cells, "assets": [{"name": "DB"}]}}
    made = await alice.post(f"{model}/diagrams", body)
    assert (made["name"], made["type"], made["assets"]) == ("T", "DFD-1.0.0", [{"name": "DB"}])
    assert [cell["shape"] for cell in made["cells"]] == ["process", "store", "flow"]
    assert (made["cells"][0]["x"], "position" in made["cells"][0]) == (1, False)
    assert "diagram_json" not in made and "title" not in made


async def test_OP17_flat_geometry_is_returned(alice: Somebody) -> None:
    nested = {"id": "a", "shape": "process", "position": {"x": 5, "y": 6}, "size": {"width": 80, "height": 60}}
    diagram = await alice.diagram(await alice.threat_model(), [nested])
    assert (await alice.get(diagram))["cells"] == [
        {"id": "a", "shape": "process", "x": 5, "y": 6, "width": 80, "height": 60}
    ]


@pytest.mark.parametrize(
    ("cells", "error"),
    [
        ([{"id": "a"}], "validation_failed"),
        ([NODE, NODE], "validation_failed"),
        ([EDGE], "validation_failed"),
        ([node("a", width=1)], "validation_failed"),
        ([node("a", parent="a")], "validation_failed"),
        ([5], "validation_failed"),
        ([node(f"n{n}") for n in range(1_001)], "limit_exceeded"),
        ({}, "validation_error"),
        ("cells", "validation_error"),
    ],
)
async def test_RE9_founding_cells_obey_the_rules_of_cells(alice: Somebody, cells: Any, error: str) -> None:
    model = await alice.threat_model()
    await alice.refused(422, error, "POST", f"{model}/diagrams", {"name": "D", "cells": cells})
    assert (await alice.get(f"{model}/diagrams"))["total"] == 0


async def test_founding_cells_may_be_more_than_an_operation_takes(alice: Somebody) -> None:
    diagram = await alice.diagram(await alice.threat_model(), [node(f"n{n}") for n in range(600)])
    assert len((await alice.get(diagram))["cells"]) == 600


async def test_a_type_that_is_taken_away_is_the_default_again(alice: Somebody) -> None:
    diagram = await alice.diagram(await alice.threat_model(), type="Sketch")
    assert (await alice.put(diagram, {"name": "D", "type": None}))["type"] == "DFD-1.0.0"
    await alice.patch(diagram, {"type": "Sketch"})
    removed = await alice.patch(diagram, [{"op": "remove", "path": "/type"}], "application/json-patch+json")
    assert removed["type"] == "DFD-1.0.0"


@pytest.mark.parametrize("key", ["__proto__", "constructor", "prototype"])
async def test_S54_no_cell_reaches_a_prototype(alice: Somebody, key: str) -> None:
    model = await alice.threat_model()
    path = f"{model}/diagrams"
    await alice.refused(400, "invalid_input", "POST", path, {"name": "D", "cells": [node("a", attrs={key: 1})]})
    escaped = b'{"name":"D","cells":[{"id":"a","\\u005f_proto__":{}}]}'
    headers = {"Content-Type": "application/json"}
    await alice.refused(400, "invalid_input", "POST", path, content=escaped, headers=headers)


async def test_the_list_shows_no_cells(alice: Somebody) -> None:
    model = await alice.threat_model()
    await alice.diagram(model, [NODE], image={"svg": "<svg/>"})
    (item,) = (await alice.get(f"{model}/diagrams"))["diagrams"]
    assert "cells" not in item
    assert (item["type"], item["update_vector"], item["image"]["svg"]) == ("DFD-1.0.0", 0, "<svg/>")


async def test_RE13_a_replacement_is_one_operation(alice: Somebody) -> None:
    diagram = await alice.diagram(await alice.threat_model(), [NODE, node("b"), EDGE])
    answer = await alice.ask("PUT", flat(diagram), {"cells": [node("a", x=1), node("c")]})
    assert (answer.status_code, answer.headers["etag"]) == (200, '"1"')
    assert answer.json()["cells"] == [node("a", x=1), node("c")]
    assert answer.json()["update_vector"] == 1


async def test_RE14_what_is_missing_goes_and_what_is_given_is_exactly_so(alice: Somebody) -> None:
    diagram = await alice.diagram(await alice.threat_model(), [node("a", data={"k": {"l": 1}}), node("b")])
    after = await alice.put(flat(diagram), {"cells": [node("b"), node("a", data={"k": {}})]})
    assert after["cells"] == [node("b"), node("a", data={"k": {}})]


async def test_RE14_an_equal_list_is_a_no_op(alice: Somebody) -> None:
    diagram = await alice.diagram(await alice.threat_model(), [NODE])
    assert (await alice.put(flat(diagram), {"cells": [NODE]}))["update_vector"] == 0


async def test_RE14_a_replacement_costs_the_room_what_changes(alice: Somebody, monkeypatch: pytest.MonkeyPatch) -> None:
    cells = [node(f"n{n}") for n in range(300)]
    diagram = await alice.diagram(await alice.threat_model(), cells)
    await alice.put(flat(diagram), {"cells": [*cells, NODE]})
    compared: list[Any] = []

    def counted(cell: Any) -> bytes:
        compared.append(cell)
        return canonical_bytes(cell)

    monkeypatch.setattr(difference, "canonical_bytes", counted)
    cells[7] = node("n7", x=500)
    assert (await alice.put(flat(diagram), {"cells": [*cells, NODE]}))["update_vector"] == 2
    assert len(compared) < 10


async def test_RE14_a_replacement_may_touch_more_cells_than_an_operation(alice: Somebody) -> None:
    diagram = await alice.diagram(await alice.threat_model())
    cells = [node(f"n{n}") for n in range(600)]
    assert (await alice.put(flat(diagram), {"cells": cells}))["update_vector"] == 1


async def test_RE12_while_a_session_lives_the_vector_must_be_named(alice: Somebody) -> None:
    diagram = await alice.diagram(await alice.threat_model(), [NODE])
    await live(alice, diagram)
    for method, path in (("PUT", flat(diagram)), ("PUT", diagram), ("PATCH", diagram)):
        body = {"name": "Other", "cells": []}
        await alice.refused(409, "if_match_required", method, path, body)
        refused = await alice.refused(409, "version_mismatch", method, path, body, headers=at('"7"'))
        assert refused["details"]["update_vector"] == 0
        await alice.refused(409, "version_mismatch", method, path, body, headers=at("*"))
    after = await alice.get(diagram)
    assert (after["name"], after["cells"], after["update_vector"]) == ("Diagram", [NODE], 0)


@pytest.mark.parametrize("header", ['"0"', "0", 'W/"0"', '"5", "0"'])
async def test_RE12_the_spellings_of_if_match(alice: Somebody, header: str) -> None:
    diagram = await alice.diagram(await alice.threat_model(), [NODE])
    await live(alice, diagram)
    assert (await alice.put(flat(diagram), {"cells": []}, headers=at(header)))["update_vector"] == 1
    await alice.refused(409, "version_mismatch", "PUT", flat(diagram), {"cells": [NODE]}, headers=at(header))


async def test_RE12_without_a_session_if_match_is_optional_but_must_fit(alice: Somebody) -> None:
    diagram = await alice.diagram(await alice.threat_model())
    await alice.put(flat(diagram), {"cells": [NODE]})
    await alice.refused(409, "version_mismatch", "PUT", flat(diagram), {"cells": []}, headers=at('"0"'))
    await alice.refused(409, "version_mismatch", "PUT", flat(diagram), {"cells": []}, headers=at("rubbish"))
    await alice.put(flat(diagram), {"cells": []}, headers=at('"1"'))
    await alice.put(flat(diagram), {"cells": [NODE]}, headers=at("*"))


@pytest.mark.parametrize("session", [False, True])
async def test_RE12_if_match_is_held_to_where_no_cells_are_named(alice: Somebody, session: bool) -> None:
    diagram = await alice.diagram(await alice.threat_model())
    await alice.put(flat(diagram), {"cells": [NODE]})
    if session:
        await live(alice, diagram)
    body = await alice.refused(409, "version_mismatch", "PATCH", diagram, {"name": "New"}, headers=at('"0"'))
    assert body["details"] == {"update_vector": 1}
    await alice.refused(409, "version_mismatch", "DELETE", diagram, headers=at('"0"'))
    assert (await alice.get(diagram))["name"] == "Diagram"
    assert (await alice.patch(diagram, {"name": "New"}, headers=at('"1"')))["name"] == "New"
    assert (await alice.patch(diagram, {"name": "Newer"}, headers=at("*")))["name"] == "Newer"
    await alice.delete(diagram, headers=at('"1"'))


async def test_RE12_if_match_may_name_the_epoch_too(alice: Somebody) -> None:
    diagram = await alice.diagram(await alice.threat_model())
    epoch = (await alice.get(diagram))["epoch"]
    await alice.refused(409, "version_mismatch", "PUT", flat(diagram), {"cells": []}, headers=at('"0-00"'))
    assert (await alice.ask("GET", diagram, headers={"If-None-Match": '"0-00"'})).status_code == 200
    assert (await alice.ask("GET", diagram, headers={"If-None-Match": f'"0-{epoch}"'})).status_code == 304
    await alice.put(flat(diagram), {"cells": [NODE]}, headers=at(f'"0-{epoch}"'))


class Overtaken(SqlModels):
    """Somebody's operation is accepted right before the first write of a row."""

    meanwhile: Callable[[], Awaitable[Any]] | None = None

    async def change_diagram(
        self, row: DiagramRow, cause: Cause = BY_ITSELF, at: tuple[int, Epoch] | None = None
    ) -> Changed:
        await self._overtake()
        return await super().change_diagram(row, cause, at)

    async def delete_diagram(
        self, id: DiagramId, cause: Cause = BY_ITSELF, at: tuple[int, Epoch] | None = None
    ) -> Changed:
        await self._overtake()
        return await super().delete_diagram(id, cause, at)

    async def _overtake(self) -> None:
        meanwhile, self.meanwhile = self.meanwhile, None
        if meanwhile is not None:
            await meanwhile()


async def overtaken(here: Edge) -> tuple[Somebody, str]:
    """Who is overtaken by vector 1, and their diagram."""
    models = Overtaken(here.database, lambda: here.clock.now().wall_ms)
    here.deps = replace(here.deps, models=models)
    alice = await here.as_("alice")
    diagram = await alice.diagram(await alice.threat_model(), [NODE])
    models.meanwhile = lambda: alice.put(flat(diagram), {"cells": []})
    return alice, diagram


@pytest.mark.parametrize(("method", "body"), [("DELETE", None), ("PUT", {"name": "N"}), ("PATCH", {"name": "N"})])
async def test_RE12_if_match_still_has_to_fit_when_the_row_is_written(here: Edge, method: str, body: Any) -> None:
    alice, diagram = await overtaken(here)
    refusal = await alice.refused(409, "version_mismatch", method, diagram, body, headers=at('"0"'))
    assert refusal["details"]["update_vector"] == 1
    assert (await alice.get(diagram))["name"] == "Diagram"


@pytest.mark.parametrize("header", [{}, {"If-Match": "*"}, {"If-Match": '"0", "1"'}], ids=str)
async def test_RE12_who_does_not_mind_the_later_vector_writes_all_the_same(here: Edge, header: dict[str, str]) -> None:
    alice, diagram = await overtaken(here)
    changed = await alice.patch(diagram, {"name": "N"}, headers=header)
    assert (changed["name"], changed["update_vector"]) == ("N", 1)
    await alice.delete(diagram, headers=header)


async def test_RE12_of_many_who_saw_the_same_one_writes(alice: Somebody) -> None:
    diagram = await alice.diagram(await alice.threat_model())
    await live(alice, diagram)
    answers = await asyncio.gather(
        *(alice.ask("PUT", flat(diagram), {"cells": [node(f"n{n}")]}, headers=at('"0"')) for n in range(8))
    )
    assert sorted(answer.status_code for answer in answers) == [200] + [409] * 7
    assert (await alice.get(diagram))["update_vector"] == 1


async def test_writers_without_if_match_follow_each_other(alice: Somebody) -> None:
    diagram = await alice.diagram(await alice.threat_model())
    answers = await asyncio.gather(*(alice.ask("PUT", flat(diagram), {"cells": [node(f"n{n}")]}) for n in range(30)))
    assert [answer.status_code for answer in answers] == [200] * 30
    assert (await alice.get(diagram))["update_vector"] == 30


async def test_RE15_other_fields_change_at_any_time(alice: Somebody) -> None:
    diagram = await alice.diagram(await alice.threat_model(), [NODE])
    await live(alice, diagram)
    after = await alice.put(diagram, {"name": "Renamed", "description": "d"})
    assert (after["name"], after["cells"], after["update_vector"]) == ("Renamed", [NODE], 0)
    assert (await alice.patch(diagram, {"color_palette": ["#fff"]}))["color_palette"] == ["#fff"]


@pytest.mark.parametrize(("before", "after"), [(1, True), (False, 0), ([0, {"a": 1}], [False, {"a": 1}])])
async def test_RE15_a_field_that_changes_its_type_alone_is_written(alice: Somebody, before: Any, after: Any) -> None:
    diagram = await alice.diagram(await alice.threat_model())
    await alice.patch(diagram, {"flag": before})
    assert canonical_bytes((await alice.patch(diagram, {"flag": after}))["flag"]) == canonical_bytes(after)


async def test_RE16_a_read_shows_what_was_acknowledged(alice: Somebody) -> None:
    diagram = await alice.diagram(await alice.threat_model())
    for n in range(3):
        body = {"operation_id": f"00000000-0000-4000-8000-00000000000{n}"}
        cells = [{"id": f"n{n}", "operation": "add", "data": node(f"n{n}")}]
        await alice.post(f"{diagram}/operations", {**body, "operation": {"type": "patch", "cells": cells}}, 200)
        answer = await alice.ask("GET", diagram)
        assert answer.headers["etag"] == f'"{n + 1}"'
        assert len(answer.json()["cells"]) == n + 1


async def test_an_autosave_of_tmi_replaces_cells_and_picture(alice: Somebody) -> None:
    diagram = await alice.diagram(await alice.threat_model(), [NODE])
    patch = [
        {"op": "replace", "path": "/cells", "value": [node("a", x=7), node("b")]},
        {"op": "replace", "path": "/image", "value": {"svg": "<svg/>", "update_vector": 99}},
    ]
    after = await alice.patch(diagram, patch, PATCH)
    assert [cell["id"] for cell in after["cells"]] == ["a", "b"]
    assert after["image"] == {"svg": "<svg/>", "update_vector": 1}


async def test_a_json_patch_reaches_into_the_cells(alice: Somebody) -> None:
    diagram = await alice.diagram(await alice.threat_model(), [NODE])
    patch = [{"op": "test", "path": "/cells/0/id", "value": "a"}, {"op": "replace", "path": "/cells/0/x", "value": 9}]
    after = await alice.patch(diagram, patch, PATCH)
    assert (after["cells"], after["update_vector"]) == ([node("a", x=9)], 1)


@pytest.mark.parametrize("name", ["id", "created_at", "modified_at", "created_by", "update_vector", "epoch"])
async def test_RE6_server_owned_fields_of_a_diagram_are_refused(alice: Somebody, name: str) -> None:
    model = await alice.threat_model()
    await alice.refused(400, "read_only_field", "POST", f"{model}/diagrams", {"name": "D", name: "x"})
    diagram = await alice.diagram(model)
    await alice.refused(400, "read_only_field", "PUT", diagram, {"name": "D", name: "x"})
    await alice.refused(400, "read_only_field", "PATCH", diagram, {name: "x"})
    patch = [{"op": "add", "path": f"/{name}", "value": "x"}]
    headers = {"Content-Type": PATCH}
    await alice.refused(400, "read_only_field", "PATCH", diagram, patch, headers=headers)


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"name": ""}, "name"),
        ({"name": "D", "image": "<svg/>"}, "image"),
        ({"name": "D", "assets": {}}, "assets"),
        ({"name": "D", "title": 5}, "title"),
        ({"name": "D", "diagram_json": []}, "diagram_json"),
        ({"name": "D", "diagram_json": {"assets": 5}, "assets": []}, "diagram_json.assets"),
    ],
)
async def test_an_invalid_diagram_is_422(alice: Somebody, fields: Any, field: str) -> None:
    model = await alice.threat_model()
    assert (await alice.refused(422, "validation_error", "POST", f"{model}/diagrams", fields))["details"][
        "field"
    ] == field


@pytest.mark.parametrize("kind", ["application/json", PATCH])
async def test_RE12_a_request_is_applied_whole_or_not_at_all(alice: Somebody, kind: str) -> None:
    """Cells and fields in one request, each of them once the bad part; with a session, and without."""
    diagram = await alice.diagram(await alice.threat_model(), [NODE], metadata={"k": "v"})
    bad: list[dict[str, Any]] = [
        {"name": "", "cells": []},
        {"name": "Other", "cells": [EDGE]},
        {"metadata": [{"key": "bad key", "value": "v"}], "cells": []},
        {"image": {"svg": 5}, "cells": []},
        {"description": "d", "cells": {}},
        {"epoch": "x", "cells": []},
    ]
    for session in (False, True):
        if session:
            await live(alice, diagram)
        for body in bad:
            patch: Any = body
            if kind == PATCH:
                patch = [{"op": "replace", "path": f"/{name}", "value": value} for name, value in body.items()]
            headers = {"Content-Type": kind, "If-Match": '"0"'}
            answer = await alice.ask("PATCH", diagram, patch, headers=headers)
            assert answer.status_code in (400, 422), answer.text
            after = await alice.get(diagram)
            assert (after["name"], after["cells"], after["update_vector"]) == ("Diagram", [NODE], 0)
            assert (after["metadata"], after["description"]) == ([{"key": "k", "value": "v"}], None)


async def test_RE31_cells_and_fields_of_many_at_once_are_all_there(alice: Somebody) -> None:
    """Whoever writes cells and fields keeps the fields that others write between the two."""
    diagram = await alice.diagram(await alice.threat_model())
    both = [alice.patch(diagram, {f"x-{n}": n, "cells": [node(f"n{n}")]}) for n in range(4)]
    fields = [alice.patch(diagram, {f"x-{n}": n}) for n in range(4, 8)]
    await asyncio.gather(*both, *fields)
    whole = await alice.get(diagram)
    assert ([whole[f"x-{n}"] for n in range(8)], whole["update_vector"]) == (list(range(8)), 4)


async def test_null_is_no_list_of_cells(alice: Somebody) -> None:
    diagram = await alice.diagram(await alice.threat_model(), [NODE])
    await alice.refused(422, "validation_error", "PUT", diagram, {"name": "D", "cells": None})
    await alice.refused(422, "validation_error", "PUT", flat(diagram), {"cells": None})
    assert (await alice.get(diagram))["cells"] == [NODE]


async def seen(alice: Somebody, diagram: str, tag: str) -> int:
    """The status of a GET by somebody who has this."""
    answer = await alice.ask("GET", diagram, headers={"If-None-Match": tag})
    assert answer.status_code == 200 or not answer.content
    assert answer.headers["etag"]
    return answer.status_code


async def test_RE34_who_has_seen_this_vector_gets_no_body(alice: Somebody, here: Edge) -> None:
    diagram = await alice.diagram(await alice.threat_model(), [NODE])
    for tag in ('"0"', "0", 'W/"0"', '"7", "0"', "*"):
        assert await seen(alice, diagram, tag) == 304
    assert await seen(alice, diagram, '"1"') == await seen(alice, diagram, "x") == 200
    await alice.put(flat(diagram), {"cells": []})
    assert (await seen(alice, diagram, '"0"'), await seen(alice, diagram, '"1"')) == (200, 304)


@pytest.mark.parametrize("what", ["name", "metadata"])
async def test_RE34_a_change_beside_the_cells_is_told_to_who_has_the_vector(
    alice: Somebody, here: Edge, what: str
) -> None:
    """The vector does not count it: until an operation well after it, everybody gets the whole."""
    diagram = await alice.diagram(await alice.threat_model(), [NODE])
    here.clock.advance(60)
    if what == "name":
        await alice.patch(diagram, {"name": "Renamed"})
    else:
        await alice.post(f"{diagram}/metadata", {"key": "k", "value": "v"})
    assert await seen(alice, diagram, '"0"') == 200
    await alice.put(flat(diagram), {"cells": []})
    assert await seen(alice, diagram, '"1"') == 200
    here.clock.advance(60)
    await alice.put(flat(diagram), {"cells": [NODE]})
    assert await seen(alice, diagram, '"2"') == 304


async def test_a_stranger_hears_nothing_of_a_vector(alice: Somebody, eve: Somebody) -> None:
    diagram = await alice.diagram(await alice.threat_model())
    await eve.refused(403, "forbidden", "GET", diagram, headers={"If-None-Match": "*"})


async def test_a_refused_change_of_cells_applies_nothing(alice: Somebody) -> None:
    diagram = await alice.diagram(await alice.threat_model(), [NODE])
    await alice.refused(422, "validation_failed", "PUT", diagram, {"name": "Renamed", "cells": [EDGE]})
    assert (await alice.get(diagram))["name"] == "Diagram"


async def test_S42_no_diagram_is_found_under_another_model(alice: Somebody, eve: Somebody) -> None:
    one, other = await alice.threat_model(), await alice.threat_model()
    id = (await alice.diagram(one, [NODE])).rpartition("/")[2]
    hers = await eve.threat_model()
    for asker, model in ((alice, other), (eve, hers)):
        for method, tail in (("GET", ""), ("DELETE", ""), ("GET", "/collaborate"), ("POST", "/collaborate")):
            await asker.refused(404, "not_found", method, f"{model}/diagrams/{id}{tail}")
    await eve.refused(403, "forbidden", "GET", f"{one}/diagrams/{id}")
    await eve.refused(403, "forbidden", "GET", f"{one}/diagrams/{NOWHERE}")


@pytest.mark.parametrize(
    ("role", "writes", "deletes"), [("reader", 403, 403), ("writer", 200, 403), ("owner", 200, 204)]
)
async def test_RE18_roles_hold_at_nested_and_flat_addresses(
    alice: Somebody, bob: Somebody, role: str, writes: int, deletes: int
) -> None:
    diagram = await alice.diagram(await alice.shared_model(("bob", role)), [NODE])
    assert (await bob.ask("GET", diagram)).status_code == 200
    assert (await bob.ask("PUT", flat(diagram), {"cells": []})).status_code == writes
    assert (await bob.ask("PATCH", diagram, {"name": "N"})).status_code == writes
    assert (await bob.ask("DELETE", diagram)).status_code == deletes


async def test_AU19_a_flat_address_tells_a_stranger_no_cells(alice: Somebody, eve: Somebody) -> None:
    diagram = await alice.diagram(await alice.threat_model(), [NODE])
    await eve.refused(403, "forbidden", "PUT", flat(diagram), {"cells": []})
    await eve.refused(404, "not_found", "PUT", f"/diagrams/{NOWHERE}/cells", {"cells": []})
    await eve.refused(400, "invalid_id", "PUT", "/diagrams/x/cells", {"cells": []})


async def test_a_deleted_diagram_ends_its_session(alice: Somebody) -> None:
    diagram = await alice.diagram(await alice.threat_model())
    await live(alice, diagram)
    await alice.delete(diagram)
    await alice.refused(404, "not_found", "GET", diagram)
    await alice.refused(404, "not_found", "DELETE", diagram)
    await alice.refused(404, "not_found", "PUT", flat(diagram), {"cells": []})
    assert await alice.get("/me/sessions") == []


async def test_metadata_is_given_at_creation(alice: Somebody) -> None:
    diagram = await alice.diagram(await alice.threat_model(), metadata={"k": "v"})
    assert (await alice.get(diagram))["metadata"] == [{"key": "k", "value": "v"}]


async def test_a_missing_list_of_cells_is_not_an_empty_one(alice: Somebody) -> None:
    diagram = await alice.diagram(await alice.threat_model(), [NODE])
    await alice.refused(422, "validation_error", "PUT", flat(diagram), {})
    assert (await alice.get(diagram))["cells"] == [NODE]


async def test_the_room_and_the_store_agree(here: Edge, alice: Somebody) -> None:
    diagram = await alice.diagram(await alice.threat_model(), [NODE])
    await alice.put(flat(diagram), {"cells": [NODE, node("b")]})
    viewed = await here.rooms.view(diagram.rpartition("/")[2])  # type: ignore[arg-type]
    assert viewed is not None
    cells = (await alice.get(diagram))["cells"]
    assert hex32(viewed.state_hash) == hex32(sum(map(cell_hash, cells)) % 2**128)


async def test_VEC7_after_a_receipt_every_worker_shows_it(here: Edge, alice: Somebody) -> None:
    """The other worker has the diagram open, and no news reaches it here."""
    diagram = await alice.diagram(await alice.threat_model())
    other = Edge(here.database, "wiki", True, (), worker="w2")
    elsewhere = await other.as_("alice")
    try:
        await elsewhere.put(flat(diagram), {"cells": [NODE]})
        receipt = await alice.put(flat(diagram), {"cells": [NODE, node("b")]})
        assert receipt["update_vector"] == 2
        assert (await elsewhere.get(diagram))["cells"] == [NODE, node("b")]
        assert (await elsewhere.put(flat(diagram), {"cells": [NODE]}))["update_vector"] == 3
        assert (await alice.get(diagram))["update_vector"] == 3
    finally:
        await other.rooms.close()
        await other.tasks.close()

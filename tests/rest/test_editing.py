"""Changes of one row at the same time: none is lost."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from protocol.values import DiagramId, ThreatModelId
from rest.editing import ATTEMPTS, edit_diagram, edit_item, edit_model
from rest.ports import BY_ITSELF, Changed, ItemId, ItemKind, ThreatModel, but
from rest.problems import Problem
from tests.support.edges import Edge, Somebody

PATCH = "application/json-patch+json"


@pytest.fixture(params=["threat model", "diagram", "threat"])
async def holder(request: pytest.FixtureRequest, alice: Somebody) -> str:
    model = await alice.threat_model()
    if request.param == "diagram":
        return await alice.diagram(model)
    if request.param == "threat":
        return f"{model}/threats/{(await alice.post(f'{model}/threats', {'name': 'T'}))['id']}"
    return model


async def test_RE31_of_many_pairs_at_once_none_is_lost(alice: Somebody, holder: str) -> None:
    pairs = [{"key": f"k{n}", "value": "v"} for n in range(8)]
    await asyncio.gather(*(alice.post(f"{holder}/metadata", pair) for pair in pairs))
    assert (await alice.get(f"{holder}/metadata"))["total"] == 8


async def test_RE31_of_thirty_at_once_nobody_has_to_give_up(alice: Somebody, holder: str) -> None:
    pairs = [{"key": f"k{n}", "value": "v"} for n in range(30)]
    answers = await asyncio.gather(*(alice.ask("POST", f"{holder}/metadata", pair) for pair in pairs))
    assert {answer.status_code for answer in answers} == {201}


async def test_RE31_of_many_patches_at_once_none_is_lost(alice: Somebody, holder: str) -> None:
    await asyncio.gather(*(alice.patch(holder, {f"x-{n}": n}) for n in range(8)))
    whole = await alice.get(holder)
    assert [whole[f"x-{n}"] for n in range(8)] == list(range(8))


async def test_RE31_a_json_patch_is_judged_against_what_stands(alice: Somebody, holder: str) -> None:
    """Each adds to the list that the others made, and not to the one it read first."""
    await alice.patch(holder, {"x-list": []})
    patches = [[{"op": "add", "path": "/x-list/-", "value": n}] for n in range(8)]
    await asyncio.gather(*(alice.patch(holder, patch, PATCH) for patch in patches))
    assert sorted((await alice.get(holder))["x-list"]) == list(range(8))


async def test_RE31_of_two_who_tested_the_same_one_wins(alice: Somebody, holder: str) -> None:
    await alice.patch(holder, {"x-turn": 0})
    patch = [{"op": "test", "path": "/x-turn", "value": 0}, {"op": "replace", "path": "/x-turn", "value": 1}]
    headers = {"Content-Type": PATCH}
    answers = await asyncio.gather(*(alice.ask("PATCH", holder, patch, headers=headers) for _ in range(6)))
    assert sorted(answer.status_code for answer in answers) == [200] + [409] * 5


async def test_a_change_that_never_wins_is_a_conflict(here: Edge, alice: Somebody) -> None:
    model = await alice.threat_model()
    id, diagram = ThreatModelId(model.rpartition("/")[2]), DiagramId((await alice.diagram(model)).rpartition("/")[2])
    threat = ItemId((await alice.post(f"{model}/threats", {"name": "T"}))["id"])
    tries = 0

    async def outdated(before: Any) -> Any:
        nonlocal tries
        tries += 1
        return but(before, version=before.version - 1)

    for edited in (
        lambda: edit_model(here.deps, id, outdated, BY_ITSELF),
        lambda: edit_diagram(here.deps, diagram, outdated, BY_ITSELF),
        lambda: edit_item(here.deps, ItemKind.THREAT, threat, outdated, BY_ITSELF),
    ):
        tries = 0
        with pytest.raises(Problem) as raised:
            await edited()
        assert (raised.value.status, tries) == (409, ATTEMPTS)


async def test_a_row_that_goes_meanwhile_is_404(here: Edge, alice: Somebody) -> None:
    id = ThreatModelId((await alice.threat_model()).rpartition("/")[2])

    async def going(before: ThreatModel) -> ThreatModel:
        await here.models.delete(id)
        assert await here.models.change(before) is Changed.GONE
        return but(before, fields={**before.fields, "name": "N"})

    for _ in range(2):
        with pytest.raises(Problem) as raised:
            await edit_model(here.deps, id, going, BY_ITSELF)
        assert raised.value.status == 404


async def test_AU15_a_right_that_goes_while_the_body_comes_is_gone(alice: Somebody, bob: Somebody, holder: str) -> None:
    model = "/".join(holder.split("/")[:3])
    await alice.post(f"{model}/authorization", {"subject": "bob@tmi.local", "subject_type": "user", "role": "writer"})
    for method, path, name in (("PATCH", holder, "x-late"), ("PUT", f"{holder}/metadata/bulk", "late")):
        await alice.put(f"{model}/authorization/1", {"role": "writer"})

        async def slowly(name: str = name) -> AsyncIterator[bytes]:
            yield b'{"%s":' % name.encode()
            await alice.put(f"{model}/authorization/1", {"role": "reader"})
            yield b'"v"}'

        headers = {"Content-Type": "application/json"}
        await bob.refused(403, "forbidden", method, path, content=slowly(), headers=headers)
    whole = await alice.get(holder)
    assert (whole.get("x-late"), whole["metadata"]) == (None, [])

"""Changes of one threat model at the same time: none is lost."""

from __future__ import annotations

import asyncio

import pytest

from rest.editing import ATTEMPTS, edit_model
from rest.ports import Changed, ThreatModel, but
from rest.problems import Problem
from tests.support.edges import Edge, Somebody


async def test_of_many_changes_at_once_none_is_lost(alice: Somebody) -> None:
    model = await alice.threat_model()
    pairs = [{"key": f"k{n}", "value": "v"} for n in range(8)]
    await asyncio.gather(*(alice.post(f"{model}/metadata", pair) for pair in pairs))
    assert (await alice.get(f"{model}/metadata"))["total"] == 8


async def test_a_change_that_never_wins_is_a_conflict(here: Edge, alice: Somebody) -> None:
    model = (await alice.threat_model()).removeprefix("/threat_models/")
    tries = 0

    def outdated(before: ThreatModel) -> ThreatModel:
        nonlocal tries
        tries += 1
        return but(before, version=before.version - 1)

    with pytest.raises(Problem) as raised:
        await edit_model(here.deps, before_id := (await _read(here, model)).id, outdated)
    assert (raised.value.status, tries, before_id) == (409, ATTEMPTS, model)


async def test_a_model_that_goes_meanwhile_is_404(here: Edge, alice: Somebody) -> None:
    model = await _read(here, (await alice.threat_model()).removeprefix("/threat_models/"))
    await here.models.delete(model.id)
    assert await here.models.change(model) is Changed.GONE
    with pytest.raises(Problem) as raised:
        await edit_model(here.deps, model.id, lambda before: before)
    assert raised.value.status == 404


async def _read(here: Edge, id: str) -> ThreatModel:
    found = await here.models.read(id)  # type: ignore[arg-type]
    assert found is not None
    return found

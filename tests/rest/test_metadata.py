"""Metadata: the same endpoints on threat models, diagrams and threats."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.edges import NOWHERE, Edge, Somebody

KINDS = ("threats", "assets", "documents", "repositories", "notes")


@pytest.fixture(params=["threat model", "diagram", *KINDS])
async def holder(request: pytest.FixtureRequest, alice: Somebody, bob: Somebody) -> str:
    model = await alice.shared_model(("bob", "reader"))
    if request.param == "diagram":
        return await alice.diagram(model)
    if request.param in KINDS:
        return f"{model}/{request.param}/{(await alice.post(f'{model}/{request.param}', {'name': 'T'}))['id']}"
    return model


async def test_a_pair_lives(alice: Somebody, holder: str) -> None:
    answer = await alice.ask("POST", f"{holder}/metadata", {"key": "project_phase", "value": "design"})
    assert (answer.status_code, answer.headers["location"]) == (201, f"{holder}/metadata/project_phase")
    assert await alice.get(f"{holder}/metadata/project_phase") == {"key": "project_phase", "value": "design"}
    await alice.put(f"{holder}/metadata/project_phase", {"value": "implementation"})
    assert (await alice.get(f"{holder}/metadata"))["items"] == [{"key": "project_phase", "value": "implementation"}]
    assert (await alice.get(holder))["metadata"] == [{"key": "project_phase", "value": "implementation"}]
    await alice.delete(f"{holder}/metadata/project_phase")
    assert (await alice.get(f"{holder}/metadata"))["total"] == 0


async def test_RE9_what_exists_is_409_and_what_does_not_404(alice: Somebody, holder: str) -> None:
    await alice.post(f"{holder}/metadata", {"key": "k", "value": "v"})
    await alice.refused(409, "conflict", "POST", f"{holder}/metadata", {"key": "k", "value": "w"})
    for method in ("GET", "DELETE"):
        await alice.refused(404, "not_found", method, f"{holder}/metadata/absent")
    await alice.refused(404, "not_found", "PUT", f"{holder}/metadata/absent", {"value": "v"})


async def test_a_key_may_hold_slashes(alice: Somebody, holder: str) -> None:
    await alice.post(f"{holder}/metadata", {"key": "a/b:c", "value": "v"})
    assert (await alice.get(f"{holder}/metadata/a/b:c"))["value"] == "v"


async def test_a_reader_reads(bob: Somebody, alice: Somebody, holder: str) -> None:
    await alice.post(f"{holder}/metadata", {"key": "k", "value": "v"})
    assert (await bob.get(f"{holder}/metadata/k"))["value"] == "v"
    await bob.refused(403, "forbidden", "POST", f"{holder}/metadata", {"key": "l", "value": "v"})
    await bob.refused(403, "forbidden", "PUT", f"{holder}/metadata/k", {"value": "w"})
    await bob.refused(403, "forbidden", "DELETE", f"{holder}/metadata/k")
    for method in ("POST", "PUT", "PATCH"):
        await bob.refused(403, "forbidden", method, f"{holder}/metadata/bulk", {"l": "v"})


async def test_many_pairs_at_once(alice: Somebody, holder: str) -> None:
    bulk = f"{holder}/metadata/bulk"
    await alice.post(bulk, [{"key": "a", "value": "1"}, {"key": "b", "value": "2"}])
    assert (await alice.post(bulk, {"more": "0"}))["items"] == [{"key": "more", "value": "0"}]
    await alice.delete(f"{holder}/metadata/more")
    await alice.refused(409, "conflict", "POST", bulk, {"b": "3", "c": "4"})
    assert (await alice.patch(bulk, {"b": "3", "c": "4"}))["items"] == [
        {"key": "a", "value": "1"},
        {"key": "b", "value": "3"},
        {"key": "c", "value": "4"},
    ]
    assert (await alice.put(bulk, {"metadata": [{"key": "z", "value": "9"}]}))["total"] == 1
    await alice.refused(422, "validation_error", "PUT", bulk, {f"k{n}": "v" for n in range(101)})


@pytest.mark.parametrize(
    ("pairs", "field"),
    [
        ([{"key": "a", "value": "1"}, {"key": "b", "value": 2}], "metadata[1].value"),
        ([{"key": "a b", "value": "1"}], "metadata[0].key"),
        ({"a": "1", "b": ""}, "metadata.b.value"),
    ],
)
async def test_RE1_of_many_pairs_the_bad_one_is_named(alice: Somebody, holder: str, pairs: object, field: str) -> None:
    refused = await alice.refused(422, "validation_error", "PUT", f"{holder}/metadata/bulk", pairs)
    assert refused["details"]["field"] == field


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH"])
async def test_many_pairs_at_once_are_answered_whole_whatever_the_address_says(
    alice: Somebody, holder: str, method: str
) -> None:
    given = {f"k{n}": "v" for n in range(100)}
    answer = await alice.ask(method, f"{holder}/metadata/bulk?limit=nonsense", given)
    assert (answer.is_success, answer.json()["total"], len(answer.json()["items"])) == (True, 100, 100)


@pytest.mark.parametrize("key", ["", "a b", "é", "x" * 257, "bulk", 5, None])
async def test_a_key_is_a_plain_name(alice: Somebody, holder: str, key: Any) -> None:
    await alice.refused(422, "validation_error", "POST", f"{holder}/metadata", {"key": key, "value": "v"})


@pytest.mark.parametrize("key", ["__proto__", "constructor", "prototype"])
async def test_S54_a_key_never_reaches_a_prototype(alice: Somebody, holder: str, key: str) -> None:
    await alice.refused(422, "validation_error", "POST", f"{holder}/metadata", {"key": key, "value": "v"})
    await alice.refused(422, "validation_error", "PUT", f"{holder}/metadata/bulk", [{"key": key, "value": "v"}])
    await alice.refused(400, "invalid_input", "PUT", f"{holder}/metadata/bulk", {key: "v"})


@pytest.mark.parametrize("value", ["", "x" * 1_025, 5, None, ["v"]])
async def test_a_value_is_a_short_text(alice: Somebody, holder: str, value: Any) -> None:
    await alice.refused(422, "validation_error", "POST", f"{holder}/metadata", {"key": "k", "value": value})


async def test_S42_nothing_is_found_under_another_model(alice: Somebody, holder: str) -> None:
    other = await alice.threat_model()
    if holder.count("/") > 2:
        moved = other + holder[len(other) :]
        await alice.refused(404, "not_found", "GET", f"{moved}/metadata")
    await alice.refused(404, "not_found", "GET", f"/threat_models/{NOWHERE}/metadata")


async def test_the_tmi_profile_lists_a_bare_array(tmi: Edge) -> None:
    alice = await tmi.as_("alice")
    model = await alice.threat_model(metadata={"k": "v"})
    assert await alice.get(f"{model}/metadata") == [{"key": "k", "value": "v"}]

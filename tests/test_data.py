"""The example diagrams are what their README says: canonical, sound, and stable in their hashes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from protocol.cells import canonical_cells, is_edge
from protocol.codec import Encoding, decode_body, encode
from protocol.statehash import cell_hash, combine, hex32
from protocol.values import Cell, Limits
from tests.data.generate import diagram
from tests.naive import NaiveDiagram, check

DATA = Path(__file__).with_name("data")
LIMITS = Limits()

HASHES = {
    "api-integration.flat.json": "cf954b7f2e645c97599f879dc17eb140",
    "api-integration.nested.json": "cf954b7f2e645c97599f879dc17eb140",
    "api-workflows.flat.json": "de39e1abe87bcd74a3b2ba58c01a0178",
    "api-workflows.nested.json": "de39e1abe87bcd74a3b2ba58c01a0178",
    "dfd-100.json": "a154a8871f84787f574461dbf1b335f9",
    "kubernetes.json": "41ad75b30da14fba7b881d98cafc1fa5",
    "oauth-code-flow.json": "5d7df7826b2e2125aec49c5731a7efc1",
}


def canonical(raw: Any, *, free_ids: bool = True) -> tuple[Cell, ...]:
    return canonical_cells(raw, free_ids=free_ids, limits=LIMITS)


def load(name: str) -> Any:
    return decode_body((DATA / name).read_bytes())


def state_hash(cells: tuple[Cell, ...]) -> str:
    return hex32(combine(map(cell_hash, cells)))


def test_every_diagram_is_listed_here_and_in_the_README() -> None:
    names = {path.name for path in DATA.glob("*.json")} - {"statehash.json"}
    assert names == HASHES.keys()
    readme = (DATA / "README.md").read_text("utf-8")
    assert [name for name in names if name.partition(".")[0] not in readme] == []


@pytest.mark.parametrize("name", HASHES)
def test_VEC14_a_diagram_keeps_its_hash(name: str) -> None:
    cells = canonical(load(name))
    assert state_hash(cells) == HASHES[name]
    assert state_hash(tuple(reversed(cells))) == HASHES[name]
    assert NaiveDiagram([dict(cell) for cell in cells]).hash() == combine(map(cell_hash, cells))
    again = decode_body(encode(cells, Encoding.JSON))
    assert state_hash(canonical(again)) == HASHES[name]


@pytest.mark.parametrize("name", HASHES)
def test_a_diagram_is_sound(name: str) -> None:
    check({}, {cell["id"]: dict(cell) for cell in canonical(load(name))}, LIMITS)


@pytest.mark.parametrize("page", ["api-integration", "api-workflows"])
def test_OP17_both_geometries_of_a_page_are_one_diagram(page: str) -> None:
    flat, nested = load(f"{page}.flat.json"), load(f"{page}.nested.json")
    assert canonical(flat) == canonical(nested)
    assert any("position" in cell for cell in nested)
    assert not any("position" in cell for cell in flat)


def test_the_printed_workflow_comes_out_canonical() -> None:
    process, store, link = canonical(load("api-workflows.nested.json"))
    assert (process["shape"], process["x"], process["height"]) == ("process", 100, 60)
    assert (store["shape"], store["type"]) == ("store", "datastore")
    assert (link["shape"], link["source"], link["target"]) == ("flow", {"cell": "process-1"}, {"cell": "datastore-1"})


@pytest.mark.parametrize("name", ["kubernetes.json", "oauth-code-flow.json", "dfd-100.json"])
def test_the_larger_diagrams_have_UUIDs_and_use_the_language(name: str) -> None:
    cells = canonical(load(name), free_ids=False)
    assert len(cells) >= 20
    assert {"actor", "process", "security-boundary", "flow"} <= {cell["shape"] for cell in cells}
    assert any("parent" in cell for cell in cells)


@pytest.mark.parametrize("size", [100, 1_000, 5_000])
def test_generated_diagrams_have_their_size_and_are_sound(size: int) -> None:
    cells = canonical(diagram(size), free_ids=False)
    assert len(cells) == size
    assert list(cells) == diagram(size)
    check({}, {cell["id"]: dict(cell) for cell in cells}, LIMITS)
    assert 0.4 < sum(map(is_edge, cells)) / size < 0.7


def test_a_seed_gives_one_diagram_and_another_seed_another() -> None:
    assert diagram(100) == json.loads((DATA / "dfd-100.json").read_text("utf-8"))
    assert diagram(300, seed=2) == diagram(300, seed=2) != diagram(300, seed=3)

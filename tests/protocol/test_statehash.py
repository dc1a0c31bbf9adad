"""Canonical bytes are RFC 8785, hashes are the published ones, and JavaScript computes the same."""

from __future__ import annotations

import json
import math
import random
import subprocess
from pathlib import Path
from typing import Any

import pytest
import rfc8785
from hypothesis import example, given, settings
from hypothesis import strategies as st

from protocol.codec import MAX_NUMBER, Encoding, encode
from protocol.statehash import MODULUS, canonical_bytes, cell_hash, combine, hash_and_text, hex32

ROOT = Path(__file__).parents[2]
VECTORS = json.loads((ROOT / "tests/data/statehash.json").read_text("utf-8"))
CELLS = [vector["cell"] for vector in VECTORS["cells"]]

PROCESS, FLOW = CELLS[:2]


def test_VEC14_the_published_cells_have_the_published_hashes() -> None:
    assert hex32(cell_hash(PROCESS)) == "87ecccc1f640aa8c82a1ec3f014dc545"
    assert hex32(cell_hash(FLOW)) == "a3b3f1af0d4bf25ffb3fd37e034ae0e9"
    assert hex32(combine([cell_hash(PROCESS), cell_hash(FLOW)])) == "2ba0be71038c9cec7de1bfbd0498a62e"
    assert hex32(combine([cell_hash(FLOW), cell_hash(PROCESS)])) == "2ba0be71038c9cec7de1bfbd0498a62e"


@pytest.mark.parametrize("vector", VECTORS["cells"], ids=lambda vector: vector["cell"]["id"][:8])
def test_VEC14_every_vector_holds(vector: dict[str, Any]) -> None:
    assert hex32(cell_hash(vector["cell"])) == vector["hash"]


def test_VEC14_without_cells_the_hash_is_0() -> None:
    assert hex32(combine([])) == "0" * 32


def test_VEC14_a_hash_can_be_moved_over_one_changed_cell() -> None:
    before, after, other = cell_hash(PROCESS), cell_hash(PROCESS | {"x": 101}), cell_hash(FLOW)
    assert combine((combine((before, other)), -before, after)) == combine((after, other))


def test_VEC14_the_sum_stays_below_the_modulus() -> None:
    assert combine((MODULUS - 1, 2)) == 1
    assert combine((0, -1)) == MODULUS - 1


def test_VEC14_the_order_of_keys_does_not_count() -> None:
    assert cell_hash(dict(reversed(PROCESS.items()))) == cell_hash(PROCESS)


def test_a_cell_has_its_hash_and_its_text_at_once() -> None:
    for cell in CELLS:
        assert hash_and_text(cell) == (cell_hash(cell), rfc8785.dumps(cell))


# Keys where UTF-16 order and code point order differ, and strings that look like what the fast way must not write.
texts = st.text(
    st.sampled_from('a\u007f\u0080é\ud7ff\ue000\ufeff\uffff😀\U0010ffff\n\x01"\\/') | st.characters(codec="utf-8")
)
fractions = st.floats(-1e-4, 1e-4) | st.floats(-MAX_NUMBER, MAX_NUMBER)
numbers = st.integers(-MAX_NUMBER, MAX_NUMBER) | fractions.filter(lambda number: not number.is_integer())
values = st.recursive(
    st.none() | st.booleans() | numbers | texts | st.sampled_from(["1e-6", "e-6", "1e-7", "0.000001"]),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts, inner, max_size=4),
    max_leaves=12,
)


@given(values)
@settings(max_examples=400, deadline=None)
@example({"\ue000": 1, "😀": 2, "\ud7ff": 3})
@example(["3c9d1e5e-6f5b-4c3e-6a11-0123456789ab", {"e-6": 1e-6}])
@example(1e-6)
@example([1e-6, -1e-6, 1.5e-6, 9.999999999999999e-06, 1e-5, math.nextafter(1e-6, 0), math.nextafter(1e-5, 1)])
@example({"😀": 1.25e-6, "\uffff": {"😀": [5e-6], "\ue000": (2e-6,)}})
def test_canonical_bytes_are_those_of_RFC_8785(value: Any) -> None:
    assert canonical_bytes(value) == rfc8785.dumps(value)


def test_fractions_of_every_magnitude_are_spelt_as_ECMAScript_does() -> None:
    draw = random.Random(8785)
    for exponent in range(-30, 15):
        for _ in range(40):
            number = draw.choice((-1, 1)) * draw.uniform(1, 10) * 10.0**exponent
            if not number.is_integer():
                assert canonical_bytes(number) == rfc8785.dumps(number)


SCRIPT = """
import { readFileSync } from "node:fs";
import { cellHash, hex32 } from "./web/sdk/statehash.js";
const hashes = JSON.parse(readFileSync(0, "utf8")).map(cellHash);
const sum = hashes.reduce((total, hash) => total + hash, 0n);
console.log(JSON.stringify({ hashes: hashes.map(hex32), sum: hex32(sum) }));
"""


def test_VEC14_JavaScript_gives_the_same_hashes_for_2_000_random_cells(node: str) -> None:
    cells = random_cells(2_000, seed=14)
    command = [node, "--input-type=module", "--eval", SCRIPT]
    done = subprocess.run(command, cwd=ROOT, input=encode(cells, Encoding.JSON), capture_output=True, check=True)
    theirs = json.loads(done.stdout)
    ours = [cell_hash(cell) for cell in cells]
    assert theirs["hashes"] == [hex32(hash_) for hash_ in ours]
    assert theirs["sum"] == hex32(combine(ours))


def random_cells(count: int, seed: int) -> list[dict[str, Any]]:
    draw = random.Random(seed)
    alphabet = 'abcxyz019 -/:\\"\n\t\x01\x7féß€漢\ue000\ufeff\uffff😀🎉'

    def text() -> str:
        return "".join(draw.choices(alphabet, k=draw.randint(0, 12)))

    def number() -> float:
        fraction = draw.uniform(-1, 1) * 10.0 ** draw.randint(-12, 12)
        return draw.choice((draw.randint(-MAX_NUMBER, MAX_NUMBER), round(fraction, 6) or 1, fraction))

    def value(levels: int) -> Any:
        leaf = draw.choice((text, number, lambda: draw.choice((True, False, None))))
        inner = draw.choice((lambda: [value(levels - 1) for _ in range(3)], lambda: thing(levels - 1)))
        return draw.choice((leaf, inner))() if levels else leaf()

    def thing(levels: int) -> dict[str, Any]:
        return {text(): value(levels) for _ in range(draw.randint(0, 5))}

    cells = [
        {"id": f"c{n}", "shape": "process", "x": number(), "attrs": thing(3), text(): value(2)} for n in range(count)
    ]
    return [integral(cell) for cell in cells]


def integral(value: Any) -> Any:
    """OP15: whole floats are integers."""
    match value:
        case dict():
            return {key: integral(item) for key, item in value.items()}
        case list():
            return [integral(item) for item in value]
        case float() if value.is_integer():
            return int(value)
    return value

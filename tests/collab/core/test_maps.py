"""Both kinds of persistent maps do what a dictionary does, and what was made of one leaves it as it is."""

from __future__ import annotations

import importlib.util
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collab.core.maps import Map, RpdsMap

KEYS = st.sampled_from("abcdef")
STEPS = st.lists(st.tuples(KEYS, st.none() | st.integers(0, 9)), max_size=20)
Kind = type[Any]
KINDS = list(dict.fromkeys((Map, RpdsMap)))
"""With Python 3.14 both are the second."""


@pytest.fixture(params=KINDS)
def kind(request: pytest.FixtureRequest) -> Kind:
    made: Kind = request.param
    return made


def test_the_faster_one_is_taken_where_it_is() -> None:
    assert (Map is not RpdsMap) is (importlib.util.find_spec("immutables") is not None)


@pytest.mark.parametrize("kind", KINDS)
@given(first=st.dictionaries(KEYS, st.integers()), steps=STEPS)
def test_it_is_as_a_dictionary_would_be(kind: Kind, first: dict[str, int], steps: list[tuple[str, int | None]]) -> None:
    expected, before = dict(first), kind(first)
    now, mutation = before, before.mutate()
    for key, value in steps:
        if value is not None:
            expected[key], now, mutation[key] = value, now.set(key, value), value
        elif key in expected:
            del expected[key], mutation[key]
            now = now.delete(key)
        assert mutation.get(key) == now.get(key) == expected.get(key)
    for made in (now, mutation.finish()):
        assert dict(made.items()) == {key: made[key] for key in made} == expected
        assert (len(made), set(made.keys()), bool(made)) == (len(expected), set(expected), bool(expected))
        assert made == kind(expected)
    assert dict(before.items()) == first


def test_what_is_not_there_is_not_found(kind: Kind) -> None:
    assert ("a" in kind(), kind().get("a", 7)) == (False, 7)
    with pytest.raises(KeyError):
        kind()["a"]
    with pytest.raises(KeyError):
        kind().delete("a")

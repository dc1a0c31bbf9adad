from __future__ import annotations

from codraw.conform.order import KNOWN_HASH
from codraw.conform.statehash import state_hash


def test_VEC14_the_published_values_come_out() -> None:
    first, second = KNOWN_HASH
    assert state_hash([first]) == "87ecccc1f640aa8c82a1ec3f014dc545"
    assert state_hash([second]) == "a3b3f1af0d4bf25ffb3fd37e034ae0e9"
    assert state_hash([second, first]) == "2ba0be71038c9cec7de1bfbd0498a62e"


def test_no_cells_are_0() -> None:
    assert state_hash([]) == "0" * 32

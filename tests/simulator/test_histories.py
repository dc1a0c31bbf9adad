"""Random histories of several editors on two workers with every fault: a thousand of them, each from one integer."""

from __future__ import annotations

from collections import Counter

import pytest

from tests.simulator.histories import History
from tests.simulator.world import Faults

SEEDS: dict[int, str] = {}
"""Seeds that once failed, with the rule they broke; they run first, and stay."""

BLOCK = 50
BLOCKS = 20


@pytest.mark.parametrize("seed", SEEDS)
def test_I2_a_seed_that_once_failed_holds(seed: int) -> None:
    History(seed).play()


def test_I2_one_calm_history_ends_with_everybody_equal() -> None:
    History(1, Faults(on=False)).play()


@pytest.mark.parametrize("block", range(BLOCKS))
def test_I1_I2_I3_I4_I6_I8_I9_I13_I29_hold_in_random_histories_with_faults(block: int) -> None:
    count: Counter[str] = Counter()
    for seed in range(block * BLOCK, (block + 1) * BLOCK):
        try:
            count += History(seed).play()
        except Exception as error:
            error.add_note(f"seed {seed}")
            raise
    for path in (
        "Missed",
        "Known",
        "unresolved",
        "unavailable",
        "kill",
        "lost",
        "repeated",
        "undo",
        "role",
        "sent twice",
    ):
        assert count[path] > 0, f"a run in which no {path} happened does not count"

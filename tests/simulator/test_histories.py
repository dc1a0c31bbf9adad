"""Random histories of several editors on two workers with every fault: a thousand of them, each from one integer."""

from __future__ import annotations

from collections import Counter

import msgspec
import pytest

from tests.simulator.histories import History
from tests.simulator.world import SETTINGS, Faults

SEEDS = {
    183: "OP20: TMI's client is shown whole cells, so an unseen change of another key overwrote its own edit",
    886: "VEC8: a no-op asked again stays one, and a client that does not read its receipts must look",
}
"""Seeds that once failed, with the rule they broke; they run first, and stay."""

SHARED = msgspec.structs.replace(SETTINGS, shared_undo=True)
BLOCK = 50
BLOCKS = 20


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("faults", [False, True])
def test_I2_a_seed_that_once_failed_holds(seed: int, faults: bool) -> None:
    History(seed, Faults(on=faults)).play()


def test_I2_one_calm_history_ends_with_everybody_equal() -> None:
    History(1, Faults(on=False)).play()


def test_OP20_the_copy_of_TMIs_client_is_right_in_calm_histories() -> None:
    for seed in range(100):
        History(seed, Faults(on=False)).play()


def test_UN14_I2_they_hold_with_one_stack_for_all() -> None:
    for seed in range(60):
        History(seed, Faults(on=seed % 3 > 0), settings=SHARED).play()


@pytest.mark.parametrize("shared", [False, True])
def test_UN11_stacks_that_are_kept_are_those_that_would_be_read(shared: bool) -> None:
    for seed in range(40):
        history = History(seed, settings=SHARED if shared else SETTINGS, workers=("A",))
        history.play()
        history.check_stacks()


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

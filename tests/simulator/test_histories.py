"""Random histories of editors on several workers with every fault, each from one integer; campaigns play thousands."""

from __future__ import annotations

import msgspec
import pytest

from tests.simulator.faults import Faults
from tests.simulator.histories import History
from tests.simulator.ledger import KNOWN
from tests.simulator.run import INJECTED, UNDO_HEAVY, Plan, Tally, complaints, played
from tests.simulator.world import SETTINGS

SHARED = msgspec.structs.replace(SETTINGS, shared_undo=True)
BLOCK = 50
BLOCKS = 5


def checked(tally: Tally) -> Tally:
    assert not tally.failures, tally.failures
    return tally


def test_I2_one_calm_history_ends_with_everybody_equal() -> None:
    History(1, Faults(on=False)).play()


def test_OP20_the_copy_of_TMIs_client_is_right_in_calm_histories() -> None:
    checked(played(Plan(faults=False), range(80)))


def test_UN14_I2_they_hold_with_one_stack_for_all() -> None:
    for seed in range(40):
        History(seed, Faults(on=seed % 3 > 0), settings=SHARED).play()


def test_I14_they_hold_where_a_third_is_undo_and_redo() -> None:
    assert not complaints(Plan(undo=UNDO_HEAVY), checked(played(Plan(undo=UNDO_HEAVY), range(30_000, 30_040))))


@pytest.mark.parametrize("shared", [False, True])
def test_UN11_stacks_that_are_kept_are_those_that_would_be_read(shared: bool) -> None:
    for seed in range(30):
        history = History(seed, settings=SHARED if shared else SETTINGS, workers=1)
        history.play()
        history.check_stacks()


@pytest.mark.parametrize("block", range(BLOCKS))
def test_I1_I2_I3_I4_I6_I8_I9_I13_I29_hold_in_random_histories_with_faults(block: int) -> None:
    tally = checked(played(Plan(), range(block * BLOCK, (block + 1) * BLOCK)))
    assert {kind for kind in COMMON if not tally.counts.get(kind)} == set(), "what did not happen proves nothing"


FEW = "outage deafness damage drain demote eject end expire lose forge unresolved unavailable repeat"
SEEDS = (("OP20", 65_989_761, FEW),)
"""Histories that once broke a rule, and the kinds of faults that they do without."""


@pytest.mark.parametrize(("rule", "seed", "without"), SEEDS)
def test_I2_histories_that_once_broke_a_rule_hold(rule: str, seed: int, without: str) -> None:
    checked(played(Plan(without=tuple(without.split())), range(seed, seed + 1)))


COMMON = frozenset(INJECTED) - {"zombie commit", "id misused", "presence emptied", "last frame lost", "room closed"}
"""In fifty histories each of these happens."""


def test_every_invariant_and_fault_has_its_turn_in_a_few_hundred_histories() -> None:
    tally = checked(played(Plan(), range(40_000, 40_100)))
    assert [id for id in KNOWN if not tally.held.get(id)] == []
    assert [kind for kind in INJECTED if not tally.counts.get(kind)] == []

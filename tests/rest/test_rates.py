"""How often one may ask, as one worker counts it."""

from __future__ import annotations

import pytest

from rest.ports import Quota
from rest.rates import LocalRates
from tests.contracts.rates import SIX, RatesContract, spent


class LocalWorld:
    def __init__(self) -> None:
        self.s = 1_000.0
        self.rates = LocalRates(lambda: self.s)

    def turn(self, seconds: float) -> None:
        self.s += seconds


class TestLocalRates(RatesContract):
    @pytest.fixture
    def world(self) -> LocalWorld:
        return LocalWorld()


async def test_the_wait_is_told_to_the_moment() -> None:
    world = LocalWorld()
    await spent(world.rates)
    refused = await world.rates.take(SIX, "ana")
    assert refused.wait_s == pytest.approx(10)
    world.turn(refused.wait_s + 0.001)
    assert (await world.rates.take(SIX, "ana")).wait_s == 0


async def test_S75_of_very_many_that_ask_the_one_unseen_for_longest_is_forgotten() -> None:
    rates = LocalRates(lambda: 0.0)
    one = Quota("one", 1)
    for n in range(10_001):
        await rates.take(one, f"2001:db8::{n:x}")
    assert (await rates.look(one, "2001:db8::0")).left == 1
    assert (await rates.look(one, "2001:db8::1")).left == 0

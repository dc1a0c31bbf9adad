"""What every Rates owes, `rest.ports.Rates` sentence by sentence."""

from __future__ import annotations

from typing import Protocol

import pytest

from rest.ports import Quota, Rates

SIX = Quota("six", 6)
OTHER = Quota("other", 6)


class RatesWorld(Protocol):
    @property
    def rates(self) -> Rates: ...

    def turn(self, seconds: float) -> None:
        """Time may run by itself, too."""


async def spent(rates: Rates, quota: Quota = SIX, who: str = "ana") -> list[int]:
    """All there is is taken; what was left each time."""
    left = []
    for _ in range(quota.per_minute):
        allowance = await rates.take(quota, who)
        assert allowance.wait_s == 0
        left.append(allowance.left)
    return left


class RatesContract:
    """A subclass gives the fixture `world`."""

    async def test_a_minutes_worth_may_be_spent_at_once_and_no_more(self, world: RatesWorld) -> None:
        assert await spent(world.rates) == [5, 4, 3, 2, 1, 0]
        refused = await world.rates.take(SIX, "ana")
        assert refused.left == 0 and 8 < refused.wait_s <= 10

    async def test_it_comes_back_steadily(self, world: RatesWorld) -> None:
        await spent(world.rates)
        world.turn(10.5)
        assert (await world.rates.take(SIX, "ana")).wait_s == 0
        assert (await world.rates.take(SIX, "ana")).wait_s > 0
        world.turn(20)
        assert [(await world.rates.take(SIX, "ana")).wait_s > 0 for _ in range(3)] == [False, False, True]

    async def test_whoever_is_refused_does_not_wait_longer_for_it(self, world: RatesWorld) -> None:
        await spent(world.rates)
        for _ in range(20):
            assert (await world.rates.take(SIX, "ana")).wait_s > 0
        world.turn(10.5)
        assert (await world.rates.take(SIX, "ana")).wait_s == 0

    async def test_no_more_than_a_minutes_worth_is_saved_up(self, world: RatesWorld) -> None:
        await world.rates.take(SIX, "ana")
        world.turn(3_600)
        assert await spent(world.rates) == [5, 4, 3, 2, 1, 0]
        assert (await world.rates.take(SIX, "ana")).wait_s > 0

    async def test_everybody_has_their_own_of_each_quota(self, world: RatesWorld) -> None:
        await spent(world.rates)
        for quota, who in ((SIX, "bo"), (OTHER, "ana")):
            assert await spent(world.rates, quota, who) == [5, 4, 3, 2, 1, 0]

    async def test_looking_takes_none(self, world: RatesWorld) -> None:
        assert [await world.rates.look(SIX, "ana") for _ in range(9)] == [await world.rates.look(SIX, "ana")] * 9
        assert (await world.rates.look(SIX, "ana")).left == 6
        await spent(world.rates)
        looked = await world.rates.look(SIX, "ana")
        assert looked.left == 0 and 8 < looked.wait_s <= 10

    @pytest.mark.parametrize("per_minute", [1, 7, 6_000, 1_000_000])
    async def test_a_quota_of_any_size_is_kept(self, world: RatesWorld, per_minute: int) -> None:
        quota = Quota("any", per_minute)
        assert (await world.rates.look(quota, "ana")).left == per_minute
        first = await world.rates.take(quota, "ana")
        assert (first.left, first.wait_s) == (per_minute - 1, 0)

    @pytest.mark.parametrize("who", ["", "test:ana", "a b\r\nc", "{x}", "é" * 300, "::1"])
    async def test_a_name_may_be_anything(self, world: RatesWorld, who: str) -> None:
        assert await spent(world.rates, SIX, who) == [5, 4, 3, 2, 1, 0]
        assert (await world.rates.take(SIX, who)).wait_s > 0

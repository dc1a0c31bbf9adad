"""The outbox on PostgreSQL, and what two workers may do to it at once."""

from __future__ import annotations

import asyncio

from rest.webhooks.ports import Event
from tests.contracts.models import model
from tests.contracts.webhooks import HOLD_MS, MOST, PAGE, HookWorld, WebhooksContract, hook
from tests.contracts.worlds import ANA, MODEL, SqlWorld

OWNERS_HOOKS = (hook(1), hook(2), hook(3))


class TestPostgresWebhooks(WebhooksContract): ...


async def two(world: SqlWorld, other: SqlWorld) -> tuple[HookWorld, HookWorld]:
    await world.models.create(model(MODEL, ANA))
    here, there = HookWorld(world), HookWorld(other)
    await here.active(*OWNERS_HOOKS)
    return here, there


def event(here: HookWorld, n: int) -> Event:
    return Event(f"change {n}", "threat.created", MODEL, here.clock.ms, "{}")


async def test_what_two_workers_tell_at_once_is_told_once(world: SqlWorld, other: SqlWorld) -> None:
    here, there = await two(world, other)
    for n in range(10):
        after = await here.outbox.told()
        told = await asyncio.gather(
            *((here, there)[k % 2].outbox.tell(after, after + 1, [event(here, n)]) for k in range(6))
        )
        assert sorted(told) == [False] * 5 + [True]
    _, total = await here.subscriptions.deliveries(ANA.id, None, PAGE)
    assert total == 10 * len(OWNERS_HOOKS)


async def test_what_two_workers_claim_at_once_is_claimed_once(world: SqlWorld, other: SqlWorld) -> None:
    here, there = await two(world, other)
    await here.tell(*(event(here, n) for n in range(5)))
    for _ in range(5):
        claims = await asyncio.gather(*((here, there)[k % 2].outbox.claim(10, HOLD_MS) for k in range(6)))
        attempts = [attempt for claimed in claims for attempt in claimed]
        assert sorted(attempt.subscription.id for attempt in attempts) == [one.id for one in OWNERS_HOOKS]
        assert {attempt.number for attempt in attempts} == {1}
        for attempt in attempts:
            await there.outbox.delivered(attempt)
    assert await here.claimed() == []


async def test_of_two_workers_one_has_the_turn(world: SqlWorld, other: SqlWorld) -> None:
    here, there = HookWorld(world), HookWorld(other)
    turns = await asyncio.gather(here.outbox.take_turn("w1", 15_000), there.outbox.take_turn("w2", 15_000))
    assert sorted(turns) == [False, True]


async def test_of_subscriptions_made_at_once_there_are_no_more_than_allowed(world: SqlWorld, other: SqlWorld) -> None:
    here, there = HookWorld(world), HookWorld(other)
    made = await asyncio.gather(*((here, there)[n % 2].subscriptions.subscribe(hook(n), MOST) for n in range(1, 9)))
    assert sum(one is not None for one in made) == MOST

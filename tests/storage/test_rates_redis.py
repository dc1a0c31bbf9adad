"""Rates in a real Redis, and by each worker for itself while that is away."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator

import pytest
import redis

from codraw.local_stores import LocalRedis
from rest.ports import Allowance, Quota
from rest.rates import LocalRates
from storage.rates_redis import AWAY_S, RedisRates
from storage.redis_link import RedisAway
from tests.contracts.rates import SIX, RatesContract, spent
from tests.support.redises import command, redis_here, redis_process, stopped
from tests.support.turns import until_read

__all__ = ["redis_here", "redis_process"]


class RedisRatesWorld:
    """What a worker counts for itself is `alone`, which knows another quota: it is seen who has counted."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.s = 1_000.0
        self.alone = LocalRates(lambda: self.s)
        self.workers: list[RedisRates] = []

    async def join(self) -> RedisRates:
        worker = RedisRates(self.url, "codraw:", self.alone, lambda: self.s)
        self.workers.append(worker)
        await worker.start()
        await until_read(lambda: reached(worker))
        return worker

    @property
    def rates(self) -> RedisRates:
        return self.workers[0]

    def turn(self, seconds: float) -> None:
        """For Redis: that what was taken comes back so much earlier."""
        self.s += seconds
        with redis.Redis.from_url(self.url) as client:
            for key in client.scan_iter("*rates:*"):
                if client.pttl(key) <= seconds * 1_000:
                    client.delete(key)
                else:
                    client.decrby(key, round(seconds * 1_000_000))
                    client.pexpire(key, client.pttl(key) - round(seconds * 1_000))

    async def close(self) -> None:
        for worker in self.workers:
            await worker.close()


async def reached(rates: RedisRates) -> bool:
    try:
        return await rates._pipeline.ask(("PING",)) == [b"PONG"]
    except RedisAway:
        return False


async def lost(rates: RedisRates) -> bool:
    return not await reached(rates)


@pytest.fixture(autouse=True)
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is late on a busy machine is no outage."""
    monkeypatch.setattr("storage.rates_redis.PATIENCE_S", 30.0)


@pytest.fixture
async def world(redis_url: str) -> AsyncIterator[RedisRatesWorld]:
    world = RedisRatesWorld(redis_url)
    await world.join()
    yield world
    await world.close()


@pytest.fixture
async def bad(redis_here: LocalRedis) -> AsyncIterator[RedisRatesWorld]:
    """On a server that the test may treat badly."""
    world = RedisRatesWorld(redis_here.url)
    await world.join()
    yield world
    await world.close()


class TestRedisRates(RatesContract):
    pass


async def test_S75_all_workers_count_together(world: RedisRatesWorld) -> None:
    other = await world.join()
    allowed = await asyncio.gather(*(rates.take(SIX, "ana") for _ in range(10) for rates in (world.rates, other)))
    assert sum(allowance.wait_s == 0 for allowance in allowed) == 6


async def test_nothing_stays_of_who_is_not_seen_any_more(world: RedisRatesWorld) -> None:
    await world.rates.take(Quota("many", 6_000), "ana")
    await spent(world.rates)
    with redis.Redis.from_url(world.url) as client:
        left_ms = {key: client.pttl(key) for key in client.scan_iter("*")}
    assert set(left_ms) == {b"{codraw:}rates:many:ana", b"{codraw:}rates:six:ana"} or set(left_ms) == {
        b"{codraw:}rates:six:ana"
    }
    # -1: it stays for ever; -2: it went since it was found
    assert all(left == -2 or 0 <= left <= 60_000 for left in left_ms.values())


async def test_S75_a_clock_of_redis_that_is_set_back_holds_nobody_up(world: RedisRatesWorld) -> None:
    await spent(world.rates)
    with redis.Redis.from_url(world.url) as client:
        client.incrby("{codraw:}rates:six:ana", 3_600_000_000)
    assert await spent(world.rates) == [5, 4, 3, 2, 1, 0]
    assert 8 < (await world.rates.take(SIX, "ana")).wait_s <= 10


async def test_a_count_is_one_question(world: RedisRatesWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[object] = []
    ask = world.rates._pipeline.ask

    async def counted(*commands: tuple[bytes | str | int, ...]) -> list[object]:
        asked.extend(commands)
        return await ask(*commands)

    monkeypatch.setattr(world.rates._pipeline, "ask", counted)
    await world.rates.take(SIX, "ana")
    assert len(asked) == 1


async def test_S75_while_redis_is_away_each_worker_counts_for_itself(
    bad: RedisRatesWorld, redis_here: LocalRedis
) -> None:
    other = await bad.join()
    await spent(bad.rates)
    redis_here.kill()
    await until_read(lambda: lost(bad.rates))
    assert await spent(bad.rates) == [5, 4, 3, 2, 1, 0]
    for rates in (bad.rates, other):
        assert (await rates.take(SIX, "ana")).wait_s > 0
    assert (await bad.rates.look(SIX, "ana")).wait_s > 0
    redis_here.start()
    await until_read(lambda: reached(bad.rates))
    bad.s += AWAY_S
    assert (await bad.rates.take(SIX, "bo")).left == 5
    assert (await bad.alone.look(SIX, "bo")).left == 6


async def test_S75_of_a_redis_that_hangs_one_request_a_second_finds_out(
    bad: RedisRatesWorld, redis_here: LocalRedis, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[object] = []
    ask = bad.rates._pipeline.ask

    async def counted(*commands: tuple[bytes | str | int, ...]) -> list[object]:
        asked.extend(commands)
        return await ask(*commands)

    monkeypatch.setattr(bad.rates._pipeline, "ask", counted)
    with stopped(redis_here):
        assert await spent(bad.rates) == [5, 4, 3, 2, 1, 0]
        assert (await bad.rates.take(SIX, "ana")).wait_s > 0
        assert len(asked) == 1
        bad.s += AWAY_S
        await bad.rates.take(SIX, "ana")
        assert len(asked) == 2


async def test_one_who_may_run_no_scripts_is_told_once_and_counts_alone(
    bad: RedisRatesWorld, redis_here: LocalRedis, caplog: pytest.LogCaptureFixture
) -> None:
    command(redis_here, "ACL", "SETUSER", "default", "-eval")
    with caplog.at_level(logging.WARNING):
        assert await spent(bad.rates) == [5, 4, 3, 2, 1, 0]
    assert (await bad.rates.take(SIX, "ana")).wait_s > 0
    (said,) = [message for message in caplog.messages if "does not count requests" in message]
    assert "eval" in said


async def test_what_is_not_understood_counts_as_nothing(world: RedisRatesWorld) -> None:
    with redis.Redis.from_url(world.url) as client:
        client.set("{codraw:}rates:six:ana", "of another version")
        client.rpush("{codraw:}rates:six:bo", "no number")
    assert (await world.rates.take(SIX, "ana")).left == 5
    assert await world.rates.take(SIX, "bo") == Allowance(5)

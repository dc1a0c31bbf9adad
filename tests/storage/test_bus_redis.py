"""News over a real Redis that stays up; what happens when it does not is in test_bus_redis_faults.py."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator

import pytest
import redis.asyncio

from codraw.local_stores import LocalRedis
from storage.bus_redis import RedisBus, news_channel
from storage.database import StoreRefused
from tests.contracts.bus import BusContract, D, Ear
from tests.support.redises import redis_here, redis_process
from tests.support.turns import until, until_read

__all__ = ["redis_here", "redis_process"]


class RedisBusWorld:
    def __init__(self, url: str) -> None:
        self.url = url
        self.buses: list[RedisBus] = []

    async def join(self, prefix: str = "codraw:") -> RedisBus:
        bus = RedisBus(self.url, prefix)
        self.buses.append(bus)
        await bus.start()
        return bus

    async def close(self) -> None:
        for bus in self.buses:
            await bus.close()


@pytest.fixture
async def world(redis_url: str) -> AsyncIterator[RedisBusWorld]:
    world = RedisBusWorld(redis_url)
    yield world
    await world.close()


@pytest.fixture
async def client(redis_url: str) -> AsyncIterator[redis.asyncio.Redis]:
    async with redis.asyncio.Redis.from_url(redis_url) as client:
        yield client


class TestRedisBus(BusContract):
    pass


class TestOldAndNewRedisBus(BusContract):
    @pytest.fixture
    async def world(self, redis_here: LocalRedis) -> AsyncIterator[RedisBusWorld]:
        world = RedisBusWorld(redis_here.url)
        yield world
        await world.close()


async def test_the_news_of_one_prefix_is_not_heard_under_another(world: RedisBusWorld) -> None:
    ours, theirs = await world.join(), await world.join("theirs:")
    ear, other = await Ear().at(ours), await Ear().at(theirs)
    theirs.publish(D, b"theirs")
    await other.until(b"theirs")
    ours.publish(D, b"ours")
    await ear.until(b"ours")


async def test_all_names_of_a_prefix_share_one_slot_of_a_cluster() -> None:
    assert news_channel(D) == b"{codraw:}news:d"
    assert news_channel(D, "a{b}c:") == b"a{b}c:news:d"


async def test_nothing_stays_subscribed_of_rooms_that_closed(world: RedisBusWorld, client: redis.asyncio.Redis) -> None:
    bus = await world.join()
    for ear in [await Ear().at(bus) for _ in range(5)]:
        await ear.close()
    await until(lambda: len(bus._channels) == 1)
    assert news_channel(D) not in await client.pubsub_channels()


async def test_nobody_hears_none_while_nothing_happens(world: RedisBusWorld) -> None:
    bus = await world.join()
    ears = [await Ear().at(bus) for _ in range(3)]
    bus.publish(D, b"1")
    for ear in ears:
        await ear.until(b"1")
    assert bus.counts.gaps_told == bus.counts.reconnects == bus.counts.dropped == bus.counts.failed == 0
    assert (bus.counts.published, bus.counts.received) == (1, 3)


async def test_what_is_published_before_it_is_connected_arrives(world: RedisBusWorld) -> None:
    ear = await Ear().at(await world.join())
    bus = RedisBus(world.url)
    world.buses.append(bus)
    starting = asyncio.create_task(bus.start())
    bus.publish(D, b"early")
    await ear.until(b"early")
    await starting


async def test_what_was_published_last_goes_out_before_it_closes(world: RedisBusWorld) -> None:
    ear = await Ear().at(await world.join())
    bus = await world.join()
    bus.publish(D, b"the last word")
    await bus.close()
    await ear.until(b"the last word")


async def test_a_listener_that_fails_is_logged_and_the_next_one_hears(
    world: RedisBusWorld, caplog: pytest.LogCaptureFixture
) -> None:
    bus = await world.join()

    def fail(news: bytes | None) -> None:
        raise ValueError(f"no {news!r}")

    await bus.subscribe(D, fail)
    ear = await Ear().at(bus)
    bus.publish(D, b"1")
    bus.publish(D, b"2")
    await ear.until(b"1", b"2")
    assert sum(record.levelno >= logging.ERROR for record in caplog.records) == 2


async def test_workers_at_one_redis_see_one_identity_and_it_outlives_them_all(world: RedisBusWorld) -> None:
    first, second = await world.join(), await world.join()
    assert first.identity() == second.identity() is not None
    await first.close()
    await second.close()
    assert (await world.join()).identity() == first.identity()


async def test_an_emptied_redis_keeps_the_identity_that_its_workers_know(
    world: RedisBusWorld, client: redis.asyncio.Redis
) -> None:
    bus = await world.join()
    known = bus.identity()
    await client.flushall()
    await until_read(lambda: is_kept(client, "{codraw:}identity"))
    assert bus.identity() == known
    newcomer = await world.join()
    await until(lambda: newcomer.identity() == known)


async def is_kept(client: redis.asyncio.Redis, name: str) -> bool:
    return bool(await client.exists(name))


@pytest.mark.parametrize("url", ["redis://user:pa#ss@host:1/0", "http://user:pass@host", "redis://:pass@host:port"])
def test_an_url_that_is_none_is_refused_in_a_sentence_without_its_password(url: str) -> None:
    with pytest.raises(StoreRefused) as refused:
        RedisBus(url)
    assert "pa" not in str(refused.value).replace("password", "")
    assert refused.value.__cause__ is None
    assert refused.value.__suppress_context__

"""Presence in a real Redis, and what is known of it when that loses its memory or goes away."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator

import msgspec
import pytest
import redis

from codraw.local_stores import LocalRedis
from protocol.values import SessionId
from storage.presence_redis import RedisPresence
from storage.redis_link import RedisAway
from tests.contracts.presence import PresenceContract, S, participant
from tests.contracts.worlds import ANA, BO
from tests.support.redises import command, redis_here, redis_process, stopped
from tests.support.turns import until_read

__all__ = ["redis_here", "redis_process"]


class RedisHands:
    """Takes time away from what Redis is to forget."""

    def __init__(self, url: str) -> None:
        self.s = 1_000.0
        self._url = url

    def __call__(self) -> float:
        return self.s

    def turn(self, seconds: float) -> None:
        self.s += seconds
        with redis.Redis.from_url(self._url) as client:
            for key in client.scan_iter("*presence:*"):
                if (left := client.pttl(key)) >= 0:
                    client.pexpire(key, left - round(seconds * 1000))


class RedisPresenceWorld:
    def __init__(self, url: str) -> None:
        self.url = url
        self.clock = RedisHands(url)
        self.workers: list[RedisPresence] = []

    async def join(self) -> RedisPresence:
        worker = RedisPresence(self.url, now_s=self.clock)
        self.workers.append(worker)
        await worker.start()
        return worker

    @property
    def presence(self) -> RedisPresence:
        return self.workers[0]

    def keys(self) -> set[bytes]:
        with redis.Redis.from_url(self.url) as client:
            return set(client.keys())

    async def close(self) -> None:
        for worker in self.workers:
            await worker.close()


@pytest.fixture(autouse=True)
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is late on a busy machine is no outage; it would be a long one by a clock that is turned."""
    monkeypatch.setattr("storage.presence_redis.PATIENCE_S", 30.0)


@pytest.fixture
async def world(redis_url: str) -> AsyncIterator[RedisPresenceWorld]:
    world = RedisPresenceWorld(redis_url)
    await world.join()
    yield world
    await world.close()


@pytest.fixture
async def bad(redis_here: LocalRedis) -> AsyncIterator[RedisPresenceWorld]:
    """On a server that the test may treat badly."""
    world = RedisPresenceWorld(redis_here.url)
    await world.join()
    yield world
    await world.close()


async def knows(presence: RedisPresence) -> bool:
    return await presence.read(S) is not None


async def is_lost(presence: RedisPresence) -> bool:
    return not await knows(presence)


class TestRedisPresence(PresenceContract):
    pass


async def test_what_one_worker_says_another_reads(world: RedisPresenceWorld) -> None:
    other = await world.join()
    await world.presence.put(S, "w1", [participant(ANA)])
    assert await other.read(S) == {"w1": (participant(ANA),)}


async def test_sessions_that_ended_leave_nothing_behind(world: RedisPresenceWorld) -> None:
    before = world.keys()
    for n in range(20):
        session = SessionId(f"s{n}")
        await world.presence.put(session, "w1", [participant(ANA)])
        await world.presence.put(session, "w2", [participant(BO)])
        if n % 2:
            await world.presence.put(session, "w1", [])
            await world.presence.put(session, "w2", [])
    assert len(world.keys()) == len(before) + 30
    world.clock.turn(30)
    assert world.keys() == before


async def test_what_is_not_understood_is_nobody(world: RedisPresenceWorld, redis_url: str) -> None:
    await world.presence.put(S, "w1", [participant(ANA)])
    await world.presence.put(S, "w2", [participant(BO)])
    with redis.Redis.from_url(redis_url) as client:
        client.set("{codraw:}presence:s:w1", msgspec.msgpack.encode({"of": "another version"}))
    assert await world.presence.read(S) == {"w2": (participant(BO),)}


async def test_many_sessions_are_read_with_two_questions(
    world: RedisPresenceWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    sessions = [SessionId(f"s{n}") for n in range(40)]
    for session in sessions:
        await world.presence.put(session, "w1", [participant(ANA)])
    asked: list[tuple[object, ...]] = []
    ask = world.presence._ask

    async def counted(*commands: tuple[object, ...]) -> list[object]:
        asked.append(commands)
        return await ask(*commands)

    monkeypatch.setattr(world.presence, "_ask", counted)
    assert len(await world.presence.read_many(sessions) or {}) == 40
    assert len(asked) == 2


async def test_a_session_that_cannot_be_read_leaves_the_others_known(world: RedisPresenceWorld, redis_url: str) -> None:
    await world.presence.put(S, "w1", [participant(ANA)])
    with redis.Redis.from_url(redis_url) as client:
        client.set("{codraw:}presence:bad", "no set")
    assert await world.presence.read_many([SessionId("bad"), S]) == {S: {"w1": (participant(ANA),)}}
    assert await world.presence.read(SessionId("bad")) is None


# lost memory --------------------------------------------------------------------------------------------------------


async def test_SES19_the_first_worker_at_a_new_redis_knows_that_nobody_is_there(bad: RedisPresenceWorld) -> None:
    assert await bad.presence.read(S) == {}


async def test_SES19_after_an_emptying_nobody_knows_for_35_s_also_not_who_comes_later(
    bad: RedisPresenceWorld, redis_here: LocalRedis
) -> None:
    other = await bad.join()
    await bad.presence.put(S, "w1", [participant(ANA)])
    command(redis_here, "FLUSHALL")
    assert await other.read(S) is None
    await until_young(bad)
    for presence in (bad.presence, other):
        await presence._look()  # who sees it later makes Redis young once more
    newcomer = await bad.join()
    for presence in (bad.presence, other, newcomer):
        assert await presence.read(S) is None
    bad.clock.turn(30)
    assert await newcomer.read(S) is None
    await bad.presence.put(S, "w1", [participant(ANA)])
    bad.clock.turn(5)
    for presence in (bad.presence, other, newcomer):
        await until_read(lambda presence=presence: knows(presence))  # type: ignore[misc]
        assert await presence.read(S) == {"w1": (participant(ANA),)}


async def until_young(world: RedisPresenceWorld) -> None:
    async def young() -> bool:
        return {b"{codraw:}presence:young"} <= world.keys()

    await until_read(young)


async def test_SES19_a_redis_that_came_back_empty_is_not_an_empty_room(
    bad: RedisPresenceWorld, redis_here: LocalRedis
) -> None:
    await bad.presence.put(S, "w1", [participant(ANA)])
    redis_here.kill()
    await until_read(lambda: is_lost(bad.presence))
    redis_here.start()
    await until_young(bad)
    assert await bad.presence.read(S) is None
    bad.clock.turn(36)
    await until_read(lambda: knows(bad.presence))


async def test_SES19_one_that_came_back_unnoticed_is_seen_by_its_run_id(
    bad: RedisPresenceWorld, redis_here: LocalRedis
) -> None:
    await bad.presence.put(S, "w1", [participant(ANA)])
    kept = redis.Redis(port=redis_here.port).dump("{codraw:}presence:generation")
    redis_here.kill()
    redis_here.start()
    redis.Redis(port=redis_here.port).restore("{codraw:}presence:generation", 0, kept)
    await until_read(lambda: answered_again(bad.presence))
    assert await bad.presence.read(S) is None
    bad.clock.turn(36)
    await until_read(lambda: knows(bad.presence))


async def test_SES19_a_redis_that_is_full_is_not_an_empty_room(
    bad: RedisPresenceWorld, redis_here: LocalRedis, caplog: pytest.LogCaptureFixture
) -> None:
    await bad.presence.put(S, "w1", [participant(ANA)])
    command(redis_here, "CONFIG", "SET", "maxmemory", 1)
    await bad.presence._look()
    bad.clock.turn(31)
    await bad.presence.put(S, "w1", [participant(ANA)])
    assert await bad.presence.read(S) is None
    await bad.presence._look()
    assert caplog.text.count("Redis does not keep who is connected where: OutOfMemoryError") == 1
    command(redis_here, "CONFIG", "SET", "maxmemory", 0)
    await bad.presence.put(S, "w1", [participant(ANA)])
    assert await bad.presence.read(S) is None
    bad.clock.s += 36
    await until_read(lambda: knows(bad.presence))
    assert await bad.presence.read(S) == {"w1": (participant(ANA),)}


async def answered_again(presence: RedisPresence) -> bool:
    try:
        await presence._look()
    except RedisAway:
        return False
    return True


async def test_SES19_after_a_long_silence_it_may_be_that_somebody_could_not_say_so(
    bad: RedisPresenceWorld, redis_here: LocalRedis
) -> None:
    await bad.presence.put(S, "w1", [participant(ANA)])
    with stopped(redis_here):
        assert await bad.presence.read(S) is None
        bad.clock.s += 6
        await bad.presence.put(S, "w1", [participant(BO)])
    await until_read(lambda: answered_again(bad.presence))
    assert await bad.presence.read(S) is None
    bad.clock.s += 35
    await until_read(lambda: knows(bad.presence))


async def test_a_connection_that_died_unnoticed_is_no_outage(bad: RedisPresenceWorld, redis_here: LocalRedis) -> None:
    await bad.presence.put(S, "w1", [participant(ANA)])
    for _ in range(20):
        command(redis_here, "CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")
        assert await bad.presence.read(S) == {"w1": (participant(ANA),)}


async def test_nothing_is_raised_while_redis_is_away_and_all_is_said_again_later() -> None:
    presence = RedisPresence("redis://:secret@127.0.0.1:1/0")
    await presence.start()
    await presence.put(S, "w1", [participant(ANA)])
    assert await presence.read(S) is None
    await presence.close()


async def test_F17_calls_that_are_cancelled_cross_no_replies(world: RedisPresenceWorld) -> None:
    chance = random.Random(17)
    sessions = [SessionId(f"s{n}") for n in range(10)]
    for session in sessions:
        await world.presence.put(session, "w", [participant(ANA, session)])

    async def one(session: SessionId) -> None:
        assert await world.presence.read(session) == {"w": (participant(ANA, session),)}

    calls = [asyncio.create_task(one(chance.choice(sessions))) for _ in range(300)]
    for call in calls:
        if chance.random() < 0.5:
            call.cancel()
        for _ in range(chance.randrange(3)):
            await asyncio.sleep(0)
    done = await asyncio.gather(*calls, return_exceptions=True)
    assert {type(error) for error in done} <= {type(None), asyncio.CancelledError}
    for session in sessions:
        await one(session)

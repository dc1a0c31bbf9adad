"""One connection that many share: every caller gets its own replies, whoever is cancelled or killed meanwhile."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator

import pytest

from codraw.local_stores import LocalRedis
from storage.redis_link import RedisAway, RedisLink, ended
from storage.redis_pipeline import RedisPipeline
from tests.support.redises import command, redis_here, redis_process, stopped
from tests.support.turns import until

__all__ = ["redis_here", "redis_process"]


@pytest.fixture
async def pipeline(redis_here: LocalRedis) -> AsyncIterator[RedisPipeline]:
    pipeline = RedisPipeline(RedisLink(redis_here.url, b"home"))
    running = asyncio.create_task(pipeline.run())
    yield pipeline
    await ended(running)


async def test_what_comes_together_goes_out_together_and_each_gets_its_own(pipeline: RedisPipeline) -> None:
    answers = await asyncio.gather(*(pipeline.ask(("ECHO", n), ("ECHO", -n)) for n in range(2_000)))
    assert answers == [[b"%d" % n, b"%d" % -n] for n in range(2_000)]


async def test_a_refusal_is_the_answer_of_who_asked_for_it(pipeline: RedisPipeline) -> None:
    wrong, right = await asyncio.gather(pipeline.ask(("NONSENSE",), ("ECHO", "a")), pipeline.ask(("ECHO", "b")))
    assert isinstance(wrong[0], Exception)
    assert (wrong[1], right) == (b"a", [b"b"])


async def test_F17_cancelled_calls_cross_no_replies(pipeline: RedisPipeline) -> None:
    chance = random.Random(17)
    crossed = []

    async def call(n: int) -> None:
        answer = await pipeline.ask(("ECHO", n))
        if answer != [b"%d" % n]:
            crossed.append((n, answer))

    calls = []
    for n in range(300):
        calls.append(asyncio.create_task(call(n)))
        if chance.random() < 0.5:
            chance.choice(calls[-5:]).cancel()
        for _ in range(chance.randrange(4)):
            await asyncio.sleep(0)
    await asyncio.wait(calls)
    await call(-1)
    assert crossed == []
    assert {call.cancelled() for call in calls} == {True, False}


async def test_F17_nor_do_calls_over_connections_that_are_killed(
    pipeline: RedisPipeline, redis_here: LocalRedis
) -> None:
    outcomes = {"answered": 0, "away": 0}

    async def call(n: int) -> None:
        try:
            assert await pipeline.ask(("ECHO", n)) == [b"%d" % n]
        except RedisAway:
            outcomes["away"] += 1
        else:
            outcomes["answered"] += 1

    for n in range(100):
        calls = asyncio.gather(*(call(100 * n + k) for k in range(10)))
        if n % 10 == 5:
            command(redis_here, "CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")
        await calls
        await until(lambda: not pipeline._away)
    assert outcomes["answered"] + outcomes["away"] == 1_000
    assert outcomes["answered"] > 500


async def test_a_server_that_does_not_answer_is_given_up(pipeline: RedisPipeline, redis_here: LocalRedis) -> None:
    await pipeline.ask(("PING",))
    with stopped(redis_here), pytest.raises(RedisAway):
        await pipeline.ask(("PING",))
    await until(lambda: pipeline.line is not None)
    assert await pipeline.ask(("PING",)) == [b"PONG"]


async def test_while_redis_is_away_everybody_is_told_at_once(pipeline: RedisPipeline, redis_here: LocalRedis) -> None:
    await pipeline.ask(("PING",))
    redis_here.kill()
    with pytest.raises(RedisAway):
        while True:
            await pipeline.ask(("PING",))
    redis_here.start()
    await until(lambda: pipeline.line is not None)
    assert await pipeline.ask(("PING",)) == [b"PONG"]


async def test_one_that_is_ended_tells_who_waits() -> None:
    pipeline = RedisPipeline(RedisLink("redis://127.0.0.1:1", b"home"))
    running = asyncio.create_task(pipeline.run())
    asking = asyncio.create_task(pipeline.ask(("PING",)))
    await asyncio.sleep(0)
    await ended(running)
    with pytest.raises(RedisAway):
        await asking


async def test_messages_are_counted_by_what_became_of_them(pipeline: RedisPipeline, redis_here: LocalRedis) -> None:
    command(redis_here, "ACL", "SETUSER", "default", "resetchannels", "&open*")
    pipeline.publish(b"open", b"1")
    pipeline.publish(b"shut", b"2")
    await pipeline.drain(10)
    assert (pipeline.counts.published, pipeline.counts.failed, pipeline.counts.dropped) == (1, 1, 0)

"""The rights that deploy/README.md gives a user of Redis are all that codraw needs there."""

from __future__ import annotations

import shlex

import redis

from codraw.local_stores import LocalRedis
from rest.ports import Quota
from rest.rates import LocalRates
from storage.bus_redis import RedisBus
from storage.presence_redis import RedisPresence
from storage.rates_redis import RedisRates
from tests.contracts.bus import D, Ear
from tests.contracts.presence import S, participant
from tests.contracts.worlds import ANA
from tests.support.redises import command, redis_here, redis_process
from tests.support.tree import ROOT
from tests.support.turns import until

__all__ = ["redis_here", "redis_process"]

SHARDED = {"+spublish", "+ssubscribe", "+sunsubscribe"}


def rights() -> list[str]:
    text = (ROOT / "deploy/README.md").read_text("utf-8")
    return shlex.split(text.partition("redis-cli ACL SETUSER")[2].partition("```")[0].replace("\\\n", ""))


async def test_a_user_with_the_rights_that_are_named_is_refused_nothing(redis_here: LocalRedis) -> None:
    with redis.Redis(port=redis_here.port) as client:
        old = int(client.info("server")["redis_version"].partition(".")[0]) < 7
    command(redis_here, "ACL", "SETUSER", *(right for right in rights() if not (old and right in SHARDED)))
    url = f"redis://codraw:password@127.0.0.1:{redis_here.port}/1"
    bus, presence = RedisBus(url, beat_s=0.2), RedisPresence(url)
    rates = RedisRates(url, "codraw:", LocalRates())
    for started in (bus, presence, rates):
        await started.start()
    ear = await Ear().at(bus)
    await until(bus.healthy)
    bus.publish(D, b"news")
    await until(lambda: b"news" in ear.heard)
    await presence.put(S, "w1", [participant(ANA)])
    assert await presence.read(S) == {"w1": (participant(ANA),)}
    await presence.put(S, "w1", [])
    await rates.take(Quota("reads", 60), "ana")
    for ended in (rates, presence, bus):
        await ended.close()
    assert command(redis_here, "ACL", "LOG") == []

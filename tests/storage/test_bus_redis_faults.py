"""News over a Redis that is killed, paused, emptied and cut off: None is heard once, and later news arrives."""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import AsyncIterator, Iterable
from contextlib import suppress
from pathlib import Path

import pytest
import redis.asyncio

from codraw.local_stores import LocalRedis, free_port
from storage.bus_redis import RedisBus, news_channel
from storage.redis_link import Line
from tests.campaign.proxy import Filter, Plain, Proxy
from tests.contracts.bus import OTHER, D, Ear
from tests.support.redises import command, redis_here, redis_process, stopped
from tests.support.turns import until

__all__ = ["redis_here", "redis_process"]

BEAT_S = 0.2


class Pair:
    """Two workers; `there` is listened at."""

    def __init__(self, here: RedisBus, there: RedisBus) -> None:
        self.here, self.there = here, there

    def sound(self) -> bool:
        return self.here.healthy() and self.there.healthy()

    async def start(self) -> None:
        await self.here.start()
        await self.there.start()
        await until(self.sound)

    async def close(self) -> None:
        await self.here.close()
        await self.there.close()

    async def proves(self, ear: Ear, news: bytes = b"later") -> None:
        """What is published from now on arrives."""
        await until(self.sound)
        self.here.publish(D, news)
        await until(lambda: news in ear.heard)


@pytest.fixture
async def pair(redis_here: LocalRedis) -> AsyncIterator[Pair]:
    pair = Pair(RedisBus(redis_here.url, beat_s=BEAT_S), RedisBus(redis_here.url, beat_s=BEAT_S))
    await pair.start()
    yield pair
    await pair.close()


@pytest.fixture
async def calm(redis_here: LocalRedis) -> AsyncIterator[Pair]:
    """With the ordinary beat, which a busy machine does not miss."""
    pair = Pair(RedisBus(redis_here.url), RedisBus(redis_here.url))
    await pair.start()
    yield pair
    await pair.close()


# the connection -----------------------------------------------------------------------------------------------------


async def test_F7_a_subscription_that_is_killed_tells_each_listener_once(calm: Pair, redis_here: LocalRedis) -> None:
    ears = [await Ear().at(calm.there), await Ear().at(calm.there), await Ear().at(calm.there, OTHER)]
    for n in range(1, 6):
        command(redis_here, "CLIENT", "KILL", "TYPE", "pubsub")
        for ear in ears:
            await until(lambda ear=ear, n=n: len(ear.heard) >= n)  # type: ignore[misc]
    assert all(ear.heard == [None] * 5 for ear in ears)
    assert calm.there.counts.reconnects == 5
    assert calm.there.counts.gaps_told == 15
    await calm.proves(ears[0])


async def test_F7_a_publishing_connection_that_is_killed_loses_nothing_that_is_said_later(
    pair: Pair, redis_here: LocalRedis
) -> None:
    ear = await Ear().at(pair.there)
    for n in range(5):
        command(redis_here, "CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")
        await until(lambda: has_ended(pair.here._pipeline.line))
        pair.here.publish(D, b"%d" % n)
        await until(lambda n=n: b"%d" % n in ear.heard)  # type: ignore[misc]
    assert [news for news in ear.heard if news is not None] == [b"%d" % n for n in range(5)]


def has_ended(line: Line | None) -> bool:
    reader = line and line.connection._reader
    return not reader or reader.at_eof()


async def test_F7_a_listener_that_reads_too_slowly_for_redis_hears_of_it(pair: Pair, redis_here: LocalRedis) -> None:
    command(redis_here, "CONFIG", "SET", "client-output-buffer-limit", "pubsub 65536 0 0")
    ear = await Ear().at(pair.there)
    assert pair.there._line is not None
    publish = "SPUBLISH" if pair.there._line.sharded else "PUBLISH"
    for _ in range(100):
        command(redis_here, publish, news_channel(D), bytes(200_000))  # nobody reads while this blocks the loop
    await until(lambda: None in ear.heard)
    await pair.proves(ear)


async def test_F7_one_that_was_ended_between_two_breaks_hears_nothing(calm: Pair, redis_here: LocalRedis) -> None:
    closed, kept = await Ear().at(calm.there), await Ear().at(calm.there)
    command(redis_here, "CLIENT", "KILL", "TYPE", "pubsub")
    await closed.close()
    await until(lambda: kept.heard == [None])
    await calm.proves(kept)
    assert closed.heard == []


@pytest.mark.parametrize("unasked", ["SUBSCRIBE", "UNSUBSCRIBE", "PING", "RESET"])
async def test_an_answer_that_nobody_asked_for_is_a_gap(calm: Pair, unasked: str) -> None:
    ear = await Ear().at(calm.there)
    line = calm.there._line
    assert line is not None
    await line.send([(unasked, b"elsewhere") if "SUB" in unasked else (unasked,)])
    await until(lambda: ear.heard == [None])
    await calm.proves(ear)
    assert ear.heard == [None, b"later"]


async def test_a_server_that_shards_channels_is_used_so_and_an_older_one_as_it_is(
    pair: Pair, redis_here: LocalRedis
) -> None:
    await Ear().at(pair.there)
    plain = command(redis_here, "PUBSUB", "NUMSUB", news_channel(D))
    try:
        sharded = command(redis_here, "PUBSUB", "SHARDNUMSUB", news_channel(D))
    except redis.ResponseError:
        assert plain == [news_channel(D), 1]
    else:
        assert (plain, sharded) == ([news_channel(D), 0], [news_channel(D), 1])


# the server ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("how", ["kill", "stop"])
async def test_F4_a_restart_is_one_gap_and_keeps_the_identity(calm: Pair, redis_here: LocalRedis, how: str) -> None:
    ear = await Ear().at(calm.there)
    known = calm.there.identity()
    getattr(redis_here, how)()
    await until(lambda: not calm.here.healthy() and not calm.there.healthy())
    redis_here.start()
    await until(lambda: ear.heard == [None])
    await calm.proves(ear)
    assert ear.heard == [None, b"later"]
    assert calm.there.identity() == known
    assert calm.there.counts.gaps_told == 1


async def test_F4_who_only_learned_the_identity_restores_it(pair: Pair, redis_here: LocalRedis) -> None:
    await until(lambda: pair.there.identity() is not None)
    known = pair.there.identity()
    await pair.here.close()
    redis_here.kill()
    await until(lambda: pair.there.identity() is None)
    redis_here.start()
    await until(lambda: pair.there.identity() is not None)
    assert pair.there.identity() == known


async def test_F4_an_emptying_is_no_gap(pair: Pair, redis_here: LocalRedis) -> None:
    ear = await Ear().at(pair.there)
    command(redis_here, "FLUSHALL")
    await pair.proves(ear)
    assert ear.heard == [b"later"]


async def test_F4_while_redis_is_away_nobody_is_held_up_and_news_is_dropped(pair: Pair, redis_here: LocalRedis) -> None:
    redis_here.kill()
    await until(lambda: pair.there._away and pair.there._pipeline._away)
    ears = [await Ear().at(pair.there) for _ in range(200)]
    pair.there.publish(D, b"dropped")
    assert pair.there.counts.dropped == 1
    assert pair.there.identity() is None
    redis_here.start()
    for ear in ears:
        await until(lambda ear=ear: ear.heard == [None])  # type: ignore[misc]


async def test_F6_a_server_that_falls_silent_is_noticed_by_the_beat(pair: Pair, redis_here: LocalRedis) -> None:
    ear = await Ear().at(pair.there)
    with stopped(redis_here):
        await until(lambda: not pair.here.healthy() and not pair.there.healthy())
        late = await Ear().at(pair.there, OTHER)
    await until(lambda: None in ear.heard and None in late.heard)
    await pair.proves(ear)
    assert ear.heard.count(None) == late.heard.count(None) == 1
    assert pair.there.counts.beats_missed >= 2


async def test_F6_a_pause_of_all_clients_ends_in_none(pair: Pair, redis_here: LocalRedis) -> None:
    ear = await Ear().at(pair.there)
    pause_s = 0.7
    while pair.there.healthy():
        command(redis_here, "CLIENT", "PAUSE", round(pause_s * 1_000), "ALL")
        # On a busy machine this process may sleep through one, and finds all answers there when it wakes.
        with suppress(TimeoutError):
            await until(lambda: not pair.there.healthy(), pause_s)
        pause_s *= 2
    await until(lambda: None in ear.heard)
    await pair.proves(ear)


async def test_a_redis_that_is_away_at_the_start_is_heard_when_it_comes(stores_folder: Path) -> None:
    server = LocalRedis(stores_folder / "late-redis")
    bus = RedisBus(server.url, beat_s=BEAT_S)
    await bus.start()
    assert not bus.healthy()
    ear = await Ear().at(bus)
    assert ear.heard == []
    server.start()
    await until(lambda: ear.heard == [None])
    bus.publish(D, b"1")
    await ear.until(None, b"1")
    await bus.close()
    server.kill()


async def test_one_that_takes_connections_and_never_answers_holds_up_a_subscriber_for_a_second() -> None:
    with socket.create_server(("127.0.0.1", free_port())) as mute:
        bus = RedisBus(f"redis://127.0.0.1:{mute.getsockname()[1]}", beat_s=BEAT_S)
        await bus.start()
        async with asyncio.timeout(20):
            await Ear().at(bus)
        assert not bus.healthy()
        await bus.close()


# the network --------------------------------------------------------------------------------------------------------


@pytest.fixture
async def wire(redis_here: LocalRedis) -> AsyncIterator[Proxy]:
    wire = await Proxy(redis_here.port).start()
    yield wire
    await wire.close()


class Ahead(Plain):
    """Remembers what it has brought."""

    heard = b""

    def feed(self, data: bytes) -> Iterable[bytes]:
        self.heard += data
        return (data,)


class Behind:
    """Brings each of its first answers when the other one has brought the next of these words."""

    def __init__(self, ahead: Ahead, *words: bytes) -> None:
        self._ahead, self._words = ahead, list(words)
        self._held: list[bytes] = []

    def feed(self, data: bytes) -> Iterable[bytes]:
        self._held.append(data)
        return ()

    def late(self) -> Iterable[bytes]:
        while self._held and (not self._words or self._words[0] in self._ahead.heard):
            del self._words[:1]
            yield self._held.pop(0)


async def test_the_identity_is_known_from_the_start_where_a_beat_is_heard_before_it(wire: Proxy) -> None:
    ahead = Ahead()
    answers: list[Filter] = [Behind(ahead, b"subscribe", b"message"), ahead]
    wire.filters = lambda: (Plain(), answers.pop(0))
    bus = RedisBus(f"redis://127.0.0.1:{wire.port}/0")
    await bus.start()
    known = bus.identity()
    await bus.close()
    assert known is not None


@pytest.fixture
async def cut_off(redis_here: LocalRedis, wire: Proxy) -> AsyncIterator[Pair]:
    """`there` is reached over the wire."""
    there = RedisBus(f"redis://127.0.0.1:{wire.port}/0", beat_s=BEAT_S)
    pair = Pair(RedisBus(redis_here.url, beat_s=BEAT_S), there)
    await pair.start()
    yield pair
    await pair.close()


@pytest.mark.parametrize("how", ["cut", "reset", "forget"])
async def test_F6_a_connection_that_breaks_or_stays_half_open_is_replaced(cut_off: Pair, wire: Proxy, how: str) -> None:
    ear = await Ear().at(cut_off.there)
    getattr(wire, how)()
    await until(lambda: None in ear.heard)
    await cut_off.proves(ear)
    assert ear.heard == [None, b"later"]


@pytest.mark.parametrize("ways", [("up",), ("down",), ("up", "down")])
async def test_F6_one_way_or_both_cut_and_healed(cut_off: Pair, wire: Proxy, ways: tuple[str, ...]) -> None:
    ear = await Ear().at(cut_off.there)
    for way in ways:
        getattr(wire, way).hold()
    await until(lambda: not cut_off.there.healthy())
    cut_off.here.publish(D, b"lost")
    wire.heal()
    await until(lambda: None in ear.heard)
    await cut_off.proves(ear)


async def test_F6_a_deaf_subscription_is_replaced_though_all_else_works(cut_off: Pair, wire: Proxy) -> None:
    ear = await Ear().at(cut_off.there)
    line = cut_off.there._line
    assert line is not None
    near = line.connection._writer.get_extra_info("sockname")[1]  # type: ignore[attr-defined]
    for connection in wire._lines:
        if connection.near.get_extra_info("peername")[1] == near:
            connection.forget()
    await until(lambda: ear.heard == [None])
    assert cut_off.there.counts.reconnects == 1
    await cut_off.proves(ear)


# who may what -------------------------------------------------------------------------------------------------------


async def test_credentials_stay_out_of_the_log_and_a_right_password_mends_it(
    redis_here: LocalRedis, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    command(redis_here, "CONFIG", "SET", "requirepass", "another")
    bus = RedisBus(f"redis://somebody:s3cret@127.0.0.1:{redis_here.port}", beat_s=BEAT_S)
    await bus.start()
    ear = await Ear().at(bus)
    assert not bus.healthy()
    async with redis.asyncio.Redis(port=redis_here.port, password="another") as admin:
        await admin.execute_command(
            "ACL", "SETUSER", "somebody", "on", ">s3cret", "allkeys", "allcommands", "allchannels"
        )
    await until(lambda: ear.heard == [None])
    await bus.close()
    assert "no news comes through Redis" in caplog.text
    assert "s3cret" not in caplog.text and "somebody" not in caplog.text
    assert "s3cret" not in repr(vars(bus._link)) and "s3cret" not in repr(vars(bus))


async def test_without_the_right_to_keys_and_to_ask_who_it_is_news_comes_through(redis_here: LocalRedis) -> None:
    rights = ["on", ">p", "+@pubsub", "+ping", "allchannels"]
    command(redis_here, "ACL", "SETUSER", "narrow", *rights)
    url = f"redis://narrow:p@127.0.0.1:{redis_here.port}"
    pair = Pair(RedisBus(url, beat_s=BEAT_S), RedisBus(url, beat_s=BEAT_S))
    await pair.start()
    await pair.proves(await Ear().at(pair.there))
    assert pair.there.identity() is None
    await pair.close()


async def test_without_the_right_to_channels_that_is_said(
    redis_here: LocalRedis, caplog: pytest.LogCaptureFixture
) -> None:
    command(redis_here, "ACL", "SETUSER", "deaf", "on", ">p", "allkeys", "allcommands", "resetchannels")
    bus = RedisBus(f"redis://deaf:p@127.0.0.1:{redis_here.port}", beat_s=BEAT_S)
    await bus.start()
    assert "no news comes through Redis: NoPermissionError: this user has no permissions" in caplog.text
    await bus.close()


async def test_F5_both_connections_leave_a_redis_that_is_no_longer_in_charge(
    redis_here: LocalRedis, wire: Proxy, stores_folder: Path
) -> None:
    bus = RedisBus(f"redis://127.0.0.1:{wire.port}", beat_s=BEAT_S)
    await bus.start()
    ear = await Ear().at(bus)
    chief = LocalRedis(stores_folder / "chief-redis", executable=redis_here.executable)
    chief.start()
    wire.target = chief.port
    command(redis_here, "REPLICAOF", "127.0.0.1", chief.port)
    there = RedisBus(chief.url, beat_s=BEAT_S)
    await there.start()
    await until(lambda: bus.counts.reconnects > 0)
    await Pair(there, bus).proves(ear)
    other = await Ear().at(there)
    await Pair(bus, there).proves(other)
    assert bus.identity() == there.identity()
    await bus.close()
    await there.close()
    chief.kill()


async def test_F5_a_replica_is_told_of_once_and_trusted_when_it_is_in_charge_again(
    redis_here: LocalRedis, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    bus = RedisBus(redis_here.url, beat_s=BEAT_S)
    await bus.start()
    ear = await Ear().at(bus)
    command(redis_here, "REPLICAOF", "127.0.0.1", free_port())
    await until(lambda: bus.counts.reconnects > 3)
    assert not bus.healthy() and ear.heard == []
    assert [record.levelname for record in caplog.records if record.name == "storage.bus_redis"] == ["WARNING"]
    command(redis_here, "REPLICAOF", "NO", "ONE")
    await Pair(bus, bus).proves(ear)
    assert ear.heard == [None, b"later"]
    await bus.close()


# too much -----------------------------------------------------------------------------------------------------------


async def test_more_than_can_be_kept_is_dropped_and_counted(calm: Pair) -> None:
    ear = await Ear().at(calm.there)
    for n in range(5_000):
        calm.here.publish(D, b"%d" % n)
    await until(lambda: len(ear.heard) >= 4_096)
    assert ear.heard == [b"%d" % n for n in range(4_096)]
    assert calm.here.counts.dropped == 5_000 - 4_096
    await calm.proves(ear)


async def test_no_more_than_32_mebibytes_wait(calm: Pair) -> None:
    for _ in range(40):
        calm.here.publish(D, bytes(1024 * 1024))
    assert calm.here.counts.dropped == 8
    await calm.proves(await Ear().at(calm.there))

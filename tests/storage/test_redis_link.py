"""How one comes to a connection: whom it leads to, when it is given up, and that it keeps its credentials to itself."""

from __future__ import annotations

import asyncio
import socket
import stat
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import pytest

from codraw.local_stores import LocalRedis, redis_executable
from storage.bus_redis import RedisBus
from storage.database import StoreRefused
from storage.presence_redis import RedisPresence
from storage.redis_link import Patience, RedisAway, RedisLink, home_of, keep_running, told
from tests.contracts.bus import D, Ear
from tests.contracts.presence import S, participant
from tests.contracts.worlds import ANA
from tests.support.needs import need
from tests.support.redises import command, redis_here, redis_process
from tests.support.turns import until_read

__all__ = ["redis_here", "redis_process"]

SLOTS = 16_384


async def test_a_connection_knows_whom_it_leads_to(redis_here: LocalRedis) -> None:
    line = await RedisLink(redis_here.url, b"home").open()
    version = int(str(command(redis_here, "INFO", "server")["redis_version"]).split(".")[0])  # type: ignore[index]
    assert line.sharded == (version >= 7)
    assert line.run_id == command(redis_here, "INFO", "server")["run_id"]  # type: ignore[index]
    await line.close()


async def test_one_that_was_closed_is_not_opened_again_behind_our_back(redis_here: LocalRedis) -> None:
    line = await RedisLink(redis_here.url, b"home").open()
    await line.close()
    with pytest.raises(ConnectionError):
        await line.send([("PING",)])


async def test_nobody_there_is_said_without_credentials() -> None:
    with pytest.raises(RedisAway) as away:
        await RedisLink("redis://user:s3cret@127.0.0.1:1/0", b"home").open()
    assert "127.0.0.1:1" in str(away.value)
    assert "s3cret" not in str(away.value) and "user" not in str(away.value)


async def test_one_who_never_answers_is_given_up() -> None:
    with socket.create_server(("127.0.0.1", 0)) as mute, pytest.raises(RedisAway):
        await RedisLink(f"redis://127.0.0.1:{mute.getsockname()[1]}", b"home").open()


async def test_one_who_speaks_something_else_is_given_up() -> None:
    async def greet(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 mail.example.com ESMTP\r\n")
        writer.close()
        await writer.wait_closed()

    async with await asyncio.start_server(greet, "127.0.0.1", 0) as server:
        with pytest.raises(RedisAway):
            await RedisLink(f"redis://127.0.0.1:{server.sockets[0].getsockname()[1]}", b"home").open()


async def test_what_the_url_asks_for_does_not_change_how_it_is_spoken_to(redis_here: LocalRedis) -> None:
    url = f"{redis_here.url}?protocol=3&decode_responses=true&health_check_interval=1&socket_timeout=0.001"
    line = await RedisLink(url, b"home").open()
    await line.send([("ECHO", "text")])
    assert await line.reply() == b"text"
    await line.close()


@pytest.mark.parametrize(
    "option", ["timeuot=5", "ssl_cert_reqs=perhaps", "max_connections=-1", "maint_notifications_config=1"]
)
def test_an_option_that_does_not_exist_is_refused(option: str) -> None:
    with pytest.raises(StoreRefused, match="an option after its") as refused:
        RedisLink(f"rediss://u:s3cret@host?{option}", b"home")
    assert "s3cret" not in str(refused.value)


@pytest.mark.parametrize("option", ["ssl_ca_certs", "ssl_certfile"])
@pytest.mark.parametrize("file", ["not there.crt", "other.crt", ""])
def test_a_file_of_tls_that_is_of_no_use_is_refused(tmp_path: Path, option: str, file: str) -> None:
    (tmp_path / "other.crt").write_text("no certificate\n")
    with pytest.raises(StoreRefused, match="an option of TLS that cannot be used") as refused:
        RedisLink(f"rediss://u:s3cret@host?{option}={quote(str(tmp_path / file))}", b"home")
    assert "s3cret" not in str(refused.value)


@pytest.mark.parametrize("url", ["", "redis", "http://host", "redis://host:port", "redis://u:p#ss@host:1"])
def test_what_is_no_url_is_refused(url: str) -> None:
    with pytest.raises(StoreRefused, match="redis"):
        RedisLink(url, b"home")


@pytest.mark.parametrize(("prefix", "home"), [("codraw:", "{codraw:}"), ("{a}b:", "{a}b:"), ("", "{}")])
def test_all_names_of_a_prefix_have_one_hash_tag(prefix: str, home: str) -> None:
    assert home_of(prefix) == home


async def test_patience_grows_to_its_end_and_starts_anew() -> None:
    patience = Patience(0.0, 0.0)
    await patience.wait()
    patience = Patience(0.001, 0.003)
    for expected in (0.002, 0.003, 0.003):
        await patience.wait()
        assert patience._next_s == expected
    patience.reset()
    assert patience._next_s == 0.001


def test_an_error_is_told_in_one_line() -> None:
    assert told(OSError("first\nsecond")) == "OSError: first"
    assert told(TimeoutError()) == "TimeoutError"


async def test_what_crashes_is_logged_and_starts_again(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("storage.redis_link.CRASH_PAUSE_S", 0.0)
    begun = asyncio.Queue[int]()

    async def crashes() -> None:
        begun.put_nowait(1)
        await asyncio.sleep(0)
        raise ValueError("a fault")

    async def goes_on() -> None:
        await asyncio.Event().wait()

    running = asyncio.create_task(keep_running("the work", crashes, goes_on))
    for _ in range(3):
        await begun.get()
    running.cancel()
    await asyncio.wait([running])
    assert "the work crashed" in caplog.text


# a socket of this machine --------------------------------------------------------------------------------------------


async def test_one_on_this_machine_is_reached_by_its_socket(stores_folder: Path) -> None:
    need("redis")
    path = stores_folder / "redis.sock"
    program = stores_folder / "redis-with-a-socket"
    program.write_text(f'#!/bin/sh\nexec {redis_executable()} "$@" --unixsocket {path}\n')
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    server = LocalRedis(stores_folder / "with-a-socket", executable=str(program))
    server.start()
    try:
        line = await RedisLink(f"unix://{path}", b"home").open()
        assert line.run_id == command(server, "INFO", "server")["run_id"]  # type: ignore[index]
        await line.close()
    finally:
        server.kill()


# a cluster ----------------------------------------------------------------------------------------------------------


@pytest.fixture
def cluster(stores_folder: Path) -> Iterator[list[LocalRedis]]:
    """Two nodes, each with half of the slots."""
    program = stores_folder / "redis-of-a-cluster"
    program.write_text(f'#!/bin/sh\nexec {need("redis7")} "$@" --cluster-enabled yes\n')
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    nodes = [LocalRedis(stores_folder / f"cluster-{n}", executable=str(program)) for n in (1, 2)]
    for node in nodes:
        node.start()
    command(nodes[0], "CLUSTER", "ADDSLOTSRANGE", 0, SLOTS // 2 - 1)
    command(nodes[1], "CLUSTER", "ADDSLOTSRANGE", SLOTS // 2, SLOTS - 1)
    command(nodes[0], "CLUSTER", "MEET", "127.0.0.1", nodes[1].port)
    yield nodes
    for node in nodes:
        node.kill()


async def test_on_a_cluster_every_node_leads_to_the_one_that_holds_all_of_ours(cluster: list[LocalRedis]) -> None:
    async def stands() -> bool:
        said = [str(command(node, "CLUSTER", "INFO")) for node in cluster]
        return all("cluster_state:ok" in text and "known_nodes:2" in text for text in said)

    await until_read(stands)
    buses = [RedisBus(node.url) for node in cluster]
    presences = [RedisPresence(node.url) for node in cluster]
    for part in (*buses, *presences):
        await part.start()
    ears = [await Ear().at(bus) for bus in buses]
    for n, bus in enumerate(buses):
        bus.publish(D, b"%d" % n)
        for ear in ears:
            await until_read(lambda ear=ear, n=n: has(ear, b"%d" % n))  # type: ignore[misc]
    assert buses[0].identity() == buses[1].identity() is not None
    for n, presence in enumerate(presences):
        await presence.put(S, f"w{n}", [participant(ANA)])
    for presence in presences:
        assert (await presence.read(S) or {}).keys() == {"w0", "w1"}
    for part in (*buses, *presences):
        await part.close()


async def has(ear: Ear, news: bytes) -> bool:
    return news in ear.heard

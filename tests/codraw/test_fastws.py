"""Peers that do not read or answer, on the real server."""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator, Iterator

import pytest

from tests.support.client import CodrawV1, add, cell_id
from tests.support.raw import CLOSE, PING, PONG, TEXT, Raw, frame, memory
from tests.support.servers import Meeting, Server, meet, sign_in

MIB = 1024 * 1024


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Pings every second."""
    with Server(tmp_path_factory.mktemp("pinging"), ping_seconds="1", operations_per_second="0") as server:
        yield server


@pytest.fixture
async def meeting(server: Server) -> AsyncIterator[Meeting]:
    meeting = await meet(await sign_in(server, "ana"))
    yield meeting
    await meeting.over()


async def test_WS5_one_who_answers_no_ping_is_let_go(meeting: Meeting) -> None:
    silent = await Raw.join(meeting, await sign_in(meeting.server, "bo"))
    codes = await silent.ended()
    silent.close()
    assert codes[-2:] == (PING, CLOSE)


async def test_WS5_one_who_answers_stays(meeting: Meeting) -> None:
    lively = await Raw.join(meeting, await sign_in(meeting.server, "bo"))
    answered = 0
    while answered < 3:
        opcode, payload = await lively.read()
        assert opcode != CLOSE
        if opcode == PING:
            await lively.say(PONG, payload)
            answered += 1
    await lively.say(TEXT, b'{"message_type":"heartbeat"}')
    while b'"heartbeat"' not in (await lively.read())[1]:
        pass
    lively.close()


async def test_WS5_one_who_reads_nothing_leaves_the_roster_too(meeting: Meeting) -> None:
    """Nine MiB fit neither its window nor the kernel's buffer: they would be on their way for as long as it lives."""
    editor = await CodrawV1(meeting, meeting.host).join()
    for _ in range(40):
        await editor.edit(*(add(cell_id(), data={"text": "x" * 60_000}) for _ in range(4)))
    bo = await sign_in(meeting.server, "bo")
    deaf = await Raw.join(meeting, bo)
    left: list[str] = []
    while "test:bo" not in left:
        left += [user["id"] for user in (await editor.hear("participants"))["left"]]
    with pytest.raises(OSError):
        while True:
            await deaf.say(TEXT, b'{"message_type":"heartbeat"}' + b" " * 60_000)
    deaf.close()


@pytest.mark.skipif(sys.platform != "linux", reason="memory of another process is read from /proc")
async def test_S72_pings_of_one_who_reads_nothing_pile_up_nothing(tmp_path_factory: pytest.TempPathFactory) -> None:
    with Server(tmp_path_factory.mktemp("patient"), ping_seconds="1000") as server:
        meeting = await meet(await sign_in(server, "ana"))
        deaf = await Raw.join(meeting, meeting.host)
        pings = frame(PING, b"p" * 125) * 1_000
        await deaf.send(pings)
        before = memory(server.pid)
        for _ in range(100):
            await deaf.send(pings)
        assert memory(server.pid) - before < 5 * MIB
        editor = await CodrawV1(meeting, await sign_in(server, "bo")).join()
        await editor.edit(add(cell_id()))
        await editor.hear("operation_accepted")
        deaf.close()
        await meeting.over()


@pytest.mark.skipif(sys.platform != "linux", reason="memory of another process is read from /proc")
async def test_S71_a_message_of_very_many_fragments_takes_no_more_than_it_is_long(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    with Server(tmp_path_factory.mktemp("patient"), ping_seconds="1000") as server:
        meeting = await meet(await sign_in(server, "ana"))
        endless = [await Raw.join(meeting, meeting.host) for _ in range(2)]
        for raw in endless:
            await raw.say(TEXT, b'"', fin=False)
        before = memory(server.pid)
        for raw in endless:
            for _ in range(250):
                await raw.send(frame(0, b"x", fin=False) * 1_000)
            await raw.say(PING, b"read")
            while (await raw.read())[0] != PONG:
                pass
        assert memory(server.pid) - before < 10 * MIB
        for raw in endless:
            raw.close()
        await meeting.over()

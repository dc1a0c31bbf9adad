"""The way to a foreign server: what is resolved, judged and connected to."""

from __future__ import annotations

import asyncio
import queue
import socket
import subprocess
import sys
import threading
from collections.abc import AsyncIterator, Sequence

import httpx2
import pytest

from rest.outbound import ADDRESSES, CheckedTransport, Resolver, Unreachable
from tests.support.receiver import Receiver, receiving
from tests.support.tree import ROOT
from tests.support.turns import turns, until


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    async with receiving() as made:
        made.then = lambda _: b"HTTP/1.1 204 Fine\r\n\r\n"
        yield made


class Names:
    def __init__(self, *found: str) -> None:
        self.found = found
        self.asked: list[tuple[str, int]] = []

    async def __call__(self, host: str, port: int) -> Sequence[str]:
        self.asked.append((host, port))
        if not self.found:
            raise OSError("no such name")
        return self.found


async def fetched(url: str, names: Names, *refused: str) -> httpx2.Response:
    transport = CheckedTransport(lambda address: address not in refused, names)
    async with httpx2.AsyncClient(transport=transport, trust_env=False) as http:
        return await http.post(url)


async def test_S62_a_name_is_resolved_once_and_stays_the_host(receiver: Receiver) -> None:
    names = Names("127.0.0.1")
    assert (await fetched(f"http://draw.example.org:{receiver.port}/x", names)).status_code == 204
    assert names.asked == [("draw.example.org", receiver.port)]
    (received,) = receiver.received
    assert received.headers["host"] == f"draw.example.org:{receiver.port}"
    assert received.headers["accept-encoding"] == "identity"


async def test_S62_one_bad_address_among_good_ones_is_too_many(receiver: Receiver) -> None:
    with pytest.raises(Unreachable, match="may not be called"):
        await fetched(f"http://draw.example.org:{receiver.port}/", Names("127.0.0.1", "10.0.0.1"), "10.0.0.1")
    assert receiver.received == []


async def test_S62_an_address_is_judged_without_asking_for_names(receiver: Receiver) -> None:
    names = Names()
    with pytest.raises(Unreachable, match="may not be called"):
        await fetched(receiver.url, names, "127.0.0.1")
    assert (await fetched(receiver.url, names)).status_code == 204
    assert (names.asked, len(receiver.received)) == ([], 1)


async def test_a_name_that_is_not_known_is_told_as_such() -> None:
    with pytest.raises(Unreachable, match="not known"):
        await fetched("http://draw.example.org/", Names())


async def test_the_next_address_is_tried_and_not_without_end(receiver: Receiver) -> None:
    # On 127.0.0.2 and its neighbours nobody listens at this port.
    dead = [f"127.0.0.{n}" for n in range(2, ADDRESSES + 2)]
    url = f"http://draw.example.org:{receiver.port}/"
    assert (await fetched(url, Names(*dead[1:], "127.0.0.1"))).status_code == 204
    with pytest.raises(httpx2.ConnectError):
        await fetched(url, Names(*dead, "127.0.0.1"))
    assert len(receiver.received) == 1


async def test_a_name_is_asked_for_as_the_name_system_spells_it(receiver: Receiver) -> None:
    names = Names("127.0.0.1")
    await fetched(f"http://xn--bcher-kva.example:{receiver.port}/", names)
    assert names.asked == [("xn--bcher-kva.example", receiver.port)]


async def test_names_are_resolved_by_the_system() -> None:
    resolve = Resolver(1)
    assert set(await resolve("localhost", 80)) <= {"127.0.0.1", "::1"}
    with pytest.raises(OSError):
        await resolve("nowhere.invalid", 80)


SILENT = """
import asyncio, socket, threading
from rest.outbound import Resolver

socket.getaddrinfo = lambda *args, **more: threading.Event().wait()

async def ask():
    async with asyncio.timeout(0):
        await Resolver(1)("draw.example.org", 443)

asyncio.run(ask())
"""


def test_a_name_server_that_is_silent_does_not_hold_up_the_end_of_the_process() -> None:
    ended = subprocess.run([sys.executable, "-c", SILENT], cwd=ROOT, capture_output=True, timeout=20, check=False)
    assert ended.stderr.splitlines()[-1] == b"TimeoutError"


async def test_so_many_names_are_asked_for_at_once_and_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    asked, may_answer = queue.SimpleQueue[str](), threading.Event()

    def slow(host: str, port: int, **more: object) -> list[object]:
        asked.put(host)
        may_answer.wait(20)
        return [(0, 0, 0, "", (f"address of {host}", port))]

    monkeypatch.setattr(socket, "getaddrinfo", slow)
    resolve = Resolver(2)
    answers = [asyncio.create_task(resolve(host, 80)) for host in ("a", "b", "given up", "c")]
    await until(lambda: asked.qsize() == 2)
    answers[2].cancel()
    await turns()
    may_answer.set()
    assert [await answer for answer in answers if answer is not answers[2]] == [
        ["address of a"],
        ["address of b"],
        ["address of c"],
    ]
    assert {asked.get_nowait() for _ in range(3)} == {"a", "b", "c"} and asked.empty()

"""What deploy/nginx.conf does with requests, seen by workers that only note down what reaches them."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections import Counter
from collections.abc import AsyncIterator, Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from uuid import uuid4

import httpx2
import pytest

from codraw.local_stores import HOST, free_port
from tests.support.balancer import Balancer

pytestmark = pytest.mark.needs_nginx

MODEL = "/threat_models/8d2f7a64-1111-4c1c-9d6b-3a8f5a1f0001"
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok"
AWAY = b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 4\r\nConnection: close\r\n\r\naway"
SWITCHING = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n"
UPGRADE = {"Connection": "Upgrade", "Upgrade": "websocket", "Sec-WebSocket-Version": "13"}


@dataclass
class Request:
    line: str
    headers: dict[str, str]


@dataclass
class Worker:
    """Answers every request with `answer`; without one it hangs up, as a process that was killed in the middle."""

    answer: bytes = OK
    port: int = field(default_factory=free_port)
    requests: list[Request] = field(default_factory=list)
    server: asyncio.Server | None = None

    async def start(self) -> None:
        self.server = await asyncio.start_server(self.serve, HOST, self.port)

    async def stop(self) -> None:
        assert self.server is not None
        self.server.close()
        await self.server.wait_closed()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
            line, *headers = (await reader.readuntil(b"\r\n\r\n")).decode().strip().split("\r\n")
            named = (header.partition(": ") for header in headers)
            request = Request(line, {name.lower(): value for name, _, value in named})
            await reader.readexactly(int(request.headers.get("content-length", 0)))
            self.requests.append(request)
            writer.write(self.answer)
            await writer.drain()
        writer.close()


@dataclass
class Site:
    balancer: Balancer
    workers: tuple[Worker, Worker]
    client: httpx2.AsyncClient

    async def ask(self, method: str, path: str, headers: Mapping[str, str] | None = None) -> httpx2.Response:
        return await self.client.request(method, path, headers=headers)

    async def diagram_of(self, worker: Worker) -> str:
        """The path of one that is led to this worker."""
        while True:
            path = f"{MODEL}/diagrams/{uuid4()}"
            await self.ask("GET", path)
            if worker.requests and path in worker.requests[-1].line:
                for each in self.workers:
                    each.requests.clear()
                return path


@pytest.fixture
async def site(nginx: str, tmp_path: Path) -> AsyncIterator[Site]:
    workers = Worker(), Worker()
    for worker in workers:
        await worker.start()
    balancer = Balancer(tmp_path, nginx, [worker.port for worker in workers])
    await asyncio.to_thread(balancer.start)
    async with httpx2.AsyncClient(base_url=balancer.http, verify=False) as client:
        yield Site(balancer, workers, client)
    await asyncio.to_thread(balancer.kill)
    for worker in workers:
        await worker.stop()


async def test_whatever_is_asked_of_a_diagram_reaches_one_worker(site: Site) -> None:
    id = uuid4()
    for path in (
        f"{MODEL}/diagrams/{id}",
        f"{MODEL}/diagrams/{id}/collaborate",
        f"{MODEL}/diagrams/{id}/operations?dry=1",
        f"/threat_models/another/diagrams/{id}/ws?ticket=t",
    ):
        assert (await site.ask("GET", path)).status_code == 200
    assert sorted(len(worker.requests) for worker in site.workers) == [0, 4]


async def test_diagrams_and_everything_else_are_spread(site: Site) -> None:
    for paths in ([f"{MODEL}/diagrams/{uuid4()}" for _ in range(40)], ["/threat_models"] * 40):
        for worker in site.workers:
            worker.requests.clear()
        for path in paths:
            await site.ask("GET", path)
        assert min(len(worker.requests) for worker in site.workers) >= 5


async def test_the_diagrams_of_a_lost_worker_move_and_those_of_the_others_stay(site: Site) -> None:
    lost, other = site.workers
    its = await site.diagram_of(lost)
    others = await site.diagram_of(other)
    await lost.stop()
    assert [(await site.ask("GET", path)).text for path in (its, others, its)] == ["ok"] * 3
    await lost.start()
    await site.ask("GET", others)
    assert [request.line.split()[1] for request in other.requests] == [its, others, its, others]


async def test_a_worker_that_is_added_takes_diagrams_and_the_others_change_none_among_them(
    site: Site, nginx: str, tmp_path: Path
) -> None:
    third = Worker()
    await third.start()
    more = Balancer(tmp_path / "more", nginx, [worker.port for worker in (*site.workers, third)])
    await asyncio.to_thread(more.start)
    paths = [f"{MODEL}/diagrams/{uuid4()}" for _ in range(40)]
    async with httpx2.AsyncClient(base_url=more.http, verify=False) as client:
        for path in paths:
            await site.ask("GET", path)
            await client.get(path)
    await asyncio.to_thread(more.kill)
    await third.stop()
    taken = {request.line for request in third.requests}
    once, twice = zip(*(answers(worker, taken) for worker in site.workers), strict=True)
    assert len(taken) >= 3
    assert once == twice


def answers(worker: Worker, taken: Collection[str]) -> tuple[set[str], set[str]]:
    """What it was asked once at least, and what it was asked twice; of what nobody has taken."""
    asked = Counter(request.line for request in worker.requests if request.line not in taken)
    return set(asked), {line for line, times in asked.items() if times == 2}


async def test_a_worker_that_came_back_serves_when_the_other_goes_at_the_same_moment(site: Site) -> None:
    first, second = site.workers
    paths = [await site.diagram_of(first), await site.diagram_of(second)]
    for gone in (first, second, first):
        await gone.stop()
        assert [(await site.ask("POST", path)).status_code for path in paths] == [200, 200]
        await gone.start()


@pytest.mark.parametrize("method", ["GET", "POST", "PATCH", "PUT", "DELETE"])
async def test_a_request_that_reached_no_worker_is_sent_to_the_next(site: Site, method: str) -> None:
    lost, other = site.workers
    path = await site.diagram_of(lost)
    await lost.stop()
    assert (await site.ask(method, path)).status_code == 200
    assert len(other.requests) == 1
    await lost.start()


@pytest.mark.parametrize(("method", "again"), [("GET", 1), ("PUT", 1), ("DELETE", 1), ("POST", 0), ("PATCH", 0)])
async def test_what_a_worker_may_have_done_is_sent_again_only_where_twice_is_as_good_as_once(
    site: Site, method: str, again: int
) -> None:
    lost, other = site.workers
    path = await site.diagram_of(lost)
    lost.answer = b""
    answer = await site.ask(method, path)
    assert (answer.status_code, len(lost.requests), len(other.requests)) == (200 if again else 502, 1, again)


async def test_a_socket_that_a_worker_refuses_because_it_goes_is_offered_to_the_next(site: Site) -> None:
    going, other = site.workers
    path = await site.diagram_of(going)
    going.answer, other.answer = AWAY, SWITCHING
    reader, writer = await asyncio.open_connection(HOST, site.balancer.port, ssl=unverified())
    headers = "".join(f"{name}: {value}\r\n" for name, value in UPGRADE.items())
    writer.write(f"GET {path}/ws?ticket=secret HTTP/1.1\r\nHost: here\r\n{headers}\r\n".encode())
    assert await reader.readline() == b"HTTP/1.1 101 Switching Protocols\r\n"
    writer.close()
    for worker in site.workers:
        (request,) = worker.requests
        assert request.line == f"GET {path}/ws?ticket=secret HTTP/1.1"
        assert (request.headers["upgrade"], request.headers["connection"]) == ("websocket", "upgrade")


async def test_another_503_is_the_answer(site: Site) -> None:
    first, second = site.workers
    first.answer = second.answer = AWAY
    answer = await site.ask("GET", f"{MODEL}/diagrams/{uuid4()}")
    assert (answer.status_code, answer.text) == (503, "away")
    assert len(first.requests) + len(second.requests) == 1


async def test_what_a_client_says_of_its_own_way_is_replaced(site: Site) -> None:
    forged = {"X-Forwarded-For": "203.0.113.7", "X-Forwarded-Proto": "gopher", "X-Forwarded-Host": "evil.example"}
    await site.ask("GET", "/", headers={**forged, "Host": "draw.example"})
    (request,) = [*site.workers[0].requests, *site.workers[1].requests]
    seen = {name: request.headers[name] for name in (*map(str.lower, forged), "host")}
    assert seen == {
        "x-forwarded-for": HOST,
        "x-forwarded-proto": "https",
        "x-forwarded-host": "draw.example",
        "host": "draw.example",
    }


async def test_no_log_holds_a_query_string(site: Site) -> None:
    path = f"{MODEL}/diagrams/{uuid4()}/ws"
    await site.ask("GET", f"{path}?token=secret-one")
    for worker in site.workers:
        worker.answer = b""
    await site.ask("GET", f"{path}?token=secret-two")
    await asyncio.to_thread(site.balancer.stop)
    assert [line["path"] for line in site.balancer.answered] == [path, path]
    assert "secret" not in "".join(file.read_text() for file in site.balancer.folder.glob("*.log"))


async def test_plain_http_is_sent_to_tls_with_path_and_query(site: Site) -> None:
    async with httpx2.AsyncClient() as client:
        answer = await client.post(f"http://{HOST}:{site.balancer.plain_port}/oauth2/token?a=b")
    assert (answer.status_code, answer.headers["location"]) == (308, f"https://{HOST}/oauth2/token?a=b")


def unverified() -> ssl.SSLContext:
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context

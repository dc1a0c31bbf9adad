"""The REST half of the Python client on a real server, and on one that is not well."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from uuid import uuid4

import pytest

from codraw.client import Accepted, Rejected, RestError, Unintelligible, Unreachable, add, update
from codraw.client import Server as Client
from codraw.local_stores import free_port
from tests.support.live import Table, soon
from tests.support.servers import Server
from tests.support.turns import until

NODE = {"shape": "process", "x": 0, "y": 0, "width": 120, "height": 60}


async def test_signed_in_in_development(server: Server) -> None:
    async with Client(server.http + "/") as client:
        await client.sign_in_as("bo")
        assert (await client.me())["provider_id"] == "bo"


async def test_by_a_token_that_is_given(table: Table, server: Server) -> None:
    async with Client(server.http, token=table.host.token) as client:
        assert (await client.me())["provider_id"] == "ana"


async def test_a_refusal_is_an_exception_with_all_that_the_server_said(table: Table) -> None:
    with pytest.raises(RestError) as refused:
        await table.host.threat_model(str(uuid4()))
    assert (refused.value.status, refused.value.error) == (404, "not_found")
    with pytest.raises(RestError) as refused:
        await table.host.create_threat_model("x", id="mine")
    assert (refused.value.status, refused.value.details["field"]) == (400, "id")


async def test_a_login_that_has_run_out_is_prolonged_by_itself(server: Server) -> None:
    async with Client(server.http) as client:
        await client.sign_in_as("bo")
        client.token = "run out"
        assert (await client.me())["provider_id"] == "bo"
        assert client.token != "run out"


async def test_S34_many_who_ask_at_once_refresh_once(server: Server) -> None:
    async with Client(server.http) as client:
        await client.sign_in_as("bo")
        client.token = "run out"
        assert {me["provider_id"] for me in await asyncio.gather(*(client.me() for _ in range(8)))} == {"bo"}


async def test_after_signing_out_nobody_is_signed_in(server: Server) -> None:
    async with Client(server.http) as client:
        await client.sign_in_as("bo")
        await client.sign_out()
        with pytest.raises(RestError, match="401"):
            await client.me()


async def test_RE2_lists_are_read_to_their_end(table: Table, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("codraw.client.rest.PAGE", 2)
    names = {f"more {number}" for number in range(5)}
    for name in names:
        await table.host.create_diagram(table.threat_model, name)
    assert {one["name"] for one in await table.host.diagrams(table.threat_model)} == {"diagram", *names}
    assert table.threat_model in {one["id"] for one in await table.host.threat_models()}


async def test_what_is_deleted_is_gone(table: Table) -> None:
    await table.host.delete(table.threat_model, table.diagram)
    with pytest.raises(RestError, match="404"):
        await table.host.diagram(table.threat_model, table.diagram)
    await table.host.delete(table.threat_model)
    with pytest.raises(RestError, match="404"):
        await table.host.threat_model(table.threat_model)


async def test_a_picture_comes_as_its_bytes(table: Table) -> None:
    path = f"/threat_models/{table.threat_model}/diagrams/{table.diagram}/image"
    assert (await table.host.request("GET", path)).startswith(b"<svg")
    assert (await table.host.request("GET", path, params={"format": "png"})).startswith(b"\x89PNG")


async def test_RE17_an_operation_needs_no_session(table: Table) -> None:
    new = add("free-id", **NODE)
    id = str(uuid4())
    outcome = await table.host.edit(table.threat_model, table.diagram, [new], operation_id=id)
    assert outcome == Accepted(operation_id=id, vector=1)
    again = await table.host.edit(table.threat_model, table.diagram, [new], operation_id=id)
    assert isinstance(again, Accepted) and again.vector == 1
    refused = await table.host.edit(table.threat_model, table.diagram, [update("nobody", x=1)])
    assert isinstance(refused, Rejected)
    assert (refused.reason, refused.affected_cells) == ("conflict_detected", ["nobody"])
    unfit = await table.host.edit(table.threat_model, table.diagram, [])
    assert isinstance(unfit, Rejected) and unfit.reason == "empty_operation"
    with pytest.raises(RestError, match="404"):
        await table.host.edit(table.threat_model, str(uuid4()), [new])


async def test_RE17_an_operation_is_seen_by_those_who_are_live(table: Table) -> None:
    ana = await table.seat()
    new = add(**NODE)
    await table.host.edit(table.threat_model, table.diagram, [new], group_id="g")
    assert [cell["id"] for cell in await table.agreed(ana)] == [new.id]


async def test_SES1_a_session_is_begun_joined_looked_at_and_left(table: Table) -> None:
    bo = await table.client("bo")
    place = (table.threat_model, table.diagram)
    with pytest.raises(RestError, match="404"):
        await bo.join_session(*place)
    begun = await table.host.enter_session(*place)
    with pytest.raises(RestError) as refused:
        await bo.create_session(*place)
    assert refused.value.body["session"]["session_id"] == begun["session_id"]
    assert (await bo.enter_session(*place))["session_id"] == begun["session_id"]
    assert (await bo.session(*place))["session_id"] == begun["session_id"]
    assert await bo.ticket(begun["session_id"]) != await bo.ticket(begun["session_id"])
    await bo.leave_session(*place)
    await table.host.leave_session(*place, end=True)
    with pytest.raises(RestError, match="404"):
        await bo.session(*place)


async def test_SES1_of_many_who_enter_at_once_all_are_in_one_session(table: Table) -> None:
    clients = [await table.client(name) for name in ("bo", "cy", "dee")]
    entered = await asyncio.gather(*(one.enter_session(table.threat_model, table.diagram) for one in clients))
    assert len({session["session_id"] for session in entered}) == 1


# servers that are not well --------------------------------------------------------------------------------------------


@asynccontextmanager
async def answering(*answers: bytes) -> AsyncIterator[str]:
    """The address of something that gives these answers in turn, and then the last one again."""
    left = list(answers)

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(left.pop(0) if len(left) > 1 else left[0])
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    async with server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"


def http(status: int, body: object = None, **headers: str) -> bytes:
    text = b"" if body is None else json.dumps(body).encode()
    lines = [f"HTTP/1.1 {status} x", f"Content-Length: {len(text)}", "Connection: close"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + text


class Sleeper:
    def __init__(self) -> None:
        self.slept: list[float] = []

    async def __call__(self, seconds: float) -> None:
        self.slept.append(seconds)


async def test_a_busy_server_is_asked_again_when_it_says() -> None:
    busy, sleep = http(429, {"error": "rate_limited", "message": ""}, Retry_After="7"), Sleeper()
    async with answering(busy, http(503), http(200, {"sub": "x"})) as url, Client(url, sleep=sleep) as client:
        assert await client.me() == {"sub": "x"}
    assert sleep.slept == [7, 2]


async def test_patience_ends() -> None:
    sleep = Sleeper()
    async with answering(http(503)) as url, Client(url, sleep=sleep) as client:
        with pytest.raises(RestError, match="503"):
            await client.me()
    assert len(sleep.slept) == 2


async def test_what_would_happen_twice_is_asked_once() -> None:
    sleep = Sleeper()
    async with answering(http(503)) as url, Client(url, sleep=sleep) as client:
        with pytest.raises(RestError, match="503"):
            await client.create_threat_model("x")
    assert sleep.slept == []


async def test_VEC8_an_operation_may_be_repeated_for_its_id() -> None:
    receipt = {
        "message_type": "operation_accepted", "operation_id": "x", "epoch": "e", "update_vector": 4, "changed": True,
        "duplicate": True, "kind": "rest", "history": {"undo": 1, "redo": 0},
    }  # fmt: skip
    async with answering(http(503), http(200, receipt)) as url, Client(url, sleep=Sleeper()) as client:
        outcome = await client.edit("t", "d", [add(**NODE)])
    assert isinstance(outcome, Accepted) and outcome.vector == 4


async def test_an_operation_that_could_not_be_judged_is_not_said_to_be_rejected() -> None:
    details = {
        "message_type": "operation_rejected", "operation_id": "x", "reason": "unavailable", "retry": True,
        "message": "the store is away",
    }  # fmt: skip
    away = http(503, {"error": "unavailable", "message": "the store is away", "details": details})
    async with answering(away) as url, Client(url, sleep=Sleeper()) as client:
        with pytest.raises(RestError, match="the store is away"):
            await client.edit("t", "d", [add(**NODE)])


class Slow:
    """Something that gives its answer when it may. `asked`: it has been."""

    def __init__(self, answer: bytes = b"") -> None:
        self.url = ""
        self.asked, self.may_answer = asyncio.Event(), asyncio.Event()
        self._answer = answer

    async def take(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        self.asked.set()
        await self.may_answer.wait()
        writer.write(self._answer)
        writer.close()


@pytest.fixture
async def slow() -> AsyncIterator[Slow]:
    slow = Slow(http(200, {"access_token": "new", "refresh_token": "successor"}))
    async with await asyncio.start_server(slow.take, "127.0.0.1", 0) as server:
        slow.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        yield slow
        slow.may_answer.set()


async def test_S34_who_stops_waiting_for_a_refresh_takes_it_from_nobody(slow: Slow) -> None:
    async with Client(slow.url, token="run out", refresh_token="old") as client:
        first, second = (asyncio.create_task(client.refresh()) for _ in range(2))
        await slow.asked.wait()
        first.cancel()
        await asyncio.wait([first])
        slow.may_answer.set()
        await second
        assert (first.cancelled(), client.token, client.refresh_token) == (True, "new", "successor")


async def test_who_has_signed_in_as_somebody_else_during_a_refresh_stays_so(slow: Slow) -> None:
    async with Client(slow.url, token="ana's", refresh_token="old") as client:
        refresh = asyncio.create_task(client.refresh())
        await slow.asked.wait()
        client.token, client.refresh_token = "bo's", "another"
        slow.may_answer.set()
        await refresh
        assert (client.token, client.refresh_token) == ("bo's", "another")


async def test_a_refresh_ends_with_its_client(slow: Slow) -> None:
    client = Client(slow.url, refresh_token="old")
    refresh = asyncio.create_task(client.refresh())
    await slow.asked.wait()
    await client.close()
    with pytest.raises(Unreachable):
        await refresh


async def test_all_who_wait_for_a_refresh_hear_that_it_failed() -> None:
    async with answering(http(503)) as url, Client(url, refresh_token="old") as client:
        outcomes = await asyncio.gather(client.refresh(), client.refresh(), return_exceptions=True)
    assert [error.status for error in outcomes if isinstance(error, RestError)] == [503, 503]


async def test_a_server_that_is_not_there_is_unreachable() -> None:
    async with Client(f"http://127.0.0.1:{free_port()}", sleep=Sleeper()) as client:
        with pytest.raises(Unreachable, match="does not answer"):
            await client.me()


@pytest.mark.parametrize(
    "cut",
    [b"", b"?\r\n", b"HTTP/1.1 20", b"HTTP/1.1 200 x\r\nContent-", b"HTTP/1.1 200 x\r\nContent-Length: 9\r\n\r\n{"],
)
async def test_a_call_that_was_cut_is_unreachable_and_made_again_where_it_may_be(cut: bytes) -> None:
    sleep = Sleeper()
    async with answering(cut, http(200, {"sub": "x"})) as url, Client(url, sleep=sleep) as client:
        assert await client.me() == {"sub": "x"}
    async with answering(cut) as url, Client(url, sleep=sleep) as client:
        with pytest.raises(Unreachable, match="does not answer"):
            await client.create_threat_model("x")
    assert sleep.slept == [1]


@pytest.mark.parametrize("answer", [http(200, [1]), http(200), b"HTTP/1.1 200 x\r\nContent-Length: 1\r\n\r\n<"])
async def test_something_else_than_codraw_is_unintelligible(answer: bytes) -> None:
    async with answering(answer) as url, Client(url, sleep=Sleeper()) as client:
        with pytest.raises(Unintelligible):
            await client.me()


@pytest.mark.parametrize("body", [{}, {"items": {}, "total": 1}, {"items": [1], "total": 1}, {"ticket": 1}, [], 7])
async def test_an_answer_of_another_shape_is_unintelligible(body: object) -> None:
    async with answering(http(200, body)) as url, Client(url, sleep=Sleeper()) as client:
        for asking in (client.threat_models(), client.ticket("s"), client.edit("t", "d", [add(**NODE)])):
            with pytest.raises(Unintelligible):
                await asking


@pytest.mark.parametrize("tail", ["?", "?x=1", "#x"])
async def test_an_id_ends_no_path(table: Table, tail: str) -> None:
    with pytest.raises(RestError):
        await table.host.delete(table.threat_model + tail, table.diagram)
    with pytest.raises(RestError):
        await table.host.threat_model(table.threat_model + tail)


async def test_SES16_who_enters_a_session_that_is_just_ending_enters_the_next(table: Table) -> None:
    class Late(Client):
        """Its first session ends before it has a ticket."""

        async def enter_session(self, threat_model: str, diagram: str) -> dict[str, Any]:
            entered = await super().enter_session(threat_model, diagram)
            self.entered.append(entered["session_id"])
            if len(self.entered) == 1:
                await self.leave_session(threat_model, diagram)
            return entered

    async with Late(table.server.http, token=table.host.token) as client:
        client.entered = []
        async with client.open(table.threat_model, table.diagram) as live:
            assert live.session is not None and live.session.session_id == client.entered[1]


async def test_SES16_who_has_a_ticket_for_a_session_that_ends_before_it_is_used_enters_the_next(table: Table) -> None:
    class Late(Client):
        """The session of its first ticket ends before that is used."""

        async def ticket(self, session: str) -> str:
            ticket = await super().ticket(session)
            self.sessions.append(session)
            if len(self.sessions) == 1:
                await self.leave_session(table.threat_model, table.diagram)
            return ticket

    async with Late(table.server.http, token=table.host.token) as client:
        client.sessions = []
        async with client.open(table.threat_model, table.diagram, backoff=soon()) as live:
            assert live.session is not None and live.session.session_id == client.sessions[1]


@pytest.mark.parametrize("url", ["", "localhost:8080", "ftp://x"])
def test_what_is_no_address_is_refused_at_once(url: str) -> None:
    with pytest.raises(Unreachable, match="must start with http"):
        Client(url)


async def test_a_refusal_without_a_body_of_ours_has_its_status() -> None:
    async with (
        answering(b"HTTP/1.1 502 x\r\nContent-Length: 6\r\nConnection: close\r\n\r\n<html>") as url,
        Client(url) as client,
    ):
        with pytest.raises(RestError) as refused:
            await client.me()
    assert refused.value.status == 502


NO_BACKEND = b"HTTP/1.1 404 x\r\nContent-Type: text/html\r\nContent-Length: 6\r\nConnection: close\r\n\r\n<html>"


async def test_S80_a_balancer_that_knows_no_server_is_asked_again() -> None:
    sleep = Sleeper()
    async with answering(NO_BACKEND, http(200, {"sub": "x"})) as url, Client(url, sleep=sleep) as client:
        assert await client.me() == {"sub": "x"}
    assert sleep.slept == [1]


async def test_S80_a_diagram_stays_open_behind_a_balancer_that_knows_no_server() -> None:
    async with answering(NO_BACKEND) as url, Client(url, sleep=Sleeper()) as client:
        live = client.open("t", "d")
        live.open()
        await until(lambda: live.status.state not in ("closed", "connecting"))
        assert live.status.state == "offline"
        await live.close(timeout_s=0)


@pytest.mark.parametrize("method", ["GET", "HEAD"])
async def test_what_the_server_itself_knows_nothing_of_is_asked_for_once(table: Table, method: str) -> None:
    sleep = Sleeper()
    async with Client(table.server.http, token=table.host.token, sleep=sleep) as client:
        with pytest.raises(RestError, match="404"):
            await client.request(method, f"/threat_models/{uuid4()}")
    assert sleep.slept == []

"""Coming and going, on the real server."""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import uvicorn
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus

from collab.core.events import Departure
from collab.endpoint import departure
from tests.support.client import Classic, CodrawV1, Packed, Tmi
from tests.support.servers import Meeting, Person, Server, sign_in
from tests.support.turns import until


async def refused(url: str, **more: Any) -> tuple[int, dict[str, Any], Mapping[str, str]]:
    with pytest.raises(InvalidStatus) as caught:
        await connect(url, **more)
    answer = caught.value.response
    return answer.status_code, json.loads(answer.body or b""), answer.headers


async def test_without_credential_the_upgrade_is_refused_with_a_body(meeting: Meeting) -> None:
    status, body, headers = await refused(meeting.url)
    assert (status, body["error"], headers["WWW-Authenticate"]) == (401, "unauthorized", "Bearer")


async def test_RE10_a_refused_upgrade_is_an_answer_like_any_other(meeting: Meeting) -> None:
    _, _, headers = await refused(meeting.url)
    assert (headers["Cache-Control"], headers["X-Content-Type-Options"]) == ("no-store", "nosniff")


async def test_S1_a_foreign_page_is_refused(meeting: Meeting, ana: Person) -> None:
    status, body, _ = await refused(f"{meeting.url}?token={ana.token}", origin="https://evil.example")
    assert (status, body["error"]) == (403, "origin_not_allowed")


async def test_the_server_s_own_address_is_no_foreign_origin(meeting: Meeting, server: Server, ana: Person) -> None:
    async with connect(f"{meeting.url}?token={ana.token}", origin=server.http):
        pass


async def test_bad_ids_and_dialects_are_refused(meeting: Meeting, server: Server, ana: Person) -> None:
    bad_id = await refused(f"{server.ws}/threat_models/x/diagrams/y/ws?token={ana.token}")
    assert (bad_id[0], bad_id[1]["error"]) == (400, "invalid_id")
    bad_dialect = await refused(f"{meeting.url}?token={ana.token}&dialect=morse")
    assert (bad_dialect[0], bad_dialect[1]["error"]) == (400, "invalid_dialect")


async def test_S11_one_ticket_shown_many_times_at_once_opens_once(meeting: Meeting, bo: Person) -> None:
    url = f"{meeting.url}?ticket={await meeting.ticket(bo)}"

    async def attempt() -> int:
        try:
            async with connect(url):
                return 101
        except InvalidStatus as refusal:
            return refusal.response.status_code

    assert sorted(await asyncio.gather(*(attempt() for _ in range(20)))) == [101] + [401] * 19


@pytest.mark.parametrize("kind", [Classic, Tmi, CodrawV1, Packed])
async def test_every_dialect_comes_in_by_its_own_door(meeting: Meeting, bo: Person, kind: type[CodrawV1]) -> None:
    editor = await kind(meeting, bo).join()
    assert editor.cells == {}
    assert editor.connection.subprotocol == getattr(kind, "protocol", None)
    await editor.leave()


async def test_WS6_compression_is_not_taken_up(meeting: Meeting, bo: Person) -> None:
    async with connect(f"{meeting.url}?token={bo.token}", compression="deflate") as connection:
        assert connection.response is not None
        assert "Sec-WebSocket-Extensions" not in connection.response.headers


async def test_a_bearer_header_is_classic(meeting: Meeting, bo: Person) -> None:
    async with connect(meeting.url, additional_headers=bo.headers) as connection:
        assert json.loads(await connection.recv())["message_type"] == "diagram_state_sync"


async def test_WS13_S10_no_secret_stands_in_the_server_s_log(meeting: Meeting, server: Server, bo: Person) -> None:
    ticket = await meeting.ticket(bo)
    async with connect(f"{meeting.url}?ticket={ticket}"), connect(f"{meeting.url}?token={bo.token}"):
        pass
    await refused(f"{meeting.url}?ticket={ticket}")
    await refused(f"{meeting.url}?token={bo.token}x")
    assert ticket not in server.log
    assert bo.token not in server.log


# how a session loses its host ---------------------------------------------------------------------------------------


async def status(meeting: Meeting) -> int:
    return (await meeting.host.ask("GET", f"{meeting.path}/collaborate")).status_code


async def test_SES9_close_1000_of_the_host_s_last_socket_ends_the_session(meeting: Meeting, bo: Person) -> None:
    host, guest = await CodrawV1(meeting, meeting.host).join(), await Tmi(meeting, bo).join()
    await host.leave(1000)
    code, heard = await guest.closed()
    assert (code, heard[-1]["error"]) == (1000, "session_terminated")
    assert await status(meeting) == 404


async def test_SES9_a_close_frame_without_code_ends_it_too(meeting: Meeting, bo: Person) -> None:
    host, guest = await CodrawV1(meeting, meeting.host).join(), await CodrawV1(meeting, bo).join()
    host.connection.protocol.send_close()
    host.connection.send_data()
    code, heard = await guest.closed()
    assert (code, heard[-1]["reason"]) == (1000, "host_left")


async def test_SES9_while_another_socket_of_the_host_lives_nothing_ends(meeting: Meeting, bo: Person) -> None:
    tabs = [await CodrawV1(meeting, meeting.host).join() for _ in range(2)]
    guest = await CodrawV1(meeting, bo).join()
    await tabs[0].leave(1000)
    await until_roster(guest, {"ana": 1, "bo": 1})
    assert await status(meeting) == 200


@pytest.mark.parametrize("how", ["cut", 1001])
async def test_SES10_any_other_loss_of_the_host_opens_a_grace_in_which_it_may_return(
    meeting: Meeting, bo: Person, how: str | int
) -> None:
    host, guest = await CodrawV1(meeting, meeting.host).join(), await CodrawV1(meeting, bo).join()
    if isinstance(how, int):
        await host.leave(how)
    else:
        host.cut()
    await until_host(guest, "away")
    assert await status(meeting) == 200
    await CodrawV1(meeting, meeting.host).join()
    await until_host(guest, "here")


async def until_host(editor: CodrawV1, state: str) -> None:
    while (await editor.hear("participants"))["host_state"] != state:
        pass


async def until_roster(editor: CodrawV1, sockets: dict[str, int]) -> None:
    while True:
        roster = await editor.hear("participants")
        found = {p["user"]["provider_id"]: len(p["connections"]) for p in roster["participants"]}
        if found == sockets:
            return


# what each WebSocket implementation of uvicorn says of a departure ----------------------------------------------------


class Farewells:
    """An ASGI application that accepts and keeps the last event of each socket."""

    def __init__(self) -> None:
        self.last: list[Mapping[str, Any]] = []

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        await receive()
        await send({"type": "websocket.accept"})
        while (message := await receive())["type"] != "websocket.disconnect":
            pass
        self.last.append(message)


@asynccontextmanager
async def serving(application: Any, implementation: Any) -> AsyncIterator[str]:
    config = uvicorn.Config(application, ws=implementation, lifespan="off", log_config=None)
    server = uvicorn.Server(config)
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        running = asyncio.ensure_future(server.serve([listener]))
        await until(lambda: server.started)
        try:
            yield f"ws://127.0.0.1:{listener.getsockname()[1]}"
        finally:
            server.should_exit = True
            await running


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("implementation", ["websockets-sansio", "websockets"])
@pytest.mark.parametrize(
    ("how", "seen"),
    [(1000, Departure.CLEAN), (None, Departure.CLEAN), (1001, Departure.LOST), ("cut", Departure.LOST)],
)
async def test_SES9_SES10_a_cut_connection_is_told_from_a_close_without_code(
    implementation: str, how: Any, seen: Departure
) -> None:
    application = Farewells()
    async with serving(application, implementation) as url:
        connection = await connect(url)
        if how == "cut":
            connection.transport.abort()
        elif how is None:
            connection.protocol.send_close()
            connection.send_data()
        else:
            await connection.close(how)
        await until(lambda: bool(application.last))
        await connection.wait_closed()
    assert departure(application.last[0]) is seen


async def test_in_the_profile_tmi_a_token_alone_is_TMIs_older_app(tmp_path: Path) -> None:
    with Server(tmp_path, api_profile="tmi") as server:
        ana = await sign_in(server, "ana")
        model = await ana.post("/threat_models", {"name": "M"})
        diagrams = f"/threat_models/{model['id']}/diagrams"
        diagram = await ana.post(diagrams, {"name": "D", "type": "DFD-1.0.0"})
        session = await ana.post(f"{diagrams}/{diagram['id']}/collaborate")
        async with connect(f"{session['websocket_url']}?token={ana.token}") as socket_:
            first = [json.loads(await socket_.recv())["message_type"] for _ in range(2)]
    assert first == ["diagram_state", "participants_update"]

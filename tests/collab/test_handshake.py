"""Who comes in: the checks before and after the upgrade, against a real store."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from collab.access.origins import Origins
from collab.core.meeting import Deny, End
from collab.handshake import FAILURES_SAVED, Rules
from protocol.refusals import Ending
from protocol.values import DiagramId, Limits, SessionId
from tests.support.premises import Premises, person, premises
from tests.support.wire import Line, word

PRODUCTION = Rules(Origins.of(("https://listed.example",), development=False), "https://diagrams.example")


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[Premises]:
    async with premises(tmp_path) as house:
        yield house


async def knock(house: Premises, query: dict[str, str] | None = None, **more: Any) -> tuple[int, str]:
    """Status and `error` of the answer; (101, "") if the socket is accepted."""
    line = Line(house.endpoint, more.pop("path", house.path), query, **more)
    if (await line.decided())["type"] == "websocket.accept":
        line.leave(code=1006)
        await line.ended()
        return 101, ""
    status, body, _ = await line.refusal()
    assert set(body) == {"error", "message", "error_description", "details"}
    return status, body["error"]


def bearer(token: str) -> tuple[str, str]:
    return "authorization", f"Bearer {token}"


# (1) ids ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("id", ["x", "", "{5e110000-0000-4000-8000-000000000001}", "5e11000000004000800000000000001"])
async def test_ids_that_are_no_UUIDs_are_refused(house: Premises, id: str) -> None:
    path = f"/threat_models/{house.threat_model}/diagrams/{id}/ws"
    assert await knock(house, path=path) == (400, "invalid_id")


async def test_upper_case_ids_name_the_same(house: Premises) -> None:
    await house.open_session()
    path = house.path.replace(house.diagram, house.diagram.upper())
    line = Line(house.endpoint, path, {"token": await house.token("ana")})
    assert (await line.hear())["message_type"] == "diagram_state_sync"
    line.leave(code=1000, reason="")
    await line.ended()


async def test_another_address_is_not_found(house: Premises) -> None:
    assert await knock(house, path="/elsewhere") == (404, "not_found")


# (2) origin -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "origin",
    [
        "https://evil.example",
        "https://diagrams.example.evil.example",
        "https://evil-diagrams.example",
        "https://diagrams.example:8443",
        "http://diagrams.example",
        "https://diagrams.example.",
        "https://diagrams.example/",
        "https://diagrams.example@evil.example",
        "https://xn--dagrams-bza.example",
        "null",
        "",
        "file://",
    ],
)
async def test_S1_a_foreign_origin_is_refused(tmp_path: Path, origin: str) -> None:
    async with premises(tmp_path, rules=PRODUCTION) as house:
        headers = [("origin", origin), bearer(await house.token("ana"))]
        assert await knock(house, headers=headers) == (403, "origin_not_allowed")


async def test_S1_an_origin_given_twice_is_refused(tmp_path: Path) -> None:
    async with premises(tmp_path, rules=PRODUCTION) as house:
        headers = [("origin", "https://diagrams.example")] * 2 + [bearer(await house.token("ana"))]
        assert await knock(house, headers=headers) == (403, "origin_not_allowed")


async def test_S1_a_forged_host_makes_no_origin_our_own(tmp_path: Path) -> None:
    async with premises(tmp_path, rules=PRODUCTION) as house:
        headers = [("host", "evil.example"), ("origin", "https://evil.example"), bearer(await house.token("ana"))]
        assert await knock(house, headers=headers) == (403, "origin_not_allowed")


@pytest.mark.parametrize("origin", ["https://diagrams.example", "https://listed.example:443"])
async def test_S1_our_own_and_a_listed_origin_may_connect(tmp_path: Path, origin: str) -> None:
    async with premises(tmp_path, rules=PRODUCTION) as house:
        assert await knock(house, headers=[("origin", origin), bearer(await house.token("ana"))]) == (101, "")


async def test_S1_in_development_loopback_and_the_address_asked_may_connect(house: Premises) -> None:
    for origin in ("http://localhost:5173", "http://127.0.0.1:1", "http://diagrams.example"):
        assert await knock(house, headers=[("origin", origin), bearer(await house.token("ana"))]) == (101, "")


async def test_S3_without_origin_a_credential_is_enough_unless_the_setting_asks_for_one(tmp_path: Path) -> None:
    (tmp_path / "strict").mkdir()
    async with premises(tmp_path, rules=PRODUCTION) as house:
        assert await knock(house, headers=[bearer(await house.token("ana"))]) == (101, "")
    strict = Rules(PRODUCTION.origins, PRODUCTION.public_url, require_origin=True)
    async with premises(tmp_path / "strict", rules=strict) as house:
        assert await knock(house, headers=[bearer(await house.token("ana"))]) == (403, "origin_not_allowed")


# (3) dialect ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("query", "subprotocols"),
    [
        ({"dialect": "morse"}, []),
        ({"dialect": "tmi"}, ["codraw.v1.json"]),
        ({"dialect": "classic"}, ["codraw.v1.msgpack"]),
    ],
)
async def test_an_unknown_or_contradictory_dialect_is_refused(
    house: Premises, query: dict[str, str], subprotocols: list[str]
) -> None:
    query |= {"token": await house.token("ana")}
    assert await knock(house, query, subprotocols=subprotocols) == (400, "invalid_dialect")


async def test_the_subprotocol_is_echoed(house: Premises) -> None:
    query = {"ticket": await house.ticket("ana")}
    line = Line(house.endpoint, house.path, query, subprotocols=["other", "codraw.v1.msgpack"])
    assert (await line.decided())["subprotocol"] == "codraw.v1.msgpack"
    await line.ended()


# (4) credential ---------------------------------------------------------------------------------------------------


async def test_without_credential_nobody_comes_in(house: Premises) -> None:
    line = Line(house.endpoint, house.path)
    status, body, headers = await line.refusal()
    assert (status, body["error"], headers["www-authenticate"]) == (401, "unauthorized", "Bearer")


async def test_a_cookie_never_authenticates_a_socket(house: Premises) -> None:
    cookie = ("cookie", f"tmi_access_token={await house.token('ana')}")
    assert await knock(house, headers=[cookie]) == (401, "unauthorized")


@pytest.mark.parametrize("where", ["token", "bearer", "ticket"])
async def test_a_forged_credential_is_refused(house: Premises, where: str) -> None:
    forged = (await house.token("ana"))[:-4] + "AAAA"
    if where == "bearer":
        assert await knock(house, headers=[bearer(forged)]) == (401, "unauthorized")
    else:
        assert await knock(house, {where: forged}) == (401, "unauthorized")


async def test_the_first_credential_that_is_there_counts(house: Premises) -> None:
    headers = [bearer(await house.token("ana"))]
    assert await knock(house, {"ticket": "no such"}, headers=headers) == (401, "unauthorized")


async def test_S13_a_token_in_the_address_serves_classic_and_tmi_only(house: Premises) -> None:
    for query in ({"dialect": "classic"}, {"dialect": "tmi"}):
        assert await knock(house, {**query, "token": await house.token("ana")}) == (101, "")
    v1 = {"dialect": "codraw.v1", "token": await house.token("ana")}
    assert await knock(house, v1) == (401, "unauthorized")


async def test_S13_a_token_in_the_address_can_be_forbidden(tmp_path: Path) -> None:
    rules = Rules(PRODUCTION.origins, query_token=False)
    async with premises(tmp_path, rules=rules) as house:
        assert await knock(house, {"token": await house.token("ana")}) == (401, "unauthorized")


async def test_AU9_a_ticket_opens_once(house: Premises) -> None:
    await house.open_session()
    ticket = await house.ticket("ana")
    assert await knock(house, {"ticket": ticket}) == (101, "")
    assert await knock(house, {"ticket": ticket}) == (401, "unauthorized")


async def test_AU9_of_many_at_once_one_gets_in_by_a_ticket(house: Premises) -> None:
    await house.open_session()
    ticket = await house.ticket("ana")
    answers = await asyncio.gather(*(knock(house, {"ticket": ticket}) for _ in range(20)))
    assert sorted(status for status, _ in answers) == [101] + [401] * 19


async def test_AU9_a_ticket_for_another_diagram_is_refused_and_burnt(house: Premises) -> None:
    elsewhere = DiagramId("5e110000-0000-4000-8000-00000000000f")
    ticket = await house.ticket("ana", SessionId("s"), elsewhere)
    assert await knock(house, {"ticket": ticket}) == (401, "unauthorized")
    assert await house.sessions.redeem(ticket) is None


async def test_AU9_a_ticket_lives_for_half_a_minute(house: Premises) -> None:
    ticket = await house.ticket("ana")
    house.clock.advance(31)
    assert await knock(house, {"ticket": ticket}) == (401, "unauthorized")


@pytest.mark.parametrize("how", ["token", "ticket"])
async def test_S12_after_a_logout_neither_token_nor_ticket_opens(house: Premises, how: str) -> None:
    token, caller = await house.sign_in("ana")
    await house.open_session()
    ticket = await house.ticket("ana")
    await house.accounts.end_login(caller.sid)
    if how == "token":
        assert await knock(house, {"token": token}) == (401, "unauthorized")
        return
    grant = await house.sessions.redeem(ticket)
    assert grant is not None
    await house.sessions.issue_ticket("again", grant, 30_000)
    await house.accounts.end_login(grant.caller.sid)
    assert await knock(house, {"ticket": "again"}) == (401, "unauthorized")


async def test_S12_a_token_of_a_login_that_nobody_knows_opens_nothing(house: Premises) -> None:
    _, caller = await house.sign_in("ana")
    forged, _ = house.tokens.issue(msgspec.structs.replace(caller, sid="never begun"))
    assert await knock(house, {"token": forged}) == (401, "unauthorized")


async def test_whoever_fails_too_often_is_not_even_looked_at(house: Premises) -> None:
    for _ in range(int(FAILURES_SAVED)):
        assert (await knock(house))[0] == 401
    ticket = {"ticket": await house.ticket("ana")}
    status, body, headers = await Line(house.endpoint, house.path, ticket).refusal()
    assert (status, body["error"]) == (429, "rate_limit_exceeded")
    assert int(headers["retry-after"]) >= 1
    assert await knock(house, ticket, address="192.0.2.2") == (101, "")


async def test_S75_of_an_ipv6_address_its_network_counts(house: Premises) -> None:
    for n in range(int(FAILURES_SAVED)):
        assert (await knock(house, address=f"2001:db8::{n + 1:x}"))[0] == 401
    ticket = {"ticket": await house.ticket("ana")}
    assert (await knock(house, ticket, address="2001:db8::ffff"))[0] == 429
    assert await knock(house, ticket, address="2001:db8:0:1::1") == (101, "")


async def test_an_unreachable_store_is_said_before_the_upgrade(house: Premises) -> None:
    query = {"token": await house.token("ana")}
    await house.database.close()
    status, body, headers = await Line(house.endpoint, house.path, query).refusal()
    assert (status, body["error"]) == (503, "unavailable")
    assert int(headers["retry-after"]) >= 1


async def test_a_server_that_stops_lets_nobody_in(house: Premises) -> None:
    house.endpoint.draining = True
    assert await knock(house, {"token": await house.token("ana")}) == (503, "unavailable")


async def test_where_a_server_lets_us_give_no_answer_the_socket_is_closed(house: Premises) -> None:
    line = Line(house.endpoint, house.path, extensions={})
    await line.ended()
    assert [message["type"] for message in line.got] == ["websocket.close"]


async def test_WS13_no_credential_stands_in_a_log_or_an_answer(
    house: Premises, caplog: pytest.LogCaptureFixture
) -> None:
    secret = await house.token("ana")
    with caplog.at_level(0):
        for query in ({"token": secret + "x"}, {"ticket": secret}):
            line = Line(house.endpoint, house.path, query)
            _, body, headers = await line.refusal()
            assert secret not in json.dumps([body, headers])
        line = Line(house.endpoint, house.path, {"token": secret})
        await line.ended()
    assert "socket refused: 401" in caplog.text
    assert secret not in caplog.text


# (5) to (8), by frame and close -------------------------------------------------------------------------------------

FIRST = ("diagram_state_sync", "diagram_state", "welcome")
ENDS = {
    # dialect: what the last frame says, and the close code, of each check
    "classic": {
        "diagram": ("diagram_not_found", 1000),
        "right": ("authorization_denied", 1000),
        "session": ("session_not_found", 1000),
        "user": ("too_many_connections", 4429),
        "full": ("session_full", 4429),
    },
    "tmi": {
        "diagram": ("diagram_not_found", 4404),
        "right": ("access_denied", 4403),
        "session": ("session_not_found", 4404),
        "user": ("too_many_connections", 4429),
        "full": ("session_full", 4429),
    },
    "codraw.v1": {
        "diagram": ("diagram_not_found", 4404),
        "right": ("access_revoked", 4403),
        "session": ("session_not_found", 4404),
        "user": ("too_many_connections", 4429),
        "full": ("session_full", 4429),
    },
}


async def enter(house: Premises, name: str, dialect: str, **more: str) -> Line:
    ticket = await house.ticket(name)
    return Line(house.endpoint, more.pop("path", house.path), {"ticket": ticket, "dialect": dialect, **more})


async def end(line: Line) -> tuple[str, int | None]:
    """What the one frame says, and the close code."""
    code = await line.ended()
    (message,) = [line.frames.get_nowait() for _ in range(line.frames.qsize())]
    return message.get("error") or (message.get("reason") if "code" in message else message["message_type"]), code


@pytest.fixture(params=list(ENDS))
def dialect(request: pytest.FixtureRequest) -> str:
    return str(request.param)


async def test_a_diagram_that_is_not_in_that_threat_model(house: Premises, dialect: str) -> None:
    await house.open_session()
    path = house.path.replace(house.threat_model, "5e110000-0000-4000-8000-00000000000f")
    assert await end(await enter(house, "ana", dialect, path=path)) == ENDS[dialect]["diagram"]


async def test_SES8_whoever_may_not_read_has_no_way_in(house: Premises, dialect: str) -> None:
    await house.open_session()
    assert await end(await enter(house, "eve", dialect)) == ENDS[dialect]["right"]


async def test_a_user_who_was_ejected_has_no_way_in(house: Premises, dialect: str) -> None:
    session = await house.open_session()
    await house.sessions.change(session.id, session.version, Deny(person("bo"), None))
    assert await end(await enter(house, "bo", dialect)) == ENDS[dialect]["right"]


async def test_SES7_a_socket_never_creates_a_session(house: Premises, dialect: str) -> None:
    assert await end(await enter(house, "ana", dialect)) == ENDS[dialect]["session"]
    assert await house.sessions.live(house.diagram) is None


async def test_SES8_a_socket_needs_a_live_session_and_no_REST_join(house: Premises, dialect: str) -> None:
    session = await house.open_session()
    line = await enter(house, "cy", dialect)
    assert word(await line.hear()) in FIRST
    line.leave(code=1006, reason="")
    await line.ended()
    live = await house.sessions.read(session.id)
    assert live is not None
    await house.sessions.change(live.id, live.version, End(Ending.HOST_ENDED))
    assert await end(await enter(house, "cy", dialect)) == ENDS[dialect]["session"]


async def test_another_session_than_the_live_one_is_not_found(house: Premises, dialect: str) -> None:
    await house.open_session()
    line = await enter(house, "ana", dialect, session_id="5e110000-0000-4000-8000-00000000000f")
    assert await end(line) == ENDS[dialect]["session"]


async def test_S56_a_session_is_named_in_upper_case_as_well(house: Premises, dialect: str) -> None:
    session = await house.open_session()
    assert await (await enter(house, "ana", dialect, session_id=session.id.upper())).hear(*FIRST)


async def test_AU9_a_ticket_opens_its_own_session_only(house: Premises, dialect: str) -> None:
    ticket = await house.ticket("ana", SessionId("an earlier one"))
    await house.open_session()
    line = Line(house.endpoint, house.path, {"ticket": ticket, "dialect": dialect})
    assert await end(line) == ENDS[dialect]["session"]


async def test_S75_a_user_has_five_sockets_to_a_diagram(house: Premises, dialect: str) -> None:
    await house.open_session()
    lines = [await enter(house, "bo", "codraw.v1") for _ in range(5)]
    for line in lines:
        await line.hear("state")
    assert await end(await enter(house, "bo", dialect)) == ENDS[dialect]["user"]
    lines[0].leave(code=1006, reason="")
    await lines[0].ended()
    again = await enter(house, "bo", "codraw.v1")
    assert await again.hear("state")


async def test_S75_a_session_has_a_limit_of_sockets(tmp_path: Path, dialect: str) -> None:
    async with premises(tmp_path, limits=Limits(max_sockets_per_session=2)) as house:
        await house.open_session()
        for name in ("ana", "bo"):
            await (await enter(house, name, "codraw.v1")).hear("state")
        assert await end(await enter(house, "cy", dialect)) == ENDS[dialect]["full"]


async def test_a_store_that_fails_after_the_upgrade_sends_the_client_away_for_a_while(
    house: Premises, dialect: str
) -> None:
    await house.open_session()
    line = await enter(house, "ana", dialect)
    await line.decided()
    await house.database.close()
    assert await line.ended() == 1013

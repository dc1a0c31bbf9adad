"""Sessions over REST: one lives at most; who may begin, join, end it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from protocol.notices import Connection, Participant
from protocol.values import Role, SocketId
from rest.identity import ACCESS_COOKIE
from tests.support.edges import BASE, NOWHERE, Edge, Somebody


@pytest.fixture
async def diagram(alice: Somebody) -> str:
    model = await alice.shared_model(("bob", "writer"), ("ron", "reader"), ("oz", "owner"))
    return await alice.diagram(model)


@pytest.fixture
def path(diagram: str) -> str:
    return f"{diagram}/collaborate"


async def test_SES1_the_first_call_creates_the_session(alice: Somebody, diagram: str, path: str) -> None:
    answer = await alice.ask("POST", path)
    session = answer.json()
    assert (answer.status_code, answer.headers["location"]) == (201, path)
    assert session == {
        "session_id": session["session_id"],
        "host": "alice@tmi.local",
        "presenter": "alice@tmi.local",
        "threat_model_id": diagram.split("/")[2],
        "threat_model_name": "Model",
        "diagram_id": diagram.split("/")[4],
        "diagram_name": "Diagram",
        "participants": [{"user_id": "alice@tmi.local", "joined_at": "2027-01-15T08:00:00Z", "permissions": "writer"}],
        "websocket_url": f"ws://here:8080{diagram}/ws",
    }


async def test_SES1_the_second_call_is_told_how_to_join(alice: Somebody, bob: Somebody, path: str) -> None:
    first = await alice.post(path)
    body = await bob.refused(409, "collaboration_session_exists", "POST", path)
    assert body["join_url"] == BASE + path
    assert body["session"]["session_id"] == first["session_id"]
    assert body["session"]["websocket_url"] == first["websocket_url"]


async def test_SES1_of_many_calls_at_once_one_creates(alice: Somebody, bob: Somebody, path: str) -> None:
    answers = await asyncio.gather(*((alice, bob)[n % 2].ask("POST", path) for n in range(10)))
    assert sorted(answer.status_code for answer in answers) == [201] + [409] * 9
    bodies = [answer.json().get("session", answer.json()) for answer in answers]
    assert len({body["session_id"] for body in bodies}) == 1


async def test_SES2_creating_takes_a_writer(here: Edge, alice: Somebody, eve: Somebody, path: str) -> None:
    await (await here.as_("ron")).refused(403, "forbidden", "POST", path)
    await eve.refused(403, "forbidden", "POST", path)
    await (await here.as_("bob")).post(path, {})


@pytest.mark.parametrize("method", ["POST", "PUT"])
async def test_AU15_a_right_that_goes_while_the_body_comes_is_gone(
    alice: Somebody, bob: Somebody, path: str, method: str
) -> None:
    entry = f"{path.partition('/diagrams/')[0]}/authorization/1"
    if method == "PUT":
        await alice.post(path)

    async def slowly() -> AsyncIterator[bytes]:
        yield b"{"
        await alice.delete(entry)
        yield b"}"

    await bob.refused(403, "forbidden", method, path, content=slowly(), headers={"Content-Type": "application/json"})
    if method == "POST":
        await alice.post(path)


async def test_SES4_whoever_reads_may_join(here: Edge, alice: Somebody, eve: Somebody, path: str) -> None:
    ron = await here.as_("ron")
    await ron.refused(404, "not_found", "PUT", path)
    await alice.post(path)
    joined = await ron.put(path)
    people = {one["user_id"]: one["permissions"] for one in joined["participants"]}
    assert people == {"alice@tmi.local": "writer", "ron@tmi.local": "reader"}
    await eve.refused(403, "forbidden", "PUT", path)


async def test_SES5_looking_joins_nobody(bob: Somebody, alice: Somebody, path: str) -> None:
    await bob.refused(404, "not_found", "GET", path)
    await alice.post(path)
    assert [one["user_id"] for one in (await bob.get(path))["participants"]] == ["alice@tmi.local"]


async def test_SES6_the_host_ends_it_for_all(alice: Somebody, path: str) -> None:
    await alice.post(path)
    await alice.delete(path)
    await alice.refused(404, "not_found", "GET", path)
    await alice.delete(path)


@pytest.mark.parametrize(
    ("name", "query", "ends"),
    [("bob", "", False), ("bob", "?end=true", False), ("ron", "", False), ("oz", "", False), ("oz", "?end=true", True)],
)
async def test_SES6_a_guest_only_leaves_and_an_owner_may_end(
    here: Edge, alice: Somebody, path: str, name: str, query: str, ends: bool
) -> None:
    await alice.post(path)
    guest = await here.as_(name)
    await guest.put(path)
    await guest.delete(path + query)
    assert (await alice.ask("GET", path)).status_code == (404 if ends else 200)


async def test_SES6_without_a_session_delete_does_nothing(here: Edge, eve: Somebody, path: str) -> None:
    await (await here.as_("ron")).delete(path)
    await eve.refused(403, "forbidden", "DELETE", path)


async def test_SES16_a_later_session_has_another_id(alice: Somebody, bob: Somebody, path: str) -> None:
    first = await alice.post(path)
    await alice.delete(path)
    second = await bob.post(path)
    assert first["session_id"] != second["session_id"]
    assert second["host"] == "bob@tmi.local"


async def test_SES17_who_was_expected_is_listed_for_a_minute(
    here: Edge, alice: Somebody, bob: Somebody, path: str
) -> None:
    session = await alice.post(path)
    await bob.put(path)
    here.clock.advance(59)
    assert len((await bob.get(path))["participants"]) == 2
    await _connected(here, session["session_id"], alice)
    here.clock.advance(2)
    assert [one["user_id"] for one in (await bob.get(path))["participants"]] == ["alice@tmi.local"]


async def test_SES17_who_is_connected_is_listed_once(here: Edge, alice: Somebody, path: str) -> None:
    session = await alice.post(path)
    await _connected(here, session["session_id"], alice)
    (one,) = (await alice.get(path))["participants"]
    assert one == {"user_id": "alice@tmi.local", "joined_at": "2027-01-15T08:00:05Z", "permissions": "writer"}


async def _connected(here: Edge, session: Any, somebody: Somebody) -> None:
    joined_ms = 1_800_000_005_000
    connection = Connection(SocketId("s1"), "codraw.v1", joined_ms)
    participant = Participant(somebody.caller.user, Role.OWNER, (connection,), joined_ms + 1_000)
    await here.presence.put(session, "w1", [participant])


async def test_SES18_an_ejected_user_does_not_come_back(here: Edge, alice: Somebody, bob: Somebody, path: str) -> None:
    session = await alice.post(path)
    await here.eject(session["session_id"], bob)
    await bob.refused(403, "forbidden", "PUT", path)
    await bob.refused(403, "forbidden", "POST", path)
    await bob.refused(403, "forbidden", "GET", f"/ws/ticket?session_id={session['session_id']}")
    await bob.get(path)
    await bob.delete(path)


@pytest.mark.parametrize("body", [b"{}", b"null"])
async def test_a_body_that_says_nothing_is_none(alice: Somebody, path: str, body: bytes) -> None:
    headers = {"Content-Type": "application/json"}
    began = await alice.post(path, content=body, headers=headers)
    assert (await alice.put(path, content=body, headers=headers))["session_id"] == began["session_id"]


@pytest.mark.parametrize("body", [b"[]", b"5", b"{", b'{"a":1,"a":2}'])
async def test_a_body_is_none_or_an_object(alice: Somebody, path: str, body: bytes) -> None:
    for method in ("POST", "PUT"):
        await alice.refused(400, "invalid_input", method, path, content=body)
    await alice.post(path, content=b"")
    await alice.put(path, {"anything": 1})


async def test_my_sessions_are_those_i_may_read(here: Edge, alice: Somebody, bob: Somebody, path: str) -> None:
    hidden = await alice.diagram(await alice.threat_model())
    session = await alice.post(path)
    await alice.post(f"{hidden}/collaborate")
    answer = await bob.ask("GET", "/me/sessions")
    assert [one["session_id"] for one in answer.json()] == [session["session_id"]]
    assert answer.headers["x-total-count"] == "1"
    assert len(await alice.get("/me/sessions")) == 2


async def test_the_tmi_profile_names_people(tmi: Edge) -> None:
    alice = await tmi.as_("alice")
    diagram = await alice.diagram(await alice.threat_model())
    session = await alice.post(f"{diagram}/collaborate")
    assert session["host"]["email"] == "alice@tmi.local"
    (one,) = session["participants"]
    assert one["user"]["provider_id"] == "alice"
    assert one.keys() == {"user", "last_activity", "permissions"}
    assert (await alice.get("/me/sessions"))[0]["host"]["provider"] == "test"


async def test_AU9_a_ticket_works_once_for_its_user_and_session(here: Edge, alice: Somebody, path: str) -> None:
    session = await alice.post(path)
    answer = await alice.ask("GET", f"/ws/ticket?session_id={session['session_id']}")
    assert answer.headers["cache-control"] == "no-store"
    ticket = answer.json()["ticket"]
    assert len(ticket) >= 40
    grant = await here.sessions.redeem(ticket)
    assert grant is not None
    assert (grant.caller.id, grant.session, grant.diagram) == ("test:alice", session["session_id"], path.split("/")[4])
    assert await here.sessions.redeem(ticket) is None


async def test_a_HEAD_makes_no_ticket(here: Edge, alice: Somebody, path: str) -> None:
    session = await alice.post(path)
    address = f"/ws/ticket?session_id={session['session_id']}"
    count = "SELECT count(*) FROM ticket"
    assert (await alice.ask("HEAD", address)).status_code == 200
    assert await here.database.fetch(count) == [(0,)]
    assert (await (await here.as_("eve")).ask("HEAD", address)).status_code == 404
    await alice.get(address)
    assert await here.database.fetch(count) == [(1,)]


async def test_AU9_a_ticket_lives_30_seconds(here: Edge, alice: Somebody, path: str) -> None:
    session = await alice.post(path)
    ticket = (await alice.get(f"/ws/ticket?session_id={session['session_id']}"))["ticket"]
    here.clock.advance(31)
    assert await here.sessions.redeem(ticket) is None


async def test_AU11_a_ticket_by_cookie_lets_a_socket_live_as_long_as_a_new_token(
    here: Edge, alice: Somebody, path: str
) -> None:
    """TMI's web app, loaded anew, takes the cookie that it finds for a new one, and renews it a quarter of an hour
    before that would be over; only then is the socket's deadline raised."""
    address = f"/ws/ticket?session_id={(await alice.post(path))['session_id']}"
    here.clock.advance(3_000)
    by_header = await here.sessions.redeem((await alice.get(address))["ticket"])
    answer = await here.http.get(address, headers={"Cookie": f"{ACCESS_COOKIE}={alice.token}"})
    by_cookie = await here.sessions.redeem(answer.json()["ticket"])
    assert by_header is not None
    assert by_cookie is not None
    assert by_cookie.caller.expires_at_ms - by_header.caller.expires_at_ms == 3_000_000


async def test_AU19_a_ticket_tells_a_stranger_nothing(alice: Somebody, eve: Somebody, path: str) -> None:
    session = await alice.post(path)
    await eve.refused(404, "not_found", "GET", f"/ws/ticket?session_id={session['session_id']}")
    await eve.refused(404, "not_found", "GET", f"/ws/ticket?session_id={NOWHERE}")
    await alice.refused(400, "invalid_id", "GET", "/ws/ticket")
    await alice.refused(400, "invalid_id", "GET", "/ws/ticket?session_id=x")
    await alice.delete(path)
    await alice.refused(404, "not_found", "GET", f"/ws/ticket?session_id={session['session_id']}")


async def test_SES3_who_joins_or_owns_does_not_become_host(here: Edge, bob: Somebody, path: str) -> None:
    await bob.post(path)
    for name in ("oz", "alice", "bob"):
        joined = await (await here.as_(name)).put(path)
        assert joined["host"] == "bob@tmi.local"

"""The address by which clients reach this server."""

from __future__ import annotations

from dataclasses import replace

from starlette.requests import Request

from tests.support.edges import Edge, Somebody

REQUEST = Request(
    {
        "type": "http",
        "scheme": "http",
        "path": "/x",
        "query_string": b"",
        "headers": [(b"host", b"forged.test")],
        "server": ("here", 80),
    }
)


async def test_a_configured_address_wins_over_what_a_request_says(here: Edge) -> None:
    assert here.deps.base(REQUEST) == "http://forged.test"
    assert replace(here.deps, public_url="https://draw.example.org").base(REQUEST) == "https://draw.example.org"


async def test_a_socket_is_where_the_server_is(here: Edge, alice: Somebody) -> None:
    here.deps = replace(here.deps, public_url="https://draw.example.org")
    diagram = await alice.diagram(await alice.threat_model())
    public = await here.as_("alice")
    session = await public.post(f"{diagram}/collaborate")
    assert session["websocket_url"] == f"wss://draw.example.org{diagram}/ws"
    body = await public.refused(409, "collaboration_session_exists", "POST", f"{diagram}/collaborate")
    assert body["join_url"] == f"https://draw.example.org{diagram}/collaborate"

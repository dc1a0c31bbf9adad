"""Showing oneself at the server's rate, and what others show."""

from __future__ import annotations

from typing import Any

import pytest

from codraw.client import (
    Awareness,
    Joined,
    Left,
    LiveDiagram,
    Point,
    PresenterChanged,
    RosterChanged,
    Viewport,
    connect,
)
from tests.support.live import told
from tests.support.scripted import ANA, Line, ScriptedPeer
from tests.support.turns import until

BO = {**ANA, "provider_id": "bo", "display_name": "Bo"}


async def ticket(wants: str) -> str:
    return "t"


async def shown(line: Line) -> dict[str, Any]:
    message = await line.hear("awareness")
    return {key: value for key, value in message.items() if key != "message_type"}


async def test_PR9_the_newest_wins_and_the_last_arrives(peer: ScriptedPeer) -> None:
    live = connect(peer.url, ticket)
    live.aware(viewport=Viewport(0, 0, 100, 100, 1))
    live.open()
    line = await peer.line()
    await line.welcome()
    assert await shown(line) == {"viewport": {"x": 0, "y": 0, "width": 100, "height": 100, "zoom": 1}}
    for x in range(200):
        live.aware(cursor=(x, 0), selection=["a"])
    live.aware(selection=None)
    assert await shown(line) == {"cursor": {"x": 199, "y": 0}, "selection": None}
    await live.close()
    assert (await line.rest())[0] == []


@pytest.mark.parametrize(
    "shown",
    [
        {"cursor": Point(1, None)}, {"cursor": Point("1", 2)}, {"cursor": (float("nan"), 0)}, {"cursor": [1, 2]},
        {"cursor": (1, float("inf"))}, {"selection": "abc"}, {"selection": [1]},
        {"selection": ["a"] * 501}, {"viewport": Point(1, 2)}, {"viewport": Viewport(0, 0, 1, 1, float("nan"))},
    ],
)  # fmt: skip
async def test_what_the_server_would_not_take_is_refused_where_it_is_written(shown: Any) -> None:
    live = connect("ws://127.0.0.1:1", ticket)
    with pytest.raises(ValueError):
        live.aware(**shown)


async def test_what_becomes_of_a_shown_selection_later_is_not_shown(peer: ScriptedPeer) -> None:
    live = connect(peer.url, ticket)
    selection = ["a"]
    live.aware(selection=selection)
    selection.append("b")
    live.open()
    line = await peer.line()
    await line.welcome()
    assert await shown(line) == {"selection": ["a"]}
    await live.close()


async def test_peers_are_updated_key_by_key_and_forgotten_with_their_connection(peer: ScriptedPeer) -> None:
    live = connect(peer.url, ticket)
    live.open()
    line = await peer.line()
    await line.welcome()
    await live.ready()
    events = live.events(Awareness)
    await line.say("awareness", updates=[{"connection_id": "b", "cursor": {"x": 1, "y": 2}, "selection": ["a"]}])
    await line.say("awareness", updates=[{"connection_id": "b", "cursor": None}])
    await told(events, Awareness)
    await told(events, Awareness)
    assert (live.peers["b"].cursor, live.peers["b"].selection) == (None, ["a"])
    await line.say("participants", **roster(ANA, []))
    assert (await told(events, Awareness)).updates == []
    assert live.peers == {}
    await line.say("awareness", updates=[{"connection_id": "b", "cursor": {"x": 1, "y": 2}}])
    await until(lambda: live.peers["b"].cursor == Point(1, 2) if live.peers else False)
    live.cut()
    await until(lambda: not live.peers)
    await live.close()


def roster(presenter: dict[str, str] | None, joined: list[dict[str, str]]) -> dict[str, Any]:
    me = {
        "user": ANA, "role": "reader", "permissions": "reader", "is_host": False, "is_presenter": False,
        "connections": [{"connection_id": "c", "dialect": "codraw.v1", "joined_at": ""}],
    }  # fmt: skip
    return {
        "participants": [me], "host": BO, "host_state": "away", "presenter": presenter, "presenter_term": 3,
        "joined": joined, "left": [],
    }  # fmt: skip


async def test_the_roster_says_who_is_there_and_what_we_may(peer: ScriptedPeer) -> None:
    live = connect(peer.url, ticket)
    live.open()
    line = await peer.line()
    await line.welcome()
    await live.ready()
    assert live.can_write
    events = live.events(Joined, PresenterChanged, RosterChanged)
    await line.say("participants", **roster(BO, [{"id": "test:ana", "name": "Ana"}]))
    assert (await told(events, Joined)).user.name == "Ana"
    assert (await told(events, PresenterChanged)).presenter.provider_id == "bo"
    await told(events, RosterChanged)
    assert live.you is not None and (live.you.permissions, live.you.is_host) == ("reader", False)
    assert live.host is not None and (live.host_state, live.host.display_name) == ("away", "Bo")
    await line.say("participants", **roster(BO, []))
    assert await told(events, RosterChanged) == RosterChanged()
    await line.say("presenter", action="something_new", presenter=None, term=4)
    await line.say("presenter", action="changed", presenter=None, term=4)
    assert await told(events, PresenterChanged) == PresenterChanged(None, 4)
    await live.close()


async def test_WS11_nobody_is_told_twice_of_who_came_nor_of_who_went_before_oneself_came(peer: ScriptedPeer) -> None:
    live = connect(peer.url, ticket)
    live.open()
    line = await peer.line()
    await line.welcome()
    await live.ready()
    events = live.events(Joined, Left)
    ana, bo = ({"id": f"test:{name}", "name": name} for name in ("ana", "bo"))
    first, second = roster(None, []), roster(None, [ana, bo])
    second["participants"] = [*first["participants"], {**first["participants"][0], "user": BO, "connections": []}]
    await line.say("participants", **first)
    await line.say("participants", **{**second, "left": [{"id": "test:cy", "name": "cy"}]})
    await line.say("participants", **{**first, "left": [bo]})
    await line.close(4404)
    assert [(type(event), event.user.name) async for event in events] == [(Joined, "bo"), (Left, "bo")]
    await live.close()


async def test_PR4_whoever_began_to_present_while_we_were_away_is_told(
    live: LiveDiagram, line: Line, peer: ScriptedPeer
) -> None:
    events = live.events(PresenterChanged)
    live.cut()
    await (await peer.line()).welcome(presenter=BO, term=2)
    told_first = await told(events, PresenterChanged)
    assert (told_first.presenter.provider_id, told_first.term) == ("bo", 2)

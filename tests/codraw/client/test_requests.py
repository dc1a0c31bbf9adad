"""Requests that are answered by their `ref`: done, refused, lost."""

from __future__ import annotations

import asyncio

import pytest

from codraw.client import LiveDiagram, RequestRefused, Trouble, Unreachable, User
from tests.support.live import told
from tests.support.scripted import Line, ScriptedPeer

BO = User("test", "bo", "b@x.y", "Bo")


async def test_a_request_names_whom_it_is_about_and_waits_for_its_answer(live: LiveDiagram, line: Line) -> None:
    waiting = asyncio.create_task(live.grant_presenter(BO))
    asked = await line.hear("presenter")
    assert (asked["action"], asked["user"]) == ("grant", {"provider": "test", "provider_id": "bo"})
    await line.say("done", ref="of somebody else")
    await line.say("done", ref=asked["ref"])
    await waiting


async def test_WS22_a_refusal_is_raised_where_it_was_asked_for(live: LiveDiagram, line: Line) -> None:
    events = live.events(Trouble)
    waiting = asyncio.create_task(live.remove_participant(BO))
    ref = (await line.hear("remove_participant"))["ref"]
    await line.say("error", error="invalid_participant", message="nobody", details={"n": 1}, ref=ref)
    with pytest.raises(RequestRefused, match="invalid_participant") as refused:
        await waiting
    assert refused.value.details == {"n": 1}
    await line.say("error", error="malformed", message="later", ref=ref)
    assert (await told(events, Trouble)).error == "malformed"


async def test_whoever_stops_waiting_is_no_fault(live: LiveDiagram, line: Line) -> None:
    waiting = asyncio.create_task(live.release_presenter())
    ref = (await line.hear("presenter"))["ref"]
    waiting.cancel()
    await asyncio.wait([waiting])
    await line.say("done", ref=ref)
    await line.say("heartbeat", epoch="e", update_vector=0, state_hash="0" * 32, server_time="")
    assert live.is_live


async def test_without_connection_and_after_its_loss_nothing_was_done(live: LiveDiagram, peer: ScriptedPeer) -> None:
    with pytest.raises(Unreachable):
        await live.request_presenter()
    line = await peer.line()
    await line.welcome()
    await live.ready()
    waiting = asyncio.create_task(live.request_presenter())
    await line.hear("presenter")
    live.cut()
    with pytest.raises(Unreachable):
        await waiting

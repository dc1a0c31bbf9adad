"""Webhooks of the program as it runs, but for its pauses: a receiver hears what people do, also over `kill -9`."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest

from tests.support.client import add
from tests.support.receiver import Receiver, receiving
from tests.support.servers import Meeting, Person, Server, meet
from tests.support.turns import until_read

SUBSCRIPTIONS = "/webhook/subscriptions"
EVENTS = [
    "threat_model.created",
    "threat_model.deleted",
    "threat.created",
    "diagram.created",
    "diagram.updated",
    "metadata.created",
    "session.started",
    "session.ended",
]


class Eager(Server):
    """It looks often; what its pauses are good for, tests with a clock of their own know."""

    before = """
import codraw.deliveries, storage.outbox
codraw.deliveries.LOOK_S, codraw.deliveries.HOLD_MS, storage.outbox.EVERY_MS = 0.02, 2_000, 50
"""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with Eager(tmp_path_factory.mktemp("eager")) as server:
        yield server


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    async with receiving() as made:
        yield made


async def active(person: Person, receiver: Receiver, **more: Any) -> str:
    """The id of a subscription to all of EVENTS that has been verified."""
    body = {"name": "hook", "url": receiver.url, "events": EVENTS, "secret": "your-webhook-secret", **more}
    id = str((await person.post(SUBSCRIPTIONS, body))["id"])

    async def verified() -> bool:
        return bool((await person.get(f"{SUBSCRIPTIONS}/{id}"))["status"] == "active")

    await receiver.until(lambda: bool(receiver.received))
    await until_read(verified)
    return id


def kinds(receiver: Receiver) -> list[str]:
    return [received.event for received in receiver.events]


async def test_a_receiver_hears_what_its_owner_may_read(ana: Person, bo: Person, receiver: Receiver) -> None:
    await active(ana, receiver)
    meeting = await meet(ana)
    private = await bo.post("/threat_models", {"name": "none of hers"})
    threat = await ana.post(f"/threat_models/{meeting.threat_model}/threats", {"name": "Spoofing"})
    await ana.post(f"/threat_models/{meeting.threat_model}/metadata", {"key": "k", "value": "v"})
    await edited(meeting)
    # What nobody may read any more is not told: it has to be heard before all is deleted.
    await receiver.until(lambda: "diagram.updated" in kinds(receiver))
    assert (await ana.ask("DELETE", f"{meeting.path}/collaborate")).status_code == 204
    assert (await ana.ask("DELETE", f"/threat_models/{meeting.threat_model}")).status_code == 204
    await receiver.until(lambda: "threat_model.deleted" in kinds(receiver))
    # an attempt may be made twice; a delivery is there once
    heard = [event for event, _ in {(received.event, received.delivery) for received in receiver.events}]
    assert {"session.started", "session.ended", "diagram.created", "metadata.created"} <= set(heard)
    assert heard.count("threat.created") == heard.count("threat_model.created") == 1
    bodies = {received.event: received.json for received in receiver.events}
    assert bodies["threat.created"]["object_id"] == threat["id"]
    assert bodies["session.started"]["object_id"] == meeting.session
    assert bodies["session.started"]["data"]["by"]["provider_id"] == "ana"
    edit = bodies["diagram.updated"]
    assert (edit["object_id"], edit["data"]["update_vector"]) == (meeting.diagram, 1)
    assert not any(received.json["threat_model_id"] == private["id"] for received in receiver.events)


async def edited(meeting: Meeting) -> None:
    operation = {
        "operation_id": "11111111-1111-4111-8111-111111111111",
        "operation": {"type": "patch", "cells": [add("22222222-2222-4222-8222-222222222222")]},
    }
    await meeting.host.post(f"{meeting.path}/operations", operation)


async def test_a_change_before_a_kill_is_delivered_after_it_once(
    server: Server, ana: Person, receiver: Receiver
) -> None:
    await active(ana, receiver, events=["threat_model.created"])
    made = [(await ana.post("/threat_models", {"name": f"Model {n}"}))["id"] for n in range(5)]
    server.kill()
    server.start()
    made.append((await ana.post("/threat_models", {"name": "the last"}))["id"])
    await receiver.until(lambda: len({one.json["object_id"] for one in receiver.events}) == len(made))
    told = {(received.delivery, received.json["object_id"]) for received in receiver.events}
    assert sorted(object_id for _, object_id in told) == sorted(made)

"""How a line of the trail becomes an event."""

from __future__ import annotations

import json
from typing import Any

import pytest

from protocol.values import DiagramId, Epoch, ThreatModelId, User
from rest.ports import Action, Change, Door, ItemKind
from rest.webhooks.events import NAMES, challenge, of_change, of_move
from rest.webhooks.ports import Moved
from tests.support.contract import broken

ANA = User("test", "ana", "ana@example.org", "Ana")
AT_MS = 1_800_000_000_500
MODEL, DIAGRAM = "11111111-1111-4111-8111-111111111111", "22222222-2222-4222-8222-222222222222"
EVENT = {"$ref": "#/components/schemas/Event"}


def change(**more: Any) -> Change:
    values: dict[str, Any] = {
        "serial": 7,
        "at_ms": AT_MS,
        "by": ANA,
        "action": Action.CREATED,
        "object_type": "threat",
        "object_id": "t1",
        "threat_model_id": ThreatModelId("m1"),
    }
    return Change(**(values | more))


def test_an_event_says_what_happened_to_what_and_by_whom() -> None:
    event = of_change(change(detail={"fields": ["name"]}))
    assert event is not None
    assert (event.type, event.threat_model_id, event.at_ms) == ("threat.created", "m1", AT_MS)
    assert json.loads(event.body) == {
        "event_type": "threat.created",
        "timestamp": "2027-01-15T08:00:00.500Z",
        "threat_model_id": "m1",
        "object_type": "threat",
        "object_id": "t1",
        "data": {
            "by": {
                "principal_type": "user",
                "provider": "test",
                "provider_id": "ana",
                "email": "ana@example.org",
                "display_name": "Ana",
            },
            "door": "rest",
            "details": {"fields": ["name"]},
        },
    }


def test_what_the_server_does_by_itself_is_nobody_s_doing() -> None:
    ended = change(
        action=Action.ENDED,
        object_type="session",
        by=None,
        door=Door.SYSTEM,
        diagram_id=DiagramId("d1"),
        update_vector=5,
    )
    event = of_change(ended)
    assert event is not None
    assert event.type == "session.ended"
    assert json.loads(event.body)["data"] == {"by": None, "door": "system", "diagram_id": "d1", "update_vector": 5}


def test_who_may_read_a_threat_model_is_a_part_of_it() -> None:
    event = of_change(change(action=Action.DELETED, object_type="authorization", object_id="m1"))
    assert event is not None
    body = json.loads(event.body)
    assert (event.type, body["object_type"], body["data"]["changed"]) == (
        "threat_model.updated",
        "threat_model",
        "authorization",
    )


def test_what_nobody_can_subscribe_to_is_no_event() -> None:
    assert of_change(change(object_type="something")) is None
    assert of_change(change(object_type="threat", action=Action.STARTED)) is None


def test_of_everything_that_is_changed_there_are_events() -> None:
    kinds = ("threat_model", "diagram", "metadata", *ItemKind)
    written = {f"{kind}.{action}" for kind in kinds for action in ("created", "updated", "deleted")}
    assert set(NAMES) == written | {"session.started", "session.ended"}


@pytest.mark.parametrize("other", [{"serial": 8}, {"at_ms": AT_MS + 1}])
def test_two_changes_are_two_events_also_in_a_store_that_was_played_back(other: dict[str, int]) -> None:
    first, second = of_change(change()), of_change(change(**other))
    assert first is not None and second is not None
    assert first.key != second.key


def test_edits_are_an_update_of_the_diagram_and_say_where_it_stands() -> None:
    moved = Moved(DiagramId("d1"), ThreatModelId("m1"), Epoch("e1"), 12, AT_MS)
    event = of_move(moved)
    assert event.at_ms == AT_MS
    assert json.loads(event.body) == {
        "event_type": "diagram.updated",
        "timestamp": "2027-01-15T08:00:00.500Z",
        "threat_model_id": "m1",
        "object_type": "diagram",
        "object_id": "d1",
        "data": {"diagram_id": "d1", "update_vector": 12, "epoch": "e1"},
    }
    further = Moved(DiagramId("d1"), ThreatModelId("m1"), Epoch("e1"), 13, AT_MS)
    assert of_move(further).key != event.key


def test_edits_are_told_as_the_contract_promises() -> None:
    moved = Moved(DiagramId(DIAGRAM), ThreatModelId(MODEL), Epoch("e1"), 12, AT_MS)
    assert broken(EVENT, json.loads(of_move(moved).body)) == []


@pytest.mark.parametrize("object_type", ["threat_model", "authorization"])
def test_a_change_is_told_as_the_contract_promises_with_who_and_by_which_door(object_type: str) -> None:
    event = of_change(change(object_type=object_type, object_id=MODEL, threat_model_id=ThreatModelId(MODEL)))
    assert event is not None
    body = json.loads(event.body)
    assert broken(EVENT, body) == []
    del body["data"]["by"]
    assert broken(EVENT, body) != []


def test_a_challenge_is_what_the_contract_shows() -> None:
    assert challenge("ab12") == '{"type":"webhook.challenge","challenge":"ab12"}'

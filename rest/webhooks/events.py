"""What can be subscribed to, and how a change becomes an event."""

from __future__ import annotations

from typing import Any

from protocol.codec import Encoding, encode
from protocol.dialects.times import rfc3339
from rest import views
from rest.ports import Change
from rest.webhooks.ports import UPDATED, Event, Moved

OBJECTS = ("threat_model", "diagram", "threat", "metadata", "asset", "document", "repository", "note")
NAMES = (
    *(f"{name}.{action}" for name in OBJECTS for action in ("created", "updated", "deleted")),
    "session.started",
    "session.ended",
)
CHALLENGE = "webhook.challenge"
AUTHORIZATION = "authorization"


def of_change(change: Change) -> Event | None:
    """None: nobody can subscribe to it. Who may read a threat model is a part of it."""
    kind, action = change.object_type, change.action.value
    if kind == AUTHORIZATION:
        kind, action = "threat_model", "updated"
    if f"{kind}.{action}" not in NAMES:
        return None
    data: dict[str, Any] = {
        "by": None if change.by is None else views.user_form(change.by),
        "door": change.door.value,
    }
    if change.diagram_id is not None:
        data["diagram_id"] = change.diagram_id
    if change.update_vector is not None:
        data["update_vector"] = change.update_vector
    if change.detail:
        data["details"] = change.detail
    if change.object_type == AUTHORIZATION:
        data["changed"] = AUTHORIZATION
    body = {
        "event_type": f"{kind}.{action}",
        "timestamp": rfc3339(change.at_ms),
        "threat_model_id": change.threat_model_id,
        "object_type": kind,
        "object_id": change.object_id,
        "data": data,
    }
    # A store that is played back from a backup gives its serials again.
    key = f"change {change.serial} {change.at_ms}"
    return Event(key, f"{kind}.{action}", change.threat_model_id, change.at_ms, _text(body))


def of_move(moved: Moved) -> Event:
    """Many operations of many people: who made which, the diagram's audit trail tells."""
    body = {
        "event_type": UPDATED,
        "timestamp": rfc3339(moved.at_ms),
        "threat_model_id": moved.threat_model_id,
        "object_type": "diagram",
        "object_id": moved.diagram,
        "data": {"diagram_id": moved.diagram, "update_vector": moved.vector, "epoch": moved.epoch},
    }
    key = f"edit {moved.diagram} {moved.epoch} {moved.vector}"
    return Event(key, UPDATED, moved.threat_model_id, moved.at_ms, _text(body))


def challenge(text: str) -> str:
    return _text({"type": CHALLENGE, "challenge": text})


def _text(body: dict[str, Any]) -> str:
    return encode(body, Encoding.JSON).decode()

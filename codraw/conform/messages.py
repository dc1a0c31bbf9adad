"""What is said and heard in each dialect: the published words, and one look at events for all of them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

from codraw.conform.rules import Dialect

Message = dict[str, Any]
Cell = dict[str, Any]

STATE = {Dialect.CLASSIC: "diagram_state_sync", Dialect.TMI: "diagram_state"}
EVENT = {Dialect.CLASSIC: "diagram_operation", Dialect.TMI: "diagram_operation_event"}
OPERATION = {Dialect.CLASSIC: "diagram_operation", Dialect.TMI: "diagram_operation_request"}
MODERATION = {
    Dialect.CLASSIC: {
        "grant": ("change_presenter", "new_presenter"),
        "deny": ("presenter_denied", "target_user"),
        "remove": ("remove_participant", "target_user"),
    },
    Dialect.TMI: {
        "grant": ("change_presenter_request", "new_presenter"),
        "deny": ("presenter_denied_request", "denied_user"),
        "remove": ("remove_participant_request", "removed_user"),
    },
}
"""Message type, and the field that names whom it is about."""


def word(message: Mapping[str, Any]) -> str:
    """What a message is called; presence frames of classic have `event` instead."""
    return str(message.get("message_type") or message.get("event"))


def state_word(dialect: Dialect) -> str:
    return STATE.get(dialect, "state")


def event_word(dialect: Dialect) -> str:
    return EVENT.get(dialect, "event")


# what is said -------------------------------------------------------------------------------------------------------


def new_id() -> str:
    return str(uuid4())


def node(id: str | None = None, **data: Any) -> Cell:
    return {"id": id or new_id(), "shape": "process", "x": 10, "y": 20, "width": 120, "height": 80, **data}


def edge(source: str, target: str, **data: Any) -> Cell:
    return {"id": new_id(), "shape": "flow", "source": {"cell": source}, "target": {"cell": target}, **data}


def add(cell: Cell) -> Message:
    return {"id": cell["id"], "operation": "add", "data": {key: value for key, value in cell.items() if key != "id"}}


def update(id: str, **data: Any) -> Message:
    return {"id": id, "operation": "update", "data": data}


def remove(id: str) -> Message:
    return {"id": id, "operation": "remove"}


def operation(dialect: Dialect | None, changes: Iterable[Any], id: str | None = None, **more: Any) -> Message:
    """Without dialect: as REST takes it."""
    kind = OPERATION.get(dialect, "operation") if dialect is not None else "operation"
    patch = {"type": "patch", "cells": list(changes)}
    return {"message_type": kind, "operation_id": id or new_id(), "operation": patch, **more}


def undo(dialect: Dialect, verb: str = "undo") -> Message:
    return {"message_type": f"{verb}_request" if dialect in STATE else verb}


def cursor(dialect: Dialect, x: float, y: float = 0) -> Message:
    if dialect in STATE:
        return {"message_type": "presenter_cursor", "cursor_position": {"x": x, "y": y}}
    return {"message_type": "awareness", "cursor": {"x": x, "y": y}}


def selection(dialect: Dialect, cells: list[str]) -> Message:
    if dialect in STATE:
        return {"message_type": "presenter_selection", "selected_cells": cells}
    return {"message_type": "awareness", "selection": cells}


def moderation(dialect: Dialect, verb: str, user: Mapping[str, Any] | None = None) -> Message:
    """`verb`: request, grant, deny, remove; `user` as a User object."""
    if dialect in STATE:
        if verb == "request":
            return {"message_type": "presenter_request"}
        kind, field = MODERATION[dialect][verb]
        named = user["email"] if user is not None and dialect is Dialect.CLASSIC else user
        return {"message_type": kind, field: named}
    if verb == "remove":
        return {"message_type": "remove_participant", "user": user, "ref": new_id()}
    if verb == "grant" and user is None:
        return {"message_type": "presenter", "action": "release"}
    return {"message_type": "presenter", "action": verb, **({"user": user} if user is not None else {})}


# what is heard ------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Event:
    """An accepted operation as a dialect shows it. `by`: e-mail in classic, `provider:provider_id` elsewhere."""

    operation_id: str
    by: str
    changes: list[Message]
    vector: int | None


def event_of(dialect: Dialect, message: Message) -> Event | None:
    if word(message) != event_word(dialect):
        return None
    changes = message["operation"]["cells"]
    if dialect is Dialect.CLASSIC:
        return Event(message["operation_id"], message["user_id"], changes, None)
    if dialect is Dialect.TMI:
        user = message["initiating_user"]
        by = f"{user['provider']}:{user['provider_id']}"
        return Event(message["operation_id"], by, changes, message["update_vector"])
    return Event(message["operation_id"], message["by"]["id"], changes, message["update_vector"])


def presenter_of(dialect: Dialect, message: Message) -> str | None:
    """Whom the message names as presenter, by e-mail; "" is nobody, None: it does not speak of it."""
    kind = word(message)
    if dialect is Dialect.CLASSIC:
        return str(message["current_presenter"]) if kind == "current_presenter" else None
    if dialect is Dialect.TMI:
        return _email(message["current_presenter"]) if kind == "participants_update" else None
    if kind == "participants" or (kind == "presenter" and message["action"] == "changed"):
        return _email(message["presenter"])
    return None


def _email(user: Mapping[str, Any] | None) -> str:
    return str(user["email"]) if user is not None else ""


def present_in(dialect: Dialect, message: Message) -> set[str] | None:
    """The e-mail addresses of all who are present, where the message lists them."""
    if word(message) not in ("participants_update", "participants") or dialect is Dialect.CLASSIC:
        return None
    return {str(one["user"]["email"]) for one in message["participants"]}

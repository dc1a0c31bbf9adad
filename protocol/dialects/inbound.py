"""What clients may say: `message_type` -> its shape (`requests`). classic and tmi share one table (WS2)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import msgspec

from protocol.cell_keys import is_uuid
from protocol.cells import canonical_changes, payload_sha256, respelled
from protocol.dialects import requests
from protocol.intents import Edit, Intent, Misedit
from protocol.operations import CellChange, Verb
from protocol.refusals import CellError, ProtocolError, Reason, Refusal, Trouble
from protocol.values import Limits, OperationId

CLASSIC, TMI, CODRAW_V1 = "classic", "tmi", "codraw.v1"

EXPLANATION_CHARACTERS = 200
"""The parser's explanation may quote what it was sent."""

FAMILY: Mapping[str, type[requests.Message]] = {
    "diagram_operation": requests.DiagramOperation,
    "diagram_operation_request": requests.DiagramOperation,
    "undo_request": requests.UndoRequest,
    "redo_request": requests.RedoRequest,
    "presenter_request": requests.PresenterRequest,
    "change_presenter": requests.ChangePresenter,
    "change_presenter_request": requests.ChangePresenterRequest,
    "presenter_denied": requests.PresenterDenied,
    "presenter_denied_request": requests.PresenterDeniedRequest,
    "remove_participant": requests.RemoveParticipant,
    "remove_participant_request": requests.RemoveParticipantRequest,
    "presenter_cursor": requests.PresenterCursor,
    "presenter_selection": requests.PresenterSelection,
    "sync_request": requests.SyncRequest,
    "sync_status_request": requests.SyncStatusRequest,
    "resync_request": requests.ResyncRequest,
}

OWN: Mapping[str, type[requests.Message]] = {
    "operation": requests.Operation,
    "undo": requests.Undo,
    "redo": requests.Redo,
    "resume": requests.Resume,
    "awareness": requests.Awareness,
    "presenter": requests.Presenter,
    "remove_participant": requests.RemoveUser,
    "refresh_token": requests.RefreshToken,
    "heartbeat": requests.Heartbeat,
}

# tmi's types, each meaning the codraw.v1 message whose answer it gets there.
SYNONYMS: Mapping[str, type[requests.Message]] = {
    "diagram_operation_request": requests.Operation,
    "undo_request": requests.Undo,
    "redo_request": requests.Redo,
    "presenter_request": requests.PresenterRequest,
    "change_presenter_request": requests.ChangePresenterRequest,
    "presenter_denied_request": requests.PresenterDeniedRequest,
    "remove_participant_request": requests.RemoveParticipantRequest,
    "presenter_cursor": requests.PresenterCursor,
    "presenter_selection": requests.PresenterSelection,
    "sync_request": requests.StateRequest,
    "sync_status_request": requests.Heartbeat,
    "resync_request": requests.StateRequest,
}

TABLES: Mapping[str, Mapping[str, type[requests.Message]]] = {
    CLASSIC: FAMILY,
    TMI: FAMILY,
    CODRAW_V1: {**OWN, **SYNONYMS},
}

WHOLE_NODE = frozenset({"shape", "x", "y", "width", "height", "attrs", "ports", "data"})
"""What TMI's web app names of a node that it did not just move or resize."""

_CONTRADICTIONS = (msgspec.ValidationError, ValueError)


def read(message: dict[str, Any], *, dialect_name: str, limits: Limits) -> Intent:
    """What a message asks for. `message` is as `protocol.codec.decode` gave it.

    Raises ProtocolError where it cannot be read; an operation whose id can be read becomes a Misedit instead.
    """
    ref = _ref(message) if dialect_name == CODRAW_V1 else None
    kind = message.get("message_type")
    if not isinstance(kind, str):
        raise ProtocolError(Trouble.MALFORMED, "message_type is missing", ref=ref)
    shape = TABLES[dialect_name].get(kind)
    if shape is None:
        raise ProtocolError(Trouble.UNKNOWN_TYPE, "no client sends this message_type", ref=ref)
    if issubclass(shape, requests.DiagramOperation):
        return _operation(shape, message, dialect_name, limits, ref)
    try:
        return msgspec.convert(message, shape).intent(ref)
    except _CONTRADICTIONS as error:
        raise ProtocolError(Trouble.MALFORMED, _explanation(error), ref=ref) from None


def read_from_app(message: dict[str, Any], *, limits: Limits) -> Intent:
    """As `read` of tmi, but the `data` of a node that comes as a whole takes the place of what was there.

    TMI's web app takes a key out of `data` (an icon, a lock) by leaving it out, which merging would not see.
    """
    intent = read(message, dialect_name=TMI, limits=limits)
    if not isinstance(intent, Edit):
        return intent
    changes = tuple(_with_whole_data(intent.changes))
    if len(changes) == len(intent.changes):
        return intent
    return msgspec.structs.replace(intent, changes=changes, payload_sha256=payload_sha256(intent.kind, changes))


def _with_whole_data(changes: Sequence[CellChange]) -> Iterator[CellChange]:
    for change in changes:
        if change.verb is Verb.UPDATE and change.data is not None and change.data.keys() >= WHOLE_NODE:
            yield CellChange(change.id, Verb.UPDATE, {"data": None})
        yield change


def misread(error: ProtocolError, *, dialect_name: str) -> Misedit | None:
    """The operation that a broken message was, where its id can be read (it breaks OP14); else None."""
    operation_id = _operation_id(error.operation_id, dialect_name)
    return None if operation_id is None else _misedit(operation_id, error.message, error.ref)


def _operation(
    shape: type[requests.DiagramOperation], message: dict[str, Any], dialect_name: str, limits: Limits, ref: str | None
) -> Edit | Misedit:
    operation_id = _operation_id(message.get("operation_id"), dialect_name)
    if operation_id is None:
        raise ProtocolError(Trouble.MALFORMED, "operation_id is missing or no id", ref=ref)
    patch = message.get("operation")
    if isinstance(patch, dict) and patch.get("type") != "patch":
        refusal = Refusal(Reason.INVALID_OPERATION_TYPE, "the type of an operation is patch")
        return Misedit(operation_id, refusal, ref)
    try:
        asked = msgspec.convert(message, shape)
        changes = canonical_changes(asked.operation.cells, free_ids=dialect_name == CLASSIC, limits=limits)
        return asked.edit(operation_id, changes, ref, respelled(asked.operation.cells, changes))
    except CellError as error:
        return Misedit(operation_id, error.refusal, ref)
    except _CONTRADICTIONS as error:
        return _misedit(operation_id, _explanation(error), ref)


def _misedit(operation_id: OperationId, message: str, ref: str | None) -> Misedit:
    return Misedit(operation_id, Refusal(Reason.VALIDATION_FAILED, message), ref)


def _operation_id(value: Any, dialect_name: str) -> OperationId | None:
    if not isinstance(value, str):
        return None
    if is_uuid(value):
        return OperationId(value.lower())
    free = dialect_name == CLASSIC and 1 <= len(value) <= requests.MAX_ID_CHARACTERS
    return OperationId(value) if free else None


def _ref(message: dict[str, Any]) -> str | None:
    ref = message.get("ref")
    if ref is None or (isinstance(ref, str) and len(ref) <= requests.MAX_ID_CHARACTERS):
        return ref
    operation_id = message.get("operation_id")
    known = operation_id if isinstance(operation_id, str) else None
    text = f"ref is no string of at most {requests.MAX_ID_CHARACTERS} characters"
    raise ProtocolError(Trouble.MALFORMED, text, known)


def _explanation(error: Exception) -> str:
    return str(error)[:EXPLANATION_CHARACTERS]

"""The dialect `classic`: the published wiki page's messages, and how each notice and ending looks in it.

1. No field is added to the published shapes; presence frames have `event` and no `message_type`.
2. A sender gets no echo; where its copy is doubtful it is told to fetch the diagram by REST (`state_correction`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, assert_never

import msgspec

from protocol import notices
from protocol.dialects.endings import CODES, DELETED, SENTENCES, SESSION_OVER, Farewell
from protocol.dialects.family import (
    LAST_ERRORS,
    SyncStatusResponse,
    authorization_denied,
    history,
    inversion_refused,
    is_inversion,
    resync_response,
)
from protocol.dialects.parts import Point, details, words
from protocol.dialects.patches import Patch, named, oversized, replaces_state
from protocol.dialects.times import rfc3339
from protocol.notices import DiagramView, Notice, Side
from protocol.operations import Kind
from protocol.refusals import CloseCode, Ending, Reason, Trouble
from protocol.values import Cell, CellId, User

TROUBLES: Mapping[Trouble, str] = {
    Trouble.MALFORMED: "validation_error",
    Trouble.UNKNOWN_TYPE: "unsupported_message_type",
    Trouble.PERMISSION_DENIED: "permission_denied",
    Trouble.INVALID_PARTICIPANT: "invalid_participant",
    Trouble.VALIDATION_ERROR: "validation_error",
    Trouble.INVALID_TOKEN: "validation_error",
}

TOLD_OTHERWISE = frozenset(
    {
        Reason.CONFLICT_DETECTED,
        Reason.PERMISSION_DENIED,
        Reason.NOTHING_TO_UNDO,
        Reason.NOTHING_TO_REDO,
        Reason.UNAVAILABLE,
    }
)
ERRORS = sorted({*TROUBLES.values(), *LAST_ERRORS.values(), *(set(Reason) - TOLD_OTHERWISE)})


class Message(msgspec.Struct, frozen=True, tag_field="message_type", gc=False):
    pass


class DiagramStateSync(Message, frozen=True, tag="diagram_state_sync"):
    diagram_id: str
    update_vector: int
    cells: Sequence[Cell]


class DiagramOperation(Message, frozen=True, tag="diagram_operation"):
    user_id: str
    operation_id: str
    operation: Patch


class CurrentPresenter(Message, frozen=True, tag="current_presenter"):
    current_presenter: str


class PresenterRequest(Message, frozen=True, tag="presenter_request"):
    user_id: str


class PresenterDenied(Message, frozen=True, tag="presenter_denied"):
    user_id: str
    target_user: str


class PresenterCursor(Message, frozen=True, tag="presenter_cursor"):
    user_id: str
    cursor_position: Point


class PresenterSelection(Message, frozen=True, tag="presenter_selection"):
    user_id: str
    selected_cells: Sequence[CellId]


class StateCorrection(Message, frozen=True, tag="state_correction"):
    update_vector: int


class Error(Message, frozen=True, tag="error"):
    error: Annotated[str, words(*ERRORS)]
    message: str
    details: Mapping[str, Any]
    timestamp: str


class Join(msgspec.Struct, frozen=True, tag_field="event", tag="join"):
    user_id: str
    timestamp: str


class Leave(msgspec.Struct, frozen=True, tag_field="event", tag="leave"):
    user_id: str
    timestamp: str


class SessionEnded(msgspec.Struct, frozen=True, tag_field="event", tag="session_ended"):
    user_id: str
    message: str
    timestamp: str


RETRYLESS = frozenset({CloseCode.TOKEN, CloseCode.ACCESS, CloseCode.NO_SESSION})
"""These clients retry any code but 1000, so that is what they get where a retry cannot succeed (WS16)."""


def render(notice: Notice, side: Side) -> Sequence[msgspec.Struct]:
    match notice:
        case notices.Happened():
            return _happened(notice, side)
        case notices.Accepted():
            return _accepted(notice)
        case notices.AwarenessShown():
            return [message for update in notice.updates if update.presenting for message in _pointing(update)]
        case notices.StateShown():
            return _replaced(notice.diagram) if notice.corrects else (_state(notice.diagram),)
        case notices.Corrected():
            return (StateCorrection(notice.operation.vector),)
        case notices.CopyDoubtful():
            return (StateCorrection(notice.diagram.vector),)
        case notices.Rejected():
            return _rejected(notice)
        case notices.RosterChanged():
            return _roster(notice, side)
        case notices.PresenterChanged():
            return (_current_presenter(notice.roster),)
        case notices.PresenterAsked():
            return (PresenterRequest(notice.user.email),)
        case notices.PresenterDenied():
            return (PresenterDenied(_email(notice.host, "system"), notice.user.email),)
        case notices.VectorShown():
            return (SyncStatusResponse(notice.vector),)
        case notices.ResyncAdvised():
            return (resync_response(notice),)
        case notices.Troubled():
            return (_trouble(notice),)
        case (
            notices.Welcomed()
            | notices.Resumed()
            | notices.Repaired()
            | notices.HeartbeatShown()
            | notices.TokenRefreshed()
            | notices.TokenExpiring()
            | notices.Done()
        ):
            return ()
        case _:
            assert_never(notice)


def farewell(ended: notices.Ended) -> Farewell:
    code = CODES[ended.ending]
    return Farewell(_last_words(ended), CloseCode.OVER if code in RETRYLESS else code, ended.ending.value)


def _happened(notice: notices.Happened, side: Side) -> Sequence[msgspec.Struct]:
    operation = notice.operation
    if side is Side.OWN and operation.kind in (Kind.UNDO, Kind.REDO):
        return _inverted(operation.kind, notice.after)
    if replaces_state(operation):
        return _replaced(notice.after)
    patch = named(operation.effect, notice.after)
    message = DiagramOperation(operation.user.email, operation.operation_id, patch)
    return _replaced(notice.after) if oversized(message, len(patch.cells)) else (message,)


def _accepted(notice: notices.Accepted) -> Sequence[msgspec.Struct]:
    if not is_inversion(notice):
        return ()
    if not notice.changed:
        return (history(notice.kind, "resync_required"),)
    return _inverted(notice.kind, notice.after)


def _inverted(kind: Kind, after: DiagramView) -> Sequence[msgspec.Struct]:
    """E5: the requester's client skips frames of its own user, so it is sent to fetch the outcome."""
    return history(kind, "resync_required"), StateCorrection(after.vector)


def _rejected(notice: notices.Rejected) -> Sequence[msgspec.Struct]:
    # Only a close makes these clients try again.
    if notice.refusal.reason is Reason.UNAVAILABLE:
        return ()
    if is_inversion(notice):
        return (inversion_refused(notice),)
    correction = StateCorrection(notice.vector)
    match notice.refusal.reason:
        case Reason.CONFLICT_DETECTED:
            return (correction,)
        case Reason.PERMISSION_DENIED:
            return authorization_denied(notice.operation_id), correction
        case reason:
            about = {"operation_id": notice.operation_id}
            return Error(reason.value, notice.refusal.message, about, rfc3339(notice.at_ms)), correction


def _roster(notice: notices.RosterChanged, side: Side) -> Sequence[msgspec.Struct]:
    presenter = (_current_presenter(notice.roster),)
    if side is Side.SENDER:
        return presenter
    at = rfc3339(notice.at_ms)
    # A user's own sockets are not told of that user's coming and going.
    joins = [Join(user.email, at) for user in notice.joined if side is not Side.OWN]
    leaves = [Leave(user.email, at) for user in notice.left if side is not Side.OWN]
    return (*joins, *leaves, *(presenter if notice.presenter_changed else ()))


def _pointing(update: notices.AwareUpdate) -> Sequence[msgspec.Struct]:
    messages: list[msgspec.Struct] = []
    if isinstance(update.cursor, Mapping):
        messages.append(PresenterCursor(update.user.email, Point(**update.cursor)))
    if update.selection is not msgspec.UNSET:
        messages.append(PresenterSelection(update.user.email, update.selection or ()))
    return messages


def _trouble(notice: notices.Troubled) -> Error:
    return Error(TROUBLES[notice.trouble], notice.message, details(notice), rfc3339(notice.at_ms))


def _last_words(ended: notices.Ended) -> Sequence[msgspec.Struct]:
    ending, sentence, at = ended.ending, SENTENCES[ended.ending], rfc3339(ended.at_ms)
    if ending in SESSION_OVER or ending in DELETED:
        return (SessionEnded(_email(ended.host, ""), sentence, at),)
    if ending is Ending.ACCESS_REVOKED:
        return (authorization_denied(""),)
    if ending in LAST_ERRORS:
        return (Error(LAST_ERRORS[ending], sentence, {}, at),)
    return ()


def _state(diagram: DiagramView) -> DiagramStateSync:
    return DiagramStateSync(diagram.id, diagram.vector, diagram.cells_in_order())


def _replaced(diagram: DiagramView) -> Sequence[msgspec.Struct]:
    """E6, E7."""
    return _state(diagram), StateCorrection(diagram.vector)


def _current_presenter(roster: notices.RosterView) -> CurrentPresenter:
    return CurrentPresenter(_email(roster.presenter, ""))


def _email(user: User | None, otherwise: str) -> str:
    return otherwise if user is None else user.email

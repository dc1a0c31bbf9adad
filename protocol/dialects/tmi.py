"""The dialect `tmi`: messages of TMI's clients since 2025-12, and how each notice and ending looks in it.

1. No `error` but the three notices reaches a socket that is not closed right after it (WS20).
2. A sender gets the event as its receipt (OP19); clients skip it, hence E4, E5 and E8.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal, assert_never

import msgspec

from protocol import notices
from protocol.dialects.endings import CODES, SENTENCES, SESSION_OVER, Farewell
from protocol.dialects.family import (
    LAST_ERRORS,
    SyncStatusResponse,
    history,
    inversion_refused,
    is_inversion,
    resync_response,
)
from protocol.dialects.parts import Permissions, Person, Point, details, given, person, person_or_none, words
from protocol.dialects.patches import Patch, corrected, correction_id, oversized, replaces_state, whole
from protocol.dialects.times import rfc3339
from protocol.notices import DiagramView, Notice, Side
from protocol.operations import Kind, LoggedOperation
from protocol.refusals import Ending, Reason, Trouble
from protocol.values import SERVER_USER, Cell, CellId, User

PublishedReason = Literal[
    "validation_failed",
    "conflict_detected",
    "no_state_change",
    "diagram_not_found",
    "permission_denied",
    "invalid_operation_type",
    "empty_operation",
]

REASONS: Mapping[Reason, PublishedReason] = {
    Reason.VALIDATION_FAILED: "validation_failed",
    Reason.CONFLICT_DETECTED: "conflict_detected",
    Reason.NO_STATE_CHANGE: "no_state_change",
    Reason.DIAGRAM_NOT_FOUND: "diagram_not_found",
    Reason.PERMISSION_DENIED: "permission_denied",
    Reason.INVALID_OPERATION_TYPE: "invalid_operation_type",
    Reason.EMPTY_OPERATION: "empty_operation",
    Reason.OPERATION_ID_CONFLICT: "conflict_detected",
    Reason.LIMIT_EXCEEDED: "validation_failed",
}
"""What is missing is told otherwise: an empty history, and what closes the socket."""

TROUBLES: Mapping[Trouble, str] = {
    Trouble.MALFORMED: "validation_error",
    Trouble.UNKNOWN_TYPE: "validation_error",
    Trouble.PERMISSION_DENIED: "permission_denied",
    Trouble.INVALID_PARTICIPANT: "invalid_participant",
    Trouble.VALIDATION_ERROR: "validation_error",
    Trouble.INVALID_TOKEN: "validation_error",
}

ENDS: Mapping[Ending, str] = {
    **LAST_ERRORS,
    **dict.fromkeys(SESSION_OVER, "session_terminated"),
    Ending.DIAGRAM_DELETED: "diagram_not_found",
    Ending.THREAT_MODEL_DELETED: "threat_model_not_found",
    Ending.ACCESS_REVOKED: "access_denied",
}


class Message(msgspec.Struct, frozen=True, tag_field="message_type", gc=False):
    pass


class DiagramState(Message, frozen=True, tag="diagram_state"):
    diagram_id: str
    update_vector: int
    cells: Sequence[Cell]


class DiagramOperationEvent(Message, frozen=True, tag="diagram_operation_event"):
    initiating_user: Person
    operation_id: str
    sequence_number: int
    update_vector: int
    operation: Patch


class Participant(msgspec.Struct, frozen=True):
    user: Person
    permissions: Permissions
    last_activity: str


class ParticipantsUpdate(Message, frozen=True, tag="participants_update"):
    """`initiating_user` is null, never absent: absent would mean an ejection to these clients."""

    initiating_user: Person | None
    participants: Sequence[Participant]
    host: Person
    current_presenter: Person | None


class PresenterRequestEvent(Message, frozen=True, tag="presenter_request_event"):
    requesting_user: Person


class PresenterDeniedEvent(Message, frozen=True, tag="presenter_denied_event"):
    denied_user: Person


class PresenterCursor(Message, frozen=True, tag="presenter_cursor"):
    cursor_position: Point


class PresenterSelection(Message, frozen=True, tag="presenter_selection"):
    selected_cells: Sequence[CellId]


class OperationRejected(Message, frozen=True, tag="operation_rejected"):
    operation_id: str
    update_vector: int
    reason: PublishedReason
    message: str
    requires_resync: Literal[True]
    timestamp: str
    details: str | msgspec.UnsetType = msgspec.UNSET
    affected_cells: Sequence[CellId] | msgspec.UnsetType = msgspec.UNSET


class Error(Message, frozen=True, tag="error"):
    error: Annotated[str, words(*sorted({*TROUBLES.values(), *ENDS.values()}))]
    message: str
    timestamp: str
    details: Mapping[str, Any] | msgspec.UnsetType = msgspec.UNSET


def render(notice: Notice, side: Side) -> Sequence[msgspec.Struct]:
    match notice:
        case notices.Happened():
            return (_happened(notice, side),)
        case notices.Accepted():
            return (_accepted(notice),)
        case notices.AwarenessShown():
            return [message for update in notice.updates if update.presenting for message in _pointing(update)]
        case notices.StateShown():
            return (_state(notice.diagram),)
        case notices.Corrected():
            return (_corrected(notice),)
        case notices.Rejected():
            # Only a close makes these clients try again.
            return () if notice.refusal.reason is Reason.UNAVAILABLE else (_rejected(notice),)
        case notices.RosterChanged():
            return _roster_changed(notice, side)
        case notices.PresenterChanged():
            return (_participants(notice.roster, None),)
        case notices.PresenterAsked():
            return (PresenterRequestEvent(person(notice.user)),)
        case notices.PresenterDenied():
            return (PresenterDeniedEvent(person(notice.user)),)
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
            | notices.CopyDoubtful()
            | notices.HeartbeatShown()
            | notices.TokenRefreshed()
            | notices.TokenExpiring()
            | notices.Done()
        ):
            return ()
        case _:
            assert_never(notice)


def render_for_app(notice: Notice, side: Side) -> Sequence[msgspec.Struct]:
    """As `render`, but an undo of this user is an event in the server's name (E5).

    TMI's web app clears and re-adds all cells for a state: what was drawn stays behind as a ghost, and no edge can be
    started from the nodes any more.
    """
    match notice:
        case notices.Happened(operation=operation) if side is Side.OWN and not replaces_state(operation):
            return (_operation(notice, operation, SERVER_USER),)
        case notices.Accepted(operation=LoggedOperation() as operation) if is_inversion(notice) and not replaces_state(
            operation
        ):
            return (_operation(notice, operation, SERVER_USER),)
        case _:
            return render(notice, side)


def farewell(ended: notices.Ended) -> Farewell:
    word = ENDS.get(ended.ending)
    error = () if word is None else (Error(word, SENTENCES[ended.ending], rfc3339(ended.at_ms)),)
    return Farewell(error, CODES[ended.ending], ended.ending.value)


def _happened(notice: notices.Happened, side: Side) -> msgspec.Struct:
    operation = notice.operation
    own = side is Side.OWN
    if replaces_state(operation) or (own and operation.kind in (Kind.UNDO, Kind.REDO)):
        return _state(notice.after)
    # E8: an event in the name of this socket's own user would be skipped.
    return _operation(notice, operation, SERVER_USER if own else operation.user)


def _operation(notice: notices.Happened | notices.Accepted, operation: LoggedOperation, by: User) -> msgspec.Struct:
    patch = whole(operation.effect.cells, notice.after)
    return _event(by, operation.operation_id, operation.vector, notice, patch)


def _accepted(notice: notices.Accepted) -> msgspec.Struct:
    operation = notice.operation
    if is_inversion(notice):
        return _state(notice.after) if notice.changed else history(notice.kind, "resync_required")
    if operation is not None and replaces_state(operation):
        return _state(notice.after)
    # E2, E3: without an operation at hand the request itself is shown, with the cells as they are.
    patch = whole(notice.asked if operation is None else operation.effect.cells, notice.after)
    return _event(notice.by, notice.operation_id, notice.vector, notice, patch)


def _corrected(notice: notices.Corrected) -> msgspec.Struct:
    operation = notice.operation
    patch = corrected(notice.cells, notice.after)
    # A second event with the operation's own id would be ignored.
    return _event(SERVER_USER, correction_id(operation.operation_id), operation.vector, notice, patch)


def _event(
    by: User,
    operation_id: str,
    vector: int,
    notice: notices.Happened | notices.Accepted | notices.Corrected,
    patch: Patch,
) -> msgspec.Struct:
    # A retry may speak of an operation from before the session (E3); the count begins with the session.
    sequence_number = max(0, vector - notice.start_vector)
    event = DiagramOperationEvent(person(by), operation_id, sequence_number, vector, patch)
    return _state(notice.after) if oversized(event, len(patch.cells)) else event


def _rejected(notice: notices.Rejected) -> msgspec.Struct:
    if is_inversion(notice):
        return inversion_refused(notice)
    reason = notice.refusal.reason
    published = REASONS.get(reason, "conflict_detected")
    return OperationRejected(
        operation_id=notice.operation_id,
        update_vector=notice.vector,
        reason=published,
        message=notice.refusal.message,
        requires_resync=True,
        timestamp=rfc3339(notice.at_ms),
        details=msgspec.UNSET if published == reason else reason.value,
        affected_cells=notice.refusal.affected or msgspec.UNSET,
    )


def _roster_changed(notice: notices.RosterChanged, side: Side) -> Sequence[msgspec.Struct]:
    # Connections and the host's short absence are shown in codraw.v1 only (WS11).
    seen = notice.joined or notice.left or notice.ejected or notice.presenter_changed or notice.roles_changed
    if side is not Side.SENDER and not seen:
        return ()
    return (_participants(notice.roster, notice.roster.host if notice.ejected else None),)


def _participants(roster: notices.RosterView, initiator: User | None) -> ParticipantsUpdate:
    return ParticipantsUpdate(
        initiating_user=person_or_none(initiator),
        participants=[
            Participant(person(p.user), p.role.permissions, rfc3339(p.last_activity_ms)) for p in roster.participants
        ],
        host=person(roster.host),
        current_presenter=person_or_none(roster.presenter),
    )


def _pointing(update: notices.AwareUpdate) -> Sequence[msgspec.Struct]:
    messages: list[msgspec.Struct] = []
    if isinstance(update.cursor, Mapping):
        messages.append(PresenterCursor(Point(**update.cursor)))
    if update.selection is not msgspec.UNSET:
        messages.append(PresenterSelection(update.selection or ()))
    return messages


def _trouble(notice: notices.Troubled) -> Error:
    return Error(TROUBLES[notice.trouble], notice.message, rfc3339(notice.at_ms), given(details(notice) or None))


def _state(diagram: DiagramView) -> DiagramState:
    return DiagramState(diagram.id, diagram.vector, diagram.cells_in_order())

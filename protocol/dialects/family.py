"""Messages and answers that the two TMI dialects, classic and tmi, have in common."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

import msgspec

from protocol.notices import Accepted, Rejected, ResyncAdvised
from protocol.operations import Kind
from protocol.refusals import Ending, Reason

LAST_ERRORS: Mapping[Ending, str] = {
    Ending.REMOVED: "removed_from_session",
    Ending.TOKEN_EXPIRED: "token_expired",
    Ending.SESSION_NOT_FOUND: "session_not_found",
    Ending.DIAGRAM_NOT_FOUND: "diagram_not_found",
    Ending.TOO_MANY_CONNECTIONS: "too_many_connections",
    Ending.SESSION_FULL: "session_full",
}
"""Endings that both say by an `error` frame, right before the close."""

HistoryMessage = Literal["no_operations_to_undo", "no_operations_to_redo", "resync_required"]


class AuthorizationDenied(msgspec.Struct, frozen=True, tag_field="message_type", tag="authorization_denied"):
    original_operation_id: str
    reason: Literal["insufficient_permissions"]


class HistoryOperation(msgspec.Struct, frozen=True, tag_field="message_type", tag="history_operation"):
    operation_type: Literal["undo", "redo"]
    message: HistoryMessage


class SyncStatusResponse(msgspec.Struct, frozen=True, tag_field="message_type", tag="sync_status_response"):
    update_vector: int


class ResyncResponse(msgspec.Struct, frozen=True, tag_field="message_type", tag="resync_response"):
    user_id: Literal["system"]
    target_user: str
    method: Literal["rest_api"]
    diagram_id: str
    threat_model_id: str


def is_inversion(notice: Accepted | Rejected) -> bool:
    return notice.kind is Kind.UNDO or notice.kind is Kind.REDO


def history(kind: Kind, message: HistoryMessage) -> HistoryOperation:
    return HistoryOperation("redo" if kind is Kind.REDO else "undo", message)


def authorization_denied(operation_id: str) -> AuthorizationDenied:
    """`operation_id` is empty where what was denied has none."""
    return AuthorizationDenied(operation_id, "insufficient_permissions")


def inversion_refused(notice: Rejected) -> AuthorizationDenied | HistoryOperation:
    """UN8, UN9: an undo or redo has no id of its own here."""
    match notice.refusal.reason:
        case Reason.PERMISSION_DENIED:
            return authorization_denied("")
        case Reason.NOTHING_TO_UNDO:
            return history(notice.kind, "no_operations_to_undo")
        case Reason.NOTHING_TO_REDO:
            return history(notice.kind, "no_operations_to_redo")
        case _:
            return history(notice.kind, "resync_required")


def resync_response(notice: ResyncAdvised) -> ResyncResponse:
    return ResyncResponse("system", notice.user.email, "rest_api", notice.diagram_id, notice.threat_model_id)

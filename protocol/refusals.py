"""Every way codraw says no: reasons that answer, endings that close, and unreadable input."""

from __future__ import annotations

from collections.abc import Mapping
from enum import IntEnum, StrEnum
from typing import Any

import msgspec

from protocol.values import CellId


class Reason(StrEnum):
    """Why an operation, undo or redo was refused. The first seven are published by TMI."""

    VALIDATION_FAILED = "validation_failed"
    CONFLICT_DETECTED = "conflict_detected"
    NO_STATE_CHANGE = "no_state_change"
    DIAGRAM_NOT_FOUND = "diagram_not_found"
    PERMISSION_DENIED = "permission_denied"
    INVALID_OPERATION_TYPE = "invalid_operation_type"
    EMPTY_OPERATION = "empty_operation"
    OPERATION_ID_CONFLICT = "operation_id_conflict"
    LIMIT_EXCEEDED = "limit_exceeded"
    UNAVAILABLE = "unavailable"
    NOTHING_TO_UNDO = "nothing_to_undo"
    NOTHING_TO_REDO = "nothing_to_redo"


CURRENT_CELLS = 50
"""So many of the affected cells are shown in a rejection; with more the client resyncs."""
CURRENT_BYTES = 32_768
"""So long they are together, at most: the answers to a client that asks without waiting do not fill its queue."""


class Refusal(msgspec.Struct, frozen=True):
    """An operation that is not accepted, and what a client needs to know of it."""

    reason: Reason
    message: str
    affected: tuple[CellId, ...] = ()
    retry: bool = False
    retry_after_ms: int | None = None
    details: Mapping[str, Any] = msgspec.field(default_factory=dict)


class CloseCode(IntEnum):
    """Close codes of the socket (`SPEC.md`, WebSocket)."""

    OVER = 1000
    PROTOCOL_ERROR = 1002
    UNSUPPORTED_DATA = 1003
    INVALID_PAYLOAD = 1007
    TOO_BIG = 1009
    UNANSWERED_PING = 1011
    RESTART = 1012
    TRY_LATER = 1013
    TOKEN = 4401
    ACCESS = 4403
    NO_SESSION = 4404
    SLOW = 4408
    TOO_MANY = 4429


class Ending(StrEnum):
    """Why the server closes a socket: the `reason` of `goodbye`. A dialect makes last frame and close code of it."""

    HOST_LEFT = "host_left"
    HOST_ENDED = "host_ended"
    OWNER_ENDED = "owner_ended"
    HOST_LOST = "host_lost"
    IDLE = "idle"
    EMPTY = "empty"
    LEFT = "left"
    DIAGRAM_DELETED = "diagram_deleted"
    THREAT_MODEL_DELETED = "threat_model_deleted"
    REMOVED = "removed"
    ACCESS_REVOKED = "access_revoked"
    TOKEN_EXPIRED = "token_expired"  # noqa: S105 - a reason, not a secret
    SESSION_NOT_FOUND = "session_not_found"
    DIAGRAM_NOT_FOUND = "diagram_not_found"
    TOO_MANY_CONNECTIONS = "too_many_connections"
    SESSION_FULL = "session_full"
    SLOW = "slow"
    FLOODING = "flooding"
    RESTART = "restart"
    UNAVAILABLE = "unavailable"
    # codraw.v1 says the next two with the close code alone
    NOT_TEXT = "not_text"
    TOO_BIG = "too_big"


class Trouble(StrEnum):
    """`error` of an `error` frame that leaves the socket open; each dialect spells it in its own way."""

    MALFORMED = "malformed"
    UNKNOWN_TYPE = "unknown_type"
    PERMISSION_DENIED = "permission_denied"
    INVALID_PARTICIPANT = "invalid_participant"
    VALIDATION_ERROR = "validation_error"
    INVALID_TOKEN = "invalid_token"  # noqa: S105 - a reason, not a secret


class ProtocolError(Exception):
    """Input that cannot be read (WS7): answered by an `error` frame, the socket stays open."""

    def __init__(self, trouble: Trouble, message: str, operation_id: str | None = None, ref: str | None = None) -> None:
        super().__init__(message)
        self.trouble = trouble
        self.message = message
        self.operation_id = operation_id
        self.ref = ref


class CellError(Exception):
    """A cell or cell list that breaks a rule of its own, whatever the diagram holds."""

    def __init__(self, reason: Reason, message: str, cell: str | None = None, field: str | None = None) -> None:
        super().__init__(message)
        self.reason = reason
        self.message = message
        self.cell = cell
        self.field = field

    @property
    def refusal(self) -> Refusal:
        affected = (CellId(self.cell),) if self.cell is not None else ()
        return Refusal(self.reason, self.message, affected)

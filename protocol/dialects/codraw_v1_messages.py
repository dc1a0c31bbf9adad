"""The messages of `codraw.v1` from server to client."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal

import msgspec
from msgspec import UNSET, UnsetType

from protocol.dialects.endings import CODES
from protocol.dialects.parts import Permissions, Person, Point, UserRef, Viewport, words
from protocol.dialects.patches import CellEntry, OrderedPatch
from protocol.notices import StateReason
from protocol.operations import Skipped
from protocol.refusals import Ending, Reason, Trouble
from protocol.values import Cell, CellId, Limits

OperationKind = Annotated[str, words("edit", "undo", "redo", "rest")]
RoleWord = Annotated[str, words("reader", "writer", "owner")]
Ref = str | UnsetType
"""The `ref` of the message that is answered."""


class Message(msgspec.Struct, frozen=True, tag_field="message_type", gc=False):
    pass


class Server(msgspec.Struct, frozen=True):
    name: str
    version: str


class Session(msgspec.Struct, frozen=True):
    session_id: str
    threat_model_id: str
    diagram_id: str
    host: Person
    presenter: Person | None
    presenter_term: int


class History(msgspec.Struct, frozen=True, gc=False):
    undo: int
    redo: int


class You(msgspec.Struct, frozen=True):
    user: Person
    connection_id: str
    role: RoleWord
    permissions: Permissions
    is_host: bool
    token_expires_at: str
    history: History


class Welcome(Message, frozen=True, tag="welcome"):
    protocol: Literal["codraw.v1"]
    encoding: Annotated[str, words("json", "msgpack")]
    server: Server
    server_time: str
    session: Session
    you: You
    epoch: str
    update_vector: int
    state_hash: str
    durability: Annotated[str, words("disk", "replica", "relaxed")]
    limits: Limits
    heartbeat_seconds: int


class State(Message, frozen=True, tag="state"):
    epoch: str
    update_vector: int
    state_hash: str
    reason: StateReason
    resend: bool
    cells: Sequence[Cell]
    ref: Ref = UNSET


class Resumed(Message, frozen=True, tag="resumed"):
    epoch: str
    since: int = msgspec.field(name="from")
    to: int
    count: int
    state_hash: str
    ref: Ref = UNSET


class Repair(Message, frozen=True, tag="repair"):
    epoch: str
    update_vector: int
    state_hash: str
    cells: Sequence[Cell]
    removed: Sequence[CellId]
    order: Sequence[CellId] | UnsetType = UNSET
    ref: Ref = UNSET


class Event(Message, frozen=True, tag="event"):
    epoch: str
    update_vector: int
    operation_id: str
    by: UserRef
    kind: OperationKind
    operation: OrderedPatch
    at: str
    undo_of: int | UnsetType = UNSET
    history: History | UnsetType = UNSET


class OperationAccepted(Message, frozen=True, tag="operation_accepted"):
    operation_id: str
    epoch: str
    update_vector: int
    changed: bool
    duplicate: bool
    kind: OperationKind
    history: History
    cells: Sequence[CellEntry] | UnsetType = UNSET
    skipped: Sequence[Skipped] | UnsetType = UNSET
    ref: Ref = UNSET


class OperationRejected(Message, frozen=True, tag="operation_rejected"):
    operation_id: str
    reason: Reason
    message: str
    update_vector: int
    affected_cells: Sequence[CellId]
    current_cells: Sequence[Cell]
    requires_resync: bool
    retry: bool
    details: Mapping[str, Any]
    retry_after_ms: int | UnsetType = UNSET
    ref: Ref = UNSET


class Connection(msgspec.Struct, frozen=True):
    connection_id: str
    dialect: str
    joined_at: str


class Participant(msgspec.Struct, frozen=True):
    user: Person
    role: RoleWord
    permissions: Permissions
    is_host: bool
    is_presenter: bool
    connections: Sequence[Connection]


class Participants(Message, frozen=True, tag="participants"):
    participants: Sequence[Participant]
    host: Person
    host_state: Annotated[str, words("here", "away", "absent")]
    presenter: Person | None
    presenter_term: int
    joined: Sequence[UserRef]
    left: Sequence[UserRef]


class Presenter(Message, frozen=True, tag="presenter"):
    action: Literal["changed", "requested", "denied"]
    presenter: Person | None
    term: int
    user: Person | UnsetType = UNSET
    by: Annotated[str, words("host", "system")] | UnsetType = UNSET


class AwarenessUpdate(msgspec.Struct, frozen=True):
    """Absent: unchanged; null: gone."""

    connection_id: str
    cursor: Point | UnsetType | None = UNSET
    selection: Sequence[CellId] | UnsetType | None = UNSET
    viewport: Viewport | UnsetType | None = UNSET


class Awareness(Message, frozen=True, tag="awareness"):
    updates: Sequence[AwarenessUpdate]


class Heartbeat(Message, frozen=True, tag="heartbeat"):
    epoch: str
    update_vector: int
    state_hash: str
    server_time: str
    ref: Ref = UNSET


class TokenRefreshed(Message, frozen=True, tag="token_refreshed"):
    expires_at: str
    ref: Ref = UNSET


class TokenExpiring(Message, frozen=True, tag="token_expiring"):
    expires_at: str


class Done(Message, frozen=True, tag="done"):
    ref: str


class Error(Message, frozen=True, tag="error"):
    error: Trouble
    message: str
    details: Mapping[str, Any]
    ref: Ref = UNSET


GOODBYES: Mapping[Ending, str] = {
    **{ending: ending.value for ending in Ending if ending not in (Ending.NOT_TEXT, Ending.TOO_BIG)},
    Ending.THREAT_MODEL_DELETED: Ending.DIAGRAM_DELETED.value,
}
"""`reason` of the last frame; the two that are missing are said with the close code alone."""

GOODBYE_CODES = sorted({int(CODES[ending]) for ending in GOODBYES})


class Goodbye(Message, frozen=True, tag="goodbye"):
    code: Annotated[int, msgspec.Meta(extra_json_schema={"enum": GOODBYE_CODES})]
    reason: Annotated[str, words(*dict.fromkeys(GOODBYES.values()))]
    message: str
    returning: Annotated[str, words("no", "yes", "reauthenticate")] = msgspec.field(name="return")
    retry_after_ms: int | UnsetType = UNSET

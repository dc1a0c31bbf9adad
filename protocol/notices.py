"""What a participant is told, free of any dialect. A dialect renders each notice to none, one or several messages."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import Any, Protocol

import msgspec

from protocol.operations import CellChange, Kind, LoggedOperation, Skipped
from protocol.refusals import Ending, Refusal, Trouble
from protocol.values import Cell, CellId, DiagramId, Epoch, Limits, Role, SessionId, SocketId, ThreatModelId, User


class Side(StrEnum):
    """Who looks at a notice, seen from the one who caused it."""

    SENDER = "sender"
    """The very socket that asked, or the newcomer itself."""
    OWN = "own"
    """Another socket of the same user."""
    OTHER = "other"
    RESUMED = "resumed"
    """A socket that catches up on history: it is told everything, its own operations too (WS17)."""


class DiagramView(Protocol):
    """The immutable diagram as a rendering may look at it: a reference, never a copy."""

    @property
    def id(self) -> DiagramId: ...
    @property
    def epoch(self) -> Epoch: ...
    @property
    def vector(self) -> int: ...
    @property
    def state_hash(self) -> int: ...
    def cell(self, id: CellId) -> Cell | None: ...
    def cells_in_order(self) -> Sequence[Cell]: ...


class HistoryDepth(msgspec.Struct, frozen=True, gc=False):
    undo: int = 0
    redo: int = 0


class SessionView(msgspec.Struct, frozen=True):
    """A collaboration session as participants see it. `start_vector`: what `sequence_number` counts from (VEC12)."""

    session_id: SessionId
    threat_model_id: ThreatModelId
    diagram_id: DiagramId
    host: User
    presenter: User | None
    presenter_term: int
    start_vector: int


class Connection(msgspec.Struct, frozen=True):
    connection_id: SocketId
    dialect: str
    joined_at_ms: int


class Participant(msgspec.Struct, frozen=True):
    user: User
    role: Role
    connections: tuple[Connection, ...]
    last_activity_ms: int


class RosterView(msgspec.Struct, frozen=True):
    """Who is there. `host_state`: here, away or absent."""

    participants: tuple[Participant, ...]
    host: User
    host_state: str
    presenter: User | None
    presenter_term: int


class ServerFacts(msgspec.Struct, frozen=True):
    """What a server tells of itself in `welcome`. `durability`: disk, replica or relaxed."""

    name: str = "codraw"
    version: str = ""
    durability: str = "disk"
    heartbeat_s: int = 15


class Welcomed(msgspec.Struct, frozen=True):
    session: SessionView
    you: User
    connection_id: SocketId
    role: Role
    token_expires_at_ms: int
    history: HistoryDepth
    diagram: DiagramView
    limits: Limits
    at_ms: int
    server: ServerFacts = ServerFacts()
    encoding: str = "json"


class StateReason(StrEnum):
    JOINED = "joined"
    REQUESTED = "requested"
    RESUME_IMPOSSIBLE = "resume_impossible"
    EPOCH_CHANGED = "epoch_changed"
    HASH_MISMATCH = "hash_mismatch"
    OVERFLOW = "overflow"
    TOO_LARGE = "too_large"


class StateShown(msgspec.Struct, frozen=True):
    """A full state. `resend`: pending operations are within the memory of ids and should be sent again (WS18)."""

    diagram: DiagramView
    reason: StateReason
    resend: bool = True
    corrects: bool = False
    """E6: the state replaces a copy that was valid under another epoch."""
    ref: str | None = None


class Resumed(msgspec.Struct, frozen=True):
    """The missed operations from+1 … to follow, each as `Happened` to Side.RESUMED."""

    epoch: Epoch
    since: int
    to: int
    state_hash: int
    ref: str | None = None


class Repaired(msgspec.Struct, frozen=True):
    """The answer to a `resume` with cell hashes: what makes the caller's copy the diagram (WS17).

    `cells` differ or are lacking there, `removed` are no more; `order` lists all ids where theirs is another.
    """

    diagram: DiagramView
    cells: tuple[CellId, ...]
    removed: tuple[CellId, ...] = ()
    order: tuple[CellId, ...] | None = None
    ref: str | None = None


class Happened(msgspec.Struct, frozen=True, gc=False):
    """An accepted operation (E1, E5), told to everybody but the socket that sent it.

    `after` is the diagram right after it, so that whole cells can be shown.
    """

    operation: LoggedOperation
    after: DiagramView
    start_vector: int
    history: HistoryDepth | None = None
    """Of its author's undo stack now, or of everybody's; None where it is not known or was told otherwise."""
    shared_undo: bool = False


class Accepted(msgspec.Struct, frozen=True, gc=False):
    """The receipt of an operation, undo or redo (E1, E2, E3, E5), to the socket that sent it.

    `operation` is None where nothing was logged now (no-op, repeated id, empty inversion). `asked` holds the changes as
    the sender gave them, empty for undo and redo and where they were taken in another spelling. `vector`: the
    operation's, of a no-op the current one.
    """

    operation_id: str
    vector: int
    changed: bool
    duplicate: bool
    kind: Kind
    by: User
    after: DiagramView
    start_vector: int
    asked: tuple[CellChange, ...] = ()
    operation: LoggedOperation | None = None
    skipped: tuple[Skipped, ...] = ()
    history: HistoryDepth = HistoryDepth()
    ref: str | None = None


class Corrected(msgspec.Struct, frozen=True):
    """E4: the sender's copy is wrong now (OP20): `cells` differ from what it believes. Follows its `Accepted`."""

    operation: LoggedOperation
    after: DiagramView
    cells: tuple[CellId, ...]
    start_vector: int


class CopyDoubtful(msgspec.Struct, frozen=True):
    """E8: this socket's client skipped an operation of its own user; at most one a second."""

    diagram: DiagramView


class Rejected(msgspec.Struct, frozen=True):
    """An operation, undo or redo that was refused; `vector` is the current one, `current_cells` the affected now."""

    operation_id: str
    refusal: Refusal
    vector: int
    kind: Kind
    at_ms: int
    current_cells: tuple[Cell, ...] = ()
    ref: str | None = None


class RosterChanged(msgspec.Struct, frozen=True):
    """Joins and leaves of users (first and last socket), connections, roles, host state.

    To Side.SENDER: the newcomer's first look. `ejected`: the host removed somebody.
    """

    roster: RosterView
    at_ms: int
    joined: tuple[User, ...] = ()
    left: tuple[User, ...] = ()
    ejected: bool = False
    presenter_changed: bool = False
    roles_changed: bool = False
    """Somebody's permissions, or who is host."""


class PresenterChanged(msgspec.Struct, frozen=True):
    """PR4. `by`: host or system."""

    roster: RosterView
    by: str


class PresenterAsked(msgspec.Struct, frozen=True):
    """To the host's sockets: `user` would like to present."""

    user: User
    roster: RosterView


class PresenterDenied(msgspec.Struct, frozen=True):
    """To the sockets of `user`. `host` names the one who denied; None: the system did, since no host is there."""

    user: User
    roster: RosterView
    host: User | None


class AwareUpdate(msgspec.Struct, frozen=True):
    """What one connection shows of itself. UNSET: not part of this update; None: gone."""

    connection_id: SocketId
    user: User
    presenting: bool
    cursor: Mapping[str, float] | msgspec.UnsetType | None = msgspec.UNSET
    selection: tuple[CellId, ...] | msgspec.UnsetType | None = msgspec.UNSET
    viewport: Mapping[str, float] | msgspec.UnsetType | None = msgspec.UNSET


class AwarenessShown(msgspec.Struct, frozen=True):
    updates: tuple[AwareUpdate, ...]


class VectorShown(msgspec.Struct, frozen=True):
    """`sync_status_response`."""

    vector: int


class ResyncAdvised(msgspec.Struct, frozen=True):
    """`resync_response`: fetch the diagram by REST."""

    user: User
    diagram_id: DiagramId
    threat_model_id: ThreatModelId


class HeartbeatShown(msgspec.Struct, frozen=True):
    epoch: Epoch
    vector: int
    state_hash: int
    at_ms: int
    ref: str | None = None


class TokenRefreshed(msgspec.Struct, frozen=True):
    expires_at_ms: int
    ref: str | None = None


class TokenExpiring(msgspec.Struct, frozen=True):
    expires_at_ms: int


class Done(msgspec.Struct, frozen=True):
    """A request was carried out that has no other answer; only `codraw.v1` says so, and only with a `ref`."""

    ref: str | None = None


class Troubled(msgspec.Struct, frozen=True):
    """An `error` frame that leaves the socket open."""

    trouble: Trouble
    message: str
    at_ms: int
    operation_id: str | None = None
    details: Mapping[str, Any] = msgspec.field(default_factory=dict)
    ref: str | None = None


class Ended(msgspec.Struct, frozen=True):
    """The last thing a socket is told; a dialect makes the last frame and the close code of it (WS16)."""

    ending: Ending
    at_ms: int
    host: User | None = None
    retry_after_ms: int | None = None


Notice = (
    Welcomed
    | StateShown
    | Resumed
    | Repaired
    | Happened
    | Accepted
    | Corrected
    | CopyDoubtful
    | Rejected
    | RosterChanged
    | PresenterChanged
    | PresenterAsked
    | PresenterDenied
    | AwarenessShown
    | VectorShown
    | ResyncAdvised
    | HeartbeatShown
    | TokenRefreshed
    | TokenExpiring
    | Done
    | Troubled
)

"""Who and where: identities, roles, heads, instants and the limits in force."""

from __future__ import annotations

from collections.abc import Mapping
from enum import IntEnum
from functools import cached_property
from typing import Any, NewType

import msgspec

ThreatModelId = NewType("ThreatModelId", str)
DiagramId = NewType("DiagramId", str)
SessionId = NewType("SessionId", str)
SocketId = NewType("SocketId", str)
"""Names one WebSocket connection; what `codraw.v1` calls `connection_id`."""
UserId = NewType("UserId", str)
"""`<provider>:<provider_id>`; the identity of a person. An e-mail address is display only."""
OperationId = NewType("OperationId", str)
CellId = NewType("CellId", str)
Epoch = NewType("Epoch", str)
"""Opaque name of an unbroken history (VEC6)."""

Bearer = tuple[UserId, tuple[str, ...]]
"""Who, with which groups: what a role hangs on (AU16). Two logins of one person may have other groups."""

Cell = Mapping[str, Any]
"""A canonical cell (`protocol.cells`). Never changed after it was made."""


class User(msgspec.Struct, frozen=True, dict=True):
    """A person as every dialect shows one. `id` is asked for twenty times an operation, and spelled once."""

    provider: str
    provider_id: str
    email: str
    display_name: str

    @cached_property
    def id(self) -> UserId:
        return UserId(f"{self.provider}:{self.provider_id}")


SERVER_USER = User(provider="codraw", provider_id="server", email="server@codraw.invalid", display_name="codraw")
"""In whose name the server speaks where a frame of one's own would be skipped (E4, E8)."""


class Caller(msgspec.Struct, frozen=True, dict=True):
    """A signed-in person: who, with which groups of the provider, by which login, until when."""

    user: User
    groups: tuple[str, ...] = ()
    """Group names that the token carries; they belong to the user's provider (AU16)."""
    sid: str = ""
    """The login that every token of one sign-in shares."""
    expires_at_ms: int = 0
    email_verified: bool = True

    @cached_property
    def id(self) -> UserId:
        return self.user.id

    @cached_property
    def bearer(self) -> Bearer:
        return self.id, self.groups


class Role(IntEnum):
    """What somebody may do on a threat model and everything below it."""

    NONE = 0
    READER = 1
    WRITER = 2
    OWNER = 3

    @property
    def word(self) -> str:
        return self.name.lower()

    @property
    def permissions(self) -> str:
        """`reader` or `writer`: an owner counts as writer (SES17)."""
        return "writer" if self >= Role.WRITER else "reader"


class Head(msgspec.Struct, frozen=True, gc=False):
    """Where a diagram stands in the store."""

    epoch: Epoch
    vector: int
    state_hash: int
    acl_version: int


class RoleAt(msgspec.Struct, frozen=True, gc=False):
    """A role and the permission clock it was read at; `denied`: ejected from the live session (SES18)."""

    role: Role
    acl_version: int
    denied: bool = False


class Instant(msgspec.Struct, frozen=True, gc=False):
    """One reading of both clocks: `monotonic_s` for deadlines, `wall_ms` (Unix milliseconds) for timestamps."""

    monotonic_s: float
    wall_ms: int


class Limits(msgspec.Struct, frozen=True):
    """The limits in force (OP23); keys as they stand in `welcome` and `GET /`."""

    max_frame_bytes: int = 262_144
    max_cells_per_diagram: int = 10_000
    max_cells_per_operation: int = 500
    max_cell_bytes: int = 65_536
    max_diagram_bytes: int = 16_777_216
    max_sockets_per_session: int = 50
    max_sockets_per_user: int = 5
    operations_per_second: int = 100
    min_node_width: int = 40
    min_node_height: int = 30
    awareness_hz: int = 20
    resume_operations: int = 1_000
    undo_depth: int = 100

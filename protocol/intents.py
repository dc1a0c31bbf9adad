"""What a participant asks for, free of any dialect. `ref` is repeated in the answer where the dialect has one."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from protocol.operations import CellChange, Kind
from protocol.refusals import Refusal
from protocol.values import Cell, CellId, Epoch, OperationId


class UserName(msgspec.Struct, frozen=True):
    """How a message names somebody: by identity, or (classic) by e-mail address."""

    provider: str | None = None
    provider_id: str | None = None
    email: str | None = None


class Edit(msgspec.Struct, frozen=True, gc=False):
    """A cell patch operation. `payload_sha256` covers kind and canonical changes only (VEC11).

    `respelled`: canonical form is not what was sent, so that its receipt shows the cells even where they are as asked.
    """

    operation_id: OperationId
    changes: tuple[CellChange, ...]
    payload_sha256: bytes
    base_vector: int | None = None
    strict: bool = False
    group_id: str | None = None
    ref: str | None = None
    kind: Kind = Kind.EDIT
    respelled: bool = False


class Replace(msgspec.Struct, frozen=True):
    """All cells at once, by REST (RE14): becomes one operation, the difference to the state it meets.

    `texts`: the canonical bytes of each cell. `expected_vector` (If-Match): refused as a conflict unless the diagram
    stands there (RE12).
    """

    operation_id: OperationId
    cells: tuple[Cell, ...]
    texts: tuple[bytes, ...]
    payload_sha256: bytes
    expected_vector: int | None = None


class Misedit(msgspec.Struct, frozen=True):
    """An operation that has an id and is invalid by itself; refused without a look at the cells."""

    operation_id: str
    refusal: Refusal
    ref: str | None = None


class Undo(msgspec.Struct, frozen=True):
    operation_id: OperationId | None = None
    ref: str | None = None


class Redo(msgspec.Struct, frozen=True):
    operation_id: OperationId | None = None
    ref: str | None = None


class AskPresenter(msgspec.Struct, frozen=True):
    ref: str | None = None


class GrantPresenter(msgspec.Struct, frozen=True):
    """The host makes `user` presenter; None: nobody presents."""

    user: UserName | None
    ref: str | None = None


class DenyPresenter(msgspec.Struct, frozen=True):
    user: UserName
    ref: str | None = None


class ReleasePresenter(msgspec.Struct, frozen=True):
    ref: str | None = None


class Eject(msgspec.Struct, frozen=True):
    user: UserName
    ref: str | None = None


class Aware(msgspec.Struct, frozen=True):
    """Cursor, selection, viewport. UNSET: unchanged; None: gone."""

    cursor: Mapping[str, float] | msgspec.UnsetType | None = msgspec.UNSET
    selection: tuple[CellId, ...] | msgspec.UnsetType | None = msgspec.UNSET
    viewport: Mapping[str, float] | msgspec.UnsetType | None = msgspec.UNSET


class AskState(msgspec.Struct, frozen=True):
    """`sync_request`: a full state, unless the caller already stands at `vector`."""

    vector: int | None = None
    ref: str | None = None


class AskVector(msgspec.Struct, frozen=True):
    """`sync_status_request`."""


class AskResync(msgspec.Struct, frozen=True):
    """`resync_request`: told to fetch the diagram by REST."""


class Resume(msgspec.Struct, frozen=True):
    epoch: Epoch
    vector: int
    state_hash: str | None = None
    cell_hashes: tuple[tuple[str, str], ...] | None = None
    ref: str | None = None
    forgotten: bool = False
    """Said by the server's edge: outcomes of edits that the caller has pending may be forgotten (WS18)."""


class RefreshToken(msgspec.Struct, frozen=True):
    """Not shown in a repr: it carries a credential (WS13)."""

    access_token: str | None = None
    ticket: str | None = None
    ref: str | None = None

    def __repr__(self) -> str:
        return "RefreshToken(...)"


class Heartbeat(msgspec.Struct, frozen=True):
    ref: str | None = None


Intent = (
    Edit
    | Replace
    | Misedit
    | Undo
    | Redo
    | AskPresenter
    | GrantPresenter
    | DenyPresenter
    | ReleasePresenter
    | Eject
    | Aware
    | AskState
    | AskVector
    | AskResync
    | Resume
    | RefreshToken
    | Heartbeat
)

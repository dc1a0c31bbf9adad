"""The shapes of client messages, and what each asks for; the documented fields and no others.

1. Types are strict: `"1"` and `true` are no numbers. A null optional member is an absent one.
2. Unknown members are ignored, and so is what a client says of itself: user, role, time, vector (WS10).
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

import msgspec
from msgspec import UNSET, Meta, UnsetType

from protocol import intents
from protocol.cell_keys import canonical_id, is_uuid
from protocol.cells import payload_sha256
from protocol.dialects.parts import Point, Viewport
from protocol.intents import Edit, Intent, UserName
from protocol.operations import CellChange, Kind
from protocol.values import CellId, Epoch, OperationId

MAX_ID_CHARACTERS = 64
"""Of `ref`, `group_id` and the operation ids of classic."""
MAX_SELECTED = 500
EDIT = Kind.EDIT
"""To look a member of an enumeration up takes 0.1 µs."""

Vector = Annotated[int, Meta(ge=0)]
Selection = Annotated[tuple[str, ...], Meta(max_length=MAX_SELECTED)]
CellHash = tuple[str, Annotated[str, Meta(min_length=16, max_length=16)]]


class Identity(msgspec.Struct, frozen=True):
    """Of a User only these two count."""

    provider: str
    provider_id: str

    @property
    def name(self) -> UserName:
        return UserName(provider=self.provider, provider_id=self.provider_id)


class Message(msgspec.Struct, frozen=True):
    def intent(self, ref: str | None) -> Intent:
        """Raises ValueError where the members contradict each other."""
        raise NotImplementedError


class PatchRequest(msgspec.Struct, frozen=True):
    """`cells` are judged by `protocol.cells`, which knows the reasons."""

    type: Literal["patch"]
    cells: list[Any]


class DiagramOperation(Message, frozen=True):
    operation_id: str
    operation: PatchRequest
    base_vector: Vector | None = None

    def edit(
        self, operation_id: OperationId, changes: tuple[CellChange, ...], ref: str | None, respelled: bool
    ) -> Edit:
        digest = payload_sha256(EDIT, changes)
        return Edit(operation_id, changes, digest, self.base_vector, ref=ref, respelled=respelled)


class Operation(DiagramOperation, frozen=True):
    strict: bool | None = None
    group_id: Annotated[str, Meta(max_length=MAX_ID_CHARACTERS)] | None = None

    def edit(
        self, operation_id: OperationId, changes: tuple[CellChange, ...], ref: str | None, respelled: bool
    ) -> Edit:
        strict = bool(self.strict)
        if strict and self.base_vector is None:
            raise ValueError("strict needs a base_vector")
        digest = payload_sha256(EDIT, changes)
        return Edit(operation_id, changes, digest, self.base_vector, strict, self.group_id, ref, EDIT, respelled)


class UndoRequest(Message, frozen=True):
    def intent(self, ref: str | None) -> Intent:
        return intents.Undo(ref=ref)


class RedoRequest(Message, frozen=True):
    def intent(self, ref: str | None) -> Intent:
        return intents.Redo(ref=ref)


class PresenterRequest(Message, frozen=True):
    def intent(self, ref: str | None) -> Intent:
        return intents.AskPresenter(ref)


class ChangePresenter(Message, frozen=True):
    """Nobody is named by null, by absence, and by the empty string that `current_presenter` names nobody by."""

    new_presenter: str | None = None

    def intent(self, ref: str | None) -> Intent:
        return intents.GrantPresenter(UserName(email=self.new_presenter) if self.new_presenter else None, ref)


class ChangePresenterRequest(Message, frozen=True):
    new_presenter: Identity | None = None

    def intent(self, ref: str | None) -> Intent:
        return intents.GrantPresenter(self.new_presenter.name if self.new_presenter else None, ref)


class PresenterDenied(Message, frozen=True):
    target_user: str

    def intent(self, ref: str | None) -> Intent:
        return intents.DenyPresenter(UserName(email=self.target_user), ref)


class PresenterDeniedRequest(Message, frozen=True):
    denied_user: Identity

    def intent(self, ref: str | None) -> Intent:
        return intents.DenyPresenter(self.denied_user.name, ref)


class RemoveParticipant(Message, frozen=True):
    target_user: str

    def intent(self, ref: str | None) -> Intent:
        return intents.Eject(UserName(email=self.target_user), ref)


class RemoveParticipantRequest(Message, frozen=True):
    removed_user: Identity

    def intent(self, ref: str | None) -> Intent:
        return intents.Eject(self.removed_user.name, ref)


class PresenterCursor(Message, frozen=True):
    cursor_position: Point

    def intent(self, ref: str | None) -> Intent:
        return intents.Aware(cursor=msgspec.structs.asdict(self.cursor_position))


class PresenterSelection(Message, frozen=True):
    selected_cells: Selection

    def intent(self, ref: str | None) -> Intent:
        return intents.Aware(selection=_selected(self.selected_cells))


class SyncRequest(Message, frozen=True):
    update_vector: Vector | None = None

    def intent(self, ref: str | None) -> Intent:
        return intents.AskState(self.update_vector, ref)


class SyncStatusRequest(Message, frozen=True):
    def intent(self, ref: str | None) -> Intent:
        return intents.AskVector()


class ResyncRequest(Message, frozen=True):
    def intent(self, ref: str | None) -> Intent:
        return intents.AskResync()


class Undo(Message, frozen=True):
    operation_id: str | None = None

    def intent(self, ref: str | None) -> Intent:
        return intents.Undo(_given_id(self.operation_id), ref)


class Redo(Message, frozen=True):
    operation_id: str | None = None

    def intent(self, ref: str | None) -> Intent:
        return intents.Redo(_given_id(self.operation_id), ref)


class Resume(Message, frozen=True):
    epoch: str
    update_vector: Vector
    state_hash: Annotated[str, Meta(min_length=32, max_length=32)] | None = None
    cell_hashes: tuple[CellHash, ...] | None = None

    def intent(self, ref: str | None) -> Intent:
        return intents.Resume(Epoch(self.epoch), self.update_vector, self.state_hash, self.cell_hashes, ref)


class Awareness(Message, frozen=True):
    """Here null says something: gone. Absent: unchanged."""

    cursor: Point | UnsetType | None = UNSET
    selection: Selection | UnsetType | None = UNSET
    viewport: Viewport | UnsetType | None = UNSET

    def intent(self, ref: str | None) -> Intent:
        return intents.Aware(
            cursor=msgspec.structs.asdict(self.cursor) if isinstance(self.cursor, Point) else self.cursor,
            selection=_selected(self.selection) if isinstance(self.selection, tuple) else self.selection,
            viewport=msgspec.structs.asdict(self.viewport) if isinstance(self.viewport, Viewport) else self.viewport,
        )


class Presenter(Message, frozen=True):
    action: Literal["request", "grant", "deny", "release"]
    user: Identity | None = None

    def intent(self, ref: str | None) -> Intent:
        match self.action:
            case "request":
                return intents.AskPresenter(ref)
            case "grant":
                return intents.GrantPresenter(self.user.name if self.user else None, ref)
            case "release":
                return intents.ReleasePresenter(ref)
            case "deny":
                if self.user is None:
                    raise ValueError("deny names a user")
                return intents.DenyPresenter(self.user.name, ref)


class RemoveUser(Message, frozen=True):
    user: Identity

    def intent(self, ref: str | None) -> Intent:
        return intents.Eject(self.user.name, ref)


class RefreshToken(Message, frozen=True):
    access_token: str | None = None
    ticket: str | None = None

    def intent(self, ref: str | None) -> Intent:
        if bool(self.access_token) == bool(self.ticket):
            raise ValueError("either an access_token or a ticket")
        return intents.RefreshToken(self.access_token, self.ticket, ref)


class Heartbeat(Message, frozen=True):
    def intent(self, ref: str | None) -> Intent:
        return intents.Heartbeat(ref)


class StateRequest(Message, frozen=True):
    def intent(self, ref: str | None) -> Intent:
        return intents.AskState(ref=ref)


def _given_id(value: str | None) -> OperationId | None:
    if value is None:
        return None
    if not is_uuid(value):
        raise ValueError("operation_id is no UUID")
    return OperationId(value.lower())


def _selected(ids: tuple[str, ...]) -> tuple[CellId, ...]:
    return tuple([canonical_id(id) for id in ids])

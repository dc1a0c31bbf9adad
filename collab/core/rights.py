"""Which role an intent takes."""

from __future__ import annotations

from protocol.intents import (
    AskPresenter,
    AskResync,
    AskState,
    AskVector,
    Aware,
    DenyPresenter,
    Edit,
    Eject,
    GrantPresenter,
    Heartbeat,
    Intent,
    Misedit,
    Redo,
    RefreshToken,
    ReleasePresenter,
    Replace,
    Resume,
    Undo,
)
from protocol.values import Role, RoleAt

NEEDS: dict[type[Intent], Role] = {
    Edit: Role.WRITER,
    Replace: Role.WRITER,
    Misedit: Role.WRITER,
    Undo: Role.WRITER,
    Redo: Role.WRITER,
    AskPresenter: Role.READER,
    GrantPresenter: Role.READER,
    DenyPresenter: Role.READER,
    ReleasePresenter: Role.READER,
    Eject: Role.READER,
    Aware: Role.READER,
    AskState: Role.READER,
    AskVector: Role.READER,
    AskResync: Role.READER,
    Resume: Role.READER,
    RefreshToken: Role.READER,
    Heartbeat: Role.READER,
}
"""Who may present, deny and eject is not a matter of roles but of being the host (WS22): `moderation`."""


def allowed(intent: Intent, role: RoleAt) -> bool:
    """S40; somebody ejected from the live session writes nothing (SES18)."""
    return role.role >= NEEDS[type(intent)] and not (role.denied and NEEDS[type(intent)] >= Role.WRITER)

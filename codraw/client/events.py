"""What happens to a live diagram, as values: what `async for event in live` gives."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import msgspec

from codraw.client.changes import Change
from codraw.client.outcomes import Accepted, Rejected
from protocol.dialects.codraw_v1_messages import AwarenessUpdate
from protocol.dialects.parts import UserRef
from protocol.values import User


class Event(msgspec.Struct, frozen=True):
    pass


class Changed(Event, frozen=True):
    """These cells look different now. `by` None: by an edit here, by a full state of the server, or by several people.

    `is_reset`: look at all of them, their order included. The cells themselves are read from the live diagram.
    """

    ids: frozenset[str]
    is_reset: bool = False
    by: UserRef | None = None
    kind: str = "edit"
    """edit, undo, redo, rest."""


class Saved(Event, frozen=True):
    """An own operation is in the log."""

    outcome: Accepted


class Refused(Event, frozen=True):
    """An own operation was refused and has been taken back."""

    outcome: Rejected


class Held(Event, frozen=True):
    """Own operations that we shall not send (again), and whose outcome we shall not hear: the server's memory of them
    has gone, the session has ended, or the login has and could not be renewed. Make new edits of those that are still
    wanted: those that were sent may have happened."""

    operations: Sequence[HeldOperation]


class HeldOperation(msgspec.Struct, frozen=True):
    id: str
    kind: Literal["edit", "undo", "redo"]
    changes: Sequence[Change]
    """What `edit` takes."""
    was_sent: bool


class Joined(Event, frozen=True):
    """Somebody's first connection."""

    user: UserRef


class Left(Event, frozen=True):
    """Somebody's last connection is gone."""

    user: UserRef


class RosterChanged(Event, frozen=True):
    """`live.participants` and `live.host_state` are other ones: a connection, a role, the host."""


class PresenterChanged(Event, frozen=True):
    presenter: User | None
    term: int


class PresenterRequested(Event, frozen=True):
    """To the host: somebody would like to present."""

    user: User


class PresenterDenied(Event, frozen=True):
    """`by`: host or system."""

    user: User
    by: str


class Awareness(Event, frozen=True):
    """Cursors, selections or viewports of others; `live.peers` has them all. Empty: somebody has gone."""

    updates: Sequence[AwarenessUpdate]


class HistoryChanged(Event, frozen=True):
    """How many operations of ours can be undone and redone."""

    undo: int
    redo: int


class StatusChanged(Event, frozen=True):
    """`live`: edits reach the server. `offline`: it comes back by itself in `retry_in_s`. `refused`: it does not."""

    state: Literal["closed", "connecting", "live", "offline", "refused"]
    pending: int
    reason: str | None = None
    message: str | None = None
    code: int | None = None
    retry_in_s: float | None = None


class Mismatch(Event, frozen=True):
    """The copy was wrong; it is being repaired."""

    vector: int
    client_hash: str
    server_hash: str


class Trouble(Event, frozen=True):
    """An `error` of the server that answers no request, or a login that could not be prolonged."""

    error: str
    message: str


class Lagged(Event, frozen=True):
    """This iterator was too slow: of the waiting events the newest of each kind are kept, changes taken together."""

    merged: int

"""All that can happen to a room."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum

import msgspec

from collab.core.diagram import Diagram
from collab.core.kept import Step
from collab.core.meeting import Session
from collab.core.verdicts import Judged, Ticket, Waiting
from protocol.intents import Edit, Intent, Redo, Replace, Resume, Undo
from protocol.notices import AwareUpdate, Participant
from protocol.operations import LoggedOperation, Outcome
from protocol.refusals import Ending
from protocol.values import Bearer, Caller, Head, OperationId, RoleAt, SessionId, SocketId, User, UserId


class Departure(StrEnum):
    """How a socket went: CLEAN is close 1000 or 1005 (SES9), LOST anything else, SERVER where we caused it (SES12)."""

    CLEAN = "clean"
    LOST = "lost"
    SERVER = "server"


class Joined(msgspec.Struct, frozen=True):
    """A socket that passed the handshake and waits for its state."""

    socket: SocketId
    caller: Caller
    role: RoleAt
    dialect: str
    session: Session
    """The live session that the handshake saw."""
    resume: Resume | None = None


class Left(msgspec.Struct, frozen=True):
    socket: SocketId
    how: Departure


class Asked(msgspec.Struct, frozen=True, gc=False):
    """An intent of a socket."""

    socket: SocketId
    intent: Intent


class Submitted(msgspec.Struct, frozen=True):
    """An intent of a program by REST; answered once, by `Answer`."""

    ticket: Ticket
    caller: Caller
    role: RoleAt
    intent: Edit | Replace | Undo | Redo


class BatchJudged(msgspec.Struct, frozen=True):
    """What `JudgeBatch` asked for."""

    batch: tuple[Waiting, ...]
    judged: Judged


class Committed(msgspec.Struct, frozen=True):
    """The batch is durable."""


class Missed(msgspec.Struct, frozen=True):
    """Epoch, vector or acl_version had moved; nothing was written. `operations`: what follows our vector, gapless, if
    the epoch is still ours."""

    head: Head
    operations: tuple[LoggedOperation, ...] = ()


class Gone(msgspec.Struct, frozen=True):
    """The diagram was deleted."""


class Known(msgspec.Struct, frozen=True):
    """Ids of the batch that had an outcome already; nothing was written."""

    outcomes: Mapping[tuple[UserId, OperationId], Outcome]


class Unresolved(msgspec.Struct, frozen=True):
    """The connection broke inside the commit: it may or may not have happened, now or later."""


class Unavailable(msgspec.Struct, frozen=True):
    """The store cannot be reached; nothing was sent to it."""


class CaughtUp(msgspec.Struct, frozen=True):
    """Everything after the vector that was asked for, from a read that began after the call."""

    head: Head
    operations: tuple[LoggedOperation, ...] = ()


class Loaded(msgspec.Struct, frozen=True):
    """The whole diagram, replayed and checked against its head. `recent`: its newest operations, gapless (WS17);
    `before`: vector and state hash right before them, where they are known."""

    diagram: Diagram
    acl_version: int
    recent: tuple[LoggedOperation, ...] = ()
    before: tuple[int, int] | None = None


class HistoryRead(msgspec.Struct, frozen=True):
    """Newest steps of one user, or of everybody, oldest first, as far as `undo_depth` reaches."""

    user: UserId | None
    steps: tuple[Step, ...]


class RightsRead(msgspec.Struct, frozen=True):
    acl_version: int
    roles: Mapping[Bearer, RoleAt]


class SessionRead(msgspec.Struct, frozen=True):
    """The diagram's live session as it stands now, or the one we knew, ended; None: there is none."""

    session: Session | None


class SessionChanged(msgspec.Struct, frozen=True):
    """Our change of the session stands."""

    session: Session


class SessionStale(msgspec.Struct, frozen=True):
    """Somebody else changed it first; this is how it stands."""

    session: Session | None


class SessionUnchanged(msgspec.Struct, frozen=True):
    """The store could not be reached for a session read or change; the room may try again."""


class Heard(msgspec.Struct, frozen=True):
    """News of another worker: a gapless run of operations of one epoch. `gap`: news may have been lost. `used_up`: who
    has used up an undo entry without an operation (UN6)."""

    epoch: str
    operations: tuple[LoggedOperation, ...]
    gap: bool = False
    used_up: tuple[UserId, ...] = ()


class HeadSeen(msgspec.Struct, frozen=True):
    """What the store says now and then. `session_version`: of the session that lives, 0 where none does; None: nothing
    was said of it."""

    head: Head
    session_version: int | None = None
    session: SessionId | None = None


class Said(msgspec.Struct, frozen=True, tag="said"):
    """Who is connected at another worker, and whose leave is not decided there yet, as it said with the session's facts
    at `version`. `serial` rises with everything that one worker says. `closing`: nobody any more, as it ends."""

    session: SessionId
    version: int
    participants: tuple[Participant, ...]
    worker: str = ""
    serial: int = 0
    closing: bool = False


class Stood(msgspec.Struct, frozen=True):
    """What another worker `said` with this number stands."""

    session: SessionId
    worker: str
    serial: int


class Surveyed(msgspec.Struct, frozen=True):
    """What presence knows of the other workers; None: nothing, which is not nobody."""

    session: SessionId
    participants: Mapping[str, tuple[Participant, ...]] | None


class Pointed(msgspec.Struct, frozen=True, tag="pointed"):
    """All that some connections at another worker show of themselves, as of this presenter term."""

    session: SessionId
    presenter_term: int
    updates: tuple[AwareUpdate, ...]
    serial: int = 0


class Wanted(msgspec.Struct, frozen=True, tag="wanted"):
    """Somebody at another worker asks the host to present (PR11)."""

    session: SessionId
    user: User


class Declined(msgspec.Struct, frozen=True, tag="declined"):
    """`user` may not present: the host said so at another worker, or nobody could be asked (PR11)."""

    session: SessionId
    user: User
    by_host: bool


class RollCalled(msgspec.Struct, frozen=True, tag="roll_called"):
    """Another worker wants to know who is here."""

    session: SessionId


class SessionMoved(msgspec.Struct, frozen=True, tag="session_moved"):
    """Another worker has changed the session. `asked`: a participant there wanted it (PR4)."""

    session: SessionId
    version: int
    asked: bool = False


class Claim(StrEnum):
    """BEGUN: its commit is under way; LISTENING: it begins in a moment, unless somebody else has; WAITING: it gives way
    to somebody who has."""

    BEGUN = "begun"
    LISTENING = "listening"
    WAITING = "waiting"


class Claimed(msgspec.Struct, frozen=True, tag="claimed"):
    """Another worker has something to commit on top of this vector."""

    vector: int
    claim: Claim


class BusSensed(msgspec.Struct, frozen=True):
    """Whether news of other workers comes through."""

    healthy: bool


class Stalled(msgspec.Struct, frozen=True):
    """This process stood still for a while: whatever the room knows may be old."""


class Lagged(msgspec.Struct, frozen=True):
    """The outbox of this socket threw away its waiting events (WS12): it needs one fresh state."""

    socket: SocketId


class Barred(msgspec.Struct, frozen=True):
    """The edge wants this socket gone: token expired, flooding."""

    socket: SocketId
    ending: Ending


class PresenterUnseen(msgspec.Struct, frozen=True):
    """No worker knows of a socket of this presenter: it went with one that died (PR5)."""

    presenter: UserId


class RightsMoved(msgspec.Struct, frozen=True, tag="rights_moved"):
    """Roles, deny list or session of the diagram changed, by REST: look before anything else is judged."""


class TokenRenewed(msgspec.Struct, frozen=True):
    """The login of this socket's user lives longer now (AU11)."""

    socket: SocketId
    caller: Caller
    ref: str | None = None


class Told(msgspec.Struct, frozen=True):
    """What the last commit came to has been written to the sockets: what waits may go with the next."""


class Woke(msgspec.Struct, frozen=True):
    """The instant asked for by `WakeAt` has come."""


class Closing(msgspec.Struct, frozen=True):
    """Stop taking; when the call in flight is back, say `Closed`."""


Event = (
    Joined
    | Left
    | Asked
    | Submitted
    | BatchJudged
    | Committed
    | Missed
    | Gone
    | Known
    | Unresolved
    | Unavailable
    | CaughtUp
    | Loaded
    | HistoryRead
    | RightsRead
    | SessionRead
    | SessionChanged
    | SessionStale
    | SessionUnchanged
    | Heard
    | HeadSeen
    | Said
    | Stood
    | Surveyed
    | Pointed
    | Wanted
    | Declined
    | RollCalled
    | SessionMoved
    | Claimed
    | BusSensed
    | Stalled
    | Lagged
    | Barred
    | PresenterUnseen
    | RightsMoved
    | TokenRenewed
    | Told
    | Woke
    | Closing
)
StoreOutcome = Committed | Missed | Gone | Known | Unresolved | Unavailable
WriterOutcome = BatchJudged | StoreOutcome | CaughtUp | Loaded | HistoryRead | RightsRead
ChairOutcome = SessionRead | SessionChanged | SessionStale | SessionUnchanged
Spoken = Said | Pointed | Wanted | Declined | RollCalled | SessionMoved | RightsMoved | Claimed
"""What rooms of one diagram tell each other beside operations: each is the event that it is for the others."""

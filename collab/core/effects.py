"""All that a room can ask for."""

from __future__ import annotations

import msgspec

from collab.core.diagram import Diagram
from collab.core.events import Spoken
from collab.core.meeting import Session, SessionChange
from collab.core.verdicts import Ticket, Waiting
from collab.core.writing import Judge
from protocol.notices import Accepted, Notice, Participant, Rejected
from protocol.operations import LoggedOperation, Outcome
from protocol.refusals import Ending
from protocol.values import Caller, Head, Instant, SessionId, SocketId, User, UserId


class Admit(msgspec.Struct, frozen=True):
    """In one step: these notices into the socket's outbox, and the socket into the audience (I8)."""

    socket: SocketId
    notices: tuple[Notice, ...]


class Send(msgspec.Struct, frozen=True, gc=False):
    """To one socket, as the sender of what it is about, or on its own."""

    socket: SocketId
    notice: Notice


class Replay(msgspec.Struct, frozen=True):
    """To one socket that resumes: `Resumed` and what it missed, its own operations too (Side.RESUMED)."""

    socket: SocketId
    notices: tuple[Notice, ...]


class Tell(msgspec.Struct, frozen=True, gc=False):
    """To the audience but `skip`. `by`: whose doing it is; that user's sockets see it from Side.OWN."""

    notice: Notice
    skip: frozenset[SocketId] = frozenset()
    by: UserId | None = None


class Dismiss(msgspec.Struct, frozen=True):
    """Takes the socket out of the audience, tells it the ending and closes it."""

    socket: SocketId
    ending: Ending
    host: User | None = None


class JudgeBatch(msgspec.Struct, frozen=True):
    """`judge.batch(batch)`, which takes long: it may be done beside all else, and is answered by `BatchJudged`."""

    batch: tuple[Waiting, ...]
    judge: Judge


class Commit(msgspec.Struct, frozen=True, gc=False):
    """All or nothing, only if `base` is still the head.

    `operations` carry the vectors base+1 … in order; `outcomes` hold one entry for every id of the batch.
    """

    base: Head
    operations: tuple[LoggedOperation, ...]
    outcomes: tuple[Outcome, ...]
    attempt: int = 1


class CatchUp(msgspec.Struct, frozen=True):
    since: Head


class Reload(msgspec.Struct, frozen=True):
    pass


class ReadHistory(msgspec.Struct, frozen=True):
    """None: everybody's (`undo_scope = session`)."""

    user: UserId | None


class ReadRights(msgspec.Struct, frozen=True):
    callers: tuple[Caller, ...]


class ReadSession(msgspec.Struct, frozen=True):
    """The live session; or, if `known` is given and it has ended, that one with its ending."""

    known: SessionId | None


class ChangeSession(msgspec.Struct, frozen=True):
    """`asked`: by a participant; else it follows from a loss."""

    session: Session
    change: SessionChange
    asked: bool = False


class Snapshot(msgspec.Struct, frozen=True):
    diagram: Diagram


class Publish(msgspec.Struct, frozen=True, gc=False):
    """One piece of news for the other workers. `used_up`: as in `events.Heard`."""

    epoch: str
    operations: tuple[LoggedOperation, ...]
    used_up: tuple[UserId, ...] = ()


class Announce(msgspec.Struct, frozen=True):
    """Who is connected here, for presence and the other workers; and, without connections, whose leave is not decided.
    `version`: of the session's facts. `closing`: nobody, since the worker closes its sockets."""

    session: SessionId
    participants: tuple[Participant, ...]
    version: int = 0
    closing: bool = False


class Speak(msgspec.Struct, frozen=True):
    """For the rooms of the diagram at other workers."""

    what: Spoken


class Survey(msgspec.Struct, frozen=True):
    """Call the roll of the other workers, and ask presence of them; answered once, by `Surveyed`."""

    session: SessionId


class WakeAt(msgspec.Struct, frozen=True, gc=False):
    """The earliest deadline; replaces the former one. None: no deadline."""

    at: Instant | None


class Answer(msgspec.Struct, frozen=True):
    """The one outcome of a `Submitted`."""

    ticket: Ticket
    notice: Accepted | Rejected


class Closed(msgspec.Struct, frozen=True):
    pass


Effect = (
    Admit
    | Send
    | Replay
    | Tell
    | Dismiss
    | JudgeBatch
    | Commit
    | CatchUp
    | Reload
    | ReadHistory
    | ReadRights
    | ReadSession
    | ChangeSession
    | Snapshot
    | Publish
    | Announce
    | Speak
    | Survey
    | WakeAt
    | Answer
    | Closed
)

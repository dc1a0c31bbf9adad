"""What the house asks of the outside. Every sentence of a docstring is a rule of the port's contract suite."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Collection, Mapping, Sequence
from typing import Any, Protocol

import msgspec

from collab.core.effects import Commit
from collab.core.events import CaughtUp, StoreOutcome, Unavailable
from collab.core.events import Gone as Gone
from collab.core.kept import Done
from collab.core.meeting import End as End
from collab.core.meeting import Leave as Leave
from collab.core.meeting import Session as Session
from collab.core.meeting import SessionChange as SessionChange
from protocol.notices import Participant
from protocol.operations import LoggedOperation
from protocol.values import (
    Caller,
    Cell,
    DiagramId,
    Epoch,
    Head,
    Instant,
    RoleAt,
    SessionId,
    ThreatModelId,
    User,
    UserId,
)


class StoreUnavailable(Exception):
    """The store cannot be reached or failed; the caller may try again. Raised by every port method that does not
    say that it never raises."""


class SnapshotData(msgspec.Struct, frozen=True):
    """A diagram at one vector: cells in order, and `touched` as `Diagram.touched()` gave it."""

    epoch: Epoch
    vector: int
    cells: Sequence[Cell]
    touched: Any
    state_hash: int


class StoredDiagram(msgspec.Struct, frozen=True):
    """A snapshot and the log after it, read at one moment with the head; `collab.core.replay` makes a Diagram of it."""

    diagram: DiagramId
    threat_model_id: ThreatModelId
    head: Head
    snapshot: SnapshotData
    tail: tuple[LoggedOperation, ...]


class Watched(msgspec.Struct, frozen=True):
    """A head, and id and version of the diagram's live session, as one read saw them."""

    head: Head
    session: SessionId | None = None
    session_version: int = 0


class DiagramStore(Protocol):
    async def load(self, diagram: DiagramId) -> StoredDiagram | Gone:
        """The newest snapshot at or below the head, and the log after it, read at one moment. Gone: none or deleted."""

    async def older(self, diagram: DiagramId) -> StoredDiagram | Gone:
        """The same from the oldest snapshot kept: for a newest one that turns out damaged, and for `verify`."""

    async def commit(self, diagram: DiagramId, commit: Commit) -> StoreOutcome:
        """All or nothing, only if `commit.base` is still the head, its hash included (what was judged on damaged memory
        is never written), and the diagram is not deleted. n operations take exactly n vectors; every id gets its one
        outcome. Committed means durable. n = 0 confirms the head. Missed carries the head and, within the epoch, the
        operations after `base.vector`. Known: the outcomes of those ids that had one, said only while the base stands;
        else Missed comes first. Never raises."""

    async def since(self, diagram: DiagramId, head: Head) -> CaughtUp | Gone | Unavailable:
        """Everything after `head.vector`, in order, without gaps, from a read that began after the call; with a head of
        another epoch, or above it, no operations: the caller loads anew. Never raises."""

    async def history(
        self, diagram: DiagramId, epoch: Epoch, user: UserId | None, rows: int, below: int | None = None
    ) -> tuple[Done, ...]:
        """The newest `rows` operations of that user, or of everybody, in that epoch, below a vector if one is named,
        oldest first; and among them the outcomes of the undos and redos without effect, each after the operation at
        the vector of its judgement."""

    async def newest(self, diagram: DiagramId, epoch: Epoch, vector: int, rows: int) -> tuple[LoggedOperation, ...]:
        """The newest `rows` operations of that epoch at or below `vector`, oldest first."""

    async def remembers(self, diagram: DiagramId, epoch: Epoch, vector: int) -> bool:
        """Whether of everything accepted after `vector` the outcome is remembered (VEC8): the log shows that nothing
        was, or that the first of it is young enough."""

    async def heads(self, diagrams: Collection[DiagramId]) -> Mapping[DiagramId, Head]:
        """Heads of those that live, in one query."""

    async def watched(self, diagrams: Collection[DiagramId]) -> Mapping[DiagramId, Watched]:
        """The same, each with its live session: what every open room is compared with, in one query."""

    async def snapshot(self, diagram: DiagramId, snapshot: SnapshotData) -> None:
        """Kept if newer than the newest, not above the head, and with the state hash that the log has there; the two
        newest stay."""

    async def prune(self, keep_operations: int, keep_ms: int) -> int:
        """Removes log rows that are older than `keep_ms`, more than `keep_operations` below the head and at or below
        the older kept snapshot, and outcomes past their horizon (VEC8), those of undos and redos without effect only
        once nothing of the log at or below their vector is left (UN6). Returns how many rows went. What else the store
        keeps of sessions and logins that ended `keep_ms` ago may go, too."""

    async def diagrams(self) -> Sequence[DiagramId]:
        """All that live."""

    def log(self, diagram: DiagramId, epoch: Epoch) -> AsyncIterator[LoggedOperation]:
        """The whole kept log of an epoch, in order."""


class NewSession(msgspec.Struct, frozen=True):
    id: SessionId
    diagram_id: DiagramId
    host: User


class Exists(msgspec.Struct, frozen=True):
    """A session of the diagram lives already: this one."""

    session: Session


class Stale(msgspec.Struct, frozen=True):
    """Somebody else changed the session first; None: it is unknown."""

    session: Session | None


class Alive(msgspec.Struct, frozen=True):
    """Keep-alive of one session: `active_ms_ago` since its last application message; whether the host is here."""

    session: SessionId
    active_ms_ago: int
    host: bool


class Waiting(msgspec.Struct, frozen=True):
    """Somebody who called POST or PUT collaborate and is not connected yet (SES17)."""

    user: User
    role: str
    at_ms: int


class Grant(msgspec.Struct, frozen=True):
    """What a redeemed ticket says: who, for which session and diagram, and whether cookies fetched it, as
    TMI's web app does."""

    caller: Caller
    session: SessionId
    diagram: DiagramId
    by_cookie: bool = False


class SessionStore(Protocol):
    async def create(self, new: NewSession) -> Session | Exists | Gone:
        """Of n at once exactly one wins (SES1). The presenter is the host (PR1), the term 1, the version 1,
        `start_vector` the head's vector. Gone: no such diagram."""

    async def live(self, diagram: DiagramId) -> Session | None:
        """The session of the diagram that has not ended."""

    async def read(self, id: SessionId) -> Session | None:
        """Ended ones too."""

    async def change(self, id: SessionId, expected: int, to: SessionChange) -> Session | Stale:
        """Only if `expected` is its version, which the change raises, and it has not ended. `Deny` and `End` raise the
        diagram's acl_version in the same transaction, `SetPresenter` and a presenter moved by `Deny` the term; `Leave`
        notes the new version for that user, whatever becomes of them later. Stale, too: an `End` by age of what is not
        `overdue` any more."""

    async def expect(self, id: SessionId, user: User, role: str) -> None:
        """Notes a caller of POST or PUT; `waiting` lists it for 60 s."""

    async def unexpect(self, id: SessionId, users: Collection[UserId]) -> None:
        """They have connected, or left: `waiting` lists them no more, until they call again."""

    async def waiting(self, id: SessionId) -> Sequence[Waiting]:
        """Who was expected within the last 60 s, the newest call of each user, in order of arrival."""

    async def touch(self, alive: Collection[Alive]) -> None:
        """Keep-alive of sessions with sockets: stamps `seen_at`, `active_at`, in one statement."""

    async def overdue(self) -> Sequence[tuple[Session, SessionChange]]:
        """Live sessions past a deadline by the store's clock, each with the change that ends it: 60 s without a first
        socket, 30 s without any (empty), 900 s without a message (idle), host grace over (host_lost)."""

    async def sessions_of(self, diagrams: Collection[DiagramId]) -> Sequence[Session]:
        """Live sessions of these diagrams."""

    async def issue_ticket(self, ticket: str, grant: Grant, ttl_ms: int) -> None:
        """Stored hashed."""

    async def redeem(self, ticket: str) -> Grant | None:
        """Once, however many ask at once; None: unknown, used or past its time."""


class Authorizer(Protocol):
    async def role(self, caller: Caller, diagram: DiagramId, within: ThreatModelId | None = None) -> RoleAt | Gone:
        """The highest role by owner field, user entry, group or `everyone`, or NONE; with the acl_version it was read
        at, and whether the caller is on the deny list of the live session. Gone: no such diagram, or not of the threat
        model `within`."""


class LoginState(msgspec.Struct, frozen=True):
    """`access_expires_at_ms`: expiry of the login's newest access token (AU11)."""

    access_expires_at_ms: int
    ended: bool


class Logins(Protocol):
    """Sign-ins. Every token of one sign-in carries its `sid`."""

    async def standing(self, sids: Collection[str]) -> Mapping[str, LoginState]:
        """In one query; unknown sids are left out."""


class Member(msgspec.Struct, frozen=True):
    """One connected user of a session, over all workers; times are Unix milliseconds."""

    user: User
    role: str
    joined_at_ms: int
    last_activity_ms: int
    sockets: int


class Presence(Protocol):
    async def put(self, session: SessionId, worker: str, participants: Sequence[Participant]) -> None:
        """Replaces what this worker said of the session, and is forgotten 30 s later; nobody: forgotten at once. What
        cannot be said now is dropped: it is said again every 10 s. Never raises."""

    async def read(self, session: SessionId) -> Mapping[str, tuple[Participant, ...]] | None:
        """Who is there, by worker; a worker that has not said anything for 30 s is left out. None: unknown, which is
        not empty: presence cannot be reached, or has lost its memory within the last 35 s, so that a worker may be
        missing that is there. Never raises."""

    async def read_many(
        self, sessions: Sequence[SessionId]
    ) -> Mapping[SessionId, Mapping[str, tuple[Participant, ...]]] | None:
        """The same of many sessions with one question; who is in one that is left out is unknown. Never raises."""


class Subscription(Protocol):
    async def close(self) -> None:
        """Nothing is heard any more."""


class Bus(Protocol):
    """Carries news between workers. It may lose, repeat and reorder them, and whoever can write to it may forge them:
    it proves nothing, and nothing is true only because it was heard."""

    @property
    def alone(self) -> bool:
        """Nobody else can be listening: news need not be made."""

    def publish(self, diagram: DiagramId, news: bytes) -> None:
        """To all who have subscribed to the diagram, this worker among them, at most once. Never waits or raises: what
        cannot be sent now is dropped and counted."""

    async def subscribe(self, diagram: DiagramId, hear: Callable[[bytes | None], None]) -> Subscription:
        """`hear` gets every piece of news, and None where some may have been lost. Returns when confirmed: what is
        published later arrives, or None does. A bus that is away holds nobody up for more than a second; None is heard
        when it is back."""

    def healthy(self) -> bool:
        """Whether news comes through, as the bus's own beat over the real subscription shows."""


class TimerHandle(Protocol):
    def cancel(self) -> None: ...


class Clock(Protocol):
    def now(self) -> Instant: ...
    def call_at(self, at: Instant, callback: Callable[[], None]) -> TimerHandle:
        """By the monotonic reading of `at`."""

"""The script language of the room: `>>` an event, `<<` the next effect that it must have asked for.

1. `>>` refuses while effects are unclaimed; `WakeAt` and `Announce` may be passed over.
2. `<<` takes a whole effect, a type, or a pattern of `some`, `sent`, `told` …
3. A script begins with its guests admitted; it ends in an `assert`, and one that does not is reported.
4. Time stands still but for `After(seconds)`, which wakes the room whenever it asked to be woken.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from collab.core.apply import Applied, apply
from collab.core.diagram import Diagram
from collab.core.effects import (
    Admit,
    Announce,
    Answer,
    CatchUp,
    Dismiss,
    Effect,
    JudgeBatch,
    ReadHistory,
    ReadRights,
    ReadSession,
    Send,
    Survey,
    Tell,
    WakeAt,
)
from collab.core.events import (
    BatchJudged,
    CaughtUp,
    Event,
    HistoryRead,
    Joined,
    Loaded,
    RightsRead,
    SessionRead,
    Surveyed,
    Woke,
)
from collab.core.meeting import Session
from collab.core.room import Room
from collab.core.state import RoomSettings
from collab.core.verdicts import Ticket
from protocol.cells import payload_sha256
from protocol.intents import Edit, Resume
from protocol.notices import Connection, Participant
from protocol.operations import CellChange, Kind, LoggedOperation, Verb
from protocol.refusals import Ending
from protocol.values import (
    Caller,
    Cell,
    CellId,
    DiagramId,
    Epoch,
    Head,
    Instant,
    Limits,
    OperationId,
    Role,
    RoleAt,
    SessionId,
    SocketId,
    ThreatModelId,
    User,
)

# who and what ---------------------------------------------------------------------------------------------------------


def user(name: str) -> User:
    return User("test", name, f"{name}@tmi.local", name.title())


def caller(name: str) -> Caller:
    return Caller(user(name), sid=f"sid-{name}", expires_at_ms=2_000_000_000_000)


def node(id: str, **keys: Any) -> Cell:
    return {"id": id, "shape": "process", "x": 0, "y": 0, "width": 100, "height": 60, **keys}


def edge(id: str, source: str, target: str) -> Cell:
    return {"id": id, "shape": "flow", "source": {"cell": source}, "target": {"cell": target}}


def add(id: str, **keys: Any) -> CellChange:
    return CellChange(CellId(id), Verb.ADD, node(id, **keys))


def change(id: str, **keys: Any) -> CellChange:
    return CellChange(CellId(id), Verb.UPDATE, keys)


def remove(id: str) -> CellChange:
    return CellChange(CellId(id), Verb.REMOVE)


def edit(id: str, *changes: CellChange, **rest: Any) -> Edit:
    return Edit(OperationId(id), changes, payload_sha256(Kind.EDIT, changes), **rest)


DIAGRAM = DiagramId("d1")
EPOCH = Epoch("e1")
THREAT_MODEL = ThreatModelId("t1")
FOUNDED = Diagram.found(DIAGRAM, EPOCH, (node("n1"), node("n2")))
"""What every script begins with: two nodes, vector 0."""
SESSION = Session(
    id=SessionId("s1"),
    diagram_id=DIAGRAM,
    threat_model_id=THREAT_MODEL,
    host=user("ana"),
    presenter=user("ana"),
    presenter_term=1,
    version=1,
    start_vector=0,
    created_at_ms=0,
)
SETTINGS = RoomSettings()
START = Instant(1_000.0, 1_760_000_000_000)


def session(**changes: Any) -> Session:
    return msgspec.structs.replace(SESSION, **changes)


def logged(before: Diagram, by: str, id: str, *changes: CellChange, kind: Kind = Kind.EDIT) -> LoggedOperation:
    """The log row of an operation that another worker accepted on top of `before`."""
    applied = apply(before, changes, user(by).id, Limits())
    assert isinstance(applied, Applied), applied
    return LoggedOperation(
        vector=applied.diagram.vector,
        operation_id=OperationId(id),
        user=user(by),
        kind=kind,
        effect=applied.effect,
        inverse=applied.inverse,
        state_hash=applied.diagram.state_hash,
        at_ms=START.wall_ms,
    )


def head(of: Diagram | LoggedOperation, acl_version: int = 1) -> Head:
    return Head(EPOCH, of.vector, of.state_hash, acl_version)


class Guest(msgspec.Struct, frozen=True):
    """One socket of somebody; its name unless it is given one of its own."""

    name: str
    dialect: str = "codraw.v1"
    role: Role = Role.WRITER
    socket: str = ""

    @property
    def id(self) -> SocketId:
        return SocketId(self.socket or self.name)


def joined(guest: str | Guest, *, of: Session = SESSION, acl_version: int = 1, resume: Resume | None = None) -> Joined:
    guest = Guest(guest) if isinstance(guest, str) else guest
    return Joined(guest.id, caller(guest.name), RoleAt(guest.role, acl_version), guest.dialect, of, resume)


def participant(guest: str | Guest, *sockets: str, at_ms: int = 0) -> Participant:
    """Somebody at another worker, by these sockets; by none: gone from there, and not told yet."""
    guest = Guest(guest) if isinstance(guest, str) else guest
    connections = tuple(Connection(SocketId(socket), guest.dialect, at_ms) for socket in sockets)
    return Participant(user(guest.name), guest.role, connections, at_ms)


# patterns -------------------------------------------------------------------------------------------------------------


class Some(msgspec.Struct, frozen=True):
    type: type
    fields: dict[str, Any]

    def __repr__(self) -> str:
        return f"{self.type.__name__}({', '.join(f'{k}={v!r}' for k, v in self.fields.items())}, …)"


def some(type: type, **fields: Any) -> Any:
    """Of that type, with these fields; a field may again be a pattern, a type, or `...` for anything."""
    return Some(type, fields)


def sent(socket: str, notice: type, **fields: Any) -> Any:
    return some(Send, socket=socket, notice=some(notice, **fields))


def told(notice: type, *skipped: str, **fields: Any) -> Any:
    """To the audience but `skipped`."""
    return some(Tell, skip=frozenset(skipped), notice=some(notice, **fields))


def answered(ticket: int, notice: type, **fields: Any) -> Any:
    return some(Answer, ticket=Ticket(ticket), notice=some(notice, **fields))


def admitted(socket: str, *notices: Any) -> Any:
    return some(Admit, socket=socket, notices=notices) if notices else some(Admit, socket=socket)


def dismissed(socket: str, ending: Ending) -> Any:
    return some(Dismiss, socket=socket, ending=ending)


def row(id: str, vector: int, **fields: Any) -> Any:
    return some(LoggedOperation, operation_id=id, vector=vector, **fields)


def matches(expected: Any, actual: Any) -> bool:
    if expected is ...:
        return True
    if isinstance(expected, type):
        return isinstance(actual, expected)
    if isinstance(expected, Some):
        return isinstance(actual, expected.type) and all(
            hasattr(actual, name) and matches(value, getattr(actual, name)) for name, value in expected.fields.items()
        )
    if isinstance(expected, tuple):
        return (
            isinstance(actual, tuple)
            and len(expected) == len(actual)
            and all(matches(one, other) for one, other in zip(expected, actual, strict=True))
        )
    return bool(expected == actual)


# scripts --------------------------------------------------------------------------------------------------------------


class After(msgspec.Struct, frozen=True):
    """So many seconds pass."""

    seconds: float


class Together:
    """Events that are there at once, one behind the other."""

    def __init__(self, *events: Event) -> None:
        self.events = events


class NothingNew(msgspec.Struct, frozen=True):
    """The read that was just asked for comes back with what the room knows already."""


class ItsVerdict(msgspec.Struct, frozen=True):
    """The batch that was just asked to be judged apart comes back."""


NOTHING_NEW = NothingNew()
ITS_VERDICT = ItsVerdict()
QUIET = (WakeAt, Announce)

unasserted: list[Script] = []


class Script:
    def __init__(self, room: Room, roles: dict[str, Role]) -> None:
        self.room = room
        self.now = START
        self._roles = roles
        self._unclaimed: list[Effect] = []
        self._read: Effect | None = None
        self._judging: JudgeBatch | None = None
        self._wake_s: float | None = None
        unasserted.append(self)

    @property
    def diagram(self) -> Diagram:
        return self.room.state.replica.diagram

    def __rshift__(self, event: Event | After | NothingNew | ItsVerdict | Together) -> Script:
        self._check_claimed(f"before {event!r}")
        match event:
            case After(seconds=seconds):
                self._pass_time(seconds)
            case NothingNew():
                self._handle(self._nothing_new())
            case ItsVerdict():
                assert self._judging is not None
                self._handle(BatchJudged(self._judging.batch, self._judging.judge.batch(self._judging.batch)))
            case Together(events=events):
                for number, one in enumerate(events, 1):
                    self._handle(one, more=number < len(events))
            case _:
                self._handle(event)
        return self

    def __lshift__(self, expected: Any) -> Script:
        subject = expected.type if isinstance(expected, Some) else expected
        quiet = subject in QUIET or isinstance(expected, QUIET)
        while self._unclaimed and not quiet and isinstance(self._unclaimed[0], QUIET):
            del self._unclaimed[0]
        if not self._unclaimed:
            self._fail(f"expected {expected!r}, but nothing more was asked for")
        effect = self._unclaimed.pop(0)
        if not matches(expected, effect):
            self._fail(f"expected {expected!r},\n     got {effect!r}")
        return self

    def __bool__(self) -> bool:
        self._check_claimed("at the end")
        unasserted.remove(self)
        return True

    def _handle(self, event: Event, more: bool = False) -> None:
        effects = self.room.handle(event, self.now, more)
        for effect in effects:
            if isinstance(effect, WakeAt):
                self._wake_s = None if effect.at is None else effect.at.monotonic_s
            elif isinstance(effect, JudgeBatch):
                self._judging = effect
            elif isinstance(effect, ReadHistory | CatchUp | ReadRights | ReadSession):
                self._read = effect
        self._unclaimed += effects

    def _pass_time(self, seconds: float) -> None:
        end = Instant(self.now.monotonic_s + seconds, self.now.wall_ms + round(seconds * 1000))
        while self._wake_s is not None and self._wake_s <= end.monotonic_s:
            passed_s = self._wake_s - self.now.monotonic_s
            self.now, self._wake_s = Instant(self._wake_s, self.now.wall_ms + round(passed_s * 1000)), None
            self._handle(Woke())
        self.now = end

    def _nothing_new(self) -> Event:
        state, read = self.room.state, self._read
        match read:
            case ReadHistory(user=user):
                return HistoryRead(user, ())
            case CatchUp(since=since):
                return CaughtUp(since)
            case ReadRights(callers=callers):
                version = state.replica.acl_version
                roles = {c.bearer: RoleAt(self._roles.get(c.user.provider_id, Role.WRITER), version) for c in callers}
                return RightsRead(version, roles)
            case ReadSession():
                return SessionRead(state.session)
            case _:
                raise AssertionError("no read is under way")

    def _check_claimed(self, when: str) -> None:
        loud = [effect for effect in self._unclaimed if not isinstance(effect, QUIET)]
        if loud:
            self._fail(f"unclaimed {when}:\n  " + "\n  ".join(map(repr, loud)))
        self._unclaimed.clear()

    def _fail(self, message: str) -> None:
        if self in unasserted:
            unasserted.remove(self)
        raise AssertionError(message)

    def admit(self, guest: Guest, of: Session, others: Mapping[str, tuple[Participant, ...]]) -> None:
        """Lets a guest in, without a look at how."""
        self._roles[guest.name] = guest.role
        self._handle(joined(guest, of=of))
        if any(isinstance(effect, Survey) for effect in self._unclaimed):
            self._handle(Surveyed(of.id, others))
        while any(effect is self._read for effect in self._unclaimed):
            self._unclaimed.clear()
            self._handle(self._nothing_new())
        assert self.room.state.roster.get(guest.id) is not None, f"{guest} was not admitted"
        self._unclaimed.clear()


def script(
    *guests: str | Guest,
    of: Session | None = SESSION,
    diagram: Diagram = FOUNDED,
    settings: RoomSettings = SETTINGS,
    recent: tuple[LoggedOperation, ...] = (),
    others: Mapping[str, tuple[Participant, ...]] | None = None,
) -> Script:
    """A room with these guests in it; acl_version 1, no undo histories. `of`: the session, if one lives. `others`: who
    is at other workers, where there are any."""
    room = Room(THREAT_MODEL, Loaded(diagram, 1, recent), of, settings, alone=others is None)
    begun = Script(room, {})
    for guest in guests:
        begun.admit(Guest(guest) if isinstance(guest, str) else guest, of or SESSION, others or {})
    return begun

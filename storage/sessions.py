"""The SessionStore on a database: sessions, who is expected or denied, and tickets."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from functools import partial
from typing import TypeAlias, assert_never

from collab.core.events import Gone
from collab.core.meeting import Deny, End, HostBack, HostGone, Leave, Session, SessionChange, SetHost, SetPresenter
from collab.ports import Alive, Exists, Grant, NewSession, Stale, Waiting
from protocol.refusals import Ending
from protocol.values import DiagramId, SessionId, ThreatModelId, User, UserId
from rest.ports import Action, Cause, Change, Door
from storage import columns
from storage.changes import line, record
from storage.clock import real_ms
from storage.columns import secret_digest, text
from storage.database import Conflict, Database, Row, Transaction, Value, first
from storage.rights import RAISE_ONE
from storage.session_rules import AGES, EXPECTED_MS, Ages, changed, outlived, overdue, raises_acl, shows_host
from storage.tables import DROP

COLUMNS = (
    "id, diagram_id, threat_model_id, host, presenter, presenter_term, version, start_vector, created_at, seen_at,"
    " active_at, host_grace_until, end_reason"
)
LIVE = "ended_at IS NULL"
ADD = (
    "INSERT INTO session (id, diagram_id, threat_model_id, host, presenter, presenter_term, version, start_vector,"
    " created_at, active_at) VALUES ($1, $2, $3, $4, $4, 1, 1, $5, $6, $6)"
)
CHANGE = (
    "UPDATE session SET host = $3, presenter = $4, presenter_term = $5, version = $6, host_grace_until = $7,"
    " host_seen_at = coalesce($8, host_seen_at), ended_at = $9, end_reason = $10 WHERE id = $1 AND version = $2"
)
MEMBER = (
    "INSERT INTO session_member (session_id, user_id, member, role, status, at) VALUES ($1, $2, $3, $4, $5, $6)"
    " ON CONFLICT (session_id, user_id) DO UPDATE SET member = excluded.member, role = excluded.role,"
    " status = excluded.status, at = excluded.at"
)
LEAVE = (
    "INSERT INTO session_member (session_id, user_id, member, role, status, at, since_version)"
    " VALUES ($1, $2, $3, '', 'left', $4, $5) ON CONFLICT (session_id, user_id) DO UPDATE"
    " SET since_version = excluded.since_version,"
    " status = CASE session_member.status WHEN 'denied' THEN 'denied' ELSE 'left' END"
)
TOUCH = (
    "UPDATE session SET seen_at = $2, active_at = CASE WHEN active_at < $3 THEN $3 ELSE active_at END,"
    f" host_seen_at = coalesce($4, host_seen_at) WHERE id = $1 AND {LIVE}"
)
HEAD_HELD = "SELECT 1 FROM diagram_head WHERE id = (SELECT diagram_id FROM session WHERE id = $1) FOR NO KEY UPDATE"
HELD = "SELECT host_seen_at FROM session WHERE id = $1 FOR NO KEY UPDATE"
ALL_HELD = (
    f"SELECT id, diagram_id, threat_model_id FROM session WHERE diagram_id = ANY($1) AND {LIVE}"
    " ORDER BY id FOR NO KEY UPDATE"
)
END_ALL = (
    f"UPDATE session SET version = version + 1, ended_at = $2, end_reason = $3 WHERE diagram_id = ANY($1) AND {LIVE}"
)
DROPPED_EVERY = 64
"""So many tickets are issued for each look for those past their time, of which one look drops many more."""

Source: TypeAlias = Database | Transaction


class SqlSessions:
    def __init__(self, database: Database, now_ms: Callable[[], int] = real_ms, ages: Ages = AGES) -> None:
        self._database = database
        self._now_ms = now_ms
        self._ages = ages
        self._issued = 0

    async def create(self, new: NewSession) -> Session | Exists | Gone:
        create = partial(_create, new=new, now_ms=self._now_ms())
        try:
            return await self._database.transaction(create)
        except Conflict:
            # Another worker's insert came between our look and ours; now it can be seen.
            return await self._database.transaction(create)

    async def live(self, diagram: DiagramId) -> Session | None:
        return await _live(self._database, diagram)

    async def read(self, id: SessionId) -> Session | None:
        return await _read(self._database, id)

    async def change(self, id: SessionId, expected: int, to: SessionChange) -> Session | Stale:
        return await self._database.transaction(
            partial(_change, id=id, expected=expected, to=to, ages=self._ages, now_ms=self._now_ms())
        )

    async def expect(self, id: SessionId, user: User, role: str) -> None:
        # An ejected user stays ejected.
        sql = MEMBER + " WHERE session_member.status <> 'denied'"
        await self._database.write(sql, id, user.id, text(user), role, "joined", self._now_ms())

    async def unexpect(self, id: SessionId, users: Collection[UserId]) -> None:
        sql = (
            "UPDATE session_member SET status = 'left'"
            " WHERE session_id = $1 AND user_id = ANY($2) AND status = 'joined'"
        )
        await self._database.write(sql, id, list(users))

    async def waiting(self, id: SessionId) -> Sequence[Waiting]:
        sql = (
            "SELECT member, role, at FROM session_member"
            " WHERE session_id = $1 AND status = 'joined' AND at > $2 ORDER BY at, user_id"
        )
        since = self._now_ms() - EXPECTED_MS
        rows = await self._database.fetch(sql, id, since)
        return [Waiting(columns.user(member), role, at) for member, role, at in rows]

    async def touch(self, alive: Collection[Alive]) -> None:
        now_ms = self._now_ms()
        rows = [
            (a.session, now_ms, now_ms - a.active_ms_ago, now_ms if a.host else None)
            for a in sorted(alive, key=lambda a: a.session)
        ]
        await self._database.transaction(lambda tx: tx.execute_many(TOUCH, rows))

    async def overdue(self) -> Sequence[tuple[Session, SessionChange]]:
        return await self._database.read(partial(_overdue, ages=self._ages, now_ms=self._now_ms()))

    async def sessions_of(self, diagrams: Collection[DiagramId]) -> Sequence[Session]:
        return await _sessions(
            self._database, f"diagram_id = ANY($1) AND {LIVE} ORDER BY created_at, id", list(diagrams)
        )

    async def issue_ticket(self, ticket: str, grant: Grant, ttl_ms: int) -> None:
        now_ms = self._now_ms()
        if self._issued % DROPPED_EVERY == 0:
            await self._database.write(DROP.format("ticket"), now_ms)
        self._issued += 1
        sql = (
            "INSERT INTO ticket (sha256, caller, session_id, diagram_id, by_cookie, expires_at) "
            "VALUES ($1, $2, $3, $4, $5, $6)"
        )
        shown = text(grant.caller), grant.session, grant.diagram, int(grant.by_cookie)
        await self._database.write(sql, secret_digest(ticket), *shown, now_ms + ttl_ms)

    async def redeem(self, ticket: str) -> Grant | None:
        sql = "DELETE FROM ticket WHERE sha256 = $1 RETURNING caller, session_id, diagram_id, by_cookie, expires_at"
        rows = await self._database.write(sql, secret_digest(ticket))
        if not rows or rows[0][4] <= self._now_ms():
            return None
        row = rows[0]
        return Grant(columns.caller(row[0]), SessionId(row[1]), DiagramId(row[2]), bool(row[3]))


async def end_sessions(
    tx: Transaction, diagrams: Sequence[DiagramId], ending: Ending, cause: Cause, now_ms: int
) -> list[Change]:
    """In the transaction that deletes their diagrams, after it has raised acl_version (SES21). Returns what that
    transaction has to record."""
    held = await tx.fetch(ALL_HELD, diagrams)
    await tx.execute(END_ALL, diagrams, now_ms, ending.value)
    ended = Cause(cause.by, cause.door, detail={"reason": ending.value})
    return [_line(ended, Action.ENDED, *session) for session in held]


def _line(cause: Cause, action: Action, id: str, diagram: str, threat_model: str) -> Change:
    return line(cause, action, "session", id, threat_model, diagram)


def _told(before: Session, after: Session, to: SessionChange) -> Change | None:
    """What the trail tells of a change of a live session. Of who comes and goes it tells nothing."""
    match to:
        case End():
            action, cause = Action.ENDED, _ending(before, to)
        case SetPresenter(presenter=presenter, by=by):
            action, cause = Action.UPDATED, _moved(by, presenter=_id(presenter))
        case Deny(user=user):
            # Nobody else may (SES18).
            action, cause = Action.UPDATED, _moved(before.host, ejected=user.id, **_presenting(before, after))
        case SetHost(host=host):
            action, cause = Action.UPDATED, _moved(None, host=host.id, **_presenting(before, after))
        case HostGone() | HostBack() | Leave():
            return None
        case _:
            assert_never(to)
    return _line(cause, action, before.id, before.diagram_id, before.threat_model_id)


def _presenting(before: Session, after: Session) -> dict[str, str | None]:
    """Who presents now, where that has changed along with something else."""
    presenter = _id(after.presenter)
    return {} if presenter == _id(before.presenter) else {"presenter": presenter}


def _moved(by: User | None, **whom: str | None) -> Cause:
    """Participants speak by the socket; what nobody asked for has come about."""
    door = Door.SYSTEM if by is None else Door.SOCKET
    return Cause(by, door, detail={"changed": [*whom], **whom})


def _id(user: User | None) -> str | None:
    return None if user is None else user.id


def _ending(session: Session, end: End) -> Cause:
    """Who has ended it, by which door: by REST they say who they are, a host also leaves by the socket, and all else
    has come about."""
    detail = {"reason": end.ending.value}
    if end.by is not None:
        return Cause(end.by, Door.REST, detail=detail)
    if end.ending is Ending.HOST_LEFT:
        return Cause(session.host, Door.SOCKET, detail=detail)
    return Cause(detail=detail)


async def _create(tx: Transaction, new: NewSession, now_ms: int) -> Session | Exists | Gone:
    # shared: the diagram does not go between this look and the insert
    sql = "SELECT threat_model_id, vector FROM diagram_head WHERE id = $1 AND deleted_at IS NULL FOR SHARE"
    head = await first(tx, sql, new.diagram_id)
    if head is None:
        return Gone()
    threat_model_id, vector = head
    if (live := await _live(tx, new.diagram_id)) is not None:
        return Exists(live)
    await tx.execute(ADD, new.id, new.diagram_id, threat_model_id, text(new.host), vector, now_ms)
    started = _line(Cause(new.host, Door.REST), Action.STARTED, new.id, new.diagram_id, threat_model_id)
    await record(tx, now_ms, started)
    return Session(
        id=new.id,
        diagram_id=new.diagram_id,
        threat_model_id=ThreatModelId(threat_model_id),
        host=new.host,
        presenter=new.host,
        presenter_term=1,
        version=1,
        start_vector=vector,
        created_at_ms=now_ms,
        active_at_ms=now_ms,
    )


async def _change(
    tx: Transaction, id: SessionId, expected: int, to: SessionChange, ages: Ages, now_ms: int
) -> Session | Stale:
    if raises_acl(to):
        # heads before sessions, as whoever deletes a diagram takes them
        await tx.fetch(HEAD_HELD, id)
    held = await first(tx, HELD, id)
    before = await _read(tx, id)
    if held is None or before is None or before.version != expected or before.ended is not None:
        return Stale(before)
    if outlived(before, to, held[0], ages, now_ms):
        return Stale(before)
    after = changed(before, to, now_ms)
    host_seen_at = now_ms if shows_host(to) else None
    end = (None, None) if after.ended is None else (now_ms, after.ended.value)
    presenter, grace = columns.text_or_none(after.presenter), after.host_grace_until_ms
    values = (text(after.host), presenter, after.presenter_term, after.version, grace, host_seen_at, *end)
    if not await tx.execute(CHANGE, id, expected, *values):
        return Stale(await _read(tx, id))
    if isinstance(to, Deny):
        await tx.execute(MEMBER, id, to.user.id, text(to.user), "", "denied", now_ms)
    if isinstance(to, Leave):
        await tx.execute(LEAVE, id, to.user.id, text(to.user), now_ms, after.version)
    if raises_acl(to):
        await tx.execute(RAISE_ONE, before.diagram_id)
    told = _told(before, after, to)
    await record(tx, now_ms, *(() if told is None else (told,)))
    return after


async def _overdue(tx: Transaction, ages: Ages, now_ms: int) -> list[tuple[Session, SessionChange]]:
    sessions = await _sessions(tx, f"{LIVE} ORDER BY created_at, id")
    seen = {id: at for id, at in await tx.fetch(f"SELECT id, host_seen_at FROM session WHERE {LIVE}")}
    ends = ((session, overdue(session, seen[session.id], ages, now_ms)) for session in sessions)
    return [(session, end) for session, end in ends if end is not None]


async def _live(source: Source, diagram: DiagramId) -> Session | None:
    return next(iter(await _sessions(source, f"diagram_id = $1 AND {LIVE}", diagram)), None)


async def _read(source: Source, id: SessionId) -> Session | None:
    return next(iter(await _sessions(source, "id = $1", id)), None)


async def _sessions(source: Source, where: str, *args: Value) -> list[Session]:
    """One statement, and so one way to the server and back: every join reads a session."""
    sql = (
        f"SELECT {COLUMNS}, user_id, status, since_version FROM session LEFT JOIN session_member"
        f" ON session_id = id AND (status = 'denied' OR since_version IS NOT NULL) WHERE {where}"
    )
    gone: dict[Row, list[Row]] = {}
    for row in await source.fetch(sql, *args):
        session, member = tuple(row[:-3]), row[-3:]
        gone.setdefault(session, []).extend([member] if member[0] is not None else [])
    return [_session(row, members) for row, members in gone.items()]


def _session(row: Row, gone: Collection[Row]) -> Session:
    (
        id,
        diagram_id,
        threat_model_id,
        host,
        presenter,
        presenter_term,
        version,
        start_vector,
        created_at,
        seen_at,
        active_at,
        host_grace_until,
        end_reason,
    ) = row
    return Session(
        id=SessionId(id),
        diagram_id=DiagramId(diagram_id),
        threat_model_id=ThreatModelId(threat_model_id),
        host=columns.user(host),
        presenter=columns.user_or_none(presenter),
        presenter_term=presenter_term,
        version=version,
        start_vector=start_vector,
        created_at_ms=created_at,
        seen_at_ms=seen_at,
        active_at_ms=active_at,
        host_grace_until_ms=host_grace_until,
        denied=frozenset(UserId(user) for user, status, _ in gone if status == "denied"),
        left={UserId(user): version for user, _, version in gone if version is not None},
        ended=None if end_reason is None else Ending(end_reason),
    )

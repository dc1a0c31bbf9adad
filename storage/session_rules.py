"""What a session change comes to and when a session is overdue: the same for every adapter, by the store's clock."""

from __future__ import annotations

from typing import assert_never

import msgspec

from collab.core.meeting import Deny, End, HostBack, HostGone, Leave, Session, SessionChange, SetHost, SetPresenter
from protocol.refusals import Ending
from protocol.values import User

EXPECTED_MS = 60_000
"""How long a caller of POST or PUT is listed before it connects (SES17)."""


class Ages(msgspec.Struct, frozen=True):
    """After how many milliseconds a session ends by itself (SES12, SES13, SES14).

    `host_unseen`: of a host whose loss nobody witnessed: the grace of a loss that the server caused, and one
    keep-alive interval more.
    """

    first_socket: int = 60_000
    empty: int = 30_000
    idle: int = 900_000
    host_unseen: int = 70_000


AGES = Ages()
BY_AGE = (Ending.EMPTY, Ending.IDLE, Ending.HOST_LOST)


def changed(session: Session, change: SessionChange, now_ms: int) -> Session:
    """The session after the change, its version raised."""
    match change:
        case SetPresenter(presenter=presenter):
            after = _presented(session, presenter)
        case HostGone(grace_ms=grace_ms):
            after = msgspec.structs.replace(session, host_grace_until_ms=now_ms + grace_ms)
        case HostBack():
            after = msgspec.structs.replace(session, host_grace_until_ms=None)
        case SetHost(host=host):
            after = msgspec.structs.replace(session, host=host, host_grace_until_ms=None)
            if _id(session.presenter) == session.host.id:
                after = _presented(after, host)
        case Deny(user=user, presenter=presenter):
            after = msgspec.structs.replace(session, denied=session.denied | {user.id})
            if _id(presenter) != _id(session.presenter):
                after = _presented(after, presenter)
        case Leave(user=user):
            after = msgspec.structs.replace(session, left={**session.left, user.id: session.version + 1})
        case End(ending=ending):
            after = msgspec.structs.replace(session, ended=ending)
        case _:
            assert_never(change)
    return msgspec.structs.replace(after, version=session.version + 1)


def _presented(session: Session, presenter: User | None) -> Session:
    return msgspec.structs.replace(session, presenter=presenter, presenter_term=session.presenter_term + 1)


def _id(user: User | None) -> str | None:
    return None if user is None else user.id


def raises_acl(change: SessionChange) -> bool:
    """Whether it changes who may write (S47)."""
    return isinstance(change, Deny | End)


def shows_host(change: SessionChange) -> bool:
    """Whether it says that the host is there now."""
    return isinstance(change, HostBack | SetHost)


def outlived(session: Session, change: SessionChange, host_seen_at_ms: int | None, ages: Ages, now_ms: int) -> bool:
    """Whether the change is an end by age of a session in which somebody was seen since it was found overdue."""
    by_age = isinstance(change, End) and change.ending in BY_AGE
    return by_age and overdue(session, host_seen_at_ms, ages, now_ms) is None


def overdue(session: Session, host_seen_at_ms: int | None, ages: Ages, now_ms: int) -> End | None:
    """What ends a live session that is past a deadline."""
    seen = session.seen_at_ms
    if session.host_grace_until_ms is not None and session.host_grace_until_ms <= now_ms:
        return End(Ending.HOST_LOST)
    if seen is None and session.created_at_ms + ages.first_socket <= now_ms:
        return End(Ending.EMPTY)
    if seen is not None and seen + ages.empty <= now_ms:
        return End(Ending.EMPTY)
    if session.active_at_ms + ages.idle <= now_ms:
        return End(Ending.IDLE)
    # SES11: a host who never connected is absent, not lost
    if host_seen_at_ms is not None and session.host_grace_until_ms is None:
        return End(Ending.HOST_LOST) if host_seen_at_ms + ages.host_unseen <= now_ms else None
    return None

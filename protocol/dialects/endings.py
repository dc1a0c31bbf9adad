"""How a socket ends: the close code of every ending, whether to return after it, and its sentence."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec

from protocol.refusals import CloseCode, Ending


class Farewell(msgspec.Struct, frozen=True):
    """The last messages of a socket and how it is closed; `reason` is at most 123 bytes (RFC 6455, 5.5)."""

    messages: Sequence[msgspec.Struct]
    code: CloseCode
    reason: str


CODES: Mapping[Ending, CloseCode] = {
    Ending.HOST_LEFT: CloseCode.OVER,
    Ending.HOST_ENDED: CloseCode.OVER,
    Ending.OWNER_ENDED: CloseCode.OVER,
    Ending.HOST_LOST: CloseCode.OVER,
    Ending.IDLE: CloseCode.OVER,
    Ending.EMPTY: CloseCode.OVER,
    Ending.LEFT: CloseCode.OVER,
    Ending.DIAGRAM_DELETED: CloseCode.OVER,
    Ending.THREAT_MODEL_DELETED: CloseCode.OVER,
    Ending.REMOVED: CloseCode.ACCESS,
    Ending.ACCESS_REVOKED: CloseCode.ACCESS,
    Ending.TOKEN_EXPIRED: CloseCode.TOKEN,
    Ending.SESSION_NOT_FOUND: CloseCode.NO_SESSION,
    Ending.DIAGRAM_NOT_FOUND: CloseCode.NO_SESSION,
    Ending.TOO_MANY_CONNECTIONS: CloseCode.TOO_MANY,
    Ending.SESSION_FULL: CloseCode.TOO_MANY,
    Ending.SLOW: CloseCode.SLOW,
    Ending.FLOODING: CloseCode.TOO_MANY,
    Ending.RESTART: CloseCode.RESTART,
    Ending.UNAVAILABLE: CloseCode.TRY_LATER,
    Ending.NOT_TEXT: CloseCode.UNSUPPORTED_DATA,
    Ending.TOO_BIG: CloseCode.TOO_BIG,
}

RETURN: Mapping[CloseCode, str] = {
    CloseCode.OVER: "no",
    CloseCode.PROTOCOL_ERROR: "no",
    CloseCode.UNSUPPORTED_DATA: "no",
    CloseCode.INVALID_PAYLOAD: "no",
    CloseCode.TOO_BIG: "yes",
    CloseCode.UNANSWERED_PING: "yes",
    CloseCode.RESTART: "yes",
    CloseCode.TRY_LATER: "yes",
    CloseCode.TOKEN: "reauthenticate",
    CloseCode.ACCESS: "no",
    CloseCode.NO_SESSION: "no",
    CloseCode.SLOW: "yes",
    CloseCode.TOO_MANY: "yes",
}

SENTENCES: Mapping[Ending, str] = {
    Ending.HOST_LEFT: "Session ended: host has left",
    Ending.HOST_ENDED: "Session ended: host has ended it",
    Ending.OWNER_ENDED: "Session ended: an owner has ended it",
    Ending.HOST_LOST: "Session ended: host did not return",
    Ending.IDLE: "Session ended: nobody was active",
    Ending.EMPTY: "Session ended: nobody was connected",
    Ending.LEFT: "you left the session",
    Ending.DIAGRAM_DELETED: "Session ended: diagram was deleted",
    Ending.THREAT_MODEL_DELETED: "Session ended: threat model was deleted",
    Ending.REMOVED: "the host removed you from the session",
    Ending.ACCESS_REVOKED: "you have no access to this session",
    Ending.TOKEN_EXPIRED: "your token expired or was revoked",
    Ending.SESSION_NOT_FOUND: "no such session lives",
    Ending.DIAGRAM_NOT_FOUND: "no such diagram",
    Ending.TOO_MANY_CONNECTIONS: "too many connections of yours to this diagram",
    Ending.SESSION_FULL: "the session is full",
    Ending.SLOW: "your connection reads too slowly",
    Ending.FLOODING: "too much unreadable input",
    Ending.RESTART: "server restarts",
    Ending.UNAVAILABLE: "temporarily unavailable, try later",
    Ending.NOT_TEXT: "this socket takes another kind of frame",
    Ending.TOO_BIG: "frame too big",
}

SESSION_OVER = frozenset(
    {Ending.HOST_LEFT, Ending.HOST_ENDED, Ending.OWNER_ENDED, Ending.HOST_LOST, Ending.IDLE, Ending.EMPTY}
)
DELETED = frozenset({Ending.DIAGRAM_DELETED, Ending.THREAT_MODEL_DELETED})

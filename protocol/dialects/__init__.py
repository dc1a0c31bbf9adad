"""The three dialects as tables of renderings, and which one a handshake chose. They decide nothing."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, Protocol

import msgspec

from protocol.codec import Encoding
from protocol.dialects import classic, codraw_v1, inbound, tmi
from protocol.dialects.endings import Farewell as Farewell
from protocol.dialects.plain import plain_edit
from protocol.intents import Edit, Intent, Misedit
from protocol.notices import Ended, Notice, Side
from protocol.refusals import ProtocolError
from protocol.values import Limits


class Read(Protocol):
    def __call__(self, message: dict[str, Any], *, limits: Limits) -> Intent: ...


class Dialect(msgspec.Struct, frozen=True, eq=False):
    """`read`, `misread`: see `inbound`. `render`: none, one or several messages, in order."""

    name: str
    read: Read
    misread: Callable[[ProtocolError], Misedit | None]
    render: Callable[[Notice, Side], Sequence[msgspec.Struct]]
    farewell: Callable[[Ended], Farewell]
    plain: Callable[[bytes, Limits], Edit | None] = lambda frame, limits: None
    """The short way of a JSON frame; None: it is to be decoded and read."""


class Choice(msgspec.Struct, frozen=True):
    """`subprotocol`: to be echoed in the handshake; None: none is."""

    dialect: Dialect
    encoding: Encoding
    subprotocol: str | None


class InvalidDialect(ValueError):
    """400 `invalid_dialect`; the text says why."""


def _dialect(
    name: str,
    render: Callable[[Notice, Side], Sequence[msgspec.Struct]],
    farewell: Callable[[Ended], Farewell],
) -> Dialect:
    read, misread = partial(inbound.read, dialect_name=name), partial(inbound.misread, dialect_name=name)
    return Dialect(name, read, misread, render, farewell)


CLASSIC = _dialect(inbound.CLASSIC, classic.render, classic.farewell)
TMI = _dialect(inbound.TMI, tmi.render, tmi.farewell)
TMI_APP = msgspec.structs.replace(TMI, read=inbound.read_from_app, render=tmi.render_for_app)
"""What TMI's web app says and is told: `tmi`, but for what the app cannot say and cannot draw."""
CODRAW_V1 = msgspec.structs.replace(_dialect(inbound.CODRAW_V1, codraw_v1.render, codraw_v1.farewell), plain=plain_edit)

DIALECTS: Mapping[str, Dialect] = {dialect.name: dialect for dialect in (CLASSIC, TMI, CODRAW_V1)}
SUBPROTOCOLS: Mapping[str, Encoding] = {
    "codraw.v1.json": Encoding.JSON,
    "codraw.v1.msgpack": Encoding.MSGPACK,
}


def choose(
    *, query: Mapping[str, str], subprotocols: Sequence[str], bearer: bool, token_alone: Dialect = CLASSIC
) -> Choice:
    """Which dialect a handshake asks for, by the table at the head of `asyncapi.yml`. `token_alone`: what `?token=`
    without more means here; TMI's apps of before tickets send just that.

    Of several known subprotocols the first offered one counts. Without any credential it is classic, for what that
    matters: such a handshake is refused. Raises InvalidDialect.
    """
    subprotocol = next((offered for offered in subprotocols if offered in SUBPROTOCOLS), None)
    named = query.get("dialect")
    if named is not None and named not in DIALECTS:
        raise InvalidDialect(f"dialect is one of {', '.join(DIALECTS)}")
    if subprotocol is not None:
        if named not in (None, CODRAW_V1.name):
            raise InvalidDialect(f"the subprotocol {subprotocol} belongs to the dialect {CODRAW_V1.name}")
        return Choice(CODRAW_V1, SUBPROTOCOLS[subprotocol], subprotocol)
    dialect = _by_credential(query, bearer, token_alone) if named is None else DIALECTS[named]
    return Choice(dialect, Encoding.JSON, None)


def _by_credential(query: Mapping[str, str], bearer: bool, token_alone: Dialect) -> Dialect:
    if bearer:
        return CLASSIC
    if "ticket" in query or ("token" in query and "session_id" in query):
        return TMI
    return token_alone if "token" in query else CLASSIC

"""Who comes in by WebSocket: eight checks in their order.

Before the upgrade (1) ids, (2) origin, (3) dialect, (4) credential; after it (5) the diagram, (6) the right to read it,
(7) the live session, (8) the numbers of sockets.

1. What is wrong with the request itself is said before the upgrade, by `Refused`; what is wrong with the caller's right
   to be here after it, by an `Ending`, since a browser cannot see why an upgrade failed.
2. A ticket is burnt by being shown, whatever comes of it (AU9). A cookie never authenticates a socket.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any
from urllib.parse import parse_qsl

import msgspec

from collab.access.addresses import address
from collab.access.buckets import Buckets
from collab.access.origins import Origins
from collab.access.tokens import InvalidToken
from collab.core.events import Gone
from collab.ports import Authorizer, Clock, Logins, Session, SessionStore, StoreUnavailable
from protocol.codec import Encoding
from protocol.dialects import CLASSIC, CODRAW_V1, TMI, TMI_APP, Choice, Dialect, InvalidDialect, choose
from protocol.intents import RefreshToken, Resume
from protocol.refusals import Ending
from protocol.values import Caller, DiagramId, Epoch, Role, RoleAt, SessionId, ThreatModelId

Scope = Mapping[str, Any]

PATH = re.compile(r"/threat_models/([^/]*)/diagrams/([^/]*)/ws")
UUID = re.compile(r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}", re.ASCII)
RESUME = re.compile(r"([^:\0]{1,64}):([0-9]{1,16})", re.ASCII)
"""No store of ours is asked for NUL: PostgreSQL holds none."""

FAILURES_PER_SECOND = 5.0
FAILURES_SAVED = 100.0
RETRY_AFTER_S = 5


class Refused(Exception):
    """No upgrade: an HTTP answer. `message` is for people and repeats nothing that was sent."""

    def __init__(self, status: int, error: str, message: str, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.error = error
        self.message = message
        self.headers = dict(headers or {})

    def body(self) -> bytes:
        """The body of every HTTP error (RE1)."""
        return msgspec.json.encode(
            {"error": self.error, "message": self.message, "error_description": self.message, "details": {}}
        )


class Entry(msgspec.Struct, frozen=True):
    """Somebody with a good credential, who wants into a diagram's session; `sessions`: those that it must be."""

    threat_model: ThreatModelId
    diagram: DiagramId
    caller: Caller
    choice: Choice
    sessions: tuple[str, ...] = ()
    resume: Resume | None = None

    @property
    def dialect(self) -> Dialect:
        return self.choice.dialect

    @property
    def encoding(self) -> Encoding:
        return self.choice.encoding


class Shown(msgspec.Struct, frozen=True):
    """What a credential shows. `by_cookie`: its ticket was fetched as TMI's web app does it."""

    caller: Caller
    session: SessionId | None = None
    by_cookie: bool = False


class Admission(msgspec.Struct, frozen=True):
    """As the store says now; the room looks again."""

    role: RoleAt
    session: Session


class Rules(msgspec.Struct, frozen=True):
    """What an operator may set. `public_url`: the server's own address; None: the one each request names."""

    origins: Origins
    public_url: str | None = None
    require_origin: bool = False
    query_token: bool = True
    token_alone: Dialect = CLASSIC
    """What `?token=` without more means: in the profile `tmi` it is TMI's app of January 2026 that sends it."""


class Handshake:
    """`verify` reads an access token, or raises InvalidToken."""

    def __init__(
        self,
        rules: Rules,
        verify: Callable[[str], Caller],
        sessions: SessionStore,
        authorizer: Authorizer,
        logins: Logins,
        clock: Clock,
    ) -> None:
        self._rules = rules
        self._verify = verify
        self._sessions = sessions
        self._authorizer = authorizer
        self._logins = logins
        self._clock = clock
        self._failures = Buckets(FAILURES_PER_SECOND, FAILURES_SAVED)

    async def enter(self, scope: Scope) -> Entry:
        """Checks (1) to (4). Raises Refused."""
        threat_model, diagram = _ids(scope["path"])
        headers = _headers(scope)
        self._check_origin(scope, headers)
        query = _query(scope)
        choice = _choice(query, scope, headers, self._rules.token_alone)
        shown = await self._limited(scope, query, choice, _bearer(headers), diagram)
        sessions = tuple(id for id in (shown.session, query.get("session_id", "").lower()) if id)
        if shown.by_cookie and choice.dialect is TMI:
            choice = msgspec.structs.replace(choice, dialect=TMI_APP)
        return Entry(threat_model, diagram, shown.caller, choice, sessions, _resume(query))

    async def admission(self, entry: Entry) -> Admission | Ending:
        """Checks (5) to (7): what the caller comes to, or why there is no way in. Check (8) is the room's."""
        try:
            role = await self._authorizer.role(entry.caller, entry.diagram, entry.threat_model)
            if isinstance(role, Gone):
                return Ending.DIAGRAM_NOT_FOUND
            if role.role is Role.NONE or role.denied:
                return Ending.ACCESS_REVOKED
            live = await self._sessions.live(entry.diagram)
        except StoreUnavailable:
            return Ending.UNAVAILABLE
        if live is None or any(id != live.id for id in entry.sessions):
            return Ending.SESSION_NOT_FOUND
        return Admission(role, live)

    async def renewed(self, entry: Entry, asked: RefreshToken) -> Caller | None:
        """Whom a newer credential proves; None: nobody, or somebody else (AU13). Raises StoreUnavailable."""
        try:
            if asked.access_token is not None:
                caller = await self._standing(self._verify(asked.access_token))
            else:
                caller = (await self._by_ticket(asked.ticket or "", entry.diagram)).caller
        except (InvalidToken, Refused):
            return None
        return caller if caller.id == entry.caller.id else None

    def _check_origin(self, scope: Scope, headers: Sequence[tuple[bytes, bytes]]) -> None:
        origins = _values(headers, b"origin")
        if not origins and not self._rules.require_origin:
            return
        own = self._rules.public_url or _own_address(scope, headers)
        if len(origins) != 1 or not self._rules.origins.allowing(origins[0], own):
            raise Refused(403, "origin_not_allowed", "Pages of this origin may not connect.")

    async def _limited(
        self, scope: Scope, query: Mapping[str, str], choice: Choice, bearer: str | None, diagram: DiagramId
    ) -> Shown:
        """Whoever fails too often from one address is not even looked at for a while."""
        source = address(scope)
        wait_s = self._failures.ready_in(source, self._clock.now().monotonic_s)
        if wait_s:
            headers = {"Retry-After": str(max(1, round(wait_s)))}
            raise Refused(429, "rate_limit_exceeded", "Too many failed attempts.", headers)
        try:
            return await self._authenticate(query, choice, bearer, diagram)
        except (InvalidToken, Refused):
            self._failures.ask(source, self._clock.now().monotonic_s)
            raise _unauthorized() from None
        except StoreUnavailable:
            headers = {"Retry-After": str(RETRY_AFTER_S)}
            raise Refused(503, "unavailable", "Temporarily unavailable.", headers) from None

    async def _authenticate(
        self, query: Mapping[str, str], choice: Choice, bearer: str | None, diagram: DiagramId
    ) -> Shown:
        """By the first credential that is there. A token in the address is for those who cannot send a header (S13)."""
        if "ticket" in query:
            return await self._by_ticket(query["ticket"], diagram)
        if "token" in query and self._rules.query_token and choice.dialect is not CODRAW_V1:
            return Shown(await self._standing(self._verify(query["token"])))
        if bearer is not None:
            return Shown(await self._standing(self._verify(bearer)))
        raise _unauthorized()

    async def _by_ticket(self, ticket: str, diagram: DiagramId) -> Shown:
        grant = await self._sessions.redeem(ticket)
        if grant is None or grant.diagram != diagram:
            raise _unauthorized()
        return Shown(await self._standing(grant.caller), grant.session, grant.by_cookie)

    async def _standing(self, caller: Caller) -> Caller:
        """A credential of a login that has ended since, or that the store knows nothing of, proves nothing (S12)."""
        login = (await self._logins.standing([caller.sid])).get(caller.sid)
        expired = caller.expires_at_ms <= self._clock.now().wall_ms
        if expired or login is None or login.ended:
            raise _unauthorized()
        return caller


def _unauthorized() -> Refused:
    return Refused(401, "unauthorized", "Sign in first.", {"WWW-Authenticate": "Bearer"})


def _ids(path: str) -> tuple[ThreatModelId, DiagramId]:
    found = PATH.fullmatch(path)
    if found is None:
        raise Refused(404, "not_found", "There is nothing here.")
    if not all(UUID.fullmatch(id) for id in found.groups()):
        raise Refused(400, "invalid_id", "Threat model and diagram are named by UUIDs.")
    return ThreatModelId(found[1].lower()), DiagramId(found[2].lower())


def _headers(scope: Scope) -> Sequence[tuple[bytes, bytes]]:
    return [(name.lower(), value) for name, value in scope["headers"]]


def _values(headers: Sequence[tuple[bytes, bytes]], name: bytes) -> list[str]:
    return [value.decode("latin-1").strip() for found, value in headers if found == name]


def _own_address(scope: Scope, headers: Sequence[tuple[bytes, bytes]]) -> str:
    scheme = "https" if scope.get("scheme") in ("wss", "https") else "http"
    return f"{scheme}://{''.join(_values(headers, b'host'))}"


def _bearer(headers: Sequence[tuple[bytes, bytes]]) -> str | None:
    for value in _values(headers, b"authorization"):
        scheme, _, token = value.partition(" ")
        if scheme.lower() == "bearer":
            return token.strip()
    return None


def _query(scope: Scope) -> dict[str, str]:
    """Of a name given twice the first counts."""
    text = scope.get("query_string", b"").decode("latin-1")
    return dict(reversed(parse_qsl(text, keep_blank_values=True, errors="replace")))


def _choice(
    query: Mapping[str, str], scope: Scope, headers: Sequence[tuple[bytes, bytes]], token_alone: Dialect
) -> Choice:
    offered, bearer = scope.get("subprotocols", ()), _bearer(headers) is not None
    try:
        return choose(query=query, subprotocols=offered, bearer=bearer, token_alone=token_alone)
    except InvalidDialect as error:
        raise Refused(400, "invalid_dialect", str(error)) from None


def _resume(query: Mapping[str, str]) -> Resume | None:
    """`?resume=<epoch>:<vector>`; what is none of that is passed over, and a full state sent."""
    found = RESUME.fullmatch(query.get("resume", ""))
    return Resume(Epoch(found[1]), int(found[2])) if found else None

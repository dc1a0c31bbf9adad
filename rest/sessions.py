"""Collaboration sessions over REST: begin, join, look, end; tickets for sockets (SES1-SES6)."""

from __future__ import annotations

import secrets
import uuid
from collections.abc import Sequence
from contextlib import suppress

from starlette.responses import Response

from collab.ports import End, Exists, Gone, Grant, Leave, Member, NewSession, Session, SessionChange, Stale
from protocol.codec import decode_body
from protocol.refusals import Ending
from protocol.values import DiagramId, Role, RoleAt, SessionId
from rest import calls, rights, views
from rest.answers import answer, created, nothing
from rest.bodies import JSON, as_object, content_type, raw
from rest.calls import Call
from rest.dependencies import RestDependencies
from rest.paging import bare
from rest.ports import but
from rest.problems import Problem, not_found

BODY_BYTES = 65_536


class Sessions:
    def __init__(self, deps: RestDependencies) -> None:
        self.deps = deps

    async def begin(self, call: Call) -> Response:
        # First, since it may take its time (AU15).
        await _empty_body(call)
        id, role = await self._allowed(call, Role.WRITER)
        rights.not_ejected(role)
        new = NewSession(SessionId(str(uuid.uuid4())), id, call.caller.user)
        match await self.deps.sessions.create(new):
            case Gone():
                raise not_found()
            case Exists(session):
                raise conflict_with(await self._form(call, session), call.base + call.here())
            case session:
                await self._expect(call, session, role)
                await self.deps.rooms.session_changed(id)
                return created(await self._form(call, session), call.here())

    async def join(self, call: Call) -> Response:
        await _empty_body(call)
        id, role = await self._allowed(call, Role.READER)
        rights.not_ejected(role)
        session = await self._live(id)
        await self._expect(call, session, role)
        return answer(await self._form(call, session))

    async def look(self, call: Call) -> Response:
        id, _ = await self._allowed(call, Role.READER)
        return answer(await self._form(call, await self._live(id)))

    async def leave(self, call: Call) -> Response:
        """SES6: the host ends it, an owner may, anybody else goes."""
        id, role = await self._allowed(call, Role.READER)
        session = await self.deps.sessions.live(id)
        if session is None:
            return nothing()
        if session.host.id == call.caller.id:
            await self._end(session, End(Ending.HOST_ENDED, call.caller.user))
        elif call.query.get("end") == "true" and role.role is Role.OWNER:
            await self._end(session, End(Ending.OWNER_ENDED, call.caller.user))
        else:
            await self.deps.sessions.unexpect(session.id, (call.caller.id,))
            left = await self._change(session, Leave(call.caller.user))
            if left is not None:
                await self.deps.rooms.session_moved(left)
        return nothing()

    async def mine(self, call: Call) -> Response:
        diagrams = await self.deps.models.readable_diagrams(call.caller)
        sessions = await self.deps.sessions.sessions_of(diagrams)
        shown: list[views.View] = []
        for session in sessions:
            # What is deleted while the list is made is not in it, and does not take it away.
            with suppress(Problem):
                shown.append(await self._form(call, session))
        return bare(shown, len(shown))

    async def ticket(self, call: Call) -> Response:
        """AU19: who may not read is told no more than who asks for nothing."""
        session = await self.deps.sessions.read(SessionId(calls.uuid(call.query.get("session_id", ""), "session_id")))
        if session is None or session.ended is not None:
            raise not_found()
        role = await self.deps.authorizer.role(call.caller, session.diagram_id)
        if isinstance(role, Gone) or role.role < Role.READER:
            raise not_found()
        if not call.by_cookie:
            # TMI's web app takes itself for a participant, and saves nothing, unless its socket is opened and refused.
            rights.not_ejected(role)
        if call.request.method == "HEAD":
            # Nobody would be told the ticket.
            return answer({})
        ticket = secrets.token_urlsafe(32)
        caller = call.caller
        if call.by_cookie:
            # TMI's web app believes that the cookie it found when it was loaded is new: it renews it in time by that.
            until_ms = self.deps.now_ms() + self.deps.tokens.lifetime_s * 1_000
            caller = but(caller, expires_at_ms=max(caller.expires_at_ms, until_ms))
        grant = Grant(caller, session.id, session.diagram_id, call.by_cookie)
        await self.deps.sessions.issue_ticket(ticket, grant, self.deps.ticket_s * 1_000)
        return answer({"ticket": ticket})

    async def _allowed(self, call: Call, needed: Role) -> tuple[DiagramId, RoleAt]:
        id = call.diagram_id
        return id, await rights.on_diagram(self.deps, call, call.threat_model_id, id, needed)

    async def _live(self, id: DiagramId) -> Session:
        session = await self.deps.sessions.live(id)
        if session is None:
            raise not_found("No session lives here.")
        return session

    async def _end(self, session: Session, end: End) -> None:
        """Returns when it has ended, by this or by somebody else's doing."""
        await self._change(session, end)
        await self.deps.rooms.session_changed(session.diagram_id)

    async def _change(self, session: Session, to: SessionChange) -> Session | None:
        """As it stands after the change; None: it ended first."""
        standing: Session | None = session
        while standing is not None and standing.ended is None:
            changed = await self.deps.sessions.change(standing.id, standing.version, to)
            if not isinstance(changed, Stale):
                return changed
            standing = changed.session
        return None

    async def _expect(self, call: Call, session: Session, role: RoleAt) -> None:
        await self.deps.sessions.expect(session.id, call.caller.user, role.role.permissions)

    async def _form(self, call: Call, session: Session) -> views.View:
        model = await self.deps.models.read(session.threat_model_id)
        row = await self.deps.models.diagram(session.diagram_id)
        if model is None or row is None:
            raise not_found()
        names = (model.fields["name"], row.fields["name"])
        return views.session(session, names, await self._members(session), socket_url(call, session), call.forms)

    async def _members(self, session: Session) -> Sequence[Member]:
        """SES17: the connected, then those who are expected."""
        connected = await self.deps.rooms.members(session)
        here = {member.user.id for member in connected}
        waiting = [
            Member(one.user, one.role, one.at_ms, one.at_ms, sockets=0)
            for one in await self.deps.sessions.waiting(session.id)
            if one.user.id not in here
        ]
        return [*connected, *waiting]


def socket_url(call: Call, session: Session) -> str:
    """Absolute and without a query: clients append theirs."""
    base = "ws" + call.base.removeprefix("http")
    return f"{base}/threat_models/{session.threat_model_id}/diagrams/{session.diagram_id}/ws"


def conflict_with(session: views.View, url: str) -> Problem:
    """SES1: the loser of the race is told how to join. Not only in `details`: the written contract has it on top."""
    message = "A session for this diagram lives already."
    return Problem(409, "collaboration_session_exists", message, more={"join_url": url, "session": session})


async def _empty_body(call: Call) -> None:
    """None, or an object or null: some clients send `{}`, a generated one that is given nothing `null`."""
    body = await raw(call.request, BODY_BYTES)
    if body.strip():
        content_type(call.request, (JSON,))
        if (value := decode_body(body)) is not None:
            as_object(value)

"""Bugs in who may do what, and in REST."""

from __future__ import annotations

from typing import Any

import msgspec

from tests.codraw.conform.planting import mutant


@mutant("WS22")
def anybody_may_moderate() -> None:
    from collab.core.moderation import _ByUser

    _ByUser._is_host = property(lambda self: True)


@mutant("PR6")
def everybody_s_cursor_is_the_presenter_s() -> None:
    from collab.core.awareness import Awareness
    from collab.core.roster import Present

    before = Awareness.note
    Awareness.note = lambda self, socket, user, presenting, aware: before(self, socket, user, True, aware)
    Present.free_awareness = property(lambda self: True)


@mutant("PR5")
def nobody_follows_a_presenter() -> None:
    from collab.core import moderation

    moderation._presenter_gone = lambda *_: False


@mutant("PR9")
def cursors_are_not_coalesced() -> None:
    from collab.core.room import Room

    before = Room._aware

    def aware(self: Any, present: Any, intent: Any) -> None:
        before(self, present, intent)
        self._show_awareness()

    Room._aware = aware


@mutant("SES17 WS11", "classic")
def every_socket_s_leave_is_a_leave() -> None:
    from collab.core.door import Door
    from collab.core.effects import Tell
    from protocol.notices import RosterChanged

    def left(self: Any, socket: Any, how: Any) -> None:
        state = self._state
        present = state.roster.get(socket)
        if present is not None:
            state.remove(socket)
            view = state.roster.view(state.session)
            state.ask(Tell(RosterChanged(view, state.now.wall_ms, left=(present.user,)), by=present.caller.id))

    Door.left = left


@mutant("SES9")
def a_host_s_close_1000_is_a_loss() -> None:
    from collab import endpoint
    from collab.core.events import Departure

    endpoint.departure = lambda _: Departure.LOST


@mutant("SES6")
def a_guest_s_delete_ends_the_session() -> None:
    from collab.ports import End
    from protocol.refusals import Ending
    from rest import answers, sessions

    async def leave(self: Any, call: Any) -> Any:
        session = await self.deps.sessions.live(call.diagram_id)
        if session is not None:
            await self._end(session, End(Ending.HOST_ENDED))
        return answers.nothing()

    sessions.Sessions.leave = leave


@mutant("SES18 S45")
def an_ejected_user_may_join_and_fetch_tickets() -> None:
    from rest import rights

    rights.not_ejected = lambda _: None


@mutant("SES18 S45", "classic")
def the_deny_list_is_not_looked_at() -> None:
    from collab.core import door
    from storage.rights import SqlAuthorizer

    before = SqlAuthorizer.role
    refused = door.Door._refused

    async def role(self: Any, *args: Any) -> Any:
        found = await before(self, *args)
        return msgspec.structs.replace(found, denied=False) if hasattr(found, "denied") else found

    def let_in(self: Any, event: Any, found: Any) -> Any:
        session = self._state.session
        self._state.session = msgspec.structs.replace(session, denied=frozenset())
        try:
            return refused(self, event, msgspec.structs.replace(found, denied=False))
        finally:
            self._state.session = session

    SqlAuthorizer.role = role
    door.Door._refused = let_in


@mutant("AU9")
def a_ticket_works_again() -> None:
    from storage.sessions import SqlSessions

    before = SqlSessions.redeem
    known: dict[str, Any] = {}

    async def redeem(self: Any, ticket: str) -> Any:
        found = await before(self, ticket)
        return known.setdefault(ticket, found)

    SqlSessions.redeem = redeem


@mutant("S40")
def readers_may_write() -> None:
    from collab.core import room, writing

    room.allowed = writing.allowed = lambda *_: True


@mutant("AU15")
def a_role_is_for_ever() -> None:
    from collab.core.writer import Writer

    def stale_rights(self: Any) -> None:
        for user, known in list(self._rights.items()):
            self._rights[user] = known

    Writer.stale_rights = stale_rights


@mutant("AU1")
def tokens_need_no_signature() -> None:
    from jwt import api_jws

    before = api_jws.decode
    api_jws.decode = lambda token, *_: before(token, options={"verify_signature": False})


@mutant("AU14")
def what_is_not_there_is_public() -> None:
    from rest import identity

    before = identity.is_public
    identity.is_public = lambda path: before(path) or path.startswith("/nothing")


@mutant("S1", "classic")
def any_page_may_connect() -> None:
    from collab.access.origins import Origins

    Origins.allowing = lambda *_: True


@mutant("PR7")
def an_old_cursor_comes_after_the_new_presenter() -> None:
    from collab.core.awareness import Awareness

    Awareness.new_term = lambda *_: False


@mutant("SES17")
def whoever_joins_by_REST_is_not_listed() -> None:
    from rest.sessions import Sessions

    async def expect(*_: Any) -> None: ...

    Sessions._expect = expect


@mutant("AU19")
def a_stranger_is_told_of_nothing_that_is_there() -> None:
    from rest import problems, rights

    rights.forbidden = lambda *_: problems.not_found()


@mutant("WS4", "classic")
def a_binary_frame_is_read() -> None:
    from collab.endpoint import Visit

    def frame(self: Any, message: Any) -> Any:
        return message.get("bytes") or (message.get("text") or "").encode()

    Visit._frame = frame


@mutant("WS7")
def unreadable_input_may_come_for_ever() -> None:
    from collab import endpoint

    endpoint.UNREADABLE_PER_MINUTE = 10**6


@mutant("WS9")
def full_states_are_not_rationed() -> None:
    from collab.core.ration import Ration

    Ration.take = lambda *_: 0.0


@mutant("S75")
def sockets_of_a_user_are_not_counted() -> None:
    from collab.core.door import Door
    from protocol.refusals import Ending

    before = Door._refused

    def refused(self: Any, *args: Any) -> Any:
        found = before(self, *args)
        return None if found is Ending.TOO_MANY_CONNECTIONS else found

    Door._refused = refused


@mutant("RE12")
def if_match_is_overlooked() -> None:
    from rest import diagrams
    from rest.preconditions import IfMatch

    diagrams.if_match = lambda _: IfMatch()
    IfMatch.fits = lambda *_: True


@mutant("RE1")
def errors_have_no_description() -> None:
    from rest.problems import Problem

    Problem.body = lambda self: msgspec.json.encode({"error": self.error, "message": self.message, "details": {}})


@mutant("RE13")
def a_replacement_is_told_to_nobody() -> None:
    from collab.core.receipts import Receipts

    before = Receipts._tell

    def tell(self: Any, operation: Any, *args: Any) -> None:
        if operation.kind.value != "rest":
            before(self, operation, *args)

    Receipts._tell = tell


@mutant("RE6")
def server_owned_fields_are_taken() -> None:
    from rest import diagrams, models

    diagrams.without_server_fields = models.without_server_fields = lambda body, *_, **__: dict(body)


@mutant("RE14")
def a_replacement_keeps_the_order() -> None:
    from collab.core import writing

    before = writing.replacement
    writing.replacement = lambda diagram, cells, texts: (before(diagram, cells, texts)[0], None)


@mutant("RE18 S40")
def the_flat_path_asks_nobody() -> None:
    from protocol.values import Role
    from rest import rights

    before = rights.on_diagram

    async def on_diagram(deps: Any, call: Any, within: Any, id: Any, needed: Any) -> Any:
        if within is not None:
            return await before(deps, call, within, id, needed)
        role = await deps.authorizer.role(call.caller, id)
        return msgspec.structs.replace(role, role=Role.OWNER)

    rights.on_diagram = on_diagram

"""AU: identity and rights."""

from __future__ import annotations

import asyncio
import base64
import json
from typing import Any

from websockets.exceptions import InvalidStatus

from codraw.conform.messages import Message, add, new_id, node, word
from codraw.conform.people import Person, json_of
from codraw.conform.rules import ALL, OURS, Broken, Dialect, NotApplicable, equal, one_of, rule, that
from codraw.conform.stage import Meeting, Stage
from codraw.conform.wire import Socket

CLOSED_PATHS = ("/threat_models", "/me", "/me/sessions", "/nothing/of/the/kind")
BINDS_WITHIN_S = 6.0
"""5 s are promised (AU12, AU15)."""


def forged(token: str) -> list[str]:
    """The token with another subject, without algorithm, without signature, and cut."""
    head, body, signature = token.split(".") if token.count(".") == 2 else ("", "", "")
    if not signature:
        raise NotApplicable("the access token is no JWT")
    claims = _decoded(body)
    none = _encoded({**_decoded(head), "alg": "none"})
    other = _encoded({**claims, "sub": "test:mallory", "provider_id": "mallory"})
    past = _encoded({**claims, "exp": 1_000_000_000})
    signed = [f"{head}.{part}.{signature}" for part in (other, past)]
    return [*signed, f"{none}.{body}.", f"{head}.{body}.", token[:-4]]


def _decoded(part: str) -> dict[str, object]:
    found: dict[str, object] = json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))
    return found


def _encoded(value: dict[str, object]) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")


@rule("AU1 S20", "a forged token is 401 over REST")
async def forgeries(stage: Stage) -> None:
    alice = await stage.person("alice")
    for token in forged(alice.token):
        answer = await stage.ask(Person("forged", token, alice.user), "GET", "/threat_models")
        equal(answer.status_code, 401, "GET /threat_models with a forged token")


@rule("AU1 S13", "a forged token opens no socket, in the address or the header", (Dialect.CLASSIC,))
async def forged_sockets(stage: Stage) -> None:
    meeting = await stage.meeting()
    bob = await stage.person("bob")
    for token in forged(bob.token)[:2]:
        await _unauthorized(meeting, token=token)
    await _unauthorized(meeting, token="")


async def _unauthorized(meeting: Meeting, **query: str) -> None:
    try:
        await meeting.connect("bob", Dialect.CLASSIC if "token" in query else Dialect.TMI, **query)
    except InvalidStatus as refused:
        equal(refused.response.status_code, 401, "the status of the upgrade")
        return
    raise Broken(f"a socket was opened with {sorted(query)} that proves nothing")


@rule("AU2", "the header counts where a cookie says otherwise, and the cookie alone is as good")
async def cookies(stage: Stage) -> None:
    alice, bob = await stage.person("alice"), await stage.person("bob")
    cookie = f"tmi_access_token={bob.token}"
    both = json_of(await stage.ask(alice, "GET", "/me", Cookie=cookie))
    equal(both.get("email"), alice.email, "who GET /me says with alice's header and bob's cookie")
    alone = json_of(await stage.ask(None, "GET", "/me", Cookie=cookie))
    equal(alone.get("email"), bob.email, "who GET /me says with bob's cookie alone")


@rule("AU3", "a change with cookies from a foreign page is 403")
async def cross_site(stage: Stage) -> None:
    bob = await stage.person("bob")
    cookie = f"tmi_access_token={bob.token}"
    answer = await stage.ask(
        None, "POST", "/threat_models", {"name": "x"}, Cookie=cookie, Origin="https://evil.example"
    )
    equal(answer.status_code, 403, "POST /threat_models with a cookie and a foreign Origin")


@rule("AU9 S11", "a ticket works once, also when shown many times at once")
async def single_use(stage: Stage) -> None:
    meeting = await stage.meeting()
    bob = await stage.person("bob")
    ticket = await meeting.ticket(bob)
    that(len(ticket) >= 22, f"the ticket has {len(ticket)} characters: fewer than 128 bits")
    dialect = stage.first(Dialect.TMI, Dialect.V1)

    async def shown() -> int:
        try:
            await stage.connect(meeting, bob, dialect, ticket=ticket)
        except InvalidStatus as refused:
            return refused.response.status_code
        return 101

    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(shown()) for _ in range(6)]
    equal(sorted(task.result() for task in tasks), [101, 401, 401, 401, 401, 401], "the statuses of six at once")


@rule("AU9 S12", "a ticket is good for its diagram and session only, and is burnt by being shown elsewhere")
async def bound(stage: Stage) -> None:
    meeting, other = await stage.meeting(), await stage.meeting()
    bob = await stage.person("bob")
    dialect = stage.first(Dialect.TMI, Dialect.V1)
    ticket = await meeting.ticket(bob)
    for place in (other, meeting):
        try:
            socket = await stage.connect(place, bob, dialect, ticket=ticket)
        except InvalidStatus as refused:
            equal(refused.response.status_code, 401, "the status of the upgrade")
            continue
        one_of((await socket.closed()).code, (4401, 4403, 4404), "the close of a socket with a foreign ticket")
    await _unauthorized(meeting, ticket="not-a-ticket-at-all")


@rule("AU9 S12", "a ticket shown after its login has ended opens nothing")
async def ticket_after_logout(stage: Stage) -> None:
    gone, _ = await _login(stage, "grace")
    meeting = await stage.meeting()
    entry = gone.entry("writer")
    await stage.expect(201, meeting.host, "POST", f"/threat_models/{meeting.model}/authorization", entry)
    ticket = await meeting.ticket(gone)
    await stage.expect(204, gone, "POST", "/me/logout")
    try:
        socket = await stage.connect(meeting, gone, stage.first(Dialect.TMI, Dialect.V1), ticket=ticket)
    except InvalidStatus as refused:
        equal(refused.response.status_code, 401, "the status of the upgrade")
        return
    closed = await socket.closed()
    equal(closed.code, 4401, "the close of a socket whose login has ended")
    that(not any("cells" in message for message in closed.heard), "a socket whose login has ended was shown the cells")


@rule("AU9", "a ticket that was not used within 30 s is worth nothing", slow_s=32)
async def short_lived(stage: Stage) -> None:
    meeting = await stage.meeting()
    ticket = await meeting.ticket(await stage.person("bob"))
    await asyncio.sleep(31)
    await _unauthorized(meeting, ticket=ticket)


@rule("AU10", "an access token lives longer than 900 s")
async def life(stage: Stage) -> None:
    if not stage.target.providers:
        raise NotApplicable("no sign-in to look at")
    _, body = await _login(stage, "frank")
    that(int(body["expires_in"]) > 900, f"expires_in is {body['expires_in']}")


async def _login(stage: Stage, name: str) -> tuple[Person, dict[str, Any]]:
    if stage.target.tokens or "test" not in stage.target.providers:
        raise NotApplicable("needs a login of its own at a test provider")
    person, body = await stage.target.login(name)
    return person, dict(body)


@rule("AU12 S36", "a logout closes the login's sockets, and its token is worth nothing", ALL)
async def logout(stage: Stage) -> None:
    gone, _ = await _login(stage, "frank")
    alice = await stage.person("alice")
    meeting = await stage.meeting()
    entry = gone.entry("writer")
    await stage.expect(201, alice, "POST", f"/threat_models/{meeting.model}/authorization", entry)
    socket = await stage.connect(meeting, gone, stage.dialect)
    await socket.fence()
    await stage.expect(204, gone, "POST", "/me/logout")
    try:
        async with asyncio.timeout(BINDS_WITHIN_S):
            closed = await socket.closed()
    except TimeoutError:
        raise Broken(f"the socket is open {BINDS_WITHIN_S:.0f} s after the logout") from None
    equal(closed.code, 1000 if stage.dialect is Dialect.CLASSIC else 4401, "the close code after a logout")
    equal((await stage.ask(gone, "GET", "/me")).status_code, 401, "GET /me with the token of an ended login")


@rule("AU13", "a token of another user renews nothing, and a forged one neither", OURS)
async def renewal(stage: Stage) -> None:
    meeting = await stage.meeting()
    bob = await meeting.join("bob")
    person, carol = await stage.person("bob"), await stage.person("carol")
    for token in (carol.token, "forged"):
        await bob.say({"message_type": "refresh_token", "access_token": token, "ref": "no"})
        answer = await bob.until(lambda m: m.get("ref") == "no", "the answer")
        equal((word(answer), answer.get("error")), ("error", "invalid_token"), "the answer")
    await bob.say({"message_type": "refresh_token", "access_token": person.token, "ref": "yes"})
    equal(word(await bob.until(lambda m: m.get("ref") == "yes", "the answer")), "token_refreshed", "to one's own token")


@rule("AU14", "without a credential every path that is not public is 401 with WWW-Authenticate, before 404 and 405")
async def anonymous(stage: Stage) -> None:
    for path in (*CLOSED_PATHS, f"/threat_models/{new_id()}"):
        for method in ("GET", "DELETE"):
            answer = await stage.ask(None, method, path)
            equal(answer.status_code, 401, f"{method} {path} without a credential")
            that("bearer" in answer.headers.get("www-authenticate", "").lower(), f"no WWW-Authenticate: {path}")
    for path in ("/", "/oauth2/providers", "/saml/providers"):
        equal((await stage.ask(None, "GET", path)).status_code, 200, f"GET {path} without a credential")


@rule("AU15", "who loses the right to write cannot write the next operation, and stays as reader", ALL)
async def demoted(stage: Stage) -> None:
    meeting = await stage.meeting()
    bob = await meeting.join("bob")
    await meeting.edit(bob, add(node()))
    await _change_role(meeting, "bob", "reader")
    cell = node()
    await bob.edit(add(cell))
    message = await bob.hear("authorization_denied", "operation_rejected")
    equal(message.get("reason"), _denied(bob.dialect), "the reason")
    await bob.fence()
    that(cell not in await meeting.cells(), "a former writer's operation is in the diagram")


@rule("AU15", "a change of role is shown to those who are there, and who was raised may write", ALL)
async def raised(stage: Stage) -> None:
    meeting = await stage.meeting()
    dave, person = await meeting.join("dave"), await stage.person("dave")
    watchers = [await meeting.join("carol", d) for d in stage.dialects() if d is not Dialect.CLASSIC]
    for watcher in watchers:
        await _shown_as(watcher, person.email, "reader")
    await _change_role(meeting, "dave", "writer")
    for watcher in watchers:
        await _shown_as(watcher, person.email, "writer")
    cell = node()
    await meeting.edit(dave, add(cell))
    equal(await meeting.cells(), [cell], "the cells")
    await _change_role(meeting, "dave", "reader")
    for watcher in watchers:
        await _shown_as(watcher, person.email, "reader")


async def _shown_as(watcher: Socket, email: str, permissions: str) -> None:
    def shown(message: Message) -> bool:
        listed = message.get("participants") or ()
        return any(one["user"]["email"] == email and one["permissions"] == permissions for one in listed)

    await watcher.until(shown, f"a roster in which {email} is {permissions}")


def _denied(dialect: Dialect) -> str:
    return "insufficient_permissions" if dialect is Dialect.CLASSIC else "permission_denied"


@rule("AU15", "who loses the right to read is closed within 5 s", ALL)
async def banished(stage: Stage) -> None:
    meeting = await stage.meeting()
    bob = await meeting.join("bob")
    await _change_role(meeting, "bob", None)
    code = (await bob.closed()).code
    equal(code, 1000 if stage.dialect is Dialect.CLASSIC else 4403, "the close code after the right to read went")
    equal((await stage.ask(await stage.person("bob"), "GET", meeting.path)).status_code, 403, "GET of the diagram")


async def _change_role(meeting: Meeting, role: str, to: str | None) -> None:
    """None: the entry goes."""
    stage, person = meeting.stage, await meeting.stage.person(role)
    path = f"/threat_models/{meeting.model}"
    model = await stage.expect(200, meeting.host, "GET", path)
    entries = [entry for entry in model["authorization"] if entry["provider_id"] != person.user["provider_id"]]
    if to is not None:
        entries.append(person.entry(to))
    await stage.expect(200, meeting.host, "PATCH", path, {"authorization": entries})


@rule("AU16", "a role of `everyone` counts on sockets as over REST", ALL)
async def everyone(stage: Stage) -> None:
    meeting = await stage.meeting(roles={})
    alice, bob = meeting.host, await stage.person("bob")
    equal((await stage.ask(bob, "GET", meeting.path)).status_code, 403, "GET by a stranger")
    entry = {"subject": "everyone", "subject_type": "group", "role": "writer"}
    await stage.expect(201, alice, "POST", f"/threat_models/{meeting.model}/authorization", entry)
    equal((await stage.ask(bob, "GET", meeting.path)).status_code, 200, "GET by one of everyone")
    cell = node()
    await meeting.edit(await meeting.join("bob"), add(cell))
    equal(await meeting.cells(), [cell], "the cells")


@rule("AU17", "the creator is owner; the last owner cannot be removed or lowered")
async def last_owner(stage: Stage) -> None:
    alice = await stage.person("alice")
    model = await stage.model()
    entries = (await stage.expect(200, alice, "GET", f"/threat_models/{model}"))["authorization"]
    mine = [entry["role"] for entry in entries if entry["provider_id"] == alice.user["provider_id"]]
    equal(mine, ["owner"], "the roles of the creator")
    index = [entry["role"] for entry in entries].index("owner")
    path = f"/threat_models/{model}/authorization/{index}"
    for answer in (await stage.ask(alice, "DELETE", path), await stage.ask(alice, "PUT", path, {"role": "reader"})):
        equal((answer.status_code, json_of(answer).get("error")), (409, "last_owner"), "the answer")
    for left in ([], [alice.entry("writer")]):
        answer = await stage.ask(alice, "PATCH", f"/threat_models/{model}", {"authorization": left})
        equal((answer.status_code, json_of(answer).get("error")), (409, "last_owner"), "the answer to a PATCH")


@rule("AU19 S42", "without a role 403 on the model and all below it, an unknown id 404, the ticket 404 for both")
async def stranger(stage: Stage) -> None:
    meeting = await stage.meeting(node(label="secret words"))
    erin = await stage.person("erin")
    paths = (f"/threat_models/{meeting.model}", meeting.path, f"{meeting.path}/collaborate")
    for path in paths:
        answer = await stage.ask(erin, "GET", path)
        equal(answer.status_code, 403, f"GET {path} by a stranger")
        that("secret words" not in answer.text, f"the refusal of {path} shows a cell")
    for path in (f"/threat_models/{new_id()}", f"/threat_models/{meeting.model}/diagrams/{new_id()}"):
        equal((await stage.ask(meeting.host, "GET", path)).status_code, 404, f"GET {path}")
    for session in (meeting.session, new_id()):
        answer = await stage.ask(erin, "GET", f"/ws/ticket?session_id={session}")
        equal(answer.status_code, 404, "a ticket for a stranger, and for an unknown session")


@rule("AU19 S42", "a diagram asked for in another threat model of one's own is 404")
async def wrong_model(stage: Stage) -> None:
    meeting, other = await stage.meeting(), await stage.meeting()
    path = f"/threat_models/{other.model}/diagrams/{meeting.diagram}"
    for method in ("GET", "DELETE"):
        equal((await stage.ask(meeting.host, method, path)).status_code, 404, f"{method} of it")
    erin = await stage.person("erin")
    mine = await stage.model(erin, {})
    path = f"/threat_models/{mine}/diagrams/{meeting.diagram}"
    one_of((await stage.ask(erin, "GET", path)).status_code, (403, 404), "GET of another's diagram in one's own model")


@rule("S40", "a reader's operation is denied by its id and leaves no trace", ALL)
async def reader_writes(stage: Stage) -> None:
    cell = node()
    meeting = await stage.meeting(cell)
    dave, carol = await meeting.join("dave"), await meeting.join("carol")
    watchers = await meeting.watchers()
    id = await dave.edit(add(node()))
    message = await dave.hear("authorization_denied", "operation_rejected")
    named = message.get("original_operation_id") or message.get("operation_id")
    equal((named, message.get("reason")), (id, _denied(dave.dialect)), "id and reason of the denial")
    await meeting.settle(carol, watchers)
    equal((await meeting.cells(), await meeting.vector()), ([cell], 1), "cells and vector, a marker included")
    await meeting.agree(watchers)


@rule("S40", "a reader's operation and replacement by REST are 403")
async def reader_writes_by_rest(stage: Stage) -> None:
    cell = node()
    meeting = await stage.meeting(cell)
    dave = await stage.person("dave")
    equal((await meeting.post(dave, add(node()))).status_code, 403, "POST of an operation")
    for method, path in (("PUT", f"/diagrams/{meeting.diagram}/cells"), ("PATCH", meeting.path)):
        answer = await stage.ask(dave, method, path, {"cells": []}, If_Match='"0"')
        equal(answer.status_code, 403, f"{method} of cells")
    for path in (meeting.path, f"/threat_models/{meeting.model}"):
        equal((await stage.ask(dave, "DELETE", path)).status_code, 403, f"DELETE {path}")
    equal(await meeting.cells(), [cell], "the cells")


@rule("S1", "a page of a foreign origin opens no socket", ALL)
async def foreign_origin(stage: Stage) -> None:
    meeting = await stage.meeting()
    bob = await stage.person("bob")
    for origin in ("https://evil.example", "null", stage.target.url + ".evil.example"):
        try:
            await stage.connect(meeting, bob, stage.dialect, origin=origin)
        except InvalidStatus as refused:
            equal(refused.response.status_code, 403, f"the status for a page of {origin}")
            continue
        raise Broken(f"a socket was opened by a page of {origin}")
    await stage.connect(meeting, bob, stage.dialect, origin=stage.target.url)

"""SES: sessions, hosts, ends."""

from __future__ import annotations

import asyncio
from typing import Any

from websockets.exceptions import InvalidStatus

from codraw.conform.messages import add, moderation, new_id, node, present_in, update, word
from codraw.conform.people import json_of
from codraw.conform.rules import ALL, OURS, TEXT, Broken, Dialect, equal, one_of, rule, that
from codraw.conform.stage import Meeting, Stage
from codraw.conform.wire import Closed, Socket

CODES = {Dialect.CLASSIC: 1000}
TMI_ENDS = ("session_terminated", "diagram_not_found", "threat_model_not_found")


async def collaborate(meeting: Meeting, role: str, method: str, query: str = "") -> tuple[int, dict[str, Any]]:
    answer = await meeting.stage.ask(await meeting.stage.person(role), method, f"{meeting.path}/collaborate{query}")
    return answer.status_code, json_of(answer)


def ended(socket: Socket, closed: Closed) -> None:
    """SES15: one end frame, the last, and 1000."""
    equal(closed.code, 1000, f"the close code of {socket.name}")
    ends = [message for message in closed.heard if _is_end(socket.dialect, message)]
    equal(len(ends), 1, f"the number of end frames to {socket.name} ({[word(m) for m in closed.heard]})")
    that(closed.last is ends[0], f"after the end frame {socket.name} heard {closed.last}")


def _is_end(dialect: Dialect, message: dict[str, Any]) -> bool:
    if dialect is Dialect.CLASSIC:
        return word(message) == "session_ended"
    if dialect is Dialect.TMI:
        return word(message) == "error" and message["error"] in TMI_ENDS
    return word(message) == "goodbye"


async def turned_away(meeting: Meeting, role: str, dialect: Dialect, ticket: str = "") -> tuple[int | None, str]:
    """How a socket that may not come in ends: HTTP status or close code, and the word said."""
    try:
        socket = await meeting.connect(role, dialect, **({"ticket": ticket} if ticket else {}))
    except InvalidStatus as refused:
        return refused.response.status_code, ""
    closed = await socket.closed()
    that(all(word(m) in ("error", "authorization_denied", "goodbye") for m in closed.heard), f"it was told {closed}")
    return closed.code, str(closed.last.get("error") or closed.last.get("reason") or word(closed.last))


@rule("SES1", "of many POSTs at once one gets 201, the rest 409 with the same session and a join_url")
async def one_only(stage: Stage) -> None:
    meeting = await stage.meeting(live=False)
    people = [await stage.person(role) for role in ("alice", "bob", "alice", "bob", "alice", "bob")]
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(stage.ask(p, "POST", f"{meeting.path}/collaborate")) for p in people]
    answers = [task.result() for task in tasks]
    equal(sorted(answer.status_code for answer in answers), [201, 409, 409, 409, 409, 409], "the statuses")
    bodies = [(answer.status_code, json_of(answer)) for answer in answers]
    sessions = {(body if status == 201 else body["session"])["session_id"] for status, body in bodies}
    equal(len(sessions), 1, f"the number of sessions named ({sessions})")
    for status, body in bodies:
        if status == 409:
            equal(body["error"], "collaboration_session_exists", "error")
            that(str(body["join_url"]).endswith(f"{meeting.path}/collaborate"), f"join_url {body['join_url']}")


@rule("SES2", "creating a session takes a writer")
async def writers_create(stage: Stage) -> None:
    meeting = await stage.meeting(live=False)
    equal((await collaborate(meeting, "dave", "POST"))[0], 403, "POST by a reader")
    equal((await collaborate(meeting, "alice", "GET"))[0], 404, "GET after it")
    equal((await collaborate(meeting, "bob", "POST"))[0], 201, "POST by a writer")


@rule("SES3 SES17", "the creator is host, not whoever joins or owns; callers of POST and PUT are listed")
async def creator_hosts(stage: Stage) -> None:
    meeting = await stage.meeting(live=False)
    bob = await stage.person("bob")
    await collaborate(meeting, "bob", "POST")
    _, joined = await collaborate(meeting, "alice", "PUT")
    _, body = await collaborate(meeting, "dave", "PUT")
    for found in (joined, body):
        that(bob.email in str(found["host"]), f"the host is {found['host']}, not the creator {bob.email}")
    for role, permissions in (("alice", "writer"), ("bob", "writer"), ("dave", "reader")):
        email = (await stage.person(role)).email
        mine = [one for one in body["participants"] if email in str(one)]
        equal([one["permissions"] for one in mine], [permissions], f"the permissions of {role} among the participants")


@rule("SES4", "PUT is 200 for whoever may read, 404 where no session lives")
async def joins(stage: Stage) -> None:
    meeting = await stage.meeting(live=False)
    equal((await collaborate(meeting, "dave", "PUT"))[0], 404, "PUT without a session")
    await meeting.begin()
    status, body = await collaborate(meeting, "dave", "PUT")
    equal((status, body.get("session_id")), (200, meeting.session), "PUT by a reader")


@rule("SES5", "GET is 200 or 404 and joins nobody")
async def looks(stage: Stage) -> None:
    meeting = await stage.meeting(live=False)
    equal((await collaborate(meeting, "bob", "GET"))[0], 404, "GET without a session")
    await meeting.begin()
    for _ in range(2):
        status, body = await collaborate(meeting, "bob", "GET")
        equal((status, body["session_id"]), (200, meeting.session), "GET")
        that((await stage.person("bob")).email not in str(body["participants"]), "GET has made bob a participant")


@rule("SES5", "the session's address of sockets is absolute and has no query")
async def address(stage: Stage) -> None:
    meeting = await stage.meeting(live=False)
    url = str((await meeting.begin())["websocket_url"])
    that(url.startswith(("ws://", "wss://")) and "?" not in url, f"websocket_url {url}")
    that(url.endswith(f"{meeting.path}/ws"), f"websocket_url {url} is not that of the diagram")


@rule("SES6", "DELETE by a guest only leaves; the guest's sockets close 1000, the others stay", ALL)
async def guest_leaves(stage: Stage) -> None:
    meeting = await stage.meeting()
    host, bob, tab, carol = [await meeting.join(role) for role in ("alice", "bob", "bob", "carol")]
    equal((await collaborate(meeting, "bob", "DELETE"))[0], 204, "DELETE by a guest")
    for socket in (bob, tab):
        equal((await socket.closed()).code, 1000, f"the close code of {socket.name}")
    for socket in (host, carol):
        await socket.fence()
    equal((await collaborate(meeting, "alice", "GET"))[0], 200, "GET of the session after it")


@rule("SES6", "DELETE by an owner who is not host leaves, and with ?end=true ends the session")
async def owner_ends(stage: Stage) -> None:
    meeting = await stage.meeting(live=False)
    _, body = await collaborate(meeting, "bob", "POST")
    meeting.session = body["session_id"]
    watchers = [await meeting.join("bob", dialect) for dialect in stage.dialects()]
    equal((await collaborate(meeting, "alice", "DELETE"))[0], 204, "DELETE by an owner")
    equal((await collaborate(meeting, "alice", "GET"))[0], 200, "GET after it")
    equal((await collaborate(meeting, "carol", "DELETE", "?end=true"))[0], 204, "DELETE ?end=true by a writer")
    equal((await collaborate(meeting, "alice", "GET"))[0], 200, "GET after it")
    equal((await collaborate(meeting, "alice", "DELETE", "?end=true"))[0], 204, "DELETE ?end=true by an owner")
    for watcher in watchers:
        ended(watcher, await watcher.closed())
    for _ in range(2):
        equal((await collaborate(meeting, "alice", "GET"))[0], 404, "GET after it")
        equal((await collaborate(meeting, "alice", "DELETE"))[0], 204, "DELETE without a session")


@rule("SES7", "a socket never creates a session", ALL)
async def no_session(stage: Stage) -> None:
    meeting = await stage.meeting()
    bob = await stage.person("bob")
    ticket = "" if stage.dialect is Dialect.CLASSIC else await meeting.ticket(bob)
    await collaborate(meeting, "alice", "DELETE")
    code, said = await turned_away(meeting, "bob", stage.dialect, ticket)
    one_of(code, (CODES.get(stage.dialect, 4404), 401), f"the end of a socket without a session ({said})")
    equal((await collaborate(meeting, "alice", "GET"))[0], 404, "GET of the session")


@rule("SES8", "a reader's socket needs no join by REST", ALL)
async def no_join(stage: Stage) -> None:
    meeting = await stage.meeting()
    dave = await meeting.join("dave")
    await dave.fence()


@rule("SES9 SES15", "close 1000 of the host's last socket ends the session for all", ALL)
async def host_leaves(stage: Stage) -> None:
    meeting = await stage.meeting()
    tab, host = await meeting.join("alice"), await meeting.join("alice")
    watchers = [await meeting.join("bob", dialect) for dialect in stage.dialects()]
    await tab.leave(1000)
    equal((await collaborate(meeting, "bob", "GET"))[0], 200, "GET while the host has another socket")
    await host.leave(1000)
    for watcher in watchers:
        ended(watcher, await watcher.closed())
    equal((await collaborate(meeting, "bob", "GET"))[0], 404, "GET after the host has left")


@rule("SES9", "a close frame without a code of the host's last socket ends the session too", ALL)
async def host_leaves_without_code(stage: Stage) -> None:
    meeting = await stage.meeting()
    host, bob = await meeting.join("alice"), await meeting.join("bob")
    await host.leave(None)
    ended(bob, await bob.closed())


@rule("SES9 I6", "what the host said just before close 1000 is judged and told before the end", ALL)
async def last_words(stage: Stage) -> None:
    meeting = await stage.meeting()
    host, watcher = await meeting.join("alice"), await meeting.join("bob")
    cells = [node() for _ in range(10)]
    for cell in cells:
        await host.edit(add(cell))
    await host.leave(1000)
    closed = await watcher.closed()
    ended(watcher, closed)
    equal(await meeting.cells(), cells, "the cells after the end")
    equal(watcher.copy()[1:], cells, "the copy of a watcher at the end")


@rule("SES10", "another loss of the host leaves the session alive, and a return all as it was", ALL)
async def host_returns(stage: Stage) -> None:
    meeting = await stage.meeting()
    bob = await meeting.join("bob")
    for way in ("cut", "1001"):
        host = await meeting.join("alice")
        await (host.cut() if way == "cut" else host.leave(1001))
        await bob.fence()
        status, body = await collaborate(meeting, "bob", "GET")
        equal((status, body.get("session_id")), (200, meeting.session), f"GET after the host's socket went ({way})")
    host = await meeting.join("alice")
    _, body = await collaborate(meeting, "bob", "GET")
    that(meeting.host.email in str(body["host"]), f"the host is {body['host']} after the host's return")
    await host.say(moderation(host.dialect, "remove", (await stage.person("bob")).user))
    one_of((await bob.closed()).code, (1000, 4403), "the close of a guest whom the returned host ejected")


@rule("SES10", "a lost host is away and still listed, and here again after a return", (Dialect.TMI, *OURS))
async def away(stage: Stage) -> None:
    meeting = await stage.meeting()
    watcher = await meeting.join("bob", stage.first(Dialect.V1))
    host = await meeting.join("alice")
    await _host_is(watcher, "here")
    await host.cut()
    told = await _host_is(watcher, "away")
    that(meeting.host.email in (present_in(watcher.dialect, told) or ()), "the host who is away is not listed")
    carol = await meeting.join("carol")
    shown = await carol.until(lambda m: present_in(carol.dialect, m) is not None, "a roster")
    that(meeting.host.email in (present_in(carol.dialect, shown) or ()), "a newcomer's roster lacks the host")
    await meeting.join("alice")
    await _host_is(watcher, "here")


async def _host_is(watcher: Socket, state: str) -> dict[str, Any]:
    return await watcher.until(lambda m: m.get("host_state") == state, f"word that the host is {state}")


@rule("SES10", "when the grace of a lost host is over the session ends", TEXT, slow_s=40)
async def host_lost(stage: Stage) -> None:
    meeting = await stage.meeting()
    host, bob = await meeting.join("alice"), await meeting.join("bob")
    await host.cut()
    await _gone(meeting, 39)
    ended(bob, await bob.closed())


@rule("SES13", "a session ends 30 s after its last socket", slow_s=50)
async def empty(stage: Stage) -> None:
    meeting = await stage.meeting()
    bob = await meeting.join("bob", stage.dialects()[0])
    await bob.leave(1001)
    await asyncio.sleep(20)
    equal((await collaborate(meeting, "alice", "GET"))[0], 200, "GET 20 s after the last socket")
    await _gone(meeting, 29)


async def _gone(meeting: Meeting, within_s: float) -> None:
    try:
        async with asyncio.timeout(within_s):
            while (await collaborate(meeting, "bob", "GET"))[0] != 404:  # noqa: ASYNC110 - another process does it
                await asyncio.sleep(0.5)
    except TimeoutError:
        raise Broken(f"the session still lives after {within_s} s") from None


@rule("SES11", "a host who never connected is absent, not lost: guests work on", ALL)
async def absent(stage: Stage) -> None:
    meeting = await stage.meeting()
    bob, carol = await meeting.join("bob"), await meeting.join("carol")
    await bob.leave(1000)
    await carol.fence()
    await meeting.edit(carol, add(node()))
    equal((await collaborate(meeting, "bob", "GET"))[0], 200, "GET of the session")


@rule("SES15", "DELETE by the host: one end frame and 1000 for everybody in every dialect", ALL)
async def host_ends(stage: Stage) -> None:
    meeting = await stage.meeting()
    sockets = [await meeting.join(role) for role in ("alice", "bob", "carol", "dave")]
    cell = node()
    await sockets[1].edit(add(cell))
    await meeting.edit(sockets[2], add(node()))
    await collaborate(meeting, "alice", "DELETE")
    for socket in sockets:
        ended(socket, await socket.closed())


@rule("SES16", "a later POST creates a session with another id")
async def another(stage: Stage) -> None:
    meeting = await stage.meeting()
    first = meeting.session
    await collaborate(meeting, "alice", "DELETE")
    await meeting.begin()
    that(meeting.session != first, f"the session has the id {first} again")


@rule("SES17 SES20 WS11", "join and leave are told for the first and the last socket of a user", ALL)
async def comings(stage: Stage) -> None:
    meeting = await stage.meeting()
    host = await meeting.join("alice")
    person = await stage.person("bob")
    await host.fence()
    begun = len(host.heard)
    one, two = await meeting.join("bob"), await meeting.join("bob")
    await host.fence()
    await one.leave()
    await host.fence()
    gone = [m for m in host.heard[begun:] if _left(host.dialect, m, person.email)]
    equal(gone, [], "what tells of a leave while another socket of the user lives")
    joins = [m for m in host.heard[begun:] if _joined(host.dialect, m, person)]
    equal(len(joins), 1, f"how often the join of bob was told ({joins})")
    await two.leave()
    await host.until(lambda m: _left(host.dialect, m, person.email), "the leave of bob")


def _joined(dialect: Dialect, message: dict[str, Any], person: Any) -> bool:
    if dialect is Dialect.CLASSIC:
        return word(message) == "join" and message["user_id"] == person.email
    if dialect in OURS:
        return word(message) == "participants" and person.id in [one["id"] for one in message["joined"]]
    return person.email in (present_in(dialect, message) or set())


def _left(dialect: Dialect, message: dict[str, Any], email: str) -> bool:
    if dialect is Dialect.CLASSIC:
        return word(message) == "leave" and message["user_id"] == email
    present = present_in(dialect, message)
    return present is not None and email not in present


@rule("SES17", "the roster of a socket lists who is there, with host and permissions", (Dialect.TMI, *OURS))
async def listed(stage: Stage) -> None:
    meeting = await stage.meeting()
    for role in ("alice", "bob"):
        await meeting.join(role)
    dave = await meeting.join("dave")
    emails = {role: (await stage.person(role)).email for role in ("alice", "bob", "dave")}
    message = await dave.until(lambda m: present_in(dave.dialect, m) == set(emails.values()), "the roster of three")
    found = {one["user"]["email"]: one["permissions"] for one in message["participants"]}
    expected = {emails["alice"]: "writer", emails["bob"]: "writer", emails["dave"]: "reader"}
    equal((found, message["host"]["email"]), (expected, emails["alice"]), "permissions and host")


@rule("SES18 S45", "an ejected user is told and closed, and comes back by no door; the others see it", ALL)
async def ejected(stage: Stage) -> None:
    cell = node()
    meeting = await stage.meeting(cell)
    host, bob, carol = [await meeting.join(role) for role in ("alice", "bob", "carol")]
    person = await stage.person("bob")
    ticket = await meeting.ticket(person)
    await host.say(moderation(host.dialect, "remove", person.user))
    closed = await bob.closed()
    equal(closed.code, CODES.get(bob.dialect, 4403), "the close code of an ejected user")
    said = closed.last.get("error") or closed.last.get("reason")
    equal(said, "removed" if bob.dialect in OURS else "removed_from_session", "the last word to an ejected user")
    await carol.until(lambda m: _left(carol.dialect, m, person.email), "the departure of bob")
    equal((await collaborate(meeting, "bob", "PUT"))[0], 403, "PUT by an ejected user")
    answer = await stage.ask(person, "GET", f"/ws/ticket?session_id={meeting.session}")
    equal(answer.status_code, 403, "a ticket for an ejected user")
    equal((await meeting.post(person, update(cell["id"], x=500))).status_code, 403, "an operation by REST")
    equal((await stage.ask(person, "GET", meeting.path)).status_code, 200, "GET of the diagram: reading stays")
    dialect = Dialect.TMI if Dialect.TMI in stage.dialects() else stage.dialect
    code, word_ = await turned_away(meeting, "bob", dialect, ticket)
    one_of(code, (4403, 401), f"a socket with a ticket from before the ejection ({word_})")
    equal(await meeting.cells(), [cell], "the cells")


@rule("SES18", "an ejected user's classic socket with a token is denied and closed 1000", (Dialect.CLASSIC,))
async def ejected_by_token(stage: Stage) -> None:
    meeting = await stage.meeting()
    host, bob = await meeting.join("alice"), await meeting.join("bob")
    await host.say(moderation(host.dialect, "remove", (await stage.person("bob")).user))
    await bob.closed()
    code, said = await turned_away(meeting, "bob", Dialect.CLASSIC)
    equal((code, said), (1000, "insufficient_permissions"), "the end of a new socket of an ejected user")


@rule("SES21", "deleting the diagram ends its session with 1000, in the words of the dialect", ALL)
async def deleted(stage: Stage) -> None:
    meeting = await stage.meeting()
    bob = await meeting.join("bob")
    await stage.expect(204, meeting.host, "DELETE", meeting.path)
    closed = await bob.closed()
    ended(bob, closed)
    said = closed.last.get("event") or closed.last.get("error") or closed.last.get("reason")
    words = {Dialect.CLASSIC: "session_ended", Dialect.TMI: "diagram_not_found"}
    equal(said, words.get(bob.dialect, "diagram_deleted"), "the last word")


@rule("SES21", "deleting the threat model ends the sessions of its diagrams")
async def model_deleted(stage: Stage) -> None:
    meeting = await stage.meeting()
    sockets = [await meeting.join("bob", dialect) for dialect in stage.dialects()]
    await stage.expect(204, meeting.host, "DELETE", f"/threat_models/{meeting.model}")
    words = {Dialect.CLASSIC: "session_ended", Dialect.TMI: "threat_model_not_found"}
    for socket in sockets:
        closed = await socket.closed()
        ended(socket, closed)
        said = closed.last.get("event") or closed.last.get("error") or closed.last.get("reason")
        equal(said, words.get(socket.dialect, "diagram_deleted"), f"the last word to {socket.name}")


@rule("SES8", "a socket to a diagram that is not in the threat model is turned away", ALL)
async def foreign_diagram(stage: Stage) -> None:
    meeting, other = await stage.meeting(), await stage.meeting()
    elsewhere = Meeting(stage, meeting.host, other.model, meeting.diagram)
    elsewhere.session = meeting.session
    code, said = await turned_away(elsewhere, "bob", stage.dialect)
    equal(code, CODES.get(stage.dialect, 4404), f"the end of that socket ({said})")
    unknown = Meeting(stage, meeting.host, meeting.model, new_id())
    unknown.session = meeting.session
    code, said = await turned_away(unknown, "bob", stage.dialect)
    one_of(code, (CODES.get(stage.dialect, 4404), 401), f"the end of a socket to no diagram ({said})")

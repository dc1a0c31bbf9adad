"""PR: presenter, cursors, selections."""

from __future__ import annotations

import time

from codraw.conform.messages import cursor, moderation, node, presenter_of, selection, word
from codraw.conform.people import Person
from codraw.conform.rules import ALL, FAMILY, OURS, TEXT, Dialect, NotApplicable, equal, rule, that
from codraw.conform.stage import Meeting, Stage
from codraw.conform.wire import Socket


async def presents(socket: Socket, person: Person | None) -> None:
    """Reads on until the socket is told that this person (None: nobody) presents."""
    email = person.email if person is not None else ""
    await socket.until(
        lambda message: presenter_of(socket.dialect, message) == email, f"word that {email or 'nobody'} presents"
    )


def pointing(message: dict[str, object]) -> float | None:
    """x of the cursor that the message shows."""
    if word(message) == "presenter_cursor":
        return message["cursor_position"]["x"]  # type: ignore[index,no-any-return]
    if word(message) == "awareness":
        for update in message["updates"]:  # type: ignore[attr-defined]
            if update.get("cursor"):
                return update["cursor"]["x"]  # type: ignore[no-any-return]
    return None


def cursors(socket: Socket) -> list[float]:
    return [x for message in socket.heard if (x := pointing(message)) is not None]


async def points(socket: Socket, x: float) -> None:
    await socket.until(lambda message: pointing(message) == x, f"a cursor at {x}")


async def roster(meeting: Meeting, *roles: str) -> list[Socket]:
    return [await meeting.join(role) for role in roles]


async def grant(host: Socket, guests: list[Socket], person: Person | None) -> None:
    await host.say(moderation(host.dialect, "grant", person.user if person is not None else None))
    for socket in (host, *guests):
        await presents(socket, person)


@rule("PR1", "a new session's presenter is its host", ALL)
async def begins(stage: Stage) -> None:
    meeting = await stage.meeting()
    await presents(await meeting.join("bob"), meeting.host)


@rule("PR2 PR4", "a change of presenter is told to all, and there is one at a time", ALL)
async def changes(stage: Stage) -> None:
    meeting = await stage.meeting()
    host, bob, carol = await roster(meeting, "alice", "bob", "carol")
    watchers = [await meeting.join("alice", dialect) for dialect in stage.dialects()]
    for person in (await stage.person("bob"), await stage.person("carol"), None):
        await grant(host, [bob, carol, *watchers], person)


@rule("PR4", "every change of presenter raises presenter_term", OURS)
async def terms(stage: Stage) -> None:
    meeting = await stage.meeting()
    host, bob = await roster(meeting, "alice", "bob")
    found = []
    for person in (await stage.person("bob"), await stage.person("alice"), await stage.person("bob")):
        await host.say(moderation(host.dialect, "grant", person.user))
        found.append((await bob.until(lambda m: m.get("action") == "changed", "presenter changed"))["term"])
    equal(sorted(set(found)), found, "the terms of three changes, rising")


@rule("PR3", "a reader may present", ALL)
async def reader(stage: Stage) -> None:
    meeting = await stage.meeting()
    host, dave = await roster(meeting, "alice", "dave")
    watchers = [await meeting.join("carol", dialect) for dialect in stage.dialects()]
    await grant(host, [dave, *watchers], await stage.person("dave"))
    await dave.say(cursor(dave.dialect, 42))
    for watcher in watchers:
        await points(watcher, 42)


@rule("PR5", "when the presenter has left, the host presents if connected", ALL)
async def falls_back(stage: Stage) -> None:
    meeting = await stage.meeting()
    host, bob, carol = await roster(meeting, "alice", "bob", "carol")
    await grant(host, [bob, carol], await stage.person("bob"))
    await bob.leave()
    for socket in (host, carol):
        await presents(socket, meeting.host)


@rule("PR5", "an ejected presenter presents no more", ALL)
async def ejected(stage: Stage) -> None:
    meeting = await stage.meeting()
    host, bob, carol = await roster(meeting, "alice", "bob", "carol")
    person = await stage.person("bob")
    await grant(host, [bob, carol], person)
    await host.say(moderation(host.dialect, "remove", person.user))
    await presents(carol, meeting.host)


@rule("PR5", "without a host the writer connected longest presents, not a reader", TEXT)
async def falls_to_a_writer(stage: Stage) -> None:
    meeting = await stage.meeting(roles={"bob": "writer", "carol": "writer", "dave": "reader", "erin": "writer"})
    watcher = await meeting.join("dave", stage.first(Dialect.V1))
    host, bob, carol, erin = await roster(meeting, "alice", "bob", "carol", "erin")
    await grant(host, [bob, carol, watcher], await stage.person("erin"))
    await host.cut()
    await watcher.until(lambda m: m.get("host_state") == "away", "word that the host is away")
    await erin.leave()
    for socket in (carol, watcher):
        await presents(socket, await stage.person("bob"))


@rule("PR6 S44", "cursors and selections of others than the presenter are dropped without answer", FAMILY)
async def dropped(stage: Stage) -> None:
    meeting = await stage.meeting()
    host, bob = await roster(meeting, "alice", "bob")
    watchers = [await meeting.join("carol", dialect) for dialect in stage.dialects()]
    await bob.say(cursor(bob.dialect, 1))
    await bob.say(selection(bob.dialect, [node()["id"]]))
    await bob.fence()
    await host.say(cursor(host.dialect, 2))
    for watcher in watchers:
        await points(watcher, 2)
        equal(cursors(watcher), [2], f"the cursors that {watcher.name} saw of a guest (1) and the presenter (2)")
        that("presenter_selection" not in map(word, watcher.heard), f"{watcher.name} saw a guest's selection")
    that("error" not in map(word, bob.heard), "a guest was punished for a cursor")


@rule("PR6 PR8", "the presenter's cursor and selection reach all, and not the presenter's own socket", ALL)
async def relayed(stage: Stage) -> None:
    cell = node()
    meeting = await stage.meeting(cell)
    host = await meeting.join("alice")
    watchers = [await meeting.join("carol", dialect) for dialect in stage.dialects()]
    await host.say(cursor(host.dialect, 3, 4.5))
    await host.say(selection(host.dialect, [cell["id"]]))
    for watcher in watchers:
        await watcher.until(lambda message: cell["id"] in str(message), "the presenter's selection")
        equal(cursors(watcher), [3], f"the cursors that {watcher.name} saw")
    await host.fence()
    equal(cursors(host), [], "the cursors that the sender saw")


@rule("PR7", "a cursor sent before a change of presenter does not come after it", FAMILY)
async def old_term(stage: Stage) -> None:
    meeting = await stage.meeting()
    host, bob, carol = await roster(meeting, "alice", "bob", "carol")
    turns = (
        ("bob", host, bob, carol),
        ("carol", bob, carol, host),
        ("bob", carol, bob, host),
        ("carol", bob, carol, host),
    )
    # Several: the last cursor may have been shown before the change after all.
    for name, before, after, watcher in turns:
        for x in range(20):
            await before.say(cursor(before.dialect, 100 + x))
        await grant(host, [bob, carol], await stage.person(name))
        known = len(cursors(watcher))
        await after.say(cursor(after.dialect, 7))
        await points(watcher, 7)
        equal(cursors(watcher)[known:], [7], f"the cursors after {name} became presenter")


@rule("PR8", "codraw.v1 awareness of everybody reaches all other codraw.v1 sockets", OURS)
async def free(stage: Stage) -> None:
    meeting = await stage.meeting()
    bob, carol = await roster(meeting, "bob", "carol")
    watchers = [await meeting.join("alice", d) for d in stage.dialects(Dialect.CLASSIC, Dialect.TMI)]
    await bob.say({"message_type": "awareness", "cursor": {"x": 8, "y": 0}, "viewport": None})
    await points(carol, 8)
    for watcher in watchers:
        await watcher.fence()
        equal(cursors(watcher), [], f"the cursors of a guest that {watcher.name} saw")


@rule("PR8", "a viewport reaches all other codraw.v1 sockets", OURS)
async def viewport(stage: Stage) -> None:
    meeting = await stage.meeting()
    bob, carol = await roster(meeting, "bob", "carol")
    shown = {"x": 1, "y": 2, "width": 300, "height": 200, "zoom": 1.5}
    await bob.say({"message_type": "awareness", "viewport": shown})
    message = await carol.until(lambda m: word(m) == "awareness", "the awareness of bob")
    equal([update.get("viewport") for update in message["updates"]], [shown], "the viewports shown")


@rule("PR9", "of many cursors the last arrives, and no more than 20 a second", ALL)
async def coalesced(stage: Stage) -> None:
    meeting = await stage.meeting()
    host, carol = await roster(meeting, "alice", "carol")
    begun_s = time.monotonic()
    for x in range(40):
        await host.say(cursor(host.dialect, x))
        await host.fence()
    await points(carol, 39)
    count, seconds = len(cursors(carol)), time.monotonic() - begun_s
    # One at once and one for each beat of 50 ms that has begun.
    that(count <= 20 * seconds + 3, f"of 40 cursors sent in a row {count} came within {seconds:.2f} s")
    equal(cursors(carol), sorted(cursors(carol)), "the cursors in order")


@rule("PR10 VEC3", "awareness adds nothing to the vector, and a newcomer sees none of those who have left", OURS)
async def never_stored(stage: Stage) -> None:
    meeting = await stage.meeting()
    bob, carol = await roster(meeting, "bob", "carol")
    await bob.say(cursor(bob.dialect, 9))
    await points(carol, 9)
    await bob.cut()
    await carol.until(lambda m: word(m) == "participants" and m["left"], "the leave of bob")
    late = await meeting.join("carol")
    await late.fence()
    equal(cursors(late), [], "the cursors that a newcomer saw")
    equal(await meeting.vector(), 0, "the vector")


@rule("PR11 WS22", "a request to present reaches the host, a denial the requester", TEXT)
async def asked(stage: Stage) -> None:
    meeting = await stage.meeting()
    host, bob = await roster(meeting, "alice", "bob")
    person = await stage.person("bob")
    await bob.say(moderation(bob.dialect, "request"))
    await host.until(lambda m: _asks(m) and person.email in str(m), "the request to present")
    await host.say(moderation(host.dialect, "deny", person.user))
    denied = await bob.until(_denies, "the denial")
    that(word(denied) != "error", f"a denial is an error: {denied}")


@rule("PR11", "a request to present reaches every socket of the host", TEXT)
async def asked_everywhere(stage: Stage) -> None:
    meeting = await stage.meeting()
    hosts = [await meeting.join("alice"), *[await meeting.join("alice", one) for one in stage.dialects()]]
    bob = await meeting.join("bob")
    await bob.say(moderation(bob.dialect, "request"))
    for host in hosts:
        await host.until(_asks, "the request to present")


@rule("PR11", "where no host is connected a request to present is denied by the system", TEXT)
async def nobody_to_ask(stage: Stage) -> None:
    meeting = await stage.meeting()
    bob = await meeting.join("bob")
    await bob.say(moderation(bob.dialect, "request"))
    denied = await bob.until(_denies, "the denial")
    named = {Dialect.CLASSIC: denied.get("user_id"), Dialect.TMI: "system"}.get(bob.dialect, denied.get("by"))
    equal(named, "system", "who denies")


def _asks(message: dict[str, object]) -> bool:
    named = word(message) in ("presenter_request", "presenter_request_event")
    return named or (word(message) == "presenter" and message["action"] == "requested")


def _denies(message: dict[str, object]) -> bool:
    named = word(message) in ("presenter_denied", "presenter_denied_event")
    return named or (word(message) == "presenter" and message["action"] == "denied")


@rule("PR11 WS20", "denying or granting somebody absent is a notice, and the socket stays", TEXT)
async def absent(stage: Stage) -> None:
    meeting = await stage.meeting()
    host = await meeting.join("alice")
    person = await stage.person("carol")
    for verb in ("deny", "grant"):
        await host.say(moderation(host.dialect, verb, person.user))
        equal((await host.hear("error"))["error"], "invalid_participant", f"the error of a {verb} for an absent user")
    await host.fence()


@rule("WS22 S40 S44", "granting, denying and ejecting take the host: permission_denied", TEXT)
async def host_only(stage: Stage) -> None:
    meeting = await stage.meeting()
    host, bob, carol = await roster(meeting, "alice", "bob", "carol")
    target = await stage.person("carol")
    for verb in ("grant", "deny", "remove"):
        await bob.say(moderation(bob.dialect, verb, target.user))
        equal((await bob.hear("error"))["error"], "permission_denied", f"the error of a guest's {verb}")
    for socket in (bob, carol, host):
        await socket.fence()
    changed = [m for m in carol.heard if presenter_of(carol.dialect, m) == target.email]
    equal(changed, [], "what made carol presenter")


@rule("S44", "the host cannot be ejected, by nobody", TEXT)
async def host_stays(stage: Stage) -> None:
    meeting = await stage.meeting()
    host, bob = await roster(meeting, "alice", "bob")
    if not meeting.host.email:
        raise NotApplicable("the host has no e-mail address")
    for socket, error in ((host, ("validation_error",)), (bob, ("permission_denied",))):
        await socket.say(moderation(socket.dialect, "remove", meeting.host.user))
        that((await socket.hear("error"))["error"] in error, f"the error of an ejection of the host by {socket.name}")
    await host.fence()

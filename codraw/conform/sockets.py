"""WS: sockets and messages."""

from __future__ import annotations

import asyncio
import json
import time
from typing import Any
from urllib.parse import urlencode

from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus

from codraw.conform.messages import (
    OPERATION,
    Message,
    add,
    event_of,
    event_word,
    moderation,
    new_id,
    node,
    operation,
    state_word,
    undo,
    update,
    word,
)
from codraw.conform.rules import ALL, FAMILY, OURS, TEXT, Broken, Dialect, NotApplicable, equal, one_of, rule, that
from codraw.conform.stage import MARKER, Meeting, Stage
from codraw.conform.statehash import state_hash
from codraw.conform.wire import Socket

NOTICES = ("invalid_participant", "permission_denied", "validation_error")
"""The `error`s that do not throw a tmi user out (WS20)."""
TOLERATED = 50
"""Unreadable frames a minute (WS7)."""


def sync_request(dialect: Dialect, **fields: Any) -> Message:
    """Asks for a full state."""
    if dialect in OURS:
        return {"message_type": "resume", "epoch": "0", "update_vector": 0}
    return {"message_type": "sync_request", **fields}


@rule("WS2", "messages of classic, tmi and, on its own sockets, codraw.v1 are understood", ALL)
async def other_words(stage: Stage) -> None:
    meeting = await stage.meeting()
    bob = await meeting.join("bob")
    others = [OPERATION[dialect] for dialect in (FAMILY if bob.dialect in FAMILY else (Dialect.TMI,))]
    for kind in others:
        cell = node()
        await meeting.edit(bob, add(cell), message_type=kind)
        that(cell in await meeting.cells(), f"a {kind} on a {bob.dialect} socket changed nothing")
    await bob.say({"message_type": "undo_request"})
    await bob.hear("operation_accepted", "diagram_state", "history_operation")


@rule("WS3", "in a burst, too, every frame is exactly one object", ALL)
async def one_object(stage: Stage) -> None:
    meeting = await stage.meeting()
    bob, carol = await meeting.join("bob"), await meeting.join("carol")
    for n in range(60):
        await bob.edit(update(MARKER, x=n))
    await meeting.settle(bob, [carol])
    events = [message for message in carol.heard if event_of(carol.dialect, message) is not None]
    equal(len(events), 61, "the number of events of 61 operations")


@rule("WS4 S60", "a frame of the other kind closes 1003", ALL)
async def other_kind(stage: Stage) -> None:
    meeting = await stage.meeting()
    bob = await meeting.join("bob")
    frame: str | bytes = json.dumps(undo(bob.dialect))
    await bob.send(frame if bob.dialect is Dialect.PACKED else frame.encode())  # type: ignore[union-attr]
    equal((await bob.closed()).code, 1003, "the close code")


@rule("WS4", "invalid UTF-8 closes 1007", TEXT)
async def not_utf8(stage: Stage) -> None:
    meeting = await stage.meeting()
    bob = await meeting.join("bob")
    await bob.connection.send(b'{"message_type":"\xff\xfe"}', text=True)
    equal((await bob.closed()).code, 1007, "the close code")


@rule("WS4 S71", "a frame over the announced limit closes 1009, one just below it does not", ALL)
async def too_big(stage: Stage) -> None:
    meeting = await stage.meeting()
    bob = await meeting.join("bob")
    limit = int(stage.target.limits.get("max_frame_bytes", 262_144))
    long = {"message_type": "unheard-of", "filling": "x" * (limit - 200)}
    await bob.say(long)
    await bob.hear("error")
    await bob.say({**long, "filling": "x" * (limit + 1)})
    equal((await bob.closed()).code, 1009, "the close code")


@rule("WS6", "frames are not compressed, whatever the client offers", (Dialect.CLASSIC,))
async def uncompressed(stage: Stage) -> None:
    meeting = await stage.meeting()
    bob = await stage.person("bob")
    async with connect(f"{meeting.ws}?{urlencode({'token': bob.token})}", compression="deflate", proxy=None) as socket:
        assert socket.response is not None  # noqa: S101 - it is open
        found = socket.response.headers.get("Sec-WebSocket-Extensions")
        equal(found, None, "the extensions that the server took up")


@rule("WS7 S60", "unreadable input is answered and leaves the socket open", ALL)
async def unreadable(stage: Stage) -> None:
    meeting = await stage.meeting()
    bob = await meeting.join("bob")
    for frame in _unreadable(bob.dialect):
        await bob.send(frame)
        await bob.hear("error")
    for message in ({"message_type": "unheard-of"}, {"message_type": 7}, {}, {"message_type": state_word(bob.dialect)}):
        await bob.say(message)
        await bob.hear("error")
    await meeting.edit(bob, add(node()))


def _unreadable(dialect: Dialect) -> list[str | bytes]:
    if dialect is Dialect.PACKED:
        return [b"", b"\xc1", b"\x93\x01\x02\x03", b"\x07", b"\x81\xa1", b"\xdf\xff\xff\xff\xff"]
    return ["", "{", "[]", "7", "null", '"text"', "{}{}", '{"message_type":"undo_request"}\n{}', "\ufeff{}"]


@rule("WS7", "more than 50 unreadable frames a minute close 4429", ALL)
async def flooding(stage: Stage) -> None:
    meeting = await stage.meeting()
    bob = await meeting.join("bob")
    frame: str | bytes = b"\xc1" if bob.dialect is Dialect.PACKED else "{"
    for _ in range(TOLERATED - 5):
        await bob.send(frame)
    for _ in range(TOLERATED - 5):
        await bob.hear("error")
    for _ in range(20):
        await bob.send(frame)
    equal((await bob.closed()).code, 4429, "the close code")


@rule("WS8 S76", "a burst of operations is read more slowly if need be; none is rejected", (Dialect.V1,))
async def burst(stage: Stage) -> None:
    meeting = await stage.meeting()
    bob = await meeting.join("bob")
    ids = [await bob.edit(update(MARKER, x=n)) for n in range(220)]
    for id in ids:
        receipt = await bob.hear("operation_accepted", "operation_rejected")
        equal((word(receipt), receipt["operation_id"]), ("operation_accepted", id), "the next receipt")


@rule("WS9", "of many requests for a full state three are answered at once", ALL)
async def rationed(stage: Stage) -> None:
    meeting = await stage.meeting()
    bob = await meeting.join("bob")
    begun, begun_s = len(bob.heard), time.monotonic()
    for _ in range(12):
        await bob.say(sync_request(bob.dialect))
        await bob.fence()
    states = [m for m in bob.heard[begun:] if word(m) == state_word(bob.dialect)]
    allowed = 3 + (time.monotonic() - begun_s) // 5
    that(1 <= len(states) <= allowed, f"12 requests in a row were answered with {len(states)} full states")


@rule("WS10 S43", "what a client says of itself is ignored and never punished", ALL)
async def claims(stage: Stage) -> None:
    meeting = await stage.meeting()
    bob, watchers = await meeting.join("bob"), await meeting.watchers()
    alice, me = await stage.person("alice"), await stage.person("bob")
    claimed = {"user_id": alice.email, "initiating_user": alice.user, "role": "owner", "sequence_number": 99}
    outcome = await meeting.attempt(bob, watchers, add(node()), **claimed, update_vector=99, timestamp="never")
    outcome.expect("accepted")
    for name, event in outcome.events.items():
        that(event.by in (me.id, me.email), f"{name} heard that {event.by} did it")
    equal(await meeting.vector(), 2, "the vector")


@rule("WS14", "the first frame is the state; in codraw.v1 the welcome, then the state", ALL)
async def first_frame(stage: Stage) -> None:
    cell = node()
    meeting = await stage.meeting(cell)
    bob = await meeting.connect("bob")
    first = await bob.next()
    if bob.dialect in OURS:
        equal(word(first), "welcome", "the first frame")
        equal(first["session"]["session_id"], meeting.session, "the session in welcome")
        equal(first["you"]["user"]["email"], (await stage.person("bob")).email, "the user in welcome")
        first = await bob.next()
    equal(word(first), state_word(bob.dialect), "the frame of the state")
    equal(first["cells"][1:], [cell], "its cells")
    expected = {Dialect.CLASSIC: "current_presenter", Dialect.TMI: "participants_update"}
    equal(word(await bob.next()), expected.get(bob.dialect, "participants"), "the frame after the state")


@rule("WS15 SES15", "a newcomer in the middle of traffic misses nothing and sees nothing twice", ALL)
async def newcomer(stage: Stage) -> None:
    meeting = await stage.meeting()
    carol = await meeting.join("carol", stage.dialects()[0])
    for n in range(25):
        await carol.edit(update(MARKER, x=n), add(node()))
    late = await meeting.join("bob")
    for n in range(25):
        await carol.edit(update(MARKER, y=n), add(node()))
    watchers = [late, await meeting.join("alice", stage.dialects()[-1])]
    await meeting.settle(carol, watchers)
    equal(await meeting.vector(), 51, "the vector after 51 operations")
    await meeting.agree(watchers)


@rule("WS16", "who may not read gets an explaining frame, and classic then 1000", FAMILY)
async def turned_away(stage: Stage) -> None:
    meeting = await stage.meeting()
    erin = await stage.person("erin")
    more = {"session_id": meeting.session, "token": erin.token} if stage.dialect is Dialect.TMI else {}
    socket = await _by_token(meeting, **({"token": erin.token} | more))
    closed = await socket.closed()
    if stage.dialect is Dialect.CLASSIC:
        equal((closed.code, word(closed.last)), (1000, "authorization_denied"), "close code and last word")
    else:
        equal((closed.code, closed.last.get("error")), (4403, "access_denied"), "close code and last word")


async def _by_token(meeting: Meeting, **query: str) -> Socket:
    """With `ticket` empty the token counts, in tmi too."""
    stage = meeting.stage
    connection = await connect(f"{meeting.ws}?{urlencode(query)}", compression=None, proxy=None)
    return Socket(connection, stage.dialect, "erin", stage.trace, stage.patience_s)


@rule("WS13 S10", "a refused upgrade repeats no token", (Dialect.CLASSIC,))
async def secrets_kept(stage: Stage) -> None:
    meeting = await stage.meeting()
    token = (await stage.person("bob")).token[:-3]
    try:
        await meeting.connect("bob", token=token)
    except InvalidStatus as refused:
        answer = refused.response
        equal(answer.status_code, 401, "the status")
        that(token.encode() not in bytes(answer.body or b""), "the body repeats the token")
        return
    raise Broken("a cut token opened a socket")


@rule("WS17", "resume gets exactly the missing events, the client's own among them", OURS)
async def resumed(stage: Stage) -> None:
    meeting = await stage.meeting()
    bob, carol = await meeting.join("bob"), await meeting.join("carol")
    await meeting.edit(bob, add(node()))
    place = f"{bob.epoch}:{bob.vector}"
    mine = await meeting.edit(bob, add(node()))
    await bob.cut()
    for _ in range(3):
        await meeting.edit(carol, add(node()))
    again = await meeting.connect("bob", resume=place)
    again.cells, again.vector, again.epoch = dict(bob.cells), 1, bob.epoch
    del again.cells[list(again.cells)[-1]]
    answer = await again.hear("resumed", "state")
    found = {key: answer.get(key) for key in ("message_type", "from", "to", "count")}
    equal(found, {"message_type": "resumed", "from": 1, "to": 5, "count": 4}, "the answer to resume")
    events = [await again.event() for _ in range(4)]
    equal([event.vector for event in events], [2, 3, 4, 5], "the vectors of the events")
    equal(events[0].operation_id, mine["operation_id"], "the first of them, one's own")
    equal(answer["state_hash"], again.state_hash(), "state_hash of resumed, and the copy after its events")
    await meeting.agree([again])


@rule("WS17", "a resume that cannot be gets a full state", OURS)
async def not_resumed(stage: Stage) -> None:
    meeting = await stage.meeting()
    bob = await meeting.join("bob")
    await meeting.edit(bob, add(node()))
    for place in ("0000000000000000:0", f"{bob.epoch}:99", "nonsense"):
        again = await meeting.connect("bob", resume=place)
        equal(word(await again.hear("resumed", "state")), "state", f"the answer to resume={place}")
        equal(again.copy(), (await meeting.get())[1], "its cells")


@rule("WS17", "a wrong hash of an older vector gets a full state, never events to put over it", OURS)
async def wrong_before(stage: Stage) -> None:
    meeting = await stage.meeting()
    bob, carol = await meeting.join("bob"), await meeting.join("carol")
    await meeting.edit(carol, add(node()))
    await bob.event()
    await bob.say({**place(bob), "update_vector": 0, "state_hash": "0" * 32})
    answer = await bob.hear("state", "resumed")
    equal((word(answer), answer.get("reason")), ("state", "hash_mismatch"), "the answer")


@rule("WS17", "with cell_hashes a wrong copy gets a repair that leaves it as a state would", OURS)
async def mended(stage: Stage) -> None:
    cells = [node(label=f"{n} " + "x" * 200) for n in range(8)]
    meeting = await stage.meeting(*cells)
    bob = await meeting.join("bob")
    # One cell is not there, one is old, one is too many, and the rest stand in another order.
    lacks, stale, *kept = bob.cells.values()
    copy = [*reversed(kept), {**stale, "x": 999}, node()]
    hashes = [[cell["id"], state_hash([cell])[:16]] for cell in copy]
    await bob.say({**place(bob), "state_hash": state_hash(copy), "cell_hashes": hashes})
    repair = await bob.hear("repair", "state", "resumed")
    equal(word(repair), "repair", "the answer to a resume with cell_hashes")
    mended = {cell["id"]: cell for cell in copy if cell["id"] not in repair["removed"]}
    mended |= {cell["id"]: cell for cell in repair["cells"]}
    equal(mended.keys(), bob.cells.keys(), "the ids of the copy after the repair")
    order = repair.get("order") or list(mended)
    expected = list(bob.cells.values())
    equal([mended[id] for id in order], expected, "the copy after the repair")
    equal(sorted(cell["id"] for cell in repair["cells"]), sorted([lacks["id"], stale["id"]]), "the cells of the repair")
    equal((repair["update_vector"], repair["state_hash"]), (0, state_hash(expected)), "its vector and hash")


def place(socket: Socket) -> Message:
    return {"message_type": "resume", "epoch": socket.epoch, "update_vector": socket.vector}


@rule("WS18 VEC8", "after a full state a pending operation sent again gets its one outcome", ALL)
async def no_doubt(stage: Stage) -> None:
    meeting = await stage.meeting()
    bob, watchers = await meeting.join("bob"), await meeting.watchers()
    cell = node()
    id = new_id()
    await bob.edit(add(cell), id=id)
    await bob.cut()
    again = await meeting.join("bob")
    outcome = await meeting.attempt(again, watchers, add(cell), id=id)
    that(outcome.verdict != "refused", f"sent again after a reconnect it was refused ({outcome.reason})")
    equal(await meeting.cells(), [cell], "the cells")
    for watcher in watchers:
        told = [e for m in watcher.heard if (e := event_of(watcher.dialect, m)) is not None and e.operation_id == id]
        equal(len(told), 1, f"how often {watcher.name} heard of the operation")


@rule("WS19", "each request gets exactly one outcome, in the order of requests", (Dialect.TMI, *OURS))
async def outcomes(stage: Stage) -> None:
    meeting = await stage.meeting()
    bob = await meeting.join("bob")
    ids: list[str] = []
    for n in range(12):
        ids.append(await bob.edit(update(MARKER, x=n)))
        ids.append(await bob.edit(update(new_id(), x=n)))
        ids.append(await bob.edit(update(MARKER, x=n)))
    found: list[str] = []
    while len(found) < len(ids):
        message = await bob.hear("operation_accepted", "operation_rejected", event_word(bob.dialect))
        found.append(message["operation_id"])
    equal(found, ids, "the operations of the outcomes")
    await bob.fence()
    more = [m for m in bob.heard if m.get("operation_id") in ids]
    equal(len(more), len(ids), "the number of outcomes")


@rule("WS20", "no `error` but the three notices reaches a tmi socket that stays open", (Dialect.TMI,))
async def notices(stage: Stage) -> None:
    meeting = await stage.meeting()
    bob = await meeting.join("bob")
    alice = await stage.person("alice")
    for message in (
        {"message_type": "unheard-of"},
        {"message_type": "diagram_operation_request"},
        {"message_type": "diagram_operation_request", "operation_id": 7, "operation": {}},
        operation(bob.dialect, []),
        operation(bob.dialect, [update(new_id(), x=1)]),
        operation(bob.dialect, [{"id": "a", "operation": "paint"}]),
        undo(bob.dialect),
        moderation(bob.dialect, "remove", alice.user),
        moderation(bob.dialect, "grant", alice.user),
        {"message_type": "presenter_cursor", "cursor_position": "here"},
    ):
        await bob.say(message)
    await bob.send("{")
    await meeting.edit(bob, add(node()))
    await bob.fence()
    errors = {m["error"] for m in bob.heard if word(m) == "error"}
    that(errors, "nothing of much that is wrong was answered with an `error`")
    that(errors <= set(NOTICES), f"these errors throw the user out: {sorted(errors - set(NOTICES))}")


@rule("WS21", "a rejected operation changes no state, no vector and nobody else's stream", ALL)
async def no_trace(stage: Stage) -> None:
    cell = node()
    meeting = await stage.meeting(cell)
    bob, watchers = await meeting.join("bob"), await meeting.watchers()
    wrong: tuple[list[Message], ...] = (
        [update(new_id(), x=1)],
        [add({**cell, "label": "another"})],
        [],
        [update(cell["id"], width="wide")],
    )
    for changes in wrong:
        before = await meeting.vector()
        outcome = await meeting.attempt(bob, watchers, *changes)
        outcome.expect("refused")
        equal(await meeting.vector(), before + 1, "the vector after a rejection and the marker")
    equal(await meeting.cells(), [cell], "the cells")
    await meeting.agree(watchers)


@rule("WS21", "a rejection names operation and reason in the words of the dialect", ALL)
async def reasons(stage: Stage) -> None:
    cell = node()
    meeting = await stage.meeting(cell)
    bob, alice = await meeting.join("bob"), [await meeting.join("alice", stage.dialects()[0])]
    for changes, reason in (
        ([update(new_id(), x=1)], "conflict_detected"),
        ([{"id": cell["id"], "operation": "paint", "data": {}}], "invalid_operation_type"),
        ([], "empty_operation"),
        ([update(cell["id"], width=-1)], "validation_failed"),
    ):
        outcome = await meeting.attempt(bob, alice, *changes)
        outcome.expect("refused", reason)


@rule("WS9 WS15", "sync with the present vector is answered with the vector, else with the state", FAMILY)
async def synced(stage: Stage) -> None:
    meeting = await stage.meeting()
    bob = await meeting.join("bob")
    await bob.say(sync_request(bob.dialect, update_vector=0))
    equal(word(await bob.hear("sync_status_response", state_word(bob.dialect))), "sync_status_response", "when equal")
    await meeting.edit(bob, add(node()))
    await bob.say(sync_request(bob.dialect, update_vector=0))
    equal(word(await bob.hear("sync_status_response", state_word(bob.dialect))), state_word(bob.dialect), "when behind")
    await bob.say({"message_type": "resync_request"})
    answer = await bob.hear("resync_response")
    one_of(answer["method"], ("rest_api",), "method of resync_response")


@rule("S75", "sockets beyond the limit per user are turned away with 4429", ALL)
async def too_many(stage: Stage) -> None:
    meeting = await stage.meeting()
    limit = int(stage.target.limits.get("max_sockets_per_user", 5))
    first = [await meeting.join("bob") for _ in range(limit)]
    closed = await (await meeting.connect("bob")).closed()
    equal(closed.code, 4429, "the close code of one socket too many")
    said = closed.last.get("error") or closed.last.get("reason")
    equal(said, "too_many_connections", "its last word")
    await first[0].fence()


@rule("S75", "sockets beyond the limit per session are turned away with 4429")
async def too_many_in_all(stage: Stage) -> None:
    limits = stage.target.limits
    in_all, each = int(limits.get("max_sockets_per_session", 50)), int(limits.get("max_sockets_per_user", 5))
    if in_all > 100:
        raise NotApplicable(f"the server announces {in_all} sockets a session")
    meeting = await stage.meeting()
    entry = {"subject": "everyone", "subject_type": "group", "role": "writer"}
    await stage.expect(201, meeting.host, "POST", f"/threat_models/{meeting.model}/authorization", entry)
    people = [await stage.target.newcomer(f"guest{n}") for n in range(in_all // each + 1)]
    dialect = stage.dialects()[-1]
    first, *_ = [await stage.connect(meeting, people[n // each], dialect) for n in range(in_all)]
    closed = await (await stage.connect(meeting, people[-1], dialect)).closed()
    equal(closed.code, 4429, "the close code of one socket too many")
    await first.fence()


@rule("WS5", "a peer that does not answer pings is let go of", TEXT, slow_s=60)
async def silent(stage: Stage) -> None:
    meeting = await stage.meeting()
    bob, carol = await meeting.join("bob"), await meeting.join("carol")
    email = (await stage.person("bob")).email
    await carol.fence()
    bob.connection.transport.pause_reading()
    try:
        async with asyncio.timeout(59):
            while not _gone(await carol.next(), email):
                pass
    except TimeoutError:
        raise Broken("a peer that reads nothing and answers no ping is still there after 59 s") from None
    await carol.fence()


def _gone(message: Message, email: str) -> bool:
    """Whether this tells that the user is no longer there."""
    if word(message) in ("participants", "participants_update"):
        return all(one["user"]["email"] != email for one in message["participants"])
    return word(message) == "leave" and message["user_id"] == email


@rule("S3", "without an Origin a cookie alone opens no socket", (Dialect.CLASSIC, Dialect.TMI))
async def no_origin(stage: Stage) -> None:
    meeting = await stage.meeting()
    bob = await stage.person("bob")
    cookie = {"Cookie": f"tmi_access_token={bob.token}"}
    url = f"{meeting.ws}?{urlencode({'dialect': stage.dialect})}"
    try:
        async with connect(url, additional_headers=cookie, compression=None, proxy=None):
            pass
    except InvalidStatus as refused:
        one_of(refused.response.status_code, (401, 403), "the status of the upgrade")
        return
    raise Broken("a socket was opened with a cookie alone and no Origin")

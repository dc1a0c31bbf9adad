"""OP14 and S50 to S61: values that no message may hold, and what they meet."""

from __future__ import annotations

import json
import struct
from collections.abc import Iterable
from typing import Any

import msgpack  # type: ignore[import-untyped]

from codraw.conform.messages import Message, add, new_id, node, operation, remove, update, word
from codraw.conform.rules import ALL, FAMILY, OURS, TEXT, Dialect, equal, rule, that
from codraw.conform.sockets import NOTICES
from codraw.conform.stage import Meeting, Stage
from codraw.conform.wire import Socket

HOLE = 424242
"""Stands in an operation where the hostile text goes."""
ANSWERS = ("error", "operation_rejected")


async def refused(meeting: Meeting, socket: Socket, frames: Iterable[str | bytes]) -> None:
    """Each frame is answered, the socket stays, and the diagram is as it was."""
    before = await meeting.get()
    for frame in frames:
        await socket.send(frame)
        answer = await socket.hear(*ANSWERS)
        if socket.dialect is Dialect.TMI and word(answer) == "error":
            that(answer["error"] in NOTICES, f"the error {answer['error']} throws a tmi user out")
    await socket.fence()
    equal(await meeting.get(), before, "vector and cells after hostile frames")


def filled(dialect: Dialect, text: str, **data: Any) -> str:
    """An add of a node whose key `hole` has this text for a value."""
    message = operation(dialect, [add(node(hole=HOLE, **data))])
    return json.dumps(message).replace(str(HOLE), text)


async def by_values(stage: Stage, *texts: str) -> None:
    meeting = await stage.meeting()
    bob = await meeting.join("bob")
    await refused(meeting, bob, [filled(bob.dialect, text) for text in texts])


@rule("S50 OP14", "NaN, infinities and numbers beyond 2^53-1 are refused", TEXT)
async def numbers(stage: Stage) -> None:
    limit = 2**53
    beyond = (str(limit), str(-limit), str(limit + 1), str(2**64), f"{limit}.5", "1e17", "9" * 5000)
    await by_values(stage, "NaN", "Infinity", "-Infinity", "1e999", "-1e999", *beyond, "[1,[1e999]]")


@rule("S50 OP14", "the largest numbers that are allowed survive", ALL)
async def largest(stage: Stage) -> None:
    meeting = await stage.meeting()
    bob = await meeting.join("bob")
    cell = node(numbers=[2**53 - 1, -(2**53 - 1), 5e-324, 0.1])
    await meeting.edit(bob, add(cell))
    equal(await meeting.cells(), [cell], "the cells")


@rule(
    "S50 S51 OP14", "the same in MessagePack: NaN, 2^64, binary, extensions, double and foreign keys", (Dialect.PACKED,)
)
async def packed(stage: Stage) -> None:
    meeting = await stage.meeting()
    bob = await meeting.join("bob")
    whole = msgpack.packb(operation(bob.dialect, [add(node(hole="HOLEHOLE"))]))
    hole = msgpack.packb("HOLEHOLE")
    values = [
        b"\xcb" + struct.pack(">d", float("nan")),
        b"\xcb" + struct.pack(">d", float("inf")),
        b"\xcf" + b"\xff" * 8,
        msgpack.packb(2**53),
        b"\xc4\x01x",
        b"\xd4\x01x",
        b"\x82\xa1a\x01\xa1a\x02",
        b"\x81\x01\x02",
        b"\xa2\x00a",
        msgpack.packb({"__proto__": 1}),
        b"\x91" * 40 + b"\x01",
    ]
    await refused(meeting, bob, [whole.replace(hole, value) for value in values])


@rule("S51 OP14", "duplicate keys are refused, also behind escapes and at depth", TEXT)
async def duplicates(stage: Stage) -> None:
    texts = ('{"a":1,"a":1}', '{"a":1,"\\u0061":2}', '[[{"b":{"x":":","x":1}}]]', '{"":1,"":2}')
    await by_values(stage, *texts)
    meeting = await stage.meeting()
    bob = await meeting.join("bob")
    whole = json.dumps(operation(bob.dialect, [add(node())]))
    await refused(meeting, bob, [whole[:-1] + ',"operation_id":"' + new_id() + '"}'])


@rule("S52 OP14", "lone surrogates, NUL, a byte order mark are refused; other characters are text", TEXT)
async def characters(stage: Stage) -> None:
    await by_values(stage, '"\\ud800"', '"\\udc00x"', '"a\\u0000b"', '{"a\\u0000":1}', '"\\ud83dx"')
    meeting = await stage.meeting()
    bob = await meeting.join("bob")
    await refused(meeting, bob, ["\ufeff" + filled(bob.dialect, "1")])
    cell = node(label="\u0001\u007f e\u0301 \u202e 😀")
    await meeting.edit(bob, add(cell))
    equal(await meeting.cells(), [cell], "the cells")


@rule("S53 OP14", "more than 32 levels are refused, whatever their number; the socket stays", TEXT)
async def depth(stage: Stage) -> None:
    await by_values(stage, *("[" * n + "]" * n for n in (32, 33, 1000, 100_000)), '{"a":' * 40 + "1" + "}" * 40)


@rule("S53", "wide messages are answered, and the socket stays", TEXT)
async def width(stage: Stage) -> None:
    meeting = await stage.meeting()
    bob = await meeting.join("bob")
    many = operation(bob.dialect, [remove(f"a{n}") for n in range(501)])
    keys = operation(bob.dialect, [update(new_id(), **{f"k{n}": 1 for n in range(15_000)})])
    id = node(children=[new_id() for _ in range(1001)])
    await refused(meeting, bob, [json.dumps(one) for one in (many, operation(bob.dialect, [add(id)]))])
    await bob.say(keys)
    await bob.hear(*ANSWERS, "state_correction")
    await bob.fence()


@rule("S54 OP14", "__proto__, constructor and prototype are refused as keys and in paths, escaped or not", ALL)
async def prototypes(stage: Stage) -> None:
    cell = node(attrs={"body": {}})
    meeting = await stage.meeting(cell)
    bob = await meeting.join("bob")
    messages: list[Message] = []
    for key in ("__proto__", "constructor", "prototype"):
        messages += [
            operation(bob.dialect, [add({**node(), key: {"x": 1}})]),
            operation(bob.dialect, [update(cell["id"], attrs={"body": {key: {"x": 1}}})]),
            operation(bob.dialect, [update(cell["id"], **{f"attrs/{key}/x": 1})]),
            operation(bob.dialect, [update(cell["id"], x=1)]) | {key: 1},
        ]
    pack = msgpack.packb if bob.dialect is Dialect.PACKED else json.dumps
    frames = [pack(message) for message in messages]
    if bob.dialect is not Dialect.PACKED:
        frames.append(filled(bob.dialect, '{"__pr\\u006fto__":1}'))
    await refused(meeting, bob, frames)


@rule("S56 OP15", "upper-case UUIDs become lower-case, so each cell has one name", ALL)
async def one_name(stage: Stage) -> None:
    cell = node()
    meeting = await stage.meeting(cell)
    bob, watchers = await meeting.join("bob"), await meeting.watchers()
    outcome = await meeting.attempt(bob, watchers, update(cell["id"].upper(), x=300))
    outcome.expect("accepted")
    equal(await meeting.cells(), [{**cell, "x": 300}], "the cells")
    for name, event in outcome.events.items():
        equal([change["id"] for change in event.changes], [cell["id"]], f"the ids that {name} heard")


@rule("S56", "ids that are none are refused; free ids too where UUIDs are asked for", TEXT)
async def bad_ids(stage: Stage) -> None:
    meeting = await stage.meeting()
    bob = await meeting.join("bob")
    ids: list[Any] = ["", "a b", "é", "x" * 129, "../a", "<b>", 7, None, ["a"]]
    if bob.dialect is not Dialect.CLASSIC:
        ids += ["free-id", "not-a-uuid-0000"]
    frames = []
    for id in ids:
        change = {**add(node()), "id": id}
        frames.append(json.dumps(operation(bob.dialect, [change])))
    await refused(meeting, bob, frames)


@rule("S56", "free ids are taken from classic clients", (Dialect.CLASSIC,))
async def free_ids(stage: Stage) -> None:
    meeting = await stage.meeting()
    bob, watchers = await meeting.join("bob"), await meeting.watchers()
    cell = node("my.free:node_1")
    await meeting.accepted(bob, watchers, add(cell), id="op-1")
    equal(await meeting.cells(), [cell], "the cells")


@rule("S61 S60", "types are strict: no number as text, no list for a string", TEXT)
async def types(stage: Stage) -> None:
    cell = node()
    meeting = await stage.meeting(cell)
    bob = await meeting.join("bob")
    wrong: list[dict[str, Any]] = [{"x": "1"}, {"width": True}, {"label": ["a"]}, {"attrs": []}, {"visible": 1}]
    wrong += [{"shape": 7}, {"x": [1]}, {"angle": "0"}, {"children": "a"}, {"height": None}, {"zIndex": "top"}]
    messages = [operation(bob.dialect, [update(cell["id"], **data)]) for data in wrong]
    good = operation(bob.dialect, [update(cell["id"], x=1)])
    messages += [
        {**good, "operation": {"type": "patch", "cells": {"0": update(cell["id"], x=1)}}},
        {**good, "operation": [update(cell["id"], x=1)]},
        {**good, "operation": {"type": "patch", "cells": ["x"]}},
        {**good, "operation_id": 7},
        {**good, "operation_id": ""},
        {**good, "base_vector": "0"},
        {**good, "base_vector": -1},
        {**good, "base_vector": 1.5},
        {key: value for key, value in good.items() if key != "operation_id"},
    ]
    await refused(meeting, bob, [json.dumps(message) for message in messages])


@rule("S60", "cursors, selections and requests of a wrong shape meet an answer or silence, never a close", ALL)
async def odd_requests(stage: Stage) -> None:
    meeting = await stage.meeting()
    alice = await meeting.join("alice")
    kinds = ("presenter_cursor", "presenter_selection", "change_presenter_request", "remove_participant_request")
    ours = ("awareness", "resume", "presenter", "refresh_token")
    for kind in (*kinds, "sync_request", *(ours if alice.dialect in OURS else ())):
        await alice.say({"message_type": kind, "cursor": 1, "cursor_position": "x", "selected_cells": 7, "user": []})
        await alice.say({"message_type": kind, "update_vector": "x", "selection": {}, "new_presenter": 5})
    await alice.fence()
    await meeting.edit(alice, add(node()))


@rule("OP14 S50 S51 S54", "REST bodies obey the same: 400, and nothing is changed")
async def by_rest(stage: Stage) -> None:
    meeting = await stage.meeting(live=False)
    bob = await stage.person("bob")
    texts = ["NaN", "1e999", str(2**53), '{"a":1,"a":2}', '"\\ud800"', '"\\u0000"', '{"__proto__":1}']
    texts.append("[" * 40 + "]" * 40)
    for text in texts:
        body = json.dumps(operation(None, [add(node(hole=HOLE))])).replace(str(HOLE), text)
        answer = await stage.ask(bob, "POST", f"{meeting.path}/operations", body.encode())
        that(answer.status_code in (400, 422), f"an operation with {text[:20]} came to {answer.status_code}")
        name = json.dumps({"name": "x", "hole": HOLE}).replace(str(HOLE), text)
        answer = await stage.ask(bob, "PATCH", meeting.path, name.encode())
        that(answer.status_code in (400, 422), f"a diagram with {text[:20]} came to {answer.status_code}")
    equal((await meeting.vector(), await meeting.cells()), (0, []), "vector and cells")


@rule("S42", "ids of other people's things in an operation tell nothing", FAMILY)
async def foreign_ids(stage: Stage) -> None:
    theirs = node(label="secret words")
    await stage.meeting(theirs)
    meeting = await stage.meeting()
    bob = await meeting.join("bob")
    await bob.edit(update(theirs["id"], x=1))
    answer = await bob.hear(*ANSWERS, "state_correction")
    that("secret words" not in str(answer), "the rejection shows a cell of another diagram")

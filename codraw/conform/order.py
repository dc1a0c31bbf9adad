"""VEC: vector, epoch, operation ids, state hash."""

from __future__ import annotations

import asyncio

from codraw.conform.messages import (
    Cell,
    add,
    cursor,
    edge,
    event_of,
    event_word,
    moderation,
    new_id,
    node,
    operation,
    remove,
    undo,
    update,
    word,
)
from codraw.conform.people import json_of
from codraw.conform.rules import ALL, FAMILY, OURS, TEXT, Broken, Dialect, NotApplicable, equal, rule, that
from codraw.conform.stage import Stage
from codraw.conform.statehash import state_hash
from codraw.conform.undo import answer

KNOWN_HASH: tuple[Cell, Cell] = (
    {
        "id": "7d3e6f5a-1b2c-4d3e-8f90-a1b2c3d4e5f6",
        "shape": "process",
        "x": 100,
        "y": 200,
        "width": 120,
        "height": 80,
        "label": "New Process",
    },
    {
        "id": "0b9c1d2e-3f40-4a5b-8c6d-7e8f90a1b2c3",
        "shape": "flow",
        "source": {"cell": "7d3e6f5a-1b2c-4d3e-8f90-a1b2c3d4e5f6"},
        "target": {"cell": "7d3e6f5a-1b2c-4d3e-8f90-a1b2c3d4e5f6", "port": "top"},
        "attrs": {"line": {"strokeWidth": 1.5, "opacity": 1e-7}},
        "label": "é€😀\n",
    },
)
"""Two cells whose hash, `2ba0…`, is published."""


@rule("VEC1", "a new diagram has vector 0, with and without cells")
async def begins(stage: Stage) -> None:
    alice = await stage.person("alice")
    model = await stage.model()
    for cells in ([], [node(), node()]):
        body = {"name": "new", "type": "DFD-1.0.0", "cells": cells}
        made = await stage.expect(201, alice, "POST", f"/threat_models/{model}/diagrams", body)
        equal(made["update_vector"], 0, f"update_vector of a new diagram with {len(cells)} cells")


@rule("VEC1 WS14", "the first state of a new diagram is that of vector 0", ALL)
async def first_state(stage: Stage) -> None:
    cell = node()
    meeting = await stage.meeting(cell)
    bob = await meeting.join("bob")
    equal((bob.vector, len(bob.cells)), (0, 2), "vector and number of cells of the first state")


@rule("VEC2", "each accepted edit, undo, redo and REST change adds exactly 1", ALL)
async def one_each(stage: Stage) -> None:
    meeting = await stage.meeting()
    bob = await meeting.join("bob")
    watchers = await meeting.watchers()
    await meeting.edit(bob, add(node()))
    equal(await meeting.vector(), 1, "the vector after an edit")
    for vector, verb in ((2, "undo"), (3, "redo")):
        await bob.say(undo(bob.dialect, verb))
        await answer(bob)
        equal(await meeting.vector(), vector, f"the vector after {verb}")
    await meeting.post(meeting.host, add(node()))
    equal(await meeting.vector(), 4, "the vector after an operation by REST")
    await meeting.settle(bob, watchers)
    for watcher in watchers:
        vectors = [e.vector for m in watcher.heard if (e := event_of(watcher.dialect, m)) is not None]
        if watcher.dialect is not Dialect.CLASSIC:
            equal([v for v in vectors if v is not None], [1, 2, 3, 4, 5], f"the vectors that {watcher.name} heard")


@rule("VEC3", "rejections, retries, cursors, presenter changes and other fields add nothing", ALL)
async def nothing_else(stage: Stage) -> None:
    meeting = await stage.meeting()
    alice = await meeting.join("alice")
    bob = await stage.person("bob")
    change = add(node())
    id = new_id()
    await meeting.post(meeting.host, change, id=id)
    await meeting.post(meeting.host, change, id=id)
    await alice.edit(update(new_id(), x=1))
    await alice.say(cursor(alice.dialect, 5))
    await alice.say(moderation(alice.dialect, "grant", bob.user))
    await stage.expect(200, meeting.host, "PATCH", meeting.path, {"name": "another", "description": "words"})
    await alice.fence()
    equal(await meeting.vector(), 1, "the vector after one operation and much else")


@rule("VEC5 WS15", "many operations of several senders: every receiver sees each vector once, in order", ALL)
async def gapless(stage: Stage) -> None:
    cell = node()
    meeting = await stage.meeting(cell)
    watchers = await meeting.watchers()
    bob, carol = await meeting.join("bob"), await meeting.join("carol")
    for n in range(30):
        await bob.edit(update(cell["id"], x=n))
        await carol.edit(update(cell["id"], y=n), add(node()))
    await meeting.settle(bob, watchers)
    await meeting.settle(carol, watchers)
    for socket in (*watchers, bob, carol):
        await socket.fence()
    equal(await meeting.vector(), 62, "the vector after 62 operations")
    await meeting.agree(watchers)
    faults = [fault for socket in (bob, carol) for fault in socket.faults]
    that(not faults, "; ".join(faults))


@rule("VEC7 RE16", "after a receipt with vector v GET shows at least v, and the operation", TEXT[1:])
async def read_your_writes(stage: Stage) -> None:
    meeting = await stage.meeting()
    bob = await meeting.join("bob")
    for _ in range(5):
        cell = node()
        receipt = await meeting.edit(bob, add(cell))
        vector, cells = await meeting.get()
        that(vector >= receipt["update_vector"], f"GET shows {vector} after a receipt of {receipt['update_vector']}")
        that(cell in cells, "GET lacks a cell whose receipt had come before")


@rule("VEC7 RE16", "after a receipt by REST GET shows the operation, and says its vector in the ETag")
async def read_after_rest(stage: Stage) -> None:
    meeting = await stage.meeting()
    cell = node()
    receipt = json_of(await meeting.post(await stage.person("bob"), add(cell)))
    answer = await stage.ask(meeting.host, "GET", meeting.path)
    that(cell in json_of(answer)["cells"], "GET lacks a cell whose receipt had come before")
    equal(answer.headers.get("etag"), f'"{receipt["update_vector"]}"', "the ETag of GET")


@rule("VEC8", "a retry gets its first outcome again and is told to nobody else", ALL)
async def retried(stage: Stage) -> None:
    cell = node()
    meeting = await stage.meeting(cell)
    bob, watchers = await meeting.join("bob"), await meeting.watchers()
    change = update(cell["id"], x=400)
    first = await meeting.accepted(bob, watchers, change)
    await meeting.accepted(bob, watchers, update(cell["id"], x=500))
    before = await meeting.vector()
    again = await meeting.attempt(bob, watchers, change, id=first.id)
    equal(again.events, {}, "the events of a retry at other sockets")
    equal((await meeting.vector(), (await meeting.cell(cell["id"]) or {})["x"]), (before + 1, 500), "vector and x")
    mine = [m for m in again.own if m.get("operation_id") == first.id]
    if bob.dialect is Dialect.CLASSIC:
        equal(mine, [], "what a classic sender hears of a retry")
        return
    equal([m["update_vector"] for m in mine], [1], "the vectors of the sender's second receipt")
    if bob.dialect in OURS:
        that(mine[0]["duplicate"] is True, "the receipt of a retry does not say duplicate: true")
    await meeting.agree(watchers)


@rule("VEC8", "a refused operation is refused again, even if it would now do", ALL)
async def refused_again(stage: Stage) -> None:
    meeting = await stage.meeting()
    bob, watchers = await meeting.join("bob"), await meeting.watchers()
    cell = node()
    first = await meeting.attempt(bob, watchers, update(cell["id"], x=1))
    first.expect("refused", "conflict_detected")
    await meeting.accepted(await meeting.join("carol"), watchers, add(cell))
    again = await meeting.attempt(bob, watchers, update(cell["id"], x=1), id=first.id)
    again.expect("refused", "conflict_detected")
    equal((await meeting.cell(cell["id"]) or {})["x"], cell["x"], "x of the cell")


@rule("VEC8 VEC11 OP9", "a retry through another door is the same operation", ALL)
async def other_door(stage: Stage) -> None:
    meeting = await stage.meeting()
    bob, watchers = await meeting.join("bob"), await meeting.watchers()
    cell = node(angle=2)
    first = await meeting.accepted(bob, watchers, add(cell))
    spelled = {**cell, "angle": 2.0, "position": {"x": cell["x"], "y": cell["y"]}}
    del spelled["x"], spelled["y"]
    person = await stage.person("bob")
    receipt = json_of(await meeting.post(person, add(spelled), id=first.id, base_vector=1, group_id="g"))
    found = {key: receipt.get(key) for key in ("update_vector", "duplicate")}
    equal(found, {"update_vector": 1, "duplicate": True}, "the receipt of a retry by REST, in another spelling")
    equal(await meeting.vector(), 2, "the vector")


@rule("VEC9", "the same operation id with another payload is refused and changes nothing", ALL)
async def payload_conflict(stage: Stage) -> None:
    cell = node()
    meeting = await stage.meeting(cell)
    bob, watchers = await meeting.join("bob"), await meeting.watchers()
    first = await meeting.accepted(bob, watchers, update(cell["id"], x=400))
    outcome = await meeting.attempt(bob, watchers, update(cell["id"], x=500), id=first.id)
    outcome.expect("refused", "operation_id_conflict", "conflict_detected")
    equal((await meeting.cell(cell["id"]) or {})["x"], 400, "x of the cell")
    equal(await meeting.vector(), 3, "the vector after one operation, one refused, two markers")


@rule("VEC9", "by REST an id used before for another operation is 409 operation_id_conflict")
async def payload_conflict_by_rest(stage: Stage) -> None:
    meeting = await stage.meeting()
    id, bob = new_id(), await stage.person("bob")
    equal((await meeting.post(bob, add(node()), id=id)).status_code, 200, "the status of the first")
    answer = await meeting.post(bob, add(node()), id=id)
    equal((answer.status_code, json_of(answer).get("error")), (409, "operation_id_conflict"), "the second answer")


@rule("VEC10 S46", "another user's use of the same id is independent and learns nothing", ALL)
async def independent(stage: Stage) -> None:
    meeting = await stage.meeting()
    bob, carol = await meeting.join("bob"), await meeting.join("carol")
    watchers = await meeting.watchers()
    a, b = node(), node()
    first = await meeting.accepted(bob, watchers, add(a))
    await carol.fence()
    second = await meeting.accepted(carol, watchers, add(b), id=first.id)
    mine = [m for m in second.own if m.get("operation_id") == first.id]
    that(a["id"] not in str(mine), "another user's operation shows in the answer to the same id")
    equal(await meeting.cells(), [a, b], "the cells")


@rule("VEC12", "sequence_number counts the session's operations from 1 without holes", (Dialect.TMI,))
async def counted(stage: Stage) -> None:
    meeting = await stage.meeting()
    await meeting.post(meeting.host, add(node()))
    bob, alice = await meeting.join("bob"), await meeting.join("alice")
    for _ in range(3):
        await meeting.edit(bob, add(node()))
    await bob.edit(update(new_id(), x=1))
    await meeting.edit(bob, add(node()))
    await meeting.settle(bob, [alice])
    found = [m["sequence_number"] for m in alice.heard if word(m) == event_word(alice.dialect)]
    equal(found, [2, 3, 4, 5, 6], "the sequence numbers after a first operation by REST")


@rule("VEC12 SES16", "a later session counts from 1 again, whatever the vector", (Dialect.TMI,))
async def counted_anew(stage: Stage) -> None:
    meeting = await stage.meeting()
    await meeting.post(meeting.host, add(node()))
    await stage.expect(204, meeting.host, "DELETE", f"{meeting.path}/collaborate")
    await meeting.begin()
    bob = await meeting.join("bob")
    receipt = await meeting.edit(bob, add(node()))
    equal((receipt["sequence_number"], receipt["update_vector"]), (1, 2), "sequence_number and update_vector")


@rule("VEC14", "the hash in welcome, state and heartbeat is that of the published test values", OURS)
async def published_hash(stage: Stage) -> None:
    meeting = await stage.meeting(*KNOWN_HASH)
    equal(state_hash(KNOWN_HASH), "2ba0be71038c9cec7de1bfbd0498a62e", "the kit's own hash of the published cells")
    bob = await meeting.connect("bob")
    welcome, state = await bob.hear("welcome"), await bob.hear("state")
    expected = state_hash(state["cells"])
    equal((welcome["state_hash"], state["state_hash"]), (expected, expected), "the hashes in welcome and state")
    await meeting.edit(bob, add(node(label="ﬁ\u2029", angle=1e21 % 360)))
    await meeting.edit(bob, add(edge(KNOWN_HASH[0]["id"], KNOWN_HASH[0]["id"])))
    await meeting.edit(bob, remove(KNOWN_HASH[1]["id"]))
    await bob.say({"message_type": "heartbeat"})
    heartbeat = await bob.hear("heartbeat")
    _, cells = await meeting.get()
    equal(heartbeat["state_hash"], state_hash(cells), "the hash in heartbeat, compared with the cells of GET")
    equal(heartbeat["update_vector"], 3, "the vector in heartbeat")


@rule("VEC14", "the hash of no cells is 0", OURS)
async def hash_of_nothing(stage: Stage) -> None:
    meeting = await stage.meeting()
    bob = await meeting.join("bob")
    await meeting.edit(bob, remove(next(iter(bob.cells))))
    await bob.say({"message_type": "heartbeat"})
    equal((await bob.hear("heartbeat"))["state_hash"], "0" * 32, "the hash of an empty diagram")


@rule("VEC15 WS17", "a client that says a wrong hash is repaired by a full state", OURS)
async def repaired(stage: Stage) -> None:
    meeting = await stage.meeting(node())
    bob = await meeting.join("bob")
    place = {"epoch": bob.epoch, "update_vector": bob.vector, "state_hash": "0" * 32}
    await bob.say({"message_type": "resume", **place})
    state = await bob.hear("state", "resumed")
    equal((word(state), state.get("reason")), ("state", "hash_mismatch"), "the answer to a resume with a wrong hash")
    equal(list(bob.cells.values()), (await meeting.get())[1], "the cells of that state")


@rule("VEC15", "vector and hash are told again and again, unasked", (Dialect.V1,), slow_s=60)
async def heartbeats(stage: Stage) -> None:
    meeting = await stage.meeting()
    bob = await meeting.connect("bob")
    every_s = float((await bob.hear("welcome"))["heartbeat_seconds"])
    if every_s > 55:
        raise NotApplicable(f"welcome announces a heartbeat every {every_s:g} s")
    await bob.hear("state")
    try:
        async with asyncio.timeout(every_s + stage.patience_s):
            while word(heartbeat := await bob.next()) != "heartbeat":
                pass
    except TimeoutError:
        raise Broken(f"no heartbeat within {every_s:g} s") from None
    found = (heartbeat["update_vector"], heartbeat["state_hash"])
    equal(found, (0, bob.state_hash()), "vector and hash of the heartbeat")


@rule("VEC3", "a rejected operation leaves the sender's answer at the present vector", (*FAMILY[1:], *OURS))
async def rejected_at(stage: Stage) -> None:
    meeting = await stage.meeting()
    bob = await meeting.join("bob")
    await meeting.edit(bob, add(node()))
    await bob.say(operation(bob.dialect, [update(new_id(), x=1)]))
    equal((await bob.hear("operation_rejected"))["update_vector"], 1, "update_vector of the rejection")

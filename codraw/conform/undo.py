"""UN: undo and redo."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from codraw.conform.messages import Cell, Message, add, edge, new_id, node, remove, undo, update, word
from codraw.conform.rules import ALL, FAMILY, OURS, TEXT, Dialect, equal, rule, that
from codraw.conform.stage import Meeting, Stage
from codraw.conform.wire import Socket

ANSWERS = ("operation_accepted", "operation_rejected", "diagram_state", "history_operation", "authorization_denied")


@dataclass(frozen=True, slots=True)
class Answer:
    """`said`: done, nothing (could be inverted), empty (the stack), denied."""

    said: str
    message: Message


async def answer(socket: Socket) -> Answer:
    """What an undo or redo came to, in whatever dialect."""
    message = await socket.hear(*ANSWERS)
    match word(message):
        case "operation_accepted":
            return Answer("done" if message["changed"] else "nothing", message)
        case "diagram_state":
            return Answer("done", message)
        case "operation_rejected":
            empty = message["reason"] in ("nothing_to_undo", "nothing_to_redo")
            return Answer("empty" if empty else "denied", message)
        case "authorization_denied":
            return Answer("denied", message)
    if message["message"] != "resync_required":
        return Answer("empty", message)
    if socket.dialect is Dialect.CLASSIC:
        # The same words whether it changed something: the vector that follows tells (E5, UN6).
        return Answer("done", message)
    return Answer("nothing", message)


async def take(socket: Socket, verb: str, expected: str = "done") -> Message:
    """Says undo or redo and expects what it comes to; classic does not tell `done` from `nothing`."""
    await socket.say(undo(socket.dialect, verb))
    found = await answer(socket)
    if socket.dialect is Dialect.CLASSIC and expected == "nothing":
        expected = "done"
    equal(found.said, expected, f"what {verb} came to ({found.message})")
    return found.message


async def begin(stage: Stage, *cells: Cell) -> tuple[Meeting, Socket, Socket]:
    """bob and carol, in the dialect of the check."""
    meeting = await stage.meeting(*cells)
    return meeting, await meeting.join("bob"), await meeting.join("carol")


@rule("UN1", "undo inverts the newest of one's own edits, redo re-applies it; each adds 1", ALL)
async def newest(stage: Stage) -> None:
    cell = node(label="one")
    meeting, bob, _ = await begin(stage, cell)
    await meeting.edit(bob, update(cell["id"], label="two"))
    await meeting.edit(bob, update(cell["id"], label="three"))
    for verb, label in (("undo", "two"), ("undo", "one"), ("redo", "two"), ("redo", "three"), ("undo", "two")):
        await take(bob, verb)
        equal((await meeting.cell(cell["id"]) or {}).get("label"), label, f"the label after {verb}")
    equal(await meeting.vector(), 7, "the vector after two edits and five inversions")


@rule("UN1 WS15", "everybody else sees an undo as an event", ALL)
async def seen(stage: Stage) -> None:
    cell = node(label="one")
    meeting, bob, carol = await begin(stage, cell)
    watchers = await meeting.watchers()
    await meeting.edit(bob, update(cell["id"], label="two", angle=4))
    await take(bob, "undo")
    await meeting.settle(carol, watchers)
    equal(await meeting.cells(), [cell], "the cells after an undo")
    await meeting.agree(watchers)


@rule("UN2", "a key goes back only if nobody else wrote it since; the others do", ALL)
async def by_key(stage: Stage) -> None:
    cell = node()
    meeting, bob, carol = await begin(stage, cell)
    await meeting.edit(bob, update(cell["id"], x=100, y=200))
    await meeting.edit(carol, update(cell["id"], x=150))
    receipt = await take(bob, "undo")
    found = await meeting.cell(cell["id"]) or {}
    equal((found["x"], found["y"]), (150, cell["y"]), "x (changed by carol since) and y (not) after bob's undo")
    if bob.dialect in OURS:
        (skipped,) = receipt["skipped"]
        equal((skipped["id"], skipped["keys"], skipped["why"]), (cell["id"], ["x"], "changed"), "skipped")


@rule("UN2", "a key that another set to something else and back is another's, and stays", ALL)
async def same_value(stage: Stage) -> None:
    cell = node()
    meeting, bob, carol = await begin(stage, cell)
    await meeting.edit(bob, update(cell["id"], x=100, y=200))
    await meeting.edit(carol, update(cell["id"], x=150))
    await meeting.edit(carol, update(cell["id"], x=100))
    await take(bob, "undo")
    found = await meeting.cell(cell["id"]) or {}
    equal((found["x"], found["y"]), (100, cell["y"]), "x (written by carol since) and y (not) after bob's undo")


@rule("UN3", "undo of an add removes the cell, unless somebody else changed it", ALL)
async def of_add(stage: Stage) -> None:
    meeting, bob, carol = await begin(stage)
    mine, ours = node(), node()
    await meeting.edit(bob, add(ours))
    await meeting.edit(bob, add(mine))
    await meeting.edit(carol, update(ours["id"], x=150))
    await take(bob, "undo")
    equal(await meeting.cells(), [{**ours, "x": 150}], "the cells after the undo of an add")
    await take(bob, "undo", "nothing")
    equal(await meeting.cells(), [{**ours, "x": 150}], "the cells after the undo of an add that carol changed since")


@rule("UN3", "undo of an add leaves a cell to which somebody else attached an edge", ALL)
async def of_add_in_use(stage: Stage) -> None:
    other = node()
    meeting, bob, carol = await begin(stage, other)
    mine = node()
    flow = edge(mine["id"], other["id"])
    await meeting.edit(bob, add(mine))
    await meeting.edit(carol, add(flow))
    await take(bob, "undo", "nothing")
    equal(await meeting.cells(), [other, mine, flow], "the cells")


@rule("UN4", "undo of a removal brings back the cell and its edges, at the end", ALL)
async def of_remove(stage: Stage) -> None:
    a, b = node(label="back"), node()
    flow = edge(a["id"], b["id"])
    meeting, bob, _ = await begin(stage, a, b, flow)
    await meeting.edit(bob, remove(a["id"]))
    equal(await meeting.cells(), [b], "the cells after the removal")
    await take(bob, "undo")
    found = await meeting.cells()
    equal(found[0], b, "the first cell")
    equal(sorted(found[1:], key=lambda c: c["id"]), sorted([a, flow], key=lambda c: c["id"]), "the cells at the end")


@rule("UN5", "undo then redo leaves the state hash unchanged", OURS)
async def identity(stage: Stage) -> None:
    a, b = node(attrs={"body": {"fill": "red"}}), node()
    meeting, bob, _ = await begin(stage, a, b, edge(a["id"], b["id"]))
    await meeting.edit(bob, remove(b["id"]), update(a["id"], **{"attrs/body/fill": None, "label": "x"}), add(node()))
    before = await _hash(bob)
    await take(bob, "undo")
    that(await _hash(bob) != before, "the hash is the same after an undo")
    await take(bob, "redo")
    equal(await _hash(bob), before, "the hash after undo and redo")
    that(not bob.faults, "; ".join(bob.faults))


async def _hash(socket: Socket) -> str:
    await socket.say({"message_type": "heartbeat"})
    return str((await socket.hear("heartbeat"))["state_hash"])


@rule("UN6", "if nothing can be inverted the entry is used up and the vector stays", ALL)
async def used_up(stage: Stage) -> None:
    cell = node(label="one")
    meeting, bob, carol = await begin(stage, cell)
    await meeting.edit(bob, update(cell["id"], label="bob's"))
    await meeting.edit(carol, update(cell["id"], label="carol's"))
    receipt = await take(bob, "undo", "nothing")
    equal((await meeting.vector(), (await meeting.cell(cell["id"]) or {})["label"]), (2, "carol's"), "vector and label")
    if bob.dialect in OURS:
        that(receipt["skipped"], "the receipt of an undo without effect lists nothing as skipped")
    await take(bob, "undo", "empty")


@rule("UN7", "a new edit empties the redo stack", ALL)
async def no_redo(stage: Stage) -> None:
    cell = node()
    meeting, bob, _ = await begin(stage, cell)
    await meeting.edit(bob, update(cell["id"], x=100))
    await take(bob, "undo")
    await meeting.edit(bob, update(cell["id"], y=100))
    await take(bob, "redo", "empty")
    equal(await meeting.cell(cell["id"]), {**cell, "y": 100}, "the cell")


@rule("UN8", "an empty stack is told to the requester only, in the words of the dialect", ALL)
async def empty(stage: Stage) -> None:
    meeting, bob, carol = await begin(stage)
    watchers = await meeting.watchers()
    begun = {watcher.name: len(watcher.heard) for watcher in watchers}
    for verb in ("undo", "redo"):
        message = await take(bob, verb, "empty")
        if bob.dialect in OURS:
            equal(message["reason"], f"nothing_to_{verb}", "the reason")
        else:
            expected = {"operation_type": verb, "message": f"no_operations_to_{verb}"}
            equal({key: message.get(key) for key in expected}, expected, "history_operation")
    await meeting.settle(carol, watchers)
    for watcher in watchers:
        words = [word(m) for m in watcher.heard[begun[watcher.name] :]]
        that("history_operation" not in words, f"{watcher.name} was told of it too: {words}")


@rule("UN9 S40", "a reader's undo and redo are denied", TEXT)
async def reader(stage: Stage) -> None:
    meeting = await stage.meeting()
    dave = await meeting.join("dave")
    for verb in ("undo", "redo"):
        message = await take(dave, verb, "denied")
        if dave.dialect in FAMILY:
            equal(message["original_operation_id"], "", "original_operation_id")
        else:
            equal(message["reason"], "permission_denied", "the reason")


@rule("UN10", "my undo never takes back another user's operation", ALL)
async def mine_only(stage: Stage) -> None:
    cell = node()
    meeting, bob, carol = await begin(stage, cell)
    theirs = node()
    await meeting.edit(carol, add(theirs), update(cell["id"], label="carol's"))
    await take(bob, "undo", "empty")
    await meeting.edit(bob, update(cell["id"], x=100))
    await meeting.edit(carol, update(cell["id"], y=100))
    await take(bob, "undo")
    await take(bob, "undo", "empty")
    equal(await meeting.cells(), [{**cell, "label": "carol's", "y": 100}, theirs], "the cells")


@rule("UN11", "stacks survive the session and a change of device and dialect", ALL)
async def survives(stage: Stage) -> None:
    cell = node()
    meeting, bob, _ = await begin(stage, cell)
    await meeting.edit(bob, update(cell["id"], x=100))
    await bob.leave(1001)
    await stage.expect(204, meeting.host, "DELETE", f"{meeting.path}/collaborate")
    await meeting.begin()
    for dialect in stage.dialects():
        again = await meeting.join("bob", dialect)
        await take(again, "undo")
        equal(await meeting.cells(), [cell], f"the cells after an undo in a later session, by {dialect}")
        await take(again, "redo")


@rule("UN12", "the requester's tmi sockets get diagram_state, others the event in the requester's name", (Dialect.TMI,))
async def told(stage: Stage) -> None:
    cell = node()
    meeting, bob, carol = await begin(stage, cell)
    tab = await meeting.join("bob")
    await meeting.edit(bob, update(cell["id"], x=100))
    await take(bob, "undo")
    state = await tab.hear("diagram_state")
    equal(state["update_vector"], 2, "the vector of the state for the requester's other tab")
    await carol.event()
    equal((await carol.event()).by, (await stage.person("bob")).id, "who undid, as carol sees it")


@rule("UN13", "operations with one group_id are undone and redone as one", OURS)
async def grouped(stage: Stage) -> None:
    cell = node()
    meeting, bob, _ = await begin(stage, cell)
    await meeting.edit(bob, update(cell["id"], label="before"))
    for x in (100, 200, 300):
        await meeting.edit(bob, update(cell["id"], x=x), group_id="drag")
    await take(bob, "undo")
    equal(await meeting.cell(cell["id"]), {**cell, "label": "before"}, "the cell after the undo of a group")
    await take(bob, "redo")
    equal((await meeting.cell(cell["id"]) or {})["x"], 300, "x after the redo of a group")
    equal(await meeting.vector(), 6, "the vector after four edits and two inversions")


@rule("UN1 VEC8", "a repeated undo with the same operation_id is one undo", OURS)
async def once(stage: Stage) -> None:
    cell = node()
    meeting, bob, _ = await begin(stage, cell)
    await meeting.edit(bob, update(cell["id"], x=100))
    await meeting.edit(bob, update(cell["id"], x=200))
    asked: dict[str, Any] = {"message_type": "undo", "operation_id": new_id()}
    for duplicate in (False, True):
        await bob.say(asked)
        receipt = await bob.hear("operation_accepted")
        equal((receipt["duplicate"], receipt["update_vector"]), (duplicate, 3), "duplicate and vector of the receipt")
    equal((await meeting.cell(cell["id"]) or {})["x"], 100, "x")


@rule("UN15", "an event shows the depth of the stack on its author's other sockets, and there alone", OURS)
async def depth(stage: Stage) -> None:
    meeting, bob, carol = await begin(stage)
    tab = await meeting.join("bob")
    for undo_depth in (1, 2):
        receipt = await meeting.edit(bob, add(node()))
        expected = {"undo": undo_depth, "redo": 0}
        seen = await tab.until(lambda m: word(m) == "event", "the event of one's own operation")
        equal((receipt["history"], seen.get("history")), (expected, expected), "history of the receipt and the event")
        other = await carol.until(lambda m: word(m) == "event", "the event of another's operation")
        that("history" not in other, f"another's event shows the depth of one's own stack: {other.get('history')}")

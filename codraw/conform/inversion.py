"""UN and VEC8: undo and redo among other people's edits, groups, no-ops and retries."""

from __future__ import annotations

from typing import Any

from codraw.conform.messages import add, new_id, node, undo, update, word
from codraw.conform.rules import ALL, OURS, Dialect, NotApplicable, equal, rule, that
from codraw.conform.stage import Stage
from codraw.conform.undo import begin, take


@rule("UN2", "keys inside attrs count one by one: another's stroke does not keep my fill", ALL)
async def by_path(stage: Stage) -> None:
    cell = node(attrs={"body": {"fill": "red", "stroke": "black"}})
    meeting, bob, carol = await begin(stage, cell)
    await meeting.edit(bob, update(cell["id"], attrs={"body": {"fill": "green", "stroke": "black"}}))
    await meeting.edit(carol, update(cell["id"], attrs={"body": {"fill": "green", "stroke": "blue"}}))
    await take(bob, "undo")
    found = await meeting.cell(cell["id"]) or {}
    equal(found["attrs"]["body"], {"fill": "red", "stroke": "blue"}, "attrs.body after the undo of its fill")


@rule("UN2 UN10", "redo leaves a key that somebody else wrote since", ALL)
async def of_redo(stage: Stage) -> None:
    cell = node()
    meeting, bob, carol = await begin(stage, cell)
    await meeting.edit(bob, update(cell["id"], x=100, y=200, width=300))
    await take(bob, "undo")
    await meeting.edit(carol, update(cell["id"], x=150, y=150))
    await meeting.edit(carol, update(cell["id"], y=cell["y"]))
    await take(bob, "redo")
    found = await meeting.cell(cell["id"]) or {}
    expected = (150, cell["y"], 300)
    what = "x (changed by carol since), y (changed and back) and width (not) after bob's redo"
    equal((found["x"], found["y"], found["width"]), expected, what)


@rule("UN7 OP11", "an edit that changes nothing leaves the redo stack", ALL)
async def after_a_no_op(stage: Stage) -> None:
    cell = node()
    meeting, bob, _ = await begin(stage, cell)
    await meeting.edit(bob, update(cell["id"], x=100))
    await take(bob, "undo")
    id = await bob.edit(update(cell["id"], x=cell["x"]))
    if bob.dialect is not Dialect.CLASSIC:
        await bob.until(lambda m: m.get("operation_id") == id, "the receipt of a no-op")
    await take(bob, "redo")
    equal((await meeting.cell(cell["id"]) or {})["x"], 100, "x after the redo")


@rule("UN12", "an undo reaches the requester's other sockets in the words of their dialects", ALL)
async def own_tabs(stage: Stage) -> None:
    cell = node()
    meeting, bob, _ = await begin(stage, cell)
    tabs = [await meeting.join("bob", dialect) for dialect in stage.dialects()]
    await meeting.edit(bob, update(cell["id"], x=100))
    await take(bob, "undo")
    for tab in tabs:
        if tab.dialect is Dialect.CLASSIC:
            await tab.until(lambda m: m.get("message") == "resync_required", "history_operation resync_required")
            await tab.hear("state_correction")
        elif tab.dialect is Dialect.TMI:
            equal((await tab.hear("diagram_state"))["update_vector"], 2, f"the vector of the state for {tab.name}")
        else:
            await tab.until(lambda m: word(m) == "event" and m["kind"] == "undo", "the event of the undo")
    await meeting.agree([tab for tab in tabs if tab.dialect is not Dialect.CLASSIC])


@rule("UN13", "two groups in a row stay two", OURS)
async def two_groups(stage: Stage) -> None:
    cell = node()
    meeting, bob, _ = await begin(stage, cell)
    for x, group in ((100, "one"), (200, "one"), (300, "two"), (400, "two")):
        await meeting.edit(bob, update(cell["id"], x=x), group_id=group)
    for x in (200, cell["x"]):
        await take(bob, "undo")
        equal((await meeting.cell(cell["id"]) or {})["x"], x, "x after the undo of a group")


@rule("OP23 UN1", "the stack is as deep as announced", (Dialect.V1,))
async def deep(stage: Stage) -> None:
    meeting = await stage.meeting()
    bob = await meeting.connect("bob")
    welcome = await bob.hear("welcome")
    limit = int(welcome["limits"].get("undo_depth", 0))
    if not 0 < limit <= 200:
        raise NotApplicable(f"welcome announces an undo_depth of {limit or 'nothing'}")
    cell = node()
    receipt = await meeting.edit(bob, add(cell))
    for x in range(limit):
        receipt = await meeting.edit(bob, update(cell["id"], x=1000 + x))
    equal(receipt["history"]["undo"], limit, f"the depth of the stack after {limit + 1} edits")


@rule("VEC8", "a retry of a no-op, and of an undo that left keys, repeats its receipt", OURS)
async def repeated(stage: Stage) -> None:
    cell = node()
    meeting, bob, carol = await begin(stage, cell)
    id = new_id()
    for duplicate in (False, True):
        await bob.edit(update(cell["id"], x=cell["x"]), id=id)
        receipt = await bob.hear("operation_accepted")
        equal((receipt["changed"], receipt["duplicate"]), (False, duplicate), "changed and duplicate of a no-op")
    await meeting.edit(bob, update(cell["id"], x=100, y=200))
    await meeting.edit(carol, update(cell["id"], x=150))
    asked: dict[str, Any] = {**undo(bob.dialect), "operation_id": new_id()}
    found = []
    for duplicate in (False, True):
        await bob.say(asked)
        receipt = await bob.hear("operation_accepted")
        equal((receipt["changed"], receipt["duplicate"]), (True, duplicate), "changed and duplicate of an undo")
        found.append(receipt.get("skipped"))
    that(found[0], "the receipt of an undo that left a key lists nothing as skipped")
    equal(found[1], found[0], "skipped in the receipt of the retry")

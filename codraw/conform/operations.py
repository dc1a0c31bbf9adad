"""OP: cells and operations."""

from __future__ import annotations

import json
from typing import Any

from codraw.conform.messages import add, edge, event_of, event_word, new_id, node, operation, remove, update, word
from codraw.conform.people import json_of
from codraw.conform.rules import ALL, FAMILY, OURS, TEXT, Dialect, broken, equal, rule, that
from codraw.conform.stage import MARKER, Meeting, Outcome, Stage
from codraw.conform.wire import Socket

REFUSED = ("validation_failed", "limit_exceeded", "validation_error", "malformed")


async def scene(stage: Stage, *cells: dict[str, Any]) -> tuple[Meeting, Socket, list[Socket]]:
    """bob edits in the dialect of the check, alice watches in all there are."""
    meeting = await stage.meeting(*cells)
    return meeting, await meeting.join("bob"), await meeting.watchers()


def looks(outcome: Outcome) -> dict[str, list[tuple[str, str]]]:
    return {name: [(c["id"], c["operation"]) for c in event.changes] for name, event in outcome.events.items()}


@rule("OP1", "a batch with one bad entry changes nothing; a good one of three adds 1 to the vector", ALL)
async def atomic(stage: Stage) -> None:
    meeting, bob, watchers = await scene(stage)
    a, b, c = node(), node(), node()
    await meeting.accepted(bob, watchers, add(a), add(b), add(c))
    equal(await meeting.vector(), 2, "the vector after a batch of three and the marker")
    entries = (update(a["id"], x=500), update(new_id(), x=1), update(b["id"], x=500))
    outcome = await meeting.attempt(bob, watchers, *entries)
    outcome.expect("refused")
    equal(await meeting.cells(), [a, b, c], "the cells after a refused batch")
    equal(await meeting.vector(), 3, "the vector after a refused batch and the marker")
    await meeting.agree(watchers)


@rule("OP2", "entries of one id are composed in order, and the net effect counts", ALL)
async def composed(stage: Stage) -> None:
    kept = node()
    meeting, bob, watchers = await scene(stage, kept)
    a, b = node(), node()
    entries = (add(a), update(a["id"], label="composed"), add(b), remove(b["id"]))
    await meeting.accepted(bob, watchers, *entries, remove(kept["id"]), add({**kept, "x": 700}))
    equal(await meeting.cells(), [{**kept, "x": 700}, {**a, "label": "composed"}], "the cells after the batch")
    again = node()
    await meeting.agree(watchers)
    fresh = await meeting.join("carol")
    outcome = await meeting.attempt(fresh, watchers, add(again), remove(again["id"]))
    outcome.expect("unchanged")


@rule("OP2 OP8", "remove and add of one id may not turn a node into an edge", ALL)
async def no_metamorphosis(stage: Stage) -> None:
    a, b = node(), node()
    meeting, bob, watchers = await scene(stage, a, b)
    flow = {**edge(b["id"], b["id"]), "id": a["id"]}
    (await meeting.attempt(bob, watchers, remove(a["id"]), add(flow))).expect("refused", *REFUSED)
    equal(await meeting.cells(), [a, b], "the cells")


@rule("OP3", "an edge may stand before its nodes; an end that is missing is validation_failed", ALL)
async def ends(stage: Stage) -> None:
    meeting, bob, watchers = await scene(stage)
    a, b = node(), node()
    flow = edge(a["id"], b["id"])
    await meeting.accepted(bob, watchers, add(flow), add(a), add(b))
    equal(await meeting.cells(), [flow, a, b], "the cells")
    loose = edge(a["id"], new_id())
    (await meeting.attempt(bob, watchers, add(loose))).expect("refused", "validation_failed")
    equal(await meeting.cells(), [flow, a, b], "the cells after an edge to nowhere")
    await meeting.agree(watchers)


@rule("OP4", "edges of a removed node go with it, and everybody is told of them", ALL)
async def dangling(stage: Stage) -> None:
    a, b, c = node(), node(), node()
    ab, bc, ca = edge(a["id"], b["id"]), edge(b["id"], c["id"]), edge(c["id"], a["id"])
    meeting, bob, watchers = await scene(stage, a, b, c, ab, bc, ca)
    outcome = await meeting.accepted(bob, watchers, remove(a["id"]))
    equal(await meeting.cells(), [b, c, bc], "the cells after a node with two edges was removed")
    for name, changes in looks(outcome).items():
        equal(changes, [(id, "remove") for id in (a["id"], ab["id"], ca["id"])], f"the removals told to {name}")
    if bob.dialect in OURS:
        (receipt,) = (m for m in outcome.own if m.get("operation_id") == outcome.id)
        equal([c["id"] for c in receipt["cells"]], [a["id"], ab["id"], ca["id"]], "the cells of the receipt")
    await meeting.agree(watchers)


@rule("OP5", "children of a removed node take its parent or lose the key; `children` lists lose the id", ALL)
async def orphans(stage: Stage) -> None:
    top = node(width=400, height=400)
    middle = node(parent=top["id"], width=300, height=300)
    leaf = node(parent=middle["id"])
    top["children"] = [middle["id"]]
    meeting, bob, watchers = await scene(stage, top, middle, leaf)
    outcome = await meeting.accepted(bob, watchers, remove(middle["id"]))
    found = {cell["id"]: cell for cell in await meeting.cells()}
    equal(found[leaf["id"]].get("parent"), top["id"], "the parent of a child whose parent was removed")
    that(not found[top["id"]].get("children"), "the `children` list still names the removed node")
    for name, changes in looks(outcome).items():
        that((leaf["id"], "update") in changes, f"{name} was not told of the child's new parent: {changes}")
    await meeting.accepted(bob, watchers, remove(top["id"]))
    equal(await meeting.cells(), [{k: v for k, v in leaf.items() if k != "parent"}], "the cells after both are gone")
    await meeting.agree(watchers)


@rule("OP6", "a parent that is missing, an edge, or closes a cycle is validation_failed", TEXT)
async def parents(stage: Stage) -> None:
    a, b = node(), node()
    b["parent"] = a["id"]
    flow = edge(a["id"], b["id"])
    meeting, bob, watchers = await scene(stage, a, b, flow)
    for parent in (new_id(), flow["id"], b["id"], a["id"]):
        (await meeting.attempt(bob, watchers, update(a["id"], parent=parent))).expect("refused", "validation_failed")
    equal(await meeting.cells(), [a, b, flow], "the cells")


@rule("OP7", "cell order is order of insertion; updates and removals move nothing", ALL)
async def order(stage: Stage) -> None:
    a, b, c = node(), node(), node()
    meeting, bob, watchers = await scene(stage, a, b)
    await meeting.accepted(bob, watchers, add(c))
    await meeting.accepted(bob, watchers, update(a["id"], x=300))
    await meeting.accepted(bob, watchers, remove(b["id"]))
    d = node()
    await meeting.accepted(bob, watchers, add(d))
    equal([cell["id"] for cell in await meeting.cells()], [a["id"], c["id"], d["id"]], "the order of the cells")
    await meeting.agree(watchers)


@rule("OP8", "a node may become another node shape, never an edge, nor the reverse", TEXT)
async def shapes(stage: Stage) -> None:
    a, b = node(), node()
    flow = edge(a["id"], b["id"])
    meeting, bob, watchers = await scene(stage, a, b, flow)
    await meeting.accepted(bob, watchers, update(a["id"], shape="store"))
    (await meeting.attempt(bob, watchers, update(a["id"], shape="flow"))).expect("refused", "validation_failed")
    (await meeting.attempt(bob, watchers, update(flow["id"], shape="process"))).expect("refused", "validation_failed")
    equal(await meeting.cells(), [{**a, "shape": "store"}, b, flow], "the cells")


@rule("OP9 WS1", "the same operations by every dialect and by REST have the same outcome")
async def same_outcome(stage: Stage) -> None:
    results = []
    ids = [new_id() for _ in range(3)]

    def steps() -> list[list[dict[str, Any]]]:
        a, b = node(ids[0], attrs={"body": {"fill": "red"}}), node(ids[1], angle=5)
        flow = {**edge(ids[0], ids[1]), "id": ids[2]}
        edits = [add(a), add(b), add(flow)], [update(ids[0], **{"attrs/body/stroke": "blue", "x": 1.0})]
        return [*edits, [update(ids[1], angle=None)], [remove(ids[1])], [update(ids[1], x=1)]]

    for dialect in stage.dialects(*ALL):
        meeting = await stage.meeting()
        sender = await meeting.join("bob", dialect)
        watchers = [await meeting.join("alice", dialect)]
        for changes in steps():
            await meeting.attempt(sender, watchers, *changes)
        results.append((str(dialect), await meeting.cells(), await meeting.vector() - len(steps())))
    meeting = await stage.meeting()
    for changes in steps():
        await meeting.post(await stage.person("bob"), *changes)
    results.append(("REST", await meeting.cells(), await meeting.vector()))
    for name, cells, vector in results[1:]:
        equal((cells, vector), results[0][1:], f"cells and vector by {name}, compared with {results[0][0]}")


@rule("OP10", "of changes to one key the later wins, of changes to different keys both stay", ALL)
async def concurrent(stage: Stage) -> None:
    cell = node()
    meeting, bob, watchers = await scene(stage, cell)
    carol = await meeting.join("carol")
    asked = {await bob.edit(update(cell["id"], x=111, label="bob's")): 111}
    asked[await carol.edit(update(cell["id"], x=222, y=333))] = 222
    await meeting.settle(bob, watchers)
    await meeting.settle(carol, watchers)
    found = await meeting.cell(cell["id"]) or {}
    equal((found.get("label"), found.get("y")), ("bob's", 333), "the keys that only one of two changed")
    told = [event for m in watchers[0].heard if (event := event_of(watchers[0].dialect, m)) is not None]
    later = [asked[event.operation_id] for event in told if event.operation_id in asked][-1]
    equal(found.get("x"), later, "the key that both changed, as the later of the two in log order set it")
    await meeting.agree(watchers)


@rule("OP11 VEC3", "a no-op is accepted, adds nothing to the vector and is told to nobody else", ALL)
async def no_op(stage: Stage) -> None:
    cell = node()
    meeting, bob, watchers = await scene(stage, cell)
    for changes in ([update(cell["id"], x=cell["x"])], [add(cell)], [remove(new_id())]):
        before = await meeting.vector()
        outcome = await meeting.attempt(bob, watchers, *changes)
        outcome.expect("unchanged")
        equal(await meeting.vector(), before + 1, "the vector after a no-op and the marker")
        mine = [m for m in outcome.own if m.get("operation_id") == outcome.id]
        if bob.dialect is Dialect.TMI:
            equal([m["update_vector"] for m in mine], [before], "the vectors of the sender's event of a no-op")
        if bob.dialect in OURS:
            equal([(word(m), m["changed"]) for m in mine], [("operation_accepted", False)], "the receipt of a no-op")
    await meeting.agree(watchers)


@rule("OP12", "an update keeps every key it does not name", ALL)
async def merges(stage: Stage) -> None:
    cell = node(label="kept", mine={"b": [1]}, attrs={"body": {"fill": "red", "stroke": "blue"}, "text": {"a": 1}})
    meeting, bob, watchers = await scene(stage, cell)
    await meeting.accepted(bob, watchers, update(cell["id"], x=77))
    equal(await meeting.cells(), [{**cell, "x": 77}], "the cell after an update of x")
    await meeting.accepted(bob, watchers, update(cell["id"], attrs={"body": {"fill": "green"}}))
    deep = {**cell, "x": 77, "attrs": {"body": {"fill": "green", "stroke": "blue"}, "text": {"a": 1}}}
    equal(await meeting.cells(), [deep], "the cell after an update of attrs.body.fill")
    await meeting.agree(watchers)


@rule("OP12 OP13", "null deletes a key, also inside attrs and by a path; receivers end with the same cell", ALL)
async def deletes(stage: Stage) -> None:
    cell = node(label="goes", attrs={"body": {"fill": "red", "stroke": "blue"}}, data={"a": 1, "b": {"c": 2}})
    meeting, bob, watchers = await scene(stage, cell)
    await meeting.accepted(bob, watchers, update(cell["id"], label=None, attrs={"body": {"fill": None}}))
    left = {key: value for key, value in cell.items() if key != "label"}
    left["attrs"] = {"body": {"stroke": "blue"}}
    equal(await meeting.cells(), [left], "the cell after nulls")
    await meeting.accepted(bob, watchers, update(cell["id"], **{"data/b/c": None, "attrs/body/width": 2}))
    left = {**left, "data": {"a": 1, "b": {}}, "attrs": {"body": {"stroke": "blue", "width": 2}}}
    equal(await meeting.cells(), [left], "the cell after paths")
    (await meeting.attempt(bob, watchers, update(cell["id"], x=None))).expect("refused", "validation_failed")
    await meeting.agree(watchers)


@rule("OP13 VEC14", "events applied as published give GET's cells and the published state hash", ALL)
async def replayed(stage: Stage) -> None:
    a = node(label="é€😀\n", angle=1.5, attrs={"line": {"opacity": 1e-7}})
    meeting, bob, watchers = await scene(stage, a)
    b = node(data={"nested": {"list": [1, {"x": None}], "big": 2**53 - 1, "tiny": 5e-324}})
    flow = edge(a["id"], b["id"], vertices=[{"x": 1, "y": 2.25}])
    await meeting.accepted(bob, watchers, add(b), add(flow))
    await meeting.accepted(bob, watchers, update(a["id"], angle=0.1, label="\u2028"), update(flow["id"], vertices=[]))
    await meeting.accepted(bob, watchers, remove(b["id"]), update(a["id"], label=None))
    for watcher in watchers:
        await watcher.fence()
    await meeting.agree(watchers)


@rule("OP15 OP17", "geometry flat, whole floats integers, -0 zero, ids lower-case; unknown keys survive", ALL)
async def canonical(stage: Stage) -> None:
    meeting, bob, watchers = await scene(stage)
    id = new_id()
    data = {
        "shape": "process",
        "position": {"x": 5.0, "y": -0.0},
        "size": {"width": 100, "height": 60.5},
        "foreign": {"kept": [True, None, "text"]},
    }
    await meeting.accepted(bob, watchers, {"id": id.upper(), "operation": "add", "data": data})
    shown = {"id": id, "shape": "process", "x": 5, "y": 0, "width": 100, "height": 60.5, "foreign": data["foreign"]}
    equal(await meeting.cells(), [shown], "the cell as GET shows it")
    text = (await stage.ask(meeting.host, "GET", meeting.path)).text
    that('"x":5.0' not in text and '"y":-0' not in text, "a whole float or -0 stands in the body of GET")
    await meeting.accepted(bob, watchers, update(id, position={"x": 9, "y": 9}))
    equal(await meeting.cells(), [{**shown, "x": 9, "y": 9}], "the cell after nested geometry")
    await meeting.agree(watchers)


@rule("OP16", "1 equals 1.0, and 1 does not equal true", TEXT)
async def equality(stage: Stage) -> None:
    cell = node(custom=1)
    meeting, bob, watchers = await scene(stage, cell)
    spelled = operation(bob.dialect, [update(cell["id"], custom=12345)])
    await bob.send(json.dumps(spelled).replace("12345", "1.0"))
    await meeting.settle(bob, watchers)
    equal(await meeting.vector(), 1, "the vector after 1 was set to 1.0, and the marker")
    await meeting.accepted(bob, watchers, update(cell["id"], custom=True))
    that((await meeting.cell(cell["id"]) or {}).get("custom") is True, "1 set to true did not become true")


@rule("OP18", "a classic receiver sees the data of an add as it was sent, without id", ALL)
async def comparable(stage: Stage) -> None:
    receiver = stage.first(Dialect.CLASSIC)
    meeting = await stage.meeting()
    bob, alice = await meeting.join("bob"), await meeting.join("alice", receiver)
    cell = node(label="x", attrs={"body": {"fill": "#fff"}}, extra=[1, 2.5])
    outcome = await meeting.accepted(bob, [alice], add(cell))
    equal(outcome.events[alice.name].changes, [add(cell)], "the change that a classic receiver sees")


@rule("OP19", "a classic sender gets no copy, a tmi sender the event, a codraw.v1 sender its receipt", ALL)
async def echo(stage: Stage) -> None:
    meeting, bob, watchers = await scene(stage)
    outcome = await meeting.accepted(bob, watchers, add(node()))
    mine = [m for m in outcome.own if m.get("operation_id") == outcome.id]
    expected = {Dialect.CLASSIC: [], Dialect.TMI: [event_word(Dialect.TMI)]}
    equal([word(m) for m in mine], expected.get(bob.dialect, ["operation_accepted"]), "what the sender hears of it")
    if bob.dialect in OURS:
        equal((mine[0]["changed"], mine[0]["duplicate"], mine[0]["kind"]), (True, False, "edit"), "the receipt")


@rule("OP20", "a sender that had not seen another's change of the same key is corrected", (Dialect.TMI,))
async def corrected(stage: Stage) -> None:
    cell = node()
    meeting, bob, watchers = await scene(stage, cell)
    carol = await meeting.join("carol")
    await meeting.edit(carol, update(cell["id"], x=50))
    outcome = await meeting.accepted(bob, watchers, update(cell["id"], x=60), base_vector=0)
    events = [e for m in outcome.own if (e := event_of(bob.dialect, m)) is not None]
    mine = next((e for e in events if e.operation_id == outcome.id), None) or broken("the sender has no echo")
    second = [e for e in events if e.vector == mine.vector and e.operation_id != outcome.id]
    equal([e.by for e in second], ["codraw:server"], "the senders of a second event at the vector of the operation")
    equal(second[0].changes[0]["data"]["x"], 60, "the whole cell in the correction")


@rule("OP20", "a sender is corrected when the server changed other cells than it asked for", FAMILY)
async def corrected_for_more(stage: Stage) -> None:
    a, b = node(), node()
    flow = edge(a["id"], b["id"])
    meeting, bob, watchers = await scene(stage, a, b, flow)
    outcome = await meeting.accepted(bob, watchers, remove(a["id"]))
    if bob.dialect is Dialect.CLASSIC:
        that("state_correction" in [word(m) for m in outcome.own], "no state_correction, though an edge went along")
        return
    events = [e for m in outcome.own if (e := event_of(bob.dialect, m)) is not None]
    second = [e for e in events if e.by == "codraw:server"]
    that(second, "no second event in the server's name, though an edge went along")
    that(flow["id"] in [c["id"] for c in second[0].changes], "the correction does not name the removed edge")


@rule("OP21", "a base_vector that is old, missing or ahead rejects nothing", ALL)
async def any_base(stage: Stage) -> None:
    cell = node()
    meeting, bob, watchers = await scene(stage, cell)
    carol = await meeting.join("carol")
    for x, base in enumerate(({"base_vector": 0}, {}, {"base_vector": 10**6}), 300):
        await meeting.accepted(carol, watchers, update(cell["id"], x=x - 100))
        await meeting.accepted(bob, watchers, update(cell["id"], x=x), **base)
        equal((await meeting.cell(cell["id"]) or {}).get("x"), x, f"x after an operation with {base or 'no base'}")


@rule("OP22", "strict makes a change of a cell that another changed since base_vector a conflict", OURS)
async def strict(stage: Stage) -> None:
    cell, other = node(), node()
    meeting, bob, watchers = await scene(stage, cell, other)
    carol = await meeting.join("carol")
    await meeting.edit(carol, update(cell["id"], x=50))
    late = await meeting.attempt(bob, watchers, update(cell["id"], y=60), base_vector=0, strict=True)
    late.expect("refused", "conflict_detected")
    (rejected,) = (m for m in late.own if word(m) == "operation_rejected")
    equal(rejected["affected_cells"], [cell["id"]], "the cells named as affected")
    await meeting.accepted(bob, watchers, update(other["id"], y=60), base_vector=0, strict=True)
    await meeting.accepted(bob, watchers, update(cell["id"], y=60), base_vector=await meeting.vector(), strict=True)
    without = await meeting.attempt(bob, watchers, update(cell["id"], y=61), strict=True)
    without.expect("refused", "validation_failed")


@rule("OP22", "strict by REST is 409 conflict_detected")
async def strict_by_rest(stage: Stage) -> None:
    cell = node()
    meeting = await stage.meeting(cell)
    alice, bob = await stage.person("alice"), await stage.person("bob")
    await meeting.post(bob, update(cell["id"], x=50))
    answer = await meeting.post(alice, update(cell["id"], y=60), base_vector=0, strict=True)
    equal((answer.status_code, json_of(answer).get("error")), (409, "conflict_detected"), "the answer")


@rule("OP23", "the limits in force stand in `GET /`")
async def limits(stage: Stage) -> None:
    known = {"max_frame_bytes", "max_cells_per_operation", "max_cells_per_diagram"}
    that(known <= stage.target.limits.keys(), f"GET / lists {sorted(stage.target.limits)}, not {sorted(known)}")


@rule("OP23", "the limits in force stand in `welcome`, the same as in `GET /`", OURS)
async def limits_in_welcome(stage: Stage) -> None:
    meeting = await stage.meeting()
    welcome = await (await meeting.connect("bob")).hear("welcome")
    found = {key: welcome["limits"].get(key) for key in ("max_frame_bytes", "max_cells_per_operation")}
    equal(found, {key: stage.target.limits.get(key) for key in found}, "the limits in welcome")


@rule("OP23", "an operation of exactly the announced limit of cells is accepted, one of more changes nothing", TEXT)
async def at_the_limit(stage: Stage) -> None:
    meeting, bob, watchers = await scene(stage)
    count = int(stage.target.limits.get("max_cells_per_operation", 500))
    cells = [node() for _ in range(count)]
    await meeting.accepted(bob, watchers, *map(add, cells))
    equal(len(await meeting.cells()), count, "the number of cells")
    fresh = await meeting.join("carol")
    outcome = await meeting.attempt(fresh, watchers, *(remove(cell["id"]) for cell in cells), remove(new_id()))
    outcome.expect("refused", *REFUSED)
    equal(len(await meeting.cells()), count, "the number of cells after an operation over the limit")


@rule("OP23", "a diagram holds exactly the announced limit of cells")
async def full(stage: Stage) -> None:
    alice = await stage.person("alice")
    model = await stage.model()
    count = int(stage.target.limits.get("max_cells_per_diagram", 10_000))
    cells = [{"id": f"n{n}", "shape": "process", "x": 0, "y": 0, "width": 40, "height": 30} for n in range(count)]
    for more, status in ((0, 201), (1, 422)):
        body = {"name": "full", "type": "DFD-1.0.0", "cells": [*cells, node()][: count + more]}
        answer = await stage.ask(alice, "POST", f"/threat_models/{model}/diagrams", body)
        equal(answer.status_code, status, f"the status of a diagram of {count + more} cells")


@rule("OP19", "one's own other sockets: classic is corrected, tmi sees the server's name, codraw.v1 the author", ALL)
async def own_tabs(stage: Stage) -> None:
    meeting = await stage.meeting()
    bob, person = await meeting.join("bob"), await stage.person("bob")
    tabs = [await meeting.join("bob", dialect) for dialect in stage.dialects()]
    alice = await meeting.join("alice", stage.dialects()[0])
    id = await bob.edit(add(node()))
    await alice.event(id)
    for tab in tabs:
        event = await tab.event(id)
        by = {Dialect.CLASSIC: person.email, Dialect.TMI: "codraw:server"}.get(tab.dialect, person.id)
        equal(event.by, by, f"who did it, as the author's {tab.name} is told")
        if tab.dialect is Dialect.CLASSIC and "state_correction" not in map(word, tab.heard):
            await tab.hear("state_correction")
    await meeting.agree([tab for tab in tabs if tab.dialect is not Dialect.CLASSIC])


@rule("OP8 OP17 WS15", "every look at a diagram of all shapes agrees with GET", ALL)
async def shapes_agree(stage: Stage) -> None:
    shapes = ("actor", "process", "store", "security-boundary", "text-box")
    cells = [node(shape=shape, zIndex=n, visible=n % 2 == 0) for n, shape in enumerate(shapes)]
    meeting, bob, watchers = await scene(stage, *cells)
    await meeting.agree([*watchers, bob])
    await meeting.accepted(bob, watchers, *(update(cell["id"], zIndex=9) for cell in cells))
    equal([cell["zIndex"] for cell in await meeting.cells()], [9] * 5, "zIndex of all")
    that(MARKER not in [cell["id"] for cell in cells], "ids are new")
    await meeting.agree(watchers)

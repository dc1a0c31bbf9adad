"""Undo and redo across devices, dialects, reconnects and restarts, on the real server."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from itertools import permutations
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from tests.support.client import ALL, Classic, CodrawV1, Editor, Packed, Tmi, add, cell_id, remove, update
from tests.support.servers import Meeting, Person, Server, meet, sign_in
from tests.support.wire import word

DIALECTS = (Classic, Tmi, CodrawV1)

Kind = type[Editor]


async def ask(editor: Editor, what: str = "undo") -> None:
    if isinstance(editor, CodrawV1):
        await editor.say({"message_type": what, "operation_id": str(uuid4())})
    else:
        await editor.say({"message_type": f"{what}_request"})


async def done(editor: Editor, what: str = "undo") -> dict[str, Any]:
    """Asks for it and reads to the end of the answer, which must be that it was done. Returns the last frame."""
    await ask(editor, what)
    return await shown(editor, what)


async def shown(editor: Editor, what: str = "undo", *, event: bool = False) -> dict[str, Any]:
    """E5, on a socket of the requester. `event`: it is not the one that asked."""
    match editor:
        case Classic():
            told = await editor.hear("history_operation")
            assert told == history(what, "resync_required")
            return await editor.hear("state_correction", "diagram_operation")
        case Tmi():
            state = await editor.hear("diagram_state", "history_operation")
            assert state["update_vector"] not in events(editor), "its client ignores what is its own user's"
            return state
        case _:
            while True:
                answer = await editor.hear("event" if event else "operation_accepted", "operation_rejected")
                assert word(answer) != "operation_rejected", answer
                if answer["kind"] == what:
                    return answer


def events(editor: Tmi) -> list[int]:
    return [message["update_vector"] for message in editor.trace if word(message) == "diagram_operation_event"]


async def refused(editor: Editor, what: str = "undo") -> dict[str, Any]:
    await ask(editor, what)
    return await editor.hear("history_operation", "authorization_denied", "operation_rejected", "operation_accepted")


def history(what: str, message: str) -> dict[str, Any]:
    return {"message_type": "history_operation", "operation_type": what, "message": message}


async def heard(watcher: Editor, vector: int) -> dict[str, Any]:
    """The event of that vector."""
    while (event := await watcher.hear("event"))["update_vector"] != vector:
        pass
    return event


@pytest.fixture
async def watcher(meeting: Meeting) -> CodrawV1:
    """Hears of everything that is in the log."""
    return await CodrawV1(meeting, await sign_in(meeting.server, "watcher")).join()


# devices --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("first", "second"), list(permutations(DIALECTS, 2)), ids=lambda kind: kind.__name__)
async def test_UN11_E5_what_was_done_on_one_device_is_undone_and_redone_on_another(
    meeting: Meeting, bo: Person, watcher: CodrawV1, first: Kind, second: Kind
) -> None:
    one, other = await first(meeting, bo).join(), await second(meeting, bo).join()
    await one.edit(add(id := cell_id()))
    await heard(watcher, 1)
    for vector, what, cells in ((2, "undo", []), (3, "redo", [id])):
        answer, news = await done(other, what), await shown(one, what, event=True)
        assert (answer["update_vector"], news["update_vector"]) == (vector, vector)
        event = await heard(watcher, vector)
        assert (event["kind"], event["undo_of"], event["by"]["id"]) == (what, 1, "test:bo")
        assert [cell["id"] for cell in (await meeting.cells())[1]] == cells
        for editor in (one, other):
            if not isinstance(editor, Classic):
                assert list(editor.cells) == cells


@pytest.mark.parametrize("kind", DIALECTS)
async def test_UN12_E5_others_are_shown_an_undo_as_an_operation_of_its_requester(
    meeting: Meeting, ana: Person, bo: Person, kind: Kind
) -> None:
    classic, tmi, v1 = [await other(meeting, ana).join() for other in DIALECTS]
    requester = await kind(meeting, bo).join()
    await requester.edit(add(id := cell_id()))
    await requester.edit(update(id, x=77))
    await done(requester)
    for _ in range(2):
        await classic.hear("diagram_operation")
        await tmi.hear("diagram_operation_event")
    seen = await classic.hear("diagram_operation")
    assert (seen["user_id"], seen["operation"]["cells"]) == ("bo@tmi.local", [update(id, x=10)])
    seen = await tmi.hear("diagram_operation_event", "diagram_state")
    assert (seen["initiating_user"]["provider_id"], seen["update_vector"]) == ("bo", 3)
    assert seen["operation"]["cells"][0]["data"]["x"] == 10
    event = await heard(v1, 3)
    assert (event["by"]["id"], event["undo_of"], event["operation"]["cells"]) == ("test:bo", 2, [update(id, x=10)])


@pytest.mark.parametrize("kind", ALL)
async def test_UN11_a_reconnected_client_undoes_what_it_did_before(
    meeting: Meeting, bo: Person, watcher: CodrawV1, kind: Kind
) -> None:
    editor = await kind(meeting, bo).join()
    await editor.edit(add(id := cell_id()))
    await editor.edit(update(id, label="mine"))
    await heard(watcher, 2)
    editor.cut()
    back = await kind(meeting, bo).connect()
    first = await back.hear()
    if isinstance(back, CodrawV1):
        assert first["you"]["history"] == {"undo": 2, "redo": 0}
        await back.hear("state")
    await done(back)
    assert (await heard(watcher, 3))["operation"]["cells"] == [update(id, label=None)]
    await done(back)
    assert (await meeting.cells()) == (4, [])


async def test_UN15_a_second_device_learns_at_once_what_it_can_undo(meeting: Meeting, ana: Person, bo: Person) -> None:
    first, second = await CodrawV1(meeting, bo).join(), await Packed(meeting, bo).join()
    other = await CodrawV1(meeting, ana).join()
    await first.edit(add(cell_id()))
    assert (await second.hear("event"))["history"] == {"undo": 1, "redo": 0}
    await done(second)
    assert (await shown(first, event=True))["history"] == {"undo": 0, "redo": 1}
    assert "history" not in await other.hear("event") | await other.hear("event")


# without effect, and refused ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", DIALECTS)
async def test_UN6_an_undo_without_effect_is_told_and_uses_its_entry_up(
    meeting: Meeting, bo: Person, watcher: CodrawV1, kind: Kind
) -> None:
    editor = await kind(meeting, bo).join()
    await editor.edit(add(id := cell_id()))
    await editor.edit(update(id, x=1))
    await heard(watcher, 2)
    await watcher.edit(update(id, x=2))
    await watcher.hear("operation_accepted")
    if isinstance(editor, CodrawV1):
        answer = await done(editor)
        assert (answer["changed"], answer["update_vector"], answer["cells"]) == (False, 3, [])
        assert answer["skipped"] == [{"id": id, "keys": ["x"], "why": "changed"}]
        assert answer["history"] == {"undo": 1, "redo": 0}
    else:
        assert await refused(editor) == history("undo", "resync_required")
    assert (await meeting.cells())[0] == 3
    # the add below it stays, too: somebody else had a hand in the cell
    await refused(editor)
    assert (await refused(editor)).get("message", "") in ("no_operations_to_undo", "nothing to undo")
    assert (await meeting.cells())[0] == 3


@pytest.mark.parametrize("what", ["undo", "redo"])
@pytest.mark.parametrize("kind", DIALECTS)
async def test_UN8_an_empty_stack_is_told_to_the_requester_alone(
    meeting: Meeting, ana: Person, bo: Person, kind: Kind, what: str
) -> None:
    editor = await kind(meeting, bo).join()
    others = [await other(meeting, person).join() for other in DIALECTS for person in (ana, bo)][:5]
    answer = await refused(editor, what)
    if isinstance(editor, CodrawV1):
        assert (answer["reason"], answer["update_vector"], answer["affected_cells"]) == (f"nothing_to_{what}", 0, [])
    else:
        assert answer == history(what, f"no_operations_to_{what}")
    await editor.edit(add(cell_id()))
    told = {"diagram_operation", "diagram_operation_event", "event", "state_correction"}
    for other in others:
        await other.hear(*told)
        assert not {"history_operation", "operation_rejected"} & set(map(word, other.trace))


@pytest.mark.parametrize("what", ["undo", "redo"])
@pytest.mark.parametrize("kind", DIALECTS)
async def test_UN9_a_readers_undo_is_denied(lecture: Meeting, bo: Person, kind: Kind, what: str) -> None:
    answer = await refused(await kind(lecture, bo).join(), what)
    if kind is CodrawV1:
        assert (word(answer), answer["reason"]) == ("operation_rejected", "permission_denied")
    else:
        assert word(answer) == "authorization_denied"
        assert (answer["original_operation_id"], answer["reason"]) == ("", "insufficient_permissions")
    assert (await lecture.cells())[0] == 0


# groups ---------------------------------------------------------------------------------------------------------------


async def test_UN13_a_drag_is_undone_and_redone_as_one_with_other_peoples_edits_in_between(
    meeting: Meeting, bo: Person, watcher: CodrawV1
) -> None:
    editor = await CodrawV1(meeting, bo).join()
    await editor.edit(add(id := cell_id(), x=0))
    for x in range(1, 6):
        await editor.edit(update(id, x=x, y=x), group_id="drag-1")
        await heard(watcher, 2 * x)
        await watcher.edit(update(id, label=f"L{x}"))
        await watcher.hear("operation_accepted")
    undone = await done(editor)
    assert (undone["cells"], undone.get("skipped")) == ([update(id, x=0, y=20)], None)
    assert undone["history"] == {"undo": 1, "redo": 1}
    assert (await heard(watcher, 12))["undo_of"] == 10
    assert (await done(editor, "redo"))["cells"] == [update(id, x=5, y=5)]
    ((cell,), vector) = (await meeting.cells())[::-1]
    assert (vector, cell["x"], cell["y"], cell["label"]) == (13, 5, 5, "L5")


async def test_UN13_UN2_of_a_group_what_somebody_else_wrote_stays_and_is_named(
    meeting: Meeting, bo: Person, watcher: CodrawV1
) -> None:
    editor = await CodrawV1(meeting, bo).join()
    a, b = cell_id(), cell_id()
    await editor.edit(add(a), add(b))
    for x in (1, 2):
        await editor.edit(update(a, x=x), update(b, x=x, y=x), group_id="drag")
    await heard(watcher, 3)
    await watcher.edit(update(b, x=50))
    await watcher.hear("operation_accepted")
    undone = await done(editor)
    assert undone["cells"] == [update(a, x=10), update(b, y=20)]
    assert undone["skipped"] == [{"id": b, "keys": ["x"], "why": "changed"}]


async def test_UN13_an_agents_change_set_by_REST_is_one_entry_for_its_user_everywhere(
    meeting: Meeting, bo: Person, watcher: CodrawV1
) -> None:
    ids = [cell_id() for _ in range(3)]
    for id in ids:
        asked = {"operation_id": str(uuid4()), "operation": {"type": "patch", "cells": [add(id)]}, "group_id": "set-1"}
        receipt = await bo.post(f"{meeting.path}/operations", asked)
        assert receipt["history"] == {"undo": 1, "redo": 0}
    editor = await Tmi(meeting, bo).join()
    await done(editor)
    assert {change["id"] for change in (await heard(watcher, 4))["operation"]["cells"]} == set(ids)
    assert await meeting.cells() == (4, [])


# restart --------------------------------------------------------------------------------------------------------------


@pytest.fixture
async def mortal(tmp_path: Path) -> AsyncIterator[Meeting]:
    """On a server of its own, which may be killed."""
    with Server(tmp_path) as server:
        meeting = await meet(await sign_in(server, "ana"))
        yield meeting
        await meeting.over()


def kill_and_start(meeting: Meeting) -> None:
    meeting.server.kill()
    meeting.server.start()


async def test_UN11_I14_after_kill_9_stacks_are_what_they_were_in_every_dialect(mortal: Meeting) -> None:
    people = [await sign_in(mortal.server, name) for name in ("bo", "cy", "di", "eve")]
    watcher = await CodrawV1(mortal, mortal.host).join()
    ids, vector = [], 0
    for kind, person in zip(ALL, people, strict=True):
        editor = await kind(mortal, person).join()
        ids.append(cell_id())
        await editor.edit(add(ids[-1]))
        await editor.edit(update(ids[-1], x=1))
        await editor.edit(update(ids[-1], x=2))
        await done(editor)
        await done(editor)
        await done(editor, "redo")
        vector += 6
        await heard(watcher, vector)
    kill_and_start(mortal)
    for kind, person, id in zip(ALL, people, ids, strict=True):
        editor = await kind(mortal, person).connect()
        first = await editor.hear()
        if word(first) == "welcome":
            assert first["you"]["history"] == {"undo": 2, "redo": 1}
        await done(editor, "redo")
        assert [cell["x"] for cell in (await mortal.cells())[1] if cell["id"] == id] == [2]
        for _ in range(3):
            await done(editor)
        vector += 4
        assert (await refused(editor)).get("message", "") in ("no_operations_to_undo", "nothing to undo")
    assert await mortal.cells() == (vector, [])


async def test_UN6_UN11_after_kill_9_a_used_up_entry_is_still_used_up(mortal: Meeting) -> None:
    bo = await sign_in(mortal.server, "bo")
    editor, watcher = await Packed(mortal, bo).join(), await CodrawV1(mortal, mortal.host).join()
    a, b = cell_id(), cell_id()
    await editor.edit(add(a))
    await editor.edit(add(b))
    await heard(watcher, 2)
    await watcher.edit(update(b, x=1))
    await watcher.hear("operation_accepted")
    before = await done(editor)
    assert (before["changed"], before["history"]) == (False, {"undo": 1, "redo": 0})
    kill_and_start(mortal)
    back = await Packed(mortal, bo).connect()
    assert (await back.hear("welcome"))["you"]["history"] == before["history"]
    assert (await done(back))["cells"] == [remove(a)]


async def test_UN11_a_full_stack_below_many_undos_and_redos_is_read_whole(mortal: Meeting) -> None:
    bo = await sign_in(mortal.server, "bo")
    editor = await CodrawV1(mortal, bo).join()
    await editor.edit(add(id := cell_id()))
    for x in range(100):
        await editor.edit(update(id, x=x))
    for _ in range(310):
        await ask(editor, "undo")
        await ask(editor, "redo")
    while editor.vector < 101 + 620:
        await editor.hear()
    kill_and_start(mortal)
    back = await CodrawV1(mortal, bo).connect()
    assert (await back.hear("welcome"))["you"]["history"] == {"undo": 100, "redo": 0}


# one stack for all ----------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def sharing(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with Server(tmp_path_factory.mktemp("sharing"), undo_scope="session") as server:
        yield server


@pytest.fixture
async def shared(sharing: Server) -> AsyncIterator[Meeting]:
    meeting = await meet(await sign_in(sharing, "ana"))
    yield meeting
    await meeting.over()


@pytest.mark.parametrize("kind", DIALECTS)
async def test_UN14_with_one_stack_for_all_whoever_asks_takes_the_newest_back(shared: Meeting, kind: Kind) -> None:
    ana = await CodrawV1(shared, shared.host).join()
    bo = await kind(shared, await sign_in(shared.server, "bo")).join()
    await bo.edit(add(id := cell_id(), x=0))
    assert (await heard(ana, 1))["history"] == {"undo": 1, "redo": 0}
    await ana.edit(update(id, x=1))
    await ana.hear("operation_accepted")
    await done(bo)
    event = await heard(ana, 3)
    assert (event["by"]["id"], event["undo_of"], event["operation"]["cells"]) == ("test:bo", 2, [update(id, x=0)])
    undone = await done(ana)
    assert (undone["cells"], undone["history"]) == ([remove(id)], {"undo": 0, "redo": 2})
    await done(bo, "redo")
    await heard(ana, 5)
    await ana.edit(update(id, x=9))
    assert (await ana.hear("operation_accepted"))["history"] == {"undo": 2, "redo": 0}
    assert (await refused(bo, "redo")).get("message", "") in ("no_operations_to_redo", "nothing to redo")


async def test_UN14_UN11_one_stack_for_all_survives_kill_9_and_is_told_to_everybody_who_comes(tmp_path: Path) -> None:
    with Server(tmp_path, undo_scope="session") as server:
        meeting = await meet(await sign_in(server, "ana"))
        ana, bo = [await CodrawV1(meeting, await sign_in(server, name)).join() for name in ("ana", "bo")]
        for editor in (ana, bo):
            await editor.edit(add(cell_id()))
            await editor.hear("operation_accepted")
        await done(ana)
        kill_and_start(meeting)
        guests = [await CodrawV1(meeting, await sign_in(server, name)).connect() for name in ("cy", "bo")]
        for guest in guests:
            assert (await guest.hear("welcome"))["you"]["history"] == {"undo": 1, "redo": 1}
        assert (await done(guests[0]))["history"] == {"undo": 0, "redo": 2}
        assert await meeting.cells() == (4, [])
        await meeting.over()

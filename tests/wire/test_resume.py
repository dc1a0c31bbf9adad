"""Coming back, and copies that went wrong, on the real server: exactly what was missed, a repair, or the whole."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any
from uuid import uuid4

import pytest

from protocol.statehash import cell_hash, hex32
from tests.support.client import CodrawV1, add, cell_id, remove, update
from tests.support.servers import Meeting, Person, Server, meet, sign_in
from tests.support.wire import word

AT_ONCE = 200
"""Edits on their way together."""


@pytest.fixture(scope="module")
def quick(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Reads as fast as it can."""
    with Server(tmp_path_factory.mktemp("quick"), operations_per_second="0") as server:
        yield server


@pytest.fixture
async def table(quick: Server) -> AsyncIterator[Meeting]:
    meeting = await meet(await sign_in(quick, "ana"))
    yield meeting
    await meeting.over()


async def accepted(editor: CodrawV1, *changes: dict[str, Any], **more: Any) -> dict[str, Any]:
    await editor.edit(*changes, **more)
    return await editor.hear("operation_accepted", "operation_rejected")


async def drawn(editor: CodrawV1, count: int, data: Callable[[int], dict[str, Any]]) -> list[str]:
    """So many changes of one cell, each after the other; the state hash after each, that before them first."""
    if not editor.cells:
        await accepted(editor, add(cell_id()))
    (id,) = editor.cells
    hashes = [editor.state_hash()]
    for begin in range(0, count, AT_ONCE):
        for n in range(begin, min(begin + AT_ONCE, count)):
            await editor.edit(update(id, **data(n)))
        while len(hashes) <= min(begin + AT_ONCE, count):
            await editor.hear("operation_accepted")
            hashes.append(editor.state_hash())
    return hashes


async def back(meeting: Meeting, person: Person, epoch: str, vector: int) -> tuple[dict[str, Any], CodrawV1]:
    """The first look of one who returns with that place, and whoever had it."""
    editor = CodrawV1(meeting, person)
    editor.epoch, editor.vector = epoch, vector
    await editor.connect(resume=editor.place)
    return await editor.hear("resumed", "state"), editor


async def events(editor: CodrawV1, resumed: dict[str, Any]) -> list[int]:
    return [(await editor.hear("event"))["update_vector"] for _ in range(resumed["count"])]


async def test_WS17_up_to_1000_operations_are_shown_one_by_one_and_1001_as_a_state(table: Meeting) -> None:
    writer = await CodrawV1(table, table.host).join()
    hashes = await drawn(writer, 1_001, lambda n: {"x": n})
    head = writer.vector
    bo = await sign_in(table.server, "bo")
    for behind in (0, 1, 1_000):
        resumed, editor = await back(table, bo, writer.epoch, head - behind)
        assert (word(resumed), resumed["count"], resumed["state_hash"]) == ("resumed", behind, hashes[-1])
        assert await events(editor, resumed) == list(range(head - behind + 1, head + 1))
        assert editor.faults == []
    state, editor = await back(table, bo, writer.epoch, head - 1_001)
    assert (word(state), state["reason"], state["resend"]) == ("state", "resume_impossible", True)
    place = {"epoch": writer.epoch, "update_vector": head - 1_000}
    await editor.say({"message_type": "resume", **place, "state_hash": hashes[-1_001]})
    assert (await editor.hear("resumed", "state", "repair"))["count"] == 1_000


async def test_WS17_an_old_place_is_checked_by_its_hash_down_to_vector_0(table: Meeting) -> None:
    writer = await CodrawV1(table, table.host).join()
    empty = writer.state_hash()
    await drawn(writer, 3, lambda n: {"x": n})
    place = {"message_type": "resume", "epoch": writer.epoch, "update_vector": 0}
    other = await CodrawV1(table, table.host).join()
    await other.say(place | {"state_hash": empty})
    assert (await other.hear("resumed", "state"))["count"] == 4
    await other.say(place | {"state_hash": "f" * 32})
    assert (await other.hear("resumed", "state"))["reason"] == "hash_mismatch"


async def test_WS17_less_than_a_mebibyte_is_shown_whole_and_more_as_a_state(table: Meeting) -> None:
    """Also where so many events come at once to one who has not read them yet."""
    writer = await CodrawV1(table, table.host).join()
    await drawn(writer, 20, lambda n: {"data": {"text": str(n % 10) * 60_000}})
    bo = await sign_in(table.server, "bo")
    resumed, editor = await back(table, bo, writer.epoch, writer.vector - 16)
    assert (word(resumed), resumed["count"]) == ("resumed", 16)
    assert await events(editor, resumed) == list(range(writer.vector - 15, writer.vector + 1))
    state, _ = await back(table, bo, writer.epoch, writer.vector - 18)
    assert (word(state), state["reason"]) == ("state", "resume_impossible")


async def test_WS17_many_small_events_come_whole_though_they_are_more_than_a_queue_holds(table: Meeting) -> None:
    writer = await CodrawV1(table, table.host).join()
    await drawn(writer, 1_000, lambda n: {"data": {"text": str(n % 10) * 850}})
    resumed, editor = await back(table, await sign_in(table.server, "bo"), writer.epoch, writer.vector - 1_000)
    assert await events(editor, resumed) == list(range(writer.vector - 999, writer.vector + 1))
    await editor.say({"message_type": "heartbeat"})
    await editor.hear("heartbeat")
    assert "state" not in map(word, editor.trace)


@pytest.mark.parametrize("how", ["stop", "kill"])
async def test_WS17_after_a_restart_what_was_missed_is_still_known(tmp_path: Any, how: str) -> None:
    """A stop leaves a fresh snapshot and nothing to replay; the log has it all the same."""
    with Server(tmp_path, operations_per_second="0") as server:
        meeting = await meet(await sign_in(server, "ana"))
        writer = await CodrawV1(meeting, meeting.host).join()
        hashes = await drawn(writer, 1_010, lambda n: {"x": n})
        server.stop() if how == "stop" else server.kill()
        server.start()
        for behind in (0, 900, 1_000):
            resumed, editor = await back(meeting, meeting.host, writer.epoch, writer.vector - behind)
            assert (word(resumed), resumed.get("count"), resumed["state_hash"]) == ("resumed", behind, hashes[-1])
            assert await events(editor, resumed) == list(range(writer.vector - behind + 1, writer.vector + 1))
        place = {"epoch": writer.epoch, "update_vector": writer.vector - 1_000}
        await editor.say({"message_type": "resume", **place, "state_hash": hashes[-1_001]})
        assert (await editor.hear("resumed", "state", "repair"))["count"] == 1_000
        await meeting.over()


async def test_WS17_own_operations_are_among_what_was_missed(meeting: Meeting, bo: Person) -> None:
    """Accepted, and the connection gone before the receipt."""
    editor = await CodrawV1(meeting, bo).join()
    operation_id = await editor.edit(add(id := cell_id()))
    other = await CodrawV1(meeting, meeting.host).join()
    while not (await meeting.cells())[0]:
        pass
    editor.cut()
    resumed, again = await back(meeting, bo, other.epoch, 0)
    event = await again.hear("event")
    assert (resumed["count"], event["operation_id"], event["by"]["id"]) == (1, operation_id, "test:bo")
    assert list(again.cells) == [id]


async def test_VEC8_WS18_what_is_sent_again_after_the_return_gets_its_first_outcome(
    meeting: Meeting, bo: Person
) -> None:
    editor = await CodrawV1(meeting, bo).join()
    change, nothing, bad = add(cell_id()), remove(cell_id()), update(cell_id(), x=1)
    first = [await accepted(editor, cells) for cells in (change, nothing, bad)]
    assert [word(one) for one in first] == ["operation_accepted", "operation_accepted", "operation_rejected"]
    editor.cut()
    other = await CodrawV1(meeting, meeting.host).join()
    await accepted(other, add(nothing["id"]))
    await accepted(other, add(bad["id"]))
    _, again = await back(meeting, bo, editor.epoch, editor.vector)
    outcomes = [
        await accepted(again, cells, operation_id=one["operation_id"])
        for cells, one in zip((change, nothing, bad), first, strict=True)
    ]
    yes, same, no = outcomes
    assert (yes["update_vector"], yes["changed"], yes["duplicate"]) == (1, True, True)
    assert (same["changed"], same["duplicate"]) == (False, True)
    assert (word(no), no["reason"]) == ("operation_rejected", "conflict_detected")
    assert (await meeting.cells())[0] == 3


async def test_OP10_edits_made_offline_are_merged_key_by_key(meeting: Meeting, bo: Person) -> None:
    editor, other = await CodrawV1(meeting, bo).join(), await CodrawV1(meeting, meeting.host).join()
    await accepted(editor, add(id := cell_id(), label="old", attrs={"body": {"fill": "red", "stroke": "black"}}))
    await other.hear("event")
    editor.cut()
    await accepted(other, update(id, x=500, **{"attrs/body/fill": "green"}))
    _, again = await back(meeting, bo, editor.epoch, editor.vector)
    again.cells = {id: dict(cell) for id, cell in editor.cells.items()}
    again.assign((await again.hear("event"))["operation"]["cells"])
    await accepted(again, update(id, label="new", **{"attrs/body/stroke": "blue"}))
    (cell,) = (await meeting.cells())[1]
    assert (cell["x"], cell["label"]) == (500, "new")
    assert cell["attrs"] == {"body": {"fill": "green", "stroke": "blue"}}
    await other.hear("event")
    assert other.copy() == [cell]


# copies that went wrong -----------------------------------------------------------------------------------------------


def lost(copy: CodrawV1) -> None:
    copy.cells.pop(list(copy.cells)[3])


def added(copy: CodrawV1) -> None:
    copy.cells["extra"] = {"id": "extra", "shape": "process"}


def altered(copy: CodrawV1) -> None:
    copy.cells[list(copy.cells)[3]]["x"] = 77


def several(copy: CodrawV1) -> None:
    for damage in (lost, added, altered):
        damage(copy)


def behind(copy: CodrawV1) -> None:
    copy.vector -= 1
    altered(copy)


def elsewhere(copy: CodrawV1) -> None:
    copy.epoch = "0000000000000000"


def shuffled(copy: CodrawV1) -> None:
    copy.show(list(reversed(copy.copy())))


def emptied(copy: CodrawV1) -> None:
    copy.cells.clear()


def suspects(copy: CodrawV1, heartbeat: dict[str, Any]) -> bool:
    """VEC15: what a client does with a heartbeat. The order is not in the hash."""
    here = (copy.epoch, copy.vector, copy.state_hash())
    return here != (heartbeat["epoch"], heartbeat["update_vector"], heartbeat["state_hash"])


def resume(copy: CodrawV1, *, hashes: bool = True) -> dict[str, Any]:
    asked = {
        "message_type": "resume",
        "epoch": copy.epoch,
        "update_vector": copy.vector,
        "state_hash": copy.state_hash(),
    }
    cells = [[id, hex32(cell_hash(cell))[:16]] for id, cell in copy.cells.items()]
    return asked | ({"cell_hashes": cells} if hashes else {})


@pytest.mark.parametrize(
    ("damage", "noticed", "answer", "shown"),
    [
        (lost, True, "repair", 1),
        (added, True, "repair", 0),
        (altered, True, "repair", 1),
        (several, True, "repair", 2),
        (behind, True, "repair", 1),
        (elsewhere, True, "state", 9),
        (shuffled, False, "repair", 0),
        (emptied, True, "state", 9),
    ],
)
async def test_VEC15_a_copy_that_went_wrong_is_noticed_by_a_heartbeat_and_healed(
    meeting: Meeting, bo: Person, damage: Callable[[CodrawV1], None], noticed: bool, answer: str, shown: int
) -> None:
    editor = await CodrawV1(meeting, bo).join()
    await accepted(editor, *(add(cell_id(), label=f"process {n}") for n in range(9)))
    await accepted(editor, update(next(iter(editor.cells)), x=5))
    damage(editor)
    await editor.say({"message_type": "heartbeat"})
    assert suspects(editor, await editor.hear("heartbeat")) is noticed
    editor.faults.clear()
    await editor.say(resume(editor))
    healed = await editor.hear("resumed", "repair", "state")
    assert (word(healed), len(healed["cells"])) == (answer, shown)
    assert editor.copy() == (await meeting.cells())[1]
    await editor.say({"message_type": "heartbeat"})
    assert not suspects(editor, await editor.hear("heartbeat"))
    await accepted(editor, add(cell_id()))
    assert editor.faults == []


@pytest.mark.parametrize("damage", [lost, added, altered, behind, elsewhere])
async def test_VEC15_without_cell_hashes_a_wrong_copy_gets_the_whole(
    meeting: Meeting, bo: Person, damage: Callable[[CodrawV1], None]
) -> None:
    editor = await CodrawV1(meeting, bo).join()
    await accepted(editor, *(add(cell_id()) for _ in range(9)))
    await accepted(editor, update(next(iter(editor.cells)), x=5))
    damage(editor)
    await editor.say(resume(editor, hashes=False))
    assert word(await editor.hear("resumed", "repair", "state")) == "state"
    assert editor.copy() == (await meeting.cells())[1]


async def test_VEC15_WS17_many_cells_of_a_large_diagram_are_repaired_by_those_that_differ(
    meeting: Meeting, bo: Person
) -> None:
    editor = await CodrawV1(meeting, bo).join()
    for _ in range(6):
        await accepted(editor, *(add(cell_id()) for _ in range(400)))
    for id in list(editor.cells)[100:110]:
        editor.cells[id]["label"] = "wrong"
    await editor.say(resume(editor))
    healed = await editor.hear("resumed", "repair", "state")
    assert (word(healed), len(healed["cells"]), healed["removed"]) == ("repair", 10, [])
    assert editor.copy() == (await meeting.cells())[1]


async def test_WS19_a_resume_sent_in_the_middle_of_edits_leaves_none_out(meeting: Meeting, bo: Person) -> None:
    editor = await CodrawV1(meeting, bo).join()
    asked = [await editor.edit(add(cell_id())) for _ in range(5)]
    place = {"epoch": editor.epoch, "update_vector": 0}
    await editor.say({"message_type": "resume", **place, "ref": str(uuid4())})
    asked += [await editor.edit(add(cell_id())) for _ in range(5)]
    heard: list[dict[str, Any]] = []
    while sum(word(message) == "operation_accepted" for message in heard) < len(asked):
        heard.append(await editor.next())
    (at,) = [n for n, message in enumerate(heard) if word(message) == "resumed"]
    resumed = heard[at]
    told = [message["update_vector"] for message in heard[at + 1 :] if word(message) in ("event", "operation_accepted")]
    assert told == list(range(resumed["from"] + 1, 11))
    assert [word(message) for message in heard[at + 1 : at + 1 + resumed["count"]]] == ["event"] * resumed["count"]

"""Who is told what of every event and every failure, on real sockets of all dialects; and that all copies agree then.

A stage has one sender, in the dialect at hand, and six sockets that look on: the sender's own further ones and somebody
else's, one of each dialect. What follows a cause is read up to a marker, the next operation of the sender.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from tests.support.client import Classic, CodrawV1, Editor, Message, Tmi, add, cell_id, remove, update
from tests.support.servers import Meeting, Person, Server, meet, sign_in
from tests.support.wire import word

DIALECTS: dict[str, type[Editor]] = {"classic": Classic, "tmi": Tmi, "v1": CodrawV1}
PASSED_OVER = frozenset(
    (
        *("welcome", "participants", "participants_update", "current_presenter", "join", "leave"),
        *("heartbeat", "sync_status_response"),
    )
)
Told = dict[str, list[str]]

CORRECTION = "state_correction"
E1: Told = {
    "own classic": ["diagram_operation", CORRECTION],
    "own tmi": ["diagram_operation_event"],
    "own v1": ["event"],
    "other classic": ["diagram_operation"],
    "other tmi": ["diagram_operation_event"],
    "other v1": ["event"],
}
NOTHING: Told = {key: [] for key in E1}
STATES: Told = {
    f"{side} {name}": words
    for side in ("own", "other")
    for name, words in {
        "classic": ["diagram_state_sync", CORRECTION],
        "tmi": ["diagram_state"],
        "v1": ["event"],
    }.items()
}


class Stage:
    """`cells`: two nodes with a flow between them, drawn by somebody else."""

    def __init__(self, meeting: Meeting, sender: Editor, onlookers: dict[str, Editor], cells: list[str]) -> None:
        self.meeting = meeting
        self.sender = sender
        self.onlookers = onlookers
        self.cells = cells
        self.drew = False
        """The sender has edited lately: its other classic socket may hear of that only now (E8)."""
        self.marks: dict[str, int] = {}

    @property
    def dialect(self) -> str:
        return next(name for name, kind in DIALECTS.items() if isinstance(self.sender, kind))

    @property
    def editors(self) -> dict[str, Editor]:
        return {"sender": self.sender, **self.onlookers}

    def mark(self) -> None:
        self.marks = {name: len(editor.trace) for name, editor in self.editors.items()}

    async def heard(self) -> tuple[list[Message], Told]:
        """What the sender and what the onlookers were told since the mark, up to the marker."""
        marker = await self.sender.edit(add(last := cell_id()))
        await self.arrived(last)
        found: dict[str, list[Message]] = {}
        for name, editor in self.editors.items():
            since = [message for message in editor.trace[self.marks[name] :] if word(message) not in PASSED_OVER]
            ends = (n for n, message in enumerate(since) if message.get("operation_id") == marker)
            found[name] = since[: next(ends, None)]
        mine = found.pop("sender")
        return mine, {name: [word(message) for message in told] for name, told in found.items()}

    async def arrived(self, cell: str) -> None:
        """It is in the diagram, and everybody has been told of all before and of it."""
        while cell not in [shown["id"] for shown in (await self.meeting.cells())[1]]:
            pass
        vector, _ = await self.meeting.cells()
        for editor in self.editors.values():
            await caught_up(editor, vector)

    async def drawn(self, *changes: Message, by: str = "sender", **more: Any) -> str:
        """Before the mark; its operation id."""
        self.drew = self.drew or by == "sender"
        operation_id = await self.editors[by].edit(*changes, **more)
        await self.editors[by].edit(add(last := cell_id()))
        await self.arrived(last)
        return operation_id

    async def agree(self) -> None:
        """A client that follows its dialect's rules ends with the diagram of GET."""
        _, cells = await self.meeting.cells()
        for name, editor in self.editors.items():
            if isinstance(editor, Classic) and (editor.doubtful or editor is self.sender):
                await editor.say({"message_type": "sync_request"})
                await editor.hear("diagram_state_sync")
            assert editor.copy() == cells, name
            assert editor.faults == [], name


async def caught_up(editor: Editor, vector: int) -> None:
    ask = "heartbeat" if isinstance(editor, CodrawV1) else "sync_status_request"
    told = -1
    while told < vector:
        await editor.say({"message_type": ask})
        told = (await editor.hear("heartbeat", "sync_status_response"))["update_vector"]


async def staged(meeting: Meeting, bo: Person, dialect: str) -> Stage:
    painter = await CodrawV1(meeting, await sign_in(meeting.server, "cy")).join()
    a, b, flow = cell_id(), cell_id(), cell_id()
    edge = {"id": flow, "operation": "add", "data": {"shape": "flow", "source": {"cell": a}, "target": {"cell": b}}}
    await painter.edit(add(a), add(b), edge)
    await painter.hear("operation_accepted")
    await painter.leave()
    sender = await DIALECTS[dialect](meeting, bo).join()
    onlookers = {f"own {name}": await kind(meeting, bo).join() for name, kind in DIALECTS.items()}
    onlookers |= {f"other {name}": await kind(meeting, meeting.host).join() for name, kind in DIALECTS.items()}
    stage = Stage(meeting, sender, onlookers, [a, b, flow])
    stage.mark()
    return stage


@pytest.fixture(params=DIALECTS)
async def stage(request: pytest.FixtureRequest, meeting: Meeting, bo: Person) -> Stage:
    return await staged(meeting, bo, request.param)


async def check(stage: Stage, mine: dict[str, list[str]], told: Told) -> list[Message]:
    heard, others = await stage.heard()
    expected = mine[stage.dialect]
    words = [word(message) for message in heard]
    if stage.dialect == "classic" and CORRECTION in expected and words == [*expected, CORRECTION]:
        # the marker may cross the correction that was sent: its sender is told again
        words = expected
    assert words == expected
    if stage.drew:
        told = told | {"own classic": [one for one in told["own classic"] if one != CORRECTION]}
        others["own classic"] = [one for one in others["own classic"] if one != CORRECTION]
    assert others == told
    await stage.agree()
    return heard


# the events of the specification --------------------------------------------------------------------------------------

RECEIPTS = {"classic": [], "tmi": ["diagram_operation_event"], "v1": ["operation_accepted"]}


async def test_E1_an_accepted_operation_is_told_to_all_and_to_each_in_its_way(stage: Stage) -> None:
    await stage.sender.edit(update(stage.cells[0], x=500))
    await check(stage, RECEIPTS, E1)


async def test_E2_a_no_op_is_told_to_its_sender_only(stage: Stage) -> None:
    operation_id = await stage.sender.edit(remove(cell_id()))
    heard = await check(stage, RECEIPTS, NOTHING)
    assert [message["operation_id"] for message in heard] == [operation_id] * len(heard)
    assert [(message["update_vector"], message.get("changed", False)) for message in heard] == [(1, False)] * len(heard)


async def test_E3_a_retry_is_told_to_its_sender_only(stage: Stage) -> None:
    changes = (update(stage.cells[0], x=500),)
    operation_id = await stage.drawn(*changes)
    stage.mark()
    await stage.sender.edit(*changes, operation_id=operation_id)
    heard = await check(stage, RECEIPTS, NOTHING)
    assert [(message["update_vector"], message.get("duplicate", True)) for message in heard] == [(2, True)] * len(heard)


async def test_E4_who_is_wrong_about_other_cells_than_it_named_is_put_right(stage: Stage) -> None:
    await stage.sender.edit(remove(stage.cells[0]))
    mine = {**RECEIPTS, "classic": [CORRECTION], "tmi": ["diagram_operation_event"] * 2}
    heard = await check(stage, mine, E1)
    if stage.dialect == "tmi":
        receipt, correction = heard
        assert correction["initiating_user"]["provider"] == "codraw"
        assert correction["update_vector"] == receipt["update_vector"] == 2
        assert correction["operation_id"] != receipt["operation_id"]
        assert correction["operation"]["cells"] == [remove(stage.cells[2])]
    if stage.dialect == "v1":
        assert heard[0]["cells"] == [remove(stage.cells[0]), remove(stage.cells[2])]


@pytest.mark.parametrize("asked", ["undo", "redo"])
async def test_E5_an_undo_or_redo_is_shown_to_its_user_otherwise_than_to_others(stage: Stage, asked: str) -> None:
    await stage.sender.edit(update(stage.cells[0], x=500))
    inversions = ["undo"] if asked == "undo" else ["undo", "redo"]
    stage.drew = True
    for n, inversion in enumerate(inversions, 3):
        while (await stage.meeting.cells())[0] < n - 1:
            pass
        for name, editor in stage.editors.items():
            await caught_up(editor, n - 1)
            stage.marks[name] = len(editor.trace)
        v1 = isinstance(stage.sender, CodrawV1)
        await stage.sender.say({"message_type": inversion if v1 else f"{inversion}_request"})
    mine = {"classic": ["history_operation", CORRECTION], "tmi": ["diagram_state"], "v1": ["operation_accepted"]}
    own = {"own classic": ["history_operation", CORRECTION], "own tmi": ["diagram_state"]}
    heard = await check(stage, mine, E1 | own)
    if stage.dialect == "v1":
        assert [cell["id"] for cell in heard[0]["cells"]] == [stage.cells[0]]


async def test_E7_a_rendering_over_a_mebibyte_gives_way_to_the_whole(stage: Stage) -> None:
    """A small change of many large cells: only TMI's look shows them whole."""
    ids = [cell_id() for _ in range(20)]
    for n in range(0, 20, 4):
        await stage.drawn(*(add(id, data={"text": "x" * 60_000}) for id in ids[n : n + 4]), by="other v1")
    stage.mark()
    await stage.sender.edit(*(update(id, x=500) for id in ids))
    whole = {"own tmi": ["diagram_state"], "other tmi": ["diagram_state"]}
    heard, others = await stage.heard()
    assert [word(message) for message in heard] == {**RECEIPTS, "tmi": ["diagram_state"]}[stage.dialect]
    others["other classic"] = [one for one in others["other classic"] if one != CORRECTION]
    assert others == E1 | whole
    await stage.agree()


async def test_E7_another_order_of_the_cells_gives_way_to_the_whole(meeting: Meeting, bo: Person) -> None:
    stage = await staged(meeting, bo, "v1")
    vector, cells = await meeting.cells()
    body = {"cells": [cells[1], cells[0], cells[2]]}
    answer = await bo.ask("PATCH", meeting.path, body, **{"If-Match": f'"{vector}"'})
    assert answer.status_code == 200, answer.text
    heard, others = await stage.heard()
    assert [word(message) for message in heard] == ["event"]
    assert heard[0]["operation"]["order"] == [cell["id"] for cell in body["cells"]]
    own = [one for one in others.pop("own classic") if one != CORRECTION]
    assert own == ["diagram_state_sync"]
    assert others == {name: words for name, words in STATES.items() if name != "own classic"}
    await stage.agree()


async def test_E7_E5_an_undo_that_gives_the_cells_another_order_shows_it_to_its_requester(
    meeting: Meeting, bo: Person
) -> None:
    stage = await staged(meeting, bo, "v1")
    vector, cells = await meeting.cells()
    body = {"cells": [cells[1], cells[0], cells[2]]}
    await bo.ask("PATCH", meeting.path, body, **{"If-Match": f'"{vector}"'})
    await stage.sender.hear("event")
    stage.mark()
    await stage.sender.say({"message_type": "undo"})
    heard, _ = await stage.heard()
    assert [word(message) for message in heard] == ["state", "operation_accepted"]
    await stage.agree()


async def test_E8_a_classic_client_that_skips_its_user_s_edits_is_told_at_most_once_a_second(
    meeting: Meeting, bo: Person
) -> None:
    sender, other = await CodrawV1(meeting, bo).join(), await Classic(meeting, bo).join()
    for _ in range(20):
        await sender.edit(add(cell_id()))
    while sender.vector < 20:
        await sender.hear()
    corrections = [await other.hear(CORRECTION)]
    while corrections[-1]["update_vector"] < 20:
        corrections.append(await other.hear(CORRECTION))
    assert [word(message) for message in other.trace].count("diagram_operation") == 20
    assert len(corrections) < 20


@pytest.mark.parametrize("dialect", DIALECTS)
async def test_E9_cursor_and_selection_of_the_presenter_reach_all_others(
    meeting: Meeting, bo: Person, dialect: str
) -> None:
    host = await DIALECTS[dialect](meeting, meeting.host).join()
    others = {name: await kind(meeting, bo).join() for name, kind in DIALECTS.items()}
    if isinstance(host, CodrawV1):
        await host.say({"message_type": "awareness", "cursor": {"x": 1, "y": 2}, "selection": ["a"]})
    else:
        await host.say({"message_type": "presenter_cursor", "cursor_position": {"x": 1, "y": 2}})
        await host.say({"message_type": "presenter_selection", "selected_cells": ["a"]})
    for name in ("classic", "tmi"):
        assert (await others[name].hear("presenter_cursor"))["cursor_position"] == {"x": 1, "y": 2}
        assert (await others[name].hear("presenter_selection"))["selected_cells"] == ["a"]
    shown: Message = {}
    while not {"cursor", "selection"} <= shown.keys():
        shown |= (await others["v1"].hear("awareness"))["updates"][0]
    assert (shown["cursor"], shown["selection"]) == ({"x": 1, "y": 2}, ["a"])
    await caught_up(host, 0)
    assert not {"presenter_cursor", "presenter_selection", "awareness"} & set(map(word, host.trace))


async def test_E6_VEC6_a_new_epoch_shows_everybody_the_whole_before_anything_else(tmp_path: Any) -> None:
    """As a database that has gone back in time: somebody else wrote another epoch into it."""
    with Server(tmp_path) as server:
        meeting = await meet(await sign_in(server, "ana"))
        stage = await staged(meeting, await sign_in(server, "bo"), "v1")
        with sqlite3.connect(server.store) as store:
            for table in ("diagram_op", "diagram_snapshot", "diagram_head"):
                store.execute(f"UPDATE {table} SET epoch = 'other'")
        store.close()
        operation_id = await stage.sender.edit(add(last := cell_id()))
        await stage.arrived(last)
        firsts = {
            name: next(message for message in editor.trace[stage.marks[name] :] if word(message) not in PASSED_OVER)
            for name, editor in stage.editors.items()
        }
        assert {name: word(message) for name, message in firsts.items()} == {
            "sender": "state",
            **{name: words[0].replace("event", "state") for name, words in STATES.items()},
        }
        assert (firsts["sender"]["epoch"], firsts["sender"]["reason"]) == ("other", "epoch_changed")
        assert stage.sender.outcomes[operation_id]["epoch"] == "other"
        for name in ("own classic", "other classic"):
            assert CORRECTION in map(word, stage.onlookers[name].trace[stage.marks[name] :])
        await stage.agree()
        await meeting.over()


# failures -------------------------------------------------------------------------------------------------------------

Say = Callable[[Stage], Awaitable[Any]]
REFUSED = {"classic": ["error", CORRECTION], "tmi": ["operation_rejected"], "v1": ["operation_rejected"]}
ERROR = {key: ["error"] for key in DIALECTS}
CONFLICT = {**REFUSED, "classic": [CORRECTION]}


def edits(*changes: Message, **more: Any) -> Say:
    return lambda stage: stage.sender.edit(*changes, **more)


async def not_json(stage: Stage) -> None:
    await stage.sender.connection.send("{")


async def no_object(stage: Stage) -> None:
    await stage.sender.say([])  # type: ignore[arg-type]


async def nameless(stage: Stage) -> None:
    message = stage.sender.operation([add(cell_id())])
    del message["operation_id"]
    await stage.sender.say(message)


async def unknown(stage: Stage) -> None:
    await stage.sender.say({"message_type": "paint"})


async def server_only(stage: Stage) -> None:
    await stage.sender.say({"message_type": "diagram_state_sync", "cells": []})


async def not_a_patch(stage: Stage) -> None:
    message = stage.sender.operation([add(cell_id())])
    message["operation"]["type"] = "replace"
    await stage.sender.say(message)


async def different(stage: Stage) -> None:
    """An add of a cell that is there and otherwise."""
    await stage.sender.edit(add(stage.cells[0], label="other"))


async def shape_turned(stage: Stage) -> None:
    await stage.sender.edit(update(stage.cells[0], source={"cell": stage.cells[1]}, shape="flow"))


async def twice(stage: Stage) -> None:
    operation_id = await stage.drawn(update(stage.cells[0], x=500))
    stage.mark()
    await stage.sender.edit(update(stage.cells[0], x=501), operation_id=operation_id)


def reasons(all: str, **more: str) -> dict[str, str]:
    return dict.fromkeys(DIALECTS, all) | more


@pytest.mark.parametrize(
    ("say", "mine", "why"),
    [
        (not_json, ERROR, reasons("validation_error", v1="malformed")),
        (no_object, ERROR, reasons("validation_error", v1="malformed")),
        (nameless, ERROR, reasons("validation_error", v1="malformed")),
        (unknown, ERROR, reasons("unsupported_message_type", tmi="validation_error", v1="unknown_type")),
        (server_only, ERROR, reasons("unsupported_message_type", tmi="validation_error", v1="unknown_type")),
        (not_a_patch, REFUSED, reasons("invalid_operation_type")),
        (edits({"id": cell_id(), "operation": "paint", "data": {}}), REFUSED, reasons("invalid_operation_type")),
        (edits(), REFUSED, reasons("empty_operation")),
        (edits(add(cell_id(), width=-1)), REFUSED, reasons("validation_failed")),
        (edits({"id": cell_id(), "operation": "add"}), REFUSED, reasons("validation_failed")),
        (shape_turned, REFUSED, reasons("validation_failed")),
        (different, CONFLICT, reasons("conflict_detected")),
        (edits(update(cell_id(), x=1)), CONFLICT, reasons("conflict_detected")),
        (twice, REFUSED, reasons("operation_id_conflict", tmi="conflict_detected")),
        (
            edits(*(add(cell_id()) for _ in range(501))),
            REFUSED,
            reasons("limit_exceeded", tmi="validation_failed"),
        ),
    ],
)
async def test_WS21_a_failure_is_told_to_its_sender_only_and_in_its_own_words(
    stage: Stage, say: Say, mine: dict[str, list[str]], why: dict[str, str]
) -> None:
    """Section by section: what is plainly invalid, what is invalid by itself, and what the cells forbid."""
    before = (await stage.meeting.cells())[0]
    await say(stage)
    heard = await check(stage, mine, NOTHING)
    told = heard[0].get("reason", heard[0].get("error"))
    assert told in (why[stage.dialect], None)
    assert (told is None) is (word(heard[0]) == CORRECTION)
    drawn_before = 2 if stage.drew else 0
    assert (await stage.meeting.cells())[0] == before + drawn_before + 1


@pytest.mark.parametrize("dialect", DIALECTS)
async def test_S40_a_reader_s_edit_is_told_to_that_reader_only(lecture: Meeting, bo: Person, dialect: str) -> None:
    reader = await DIALECTS[dialect](lecture, bo).join()
    others = [await kind(lecture, lecture.host).join() for kind in DIALECTS.values()]
    operation_id = await reader.edit(add(cell_id()))
    expected = {"classic": ["authorization_denied", CORRECTION]}.get(dialect, ["operation_rejected"])
    denied, *more = [await reader.hear(*{"authorization_denied", CORRECTION, "operation_rejected"}) for _ in expected]
    assert [word(message) for message in (denied, *more)] == expected
    assert operation_id in (denied.get("operation_id"), denied.get("original_operation_id"))
    for editor in others:
        await caught_up(editor, 0)
        assert {word(message) for message in editor.trace} <= PASSED_OVER | set(editor.first)


async def test_WS21_strict_is_a_conflict_for_its_sender_only(meeting: Meeting, bo: Person) -> None:
    stage = await staged(meeting, bo, "v1")
    await stage.sender.edit(update(stage.cells[0], x=1), base_vector=0, strict=True)
    (heard,) = await check(stage, CONFLICT, NOTHING)
    assert (heard["reason"], heard["affected_cells"]) == ("conflict_detected", [stage.cells[0]])

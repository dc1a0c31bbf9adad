"""The dialect of the wiki page, on the real server."""

from __future__ import annotations

import pytest

from tests.support.client import Classic, CodrawV1, Editor, Tmi, add, cell_id, remove, update
from tests.support.servers import Meeting, Person, sign_in
from tests.support.wire import word

ANA, BO = "ana@tmi.local", "bo@tmi.local"


async def test_a_newcomer_sees_the_diagram_and_then_who_presents(meeting: Meeting, ana: Person) -> None:
    editor = await Classic(meeting, ana).connect()
    state, presenter = await editor.hear(), await editor.hear()
    assert set(state) == {"message_type", "diagram_id", "update_vector", "cells"}
    assert (state["update_vector"], state["cells"]) == (0, [])
    assert presenter == {"message_type": "current_presenter", "current_presenter": ANA}


async def test_WS11_joins_and_leaves_tell_of_a_user_s_first_and_last_socket(
    meeting: Meeting, ana: Person, bo: Person
) -> None:
    host = await Classic(meeting, ana).join()
    first, second = await Classic(meeting, bo).join(), await Classic(meeting, bo).join()
    join = await host.hear("join")
    assert set(join) == {"event", "user_id", "timestamp"}
    assert join["user_id"] == BO
    await first.leave()
    await second.leave()
    assert (await host.hear("leave"))["user_id"] == BO
    assert [word(message) for message in host.trace].count("join") == 1


async def test_OP19_others_see_an_operation_and_its_sender_sees_nothing(
    meeting: Meeting, ana: Person, bo: Person
) -> None:
    sender, other = await Classic(meeting, bo).join(), await Classic(meeting, ana).join()
    id = cell_id()
    operation_id = await sender.edit(add(id, label="A"))
    seen = await other.hear("diagram_operation")
    assert set(seen) == {"message_type", "user_id", "operation_id", "operation"}
    assert (seen["user_id"], seen["operation_id"]) == (BO, operation_id)
    assert seen["operation"] == {"type": "patch", "cells": [add(id, label="A")]}
    await sender.say({"message_type": "sync_status_request"})
    assert (await sender.hear())["message_type"] in {"current_presenter", "join"}
    answer = await sender.hear("sync_status_response", "diagram_operation")
    assert answer == {"message_type": "sync_status_response", "update_vector": 1}


async def test_an_update_shows_each_named_key_with_its_resulting_value(
    meeting: Meeting, ana: Person, bo: Person
) -> None:
    sender, other = await Classic(meeting, bo).join(), await Classic(meeting, ana).join()
    id = cell_id()
    await sender.edit(add(id, attrs={"body": {"fill": "red", "stroke": "blue"}}))
    await sender.edit(update(id, x=10, **{"attrs/body/fill": "green"}))
    await other.hear("diagram_operation")
    (change,) = (await other.hear("diagram_operation"))["operation"]["cells"]
    assert change["data"] == {"x": 10, "attrs": {"body": {"fill": "green", "stroke": "blue"}}}


async def test_a_conflict_is_a_state_correction_alone(meeting: Meeting, bo: Person) -> None:
    editor = await Classic(meeting, bo).join()
    await editor.edit(update(cell_id(), x=1))
    assert await editor.hear("state_correction", "error") == {"message_type": "state_correction", "update_vector": 0}


async def test_an_invalid_operation_is_named_and_corrected(meeting: Meeting, bo: Person) -> None:
    editor = await Classic(meeting, bo).join()
    operation_id = await editor.edit({"id": "a", "operation": "paint", "data": {}})
    error = await editor.hear("error", "state_correction")
    assert (error["error"], error["details"]["operation_id"]) == ("invalid_operation_type", operation_id)
    assert await editor.hear("state_correction")


async def test_S40_a_reader_s_operation_is_denied_by_its_id(lecture: Meeting, bo: Person) -> None:
    editor = await Classic(lecture, bo).join()
    operation_id = await editor.edit(add(cell_id()))
    denied = await editor.hear("authorization_denied")
    assert denied["original_operation_id"] == operation_id
    assert denied["reason"] == "insufficient_permissions"
    assert await editor.hear("state_correction")
    assert await lecture.cells() == (0, [])


async def test_free_ids_are_taken(meeting: Meeting, ana: Person, bo: Person) -> None:
    sender, other = await Classic(meeting, bo).join(), await Classic(meeting, ana).join()
    await sender.edit(add("my-node"), operation_id="op-1")
    assert (await other.hear("diagram_operation"))["operation_id"] == "op-1"


async def test_sync_gives_a_state_to_whoever_is_behind(meeting: Meeting, bo: Person) -> None:
    editor = await Classic(meeting, bo).join()
    await editor.edit(add(id := cell_id()))
    vector = 0
    while vector == 0:
        await editor.say({"message_type": "sync_status_request"})
        vector = (await editor.hear("sync_status_response"))["update_vector"]
    await editor.say({"message_type": "sync_request", "update_vector": 0})
    assert [cell["id"] for cell in (await editor.hear("diagram_state_sync"))["cells"]] == [id]
    await editor.say({"message_type": "sync_request", "update_vector": 1})
    assert (await editor.hear("sync_status_response", "diagram_state_sync"))["update_vector"] == 1


@pytest.mark.parametrize("count", [2, 10, 50])
async def test_I6_what_is_sent_just_before_a_clean_close_is_not_lost(
    meeting: Meeting, ana: Person, bo: Person, count: int
) -> None:
    watcher = await Classic(meeting, ana).join()
    editor = await Classic(meeting, bo).join()
    ids = [cell_id() for _ in range(count)]
    for id in ids:
        await editor.edit(add(id))
    await editor.leave()
    heard = [(await watcher.hear("diagram_operation"))["operation"]["cells"][0]["id"] for _ in ids]
    assert heard == ids


async def test_a_resync_request_is_sent_to_REST(meeting: Meeting, bo: Person) -> None:
    editor = await Classic(meeting, bo).join()
    await editor.say({"message_type": "resync_request"})
    answer = await editor.hear("resync_response")
    assert (answer["method"], answer["diagram_id"], answer["target_user"]) == ("rest_api", meeting.diagram, BO)


async def test_an_undo_is_seen_by_others_and_its_requester_is_told_to_fetch(
    meeting: Meeting, ana: Person, bo: Person
) -> None:
    sender, other = await Classic(meeting, bo).join(), await Classic(meeting, ana).join()
    await sender.edit(add(id := cell_id()))
    await sender.say({"message_type": "undo_request"})
    told = await sender.hear("history_operation")
    assert told == {"message_type": "history_operation", "operation_type": "undo", "message": "resync_required"}
    assert (await sender.hear("state_correction"))["update_vector"] == 2
    await other.hear("diagram_operation")
    assert (await other.hear("diagram_operation"))["operation"]["cells"] == [remove(id)]


async def test_UN8_an_empty_stack_is_told_to_the_requester(meeting: Meeting, bo: Person) -> None:
    editor = await Classic(meeting, bo).join()
    await editor.say({"message_type": "undo_request"})
    assert (await editor.hear("history_operation"))["message"] == "no_operations_to_undo"
    await editor.say({"message_type": "redo_request"})
    assert (await editor.hear("history_operation"))["message"] == "no_operations_to_redo"


@pytest.mark.parametrize("kind", [Classic, Tmi])
async def test_PR6_only_the_presenter_s_cursor_is_shown(
    meeting: Meeting, ana: Person, bo: Person, kind: type[Editor]
) -> None:
    presenter, guest = await kind(meeting, ana).join(), await kind(meeting, bo).join()
    third = await Classic(meeting, await sign_in(meeting.server, "cy")).join()
    for editor, x in ((guest, 1), (presenter, 2)):
        await editor.say({"message_type": "presenter_cursor", "cursor_position": {"x": x, "y": 0}})
    assert (await third.hear("presenter_cursor"))["cursor_position"] == {"x": 2, "y": 0}
    await guest.say({"message_type": "sync_status_request"})
    await guest.hear("sync_status_response")
    assert "error" not in [word(message) for message in guest.trace]


async def test_presenting_is_asked_granted_and_told_to_all(meeting: Meeting, ana: Person, bo: Person) -> None:
    host, guest = await Classic(meeting, ana).join(), await Classic(meeting, bo).join()
    await guest.say({"message_type": "presenter_request"})
    assert (await host.hear("presenter_request"))["user_id"] == BO
    await host.say({"message_type": "change_presenter", "new_presenter": BO})
    for editor in (host, guest):
        while (await editor.hear("current_presenter"))["current_presenter"] != BO:
            pass


async def test_SES18_whoever_is_ejected_is_told_and_may_not_return(meeting: Meeting, ana: Person, bo: Person) -> None:
    host, guest = await Classic(meeting, ana).join(), await Classic(meeting, bo).join()
    await host.say({"message_type": "remove_participant", "target_user": BO})
    code, heard = await guest.closed()
    assert (code, heard[-1]["error"]) == (1000, "removed_from_session")
    code, heard = await (await Classic(meeting, bo).connect()).closed()
    assert (code, heard[-1]["message_type"]) == (1000, "authorization_denied")


async def test_SES15_the_end_of_the_session_is_one_frame_and_1000(meeting: Meeting, ana: Person, bo: Person) -> None:
    guest = await Classic(meeting, bo).join()
    await ana.ask("DELETE", f"{meeting.path}/collaborate")
    code, heard = await guest.closed()
    assert code == 1000
    ends = [message for message in heard if message.get("event") == "session_ended"]
    assert [set(end) for end in ends] == [{"event", "user_id", "message", "timestamp"}]
    assert ends[0]["user_id"] == ANA


async def test_WS2_messages_of_the_other_family_are_understood(meeting: Meeting, ana: Person, bo: Person) -> None:
    sender, other = await Classic(meeting, bo).join(), await Classic(meeting, ana).join()
    await sender.say({**sender.operation([add(cell_id())]), "message_type": "diagram_operation_request"})
    assert await other.hear("diagram_operation")


async def test_WS10_what_a_client_says_of_itself_is_ignored(meeting: Meeting, ana: Person, bo: Person) -> None:
    sender, other = await Classic(meeting, bo).join(), await Classic(meeting, ana).join()
    await sender.edit(add(cell_id()), user_id=ANA, role="owner", sequence_number=99, update_vector=99)
    assert (await other.hear("diagram_operation"))["user_id"] == BO


async def test_E8_another_tab_of_the_same_user_is_told_to_fetch(meeting: Meeting, bo: Person) -> None:
    tab, other = await Classic(meeting, bo).join(), await Classic(meeting, bo).join()
    await tab.edit(add(cell_id()))
    assert await other.hear("state_correction")


async def test_three_dialects_end_with_the_same_cells(meeting: Meeting, ana: Person, bo: Person) -> None:
    cy = await sign_in(meeting.server, "cy")
    editors: list[Editor] = [
        await kind(meeting, person).join() for kind, person in ((Classic, ana), (Tmi, bo), (CodrawV1, cy))
    ]
    ids = [cell_id() for _ in editors]
    for editor, id in zip(editors, ids, strict=True):
        await editor.edit(add(id, label=editor.dialect))
    for editor in editors:
        while set(editor.cells) != set(ids):
            await editor.hear()
    _, cells = await meeting.cells()
    assert [editor.copy() for editor in editors] == [cells] * 3

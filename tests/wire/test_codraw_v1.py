"""The dialect of our own clients, on the real server, in JSON and in MessagePack."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import pytest

from tests.support.client import CodrawV1, Packed, Tmi, add, cell_id, remove, update
from tests.support.servers import Meeting, Person
from tests.support.wire import word


@pytest.fixture(params=[CodrawV1, Packed], ids=["json", "msgpack"])
def kind(request: pytest.FixtureRequest) -> type[CodrawV1]:
    chosen: type[CodrawV1] = request.param
    return chosen


async def accepted(editor: CodrawV1, *changes: dict[str, Any], **more: Any) -> dict[str, Any]:
    await editor.edit(*changes, **more)
    return await editor.hear("operation_accepted", "operation_rejected")


async def test_WS14_the_welcome_comes_first_and_then_the_state(
    meeting: Meeting, bo: Person, kind: type[CodrawV1]
) -> None:
    editor = await kind(meeting, bo).connect()
    welcome, state, roster = [await editor.hear() for _ in range(3)]
    assert [word(message) for message in (welcome, state, roster)] == ["welcome", "state", "participants"]
    assert welcome["encoding"] == kind.protocol.rpartition(".")[2]
    assert welcome["session"]["session_id"] == meeting.session
    assert (welcome["you"]["user"]["provider_id"], welcome["you"]["role"]) == ("bo", "writer")
    assert (state["reason"], state["resend"]) == ("joined", True)
    assert (state["epoch"], state["update_vector"]) == (welcome["epoch"], welcome["update_vector"])


async def test_OP19_the_sender_gets_its_receipt_and_others_the_event(
    meeting: Meeting, ana: Person, bo: Person, kind: type[CodrawV1]
) -> None:
    sender, other = await kind(meeting, bo).join(), await kind(meeting, ana).join()
    receipt = await accepted(sender, add(cell_id()))
    event = await other.hear("event")
    assert (receipt["update_vector"], receipt["changed"], receipt["duplicate"]) == (1, True, False)
    assert "cells" not in receipt
    assert (event["operation_id"], event["by"]["id"]) == (receipt["operation_id"], "test:bo")
    assert sender.cells == other.cells
    assert sender.state_hash() == other.state_hash()


async def test_a_receipt_shows_what_the_server_added(meeting: Meeting, bo: Person) -> None:
    editor = await CodrawV1(meeting, bo).join()
    a, b, flow = cell_id(), cell_id(), cell_id()
    edge = {"id": flow, "operation": "add", "data": {"shape": "flow", "source": {"cell": a}, "target": {"cell": b}}}
    await accepted(editor, add(a), add(b), edge)
    assert (await accepted(editor, remove(a)))["cells"] == [remove(a), remove(flow)]
    assert set(editor.cells) == {b}


async def test_VEC8_a_retry_gets_its_first_outcome_and_is_not_told_again(
    meeting: Meeting, ana: Person, bo: Person
) -> None:
    sender, other = await CodrawV1(meeting, bo).join(), await CodrawV1(meeting, ana).join()
    change = add(cell_id())
    first = await accepted(sender, change)
    await accepted(sender, add(cell_id()))
    again = await accepted(sender, change, operation_id=first["operation_id"])
    assert (again["update_vector"], again["duplicate"]) == (1, True)
    await accepted(sender, add(cell_id()))
    assert [(await other.hear("event"))["update_vector"] for _ in range(3)] == [1, 2, 3]


async def test_VEC9_the_same_id_with_another_payload_is_refused(meeting: Meeting, bo: Person) -> None:
    editor = await CodrawV1(meeting, bo).join()
    first = await accepted(editor, add(cell_id()))
    again = await accepted(editor, add(cell_id()), operation_id=first["operation_id"])
    assert again["reason"] == "operation_id_conflict"
    assert (await meeting.cells())[0] == 1


async def test_VEC10_another_user_s_use_of_an_id_is_independent(meeting: Meeting, ana: Person, bo: Person) -> None:
    first, second = await CodrawV1(meeting, ana).join(), await CodrawV1(meeting, bo).join()
    operation_id = str(uuid4())
    for editor in (first, second):
        assert (await accepted(editor, add(cell_id()), operation_id=operation_id))["duplicate"] is False


async def test_a_conflict_shows_the_present_cell(meeting: Meeting, bo: Person) -> None:
    editor = await CodrawV1(meeting, bo).join()
    await accepted(editor, add(id := cell_id(), label="here"))
    rejected = await accepted(editor, add(id, label="elsewhere"))
    assert (rejected["reason"], rejected["affected_cells"]) == ("conflict_detected", [id])
    assert rejected["current_cells"][0]["label"] == "here"


async def test_OP22_strict_refuses_a_cell_that_somebody_else_changed(meeting: Meeting, ana: Person, bo: Person) -> None:
    one, other = await CodrawV1(meeting, ana).join(), await CodrawV1(meeting, bo).join()
    await accepted(one, add(id := cell_id()))
    await accepted(other, update(id, x=5))
    rejected = await accepted(one, update(id, y=6), base_vector=1, strict=True)
    assert rejected["reason"] == "conflict_detected"
    assert (await accepted(one, update(id, y=6), base_vector=2, strict=True))["changed"]


async def test_WS12_who_reads_is_not_slow_however_much_is_refused(meeting: Meeting, ana: Person, bo: Person) -> None:
    other, editor = await CodrawV1(meeting, ana).join(), await CodrawV1(meeting, bo).join()
    ids = [cell_id() for _ in range(10)]
    for id in ids:
        await accepted(other, add(id, note="x" * 20_000))
    refused = [await editor.edit(*(update(id, x=n) for id in ids), base_vector=0, strict=True) for n in range(30)]
    heard = [await editor.hear("operation_rejected") for _ in refused]
    assert [message["operation_id"] for message in heard] == refused


async def test_S40_a_reader_s_requests_are_refused_by_name(lecture: Meeting, bo: Person) -> None:
    editor = await CodrawV1(lecture, bo).join()
    assert (await accepted(editor, add(cell_id())))["reason"] == "permission_denied"
    await editor.say({"message_type": "undo", "operation_id": str(uuid4()), "ref": "u"})
    rejected = await editor.hear("operation_rejected")
    assert (rejected["reason"], rejected["ref"]) == ("permission_denied", "u")


async def test_undo_and_redo_are_operations_with_receipts(meeting: Meeting, ana: Person, bo: Person) -> None:
    sender, other = await CodrawV1(meeting, bo).join(), await CodrawV1(meeting, ana).join()
    await accepted(sender, add(id := cell_id()))
    before = sender.state_hash()
    await sender.say({"message_type": "undo"})
    undone = await sender.hear("operation_accepted", "operation_rejected")
    assert (undone["kind"], undone["cells"], undone["history"]) == ("undo", [remove(id)], {"undo": 0, "redo": 1})
    await sender.say({"message_type": "redo"})
    await sender.hear("operation_accepted")
    assert sender.state_hash() == before
    assert [(await other.hear("event"))["kind"] for _ in range(3)] == ["edit", "undo", "redo"]
    assert other.state_hash() == before


async def test_WS17_resume_gives_exactly_what_was_missed(
    meeting: Meeting, ana: Person, bo: Person, kind: type[CodrawV1]
) -> None:
    stays, goes = await CodrawV1(meeting, ana).join(), await kind(meeting, bo).join()
    await accepted(goes, add(cell_id()))
    goes.cut()
    for _ in range(3):
        await accepted(stays, add(cell_id()))
    await goes.connect(resume=goes.place)
    resumed = await goes.hear("resumed", "state")
    assert (word(resumed), resumed["from"], resumed["to"], resumed["count"]) == ("resumed", 1, 4, 3)
    assert [(await goes.hear("event"))["update_vector"] for _ in range(3)] == [2, 3, 4]
    assert goes.state_hash() == resumed["state_hash"]
    assert goes.faults == []


@pytest.mark.parametrize("place", ["0000000000000000:0", "{epoch}:99", "nonsense"])
async def test_WS17_a_resume_that_cannot_be_gets_a_full_state(meeting: Meeting, bo: Person, place: str) -> None:
    editor = await CodrawV1(meeting, bo).join()
    await accepted(editor, add(id := cell_id()))
    again = await CodrawV1(meeting, bo).connect(resume=place.format(epoch=editor.epoch))
    assert [cell["id"] for cell in (await again.hear("resumed", "state"))["cells"]] == [id]


async def test_WS17_a_copy_with_a_wrong_hash_is_repaired_by_a_state(meeting: Meeting, bo: Person) -> None:
    editor = await CodrawV1(meeting, bo).join()
    await accepted(editor, add(cell_id()))
    place = {"epoch": editor.epoch, "update_vector": 1}
    await editor.say({"message_type": "resume", **place, "state_hash": "0" * 32})
    assert (await editor.hear("resumed", "state"))["reason"] == "hash_mismatch"
    await editor.say({"message_type": "resume", **place, "state_hash": editor.state_hash()})
    assert (await editor.hear("resumed", "state"))["count"] == 0


async def test_VEC14_a_heartbeat_shows_vector_and_hash(meeting: Meeting, bo: Person, kind: type[CodrawV1]) -> None:
    editor = await kind(meeting, bo).join()
    await accepted(editor, add(cell_id(), label="é€😀", angle=1.5))
    await editor.say({"message_type": "heartbeat", "ref": "h1"})
    heartbeat = await editor.hear("heartbeat")
    assert (heartbeat["ref"], heartbeat["update_vector"]) == ("h1", 1)
    assert heartbeat["state_hash"] == editor.state_hash()


async def test_PR8_everybody_s_awareness_reaches_the_others_and_the_presenter_s_tmi_too(
    meeting: Meeting, ana: Person, bo: Person
) -> None:
    presenter, guest = await CodrawV1(meeting, ana).join(), await CodrawV1(meeting, bo).join()
    tmi = await Tmi(meeting, bo).join()
    await guest.say({"message_type": "awareness", "cursor": {"x": 1, "y": 2}})
    (shown,) = (await presenter.hear("awareness"))["updates"]
    assert shown["cursor"] == {"x": 1, "y": 2}
    await presenter.say({"message_type": "awareness", "cursor": {"x": 3, "y": 4}})
    assert (await tmi.hear("presenter_cursor"))["cursor_position"] == {"x": 3, "y": 4}


async def test_PR9_the_last_of_many_cursors_arrives(meeting: Meeting, ana: Person, bo: Person) -> None:
    sender, other = await CodrawV1(meeting, bo).join(), await CodrawV1(meeting, ana).join()
    for x in range(100):
        await sender.say({"message_type": "awareness", "cursor": {"x": x, "y": 0}})
    while (await other.hear("awareness"))["updates"][0]["cursor"]["x"] != 99:
        pass
    assert sum(word(message) == "awareness" for message in other.trace) < 50


async def test_a_request_without_other_answer_is_done(meeting: Meeting, ana: Person, bo: Person) -> None:
    host, guest = await CodrawV1(meeting, ana).join(), await CodrawV1(meeting, bo).join()
    bo_ = {"provider": "test", "provider_id": "bo"}
    await host.say({"message_type": "presenter", "action": "grant", "user": bo_, "ref": "p1"})
    changed = await guest.hear("presenter")
    assert (changed["action"], changed["presenter"]["provider_id"]) == ("changed", "bo")
    await host.say({"message_type": "remove_participant", "user": bo_, "ref": "r1"})
    while (await host.hear("done", "error")).get("ref") != "r1":
        pass
    code, heard = await guest.closed()
    assert (code, heard[-1]["reason"], heard[-1]["return"]) == (4403, "removed", "no")


async def test_AU11_a_token_is_renewed_in_band(meeting: Meeting, bo: Person) -> None:
    editor = await CodrawV1(meeting, bo).join()
    await editor.say({"message_type": "refresh_token", "access_token": bo.token, "ref": "t"})
    assert (await editor.hear("token_refreshed", "error"))["ref"] == "t"
    await editor.say({"message_type": "refresh_token", "access_token": "forged", "ref": "f"})
    error = await editor.hear("token_refreshed", "error")
    assert (error["error"], error["ref"]) == ("invalid_token", "f")


async def test_S36_a_logout_closes_the_login_s_sockets(meeting: Meeting, bo: Person) -> None:
    editor = await CodrawV1(meeting, bo).join()
    assert (await bo.ask("POST", "/me/logout")).status_code == 204
    code, heard = await editor.closed()
    assert (code, heard[-1]["return"]) == (4401, "reauthenticate")


async def test_WS19_receipts_come_in_the_order_of_requests(meeting: Meeting, bo: Person, kind: type[CodrawV1]) -> None:
    editor = await kind(meeting, bo).join()
    ids = [await editor.edit(add(cell_id())) for _ in range(120)]
    assert [(await editor.hear("operation_accepted"))["operation_id"] for _ in ids] == ids
    assert editor.faults == []


async def test_WS3_every_frame_is_one_object(meeting: Meeting, ana: Person, bo: Person) -> None:
    """Under load too, where frames of one turn are written together: each decodes as exactly one message."""
    sender, other = await CodrawV1(meeting, bo).join(), await Packed(meeting, ana).join()
    for _ in range(60):
        await sender.edit(add(cell_id()))
    while other.vector < 60:
        await other.hear("event")
    assert other.faults == []


async def test_a_message_of_tmi_s_is_understood(meeting: Meeting, bo: Person) -> None:
    editor = await CodrawV1(meeting, bo).join()
    await editor.say({**editor.operation([add(cell_id())]), "message_type": "diagram_operation_request"})
    assert await editor.hear("operation_accepted")


async def test_SES15_the_end_of_the_session_is_a_goodbye(meeting: Meeting, ana: Person, bo: Person) -> None:
    guest = await CodrawV1(meeting, bo).join()
    await ana.ask("DELETE", f"{meeting.path}/collaborate")
    code, heard = await guest.closed()
    assert (code, heard[-1]["reason"], heard[-1]["return"]) == (1000, "host_ended", "no")

"""The dialect of TMI's present clients, on the real server."""

from __future__ import annotations

import httpx2

from tests.support.client import CodrawV1, Tmi, add, cell_id, remove, update
from tests.support.servers import Meeting, Person
from tests.support.wire import word

EVENT = "diagram_operation_event"


def user(person: Person) -> dict[str, str]:
    return {
        "principal_type": "user",
        "provider": "test",
        "provider_id": person.name,
        "email": f"{person.name}@tmi.local",
        "display_name": person.name.capitalize(),
    }


async def test_a_newcomer_sees_the_diagram_and_then_who_is_there(meeting: Meeting, ana: Person, bo: Person) -> None:
    host = await Tmi(meeting, ana).join()
    await host.hear("participants_update")
    guest = await Tmi(meeting, bo).connect()
    state, roster = await guest.hear(), await guest.hear()
    assert state == {"message_type": "diagram_state", "diagram_id": meeting.diagram, "update_vector": 0, "cells": []}
    assert [participant["user"] for participant in roster["participants"]] == [user(ana), user(bo)]
    assert [participant["permissions"] for participant in roster["participants"]] == ["writer", "writer"]
    assert (roster["host"], roster["current_presenter"]) == (user(ana), user(ana))
    assert roster["initiating_user"] is None
    assert len((await host.hear("participants_update"))["participants"]) == 2


async def test_OP19_the_event_is_the_sender_s_receipt(meeting: Meeting, ana: Person, bo: Person) -> None:
    sender, other = await Tmi(meeting, bo).join(), await Tmi(meeting, ana).join()
    operation_id = await sender.edit(add(id := cell_id(), label="A"))
    receipt, event = await sender.hear(EVENT), await other.hear(EVENT)
    assert receipt == event
    assert (event["operation_id"], event["update_vector"], event["sequence_number"]) == (operation_id, 1, 1)
    assert event["initiating_user"] == user(bo)
    (change,) = event["operation"]["cells"]
    assert change["data"] == {"id": id, **add(id, label="A")["data"], "data": {}}


async def test_an_update_shows_the_whole_cell(meeting: Meeting, bo: Person) -> None:
    editor = await Tmi(meeting, bo).join()
    await editor.edit(add(id := cell_id(), label="A"))
    await editor.edit(update(id, position={"x": 7, "y": 8}))
    await editor.hear(EVENT)
    (change,) = (await editor.hear(EVENT))["operation"]["cells"]
    assert (change["data"]["x"], change["data"]["label"], change["data"]["shape"]) == (7, "A", "process")


async def test_OP11_a_no_op_is_answered_to_its_sender_and_to_nobody_else(
    meeting: Meeting, ana: Person, bo: Person
) -> None:
    sender, other = await Tmi(meeting, bo).join(), await Tmi(meeting, ana).join()
    operation_id = await sender.edit(remove(cell_id()))
    echo = await sender.hear(EVENT, "operation_rejected")
    assert (echo["operation_id"], echo["update_vector"]) == (operation_id, 0)
    await sender.edit(add(cell_id()))
    assert (await other.hear(EVENT))["update_vector"] == 1


async def test_VEC8_a_retry_gets_its_event_again_and_nobody_else_does(
    meeting: Meeting, ana: Person, bo: Person
) -> None:
    sender, other = await Tmi(meeting, bo).join(), await Tmi(meeting, ana).join()
    change = add(cell_id())
    operation_id = await sender.edit(change)
    await sender.edit(add(cell_id()))
    await sender.edit(change, operation_id=operation_id)
    assert [(await sender.hear(EVENT))["update_vector"] for _ in range(3)] == [1, 2, 1]
    await sender.edit(add(cell_id()))
    assert [(await other.hear(EVENT))["update_vector"] for _ in range(3)] == [1, 2, 3]


async def test_a_rejection_names_operation_and_reason(meeting: Meeting, bo: Person) -> None:
    editor = await Tmi(meeting, bo).join()
    operation_id = await editor.edit(update(id := cell_id(), x=1))
    rejected = await editor.hear("operation_rejected")
    assert (rejected["operation_id"], rejected["reason"]) == (operation_id, "conflict_detected")
    assert (rejected["affected_cells"], rejected["update_vector"], rejected["requires_resync"]) == ([id], 0, True)


async def test_S40_a_reader_s_operation_is_rejected_by_its_id(lecture: Meeting, bo: Person) -> None:
    editor = await Tmi(lecture, bo).join()
    operation_id = await editor.edit(add(cell_id()))
    rejected = await editor.hear("operation_rejected")
    assert (rejected["operation_id"], rejected["reason"]) == (operation_id, "permission_denied")
    await editor.say({"message_type": "undo_request"})
    assert (await editor.hear("authorization_denied"))["original_operation_id"] == ""


async def test_OP21_an_old_base_vector_rejects_nothing(meeting: Meeting, bo: Person) -> None:
    editor = await Tmi(meeting, bo).join()
    await editor.edit(add(id := cell_id()))
    for x in range(3):
        await editor.edit(update(id, x=x), base_vector=0)
    for _ in range(4):
        await editor.hear(EVENT)
    assert (await meeting.cells())[1][0]["x"] == 2


async def test_OP20_a_sender_whose_copy_is_wrong_now_gets_a_second_event(
    meeting: Meeting, ana: Person, bo: Person
) -> None:
    sender, other = await Tmi(meeting, bo).join(), await Tmi(meeting, ana).join()
    await sender.edit(add(id := cell_id()))
    await other.hear(EVENT)
    await other.edit(update(id, x=50))
    await other.hear(EVENT)
    operation_id = await sender.edit(update(id, x=60), base_vector=1)
    receipts = [await sender.hear(EVENT) for _ in range(4)]
    own, correction = receipts[2:]
    assert (own["operation_id"], own["update_vector"]) == (operation_id, 3)
    assert correction["update_vector"] == 3
    assert correction["operation_id"] != operation_id
    assert correction["initiating_user"]["provider"] == "codraw"
    assert correction["operation"]["cells"][0]["data"]["x"] == 60


async def test_OP4_edges_of_a_removed_node_are_listed(meeting: Meeting, ana: Person, bo: Person) -> None:
    sender, other = await Tmi(meeting, bo).join(), await Tmi(meeting, ana).join()
    a, b, flow = cell_id(), cell_id(), cell_id()
    edge = {"id": flow, "operation": "add", "data": {"shape": "flow", "source": {"cell": a}, "target": {"cell": b}}}
    await sender.edit(add(a), add(b), edge)
    await sender.edit(remove(a))
    await other.hear(EVENT)
    event = await other.hear(EVENT)
    assert [(change["id"], change["operation"]) for change in event["operation"]["cells"]] == [
        (a, "remove"),
        (flow, "remove"),
    ]


async def test_UN12_the_requester_of_an_undo_gets_the_state_and_others_the_event(
    meeting: Meeting, ana: Person, bo: Person
) -> None:
    sender, other = await Tmi(meeting, bo).join(), await Tmi(meeting, ana).join()
    await sender.edit(add(id := cell_id()))
    await sender.hear(EVENT)
    await sender.say({"message_type": "undo_request"})
    assert (await sender.hear("diagram_state"))["cells"] == []
    await other.hear(EVENT)
    undone = await other.hear(EVENT)
    assert undone["initiating_user"] == user(bo)
    assert undone["operation"]["cells"] == [remove(id)]


class App(Tmi):
    """As TMI's web app comes in: its ticket is fetched with cookies."""

    async def credential(self) -> dict[str, str]:
        cookies = {"tmi_access_token": self.person.token}
        async with httpx2.AsyncClient(base_url=self.meeting.server.http, cookies=cookies) as http:
            answer = await http.get("/ws/ticket", params={"session_id": self.meeting.session})
        return {"ticket": answer.json()["ticket"]}


async def test_UN12_TMI_s_web_app_gets_its_undo_in_the_server_s_name_in_all_its_windows(
    meeting: Meeting, ana: Person, bo: Person
) -> None:
    sender, twin, other = await App(meeting, bo).join(), await App(meeting, bo).join(), await Tmi(meeting, ana).join()
    await sender.edit(add(id := cell_id()))
    await sender.hear(EVENT)
    await twin.hear(EVENT)
    await sender.say({"message_type": "undo_request"})
    for window in (sender, twin):
        undone = await window.hear(EVENT, "diagram_state")
        assert (word(undone), undone["update_vector"]) == (EVENT, 2)
        assert undone["initiating_user"]["provider"] == "codraw"
        assert undone["operation"]["cells"] == [remove(id)]
    await other.hear(EVENT)
    assert (await other.hear(EVENT))["initiating_user"] == user(bo)


async def test_presenting_is_asked_denied_and_changed(meeting: Meeting, ana: Person, bo: Person) -> None:
    host, guest = await Tmi(meeting, ana).join(), await Tmi(meeting, bo).join()
    await guest.say({"message_type": "presenter_request"})
    assert (await host.hear("presenter_request_event"))["requesting_user"] == user(bo)
    await host.say({"message_type": "presenter_denied_request", "denied_user": user(bo)})
    assert (await guest.hear("presenter_denied_event"))["denied_user"] == user(bo)
    await host.say({"message_type": "change_presenter_request", "new_presenter": user(bo)})
    while (await guest.hear("participants_update"))["current_presenter"] != user(bo):
        pass


async def test_WS22_a_guest_s_moderation_is_a_notice_and_no_end(meeting: Meeting, ana: Person, bo: Person) -> None:
    await Tmi(meeting, ana).join()
    guest = await Tmi(meeting, bo).join()
    await guest.say({"message_type": "change_presenter_request", "new_presenter": user(bo)})
    assert (await guest.hear("error"))["error"] == "permission_denied"
    await guest.say({"message_type": "sync_status_request"})
    assert await guest.hear("sync_status_response")


async def test_SES18_whoever_is_ejected_is_told_and_the_others_see_by_whom(
    meeting: Meeting, ana: Person, bo: Person
) -> None:
    host, guest = await Tmi(meeting, ana).join(), await Tmi(meeting, bo).join()
    await host.say({"message_type": "remove_participant_request", "removed_user": user(bo)})
    code, heard = await guest.closed()
    assert (code, heard[-1]["error"]) == (4403, "removed_from_session")
    while (await host.hear("participants_update"))["initiating_user"] is None:
        pass
    assert host.trace[-1]["initiating_user"] == user(ana)
    assert (await bo.ask("GET", f"/ws/ticket?session_id={meeting.session}")).status_code == 403


async def test_SES6_a_guest_s_DELETE_only_leaves(meeting: Meeting, ana: Person, bo: Person) -> None:
    host, guest = await Tmi(meeting, ana).join(), await Tmi(meeting, bo).join()
    assert (await bo.ask("DELETE", f"{meeting.path}/collaborate")).status_code == 204
    code, _ = await guest.closed()
    assert code == 1000
    while len((await host.hear("participants_update"))["participants"]) != 1:
        pass


async def test_SES15_the_end_of_the_session_is_an_error_frame_and_1000(
    meeting: Meeting, ana: Person, bo: Person
) -> None:
    guest = await Tmi(meeting, bo).join()
    await ana.ask("DELETE", f"{meeting.path}/collaborate")
    code, heard = await guest.closed()
    assert (code, heard[-1]["error"]) == (1000, "session_terminated")
    assert [word(message) for message in heard].count("error") == 1


async def test_a_change_by_REST_is_an_event_for_live_sockets(meeting: Meeting, ana: Person, bo: Person) -> None:
    guest = await Tmi(meeting, bo).join()
    operation = CodrawV1(meeting, ana).operation([add(cell_id())])
    receipt = await ana.post(f"{meeting.path}/operations", operation)
    assert receipt["update_vector"] == 1
    assert (await guest.hear(EVENT))["initiating_user"] == user(ana)


async def test_VEC7_after_a_receipt_a_GET_shows_the_change(meeting: Meeting, bo: Person) -> None:
    editor = await Tmi(meeting, bo).join()
    for n in range(10):
        await editor.edit(add(cell_id()))
        vector = (await editor.hear(EVENT))["update_vector"]
        assert vector == n + 1
        assert (await meeting.cells())[0] >= vector

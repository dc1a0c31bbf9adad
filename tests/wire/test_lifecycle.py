"""Who is told what when people come, go and are lost, in each dialect: whole frames, of every socket that is there."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from tests.support.client import Classic, CodrawV1, Editor, Message, Tmi, add, cell_id
from tests.support.servers import Meeting, Person, Server, meet, sign_in
from tests.support.tabs import (
    ALL_THREE,
    DIALECTS,
    Tabs,
    current_presenter,
    ending,
    event,
    heard,
    mail,
    participants,
    participants_update,
    ref,
    tabs,
    timeless,
    user,
)
from tests.support.wire import word


def by_dialect(kind: type[Editor], classic: Any, tmi: Any, v1: Any) -> Any:
    return {Classic: classic, Tmi: tmi, CodrawV1: v1}[kind]


# coming and going -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", DIALECTS)
async def test_WS14_a_newcomers_first_frames_are_its_state_and_then_who_is_there(
    meeting: Meeting, ana: Person, bo: Person, kind: type[Editor]
) -> None:
    await Tmi(meeting, ana).join()
    newcomer = await kind(meeting, bo).connect()
    first, *rest = await heard(newcomer)
    roster = participants(("ana", ["tmi"]), ("bo", [kind.dialect]), joined=[])
    empty = {"diagram_id": meeting.diagram, "update_vector": 0, "cells": []}
    if kind is CodrawV1:
        state = rest.pop(0)
        assert (word(first), word(state), state["cells"], state["reason"]) == ("welcome", "state", [], "joined")
        assert (first["session"]["presenter"], first["session"]["presenter_term"]) == (user("ana"), 1)
    else:
        assert first == by_dialect(
            kind, {"message_type": "diagram_state_sync", **empty}, {"message_type": "diagram_state", **empty}, None
        )
    assert rest == by_dialect(kind, [current_presenter("ana")], [participants_update("ana", "bo")], [roster])


@pytest.mark.parametrize("kind", DIALECTS)
async def test_WS11_a_join_is_told_to_the_others_once(
    meeting: Meeting, ana: Person, bo: Person, kind: type[Editor]
) -> None:
    others = await tabs(meeting, ana)
    await kind(meeting, bo).join()
    assert await others.heard() == (
        [event("join", "bo")],
        [participants_update("ana", "bo")],
        [participants(("ana", ALL_THREE), ("bo", [kind.dialect]), joined=["bo"])],
    )
    await kind(meeting, bo).join()
    assert await others.heard() == ([], [], [participants(("ana", ALL_THREE), ("bo", [kind.dialect] * 2))])


@pytest.mark.parametrize("how", [1000, 1001, "cut"])
@pytest.mark.parametrize("kind", DIALECTS)
async def test_WS11_a_leave_is_told_with_the_last_socket(
    meeting: Meeting, ana: Person, bo: Person, kind: type[Editor], how: int | str
) -> None:
    others = await tabs(meeting, ana)
    first, last = await kind(meeting, bo).join(), await kind(meeting, bo).join()
    await others.heard()
    await go(first, how)
    await others.v1.hear("participants")
    assert await others.heard() == ([], [], [participants(("ana", ALL_THREE), ("bo", [kind.dialect]))])
    await go(last, how)
    await others.v1.hear("participants")
    assert await others.heard() == (
        [event("leave", "bo")],
        [participants_update("ana")],
        [participants(("ana", ALL_THREE), left=["bo"])],
    )


async def go(editor: Editor, how: int | str) -> None:
    if isinstance(how, int):
        await editor.leave(how)
    else:
        editor.cut()


@pytest.mark.parametrize("kind", DIALECTS)
async def test_PR5_the_presenters_leave_and_who_presents_now_are_told_together(
    meeting: Meeting, ana: Person, bo: Person, kind: type[Editor]
) -> None:
    others = await tabs(meeting, ana)
    presenter = await kind(meeting, bo).join()
    await others.tmi.say({"message_type": "change_presenter_request", "new_presenter": user("bo")})
    await others.v1.hear("presenter")
    await others.heard()
    await presenter.leave()
    await others.v1.hear("participants")
    assert await others.heard() == (
        [event("leave", "bo"), current_presenter("ana")],
        [participants_update("ana")],
        [participants(("ana", ALL_THREE), left=["bo"], term=3)],
    )


@pytest.mark.parametrize("kind", DIALECTS)
async def test_SES11_PR1_a_host_who_has_not_come_yet_is_absent_and_presents(
    meeting: Meeting, bo: Person, kind: type[Editor]
) -> None:
    frames = await heard(await kind(meeting, bo).connect())
    absent = participants(("bo", ["codraw.v1"]), host_state="absent")
    assert frames[-1] == by_dialect(kind, current_presenter("ana"), participants_update("bo"), absent)


# the host goes --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("how", [1001, "cut"])
@pytest.mark.parametrize("kind", DIALECTS)
async def test_SES10_a_host_who_is_away_and_returns_is_seen_by_codraw_v1_only(
    meeting: Meeting, ana: Person, bo: Person, kind: type[Editor], how: int | str
) -> None:
    host, others = await kind(meeting, ana).join(), await tabs(meeting, bo)
    await go(host, how)
    await others.v1.hear("participants")
    away = participants(("bo", ALL_THREE), ("ana", []), host_state="away")
    assert await others.heard() == ([], [], [away])
    await kind(meeting, ana).join()
    await others.settled()
    assert await others.heard() == ([], [], [participants(("bo", ALL_THREE), ("ana", [kind.dialect]))])
    assert (await ana.get(f"{meeting.path}/collaborate"))["session_id"] == meeting.session


HOST_LEFT = "Session ended: host has left"
HOST_ENDED = "Session ended: host has ended it"
OWNER_ENDED = "Session ended: an owner has ended it"
DIAGRAM_DELETED = "Session ended: diagram was deleted"
MODEL_DELETED = "Session ended: threat model was deleted"


def session_ended(message: str) -> Message:
    return {"event": "session_ended", "user_id": mail("ana"), "message": message, "timestamp": "T"}


def error(error: str, message: str) -> Message:
    return {"message_type": "error", "error": error, "message": message, "timestamp": "T"}


def goodbye(code: int, reason: str, message: str) -> Message:
    return {"message_type": "goodbye", "code": code, "reason": reason, "message": message, "return": "no"}


def over(reason: str, message: str, tmi: str = "session_terminated") -> list[tuple[int, Message]]:
    return [
        (1000, session_ended(message)),
        (1000, error(tmi, message)),
        (1000, goodbye(1000, reason, message)),
    ]


@pytest.mark.parametrize("kind", DIALECTS)
async def test_SES9_SES15_a_host_who_closes_ends_the_session_by_one_frame(
    meeting: Meeting, ana: Person, bo: Person, kind: type[Editor]
) -> None:
    host, others = await kind(meeting, ana).join(), await tabs(meeting, bo)
    await host.leave(1000)
    assert await others.ends() == over("host_left", HOST_LEFT)
    assert (await bo.ask("GET", f"{meeting.path}/collaborate")).status_code == 404


async def test_SES9_PR5_where_a_host_may_leave_the_next_writer_hosts_and_presents(tmp_path: Path) -> None:
    with Server(tmp_path, host_leave_ends="false") as server:
        meeting = await meet(await sign_in(server, "ana"))
        host, others = await Tmi(meeting, meeting.host).join(), await tabs(meeting, await sign_in(server, "bo"))
        await host.leave(1000)
        await others.v1.hear("participants")
        assert await others.heard() == (
            [event("leave", "ana"), current_presenter("bo")],
            [participants_update("bo", host="bo", presenter="bo")],
            [participants(("bo", ALL_THREE), host="bo", presenter="bo", term=2, left=["ana"])],
        )
        former = await Tmi(meeting, meeting.host).join()
        await others.heard()
        await others.v1.say({"message_type": "remove_participant", "user": {"provider": "test", "provider_id": "ana"}})
        assert (await ending(former))[0] == 4403
        await meeting.over()


async def test_SES6_SES15_a_DELETE_by_the_host_ends_the_session_by_one_frame(
    meeting: Meeting, ana: Person, bo: Person
) -> None:
    hosts, others = await tabs(meeting, ana), await tabs(meeting, bo)
    assert (await ana.ask("DELETE", f"{meeting.path}/collaborate")).status_code == 204
    assert await others.ends() == await hosts.ends() == over("host_ended", HOST_ENDED)


async def test_SES6_SES15_a_DELETE_by_an_owner_ends_it_only_if_it_says_so(
    meeting: Meeting, ana: Person, bo: Person
) -> None:
    entry = {"subject": mail("bo"), "subject_type": "user", "role": "owner"}
    await ana.post(f"/threat_models/{meeting.threat_model}/authorization", entry)
    hosts, owners = await tabs(meeting, ana), await tabs(meeting, bo)
    await hosts.heard()
    await bo.ask("DELETE", f"{meeting.path}/collaborate")
    left = "you left the session"
    assert await owners.ends() == [(1000, None), (1000, None), (1000, goodbye(1000, "left", left))]
    again = await tabs(meeting, bo)
    await bo.ask("DELETE", f"{meeting.path}/collaborate?end=true")
    assert await again.ends() == await hosts.ends() == over("owner_ended", OWNER_ENDED)


async def test_SES6_a_DELETE_by_a_guest_is_a_leave(meeting: Meeting, ana: Person, bo: Person) -> None:
    hosts, guest = await tabs(meeting, ana), await tabs(meeting, bo)
    await hosts.heard()
    await bo.ask("PUT", f"{meeting.path}/collaborate")
    await bo.ask("DELETE", f"{meeting.path}/collaborate")
    left = "you left the session"
    assert await guest.ends() == [(1000, None), (1000, None), (1000, goodbye(1000, "left", left))]
    classic, tmi, v1 = await hosts.heard()
    assert (classic, tmi) == ([event("leave", "bo")], [participants_update("ana")])
    assert v1[-1] == participants(("ana", ALL_THREE), left=["bo"])
    assert [one["user_id"] for one in (await ana.get(f"{meeting.path}/collaborate"))["participants"]] == [mail("ana")]


@pytest.mark.parametrize(
    ("below", "reason", "tmi"),
    [("diagram", DIAGRAM_DELETED, "diagram_not_found"), ("threat model", MODEL_DELETED, "threat_model_not_found")],
)
async def test_SES21_SES15_a_deletion_ends_the_session_by_one_frame(
    meeting: Meeting, ana: Person, bo: Person, below: str, reason: str, tmi: str
) -> None:
    others = await tabs(meeting, bo)
    await ana.ask("DELETE", meeting.path if below == "diagram" else f"/threat_models/{meeting.threat_model}")
    assert await others.ends() == over("diagram_deleted", reason, tmi)


async def test_SES12_a_server_that_stops_sends_everybody_away_to_return(tmp_path: Path) -> None:
    with Server(tmp_path) as server:
        meeting = await meet(await sign_in(server, "ana"))
        hosts, guest = await tabs(meeting, meeting.host), await tabs(meeting, await sign_in(server, "bo"))
        stopped = asyncio.ensure_future(asyncio.to_thread(server.stop))
        ends = [*await guest.ends(), *await hosts.ends()]
        waits_ms = [last.pop("retry_after_ms") for _, last in ends if last is not None]
        message = {**goodbye(1012, "restart", "server restarts"), "return": "yes"}
        assert ends == [(1012, None), (1012, None), (1012, message)] * 2
        assert all(500 <= wait_ms <= 3_000 for wait_ms in waits_ms)
        assert await stopped == 0
        server.start()
        back = await tabs(meeting, meeting.host)
        assert (await heard(await Tmi(meeting, guest.v1.person).connect()))[-1] == participants_update("ana", "bo")
        assert len(await back.heard()) == 3
        await meeting.over()


async def test_SES15_what_was_accepted_before_the_end_is_told_before_it(
    meeting: Meeting, ana: Person, bo: Person
) -> None:
    host, other = await CodrawV1(meeting, ana).join(), await CodrawV1(meeting, bo).join()
    for _ in range(5):
        await host.edit(add(cell_id()))
    await host.leave(1000)
    code, messages = await other.closed()
    told = [word(message) for message in messages if word(message) in ("event", "goodbye")]
    assert (code, told) == (1000, ["event"] * 5 + ["goodbye"])


async def test_SES16_a_later_session_takes_in_whom_the_host_had_removed(
    meeting: Meeting, ana: Person, bo: Person
) -> None:
    hosts, guest = await tabs(meeting, ana), await tabs(meeting, bo)
    await hosts.classic.say({"message_type": "remove_participant", "target_user": mail("bo")})
    await guest.ends()
    await ana.ask("DELETE", f"{meeting.path}/collaborate")
    first, meeting.session = meeting.session, (await bo.post(f"{meeting.path}/collaborate"))["session_id"]
    assert meeting.session != first
    again = await tabs(meeting, bo)
    await again.v1.edit(add(cell_id()))
    assert (await again.v1.hear("operation_accepted", "operation_rejected"))["message_type"] == "operation_accepted"


# ejection -------------------------------------------------------------------------------------------------------------


BO_ = {"provider": "test", "provider_id": "bo"}
REMOVED = "the host removed you from the session"
EJECTIONS: dict[type[Editor], Message] = {
    Classic: {"message_type": "remove_participant", "target_user": mail("bo")},
    Tmi: {"message_type": "remove_participant_request", "removed_user": user("bo")},
    CodrawV1: {"message_type": "remove_participant", "user": BO_},
}


@pytest.mark.parametrize("presenting", [False, True])
@pytest.mark.parametrize("kind", DIALECTS)
async def test_SES18_all_sockets_of_the_ejected_are_told_and_the_others_see_the_leave(
    meeting: Meeting, ana: Person, bo: Person, kind: type[Editor], presenting: bool
) -> None:
    hosts, guest = await tabs(meeting, ana), await tabs(meeting, bo)
    if presenting:
        await hosts.tmi.say({"message_type": "change_presenter_request", "new_presenter": user("bo")})
        await hosts.v1.hear("presenter")
    await hosts.heard()
    await hosts.of(kind).say(EJECTIONS[kind])
    assert await guest.ends() == [
        (1000, {**error("removed_from_session", REMOVED), "details": {}}),
        (4403, error("removed_from_session", REMOVED)),
        (4403, goodbye(4403, "removed", REMOVED)),
    ]
    assert await hosts.heard() == (
        [event("leave", "bo"), *([current_presenter("ana")] if presenting else [])],
        [participants_update("ana", by="ana")],
        [participants(("ana", ALL_THREE), left=["bo"], term=3 if presenting else 1)],
    )


async def test_SES18_S45_the_ejected_come_back_by_no_door_and_write_by_none(
    meeting: Meeting, ana: Person, bo: Person
) -> None:
    host, guest = await CodrawV1(meeting, ana).join(), await tabs(meeting, bo)
    saved = [await meeting.ticket(bo) for _ in range(2)]
    await host.say({**EJECTIONS[CodrawV1], "ref": "r"})
    await host.hear("done")
    await guest.ends()
    denied = {"original_operation_id": "", "reason": "insufficient_permissions"}
    no_access = "you have no access to this session"
    turned_away = (4403, error("access_denied", no_access))
    for kind, credential, expected in (
        (Classic, {"token": bo.token}, (1000, {"message_type": "authorization_denied", **denied})),
        (Tmi, {"ticket": saved[0]}, turned_away),
        (Tmi, {"token": bo.token, "session_id": meeting.session}, turned_away),
        (CodrawV1, {"ticket": saved[1]}, (4403, goodbye(4403, "access_revoked", no_access))),
    ):
        assert await ending(await bearing(kind, credential)(meeting, bo).connect()) == expected
    for method, path, body in (
        ("PUT", f"{meeting.path}/collaborate", None),
        ("POST", f"{meeting.path}/collaborate", None),
        ("GET", f"/ws/ticket?session_id={meeting.session}", None),
        ("POST", f"{meeting.path}/operations", guest.v1.operation([add(cell_id())])),
        ("PUT", f"/diagrams/{meeting.diagram}/cells", {"cells": []}),
        ("PATCH", meeting.path, {"cells": [add(cell_id())["data"] | {"id": cell_id()}]}),
    ):
        matching = {"If-Match": '"0"'} if method in ("PUT", "PATCH") and "collaborate" not in path else {}
        assert (await bo.ask(method, path, body, **matching)).status_code == 403, (method, path)
    for path in (meeting.path, f"{meeting.path}/collaborate"):
        assert (await bo.ask("GET", path)).status_code == 200
    assert await meeting.cells() == (0, [])


def bearing(kind: type[Editor], credential: dict[str, str]) -> type[Editor]:
    """An editor who comes in by this credential."""

    async def bears(editor: Editor) -> dict[str, str]:
        return credential

    return type(kind.__name__, (kind,), {"credential": bears})


# rights and logins ----------------------------------------------------------------------------------------------------


async def everyones_entry(meeting: Meeting) -> str:
    path = f"/threat_models/{meeting.threat_model}/authorization"
    entries = (await meeting.host.get(path))["items"]
    index = next(n for n, entry in enumerate(entries) if entry["subject_type"] == "group")
    return f"{path}/{index}"


async def test_AU15_WS16_who_may_not_read_any_more_is_told_so_and_the_others_see_the_leave(
    meeting: Meeting, ana: Person, bo: Person
) -> None:
    hosts, guest = await tabs(meeting, ana), await tabs(meeting, bo)
    await hosts.heard()
    assert (await ana.ask("DELETE", await everyones_entry(meeting))).status_code == 204
    why = "you have no access to this session"
    denied = {"original_operation_id": "", "reason": "insufficient_permissions"}
    assert await guest.ends() == [
        (1000, {"message_type": "authorization_denied", **denied}),
        (4403, error("access_denied", why)),
        (4403, goodbye(4403, "access_revoked", why)),
    ]
    classic, tmi, v1 = await hosts.heard()
    assert (classic, tmi) == ([event("leave", "bo")], [participants_update("ana")])
    assert v1[-1] == participants(("ana", ALL_THREE), left=["bo"])


async def test_AU15_who_may_not_write_any_more_stays_and_is_shown_as_reader(
    meeting: Meeting, ana: Person, bo: Person
) -> None:
    hosts, guest = await tabs(meeting, ana), await tabs(meeting, bo)
    await hosts.heard()
    assert (await ana.ask("PUT", await everyones_entry(meeting), {"role": "reader"})).status_code == 200
    while (roster := await hosts.v1.hear("participants"))["participants"][1]["role"] != "reader":
        pass
    seen = participants_update("ana", "bo")
    seen["participants"][1]["permissions"] = "reader"
    assert await hosts.heard() == ([], [seen], [timeless(roster)])
    assert (await guest.heard())[:2] == ([], [seen])
    await guest.tmi.edit(add(cell_id()))
    assert (await guest.tmi.hear("operation_rejected", "diagram_operation_event"))["reason"] == "permission_denied"


async def test_AU12_WS16_a_logout_closes_the_logins_sockets_by_one_frame(
    meeting: Meeting, ana: Person, bo: Person
) -> None:
    hosts, guest = await tabs(meeting, ana), await tabs(meeting, bo)
    await hosts.heard()
    assert (await bo.ask("POST", "/me/logout")).status_code == 204
    why = "your token expired or was revoked"
    assert await guest.ends() == [
        (1000, {**error("token_expired", why), "details": {}}),
        (4401, error("token_expired", why)),
        (4401, {**goodbye(4401, "token_expired", why), "return": "reauthenticate"}),
    ]
    classic, tmi, v1 = await hosts.heard()
    assert (classic, tmi) == ([event("leave", "bo")], [participants_update("ana")])
    assert v1[-1] == participants(("ana", ALL_THREE), left=["bo"])


# several tabs of one user ---------------------------------------------------------------------------------------------


SERVER = {
    "principal_type": "user",
    "provider": "codraw",
    "provider_id": "server",
    "email": "server@codraw.invalid",
    "display_name": "codraw",
}


def own(others: Tabs, operation_id: str, change: Message, kind: str = "edit") -> tuple[list[Message], ...]:
    """What bo's other tabs are shown of bo's first operation, an add."""
    cell = {"id": change["id"], **change["data"]}
    classic: Message = {"message_type": "diagram_operation", "user_id": mail("bo"), "operation_id": operation_id}
    tmi = {
        "message_type": "diagram_operation_event",
        "initiating_user": SERVER,
        "operation_id": operation_id,
        "sequence_number": 1,
        "update_vector": 1,
        "operation": {"type": "patch", "cells": [{**change, "data": {**cell, "data": {}}}]},
    }
    v1 = {
        "message_type": "event",
        "epoch": others.v1.epoch,
        "update_vector": 1,
        "operation_id": operation_id,
        "by": ref("bo"),
        "kind": kind,
        "operation": {"type": "patch", "cells": [{**change, "data": cell}]},
        "at": "T",
        "history": {"undo": 1, "redo": 0},
    }
    correction = {"message_type": "state_correction", "update_vector": 1}
    return [{**classic, "operation": {"type": "patch", "cells": [change]}}, correction], [tmi], [v1]


@pytest.mark.parametrize("kind", DIALECTS)
async def test_E8_an_edit_of_one_tab_reaches_the_others_in_their_dialect(
    meeting: Meeting, bo: Person, kind: type[Editor]
) -> None:
    sender, others = await kind(meeting, bo).join(), await tabs(meeting, bo)
    operation_id = await sender.edit(change := add(cell_id(), label="A"))
    await others.v1.hear("event")
    assert await others.heard() == own(others, operation_id, change)


async def test_E8_an_operation_by_REST_reaches_the_tabs_of_its_own_user(meeting: Meeting, bo: Person) -> None:
    others = await tabs(meeting, bo)
    operation = others.v1.operation([change := add(cell_id(), label="A")])
    await bo.post(f"{meeting.path}/operations", operation)
    assert await others.heard() == own(others, operation["operation_id"], change, "rest")


async def test_E8_a_classic_tab_is_sent_to_fetch_at_most_once_a_second(meeting: Meeting, bo: Person) -> None:
    sender, other = await CodrawV1(meeting, bo).join(), await Classic(meeting, bo).join()
    await heard(other)
    for _ in range(5):
        await sender.edit(add(cell_id()))
    while (await other.hear("state_correction"))["update_vector"] != 5:
        pass
    told = [word(message) for message in other.trace]
    assert told.count("state_correction") < told.count("diagram_operation") == 5


# sessions as REST shows them ------------------------------------------------------------------------------------------


async def listed(meeting: Meeting) -> list[str]:
    body = await meeting.host.get(f"{meeting.path}/collaborate")
    return [one["user_id"].partition("@")[0] for one in body["participants"]]


async def test_SES17_SES20_who_was_there_and_left_is_not_listed_as_expected(meeting: Meeting, bo: Person) -> None:
    """The minute in which a caller of PUT is listed ends when that caller connects."""
    host = await CodrawV1(meeting, meeting.host).join()
    await bo.ask("PUT", f"{meeting.path}/collaborate")
    assert await listed(meeting) == ["ana", "bo"]
    guest = await CodrawV1(meeting, bo).join()
    assert await listed(meeting) == ["ana", "bo"]
    await guest.leave()
    while (await host.hear("participants"))["left"] == []:
        pass
    assert await until_listed(meeting, ["ana"])


async def test_SES6_SES17_who_takes_a_join_back_is_not_listed(meeting: Meeting, bo: Person) -> None:
    await CodrawV1(meeting, meeting.host).join()
    await bo.ask("PUT", f"{meeting.path}/collaborate")
    await bo.ask("DELETE", f"{meeting.path}/collaborate")
    assert await listed(meeting) == ["ana"]


async def until_listed(meeting: Meeting, names: list[str]) -> bool:
    for _ in range(100):
        if await listed(meeting) == names:
            return True
    return False

"""Participants of one diagram on several workers: nothing tells them so."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import msgspec
import pytest

from collab.core import apply
from collab.core.difference import Difference, difference
from collab.core.meeting import Leave, Session
from collab.core.state import RoomSettings
from collab.headwatch import SLICES
from collab.room_task import IN_FULL
from protocol.cells import canonical_cells
from protocol.intents import Replace
from protocol.notices import Accepted
from protocol.statehash import canonical_bytes
from protocol.values import Caller, Limits, OperationId, RoleAt
from tests.support.drawing import node
from tests.support.premises import person
from tests.support.wire import Line, word
from tests.support.workers import BadHub, Workers, names, workers


@pytest.fixture
async def two(tmp_path: Path) -> AsyncIterator[Workers]:
    async with workers(tmp_path) as two:
        await two[0].open_session()
        yield two


def adding(**more: Any) -> dict[str, Any]:
    id = str(uuid4())
    cell = {"id": id, "shape": "process", "x": 0, "y": 0, "width": 100, "height": 60, **more}
    return {
        "message_type": "operation",
        "operation_id": str(uuid4()),
        "operation": {"type": "patch", "cells": [{"id": id, "operation": "add", "data": cell}]},
    }


def everything(cells: int) -> Replace:
    """So many cells of a kilobyte each, in place of whatever there is."""
    listed = [node(f"n{n}", label="x" * 1_000) for n in range(cells)]
    canonical = canonical_cells(listed, free_ids=True, limits=Limits())
    texts = tuple(map(canonical_bytes, canonical))
    return Replace(OperationId(str(uuid4())), canonical, texts, b"all of them")


@pytest.mark.parametrize("deaf", [False, True], ids=["by news", "from the log"])
async def test_I18_what_another_worker_did_to_many_cells_is_compared_beside_the_event_loop(
    two: Workers, monkeypatch: pytest.MonkeyPatch, deaf: bool
) -> None:
    bo = await two[1].present("bo")
    ana, threads = Caller(person("ana")), list[threading.Thread]()

    def noting(*args: Any) -> Difference | None:
        threads.append(threading.current_thread())
        return difference(*args)

    monkeypatch.setattr(apply, "difference", noting)
    two.hub.deaf = deaf
    role = await two[0].ports.authorizer.role(ana, two[0].diagram)
    assert isinstance(role, RoleAt)
    wanted = everything(400)
    assert isinstance(await two[0].rooms.submit(two[0].diagram, ana, role, wanted), Accepted)
    if deaf:
        await two.look()
    told = await bo.hear("event")
    assert (told["update_vector"], len(told["operation"]["cells"])) == (1, 400)
    assert threads and threading.main_thread() not in threads


async def ids(line: Line, field: str) -> list[str]:
    """Of whom the next roster says that they came or went."""
    heard = await line.hear("participants")
    return [one["id"] for one in heard[field]]


async def test_I2_an_edit_on_one_worker_is_an_event_on_the_other(two: Workers) -> None:
    ana, bo = await two[0].present("ana"), await two[1].present("bo")
    edit = adding()
    ana.say(edit)
    receipt = await ana.hear("operation_accepted")
    event = await bo.hear("event")
    assert event["operation_id"] == edit["operation_id"]
    assert event["update_vector"] == receipt["update_vector"] == 1


async def test_WS11_a_newcomer_is_shown_who_is_at_other_workers(two: Workers) -> None:
    ana = await two[0].present("ana")
    bo = await two[1].present("bo")
    assert names(bo.first) == ["ana1", "bo1"]
    assert await ids(ana, "joined") == ["test:bo"]
    assert bo.first["host_state"] == "here"


async def test_WS11_a_join_and_a_leave_are_told_for_the_first_and_the_last_socket_over_all_workers(
    two: Workers,
) -> None:
    ana, bo = await two[0].present("ana"), await two[1].present("bo")
    assert await ids(ana, "joined") == ["test:bo"]
    again = await two[0].present("bo")
    heard = await ana.hear("participants")
    assert (heard["joined"], names(heard)) == ([], ["ana1", "bo2"])
    bo.leave(code=1000, reason="")
    heard = await ana.hear("participants")
    assert (heard["left"], names(heard)) == ([], ["ana1", "bo1"])
    again.leave(code=1000, reason="")
    heard = await ana.hear("participants")
    assert ([one["id"] for one in heard["left"]], names(heard)) == (["test:bo"], ["ana1"])


# sessions -------------------------------------------------------------------------------------------------------------


async def test_AU9_a_ticket_fetched_from_one_worker_works_once_among_all(two: Workers) -> None:
    ticket = await two[0].ticket("bo")
    line = Line(two[1].endpoint, two[1].path, {"ticket": ticket, "dialect": "codraw.v1"})
    assert word(await line.hear()) == "welcome"
    again = Line(two[0].endpoint, two[0].path, {"ticket": ticket, "dialect": "codraw.v1"})
    assert (await again.refusal())[0] == 401


async def test_I17_a_client_resumes_at_another_worker_where_it_stood(two: Workers) -> None:
    ana = await two[0].present("ana")
    ana.say(adding())
    epoch = (await ana.hear("operation_accepted"))["epoch"]
    for _ in range(2):
        ana.say(adding())
        await ana.hear("operation_accepted")
    back = await two[1].line("ana", resume=f"{epoch}:1")
    await back.hear("resumed")
    assert [(await back.hear("event"))["update_vector"] for _ in range(2)] == [2, 3]


async def test_I14_UN7_an_edit_is_undone_at_another_worker(two: Workers) -> None:
    ana, bo = await two[0].present("ana"), await two[1].present("bo")
    ana.say(adding())
    await ana.hear("operation_accepted")
    ana_2 = await two[1].present("ana")
    ana_2.say({"message_type": "undo"})
    undone = await ana_2.hear("operation_accepted")
    assert (undone["kind"], undone["update_vector"], undone["history"]) == ("undo", 2, {"undo": 0, "redo": 1})
    assert (await ana.hear("event"))["kind"] == "undo"
    assert [(await bo.hear("event"))["kind"] for _ in range(2)] == ["edit", "undo"]


async def test_UN6_an_entry_that_was_used_up_at_one_worker_is_used_up_at_the_other(two: Workers) -> None:
    bo, bo_2, ana = await two[0].present("bo"), await two[1].present("bo"), await two[1].present("ana")
    edit = adding()
    bo.say(edit)
    await bo.hear("operation_accepted")
    cell = edit["operation"]["cells"][0]["id"]
    await ana.hear("event")
    ana.say(
        {
            "message_type": "operation",
            "operation_id": str(uuid4()),
            "operation": {"type": "patch", "cells": [{"id": cell, "operation": "remove"}]},
        }
    )
    await ana.hear("operation_accepted")
    for _ in range(2):
        await bo_2.hear("event")
    bo.say({"message_type": "undo"})
    used_up = await bo.hear("operation_accepted")
    assert (used_up["changed"], used_up["history"]) == (False, {"undo": 0, "redo": 0})
    bo_2.say({"message_type": "undo"})
    assert (await bo_2.hear("operation_rejected"))["reason"] == "nothing_to_undo"


@pytest.mark.parametrize("shared", [False, True], ids=["my own", "everybody's"])
async def test_UN15_after_news_may_have_been_lost_events_still_say_where_the_stack_stands(
    tmp_path: Path, shared: bool
) -> None:
    async with workers(tmp_path, settings=RoomSettings(shared_undo=shared)) as two:
        await two[0].open_session()
        ana, other = await two[0].present("ana"), await two[1].present("bo" if shared else "ana")
        for depth in (1, 2):
            ana.say(adding())
            await ana.hear("operation_accepted")
            assert (await other.hear("event"))["history"] == {"undo": depth, "redo": 0}
            for room in two[1].rooms.open_rooms():
                room.hear(None)
            await two.store.answered()


# presenter ------------------------------------------------------------------------------------------------------------


def presenting(action: str, name: str | None = None) -> dict[str, Any]:
    user = {"user": {"provider": "test", "provider_id": name}} if name is not None else {}
    return {"message_type": "presenter", "action": action, "ref": action, **user}


async def test_PR11_a_request_reaches_the_host_and_a_denial_the_asker_at_another_worker(two: Workers) -> None:
    ana, bo = await two[0].present("ana"), await two[1].present("bo")
    bo.say(presenting("request"))
    assert (await bo.hear("done"))["ref"] == "request"
    asked = await ana.hear("presenter")
    assert (asked["action"], asked["user"]["provider_id"]) == ("requested", "bo")
    ana.say(presenting("deny", "bo"))
    await ana.hear("done")
    denied = await bo.hear("presenter")
    assert (denied["action"], denied["by"]) == ("denied", "host")


async def test_PR4_a_grant_and_a_release_are_told_at_all_workers(two: Workers) -> None:
    ana, bo = await two[0].present("ana"), await two[1].present("bo")
    await ana.hear("participants")
    ana.say(presenting("grant", "bo"))
    for line in (ana, bo):
        changed = await line.hear("presenter")
        assert (changed["presenter"]["provider_id"], changed["term"], changed["by"]) == ("bo", 2, "host")
    bo.say(presenting("release"))
    for line in (ana, bo):
        changed = await line.hear("presenter")
        assert (changed["presenter"], changed["term"]) == (None, 3)


async def test_PR5_of_a_presenter_who_leaves_the_host_elsewhere_takes_over(two: Workers) -> None:
    ana, bo = await two[0].present("ana"), await two[1].present("bo")
    await ana.hear("participants")
    ana.say(presenting("grant", "bo"))
    await bo.hear("presenter")
    bo.leave(code=1001, reason="")
    changed = await ana.hear("presenter")
    while changed["term"] < 3:
        changed = await ana.hear("presenter")
    assert changed["presenter"]["provider_id"] == "ana"
    assert await ids(ana, "left") == ["test:bo"]


async def test_PR8_a_cursor_is_seen_at_the_other_worker_and_the_presenter_s_by_classic_clients_too(
    two: Workers,
) -> None:
    bo, old = await two[1].present("bo"), await two[1].present("cy", "classic")
    ana = await two[0].present("ana")
    await bo.hear("participants")
    await bo.hear("participants")
    ana.say({"message_type": "awareness", "cursor": {"x": 1, "y": 2}})
    shown = await bo.hear("awareness")
    assert [update["cursor"] for update in shown["updates"]] == [{"x": 1, "y": 2}]
    assert (await old.hear("presenter_cursor"))["cursor_position"] == {"x": 1, "y": 2}


async def test_PR10_a_newcomer_at_another_worker_is_shown_cursors_that_rest(two: Workers) -> None:
    ana, cy = await two[0].present("ana"), await two[0].present("cy")
    ana.say({"message_type": "awareness", "cursor": {"x": 1, "y": 2}})
    await cy.hear("awareness")
    bo = await two[1].present("bo")
    assert [update["cursor"] for update in (await bo.hear("awareness"))["updates"]] == [{"x": 1, "y": 2}]


async def test_PR9_a_cursor_that_no_news_told_is_shown_when_its_worker_is_heard_again(two: Workers) -> None:
    ana, bo = await two[0].present("ana"), await two[1].present("bo")
    cy = await two[1].present("cy")
    two.hub.deaf = True
    bo.say({"message_type": "awareness", "cursor": {"x": 1, "y": 2}})
    await cy.hear("awareness")
    two.hub.deaf = False
    for room in two[1].rooms.open_rooms():
        room.hear(None)
    assert [update["cursor"] for update in (await ana.hear("awareness"))["updates"]] == [{"x": 1, "y": 2}]


# who goes -------------------------------------------------------------------------------------------------------------


async def test_SES18_an_ejection_closes_the_user_s_sockets_at_all_workers(two: Workers) -> None:
    ana, bo, bo_2 = await two[0].present("ana"), await two[0].present("bo"), await two[1].present("bo")
    cy = await two[1].present("cy")
    await ana.hear("participants")
    ana.say({"message_type": "remove_participant", "user": {"provider": "test", "provider_id": "bo"}, "ref": "r"})
    await ana.hear("done")
    assert [await line.ended() for line in (bo, bo_2)] == [4403, 4403]
    heard = await cy.hear("participants")
    while not heard["left"]:
        heard = await cy.hear("participants")
    assert ([one["id"] for one in heard["left"]], names(heard)) == (["test:bo"], ["ana1", "cy1"])


async def test_SES6_a_guest_who_leaves_by_REST_is_gone_from_all_workers(two: Workers) -> None:
    bo, bo_2 = await two[0].present("bo"), await two[1].present("bo")
    ana = await two[0].present("ana")
    await two[0].rooms.session_moved(await left(two, "bo"))
    assert [await line.ended() for line in (bo, bo_2)] == [1000, 1000]
    heard = await ana.hear("participants")
    while not heard["left"]:
        heard = await ana.hear("participants")
    assert names(heard) == ["ana1"]


async def test_SES6_a_guest_who_leaves_by_REST_is_gone_from_all_workers_although_no_news_says_so(two: Workers) -> None:
    two.hub.deaf = True
    bo, bo_2 = await two[0].present("bo"), await two[1].present("bo")
    await left(two, "bo")
    await two.look()
    assert [await line.ended() for line in (bo, bo_2)] == [1000, 1000]
    back = await two[1].present("bo")
    await two.look()
    back.say(adding())
    assert await back.hear("operation_accepted")


async def left(two: Workers, name: str) -> Session:
    """What a guest's DELETE leaves in the store."""
    session = await two[0].sessions.live(two[0].diagram)
    assert session is not None
    after = await two[0].sessions.change(session.id, session.version, Leave(person(name)))
    assert isinstance(after, Session)
    return after


async def test_SES9_a_host_who_closes_one_tab_of_two_ends_nothing(two: Workers) -> None:
    ana, tab = await two[0].present("ana"), await two[1].present("ana")
    bo = await two[0].present("bo")
    ana.leave(code=1000, reason="")
    heard = await bo.hear("participants")
    assert (heard["host_state"], heard["left"]) == ("here", [])
    tab.leave(code=1000, reason="")
    goodbye = await bo.hear("goodbye")
    assert (goodbye["reason"], await bo.ended()) == ("host_left", 1000)


async def test_SES9_a_host_who_closes_both_tabs_at_once_ends_it_at_once(two: Workers) -> None:
    ana, tab = await two[0].present("ana"), await two[1].present("ana")
    bo = await two[0].present("bo")
    for line in (ana, tab):
        line.leave(code=1000, reason="")
    goodbye = await bo.hear("goodbye")
    assert (goodbye["reason"], await bo.ended()) == ("host_left", 1000)


async def test_SES12_a_worker_that_stops_ends_no_session_although_the_host_has_just_closed_another_tab(
    two: Workers,
) -> None:
    ana, _ = await two[0].present("ana"), await two[1].present("ana")
    bo = await two[0].present("bo")
    ana.leave(code=1000, reason="")
    await two.store.answered()
    await two[1].rooms.close()
    await two.store.answered()
    assert (await bo.hear("participants"))["host_state"] == "here"
    assert (await bo.hear("participants"))["host_state"] == "away"
    live = await two[0].sessions.live(two[0].diagram)
    assert live is not None and live.host_grace_until_ms is not None


async def test_WS11_what_a_newcomer_does_upon_its_first_frame_finds_it_known_at_other_workers(two: Workers) -> None:
    ana, bo = await two[0].present("ana"), await two[0].present("bo")
    tab = await two[1].line("bo")
    await tab.hear("state")
    bo.leave(code=1000, reason="")
    heard = await ana.hear("participants")
    while names(heard) != ["ana1", "bo2"]:
        heard = await ana.hear("participants")
    heard = await ana.hear("participants")
    assert (heard["left"], names(heard)) == ([], ["ana1", "bo1"])


async def test_SES9_a_host_whose_other_tab_has_not_been_heard_of_yet_ends_nothing(two: Workers) -> None:
    ana, bo = await two[0].present("ana"), await two[1].present("bo")
    two.hub.deaf = True
    tab = await two[1].present("ana")
    two.hub.deaf = False
    ana.leave(code=1000, reason="")
    await asyncio.wait((ana.task,))
    await two.pass_time(20)
    live = await two[0].sessions.live(two[0].diagram)
    assert live is not None and live.host_grace_until_ms is None
    assert not tab.task.done() and not bo.task.done()


async def test_SES9_SES15_the_end_is_told_at_all_workers(two: Workers) -> None:
    ana, bo = await two[0].present("ana"), await two[1].present("bo")
    ana.leave(code=1000, reason="")
    assert (await bo.hear("goodbye"))["reason"] == "host_left"
    assert await bo.ended() == 1000


async def test_SES10_a_host_who_is_cut_off_returns_to_another_worker(two: Workers) -> None:
    ana, bo, cy = await two[0].present("ana"), await two[1].present("bo"), await two[0].present("cy")
    ana.leave(code=1006)
    for line in (bo, cy):
        heard = await line.hear("participants")
        while heard["host_state"] != "away":
            heard = await line.hear("participants")
        assert heard["left"] == []
    await two[1].present("ana")
    for line in (bo, cy):
        heard = await line.hear("participants")
        while heard["host_state"] != "here":
            heard = await line.hear("participants")
        assert (heard["joined"], heard["left"]) == ([], [])
    await two.pass_time(20)
    live = await two[0].sessions.live(two[0].diagram)
    assert live is not None and live.host_grace_until_ms is None


async def test_SES21_the_deletion_of_the_diagram_ends_it_at_all_workers(two: Workers) -> None:
    ana, bo = await two[0].present("ana"), await two[1].present("bo")
    await two[0].models.delete_diagram(two[0].diagram)
    await two[0].rooms.session_changed(two[0].diagram)
    assert [(await line.hear("goodbye"))["reason"] for line in (ana, bo)] == ["diagram_deleted"] * 2


async def test_AU15_a_right_withdrawn_at_one_worker_binds_at_the_other(two: Workers) -> None:
    await two[0].present("ana")
    bo = await two[1].present("bo")
    await banish(two, "bo")
    await two[0].rooms.session_changed(two[0].diagram)
    assert await bo.ended() == 4403


# the bus is deaf or bad -----------------------------------------------------------------------------------------------


async def test_I18_VEC13_what_no_news_told_is_seen_with_the_next_look_at_the_heads(two: Workers) -> None:
    ana, bo = await two[0].present("ana"), await two[1].present("bo")
    two.hub.deaf = True
    ana.say(adding())
    await ana.hear("operation_accepted")
    await two[1].watch.look()
    assert (await bo.hear("event"))["update_vector"] == 1


async def test_SES19_joining_writing_and_ending_work_without_the_bus(two: Workers) -> None:
    two.hub.deaf = two.presence.away = True
    ana, bo = await two[0].present("ana"), await two[1].present("bo")
    bo.say(adding())
    assert (await bo.hear("operation_accepted"))["update_vector"] == 1
    await two.look()
    assert (await ana.hear("event"))["update_vector"] == 1
    session = await two[0].sessions.live(two[0].diagram)
    assert session is not None
    await end(two, session)
    await two.look()
    assert [await line.ended() for line in (ana, bo)] == [1000, 1000]


async def test_AU15_I25_without_the_bus_the_head_watch_finds_a_withdrawn_right(two: Workers) -> None:
    bo = await two[1].present("bo")
    two.hub.deaf = True
    await banish(two, "bo")
    await two[0].rooms.session_changed(two[0].diagram)
    await two.look()
    assert await bo.ended() == 4403


async def test_I29_a_presence_that_crashes_keeps_nobody_out(two: Workers) -> None:
    async def crash(session: Any) -> Any:
        raise RuntimeError("planted")

    two.presence.read = crash  # type: ignore[method-assign]
    assert (await two[0].present("ana")).first
    assert all("planted" in crash for crash in two[0].crashes)
    two[0].crashes.clear()


async def test_SES9_while_nobody_can_be_heard_a_host_who_leaves_may_be_elsewhere(two: Workers) -> None:
    ana = await two[0].present("ana")
    two.hub.deaf = True
    await two.look()
    tab = await two[1].present("ana")
    ana.leave(code=1000, reason="")
    await asyncio.wait((ana.task,))
    await two.pass_time(20)
    live = await two[0].sessions.live(two[0].diagram)
    assert live is not None and live.host_grace_until_ms is None, "the other tab says that the host is there"
    assert not tab.task.done()


async def test_I22_an_emptied_presence_is_no_empty_room(two: Workers) -> None:
    ana, bo = await two[0].present("ana"), await two[1].present("bo")
    await ana.hear("participants")
    two.presence.away = True
    await two.pass_time(60)
    assert [word(frame) for frame in drained(ana, bo)] == []


async def test_SES20_I22_who_went_with_a_worker_that_died_is_gone_within_35_seconds(two: Workers) -> None:
    ana = await two[0].present("ana")
    await two[1].present("bo")
    assert await ids(ana, "joined") == ["test:bo"]
    two.kill(1)
    await two.pass_time(35)
    assert await ids(ana, "left") == ["test:bo"]


async def test_SES12_a_host_who_went_with_a_worker_that_died_has_a_minute(two: Workers) -> None:
    await two[0].present("ana")
    bo = await two[1].present("bo")
    two.kill(0)
    await two.pass_time(35)
    heard = await bo.hear("participants")
    while heard["host_state"] != "away":
        heard = await bo.hear("participants")
    await two.pass_time(30)
    assert not bo.task.done()
    await two.pass_time(40)
    assert (await bo.hear("goodbye"))["reason"] == "host_lost"


async def test_SES20_a_leave_that_no_news_told_is_seen_with_the_next_survey(two: Workers) -> None:
    ana, bo = await two[0].present("ana"), await two[1].present("bo")
    assert await ids(ana, "joined") == ["test:bo"]
    cy = await two[1].present("cy")
    assert await ids(ana, "joined") == ["test:cy"]
    two.hub.lose = 1.0
    bo.leave(code=1000, reason="")
    await cy.hear("participants")
    two.hub.lose = 0.0
    await two.pass_time(2, step_s=0.5)
    assert await ids(ana, "left") == ["test:bo"]


async def test_S75_the_sockets_of_a_user_are_counted_over_all_workers(two: Workers) -> None:
    for _ in range(3):
        await two[0].present("bo")
    for _ in range(2):
        await two[1].present("bo")
    over = await two[1].line("bo")
    assert await over.ended() == 4429


async def test_S75_ghosts_of_a_worker_that_died_keep_nobody_out(two: Workers) -> None:
    await two[1].present("ana")
    for _ in range(5):
        await two[0].present("bo")
    two.kill(0)
    await two.pass_time(6)
    await two[1].present("bo")


async def test_I23_a_shutdown_says_that_nobody_is_there_any_more(two: Workers) -> None:
    ana = await two[0].present("ana")
    await two[1].present("bo")
    assert await ids(ana, "joined") == ["test:bo"]
    await two[1].rooms.close()
    assert await ids(ana, "left") == ["test:bo"]


async def test_I20_PR7_a_cursor_of_a_newer_term_waits_until_it_is_known_who_presents(two: Workers) -> None:
    ana, bo = await two[0].present("ana"), await two[1].present("bo")
    await ana.hear("participants")
    two.hub.deaf = True
    ana.say(presenting("grant", "bo"))
    await ana.hear("done")
    two.hub.deaf = False
    ana.say({"message_type": "awareness", "cursor": {"x": 1, "y": 2}})
    heard = await bo.hear("presenter", "awareness")
    assert (word(heard), heard.get("term")) == ("presenter", 2)
    assert (await bo.hear("awareness"))["updates"][0]["cursor"] == {"x": 1, "y": 2}


async def test_a_single_worker_tells_and_asks_nobody(tmp_path: Path) -> None:
    async with workers(tmp_path, 1) as one:
        await one[0].open_session()
        ana = await one[0].present("ana")
        ana.say(adding())
        await ana.hear("operation_accepted")
        assert one.hub.spoken == []


@pytest.mark.parametrize("seed", range(8))
async def test_I2_I3_a_bus_that_loses_repeats_and_swaps_leaves_all_equal(tmp_path: Path, seed: int) -> None:
    async with workers(tmp_path, 3, hub=BadHub(seed, lose=0.3, repeat=0.3, swap=0.3)) as three:
        await three[0].open_session()
        people = ("ana", "bo", "cy")
        lines = [await three[n].present(name) for n, name in enumerate(people)]
        for n in range(30):
            lines[n % 2].say(adding())
            if n % 5 == 0:
                lines[n % 3].say({"message_type": "awareness", "cursor": {"x": n, "y": n}})
            if n % 7 == 0:
                await three.look()
        for line in lines[:2]:
            for _ in range(15):
                await line.hear("operation_accepted")
        for _ in range(SLICES * IN_FULL):
            await three.look()  # where the news of who came was lost, presence is asked
        lines[0].say(presenting("grant", "bo"))
        await lines[0].hear("done")
        three.hub.lose = three.hub.swap = 0.0
        await three.pass_time(3, step_s=0.5)
        rooms = [room.room.state for worker in three.all for room in worker.rooms.open_rooms()]
        assert {(state.replica.diagram.vector, state.replica.diagram.state_hash) for state in rooms} == {
            (30, rooms[0].replica.diagram.state_hash)
        }
        assert all(state.session == rooms[0].session for state in rooms)
        seen = [[(one.user, one.connections) for one in state.roster.everybody()] for state in rooms]
        assert seen == [seen[0]] * 3
        assert [one[0].provider_id for one in seen[0]] == ["ana", "bo", "cy"]


async def banish(two: Workers, name: str) -> None:
    models = two[0].models
    model = await models.read(two[0].threat_model)
    assert model is not None
    entries = tuple(entry for entry in model.entries if entry.provider_id != name)
    await models.change(msgspec.structs.replace(model, entries=entries))


async def end(two: Workers, session: Any) -> None:
    from collab.core.meeting import End
    from protocol.refusals import Ending

    await two[0].sessions.change(session.id, session.version, End(Ending.HOST_ENDED))
    await two[0].rooms.session_changed(two[0].diagram)


def drained(*lines: Line) -> list[Any]:
    """What has come since, but for what comes by the clock."""
    frames = [line.frames.get_nowait() for line in lines for _ in range(line.frames.qsize())]
    return [frame for frame in frames if word(frame) != "heartbeat"]

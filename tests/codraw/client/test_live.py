"""Live diagrams of the Python client on a real server: editing together, cuts, kills, refusals, ends."""

from __future__ import annotations

import asyncio
import gc
import random
import weakref
from pathlib import Path

import pytest

from codraw.client import (
    Accepted,
    Awareness,
    Change,
    Changed,
    Held,
    Joined,
    Left,
    LiveDiagram,
    Mismatch,
    NotAdmitted,
    PresenterChanged,
    PresenterDenied,
    PresenterRequested,
    Refused,
    Rejected,
    RequestRefused,
    RestError,
    Saved,
    StatusChanged,
    Trouble,
    Unsettled,
    add,
    connect,
    remove,
    update,
)
from collab.core.diagram import Diagram
from tests.support.client import Tmi
from tests.support.live import Table, lay, soon, told
from tests.support.scripted import Line, ScriptedPeer
from tests.support.servers import Meeting, Person, Server, sign_in
from tests.support.turns import PATIENCE_S, turns, until

BOX = {"shape": "process", "x": 0, "y": 0, "width": 120, "height": 60}


def box(**more: object) -> Change:
    return add(**{**BOX, **more})


async def ticket(wants: str) -> str:
    return f"{wants}-ticket"


# editing --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("encoding", ["json", "msgpack"])
async def test_an_edit_is_seen_at_once_by_oneself_and_soon_by_others(table: Table, encoding: str) -> None:
    ana, bo = await table.seat(), await table.seat("bo", encoding=encoding)
    events = ana.events(Changed)
    new = box(label="Login")
    asked = bo.edit(new)
    assert asked.outcome is None and bo.cell(new.id) == {"id": new.id, **BOX, "label": "Login"}
    assert await asked == Accepted(operation_id=asked.id, vector=1)
    changed = await told(events, Changed)
    assert (changed.ids, changed.by.id, changed.kind) == ({new.id}, "test:bo", "edit")
    assert await table.agreed(ana, bo) == [{"id": new.id, **BOX, "label": "Login"}]


async def test_many_edits_may_be_under_way_and_are_accepted_in_their_order(table: Table) -> None:
    ana, bo = await table.seat(), await table.seat("bo")
    new = box()
    asked = [bo.edit(new), *(bo.edit(update(new.id, x=x)) for x in range(1, 61))]
    assert [outcome.vector for one in asked if isinstance(outcome := await one, Accepted)] == list(range(1, 62))
    await table.agreed(ana, bo)


async def test_OP4_the_edges_that_go_with_a_node_are_gone_at_once(table: Table) -> None:
    ana = await table.seat()
    a, b = box(), box()
    flow = add(shape="flow", source={"cell": a.id}, target={"cell": b.id})
    await ana.edit([a, b, flow])
    asked = ana.edit(remove(a.id))
    assert [cell["id"] for cell in ana.cells] == [b.id]
    await asked
    assert [cell["id"] for cell in await table.agreed(ana)] == [b.id]


async def test_a_refused_edit_is_taken_back_and_its_outcome_says_why(table: Table) -> None:
    ana = await table.seat()
    events = ana.events(Refused)
    outcome = await ana.edit(update("nobody", x=1))
    assert isinstance(outcome, Rejected)
    assert (outcome.reason, outcome.affected_cells) == ("conflict_detected", ["nobody"])
    assert (await told(events, Refused)).outcome == outcome
    assert ana.cells == ()


async def test_OP14_what_no_server_would_take_is_refused_without_asking_it(table: Table) -> None:
    ana = await table.seat()
    outcome = ana.edit(box(x=float("nan"))).outcome
    assert isinstance(outcome, Rejected) and outcome.reason == "validation_failed"
    outcome = ana.edit(box(note="x" * 300_000)).outcome
    assert isinstance(outcome, Rejected) and outcome.reason == "validation_failed"
    outcome = ana.edit([box(note="x" * 60_000) for _ in range(5)]).outcome
    assert isinstance(outcome, Rejected) and outcome.reason == "limit_exceeded"
    assert ana.cells == ()


async def test_OP22_a_strict_edit_is_refused_where_somebody_else_was_faster(table: Table) -> None:
    ana, bo = await table.seat(), await table.seat("bo")
    new = box()
    await ana.edit(new)
    await until(lambda: bo.vector == 1)
    bo.cut()
    await until(lambda: not bo.is_live)
    late = bo.edit(update(new.id, y=1), strict=True)
    await ana.edit(update(new.id, x=1))
    outcome = await late
    assert isinstance(outcome, Rejected) and outcome.reason == "conflict_detected"
    assert outcome.current_cells == [{"id": new.id, **BOX, "x": 1}]


async def test_UN10_undo_takes_back_our_own_last_operation_and_nobody_else_s(table: Table) -> None:
    ana, bo = await table.seat(), await table.seat("bo")
    new = box()
    await ana.edit(new)
    await ana.edit(update(new.id, x=5))
    await until(lambda: bo.vector == 2)
    await bo.edit(update(new.id, y=7))
    assert isinstance(await ana.undo(), Accepted)
    assert (await table.agreed(ana, bo))[0] == {"id": new.id, **BOX, "y": 7}
    assert (ana.history.undo, ana.history.redo) == (1, 1)
    assert isinstance(await ana.redo(), Accepted)
    assert (await table.agreed(ana, bo))[0]["x"] == 5
    nothing = await bo.redo()
    assert isinstance(nothing, Rejected) and nothing.reason == "nothing_to_redo"


async def test_UN8_who_hears_that_there_is_nothing_to_undo_knows_it_from_then_on(table: Table) -> None:
    one, other, bo = await table.seat(), await table.seat(), await table.seat("bo")
    cell = box()
    await bo.edit(cell)
    await table.agreed(one, other)
    await one.edit(update(cell.id, x=1))
    await table.agreed(other, bo)
    await bo.edit(update(cell.id, x=2))
    await table.agreed(one, other)
    assert not (await one.undo()).changed  # type: ignore[union-attr]
    assert (await other.undo()).reason == "nothing_to_undo"  # type: ignore[union-attr]
    assert (one.history.undo, other.history.undo) == (0, 0)


async def test_VEC8_a_refusal_of_long_ago_says_nothing_of_the_stack_as_it_is_now(
    live: LiveDiagram, line: Line, peer: ScriptedPeer
) -> None:
    asked = live.undo()
    await line.hear("undo")
    await line.close(1012)
    line = await peer.line()
    await line.welcome(undo=1)
    await line.hear("undo")
    await line.say("operation_rejected", operation_id=asked.id, reason="nothing_to_undo", message="")
    assert isinstance(await asked, Rejected)
    assert live.history.undo == 1


async def test_UN2_what_undo_had_to_leave_alone_is_told(table: Table) -> None:
    ana, bo = await table.seat(), await table.seat("bo")
    new = box()
    await ana.edit(new)
    await ana.edit(update(new.id, x=5))
    await until(lambda: bo.vector == 2)
    await bo.edit(update(new.id, x=9))
    undone = await ana.undo()
    assert isinstance(undone, Accepted) and not undone.changed
    assert [(one.id, tuple(one.keys), one.why) for one in undone.skipped] == [(new.id, ("x",), "changed")]


async def test_I2_who_undoes_and_redoes_another_order_has_the_cells_in_the_order_of_all(table: Table) -> None:
    ana, bo = await table.seat(), await table.seat("bo")
    await ana.edit([box(x=0), box(x=1), box(x=2)])
    vector, cells = await table.cells()
    path = f"/threat_models/{table.threat_model}/diagrams/{table.diagram}"
    replacement = {"name": "diagram", "cells": cells[::-1]}
    await table.host.request("PUT", path, json=replacement, headers={"If-Match": f'"{vector}"'})
    assert await table.agreed(ana, bo) == cells[::-1]
    assert (await ana.undo()).is_accepted
    assert await table.agreed(ana, bo) == cells
    assert (await ana.redo()).is_accepted
    assert await table.agreed(ana, bo) == cells[::-1]


async def test_UN13_edits_of_one_group_are_undone_as_one(table: Table) -> None:
    ana = await table.seat()
    new = box()
    await ana.edit(new)
    for x in (1, 2, 3):
        ana.edit(update(new.id, x=x), group_id="drag")
    await ana.undo()
    assert (await table.agreed(ana))[0]["x"] == 0


# cuts and kills -------------------------------------------------------------------------------------------------------


async def test_WS18_edits_made_while_away_are_shown_kept_and_merged_on_return(table: Table) -> None:
    ana, bo = await table.seat(), await table.seat("bo")
    new = box()
    await ana.edit(new)
    await until(lambda: bo.vector == 1)
    bo.cut()
    await until(lambda: not bo.is_live)
    asked = bo.edit(update(new.id, x=100, label="bo"))
    assert bo.cell(new.id) == {"id": new.id, **BOX, "x": 100, "label": "bo"}
    await ana.edit(update(new.id, y=50, label="ana"))
    assert isinstance(await asked, Accepted)
    assert await table.agreed(ana, bo) == [{"id": new.id, **BOX, "x": 100, "y": 50, "label": "bo"}]


async def test_a_drag_that_goes_on_while_away_is_one_operation(table: Table) -> None:
    ana = await table.seat()
    new = box()
    await ana.edit(new)
    ana.cut()
    await until(lambda: not ana.is_live)
    asked = [ana.edit(update(new.id, x=x), group_id="drag") for x in range(100)]
    assert len({one.id for one in asked}) == 1
    await ana.settled()
    assert (ana.vector, ana.cells[0]["x"]) == (2, 99)


async def test_VEC15_a_damaged_copy_is_healed_by_the_next_heartbeat(table: Table) -> None:
    ana = await table.seat()
    spoil = box()
    await ana.edit([spoil, *(box() for _ in range(20))])
    events = ana.events(Mismatch, Changed)
    sound = ana.replica.confirmed
    cells = [{**cell, "x": 13} if cell["id"] == spoil.id else cell for cell in sound.cells_in_order()]
    ana.replica.confirmed = Diagram.restore(sound.id, sound.epoch, sound.vector, cells, None)
    assert ana.cell(spoil.id) == {"id": spoil.id, **BOX, "x": 13}
    ana.check()
    assert (await told(events, Mismatch)).vector == 1
    assert (await told(events, Changed)).ids == {spoil.id}
    await table.agreed(ana)


async def test_I1_I2_I29_all_agree_and_everything_has_its_outcome_after_cuts_and_kills(tmp_path: Path) -> None:
    chance = random.Random(20_261_121)
    with Server(tmp_path) as server:
        table = await lay(server)
        people = [await table.seat(name, encoding=chance.choice(("json", "msgpack"))) for name in ("ana", "bo", "cy")]
        boxes = [box(label=str(number)) for number in range(6)]
        asked = [people[0].edit(boxes)]
        for step in range(240):
            live = chance.choice(people)
            match chance.randrange(24):
                case 0:
                    live.cut()
                case 1:
                    asked.append(live.undo())
                case 2:
                    asked.append(live.edit(remove(chance.choice(boxes).id)))
                case 3:
                    asked.append(live.edit(chance.choice(boxes)))
                case _:
                    change = update(chance.choice(boxes).id, {chance.choice(("x", "y", "attrs/a")): step})
                    asked.append(live.edit(change))
            if step % 100 == 60:
                server.kill()
                await asyncio.to_thread(server.start)
            await asyncio.sleep(0)
        outcomes = [await one for one in asked]
        cells = await table.agreed(*people)
        accepted = [one.vector for one in outcomes if isinstance(one, Accepted) and one.changed]
        assert sorted(accepted) == list(range(1, people[0].vector + 1))
        assert not any(isinstance(one, Unsettled) for one in outcomes) and cells == list(people[1].cells)
        await table.over()


async def test_edits_before_the_server_is_there_wait_for_it(tmp_path: Path) -> None:
    server = Server(tmp_path)
    with server:
        table = await lay(server)
    live = table.host.open(table.threat_model, table.diagram, backoff=soon())
    live.open()
    asked = live.edit(box())
    await until(lambda: live.status.state == "offline")
    assert live.status.reason == "unreachable" and asked.outcome is None
    with server:
        assert isinstance(await asked, Accepted)
        await live.close()
        await table.over()


# coming and going -----------------------------------------------------------------------------------------------------


async def test_closing_waits_until_everything_is_saved(table: Table) -> None:
    live = table.host.open(table.threat_model, table.diagram)
    async with live:
        asked = [live.edit(box()) for _ in range(40)]
    assert all(isinstance(one.outcome, Accepted) for one in asked)
    assert len((await table.cells())[1]) == 40
    refused = live.edit(box()).outcome
    assert isinstance(refused, Rejected) and refused.reason == "closed"


async def test_what_cannot_be_saved_before_the_end_is_handed_back(peer: ScriptedPeer) -> None:
    live = connect(peer.url, ticket)
    live.open()
    line = await peer.line()
    await line.welcome()
    await live.ready()
    events = live.events(Held)
    sent = live.edit(box())
    await line.hear("operation")
    await live.close(timeout_s=0)
    (held,) = (await told(events, Held)).operations
    assert (held.id, held.was_sent, held.changes[0].data["shape"]) == (sent.id, True, "process")
    outcome = sent.outcome
    assert isinstance(outcome, Unsettled) and outcome.reason == "closed"


async def test_whoever_stops_waiting_for_the_close_has_left(live: LiveDiagram, line: Line) -> None:
    events, asked = live.events(StatusChanged), live.edit(box())
    await line.hear("operation")
    closing = asyncio.create_task(live.close())
    await turns()
    closing.cancel()
    with pytest.raises(asyncio.CancelledError):
        await closing
    assert isinstance(asked.outcome, Unsettled)
    assert [event.state async for event in events] == ["closed"]
    assert await line.rest() == ([], None)


async def test_what_was_never_sent_is_known_not_to_have_happened(peer: ScriptedPeer) -> None:
    live = connect(peer.url, ticket)
    live.open()
    asked = live.edit(box())
    await live.close(timeout_s=0)
    outcome = asked.outcome
    assert isinstance(outcome, Rejected) and outcome.reason == "closed"


async def test_what_a_login_that_ended_left_unsaved_is_edited_again_after_the_next(peer: ScriptedPeer) -> None:
    is_signed_in = True

    async def by_token(wants: str) -> str:
        if not is_signed_in:
            raise RestError(401, {"error": "unauthorized", "message": "sign in"})
        return "t"

    async def let_in() -> Line:
        line = await peer.line()
        await line.welcome()
        await live.ready()
        return line

    live = connect(peer.url, by_token, backoff=soon())
    live.open()
    line = await let_in()
    events, is_signed_in = live.events(Held), False
    new = box(label="Login")
    asked = live.edit([new, update(new.id, {"attrs/a": 1})])
    sent = await line.hear("operation")
    await line.close(4401)
    assert isinstance(await asked, Unsettled)
    (held,) = (await told(events, Held)).operations
    assert live.status.state == "refused" and live.cells == ()
    is_signed_in = True
    live.open()
    line = await let_in()
    live.edit(held.changes)
    assert (await line.hear("operation"))["operation"] == sent["operation"]
    await live.close(timeout_s=0)


async def test_operations_too_old_to_be_sent_again_are_held(peer: ScriptedPeer) -> None:
    live = connect(peer.url, ticket, backoff=soon())
    live.open()
    line = await peer.line()
    await line.welcome()
    await live.ready()
    events, asked = live.events(Held), live.edit(box())
    await line.hear("operation")
    live.cut()
    line = await peer.line()
    assert "resume=e%3A0" in line.address
    await line.say("state", epoch="f", update_vector=9, state_hash="0" * 32, reason="x", resend=False, cells=[])
    assert isinstance(await asked, Unsettled)
    assert [one.id for one in (await told(events, Held)).operations] == [asked.id]
    assert live.cells == ()
    await live.close()


async def test_an_operation_that_could_not_be_judged_is_asked_again(peer: ScriptedPeer) -> None:
    live = connect(peer.url, ticket)
    live.open()
    line = await peer.line()
    await line.welcome()
    await live.ready()
    asked = live.edit(box())
    first = await line.hear("operation")
    await line.say(
        "operation_rejected", operation_id=asked.id, reason="unavailable", message="", retry=True, retry_after_ms=1
    )
    assert await line.hear("operation") == first
    assert asked.outcome is None and len(live.cells) == 1
    await live.close(timeout_s=0)


async def test_SES15_the_end_by_the_host_is_final(table: Table) -> None:
    ana, bo = await table.seat(), await table.seat("bo")
    events = bo.events(StatusChanged)
    await table.host.leave_session(table.threat_model, table.diagram)
    told_last = [event async for event in events][-1]
    assert isinstance(told_last, StatusChanged)
    assert (told_last.state, told_last.reason, told_last.code) == ("refused", "host_ended", 1000)
    await until(lambda: ana.status.state == "refused")


async def test_SES18_an_ejection_is_final_and_cannot_be_argued_with(table: Table) -> None:
    ana, bo = await table.seat(), await table.seat("bo")
    with pytest.raises(RequestRefused, match="permission_denied"):
        await bo.remove_participant(ana.participants[0].user)
    events = ana.events(Left)
    assert bo.you is not None
    await ana.remove_participant(bo.you.user)
    await until(lambda: bo.status.state == "refused")
    assert (bo.status.reason, bo.status.code) == ("removed", 4403)
    assert (await told(events, Left)).user.id == "test:bo"
    bo.open()
    with pytest.raises(NotAdmitted) as again:
        await bo.ready()
    assert (again.value.reason, again.value.code) == ("forbidden", None)


async def test_who_opens_again_waits_for_the_new_connection(live: LiveDiagram, line: Line, peer: ScriptedPeer) -> None:
    async def let_in() -> Line:
        line = await peer.line()
        await line.welcome()
        return line

    await live.close()
    far_end = asyncio.create_task(let_in())
    live.open()
    await live.ready()
    await (await far_end).close(4404)
    await until(lambda: live.status.state == "refused")
    far_end = asyncio.create_task(let_in())
    live.open()
    await live.ready()
    assert live.is_live and await far_end


async def test_a_listener_that_nobody_holds_goes_on_listening(live: LiveDiagram, line: Line) -> None:
    heard: list[object] = []

    async def listen() -> None:
        async for event in live.events(Refused):
            heard.append(event)

    def start() -> None:
        asyncio.get_running_loop().create_task(listen())

    start()
    await turns()
    gc.collect()
    live.edit([])
    await turns()
    assert len(heard) == 1


async def test_an_iterator_that_was_let_go_is_forgotten(live: LiveDiagram, line: Line) -> None:
    waiting = asyncio.create_task(anext(live.events()))
    await turns()
    gone = [weakref.ref(live.events()), weakref.ref(waiting)]
    waiting.cancel()
    del waiting
    await turns()
    gc.collect()
    assert [reference() for reference in gone] == [None, None]


async def test_events_that_are_asked_for_after_the_end_end_at_once(live: LiveDiagram, line: Line) -> None:
    await live.close()
    assert [event async for event in live.events()] == []


async def test_SES4_who_only_joins_is_not_admitted_where_nothing_lives(table: Table) -> None:
    with pytest.raises(NotAdmitted, match="not_found"):
        await table.seat(create=False)


async def test_a_ticket_that_was_cancelled_leaves_nobody_waiting(caplog: pytest.LogCaptureFixture) -> None:
    async def given_up(wants: str) -> str:
        signing_in = asyncio.create_task(ticket(wants))
        signing_in.cancel()
        return await signing_in

    live = connect("ws://127.0.0.1:1/", given_up)
    live.open()
    asked = live.edit(box())
    async with asyncio.timeout(PATIENCE_S):
        with pytest.raises(NotAdmitted, match="was cancelled"):
            await live.ready()
    assert isinstance(asked.outcome, Rejected)
    assert "crashed" in caplog.text


async def test_a_fault_of_the_caller_s_own_leaves_nobody_waiting(caplog: pytest.LogCaptureFixture) -> None:
    async def broken(wants: str) -> str:
        raise KeyError(wants)

    with pytest.raises(NotAdmitted, match="KeyError"):
        async with connect("ws://127.0.0.1:1/x", broken):
            pass
    assert "crashed" in caplog.text


async def test_AU11_a_login_that_runs_out_is_prolonged_in_band(peer: ScriptedPeer) -> None:
    live = connect(peer.url, ticket)
    live.open()
    line = await peer.line()
    await line.welcome()
    await line.say("token_expiring", expires_at="2026-11-21T10:00:00Z")
    assert (await line.hear("refresh_token"))["ticket"] == "refresh-ticket"
    events = live.events(Trouble)
    await line.say("error", error="invalid_token", message="no", details={})
    assert (await told(events, Trouble)).error == "invalid_token"
    await live.close()


async def test_a_login_that_cannot_be_prolonged_is_trouble_and_no_end(peer: ScriptedPeer) -> None:
    async def only_once(wants: str) -> str:
        return {"connect": "ticket"}[wants]

    live = connect(peer.url, only_once)
    live.open()
    line = await peer.line()
    await line.welcome()
    await live.ready()
    events = live.events(Trouble)
    await line.say("token_expiring", expires_at="2026-11-21T10:00:00Z")
    assert (await told(events, Trouble)).error == "refresh_failed"
    assert live.is_live
    await live.close()


async def test_AU12_after_a_logout_elsewhere_nobody_gets_in_again(table: Table) -> None:
    client = await table.client("bo")
    bo = await table.seated(client)
    await client.sign_out()
    await until(lambda: bo.status.state == "refused")
    assert bo.status.reason == "unauthorized"


async def test_after_a_new_login_the_socket_returns(table: Table) -> None:
    client = await table.client("bo")
    bo = await table.seated(client)
    other = await table.client("bo")
    await client.sign_out()
    client.token = other.token
    await until(lambda: not bo.is_live)
    await until(lambda: bo.is_live)
    assert isinstance(await bo.edit(box()), Accepted)


async def test_VEC10_as_another_user_nothing_is_sent_twice(peer: ScriptedPeer) -> None:
    live = connect(peer.url, ticket, backoff=soon())
    live.open()
    line = await peer.line()
    await line.welcome()
    await live.ready()
    asked = live.edit(box())
    await line.hear("operation")
    live.cut()
    line = await peer.line()
    await line.welcome(who={"provider_id": "bo"})
    outcome = await asked
    assert isinstance(outcome, Unsettled) and outcome.reason == "another_user"
    await live.close()


# together -------------------------------------------------------------------------------------------------------------


async def test_events_come_in_their_order_to_every_iterator(table: Table) -> None:
    ana = await table.seat()
    await until(lambda: len(ana.participants) == 1)
    first, second = ana.events(), ana.events(Saved, Changed)
    asked = ana.edit(box())
    await asked
    await ana.close()
    everything = [event async for event in first]
    assert [type(event).__name__ for event in everything][:2] == ["Changed", "Saved"]
    assert everything[-1] == StatusChanged("closed", 0)
    assert [event async for event in second] == [e for e in everything if isinstance(e, Saved | Changed)]


async def test_WS11_joins_and_leaves_are_events(table: Table) -> None:
    ana = await table.seat()
    events = ana.events(Joined, Left)
    bo = await table.seat("bo")
    assert (await told(events, Joined)).user.id == "test:bo"
    assert {one.user.provider_id for one in ana.participants} == {"ana", "bo"}
    await bo.close()
    assert (await told(events, Left)).user.id == "test:bo"


async def test_PR8_cursors_and_selections_are_seen_and_vanish_with_their_connection(table: Table) -> None:
    ana, bo = await table.seat(), await table.seat("bo")
    events = ana.events(Awareness)
    bo.aware(cursor=(3, 4), selection=["some"])
    await told(events, Awareness)
    (seen,) = ana.peers.values()
    assert seen.cursor is not None and (seen.cursor.x, seen.cursor.y, seen.selection) == (3, 4, ["some"])
    bo.aware(cursor=None)
    await until(lambda: all(one.cursor is None for one in ana.peers.values()))
    await bo.close()
    await until(lambda: not ana.peers)


async def test_after_a_cut_the_others_see_again_where_we_are(table: Table) -> None:
    ana, bo = await table.seat(), await table.seat("bo")
    bo.aware(cursor=(3, 4))
    await until(lambda: len(ana.peers) == 1)
    first = set(ana.peers)
    bo.cut()
    await until(lambda: len(ana.peers) == 1 and set(ana.peers) != first)
    (seen,) = ana.peers.values()
    assert seen.cursor is not None and seen.cursor.x == 3


async def test_PR4_the_presenter_s_part_is_asked_for_given_denied_and_released(table: Table) -> None:
    ana, bo = await table.seat(), await table.seat("bo")
    assert bo.you is not None
    asked, answered = ana.events(PresenterRequested), bo.events(PresenterChanged, PresenterDenied)
    await bo.request_presenter()
    user = (await told(asked, PresenterRequested)).user
    assert user.provider_id == "bo"
    await ana.deny_presenter(user)
    assert (await told(answered, PresenterDenied)).by == "host"
    await ana.grant_presenter(user)
    assert (await told(answered, PresenterChanged)).presenter.provider_id == "bo"
    assert [one.user.provider_id for one in bo.participants if one.is_presenter] == ["bo"]
    await bo.release_presenter()
    assert (await told(answered, PresenterChanged)).presenter is None
    assert not any(one.is_presenter for one in bo.participants)
    await until(lambda: ana.presenter is None)
    await ana.request_presenter()
    await until(lambda: bo.presenter is not None and bo.presenter.provider_id == "ana")


async def test_WS1_the_page_s_older_relatives_and_a_program_edit_together(table: Table, server: Server) -> None:
    ana = await table.seat()
    person: Person = await sign_in(server, "bo")
    assert ana.session is not None
    meeting = Meeting(person, table.threat_model, table.diagram, ana.session.session_id)
    tmi = await Tmi(meeting, person).join()
    new = box()
    await ana.edit(new)
    await tmi.hear("diagram_operation_event")
    await tmi.edit({"id": new.id, "operation": "update", "data": {"x": 77}})
    await until(lambda: ana.vector == 2)
    assert (await table.agreed(ana))[0]["x"] == 77
    await meeting.over()

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from protocol.dialects.codraw_v1 import farewell, render
from protocol.notices import (
    AwarenessShown,
    AwareUpdate,
    CopyDoubtful,
    Corrected,
    Done,
    HeartbeatShown,
    HistoryDepth,
    Notice,
    PresenterAsked,
    PresenterChanged,
    PresenterDenied,
    Repaired,
    Resumed,
    RosterChanged,
    Side,
    StateReason,
    StateShown,
    TokenExpiring,
    TokenRefreshed,
    Troubled,
    VectorShown,
)
from protocol.operations import Effect, Kind, Skipped
from protocol.refusals import Ending, Reason, Trouble
from protocol.values import CellId, SocketId, User
from tests.protocol.dialects.samples import (
    AFTER,
    ALICE,
    AT,
    AT_MS,
    BOB,
    CASCADE,
    DIAGRAM_ID,
    EDGE,
    EDGE_ID,
    EPOCH,
    EVE,
    GONE_ID,
    HASH,
    MIXED,
    NODE,
    NODE_ID,
    NOTICES,
    OPERATION_ID,
    ROSTER,
    SESSION_ID,
    THREAT_MODEL_ID,
    WELCOMED,
    accepted,
    adding,
    big_view,
    changes,
    ended,
    happened,
    logged,
    rejected,
    wire,
)


def user(of: User) -> dict[str, str]:
    return {"principal_type": "user", **msgspec.to_builtins(of)}


def shown(notice: Notice, side: Side = Side.OTHER) -> list[dict[str, Any]]:
    return wire(render(notice, side))


STATE = {
    "message_type": "state",
    "epoch": EPOCH,
    "update_vector": 42,
    "state_hash": HASH,
    "reason": "joined",
    "resend": True,
    "cells": [NODE, EDGE],
}
EVENT = {
    "message_type": "event",
    "epoch": EPOCH,
    "update_vector": 42,
    "operation_id": OPERATION_ID,
    "by": {"id": "test:alice", "name": "Alice"},
    "kind": "edit",
    "operation": {"type": "patch", "cells": [{"id": NODE_ID, "operation": "update", "data": {"x": 150}}]},
    "at": AT,
}
RECEIPT = {
    "message_type": "operation_accepted",
    "operation_id": OPERATION_ID,
    "epoch": EPOCH,
    "update_vector": 42,
    "changed": True,
    "duplicate": False,
    "kind": "edit",
    "history": {"undo": 3, "redo": 0},
}
REMOVED = [{"id": NODE_ID, "operation": "remove"}, {"id": EDGE_ID, "operation": "remove"}]


def test_WS14_the_first_frame_is_the_welcome() -> None:
    [welcome] = shown(WELCOMED, Side.SENDER)
    limits = welcome.pop("limits")
    assert welcome == {
        "message_type": "welcome",
        "protocol": "codraw.v1",
        "encoding": "json",
        "server": {"name": "codraw", "version": "1.0.0"},
        "server_time": AT,
        "session": {
            "session_id": SESSION_ID,
            "threat_model_id": THREAT_MODEL_ID,
            "diagram_id": DIAGRAM_ID,
            "host": user(ALICE),
            "presenter": None,
            "presenter_term": 3,
        },
        "you": {
            "user": user(BOB),
            "connection_id": "c7",
            "role": "writer",
            "permissions": "writer",
            "is_host": False,
            "token_expires_at": "2026-11-21T11:00:00Z",
            "history": {"undo": 2, "redo": 0},
        },
        "epoch": EPOCH,
        "update_vector": 42,
        "state_hash": HASH,
        "durability": "disk",
        "heartbeat_seconds": 15,
    }
    assert limits == msgspec.to_builtins(WELCOMED.limits)


def test_OP23_the_limits_in_force_stand_in_the_welcome() -> None:
    welcomed = msgspec.structs.replace(WELCOMED, limits=msgspec.structs.replace(WELCOMED.limits, max_frame_bytes=9))
    assert shown(welcomed, Side.SENDER)[0]["limits"]["max_frame_bytes"] == 9


def test_the_host_is_told_so() -> None:
    assert shown(msgspec.structs.replace(WELCOMED, you=ALICE), Side.SENDER)[0]["you"]["is_host"]


def test_a_state_says_why_and_whether_to_resend() -> None:
    assert shown(StateShown(AFTER, StateReason.JOINED)) == [STATE]
    answer = StateShown(AFTER, StateReason.RESUME_IMPOSSIBLE, resend=False, ref="r1")
    assert shown(answer) == [{**STATE, "reason": "resume_impossible", "resend": False, "ref": "r1"}]


def test_a_resume_counts_what_follows() -> None:
    assert shown(Resumed(EPOCH, 38, 41, AFTER.state_hash, "r1")) == [
        {
            "message_type": "resumed",
            "epoch": EPOCH,
            "from": 38,
            "to": 41,
            "count": 3,
            "state_hash": HASH,
            "ref": "r1",
        }
    ]


def test_a_repair_shows_whole_cells() -> None:
    repair = {
        "message_type": "repair",
        "epoch": EPOCH,
        "update_vector": 42,
        "state_hash": HASH,
        "cells": [EDGE],
        "removed": [GONE_ID],
    }
    assert shown(Repaired(AFTER, (EDGE_ID,), (GONE_ID,))) == [repair]
    assert shown(Repaired(AFTER, (EDGE_ID,), (GONE_ID,), (EDGE_ID, NODE_ID), "r1")) == [
        {**repair, "order": [EDGE_ID, NODE_ID], "ref": "r1"}
    ]


@pytest.mark.parametrize("side", Side)
def test_E1_an_event_is_the_effective_form_on_every_side(side: Side) -> None:
    assert shown(happened(), side) == [EVENT]


def test_OP13_an_event_tells_keys_that_are_gone_as_null() -> None:
    assert shown(happened(MIXED))[0]["operation"]["cells"] == [
        {"id": EDGE_ID, "operation": "add", "data": EDGE},
        {"id": NODE_ID, "operation": "update", "data": {"x": 150, "angle": None}},
        {"id": GONE_ID, "operation": "remove"},
    ]


def test_an_event_names_what_an_undo_took_back() -> None:
    assert shown(happened(kind=Kind.UNDO, undo_of=41)) == [{**EVENT, "kind": "undo", "undo_of": 41}]


def test_UN15_an_event_tells_those_whose_undo_stack_it_moved() -> None:
    moved = msgspec.structs.replace(happened(), history=HistoryDepth(3, 1))
    history = {"history": {"undo": 3, "redo": 1}}
    assert shown(moved, Side.OTHER) == shown(happened(), Side.OWN) == [EVENT]
    assert shown(moved, Side.OWN) == [EVENT | history]
    shared = msgspec.structs.replace(moved, shared_undo=True)
    assert shown(shared, Side.OTHER) == shown(shared, Side.OWN) == [EVENT | history]


def test_E7_another_order_is_told_by_the_event() -> None:
    [event] = shown(happened(Effect((), (EDGE_ID, NODE_ID)), kind=Kind.REST))
    assert event["operation"] == {"type": "patch", "cells": [], "order": [EDGE_ID, NODE_ID]}


def test_E7_what_is_too_long_is_a_state() -> None:
    view = big_view(20)
    [state] = shown(happened(adding(view), view))
    assert (state["message_type"], state["reason"]) == ("state", "too_large")


def test_E7_so_is_an_order_that_is_too_long() -> None:
    order = tuple(CellId(f"{n:0>100}") for n in range(11_000))
    [state] = shown(happened(Effect((), order)))
    assert (state["message_type"], state["reason"]) == ("state", "too_large")


def test_E7_a_receipt_that_is_too_long_follows_the_state_that_holds_it() -> None:
    view = big_view(20)
    state, receipt = shown(accepted(adding(view), kind=Kind.UNDO, after=view), Side.SENDER)
    assert (state["message_type"], state["reason"]) == ("state", "too_large")
    assert receipt == {**RECEIPT, "kind": "undo"}


def test_E7_a_receipt_of_another_order_follows_the_state_that_holds_it() -> None:
    reordering = Effect((), (EDGE_ID, NODE_ID))
    state, receipt = shown(accepted(reordering, kind=Kind.UNDO), Side.SENDER)
    assert state["message_type"] == "state"
    assert receipt == {**RECEIPT, "kind": "undo"}


def test_E6_a_restored_history_is_a_state() -> None:
    assert shown(happened(kind=Kind.RESTORE)) == [{**STATE, "reason": "epoch_changed"}]


def test_OP19_a_v1_sender_gets_a_receipt() -> None:
    assert shown(accepted(ref="o1"), Side.SENDER) == [{**RECEIPT, "ref": "o1"}]


def test_OP13_a_receipt_tells_the_effective_cells_where_they_differ() -> None:
    removal = changes({"id": NODE_ID, "operation": "remove"})
    assert shown(accepted(CASCADE, asked=removal), Side.SENDER) == [{**RECEIPT, "cells": REMOVED}]


def test_E2_a_no_op_changes_nothing() -> None:
    assert shown(accepted(None), Side.SENDER) == [{**RECEIPT, "changed": False}]


def test_E3_a_retry_says_so() -> None:
    [receipt] = shown(accepted(None, changed=True, duplicate=True, vector=41), Side.SENDER)
    assert receipt == {**RECEIPT, "update_vector": 41, "duplicate": True}


def test_E5_the_receipt_of_an_undo_always_tells_its_cells() -> None:
    removal = changes({"id": NODE_ID, "operation": "remove"}, {"id": EDGE_ID, "operation": "remove"})
    [receipt] = shown(accepted(CASCADE, kind=Kind.UNDO, asked=removal), Side.SENDER)
    assert receipt == {**RECEIPT, "kind": "undo", "cells": REMOVED}


def test_UN6_an_undo_that_inverts_nothing_tells_what_it_skipped() -> None:
    skipped = (Skipped(NODE_ID, ("label", "attrs/body/fill"), "changed"),)
    assert shown(accepted(None, kind=Kind.UNDO, skipped=skipped), Side.SENDER) == [
        {
            **RECEIPT,
            "changed": False,
            "kind": "undo",
            "cells": [],
            "skipped": [{"id": NODE_ID, "keys": ["label", "attrs/body/fill"], "why": "changed"}],
        }
    ]


@pytest.mark.parametrize("notice", [Corrected(logged(), AFTER, (NODE_ID,), 40), CopyDoubtful(AFTER), VectorShown(42)])
def test_E4_E8_need_no_frame(notice: Notice) -> None:
    assert shown(notice) == []


def test_a_rejection_shows_the_cells_as_they_are() -> None:
    refused = msgspec.structs.replace(
        rejected(Reason.CONFLICT_DETECTED, affected=(NODE_ID,), details={"a": 1}), current_cells=(NODE,), ref="o1"
    )
    assert shown(refused) == [
        {
            "message_type": "operation_rejected",
            "operation_id": OPERATION_ID,
            "reason": "conflict_detected",
            "message": "why",
            "update_vector": 42,
            "affected_cells": [NODE_ID],
            "current_cells": [NODE],
            "requires_resync": False,
            "retry": False,
            "details": {"a": 1},
            "ref": "o1",
        }
    ]


def test_a_rejection_asks_for_a_resync_only_where_its_cells_cannot_repair() -> None:
    ids = tuple(CellId(f"c{n}") for n in range(51))
    refused = msgspec.structs.replace(rejected(Reason.CONFLICT_DETECTED, affected=ids), current_cells=(NODE,) * 51)
    [frame] = shown(refused)
    assert frame["requires_resync"]
    assert len(frame["current_cells"]) == 50
    assert not shown(rejected(Reason.CONFLICT_DETECTED, affected=ids[:50]))[0]["requires_resync"]


def test_a_rejection_shows_as_many_bytes_of_cells_as_it_has_room_for() -> None:
    large = tuple([{**NODE, "id": f"c{n}", "note": "x" * 10_000} for n in range(5)])
    ids = tuple([CellId(cell["id"]) for cell in large])
    for count, told in ((3, 3), (5, 3)):
        refused = rejected(Reason.CONFLICT_DETECTED, affected=ids[:count])
        [frame] = shown(msgspec.structs.replace(refused, current_cells=large[:count]))
        assert frame["current_cells"] == list(large[:told])
        assert frame["requires_resync"] is (count > told)


def test_a_retryable_rejection_says_when() -> None:
    [frame] = shown(rejected(Reason.UNAVAILABLE, retry=True, retry_after_ms=5_000))
    assert (frame["reason"], frame["retry"], frame["retry_after_ms"]) == ("unavailable", True, 5_000)


def test_UN8_an_empty_stack_is_a_rejection() -> None:
    [frame] = shown(rejected(Reason.NOTHING_TO_REDO, Kind.REDO))
    assert (frame["message_type"], frame["reason"]) == ("operation_rejected", "nothing_to_redo")


def test_participants_show_roles_connections_and_the_change() -> None:
    [frame] = shown(RosterChanged(ROSTER, AT_MS, joined=(BOB,), left=(EVE,)))
    assert frame == {
        "message_type": "participants",
        "participants": [
            {
                "user": user(ALICE),
                "role": "owner",
                "permissions": "writer",
                "is_host": True,
                "is_presenter": True,
                "connections": [{"connection_id": "a1", "dialect": "tmi", "joined_at": AT}],
            },
            {
                "user": user(BOB),
                "role": "reader",
                "permissions": "reader",
                "is_host": False,
                "is_presenter": False,
                "connections": [{"connection_id": "b1", "dialect": "codraw.v1", "joined_at": AT}],
            },
        ],
        "host": user(ALICE),
        "host_state": "here",
        "presenter": user(ALICE),
        "presenter_term": 4,
        "joined": [{"id": "test:bob", "name": "Bob"}],
        "left": [{"id": "test:eve", "name": "Eve"}],
    }


def test_WS11_v1_hears_of_connections_and_of_an_absent_host() -> None:
    away = msgspec.structs.replace(ROSTER, host_state="away")
    assert shown(RosterChanged(away, AT_MS))[0]["host_state"] == "away"


def test_PR4_presenter_messages() -> None:
    base = {"message_type": "presenter", "presenter": user(ALICE), "term": 4}
    assert shown(PresenterChanged(ROSTER, "host")) == [{**base, "action": "changed", "by": "host"}]
    assert shown(PresenterAsked(BOB, ROSTER)) == [{**base, "action": "requested", "user": user(BOB)}]
    denied = {**base, "action": "denied", "user": user(BOB)}
    assert shown(PresenterDenied(BOB, ROSTER, ALICE)) == [{**denied, "by": "host"}]
    assert shown(PresenterDenied(BOB, ROSTER, None)) == [{**denied, "by": "system"}]


def test_PR8_everybody_points_and_null_means_gone() -> None:
    updates = (
        AwareUpdate(SocketId("a1"), ALICE, True, {"x": 382, "y": 62.5}, (NODE_ID,)),
        AwareUpdate(SocketId("b1"), BOB, False, None, None, None),
    )
    assert shown(AwarenessShown(updates)) == [
        {
            "message_type": "awareness",
            "updates": [
                {"connection_id": "a1", "cursor": {"x": 382, "y": 62.5}, "selection": [NODE_ID]},
                {"connection_id": "b1", "cursor": None, "selection": None, "viewport": None},
            ],
        }
    ]
    assert shown(AwarenessShown(())) == []


def test_a_heartbeat_carries_vector_and_hash() -> None:
    beat = {"message_type": "heartbeat", "epoch": EPOCH, "update_vector": 42, "state_hash": HASH, "server_time": AT}
    assert shown(HeartbeatShown(EPOCH, 42, AFTER.state_hash, AT_MS)) == [beat]
    assert shown(HeartbeatShown(EPOCH, 42, AFTER.state_hash, AT_MS, "h7")) == [{**beat, "ref": "h7"}]


def test_tokens() -> None:
    assert shown(TokenRefreshed(AT_MS, "t1")) == [{"message_type": "token_refreshed", "expires_at": AT, "ref": "t1"}]
    assert shown(TokenExpiring(AT_MS)) == [{"message_type": "token_expiring", "expires_at": AT}]


def test_done_is_said_to_a_ref_only() -> None:
    assert shown(Done("r1")) == [{"message_type": "done", "ref": "r1"}]
    assert shown(Done()) == []


@pytest.mark.parametrize("trouble", Trouble)
def test_WS22_troubles_have_their_own_words(trouble: Trouble) -> None:
    assert shown(Troubled(trouble, "why", AT_MS, OPERATION_ID, ref="r1")) == [
        {
            "message_type": "error",
            "error": trouble,
            "message": "why",
            "details": {"operation_id": OPERATION_ID},
            "ref": "r1",
        }
    ]


@pytest.mark.parametrize(
    ("ending", "code", "returning"),
    [
        (Ending.HOST_LEFT, 1000, "no"),
        (Ending.HOST_ENDED, 1000, "no"),
        (Ending.OWNER_ENDED, 1000, "no"),
        (Ending.HOST_LOST, 1000, "no"),
        (Ending.IDLE, 1000, "no"),
        (Ending.EMPTY, 1000, "no"),
        (Ending.LEFT, 1000, "no"),
        (Ending.DIAGRAM_DELETED, 1000, "no"),
        (Ending.REMOVED, 4403, "no"),
        (Ending.ACCESS_REVOKED, 4403, "no"),
        (Ending.TOKEN_EXPIRED, 4401, "reauthenticate"),
        (Ending.SESSION_NOT_FOUND, 4404, "no"),
        (Ending.DIAGRAM_NOT_FOUND, 4404, "no"),
        (Ending.TOO_MANY_CONNECTIONS, 4429, "yes"),
        (Ending.SESSION_FULL, 4429, "yes"),
        (Ending.SLOW, 4408, "yes"),
        (Ending.FLOODING, 4429, "yes"),
        (Ending.RESTART, 1012, "yes"),
        (Ending.UNAVAILABLE, 1013, "yes"),
    ],
)
def test_SES15_SES18_a_goodbye_says_code_reason_and_whether_to_return(
    ending: Ending, code: int, returning: str
) -> None:
    last = farewell(ended(ending))
    [frame] = wire(last.messages)
    assert (frame["message_type"], frame["code"], frame["reason"], frame["return"]) == (
        "goodbye",
        code,
        ending,
        returning,
    )
    assert last.code == code


def test_SES21_a_deleted_threat_model_is_a_deleted_diagram() -> None:
    assert wire(farewell(ended(Ending.THREAT_MODEL_DELETED)).messages)[0]["reason"] == "diagram_deleted"


def test_a_goodbye_says_when_to_return() -> None:
    last = farewell(ended(Ending.RESTART, retry_after_ms=1_800))
    assert wire(last.messages) == [
        {
            "message_type": "goodbye",
            "code": 1012,
            "reason": "restart",
            "message": "server restarts",
            "return": "yes",
            "retry_after_ms": 1_800,
        }
    ]


@pytest.mark.parametrize(("ending", "code"), [(Ending.NOT_TEXT, 1003), (Ending.TOO_BIG, 1009)])
def test_a_frame_that_cannot_be_taken_is_answered_by_the_code_alone(ending: Ending, code: int) -> None:
    last = farewell(ended(ending))
    assert (last.messages, last.code) == ((), code)


def test_every_frame_packs_as_a_map_with_the_same_members() -> None:
    for notice in NOTICES:
        for message in render(notice, Side.SENDER):
            packed = msgspec.msgpack.decode(msgspec.msgpack.encode(message))
            assert packed == msgspec.json.decode(msgspec.json.encode(message))

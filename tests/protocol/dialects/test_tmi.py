from __future__ import annotations

from typing import Any

import msgspec
import pytest

from protocol.dialects.patches import correction_id
from protocol.dialects.tmi import farewell, render, render_for_app
from protocol.notices import (
    AwarenessShown,
    AwareUpdate,
    CopyDoubtful,
    Corrected,
    Notice,
    PresenterAsked,
    PresenterChanged,
    PresenterDenied,
    RosterChanged,
    Side,
    StateReason,
    StateShown,
    Troubled,
    VectorShown,
)
from protocol.operations import Effect, Kind
from protocol.refusals import CloseCode, Ending, Reason, Trouble
from protocol.values import SERVER_USER, SocketId, User
from tests.protocol.dialects.samples import (
    AFTER,
    ALICE,
    AT,
    AT_MS,
    BOB,
    CASCADE,
    EDGE,
    EDGE_ID,
    EVE,
    GONE_ID,
    NOBODY_PRESENTS,
    NODE,
    NODE_ID,
    NOTICES,
    OPERATION_ID,
    ROSTER,
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


STATE = {"message_type": "diagram_state", "diagram_id": AFTER.id, "update_vector": 42, "cells": [NODE, EDGE]}
WHOLE = {"id": NODE_ID, "operation": "update", "data": {**NODE, "data": {}}}
EVENT = {
    "message_type": "diagram_operation_event",
    "initiating_user": user(ALICE),
    "operation_id": OPERATION_ID,
    "sequence_number": 2,
    "update_vector": 42,
    "operation": {"type": "patch", "cells": [WHOLE]},
}
UPDATE = {
    "message_type": "participants_update",
    "initiating_user": None,
    "participants": [
        {"user": user(ALICE), "permissions": "writer", "last_activity": AT},
        {"user": user(BOB), "permissions": "reader", "last_activity": AT},
    ],
    "host": user(ALICE),
    "current_presenter": user(ALICE),
}
NOTICE_ERRORS = {"invalid_participant", "permission_denied", "validation_error"}


def shown(notice: Notice, side: Side = Side.OTHER) -> list[dict[str, Any]]:
    return wire(render(notice, side))


def test_WS14_the_first_frame_is_the_state() -> None:
    assert shown(WELCOMED, Side.SENDER) == []
    assert shown(StateShown(AFTER, StateReason.JOINED), Side.SENDER) == [STATE]


def test_E1_others_get_the_event_with_whole_cells() -> None:
    assert shown(happened()) == [EVENT]


def test_OP19_a_tmi_sender_gets_the_event_as_receipt() -> None:
    assert shown(accepted(), Side.SENDER) == [EVENT]


def test_VEC12_the_sequence_number_counts_from_the_session_s_start() -> None:
    numbers = [shown(happened(vector=vector))[0]["sequence_number"] for vector in (41, 42, 43)]
    assert numbers == [1, 2, 3]


def test_VEC12_a_retry_of_an_operation_from_before_the_session_counts_nothing() -> None:
    assert shown(accepted(None, duplicate=True, vector=7), Side.SENDER)[0]["sequence_number"] == 0


def test_OP13_the_event_holds_the_server_s_cell() -> None:
    [event] = shown(happened())
    assert event["operation"]["cells"][0]["data"] == {**AFTER.cells[NODE_ID], "data": {}}


def test_E2_a_no_op_is_the_request_as_an_event_at_the_current_vector() -> None:
    assert shown(accepted(None), Side.SENDER) == [EVENT]


def test_E2_a_no_op_removal_is_a_removal() -> None:
    removal = changes({"id": GONE_ID, "operation": "remove"})
    [event] = shown(accepted(None, asked=removal), Side.SENDER)
    assert event["operation"]["cells"] == [{"id": GONE_ID, "operation": "remove"}]


def test_E3_a_retry_is_the_event_again_at_the_original_vector() -> None:
    [event] = shown(accepted(None, changed=True, duplicate=True, vector=41), Side.SENDER)
    assert event == {**EVENT, "update_vector": 41, "sequence_number": 1}


def test_E4_a_correction_is_a_second_event_of_the_server_s_user() -> None:
    corrected = Corrected(logged(), AFTER, (NODE_ID, GONE_ID), 40)
    assert shown(corrected, Side.SENDER) == [
        {
            **EVENT,
            "initiating_user": user(SERVER_USER),
            "operation_id": correction_id(OPERATION_ID),
            "operation": {"type": "patch", "cells": [WHOLE, {"id": GONE_ID, "operation": "remove"}]},
        }
    ]


def test_E5_the_requester_s_sockets_get_the_state_of_an_undo() -> None:
    assert shown(accepted(kind=Kind.UNDO), Side.SENDER) == [STATE]
    assert shown(happened(kind=Kind.UNDO), Side.OWN) == [STATE]


@pytest.mark.parametrize("kind", [Kind.UNDO, Kind.REDO])
def test_E5_TMI_s_web_app_gets_an_undo_as_an_event_of_the_server_s_user(kind: Kind) -> None:
    by_server = {**EVENT, "initiating_user": user(SERVER_USER)}
    assert wire(render_for_app(accepted(kind=kind), Side.SENDER)) == [by_server]
    assert wire(render_for_app(happened(kind=kind), Side.OWN)) == [by_server]
    assert wire(render_for_app(happened(kind=kind), Side.OTHER)) == [EVENT]


def test_TMI_s_web_app_is_told_all_else_as_others_are() -> None:
    for notice, side in (
        (accepted(), Side.SENDER),
        (accepted(None, kind=Kind.REDO), Side.SENDER),
        (happened(), Side.OWN),
        (happened(kind=Kind.RESTORE), Side.OWN),
        (StateShown(AFTER, StateReason.REQUESTED), Side.SENDER),
    ):
        assert wire(render_for_app(notice, side)) == shown(notice, side)


def test_UN12_others_get_an_undo_in_the_requester_s_name() -> None:
    assert shown(happened(kind=Kind.UNDO)) == [EVENT]


def test_UN6_an_undo_that_inverts_nothing_asks_for_a_resync() -> None:
    assert shown(accepted(None, kind=Kind.REDO), Side.SENDER) == [
        {"message_type": "history_operation", "operation_type": "redo", "message": "resync_required"}
    ]


def test_E6_another_epoch_is_a_state() -> None:
    assert shown(StateShown(AFTER, StateReason.EPOCH_CHANGED, corrects=True)) == [STATE]
    assert shown(happened(kind=Kind.RESTORE)) == [STATE]


@pytest.mark.parametrize("side", Side)
def test_E7_another_order_is_a_state(side: Side) -> None:
    reordered = Effect((), (EDGE_ID, NODE_ID))
    assert shown(happened(reordered, kind=Kind.REST), side) == [STATE]
    assert shown(accepted(reordered), side) == [STATE]


def test_E7_what_is_too_long_is_a_state() -> None:
    view = big_view(20)
    assert shown(happened(adding(view), view))[0]["message_type"] == "diagram_state"
    assert shown(accepted(adding(view), after=view), Side.SENDER)[0]["message_type"] == "diagram_state"


def test_E8_a_sender_s_other_sockets_get_the_event_of_the_server_s_user() -> None:
    assert shown(happened(), Side.OWN) == [{**EVENT, "initiating_user": user(SERVER_USER)}]
    assert shown(CopyDoubtful(AFTER), Side.OWN) == []


def test_a_cascade_is_told_whole() -> None:
    assert shown(happened(CASCADE))[0]["operation"]["cells"] == [
        {"id": NODE_ID, "operation": "remove"},
        {"id": EDGE_ID, "operation": "remove"},
    ]


def test_E9_the_presenter_points_without_a_name() -> None:
    pointing = AwareUpdate(SocketId("a1"), ALICE, True, {"x": 382, "y": 62.5}, (NODE_ID,))
    assert shown(AwarenessShown((pointing,))) == [
        {"message_type": "presenter_cursor", "cursor_position": {"x": 382, "y": 62.5}},
        {"message_type": "presenter_selection", "selected_cells": [NODE_ID]},
    ]


def test_PR6_nobody_else_points() -> None:
    assert shown(AwarenessShown((AwareUpdate(SocketId("b1"), BOB, False, {"x": 1, "y": 2}, None),))) == []


@pytest.mark.parametrize("side", Side)
def test_a_join_is_told_to_all_with_a_literal_null(side: Side) -> None:
    assert shown(RosterChanged(ROSTER, AT_MS, joined=(BOB,)), side) == [UPDATE]


def test_an_ejection_is_in_the_host_s_name() -> None:
    changed = RosterChanged(ROSTER, AT_MS, left=(EVE,), ejected=True)
    assert shown(changed) == [{**UPDATE, "initiating_user": user(ALICE)}]


def test_a_fallen_back_presenter_is_in_the_same_frame() -> None:
    changed = RosterChanged(NOBODY_PRESENTS, AT_MS, left=(ALICE,), presenter_changed=True)
    assert shown(changed) == [{**UPDATE, "current_presenter": None}]


def test_another_role_is_told() -> None:
    assert shown(RosterChanged(ROSTER, AT_MS, roles_changed=True)) == [UPDATE]


def test_WS11_mere_connections_are_not_told() -> None:
    assert shown(RosterChanged(ROSTER, AT_MS)) == []
    assert shown(RosterChanged(ROSTER, AT_MS), Side.SENDER) == [UPDATE]


def test_PR4_a_change_of_presenter_is_told_to_all() -> None:
    for side in Side:
        assert shown(PresenterChanged(ROSTER, "host"), side) == [UPDATE]


def test_presenter_requests_and_denials() -> None:
    assert shown(PresenterAsked(BOB, ROSTER)) == [
        {"message_type": "presenter_request_event", "requesting_user": user(BOB)}
    ]
    assert shown(PresenterDenied(BOB, ROSTER, None)) == [
        {"message_type": "presenter_denied_event", "denied_user": user(BOB)}
    ]


def test_an_equal_vector_is_answered_by_itself() -> None:
    assert shown(VectorShown(42)) == [{"message_type": "sync_status_response", "update_vector": 42}]


def test_a_refusal_names_reason_vector_and_cells() -> None:
    assert shown(rejected(Reason.CONFLICT_DETECTED, affected=(NODE_ID,))) == [
        {
            "message_type": "operation_rejected",
            "operation_id": OPERATION_ID,
            "update_vector": 42,
            "reason": "conflict_detected",
            "message": "why",
            "affected_cells": [NODE_ID],
            "requires_resync": True,
            "timestamp": AT,
        }
    ]


@pytest.mark.parametrize(
    ("reason", "published"),
    [(Reason.OPERATION_ID_CONFLICT, "conflict_detected"), (Reason.LIMIT_EXCEEDED, "validation_failed")],
)
def test_an_unpublished_reason_is_said_by_a_published_one(reason: Reason, published: str) -> None:
    [frame] = shown(rejected(reason))
    assert (frame["reason"], frame["details"]) == (published, reason)


def test_a_reader_s_edit_is_rejected_and_a_reader_s_undo_denied() -> None:
    assert shown(rejected(Reason.PERMISSION_DENIED))[0]["reason"] == "permission_denied"
    assert shown(rejected(Reason.PERMISSION_DENIED, Kind.UNDO))[0]["message_type"] == "authorization_denied"


def test_an_empty_history_is_told_by_name() -> None:
    [frame] = shown(rejected(Reason.NOTHING_TO_UNDO, Kind.UNDO))
    assert frame == {
        "message_type": "history_operation",
        "operation_type": "undo",
        "message": "no_operations_to_undo",
    }


@pytest.mark.parametrize("trouble", Trouble)
def test_WS22_troubles_are_notices(trouble: Trouble) -> None:
    [frame] = shown(Troubled(trouble, "why", AT_MS))
    expected = trouble if trouble in NOTICE_ERRORS else "validation_error"
    assert frame == {"message_type": "error", "error": expected, "message": "why", "timestamp": AT}


@pytest.mark.parametrize("side", Side)
def test_WS20_no_notice_throws_a_user_out(side: Side) -> None:
    frames = [frame for notice in NOTICES for frame in shown(notice, side)]
    errors = {frame["error"] for frame in frames if frame["message_type"] == "error"}
    assert errors == NOTICE_ERRORS


@pytest.mark.parametrize("ending", Ending)
def test_WS20_a_last_error_is_none_of_the_notices(ending: Ending) -> None:
    frames = wire(farewell(ended(ending)).messages)
    assert all(frame["message_type"] == "error" and frame["error"] not in NOTICE_ERRORS for frame in frames)


@pytest.mark.parametrize(
    ("ending", "error", "code"),
    [
        (Ending.HOST_LEFT, "session_terminated", 1000),
        (Ending.HOST_ENDED, "session_terminated", 1000),
        (Ending.OWNER_ENDED, "session_terminated", 1000),
        (Ending.HOST_LOST, "session_terminated", 1000),
        (Ending.IDLE, "session_terminated", 1000),
        (Ending.EMPTY, "session_terminated", 1000),
        (Ending.DIAGRAM_DELETED, "diagram_not_found", 1000),
        (Ending.THREAT_MODEL_DELETED, "threat_model_not_found", 1000),
        (Ending.REMOVED, "removed_from_session", 4403),
        (Ending.ACCESS_REVOKED, "access_denied", 4403),
        (Ending.TOKEN_EXPIRED, "token_expired", 4401),
        (Ending.SESSION_NOT_FOUND, "session_not_found", 4404),
        (Ending.DIAGRAM_NOT_FOUND, "diagram_not_found", 4404),
        (Ending.TOO_MANY_CONNECTIONS, "too_many_connections", 4429),
        (Ending.SESSION_FULL, "session_full", 4429),
    ],
)
def test_SES15_SES18_SES21_an_end_is_one_error_and_its_code(ending: Ending, error: str, code: int) -> None:
    last = farewell(ended(ending))
    [frame] = wire(last.messages)
    assert (frame["error"], frame["timestamp"], last.code) == (error, AT, code)


@pytest.mark.parametrize(
    "ending",
    [
        Ending.LEFT,
        Ending.SLOW,
        Ending.FLOODING,
        Ending.RESTART,
        Ending.UNAVAILABLE,
        Ending.NOT_TEXT,
        Ending.TOO_BIG,
    ],
)
def test_the_rest_is_said_by_the_close_code(ending: Ending) -> None:
    assert farewell(ended(ending)).messages == ()


def test_leaving_is_no_error() -> None:
    assert farewell(ended(Ending.LEFT)).code == CloseCode.OVER

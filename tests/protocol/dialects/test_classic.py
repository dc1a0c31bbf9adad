from __future__ import annotations

from typing import Any

import msgspec
import pytest

from protocol.dialects.classic import farewell, render
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
from protocol.values import SocketId
from tests.protocol.dialects.samples import (
    AFTER,
    ALICE,
    AT,
    AT_MS,
    BOB,
    EDGE,
    EDGE_ID,
    EVE,
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
    ended,
    happened,
    logged,
    rejected,
    wire,
)

STATE = {
    "message_type": "diagram_state_sync",
    "diagram_id": AFTER.id,
    "update_vector": 42,
    "cells": [NODE, EDGE],
}
CORRECTION = {"message_type": "state_correction", "update_vector": 42}
UNDONE = {"message_type": "history_operation", "operation_type": "undo", "message": "resync_required"}
PRESENTER = {"message_type": "current_presenter", "current_presenter": ALICE.email}


def shown(notice: Notice, side: Side = Side.OTHER) -> list[dict[str, Any]]:
    return wire(render(notice, side))


def test_WS14_the_first_frame_is_the_state() -> None:
    assert shown(WELCOMED, Side.SENDER) == []
    assert shown(StateShown(AFTER, StateReason.JOINED), Side.SENDER) == [STATE]


def test_E1_others_get_the_operation_in_its_author_s_name() -> None:
    assert shown(happened()) == [
        {
            "message_type": "diagram_operation",
            "user_id": ALICE.email,
            "operation_id": OPERATION_ID,
            "operation": {
                "type": "patch",
                "cells": [
                    {
                        "id": NODE_ID,
                        "operation": "update",
                        "data": {"x": 150, "label": "New Process", "note": None},
                    }
                ],
            },
        }
    ]


@pytest.mark.parametrize(
    "receipt",
    [accepted(), accepted(None), accepted(None, changed=True, duplicate=True), accepted(adding(AFTER))],
    ids=["E1", "E2", "E3", "add"],
)
def test_OP19_a_classic_sender_gets_no_copy(receipt: Notice) -> None:
    assert shown(receipt, Side.SENDER) == []


def test_E4_a_wrong_copy_is_corrected_by_rest() -> None:
    assert shown(Corrected(logged(), AFTER, (NODE_ID,), 40), Side.SENDER) == [CORRECTION]


@pytest.mark.parametrize("notice", [accepted(kind=Kind.UNDO), happened(kind=Kind.UNDO)])
def test_E5_the_requester_of_an_undo_fetches_the_outcome(notice: Notice) -> None:
    assert shown(notice, Side.OWN) == [UNDONE, CORRECTION]


def test_E5_others_see_an_undo_as_an_operation() -> None:
    assert shown(happened(kind=Kind.UNDO)) == shown(happened())


def test_UN6_an_undo_that_inverts_nothing_asks_for_a_resync() -> None:
    assert shown(accepted(None, kind=Kind.UNDO), Side.SENDER) == [UNDONE]


def test_E6_another_epoch_is_a_state_and_a_correction() -> None:
    assert shown(StateShown(AFTER, StateReason.EPOCH_CHANGED, corrects=True)) == [STATE, CORRECTION]
    assert shown(happened(kind=Kind.RESTORE)) == [STATE, CORRECTION]


def test_E7_another_order_is_a_state_and_a_correction() -> None:
    assert shown(happened(Effect((), (EDGE_ID, NODE_ID)), kind=Kind.REST)) == [STATE, CORRECTION]


def test_E7_what_is_too_long_is_a_state_and_a_correction() -> None:
    view = big_view(20)
    assert [message["message_type"] for message in shown(happened(adding(view), view))] == [
        "diagram_state_sync",
        "state_correction",
    ]


def test_E8_a_sender_s_other_sockets_are_also_corrected() -> None:
    assert shown(happened(), Side.OWN) == shown(happened(), Side.OTHER)
    assert shown(CopyDoubtful(AFTER), Side.OWN) == [CORRECTION]


def test_E9_the_presenter_points_for_all() -> None:
    pointing = AwareUpdate(SocketId("a1"), ALICE, True, {"x": 382, "y": 62.5}, (NODE_ID,))
    assert shown(AwarenessShown((pointing,))) == [
        {"message_type": "presenter_cursor", "user_id": ALICE.email, "cursor_position": {"x": 382, "y": 62.5}},
        {"message_type": "presenter_selection", "user_id": ALICE.email, "selected_cells": [NODE_ID]},
    ]


def test_E9_what_is_gone_is_an_empty_selection_and_no_cursor() -> None:
    gone = AwareUpdate(SocketId("a1"), ALICE, True, None, None, None)
    assert shown(AwarenessShown((gone,))) == [
        {"message_type": "presenter_selection", "user_id": ALICE.email, "selected_cells": []}
    ]


def test_PR6_nobody_else_points() -> None:
    assert shown(AwarenessShown((AwareUpdate(SocketId("b1"), BOB, False, {"x": 1, "y": 2}, (NODE_ID,)),))) == []


def test_a_newcomer_hears_who_presents() -> None:
    assert shown(RosterChanged(ROSTER, AT_MS, joined=(BOB,)), Side.SENDER) == [PRESENTER]
    assert shown(RosterChanged(NOBODY_PRESENTS, AT_MS, joined=(BOB,)), Side.SENDER) == [
        {"message_type": "current_presenter", "current_presenter": ""}
    ]


def test_others_hear_who_joins_and_leaves() -> None:
    assert shown(RosterChanged(ROSTER, AT_MS, joined=(BOB,), left=(EVE,))) == [
        {"event": "join", "user_id": BOB.email, "timestamp": AT},
        {"event": "leave", "user_id": EVE.email, "timestamp": AT},
    ]


def test_a_user_s_own_sockets_hear_nothing_of_its_coming() -> None:
    assert shown(RosterChanged(ROSTER, AT_MS, joined=(BOB,)), Side.OWN) == []


def test_the_presenter_s_leave_is_followed_by_the_next_presenter() -> None:
    assert shown(RosterChanged(ROSTER, AT_MS, left=(EVE,), presenter_changed=True)) == [
        {"event": "leave", "user_id": EVE.email, "timestamp": AT},
        PRESENTER,
    ]


def test_PR4_a_change_of_presenter_is_told_to_all() -> None:
    for side in Side:
        assert shown(PresenterChanged(ROSTER, "host"), side) == [PRESENTER]


def test_presenter_requests_and_denials() -> None:
    assert shown(PresenterAsked(BOB, ROSTER)) == [{"message_type": "presenter_request", "user_id": BOB.email}]
    denied = {"message_type": "presenter_denied", "target_user": BOB.email}
    assert shown(PresenterDenied(BOB, ROSTER, ALICE)) == [{**denied, "user_id": ALICE.email}]
    assert shown(PresenterDenied(BOB, ROSTER, None)) == [{**denied, "user_id": "system"}]


def test_an_equal_vector_is_answered_by_itself() -> None:
    assert shown(VectorShown(42)) == [{"message_type": "sync_status_response", "update_vector": 42}]


def test_a_refusal_is_an_error_and_a_correction() -> None:
    assert shown(rejected(Reason.VALIDATION_FAILED)) == [
        {
            "message_type": "error",
            "error": "validation_failed",
            "message": "why",
            "details": {"operation_id": OPERATION_ID},
            "timestamp": AT,
        },
        CORRECTION,
    ]


def test_a_refusal_for_want_of_rights_is_a_denial_and_a_correction() -> None:
    assert shown(rejected(Reason.PERMISSION_DENIED)) == [
        {
            "message_type": "authorization_denied",
            "original_operation_id": OPERATION_ID,
            "reason": "insufficient_permissions",
        },
        CORRECTION,
    ]


def test_a_conflict_is_a_correction_alone() -> None:
    assert shown(rejected(Reason.CONFLICT_DETECTED)) == [CORRECTION]


@pytest.mark.parametrize(
    ("trouble", "word"),
    [
        (Trouble.MALFORMED, "validation_error"),
        (Trouble.UNKNOWN_TYPE, "unsupported_message_type"),
        (Trouble.PERMISSION_DENIED, "permission_denied"),
        (Trouble.INVALID_PARTICIPANT, "invalid_participant"),
        (Trouble.VALIDATION_ERROR, "validation_error"),
    ],
)
def test_WS22_troubles_have_their_words(trouble: Trouble, word: str) -> None:
    [error] = shown(Troubled(trouble, "why", AT_MS, OPERATION_ID))
    assert error == {
        "message_type": "error",
        "error": word,
        "message": "why",
        "details": {"operation_id": OPERATION_ID},
        "timestamp": AT,
    }


SHAPES = {
    "diagram_state_sync": {"diagram_id", "update_vector", "cells"},
    "diagram_operation": {"user_id", "operation_id", "operation"},
    "current_presenter": {"current_presenter"},
    "presenter_request": {"user_id"},
    "presenter_denied": {"user_id", "target_user"},
    "presenter_cursor": {"user_id", "cursor_position"},
    "presenter_selection": {"user_id", "selected_cells"},
    "state_correction": {"update_vector"},
    "authorization_denied": {"original_operation_id", "reason"},
    "history_operation": {"operation_type", "message"},
    "sync_status_response": {"update_vector"},
    "resync_response": {"user_id", "target_user", "method", "diagram_id", "threat_model_id"},
    "error": {"error", "message", "details", "timestamp"},
    "join": {"user_id", "timestamp"},
    "leave": {"user_id", "timestamp"},
    "session_ended": {"user_id", "message", "timestamp"},
}


def test_no_field_is_added_to_the_published_shapes() -> None:
    for frame in wire(_all_messages()):
        name = frame.pop("message_type", None) or frame.pop("event")
        assert frame.keys() == SHAPES[name], name


SESSION_OVER = [Ending.HOST_LEFT, Ending.HOST_ENDED, Ending.OWNER_ENDED, Ending.HOST_LOST, Ending.IDLE, Ending.EMPTY]


@pytest.mark.parametrize("ending", [*SESSION_OVER, Ending.DIAGRAM_DELETED, Ending.THREAT_MODEL_DELETED])
def test_SES15_SES21_the_end_of_a_session_is_one_frame_and_1000(ending: Ending) -> None:
    last = farewell(ended(ending))
    [frame] = wire(last.messages)
    assert (frame["event"], frame["user_id"], frame["timestamp"]) == ("session_ended", ALICE.email, AT)
    assert frame["message"].startswith("Session ended: ")
    assert last.code == CloseCode.OVER


def test_the_published_sentence_of_a_host_who_left() -> None:
    assert wire(farewell(ended(Ending.HOST_LEFT)).messages)[0]["message"] == "Session ended: host has left"


@pytest.mark.parametrize(
    ("ending", "error"),
    [
        (Ending.TOKEN_EXPIRED, "token_expired"),
        (Ending.REMOVED, "removed_from_session"),
        (Ending.SESSION_NOT_FOUND, "session_not_found"),
        (Ending.DIAGRAM_NOT_FOUND, "diagram_not_found"),
    ],
)
def test_WS16_where_a_retry_cannot_succeed_the_code_is_1000(ending: Ending, error: str) -> None:
    last = farewell(ended(ending, host=None))
    [frame] = wire(last.messages)
    assert (frame["message_type"], frame["error"], frame["details"]) == ("error", error, {})
    assert last.code == CloseCode.OVER


def test_WS16_lost_access_is_a_denial_and_1000() -> None:
    last = farewell(ended(Ending.ACCESS_REVOKED, host=None))
    assert wire(last.messages) == [
        {"message_type": "authorization_denied", "original_operation_id": "", "reason": "insufficient_permissions"}
    ]
    assert last.code == CloseCode.OVER


@pytest.mark.parametrize("ending", [Ending.TOO_MANY_CONNECTIONS, Ending.SESSION_FULL])
def test_too_many_are_told_so_and_may_return(ending: Ending) -> None:
    last = farewell(ended(ending, host=None))
    assert wire(last.messages)[0]["error"] == ending
    assert last.code == CloseCode.TOO_MANY


@pytest.mark.parametrize(
    ("ending", "code"),
    [
        (Ending.LEFT, 1000),
        (Ending.SLOW, 4408),
        (Ending.FLOODING, 4429),
        (Ending.RESTART, 1012),
        (Ending.UNAVAILABLE, 1013),
        (Ending.NOT_TEXT, 1003),
        (Ending.TOO_BIG, 1009),
    ],
)
def test_the_rest_is_said_by_the_close_code(ending: Ending, code: int) -> None:
    last = farewell(ended(ending))
    assert (last.messages, last.code) == ((), code)


def test_the_shapes_are_all_reached() -> None:
    assert {message.__struct_config__.tag for message in _all_messages()} == set(SHAPES)


def _all_messages() -> list[msgspec.Struct]:
    messages = [message for notice in NOTICES for side in Side for message in render(notice, side)]
    return messages + [message for ending in Ending for message in farewell(ended(ending)).messages]

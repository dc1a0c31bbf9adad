from __future__ import annotations

import msgspec
import pytest

from protocol.dialects.family import authorization_denied, inversion_refused, is_inversion, resync_response
from protocol.notices import ResyncAdvised
from protocol.operations import Kind
from protocol.refusals import Reason
from tests.protocol.dialects.samples import BOB, DIAGRAM_ID, THREAT_MODEL_ID, accepted, rejected


def test_a_denial_names_the_operation() -> None:
    assert msgspec.to_builtins(authorization_denied("o1")) == {
        "message_type": "authorization_denied",
        "original_operation_id": "o1",
        "reason": "insufficient_permissions",
    }


@pytest.mark.parametrize("kind", [Kind.UNDO, Kind.REDO])
def test_UN8_an_empty_stack_is_told_by_name(kind: Kind) -> None:
    reason = Reason.NOTHING_TO_UNDO if kind is Kind.UNDO else Reason.NOTHING_TO_REDO
    assert msgspec.to_builtins(inversion_refused(rejected(reason, kind))) == {
        "message_type": "history_operation",
        "operation_type": kind,
        "message": f"no_operations_to_{kind}",
    }


def test_UN9_a_denied_undo_names_no_operation() -> None:
    assert inversion_refused(rejected(Reason.PERMISSION_DENIED, Kind.UNDO)) == authorization_denied("")


def test_any_other_refusal_of_an_undo_asks_for_a_resync() -> None:
    built = msgspec.to_builtins(inversion_refused(rejected(Reason.LIMIT_EXCEEDED, Kind.UNDO)))
    assert built["message"] == "resync_required"


def test_undo_and_redo_are_inversions_and_edits_are_not() -> None:
    assert is_inversion(accepted(kind=Kind.UNDO))
    assert is_inversion(accepted(kind=Kind.REDO))
    assert not is_inversion(accepted(kind=Kind.EDIT))


def test_a_resync_names_the_method_and_the_diagram() -> None:
    assert msgspec.to_builtins(resync_response(ResyncAdvised(BOB, DIAGRAM_ID, THREAT_MODEL_ID))) == {
        "message_type": "resync_response",
        "user_id": "system",
        "target_user": "bob@tmi.local",
        "method": "rest_api",
        "diagram_id": DIAGRAM_ID,
        "threat_model_id": THREAT_MODEL_ID,
    }

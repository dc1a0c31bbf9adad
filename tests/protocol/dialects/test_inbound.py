from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocol import intents
from protocol.cells import payload_sha256
from protocol.dialects.inbound import (
    CLASSIC,
    CODRAW_V1,
    FAMILY,
    OWN,
    SYNONYMS,
    TABLES,
    TMI,
    misread,
    read,
    read_from_app,
)
from protocol.intents import Edit, Intent, Misedit
from protocol.operations import Kind
from protocol.refusals import ProtocolError, Reason, Trouble
from protocol.values import Limits
from tests.protocol.dialects.samples import BOB, MOVE, NODE, NODE_ID, OPERATION_ID

EVERYWHERE = pytest.mark.parametrize("dialect", TABLES)
ON_TMI_SOCKETS = pytest.mark.parametrize("dialect", [CLASSIC, TMI])

LIMITS = Limits()
UPDATE = {"id": NODE_ID, "operation": "update", "data": {"x": 150}}


def said(kind: str, dialect: str, limits: Limits = LIMITS, **members: Any) -> Intent:
    return read({"message_type": kind, **members}, dialect_name=dialect, limits=limits)


def edit(dialect: str, *cells: Any, limits: Limits = LIMITS, **members: Any) -> Intent:
    """An operation in the type that every dialect reads."""
    patch = {"type": "patch", "cells": list(cells or (UPDATE,))}
    given = {"operation_id": OPERATION_ID, "operation": patch, **members}
    return said("diagram_operation_request", dialect, limits, **given)


def refused(intent: Intent) -> Reason:
    assert isinstance(intent, Misedit)
    return intent.refusal.reason


EXAMPLES: Mapping[str, dict[str, Any]] = {
    "diagram_operation": {"operation_id": OPERATION_ID, "operation": {"type": "patch", "cells": [UPDATE]}},
    "diagram_operation_request": {"operation_id": OPERATION_ID, "operation": {"type": "patch", "cells": [UPDATE]}},
    "operation": {"operation_id": OPERATION_ID, "operation": {"type": "patch", "cells": [UPDATE]}},
    "presenter_denied": {"target_user": BOB.email},
    "presenter_denied_request": {"denied_user": msgspec.to_builtins(BOB)},
    "remove_participant_request": {"removed_user": msgspec.to_builtins(BOB)},
    "presenter_cursor": {"cursor_position": {"x": 1, "y": 2}},
    "presenter_selection": {"selected_cells": [NODE_ID]},
    "resume": {"epoch": "e", "update_vector": 1},
    "presenter": {"action": "request"},
    "refresh_token": {"access_token": "t"},
}


def example(kind: str, dialect: str) -> dict[str, Any]:
    if kind == "remove_participant":
        return {"user": msgspec.to_builtins(BOB)} if dialect == CODRAW_V1 else {"target_user": BOB.email}
    return EXAMPLES.get(kind, {})


@ON_TMI_SOCKETS
@pytest.mark.parametrize("kind", FAMILY)
def test_WS2_both_families_are_understood_on_both_kinds_of_socket(kind: str, dialect: str) -> None:
    assert said(kind, dialect, **example(kind, dialect)) == said(kind, CLASSIC, **example(kind, CLASSIC))


@pytest.mark.parametrize("kind", [*OWN, *SYNONYMS])
def test_WS2_a_v1_socket_understands_its_own_and_tmi_s(kind: str) -> None:
    intent = said(kind, CODRAW_V1, **example(kind, CODRAW_V1))
    assert not isinstance(intent, Misedit)


def test_WS2_tmi_s_types_are_synonyms_of_those_whose_answer_they_get() -> None:
    pairs = {
        "diagram_operation_request": "operation",
        "undo_request": "undo",
        "redo_request": "redo",
        "sync_status_request": "heartbeat",
    }
    for synonym, own in pairs.items():
        members = {**example(own, CODRAW_V1), "ref": "r1"}
        assert said(synonym, CODRAW_V1, **members) == said(own, CODRAW_V1, **members)
    assert said("sync_request", CODRAW_V1, update_vector=3) == intents.AskState()
    assert said("resync_request", CODRAW_V1) == intents.AskState()


@pytest.mark.parametrize(
    ("kind", "dialect"),
    [
        ("operation", CLASSIC),
        ("heartbeat", TMI),
        ("diagram_operation", CODRAW_V1),
        ("change_presenter", CODRAW_V1),
        *(("error", dialect) for dialect in TABLES),
        *(("diagram_state", dialect) for dialect in TABLES),
        *(("", dialect) for dialect in TABLES),
        *(("__proto__", dialect) for dialect in TABLES),
    ],
)
def test_another_type_is_unknown(kind: str, dialect: str) -> None:
    with pytest.raises(ProtocolError) as caught:
        said(kind, dialect)
    assert caught.value.trouble is Trouble.UNKNOWN_TYPE


@EVERYWHERE
@pytest.mark.parametrize("kind", [None, 1, ["operation"], {"operation": 1}])
def test_S60_a_message_without_type_is_malformed(kind: Any, dialect: str) -> None:
    with pytest.raises(ProtocolError) as caught:
        said(kind, dialect)
    assert caught.value.trouble is Trouble.MALFORMED


CLAIMS = {
    "user_id": "eve@tmi.local",
    "user": {"provider": 7},
    "initiating_user": {"email": None},
    "role": "owner",
    "permissions": 1,
    "timestamp": "tomorrow",
    "sequence_number": "x",
    "update_vector": 99,
    "epoch": [],
}


@EVERYWHERE
@pytest.mark.parametrize("kind", ["diagram_operation_request", "undo_request", "presenter_request", "presenter_cursor"])
def test_WS10_what_a_client_says_of_itself_is_ignored(kind: str, dialect: str) -> None:
    members = example(kind, dialect)
    assert said(kind, dialect, **CLAIMS, **members) == said(kind, dialect, **members)


@EVERYWHERE
def test_an_operation_is_read_with_its_canonical_changes(dialect: str) -> None:
    assert edit(dialect, base_vector=41) == Edit(OPERATION_ID, MOVE, payload_sha256(Kind.EDIT, MOVE), 41)


@EVERYWHERE
def test_a_null_optional_member_is_absent(dialect: str) -> None:
    assert edit(dialect, base_vector=None, strict=None, group_id=None, ref=None) == edit(dialect)


def test_strict_and_group_are_read_in_v1_only() -> None:
    members = {"base_vector": 4, "strict": True, "group_id": "g1"}
    own = edit(CODRAW_V1, **members)
    assert isinstance(own, Edit)
    assert (own.strict, own.group_id) == (True, "g1")
    assert edit(TMI, **members) == edit(TMI, base_vector=4)
    assert edit(CLASSIC, **members) == edit(CLASSIC, base_vector=4)


def test_OP22_strict_without_base_vector_is_refused() -> None:
    assert refused(edit(CODRAW_V1, strict=True)) is Reason.VALIDATION_FAILED


@EVERYWHERE
def test_S56_VEC11_an_operation_id_that_is_a_UUID_has_one_spelling(dialect: str) -> None:
    intent = edit(dialect, operation_id=OPERATION_ID.upper())
    assert isinstance(intent, Edit)
    assert intent.operation_id == OPERATION_ID


def test_an_operation_id_of_classic_may_be_any_other_string() -> None:
    free = edit(CLASSIC, operation_id="Any string, of 1 to 64 characters")
    assert isinstance(free, Edit)
    assert free.operation_id == "Any string, of 1 to 64 characters"


@pytest.mark.parametrize(
    ("dialect", "id"),
    [
        *((dialect, id) for dialect in TABLES for id in (None, 1, "", [OPERATION_ID], "x" * 65)),
        *((dialect, id) for dialect in (TMI, CODRAW_V1) for id in ("op-1", OPERATION_ID + "0", f"{{{OPERATION_ID}}}")),
    ],
)
def test_an_operation_without_readable_id_is_malformed(dialect: str, id: Any) -> None:
    with pytest.raises(ProtocolError) as caught:
        edit(dialect, operation_id=id)
    assert caught.value.trouble is Trouble.MALFORMED


def test_S56_new_cells_have_free_ids_in_classic_only() -> None:
    add = {"id": "box.1", "operation": "add", "data": {key: NODE[key] for key in NODE if key != "id"}}
    assert isinstance(edit(CLASSIC, add), Edit)
    assert refused(edit(TMI, add)) is Reason.VALIDATION_FAILED
    assert refused(edit(CODRAW_V1, add)) is Reason.VALIDATION_FAILED


@EVERYWHERE
@pytest.mark.parametrize(
    ("operation", "reason"),
    [
        (None, Reason.VALIDATION_FAILED),
        ([], Reason.VALIDATION_FAILED),
        ({"cells": [UPDATE]}, Reason.INVALID_OPERATION_TYPE),
        ({"type": "replace", "cells": [UPDATE]}, Reason.INVALID_OPERATION_TYPE),
        ({"type": "patch"}, Reason.VALIDATION_FAILED),
        ({"type": "patch", "cells": {}}, Reason.VALIDATION_FAILED),
        ({"type": "patch", "cells": []}, Reason.EMPTY_OPERATION),
        ({"type": "patch", "cells": [1]}, Reason.VALIDATION_FAILED),
        ({"type": "patch", "cells": [{**UPDATE, "operation": "move"}]}, Reason.INVALID_OPERATION_TYPE),
        ({"type": "patch", "cells": [{**UPDATE, "data": {"x": "1"}}]}, Reason.VALIDATION_FAILED),
        ({"type": "patch", "cells": [UPDATE] * 3}, Reason.LIMIT_EXCEEDED),
    ],
)
def test_S60_an_operation_that_is_invalid_by_itself_is_refused_by_its_id(
    operation: Any, reason: Reason, dialect: str
) -> None:
    intent = edit(dialect, operation=operation, limits=Limits(max_cells_per_operation=2))
    assert isinstance(intent, Misedit)
    assert (intent.operation_id, intent.refusal.reason) == (OPERATION_ID, reason)


@EVERYWHERE
@pytest.mark.parametrize("vector", ["1", True, -1, 1.5, [1]])
def test_S61_a_base_vector_is_a_whole_number_from_0(vector: Any, dialect: str) -> None:
    assert refused(edit(dialect, base_vector=vector)) is Reason.VALIDATION_FAILED


@pytest.mark.parametrize("members", [{"strict": 1}, {"strict": "yes"}, {"group_id": 1}, {"group_id": "g" * 65}])
def test_S61_members_of_v1_are_strict_too(members: dict[str, Any]) -> None:
    assert refused(edit(CODRAW_V1, base_vector=1, **members)) is Reason.VALIDATION_FAILED


def test_a_ref_is_repeated_in_refusals_and_errors() -> None:
    intent = edit(CODRAW_V1, ref="r1", operation={"type": "patch", "cells": []})
    assert isinstance(intent, Misedit)
    assert intent.ref == "r1"
    for kind in ("nonsense", "resume"):
        with pytest.raises(ProtocolError) as caught:
            said(kind, CODRAW_V1, ref="r1")
        assert caught.value.ref == "r1"


@pytest.mark.parametrize("ref", [1, "r" * 65, ["r"], True])
def test_S61_a_ref_is_a_short_string(ref: Any) -> None:
    with pytest.raises(ProtocolError) as caught:
        edit(CODRAW_V1, ref=ref)
    assert (caught.value.trouble, caught.value.ref) == (Trouble.MALFORMED, None)
    assert misread(caught.value, dialect_name=CODRAW_V1) is not None


@ON_TMI_SOCKETS
def test_a_ref_means_nothing_to_tmi_s_dialects(dialect: str) -> None:
    assert edit(dialect, ref=5) == edit(dialect)


def test_an_explanation_does_not_echo_a_frame() -> None:
    with pytest.raises(ProtocolError) as caught:
        said("presenter", CODRAW_V1, action="x" * 100_000)
    assert len(caught.value.message) <= 200


def test_a_broken_message_is_the_operation_whose_id_can_be_read() -> None:
    broken = ProtocolError(Trouble.MALFORMED, "a number is out of range", OPERATION_ID.upper(), "r1")
    intent = misread(broken, dialect_name=CODRAW_V1)
    assert intent is not None
    assert (intent.operation_id, intent.ref) == (OPERATION_ID, "r1")
    assert intent.refusal.reason is Reason.VALIDATION_FAILED
    assert intent.refusal.message == "a number is out of range"


def test_a_broken_message_without_readable_id_is_no_operation() -> None:
    assert misread(ProtocolError(Trouble.MALFORMED, "?"), dialect_name=CLASSIC) is None
    assert misread(ProtocolError(Trouble.MALFORMED, "?", "op-1"), dialect_name=TMI) is None
    assert misread(ProtocolError(Trouble.MALFORMED, "?", "op-1"), dialect_name=CLASSIC) is not None


json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-5, 2**53)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)
MEMBERS = sorted({field for table in TABLES.values() for shape in table.values() for field in shape.__struct_fields__})


@given(
    st.sampled_from(sorted(TABLES)),
    st.sampled_from(sorted({*FAMILY, *OWN})),
    st.dictionaries(st.sampled_from([*MEMBERS, "ref"]), json_values, max_size=4),
    st.booleans(),
)
def test_S60_anything_is_an_intent_or_a_protocol_error(
    dialect: str, kind: str, members: dict[str, Any], sound: bool
) -> None:
    base = example(kind, dialect) if sound else {}
    try:
        said(kind, dialect, **{**base, **members})
    except ProtocolError as error:
        assert error.trouble in (Trouble.MALFORMED, Trouble.UNKNOWN_TYPE)


WHOLE = {
    "shape": "process",
    "position": {"x": 1, "y": 2},
    "size": {"width": 80, "height": 40},
    "attrs": {},
    "ports": [],
}


def app_edit(*cells: Any) -> Edit:
    operation = {"type": "patch", "cells": list(cells)}
    message = {"message_type": "diagram_operation_request", "operation_id": OPERATION_ID, "operation": operation}
    intent = read_from_app(message, limits=LIMITS)
    assert isinstance(intent, Edit)
    return intent


def test_OP12_what_was_in_the_data_of_a_node_goes_before_tmi_s_web_app_sends_the_node_whole() -> None:
    intent = app_edit({"id": NODE_ID, "operation": "update", "data": {**WHOLE, "data": {"_metadata": []}}})
    first, second = intent.changes
    assert (first.id, first.data) == (NODE_ID, {"data": None})
    assert second.data is not None
    assert second.data["data"] == {"_metadata": []}
    assert intent.payload_sha256 == payload_sha256(Kind.EDIT, intent.changes)


@pytest.mark.parametrize(
    "cell",
    [
        {"operation": "update", "data": {"shape": "process", "position": {"x": 1, "y": 2}}},
        {"operation": "update", "data": WHOLE},
        {"operation": "update", "data": {"shape": "flow", "attrs": {}, "data": {}}},
        {"operation": "add", "data": {**WHOLE, "data": {}}},
        {"operation": "remove"},
    ],
)
def test_OP12_all_else_of_tmi_s_web_app_is_read_as_in_tmi(cell: dict[str, Any]) -> None:
    assert app_edit({"id": NODE_ID, **cell}) == edit(TMI, {"id": NODE_ID, **cell})

from __future__ import annotations

import pytest

from codraw.conform.messages import (
    add,
    cursor,
    edge,
    event_of,
    moderation,
    node,
    operation,
    present_in,
    presenter_of,
    selection,
    state_word,
    undo,
    word,
)
from codraw.conform.rules import Dialect

BO = {"provider": "test", "provider_id": "bo", "email": "bo@x"}
CHANGE = {"id": "a", "operation": "remove"}


def test_presence_frames_of_classic_are_called_by_their_event() -> None:
    assert (word({"event": "join"}), word({"message_type": "error"})) == ("join", "error")


def test_an_operation_in_the_words_of_each_dialect() -> None:
    kinds = [operation(dialect, [])["message_type"] for dialect in (*Dialect, None)]
    assert kinds == ["diagram_operation", "diagram_operation_request", "operation", "operation", "operation"]
    assert operation(None, [CHANGE], "x", strict=True) == {
        "message_type": "operation",
        "operation_id": "x",
        "operation": {"type": "patch", "cells": [CHANGE]},
        "strict": True,
    }


def test_an_add_has_the_cell_without_its_id_as_data() -> None:
    cell = node("a", label="x")
    assert add(cell)["data"] == {key: value for key, value in cell.items() if key != "id"}
    assert edge("a", "b")["source"] == {"cell": "a"}


def test_undo_cursor_and_selection_of_both_families() -> None:
    assert [undo(dialect, "redo")["message_type"] for dialect in (Dialect.TMI, Dialect.V1)] == ["redo_request", "redo"]
    assert cursor(Dialect.CLASSIC, 1) == {"message_type": "presenter_cursor", "cursor_position": {"x": 1, "y": 0}}
    assert cursor(Dialect.V1, 1) == {"message_type": "awareness", "cursor": {"x": 1, "y": 0}}
    assert selection(Dialect.TMI, ["a"])["selected_cells"] == selection(Dialect.PACKED, ["a"])["selection"] == ["a"]


@pytest.mark.parametrize(
    ("dialect", "verb", "message"),
    [
        (Dialect.CLASSIC, "grant", {"message_type": "change_presenter", "new_presenter": "bo@x"}),
        (Dialect.TMI, "deny", {"message_type": "presenter_denied_request", "denied_user": BO}),
        (Dialect.TMI, "request", {"message_type": "presenter_request"}),
        (Dialect.V1, "grant", {"message_type": "presenter", "action": "grant", "user": BO}),
    ],
)
def test_moderation(dialect: Dialect, verb: str, message: dict[str, object]) -> None:
    assert moderation(dialect, verb, BO) == message


def test_nobody_is_granted_by_null_or_released() -> None:
    assert moderation(Dialect.TMI, "grant")["new_presenter"] is None
    assert moderation(Dialect.V1, "grant") == {"message_type": "presenter", "action": "release"}


def test_an_event_of_each_dialect_is_read_alike() -> None:
    patch = {"operation_id": "o", "operation": {"cells": [CHANGE]}}
    classic = event_of(Dialect.CLASSIC, {"message_type": "diagram_operation", "user_id": "bo@x", **patch})
    tmi = {"message_type": "diagram_operation_event", "initiating_user": BO, "update_vector": 3, **patch}
    ours = {"message_type": "event", "by": {"id": "test:bo"}, "update_vector": 3, **patch}
    assert classic is not None
    assert (classic.by, classic.vector, classic.changes) == ("bo@x", None, [CHANGE])
    assert event_of(Dialect.TMI, tmi) == event_of(Dialect.V1, ours)
    assert event_of(Dialect.TMI, ours) is None
    assert state_word(Dialect.PACKED) == "state"


def test_who_presents_and_who_is_present() -> None:
    roster = {"message_type": "participants_update", "participants": [{"user": BO}], "current_presenter": BO}
    assert (presenter_of(Dialect.TMI, roster), present_in(Dialect.TMI, roster)) == ("bo@x", {"bo@x"})
    nobody = {"message_type": "presenter", "action": "changed", "presenter": None}
    assert (presenter_of(Dialect.V1, nobody), present_in(Dialect.V1, nobody)) == ("", None)
    named = {"message_type": "current_presenter", "current_presenter": "bo@x"}
    assert presenter_of(Dialect.CLASSIC, named) == "bo@x"
    assert presenter_of(Dialect.CLASSIC, {"event": "join"}) is None

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from protocol import intents
from protocol.dialects import requests
from protocol.dialects.requests import MAX_SELECTED, Message
from protocol.intents import Intent, UserName
from tests.protocol.dialects.samples import EPOCH, NODE_ID

BOB = UserName(provider="test", provider_id="bob")
BOB_BY_MAIL = UserName(email="bob@tmi.local")
USER = {"principal_type": "user", "provider": "test", "provider_id": "bob", "email": "x@y.z", "display_name": "B"}
POINT = {"x": 382, "y": 62.5}
VIEWPORT = {"x": 0, "y": 0, "width": 800, "height": 600, "zoom": 1.5}
HASH = "87ecccc1f640aa8c82a1ec3f014dc545"


def asked(shape: type[Message], ref: str | None = None, **members: Any) -> Intent:
    return msgspec.convert(members, shape).intent(ref)


@pytest.mark.parametrize(
    ("shape", "members", "intent"),
    [
        (requests.UndoRequest, {}, intents.Undo(ref="r")),
        (requests.RedoRequest, {}, intents.Redo(ref="r")),
        (requests.PresenterRequest, {}, intents.AskPresenter("r")),
        (requests.ChangePresenter, {"new_presenter": "bob@tmi.local"}, intents.GrantPresenter(BOB_BY_MAIL, "r")),
        (requests.ChangePresenter, {"new_presenter": None}, intents.GrantPresenter(None, "r")),
        (requests.ChangePresenter, {"new_presenter": ""}, intents.GrantPresenter(None, "r")),
        (requests.ChangePresenterRequest, {"new_presenter": USER}, intents.GrantPresenter(BOB, "r")),
        (requests.ChangePresenterRequest, {}, intents.GrantPresenter(None, "r")),
        (requests.PresenterDenied, {"target_user": "bob@tmi.local"}, intents.DenyPresenter(BOB_BY_MAIL, "r")),
        (requests.PresenterDeniedRequest, {"denied_user": USER}, intents.DenyPresenter(BOB, "r")),
        (requests.RemoveParticipant, {"target_user": "bob@tmi.local"}, intents.Eject(BOB_BY_MAIL, "r")),
        (requests.RemoveParticipantRequest, {"removed_user": USER}, intents.Eject(BOB, "r")),
        (requests.PresenterCursor, {"cursor_position": POINT}, intents.Aware(cursor=POINT)),
        (
            requests.PresenterSelection,
            {"selected_cells": [NODE_ID.upper(), "a.1"]},
            intents.Aware(selection=(NODE_ID, "a.1")),
        ),
        (requests.PresenterSelection, {"selected_cells": []}, intents.Aware(selection=())),
        (requests.SyncRequest, {"update_vector": 5}, intents.AskState(5, "r")),
        (requests.SyncRequest, {"update_vector": None}, intents.AskState(None, "r")),
        (requests.SyncStatusRequest, {}, intents.AskVector()),
        (requests.ResyncRequest, {}, intents.AskResync()),
        (requests.Undo, {"operation_id": NODE_ID.upper()}, intents.Undo(NODE_ID, "r")),
        (requests.Redo, {}, intents.Redo(None, "r")),
        (
            requests.Resume,
            {"epoch": EPOCH, "update_vector": 41, "state_hash": HASH, "cell_hashes": [[NODE_ID, HASH[:16]]]},
            intents.Resume(EPOCH, 41, HASH, ((NODE_ID, HASH[:16]),), "r"),
        ),
        (requests.Awareness, {"cursor": POINT, "viewport": VIEWPORT}, intents.Aware(cursor=POINT, viewport=VIEWPORT)),
        (requests.Awareness, {"cursor": None, "selection": None}, intents.Aware(cursor=None, selection=None)),
        (requests.Awareness, {"selection": [NODE_ID]}, intents.Aware(selection=(NODE_ID,))),
        (requests.Presenter, {"action": "request"}, intents.AskPresenter("r")),
        (requests.Presenter, {"action": "grant", "user": USER}, intents.GrantPresenter(BOB, "r")),
        (requests.Presenter, {"action": "grant"}, intents.GrantPresenter(None, "r")),
        (requests.Presenter, {"action": "deny", "user": USER}, intents.DenyPresenter(BOB, "r")),
        (requests.Presenter, {"action": "release"}, intents.ReleasePresenter("r")),
        (requests.RemoveUser, {"user": USER}, intents.Eject(BOB, "r")),
        (requests.RefreshToken, {"access_token": "t"}, intents.RefreshToken("t", None, "r")),
        (requests.RefreshToken, {"ticket": "t", "access_token": None}, intents.RefreshToken(None, "t", "r")),
        (requests.Heartbeat, {}, intents.Heartbeat("r")),
        (requests.StateRequest, {}, intents.AskState(None, "r")),
    ],
)
def test_what_a_message_asks_for(shape: type[Message], members: dict[str, Any], intent: Intent) -> None:
    assert asked(shape, "r", **members) == intent


def test_a_whole_number_stays_whole() -> None:
    aware = asked(requests.PresenterCursor, cursor_position={"x": 382, "y": 62.5})
    assert msgspec.json.encode(aware) == b'{"cursor":{"x":382,"y":62.5}}'


BAD_SELECTIONS: list[Any] = ["a", [1], [None], [["a"]], ["a b"], ["__proto__"], ["a"] * (MAX_SELECTED + 1)]


@pytest.mark.parametrize(
    ("shape", "members"),
    [
        *((requests.PresenterSelection, {"selected_cells": bad}) for bad in BAD_SELECTIONS),
        *((requests.Awareness, {"selection": bad}) for bad in BAD_SELECTIONS),
        *((requests.PresenterCursor, {"cursor_position": bad}) for bad in (None, [1, 2], {"x": 1}, {"x": "1", "y": 2})),
        *((requests.Awareness, {"cursor": bad}) for bad in (True, {"x": True, "y": 1}, {"y": 1}, [])),
        *((requests.Awareness, {"viewport": bad}) for bad in (1, POINT, {**VIEWPORT, "zoom": None})),
        *((requests.SyncRequest, {"update_vector": bad}) for bad in ("1", True, -1, 1.5, [])),
        *((requests.ChangePresenter, {"new_presenter": bad}) for bad in (1, USER, ["a"])),
        *((requests.ChangePresenterRequest, {"new_presenter": bad}) for bad in ("a@b.c", {"provider": "test"}, [USER])),
        *((requests.PresenterDenied, members) for members in ({}, {"target_user": None}, {"target_user": USER})),
        *((requests.RemoveUser, {"user": bad}) for bad in (None, "bob", {"provider": 1, "provider_id": "bob"})),
        *((requests.Presenter, {"action": bad}) for bad in (None, "", "take", 1)),
        (requests.Presenter, {"action": "deny"}),
        (requests.RefreshToken, {}),
        (requests.RefreshToken, {"access_token": ""}),
        (requests.RefreshToken, {"access_token": "t", "ticket": "t"}),
        (requests.RefreshToken, {"access_token": ["t"]}),
        (requests.Undo, {"operation_id": "1"}),
        (requests.Undo, {"operation_id": 1}),
        *((requests.Resume, {"epoch": EPOCH, "update_vector": bad}) for bad in (None, "1", True, -1)),
        (requests.Resume, {"update_vector": 1}),
        *((requests.Resume, {"epoch": EPOCH, "update_vector": 1, "state_hash": bad}) for bad in (1, "", HASH + "0")),
        *(
            (requests.Resume, {"epoch": EPOCH, "update_vector": 1, "cell_hashes": bad})
            for bad in ({}, [[]], [["a"]], [["a", 1]], [["a", HASH]], [["a", HASH[:16], 1]])
        ),
    ],
)
def test_S61_another_type_is_not_taken_for_the_right_one(shape: type[Message], members: dict[str, Any]) -> None:
    with pytest.raises((msgspec.ValidationError, ValueError)):
        asked(shape, **members)

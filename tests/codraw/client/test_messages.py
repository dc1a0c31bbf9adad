"""Reading what servers say, newer ones included."""

from __future__ import annotations

import json
from typing import Any

import pytest

from codraw.client.messages import Error, OperationRejected, State, read
from protocol.codec import Encoding, encode
from protocol.dialects.codraw_v1_messages import Done


def said(kind: str, **more: Any) -> str:
    return json.dumps({"message_type": kind, **more})


@pytest.mark.parametrize("encoding", list(Encoding))
def test_both_encodings_are_read(encoding: Encoding) -> None:
    assert read(encode({"message_type": "done", "ref": "1"}, encoding), encoding) == Done("1")


def test_words_that_are_not_known_yet_are_kept() -> None:
    rejection = read(said("operation_rejected", operation_id="1", reason="newer", message="m", more=1), Encoding.JSON)
    assert isinstance(rejection, OperationRejected) and rejection.reason == "newer"
    error = read(said("error", error="newer", message="m"), Encoding.JSON)
    assert isinstance(error, Error) and error.error == "newer"
    place = {"epoch": "e", "update_vector": 0, "state_hash": "0", "resend": True, "cells": []}
    state = read(said("state", reason="newer", **place), Encoding.JSON)
    assert isinstance(state, State) and state.reason == "newer"


@pytest.mark.parametrize("frame", [said("newer", x=1), said("done"), "[]", "", "{", '{"a":1}', "null"])
def test_what_cannot_be_read_is_passed_over(frame: str) -> None:
    assert read(frame, Encoding.JSON) is None


def test_a_frame_of_the_other_kind_is_passed_over() -> None:
    assert read("text", Encoding.MSGPACK) is None
    assert read(b"\x80", Encoding.JSON) is None

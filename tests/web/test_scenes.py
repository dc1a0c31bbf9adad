"""The SDK at a real server: damage is healed, a reload loses nothing, libraries are bound, people are asked."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.support.servers import Server

SCENES = Path(__file__).parents[2] / "web/tests/support/scenes.js"

Scene = Callable[[str], Any]


@pytest.fixture
def scene(node_with_sockets: list[str], server: Server) -> Scene:
    def played(name: str) -> Any:
        command = [*node_with_sockets, str(SCENES), server.http, name]
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=100)
        assert done.returncode == 0, done.stderr[-4_000:]
        return json.loads(done.stdout)

    return played


def test_VEC15_a_damaged_copy_is_healed_within_one_heartbeat(scene: Scene) -> None:
    assert scene("damage") == {"wasDamaged": True, "beats": 1, "x": 0, "extra": None}


def test_edits_made_offline_survive_a_reload_and_are_sent_once(scene: Scene) -> None:
    end = scene("reload")
    assert (end["kept"], end["left"], end["vector"]) == (2, 0, 3)
    assert (end["cell"]["x"], end["cell"]["attrs"]) == (5, {"body": {"fill": "red"}})


def test_VEC8_an_edit_that_reached_the_server_before_the_reload_is_not_doubled(scene: Scene) -> None:
    assert scene("doubled") == {"receipts": [[True, 1]], "vector": 1, "cells": 1}


def test_bound_libraries_converge_and_send_what_their_users_did_and_nothing_else(scene: Scene) -> None:
    end = scene("libraries")
    assert (end["isSame"], end["isEqual"]) == (True, True)
    assert end["vector"] == end["changes"]


def test_UN13_a_drag_in_a_bound_library_is_undone_as_one_though_the_wire_was_cut(scene: Scene) -> None:
    assert scene("drag") == {"hasSteps": True, "places": [0, 0], "echoes": 0}


def test_requests_about_people_are_answered(scene: Scene) -> None:
    end = scene("people")
    assert end["answers"] == [True, "permission_denied", True, True, True, "invalid_participant"]
    assert end["reason"] == "removed"

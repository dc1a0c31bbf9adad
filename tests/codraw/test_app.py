"""The composed application: HTTP goes to the routes, sockets to their own edge, the facts come from the settings."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient
from starlette.websockets import WebSocketDisconnect

from codraw import __version__
from codraw.app import PAGES, App, build_number
from codraw.settings import Settings

pytestmark = pytest.mark.usefixtures("no_settings")


def client(**given: Any) -> TestClient:
    return TestClient(App(Settings(mode="development", **given)))


def test_the_front_names_the_limits_in_force() -> None:
    assert client(max_frame_bytes=1000).get("/").json()["limits"]["max_frame_bytes"] == 1000


def test_the_front_names_this_build() -> None:
    assert client().get("/").json()["service"] == {"name": "codraw", "build": __version__}


@pytest.mark.parametrize(("profile", "word"), [("wiki", "OK"), ("tmi", "ok")])
def test_the_status_word_is_the_profiles(profile: str, word: str) -> None:
    assert client(api_profile=profile).get("/").json()["status"]["code"] == word


def test_it_is_ready() -> None:
    assert client().get("/readyz").status_code == 200


@pytest.mark.parametrize("path", PAGES.values())
def test_what_the_banner_points_at_is_there(path: str) -> None:
    assert client().get(path).status_code == 200


def test_it_starts_and_stops() -> None:
    with client() as running:
        assert running.get("/healthz").status_code == 200


def test_a_socket_is_refused_before_the_upgrade() -> None:
    with pytest.raises(WebSocketDisconnect), client().websocket_connect("/anything"):
        pass


@pytest.mark.parametrize(
    ("version", "build"), [("1.2.3", "1.2.3"), ("1.2.3.dev4", "1.2.3"), ("1.2.3rc1", "1.2.3"), ("odd", "0.0.0")]
)
def test_the_build_is_three_numbers(version: str, build: str) -> None:
    assert build_number(version) == build


def test_making_it_writes_nothing(tmp_path: Path) -> None:
    App(Settings(mode="development"))
    assert list(tmp_path.iterdir()) == []

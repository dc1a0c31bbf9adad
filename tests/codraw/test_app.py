"""The composed application: HTTP goes to the routes, sockets to their own edge, the facts come from the settings."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient, WebSocketDenialResponse

from codraw.app import PAGES, App
from codraw.settings import Settings
from storage.sqlite import SqliteDatabase

pytestmark = pytest.mark.usefixtures("no_settings")

SECRET = "n0t-a-default:9f2c41d7e8b35a60c1d2"


def app(folder: Path, **given: Any) -> App:
    return App(Settings(mode="development", secret_key=SECRET, store_url=f"sqlite:///{folder}/store.db", **given))


@pytest.fixture
def running(tmp_path: Path) -> Iterator[TestClient]:
    with TestClient(app(tmp_path, max_frame_bytes=1000)) as client:
        yield client


@pytest.mark.parametrize("path", PAGES.values())
def test_what_the_banner_points_at_is_there(running: TestClient, path: str) -> None:
    assert running.get(path).status_code == 200


def test_OP23_the_front_names_the_limits_in_force(running: TestClient) -> None:
    assert running.get("/").json()["limits"]["max_frame_bytes"] == 1000


def test_it_is_ready(running: TestClient) -> None:
    assert running.get("/readyz").status_code == 200


def test_a_socket_meets_the_edge_of_the_sockets(running: TestClient) -> None:
    with pytest.raises(WebSocketDenialResponse) as refused, running.websocket_connect("/anything"):
        pass
    assert refused.value.json()["error"]


def test_without_a_server_that_starts_it_nothing_is_answered(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match="lifespan"):
        TestClient(app(tmp_path)).get("/")


def test_making_it_writes_nothing(tmp_path: Path) -> None:
    app(tmp_path)
    assert list(tmp_path.iterdir()) == []


async def test_it_gives_the_store_back(tmp_path: Path) -> None:
    with TestClient(app(tmp_path)):
        pass
    await SqliteDatabase(tmp_path / "store.db").close()


async def test_a_store_that_is_refused_keeps_it_from_starting(tmp_path: Path) -> None:
    database = SqliteDatabase(tmp_path / "store.db")
    refused = app(tmp_path)
    told: list[Any] = []

    async def receive() -> Any:
        return {"type": "lifespan.startup"}

    async def send(message: Any) -> None:
        told.append(message)

    await refused({"type": "lifespan"}, receive, send)
    await database.close()
    assert [message["type"] for message in told] == ["lifespan.startup.failed"]
    assert refused.refusal == f"The store {tmp_path}/store.db is in use by another process."

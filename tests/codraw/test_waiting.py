"""Without its store the server lives, says that it is not ready, and asks everybody to come again."""

from __future__ import annotations

import pytest
from starlette.testclient import TestClient

from codraw.settings import Settings
from codraw.waiting import Waiting
from tests.support.wire import Line

pytestmark = pytest.mark.usefixtures("no_settings")


@pytest.fixture
def waiting() -> Waiting:
    return Waiting(Settings(mode="development", store_url="postgresql://db/codraw"))


def test_it_lives_and_is_not_ready(waiting: Waiting) -> None:
    client = TestClient(waiting.http)
    assert client.get("/healthz").status_code == 200
    answer = client.get("/readyz")
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "1")
    assert answer.json() == {"store": "down", "bus": "ok", "schema": "down", "draining": False}


@pytest.mark.parametrize("path", ["/", "/threat_models", "/nowhere"])
def test_whoever_asks_for_anything_else_is_to_come_again(waiting: Waiting, path: str) -> None:
    answer = TestClient(waiting.http).get(path)
    assert (answer.status_code, answer.json()["error"], answer.headers["retry-after"]) == (503, "unavailable", "1")
    assert answer.headers["x-content-type-options"] == "nosniff"


async def test_a_socket_is_refused_before_the_upgrade(waiting: Waiting) -> None:
    status, body, headers = await Line(waiting.socket, "/threat_models/a/diagrams/b/ws").refusal()
    assert (status, body["error"], headers["retry-after"]) == (503, "unavailable", "1")

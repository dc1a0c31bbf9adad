"""The composed application: HTTP goes to the routes, sockets to their own edge, the facts come from the settings."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx2
import pytest
from starlette.testclient import TestClient, WebSocketDenialResponse

from codraw.app import PAGES, App
from codraw.local_stores import LocalPostgres
from codraw.settings import Settings
from codraw.stores import open_store
from storage.sqlite import SqliteDatabase
from tests.support.turns import until_read

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


# a store that may be away ---------------------------------------------------------------------------------------------


@asynccontextmanager
async def living(app: App) -> AsyncIterator[httpx2.AsyncClient]:
    """As a server would keep it: started, asked in process, and stopped."""
    asked: asyncio.Queue[Any] = asyncio.Queue()
    told: asyncio.Queue[Any] = asyncio.Queue()
    asked.put_nowait({"type": "lifespan.startup"})
    life = asyncio.get_running_loop().create_task(app({"type": "lifespan"}, asked.get, told.put))
    async with asyncio.timeout(60):
        assert (await told.get())["type"] == "lifespan.startup.complete"
    async with httpx2.AsyncClient(transport=httpx2.ASGITransport(app), base_url="http://here") as http:
        yield http
    asked.put_nowait({"type": "lifespan.shutdown"})
    await life


async def test_I29_it_waits_for_postgresql_and_goes_on_by_itself(
    postgres_url: str, postgres_server: LocalPostgres, redis_url: str, caplog: pytest.LogCaptureFixture
) -> None:
    stands: list[bool] = []
    settings = Settings(mode="development", secret_key=SECRET, store_url=postgres_url, redis_url=redis_url)
    waiting = App(settings, lambda: stands.append(True))

    async def ready() -> bool:
        return (await http.get("/readyz")).status_code == 200

    async def unready() -> bool:
        return not await ready()

    await asyncio.to_thread(postgres_server.kill)
    async with living(waiting) as http:
        answer = await http.get("/readyz")
        assert (answer.status_code, answer.json()["store"], stands) == (503, "down", [])
        assert (await http.get("/threat_models")).status_code == 503
        await asyncio.to_thread(postgres_server.start)
        await until_read(ready, 60)
        assert stands == [True]
        await asyncio.to_thread(postgres_server.kill)
        await until_read(unready, 60)
        assert (await http.get("/healthz")).status_code == 200
        await asyncio.to_thread(postgres_server.start)
        await until_read(ready, 60)
    said = [
        message for message in caplog.messages if message.startswith(("waiting for the store", "the store is there"))
    ]
    assert [message.partition(" 127")[0] for message in said[:2]] == [
        "waiting for the store postgresql",
        "the store is there",
    ]


async def test_what_is_refused_after_it_began_to_wait_ends_it(
    postgres_url: str, postgres_server: LocalPostgres
) -> None:
    settings = Settings(mode="development", secret_key=SECRET, store_url=postgres_url)
    database = await open_store(settings)
    journal = "INSERT INTO schema_migration (number, name, sha256, applied_at) VALUES (9999, 'later', '', 0)"
    await database.transaction(lambda tx: tx.execute(journal))
    await database.close()
    await asyncio.to_thread(postgres_server.kill)
    waiting, over = App(settings), asyncio.Event()
    waiting.refused = over.set
    async with living(waiting):
        await asyncio.to_thread(postgres_server.start)
        async with asyncio.timeout(60):
            await over.wait()
    assert waiting.refusal is not None and "newer" in waiting.refusal and not waiting.crashed


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

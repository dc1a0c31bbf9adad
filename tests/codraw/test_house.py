"""What the house makes of the settings, and how it stands when its store is away or it is about to close."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx2
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from codraw import __version__
from codraw.assets import asset
from codraw.clock import SystemClock
from codraw.house import (
    SLICE_SOCKETS,
    SLICES,
    House,
    ages,
    build_number,
    quotas,
    room_settings,
    secrets_known,
    slices,
    tokens,
    written,
)
from codraw.settings import Settings
from codraw.stores import Stores, open_store
from collab.access.tokens import InvalidToken
from protocol.values import Caller, User
from rest.rates import Quotas
from rest.wire_page import page
from storage.database import StoreRefused
from storage.diagrams import SqlDiagrams
from storage.sqlite import SqliteDatabase
from tests.support.wire import Line

pytestmark = pytest.mark.usefixtures("no_settings")

SECRET = "n0t-a-default:9f2c41d7e8b35a60c1d2"
ANA = Caller(User("test", "ana", "ana@example.org", "Ana"))


def settings(folder: Path | None = None, **given: Any) -> Settings:
    place = {} if folder is None else {"store_url": f"sqlite:///{folder}/store.db"}
    return Settings(mode="development", **({"secret_key": SECRET} | place | given))


@asynccontextmanager
async def standing(folder: Path, **given: Any) -> AsyncIterator[tuple[House, SqliteDatabase, httpx2.AsyncClient]]:
    database = await open_store(settings(folder, **given))
    assert isinstance(database, SqliteDatabase)
    house = House(settings(folder, **given), Stores(database))
    house.start()
    async with httpx2.AsyncClient(transport=httpx2.ASGITransport(house.http), base_url="http://here") as http:
        yield house, database, http
    await house.close()


# facts ----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("version", "build"), [("1.2.3", "1.2.3"), ("1.2.3.dev4", "1.2.3"), ("1.2.3rc1", "1.2.3"), ("odd", "0.0.0")]
)
def test_the_build_is_three_numbers(version: str, build: str) -> None:
    assert build_number(version) == build


@pytest.mark.parametrize(("profile", "word"), [("wiki", "OK"), ("tmi", "ok")])
async def test_the_front_says_which_build_in_the_word_of_the_profile(tmp_path: Path, profile: str, word: str) -> None:
    async with standing(tmp_path, api_profile=profile) as (_, _, http):
        front = (await http.get("/")).json()
    assert front["status"]["code"] == word
    assert front["service"] == {"name": "codraw", "build": __version__}


async def test_S76_however_many_ask_for_the_page_of_the_wire_first_it_is_made_once(tmp_path: Path) -> None:
    here = asset("asyncapi.yml")
    assert here is not None
    document = Path(shutil.copy(here, tmp_path))
    pages = await asyncio.gather(*(asyncio.to_thread(written, page, document) for _ in range(3)))
    assert len(set(map(id, pages))) == 1


def test_in_development_nobody_asks_too_often() -> None:
    assert quotas(settings()) == Quotas()


def test_S75_in_production_everybody_has_a_quota() -> None:
    found = quotas(settings(rate_limits=True, reads_per_minute=7))
    assert found.reads == 7
    assert all((found.writes, found.joins, found.webhooks, found.sign_ins, found.failed_sign_ins))


async def test_S75_a_quota_that_is_set_is_kept(tmp_path: Path) -> None:
    async with standing(tmp_path, rate_limits=True, sign_ins_per_minute=2) as (_, _, http):
        assert [(await http.get("/oauth2/authorize")).status_code == 429 for _ in range(3)] == [False, False, True]


def test_what_the_former_secret_sealed_can_be_opened() -> None:
    assert secrets_known(settings()) == (SECRET.encode(),)
    former = "another:" + "0" * 24
    assert secrets_known(settings(secret_key_previous=former)) == (SECRET.encode(), former.encode())


def test_ages_are_the_settings_in_milliseconds() -> None:
    found = ages(settings(session_first_socket_seconds=1, session_empty_seconds=2, session_idle_seconds=3))
    assert (found.first_socket, found.empty, found.idle) == (1_000, 2_000, 3_000)


def test_rooms_know_the_host_settings_and_the_limits() -> None:
    found = room_settings(settings(host_grace_seconds=7, host_leave_ends=False, max_cells_per_diagram=3))
    assert (found.host_grace_s, found.host_leave_ends, found.limits.max_cells_per_diagram) == (7, False, 3)


@pytest.mark.parametrize(("scope", "shared"), [("user", False), ("session", True)])
def test_UN14_rooms_know_whose_edits_an_undo_takes_back(scope: str, shared: bool) -> None:
    assert room_settings(settings(undo_scope=scope)).shared_undo is shared


def test_AU1_tokens_are_for_this_address_alone() -> None:
    issued, _ = tokens(settings(public_url="https://one.example.org"), SystemClock()).issue(ANA)
    assert tokens(settings(public_url="https://one.example.org"), SystemClock()).verify(issued).id == ANA.id
    with pytest.raises(InvalidToken):
        tokens(settings(public_url="https://two.example.org"), SystemClock()).verify(issued)


def test_a_secret_that_was_replaced_still_verifies_beside_the_new_one() -> None:
    issued, _ = tokens(settings(), SystemClock()).issue(ANA)
    replaced = settings(secret_key=SECRET[::-1], secret_key_previous=SECRET)
    assert tokens(replaced, SystemClock()).verify(issued).id == ANA.id
    with pytest.raises(InvalidToken):
        tokens(settings(secret_key=SECRET[::-1]), SystemClock()).verify(issued)


async def test_AU5_AU6_callbacks_and_clients_without_pkce_are_settings(tmp_path: Path) -> None:
    listed = {"oauth_callbacks": "https://a.org/cb", "oauth_clients_without_pkce": "old"}
    async with standing(tmp_path, **listed) as (house, _, http):
        assert house._rest().oauth.excused == {"old"}
        asked = {"idp": "test", "redirect_uri": "https://a.org/cb"}
        assert (await http.get("/oauth2/authorize", params=asked)).status_code == 302
        asked["redirect_uri"] += "/"
        assert (await http.get("/oauth2/authorize", params=asked)).status_code == 400


async def test_the_keys_of_a_server_that_signs_with_one_can_be_read(tmp_path: Path) -> None:
    private = ec.generate_private_key(ec.SECP256R1())
    (tmp_path / "key.pem").write_bytes(private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    async with standing(tmp_path, signing_keys=str(tmp_path / "key.pem")) as (_, _, http):
        keys = (await http.get("/.well-known/jwks.json")).json()["keys"]
        assert [key["alg"] for key in keys] == ["ES256"]
        issued = (await http.get("/oauth2/authorize", params={"idp": "test"}, follow_redirects=True)).json()
        own = {"Authorization": f"Bearer {issued['access_token']}"}
        assert (await http.get("/me", headers=own)).status_code == 200


def test_without_a_secret_there_are_no_tokens() -> None:
    with pytest.raises(ValueError, match="secret"):
        tokens(settings(secret_key=None), SystemClock())


# the store ------------------------------------------------------------------------------------------------------------


async def test_a_store_is_opened_once(tmp_path: Path) -> None:
    database = await open_store(settings(tmp_path))
    with pytest.raises(StoreRefused, match="in use by another process"):
        await open_store(settings(tmp_path))
    await database.close()


@pytest.mark.parametrize("url", ["mysql://db/codraw", "sqlite:///", "codraw.db"])
def test_no_other_store_is_opened_in_its_place(tmp_path: Path, url: str) -> None:
    with pytest.raises(StoreRefused, match=r"sqlite:///codraw\.db"):
        asyncio.run(open_store(settings(store_url=url)))
    assert list(tmp_path.iterdir()) == []


async def test_a_store_that_cannot_be_brought_to_this_version_is_let_go(tmp_path: Path) -> None:
    (tmp_path / "store.db").write_bytes(b"no database at all, but long enough to be looked at as one" * 20)
    for _ in range(2):
        with pytest.raises(StoreRefused, match="cannot be used as a store"):
            await open_store(settings(tmp_path))


async def test_a_newer_schema_is_refused_and_let_go(tmp_path: Path) -> None:
    database = await open_store(settings(tmp_path))
    journal = "INSERT INTO schema_migration (number, name, sha256, applied_at) VALUES (9999, 'later', '', 0)"
    await database.transaction(lambda tx: tx.execute(journal))
    await database.close()
    for _ in range(2):
        with pytest.raises(StoreRefused, match="newer"):
            await open_store(settings(tmp_path))


# standing -------------------------------------------------------------------------------------------------------------


async def test_it_is_not_ready_while_its_store_is_away(tmp_path: Path) -> None:
    async with standing(tmp_path) as (_, database, http):
        assert (await http.get("/readyz")).json() == {"store": "ok", "bus": "ok", "schema": "ok", "draining": False}
        await database.close()
        answer = await http.get("/readyz")
        assert (answer.status_code, answer.json()["store"]) == (503, "down")
        assert (await http.get("/healthz")).status_code == 200


async def test_it_is_not_ready_while_its_disk_takes_nothing_though_nobody_edits(tmp_path: Path) -> None:
    async with standing(tmp_path) as (_, database, http):
        signed_in = await http.get("/oauth2/authorize?idp=test&login_hint=ana", follow_redirects=True)
        http.headers["Authorization"] = f"Bearer {signed_in.json()['access_token']}"
        model = {"name": "full", "description": "x" * 2_000}
        await database.transaction(lambda tx: tx.fetch("PRAGMA max_page_count = 1"))
        while (answer := await http.post("/threat_models", json=model)).status_code == 201:
            assert (await http.get("/readyz")).status_code == 200
        assert answer.status_code == 503
        answer = await http.get("/readyz")
        assert (answer.status_code, answer.json()["store"]) == (503, "down")
        await database.transaction(lambda tx: tx.fetch("PRAGMA max_page_count = 1000000"))
        assert (await http.post("/threat_models", json=model)).status_code == 201
        assert (await http.get("/readyz")).status_code == 200


async def test_while_it_drains_it_is_not_ready_and_lets_no_socket_in(tmp_path: Path) -> None:
    async with standing(tmp_path) as (house, _, http):
        await house.drain()
        answer = await http.get("/readyz")
        assert (answer.status_code, answer.json()["draining"]) == (503, True)
        status, body, headers = await Line(house.socket, "/anything").refusal()
        assert (status, body["error"], headers["retry-after"]) == (503, "unavailable", "1")


def test_few_sockets_are_sent_away_at_once() -> None:
    assert list(slices([1] * (SLICE_SOCKETS - 1) + [0, 0], int)) == [[1] * (SLICE_SOCKETS - 1) + [0, 0]]
    assert list(slices([], int)) == []


def test_many_sockets_are_sent_away_in_slices_and_a_room_is_never_cut() -> None:
    rooms = [1 + n % 7 for n in range(1_000)] + [0]
    found = list(slices(rooms, int))
    assert [room for slice_ in found for room in slice_] == rooms
    assert len(found) <= SLICES + 1
    assert max(map(sum, found)) < sum(rooms) / SLICES + 7


async def test_a_closed_house_leaves_nothing_running_and_the_store_free(tmp_path: Path) -> None:
    async with standing(tmp_path) as (house, _, http):
        signed_in = await http.get("/oauth2/authorize?idp=test&login_hint=ana", follow_redirects=True)
        own = {"Authorization": f"Bearer {signed_in.json()['access_token']}"}
        model = (await http.post("/threat_models", json={"name": "m"}, headers=own)).json()
        await http.post(f"/threat_models/{model['id']}/diagrams", json={"name": "d", "type": "DFD-1.0.0"}, headers=own)
    assert len(house._tasks) == 0 and house._tasks.crashes == 0
    again = await open_store(settings(tmp_path))
    assert len(await SqlDiagrams(again).diagrams()) == 1
    await again.close()

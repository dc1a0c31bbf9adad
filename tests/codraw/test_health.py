"""What /readyz says of store, bus, clock and workers, and which changes are lines in the log."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import pytest

from codraw.clock import NOISE_MS, SystemClock
from codraw.health import SKEW_MS, Health
from codraw.stores import Stores
from storage.bus_memory import MemoryBus
from storage.database import Crowded, Row, Value
from storage.sqlite import SqliteDatabase


class DeafBus(MemoryBus):
    def healthy(self) -> bool:
        return False


@pytest.fixture
async def stores(tmp_path: Path) -> AsyncIterator[Stores]:
    found = Stores(SqliteDatabase(tmp_path / "store.db"))
    yield found
    await found.close()


async def test_all_is_well(stores: Stores) -> None:
    now = await Health(stores, SystemClock(), saving).readiness()
    assert now.ready and (now.store, now.bus, now.clock, now.workers) == ("ok", "ok", "ok", "ok")


def saving() -> bool:
    return True


async def test_a_store_that_answers_and_saves_nothing_is_down(stores: Stores, caplog: pytest.LogCaptureFixture) -> None:
    health = Health(stores, SystemClock(), lambda: False)
    await health.look()
    assert (await health.readiness()).store == "down"
    assert caplog.messages == ["the store is away"]


class CountingStore(SqliteDatabase):
    asked = 0

    async def fetch(self, sql: str, *args: Value) -> Sequence[Row]:
        self.asked += 1
        return await super().fetch(sql, *args)


async def test_however_many_ask_at_once_the_store_is_asked_once(tmp_path: Path) -> None:
    store = CountingStore(tmp_path / "store.db")
    health = Health(Stores(store), SystemClock(), saving)
    found = await asyncio.gather(*(health.readiness() for _ in range(100)))
    assert (store.asked, {now.store for now in found}) == (1, {"ok"})
    await store.close()


class CrowdedStore(SqliteDatabase):
    async def fetch(self, sql: str, *args: Value) -> Sequence[Row]:
        raise Crowded("no connection to the store was free")


@pytest.mark.parametrize(("saves", "state"), [(True, "ok"), (False, "down")])
async def test_a_store_whose_connections_others_have_all_is_there(tmp_path: Path, saves: bool, state: str) -> None:
    store = CrowdedStore(tmp_path / "store.db")
    assert (await Health(Stores(store), SystemClock(), lambda: saves).readiness()).store == state
    await store.close()


async def test_SES19_a_bus_that_is_away_makes_it_degraded_and_not_unready(stores: Stores) -> None:
    stores.bus = DeafBus()
    now = await Health(stores, SystemClock(), saving).readiness()
    assert now.ready and now.bus == "degraded"


async def test_a_change_of_the_store_is_one_line(stores: Stores, caplog: pytest.LogCaptureFixture) -> None:
    health = Health(stores, SystemClock(), saving)
    await health.look()
    await stores.database.close()
    for _ in range(3):
        await health.look()
    assert caplog.messages == ["the store is away"]
    assert (await health.readiness()).store == "down"


@pytest.mark.parametrize(
    ("offset_ms", "kept_ms", "state"),
    [(NOISE_MS, 0, "ok"), (-900, -900, "ok"), (SKEW_MS + 1, SKEW_MS + 1, "degraded")],
)
async def test_the_stores_clock_counts_and_one_that_is_far_off_is_told(
    stores: Stores, caplog: pytest.LogCaptureFixture, offset_ms: int, kept_ms: int, state: str
) -> None:
    stores.offset_ms = offset_ms
    clock = SystemClock(lambda: 1_800_000_000_000_000_000, lambda: 50_000_000_000)
    with caplog.at_level(logging.WARNING):
        now = await Health(stores, clock, saving).readiness()
    assert (clock.wall_ms() - 1_800_000_000_000, now.clock, now.ready) == (kept_ms, state, True)
    assert len(caplog.messages) == (state != "ok")

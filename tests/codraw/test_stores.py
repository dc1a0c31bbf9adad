"""What the settings name is opened, and closed again, all of it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from codraw.local_stores import free_port
from codraw.roll import ALIVE_MS
from codraw.settings import Settings
from codraw.stores import open_store, open_stores
from collab.ports import StoreUnavailable
from rest.ports import Quota
from rest.rates import LocalRates
from storage.bus_memory import MemoryBus
from storage.bus_redis import RedisBus
from storage.database import StoreRefused
from storage.postgres import PostgresDatabase
from storage.presence_redis import RedisPresence
from storage.rates_redis import RedisRates
from storage.workers import WorkerBook
from tests.support.stores import statement

pytestmark = pytest.mark.usefixtures("no_settings")


def settings(**given: Any) -> Settings:
    return Settings(mode="development", **given)


async def test_a_file_serves_one_process_which_needs_no_bus(tmp_path: Path) -> None:
    stores = await open_stores(settings(store_url=f"sqlite:///{tmp_path}/store.db", redis_url="redis://news/0"), "w")
    assert isinstance(stores.bus, MemoryBus) and stores.roll is None and await stores.clock_offset_ms() == 0
    await stores.close()


async def test_all_that_is_named_is_opened_and_a_worker_that_went_is_forgotten(
    postgres_url: str, redis_url: str
) -> None:
    stores = await open_stores(settings(store_url=postgres_url, redis_url=redis_url), "w1")
    assert isinstance(stores.bus, RedisBus) and isinstance(stores.presence, RedisPresence)
    assert isinstance(stores.database, PostgresDatabase) and stores.roll is not None
    await stores.roll.enter()
    (entry,) = await WorkerBook(stores.database).alive(ALIVE_MS)
    assert (entry.id, entry.bus_id) == ("w1", stores.bus.identity()) and entry.bus_id
    await stores.close()
    database = await open_store(settings(store_url=postgres_url))
    assert not await WorkerBook(database).alive(ALIVE_MS)
    await database.close()


async def test_S75_with_redis_all_workers_count_requests_together(postgres_url: str, redis_url: str) -> None:
    limited = settings(store_url=postgres_url, redis_url=redis_url, rate_limits=True)
    one, other = await open_stores(limited, "w1"), await open_stores(limited, "w2")
    quota = Quota("test", 1)
    assert isinstance(one.rates, RedisRates)
    assert [(await stores.rates.take(quota, "ana")).wait_s > 0 for stores in (one, other)] == [False, True]
    for stores in (one, other):
        await stores.close()


async def test_what_is_not_limited_is_not_counted_in_redis(postgres_url: str, redis_url: str) -> None:
    stores = await open_stores(settings(store_url=postgres_url, redis_url=redis_url), "w1")
    assert isinstance(stores.rates, LocalRates)
    await stores.close()


async def test_SES19_a_redis_that_is_away_keeps_nobody_from_serving(postgres_url: str) -> None:
    away = f"redis://:hunter2@127.0.0.1:{free_port()}/0"
    stores = await open_stores(settings(store_url=postgres_url, redis_url=away), "w1")
    assert stores.roll is not None and not stores.bus.healthy()
    await stores.roll.enter()
    await stores.close()


async def test_a_store_that_is_away_may_be_there_later() -> None:
    with pytest.raises(StoreUnavailable) as away:
        await open_stores(settings(store_url=f"postgresql://ann:hunter2@127.0.0.1:{free_port()}/x"), "w")
    assert "hunter2" not in str(away.value)


async def test_a_role_that_may_make_no_tables_is_refused(postgres_url: str) -> None:
    statement(postgres_url, "REVOKE CREATE ON SCHEMA public FROM PUBLIC")
    with pytest.raises(StoreRefused, match="permission denied for schema public"):
        await open_store(settings(store_url=f"{postgres_url}?role=pg_monitor"))


async def test_a_search_path_that_leads_to_no_schema_is_refused(postgres_url: str) -> None:
    with pytest.raises(StoreRefused, match="no schema has been selected to create in"):
        await open_store(settings(store_url=f"{postgres_url}?search_path=nowhere"))


async def test_durability_and_cache_are_as_they_were_set(postgres_url: str) -> None:
    relaxed = settings(store_url=postgres_url, durability="relaxed", store_statement_cache=False)
    database = await open_store(relaxed)
    ((level,),) = await database.fetch("SHOW synchronous_commit")
    assert level == "off"
    await database.close()


async def test_a_level_that_the_server_does_not_have_is_refused(postgres_url: str) -> None:
    with pytest.raises(StoreRefused, match="synchronous_standby_names"):
        await open_store(settings(store_url=postgres_url, durability="replica"))

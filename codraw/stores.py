"""What a house stands on, opened by settings: the store, the bus, presence, and the roll of those who serve."""

from __future__ import annotations

import secrets
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol, TypeVar

import msgspec

from codraw.roll import NO_BUS, Roll
from codraw.settings import Settings
from collab.ports import Bus, Presence
from rest.ports import Rates
from rest.rates import LocalRates
from storage.bus_memory import MemoryBus
from storage.database import Database
from storage.identity import settle
from storage.migrations.migrate import migrate
from storage.presence_memory import MemoryPresence
from storage.sqlite import SqliteDatabase, sqlite_path
from storage.workers import WorkerBook

if TYPE_CHECKING:
    from storage.postgres import PostgresDatabase

D = TypeVar("D", bound=Database)


class Closable(Protocol):
    async def close(self) -> None: ...


async def _same_clock() -> int:
    return 0


@dataclass(slots=True)
class Stores:
    """`roll`: None where nobody else can serve; `others` are closed before the database.

    `offset_ms`: what the store's clock was ahead of this machine's when it was opened; `clock_offset_ms` asks again.
    """

    database: Database
    bus: Bus = field(default_factory=MemoryBus)
    presence: Presence = field(default_factory=MemoryPresence)
    rates: Rates = field(default_factory=LocalRates)
    worker: str = field(default_factory=lambda: secrets.token_hex(4))
    roll: Roll | None = None
    others: Sequence[Closable] = ()
    offset_ms: int = 0
    clock_offset_ms: Callable[[], Awaitable[int]] = _same_clock
    bus_counts: Callable[[], Mapping[str, int]] = dict
    """Of news, where there is a bus that has any."""

    async def close(self) -> None:
        if self.roll is not None:
            await self.roll.leave()
        for other in (*self.others, self.database):
            await other.close()


async def open_store(settings: Settings) -> Database:
    """Brought to this version's schema. Raises StoreRefused, or StoreUnavailable: later perhaps."""
    if settings.postgres:
        return await _migrated(await _postgres(settings))
    return await _migrated(SqliteDatabase(sqlite_path(settings.store_url)))


async def open_stores(settings: Settings, worker: str) -> Stores:
    """All that the settings name; the roll is not entered yet. Raises as `open_store` does."""
    if not settings.postgres:
        return Stores(await open_store(settings), worker=worker)
    database = await _migrated(await _postgres(settings))
    stores = Stores(database, worker=worker, clock_offset_ms=database.clock_offset_ms)
    try:
        await _furnish(stores, settings)
    except BaseException:
        await stores.close()
        raise
    return stores


async def _postgres(settings: Settings) -> PostgresDatabase:
    # Here, as below: the drivers are no business of a server on a file.
    from storage.postgres import PostgresDatabase  # noqa: PLC0415

    return await PostgresDatabase.open(
        settings.store_url,
        size=settings.store_pool_size,
        durability=settings.durability,
        statement_cache=settings.store_statement_cache,
    )


async def _migrated(database: D) -> D:
    try:
        await migrate(database)
        await settle(database)
    except BaseException:
        await database.close()
        raise
    return database


async def _furnish(stores: Stores, settings: Settings) -> None:
    stores.offset_ms = await stores.clock_offset_ms()
    bus_id = await _redis(stores, settings.bus_url, settings.redis_prefix) if settings.bus_url else lambda: NO_BUS
    if settings.bus_url and settings.rates_limited:
        await _shared_rates(stores, settings.bus_url, settings.redis_prefix)
    stores.roll = Roll(WorkerBook(stores.database), stores.worker, bus_id)


async def _redis(stores: Stores, url: str, prefix: str) -> Callable[[], str | None]:
    """It may be away. Returns by what its workers know it."""
    from storage.bus_redis import RedisBus  # noqa: PLC0415
    from storage.presence_redis import RedisPresence  # noqa: PLC0415

    bus = RedisBus(url, prefix)
    presence = RedisPresence(url, prefix)
    stores.bus, stores.presence, stores.others = bus, presence, (bus, presence)
    stores.bus_counts = lambda: msgspec.structs.asdict(bus.counts)
    await bus.start()
    await presence.start()
    return bus.identity


async def _shared_rates(stores: Stores, url: str, prefix: str) -> None:
    from storage.rates_redis import RedisRates  # noqa: PLC0415

    rates = RedisRates(url, prefix, alone=stores.rates)
    stores.rates, stores.others = rates, (*stores.others, rates)
    await rates.start()

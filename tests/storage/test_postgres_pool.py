"""Connections: which is used again, and which is not."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import asyncpg
import pytest

from collab.ports import StoreUnavailable
from storage import postgres_pool as module
from storage.database import Crowded
from storage.postgres_pool import Pool


@pytest.fixture
async def pool(postgres_empty: str) -> AsyncIterator[Pool]:
    pool = Pool(lambda: asyncpg.connect(postgres_empty), size=3)
    yield pool
    await pool.close(1.0)


async def test_the_connection_that_was_used_last_is_used_next(pool: Pool) -> None:
    async with pool.connection() as one, pool.connection() as two:
        assert one is not two
    async with pool.connection() as again:
        assert again is one


async def test_a_connection_that_was_terminated_is_not_used_again(pool: Pool) -> None:
    async with pool.connection() as one:
        one.terminate()
    async with pool.connection() as two:
        assert await two.fetchval("SELECT 1") == 1


async def test_when_one_was_lost_those_that_lie_idle_are_not_trusted(pool: Pool) -> None:
    async with pool.connection() as one, pool.connection() as two:
        pass
    pool.lost()
    assert one.is_closed() and two.is_closed()
    async with pool.connection() as three:
        assert three not in (one, two)


async def test_when_one_was_lost_those_in_use_are_not_used_again(pool: Pool) -> None:
    """They may lead to the server that was in charge before."""
    async with pool.connection() as one:
        pool.lost()
        assert await one.fetchval("SELECT 1") == 1
    async with pool.connection() as two:
        assert one.is_closed() and two is not one


async def test_a_place_comes_free_whatever_happens_to_its_holder(pool: Pool) -> None:
    async def broken() -> None:
        async with pool.connection():
            raise LookupError

    for _ in range(4):
        with pytest.raises(LookupError):
            await broken()
    async with pool.connection(), pool.connection(), pool.connection():
        pass


async def test_a_place_comes_free_where_no_connection_could_be_made() -> None:
    async def refuse() -> object:
        raise StoreUnavailable("no")

    pool = Pool(refuse, size=1)  # type: ignore[arg-type]
    for _ in range(3):
        with pytest.raises(StoreUnavailable, match="no"):
            async with pool.connection():
                pass


@pytest.mark.parametrize(("still_s", "crowded"), [(60.0, True), (0.0, False)])
async def test_others_are_in_the_way_as_long_as_any_connection_comes_back(
    pool: Pool, monkeypatch: pytest.MonkeyPatch, still_s: float, crowded: bool
) -> None:
    monkeypatch.setattr(module, "WAIT_S", 0.01)
    monkeypatch.setattr(module, "STILL_S", still_s)
    async with pool.connection(), pool.connection(), pool.connection():
        with pytest.raises(StoreUnavailable) as refused:
            async with pool.connection():
                pass
    assert isinstance(refused.value, Crowded) is crowded


async def test_what_is_under_way_when_it_closes_is_cut_off(pool: Pool) -> None:
    taken = asyncio.Event()

    async def hold() -> None:
        async with pool.connection() as connection:
            taken.set()
            await connection.execute("SELECT pg_sleep(60)")

    holder = asyncio.create_task(hold())
    await taken.wait()
    await pool.close(1.0)
    with pytest.raises((asyncpg.PostgresError, asyncpg.InterfaceError)):
        await holder
    with pytest.raises(StoreUnavailable, match="closed"):
        async with pool.connection():
            pass

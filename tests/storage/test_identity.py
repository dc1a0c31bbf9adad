"""A store that lost time is noticed, and its diagrams begin anew before anything else is done."""

from __future__ import annotations

import asyncio

import pytest

from collab.ports import StoreUnavailable
from protocol.values import DiagramId
from storage import identity as module
from storage.identity import settle
from storage.postgres import PostgresDatabase
from storage.sqlite import SqliteDatabase
from tests.contracts.worlds import SqlWorld, head_of
from tests.support.drawn import draw

IDS = [DiagramId(f"d{n}") for n in range(4)]


async def epochs(database: PostgresDatabase) -> dict[str, str]:
    return {id: epoch for id, epoch in await database.fetch("SELECT id, epoch FROM diagram_head")}


async def lost_time(database: PostgresDatabase) -> None:
    """As if what is there now had been another server before."""
    await database.transaction(lambda tx: tx.execute("UPDATE store_identity SET identity = 'former/1'"))


async def test_a_new_store_notes_what_it_is_and_one_that_is_the_same_is_left_alone(postgres: PostgresDatabase) -> None:
    await draw(SqlWorld(postgres), *IDS)
    before = await epochs(postgres)
    assert [await settle(postgres) for _ in range(2)] == [0, 0]
    assert await epochs(postgres) == before
    assert await postgres.fetch(module.KNOWN) == [(await postgres.identity(), None, 0)]


async def test_I16_a_store_that_lost_time_gives_every_diagram_a_new_epoch_once(postgres: PostgresDatabase) -> None:
    await draw(SqlWorld(postgres), *IDS)
    await settle(postgres)
    before = await epochs(postgres)
    await lost_time(postgres)
    assert [await settle(postgres) for _ in range(2)] == [len(IDS), 0]
    after = await epochs(postgres)
    assert all(after[id] != before[id] for id in IDS)
    assert await postgres.fetch(module.KNOWN) == [(await postgres.identity(), None, 0)]


async def test_of_many_workers_that_notice_each_diagram_is_renewed_by_one(
    postgres: PostgresDatabase, other_postgres: PostgresDatabase
) -> None:
    await draw(SqlWorld(postgres), *IDS)
    await settle(postgres)
    await lost_time(postgres)
    assert sum(await asyncio.gather(settle(postgres), settle(other_postgres))) == len(IDS)


async def test_who_dies_on_the_way_is_continued(postgres: PostgresDatabase, monkeypatch: pytest.MonkeyPatch) -> None:
    await draw(SqlWorld(postgres), *IDS)
    await settle(postgres)
    await lost_time(postgres)
    began, begin = [], module.begin_epoch

    async def dying(tx, diagram, epoch):  # type: ignore[no-untyped-def]
        if len(began) == 2:
            raise LookupError
        began.append(diagram)
        return await begin(tx, diagram, epoch)

    with monkeypatch.context() as patched:
        patched.setattr(module, "begin_epoch", dying)
        with pytest.raises(LookupError):
            await settle(postgres)
    assert began == IDS[:2]
    halfway = await epochs(postgres)
    assert await settle(postgres) == 2
    after = await epochs(postgres)
    assert [id for id in IDS if after[id] != halfway[id]] == IDS[2:]


async def test_I16_a_server_that_is_another_when_it_is_reached_again_does_nothing_before_that(
    postgres: PostgresDatabase,
) -> None:
    world = SqlWorld(postgres)
    await draw(world, *IDS)
    await settle(postgres)
    before = await epochs(postgres)
    await lost_time(postgres)
    # what it was when this worker opened it, and every connection to it broke
    postgres.watch("former/1", settle)
    postgres._pool.lost()
    refused = 0
    while True:
        try:
            head = await head_of(world, IDS[-1])
            break
        except StoreUnavailable as error:
            assert "lost time" in str(error)
            refused += 1
            await asyncio.sleep(0.01)
    assert refused > 0
    assert head.epoch != before[IDS[-1]]
    assert all(epoch != before[id] for id, epoch in (await epochs(postgres)).items())


async def test_behind_a_proxy_it_is_noticed_when_the_clock_is_asked_for(postgres: PostgresDatabase) -> None:
    await settle(postgres)
    postgres.watch("former/1", settle)
    with pytest.raises(StoreUnavailable, match="lost time"):
        await postgres.clock_offset_ms()


async def test_a_file_has_no_history_of_its_own(database: SqliteDatabase) -> None:
    assert await settle(database) == 0

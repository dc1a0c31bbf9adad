"""A real server that is what it was before: a backup of it was played back, and it goes on by a history of its own."""

from __future__ import annotations

import asyncio
import subprocess
from pathlib import Path

from codraw.local_stores import LocalPostgres
from collab.core.events import CaughtUp
from collab.ports import StoreUnavailable
from protocol.values import DiagramId, Head
from storage.identity import settle
from storage.migrations.migrate import migrate
from storage.postgres import PostgresDatabase
from tests.contracts.worlds import D, SqlWorld, head_of
from tests.support.drawn import draw
from tests.support.needs import need


def keep(server: LocalPostgres) -> None:
    """A backup."""
    server.stop()
    subprocess.run(["cp", "-a", server.data, server.folder / "kept"], check=True)
    server.start()


def play_back(server: LocalPostgres) -> None:
    server.stop("immediate")
    server.data.rename(server.folder / "lost")
    (server.folder / "kept").rename(server.data)
    with (server.data / "postgresql.auto.conf").open("a") as settings:
        settings.write("restore_command = 'false'\n")
    subprocess.run(["cp", "-a", server.data / "PG_VERSION", server.data / "recovery.signal"], check=True)
    server.start()


async def head_when_it_answers(world: SqlWorld) -> tuple[Head, list[str]]:
    said = []
    while True:
        try:
            return await head_of(world), said
        except StoreUnavailable as error:
            said.append(str(error))
            await asyncio.sleep(0.02)


async def test_I16_a_backup_that_was_played_back_begins_new_epochs_before_anything_is_done(stores_folder: Path) -> None:
    need("postgres")
    server = LocalPostgres(stores_folder / "played-back")
    server.start()
    try:
        database = await PostgresDatabase.open(server.url)
        await migrate(database)
        await settle(database)
        world = SqlWorld(database)
        await draw(world, D, operations=4)
        kept = await head_of(world)
        await asyncio.to_thread(keep, server)
        await draw(world, DiagramId("later"), operations=2)
        await asyncio.to_thread(play_back, server)
        now, said = await head_when_it_answers(world)
        assert any("lost time" in each for each in said)
        assert (now.vector, now.state_hash) == (kept.vector, kept.state_hash)
        assert now.epoch != kept.epoch
        assert await world.diagrams.since(D, kept) == CaughtUp(now, ())
        assert await world.diagrams.diagrams() == [D]
        # the next worker finds it settled
        assert await settle(database) == 0
        await database.close()
    finally:
        server.stop("immediate")

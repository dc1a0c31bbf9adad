"""`kill -9` in the middle of commits."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from pathlib import Path

from collab.core.effects import Commit
from collab.core.events import Known
from protocol.operations import LoggedOperation
from protocol.values import DiagramId
from storage.migrations.migrate import migrate
from storage.sqlite import SqliteDatabase
from tests.contracts.worlds import EPOCH, SqlWorld, head_of, outcome
from tests.support.committing import ROOMS

ROOT = Path(__file__).parents[2]
ROUNDS = 4
RECEIPTS = 150
"""Of each round, before the kill."""


async def test_I1_VEC4_every_receipt_survives_kill_9(tmp_path: Path) -> None:
    path = tmp_path / "codraw.db"
    database = SqliteDatabase(path)
    await migrate(database)
    world = SqlWorld(database)
    for id in ROOMS:
        await world.add(id)
    await database.close()
    receipts: dict[tuple[str, int], str] = {}
    for turn in range(ROUNDS):
        for diagram, vector, operation_id in await committed_until_killed(path, turn):
            receipts[diagram, int(vector)] = operation_id
        await check(path, receipts)
    assert len(receipts) >= ROUNDS * RECEIPTS


async def committed_until_killed(path: Path, turn: int) -> list[list[str]]:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.support.committing", str(path), str(turn), stdout=subprocess.PIPE, cwd=ROOT
    )
    assert process.stdout is not None
    lines = [await process.stdout.readline() for _ in range(RECEIPTS)]
    process.kill()
    # what was printed before the kill counts too, but for a torn last line
    *rest, _ = (await process.stdout.read()).decode().split("\n")
    await process.wait()
    return [line.split() for line in (*(line.decode() for line in lines), *rest)]


async def check(path: Path, receipts: dict[tuple[str, int], str]) -> None:
    database = SqliteDatabase(path)
    world = SqlWorld(database)
    for id in ROOMS:
        log = [operation async for operation in world.diagrams.log(id, EPOCH)]
        assert [operation.vector for operation in log] == list(range(1, (await head_of(world, id)).vector + 1))
        promised = {vector: name for (diagram, vector), name in receipts.items() if diagram == id}
        assert promised.items() <= {operation.vector: operation.operation_id for operation in log}.items()
        await check_outcomes(world, id, log)
    await database.close()


async def check_outcomes(world: SqlWorld, id: DiagramId, log: list[LoggedOperation]) -> None:
    """Each row of the log has the outcome that was written with it."""
    expected = {(operation.user.id, operation.operation_id): outcome(operation) for operation in log}
    known = await world.diagrams.commit(id, Commit(await head_of(world, id), (), tuple(expected.values())))
    assert known == Known(expected)

"""A backup is played back as deploy/README.md says: what was made since is gone, and everybody knows it."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from codraw.client import add
from codraw.local_stores import postgres_binaries
from tests.support.live import seat_at
from tests.support.servers import Server, meet, sign_in
from tests.support.tree import ROOT
from tests.support.turns import until

pytestmark = [pytest.mark.needs_postgres, pytest.mark.needs_redis]

INSTRUCTIONS = (ROOT / "deploy/README.md").read_text()
BOX = {"shape": "process", "x": 1, "y": 1, "width": 80, "height": 60}


def options(program: str) -> list[str]:
    """As they stand in the instructions, but for the user and the database."""
    (line,) = re.findall(rf" {program} -U codraw (.*?) [<>] codraw\.dump$", INSTRUCTIONS, re.M)
    return [word for word in line.replace("-d codraw", "").split() if word != "codraw"]


def run(program: str, url: str, *more: str | Path) -> None:
    binaries = postgres_binaries()
    assert binaries is not None
    subprocess.run([binaries / program, *options(program), *more, "--dbname", url], check=True)


def by_hand(url: str, *words: str) -> str:
    command = [sys.executable, "-m", "codraw", *words]
    environment = {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), "CODRAW_STORE_URL": url}
    return subprocess.run(command, env=environment, check=True, capture_output=True, text=True).stdout


async def test_I16_after_a_backup_was_played_back_clients_take_the_diagram_whole(
    tmp_path: Path, postgres_url: str, redis_url: str
) -> None:
    async with AsyncExitStack() as seats:
        server = seats.enter_context(Server(tmp_path, store_url=postgres_url, redis_url=redis_url))
        meeting = await meet(await sign_in(server, "ana"))
        live = await seats.enter_async_context(seat_at(meeting, "bo"))
        kept = add(**BOX)
        assert await live.edit(kept)
        run("pg_dump", postgres_url, "--file", tmp_path / "codraw.dump")
        assert await live.edit(add(**BOX))
        assert await live.edit(add(**BOX))
        assert server.stop() == 0
        run("pg_restore", postgres_url, tmp_path / "codraw.dump")
        assert by_hand(postgres_url, "admin", "new-epoch", "--all") == "1 diagrams have a new epoch\n"
        assert "0 findings" in by_hand(postgres_url, "verify")
        server.start()
        await until(lambda: live.is_live and [cell["id"] for cell in live.cells] == [kept.id])
        assert (live.vector, list(live.cells)) == await meeting.cells()
        assert await live.edit(add(**BOX))
        assert (live.vector, list(live.cells)) == await meeting.cells()

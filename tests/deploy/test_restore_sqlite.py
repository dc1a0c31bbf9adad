"""A backup of a SQLite file is taken and played back as README.md of deploy/ says, after ends that were not clean."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from contextlib import AsyncExitStack
from pathlib import Path

from codraw.client import add
from tests.support.live import seat_at
from tests.support.servers import Server, meet, sign_in
from tests.support.tree import ROOT
from tests.support.turns import until

INSTRUCTIONS = (ROOT / "deploy/README.md").read_text()
PROGRAM = f'codraw() {{ {shlex.quote(sys.executable)} -m codraw "$@"; }}\n'
BOX = {"shape": "process", "x": 1, "y": 1, "width": 80, "height": 60}


def blocks() -> list[str]:
    return [block for block in re.findall(r"^```bash\n(.*?)^```$", INSTRUCTIONS, re.M | re.S) if "codraw.db" in block]


def by_hand(folder: Path, script: str) -> None:
    environment = {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT)}
    subprocess.run(["bash", "-euo", "pipefail", "-c", PROGRAM + script], cwd=folder, env=environment, check=True)


async def test_I16_a_file_that_was_copied_and_put_back_is_whole_and_clients_take_it_so(tmp_path: Path) -> None:
    copied, put_back = blocks()
    async with AsyncExitStack() as seats:
        server = seats.enter_context(Server(tmp_path))
        meeting = await meet(await sign_in(server, "ana"))
        live = await seats.enter_async_context(seat_at(meeting, "bo"))
        kept = add(**BOX)
        assert await live.edit(kept)
        server.kill()
        by_hand(tmp_path, copied)
        server.start()
        await until(lambda: live.is_live)
        assert await live.edit(add(**BOX))
        assert await live.edit(add(**BOX))
        server.kill()
        by_hand(tmp_path, put_back)
        server.start()
        await until(lambda: live.is_live and [cell["id"] for cell in live.cells] == [kept.id])
        assert (live.vector, list(live.cells)) == await meeting.cells()

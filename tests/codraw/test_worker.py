"""One of several workers: answers for one that is stopped, and leaves in order, also when its parent is gone."""

from __future__ import annotations

import asyncio
import os
import signal
from pathlib import Path

import psutil

from tests.support.client import CodrawV1, add, cell_id
from tests.support.crew import Crew, kept, receipts
from tests.support.servers import START_PATIENCE_S, meet, sign_in
from tests.support.turns import until


async def test_nobody_waits_for_a_worker_that_is_stopped(crew: Crew) -> None:
    stopped = crew.workers()[0]
    os.kill(stopped, signal.SIGSTOP)
    try:
        for _ in range(10):
            await sign_in(crew, "ana")
    finally:
        os.kill(stopped, signal.SIGCONT)


async def test_one_that_is_told_to_go_leaves_in_order_and_is_replaced(crew: Crew) -> None:
    ana = await sign_in(crew, "ana")
    meeting = await meet(ana)
    editor = await CodrawV1(meeting, ana).join()
    worker = crew.worker_of(editor)
    assert worker is not None
    for _ in range(2):  # the second comes from a service manager that tells the whole group
        os.kill(worker, signal.SIGTERM)
    close, heard = await editor.closed()
    assert (close, heard[-1]["reason"]) == (1012, "restart")
    await until(lambda: len(crew.workers()) == 2 and worker not in crew.workers(), START_PATIENCE_S)
    await meeting.over()


async def test_I1_workers_whose_parent_is_gone_leave_in_order(
    tmp_path: Path, postgres_url: str, redis_url: str
) -> None:
    with Crew(tmp_path, postgres_url, redis_url) as crew:
        ana = await sign_in(crew, "ana")
        meeting = await meet(ana)
        editor = await CodrawV1(meeting, ana).join()
        await editor.edit(add(cell_id()))
        workers = [psutil.Process(pid) for pid in crew.workers()]
        crew.kill()
        close, heard = await editor.closed()
        assert (close, heard[-1]["reason"]) == (1012, "restart")
        gone, alive = await asyncio.to_thread(psutil.wait_procs, workers, START_PATIENCE_S)
        assert (len(gone), alive) == (2, [])
        assert await kept(postgres_url, meeting) == receipts(editor)
        await meeting.over()

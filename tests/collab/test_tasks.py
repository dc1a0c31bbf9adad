"""The supervisor of all tasks."""

from __future__ import annotations

import asyncio
import logging

import pytest

from collab.tasks import Tasks
from tests.support.turns import turns


async def fail() -> None:
    raise ValueError("planted")


async def wait_for_ever() -> None:
    await asyncio.Event().wait()


async def test_a_started_task_has_its_name_and_result() -> None:
    async def work() -> str:
        task = asyncio.current_task()
        assert task is not None
        return task.get_name()

    assert await Tasks().start("keeper", work()) == "keeper"


async def test_running_tasks_are_counted() -> None:
    tasks = Tasks()
    task = tasks.start("one", wait_for_ever())
    assert len(tasks) == 1
    task.cancel()
    await turns()
    assert len(tasks) == 0


async def test_a_crash_is_told_once_with_the_name() -> None:
    crashes: list[tuple[str, str]] = []
    tasks = Tasks(lambda name, error: crashes.append((name, str(error))))
    tasks.start("doomed", fail())
    await turns()
    assert crashes == [("doomed", "planted")]
    assert tasks.crashes == 1


async def test_a_crash_is_logged_where_nobody_else_is_told(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.ERROR):
        Tasks().start("doomed", fail())
        await turns()
    (record,) = caplog.records
    assert record.getMessage() == "task doomed crashed"
    assert record.exc_info is not None


async def test_a_cancelled_task_is_no_crash() -> None:
    tasks = Tasks(lambda name, error: pytest.fail(name))
    tasks.start("one", wait_for_ever()).cancel()
    await turns()
    assert tasks.crashes == 0


async def test_close_ends_everything_and_what_is_started_meanwhile() -> None:
    tasks = Tasks()
    ended = []

    async def stubborn() -> None:
        try:
            await wait_for_ever()
        finally:
            tasks.start("late", wait_for_ever())
            ended.append("stubborn")

    tasks.start("stubborn", stubborn())
    await turns()
    await tasks.close()
    assert ended == ["stubborn"]
    assert len(tasks) == 0


async def test_close_may_be_called_by_one_of_the_tasks() -> None:
    tasks = Tasks()
    tasks.start("other", wait_for_ever())
    closer = tasks.start("closer", tasks.close())
    await closer
    await turns()
    assert len(tasks) == 0

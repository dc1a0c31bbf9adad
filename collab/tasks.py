"""The supervisor: starts, names and counts every task of the process; nothing else calls `create_task`."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

T = TypeVar("T")

log = logging.getLogger(__name__)


def log_crash(name: str, error: BaseException) -> None:
    log.error("task %s crashed", name, exc_info=error)


class Tasks:
    """`on_crash` hears of every exception that left a task, once; a cancelled task is no crash."""

    def __init__(self, on_crash: Callable[[str, BaseException], None] = log_crash) -> None:
        self.crashes = 0
        self._on_crash = on_crash
        self._running: set[asyncio.Task[Any]] = set()

    def __len__(self) -> int:
        return len(self._running)

    def start(self, name: str, work: Coroutine[Any, Any, T]) -> asyncio.Task[T]:
        # The set holds the only strong reference: the event loop keeps weak ones and would let a task vanish.
        task = asyncio.create_task(work, name=name)
        self._running.add(task)
        task.add_done_callback(self._ended)
        return task

    async def close(self) -> None:
        """Cancels everything, also what is started meanwhile, and waits until all of it has ended."""
        while others := self._running - {asyncio.current_task()}:
            for task in others:
                task.cancel()
            await asyncio.wait(others)

    def _ended(self, task: asyncio.Task[Any]) -> None:
        self._running.discard(task)
        if task.cancelled():
            return
        if (error := task.exception()) is not None:
            self.crashes += 1
            self._on_crash(task.get_name(), error)

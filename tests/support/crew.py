"""One `codraw serve` with several workers, and which of them somebody has come to."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import psutil  # type: ignore[import-untyped]

from codraw.settings import Settings
from codraw.stores import open_store
from tests.support.client import Editor
from tests.support.servers import START_PATIENCE_S, Meeting, Person, Server

E = TypeVar("E", bound=Editor)


class Crew(Server):
    """`pid` is the parent's."""

    def __init__(self, folder: Path, store_url: str, redis_url: str, workers: int = 2, **settings: str) -> None:
        super().__init__(folder, store_url=store_url, redis_url=redis_url, workers=str(workers), **settings)

    def run(self) -> int:
        """To its end; the exit code."""
        process = self.launched()
        try:
            return process.wait(START_PATIENCE_S)
        finally:
            process.kill()

    def workers(self) -> list[int]:
        try:
            return [child.pid for child in psutil.Process(self.pid).children() if child.status() != "zombie"]
        except psutil.NoSuchProcess:
            return []

    def worker_of(self, editor: Editor) -> int | None:
        """None: it is being let go."""
        port = editor.connection.local_address[1]
        for pid in self.workers():
            if any(at.raddr and at.raddr.port == port for at in connections(pid)):
                return pid
        return None

    async def join(
        self, meeting: Meeting, person: Person, kind: Callable[[Meeting, Person], E], where: Callable[[int], bool]
    ) -> E:
        """To a worker of which that holds: the kernel spreads whoever comes."""
        for _ in range(200):
            editor = kind(meeting, person)
            await editor.connect()
            worker = self.worker_of(editor)
            if worker is not None and where(worker):
                await editor.hear(*editor.first)
                return editor
            editor.cut()
        raise AssertionError("nobody of 200 came to that worker")


def receipts(*editors: Editor) -> int:
    return sum(
        outcome["message_type"] == "operation_accepted" for editor in editors for outcome in editor.outcomes.values()
    )


async def kept(store_url: str, meeting: Meeting) -> int:
    """How many operations of the diagram the store has."""
    database = await open_store(Settings(mode="development", store_url=store_url))
    sql = "SELECT vector FROM diagram_head WHERE id = $1"
    ((vector,),) = await database.fetch(sql, meeting.diagram)
    await database.close()
    return int(vector)


def connections(pid: int) -> list[Any]:
    try:
        return list(psutil.Process(pid).net_connections())
    except psutil.NoSuchProcess:
        return []

"""Several workers behind one port: nobody notices who sits where, who dies is replaced, and all leave in order."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
from pathlib import Path

import pytest

from codraw import supervisor
from codraw.settings import Settings
from codraw.stores import open_store
from tests.support.client import Classic, CodrawV1, Tmi, add, cell_id
from tests.support.crew import Crew, kept, receipts
from tests.support.servers import meet, sign_in
from tests.support.turns import until, until_read

STARTS_S = 90.0
"""A hang guard for what takes starts of processes."""
LATER = "INSERT INTO schema_migration (number, name, sha256, applied_at) VALUES (9999, 'later', '', 0)"


async def test_VEC7_participants_of_a_diagram_sit_on_any_worker(crew: Crew) -> None:
    ana, bob = await sign_in(crew, "ana"), await sign_in(crew, "bob")
    meeting = await meet(ana)
    first = await CodrawV1(meeting, ana).join()
    here = crew.worker_of(first)
    others = [await crew.join(meeting, bob, kind, lambda worker: worker != here) for kind in (CodrawV1, Classic, Tmi)]
    cell = cell_id()
    await first.edit(add(cell))
    await first.hear("operation_accepted")
    # over connections of their own: some come to the other worker
    assert {(await meeting.cells())[0] for _ in range(10)} == {1}
    for editor in others:
        while cell not in editor.cells:
            await editor.next()
    await meeting.over()


async def test_I1_who_is_killed_is_replaced_and_nobody_else_notices(crew: Crew) -> None:
    ana, bob = await sign_in(crew, "ana"), await sign_in(crew, "bob")
    meeting = await meet(ana)
    lost = await CodrawV1(meeting, ana).join()
    here = crew.worker_of(lost)
    assert here is not None
    stays = await crew.join(meeting, bob, CodrawV1, lambda worker: worker != here)
    await lost.edit(add(cell_id()))
    await lost.hear("operation_accepted")
    os.kill(here, signal.SIGKILL)
    await stays.edit(add(cell_id()))
    await stays.hear("operation_accepted")
    back = await crew.join(meeting, ana, CodrawV1, lambda worker: worker != here)
    assert back.vector == stays.vector == 2 and back.cells == stays.cells
    await until(lambda: len(crew.workers()) == 2 and here not in crew.workers(), STARTS_S)
    await meeting.over()


async def test_WS17_SIGHUP_replaces_all_of_them_and_somebody_answers_all_the_time(crew: Crew) -> None:
    ana = await sign_in(crew, "ana")
    meeting = await meet(ana)
    editor = await CodrawV1(meeting, ana).join()
    await editor.edit(add(cell_id()))
    await editor.hear("operation_accepted")
    before = set(crew.workers())
    os.kill(crew.pid, signal.SIGHUP)

    async def rolled() -> bool:
        assert (await ana.ask("GET", meeting.path)).status_code == 200
        workers = set(crew.workers())
        return len(workers) == 2 and not workers & before

    await until_read(rolled, STARTS_S)
    close, heard = await editor.closed()
    assert (close, heard[-1]["reason"]) == (1012, "restart")
    again = await CodrawV1(meeting, ana).join(resume=editor.place)
    assert (again.trace[-1]["message_type"], again.trace[-1]["to"]) == ("resumed", 1)
    await meeting.over()


async def test_I6_SIGTERM_answers_what_was_read_on_all_workers(
    tmp_path: Path, postgres_url: str, redis_url: str
) -> None:
    with Crew(tmp_path, postgres_url, redis_url) as crew:
        ana, bob = await sign_in(crew, "ana"), await sign_in(crew, "bob")
        meeting = await meet(ana)
        one = await CodrawV1(meeting, ana).join()
        here = crew.worker_of(one)
        other = await crew.join(meeting, bob, CodrawV1, lambda worker: worker != here)
        for _ in range(50):
            await one.edit(add(cell_id()))
            await other.edit(add(cell_id()))
        await asyncio.gather(one.hear("operation_accepted"), other.hear("operation_accepted"))
        stopping = asyncio.to_thread(crew.stop)
        code, *ends = await asyncio.gather(stopping, one.closed(), other.closed())
        assert (code, [close for close, _ in ends]) == (0, [1012, 1012])
        # What was still on the wire was not read, and is told by the close.
        assert await kept(postgres_url, meeting) == receipts(one, other)
        assert "Traceback" not in crew.log
        await meeting.over()


async def test_one_refusal_ends_them_all_and_is_told_once(tmp_path: Path, postgres_url: str, redis_url: str) -> None:
    database = await open_store(Settings(mode="development", store_url=postgres_url))
    await database.transaction(lambda tx: tx.execute(LATER))
    await database.close()
    crew = Crew(tmp_path, postgres_url, redis_url)
    code = await asyncio.to_thread(crew.run)
    (line,) = crew.log.splitlines()
    assert code == 1 and line.startswith("error: The store has schema 9999, which is newer")


class Child:
    """A process as asyncio would give it: it says what it is given to say, and ends when it is told to."""

    def __init__(self, *says: bytes, lives: bool = True) -> None:
        self.pid, self.returncode = id(self), 1
        self.stdin = self
        self.stdout = asyncio.StreamReader()
        self.stdout.feed_data(b"".join(says))
        if not lives:
            self.stdout.feed_eof()

    def is_closing(self) -> bool:
        return False

    def write(self, line: bytes) -> None:
        if line == b'"drain"\n':
            self.stdout.feed_eof()

    async def wait(self) -> int:
        return self.returncode


STANDS = b'{"listens": 1}\n{"stands": true}\n'
REFUSES = b'{"refused": "The PostgreSQL server is a standby."}\n'


@pytest.fixture
def nursery(monkeypatch: pytest.MonkeyPatch) -> list[Child | OSError]:
    """What comes of the next starts of a process."""
    children: list[Child | OSError] = []

    async def start(*_: object, **__: object) -> Child:
        match children.pop(0):
            case OSError() as error:
                raise error
            case child:
                return child

    monkeypatch.setattr(asyncio, "create_subprocess_exec", start)
    monkeypatch.setattr(supervisor, "NO_ROOM_S", 0.0)
    return children


async def supervised(children: list[Child | OSError]) -> str | None:
    """Its end, once all of the children have been used."""
    settings = Settings(mode="development", workers=2)
    with socket.socket() as listener:
        parent = supervisor.Supervisor(settings, [listener], lambda _: None)
        running = asyncio.create_task(parent.run())
        await until(lambda: not children or running.done())
        if not running.done():
            parent.stop()
        return await running


async def test_what_is_no_report_is_passed_over() -> None:
    child = Child(b"some library\n5\n", STANDS, lives=False)
    process = supervisor.Process(child)  # type: ignore[arg-type]
    await process.follow()
    assert process.stands and process.over.is_set()


async def test_a_process_that_cannot_be_started_now_is_started_later(nursery: list[Child | OSError]) -> None:
    nursery += [Child(STANDS), Child(STANDS, lives=False), BlockingIOError("no room"), Child(STANDS)]
    assert await supervised(nursery) is None


async def test_F18_a_refusal_of_one_that_takes_a_place_ends_nobody_who_serves(nursery: list[Child | OSError]) -> None:
    nursery += [Child(STANDS), Child(STANDS, lives=False), Child(REFUSES, lives=False), Child(STANDS)]
    assert await supervised(nursery) is None


async def test_a_refusal_before_anybody_served_ends_all(nursery: list[Child | OSError]) -> None:
    nursery += [Child(), Child(REFUSES, lives=False), Child()]
    assert await supervised(nursery) == "The PostgreSQL server is a standby."

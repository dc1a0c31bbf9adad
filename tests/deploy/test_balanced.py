"""Real workers behind the nginx of deploy/: diagrams have a home, and lose nothing with it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from codraw.client import LiveDiagram, update
from codraw.client import add as new
from tests.support.balancer import Balancer
from tests.support.client import Classic, CodrawV1, Tmi, add, cell_id
from tests.support.live import seat_at
from tests.support.servers import Meeting, Person, Server, meet, sign_in
from tests.support.turns import until

pytestmark = [pytest.mark.needs_nginx, pytest.mark.needs_postgres, pytest.mark.needs_redis]

SECRET = "for these workers, who share a store, and nobody else"
BOX = {"shape": "process", "x": 1, "y": 1, "width": 80, "height": 60}


class Site:
    """Two workers, the balancer before them, and ana, who is signed in."""

    def __init__(self, balancer: Balancer, workers: dict[str, Server], ana: Person) -> None:
        self.balancer, self.workers, self.ana = balancer, workers, ana

    def asked(self, path: str) -> list[str]:
        """Who answered, whenever this was asked for and is over: the worker tried last."""
        return [line["worker"].rpartition(", ")[2] for line in self.balancer.answered if line["path"] == path]

    async def home(self, meeting: Meeting) -> str:
        """The worker that answers for this diagram now; nginx notes it when the answer is already here."""
        before = len(self.asked(meeting.path))
        await meeting.cells()
        await until(lambda: len(self.asked(meeting.path)) > before)
        return self.asked(meeting.path)[-1]

    async def sockets(self, meeting: Meeting, n: int) -> list[str]:
        """Who served its sockets, of which there were `n`, now that they are closed."""
        await until(lambda: len(self.asked(f"{meeting.path}/ws")) >= n)
        return self.asked(f"{meeting.path}/ws")

    async def meetings(self) -> dict[str, Meeting]:
        """A diagram at home with each of the workers."""
        found: dict[str, Meeting] = {}
        while found.keys() < self.workers.keys():
            meeting = await meet(self.ana)
            found[await self.home(meeting)] = meeting
        return found


@pytest.fixture
async def site(nginx: str, tmp_path: Path, postgres_url: str, redis_url: str) -> AsyncIterator[Site]:
    folders = [tmp_path / name for name in ("first", "second", "balancer")]
    for folder in folders:
        folder.mkdir()
    workers = [Server(folder, store_url=postgres_url, redis_url=redis_url, secret_key=SECRET) for folder in folders[:2]]
    balancer = Balancer(folders[2], nginx, [worker.port for worker in workers], tls=False)
    try:
        for worker in workers:
            worker.start()
        balancer.start()
        by_address = {f"127.0.0.1:{worker.port}": worker for worker in workers}
        yield Site(balancer, by_address, await sign_in(balancer, "ana"))  # type: ignore[arg-type]
    finally:
        for worker in workers:
            worker.kill()
        balancer.kill()


async def test_all_sockets_of_a_diagram_reach_one_worker(site: Site) -> None:
    bo = await sign_in(site.balancer, "bo")  # type: ignore[arg-type]
    for home, meeting in (await site.meetings()).items():
        editors = [await kind(meeting, person).join() for person in (site.ana, bo) for kind in (Classic, Tmi, CodrawV1)]
        id = cell_id()
        await editors[-1].edit(add(id))
        await editors[-1].hear("operation_accepted")
        for editor in editors[:-1]:
            while id not in editor.cells:
                await editor.hear()
        await meeting.over()
        assert await site.sockets(meeting, 6) == [home] * 6


async def test_a_lost_worker_costs_its_diagrams_nothing_and_the_others_notice_nothing(site: Site) -> None:
    meetings = await site.meetings()
    lost, other = meetings
    async with AsyncExitStack() as seats:
        ana, bo = [await seats.enter_async_context(seat_at(meetings[lost], name)) for name in ("ana", "bo")]
        cy = await seats.enter_async_context(seat_at(meetings[other], "cy"))
        box = new(**BOX)
        assert await ana.edit(box)
        site.workers[lost].kill()
        # while nobody knows yet that it is gone
        asked_for = [ana.edit(update(box.id, x=n)) for n in range(2, 12)]
        assert {(await site.ana.ask("GET", meetings[lost].path)).status_code for _ in range(10)} == {200}
        for one in asked_for:
            assert await one
        await agree(meetings[lost], ana, bo)
        assert await site.home(meetings[lost]) == other
        assert cy.is_live
    assert await site.sockets(meetings[other], 1) == [other]


async def test_who_comes_while_a_diagram_has_two_homes_sees_the_same(site: Site) -> None:
    meetings = await site.meetings()
    home, other = meetings
    async with AsyncExitStack() as seats:
        site.workers[home].kill()
        ana = await seats.enter_async_context(seat_at(meetings[home], "ana"))
        box = new(**BOX)
        assert await ana.edit(box)
        await asyncio.to_thread(site.workers[home].start)
        assert await site.home(meetings[home]) == home
        bo = await seats.enter_async_context(seat_at(meetings[home], "bo"))
        for n, live in enumerate([ana, bo, ana, bo], 2):
            assert await live.edit(update(box.id, x=n))
        await agree(meetings[home], ana, bo)
    assert set(await site.sockets(meetings[home], 2)) == {home, other}


async def test_one_worker_after_the_other_is_restarted_and_nobody_is_turned_away(site: Site) -> None:
    meetings = list((await site.meetings()).values())
    async with AsyncExitStack() as stack:
        seats = [
            await stack.enter_async_context(seat_at(meeting, name)) for meeting in meetings for name in ("ana", "bo")
        ]
        asked_for = []
        for worker in site.workers.values():
            stopping = asyncio.create_task(asyncio.to_thread(worker.stop))
            while not stopping.done():
                asked_for += [live.edit(new(**BOX)) for live in seats]
                assert {(await site.ana.ask("GET", meeting.path)).status_code for meeting in meetings} == {200}
            assert await stopping == 0
            await asyncio.to_thread(worker.start)
        for one in asked_for:
            assert await one
        await agree(meetings[0], *seats[:2])
        await agree(meetings[1], *seats[2:])


async def agree(meeting: Meeting, *seats: LiveDiagram) -> None:
    for live in seats:
        await live.settled()
    vector, cells = await meeting.cells()
    for live in seats:
        await until(lambda live=live: live.is_live and live.vector >= vector)  # type: ignore[misc]
        assert (live.vector, list(live.cells)) == (vector, cells)

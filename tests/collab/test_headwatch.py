"""Open rooms are compared with the store, whether or not any news came through."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Collection, Mapping
from pathlib import Path
from typing import Any

import pytest

from collab.core.events import Said
from collab.headwatch import SLICES, HeadWatch, Looks
from collab.news import EVERYWHERE, Standing
from collab.ports import StoreUnavailable, Watched
from collab.room_task import IN_FULL, RoomPorts
from protocol.values import DiagramId, SessionId
from storage.diagrams import SqlDiagrams
from tests.support.clock import HandClock
from tests.support.turns import PATIENCE_S, turns, until
from tests.support.wire import Line
from tests.support.workers import PATIENT, Workers, workers
from tests.wire.test_workers import adding


class Counted:
    """A store that counts the questions, and fails at will, or keeps whoever asks waiting until `answers`."""

    def __init__(self, store: SqlDiagrams) -> None:
        self.store, self.asked, self.away = store, 0, False
        self.answers = asyncio.Event()
        self.answers.set()

    async def watched(self, diagrams: Collection[DiagramId]) -> Mapping[DiagramId, Watched]:
        self.asked += 1
        await self.answers.wait()
        if self.away:
            raise StoreUnavailable
        return await self.store.watched(diagrams)


@pytest.fixture
async def two(tmp_path: Path) -> AsyncIterator[Workers]:
    async with workers(tmp_path) as two:
        await two[0].open_session()
        two.hub.deaf = True
        yield two


def watching(two: Workers, looks: Looks = PATIENT, clock: HandClock | None = None) -> tuple[HeadWatch, Counted]:
    ports = two[1].ports
    store = Counted(SqlDiagrams(two[1].database, two[1].now_ms))
    given = {name: getattr(ports, name) for name in ports.__struct_fields__}
    given |= {"store": store, "clock": clock or two.clock}
    return HeadWatch(two[1].rooms, RoomPorts(**given), looks), store


async def written(two: Workers) -> Line:
    """An edit that a socket at the second worker has not heard of."""
    ana, bo = await two[0].present("ana"), await two[1].present("bo")
    ana.say(adding())
    await ana.hear("operation_accepted")
    return bo


async def test_VEC13_I18_one_question_finds_what_no_news_told(two: Workers) -> None:
    bo = await written(two)
    watch, store = watching(two)
    await watch.look()
    assert (await bo.hear("event"))["update_vector"] == 1
    assert store.asked == 1


async def test_without_open_rooms_nothing_is_asked(two: Workers) -> None:
    watch, store = watching(two)
    await watch.look()
    assert store.asked == 0


async def test_a_store_that_is_away_is_asked_again(two: Workers) -> None:
    bo = await written(two)
    watch, store = watching(two)
    store.away = True
    await watch.look()
    store.away = False
    await watch.look()
    assert (await bo.hear("event"))["update_vector"] == 1


async def test_I22_a_store_that_keeps_the_watch_waiting_keeps_nobody_from_being_heard(two: Workers) -> None:
    """It is asked one question at a time all the same."""
    two.hub.deaf = False
    await two[1].present("bo")
    await turns()
    watch, store = watching(two, Looks(look_s=0.0, pause_s=float("inf")))
    store.answers.clear()
    before = len(two.hub.spoken)
    for _ in range(2 * SLICES):
        async with asyncio.timeout(PATIENCE_S):
            await watch.look()
        await turns()
    assert (len(two.hub.spoken), store.asked) == (before + 2, 1)
    store.answers.set()


async def test_SES21_a_diagram_that_is_gone_is_found_gone(two: Workers) -> None:
    bo = await two[1].present("bo")
    await two[0].models.delete_diagram(two[0].diagram)
    watch, _ = watching(two)
    await watch.look()
    assert (await bo.hear("goodbye"))["reason"] == "diagram_deleted"


async def test_SES15_an_end_that_no_news_told_is_found(two: Workers) -> None:
    ana, bo = await two[0].present("ana"), await two[1].present("bo")
    ana.leave(code=1000, reason="")
    await ana.ended()
    watch, _ = watching(two)
    live: Any = True
    while live:
        live = await two[0].sessions.live(two[0].diagram)
    await watch.look()
    assert (await bo.hear("goodbye"))["reason"] == "host_left"


async def test_VEC7_after_a_stall_every_room_reads_before_it_shows_anything(two: Workers) -> None:
    await two[1].present("bo")
    watch, store = watching(two, Looks(look_s=0.0, pause_s=3.0))
    store.answers.clear()
    (room,) = two[1].rooms.open_rooms()
    two.clock.advance(2.0)
    await watch.look()
    assert not room.room.state.session_doubted
    two.clock.advance(3.0)
    await watch.look()
    await until(lambda: room.room.state.session_doubted)
    await until(lambda: not room.room.state.session_doubted)
    store.answers.set()


async def test_the_rooms_learn_whether_the_bus_is_heard(two: Workers) -> None:
    await two[1].present("bo")
    (room,) = two[1].rooms.open_rooms()
    watch, _ = watching(two)
    for healthy in (False, True):
        two.hub.deaf = not healthy
        for _ in range(SLICES):
            await watch.look()
        await until(lambda healthy=healthy: room.room.state.roster.remote.sighted is healthy)  # type: ignore[misc]


async def test_every_so_many_looks_a_room_says_who_is_here(two: Workers) -> None:
    two.hub.deaf = False
    await two[1].present("bo")
    await turns()
    watch, _ = watching(two)
    before = len(two.hub.spoken)
    for _ in range(SLICES):
        await watch.look()
        await turns()
    assert len(two.hub.spoken) == before + 1


async def test_mostly_it_is_said_of_all_rooms_at_once_that_what_was_said_stands(two: Workers) -> None:
    await two[1].present("bo")
    await turns()
    watch, _ = watching(two)
    spoken = len(two.hub.spoken)
    for _ in range(IN_FULL * SLICES):
        await watch.look()
        await turns()
    heard = [two[0].ports.seal.opened(EVERYWHERE, news) for news in two.hub.spoken[spoken:]]
    assert [type(news) for news in heard] == [Standing] * (IN_FULL - 1) + [type(None)]
    (room,) = two[1].rooms.open_rooms()
    last = two[0].ports.seal.opened(room.diagram, two.hub.spoken[-1])
    assert isinstance(last, Said) and last.participants


async def test_I22_whoever_missed_what_stands_asks_for_it(two: Workers) -> None:
    await two[0].present("ana")
    await two[1].present("bo")
    two.hub.deaf = False
    first, _ = watching(two)
    other = HeadWatch(two[0].rooms, two[0].ports, PATIENT)
    two[0].tasks.start("watch", other.run())
    (there,) = two[0].rooms.open_rooms()
    there.room.state.roster.remote.clear()
    await turns()
    for _ in range(SLICES):
        await first.look()
        await turns()
    await until(lambda: [one.user.provider_id for one in there.room.state.roster.remote] == ["bo"])


async def test_presence_is_asked_for_all_rooms_at_once(two: Workers, monkeypatch: pytest.MonkeyPatch) -> None:
    await two[1].present("bo")
    await turns()
    watch, _ = watching(two)
    asked: list[list[SessionId]] = []
    read_many = two[1].ports.presence.read_many

    async def counted(sessions: Any) -> Any:
        asked.append(list(sessions))
        return await read_many(sessions)

    monkeypatch.setattr(two[1].ports.presence, "read_many", counted)
    for _ in range(IN_FULL * SLICES):
        await watch.look()
        await turns()
    (room,) = two[1].rooms.open_rooms()
    assert asked == [[room.room.state.session.id]]


async def test_the_watch_goes_on_by_itself_and_faster_while_the_bus_is_deaf(two: Workers) -> None:
    await two[1].present("bo")
    clock = HandClock()
    watch, store = watching(two, clock=clock)
    task = two[1].tasks.start("watch", watch.run())
    for healthy, wait_s in ((True, 0.5), (False, 0.25)):
        await until(lambda: bool(clock.timers))
        two.hub.deaf = not healthy
        asked = store.asked
        clock.advance(clock.timers[0].at_s - clock.now().monotonic_s)
        await until(lambda asked=asked: store.asked > asked and bool(clock.timers))  # type: ignore[misc]
        assert clock.timers[0].at_s - clock.now().monotonic_s == pytest.approx(wait_s)
    task.cancel()

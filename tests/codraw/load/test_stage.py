from __future__ import annotations

import asyncio
from typing import Any

import pytest

from codraw.client import RestError
from codraw.load.measures import Measures
from codraw.load.scenarios import SEEDED
from codraw.load.stage import Stage, Unready, allowed, each
from codraw.local_stores import free_port
from collab.tasks import Tasks
from tests.support.servers import Server


def stage(*urls: str, **more: Any) -> Stage:
    return Stage(urls, more.get("tokens", ()), 1, Measures(), Tasks(lambda _name, _error: None))


async def test_diagrams_begin_with_cells_and_a_session(server: Server) -> None:
    built = stage(server.http, server.http)
    await built.build(2, 3)
    try:
        assert len(built.people) == 2 and len(built.boards) == 3
        for board, shared in zip(built.boards, built.shared, strict=True):
            shown = await built.shown(board, 1)
            assert (shown.vector, shown.order) == (0, shared) and len(shared) == SEEDED
            assert (await built.host.home.session(board.threat_model, board.diagram))["session_id"] == board.session
    finally:
        await built.strike()


async def test_a_token_is_renewed_for_all_workers(server: Server) -> None:
    built = stage(server.http, server.http)
    await built.build(1, 1)
    before = built.host.home.token
    await built.host.renew()
    assert built.host.home.token != before
    assert {one.token for one in built.host.servers} == {built.host.home.token}
    await built.strike()


async def test_S34_no_worker_keeps_a_refresh_token_that_another_has_used(server: Server) -> None:
    built = stage(server.http, server.http, server.http)
    await built.build(1, 1)
    home, second, third = built.host.servers
    used = home.refresh_token
    second.token = home.token = "over"
    await second.request("GET", "/threat_models")
    assert home.refresh_token != used
    third.token = "over"
    await third.request("GET", "/threat_models")
    assert third.token == home.token
    await built.strike()


async def test_S75_every_wait_for_a_rate_limit_is_counted_and_none_is_timed() -> None:
    answers: list[Exception | str] = [RestError(429, {}, 0.3), RestError(429, {}, 0.001), "welcome"]

    async def ask() -> str:
        answer = answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    measures = Measures()
    assert await allowed(ask, measures, "create") == "welcome"
    assert measures.tally["waits for a rate limit"] == 2
    assert measures.step("create").count == 1 and measures.step("create").at(100) < 300


async def test_a_server_that_is_not_there_is_told() -> None:
    with pytest.raises(Unready, match="does not answer"):
        await stage(f"http://127.0.0.1:{free_port()}").build(1, 1)


async def test_a_token_that_is_none_is_told(server: Server) -> None:
    built = stage(server.http, tokens=("nonsense",))
    with pytest.raises(Unready, match="401: a --token is over"):
        await built.build(1, 1)
    await built.strike()


async def test_results_stand_in_the_order_of_what_they_came_of() -> None:
    async def work(item: int) -> int:
        await asyncio.sleep(0)
        return item * item

    assert await each(Tasks(), range(10), work, at_once=3) == [n * n for n in range(10)]
    assert await each(Tasks(), [], work) == []


async def test_whoever_is_cancelled_takes_the_work_along() -> None:
    tasks, begun, over = Tasks(), asyncio.Event(), []

    async def work(number: int) -> None:
        begun.set()
        try:
            await asyncio.Event().wait()
        finally:
            over.append(number)

    running = tasks.start("each", each(tasks, range(3), work))
    await begun.wait()
    running.cancel()
    await asyncio.wait((running,))
    await tasks.close()
    assert running.cancelled() and sorted(over) == [0, 1, 2]


async def test_a_failure_is_raised_once_all_have_ended() -> None:
    done = []

    async def work(item: int) -> None:
        if item == 1:
            raise ValueError(item)
        await asyncio.sleep(0)
        done.append(item)

    with pytest.raises(ValueError, match="1"):
        await each(Tasks(lambda _name, _error: None), range(4), work, at_once=2)
    assert done == [0, 2, 3]

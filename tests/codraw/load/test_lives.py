from __future__ import annotations

import asyncio
from pathlib import Path
from urllib.parse import urlsplit
from uuid import uuid4

import psutil
import pytest

from codraw.client import RestError
from codraw.load.lives import live_and_end
from codraw.load.measures import Measures
from codraw.load.plan import Plan
from codraw.load.scenarios import Scenario
from codraw.load.stage import Stage
from codraw.local_stores import free_port
from collab.tasks import Tasks
from tests.support.servers import Server


async def test_a_session_that_lives_already_is_told(server: Server) -> None:
    plan = Plan(urls=(server.http,), editors=2, diagrams=1, scenario=Scenario.SESSIONS, sessions=1)
    measures, tasks = Measures(), Tasks()
    stage = Stage(plan.urls, (), 1, measures, tasks)
    await stage.build(2, 1, live=True)
    await live_and_end(plan, stage, measures, tasks)
    assert measures.faults == {"session refused": 1}
    await stage.strike()


async def test_who_is_not_admitted_is_in_no_way_of_the_next(server: Server) -> None:
    nobody = f"http://127.0.0.1:{free_port()}"
    plan = Plan(urls=(server.http, nobody), editors=2, diagrams=1, scenario=Scenario.SESSIONS, sessions=4)
    measures, tasks = Measures(), Tasks()
    stage = Stage(plan.urls, (), 1, measures, tasks)
    await stage.build(2, 1, live=False)
    stage.people[0].servers[1] = stage.people[0].home
    await live_and_end(plan, stage, measures, tasks)
    assert measures.faults == {"not admitted": 4}
    await stage.strike()


async def test_a_token_that_is_over_is_renewed_amid_the_lives(server: Server) -> None:
    plan = Plan(urls=(server.http,), editors=2, diagrams=1, scenario=Scenario.SESSIONS, sessions=2)
    measures, tasks = Measures(), Tasks()
    stage = Stage(plan.urls, (), 1, measures, tasks)
    await stage.build(2, 1, live=False)
    stage.people[1].home.token = "over"
    await live_and_end(plan, stage, measures, tasks)
    assert measures.tally["sessions lived and ended"] == 2 and not measures.faults, measures.examples
    await stage.strike()


async def test_no_task_is_left_after_a_life(server: Server) -> None:
    plan = Plan(urls=(server.http,), editors=2, diagrams=1, scenario=Scenario.SESSIONS, sessions=3)
    measures, tasks = Measures(), Tasks()
    stage = Stage(plan.urls, (), 1, measures, tasks)
    await stage.build(2, 1, live=False)
    await live_and_end(plan, stage, measures, tasks)
    assert measures.tally["sessions lived and ended"] == 3 and not measures.faults and len(tasks) == 0
    await stage.strike()


async def test_a_life_that_is_cut_short_leaves_no_connection_and_nobody_comes_back(server: Server) -> None:
    plan = Plan(urls=(server.http,), editors=2, diagrams=1, scenario=Scenario.SESSIONS, sessions=100_000)
    measures, tasks = Measures(), Tasks()
    stage = Stage(plan.urls, (), 1, measures, tasks)
    await stage.build(2, 1, live=False)
    living = tasks.start("lives", live_and_end(plan, stage, measures, tasks))
    while not measures.join.count:  # noqa: ASYNC110 - a run tells nobody of it
        await asyncio.sleep(0)
    living.cancel()
    await asyncio.wait((living,))
    await stage.strike()
    here = psutil.Process().net_connections("tcp")
    assert not [one for one in here if one.raddr and one.raddr.port == urlsplit(server.http).port]
    assert len(tasks) == 0 and not measures.closes


async def test_S75_who_is_told_to_come_later_does(tmp_path: Path) -> None:
    with Server(tmp_path, rate_limits="true", joins_per_minute="60") as limited:
        plan = Plan(urls=(limited.http,), editors=2, diagrams=1, scenario=Scenario.SESSIONS, sessions=2)
        measures, tasks = Measures(), Tasks()
        stage = Stage(plan.urls, (), 1, measures, tasks)
        await stage.build(2, 1, live=False)
        status = 0
        while status != 429:
            with pytest.raises(RestError) as refused:
                await stage.host.home.create_session(stage.threat_model, str(uuid4()))
            status = refused.value.status
        await live_and_end(plan, stage, measures, tasks)
        assert measures.tally["sessions lived and ended"] == 2 and not measures.faults, measures.examples
        assert measures.step("create").count == 2
        await stage.strike()

from __future__ import annotations

from codraw.load.lives import live_and_end
from codraw.load.measures import Measures
from codraw.load.plan import Plan
from codraw.load.scenarios import Scenario
from codraw.load.stage import Stage
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


async def test_no_task_is_left_after_a_life(server: Server) -> None:
    plan = Plan(urls=(server.http,), editors=2, diagrams=1, scenario=Scenario.SESSIONS, sessions=3)
    measures, tasks = Measures(), Tasks()
    stage = Stage(plan.urls, (), 1, measures, tasks)
    await stage.build(2, 1, live=False)
    await live_and_end(plan, stage, measures, tasks)
    assert measures.tally["sessions lived and ended"] == 3 and not measures.faults and len(tasks) == 0
    await stage.strike()

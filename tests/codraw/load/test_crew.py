from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from codraw.load.crew import Crew
from codraw.load.measures import Measures
from codraw.load.plan import Plan
from codraw.load.stage import Stage, Unready
from codraw.load.wire import Dialect
from collab.tasks import Tasks
from tests.support.servers import Server


class Troupe:
    """A crew on its stage."""

    def __init__(self, plan: Plan) -> None:
        self.measures, self.tasks = Measures(), Tasks(lambda _name, _error: None)
        self.stage = Stage(plan.urls, (), plan.seed, self.measures, self.tasks)
        self.crew = Crew(plan, self.stage, self.measures, self.tasks)

    async def __aenter__(self) -> Crew:
        await self.stage.build(self.crew.plan.people, self.crew.plan.diagrams)
        self.crew.hire()
        return self.crew

    async def __aexit__(self, *_: object) -> None:
        await self.crew.dismiss()
        await self.stage.strike()
        await self.tasks.close()


@pytest.fixture
async def crew(server: Server) -> AsyncIterator[Crew]:
    async with Troupe(Plan(urls=(server.http, server.http), editors=4, diagrams=2, ramp=1_000.0)) as crew:
        yield crew


async def test_everybody_is_in_and_in_sync(crew: Crew) -> None:
    await crew.come_in()
    assert all(editor.is_in_sync and editor.vector == 0 for editor in crew.editors)
    assert crew.measures.join.count == 4


async def test_who_loses_the_connection_comes_back(crew: Crew) -> None:
    await crew.come_in()
    editor = crew.editors[3]
    assert editor.line is not None
    editor.line.cut()
    while not crew.measures.resume.count:
        await crew.gone(0.01)
    assert editor.is_in_sync and crew.measures.closes == {1006: 1} and crew.measures.tally["resumed"] == 1


async def test_who_left_on_purpose_stays_away(crew: Crew) -> None:
    await crew.come_in()
    editor = crew.editors[3]
    editor.wants_in = False
    assert editor.line is not None
    editor.line.leave()
    while editor.line is not None:
        await crew.gone(0.01)
    assert not crew.measures.closes


async def test_a_dial_that_fails_is_counted(crew: Crew) -> None:
    editor = crew.editors[0]
    editor.board.diagram = editor.board.threat_model
    assert not await crew.dial(editor)
    assert crew.measures.tally["dial: closed 4404"] == 1


async def test_where_nobody_more_is_let_in_it_says_why(tmp_path: Path) -> None:
    with Server(tmp_path, max_sockets_per_session="5") as server:
        async with Troupe(Plan(urls=(server.http,), editors=6, ramp=1_000.0)) as crew:
            crew.patience_s = 1.0
            with pytest.raises(Unready, match=r"5 of 6 were let in, the others not: .*session_full"):
                await crew.come_in()


async def test_a_diagram_with_one_editor_or_without_v1_gets_a_witness(server: Server) -> None:
    plan = Plan(urls=(server.http,), editors=3, diagrams=1, dialects=(Dialect.CLASSIC,))
    async with Troupe(plan) as crew:
        assert [editor.name for editor in crew.editors if editor not in crew.writers] == ["witness 0"]
        assert len(crew.writers) == 3

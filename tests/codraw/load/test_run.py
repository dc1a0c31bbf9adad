from __future__ import annotations

from typing import Any

import pytest

from codraw.load.measures import Measures, Sample
from codraw.load.plan import Plan
from codraw.load.run import Run
from codraw.load.scenarios import Scenario
from codraw.load.stage import Unready
from codraw.load.wire import Dialect
from tests.codraw.load.conftest import Loading
from tests.support.servers import Server


@pytest.mark.parametrize("dialect", Dialect)
async def test_I2_in_every_dialect_all_agree_at_the_end(loading: Loading, dialect: Dialect) -> None:
    found = await loading(dialects=(dialect,))
    assert found.is_good, found.examples
    assert found.agreement is not None and found.agreement.is_settled
    assert found.agreement.operations_replayed == found.tally["operations"] - found.tally.get("no-ops", 0) > 10


async def test_WS1_dialects_may_be_mixed_and_come_by_ticket(loading: Loading) -> None:
    found = await loading(editors=8, dialects=tuple(Dialect), tickets=True)
    assert found.is_good, found.examples
    assert found.tally["deliveries"] > found.tally["operations"]


@pytest.mark.parametrize("scenario", [Scenario.DRAGGING, Scenario.TYPING, Scenario.SLOW_READERS])
async def test_every_scenario_comes_to_its_end(loading: Loading, scenario: Scenario) -> None:
    found = await loading(scenario=scenario, slow=0.4)
    assert found.is_good, found.examples
    assert not found.rejections and found.tally["operations"] > 10


async def test_pointers_are_seen(loading: Loading) -> None:
    found = await loading(scenario=Scenario.CURSORS)
    assert found.is_good and found.latencies["cursor"]["count"] > 10


async def test_who_is_not_back_in_the_end_does_not_agree(server: Server) -> None:
    def end(*_: object) -> None:
        board = one.stage.boards[0]
        one.tasks.start("end", one.stage.host.home.leave_session(board.threat_model, board.diagram, end=True))

    one = Run(Plan(urls=(server.http,), editors=3, duration_s=1.5, scenario=Scenario.CURSORS, settle_s=0.5), end)
    assert (await one.run()).faults["away"] == 3


async def test_I17_after_a_storm_all_resume_and_nobody_needs_a_full_state(loading: Loading) -> None:
    found = await loading(scenario=Scenario.JOIN_STORM, jitter_s=0.1)
    assert found.is_good, found.examples
    assert found.tally["resumed"] == 4 and found.tally["full states in the storm"] == 0
    assert found.latencies["storm until all are in sync"]["count"] == 1


async def test_a_load_that_cannot_be_sent_ends_in_time_and_says_what_was_left(
    loading: Loading, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("codraw.load.schedule.AT_ONCE", 10)
    monkeypatch.setattr("codraw.load.schedule.CATCH_UP_S", 0.0)
    found = await loading(rate=100_000.0, duration_s=0.1)
    assert found.is_good, found.examples
    assert found.tally["operations"] + found.tally["due and not sent"] == pytest.approx(60_000, rel=0.05)
    assert "Not all that was due was sent" in found.remarks[0]


async def test_sessions_live_and_end(loading: Loading) -> None:
    found = await loading(scenario=Scenario.SESSIONS, sessions=6)
    assert found.is_good, found.examples
    assert found.tally["sessions lived and ended"] == 6
    assert {"create", "join", "leave", "end"} <= found.latencies.keys()


async def test_it_takes_away_what_it_made(loading: Loading, server: Server) -> None:
    from tests.support.servers import sign_in

    await loading()
    host = await sign_in(server, "load-0")
    assert [model for model in await host.get("/threat_models") if model["owner"].startswith("load-")] == []


async def test_the_version_of_the_server_is_told(loading: Loading) -> None:
    assert (await loading()).server != "unknown"


def long_run(server: Server, **options: Any) -> Run:
    """Stopped in its first second, by whoever looks on."""

    def stop(sample: Sample, measures: Measures) -> None:
        if measures.samples:
            one.stop()

    plan = Plan(**{"urls": (server.http,), "editors": 6, "rate": 20.0, "duration_s": 1.8, "jitter_s": 0.5, **options})
    one = Run(plan.checked(), stop)
    return one


@pytest.mark.parametrize("scenario", [Scenario.DRAWING, Scenario.SLOW_READERS, Scenario.JOIN_STORM])
async def test_a_run_that_is_stopped_is_held_against_get_and_told(server: Server, scenario: Scenario) -> None:
    found = await long_run(server, scenario=scenario).run()
    assert found.is_interrupted and "Interrupted" in found.remarks[0]
    assert found.is_good and found.agreement is not None and found.agreement.is_settled
    assert found.tally["accepted"] > 10


async def test_who_is_away_when_a_storm_is_stopped_returns_at_once(server: Server) -> None:
    found = await long_run(server, scenario=Scenario.JOIN_STORM, jitter_s=600.0).run()
    assert found.is_good and found.tally["resumed"] == 5, found.examples


async def test_a_storm_that_did_not_come_is_told(server: Server) -> None:
    found = await long_run(server, scenario=Scenario.JOIN_STORM, duration_s=60.0).run()
    assert "before anybody was disturbed" in found.remarks[1] and "storm" not in found.phases


async def test_a_storm_from_which_nobody_can_return_comes_to_an_end(server: Server) -> None:
    class Ended(Run):
        async def _storm(self) -> None:
            board = self.stage.boards[0]
            await self.stage.host.home.leave_session(board.threat_model, board.diagram, end=True)
            await super()._storm()

    plan = Plan(
        urls=(server.http,), editors=3, duration_s=0.5, scenario=Scenario.JOIN_STORM, jitter_s=0.1, settle_s=0.5
    )
    found = await Ended(plan).run()
    assert found.faults["away"] == 3 and "storm until all are in sync" not in found.latencies


async def test_sessions_can_be_stopped(server: Server) -> None:
    found = await long_run(server, scenario=Scenario.SESSIONS, sessions=100_000).run()
    assert found.is_interrupted and found.is_good, found.examples


async def test_stopped_in_the_ramp_there_is_no_load_to_tell_of(server: Server) -> None:
    one = Run(Plan(urls=(server.http,), editors=6, ramp=0.01), lambda *_: one.stop())
    found = await one.run()
    assert found.is_interrupted and found.agreement is None and not found.samples


async def test_stopped_before_anybody_is_there_it_says_so(server: Server) -> None:
    one = Run(Plan(urls=(server.http,)))
    one.stop()
    with pytest.raises(Unready, match="Interrupted"):
        await one.run()


async def test_every_second_of_a_run_is_a_sample(loading: Loading) -> None:
    assert len((await loading(duration_s=1.2)).samples) == 1


async def test_no_single_value_is_kept_for_longer_than_a_second(server: Server) -> None:
    kept: list[int] = []

    def look(_: Sample, measures: Measures) -> None:
        kept.append(sum(len(one._fresh) for one in (measures.lag, measures.awareness, measures.join)))

    await Run(Plan(urls=(server.http,), editors=3, duration_s=1.5, scenario=Scenario.CURSORS), look).run()
    assert kept and not any(kept)

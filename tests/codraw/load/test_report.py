from __future__ import annotations

import io
import os
from typing import Any

import msgspec
import pytest
from rich.console import Console
from rich.progress_bar import ProgressBar

from codraw.load.agreement import Agreement
from codraw.load.measures import Measures, Sample
from codraw.load.plan import Plan
from codraw.load.report import head, line, live, page, rows, show, verdict
from codraw.load.results import Results, Served, latencies, phases
from codraw.load.scenarios import Scenario
from codraw.load.usage import use

PID = os.getpid()


def sample(second: float) -> Sample:
    return Sample(second, 2, 10, 20, 1.0, 2.0, 3.0, 4.0, 0, 0, 0.1, {str(PID): (0.5, 80.0)})


def results(**other: Any) -> Results:
    measures = Measures()
    for value in (0.001, 0.002, 0.5):
        measures.receipt.add(value)
        measures.delivery.add(value)
    measures.begin("storm")
    measures.receipt.add(0.1)
    made = Results(
        begun_at="2026-11-21T10:00:00+00:00",
        machine="a machine, 2 cores",
        python="3.11",
        server="1.0",
        command="codraw load http://there",
        plan=Plan(urls=("http://there",)),
        took_s=10.0,
        operations_per_s=30.0,
        deliveries_per_s=600.0,
        latencies=latencies(measures),
        phases=phases(measures),
        curves={"receipt": measures.receipts.curve(), "delivery": measures.deliveries.curve()},
        tally={"operations": 300},
        rejections={},
        closes={},
        faults={},
        examples=[],
        agreement=Agreement(0.1, True, 1, 1, 20, 300),
        generator_cpu=0.1,
        servers=[Served(PID, use(PID), use(PID), 100.0)],
        remarks=[],
        samples=[sample(1.0), sample(2.0)],
    )
    return msgspec.structs.replace(made, **other)


def shown(found: Results) -> str:
    text = io.StringIO()
    show(found, Console(file=text, width=200, color_system=None))
    return text.getvalue()


def test_the_end_tells_what_where_and_how_fast() -> None:
    text = shown(results())
    for word in ("codraw load http://there", "a machine, 2 cores", "30 operations/s", "receipt", "good: nothing lost"):
        assert word in text


def test_a_fault_is_told_with_its_example() -> None:
    text = shown(results(faults={"lost": 2}, examples=["lost: [editor] 3"]))
    assert "FAULTS: 2 × lost" in text and "lost: [editor] 3" in text


def test_remarks_are_told() -> None:
    assert "the bottleneck" in shown(results(remarks=["The generator itself was the bottleneck."]))


def test_phases_have_rows_of_their_own_where_there_are_two() -> None:
    assert "  receipt, storm" in dict(rows(results()))


def test_a_run_without_editors_only_has_no_faults() -> None:
    assert verdict(results(agreement=None)) == "good: no faults"


def test_of_a_run_that_sent_nothing_nothing_good_is_said() -> None:
    found = results(tally={"deliveries": 0})
    assert verdict(found) == "no faults, and nothing proved: nothing was sent"
    assert "good" not in shown(found) and 'class="good"' not in page(found)


def test_a_server_is_shown_with_what_it_used() -> None:
    assert any(f"server {PID}:" in sentence for sentence in head(results()))
    assert not any("server" in s for s in head(results(servers=[Served(PID, use(PID), None, 1.0)]))[4:])


def test_the_page_needs_no_other_file_and_escapes_what_it_shows() -> None:
    text = page(results(faults={"lost": 1}, examples=["lost: <script>"]))
    assert text.count("<svg") == 5
    assert "&lt;script&gt;" in text and "<script" not in text
    for outside in ("<link", "<img", "@import", 'src="'):
        assert outside not in text


@pytest.mark.parametrize("word", ["connected", "faults", f"server {PID}"], ids=["connected", "faults", "server"])
def test_the_picture_of_one_second(word: str) -> None:
    text = io.StringIO()
    Console(file=text, width=120).print(live(Plan(urls=("http://there",)), sample(3.0), Measures()))
    assert word in text.getvalue()


def progress(plan: Plan, second: float, measures: Measures) -> float | None:
    bar = live(plan, sample(second), measures).renderables[0]
    assert isinstance(bar, ProgressBar)
    return bar.percentage_completed


def test_the_bar_shows_who_is_in_and_then_the_time() -> None:
    plan, measures = Plan(urls=("http://there",), editors=8, duration_s=12.0), Measures()
    assert progress(plan, 3.0, measures) == 25.0  # two of eight
    measures.samples.append(sample(1.0))
    assert progress(plan, 6.0, measures) == 50.0
    assert progress(plan, 13.0, measures) == 100.0


def test_where_sessions_come_and_go_the_bar_shows_these() -> None:
    measures = Measures()
    measures.tally["sessions lived and ended"] = 30
    plan = Plan(urls=("http://there",), scenario=Scenario.SESSIONS, sessions=40)
    assert progress(plan, 3.0, measures) == 75.0


def test_the_percentiles_stand_below_their_points() -> None:
    assert "<!-- 99.99 -->" in page(results())


def test_without_a_terminal_a_second_is_one_line() -> None:
    assert "\n" not in line(sample(3.0)) and "20 deliveries/s" in line(sample(3.0))

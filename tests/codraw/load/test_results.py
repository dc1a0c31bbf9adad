from __future__ import annotations

import os

import pytest

from codraw.load.measures import Measures
from codraw.load.results import latencies, machine, phases, remarks, served
from codraw.load.usage import Watch, use


def test_of_what_did_not_happen_nothing_is_reported() -> None:
    measures = Measures()
    measures.receipt.add(0.002)
    measures.step("create").add(0.01)
    assert latencies(measures).keys() == {"receipt", "create"}


def test_phases_stand_apart() -> None:
    measures = Measures()
    measures.begin("storm")
    measures.delivery.add(0.002)
    assert phases(measures)["storm"]["delivery"]["count"] == 1
    assert phases(measures)["steady"]["delivery"]["count"] == 0


def test_a_generator_without_time_says_so() -> None:
    measures = Measures()
    measures.tally["operations"] = 1
    assert remarks(measures, 0.5) == []
    assert "itself was the bottleneck" in remarks(measures, 0.95)[0]
    measures.lag.add(0.5)
    assert "sent late" in remarks(measures, 0.5)[0]


def test_what_was_due_and_never_sent_is_told() -> None:
    measures = Measures()
    measures.tally.update({"operations": 200, "cursors": 50, "due and not sent": 750})
    assert "of about 1000 strokes 750 (75%) were not" in remarks(measures, 0.5)[0]


def test_who_waited_for_a_rate_limit_is_told_once() -> None:
    measures = Measures()
    measures.tally.update({"operations": 1, "waits for a rate limit": 7})
    assert [remark for remark in remarks(measures, 0.5) if "7 times somebody waited" in remark] == remarks(
        measures, 0.5
    )


@pytest.mark.parametrize("sent", ["operations", "cursors"])
def test_a_run_in_which_nothing_was_sent_says_that_it_proves_nothing(sent: str) -> None:
    measures = Measures()
    assert "Nothing was sent" in remarks(measures, 0.5)[0]
    measures.tally[sent] = 1
    assert remarks(measures, 0.5) == []


def test_a_disturbance_in_which_nobody_edited_proves_nothing() -> None:
    measures = Measures()
    measures.tally["operations"] = 1
    measures.begin("storm")
    assert "Nobody edited in the phase storm" in remarks(measures, 0.5)[0]
    measures.receipt.add(0.1)
    assert remarks(measures, 0.5) == []


def test_the_machine_is_named() -> None:
    assert "cores" in machine()


def test_a_server_that_went_away_has_no_end() -> None:
    watch = Watch(os.getpid())
    (still,) = served([watch], [use(os.getpid())])
    (gone,) = served([watch], [None])
    assert still.ended is not None and gone.ended is None

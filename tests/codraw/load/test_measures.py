from __future__ import annotations

from codraw.load.measures import EXAMPLES, Latency, Measures


def of(*values: float) -> Latency:
    latency = Latency()
    for value in values:
        latency.add(value)
    return latency


def test_seconds_go_in_and_milliseconds_come_out() -> None:
    summary = of(*[n / 1_000 for n in range(1, 101)]).summary()
    assert summary["count"] == 100
    assert round(summary["p50"]) == 50 and round(summary["p99"]) == 99 and round(summary["max"]) == 100


def test_nothing_has_no_latency() -> None:
    assert of().summary() == {"count": 0, "p50": 0.0, "p90": 0.0, "p99": 0.0, "p99.9": 0.0, "max": 0.0}


def test_what_is_shorter_or_longer_than_the_scale_still_counts() -> None:
    assert of(-1.0, 0.0, 1e9).count == 3


def test_what_is_recent_is_so_once_and_counts_for_the_whole() -> None:
    latency = of(0.010, 0.030, 0.020)
    assert latency.recent().at(50) == 20.0
    assert latency.recent().at(50) == 0.0
    latency.add(0.040)
    assert latency.recent().at(100) == 40.0
    assert latency.count == 4


def test_the_curve_rises() -> None:
    curve = of(*[n / 1_000 for n in range(1, 1_001)]).curve()
    assert [ms for _, ms in curve] == sorted(ms for _, ms in curve)
    assert curve[-1][0] == 100


def test_a_run_is_the_sum_of_its_phases() -> None:
    measures = Measures()
    measures.receipt.add(0.001)
    measures.begin("storm")
    measures.receipt.add(0.003)
    assert measures.receipts.count == 2
    assert [receipt.count for receipt, _ in measures.phases.values()] == [1, 1]


def test_every_fault_counts_and_a_few_are_shown() -> None:
    measures = Measures()
    for number in range(EXAMPLES + 5):
        measures.fault("lost", f"vector {number}")
    assert measures.faults["lost"] == EXAMPLES + 5
    assert len(measures.examples) == EXAMPLES and measures.examples[0] == "lost: vector 0"

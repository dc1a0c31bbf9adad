"""A report says what was found, what was not looked at, and what was left out."""

from __future__ import annotations

import json
from typing import Any

from tests.campaign.report import Outcome, Report, as_json, as_text, machine, percentiles, together


def outcome(**members: Any) -> Outcome:
    nothing: dict[str, Any] = {
        "part": "F1",
        "what": "kills",
        "seed": 7,
        "seconds": 1.0,
        "injected": {"kill": 2},
        "operations": {"submitted": 9},
        "recovered": {"returns": 3},
        "latency": {},
        "notes": {},
        "usage": {},
        "invariants": {"I1": "held"},
        "checked": {"I1": 5},
        "violations": {},
        "problems": [],
    }
    return Outcome(**nothing | members)


def report(*rounds: Outcome, skipped: list[str] | None = None) -> Report:
    return Report("campaign quick", machine(), 7, list(rounds), skipped or [])


def test_counts_of_all_rounds_are_added() -> None:
    told = json.loads(as_json(report(outcome(), outcome(injected={"kill": 1}))))
    assert (told["counts"], told["injected"]) == ({"rounds": 2, "submitted": 18}, {"kill": 3})


def test_one_violation_is_a_violation() -> None:
    assert together(["held", "violated", "not exercised"]) == "violated"


def test_what_one_round_has_exercised_is_held() -> None:
    assert together(["not exercised", "held"]) == "held"


def test_what_nobody_exercised_is_not_held() -> None:
    text = as_text(report(outcome()))
    assert "-- held: I1\n" in text
    assert "-- not exercised: I2 " in text


def test_a_violation_is_told_with_its_seed_and_fails() -> None:
    found = report(outcome(violations={"I3": "a gap"}))
    assert found.failed
    assert "!! F1 seed 7: I3: a gap" in as_text(found)


def test_a_round_that_does_not_count_fails() -> None:
    assert report(outcome(problems=["does not count: nothing was injected"])).failed


def test_a_campaign_without_rounds_fails() -> None:
    assert report().failed


def test_what_was_skipped_is_told() -> None:
    assert "-- skipped: F5" in as_text(report(outcome(), skipped=["F5"]))


def test_percentiles_of_nothing_are_nothing() -> None:
    assert percentiles([]) == {}


def test_percentiles_are_in_milliseconds() -> None:
    assert percentiles([0.001 * n for n in range(1, 101)]) == {
        "count": 100, "p50_ms": 51.0, "p99_ms": 100.0, "max_ms": 100.0,
    }  # fmt: skip

from __future__ import annotations

from typing import Any

import pytest

from codraw.load.plan import Plan, WrongUse
from codraw.load.scenarios import Scenario
from codraw.load.wire import Dialect


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"urls": ("localhost:8080",)}, "no address"),
        ({"editors": 2, "diagrams": 3}, "3 diagrams need as many editors"),
        ({"rate": 0.0}, "--rate"),
        ({"duration_s": float("nan")}, "--duration"),
        ({"ramp": -1.0}, "--ramp"),
        ({"padding": 100_000}, "--padding"),
        ({"slow": 1.0}, "--readers-slow"),
        ({"editors": 4, "diagrams": 2, "tokens": ("a",)}, "2 people sit on a diagram"),
        ({"scenario": Scenario.JOIN_STORM, "editors": 2, "diagrams": 2}, "join-storm disturbs nobody"),
        ({"scenario": Scenario.SLOW_READERS, "editors": 4}, "slow-readers disturbs nobody"),
        ({"scenario": Scenario.SLOW_READERS, "slow": 0.0}, "more --editors or --readers-slow"),
        ({"scenario": Scenario.CURSORS, "dialects": (Dialect.V1, Dialect.TMI)}, "cursors needs codraw.v1"),
    ],
)
def test_what_makes_no_sense_is_said(options: dict[str, Any], said: str) -> None:
    with pytest.raises(WrongUse, match=said):
        Plan(**{"urls": ("http://there",), **options}).checked()


@pytest.mark.parametrize(
    ("options", "disturbed"),
    [
        ({"scenario": Scenario.JOIN_STORM, "editors": 20, "diagrams": 5}, 15),
        ({"scenario": Scenario.SLOW_READERS, "editors": 20}, 2),
        ({"scenario": Scenario.SLOW_READERS, "editors": 20, "slow": 0.9, "diagrams": 10}, 10),
    ],
)
def test_one_of_each_diagram_is_left_in_peace(options: dict[str, Any], disturbed: int) -> None:
    assert Plan(urls=("http://there",), **options).checked().disturbed == disturbed


def test_people_are_shared_by_the_diagrams() -> None:
    assert Plan(urls=("http://there",), editors=1_000, diagrams=50).people == 20
    assert Plan(urls=("http://there",), editors=21, diagrams=2).people == 11


def test_a_session_needs_two() -> None:
    assert Plan(urls=("http://there",), editors=5, diagrams=5, scenario=Scenario.SESSIONS).people == 2

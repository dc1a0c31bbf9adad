"""Full states on request (WS9)."""

from __future__ import annotations

from collab.core.ration import BURST, INTERVAL_S, Ration


def spent(at_s: float = 0.0) -> Ration:
    ration = Ration()
    for _ in range(BURST):
        assert ration.take(at_s) == 0
    return ration


def test_WS9_three_states_may_be_asked_for_at_once() -> None:
    assert [Ration().take(0.0) for _ in range(BURST)] == [0.0, 0.0, 0.0]


def test_WS9_then_one_comes_per_five_seconds() -> None:
    ration = spent()
    assert ration.take(0.0) == INTERVAL_S
    assert ration.take(INTERVAL_S) == INTERVAL_S, "the one that was awaited has been had"
    assert ration.take(2 * INTERVAL_S) == INTERVAL_S


def test_WS9_who_waited_a_while_waits_for_the_rest_only() -> None:
    assert spent().take(3.0) == INTERVAL_S - 3.0


def test_WS9_a_long_rest_saves_no_more_than_three() -> None:
    ration = spent()
    assert [ration.take(1_000.0) for _ in range(BURST + 1)] == [0.0, 0.0, 0.0, INTERVAL_S]

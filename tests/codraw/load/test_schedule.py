from __future__ import annotations

from collections.abc import Iterator
from itertools import count
from time import perf_counter

import pytest

from codraw.load.editor import Editor
from codraw.load.scenarios import Stroke, change
from codraw.load.schedule import AT_ONCE, CATCH_UP_S, Schedule
from tests.codraw.load.scene import Scene


def every(seconds: float) -> Iterator[Stroke]:
    while True:
        yield Stroke(seconds, change("n1", x=1))


async def past(scene: Scene, *strokes: tuple[Editor, Iterator[Stroke]], rate: float = 1.0) -> int:
    """Ten seconds that are over, so that nothing is waited for. How much of it was not sent."""
    ids, end = count(), perf_counter() - CATCH_UP_S
    schedule = Schedule(strokes, lambda: f"o{next(ids)}", scene.measures.lag)
    await schedule.run(end - 10.5, end)
    return schedule.unsent(end, rate)


async def test_what_is_late_is_still_sent() -> None:
    scene = Scene()
    ana, bob = scene.joined("ana"), scene.joined("bob")
    assert await past(scene, (ana, every(1.0)), (bob, every(5.0))) == 0
    assert (len(ana.pending), len(bob.pending)) == (10, 2)


async def test_what_cannot_be_sent_in_time_is_not_sent_and_is_counted() -> None:
    scene = Scene()
    ana, bob = scene.joined("ana"), scene.joined("bob")
    bob.wants_in = False
    unsent = await past(scene, (ana, every(0.001)), (bob, every(0.001)), rate=1_000.0)
    assert len(ana.pending) < AT_ONCE
    assert len(ana.pending) + unsent == pytest.approx(10_500, abs=2)


async def test_lateness_is_measured_and_counts_for_the_latency() -> None:
    scene = Scene()
    ana = scene.joined("ana")
    await past(scene, (ana, every(5.0)))
    assert scene.measures.lag.at(0) > 1_000
    meant = [intended for intended, _ in ana.pending.values()]
    assert meant[1] - meant[0] == 5.0


async def test_who_was_sent_away_draws_nothing() -> None:
    scene = Scene()
    ana = scene.joined("ana")
    ana.wants_in = False
    strokes = every(1.0)
    await past(scene, (ana, strokes))
    assert not ana.pending


async def test_a_pointer_moves_without_an_operation() -> None:
    scene = Scene()
    ana = scene.joined("ana")
    await past(scene, (ana, iter([Stroke(1.0, None), Stroke(1.0, None), Stroke(20.0, None)])))
    assert not ana.pending and scene.measures.tally["cursors"] == 2

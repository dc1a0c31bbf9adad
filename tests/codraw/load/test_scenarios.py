from __future__ import annotations

from itertools import islice
from random import Random

import pytest

from codraw.load.scenarios import DRAG_MOVES, KEYS, OWN, STROKES, Hand, Scenario, Stroke, chance_of, node, uuid

SHARED = ["s1", "s2", "s3"]


def strokes(scenario: Scenario, count: int, rate: float = 2.0, seed: int = 1) -> list[Stroke]:
    return list(islice(STROKES[scenario](Hand(SHARED, chance_of(seed, "test")), rate), count))


@pytest.mark.parametrize("scenario", [s for s in Scenario if s is not Scenario.SESSIONS])
@pytest.mark.parametrize("rate", [0.5, 2.0, 50.0])
def test_on_average_the_rate_holds(scenario: Scenario, rate: float) -> None:
    took_s = sum(stroke.pause_s for stroke in strokes(scenario, 6_000, rate))
    assert 0.8 * rate < 6_000 / took_s < 1.2 * rate


@pytest.mark.parametrize("scenario", STROKES)
def test_the_same_seed_draws_the_same(scenario: Scenario) -> None:
    assert strokes(scenario, 200) == strokes(scenario, 200)
    assert strokes(scenario, 200) != strokes(scenario, 200, seed=2)


@pytest.mark.parametrize("scenario", STROKES)
def test_no_stroke_can_be_refused(scenario: Scenario) -> None:
    """What is changed or removed exists, and what all share is never removed."""
    there = set(SHARED)
    for stroke in strokes(scenario, 5_000):
        for change in stroke.cells or ():
            if change["operation"] == "add":
                there.add(change["id"])
            else:
                assert change["id"] in there
            if change["operation"] == "remove":
                assert change["id"] not in SHARED
                there.remove(change["id"])
    assert len(there) <= len(SHARED) + OWN


def test_a_drag_moves_one_node() -> None:
    for begin in range(0, 5 * DRAG_MOVES, DRAG_MOVES):
        burst = strokes(Scenario.DRAGGING, 5 * DRAG_MOVES)[begin : begin + DRAG_MOVES]
        assert len({stroke.cells[0]["id"] for stroke in burst if stroke.cells}) == 1


def test_a_label_grows_by_one_letter() -> None:
    labels = [stroke.cells[0]["data"]["label"] for stroke in strokes(Scenario.TYPING, KEYS) if stroke.cells]
    assert [len(label) for label in labels] == list(range(2, KEYS + 2))


def test_pointers_move_more_than_they_draw() -> None:
    found = strokes(Scenario.CURSORS, 1_000)
    assert sum(stroke.cells is None for stroke in found) == 990


def test_notes_make_a_third_of_the_strokes_large() -> None:
    hand = Hand(SHARED, chance_of(1, "test"), padding=5_000)
    notes = [cell["data"]["data/note"] for _ in range(1_000) for cell in hand.draw() if "data/note" in str(cell)]
    assert 250 < len(notes) < 450 and {len(note) for note in notes} == {5_000} and len(set(notes)) == len(notes)


def test_ids_are_uuids_of_version_4() -> None:
    id = uuid(Random(1))
    assert [len(part) for part in id.split("-")] == [8, 4, 4, 4, 12]
    assert id[14] == "4" and id[19] == "a"


def test_purposes_have_chances_of_their_own() -> None:
    assert uuid(chance_of(1, "ids")) != uuid(chance_of(1, "stage"))


def test_a_node_is_one() -> None:
    assert {"id", "shape", "x", "y", "width", "height"} <= node("n", Random(1)).keys()

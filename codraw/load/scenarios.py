"""What editors do, and how fast: endless strokes, each after a pause, drawn from one seeded chance per editor.

An average of `rate` strokes a second holds in every scenario; dragging and typing come in bursts, as from people, and
where `rate` is more than people manage, in bursts so quick.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from enum import StrEnum
from random import Random
from typing import Any, NamedTuple

Cells = Sequence[dict[str, Any]]
SEEDED = 20
"""Cells that every diagram begins with, and that nobody removes."""
OWN = 10
"""So many cells an editor adds before the oldest of them goes again: a diagram does not grow without end."""
SHAPES = ("process", "store", "actor", "process")
DRAG_MOVES, DRAG_STEP_S = 20, 0.05
KEYS, KEY_STEP_S = 15, 0.15


class Scenario(StrEnum):
    DRAWING = "drawing"
    DRAGGING = "dragging"
    TYPING = "typing"
    CURSORS = "cursors"
    JOIN_STORM = "join-storm"
    SLOW_READERS = "slow-readers"
    SESSIONS = "sessions"


DISTURBING = (Scenario.JOIN_STORM, Scenario.SLOW_READERS)


class Stroke(NamedTuple):
    """After a pause these cells change; None: the pointer moves."""

    pause_s: float
    cells: Cells | None


def chance_of(seed: int, what: str) -> Random:
    """One of its own for every purpose: more of one leaves the others as they are."""
    return Random(f"{seed} {what}")  # noqa: S311 - a load, not a secret


def uuid(chance: Random) -> str:
    """A UUID of version 4."""
    bits = f"{chance.getrandbits(128):032x}"
    return f"{bits[:8]}-{bits[8:12]}-4{bits[13:16]}-a{bits[17:20]}-{bits[20:]}"


def node(id: str, chance: Random) -> dict[str, Any]:
    """A cell such as editors make, about 400 bytes as JSON."""
    colour = f"#{chance.getrandbits(24):06x}"
    return {
        "id": id,
        "shape": chance.choice(SHAPES),
        "x": chance.randrange(4_000),
        "y": chance.randrange(4_000),
        "width": 120,
        "height": 80,
        "label": f"Component {colour}",
        "attrs": {"body": {"fill": colour, "stroke": "#333333", "strokeWidth": 2}, "text": {"fontSize": 14}},
        "data": {"note": "made under load", "encrypted": False, "assets": ["tokens", "profiles"]},
    }


class Hand:
    """One editor's: the cells that all share, and its own. `padding`: so many bytes of a note in a third of strokes."""

    def __init__(self, shared: Sequence[str], chance: Random, padding: int = 0) -> None:
        self.chance = chance
        self._padding = padding
        self._shared = shared
        self._own: list[str] = []

    def some(self) -> str:
        """A node that nobody removes while we are at it."""
        return self.chance.choice([*self._shared, *self._own])

    def draw(self) -> Cells:
        """Mostly something is moved or painted, sometimes made, and what was made long ago goes."""
        kind = self.chance.random()
        if kind < 0.4:
            return self._make() if len(self._own) < OWN else [{"id": self._own.pop(0), "operation": "remove"}]
        if self._padding and kind < 0.75:
            note = f"{self.chance.getrandbits(64):016x}".ljust(self._padding, ".")
            return change(self.some(), **{"data/note": note})
        if kind < 0.75:
            return change(self.some(), x=self.chance.randrange(4_000), y=self.chance.randrange(4_000))
        return change(self.some(), **{"attrs/body/fill": f"#{self.chance.getrandbits(24):06x}"})

    def _make(self) -> Cells:
        cell = node(uuid(self.chance), self.chance)
        self._own.append(cell["id"])
        return [{"id": cell.pop("id"), "operation": "add", "data": cell}]


def change(id: str, **data: Any) -> Cells:
    return [{"id": id, "operation": "update", "data": data}]


def drawing(hand: Hand, rate: float) -> Iterator[Stroke]:
    while True:
        yield Stroke(hand.chance.expovariate(rate), hand.draw())


def dragging(hand: Hand, rate: float) -> Iterator[Stroke]:
    """A node follows the pointer, twenty places a second, one second long."""
    step_s = min(DRAG_STEP_S, 1 / rate)
    while True:
        pause_s, id = _pause(hand.chance, rate, DRAG_MOVES, step_s), hand.some()
        x, y = hand.chance.randrange(4_000), hand.chance.randrange(4_000)
        for move in range(DRAG_MOVES):
            yield Stroke(step_s if move else pause_s, change(id, x=x + 5 * move, y=y + 3 * move))


def typing(hand: Hand, rate: float) -> Iterator[Stroke]:
    """A label grows letter by letter."""
    step_s = min(KEY_STEP_S, 1 / rate)
    while True:
        pause_s, id = _pause(hand.chance, rate, KEYS, step_s), hand.some()
        word = "".join(hand.chance.choices("abcdefghij ", k=KEYS))
        for length in range(1, KEYS + 1):
            yield Stroke(step_s if length > 1 else pause_s, change(id, label=f"{word[:length]}|"))


def cursors(hand: Hand, rate: float) -> Iterator[Stroke]:
    """The pointer moves at an even pace; every hundredth stroke is an edit, so that there is something to agree on."""
    number = 0
    while True:
        number += 1
        pause_s = 1 / rate if number > 1 else hand.chance.random() / rate
        yield Stroke(pause_s, hand.draw() if number % 100 == 0 else None)


def _pause(chance: Random, rate: float, strokes: int, step_s: float) -> float:
    """Before a burst, so that on average there are `rate` strokes a second."""
    return chance.expovariate(1 / (strokes / rate - (strokes - 1) * step_s))


STROKES: dict[Scenario, Callable[[Hand, float], Iterator[Stroke]]] = {
    Scenario.DRAWING: drawing,
    Scenario.DRAGGING: dragging,
    Scenario.TYPING: typing,
    Scenario.CURSORS: cursors,
    Scenario.JOIN_STORM: drawing,
    Scenario.SLOW_READERS: drawing,
}
"""The disturbances of the last two come from the run."""

"""How a bug is written down: what plants it, and which rules of the kit must notice it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Mutant:
    """`caught_by`: rules, of each of which a check must fail in one of the `dialects`."""

    plant: Callable[[], None]
    caught_by: tuple[str, ...]
    dialects: tuple[str, ...]

    @property
    def name(self) -> str:
        return self.plant.__name__


MUTANTS: dict[str, Mutant] = {}


def mutant(caught_by: str, dialects: str = "tmi") -> Callable[[Callable[[], None]], Callable[[], None]]:
    def register(plant: Callable[[], None]) -> Callable[[], None]:
        MUTANTS[plant.__name__] = Mutant(plant, tuple(caught_by.split()), tuple(dialects.split()))
        return plant

    return register

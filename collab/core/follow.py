"""News of other workers: put in order, repeats dropped, gaps noticed."""

from __future__ import annotations

from collections.abc import Iterable

from protocol.operations import LoggedOperation

HELD_OPERATIONS = 4_096
"""Beyond that the room reads the log instead of waiting for what is missing."""


class Held:
    """Operations heard and not yet applied, by vector."""

    def __init__(self) -> None:
        self._by_vector: dict[int, LoggedOperation] = {}

    def __bool__(self) -> bool:
        return bool(self._by_vector)

    def offer(self, operations: Iterable[LoggedOperation], vector: int) -> None:
        for operation in operations:
            if operation.vector > vector:
                self._by_vector[operation.vector] = operation

    def take(self, vector: int) -> LoggedOperation | None:
        """The operation of just this vector."""
        return self._by_vector.pop(vector, None)

    def forget(self, vector: int) -> None:
        """Drops what is at or below."""
        for held in [v for v in self._by_vector if v <= vector]:
            del self._by_vector[held]

    def gap(self, vector: int) -> bool:
        """Something above is here and the next one is not."""
        return bool(self._by_vector) and vector + 1 not in self._by_vector

    def overfull(self) -> bool:
        return len(self._by_vector) > HELD_OPERATIONS

    def clear(self) -> None:
        self._by_vector.clear()

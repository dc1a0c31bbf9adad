"""The newest operations of a diagram: those that a returning client may have missed, and no more (WS17, I28)."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from itertools import islice

from collab.core.kept import Kept
from protocol.operations import LoggedOperation

RESUME_BYTES = 1_048_576 - 65_536
"""Of effects: 1 MiB less what events have around them, so that none of them gives way to a full state (E7)."""

Place = tuple[int, int]
"""A vector and the state hash there."""


class Recent:
    """Without gaps up to the head; at most `limit` operations with `RESUME_BYTES` of effects.

    `before`: the place that the oldest of them starts from; None: its hash is not known.
    """

    def __init__(self, limit: int, before: Place | None, operations: Iterable[Kept] = ()) -> None:
        self._limit = limit
        self._before = before
        self._kept: deque[Kept] = deque()
        self._bytes = 0
        for operation in operations:
            self.add(operation)

    def add(self, operation: Kept) -> None:
        self._kept.append(operation)
        self._bytes += len(operation.effect)
        while len(self._kept) > self._limit or self._bytes > RESUME_BYTES:
            oldest = self._kept.popleft()
            self._bytes -= len(oldest.effect)
            self._before = (oldest.vector, oldest.state_hash)

    def newest(self, count: int) -> tuple[LoggedOperation, ...] | None:
        """The last `count`; None: that many are not kept."""
        if not 0 <= count <= len(self._kept):
            return None
        return tuple(kept.operation for kept in islice(self._kept, len(self._kept) - count, None))

    def hash_at(self, vector: int) -> int | None:
        if self._before is not None and self._before[0] == vector:
            return self._before[1]
        index = vector - self._kept[0].vector if self._kept else -1
        return self._kept[index].state_hash if 0 <= index < len(self._kept) else None

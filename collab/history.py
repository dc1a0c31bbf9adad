"""What of the log makes an undo stack, read downwards page by page until the stack is known (UN11)."""

from __future__ import annotations

import asyncio
from collections import deque

import msgspec

from collab.core.history import Step, suffice
from collab.ports import DiagramStore
from protocol.operations import LoggedOperation
from protocol.values import DiagramId, Epoch, UserId

PAGE = 125
"""Operations read at once: they may be large, and few of them may do."""
ROWS = 60_000
BYTES = 16 * 1_048_576
"""Of effects and inverses. Beyond these bounds a stack begins later than it did: each entry may be a group of hundreds
of large operations, undos and redos stand between, and a reading must not fill the memory."""


async def history(
    store: DiagramStore, diagram: DiagramId, epoch: Epoch, user: UserId | None, depth: int
) -> tuple[Step, ...]:
    """Oldest first, of one user or of everybody. Raises StoreUnavailable."""
    steps: deque[Step] = deque()
    size = due = 0
    while size < BYTES and len(steps) < ROWS:
        page = await store.history(diagram, epoch, user, PAGE, steps[0].vector if steps else None)
        steps.extendleft(reversed(page))
        if len(page) < PAGE:
            break
        if len(steps) >= due:
            # Beside the event loop, and not after every page: it goes through all that was read.
            if await asyncio.to_thread(suffice, steps, depth):
                break
            due = 2 * len(steps)
        size += await asyncio.to_thread(_size, page)
    return tuple(steps)


def _size(steps: tuple[Step, ...]) -> int:
    return sum(
        len(msgspec.json.encode(step.effect)) + len(msgspec.json.encode(step.inverse))
        for step in steps
        if isinstance(step, LoggedOperation)
    )

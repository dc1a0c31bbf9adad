"""What of the log makes an undo stack, read downwards page by page until the stack is known (UN11)."""

from __future__ import annotations

import asyncio
from collections import deque

from collab.core.history import suffice
from collab.core.kept import Done, Kept, Step, step
from collab.ports import DiagramStore
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
        # Beside the event loop: the operations may be large.
        read = await asyncio.to_thread(_kept, page) if page else []
        steps.extendleft(reversed(read))
        if len(page) < PAGE:
            break
        if len(steps) >= due:
            # Not after every page: it goes through all that was read.
            if await asyncio.to_thread(suffice, steps, depth):
                break
            due = 2 * len(steps)
        size += sum(len(one.effect) + len(one.rest) for one in read if isinstance(one, Kept))
    return tuple(steps)


def _kept(page: tuple[Done, ...]) -> list[Step]:
    return [step(done) for done in page]

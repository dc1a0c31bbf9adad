"""Fairness where a commit is one statement: who has missed several times gets the head for itself, from the next miss
to the commit after it.

Compare-and-set alone lets a busy worker win nearly every time: it knows the head, and who missed has to read it first.
Nothing else hangs on this: the condition of the commit stays what it was. The work of a transaction waits here for its
caller, which it may only because a database of which one statement writes everything runs it in the event loop.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from typing import Any, Generic, TypeVar

from collab.ports import StoreUnavailable
from protocol.values import DiagramId, Head
from storage.commits import WHOLE
from storage.database import CommitUnknown, Database, Transaction, Value

T = TypeVar("T")

FAIR = 4
"""The attempt from which on one does not only try."""
HOLD_S = 0.25
"""How long the head waits for the next commit: longer than judging takes, and no longer than anybody notices."""
HELD = "SELECT 1 FROM diagram_head WHERE id = $1 FOR NO KEY UPDATE"


class _Request(Generic[T]):
    def __init__(self, base: Head, values: Sequence[Value]) -> None:
        self.base, self.values = base, values
        self.answer: asyncio.Future[T | None] = asyncio.get_running_loop().create_future()


class Turns(Generic[T]):
    """Of one worker."""

    def __init__(
        self, database: Database, missed: Callable[[Transaction, DiagramId, Head], Coroutine[Any, Any, T]]
    ) -> None:
        """`missed` reads what a caller is told whose base does not stand."""
        self._database = database
        self._missed = missed
        self._requests: dict[DiagramId, asyncio.Queue[_Request[T]]] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    def due(self, diagram: DiagramId, attempt: int) -> bool:
        """Also where this worker holds the head: any other way to commit would wait for itself."""
        return attempt >= FAIR or diagram in self._requests

    async def written(self, diagram: DiagramId, base: Head, values: Sequence[Value]) -> T | None:
        """None: it is. Else what `missed` says, and the head is this worker's for a moment. Raises as a transaction
        does. A room commits one batch at a time."""
        request = _Request[T](base, values)
        if diagram not in self._requests:
            queue = self._requests[diagram] = asyncio.Queue()
            task = asyncio.get_running_loop().create_task(self._turn(diagram, queue))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        self._requests[diagram].put_nowait(request)
        return await asyncio.shield(request.answer)

    async def _turn(self, diagram: DiagramId, queue: asyncio.Queue[_Request[T]]) -> None:
        asked: list[_Request[T]] = []

        async def work(tx: Transaction) -> None:
            """Done again, it goes on with the request that has no answer yet."""
            await tx.fetch(HELD, diagram)
            while asked or await self._next(diagram, queue, asked):
                request = asked[0]
                if await tx.fetch(WHOLE, *request.values):
                    return
                told = await self._missed(tx, diagram, request.base)
                asked.clear()
                request.answer.set_result(told)

        # of a task that is cancelled: nothing is known of the statement under way
        error: Exception | None = CommitUnknown("the turn was cut short")
        try:
            await self._database.transaction(work)
            error = None
        except Exception as raised:
            error = raised
        finally:
            self._over(diagram, queue)
            for request in asked:
                if error is None:
                    request.answer.set_result(None)
                else:
                    request.answer.set_exception(error)
            while not queue.empty():
                # nothing was done for them, whatever became of the others
                queue.get_nowait().answer.set_exception(StoreUnavailable("the turn was over"))

    async def _next(self, diagram: DiagramId, queue: asyncio.Queue[_Request[T]], asked: list[_Request[T]]) -> bool:
        try:
            async with asyncio.timeout(HOLD_S):
                asked.append(await queue.get())
        except TimeoutError:
            self._over(diagram, queue)
            if not queue.empty():  # it came in the same moment
                asked.append(queue.get_nowait())
        return bool(asked)

    def _over(self, diagram: DiagramId, queue: asyncio.Queue[_Request[T]]) -> None:
        """Whoever comes now begins another turn, which is none of this one's business: it may begin before this one's
        transaction has ended."""
        if self._requests.get(diagram) is queue:
            del self._requests[diagram]
